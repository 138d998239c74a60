//! The client against a server that keeps what it gets and answers what it is told to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::IntoResponse;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::entra::Entra;
use crate::jumpcloud::JumpCloud;
use crate::okta::Style;
use crate::onelogin::OneLogin;
use crate::ping::Ping;

/// A SCIM server by script.
#[derive(Clone, Default)]
struct Script {
    answers: Arc<Mutex<VecDeque<(u16, Value)>>>,
    heard: Arc<Mutex<Vec<String>>>,
    headers: Arc<Mutex<Vec<HeaderMap>>>,
}

impl Script {
    fn new(answers: &[(u16, Value)]) -> Self {
        Self { answers: Arc::new(Mutex::new(answers.iter().cloned().collect())), ..Self::default() }
    }

    async fn serve(&self) -> (String, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/scim", listener.local_addr().expect("an address"));
        let router = axum::Router::new().fallback(answer).with_state(self.clone());
        (url, tokio::spawn(async move { axum::serve(listener, router).await.expect("serves") }))
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().expect("whole").clone()
    }
}

async fn answer(
    State(script): State<Script>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    let path = uri.path_and_query().map_or("", |path| path.as_str());
    let body = String::from_utf8_lossy(&body);
    script.heard.lock().expect("whole").push(format!("{method} {path} {body}").trim_end().to_owned());
    script.headers.lock().expect("whole").push(headers);
    let (status, body) = script.answers.lock().expect("whole").pop_front().expect("a request that was foreseen");
    (StatusCode::from_u16(status).expect("a status"), body.to_string())
}

fn nobody() -> (u16, Value) {
    (200, json!({ "totalResults": 0, "Resources": [] }))
}

fn found(id: &str) -> (u16, Value) {
    (200, json!({ "totalResults": 1, "Resources": [{ "id": id, "active": true }] }))
}

fn created(id: &str) -> (u16, Value) {
    (201, json!({ "id": id }))
}

fn ann() -> DirectoryUser {
    DirectoryUser::new("ann@acme.test", "Ann", "Archer")
}

/// Creates Ann in a dialect; returns the header lines of both requests, but for those that every client sends.
async fn headers<D: Dialect>(dialect: D) -> Vec<Vec<String>> {
    let script = Script::new(&[nobody(), created("7")]);
    let (url, server) = script.serve().await;
    let mut client = Client::new(&url, "t0ken", dialect).expect("a client");
    client.push_user(&ann()).await.expect("creates her");
    server.abort();
    let line = |name: &str, value: &str| format!("{name}: {value}");
    let lines = |headers: &HeaderMap| {
        let own = headers.iter().filter(|(name, _)| !["host", "content-length"].contains(&name.as_str()));
        let mut lines: Vec<String> =
            own.map(|(name, value)| line(name.as_str(), value.to_str().expect("text"))).collect();
        lines.sort();
        lines
    };
    script.headers.lock().expect("whole").iter().map(lines).collect()
}

#[tokio::test]
async fn each_dialect_has_its_header_lines() {
    let okta = ["accept-charset: utf-8", "accept-encoding: gzip,deflate", "accept: application/scim+json"];
    let okta = [&okta[..], &["authorization: Bearer t0ken", "connection: close"]].concat();
    let agent = "user-agent: Okta SCIM Client 1.0.0";
    let body = "content-type: application/scim+json; charset=utf-8";
    for style in [Style::Custom, Style::Catalogue] {
        let [search, create] = [&[agent][..], &[body, agent]].map(|more| [&okta[..], more].concat());
        assert_eq!(headers(style).await, [search, create]);
    }
    let (any, token) = ("accept: */*", "authorization: Bearer t0ken");
    let agent = "user-agent: Microsoft Azure AD SCIM provisioning";
    let search = vec![any, "adscimversion: 6.0", token, agent];
    let create = vec![any, "adscimversion: 6.0", token, body, agent];
    assert_eq!(headers(Entra::default()).await, [search, create]);
    let body = "content-type: application/scim+json";
    let with = |agent| [vec![any, token, agent], vec![any, token, body, agent]];
    assert_eq!(headers(OneLogin).await, with("user-agent: application/json"));
    assert_eq!(headers(Ping::default()).await, with("user-agent: Apache-HttpClient"));
    let cloud = JumpCloud { test_user: String::new() };
    assert_eq!(headers(cloud).await, [vec![any, token], vec![any, token, body]]);
}

#[tokio::test]
async fn a_flag_of_the_base_url_is_in_every_request() {
    let script = Script::new(&[nobody(), created("7"), (204, Value::Null)]);
    let (url, server) = script.serve().await;
    let url = format!("{url}/?aadOptscim062020");
    let mut client = Client::new(&url, "t", Entra::of(&url)).expect("a client");
    client.push_user(&ann()).await.expect("creates her");
    client.deactivate(&ann()).await.expect("deactivates her");
    server.abort();
    let heard = script.heard();
    let starts = [
        "GET /scim/Users?aadOptscim062020&filter=userName+eq+%22ann%40acme.test%22",
        "POST /scim/Users?aadOptscim062020 {",
        "PATCH /scim/Users/7?aadOptscim062020 {",
    ];
    for (heard, start) in heard.iter().zip(starts) {
        assert!(heard.starts_with(start), "{heard}");
    }
    assert_eq!(client.exchanges.len(), 3);
}

/// Assigns Ann at a server that answers so; what does the admin read?
async fn failing<D: Dialect>(dialect: D, answers: &[(u16, Value)]) -> Option<String> {
    let script = Script::new(answers);
    let (url, server) = script.serve().await;
    let outcome = Client::new(&url, "t", dialect).expect("a client").push_user(&ann()).await;
    server.abort();
    outcome.err().map(|failure| failure.sentence)
}

#[tokio::test]
async fn a_search_that_is_answered_404_means_nobody_to_some_and_an_error_to_others() {
    let answers = [(404, json!({ "status": "404" })), created("7")];
    assert_eq!(failing(Style::Custom, &answers).await, None);
    assert_eq!(failing(OneLogin, &answers).await, None);
    let entra = failing(Entra::default(), &answers).await.expect("refused");
    assert!(entra.contains("Entra ID puts the job into quarantine"), "{entra}");
    assert!(failing(Ping::default(), &answers).await.is_some());
}

#[tokio::test]
async fn an_answer_to_a_creation_needs_an_id() {
    for answer in [(201, Value::Null), (201, json!({})), (200, json!({ "id": "7" })), (409, json!({ "detail": "X." }))]
    {
        let sentence = failing(Entra::default(), &[nobody(), answer.clone()]).await.expect("refused");
        assert_eq!(sentence.contains("empty user"), answer.0 == 201, "{sentence}");
    }
}

#[tokio::test]
async fn the_probe_comes_first_and_has_to_find_nobody() {
    let ping = || Ping { probes: true, ..Ping::default() };
    let missing = (404, json!({ "status": "404" }));
    assert_eq!(failing(ping(), &[missing.clone(), nobody(), created("7")]).await, None);
    let sentence = failing(ping(), &[(200, json!({ "id": "0" }))]).await.expect("refused");
    assert!(sentence.contains("answered 200"), "{sentence}");
}

#[tokio::test]
async fn okta_never_deletes_a_user_and_the_others_do() {
    let script = Script::new(&[]);
    let (url, server) = script.serve().await;
    let mut okta = Client::new(&url, "t", Style::Custom).expect("a client");
    let failure = okta.delete_user(&ann()).await.expect_err("never");
    assert_eq!(failure.sentence, "Okta never deletes users. Deactivate the user instead.");
    server.abort();
    let script = Script::new(&[found("7"), (204, Value::Null), nobody(), created("8")]);
    let (url, server) = script.serve().await;
    let mut entra = Client::new(&url, "t", Entra::default()).expect("a client");
    entra.delete_user(&ann()).await.expect("deletes her");
    assert_eq!(entra.push_user(&ann()).await.expect("creates her anew"), "8");
    server.abort();
    assert_eq!(script.heard()[1], "DELETE /scim/Users/7");
}

#[tokio::test]
async fn jumpcloud_deactivates_its_test_user_where_nobody_can_be_deleted() {
    let done = (204, Value::Null);
    let answers = [
        nobody(),
        created("7"),
        done.clone(), // the user, and a change of it
        nobody(),
        created("g"),
        done.clone(),
        done.clone(),
        done.clone(), // the group, in and out, and away
        (501, json!({})),
        done.clone(),
    ];
    let script = Script::new(&answers);
    let (url, server) = script.serve().await;
    let mut cloud = Client::new(&url, "t", JumpCloud { test_user: "t@acme.test".to_owned() }).expect("a client");
    cloud.test_connection().await.expect("is content");
    server.abort();
    let heard = script.heard();
    assert_eq!((heard[7].as_str(), heard[8].as_str()), ("DELETE /scim/Groups/g", "DELETE /scim/Users/7"));
    assert!(heard[9].starts_with("PATCH /scim/Users/7") && heard[9].contains("\"value\":false"), "{}", heard[9]);
}

#[tokio::test]
async fn a_list_of_all_groups_is_read_to_its_end() {
    let page = |names: &[&str]| {
        let groups: Vec<Value> = names.iter().map(|name| json!({ "id": name, "displayName": name })).collect();
        (200, json!({ "totalResults": 3, "Resources": groups }))
    };
    let script = Script::new(&[page(&["a", "b"]), page(&["C"])]);
    let (url, server) = script.serve().await;
    let mut ping = Client::new(&url, "t", Ping::default()).expect("a client");
    let group = ping.find_group("c").await.expect("is found").expect("is there");
    server.abort();
    assert_eq!(group["id"], "C");
    assert_eq!(script.heard(), ["GET /scim/Groups", "GET /scim/Groups?startIndex=3"]);
}

#[tokio::test]
async fn okta_names_the_mapping_of_a_group_that_it_could_not_push() {
    let script = Script::new(&[nobody(), created("g"), (400, json!({ "detail": "No." }))]);
    let (url, server) = script.serve().await;
    let mut okta = Client::new(&url, "t", Style::Catalogue).expect("a client");
    let failure = okta.push_group("Staff", &[]).await.expect_err("refused");
    server.abort();
    assert_eq!(
        failure.sentence,
        "Unable to update Group Push mapping target App group Staff: Error while pushing group Staff: the server \
         answered 400. Errors reported by remote server: No."
    );
    assert_eq!(failure.status, Some(400));
}
