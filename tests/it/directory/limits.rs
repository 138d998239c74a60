//! What one tenant may ask for: refused in SCIM's form beyond, and never at another tenant's expense.

use super::{fill, get, user};
use crate::scim::assert_refused;
use gateway::clock::Clock;
use harness::{
    customer::{Customer, superuser, until_waiting},
    gateway_process::{Gateway, unique},
};
use reqwest::Method;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use std::{
    fmt::Write,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;
use uuid::Uuid;

#[tokio::test]
async fn a_tenant_that_asks_too_often_is_told_when_to_come_back_and_others_are_not() {
    let gateway = Gateway::start_with(Clock::manual(), |config| {
        config.limits.scim_requests = 1;
        config.limits.scim_requests_burst = 5;
    })
    .await;
    let (acme, other) = (Customer::of(&gateway).await, Customer::of(&gateway).await);
    let sibling = acme.sibling(&acme.application).await;
    let mut refused = Vec::new();
    for _ in 0..20 {
        let answer = acme.scim(Method::GET, "/Users?count=0", None).await;
        if answer.status != 200 {
            refused.push(answer);
        }
    }
    assert!(refused.len() >= 10, "{} of 20 with 5 at once and 1 a second", refused.len());
    for answer in &refused {
        assert_refused(answer, 429, None);
        let seconds: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=2).contains(&seconds), "{seconds}");
    }
    let answer = sibling.scim(Method::GET, "/Users", None).await;
    assert_eq!(answer.status, 429, "the tenant counts, and not the connection");
    get(&other, "/Users").await;
    let bulk = json!({ "Operations": vec![json!({ "method": "DELETE", "path": "/Users/0" }); 400] });
    let answer = other.scim(Method::POST, "/Bulk", Some(bulk)).await;
    assert_eq!(answer.status, 429, "the operations of a bulk request count each");
    for _ in 0..20 {
        assert_eq!(acme.scim_as("wrong", Method::GET, "/Users", None).await.status, 401, "a stranger uses nothing up");
    }
}

#[tokio::test]
async fn a_wait_is_over_after_the_seconds_that_were_told() {
    let gateway = Gateway::start_with(Clock::manual(), |config| {
        config.limits.scim_requests = 2;
        config.limits.scim_requests_burst = 2;
    })
    .await;
    let acme = Customer::of(&gateway).await;
    let wait = loop {
        let answer = acme.scim(Method::GET, "/Users?count=0", None).await;
        if answer.status == 429 {
            break answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
        }
    };
    tokio::time::sleep(Duration::from_secs(wait)).await;
    get(&acme, "/Users?count=0").await;
}

#[tokio::test]
async fn what_is_too_large_too_long_or_not_possible_is_refused_in_scims_form() {
    let acme = Customer::new().await;
    let ann = format!("/Users/{}", user(&acme, "ann").await);
    let authorization = format!("Bearer {}", acme.token);
    let of = |size: usize| format!("{{\"userName\":\"ben\",\"title\":\"{}\"}}", "x".repeat(size));
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    for method in [Method::POST, Method::PUT, Method::PATCH] {
        let at = if method == Method::POST { "/Users" } else { &ann };
        assert_refused(&acme.sends(method, at, &headers, &of(10_485_760)).await, 413, None);
    }
    let long = format!("/Users?filter={}", "x".repeat(40_000));
    assert_refused(&acme.scim(Method::GET, &long, None).await, 414, None);
    let many = json!({ "Operations": vec![json!({ "op": "add", "path": "title", "value": "x" }); 1_001] });
    assert_refused(&acme.scim(Method::PATCH, &ann, Some(many)).await, 413, None);
    let deep = format!("{{\"userName\":\"ben\",\"x\":{}{}}}", "[".repeat(100), "]".repeat(100));
    assert_refused(&acme.sends(Method::POST, "/Users", &headers, &deep).await, 400, Some("invalidSyntax"));
    for media_type in ["text/html", "application/xml", "multipart/form-data; boundary=x", "", "json"] {
        let headers = [("authorization", authorization.as_str()), ("content-type", media_type)];
        for path in ["/Users", "/Bulk", "/.search", "/Users/.search"] {
            assert_refused(&acme.sends(Method::POST, path, &headers, "{}").await, 415, None);
        }
    }
    let not_possible = [
        (Method::DELETE, "/Users"),
        (Method::PUT, "/Groups"),
        (Method::GET, "/Bulk"),
        (Method::GET, "/.search"),
        (Method::PUT, "/Users/.search"),
        (Method::POST, "/Roles"),
        (Method::PATCH, "/Schemas/x"),
        (Method::DELETE, "/ResourceTypes/User"),
        (Method::POST, ""),
        (Method::TRACE, "/Users"),
    ];
    for (method, path) in not_possible {
        let answer = acme.scim(method.clone(), path, None).await;
        println!("{method} {path}");
        assert_refused(&answer, 405, None);
        assert!(answer.headers.contains_key("allow"));
    }
    for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        assert_refused(&acme.scim(method.clone(), "/Me", None).await, 501, None);
        assert_refused(&acme.scim(method, "/Robots/1", None).await, 404, None);
    }
}

#[tokio::test]
async fn a_tenant_whose_requests_wait_does_not_keep_others_waiting() {
    let gateway = Gateway::start().await;
    let (acme, other) = (Arc::new(Customer::of(&gateway).await), Customer::of(&gateway).await);
    let ann = user(&acme, "ann").await;
    let mut database = superuser().await;
    let mut tx = database.begin().await.unwrap();
    let lock = sqlx::query("SELECT FROM accounts WHERE id = $1 FOR UPDATE").bind(Uuid::parse_str(&ann).unwrap());
    lock.execute(&mut *tx).await.unwrap();
    let mut waiting = JoinSet::new();
    for i in 0..30 {
        let (acme, path) = (Arc::clone(&acme), format!("/Users/{ann}"));
        let body = json!({ "Operations": [{ "op": "replace", "path": "title", "value": format!("{i}") }] });
        waiting.spawn(async move { acme.scim(Method::PATCH, &path, Some(body)).await.status.as_u16() });
    }
    // Half of the ten database connections are the tenant's; the other requests wait outside.
    until_waiting(&mut tx, 5).await;
    for i in 0..5 {
        user(&other, &format!("ben-{i}")).await;
        get(&other, "/Users").await;
    }
    tx.rollback().await.unwrap();
    for status in waiting.join_all().await {
        assert_eq!(status, 200, "nobody was sent away");
    }
}

/// A directory in which a search that no index leads takes very long: values of a megabyte each.
async fn slow_directory(acme: &Customer, people: i32) {
    let ann = user(acme, "ann").await;
    fill(acme, &ann, None, people).await;
    let mut database = superuser().await;
    let values =
        "INSERT INTO account_attributes (tenant_id, connection_id, account_id, path, item, value_key, long_key)
        SELECT tenant_id, connection_id, id, 'title', 0, repeat('x', 1001), repeat('x', 1000000)
        FROM accounts WHERE connection_id = $1";
    sqlx::query(values).bind(acme.connection.0).execute(&mut database).await.unwrap();
    database.close().await.unwrap();
}

/// A filter that looks at every value from end to end, sixty times.
fn slow_filter() -> String {
    let terms: Vec<String> = (0..60).map(|i| format!("title co \"y{i}\"")).collect();
    format!("({})", terms.join(" or "))
}

fn path(endpoint: &str, filter: &str) -> String {
    format!("{endpoint}?filter={}", super::encoded(filter))
}

#[tokio::test]
async fn a_search_that_takes_too_long_is_given_up_with_a_sentence() {
    let gateway =
        Gateway::start_with(Clock::manual(), |config| config.server.request_timeout = Duration::from_secs(20)).await;
    let acme = Customer::of(&gateway).await;
    slow_directory(&acme, 250).await;
    let slow = slow_filter();
    for path in
        [path("/Users", &slow), path("", &slow), path("/Users", &format!("meta.resourceType eq \"User\" and {slow}"))]
    {
        let answer = acme.scim(Method::GET, &path, None).await;
        assert_refused(&answer, 400, Some("tooMany"));
    }
    assert_eq!(get(&acme, &path("/Users", "userName eq \"ann\"")).await["totalResults"], 1);
}

/// How many searches of this gateway run in the database now, and have run for a while.
async fn running(database: &mut PgConnection, gateway: &str) -> i64 {
    let query = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND application_name = $1
        AND query LIKE '-- search::places%' AND clock_timestamp() - query_start > interval '700 milliseconds'";
    sqlx::query_scalar(query).bind(gateway).fetch_one(database).await.unwrap()
}

#[tokio::test]
async fn a_tenant_that_searches_slowly_leaves_half_of_the_database_to_others() {
    let name = unique("slow");
    let gateway = Gateway::start_with(Clock::manual(), |config| {
        let url = config.database.url.as_mut().unwrap();
        let mark = if url.0.contains('?') { '&' } else { '?' };
        write!(url.0, "{mark}application_name={name}").unwrap();
    })
    .await;
    let (acme, other) = (Arc::new(Customer::of(&gateway).await), Customer::of(&gateway).await);
    slow_directory(&acme, 250).await;
    let mut searches = JoinSet::new();
    for _ in 0..20 {
        let (acme, path) = (Arc::clone(&acme), path("/Users", &slow_filter()));
        searches.spawn(async move { acme.scim(Method::GET, &path, None).await.status.as_u16() });
    }
    let mut database = superuser().await;
    let (mut most, began) = (0, Instant::now());
    while began.elapsed() < Duration::from_secs(6) {
        get(&other, "/Users?count=1").await;
        most = most.max(running(&mut database, &name).await);
    }
    searches.abort_all();
    assert!((1..=5).contains(&most), "{most} searches of one tenant ran at once");
}

#[tokio::test]
async fn a_search_whose_client_was_sent_away_does_not_go_on_in_the_database() {
    let gateway =
        Gateway::start_with(Clock::manual(), |config| config.server.request_timeout = Duration::from_secs(2)).await;
    let acme = Customer::of(&gateway).await;
    slow_directory(&acme, 250).await;
    let answer = acme.scim(Method::GET, &path("/Users", &slow_filter()), None).await;
    assert_refused(&answer, 503, None);
    assert!(answer.headers.contains_key("retry-after"));
    get(&acme, "/Users?count=1").await;
}
