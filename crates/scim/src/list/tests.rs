//! Query strings as clients send them, pages, projections.

use proptest::prelude::*;

use super::*;
use crate::error::ScimType;
use crate::schema::{Catalogue, ENTERPRISE_USER, USER};

fn user() -> Value {
    json!({
        "schemas": [USER, ENTERPRISE_USER],
        "id": "1",
        "userName": "ann",
        "name": {"givenName": "Ann", "familyName": "Lee"},
        "emails": [{"value": "a@x", "type": "work"}, {"value": "b@x"}],
        "meta": {"version": "W/\"1\""},
        ENTERPRISE_USER: {"department": "d", "manager": {"value": "7", "$ref": "r"}},
    })
}

fn shown(query: &str) -> Value {
    Projection::parse(query).apply(user(), Catalogue::new(&[]).user())
}

#[test]
fn queries_of_the_providers_are_read() {
    let okta = ListQuery::parse("filter=userName%20eq%20%22test.user%40okta.local%22&startIndex=1&count=100").unwrap();
    assert_eq!(okta.filter.unwrap().to_string(), "userName eq \"test.user@okta.local\"");
    assert_eq!((okta.start_index, okta.count), (1, 100));

    let one_login = ListQuery::parse("filter=userName+eq+%22x%22&").unwrap();
    assert_eq!(one_login.filter.unwrap().to_string(), "userName eq \"x\"");

    let entra = ListQuery::parse("aadOptscim062020&excludedAttributes=members&filter=displayName eq \"G\"").unwrap();
    assert!(entra.projection.excludes("members") && !entra.projection.excludes("displayName"));
    assert_eq!(entra.filter.unwrap().to_string(), "displayName eq \"G\"");

    let nothing = ListQuery::parse("").unwrap();
    assert_eq!((nothing.filter, nothing.start_index, nothing.count), (None, 1, 100));
}

#[test]
fn paging_is_bounded_as_the_standard_says() {
    let table = [
        ("startIndex=0&count=0", (1, 0)),
        ("STARTINDEX=-5&COUNT=-5", (1, 0)),
        ("startIndex=101&count=501", (101, 500)),
        ("startIndex=99999999999999999999&count=99999999999999999999", (i64::MAX, 500)),
        ("startIndex=-99999999999999999999&count=-99999999999999999999", (1, 0)),
        ("startIndex=&count=", (1, 100)),
    ];
    for (query, expected) in table {
        let read = ListQuery::parse(query).unwrap();
        assert_eq!((read.start_index, read.count), expected, "{query}");
    }
    for query in ["count=ten", "startIndex=1.5", "count=-", "count=١"] {
        assert_eq!(ListQuery::parse(query).unwrap_err().scim_type, Some(ScimType::InvalidValue), "{query}");
    }
    assert_eq!(ListQuery::parse("filter=userName").unwrap_err().scim_type, Some(ScimType::InvalidFilter));
}

#[test]
fn a_page_has_whole_numbers() {
    assert_eq!(
        list_response(7, 3, vec![json!({"id": "1"})]),
        json!({"schemas": [schema::LIST_RESPONSE], "totalResults": 7, "startIndex": 3, "itemsPerPage": 1, "Resources": [{"id": "1"}]})
    );
    assert_eq!(list_response(0, 1, Vec::new())["Resources"], json!([]));
}

#[test]
fn attributes_narrow_a_resource() {
    let always = json!({"schemas": [USER, ENTERPRISE_USER], "id": "1"});
    let with = |extra: Value| {
        let mut expected = always.clone();
        expected.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        expected
    };
    assert_eq!(shown("attributes=nonsense"), always);
    assert_eq!(shown("attributes=USERNAME"), with(json!({"userName": "ann"})));
    assert_eq!(shown("attributes=name.givenName,,a%20b"), with(json!({"name": {"givenName": "Ann"}})));
    assert_eq!(shown("attributes=emails.type"), with(json!({"emails": [{"type": "work"}]})));
    assert_eq!(shown(&format!("attributes={USER}:userName")), with(json!({"userName": "ann"})));
    assert_eq!(
        shown(&format!("attributes={ENTERPRISE_USER}:manager.value")),
        with(json!({ENTERPRISE_USER: {"manager": {"value": "7"}}}))
    );
    assert_eq!(shown(&format!("attributes={ENTERPRISE_USER}"))[ENTERPRISE_USER], user()[ENTERPRISE_USER]);
    assert_eq!(shown(&format!("attributes={USER}"))["emails"], user()["emails"]);
}

#[test]
fn excluded_attributes_are_left_out_unless_always_returned() {
    assert_eq!(shown(""), user());
    let shown_without = |query: &str| shown(&format!("excludedAttributes={query}"));
    assert_eq!(shown_without("id,schemas,nonsense"), user());
    let narrowed = shown_without("Emails.type,name,urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager");
    assert_eq!(narrowed["emails"], json!([{"value": "a@x"}, {"value": "b@x"}]));
    assert!(narrowed.get("name").is_none());
    assert_eq!(narrowed[ENTERPRISE_USER], json!({"department": "d"}));
    assert!(shown_without(ENTERPRISE_USER).get(ENTERPRISE_USER).is_none());
}

#[test]
fn what_is_not_shown_is_known_beforehand() {
    let excludes = |query: &str| Projection::parse(query).excludes("members");
    assert!(!excludes(""));
    assert!(excludes("excludedAttributes=displayName,MEMBERS"));
    assert!(excludes("attributes=displayName"));
    assert!(!excludes("attributes=members.value"));
    assert!(!excludes("excludedAttributes=members.value"));
    assert!(excludes("excludedAttributes=urn:ietf:params:scim:schemas:core:2.0:Group:members"));
    assert!(!excludes("attributes=urn:ietf:params:scim:schemas:core:2.0:Group"));
}

proptest! {
    #[test]
    fn random_queries_never_panic(query in "\\PC{0,60}|(filter|count|attributes|=|&|%|[0-9a-f]{2}|\\+|,|:|\\.){0,20}", value in crate::dialects::any_json()) {
        let _: Result<ListQuery, ScimError> = ListQuery::parse(&query);
        let projection = Projection::parse(&query);
        projection.apply(value, Catalogue::new(&[]).user());
    }
}
