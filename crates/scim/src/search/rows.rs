//! The index of a user: what is in the document, as rows that can be searched.

use serde_json::Value;

use super::{Field, IndexRow, MAX_KEY_BYTES, keys};
use crate::json;
use crate::schema::{Attribute, ResourceType, Schema};

/// Core attributes that are columns of their own in the store.
const COLUMNS: [&str; 2] = ["userName", "active"];

pub(super) fn index(document: &Value, kind: &ResourceType) -> Vec<IndexRow> {
    let mut rows = Vec::new();
    add_schema(None, &kind.schema, document, &mut rows);
    for extension in &kind.extensions {
        if let Some(container) = member(document, &extension.id) {
            add_schema(Some(&extension.id), extension, container, &mut rows);
        }
    }
    rows.sort_unstable();
    rows
}

/// The path of an attribute's rows: lower case, an extension's with its URN.
pub(super) fn place(urn: Option<&str>, attribute: &Attribute) -> String {
    match urn {
        Some(urn) => format!("{urn}:{}", attribute.name).to_ascii_lowercase(),
        None => attribute.name.to_ascii_lowercase(),
    }
}

/// The path of a sub-attribute's rows.
pub(super) fn place_of_sub(path: &str, sub: &Attribute) -> String {
    format!("{path}.{}", sub.name).to_ascii_lowercase()
}

/// The column of the attribute's own row in which a sub-attribute of a multi-valued attribute is found.
pub(super) fn field(sub: &Attribute) -> Option<Field> {
    match sub.name.as_ref() {
        "value" => Some(Field::Value),
        "type" => Some(Field::Type),
        "primary" => Some(Field::Primary),
        _ => None,
    }
}

/// The key of a value; an empty text is no value (RFC 7644 3.4.2.2, `pr`).
fn key_of(attribute: &Attribute, value: &Value) -> Option<String> {
    keys::key(attribute.kind, attribute.case_exact, value).filter(|key| !key.is_empty())
}

/// The rows of a schema's attributes, which are members of `container`.
fn add_schema(urn: Option<&str>, schema: &Schema, container: &Value, rows: &mut Vec<IndexRow>) {
    for attribute in schema.attributes.iter().filter(|attribute| attribute.is_stored()) {
        let is_column = urn.is_none() && COLUMNS.contains(&attribute.name.as_ref());
        if let Some(value) = member(container, &attribute.name).filter(|_| !is_column) {
            add_attribute(attribute, &place(urn, attribute), value, rows);
        }
    }
}

fn add_attribute(attribute: &Attribute, path: &str, value: &Value, rows: &mut Vec<IndexRow>) {
    let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    for (item, value) in (0..).zip(values) {
        if attribute.multi_valued {
            rows.push(element(attribute, path, item, value));
        } else if attribute.sub_attributes.is_empty() {
            rows.extend(simple(path, item, key_of(attribute, value)));
        }
        for sub in &attribute.sub_attributes {
            if !(attribute.multi_valued && field(sub).is_some()) {
                let key = part(value, sub).and_then(|value| key_of(sub, value));
                rows.extend(simple(&place_of_sub(path, sub), item, key));
            }
        }
    }
}

/// The row that stands for one element of a multi-valued attribute, even when nothing in it can be compared.
fn element(attribute: &Attribute, path: &str, item: i32, value: &Value) -> IndexRow {
    let key = |name: &str| {
        let sub = attribute.sub(name)?;
        key_of(sub, part(value, sub)?)
    };
    let own = if attribute.sub_attributes.is_empty() { key_of(attribute, value) } else { key("value") };
    let (value_key, long_key) = own.map_or((None, None), cut);
    let primary = key("primary").map(|key| key == "true");
    IndexRow { path: path.to_owned(), item, value_key, long_key, type_key: key("type"), primary }
}

fn simple(path: &str, item: i32, key: Option<String>) -> Option<IndexRow> {
    let (value_key, long_key) = cut(key?);
    Some(IndexRow { path: path.to_owned(), item, value_key, long_key, type_key: None, primary: None })
}

/// What of a key an index can hold, and the whole of a longer one. The part is longer than any key that a filter may
/// bring, so that comparing with the part gives the same answer as comparing with the whole.
fn cut(key: String) -> (Option<String>, Option<String>) {
    if key.len() <= MAX_KEY_BYTES {
        return (Some(key), None);
    }
    let end = (MAX_KEY_BYTES + 1..=key.len()).find(|end| key.is_char_boundary(*end)).unwrap_or(key.len());
    (Some(key[..end].to_owned()), Some(key))
}

/// A part of a complex value; of a value that is no object, `value` is the value itself.
fn part<'v>(value: &'v Value, sub: &Attribute) -> Option<&'v Value> {
    match value {
        Value::Object(members) => json::get(members, &sub.name),
        simple => (sub.name == "value").then_some(simple),
    }
}

fn member<'v>(container: &'v Value, name: &str) -> Option<&'v Value> {
    json::get(container.as_object()?, name)
}
