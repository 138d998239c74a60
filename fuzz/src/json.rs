//! JSON documents, changed by their values and names.

use super::{chance::Chance, text};
use serde_json::{Map, Value, json};

const NAMES: [&str; 30] = [
    "Operations",
    "op",
    "path",
    "value",
    "userName",
    "externalId",
    "active",
    "name",
    "name.givenName",
    "givenName",
    "title",
    "emails",
    "type",
    "primary",
    "display",
    "roles",
    "entitlements",
    "addresses",
    "photos",
    "x509Certificates",
    "members",
    "displayName",
    "$ref",
    "manager",
    "groups",
    "id",
    "password",
    "emails[type eq \"work\"].value",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
];
const TEXTS: [&str; 18] = [
    "",
    "x",
    "work",
    "home",
    "True",
    "false",
    "add",
    "Replace",
    "remove",
    "1",
    "a@b.test",
    "{\"value\":\"Admin\"}",
    "\0",
    "\u{7f}\u{202e}",
    "İſ",
    "%_\\'",
    "2026-11-22T00:00:00Z",
    "W/\"1\"",
];
const PATHS: [&str; 10] = [
    "active",
    "name",
    "name.givenName",
    "emails",
    "emails[type eq \"work\"]",
    "emails[type eq \"other\"].value",
    "roles[primary eq true].value",
    "members[value eq \"1\"]",
    "members",
    "manager",
];

/// The document with one value or name changed, added, removed or doubled; `None` when it is none.
pub fn changed(before: &str, chance: &mut Chance) -> Option<String> {
    let mut document: Value = serde_json::from_str(before).ok()?;
    let chosen = chance.below(count(&document));
    change(&mut document, &mut chosen.clone(), chance);
    Some(document.to_string())
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(members) => members.values().map(count).sum::<usize>(),
        _ => 0,
    }
}

/// Walks to the chosen value and changes it; whether it was below this one.
fn change(value: &mut Value, left: &mut usize, chance: &mut Chance) -> bool {
    if *left == 0 {
        change_here(value, chance);
        return true;
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter_mut().any(|item| change(item, left, chance)),
        Value::Object(members) => members.values_mut().any(|member| change(member, left, chance)),
        _ => false,
    }
}

fn change_here(value: &mut Value, chance: &mut Chance) {
    if chance.one_in(3) {
        *value = any(chance, 2);
        return;
    }
    match value {
        Value::Array(items) => change_items(items, chance),
        Value::Object(members) => change_members(members, chance),
        Value::String(text) if chance.one_in(2) => *text = text::changed(text, chance).unwrap_or_default(),
        plain => {
            let inner = plain.take();
            *plain = match chance.below(5) {
                0 => json!([inner]),
                1 => json!({ "value": inner }),
                2 => json!([{ "value": inner }]),
                3 => inner.as_str().unwrap_or("long ").repeat(1 + chance.below(400)).into(),
                _ => chance.of(&PATHS).into(),
            };
        }
    }
}

fn change_items(items: &mut Vec<Value>, chance: &mut Chance) {
    let at = chance.below(items.len() + 1);
    match items.get(at).cloned() {
        Some(item) if chance.one_in(2) => items.push(item),
        Some(_) if chance.one_in(2) => drop(items.remove(at)),
        _ => items.insert(at, any(chance, 2)),
    }
}

fn change_members(members: &mut Map<String, Value>, chance: &mut Chance) {
    let name = members.keys().nth(chance.below(members.len() + 1)).cloned();
    match name {
        Some(name) if chance.one_in(3) => drop(members.remove(&name)),
        Some(name) if chance.one_in(2) => {
            let value = members.remove(&name).unwrap_or_default();
            members.insert(chance.of(&NAMES).to_owned(), value);
        }
        _ => drop(members.insert(chance.of(&NAMES).to_owned(), any(chance, 2))),
    }
}

fn any(chance: &mut Chance, levels: usize) -> Value {
    match chance.below(if levels == 0 { 5 } else { 9 }) {
        0 => Value::Null,
        1 => chance.one_in(2).into(),
        2 => json!(chance.of(&[0.0, 1.0, -1.0, 0.5, 9.3e18, 1e308])),
        3 => chance.of(&PATHS).into(),
        4 => chance.of(&TEXTS).into(),
        5 => (0..chance.below(3)).map(|_| any(chance, levels - 1)).collect(),
        6 => json!({ "value": any(chance, levels - 1), "type": chance.of(&TEXTS), "primary": chance.one_in(2) }),
        7 => {
            json!({ "op": chance.of(&["add", "replace", "remove"]), "path": chance.of(&PATHS), "value": any(chance, levels - 1) })
        }
        _ => (0..chance.below(3)).map(|_| (chance.of(&NAMES).to_owned(), any(chance, levels - 1))).collect(),
    }
}
