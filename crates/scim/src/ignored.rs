//! Which names of a request mean nothing here: they are skipped, and the log of requests says so.

use serde_json::{Map, Value};

use crate::error::quote;
use crate::json;
use crate::path::Path;
use crate::schema::{ResourceType, Target};

/// Names that are told; a request may have any number.
const MOST_NAMES: usize = 10;

/// A sentence about the attributes of a POST, PUT or PATCH body that resources of this kind do not have.
pub fn sentence(body: &[u8], kind: &ResourceType) -> Option<String> {
    let Ok(Value::Object(body)) = serde_json::from_slice(body) else { return None };
    let mut unknown = Vec::new();
    match json::get(&body, "Operations") {
        Some(Value::Array(operations)) => {
            operations.iter().for_each(|operation| of_operation(operation, kind, &mut unknown))
        }
        Some(single) => of_operation(single, kind, &mut unknown),
        None => of_members(&body, kind, &mut unknown),
    }
    let mut names: Vec<&str> = Vec::new();
    for name in &unknown {
        if !names.contains(&name.as_str()) && names.len() <= MOST_NAMES {
            names.push(name);
        }
    }
    if names.is_empty() {
        return None;
    }
    let more = if names.len() > MOST_NAMES { " and others" } else { "" };
    let told: Vec<String> = names.iter().take(MOST_NAMES).map(|name| quote(name)).collect();
    Some(format!("Skipped, because the directory has no such attribute: {}{more}.", told.join(", ")))
}

fn of_operation(operation: &Value, kind: &ResourceType, unknown: &mut Vec<String>) {
    let Value::Object(operation) = operation else { return };
    match json::get(operation, "path").and_then(Value::as_str).filter(|path| !path.trim().is_empty()) {
        Some(path) => of_name(path, json::get(operation, "value"), kind, unknown),
        None => match json::get(operation, "value") {
            Some(Value::Array(values)) => {
                values.iter().filter_map(Value::as_object).for_each(|members| of_members(members, kind, unknown));
            }
            Some(Value::Object(members)) => of_members(members, kind, unknown),
            _ => {}
        },
    }
}

fn of_members(members: &Map<String, Value>, kind: &ResourceType, unknown: &mut Vec<String>) {
    members.iter().for_each(|(name, value)| of_name(name, Some(value), kind, unknown));
}

/// A name may be an attribute's, a path, or a schema's with attributes below.
fn of_name(name: &str, value: Option<&Value>, kind: &ResourceType, unknown: &mut Vec<String>) {
    if kind.attribute(name).is_some() {
        return;
    }
    let Ok(path) = Path::parse(name) else { return unknown.push(name.to_owned()) };
    match kind.resolve(&path.attribute) {
        None => unknown.push(name.to_owned()),
        Some(Target::Attribute(..)) => {}
        Some(Target::Schema(schema)) => {
            let schema = schema.unwrap_or(&kind.schema);
            for name in value.and_then(Value::as_object).into_iter().flat_map(Map::keys) {
                let first = name.split(['.', '[']).next().unwrap_or_default();
                if schema.attribute(first).is_none() {
                    unknown.push(format!("{}:{name}", schema.id));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::Catalogue;

    #[test]
    fn what_is_skipped_is_told_and_what_is_known_is_not() {
        let of = |body: Value| sentence(body.to_string().as_bytes(), Catalogue::new(&[], &[]).user());
        let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        for known in [
            json!({"schemas": [], "id": "1", "UserName": "ann", "meta": {}, "password": "x", "name": {"givenName": "A"}, "groups": []}),
            json!({"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "x", "manager.value": "1"}}),
            json!({"name.givenName": "A", format!("{enterprise}:department"): "x", "emails[type eq \"work\"].value": "x"}),
            json!({"Operations": [{"op": "add", "path": "emails[type eq \"work\"]", "value": {"nothing": 1}}, {"op": "remove", "path": "title"}]}),
            json!({"Operations": [{"op": "replace", "value": {"active": false}}]}),
            json!([]),
        ] {
            assert_eq!(of(known.clone()), None, "{known}");
        }
        let table = [
            (json!({"userName": "ann", "shoeSize": 43}), "\"shoeSize\"."),
            (json!({"urn:acme:2.0:User": {"color": "red"}}), "\"urn:acme:2.0:User\"."),
            (json!({enterprise: {"shoeSize": 1}}), "enterprise:2.0:User:shoeSize\"."),
            (json!({"Operations": [{"op": "add", "path": "shoe.size", "value": 1}]}), "\"shoe.size\"."),
            (json!({"Operations": {"op": "add", "value": {"shoe": 1}}}), "\"shoe\"."),
            (json!({"Operations": [{"op": "add", "value": [{"a1": 1}, {"a1": 2}, {"b1": 1}]}]}), "\"a1\", \"b1\"."),
        ];
        for (body, end) in table {
            let told = of(body.clone()).unwrap_or_default();
            assert!(told.starts_with("Skipped") && told.ends_with(end), "{body}: {told}");
        }
        let many: Map<String, Value> = (0..50).map(|n| (format!("x{n}"), json!(1))).collect();
        let told = of(Value::Object(many)).unwrap();
        assert!(told.ends_with(" and others.") && told.matches('"').count() == 20, "{told}");
    }
}
