//! Reading bodies of users, what a document answers, and how it is shown.

use proptest::prelude::*;
use time::macros::datetime;

use super::*;
use crate::error::ScimType;
use crate::schema::ENTERPRISE_USER;

fn catalogue() -> Catalogue {
    Catalogue::new(&["ADMINISTRATOR".to_owned(), "ANALYST".to_owned()], &[])
}

fn parse(body: Value) -> Result<UserDocument, ScimError> {
    UserDocument::parse(body.to_string().as_bytes(), &catalogue()).map(|written| written.document)
}

/// The stored form of a body with this member beside `userName`; the user name is left out again.
fn stored(members: Value) -> Value {
    let mut body = json!({"userName": "u"});
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let mut document = parse(body).unwrap().into_value();
    document.as_object_mut().unwrap().remove("userName");
    document
}

#[test]
fn values_are_normalized() {
    let long = "x".repeat(5000);
    let table = [
        (
            json!({"USERTYPE": "Employee", "name": {"GIVENNAME": "A"}}),
            json!({"userType": "Employee", "name": {"givenName": "A"}}),
        ),
        (json!({"id": "1", "meta": {"x": 1}, "groups": [], "schemas": 5, "password": "s3cret"}), json!({})),
        (json!({"password": 5, "groups": "nonsense", "nonsense": [1], "urn:acme:1.0": {"a": 1}}), json!({})),
        (json!({"title": null, "name": null, "emails": null, "active": null}), json!({})),
        (json!({"name": {}, "emails": [], "addresses": "", "name.": 1}), json!({})),
        (json!({"active": "True"}), json!({"active": true})),
        (json!({"active": "fALSE"}), json!({"active": false})),
        (json!({"active": ""}), json!({})),
        (json!({"nickName": ""}), json!({"nickName": ""})),
        (json!({"title": long}), json!({"title": long})),
        (
            json!({"addresses": {"formatted": "1 Way\nTown", "primary": "True"}}),
            json!({"addresses": [{"formatted": "1 Way\nTown", "primary": true}]}),
        ),
        (
            json!({"emails": ["a@x", null, {"value": "b@x", "Type": "work", "x": 1}]}),
            json!({"emails": [{"value": "a@x"}, {"value": "b@x", "type": "work"}]}),
        ),
        (
            json!({"emails": [{"value": "", "type": "work"}, {"value": null, "type": "home"}]}),
            json!({"emails": [{"type": "home"}]}),
        ),
        (
            json!({"emails": [{"value": "A@x", "type": "Work"}, {"value": "a@X", "type": "work", "display": "d"}]}),
            json!({"emails": [{"value": "a@X", "type": "work", "display": "d"}]}),
        ),
        (
            json!({"emails": [{"value": "a", "primary": true}, {"value": "b", "primary": true}, {"value": "c", "primary": false}]}),
            json!({"emails": [{"value": "a", "primary": false}, {"value": "b", "primary": true}, {"value": "c", "primary": false}]}),
        ),
        (json!({"role": "ANALYST", "roles": ["x"]}), json!({"role": "ANALYST", "roles": [{"value": "x"}]})),
        (
            json!({"urn:ietf:params:scim:schemas:core:2.0:User:title": "t", "name.givenName": "g"}),
            json!({"title": "t", "name": {"givenName": "g"}}),
        ),
        (
            json!({"urn:scim:schemas:extension:enterprise:2.0": {"DEPARTMENT": "d", "x": 1}}),
            json!({ENTERPRISE_USER: {"department": "d"}}),
        ),
        (json!({ENTERPRISE_USER: {"department": null}}), json!({})),
        (json!({ENTERPRISE_USER: null}), json!({})),
    ];
    for (body, expected) in table {
        assert_eq!(stored(body.clone()), expected, "{body}");
    }
}

#[test]
fn a_manager_comes_in_many_forms() {
    let table = [
        (json!({"value": "7", "displayName": "Boss"}), Some(json!({"value": "7"}))),
        (json!("7"), Some(json!({"value": "7"}))),
        (json!([{"$ref": null, "value": "7"}]), Some(json!({"value": "7"}))),
        (json!(["7"]), Some(json!({"value": "7"}))),
        (json!(""), None),
        (json!({"value": ""}), None),
        (json!([]), None),
        (json!(null), None),
        (json!({"displayName": "Boss"}), None),
    ];
    for (manager, expected) in table {
        let document = stored(json!({ENTERPRISE_USER: {"manager": manager}}));
        assert_eq!(document.get(ENTERPRISE_USER).map(|extension| extension["manager"].clone()), expected, "{manager}");
    }
}

#[test]
fn wrong_types_are_refused_with_the_name_of_the_attribute() {
    let table = [
        (json!({"userName": 5}), "userName must be a text, but the request has a number."),
        (json!({"userName": ["u"]}), "userName must be a text"),
        (json!({"active": "maybe"}), "active must be true or false, but the request has a text."),
        (json!({"active": 1}), "active must be true or false"),
        (json!({"name": "Ann"}), "name must be an object"),
        (json!({"name": [{"givenName": "A"}, {}]}), "name must be an object, but the request has a list."),
        (json!({"name": {"givenName": 1}}), "name.givenName must be a text"),
        (json!({"emails": "a@x"}), "emails must be a list"),
        (json!({"emails": [5]}), "emails must be an object"),
        (json!({"emails": [{"value": {}}]}), "emails.value must be a text, but the request has an object."),
        (json!({"emails": [{"value": "a", "primary": "x"}]}), "emails.primary must be true or false"),
        (json!({"role": ["ADMINISTRATOR"]}), "role must be a text"),
        (json!({ENTERPRISE_USER: "x"}), "must be an object"),
        (json!({ENTERPRISE_USER: {"manager": [[[["7"]]]]}}), "manager must be an object"),
        (json!({"title": "a\u{0}b"}), "title contains control characters"),
        (json!({"userName": "a\nb"}), "userName contains control characters"),
        (json!({"userName": "é".repeat(257)}), "userName is longer than 256 characters"),
        (json!({"externalId": "x".repeat(257)}), "externalId is longer than 256 characters"),
        (json!({"emails": vec!["a"; 1001]}), "emails has more than 1000 values"),
    ];
    for (members, expected) in table {
        let mut body = json!({"userName": "u"});
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let error = parse(body).unwrap_err();
        assert_eq!((error.status, error.scim_type), (400, Some(ScimType::InvalidValue)), "{members}");
        assert!(error.detail.contains(expected), "{members}: {}", error.detail);
    }
    assert!(parse(json!({"userName": "é".repeat(256)})).is_ok());
}

#[test]
fn a_password_is_parted_from_the_document() {
    let written = |members: Value| {
        let mut body = json!({"userName": "u"});
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        UserDocument::read(body, &catalogue())
    };
    let table = [
        (json!({"password": "1mz050nq"}), Some("1mz050nq")),
        (json!({"PassWord": " \u{0}\nß"}), Some(" \u{0}\nß")),
        (json!({"urn:ietf:params:scim:schemas:core:2.0:User:password": "p"}), Some("p")),
        (json!({"urn:ietf:params:scim:schemas:core:2.0:User": {"password": "p"}}), Some("p")),
        (json!({"password": ""}), None),
        (json!({"password": null}), None),
        (json!({"password": 5}), None),
        (json!({"password": ["p"]}), None),
        (json!({"password.x": "p", ENTERPRISE_USER: {"password": "p"}}), None),
        (json!({}), None),
    ];
    for (members, expected) in table {
        let Written { document, password } = written(members.clone()).unwrap();
        assert_eq!(password.as_ref().map(Password::reveal), expected, "{members}");
        assert_eq!(document.into_value(), json!({"userName": "u"}), "{members}");
    }
    assert!(written(json!({"password": "é".repeat(512)})).is_ok());
    let error = written(json!({"password": "é".repeat(512) + "x"})).unwrap_err();
    assert_eq!(
        (error.scim_type, error.detail.as_str()),
        (Some(ScimType::InvalidValue), "password is longer than 1024 bytes. Shorten it and push again.")
    );
    let printed = format!("{:?}", written(json!({"password": "hunter2"})).unwrap());
    assert!(printed.contains("[secret]") && !printed.contains("hunter2"), "{printed}");
}

#[test]
fn a_body_that_is_json_already_is_read_the_same() {
    let body = json!({"USERNAME": "u", "title": "t"});
    assert_eq!(UserDocument::read(body.clone(), &catalogue()).unwrap().document, parse(body).unwrap());
    let mut deep = json!("x");
    for _ in 0..40 {
        deep = json!([deep]);
    }
    for body in [json!([]), json!(null), json!({}), json!({"userName": "u", "x": deep})] {
        assert_eq!(UserDocument::read(body, &catalogue()).unwrap_err().status, 400);
    }
}

#[test]
fn attributes_of_an_administrator_are_read_like_any_others() {
    let catalogue = crate::dialects::customized();
    let read = |acme: Value| UserDocument::read(json!({"userName": "u", crate::random::ACME: acme}), &catalogue);
    let table = [
        (json!({"MOTTO": "anything", "x": 1}), json!({"motto": "anything"})),
        (json!({"tags": ["a", "A", "a", null]}), json!({"tags": ["a", "A"]})),
        (json!({"remote": "True", "answers": [false, "TRUE"]}), json!({"remote": true, "answers": [false, true]})),
        (json!({"ratio": "2.5", "levels": [1, "2"]}), json!({"ratio": 2.5, "levels": [1, 2]})),
        (json!({"since": "2026-01-01T00:00:00Z", "link": ""}), json!({"since": "2026-01-01T00:00:00Z", "link": ""})),
    ];
    for (sent, expected) in table {
        assert_eq!(read(sent.clone()).unwrap().document.as_value()[crate::random::ACME], expected, "{sent}");
    }
    for sent in [json!({"levels": [1.5]}), json!({"remote": 1}), json!({"motto": ["a", "b"]}), json!({"tags": "a"})] {
        assert_eq!(read(sent.clone()).unwrap_err().scim_type, Some(ScimType::InvalidValue), "{sent}");
    }
}

#[test]
fn a_user_needs_a_name() {
    for body in [json!({}), json!({"userName": ""}), json!({"userName": " \u{a0}"}), json!({"userName": null})] {
        let error = parse(body).unwrap_err();
        assert_eq!(error.scim_type, Some(ScimType::InvalidValue));
        assert!(error.detail.starts_with("The user has no userName. In Okta,"));
    }
}

#[test]
fn a_name_to_show_is_found() {
    let table = [
        (json!({"displayName": "D", "name": {"formatted": "F"}}), Some("D")),
        (json!({"displayName": " ", "name": {"formatted": "F", "givenName": "G"}}), Some("F")),
        (json!({"name": {"givenName": "G", "familyName": "L"}}), Some("G L")),
        (json!({"name": {"familyName": "L"}}), Some("L")),
        (json!({}), None),
    ];
    for (document, expected) in table {
        assert_eq!(UserDocument::from_stored(document.clone()).display_name().as_deref(), expected, "{document}");
    }
}

#[test]
fn an_email_and_a_role_are_found() {
    let emails = [
        (json!([{"value": "a"}, {"value": "b", "primary": true}]), Some("b")),
        (json!([{"value": "a"}, {"type": "work", "primary": true}]), Some("a")),
        (json!([{"type": "work"}, {"value": "b"}]), Some("b")),
        (json!([]), None),
    ];
    for (emails, expected) in emails {
        assert_eq!(UserDocument::from_stored(json!({"userName": "u@x", "emails": emails})).email(), expected);
    }
    let roles = [
        (json!({"role": "MANAGER", "roles": [{"value": "ANALYST", "primary": true}]}), &["MANAGER"][..]),
        (json!({"role": "", "roles": [{"value": "A"}, {"value": "B", "primary": true}]}), &["B"]),
        (json!({"roles": [{"value": "A"}, {"type": "x"}, {"value": "B"}]}), &["A", "B"]),
        (json!({"roles": [{"value": "{\"id\":\"1\",\"value\":\"Admin\",\"displayName\":\"Admin\"}"}]}), &["Admin"]),
        (json!({"role": "{broken"}), &["{broken"]),
        (json!({}), &[]),
    ];
    for (document, expected) in roles {
        assert_eq!(UserDocument::from_stored(document.clone()).roles(), expected, "{document}");
    }
}

#[test]
fn a_put_replaces_all_but_an_absent_active() {
    let before = parse(json!({"userName": "u", "title": "t", "active": true})).unwrap();
    let without = parse(json!({"userName": "v", "nickName": "n"})).unwrap();
    assert_eq!(before.replaced_by(without).into_value(), json!({"userName": "v", "nickName": "n", "active": true}));
    let inactive = parse(json!({"userName": "u", "active": false})).unwrap();
    assert_eq!(before.replaced_by(inactive.clone()).active(), Some(false));
    assert_eq!(inactive.replaced_by(parse(json!({"userName": "u"})).unwrap()).active(), Some(false));
    let silent = parse(json!({"userName": "u"})).unwrap();
    assert_eq!(silent.replaced_by(silent.clone()).active(), None);
}

#[test]
fn a_user_is_shown_with_what_the_server_knows() {
    let document = json!({"userName": "u", "active": true, ENTERPRISE_USER: {"department": "d"}});
    let meta = Meta {
        created: datetime!(2026-11-01 12:00:00.5 +2),
        last_modified: datetime!(2026-11-02 03:04:05.006_7 UTC),
        version: 3,
        computed: 0,
        location: "https://gate.example/c/7/scim/v2/Users/1".to_owned(),
    };
    let groups = [true, false].map(|direct| GroupRef {
        value: "9".to_owned(),
        display: "G".to_owned(),
        direct,
        location: "https://gate.example/c/7/scim/v2/Groups/9".to_owned(),
    });
    let expected = json!({
        "schemas": [schema::USER, ENTERPRISE_USER],
        "id": "1",
        "userName": "u",
        "active": true,
        "groups": [
            {"value": "9", "$ref": "https://gate.example/c/7/scim/v2/Groups/9", "display": "G", "type": "direct"},
            {"value": "9", "$ref": "https://gate.example/c/7/scim/v2/Groups/9", "display": "G", "type": "indirect"},
        ],
        ENTERPRISE_USER: {"department": "d"},
        "meta": {
            "resourceType": "User",
            "created": "2026-11-01T10:00:00.500Z",
            "lastModified": "2026-11-02T03:04:05.006Z",
            "location": "https://gate.example/c/7/scim/v2/Users/1",
            "version": "W/\"3\"",
        },
    });
    assert_eq!(render("1", &document, &groups, &meta), expected);
    let plain = render("1", &json!({"userName": "u"}), &[], &meta);
    assert_eq!((&plain["schemas"], plain.get("groups")), (&json!([schema::USER]), None));
}

proptest! {
    #[test]
    fn random_bodies_never_panic_and_what_is_stored_reads_back_the_same(body in crate::dialects::any_user()) {
        if let Ok(document) = parse(body) {
            let again = parse(document.as_value().clone()).unwrap();
            prop_assert_eq!(again, document);
        }
    }

    #[test]
    fn random_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..60)) {
        prop_assert!(UserDocument::parse(&body, &catalogue()).is_err());
    }
}
