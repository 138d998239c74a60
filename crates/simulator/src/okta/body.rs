//! The bodies that Okta sends, key for key.

use serde_json::{Map, Value, json};

use crate::client::Member;
use crate::client::words::{GROUP, USER, patch, removal};
use crate::directory::DirectoryUser;

// Okta sends a password on create even when password sync is off; this one is from its own documentation.
const PLACEHOLDER_PASSWORD: &str = "1mz050nq";

pub(super) fn create_user(user: &DirectoryUser) -> Value {
    let mut body = json!({
        "schemas": [USER],
        "userName": user.user_name,
        "name": { "givenName": user.first_name, "familyName": user.last_name },
        "emails": [{ "primary": true, "value": user.email, "type": "work" }],
        "displayName": user.display_name(),
        "locale": "en-US",
        "externalId": user.id,
        "groups": [],
        "password": PLACEHOLDER_PASSWORD,
        "active": true,
    });
    set_mapped(&mut body, user);
    body
}

// The role is a top-level string, because the admin enters the core User schema as its external namespace.
fn set_mapped(body: &mut Value, user: &DirectoryUser) {
    if let Some(role) = &user.role {
        body["role"] = json!(role);
    }
    for (name, value) in &user.attributes {
        body[name.as_str()] = value.clone();
    }
}

/// The profile laid over what the server returned: Okta keeps every key that it was given.
pub(super) fn replace_user(server: &Value, user: &DirectoryUser, active: bool) -> Value {
    let mut body = server.clone();
    body["userName"] = json!(user.user_name);
    if !body["name"].is_object() {
        body["name"] = json!({});
    }
    body["name"]["givenName"] = json!(user.first_name);
    body["name"]["familyName"] = json!(user.last_name);
    set_email(&mut body, &user.email);
    body["displayName"] = json!(user.display_name());
    body["locale"] = json!("en-US");
    body["externalId"] = json!(user.id);
    if user.role.is_none() {
        remove(&mut body, "role");
    }
    set_mapped(&mut body, user);
    body["active"] = json!(active);
    body
}

fn set_email(body: &mut Value, email: &str) {
    let existing = body["emails"].as_array_mut().and_then(|emails| {
        let at = emails.iter().position(|email| email["primary"] == true).unwrap_or_default();
        emails.get_mut(at)
    });
    match existing {
        Some(entry) if entry.is_object() => entry["value"] = json!(email),
        _ => body["emails"] = json!([{ "primary": true, "value": email, "type": "work" }]),
    }
}

fn remove(body: &mut Value, name: &str) {
    body.as_object_mut().map(|map: &mut Map<String, Value>| map.remove(name));
}

pub(super) fn with_active(server: &Value, active: bool) -> Value {
    let mut body = server.clone();
    body["active"] = json!(active);
    body
}

pub(super) fn patch_active(active: bool) -> Value {
    patch(vec![json!({ "op": "replace", "value": { "active": active } })])
}

pub(super) fn patch_password(password: &str) -> Value {
    patch(vec![json!({ "op": "replace", "value": { "password": password } })])
}

pub(super) fn with_password(server: &Value, password: &str) -> Value {
    let mut body = server.clone();
    body["password"] = json!(password);
    body
}

pub(super) fn create_group(name: &str) -> Value {
    json!({ "schemas": [GROUP], "displayName": name, "members": [] })
}

// The one body of Okta's without an `id`.
pub(super) fn replace_group(name: &str, members: &[Member]) -> Value {
    json!({ "schemas": [GROUP], "displayName": name, "members": list(members) })
}

pub(super) fn patch_group_name(id: &str, name: &str) -> Value {
    patch(vec![json!({ "op": "replace", "value": { "id": id, "displayName": name } })])
}

pub(super) fn patch_members(remove: &[Member], add: &[Member]) -> Value {
    let mut operations: Vec<Value> = remove.iter().map(removal).collect();
    if !add.is_empty() {
        operations.push(json!({ "op": "add", "path": "members", "value": list(add) }));
    }
    patch(operations)
}

pub(super) fn patch_all_members(members: &[Member]) -> Value {
    patch(vec![json!({ "op": "replace", "path": "members", "value": list(members) })])
}

fn list(members: &[Member]) -> Vec<Value> {
    members.iter().map(|member| json!({ "value": member.id, "display": member.display })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test_user() -> DirectoryUser {
        let mut user = DirectoryUser::new("test.user@okta.local", "Test", "User");
        user.id = "00ujl29u0le5T6Aj10h7".into();
        user
    }

    #[test]
    fn create_is_oktas_documented_body() {
        let documented = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "test.user@okta.local",
            "name": { "givenName": "Test", "familyName": "User" },
            "emails": [{ "primary": true, "value": "test.user@okta.local", "type": "work" }],
            "displayName": "Test User", "locale": "en-US", "externalId": "00ujl29u0le5T6Aj10h7",
            "groups": [], "password": "1mz050nq", "active": true
        });
        assert_eq!(create_user(&test_user()), documented);
        assert_eq!(create_user(&test_user().with_role("MANAGER"))["role"], "MANAGER");
    }

    #[test]
    fn replace_keeps_what_the_server_returned() {
        let server = json!({
            "id": "23a35c27", "meta": { "resourceType": "User" }, "groups": [{ "value": "g" }], "role": "ANALYST",
            "name": { "givenName": "Old", "middleName": "M" }, "title": "Captain",
            "emails": [{ "value": "a@x.test" }, { "value": "b@x.test", "primary": true, "type": "home" }],
        });
        let body = replace_user(&server, &test_user(), true);
        assert_eq!(body["id"], "23a35c27");
        assert_eq!(body["groups"], json!([{ "value": "g" }]));
        assert_eq!(body["name"], json!({ "givenName": "Test", "middleName": "M", "familyName": "User" }));
        assert_eq!(body["title"], "Captain");
        assert_eq!(body["emails"][0]["value"], "a@x.test");
        assert_eq!(body["emails"][1], json!({ "value": "test.user@okta.local", "primary": true, "type": "home" }));
        assert!(body.get("role").is_none());
        assert!(body.get("password").is_none());
    }

    #[test]
    fn deactivation_has_both_dialects() {
        assert_eq!(
            patch_active(false).to_string(),
            json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                "Operations": [{ "op": "replace", "value": { "active": false } }]
            })
            .to_string()
        );
        assert_eq!(with_active(&json!({ "id": "1", "active": true }), false), json!({ "id": "1", "active": false }));
    }

    #[test]
    fn group_bodies_are_oktas() {
        let ann = Member { id: "23a35c27".into(), display: "test.user@okta.local".into() };
        let bob = Member { id: "89bb1940".into(), display: "bob@okta.local".into() };
        assert_eq!(
            patch_members(&[bob], std::slice::from_ref(&ann))["Operations"],
            json!([
                { "op": "remove", "path": "members[value eq \"89bb1940\"]" },
                { "op": "add", "path": "members", "value": [{ "value": "23a35c27", "display": "test.user@okta.local" }] }
            ])
        );
        assert!(replace_group("G", &[ann]).get("id").is_none());
        assert_eq!(
            patch_group_name("abf4dd94", "Test SCIMv2")["Operations"],
            json!([{ "op": "replace", "value": { "id": "abf4dd94", "displayName": "Test SCIMv2" } }])
        );
    }
}
