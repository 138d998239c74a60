//! The requests of the identity providers, word for word, and generators of hostile ones for the other tests.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::group::{self, GroupChange, GroupDocument, MemberRef};
use crate::patch::{self, Patch};
use crate::random;
use crate::schema::{Catalogue, CustomAttribute, ENTERPRISE_USER, Kind};
use crate::user::UserDocument;

fn catalogue() -> Catalogue {
    Catalogue::new(&["ADMINISTRATOR".to_owned(), "ANALYST".to_owned()], &[])
}

/// The standard's attributes and one of every kind that an administrator can define.
pub(crate) fn customized() -> Catalogue {
    let custom = random::CUSTOM.map(|(urn, name, kind, multi_valued, case_exact)| CustomAttribute {
        urn: urn.to_owned(),
        name: name.to_owned(),
        description: String::new(),
        kind: Kind::read(kind).unwrap(),
        multi_valued,
        case_exact,
        canonical_values: Vec::new(),
    });
    for attribute in &custom {
        attribute.check().unwrap();
    }
    Catalogue::new(&[], &custom)
}

fn user(body: &str) -> UserDocument {
    UserDocument::parse(body.as_bytes(), &catalogue()).unwrap().document
}

fn patched(user: &UserDocument, operations: &str) -> UserDocument {
    let body = format!(r#"{{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":{operations}}}"#);
    patch::apply_to_user(user, &Patch::parse(body.as_bytes()).unwrap(), &catalogue()).unwrap().document
}

fn group_changes(body: &str) -> Vec<GroupChange> {
    group::changes(&Patch::parse(body.as_bytes()).unwrap()).unwrap()
}

fn members(ids: &[&str]) -> Vec<MemberRef> {
    ids.iter().map(|id| MemberRef { value: (*id).to_owned(), kind: None }).collect()
}

const OKTA_CREATE: &str = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"test.user@okta.local","name":{"givenName":"Test","familyName":"User"},"emails":[{"primary":true,"value":"test.user@okta.local","type":"work"}],"displayName":"Test User","locale":"en-US","externalId":"00ujl29u0le5T6Aj10h7","groups":[],"password":"1mz050nq","active":true}"#;

#[test]
fn okta_creates_a_user() {
    let user = user(OKTA_CREATE);
    assert_eq!(
        user.as_value(),
        &json!({
            "userName": "test.user@okta.local",
            "name": {"givenName": "Test", "familyName": "User"},
            "emails": [{"primary": true, "value": "test.user@okta.local", "type": "work"}],
            "displayName": "Test User",
            "locale": "en-US",
            "externalId": "00ujl29u0le5T6Aj10h7",
            "active": true,
        })
    );
    assert_eq!(user.user_name(), "test.user@okta.local");
    assert_eq!(user.external_id(), Some("00ujl29u0le5T6Aj10h7"));
    assert_eq!((user.active(), user.display_name().as_deref()), (Some(true), Some("Test User")));
    assert_eq!((user.email(), user.roles()), (Some("test.user@okta.local"), vec![]));
}

#[test]
fn okta_custom_app_writes_everything_by_put() {
    let before = user(OKTA_CREATE);
    let body = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"23a35c27","userName":"test.user@okta.local","name":{"givenName":"Another","familyName":"User"},"emails":[{"primary":true,"value":"test.user@okta.local","type":"work","display":"test.user@okta.local"}],"active":false,"role":"ANALYST","groups":[{"value":"g","display":"G"}],"meta":{"resourceType":"User"}}"#;
    let after = before.replaced_by(user(body));
    assert_eq!((after.active(), after.roles(), after.external_id()), (Some(false), vec!["ANALYST".to_owned()], None));
    assert!(["id", "meta", "groups", "displayName"].iter().all(|name| after.as_value().get(name).is_none()));
}

#[test]
fn okta_catalogue_app_deactivates_and_reactivates_by_patch() {
    let before = user(OKTA_CREATE);
    let inactive = patched(&before, r#"[{"op":"replace","value":{"active":false}}]"#);
    assert_eq!(inactive.active(), Some(false));
    assert_eq!(patched(&inactive, r#"[{"op":"replace","value":{"active":true}}]"#), before);
    assert_eq!(patched(&before, r#"[{"op":"replace","value":{"password":"s3cret"}}]"#), before);
}

#[test]
fn okta_renames_a_group_and_changes_its_members() {
    let rename = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":{"id":"abf4dd94-a4c0-4f67-89c9-76b03340cb9b","displayName":"Test SCIMv2"}}]}"#;
    assert_eq!(group_changes(rename), [GroupChange::Rename("Test SCIMv2".to_owned())]);
    let membership = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"remove","path":"members[value eq \"89bb1940-b905-4575-9e7f-6f887cfb368e\"]"},{"op":"add","path":"members","value":[{"value":"23a35c27-23d3-4c03-b4c5-6443c09e7173","display":"test.user@okta.local"}]}]}"#;
    assert_eq!(
        group_changes(membership),
        [
            GroupChange::RemoveMembers(vec!["89bb1940-b905-4575-9e7f-6f887cfb368e".to_owned()]),
            GroupChange::AddMembers(members(&["23a35c27-23d3-4c03-b4c5-6443c09e7173"])),
        ]
    );
}

#[test]
fn okta_pushes_a_whole_group() {
    let replace = r#"{"Operations":[{"op":"replace","path":"members","value":[{"value":"1","display":"a"},{"value":"2","display":"b"}]}]}"#;
    assert_eq!(group_changes(replace), [GroupChange::ReplaceMembers(members(&["1", "2"]))]);
    let without_path = r#"{"Operations":[{"op":"replace","value":{"members":[],"id":"org-cd1:viewer","displayName":"org-cd1:viewer"}}]}"#;
    assert_eq!(
        group_changes(without_path),
        [GroupChange::Rename("org-cd1:viewer".to_owned()), GroupChange::ReplaceMembers(Vec::new())]
    );
    let put = br#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Test SCIMv2","members":[{"value":"23a35c27-23d3-4c03-b4c5-6443c09e7173","display":"test.user@okta.local"}]}"#;
    let group = GroupDocument::parse(put).unwrap();
    assert_eq!(group.display_name, "Test SCIMv2");
    assert_eq!(group.members, Some(members(&["23a35c27-23d3-4c03-b4c5-6443c09e7173"])));
}

#[test]
fn entra_creates_a_user_and_a_group() {
    let user = user(
        r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"externalId":"0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef","userName":"Test_User_ab6490ee","active":true,"displayName":null,"emails":[{"primary":true,"type":"work","value":"Test_User_fd0ea19b@testuser.com"}],"meta":{"resourceType":"User"},"name":{"formatted":"givenName familyName","familyName":"familyName","givenName":"givenName"},"roles":[]}"#,
    );
    assert_eq!(user.display_name().as_deref(), Some("givenName familyName"));
    assert!(user.as_value().get("roles").is_none());
    let group = GroupDocument::parse(
        br#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group","http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],"externalId":"8aa1a0c0","displayName":"displayName","meta":{"resourceType":"Group"}}"#,
    )
    .unwrap();
    assert_eq!((group.external_id.as_deref(), group.members), (Some("8aa1a0c0"), None));
}

#[test]
fn entra_patches_a_user_in_its_default_dialect() {
    let before = user(r#"{"userName":"u","active":true,"emails":[{"type":"work","value":"a","primary":true}]}"#);
    let after = patched(
        &before,
        r#"[{"op":"Replace","path":"emails[type eq \"work\"].value","value":"x"},
            {"op":"Add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department","value":"Retail"},
            {"op":"Replace","path":"active","value":"False"},
            {"op":"Add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager","value":"271"},
            {"op":"Add","path":"phoneNumbers[type eq \"mobile\"].value","value":"1"},
            {"op":"Add","path":"roles","value":[{"value":"{\"id\":\"1\",\"value\":\"Admin\",\"displayName\":\"Admin\"}"}]}]"#,
    );
    assert_eq!(
        after.as_value(),
        &json!({
            "userName": "u",
            "active": false,
            "emails": [{"type": "work", "value": "x", "primary": true}],
            "phoneNumbers": [{"type": "mobile", "value": "1"}],
            "roles": [{"value": "{\"id\":\"1\",\"value\":\"Admin\",\"displayName\":\"Admin\"}"}],
            ENTERPRISE_USER: {"department": "Retail", "manager": {"value": "271"}},
        })
    );
    assert_eq!(after.roles(), ["Admin"]);
    let without = patched(
        &after,
        r#"[{"op":"Remove","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager"}]"#,
    );
    assert_eq!(without.as_value()[ENTERPRISE_USER], json!({"department": "Retail"}));
}

#[test]
fn entra_patches_a_user_in_its_newer_dialect() {
    let after = patched(
        &user(r#"{"userName":"u","active":true}"#),
        r#"[{"op":"replace","value":{"displayName":"Bjfe","name.givenName":"Kim","active":false,"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber":"12"}}]"#,
    );
    assert_eq!(
        after.as_value(),
        &json!({"userName": "u", "active": false, "displayName": "Bjfe", "name": {"givenName": "Kim"}, ENTERPRISE_USER: {"employeeNumber": "12"}})
    );
}

#[test]
fn entra_changes_members_in_both_dialects() {
    let add = r#"{"Operations":[{"op":"Add","path":"members","value":[{"$ref":null,"value":"f648f8d5"}]}]}"#;
    assert_eq!(group_changes(add), [GroupChange::AddMembers(members(&["f648f8d5"]))]);
    let removed = [GroupChange::RemoveMembers(vec!["f648f8d5".to_owned()])];
    let old = r#"{"Operations":[{"op":"Remove","path":"members","value":[{"$ref":null,"value":"f648f8d5"}]}]}"#;
    assert_eq!(group_changes(old), removed);
    let new = r#"{"Operations":[{"op":"remove","path":"members[value eq \"f648f8d5\"]"}]}"#;
    assert_eq!(group_changes(new), removed);
}

#[test]
fn one_login_puts_a_user_under_the_schemas_of_a_draft() {
    let user = user(
        r#"{"schemas":["urn:scim:schemas:core:2.0","urn:scim:schemas:extension:enterprise:2.0"],"userName":"ann","externalId":"123","name":{"givenName":"Ann","familyName":"Lee","formatted":"Ann Lee"},"title":null,"active":true,"emails":[{"value":"ann@example.com","type":"work","primary":true}],"phoneNumbers":null,"urn:scim:schemas:extension:enterprise:2.0":{"department":"Sales","manager":null}}"#,
    );
    assert_eq!(user.as_value()[ENTERPRISE_USER], json!({"department": "Sales"}));
    assert!(user.as_value().get("title").is_none() && user.as_value().get("phoneNumbers").is_none());
}

/// Any JSON, with names and texts that mean something to SCIM more often than chance would have it.
pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "[^\\x00]{0,6}",
        "(value|type|work|primary|True|False|name|emails|active|members|1|)",
        Just("\u{0}".to_owned()),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((any_name(), inner), 0..4).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// Names of attributes, paths with and without filters, and nonsense.
fn any_name() -> impl Strategy<Value = String> {
    let known = "(userName|active|Name|name.givenName|givenName|title|emails|roles|entitlements|addresses|members|\
                 displayName|externalId|manager|department|value|Value|type|primary|display|\\$ref|groups|id|password)";
    let extension =
        "urn:ietf:params:scim:schemas:extension:enterprise:2\\.0:User(:department|:manager|:manager.value|)";
    let filtered = "(emails|roles|members|phoneNumbers)\\[(type|value|primary) (eq|ne|co) (\"work\"|\"a\"|true)\\](\\.value|\\.type|\\.primary|)";
    prop_oneof![4 => known, 2 => extension, 2 => filtered, 1 => "\\PC{0,8}"]
}

/// Values that attributes often have, so that random bodies get past the type checks.
fn likely_value() -> impl Strategy<Value = Value> {
    let item = (
        proptest::option::of("[ab]{0,2}"),
        proptest::option::of("(work|home|Other)"),
        proptest::option::of(prop_oneof![Just(json!(true)), Just(json!("True")), Just(json!(false))]),
    );
    let item = item.prop_map(|(value, kind, primary)| json!({"value": value, "type": kind, "primary": primary}));
    prop_oneof![
        2 => proptest::collection::vec(item.clone(), 0..4).prop_map(Value::from),
        1 => item,
        1 => "[ab]{0,2}".prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => any_json(),
    ]
}

/// The body of a user that is often valid.
pub(crate) fn any_user() -> impl Strategy<Value = Value> {
    let plural = "(emails|phoneNumbers|roles|entitlements|addresses|Photos|ims)";
    let member = prop_oneof![4 => (plural, likely_value()), 1 => (any_name(), likely_value())];
    (proptest::option::weighted(0.9, "[a-z]{1,4}"), proptest::collection::vec(member, 0..5)).prop_map(
        |(name, members)| {
            let mut user: serde_json::Map<_, _> = members.into_iter().collect();
            if let Some(name) = name {
                user.insert("userName".to_owned(), name.into());
            }
            user.into()
        },
    )
}

/// PATCH operations that are often valid.
pub(crate) fn any_operations() -> impl Strategy<Value = Value> {
    let op = "(add|Replace|remove|REMOVE)";
    let operation = (op, proptest::option::of(any_name()), proptest::option::of(likely_value()));
    let operation = operation.prop_map(|(op, path, value)| {
        let mut operation = json!({"op": op});
        if let Some(path) = path {
            operation["path"] = path.into();
        }
        if let Some(value) = value {
            operation["value"] = value;
        }
        operation
    });
    proptest::collection::vec(prop_oneof![9 => operation, 1 => any_json()], 1..5).prop_map(Value::from)
}
