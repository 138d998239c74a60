//! What of an exchange may be kept: no password, no token, and not too much. A text too many is removed rather than one
//! too few kept.

use crate::secret;
use serde_json::{Map, Value};
use url::form_urlencoded;

/// The longest body that is kept, in characters.
const MAX_BODY: usize = 4_000;

/// What stands for a value that is not kept.
const REMOVED: &str = "[removed]";

/// Parts of names whose values are secrets.
const SECRETS: [&str; 12] = [
    "password",
    "secret",
    "token",
    "authorization",
    "pwd",
    "passwd",
    "passphrase",
    "credential",
    "apikey",
    "api_key",
    "api-key",
    "bearer",
];

/// What may stand before the name of a user's attribute.
const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:user:";

/// Members of an object that say what its value is: of an operation of a PATCH, or of one of several values.
const NAMING: [&str; 4] = ["path", "attribute", "type", "name"];

/// The body of a refused request. What is no JSON is not kept: nobody knows what it is.
pub(super) fn body(body: &[u8]) -> Option<String> {
    if body.is_empty() {
        return None;
    }
    let Ok(mut value) = serde_json::from_slice::<Value>(body) else {
        return Some(format!("({} bytes that are not JSON)", body.len()));
    };
    redact(&mut value);
    let mut text = value.to_string();
    if let Some((end, _)) = text.char_indices().nth(MAX_BODY) {
        text.truncate(end);
        text.push('…');
    }
    Some(text)
}

/// Path and query. A path that names a secret is not kept beyond its last good part, a query not at all.
pub(super) fn target(path: &str, query: Option<&str>) -> String {
    let parts: Vec<&str> = path.split('/').map(|part| if may_be_kept(part) { part } else { REMOVED }).collect();
    let path = parts.join("/");
    match query {
        None => path,
        Some(query) if may_be_kept(query) => format!("{path}?{query}"),
        Some(_) => format!("{path}?{REMOVED}"),
    }
}

/// The sentence that the client was told. It quotes the client; where that spoke of a secret, no quotation is kept.
pub(super) fn detail(detail: &str, path_and_query: &str, body: &[u8]) -> String {
    let Some((before, quoted)) = detail.split_once('"') else { return text(detail) };
    if !speaks_of_a_secret(path_and_query, body) {
        return text(detail);
    }
    // From the first mark to the last: what is quoted may have marks of its own.
    let after = quoted.rsplit_once('"').map_or("", |(_, after)| after);
    text(&format!("{before}\"{REMOVED}\"{after}"))
}

/// A text in which our own secrets are not kept.
pub(super) fn text(text: &str) -> String {
    secret::replaced(text, REMOVED)
}

/// Whether there is nothing in it that would not be kept.
pub(crate) fn is_harmless(value: &Value) -> bool {
    let mut kept = value.clone();
    redact(&mut kept);
    kept == *value
}

fn speaks_of_a_secret(path_and_query: &str, body: &[u8]) -> bool {
    let in_body = match serde_json::from_slice::<Value>(body) {
        Ok(value) => mentions_a_secret(&value),
        Err(_) => names_a_secret(&String::from_utf8_lossy(body)),
    };
    in_body || decoded(path_and_query).any(|text| names_a_secret(&text))
}

fn mentions_a_secret(value: &Value) -> bool {
    match value {
        Value::String(text) => names_a_secret(text),
        Value::Array(items) => items.iter().any(mentions_a_secret),
        Value::Object(members) => {
            members.iter().any(|(name, member)| names_a_secret(name) || mentions_a_secret(member))
        }
        _ => false,
    }
}

/// Whether a part of an address, percent-encoded, has nothing in it that is a secret or names one.
fn may_be_kept(encoded: &str) -> bool {
    decoded(encoded).all(|text| !names_a_secret(&text) && self::text(&text) == text)
}

/// Names and values of a query; a text that is none is a name.
fn decoded(encoded: &str) -> impl Iterator<Item = String> {
    form_urlencoded::parse(encoded.as_bytes()).flat_map(|(name, value)| [name.into_owned(), value.into_owned()])
}

fn redact(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::String(text) if names_a_secret(text) && !is_bare(text) => REMOVED.clone_into(text),
        Value::String(text) => *text = self::text(text),
        Value::Object(members) => redact_members(members),
        _ => {}
    }
}

fn redact_members(members: &mut Map<String, Value>) {
    let is_of_a_secret = members.iter().any(|(name, member)| is_one_of(name, &NAMING) && mentions_a_secret(member));
    for (name, mut member) in std::mem::take(members) {
        if names_a_secret(&name) || (is_of_a_secret && is_one_of(&name, &["value", "values"])) {
            member = Value::String(REMOVED.to_owned());
        } else {
            redact(&mut member);
        }
        // A path with a filter may be a name as well.
        let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'$'));
        let name = match names_a_secret(&name) {
            true if !is_plain && !is_bare(&name) => REMOVED.to_owned(),
            _ => text(&name),
        };
        members.insert(name, member);
    }
}

fn is_one_of(name: &str, names: &[&str]) -> bool {
    names.iter().any(|one| name.eq_ignore_ascii_case(one))
}

fn names_a_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRETS.iter().any(|secret| name.contains(secret))
}

/// Whether the text is the name and nothing else, as in the path of a PATCH.
fn is_bare(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    SECRETS.contains(&text.strip_prefix(USER).unwrap_or(&text))
}

#[cfg(test)]
mod tests;
