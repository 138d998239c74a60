//! What of a request may be kept: no password, no token, and not too much.

use serde_json::Value;
use url::form_urlencoded;

/// The longest body that is kept, in characters.
const MAX_BODY: usize = 4_000;

/// What stands for a value that is not kept.
const REMOVED: &str = "[removed]";

/// Parts of names whose values are secrets.
const SECRETS: [&str; 4] = ["password", "secret", "token", "authorization"];

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

/// Path and query; a query that names a secret is not kept.
pub(super) fn target(path: &str, query: Option<&str>) -> String {
    match query {
        None => path.to_owned(),
        Some(query)
            if form_urlencoded::parse(query.as_bytes())
                .any(|(name, value)| names_a_secret(&name) || names_a_secret(&value)) =>
        {
            format!("{path}?{REMOVED}")
        }
        Some(query) => format!("{path}?{query}"),
    }
}

fn redact(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(redact),
        // A filter that compares with a secret.
        Value::String(text) if text.contains('"') && names_a_secret(text) => REMOVED.clone_into(text),
        Value::Object(members) => {
            // A path with such a filter may be a name as well.
            members.retain(|name, _| !(name.contains('"') && names_a_secret(name)));
            // An operation of a PATCH names what its value is for.
            let about_a_secret = members
                .iter()
                .any(|(name, value)| name.eq_ignore_ascii_case("path") && value.as_str().is_some_and(names_a_secret));
            for (name, member) in members.iter_mut() {
                if names_a_secret(name) || (about_a_secret && name.eq_ignore_ascii_case("value")) {
                    *member = Value::String(REMOVED.to_owned());
                } else {
                    redact(member);
                }
            }
        }
        _ => {}
    }
}

fn names_a_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRETS.iter().any(|secret| name.contains(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_removed_wherever_they_stand() {
        for sent in [
            r#"{"password":"hunter2"}"#,
            r#"{"Operations":[{"op":"replace","value":{"PassWord":"hunter2"}}]}"#,
            r#"{"Operations":[{"op":"replace","path":"urn:ietf:params:scim:schemas:core:2.0:User:password","value":"hunter2"}]}"#,
            r#"{"Operations":[{"Op":"replace","Path":"password","Value":["hunter2"]}]}"#,
            r#"{"urn:x:2.0:User":{"apiToken":"hunter2"}}"#,
            r#"{"filter":"password eq \"hunter2\""}"#,
            r#"{"Operations":[{"op":"add","path":"password[value eq \"hunter2\"]","value":"x"}]}"#,
            r#"{"Operations":[{"op":"add","value":{"password[value eq \"hunter2\"]":"x"}}]}"#,
            "password=hunter2",
        ] {
            let kept = body(sent.as_bytes()).unwrap();
            assert!(!kept.contains("hunter2"), "{kept}");
        }
        assert_eq!(body(br#"{"userName":"ann"}"#).as_deref(), Some(r#"{"userName":"ann"}"#));
        assert_eq!(body(b""), None);
        assert_eq!(target("/Users", Some("filter=p%61ssword%20eq%20%22x%22")), "/Users?[removed]");
        assert_eq!(target("/Users", Some("count=1")), "/Users?count=1");
    }

    #[test]
    fn a_long_body_is_cut_between_characters() {
        let kept = body(format!("\"{}\"", "é".repeat(9_000)).as_bytes()).unwrap();
        assert_eq!(kept.chars().count(), MAX_BODY + 1);
    }
}
