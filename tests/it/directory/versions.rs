//! Versions of resources: entity tags, what depends on them, and when they do not change.

use super::{get, group, patch, user};
use crate::scim::{assert_refused, assert_says};
use harness::customer::{Customer, ScimAnswer};
use reqwest::Method;
use serde_json::{Value, json};
use time::Duration;

/// A request that depends on a version.
async fn on_condition(
    customer: &Customer,
    method: Method,
    path: &str,
    condition: (&str, &str),
    body: Value,
) -> ScimAnswer {
    let authorization = format!("Bearer {}", customer.token);
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/scim+json"), condition];
    let body = if body.is_null() { String::new() } else { body.to_string() };
    customer.sends(method, path, &headers, &body).await
}

/// A user and a group, each with a body for PUT and one for PATCH.
async fn resources(acme: &Customer) -> [(String, Value, Value); 2] {
    let [ann, staff] = [user(acme, "ann").await, group(acme, "Staff", &[]).await];
    let title = json!({ "Operations": [{ "op": "replace", "path": "title", "value": "x" }] });
    let rename = json!({ "Operations": [{ "op": "replace", "path": "displayName", "value": "Board" }] });
    [
        (format!("/Users/{ann}"), json!({ "userName": "ann", "title": "y" }), title),
        (format!("/Groups/{staff}"), json!({ "displayName": "Staff", "externalId": "1" }), rename),
    ]
}

#[tokio::test]
async fn every_answer_about_one_resource_carries_its_version() {
    let acme = Customer::new().await;
    for (at, put, patched) in resources(&acme).await {
        let read = acme.scim(Method::GET, &at, None).await;
        assert_eq!(
            (&read.headers["etag"], &read.body["meta"]["version"]),
            (&"W/\"1\"".parse().unwrap(), &json!("W/\"1\""))
        );
        let put = acme.scim(Method::PUT, &at, Some(put)).await;
        assert_eq!(
            (&put.headers["etag"], &put.body["meta"]["version"]),
            (&"W/\"2\"".parse().unwrap(), &json!("W/\"2\""))
        );
        let patched = acme.scim(Method::PATCH, &at, Some(patched)).await;
        assert_eq!(
            (&patched.headers["etag"], &patched.body["meta"]["version"]),
            (&"W/\"3\"".parse().unwrap(), &json!("W/\"3\""))
        );
        let endpoint = at.rsplit_once('/').unwrap().0;
        assert_says(&get(&acme, endpoint).await, &json!({ "Resources": [{ "meta": { "version": "W/\"3\"" } }] }));
    }
}

#[tokio::test]
async fn a_change_of_another_version_is_refused_and_changes_nothing() {
    let acme = Customer::new().await;
    for (at, put, patched) in resources(&acme).await {
        acme.gateway.clock.advance(Duration::seconds(1));
        let second = acme.scim(Method::PATCH, &at, Some(patched.clone())).await.document(200);
        for stale in ["W/\"1\"", "\"1\"", "W/\"3\"", "W/\"1\", W/\"7\"", "nonsense", "\"\""] {
            for (method, body) in [(Method::PUT, &put), (Method::PATCH, &patched), (Method::DELETE, &Value::Null)] {
                let answer = on_condition(&acme, method, &at, ("if-match", stale), body.clone()).await;
                assert_refused(&answer, 412, None);
            }
        }
        assert_eq!(get(&acme, &at).await, second);
        for (current, version) in [("W/\"2\"", 3), ("\"3\"", 4), ("W/\"9\", W/\"4\"", 5), ("*", 6)] {
            let mut body = put.clone();
            body["externalId"] = json!(format!("{version}"));
            let answer = on_condition(&acme, Method::PUT, &at, ("if-match", current), body).await.document(200);
            assert_eq!(answer["meta"]["version"], format!("W/\"{version}\""), "{current}");
        }
        on_condition(&acme, Method::DELETE, &at, ("if-match", "W/\"6\""), Value::Null).await.document(204);
        assert_refused(&on_condition(&acme, Method::PUT, &at, ("if-match", "*"), put).await, 404, None);
    }
}

#[tokio::test]
async fn tags_in_several_header_lines_are_one_list() {
    // RFC 9110 5.3: lines of one name are joined by commas.
    let acme = Customer::new().await;
    let ann = format!("/Users/{}", user(&acme, "ann").await);
    let authorization = format!("Bearer {}", acme.token);
    let headers =
        [("authorization", authorization.as_str()), ("if-none-match", "W/\"9\""), ("if-none-match", "W/\"1\"")];
    assert_eq!(acme.sends(Method::GET, &ann, &headers, "").await.status, 304);
}

#[tokio::test]
async fn who_has_the_version_already_is_told_so_without_a_body() {
    let acme = Customer::new().await;
    for (at, put, _) in resources(&acme).await {
        for known in ["W/\"1\"", "\"1\"", "*", "W/\"5\" , W/\"1\""] {
            let answer = on_condition(&acme, Method::GET, &at, ("if-none-match", known), Value::Null).await;
            assert_eq!((answer.status.as_u16(), &answer.body), (304, &Value::Null), "{known}");
            assert_eq!(answer.headers["etag"], "W/\"1\"");
        }
        on_condition(&acme, Method::GET, &at, ("if-none-match", "W/\"2\""), Value::Null).await.document(200);
        acme.scim(Method::PUT, &at, Some(put)).await.document(200);
        on_condition(&acme, Method::GET, &at, ("if-none-match", "W/\"1\""), Value::Null).await.document(200);
        assert_eq!(on_condition(&acme, Method::GET, &at, ("if-none-match", "W/\"2\""), Value::Null).await.status, 304);
    }
}

#[tokio::test]
async fn what_changes_nothing_leaves_version_and_date() {
    let acme = Customer::new().await;
    let ann = user(&acme, "ann").await;
    let staff = group(&acme, "Staff", &[&ann]).await;
    let set =
        json!([{ "op": "add", "value": { "title": "Dr.", "emails": [{ "value": "ann@acme.test", "type": "work" }] } }]);
    let user_at = format!("/Users/{ann}");
    let group_at = format!("/Groups/{staff}");
    let before = [patch(&acme, &user_at, set).await.document(200), get(&acme, &group_at).await];
    acme.gateway.clock.advance(Duration::minutes(1));
    let no_changes = [
        json!([{ "op": "replace", "path": "title", "value": "Dr." }]),
        json!([{ "op": "add", "path": "emails", "value": [{ "value": "ann@acme.test", "type": "work" }] }]),
        json!([{ "op": "remove", "path": "nickName" }]),
        json!([{ "op": "replace", "path": "title", "value": "Prof." }, { "op": "replace", "path": "title", "value": "Dr." }]),
        json!([{ "op": "add", "value": { "id": "x", "groups": [], "meta": {} } }]),
        json!([{ "op": "replace", "path": "password", "value": "not kept" }]),
    ];
    for operations in no_changes {
        assert_eq!(patch(&acme, &user_at, operations).await.document(200), before[0]);
    }
    assert_eq!(acme.scim(Method::PUT, &user_at, Some(before[0].clone())).await.document(200), before[0]);
    let add = json!([{ "op": "add", "path": "members", "value": [{ "value": ann }] }]);
    let back_and_forth = json!([{ "op": "replace", "path": "displayName", "value": "X" }, { "op": "replace", "path": "displayName", "value": "Staff" }]);
    for operations in [add, back_and_forth] {
        assert_eq!(patch(&acme, &group_at, operations).await.document(200), before[1]);
    }
    assert_eq!(acme.scim(Method::PUT, &group_at, Some(before[1].clone())).await.document(200), before[1]);
}

#[tokio::test]
async fn a_group_that_lost_a_deleted_member_is_another_version() {
    let acme = Customer::new().await;
    let ann = user(&acme, "ann").await;
    let inner = group(&acme, "Inner", &[]).await;
    let at = format!("/Groups/{}", group(&acme, "Staff", &[&ann, &inner]).await);
    for path in [format!("/Users/{ann}"), format!("/Groups/{inner}")] {
        let version = get(&acme, &at).await["meta"]["version"].as_str().unwrap().to_owned();
        acme.scim(Method::DELETE, &path, None).await.document(204);
        let answer = on_condition(&acme, Method::GET, &at, ("if-none-match", &version), Value::Null).await;
        assert_eq!(answer.status, 200, "the client would go on to show {path} as a member");
    }
}

#[tokio::test]
async fn of_two_writers_who_read_the_same_version_one_is_refused() {
    let acme = std::sync::Arc::new(Customer::new().await);
    let ann = format!("/Users/{}", user(&acme, "ann").await);
    let mut tasks = tokio::task::JoinSet::new();
    for i in 0..8 {
        let (acme, ann) = (std::sync::Arc::clone(&acme), ann.clone());
        tasks.spawn(async move {
            let body = json!({ "userName": "ann", "title": format!("{i}") });
            on_condition(&acme, Method::PUT, &ann, ("if-match", "W/\"1\""), body).await.status.as_u16()
        });
    }
    let mut statuses = tasks.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412, 412, 412, 412, 412]);
}
