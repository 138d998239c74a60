//! PATCH as tables: every path form, every operation, and what is refused.

mod properties;

use serde_json::json;

use super::*;
use crate::dialects::customized;
use crate::schema::ENTERPRISE_USER;

const MANAGER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager";
const DEPARTMENT: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department";

fn catalogue() -> Catalogue {
    Catalogue::new(&["ADMINISTRATOR".to_owned(), "ANALYST".to_owned()], &[])
}

fn ann() -> Value {
    json!({
        "userName": "ann",
        "active": true,
        "title": "t",
        "name": {"givenName": "Ann", "familyName": "Lee"},
        "emails": [
            {"value": "ann@work", "type": "work", "primary": true},
            {"value": "ann@home", "type": "home"},
        ],
        ENTERPRISE_USER: {"department": "d", "manager": {"value": "7", "$ref": "../Users/7"}},
    })
}

fn patch(operations: Value) -> Result<Patch, ScimError> {
    Patch::parse(json!({"schemas": [crate::schema::PATCH_OP], "Operations": operations}).to_string().as_bytes())
}

fn apply(document: Value, operations: Value) -> Result<Value, ScimError> {
    let document = UserDocument::from_stored(document);
    apply_to_user(&document, &patch(operations)?, &catalogue()).map(|written| written.document.into_value())
}

/// Ann after one operation, as the members that differ; `null` marks those that are gone.
fn change(operation: Value) -> Value {
    let after = apply(ann(), json!([operation.clone()])).unwrap_or_else(|error| panic!("{operation}: {error}"));
    let before = ann();
    let names = before.as_object().unwrap().keys().chain(after.as_object().unwrap().keys());
    let differs = names.filter(|name| before.get(name) != after.get(name));
    differs.map(|name| (name.clone(), after.get(name).cloned().unwrap_or_default())).collect()
}

fn check(table: impl IntoIterator<Item = (Value, Value)>) {
    for (operation, expected) in table {
        assert_eq!(change(operation.clone()), expected, "{operation}");
    }
}

#[test]
fn simple_attributes_are_added_replaced_and_removed() {
    check([
        (json!({"op": "add", "path": "nickName", "value": "A"}), json!({"nickName": "A"})),
        (json!({"op": "ADD", "path": "NICKNAME", "value": "A"}), json!({"nickName": "A"})),
        (json!({"OP": "Replace", "Path": "title", "Value": "u"}), json!({"title": "u"})),
        (json!({"op": "replace", "path": "nickName", "value": "A"}), json!({"nickName": "A"})),
        (
            json!({"op": "replace", "path": "urn:ietf:params:scim:schemas:core:2.0:User:title", "value": "u"}),
            json!({"title": "u"}),
        ),
        (json!({"op": "replace", "path": "title", "value": [{"value": "u"}]}), json!({"title": "u"})),
        (json!({"op": "replace", "path": "title", "value": {"value": "u"}}), json!({"title": "u"})),
        (json!({"op": "replace", "path": "title", "value": null}), json!({"title": null})),
        (json!({"op": "add", "path": "title", "value": null}), json!({})),
        (json!({"op": "replace", "path": "title", "value": ""}), json!({"title": ""})),
        (json!({"op": "remove", "path": "title"}), json!({"title": null})),
        (json!({"op": "remove", "path": "title", "value": "other"}), json!({"title": null})),
        (json!({"op": "remove", "path": "nickName"}), json!({})),
        (json!({"op": "remove", "path": "active"}), json!({"active": null})),
        (json!({"op": "Replace", "path": "active", "value": "False"}), json!({"active": false})),
        (json!({"op": "replace", "path": "active", "value": [{"value": false}]}), json!({"active": false})),
        (json!({"op": "replace", "path": "externalId", "value": "x"}), json!({"externalId": "x"})),
        (json!({"op": "replace", "path": "userName", "value": "bob"}), json!({"userName": "bob"})),
    ]);
}

#[test]
fn complex_attributes_are_merged_or_replaced() {
    check([
        (
            json!({"op": "replace", "path": "name.givenName", "value": "A"}),
            json!({"name": {"givenName": "A", "familyName": "Lee"}}),
        ),
        (
            json!({"op": "add", "path": "name", "value": {"MIDDLENAME": "M"}}),
            json!({"name": {"givenName": "Ann", "middleName": "M", "familyName": "Lee"}}),
        ),
        (
            json!({"op": "replace", "path": "name", "value": {"givenName": "A"}}),
            json!({"name": {"givenName": "A", "familyName": "Lee"}}),
        ),
        (
            json!({"op": "replace", "path": "name", "value": {"givenName": null}}),
            json!({"name": {"familyName": "Lee"}}),
        ),
        (json!({"op": "add", "path": "name", "value": {"givenName": null}}), json!({})),
        (json!({"op": "replace", "path": "name.givenName", "value": null}), json!({"name": {"familyName": "Lee"}})),
        (json!({"op": "remove", "path": "name.givenName"}), json!({"name": {"familyName": "Lee"}})),
        (json!({"op": "remove", "path": "name"}), json!({"name": null})),
        (json!({"op": "replace", "path": "name", "value": null}), json!({"name": null})),
        (
            json!({"op": "replace", "value": {"name": {"familyName": "L", "givenName": null}}}),
            json!({"name": {"familyName": "L"}}),
        ),
    ]);
}

#[test]
fn extension_attributes_are_added_replaced_and_removed() {
    let extension = |members: Value| json!({ENTERPRISE_USER: members});
    let manager = json!({"value": "7", "$ref": "../Users/7"});
    check([
        (
            json!({"op": "Add", "path": DEPARTMENT, "value": "Retail"}),
            extension(json!({"department": "Retail", "manager": manager})),
        ),
        (json!({"op": "remove", "path": DEPARTMENT}), extension(json!({"manager": manager}))),
        (
            json!({"op": "Add", "path": MANAGER, "value": "271"}),
            extension(json!({"department": "d", "manager": {"value": "271"}})),
        ),
        (
            json!({"op": "Add", "path": MANAGER, "value": [{"$ref": null, "value": "271"}]}),
            extension(json!({"department": "d", "manager": {"value": "271"}})),
        ),
        (
            json!({"op": "replace", "path": MANAGER, "value": {"value": "8", "displayName": "x"}}),
            extension(json!({"department": "d", "manager": {"value": "8"}})),
        ),
        (
            json!({"op": "replace", "path": format!("{MANAGER}.value"), "value": "8"}),
            extension(json!({"department": "d", "manager": {"value": "8", "$ref": "../Users/7"}})),
        ),
        (json!({"op": "replace", "path": MANAGER, "value": ""}), extension(json!({"department": "d"}))),
        (json!({"op": "replace", "path": MANAGER, "value": null}), extension(json!({"department": "d"}))),
        (
            json!({"op": "replace", "path": format!("{MANAGER}.value"), "value": ""}),
            extension(json!({"department": "d"})),
        ),
        (json!({"op": "Remove", "path": MANAGER, "value": [{"value": "7"}]}), extension(json!({"department": "d"}))),
        (
            json!({"op": "remove", "path": format!("{MANAGER}.$ref")}),
            extension(json!({"department": "d", "manager": {"value": "7"}})),
        ),
        (json!({"op": "remove", "path": format!("{MANAGER}.displayName")}), json!({})),
        (json!({"op": "remove", "path": ENTERPRISE_USER}), extension(Value::Null)),
        (json!({"op": "replace", "path": ENTERPRISE_USER, "value": null}), extension(Value::Null)),
        (
            json!({"op": "add", "path": ENTERPRISE_USER, "value": {"division": "x"}}),
            extension(json!({"department": "d", "division": "x", "manager": manager})),
        ),
        (
            json!({"op": "replace", "value": {ENTERPRISE_USER: {"department": null, "manager": "8"}}}),
            extension(json!({"manager": {"value": "8"}})),
        ),
        (
            json!({"op": "replace", "value": {DEPARTMENT: "e"}}),
            extension(json!({"department": "e", "manager": manager})),
        ),
        (
            json!({"op": "replace", "value": {ENTERPRISE_USER: {"manager.value": "8"}}}),
            extension(json!({"department": "d", "manager": {"value": "8", "$ref": "../Users/7"}})),
        ),
    ]);
    let bare = json!({"userName": "u"});
    let added = apply(bare.clone(), json!([{"op": "add", "path": DEPARTMENT, "value": "d"}])).unwrap();
    assert_eq!(added, json!({"userName": "u", ENTERPRISE_USER: {"department": "d"}}));
    assert_eq!(apply(added, json!([{"op": "remove", "path": DEPARTMENT}])).unwrap(), bare);
}

#[test]
fn values_of_lists_are_added_replaced_and_removed() {
    let work = json!({"value": "ann@work", "type": "work", "primary": true});
    let home = json!({"value": "ann@home", "type": "home"});
    let was_primary = json!({"value": "ann@work", "type": "work", "primary": false});
    check([
        (
            json!({"op": "add", "path": "emails", "value": [{"value": "c"}]}),
            json!({"emails": [work, home, {"value": "c"}]}),
        ),
        (
            json!({"op": "add", "path": "emails", "value": {"value": "c"}}),
            json!({"emails": [work, home, {"value": "c"}]}),
        ),
        (json!({"op": "add", "path": "emails", "value": "c"}), json!({"emails": [work, home, {"value": "c"}]})),
        (json!({"op": "add", "path": "emails", "value": [home]}), json!({})),
        (json!({"op": "add", "path": "emails", "value": []}), json!({})),
        (
            json!({"op": "add", "path": "emails", "value": [{"value": "c", "primary": "True"}]}),
            json!({"emails": [was_primary, home, {"value": "c", "primary": true}]}),
        ),
        (json!({"op": "add", "value": {"emails": [{"value": "c"}]}}), json!({"emails": [work, home, {"value": "c"}]})),
        (json!({"op": "replace", "path": "emails", "value": [{"value": "c"}]}), json!({"emails": [{"value": "c"}]})),
        (json!({"op": "replace", "value": {"emails": [{"value": "c"}]}}), json!({"emails": [{"value": "c"}]})),
        (json!({"op": "replace", "path": "emails", "value": []}), json!({"emails": null})),
        (json!({"op": "replace", "path": "emails", "value": null}), json!({"emails": null})),
        (json!({"op": "remove", "path": "emails"}), json!({"emails": null})),
        (json!({"op": "remove", "path": "emails", "value": null}), json!({"emails": null})),
        (json!({"op": "remove", "path": "emails", "value": []}), json!({})),
        (
            json!({"op": "Remove", "path": "emails", "value": [{"$ref": null, "value": "ANN@work"}]}),
            json!({"emails": [home]}),
        ),
        (json!({"op": "Remove", "path": "emails", "value": [{"value": "ann@work", "type": "home"}]}), json!({})),
        (json!({"op": "Remove", "path": "emails", "value": "ann@home"}), json!({"emails": [work]})),
        (json!({"op": "Remove", "path": "emails", "value": [{"type": "work"}]}), json!({"emails": [home]})),
        (
            json!({"op": "replace", "path": "emails.value", "value": "c"}),
            json!({"emails": [{"value": "c", "type": "work", "primary": true}, home]}),
        ),
        (json!({"op": "replace", "path": "emails.value", "value": null}), json!({"emails": null})),
        (json!({"op": "remove", "path": "emails.value"}), json!({"emails": null})),
        (
            json!({"op": "remove", "path": "emails.primary"}),
            json!({"emails": [{"value": "ann@work", "type": "work"}, home]}),
        ),
        (json!({"op": "add", "path": "phoneNumbers.value", "value": "1"}), json!({"phoneNumbers": [{"value": "1"}]})),
    ]);
}

#[test]
fn filtered_values_are_added_replaced_and_removed() {
    let work = json!({"value": "ann@work", "type": "work", "primary": true});
    let home = json!({"value": "ann@home", "type": "home"});
    let was_primary = json!({"value": "ann@work", "type": "work", "primary": false});
    let at = |path: &str, op: &str, value: Value| json!({"op": op, "path": path, "value": value});
    check([
        (
            at(r#"emails[type eq "work"].value"#, "Replace", json!("c")),
            json!({"emails": [{"value": "c", "type": "work", "primary": true}, home]}),
        ),
        (
            at(r#"EMAILS[TYPE EQ "Work"].VALUE"#, "add", json!("c")),
            json!({"emails": [{"value": "c", "type": "work", "primary": true}, home]}),
        ),
        (
            at(r#"emails[type eq "home"].primary"#, "add", json!("True")),
            json!({"emails": [was_primary, {"value": "ann@home", "type": "home", "primary": true}]}),
        ),
        (at(r#"emails[value co "home"]"#, "replace", json!({"value": "c"})), json!({"emails": [work, {"value": "c"}]})),
        (
            at(r#"emails[type eq "home"]"#, "replace", json!({"value": "c"})),
            json!({"emails": [work, {"value": "c", "type": "home"}]}),
        ),
        (
            at(r#"emails[type eq "home"]"#, "replace", json!([{"value": "c", "type": "other"}])),
            json!({"emails": [work, {"value": "c", "type": "other"}]}),
        ),
        (
            at(r#"emails[type eq "home"]"#, "add", json!({"display": "D"})),
            json!({"emails": [work, {"value": "ann@home", "type": "home", "display": "D"}]}),
        ),
        (
            at(r#"emails[type eq "other"].value"#, "replace", json!("c")),
            json!({"emails": [work, home, {"value": "c", "type": "other"}]}),
        ),
        (
            at(r#"emails[type eq "other" and primary eq true].value"#, "add", json!("c")),
            json!({"emails": [was_primary, home, {"value": "c", "type": "other", "primary": true}]}),
        ),
        (
            at(r#"phoneNumbers[type eq "mobile"].value"#, "Add", json!("1")),
            json!({"phoneNumbers": [{"value": "1", "type": "mobile"}]}),
        ),
        (
            at(r#"addresses[type eq "work"].locality"#, "add", json!("X")),
            json!({"addresses": [{"locality": "X", "type": "work"}]}),
        ),
        (
            at(r#"roles[primary eq "True"].value"#, "Add", json!("ANALYST")),
            json!({"roles": [{"value": "ANALYST", "primary": true}]}),
        ),
        (at(r#"emails[type eq "work"].value"#, "replace", json!("")), json!({"emails": [home]})),
        (at(r#"emails[type eq "other"].value"#, "replace", json!("")), json!({})),
        (at(r#"emails[type eq "work"].value"#, "replace", json!(null)), json!({"emails": [home]})),
        (
            at(r#"emails[type eq "work"].primary"#, "remove", json!(null)),
            json!({"emails": [{"value": "ann@work", "type": "work"}, home]}),
        ),
        (at(r#"emails[type eq "work"].value"#, "remove", json!(null)), json!({"emails": [home]})),
        (at(r#"emails[type eq "work" or type eq "home"]"#, "remove", json!(null)), json!({"emails": null})),
        (at(r#"emails[not (type eq "work")]"#, "remove", json!(null)), json!({"emails": [work]})),
        (at(r#"emails[type eq "nonexistent"]"#, "remove", json!(null)), json!({})),
        (at(r#"emails[type eq "work"].nonsense"#, "add", json!("x")), json!({})),
        (
            json!({"op": "replace", "value": {r#"emails[type eq "work"].value"#: "c", "name.givenName": "K"}}),
            json!({"emails": [{"value": "c", "type": "work", "primary": true}, home], "name": {"givenName": "K", "familyName": "Lee"}}),
        ),
    ]);
}

#[test]
fn what_clients_may_not_write_is_ignored() {
    check([
        (json!({"op": "replace", "path": "id", "value": "2"}), json!({})),
        (json!({"op": "remove", "path": "meta.created"}), json!({})),
        (json!({"op": "add", "path": "groups", "value": [{"value": "g"}]}), json!({})),
        (json!({"op": "remove", "path": r#"groups[value eq "g"]"#}), json!({})),
        (json!({"op": "replace", "path": "password", "value": "s3cret"}), json!({})),
        (
            json!({"op": "replace", "value": {"password": "s3cret", "id": "2", "schemas": [], "nonsense": {"a": 1}, "a b": 1}}),
            json!({}),
        ),
        (json!({"op": "add", "path": "nonsense", "value": 1}), json!({})),
        (json!({"op": "remove", "path": "nonsense"}), json!({})),
        (json!({"op": "add", "path": "urn:acme:1.0:User:shoe", "value": 1}), json!({})),
        (json!({"op": "add", "path": "name.nonsense", "value": 1}), json!({})),
        (json!({"op": "remove", "path": "name.nonsense"}), json!({})),
        (json!({"op": "remove", "path": "title.nonsense"}), json!({})),
        (json!({"op": "remove", "path": crate::schema::USER}), json!({})),
    ]);
}

#[test]
fn what_cannot_be_done_is_refused() {
    let table = [
        (json!({"op": "replace", "path": r#"emails[type eq "nonexistent"].value"#, "value": "x"}), ScimType::NoTarget),
        (json!({"op": "add", "path": r#"emails[value eq "c"].display"#, "value": "x"}), ScimType::NoTarget),
        (
            json!({"op": "replace", "path": r#"emails[type ne "work" and primary eq true].value"#, "value": "x"}),
            ScimType::NoTarget,
        ),
        (json!({"op": "replace", "path": r#"roles[type eq "work"].value"#, "value": "x"}), ScimType::NoTarget),
        (json!({"op": "remove"}), ScimType::NoTarget),
        (json!({"op": "remove", "path": "", "value": {"title": "t"}}), ScimType::NoTarget),
        (json!({"op": "remove", "path": "userName"}), ScimType::Mutability),
        (json!({"op": "replace", "path": "userName", "value": null}), ScimType::Mutability),
        (json!({"op": "replace", "path": "userName", "value": " "}), ScimType::InvalidValue),
        (json!({"op": "replace", "path": "active", "value": "maybe"}), ScimType::InvalidValue),
        (json!({"op": "replace", "path": "title", "value": ["a", "b"]}), ScimType::InvalidValue),
        (json!({"op": "add", "path": r#"emails[type eq "work"]"#, "value": 5}), ScimType::InvalidValue),
        (json!({"op": "add", "path": "emails", "value": [{"value": 5}]}), ScimType::InvalidValue),
        (json!({"op": "add", "path": "title"}), ScimType::InvalidValue),
        (json!({"op": "add", "value": "x"}), ScimType::InvalidValue),
        (json!({"op": "add", "value": null}), ScimType::InvalidValue),
        (json!({"op": "replace", "value": [{"title": "x"}, 5]}), ScimType::InvalidValue),
        (json!({"op": "replace", "path": r#"name[givenName eq "Ann"]"#, "value": "x"}), ScimType::InvalidPath),
        (json!({"op": "remove", "path": r#"title[value eq "t"]"#}), ScimType::InvalidPath),
        (json!({"op": "add", "path": "a b", "value": 1}), ScimType::InvalidPath),
        (json!({"op": "add", "path": 5, "value": 1}), ScimType::InvalidPath),
        (json!({"op": "add", "path": "emails[type]", "value": 1}), ScimType::InvalidFilter),
        (json!({"op": "move", "path": "title", "value": 1}), ScimType::InvalidSyntax),
        (json!({"path": "title", "value": 1}), ScimType::InvalidSyntax),
        (json!("add"), ScimType::InvalidSyntax),
    ];
    for (operation, expected) in table {
        let operations = json!([{"op": "replace", "path": "title", "value": "changed"}, operation]);
        let error = apply(ann(), operations).unwrap_err();
        assert_eq!((error.status, error.scim_type), (400, Some(expected)), "{operation}: {error}");
        if expected != ScimType::InvalidValue {
            assert!(error.detail.starts_with("Operation 2 of the PATCH request: "), "{error}");
        }
    }
}

#[test]
fn values_that_become_equal_become_one() {
    let two = json!({"userName": "u", "emails": [{"value": "a", "type": "work"}, {"value": "a", "type": "home"}]});
    let operations = json!([{"op": "replace", "path": "emails[type eq \"home\"].type", "value": "work"}]);
    assert_eq!(apply(two, operations).unwrap()["emails"], json!([{"value": "a", "type": "work"}]));
}

#[test]
fn a_patch_that_ambiguously_names_a_value_is_refused() {
    let two = json!({"userName": "u", "emails": [{"value": "a"}, {"value": "b"}]});
    let error = apply(two, json!([{"op": "replace", "path": "emails.value", "value": "c"}])).unwrap_err();
    assert_eq!(error.scim_type, Some(ScimType::NoTarget));
}

#[test]
fn a_request_without_operations_is_refused() {
    for body in ["{}", r#"{"Operations": null}"#, r#"{"Operations": []}"#, r#"{"Operations": 5}"#, "[]", "x"] {
        assert_eq!(Patch::parse(body.as_bytes()).unwrap_err().scim_type, Some(ScimType::InvalidSyntax), "{body}");
    }
    assert!(Patch::parse(br#"{"operations": [{"op": "remove", "path": "title"}]}"#).is_ok());
    assert!(Patch::parse(br#"{"Operations": {"op": "remove", "path": "title"}}"#).is_ok());
}

#[test]
fn the_size_of_a_request_is_bounded() {
    let remove = json!({"op": "remove", "path": "title"});
    assert!(patch(Value::Array(vec![remove.clone(); 1000])).is_ok());
    assert_eq!(patch(Value::Array(vec![remove; 1001])).unwrap_err().status, 413);
    // Without a path, one operation may stand for many.
    let several = |count: usize| json!([{"op": "add", "value": vec![json!({"title": "x"}); count]}]);
    assert!(patch(several(1000)).is_ok());
    assert_eq!(patch(several(1001)).unwrap_err().status, 413);
    let filtered = |terms: usize| json!({"op": "remove", "path": format!("emails[{}]", vec!["value eq \"x\""; terms].join(" or "))});
    assert!(apply(ann(), Value::Array(vec![filtered(10); 1000])).is_ok());
    let named = |name: String| json!([{"op": "add", "value": {name: "x"}}]);
    assert_eq!(apply(ann(), named(format!("emails[{}]", "a pr or ".repeat(10_001)))).unwrap_err().status, 413);
}

#[test]
fn a_request_that_would_keep_the_server_busy_is_refused() {
    let emails: Vec<Value> = (0..1000).map(|n| json!({"value": format!("é{n}{}", "x".repeat(240))})).collect();
    let mut crowded = ann();
    crowded["emails"] = json!(emails);
    let mut wordy = ann();
    wordy["addresses"] = json!(vec![json!({"formatted": "é".repeat(4500)}); 100]);
    let removal = |attribute: &str, value: Value, count: usize| json!([{"op": "remove", "path": attribute, "value": vec![value; count]}]);
    let path = format!("emails[{}].display", vec!["value eq \"é0\""; 60].join(" or "));
    let table = [
        (&crowded, removal("emails", json!({"value": "é0"}), 100), true),
        (&crowded, removal("emails", json!({"value": "é0"}), 9_900), false),
        (&crowded, json!(vec![json!({"op": "replace", "path": path, "value": "x"}); 160]), false),
        (&crowded, json!(vec![json!({"op": "replace", "value": {"emails.display": "x"}}); 1000]), false),
        (&wordy, removal("addresses", json!({"formatted": "é"}), 10), true),
        (&wordy, removal("addresses", json!({"formatted": "é"}), 200), false),
        (&ann(), json!([{"op": "add", "path": "emails", "value": emails[..900]}]), true),
    ];
    for (user, operations, fits) in table {
        let outcome = apply(user.clone(), operations.clone());
        let status = outcome.as_ref().err().map(|error| error.status);
        assert_eq!(status, (!fits).then_some(413), "{}", &operations.to_string()[..100]);
    }
}

#[test]
fn a_request_that_changes_nothing_gives_an_equal_document() {
    let before = UserDocument::from_stored(ann());
    for operations in [
        json!([{"op": "replace", "value": {"active": true}}]),
        json!([{"op": "add", "path": "title", "value": "t"}, {"op": "remove", "path": "nickName"}]),
        json!([{"op": "replace", "path": "title", "value": "u"}, {"op": "replace", "path": "title", "value": "t"}]),
        json!([{"op": "replace", "value": ann()}]),
    ] {
        assert_eq!(apply_to_user(&before, &patch(operations).unwrap(), &catalogue()).unwrap().document, before);
    }
}

#[test]
fn a_password_is_whatever_was_written_last() {
    let password = |operations: Value| {
        let before = UserDocument::from_stored(ann());
        let written = apply_to_user(&before, &patch(operations)?, &catalogue())?;
        assert_eq!(written.document, before);
        Ok::<_, ScimError>(written.password.map(|password| password.reveal().to_owned()))
    };
    let table = [
        (json!([{"op": "replace", "value": {"password": "a"}}]), Some("a")),
        (json!([{"op": "replace", "value": {"PASSWORD": "a"}}]), Some("a")),
        (json!([{"op": "Replace", "path": "Password", "value": "a"}]), Some("a")),
        (json!([{"op": "add", "path": "password", "value": [{"value": "a"}]}]), Some("a")),
        (
            json!([{"op": "add", "path": "urn:ietf:params:scim:schemas:core:2.0:User:password", "value": "a"}]),
            Some("a"),
        ),
        (
            json!([{"op": "add", "path": "password", "value": "a"}, {"op": "add", "value": {"password": "b"}}]),
            Some("b"),
        ),
        (json!([{"op": "add", "path": "password", "value": "a"}, {"op": "remove", "path": "password"}]), None),
        (
            json!([{"op": "add", "path": "password", "value": "a"}, {"op": "replace", "path": "password", "value": ""}]),
            None,
        ),
        (json!([{"op": "remove", "path": "password"}]), None),
        (
            json!([{"op": "add", "path": "password.x", "value": "a"}, {"op": "add", "path": "password[value pr]", "value": "a"}]),
            None,
        ),
        (json!([{"op": "replace", "path": "active", "value": true}]), None),
    ];
    for (operations, expected) in table {
        assert_eq!(password(operations.clone()).unwrap().as_deref(), expected, "{operations}");
    }
    let error = password(json!([{"op": "replace", "path": "password", "value": "x".repeat(1025)}])).unwrap_err();
    assert_eq!(error.scim_type, Some(ScimType::InvalidValue));
}

#[test]
fn a_body_that_is_json_already_is_read_the_same() {
    let operations = json!([{"op": "replace", "path": "title", "value": "u"}]);
    let whole = json!({"schemas": [crate::schema::PATCH_OP], "Operations": operations});
    let expected = patch(operations.clone()).unwrap();
    assert!(Patch::read(whole).unwrap() == expected && Patch::read(operations).unwrap() == expected);
    let mut deep = json!("x");
    for _ in 0..40 {
        deep = json!([deep]);
    }
    for body in [json!([]), json!({}), json!("x"), json!(null), json!([5]), deep] {
        assert_eq!(Patch::read(body.clone()).unwrap_err().scim_type, Some(ScimType::InvalidSyntax), "{body}");
    }
}

#[test]
fn lists_of_simple_values_are_patched() {
    let tags = format!("{}:tags", crate::random::ACME);
    let before = UserDocument::from_stored(json!({"userName": "u", crate::random::ACME: {"tags": ["a", "A", "b"]}}));
    let table = [
        (json!({"op": "add", "path": tags, "value": ["c", "a"]}), json!(["a", "A", "b", "c"])),
        (json!({"op": "add", "path": tags, "value": "c"}), json!(["a", "A", "b", "c"])),
        (json!({"op": "replace", "path": tags, "value": ["c"]}), json!(["c"])),
        (json!({"op": "remove", "path": tags, "value": ["a", "c"]}), json!(["A", "b"])),
        (json!({"op": "remove", "path": format!("{tags}[value eq \"A\"]")}), json!(["a", "b"])),
        (json!({"op": "replace", "path": format!("{tags}[value eq \"b\"]"), "value": "c"}), json!(["a", "A", "c"])),
        (json!({"op": "replace", "value": {crate::random::ACME: {"TAGS": ["c"]}}}), json!(["c"])),
        (json!({"op": "remove", "path": tags}), Value::Null),
    ];
    for (operation, expected) in table {
        let after = apply_to_user(&before, &patch(json!([operation])).unwrap(), &customized()).unwrap().document;
        assert_eq!(after.as_value()[crate::random::ACME]["tags"], expected, "{operation}");
    }
    let none = json!([{"op": "replace", "path": format!("{tags}[value eq \"z\"]"), "value": "c"}]);
    assert_eq!(
        apply_to_user(&before, &patch(none).unwrap(), &customized()).unwrap_err().scim_type,
        Some(ScimType::NoTarget)
    );
}

#[test]
fn a_patch_does_not_print_its_values() {
    let patch = patch(json!([{"op": "replace", "value": {"password": "s3cret"}}])).unwrap();
    assert_eq!(format!("{patch:?}"), "Patch of 1 operations");
}
