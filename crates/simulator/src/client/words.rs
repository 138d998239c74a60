//! The words that several dialects use: schema names, encodings of a query, operations of a PATCH.

use serde_json::{Value, json};
use url::form_urlencoded;

use super::Member;

pub(crate) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub(crate) const ENTERPRISE_USER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
pub(crate) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

// RFC 7643 4.3.
const ENTERPRISE: [&str; 6] = ["employeeNumber", "costCenter", "organization", "division", "department", "manager"];

/// A filter as RFC 7644 3.4.2.2 has it.
pub(crate) fn filter(attribute: &str, operator: &str, value: &str) -> String {
    format!("{attribute} {operator} \"{}\"", escaped(value))
}

/// A text for between the quotes of a filter.
pub(crate) fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"")
}

/// RFC 3986 2.3: everything but the unreserved characters becomes `%XX`, the space `%20`.
pub(crate) fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// As a form's fields are encoded: the space becomes `+`.
pub(crate) fn form_encode(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

pub(crate) fn user_path(id: &str) -> String {
    format!("/Users/{}", percent_encode(id))
}

pub(crate) fn group_path(id: &str) -> String {
    format!("/Groups/{}", percent_encode(id))
}

/// The path of an attribute in a PATCH, with the name of its extension if it belongs there.
pub(crate) fn path(attribute: &str) -> String {
    if ENTERPRISE.contains(&attribute) {
        return format!("{ENTERPRISE_USER}:{attribute}");
    }
    attribute.to_owned()
}

/// Sets an attribute of a whole user, inside the extension if it belongs there.
pub(crate) fn set(body: &mut Value, extension: &str, attribute: &str, value: Value) {
    if ENTERPRISE.contains(&attribute) {
        body[extension][attribute] = value;
    } else {
        body[attribute] = value;
    }
}

pub(crate) fn patch(operations: Vec<Value>) -> Value {
    json!({ "schemas": [PATCH], "Operations": operations })
}

/// The removal of one member by a filter.
pub(crate) fn removal(member: &Member) -> Value {
    json!({ "op": "remove", "path": format!("members[{}]", filter("value", "eq", &member.id)) })
}

/// Members by nothing but their ids.
pub(crate) fn references(members: &[Member]) -> Vec<Value> {
    members.iter().map(|member| json!({ "value": member.id })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_has_two_encodings() {
        let filter = filter("displayName", "eq", "R&D \"north\"");
        assert_eq!(percent_encode(&filter), "displayName%20eq%20%22R%26D%20%5C%22north%5C%22%22");
        assert_eq!(form_encode(&filter), "displayName+eq+%22R%26D+%5C%22north%5C%22%22");
    }

    #[test]
    fn enterprise_attributes_go_into_their_extension() {
        let mut body = json!({});
        set(&mut body, ENTERPRISE_USER, "department", json!("Retail"));
        set(&mut body, ENTERPRISE_USER, "title", json!("Captain"));
        assert_eq!(body, json!({ ENTERPRISE_USER: { "department": "Retail" }, "title": "Captain" }));
    }
}
