//! Keys, rows and resolved filters as tables.

mod agreement;

use serde_json::{Value, json};

use super::*;
use crate::dialects::customized;
use crate::error::ScimType;
use crate::filter;
use crate::random;
use crate::schema::ENTERPRISE_USER;

/// A condition on one line: `emails.type="work"`, `[emails …]` for an element.
fn shown(condition: &Condition) -> String {
    let joined = |all: &[Condition], word: &str| {
        format!("({})", all.iter().map(shown).collect::<Vec<_>>().join(&format!(" {word} ")))
    };
    match condition {
        Condition::All(all) => joined(all, "&"),
        Condition::Any(any) => joined(any, "|"),
        Condition::Not(inner) => format!("!{}", shown(inner)),
        Condition::Constant(holds) => holds.to_string(),
        Condition::Element { path, condition } => format!("[{path} {}]", shown(condition)),
        Condition::Test { leaf: Leaf { path, field, .. }, test } => {
            let field = match field {
                Field::Value => "",
                Field::Type => "@type",
                Field::Primary => "@primary",
            };
            let (sign, key) = match test {
                Test::Present => ("?", ""),
                Test::Equal(key) => ("=", key.as_str()),
                Test::Contains(key) => ("*", key.as_str()),
                Test::StartsWith(key) => ("^", key.as_str()),
                Test::EndsWith(key) => ("$", key.as_str()),
                Test::Greater(key) => (">", key.as_str()),
                Test::GreaterOrEqual(key) => (">=", key.as_str()),
                Test::Less(key) => ("<", key.as_str()),
                Test::LessOrEqual(key) => ("<=", key.as_str()),
            };
            format!(
                "{}{field}{sign}{key}",
                path.replace(&ENTERPRISE_USER.to_lowercase(), "ent").replace(&random::ACME.to_lowercase(), "acme")
            )
        }
    }
}

fn resolved(text: &str, kind: &ResourceType, unknown: Unknown) -> Result<String, ScimError> {
    resolve(&filter::parse(text).unwrap(), kind, unknown).map(|condition| shown(&condition))
}

#[test]
fn names_of_users_become_places() {
    let catalogue = customized();
    let enterprise = |rest: &str| format!("{ENTERPRISE_USER}:{rest}");
    let acme = |rest: &str| format!("{}:{rest}", random::ACME);
    let two = number(json!(2));
    let table = [
        (r#"TITLE eq "Ab""#.to_owned(), "title=ab".to_owned()),
        (r#"Email eq "Ab""#.to_owned(), "emails=ab".to_owned()),
        (r#"manager eq "Ab""#.to_owned(), "ent:manager.value=Ab".to_owned()),
        (r#"userName sw "ΑΣ""#.to_owned(), "username^ασ".to_owned()),
        (r#"externalId eq "Ab""#.to_owned(), "externalid=Ab".to_owned()),
        (r#"id ne "Ab""#.to_owned(), "!id=Ab".to_owned()),
        (r#"active eq "True""#.to_owned(), "active=true".to_owned()),
        ("active eq false".to_owned(), "active=false".to_owned()),
        (r#"name.familyName co "x""#.to_owned(), "name.familyname*x".to_owned()),
        (
            r#"urn:ietf:params:scim:schemas:core:2.0:user:name.FAMILYNAME ew "x""#.to_owned(),
            "name.familyname$x".to_owned(),
        ),
        (r#"emails eq "x""#.to_owned(), "emails=x".to_owned()),
        (r#"emails.value gt "x""#.to_owned(), "emails>x".to_owned()),
        (r#"emails.type le "x""#.to_owned(), "emails@type<=x".to_owned()),
        ("emails.primary eq true".to_owned(), "emails@primary=true".to_owned()),
        (r#"emails.display lt "x""#.to_owned(), "emails.display<x".to_owned()),
        (r#"addresses.locality ge "x""#.to_owned(), "addresses.locality>=x".to_owned()),
        (r#"emails[type eq "work"].value eq "X""#.to_owned(), "[emails (emails@type=work & emails=x)]".to_owned()),
        (
            r#"emails[not (display pr) or primary eq true]"#.to_owned(),
            "[emails (!emails.display? | emails@primary=true)]".to_owned(),
        ),
        (enterprise(r#"manager eq "Y""#), "ent.manager.value=Y".replace("ent.", "ent:")),
        (enterprise(r#"manager.$ref eq "Y""#), "ent:manager.$ref=Y".to_owned()),
        (format!(r#"id eq "x" and {}"#, enterprise(r#"manager eq "y""#)), "(id=x & ent:manager.value=y)".to_owned()),
        (r#"groups eq "g""#.to_owned(), "groups=g".to_owned()),
        (
            r#"groups[display eq "G" and type eq "direct"]"#.to_owned(),
            "[groups (groups.display=g & groups@type=direct)]".to_owned(),
        ),
        ("groups pr".to_owned(), "groups?".to_owned()),
        ("name.givenName pr".to_owned(), "name.givenname?".to_owned()),
        (enterprise("manager pr"), "(ent:manager.value? | ent:manager.$ref?)".to_owned()),
        ("roles pr".to_owned(), "(roles? | roles.display? | roles@type? | roles@primary?)".to_owned()),
        ("title eq null".to_owned(), "!title?".to_owned()),
        ("title ne null".to_owned(), "title?".to_owned()),
        ("title gt null".to_owned(), "false".to_owned()),
        (r#"title eq """#.to_owned(), "!title?".to_owned()),
        (r#"title ne """#.to_owned(), "title?".to_owned()),
        (
            r#"meta.lastModified gt "2026-01-01T01:00:00+01:00""#.to_owned(),
            "meta.lastmodified>2026-01-01T00:00:00.000000000Z".to_owned(),
        ),
        (r#"meta.version eq "W/\"3\"""#.to_owned(), "meta.version=W/\"3\"".to_owned()),
        (r#"meta.resourceType eq "User""#.to_owned(), "true".to_owned()),
        (r#"meta.resourceType ne "Group""#.to_owned(), "!false".to_owned()),
        (r#"schemas eq "urn:ietf:params:scim:schemas:core:2.0:User""#.to_owned(), "true".to_owned()),
        (r#"schemas eq "urn:other""#.to_owned(), "()".to_owned()),
        (acme("levels eq 2.0"), format!("acme:levels={two}")),
        (acme("ratio ge 2"), format!("acme:ratio>={two}")),
        (acme(r#"tags eq "Ab""#), "acme:tags=Ab".to_owned()),
        (acme(r#"tags.value eq "Ab""#), "acme:tags=Ab".to_owned()),
        (acme(r#"tags[value eq "Ab"]"#), "[".to_owned() + &random::ACME.to_lowercase() + ":tags acme:tags=Ab]"),
        (acme(r#"since lt "2026-01-01T00:00:00""#), "acme:since<2026-01-01T00:00:00.000000000Z".to_owned()),
        ("shoeSize eq 2".to_owned(), format!("shoesize={two}")),
    ];
    for (text, expected) in table {
        let shown = resolved(&text, catalogue.user(), Unknown::Refuse);
        assert_eq!(shown.as_ref().unwrap_or_else(|error| panic!("{text}: {error}")), &expected, "{text}");
    }
    let extension = resolved(&format!(r#"schemas co "{}""#, random::ACME), catalogue.user(), Unknown::Refuse).unwrap();
    assert!(extension.starts_with("(acme:motto? | acme:tags? | acme:remote? |"), "{extension}");
}

#[test]
fn names_of_groups_become_places() {
    let catalogue = customized();
    let table = [
        (r#"displayName eq "G""#, "displayname=g"),
        (r#"members eq "A""#, "members=A"),
        (r#"members[value eq "A" and type eq "User"]"#, "[members (members=A & members@type=user)]"),
        (r#"members.$ref ew "/A""#, "members.$ref$/A"),
        ("not (members pr)", "!members?"),
        (r#"meta.resourceType eq "User""#, "false"),
        (r#"schemas sw "urn:ietf""#, "true"),
    ];
    for (text, expected) in table {
        assert_eq!(resolved(text, catalogue.group(), Unknown::Refuse).unwrap(), expected, "{text}");
    }
}

#[test]
fn what_cannot_be_asked_is_refused_with_what_to_change() {
    let catalogue = customized();
    let since = format!("{}:since", random::ACME);
    let table = [
        (r#"shoe eq "x""#.to_owned(), "The filter names \"shoe\", which resources of the type User do not have."),
        (r#"emails.shoe eq "x""#.to_owned(), "The filter names \"emails.shoe\", which"),
        (r#"title.value eq "x""#.to_owned(), "The filter names \"title.value\", which"),
        (r#"urn:acme:2.0:User:shoe pr"#.to_owned(), "The filter names \"urn:acme:2.0:User:shoe\", which"),
        (r#"members eq "x""#.to_owned(), "The filter names \"members\", which"),
        (r#"not (shoe pr)"#.to_owned(), "The filter names \"shoe\", which"),
        (
            r#"emails[shoe eq "x"]"#.to_owned(),
            "The filter names \"shoe\" in brackets, which values of emails do not have.",
        ),
        (r#"emails[value.x eq "x"]"#.to_owned(), "The filter names \"value.x\" in brackets"),
        (format!("{} pr", random::ACME), "is a schema. Name one of its attributes"),
        (r#"password eq "x""#.to_owned(), "\"password\" cannot be searched for, since it is never shown."),
        ("password pr".to_owned(), "\"password\" cannot be searched for"),
        (
            r#"name eq "x""#.to_owned(),
            "\"name\" has several parts and cannot be compared as a whole. Compare one of them, as in name.formatted eq",
        ),
        (r#"addresses eq "x""#.to_owned(), "\"addresses\" has several parts"),
        (
            r#"name[givenName eq "x"]"#.to_owned(),
            "\"name\" has one value only, so it takes no brackets. Write the filter as in name.formatted eq",
        ),
        (r#"schemas[value eq "x"]"#.to_owned(), "schemas takes no brackets."),
        (
            "active gt true".to_owned(),
            "\"active\" is of the type boolean, which cannot be compared with gt. Use eq, ne or pr.",
        ),
        (r#"active co "t""#.to_owned(), "which cannot be compared with co."),
        (r#"x509Certificates.value ge "x""#.to_owned(), "is of the type binary, which cannot be compared with ge."),
        (r#"shoeSize sw "1""#.to_owned(), "is of the type integer, which cannot be compared with sw. Use eq, ne, gt,"),
        (r#"meta.created co "2026""#.to_owned(), "is of the type dateTime, which cannot be compared with co."),
        (r#"active eq "x""#.to_owned(), "\"active\" is compared with true or false, but the filter has a text, \"x\"."),
        ("active eq 1".to_owned(), "but the filter has a number."),
        (
            r#"shoeSize eq "1""#.to_owned(),
            "is compared with a number without quotation marks, but the filter has a text, \"1\".",
        ),
        ("title eq 1".to_owned(), "\"title\" is compared with a text in double quotes, but the filter has a number."),
        (
            format!(r#"{since} eq "2026-01-01""#),
            "is compared with a date and time such as \"2026-01-31T12:00:00Z\", but the filter has a text, \"2026-01-01\".",
        ),
        (
            format!(r#"title eq "{}""#, "x".repeat(1001)),
            "The text that \"title\" is compared with is longer than 1000 bytes.",
        ),
    ];
    for (text, expected) in table {
        let error = resolved(&text, catalogue.user(), Unknown::Refuse).unwrap_err();
        assert_eq!((error.status, error.scim_type), (400, Some(ScimType::InvalidFilter)), "{text}");
        assert!(error.detail.contains(expected), "{text}: {error}");
    }
    assert!(resolved(&format!(r#"title eq "{}""#, "x".repeat(1000)), catalogue.user(), Unknown::Refuse).is_ok());
}

#[test]
fn an_attribute_of_another_type_has_no_value() {
    let catalogue = customized();
    let table = [
        (r#"members eq "x""#, "false"),
        ("members pr", "false"),
        ("members eq null", "true"),
        ("members ne null", "false"),
        (r#"members eq """#, "true"),
        (r#"members ne "x""#, "true"),
        (r#"members[value eq "x"]"#, "false"),
        (r#"emails[shoe eq "x"]"#, "[emails false]"),
        (r#"displayName eq "x" and not (members.type gt "x")"#, "(displayname=x & !false)"),
    ];
    for (text, expected) in table {
        assert_eq!(resolved(text, catalogue.user(), Unknown::MatchesNothing).unwrap(), expected, "{text}");
    }
    for text in [r#"password eq "x""#, r#"name eq "x""#, "title eq 1"] {
        assert!(resolved(text, catalogue.user(), Unknown::MatchesNothing).is_err(), "{text}");
    }
}

#[test]
fn orders_are_resolved() {
    let catalogue = customized();
    let sort = |text: &str, kind| resolve_sort(&AttributePath::parse(text).unwrap(), true, kind);
    let users = [
        ("userName", "username", Field::Value),
        ("NAME.familyName", "name.familyname", Field::Value),
        ("emails", "emails", Field::Value),
        ("emails.type", "emails", Field::Type),
        ("emails.display", "emails.display", Field::Value),
        ("meta.lastModified", "meta.lastmodified", Field::Value),
        ("shoeSize", "shoesize", Field::Value),
        (
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:user:manager.value",
            Field::Value,
        ),
    ];
    for (text, path, field) in users {
        let Sort { leaf, descending } = sort(text, catalogue.user()).unwrap().unwrap();
        assert_eq!((leaf.path.as_str(), leaf.field, descending), (path, field, true), "{text}");
    }
    for text in ["schemas", "meta.resourceType", "groups", "groups.display"] {
        assert_eq!(sort(text, catalogue.user()).unwrap(), None, "{text}");
    }
    assert_eq!(sort("members.value", catalogue.group()).unwrap(), None);
    for text in ["shoe", "name", "addresses", "password", "members", ENTERPRISE_USER] {
        let error = sort(text, catalogue.user()).unwrap_err();
        assert_eq!((error.status, error.scim_type), (400, Some(ScimType::InvalidPath)), "{text}");
    }
}

fn number(value: Value) -> String {
    key(Kind::Decimal, false, &value).unwrap()
}

#[test]
fn keys_fold_only_what_is_caseless() {
    let text = |kind, exact, text: &str| key(kind, exact, &json!(text));
    assert_eq!(text(Kind::String, false, " ΟΔΟΣ ÄİK").as_deref(), Some(" οδοσ äi\u{307}k"));
    assert_eq!(text(Kind::String, false, "οδος"), text(Kind::String, false, "ΟΔΟΣ"));
    for (kind, exact) in [(Kind::String, true), (Kind::Reference, false), (Kind::Binary, false)] {
        assert_eq!(text(kind, exact, "ÄbΣ").as_deref(), Some("ÄbΣ"));
    }
    assert_eq!(text(Kind::Boolean, false, "TRUE").as_deref(), Some("true"));
    assert_eq!(key(Kind::Boolean, false, &json!(false)).as_deref(), Some("false"));
    assert_eq!(
        text(Kind::DateTime, false, "2026-01-01T01:00:00.5+01:00").as_deref(),
        Some("2026-01-01T00:00:00.500000000Z")
    );
    assert_eq!(text(Kind::DateTime, false, "9999-12-31T23:59:59-01:00").as_deref(), Some("9999-12-31t23:59:59-01:00"));
    assert_eq!(text(Kind::DateTime, false, "0000-01-01T00:00:00+01:00").as_deref(), Some("0000-01-01t00:00:00+01:00"));
    assert_eq!(text(Kind::DateTime, false, "Soon").as_deref(), Some("soon"));
    let mismatches = [
        (Kind::String, json!(1)),
        (Kind::String, json!(["a"])),
        (Kind::Boolean, json!("yes")),
        (Kind::Boolean, json!(1)),
        (Kind::Integer, json!("1")),
        (Kind::DateTime, json!(1)),
        (Kind::Reference, json!(null)),
        (Kind::Complex, json!({"value": "x"})),
    ];
    for (kind, value) in mismatches {
        assert_eq!(key(kind, false, &value), None, "{value}");
    }
}

#[test]
fn keys_of_numbers_are_in_the_order_of_numbers() {
    let sorted = [
        json!(-1.7976931348623157e308),
        json!(-1e300),
        json!(-9223372036854775809.0),
        json!(i64::MIN + 1),
        json!(-10),
        json!(-2.5),
        json!(-1),
        json!(-0.1),
        json!(-5e-324),
        json!(0),
        json!(5e-324),
        json!(2.2250738585072014e-308),
        json!(0.1),
        json!(1),
        json!(1.5),
        json!(2),
        json!(10),
        json!(9_007_199_254_740_992_u64),
        json!(9_007_199_254_740_993_u64),
        json!(9_007_199_254_740_994.0),
        json!(i64::MAX),
        json!(9_223_372_036_854_775_808_u64),
        json!(u64::MAX),
        json!(18_446_744_073_709_551_616.0),
        json!(1e300),
    ];
    for pair in sorted.windows(2) {
        assert!(number(pair[0].clone()) < number(pair[1].clone()), "{pair:?}");
    }
    for (a, b) in [
        (json!(2), json!(2.0)),
        (json!(0), json!(-0.0)),
        (json!(-10), json!(-1e1)),
        (json!(i64::MIN), json!(-9.223_372_036_854_776e18)),
    ] {
        assert_eq!(number(a.clone()), number(b.clone()), "{a} {b}");
    }
}

#[test]
fn a_document_becomes_rows() {
    let document = json!({
        "userName": "u", "externalId": "x", "active": true,
        "title": "Boss", "nickName": "",
        "name": {"familyName": "Lee", "givenName": ""},
        "emails": [
            {"value": "A@x", "type": "Work", "primary": true, "display": "D"},
            {"type": "home"},
            {"display": "only"},
        ],
        "addresses": [{"locality": "Bonn", "type": "work"}],
        ENTERPRISE_USER: {"department": "R", "manager": {"value": "aB"}},
        random::ACME: {"tags": ["A", "", "b"], "levels": [2], "remote": false, "gone": "x"},
        "shoeSize": 0,
        "leftover": "x",
    });
    let rows = index(&document, customized().user());
    let row = |path: &str, item, value: Option<&str>, kind: Option<&str>, primary| IndexRow {
        path: path.to_owned(),
        item,
        value_key: value.map(str::to_owned),
        long_key: None,
        type_key: kind.map(str::to_owned),
        primary,
    };
    let simple = |path: &str, value: &str| row(path, 0, Some(value), None, None);
    let acme = |name: &str| format!("{}:{name}", random::ACME.to_lowercase());
    let enterprise = |name: &str| format!("{}:{name}", ENTERPRISE_USER.to_lowercase());
    let expected = [
        row("addresses", 0, None, Some("work"), None),
        simple("addresses.locality", "bonn"),
        row("emails", 0, Some("a@x"), Some("work"), Some(true)),
        row("emails", 1, None, Some("home"), None),
        row("emails", 2, None, None, None),
        row("emails.display", 0, Some("d"), None, None),
        row("emails.display", 2, Some("only"), None, None),
        simple("name.familyname", "lee"),
        simple("shoesize", "1"),
        simple("title", "boss"),
        simple(&acme("levels"), &number(json!(2))),
        simple(&acme("remote"), "false"),
        row(&acme("tags"), 0, Some("A"), None, None),
        row(&acme("tags"), 1, None, None, None),
        row(&acme("tags"), 2, Some("b"), None, None),
        simple(&enterprise("department"), "r"),
        simple(&enterprise("manager.value"), "aB"),
    ];
    assert_eq!(rows, expected);
    assert_eq!(index(&json!("nonsense"), customized().user()), []);
}

#[test]
fn a_long_value_is_kept_beside_its_beginning() {
    let catalogue = customized();
    let row = |title: &str| index(&json!({"title": title}), catalogue.user()).remove(0);
    let whole = row(&"x".repeat(1000));
    assert_eq!((whole.value_key.unwrap().len(), whole.long_key), (1000, None));
    for (title, kept) in [
        ("x".repeat(1001), 1001),
        ("x".repeat(9000), 1001),
        ("ö".repeat(501), 1002),
        ("€".repeat(400), 1002),
        ("\u{1F600}".repeat(300), 1004),
    ] {
        let cut = row(&title);
        let (beginning, all) = (cut.value_key.unwrap(), cut.long_key.unwrap());
        assert_eq!((beginning.len(), &all), (kept, &title));
        assert!(all.starts_with(&beginning));
    }
}

#[test]
fn signs_that_look_like_letters_are_none() {
    assert_eq!(super::fold("MARK Å Ω"), super::fold("mark å ω"));
    for (sign, letter) in [("mar\u{212a}", "mark"), ("\u{212b}", "å"), ("\u{2126}", "ω"), ("\u{3f4}", "θ")] {
        assert_ne!(super::fold(sign), super::fold(letter), "{sign}");
    }
}
