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
    Projection::parse(query).apply(user(), Catalogue::new(&[], &[]).user())
}

#[test]
fn queries_of_the_providers_are_read() {
    let okta = ListQuery::parse("filter=userName%20eq%20%22test.user%40okta.local%22&startIndex=1&count=100").unwrap();
    assert_eq!(okta.filter.unwrap().to_string(), "userName eq \"test.user@okta.local\"");
    assert_eq!((okta.start, okta.count), (Start::Index(1), 100));

    let one_login = ListQuery::parse("filter=userName+eq+%22x%22&").unwrap();
    assert_eq!(one_login.filter.unwrap().to_string(), "userName eq \"x\"");

    let entra = ListQuery::parse("aadOptscim062020&excludedAttributes=members&filter=displayName eq \"G\"").unwrap();
    assert!(entra.projection.excludes("members") && !entra.projection.excludes("displayName"));
    assert_eq!(entra.filter.unwrap().to_string(), "displayName eq \"G\"");

    let nothing = ListQuery::parse("").unwrap();
    assert_eq!((nothing.filter, nothing.sort, nothing.start, nothing.count), (None, None, Start::Index(1), 100));
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
        assert_eq!((read.start, read.count), (Start::Index(expected.0), expected.1), "{query}");
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

#[test]
fn an_order_is_read() {
    let sort =
        |query: &str| ListQuery::parse(query).map(|query| query.sort.map(|sort| (sort.by.key(), sort.descending)));
    let table = [
        ("sortBy=userName", Some(("username", false))),
        ("SORTBY=name.familyName&sortOrder=Descending", Some(("name.familyname", true))),
        ("sortBy=meta.created&sortOrder=ASCENDING", Some(("meta.created", false))),
        ("sortBy=&sortOrder=descending", None),
        ("sortOrder=ascending", None),
    ];
    for (query, expected) in table {
        assert_eq!(sort(query).unwrap(), expected.map(|(by, descending)| (by.to_owned(), descending)), "{query}");
    }
    assert_eq!(sort("sortBy=user%20name").unwrap_err().scim_type, Some(ScimType::InvalidPath));
    let error = sort("sortBy=userName&sortOrder=down").unwrap_err();
    assert_eq!((error.status, error.scim_type), (400, Some(ScimType::InvalidValue)));
    assert_eq!(error.detail, "sortOrder must be ascending or descending, but it is \"down\".");
}

fn cursor() -> Cursor {
    Cursor { query: 0xfedc_ba98_7654_3210, sort_key: Some("ann σ".to_owned()), id: "0a21f0f2".to_owned() }
}

#[test]
fn a_cursor_chooses_where_a_page_starts() {
    let start = |query: &str| ListQuery::parse(query).map(|query| (query.start, query.count));
    let after = |cursor: Option<Cursor>| Start::Cursor(cursor);
    for (query, expected) in [
        ("cursor", (after(None), 100)),
        ("cursor=&count=5", (after(None), 5)),
        ("Cursor=&startIndex=nonsense", (after(None), 100)),
        ("startIndex=7", (Start::Index(7), 100)),
        ("cursor=&count=9999", (after(None), 500)),
    ] {
        assert_eq!(start(query).unwrap(), expected, "{query}");
    }
    let query = format!("cursor={}&startIndex=3", cursor().encode());
    assert_eq!(start(&query).unwrap().0, after(Some(cursor())));
    for (query, scim_type) in [
        ("cursor=nonsense!", ScimType::InvalidCursor),
        ("cursor=&count=0", ScimType::InvalidCount),
        ("cursor=&count=-1", ScimType::InvalidCount),
        ("count=ten&cursor=", ScimType::InvalidCount),
    ] {
        let error = start(query).unwrap_err();
        assert_eq!((error.status, error.scim_type), (400, Some(scim_type)), "{query}");
    }
}

#[test]
fn cursors_survive_the_wire_and_nothing_else_is_one() {
    for sort_key in [None, Some(String::new()), Some("x".repeat(1004)), Some("Σ\"&=".to_owned())] {
        let cursor = Cursor { sort_key, ..cursor() };
        let text = cursor.encode();
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte)), "{text}");
        assert_eq!(Cursor::decode(&text).unwrap(), cursor);
    }
    let encoded = |bytes: &[u8]| base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, bytes);
    let texts = [
        String::new(),
        "a".to_owned(),
        "====".to_owned(),
        encoded(b"1234567"),
        encoded(b"12345678"),
        encoded(b"12345678\0key"),
        encoded(b"12345678id\0k\0k"),
        encoded(b"12345678\xff\xff"),
        "A".repeat(65_537),
    ];
    for text in texts {
        assert_eq!(Cursor::decode(&text).unwrap_err().scim_type, Some(ScimType::InvalidCursor), "{text}");
    }
}

#[test]
fn a_fingerprint_tells_searches_apart_and_not_pages() {
    let of = |endpoint: &str, query: &str| ListQuery::parse(query).unwrap().fingerprint(endpoint);
    let plain = of("Users", "filter=title%20pr&sortBy=userName");
    for same in [
        "filter=title+pr&sortBy=USERNAME&count=5",
        "count=1&sortBy=userName&cursor=&filter=%20title%20%20PR%20",
        "filter=(title+pr)&sortBy=userName&sortOrder=ascending&attributes=id",
    ] {
        assert_eq!(of("Users", same), plain, "{same}");
    }
    let others = [
        of("Groups", "filter=title%20pr&sortBy=userName"),
        of("Users", "filter=title%20pr"),
        of("Users", "sortBy=userName"),
        of("Users", ""),
        of("Users", "filter=title%20pr&sortBy=userName&sortOrder=descending"),
        of("Users", "filter=not(title%20pr)&sortBy=userName"),
    ];
    assert!(!others.contains(&plain));
    // A cursor outlives the build that made it.
    assert_eq!(of("Users", ""), 0x5b28_000b_2c4a_da31);
}

#[test]
fn a_search_request_says_the_same_as_a_query() {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "Attributes": ["userName", "name.givenName"],
        "excludedAttributes": "emails,name",
        "FILTER": "userName sw \"a\"",
        "sortBy": "userName",
        "sortOrder": "descending",
        "startIndex": 11,
        "count": "5",
        "nonsense": {"a": []},
    });
    let searched = ListQuery::from_search_request(body.to_string().as_bytes()).unwrap();
    let asked = ListQuery::parse(
        "attributes=userName,name.givenName&excludedAttributes=emails,name&filter=userName+sw+%22a%22&sortBy=userName&sortOrder=descending&startIndex=11&count=5",
    );
    assert_eq!(searched, asked.unwrap());
    let nothing = json!({"filter": null, "attributes": null, "count": null, "sortBy": ""}).to_string();
    assert_eq!(ListQuery::from_search_request(nothing.as_bytes()).unwrap(), ListQuery::parse("").unwrap());
    let first = ListQuery::from_search_request(br#"{"cursor": "", "count": 10}"#).unwrap();
    assert_eq!((first.start, first.count), (Start::Cursor(None), 10));
    let table = [
        (json!([]), ScimType::InvalidSyntax),
        (json!({"filter": ["a"]}), ScimType::InvalidValue),
        (json!({"count": true}), ScimType::InvalidValue),
        (json!({"startIndex": 1.5}), ScimType::InvalidValue),
        (json!({"attributes": [5]}), ScimType::InvalidValue),
        (json!({"excludedAttributes": {}}), ScimType::InvalidValue),
        (json!({"filter": "userName"}), ScimType::InvalidFilter),
        (json!({"filter": 5}), ScimType::InvalidFilter),
    ];
    for (body, scim_type) in table {
        let error = ListQuery::from_search_request(body.to_string().as_bytes()).unwrap_err();
        assert_eq!((error.status, error.scim_type), (400, Some(scim_type)), "{body}");
    }
}

#[test]
fn a_page_can_be_written_in_pieces() {
    let page = opening(Some(7), Some(3)) + "{\"id\":\"1\"},{\"id\":\"2\"}" + &closing(2, None);
    let whole = list_response(7, 3, vec![json!({"id": "1"}), json!({"id": "2"})]);
    assert_eq!(serde_json::from_str::<Value>(&page).unwrap(), whole);
    let first = opening(None, None) + &closing(0, Some("a\"b"));
    assert_eq!(
        serde_json::from_str::<Value>(&first).unwrap(),
        json!({"schemas": [schema::LIST_RESPONSE], "Resources": [], "itemsPerPage": 0, "nextCursor": "a\"b"})
    );
}

#[test]
fn names_can_be_given_in_lists() {
    let projection = Projection::from_names(["userName", "emails.value, id"], ["name"]);
    assert_eq!(projection, Projection::parse("attributes=userName,emails.value,id&excludedAttributes=name"));
    let meta = Projection::parse("attributes=meta.version").apply(user(), Catalogue::new(&[], &[]).user());
    assert_eq!((&meta["meta"], meta.get("userName")), (&json!({"version": "W/\"1\""}), None));
}

proptest! {
    #[test]
    fn random_cursors_and_search_requests_never_panic(text in "\\PC{0,60}|[A-Za-z0-9_-]{0,60}", body in crate::dialects::any_json()) {
        if let Ok(cursor) = Cursor::decode(&text) {
            prop_assert_eq!(cursor.encode(), text);
        }
        let _: Result<ListQuery, ScimError> = ListQuery::from_search_request(body.to_string().as_bytes());
    }

    #[test]
    fn random_queries_never_panic(query in "\\PC{0,60}|(filter|count|attributes|=|&|%|[0-9a-f]{2}|\\+|,|:|\\.){0,20}", value in crate::dialects::any_json()) {
        let _: Result<ListQuery, ScimError> = ListQuery::parse(&query);
        let projection = Projection::parse(&query);
        projection.apply(value, Catalogue::new(&[], &[]).user());
    }
}
