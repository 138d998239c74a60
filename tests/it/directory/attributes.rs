//! Attributes of the customer's own, roles as entitlements, and the sample user for Okta's test.

use super::{
    ACME, ENTERPRISE, USER, assert_finds, assert_no_filter, attribute, create, define, get, id, names, patch, user,
};
use crate::scim::{assert_refused, assert_says};
use gateway::{error::Error, setup::directory as setup};
use harness::{
    customer::Customer,
    gateway_process::{Gateway, ROLES},
};
use reqwest::Method;
use scim::schema::CustomAttribute;
use serde_json::{Value, json};

const ROLE: &str = "urn:okta:scim:schemas:core:1.0:Role";

async fn add(acme: &Customer, attribute: CustomAttribute) -> Result<(), Error> {
    setup::add_attribute(&acme.gateway.app.store, acme.gateway.clock.now(), acme.connection, attribute).await
}

async fn remove(acme: &Customer, urn: &str, name: &str) -> Result<(), Error> {
    setup::remove_attribute(&acme.gateway.app.store, acme.gateway.clock.now(), acme.connection, urn, name).await
}

/// The definition of an attribute under /Schemas.
async fn announced(acme: &Customer, urn: &str, name: &str) -> Option<Value> {
    let answer = acme.scim(Method::GET, &format!("/Schemas/{urn}"), None).await;
    let attributes = answer.body["attributes"].as_array().cloned().unwrap_or_default();
    attributes.into_iter().find(|attribute| attribute["name"] == name)
}

#[tokio::test]
async fn an_attribute_is_announced_from_the_moment_it_is_defined() {
    let acme = Customer::new().await;
    assert_eq!(get(&acme, "/Schemas").await["totalResults"], 3);
    let mut color = attribute(ACME, "favoriteColor", "string", true, true);
    color.canonical_values = vec!["red".to_owned(), "blue".to_owned()];
    color.description = "The color of the badge.".to_owned();
    add(&acme, color).await.unwrap();
    define(&acme, &[(USER, "badge", "integer", false, false), (ENTERPRISE, "floor", "decimal", false, false)]).await;
    let expected = json!({ "name": "favoriteColor", "description": "The color of the badge.", "type": "string", "multiValued": true,
        "required": false, "mutability": "readWrite", "returned": "default", "uniqueness": "none", "caseExact": true,
        "canonicalValues": ["red", "blue"] });
    assert_eq!(announced(&acme, ACME, "favoriteColor").await, Some(expected));
    assert_says(&announced(&acme, USER, "badge").await.unwrap(), &json!({ "type": "integer", "caseExact": null }));
    assert_says(&announced(&acme, ENTERPRISE, "floor").await.unwrap(), &json!({ "type": "decimal" }));
    assert_eq!(get(&acme, "/Schemas").await["totalResults"], 4);
    let extensions = get(&acme, "/ResourceTypes/User").await["schemaExtensions"].clone();
    assert_eq!(extensions, json!([{ "schema": ENTERPRISE, "required": false }, { "schema": ACME, "required": false }]));
    let sibling = acme.sibling(&acme.application).await;
    assert_eq!(announced(&sibling, ACME, "favoriteColor").await, None, "another connection has schemas of its own");
    let second = Gateway::start_with(acme.gateway.clock.clone(), |_| {}).await;
    let ask = async || {
        let url = format!("{}/c/{}/scim/v2/Schemas/{ACME}", second.url, acme.connection);
        reqwest::Client::new().get(url).bearer_auth(&acme.token).send().await.unwrap().text().await.unwrap()
    };
    assert!(ask().await.contains("favoriteColor"));
    define(&acme, &[(ACME, "shoeSize", "integer", false, false)]).await;
    assert!(ask().await.contains("shoeSize"), "a gateway that remembers the schemas notices");
}

#[tokio::test]
async fn values_of_every_kind_are_kept_shown_patched_and_sorted_by() {
    let acme = Customer::new().await;
    let kinds = [
        ("string", json!("b"), json!("C"), json!(5)),
        ("boolean", json!(false), json!(true), json!("perhaps")),
        ("decimal", json!(-2.5), json!(1e3), json!("x")),
        ("integer", json!(-10), json!(9), json!(2.5)),
        ("dateTime", json!("2025-12-31T23:59:59Z"), json!("2026-01-01T00:00:00.5+00:00"), json!(5)),
        ("reference", json!("https://a.test/1"), json!("https://a.test/2"), json!(true)),
    ];
    for (kind, ..) in &kinds {
        define(
            &acme,
            &[(ACME, &format!("{kind}One"), kind, false, false), (ACME, &format!("{kind}Many"), kind, true, false)],
        )
        .await;
    }
    let [ann, ben] = [user(&acme, "ann").await, user(&acme, "ben").await];
    user(&acme, "eve").await;
    let (ann, ben) = (format!("/Users/{ann}"), format!("/Users/{ben}"));
    for (kind, less, more, wrong) in &kinds {
        let (one, many) = (format!("{kind}One"), format!("{kind}Many"));
        let put = json!({ "userName": "ann", ACME: { one.clone(): more, many.clone(): [less, more] } });
        let shown = acme.scim(Method::PUT, &ann, Some(put)).await.document(200);
        assert_eq!(shown[ACME], json!({ one.clone(): more, many.clone(): [less, more] }));
        assert_eq!(shown["schemas"], json!([USER, ACME]));
        let operations = json!([{ "op": "add", "path": format!("{ACME}:{one}"), "value": less }, { "op": "add", "value": { ACME: { many.clone(): [less] } } }]);
        let shown = patch(&acme, &ben, operations).await.document(200);
        assert_says(&shown[ACME], &json!({ one.clone(): less, many.clone(): [less] }));
        assert_finds(&acme, "/Users", &format!("{ACME}:{one} eq {less}"), &["ben"]).await;
        assert_finds(&acme, "/Users", &format!("{ACME}:{many} eq {more}"), &["ann"]).await;
        assert_finds(&acme, "/Users", &format!("{ACME}:{many} eq {less}"), &["ann", "ben"]).await;
        assert_eq!(names(&get(&acme, &format!("/Users?sortBy={ACME}:{one}")).await), ["ben", "ann", "eve"], "{kind}");
        assert_eq!(
            names(&get(&acme, &format!("/Users?sortBy={ACME}:{one}&sortOrder=descending")).await),
            ["eve", "ann", "ben"]
        );
        let operations = json!([{ "op": "remove", "path": format!("{ACME}:{many}[value eq {less}]") }]);
        let shown = patch(&acme, &ann, operations).await.document(200);
        assert_eq!(shown[ACME][&many], json!([more]), "{kind}");
        for wrong in [json!({ one.clone(): wrong }), json!({ many.clone(): [less, wrong] })] {
            let body = json!({ "userName": "ann", ACME: wrong });
            assert_refused(&acme.scim(Method::PUT, &ann, Some(body)).await, 400, Some("invalidValue"));
        }
    }
    let all: Vec<Value> =
        kinds.iter().map(|(kind, ..)| json!({ "op": "remove", "path": format!("{ACME}:{kind}One") })).collect();
    assert_eq!(patch(&acme, &ben, json!(all)).await.document(200)[ACME].as_object().unwrap().len(), 6);
    let shown = patch(&acme, &ben, json!([{ "op": "remove", "path": ACME }])).await.document(200);
    assert_says(&shown, &json!({ "schemas": [USER], ACME: null }));
    assert_finds(&acme, "/Users", &format!("{ACME}:integerMany pr"), &[]).await;
}

#[tokio::test]
async fn attributes_may_join_the_schemas_of_the_standard() {
    let acme = Customer::new().await;
    define(&acme, &[(USER, "shirtSize", "string", false, false), (ENTERPRISE, "floor", "integer", false, false)]).await;
    let body = json!({ "userName": "ann", "SHIRTSIZE": "XL", ENTERPRISE: { "floor": "3", "department": "Sales" } });
    let ann = create(&acme, "/Users", body).await;
    assert_says(&ann, &json!({ "shirtSize": "XL", ENTERPRISE: { "floor": 3, "department": "Sales" } }));
    assert_finds(&acme, "/Users", "shirtSize eq \"xl\"", &["ann"]).await;
    assert_finds(&acme, "/Users", &format!("{ENTERPRISE}:floor gt 2"), &["ann"]).await;
    let at = format!("/Users/{}", id(&ann));
    let operations = json!([{ "op": "Replace", "path": format!("{USER}:shirtSize"), "value": "S" }, { "op": "Add", "path": format!("{ENTERPRISE}:floor"), "value": "4" }]);
    assert_says(
        &patch(&acme, &at, operations).await.document(200),
        &json!({ "shirtSize": "S", ENTERPRISE: { "floor": 4 } }),
    );
    let shown = get(&acme, &format!("{at}?attributes=shirtSize,{ENTERPRISE}:floor")).await;
    assert_eq!(
        shown,
        json!({ "schemas": shown["schemas"], "id": ann["id"], "shirtSize": "S", ENTERPRISE: { "floor": 4 } })
    );
}

#[tokio::test]
async fn what_cannot_be_an_attribute_is_refused_with_a_sentence() {
    let acme = Customer::new().await;
    define(&acme, &[(ACME, "color", "string", false, false)]).await;
    let wrong = [
        attribute(ACME, "COLOR", "integer", false, false),
        attribute(&ACME.to_uppercase(), "color", "string", false, false),
        attribute(USER, "title", "string", false, false),
        attribute(USER, "role", "string", false, false),
        attribute(ENTERPRISE, "Department", "string", false, false),
        attribute(ACME, "password", "string", false, false),
        attribute(ACME, "two words", "string", false, false),
        attribute("acme", "color", "string", false, false),
        attribute("urn:ietf:params:scim:schemas:core:2.0:Group", "color", "string", false, false),
        attribute(ACME, "photo", "binary", false, false),
        attribute(ACME, "parts", "complex", false, false),
    ];
    for attribute in wrong {
        match add(&acme, attribute.clone()).await {
            Err(Error::Refusal(refusal)) => assert!(refusal.to_string().len() > 20, "{refusal}"),
            other => panic!("{attribute:?}: {other:?}"),
        }
    }
    assert_eq!(get(&acme, "/Schemas").await["totalResults"], 4);
}

#[tokio::test]
async fn an_attribute_stays_while_somebody_has_a_value_of_it() {
    let acme = Customer::new().await;
    for urn in [ACME, USER, ENTERPRISE] {
        define(&acme, &[(urn, "badge", "string", false, false)]).await;
        let body = match urn {
            USER => json!({ "userName": "ann", "badge": "1" }),
            urn => json!({ "userName": "ann", urn: { "badge": "1" } }),
        };
        let at = format!("/Users/{}", id(&create(&acme, "/Users", body).await));
        assert!(matches!(remove(&acme, urn, "badge").await, Err(Error::Refusal(_))), "{urn}");
        assert!(announced(&acme, urn, "badge").await.is_some());
        acme.scim(Method::DELETE, &at, None).await.document(204);
        remove(&acme, urn, "BADGE").await.unwrap();
        assert_eq!(announced(&acme, urn, "badge").await, None);
        assert_no_filter(&acme, "/Users", &format!("{urn}:badge pr")).await;
        assert!(matches!(remove(&acme, urn, "badge").await, Err(Error::NotFound)));
    }
}

#[tokio::test]
async fn a_value_of_another_attribute_with_the_same_name_is_no_reason_to_keep_it() {
    let acme = Customer::new().await;
    define(&acme, &[(ACME, "title", "string", false, false)]).await;
    let ann = create(&acme, "/Users", json!({ "userName": "ann", "title": "Dr.", ACME: { "title": "Sir" } })).await;
    assert_says(&ann, &json!({ "title": "Dr.", ACME: { "title": "Sir" } }));
    assert_finds(&acme, "/Users", "title eq \"sir\"", &[]).await;
    assert_finds(&acme, "/Users", &format!("{ACME}:title eq \"sir\""), &["ann"]).await;
    patch(&acme, &format!("/Users/{}", id(&ann)), json!([{ "op": "remove", "path": format!("{ACME}:title") }]))
        .await
        .document(200);
    remove(&acme, ACME, "title").await.unwrap();
}

#[tokio::test]
async fn an_attribute_defined_under_an_old_name_of_a_schema_is_the_same_attribute() {
    let acme = Customer::new().await;
    let old = "urn:scim:schemas:extension:enterprise:2.0";
    define(&acme, &[(old, "floor", "integer", false, false)]).await;
    let ann = create(&acme, "/Users", json!({ "userName": "ann", ENTERPRISE: { "floor": 3 } })).await;
    assert_says(&ann, &json!({ ENTERPRISE: { "floor": 3 } }));
    assert!(add(&acme, attribute(ENTERPRISE, "floor", "string", false, false)).await.is_err(), "it is there already");
    assert!(matches!(remove(&acme, old, "floor").await, Err(Error::Refusal(_))), "somebody has a value of it");
}

#[tokio::test]
async fn roles_are_resources_where_okta_may_ask_for_them() {
    let acme = Customer::new().await;
    assert_eq!(acme.scim(Method::GET, "/ResourceTypes/Role", None).await.status, 404);
    let (store, now) = (&acme.gateway.app.store, acme.gateway.clock.now());
    setup::set_provisioning(store, now, acme.connection, |settings| settings.entitlements = true).await.unwrap();
    let role = get(&acme, "/ResourceTypes/Role").await;
    assert_says(&role, &json!({ "id": "Role", "name": "Role", "endpoint": "/Roles", "schema": ROLE }));
    assert_eq!(get(&acme, "/ResourceTypes").await["totalResults"], 3);
    assert_says(&get(&acme, &format!("/Schemas/{ROLE}")).await, &json!({ "id": ROLE, "name": "Role" }));
    let listed = get(&acme, "/Roles?startIndex=1&count=100").await;
    assert_says(&listed, &json!({ "totalResults": 6, "startIndex": 1, "itemsPerPage": 6 }));
    for (shown, name) in listed["Resources"].as_array().unwrap().iter().zip(ROLES) {
        assert_says(
            shown,
            &json!({ "schemas": [ROLE], "id": name, "displayName": name, "type": "Role", "meta": { "resourceType": "Role" } }),
        );
        assert!(shown["description"].as_str().unwrap().chars().count() <= 1_000);
        assert_eq!(get(&acme, &format!("/Roles/{name}")).await, *shown);
    }
    let page = get(&acme, "/Roles?startIndex=5&count=1").await;
    assert_says(
        &page,
        &json!({ "totalResults": 6, "startIndex": 5, "itemsPerPage": 1, "Resources": [{ "id": ROLES[4] }] }),
    );
    assert_refused(&acme.scim(Method::GET, "/Roles/NOBODY", None).await, 404, None);
    let body = json!({ "userName": "ann", "roles": [{ "value": "MANAGER", "display": "MANAGER" }], "entitlements": [{ "value": "1", "display": "One", "type": "License" }] });
    let ann = create(&acme, "/Users", body.clone()).await;
    assert_says(&ann, &json!({ "roles": body["roles"], "entitlements": body["entitlements"] }));
}

#[tokio::test]
async fn roles_are_filtered_paged_and_shown_in_part() {
    let acme = Customer::new().await;
    let last = ROLES[5];
    for (filter, found) in [
        (format!("id eq \"{last}\""), vec![last]),
        (format!("displayName EQ \"{last}\""), vec![last]),
        (format!("displayName eq \"{}\"", last.to_lowercase()), vec![]),
        ("id co \"E\" and not (id sw \"D\")".to_owned(), vec!["MANAGER", "SUPPORT_SPECIALIST"]),
        ("type eq \"Role\" and id ew \"R\"".to_owned(), vec!["ADMINISTRATOR", "MANAGER", "DEVELOPER", "DESIGNER"]),
        ("description sw \"the role of everybody\"".to_owned(), vec![last]),
        ("meta.resourceType eq \"Role\" and id eq \"NOBODY\"".to_owned(), vec![]),
    ] {
        let page = get(&acme, &format!("/Roles?filter={}", super::encoded(&filter))).await;
        let ids: Vec<_> =
            page["Resources"].as_array().unwrap().iter().map(|role| role["id"].as_str().unwrap()).collect();
        assert_eq!((ids, &page["totalResults"]), (found.clone(), &json!(found.len())), "{filter}");
    }
    let page = get(&acme, "/Roles?filter=id+ew+%22R%22&startIndex=2&count=1").await;
    assert_says(&page, &json!({ "totalResults": 4, "startIndex": 2, "Resources": [{ "id": "MANAGER" }] }));
    for filter in ["userName eq \"x\"", "nonsense pr", "emails.value eq \"x\"", "id eq 5", "id"] {
        assert_no_filter(&acme, "/Roles", filter).await;
    }
    let shown = json!({ "schemas": [ROLE], "id": last, "displayName": last });
    for query in ["attributes=displayName", "excludedAttributes=type,description,meta,id"] {
        assert_eq!(get(&acme, &format!("/Roles/{last}?{query}")).await, shown, "{query}");
        assert_eq!(get(&acme, &format!("/Roles?startIndex=6&{query}")).await["Resources"], json!([shown]), "{query}");
    }
}

#[tokio::test]
async fn the_sample_user_is_there_for_oktas_test_and_only_once() {
    let acme = Customer::new().await;
    let (store, now) = (&acme.gateway.app.store, acme.gateway.clock.now());
    for _ in 0..2 {
        setup::create_sample_user(store, now, acme.connection).await.unwrap();
        let page = get(&acme, "/Users?count=1&startIndex=1").await;
        assert_eq!(page["totalResults"], 1);
        let sample = &page["Resources"][0];
        assert_says(sample, &json!({ "active": true, "schemas": [USER] }));
        for part in [
            &sample["id"],
            &sample["userName"],
            &sample["name"]["givenName"],
            &sample["name"]["familyName"],
            &sample["emails"][0]["value"],
        ] {
            assert!(part.as_str().is_some_and(|text| !text.is_empty()), "{sample}");
        }
        assert_eq!(get(&acme, &format!("/Users/{}", id(sample))).await, *sample);
    }
    assert_finds(&acme, "/Users", "emails.value eq \"sample.user@example.com\"", &["sample.user@example.com"]).await;
}
