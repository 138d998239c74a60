//! Searches that go along with the proof of who asks find what they would find later.

use super::{create, encoded, find, get, id, refs};
use crate::scim::assert_refused;
use harness::customer::{Customer, superuser};
use reqwest::Method;
use serde_json::json;
use sqlx::Connection;

/// Texts that mean something to some part on the way.
const NAMES: [&str; 5] =
    ["O'Brien \"\\{,}", "NULL", "\u{1f469}\u{200d}\u{1f680}", "x'); DROP TABLE accounts; --", "$1 %s \\x27 :name"];

#[tokio::test]
async fn a_user_is_the_same_however_it_is_found() {
    let acme = Customer::new().await;
    let mut users = Vec::new();
    for name in NAMES {
        let body = json!({ "userName": name, "externalId": name, "displayName": name, "title": name });
        users.push(id(&create(&acme, "/Users", body).await));
    }
    let members: Vec<&String> = users.iter().collect();
    for name in NAMES {
        create(&acme, "/Groups", json!({ "displayName": name, "members": refs(&members) })).await;
    }
    // A time of a whole second has no fraction to be read by.
    let mut database = superuser().await;
    let whole = "UPDATE accounts SET created_at = date_trunc('second', created_at) WHERE connection_id = $1";
    sqlx::query(whole).bind(acme.connection.0).execute(&mut database).await.unwrap();
    database.close().await.unwrap();
    let page = get(&acme, "/Users").await;
    let listed = page["Resources"].as_array().unwrap();
    assert_eq!(listed.len(), NAMES.len());
    for expected in listed {
        assert_eq!(expected["groups"].as_array().map(Vec::len), Some(NAMES.len()));
        let (user, name) = (expected["id"].as_str().unwrap(), &expected["userName"]);
        assert_eq!(get(&acme, &format!("/Users/{user}")).await, *expected);
        for filter in [format!("userName eq {name}"), format!("externalId eq {name}"), format!("id eq \"{user}\"")] {
            let found = find(&acme, "/Users", &filter).await.document(200);
            assert_eq!((&found["totalResults"], &found["Resources"]), (&json!(1), &json!([expected])), "{filter}");
        }
    }
}

#[tokio::test]
async fn a_search_by_name_is_paged_as_every_other() {
    let acme = Customer::new().await;
    for name in ["first", "second", "third"] {
        create(&acme, "/Users", json!({ "userName": name, "externalId": "same" })).await;
    }
    let filter = encoded("externalId eq \"same\"");
    for (page, shown, total) in [
        ("", 3, json!(3)),
        ("&count=1", 1, json!(3)),
        ("&count=0", 0, json!(3)),
        ("&startIndex=3", 1, json!(3)),
        ("&cursor=&count=2", 2, json!(null)),
        ("&sortBy=userName&sortOrder=descending", 3, json!(3)),
        ("&excludedAttributes=groups", 3, json!(3)),
    ] {
        let found = get(&acme, &format!("/Users?filter={filter}{page}")).await;
        let count = found["Resources"].as_array().unwrap().len();
        assert_eq!((count, &found["totalResults"]), (shown, &total), "{page}: {found}");
    }
}

#[tokio::test]
async fn nothing_is_found_for_a_stranger_or_under_a_name_that_cannot_be() {
    let acme = Customer::new().await;
    let user = id(&create(&acme, "/Users", json!({ "userName": "ann" })).await);
    for path in [format!("/Users/{user}"), format!("/Users?filter={}", encoded("userName eq \"ann\""))] {
        let answer = acme.scim_as("gate_scim_wrong", Method::GET, &path, None).await;
        assert_refused(&answer, 401, None);
    }
    assert_refused(&find(&acme, "/Users", "userName eq \"a\\u0000b\"").await, 400, Some("invalidFilter"));
}
