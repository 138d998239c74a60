//! Reading request bodies: JSON of bounded depth, members found without regard to case.

use serde_json::{Map, Value};

use crate::error::{ScimError, ScimType};

/// The deepest nesting that a body may have; a user needs five levels.
const MAX_DEPTH: usize = 32;

/// Reads a body that must be one JSON object (RFC 7644 3.1).
pub(crate) fn object(body: &[u8]) -> Result<Map<String, Value>, ScimError> {
    let value: Value = serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        invalid_syntax(format!(
            "The request body is not valid JSON (line {line}, column {column}). Send one JSON object; if Okta built it, \
             look for an attribute mapping that puts an unescaped quotation mark or line break into a value."
        ))
    })?;
    members(value)
}

/// The members of a value that must be one JSON object.
pub(crate) fn members(value: Value) -> Result<Map<String, Value>, ScimError> {
    check_depth(&value)?;
    match value {
        Value::Object(members) => Ok(members),
        _ => Err(invalid_syntax(
            "The request body must be one JSON object, such as {\"userName\": \"ann@example.com\"}.",
        )),
    }
}

/// Refuses what nests so deep that walking it would exhaust the stack.
pub(crate) fn check_depth(value: &Value) -> Result<(), ScimError> {
    if is_shallow(value, MAX_DEPTH) {
        return Ok(());
    }
    Err(invalid_syntax(format!(
        "The request body nests deeper than {MAX_DEPTH} levels. Remove the attribute mapping that sends nested data."
    )))
}

/// Short for a 400 with `invalidSyntax` (RFC 7644 3.12).
pub(crate) fn invalid_syntax(detail: impl Into<String>) -> ScimError {
    ScimError::bad_request(ScimType::InvalidSyntax, detail)
}

/// Takes a member out, its name in any case (RFC 7643 2.1).
pub(crate) fn take(members: &mut Map<String, Value>, name: &str) -> Option<Value> {
    if let Some(value) = members.remove(name) {
        return Some(value);
    }
    let spelling = members.keys().find(|key| key.eq_ignore_ascii_case(name))?.clone();
    members.remove(&spelling)
}

/// A member, its name in any case (RFC 7643 2.1).
pub(crate) fn get<'v>(members: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    let caseless = || members.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    members.get(name).or_else(caseless)
}

/// What a value is, in words for an error message.
pub(crate) fn describe(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn is_shallow(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(_) | Value::Object(_) if levels == 0 => false,
        Value::Array(items) => items.iter().all(|item| is_shallow(item, levels - 1)),
        Value::Object(members) => members.values().all(|member| is_shallow(member, levels - 1)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(levels: usize) -> String {
        format!("{{\"a\":{}1{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1))
    }

    #[test]
    fn depth_is_bounded() {
        assert!(object(nested(32).as_bytes()).is_ok());
        assert!(object(nested(33).as_bytes()).unwrap_err().detail.contains("32 levels"));
        assert_eq!(object(nested(100_000).as_bytes()).unwrap_err().scim_type, Some(ScimType::InvalidSyntax));
    }

    #[test]
    fn only_an_object_is_a_body() {
        for body in ["", "[]", "null", "\"x\"", "{", "{\"a\":1}}", "\u{feff}{}"] {
            let error = object(body.as_bytes()).unwrap_err();
            assert_eq!((error.status, error.scim_type), (400, Some(ScimType::InvalidSyntax)), "{body}");
        }
    }

    #[test]
    fn names_are_found_in_any_case_and_the_exact_one_first() {
        let mut members = object(br#"{"Path": 1, "path": 2}"#).unwrap();
        assert_eq!(get(&members, "path"), Some(&Value::from(2)));
        assert_eq!(take(&mut members, "path"), Some(Value::from(2)));
        assert_eq!(take(&mut members, "path"), Some(Value::from(1)));
        assert_eq!(take(&mut members, "path"), None);
    }
}
