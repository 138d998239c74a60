//! Entra ID's attribute mapping: a user as a whole for the creation, and as single differences afterwards.

use serde_json::{Map, Value, json};

use super::Flavor;
use crate::client::words::{ENTERPRISE_USER, USER, path, set};
use crate::directory::{DirectoryUser, stable_uuid};

pub(super) const EMAIL: &str = "emails[type eq \"work\"].value";

/// A new user, as documented; attributes without a value are left out.
pub(super) fn whole(user: &DirectoryUser) -> Value {
    let mut body = json!({
        "schemas": [USER, ENTERPRISE_USER],
        "externalId": nickname(user),
        "userName": user.user_name,
        "active": true,
        "displayName": user.display_name(),
        "emails": [{ "primary": true, "type": "work", "value": user.email }],
        "meta": { "resourceType": "User" },
        "name": {
            "formatted": user.display_name(),
            "familyName": user.last_name,
            "givenName": user.first_name,
        },
        "roles": [],
    });
    if let Some(role) = &user.role {
        body["roles"] = json!([{ "primary": true, "type": "WindowsAzureActiveDirectoryRole", "value": role }]);
    }
    for (name, value) in &user.attributes {
        set(&mut body, ENTERPRISE_USER, name, value.clone());
    }
    body
}

/// The operations that make the server's user the mapped one.
pub(super) fn differences(flavor: Flavor, server: &Value, user: &DirectoryUser) -> Vec<Value> {
    let (mut operations, mut replaced) = (Vec::new(), Map::new());
    for (path, value) in mapped(user) {
        let there = at(server, &path);
        if there == Some(&value) {
            continue;
        }
        // With the flag, values that are replaced travel together, those behind a filter excepted.
        match there {
            Some(_) if flavor == Flavor::Compliant && !path.contains('[') => {
                replaced.insert(path, value);
            }
            Some(_) => {
                operations.push(json!({ "op": flavor.op("replace", "Replace"), "path": path, "value": value }));
            }
            None => operations.push(json!({ "op": flavor.op("add", "Add"), "path": path, "value": value })),
        }
    }
    if !replaced.is_empty() {
        operations.push(json!({ "op": "replace", "value": replaced }));
    }
    operations.extend(user.role.as_ref().and_then(|role| role_operation(flavor, server, role)));
    operations
}

/// The path of each mapped attribute, as Entra's attribute list spells it, with its value.
fn mapped(user: &DirectoryUser) -> Vec<(String, Value)> {
    let fixed = [
        ("userName", user.user_name.clone()),
        ("displayName", user.display_name()),
        ("externalId", nickname(user)),
        ("name.formatted", user.display_name()),
        ("name.givenName", user.first_name.clone()),
        ("name.familyName", user.last_name.clone()),
        (EMAIL, user.email.clone()),
    ];
    let fixed = fixed.into_iter().map(|(path, value)| (path.to_owned(), json!(value)));
    let free = user.attributes.iter().map(|(name, value)| (path(name), value.clone()));
    fixed.chain(free).collect()
}

/// What the server has at a path.
fn at<'a>(server: &'a Value, path: &str) -> Option<&'a Value> {
    if path == EMAIL {
        let emails = server["emails"].as_array()?;
        return emails.iter().find(|email| email["type"] == "work").map(|email| &email["value"]);
    }
    let found = match path.strip_prefix(ENTERPRISE_USER).and_then(|rest| rest.strip_prefix(':')) {
        Some("manager") => &server[ENTERPRISE_USER]["manager"]["value"],
        Some(name) => &server[ENTERPRISE_USER][name],
        None => path.split('.').fold(server, |value, name| &value[name]),
    };
    (!found.is_null()).then_some(found)
}

/// An app role: on creation an object, in a PATCH its JSON as text, with the flag an object again.
fn role_operation(flavor: Flavor, server: &Value, role: &str) -> Option<Value> {
    let text = json!({ "id": stable_uuid(role), "value": role, "displayName": role }).to_string();
    let has = |value: &Value| value == role || value.as_str() == Some(&text);
    let roles = server["roles"].as_array().map(Vec::as_slice).unwrap_or_default();
    if roles.iter().any(|role| has(&role["value"])) {
        return None;
    }
    let operation = match flavor {
        Flavor::Legacy => json!({ "op": "Add", "path": "roles", "value": [{ "value": text }] }),
        Flavor::Compliant => {
            let role = json!({
                "primary": false, "type": "WindowsAzureActiveDirectoryRole", "display": role, "value": role,
            });
            json!({ "op": "replace", "path": "roles", "value": [role] })
        }
    };
    Some(operation)
}

/// The part of the login before the @: what Entra's default mapping sends as `externalId`.
pub(super) fn nickname(user: &DirectoryUser) -> String {
    user.user_name.split('@').next().unwrap_or_default().to_owned()
}
