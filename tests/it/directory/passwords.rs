//! Passwords that identity providers send: dropped, or kept as Argon2id where the connection says so, and never shown.

use super::{USER, assert_no_filter, create, get, id, patch};
use crate::scim::{assert_says, rows_with};
use gateway::setup::directory as setup;
use harness::{
    customer::{Customer, superuser},
    gateway_process::unique,
};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Connection;
use std::collections::BTreeSet;
use uuid::Uuid;

async fn synchronizing() -> Customer {
    let acme = Customer::new().await;
    synchronize(&acme, true).await;
    acme
}

async fn synchronize(acme: &Customer, on: bool) {
    let (store, now) = (&acme.gateway.app.store, acme.gateway.clock.now());
    setup::set_provisioning(store, now, acme.connection, |settings| settings.password_sync = on).await.unwrap();
}

/// What is kept of an account's password.
async fn kept(account: &str) -> Option<String> {
    let mut database = superuser().await;
    let query = sqlx::query_scalar("SELECT hash FROM account_passwords WHERE account_id = $1");
    let hash = query.bind(Uuid::parse_str(account).unwrap()).fetch_optional(&mut database).await.unwrap();
    database.close().await.unwrap();
    hash
}

/// Every way in which a password is sent, one after the other; answers the account's id.
async fn send_in_every_way(acme: &Customer, password: &str, mut after_each: impl AsyncFnMut(&str, &str)) -> String {
    let body = json!({ "userName": unique("ann"), "password": password });
    let answer = acme.scim(Method::POST, "/Users", Some(body.clone())).await.document(201);
    let ann = id(&answer);
    let at = format!("/Users/{ann}");
    assert_silent(&answer, password);
    after_each("POST", &ann).await;
    assert_silent(&acme.scim(Method::PUT, &at, Some(body)).await.document(200), password);
    after_each("PUT", &ann).await;
    let operations = [
        json!({ "op": "replace", "value": { "password": password } }),
        json!({ "op": "replace", "path": "password", "value": password }),
        json!({ "op": "Add", "path": "PassWord", "value": password }),
        json!({ "op": "add", "path": format!("{USER}:password"), "value": password }),
        json!({ "op": "replace", "value": { format!("{USER}:password"): password } }),
        json!({ "op": "replace", "path": USER, "value": { "password": password } }),
        json!({ "op": "Replace", "path": "password", "value": [{ "value": password }] }),
    ];
    for operation in operations {
        assert_silent(&patch(acme, &at, json!([operation])).await.document(200), password);
        after_each(&operation.to_string(), &ann).await;
    }
    let bulk = json!({ "Operations": [
        { "method": "POST", "path": "/Users", "bulkId": "x", "data": { "userName": unique("ben"), "password": password } },
        { "method": "PATCH", "path": at, "data": { "Operations": [{ "op": "replace", "path": "password", "value": password }] } },
    ] });
    let answer = acme.scim(Method::POST, "/Bulk", Some(bulk)).await.document(200);
    assert_silent(&answer, password);
    let ben = answer["Operations"][0]["location"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    after_each("bulk PATCH", &ann).await;
    after_each("bulk POST", &ben).await;
    ann
}

#[track_caller]
fn assert_silent(answer: &Value, password: &str) {
    let text = answer.to_string();
    assert!(!text.contains(password) && !text.contains("assword"), "{text}");
}

#[tokio::test]
async fn a_password_is_dropped_unless_the_connection_synchronizes_it() {
    let acme = Customer::new().await;
    let canary = unique("Pa55canary");
    let at = send_in_every_way(&acme, &canary, async |what, account| {
        assert_eq!(kept(account).await, None, "{what}");
    })
    .await;
    assert_says(&get(&acme, &format!("/Users/{at}")).await, &json!({ "meta": { "version": "W/\"1\"" } }));
    acme.gateway.app.log.flush().await;
    assert_eq!(rows_with(&canary).await, Vec::<String>::new());
    assert_eq!(acme.events("user.password_changed").await.len(), 0);
    assert_eq!(get(&acme, "/ServiceProviderConfig").await["changePassword"]["supported"], false);
}

#[tokio::test]
async fn a_synchronized_password_is_kept_as_argon2id_and_nothing_else() {
    let acme = synchronizing().await;
    let canary = unique("Pa55canary");
    let other = unique("Pa55other");
    let mut known = BTreeSet::new();
    let ann = send_in_every_way(&acme, &canary, async |what, account| {
        let hash = kept(account).await.unwrap_or_else(|| panic!("nothing is kept after {what}"));
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let is_new = known.insert(hash);
        assert_eq!(
            is_new,
            what.ends_with("POST"),
            "a salt of its own for each, and nothing new the second time: {what}"
        );
        // Another one takes its place, as often as they change.
        if what.contains("\"Add\"") {
            let change = json!([{ "op": "replace", "path": "password", "value": other }]);
            patch(&acme, &format!("/Users/{account}"), change).await.document(200);
            assert!(known.insert(kept(account).await.unwrap()), "another password has another hash");
            known.clear();
            let back = json!([{ "op": "replace", "path": "password", "value": canary }]);
            patch(&acme, &format!("/Users/{account}"), back).await.document(200);
            known.insert(kept(account).await.unwrap());
        }
    })
    .await;
    acme.gateway.app.log.flush().await;
    assert_eq!(rows_with(&canary).await, Vec::<String>::new());
    let changed = acme.events("user.password_changed").await;
    assert_eq!(changed.len(), 4);
    assert!(!json!(changed).to_string().contains("argon2"), "{changed:?}");
    assert_eq!(get(&acme, "/ServiceProviderConfig").await["changePassword"]["supported"], true);

    let before = kept(&ann).await;
    let at = format!("/Users/{ann}");
    let shown = get(&acme, &at).await;
    acme.scim(Method::PUT, &at, Some(shown)).await.document(200);
    for nothing in [Value::Null, json!("")] {
        patch(&acme, &at, json!([{ "op": "replace", "value": { "password": nothing, "title": "x" } }]))
            .await
            .document(200);
    }
    assert_eq!(kept(&ann).await, before, "a request without a password leaves the one that is kept");
    let wrong =
        json!([{ "op": "replace", "path": "password", "value": "other" }, { "op": "remove", "path": "userName" }]);
    patch(&acme, &at, wrong).await.document(400);
    assert_eq!(kept(&ann).await, before, "all or nothing");
    acme.scim(Method::DELETE, &at, None).await.document(204);
    assert_eq!(kept(&ann).await, None);
}

#[tokio::test]
async fn passwords_are_forgotten_when_the_connection_stops_to_synchronize_them() {
    let acme = synchronizing().await;
    let sibling = acme.sibling(&acme.application).await;
    synchronize(&sibling, true).await;
    let named = |name: &str| json!({ "userName": name, "password": unique("Pa55") });
    let ann = id(&create(&acme, "/Users", named("ann")).await);
    let ben = id(&create(&acme, "/Users", named("ben")).await);
    let other = id(&create(&sibling, "/Users", named("ann")).await);
    let (store, now) = (&acme.gateway.app.store, acme.gateway.clock.now());
    setup::set_provisioning(store, now, acme.connection, |settings| settings.entitlements = true).await.unwrap();
    assert!(kept(&ann).await.is_some(), "another setting is no reason");
    synchronize(&acme, false).await;
    assert_eq!((kept(&ann).await, kept(&ben).await), (None, None));
    assert!(kept(&other).await.is_some(), "another connection's stay");
    assert_says(
        acme.events("connection.updated").await.last().unwrap(),
        &json!({ "data": { "passwords_deleted": 2 } }),
    );
    let password = json!([{ "op": "replace", "path": "password", "value": "other" }]);
    patch(&acme, &format!("/Users/{ann}"), password).await.document(200);
    assert_eq!(kept(&ann).await, None, "and no new one is kept");
}

#[tokio::test]
async fn a_password_can_be_neither_asked_for_nor_searched_nor_sorted_by() {
    let acme = synchronizing().await;
    let canary = unique("Pa55canary");
    let ann = create(&acme, "/Users", json!({ "userName": "ann", "password": canary })).await;
    for query in ["attributes=password", "attributes=password,userName", &format!("attributes={USER}:password")] {
        assert_silent(&get(&acme, &format!("/Users/{}?{query}", id(&ann))).await, &canary);
        assert_silent(&get(&acme, &format!("/Users?{query}")).await, &canary);
    }
    for filter in ["password pr", "password sw \"P\"", &format!("{USER}:password pr"), "not (password eq \"x\")"] {
        assert_no_filter(&acme, "/Users", filter).await;
        let answer = acme.scim(Method::POST, "/Users/.search", Some(json!({ "filter": filter }))).await;
        assert_eq!(answer.status, 400);
        let answer = acme.scim(Method::GET, &format!("?filter={}", super::encoded(filter)), None).await;
        assert_eq!(answer.status, 400, "{filter}");
    }
    assert_eq!(acme.scim(Method::GET, "/Users?sortBy=password", None).await.status, 400);
}

#[tokio::test]
async fn a_refused_request_leaves_no_password_in_the_log() {
    let acme = synchronizing().await;
    let canary = unique("Pa55canary");
    let ann = format!("/Users/{}", id(&create(&acme, "/Users", json!({ "userName": "ann" })).await));
    let bad = json!({ "op": "remove", "path": "userName" });
    let refused = [
        (Method::POST, "/Users", json!({ "userName": "", "password": canary })),
        (Method::POST, "/Users", json!({ "userName": "ANN", "PassWord": canary })),
        (Method::PUT, &ann, json!({ "displayName": 5, "userName": "ann", "password": canary })),
        (Method::PATCH, &ann, json!({ "Operations": [{ "op": "replace", "path": "password", "value": canary }, bad] })),
        (Method::PATCH, &ann, json!({ "Operations": [{ "op": "replace", "value": { "password": canary } }, bad] })),
        (
            Method::PATCH,
            &ann,
            json!({ "Operations": [{ "op": "replace", "path": format!("password[value eq \"{canary}\"]"), "value": "x" }, bad] }),
        ),
        (
            Method::PATCH,
            &ann,
            json!({ "Operations": [{ "op": "replace", "value": { format!("password[value eq \"{canary}\"]"): 1 } }, bad] }),
        ),
        (Method::POST, "/Bulk", json!({ "Operations": [], "data": { "password": canary } })),
        (Method::POST, "/Users/.search", json!({ "filter": format!("password eq \"{canary}\"") })),
        (Method::POST, "/.search", json!({ "filter": format!("password eq \"{canary}\"") })),
    ];
    for (method, path, body) in refused {
        let answer = acme.scim(method, path, Some(body)).await;
        assert!([400, 409].contains(&answer.status.as_u16()), "{} {}", answer.status, answer.body);
        assert!(!answer.body.to_string().contains(&canary), "{}", answer.body);
    }
    let filter = super::encoded(&format!("password eq \"{canary}\""));
    acme.scim(Method::GET, &format!("/Users?filter={filter}"), None).await.document(400);
    acme.gateway.app.log.flush().await;
    assert_eq!(rows_with(&canary).await, Vec::<String>::new());
}
