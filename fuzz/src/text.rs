//! Filters and paths, changed by their words.

use super::chance::Chance;

const NAMES: [&str; 16] = [
    "userName",
    "externalId",
    "active",
    "name",
    "givenName",
    "title",
    "emails",
    "type",
    "value",
    "primary",
    "members",
    "manager",
    "$ref",
    "meta",
    "urn:ietf:params:scim:schemas:core:2.0:User:title",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
];
const OPERATORS: [&str; 9] = ["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"];
const VALUES: [&str; 8] = ["\"\"", "\"work\"", "\"a\"", "true", "False", "null", "-1.5e3", "0"];
const JOINTS: [&str; 2] = ["and", "or"];
const MARKS: [&str; 10] = ["(", ")", "[", "]", ".", ":", "\"", " ", " pr", "not "];
const KINDS: [&[&str]; 5] = [&NAMES, &OPERATORS, &VALUES, &JOINTS, &MARKS];
const TERMS: [&str; 6] = [
    "title pr",
    "active eq true",
    "name.givenName sw \"A\"",
    "emails[type eq \"work\"]",
    "emails[primary eq true].value eq \"x\"",
    "size ge 5",
];
const WRAPS: [(&str, &str); 6] =
    [("(", ")"), ("not (", ")"), ("emails[", "]"), ("members[", "].value"), ("\"", "\""), ("urn:a:", "")];

/// The text with one word more, less or other, a part in parentheses or twice, or one term more.
pub fn changed(before: &str, chance: &mut Chance) -> Option<String> {
    let mut words = words(before);
    let (from, to) = (chance.below(words.len() + 1), chance.below(words.len() + 1));
    let (from, to) = (from.min(to), from.max(to));
    match chance.below(7) {
        0 => {
            let kind = chance.of(&KINDS);
            words.insert(from, chance.of(kind));
        }
        1 | 2 => {
            let word = words.get_mut(from)?;
            *word = chance.of(kind(word));
        }
        3 => drop(words.drain(from..to.min(from + 1 + chance.below(3)))),
        4 => {
            let (open, close) = chance.of(&WRAPS);
            // Often the whole text, since a part of it is seldom one that can stand alone.
            let (from, to) = if chance.one_in(2) { (0, words.len()) } else { (from, to) };
            words.insert(to, close);
            words.insert(from, open);
        }
        5 => {
            let part = words[from..to].to_vec();
            let at = chance.below(words.len() + 1);
            words.splice(at..at, part);
        }
        _ => {
            let joint = chance.of(&JOINTS);
            words.splice(from..from, [" ", joint, " ", chance.of(&TERMS)]);
        }
    }
    Some(words.concat())
}

/// The words that may stand where this one does.
fn kind(word: &str) -> &'static [&'static str] {
    if word.starts_with('"') || word.starts_with(|c: char| c.is_ascii_digit()) {
        return &VALUES;
    }
    KINDS.into_iter().find(|kind| kind.contains(&word)).unwrap_or(&NAMES)
}

/// Names and numbers, quoted texts, runs of spaces, and every other character alone; together they are the text.
fn words(mut text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    while let Some(first) = text.chars().next() {
        let in_name = |c: char| c.is_alphanumeric() || "_-$".contains(c);
        let length = match first {
            '"' => text[1..].find('"').map_or(text.len(), |end| end + 2),
            ' ' => text.find(|c| c != ' ').unwrap_or(text.len()),
            c if in_name(c) => text.find(|c| !in_name(c)).unwrap_or(text.len()),
            c => c.len_utf8(),
        };
        let (word, rest) = text.split_at(length);
        words.push(word);
        text = rest;
    }
    words
}
