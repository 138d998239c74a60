//! The body of a PATCH is refused with a sentence, or it leaves a user that a POST of the same would make.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use scim::error::ScimError;
use scim::group::{self, GroupChange};
use scim::patch::{self, Patch};
use scim::schema::{Attribute, Catalogue};
use scim::user::UserDocument;
use serde_json::Value;
use std::collections::HashSet;
use std::sync::LazyLock;

const MAX_OPERATIONS: usize = 1000;
const MAX_VALUES: usize = 1000;
const MAX_GROUP_CHARS: usize = 256;
const MAX_DEPTH: usize = 32;

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::new(&["ADMIN".to_owned()], &[]));
static USERS: LazyLock<Vec<UserDocument>> = LazyLock::new(|| {
    let bodies = [
        r#"{"userName":"u"}"#,
        r#"{"userName":"ann","externalId":"Xy","active":false,"title":"Dr","name":{"givenName":"Ann","familyName":"Lee"},
            "emails":[{"value":"ann@work.test","type":"work","primary":true},{"value":"ann@home.test","type":"home"}],
            "roles":[{"value":"a","primary":true},{"value":"b"}],"addresses":[{"type":"work","locality":"Bern"}],
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"7"},"costCenter":"4"}}"#,
    ];
    bodies.iter().map(|body| UserDocument::parse(body.as_bytes(), &CATALOGUE).unwrap().document).collect()
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    fuzz::change_json(data, size, max_size, seed)
});

fuzz_target!(|body: &[u8]| {
    let patch = match Patch::parse(body) {
        Ok(patch) => patch,
        Err(error) => return refused(&error),
    };
    let sent: Value = serde_json::from_slice(body).expect("a PATCH is JSON");
    assert!(depth(&sent) <= MAX_DEPTH);
    let operations = operations(&sent);
    assert!(operations.len() <= MAX_OPERATIONS);
    for user in USERS.iter() {
        match patch::apply_to_user(user, &patch, &CATALOGUE) {
            Err(error) => refused(&error),
            Ok(written) => {
                let after = written.document;
                sound(&after);
                if is_idempotent(&operations) {
                    let again = patch::apply_to_user(&after, &patch, &CATALOGUE).expect("what worked works again");
                    assert_eq!(again.document, after, "a second time");
                }
            }
        }
    }
    match group::changes(&patch) {
        Err(error) => refused(&error),
        Ok(changes) => changes.iter().for_each(sound_change),
    }
});

fn refused(error: &ScimError) {
    assert!(matches!(error.status, 400 | 413), "{error:?}");
    assert!(error.status == 413 || error.scim_type.is_some(), "{error:?}");
    assert!(error.detail.len() < 2000 && !error.detail.contains(char::is_control), "{:?}", error.detail);
}

/// The result is what the server would have stored for a POST of it, so it is within every limit of one.
fn sound(user: &UserDocument) {
    let posted =
        UserDocument::parse(user.as_value().to_string().as_bytes(), &CATALOGUE).map(|written| written.document);
    assert_eq!(posted.as_ref(), Ok(user), "a PATCH left what a POST would not");
    assert!(!user.user_name().trim().is_empty());
    let members = user.as_value().as_object().expect("a user is an object");
    for (name, value) in members.iter().filter(|(name, _)| !name.contains(':')) {
        within(CATALOGUE.user().attribute(name).expect("only known attributes are kept"), value);
    }
}

fn within(attribute: &Attribute, value: &Value) {
    let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    assert!(!items.is_empty() && items.len() <= MAX_VALUES, "{}", attribute.name);
    assert!(items.iter().filter(|item| item["primary"] == true).count() <= 1, "{}", attribute.name);
    for item in items {
        if let (Some(text), Some(most)) = (item.as_str(), attribute.max_chars) {
            assert!(text.chars().count() <= most, "{}", attribute.name);
        }
        for (name, value) in item.as_object().into_iter().flatten() {
            within(attribute.sub(name).expect("only known sub-attributes are kept"), value);
        }
    }
}

fn sound_change(change: &GroupChange) {
    let short = |text: &str| !text.is_empty() && text.chars().count() <= MAX_GROUP_CHARS;
    let distinct = |ids: Vec<&String>| ids.iter().collect::<HashSet<_>>().len() == ids.len();
    match change {
        GroupChange::Rename(name) => assert!(short(name) && !name.trim().is_empty()),
        GroupChange::SetExternalId(id) => assert!(id.as_deref().is_none_or(short)),
        GroupChange::AddMembers(members) | GroupChange::ReplaceMembers(members) => {
            assert!(distinct(members.iter().map(|member| &member.value).collect()));
        }
        GroupChange::RemoveMembers(ids) => assert!(distinct(ids.iter().collect())),
        GroupChange::RemoveSelected(_) => {}
    }
}

/// One operation without a filter finds in its own result nothing left to do. A list without a path stands for many
/// operations, of which a later one may take back what an earlier one did (two primary addresses).
fn is_idempotent(operations: &[Value]) -> bool {
    matches!(operations, [operation] if !has_filter(operation) && !is_many(operation))
}

fn is_many(operation: &Value) -> bool {
    let members = || operation.as_object().into_iter().flatten();
    let all = |wanted: &'static str| members().filter(move |(name, _)| name.eq_ignore_ascii_case(wanted));
    let has_path = all("path").any(|(_, path)| path.as_str().is_some_and(|path| !path.trim().is_empty()));
    let has_list = all("value").any(|(_, value)| value.as_array().is_some_and(|items| items.len() > 1));
    has_list && !has_path
}

fn has_filter(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.iter().any(|(name, value)| name.contains('[') || has_filter(value)),
        Value::Array(items) => items.iter().any(has_filter),
        Value::String(text) => text.contains('['),
        _ => false,
    }
}

fn operations(body: &Value) -> Vec<Value> {
    let members = body.as_object().into_iter().flatten();
    let named = |name: &str| members.clone().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    match body.get("Operations").or_else(|| named("Operations")) {
        Some(Value::Array(operations)) => operations.clone(),
        other => other.cloned().into_iter().collect(),
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
