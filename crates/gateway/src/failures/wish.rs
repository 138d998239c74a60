//! What an identity provider wanted of one user or group: what is noted where it did not get it, and done again.

use crate::scim::{call::read_id, log::redact};
use ::scim::bulk::{self, Method, Resource};
use aws_lc_rs::digest::{SHA256, digest};
use domain::names::fold;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Bytes of a body that is kept, so that it can be done again.
pub const LARGEST: usize = 65_536;

/// Characters of a name.
const LONGEST: usize = 256;

/// A request, or an operation of one, that changes a user or a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wish {
    /// `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: String,
    pub is_group: bool,
    /// `None` for a POST.
    pub id: Option<Uuid>,
    /// Null for a DELETE.
    pub body: Value,
}

impl Wish {
    /// The wish that a request is; nothing for one that changes no single user or group. `target` stands below the SCIM base.
    pub fn of_request(method: &str, target: &str, body: &[u8]) -> Option<Self> {
        let path = target.split('?').next()?.trim_matches('/');
        let (endpoint, id) = path.split_once('/').map_or((path, None), |(endpoint, id)| (endpoint, Some(id)));
        let is_group = match endpoint {
            "Users" => false,
            "Groups" => true,
            _ => return None,
        };
        let id = match (method, id) {
            ("POST", None) => None,
            ("PUT" | "PATCH" | "DELETE", Some(id)) => Some(read_id(id)?),
            _ => return None,
        };
        let body = if method == "DELETE" { Value::Null } else { serde_json::from_slice(body).ok()? };
        Some(Self { method: method.to_owned(), is_group, id, body })
    }

    /// The wish that an operation of a bulk request is (RFC 7644 3.7).
    pub fn of_bulk(method: &Method, work: &bulk::Work) -> Option<Self> {
        let id = work.id.as_deref().map(read_id);
        if id == Some(None) {
            return None;
        }
        let is_group = matches!(work.resource, Resource::Group);
        Some(Self { method: method.as_str().to_owned(), is_group, id: id.flatten(), body: work.data.clone() })
    }

    /// To have those in a group that were left out.
    pub fn to_add(group: Uuid, members: &[Uuid]) -> Self {
        let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
        let body = json!({ "Operations": [{ "op": "add", "path": "members", "value": members }] });
        Self { method: "PATCH".to_owned(), is_group: true, id: Some(group), body }
    }

    /// The method, where it is one of bulk requests.
    pub fn method(&self) -> Option<Method> {
        [Method::Post, Method::Put, Method::Patch, Method::Delete]
            .into_iter()
            .find(|known| known.as_str() == self.method)
    }

    /// What it is about.
    pub fn resource(&self) -> Resource {
        if self.is_group { Resource::Group } else { Resource::User }
    }

    /// As the identity provider calls them, where the wish says so.
    pub fn name(&self) -> Option<String> {
        let member = if self.is_group { "displayName" } else { "userName" };
        let name = of(&self.body, member)?.as_str()?;
        Some(name.chars().take(LONGEST).collect())
    }

    /// What is wanted, in two words.
    pub fn what(&self) -> &'static str {
        match (self.method.as_str(), self.is_group) {
            ("POST", false) => "create user",
            ("POST", true) => "create group",
            ("DELETE", false) => "delete user",
            ("DELETE", true) => "delete group",
            (_, true) => "change group",
            (_, false) if self.takes_out() => "deactivate user",
            (_, false) => "change user",
        }
    }

    /// Whether the user is to be out after it.
    pub fn takes_out(&self) -> bool {
        let is_false = |value: &Value| {
            value == &Value::Bool(false) || value.as_str().is_some_and(|text| text.eq_ignore_ascii_case("false"))
        };
        let says = |value: &Value| of(value, "active").is_some_and(is_false);
        let operations = of(&self.body, "Operations").and_then(Value::as_array);
        says(&self.body)
            || operations.into_iter().flatten().any(|operation| {
                let path = of(operation, "path").and_then(Value::as_str);
                let value = of(operation, "value").unwrap_or(&Value::Null);
                path.map_or_else(|| says(value), |path| fold(path) == "active" && is_false(value))
            })
    }

    /// What failures of the same wish have in common: a name, or an id with the attributes that it is about.
    pub fn key(&self) -> [u8; 32] {
        let kind = if self.is_group { "group" } else { "user" };
        let Some(id) = self.id else {
            return hash(&format!("{kind}:create:{}", fold(&self.name().unwrap_or_default())));
        };
        match self.method.as_str() {
            "PATCH" => {
                let parts: Vec<String> = self.parts().into_iter().collect();
                hash(&format!("{kind}:{id}:change:{}", parts.join(",")))
            }
            method => hash(&format!("{kind}:{id}:{method}")),
        }
    }

    /// What failures have in common that left members of this group out.
    pub fn key_of_members(group: Uuid) -> [u8; 32] {
        hash(&format!("group:{group}:members"))
    }

    /// The attributes that a PATCH is about.
    fn parts(&self) -> BTreeSet<String> {
        let operations = of(&self.body, "Operations").and_then(Value::as_array);
        let mut parts = BTreeSet::new();
        for operation in operations.into_iter().flatten() {
            match of(operation, "path").and_then(Value::as_str).filter(|path| !path.is_empty()) {
                Some(path) => drop(parts.insert(fold(path))),
                None => {
                    let members = of(operation, "value").and_then(Value::as_object);
                    parts.extend(members.into_iter().flatten().map(|(name, _)| fold(name)));
                }
            }
        }
        parts
    }

    /// What is left of a wish that was refused when a later PATCH is granted: nothing where both are about the same; of a PUT what the PATCH did
    /// not say otherwise.
    pub fn after(&self, later: &Self) -> Option<Self> {
        let (own, new) = (self.parts(), later.parts());
        let is_within = |part: &str, whole: &str| {
            part.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let same = |one: &String, other: &String| is_within(one, other) || is_within(other, one);
        let shares = own.iter().any(|own| !own.starts_with("members") && new.iter().any(|new| same(own, new)));
        match self.method.as_str() {
            "PATCH" if shares => None,
            "PUT" => Some(Self { body: later.said_over(&self.body)?, ..self.clone() }),
            _ => Some(self.clone()),
        }
    }

    /// A document with the plain values of this PATCH; nothing where that takes more than putting them there.
    fn said_over(&self, document: &Value) -> Option<Value> {
        let mut document = document.as_object()?.clone();
        let mut put = |name: &str, value: &Value| {
            document.retain(|known, _| !known.eq_ignore_ascii_case(name));
            document.insert(name.to_owned(), value.clone());
        };
        for operation in of(&self.body, "Operations")?.as_array()? {
            let is_remove = of(operation, "op")?.as_str()?.eq_ignore_ascii_case("remove");
            let value = of(operation, "value").unwrap_or(&Value::Null);
            match of(operation, "path").and_then(Value::as_str).filter(|path| !path.is_empty()) {
                _ if is_remove => return None,
                Some(path) if path.contains(['.', '[', ':']) => return None,
                Some(path) => put(path, value),
                None => value.as_object()?.iter().for_each(|(name, value)| put(name, value)),
            }
        }
        Some(Value::Object(document))
    }

    /// The wish as it is kept: without a password. Nothing where it is too large, or has another secret in it.
    pub fn kept(&self) -> Option<Value> {
        let mut body = self.body.clone();
        without_password(&mut body);
        let is_harmless = redact::is_harmless(&body) && body.to_string().len() <= LARGEST;
        is_harmless.then(|| json!(Self { body, ..self.clone() }))
    }
}

/// A member whatever its case (RFC 7643 2.1).
fn of<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    let members = value.as_object()?;
    members
        .get(name)
        .or_else(|| members.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

/// Passwords are not kept; whoever does this again leaves the one that is there.
fn without_password(body: &mut Value) {
    let is_password = |name: &str| fold(name.rsplit(':').next().unwrap_or(name)) == "password";
    if let Some(members) = body.as_object_mut() {
        members.retain(|name, _| !is_password(name));
        let operations = members.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case("Operations"));
        if let Some(operations) = operations.and_then(|(_, value)| value.as_array_mut()) {
            operations.retain(|operation| !of(operation, "path").and_then(Value::as_str).is_some_and(is_password));
            for value in operations.iter_mut().filter_map(Value::as_object_mut).filter_map(|all| all.get_mut("value")) {
                if let Some(members) = value.as_object_mut() {
                    members.retain(|name, _| !is_password(name));
                }
            }
        }
    }
}

/// SHA-256.
pub fn hash(text: &str) -> [u8; 32] {
    let digest = digest(&SHA256, text.as_bytes());
    let mut hash = [0; 32];
    hash.copy_from_slice(digest.as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(operations: Value) -> Wish {
        let body = json!({ "Operations": operations }).to_string();
        Wish::of_request("PATCH", &format!("/Users/{}", Uuid::from_u128(7)), body.as_bytes()).unwrap()
    }

    #[test]
    fn what_a_later_patch_says_is_not_wanted_otherwise_any_more() {
        let named = |name: &str| patch(json!([{ "op": "replace", "path": "userName", "value": name }]));
        let titled = patch(json!([{ "op": "replace", "value": { "title": "x", "Username": "new" } }]));
        assert_eq!(named("old").after(&titled), None);
        let active = patch(json!([{ "op": "replace", "value": { "active": true } }]));
        assert_eq!(active.after(&titled), Some(active.clone()), "that is still wanted");
        let given = patch(json!([{ "op": "replace", "path": "name.givenName", "value": "Ann" }]));
        let family = patch(json!([{ "op": "replace", "path": "name.familyName", "value": "Ray" }]));
        let whole = patch(json!([{ "op": "replace", "path": "name", "value": {} }]));
        assert!(given.after(&family).is_some() && given.after(&whole).is_none());
        let target = format!("/Users/{}", Uuid::from_u128(7));
        let put = Wish::of_request("PUT", &target, br#"{"userName":"old","active":true}"#).unwrap();
        assert_eq!(put.after(&titled).unwrap().body, json!({ "active": true, "title": "x", "Username": "new" }));
        assert_eq!(put.after(&patch(json!([{ "op": "remove", "path": "title" }]))), None);
    }

    #[test]
    fn only_what_changes_one_user_or_group_is_a_wish() {
        let id = Uuid::from_u128(7);
        for (method, target, what) in [
            ("POST", "/Users".to_owned(), Some("create user")),
            ("POST", "/Groups?attributes=id".to_owned(), Some("create group")),
            ("PUT", format!("/Users/{id}"), Some("change user")),
            ("DELETE", format!("/Groups/{id}"), Some("delete group")),
            ("GET", format!("/Users/{id}"), None),
            ("POST", "/Users/.search".to_owned(), None),
            ("POST", "/Bulk".to_owned(), None),
            ("PUT", "/Users/x".to_owned(), None),
        ] {
            let wish = Wish::of_request(method, &target, b"{}");
            assert_eq!(wish.map(|wish| wish.what()), what, "{method} {target}");
        }
        assert_eq!(Wish::of_request("POST", "/Users", b"no JSON"), None);
    }

    #[test]
    fn the_same_wish_has_the_same_key_and_tells_who_goes_out() {
        let out = patch(json!([{ "op": "replace", "value": { "active": false } }]));
        let entra = patch(json!([{ "op": "Replace", "path": "active", "value": "False" }]));
        assert!(out.takes_out() && entra.takes_out() && out.key() == entra.key());
        let other = patch(json!([{ "op": "replace", "path": "title", "value": "x" }]));
        assert!(!other.takes_out() && other.key() != out.key());
        let named = |name: &str| {
            let body = json!({ "username": name, "active": true }).to_string();
            Wish::of_request("POST", "/Users", body.as_bytes()).unwrap()
        };
        assert_eq!(named("Ann@acme.test").key(), named("ann@acme.test").key());
        assert_eq!(named("Ann").name().as_deref(), Some("Ann"));
    }

    #[test]
    fn nothing_secret_is_kept() {
        let with_password = |name: &str| {
            let body = json!({ "userName": "ann", name: "hunter2" }).to_string();
            Wish::of_request("POST", "/Users", body.as_bytes()).unwrap().kept()
        };
        for name in ["password", "Password", "urn:ietf:params:scim:schemas:core:2.0:User:password"] {
            let kept = with_password(name).unwrap().to_string();
            assert!(kept.contains("ann") && !kept.contains("hunter2"), "{kept}");
        }
        assert_eq!(with_password("apiToken"), None, "what is a secret, and no password, is not kept at all");
        let operations = json!([
            { "op": "replace", "path": "password", "value": "hunter2" },
            { "op": "replace", "value": { "password": "hunter2", "active": true } },
        ]);
        let kept = patch(operations).kept().unwrap().to_string();
        assert!(kept.contains("active") && !kept.contains("hunter2"), "{kept}");
    }
}
