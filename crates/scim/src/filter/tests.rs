//! The grammar as tables, evaluation as tables, and random filters and texts.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::dialects::customized;
use crate::error::ScimType;
use crate::random;
use crate::schema::ENTERPRISE_USER;

/// What a filter is read as, with every grouping shown.
fn grouped(filter: &Filter) -> String {
    let join = |branches: &[Filter], word: &str| {
        format!("({})", branches.iter().map(grouped).collect::<Vec<_>>().join(&format!(" {word} ")))
    };
    match filter {
        Filter::And(branches) => join(branches, "and"),
        Filter::Or(branches) => join(branches, "or"),
        Filter::Not(inner) => format!("not {}", grouped(inner)),
        Filter::Values { path, filter } => format!("{path}[{}]", grouped(filter)),
        leaf => leaf.to_string(),
    }
}

#[test]
fn the_grammar_groups_as_the_standard_says() {
    let table = [
        (r#"userName eq "ann""#, r#"userName eq "ann""#),
        (r#"username Eq "ann""#, r#"username eq "ann""#),
        ("a pr or b pr and c pr", "(a pr or (b pr and c pr))"),
        ("a pr and b pr or c pr", "((a pr and b pr) or c pr)"),
        ("(a pr or b pr) and c pr", "((a pr or b pr) and c pr)"),
        ("not (a pr) and b pr", "(not a pr and b pr)"),
        ("NOT(a pr OR b pr) AND c PR", "(not (a pr or b pr) and c pr)"),
        ("not(not(a pr))", "not not a pr"),
        ("not pr", "not pr"),
        ("not eq 1", "not eq 1"),
        ("or pr or and pr", "(or pr or and pr)"),
        ("  ( a  pr ) ", "a pr"),
        (r#"title co "a\"b) or (c""#, r#"title co "a\"b) or (c""#),
        (r#"title eq "\u00e9""#, r#"title eq "é""#),
        ("active eq True", "active eq true"),
        ("title ne NULL", "title ne null"),
        ("n gt -1.5e3", "n gt -1500.0"),
        (r#"emails[type eq "work" and value co "@x"]"#, r#"emails[(type eq "work" and value co "@x")]"#),
        (r#"emails[type eq "work"].value eq "x""#, r#"emails[(type eq "work" and value eq "x")]"#),
        (r#"emails[type eq "work"].value pr and a pr"#, r#"(emails[(type eq "work" and value pr)] and a pr)"#),
        (r#"emails[not (type eq "work") or primary eq true]"#, r#"emails[(not type eq "work" or primary eq true)]"#),
        (r#"urn:ietf:params:scim:schemas:core:2.0:User:name.givenName sw "A""#, r#"name.givenName sw "A""#),
        (
            r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "1""#,
            r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "1""#,
        ),
        (r#"id eq "x" and manager eq "y""#, r#"(id eq "x" and manager eq "y")"#),
        (
            r#"userType eq "Employee" and (emails co "example.com" or emails.value co "example.org")"#,
            r#"(userType eq "Employee" and (emails co "example.com" or emails.value co "example.org"))"#,
        ),
        (r#"meta.lastModified gt "2011-05-13T04:42:34Z""#, r#"meta.lastModified gt "2011-05-13T04:42:34Z""#),
    ];
    for (text, expected) in table {
        let filter = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(grouped(&filter), expected, "{text}");
        assert_eq!(parse(&filter.to_string()).unwrap(), filter, "{text}");
    }
}

#[test]
fn what_is_not_a_filter_is_refused_with_its_place() {
    let table = [
        ("", "character 1:"),
        ("userName", "character 9: expected an operator"),
        ("userName eq", "character 12: expected a value"),
        ("userName xx \"a\"", "character 10: expected an operator"),
        ("userName eq ann", "character 13: expected a value"),
        ("userName eq \"ann", "character 13: expected a value"),
        ("userName eq \"\\x\"", "character 13: the text in double quotes"),
        ("userName eq \"\\u0000\"", "character 13: the text in double quotes"),
        ("userName eq 'ann'", "character 13: expected a value"),
        ("a pr b pr", "character 6: expected \"and\", \"or\" or the end"),
        ("a pr and", "character 6: expected"),
        ("a pr and ", "character 10: expected the name"),
        ("(a pr", "character 6: expected \")\""),
        ("a pr)", "character 5: expected \"and\""),
        ("a[b pr", "character 7: expected \"]\""),
        ("a[b[c pr]]", "character 4: brackets inside"),
        ("a.b[c pr]", "character 4: brackets belong"),
        ("a[b pr].c.d eq 1", "character 9: expected the name of a sub-attribute"),
        ("é eq 1", "character 1: expected the name"),
        ("1a eq 1", "character 1: expected the name"),
        ("a eq 01", "character 6: expected a value"),
        ("a eq 1e999", "character 6: expected a value"),
        ("urn:acme:2.0 eq 1", "character 1: expected the name"),
    ];
    for (text, expected) in table {
        let error = parse(text).unwrap_err();
        assert_eq!((error.status, error.scim_type), (400, Some(ScimType::InvalidFilter)), "{text}");
        assert!(error.detail.contains(expected), "{text}: {}", error.detail);
    }
}

#[test]
fn a_filter_has_limits() {
    let nested = |levels: usize| format!("{}a pr{}", "(".repeat(levels), ")".repeat(levels));
    assert!(parse(&nested(16)).is_ok());
    assert!(parse(&nested(17)).unwrap_err().detail.contains("16 levels"));
    assert!(parse(&nested(4000)).unwrap_err().detail.contains("16 levels"));
    let terms = |count: usize| vec!["a pr"; count].join(" or ");
    assert!(parse(&terms(64)).is_ok());
    assert!(parse(&terms(65)).unwrap_err().detail.contains("64 comparisons"));
    let long = |length: usize| format!("a eq \"{}\"", "x".repeat(length - 7));
    assert!(parse(&long(8192)).is_ok());
    assert!(parse(&long(8193)).unwrap_err().detail.contains("8192 bytes"));
}

#[test]
fn filters_are_tried_on_values() {
    let user = json!({
        "userName": "Ann@Example.com",
        "externalId": "Xy",
        "active": true,
        "title": "",
        "name": {"givenName": "Ánn"},
        "emails": [
            {"value": "ann@work.test", "type": "work", "primary": true},
            {"value": "ann@home.test", "type": "home"},
        ],
        ENTERPRISE_USER: {"manager": {"value": "aB"}, "costCenter": "4", "department": "Σ"},
        "shoeSize": 5,
        random::ACME: {"since": "2026-01-01T10:00:00+01:00", "holidays": ["2026-01-01T01:00:00+01:00"]},
        "leftover": "x",
    });
    let table = [
        (r#"username eq "ann@example.COM""#, true),
        (r#"userName sw "ANN@""#, true),
        (r#"userName ew ".com""#, true),
        (r#"userName co "example""#, true),
        (r#"externalId eq "xy""#, false),
        (r#"externalId eq "Xy""#, true),
        (r#"name.givenName eq "áNN""#, true),
        (r#"name.givenName sw "á""#, true),
        ("active eq true", true),
        (r#"active eq "True""#, true),
        (r#"active eq "False""#, false),
        ("active gt false", false),
        ("title pr", false),
        ("name pr", true),
        ("nickName pr", false),
        ("nickName eq null", true),
        ("nickName ne \"x\"", true),
        ("userName ne null", true),
        (r#"emails eq "ANN@home.test""#, true),
        (r#"emails.value eq "ann@home.test""#, true),
        (r#"emails.type eq "work" and emails.value eq "ann@home.test""#, true),
        (r#"emails[type eq "work" and value eq "ann@home.test"]"#, false),
        (r#"emails[type eq "work"].value eq "ann@work.test""#, true),
        (r#"emails[primary eq true].type eq "work""#, true),
        (r#"emails.type ne "home""#, false),
        (r#"not (emails.type eq "other")"#, true),
        (r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager eq "aB""#, true),
        (r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager eq "ab""#, false),
        (r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "ς""#, true),
        (r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter lt "5""#, true),
        ("shoeSize gt 4.5", true),
        ("shoeSize le 5", true),
        ("shoeSize eq 5.0", true),
        ("shoeSize lt 5", false),
        ("shoeSize eq \"5\"", false),
        ("title eq \"\"", true),
        ("userName ne \"\"", true),
        ("userName gt null", false),
        (r#"urn:ietf:params:scim:schemas:extension:acme:2.0:User:since eq "2026-01-01T09:00:00.000Z""#, true),
        (r#"urn:ietf:params:scim:schemas:extension:acme:2.0:User:since lt "2026-01-01T09:30:00""#, true),
        (r#"urn:ietf:params:scim:schemas:extension:acme:2.0:User:since co "2026""#, false),
        (r#"urn:ietf:params:scim:schemas:extension:acme:2.0:User:holidays[value gt "2025-12-31T23:59:59.9Z"]"#, true),
        (r#"urn:ietf:params:scim:schemas:extension:acme:2.0:User:holidays.value lt "2026-01-01T00:00:00Z""#, false),
        (r#"leftover eq "x""#, false),
        ("leftover pr", false),
        ("leftover[value pr]", false),
        (r#"active eq true and (shoeSize eq 9 or userName sw "a")"#, true),
        (r#"active eq false or shoeSize eq 9 and userName sw "a""#, false),
    ];
    let catalogue = customized();
    for (text, expected) in table {
        assert_eq!(matches(&parse(text).unwrap(), &user, catalogue.user()), expected, "{text}");
    }
}

#[test]
fn a_plain_value_is_its_own_value() {
    let catalogue = customized();
    let tries = |text: &str, attribute: &Attribute| matches_value(&parse(text).unwrap(), &json!("a"), attribute);
    let emails = catalogue.user().attribute("emails").unwrap();
    assert!(tries(r#"value eq "A""#, emails));
    assert!(!tries(r#"display eq "A""#, emails));
    let tags = catalogue.user().extension(random::ACME).unwrap().attribute("tags").unwrap();
    assert!(tries(r#"VALUE eq "a""#, tags));
    assert!(!tries(r#"value eq "A""#, tags) && !tries(r#"type eq "a""#, tags));
}

fn path() -> impl Strategy<Value = AttributePath> {
    let name = "[a-zA-Z_$][a-zA-Z0-9_$-]{0,6}";
    let urns = ["urn:acme:2.0:User", "urn:a.b:1", ENTERPRISE_USER, random::ACME];
    let schema = proptest::option::of(proptest::sample::select(urns.map(str::to_owned).to_vec()));
    (schema, name, proptest::option::of(name)).prop_map(|(schema, attribute, sub)| AttributePath {
        schema,
        attribute,
        sub,
    })
}

fn literal() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        "[0-9]{4}-(0[1-9]|1[0-2])-[0-2][0-9]T[0-2][0-9]:00:00(\\.[0-9]{1,9})?(Z|\\+01:00)".prop_map(Value::from),
        any::<f64>().prop_filter("JSON has no infinity", |number| number.is_finite()).prop_map(Value::from),
        "[^\\x00]{0,12}".prop_map(Value::from),
    ]
}

fn tree(leaf: BoxedStrategy<Filter>) -> BoxedStrategy<Filter> {
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Filter::And),
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Filter::Or),
            inner.prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    })
    .boxed()
}

fn any_filter() -> impl Strategy<Value = Filter> {
    let simple = prop_oneof![
        path().prop_map(Filter::Present),
        (path(), 0..Operator::ALL.len(), literal()).prop_map(|(path, index, value)| Filter::Compare {
            path,
            operator: Operator::ALL[index],
            value
        }),
    ]
    .boxed();
    let values = (path(), tree(simple.clone())).prop_map(|(path, filter)| Filter::Values {
        path: AttributePath { sub: None, ..path },
        filter: Box::new(filter),
    });
    tree(prop_oneof![3 => simple, 1 => values].boxed())
}

proptest! {
    #[test]
    fn a_printed_filter_reads_back_the_same(filter in any_filter()) {
        let text = filter.to_string();
        match parse(&text) {
            Ok(read) => prop_assert_eq!(read, filter),
            Err(error) => prop_assert!(error.detail.contains("64 comparisons"), "{}: {}", text, error),
        }
    }

    #[test]
    fn random_text_never_panics(text in "\\PC{0,60}|([a-z]{1,3}| |\\(|\\)|\\[|\\]|\\.|\"|eq|and|or|not|1){0,30}") {
        if let Ok(filter) = parse(&text) {
            prop_assert_eq!(parse(&filter.to_string()).unwrap(), filter);
        }
    }

    #[test]
    fn evaluation_never_panics(filter in any_filter(), value in crate::dialects::any_json()) {
        let catalogue = customized();
        matches(&filter, &value, catalogue.user());
        for attribute in &catalogue.user().schema.attributes {
            matches_value(&filter, &value, attribute);
        }
    }
}
