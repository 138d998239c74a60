//! Credentials of SCIM clients: several at a time, exchanged without a gap, ended at once and everywhere.

use super::{create, get, user};
use crate::scim::{assert_refused, assert_says};
use domain::ids::TokenId;
use gateway::{
    clock::Clock,
    setup::directory::{self, TokenSpec},
};
use harness::{
    customer::{Customer, ScimAnswer},
    gateway_process::Gateway,
    sign_in::TokenAnswer,
};
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use store::{
    scim_tokens::{self, ScimToken, TokenKind},
    scope::Actor,
};
use time::Duration;

async fn token(customer: &Customer, spec: TokenSpec) -> (TokenId, String) {
    let (store, now) = (&customer.gateway.app.store, customer.gateway.clock.now());
    let (id, secret) = directory::create_token(store, now, customer.connection, spec).await.unwrap();
    (id, secret.reveal().to_owned())
}

async fn client(customer: &Customer, read_only: bool) -> (TokenId, String) {
    token(customer, TokenSpec { kind: TokenKind::Client, read_only, ..TokenSpec::default() }).await
}

async fn revoke(customer: &Customer, id: TokenId) {
    let (store, now) = (&customer.gateway.app.store, customer.gateway.clock.now());
    directory::revoke_token(store, now, customer.connection, id).await.unwrap();
}

async fn listed(customer: &Customer) -> Vec<ScimToken> {
    let app = &customer.gateway.app;
    let mut tx = app.tenant(customer.tenant, Actor::Gateway, app.clock.now()).await.unwrap();
    let tokens = scim_tokens::list(&mut tx, customer.connection).await.unwrap();
    tx.rollback().await.unwrap();
    tokens
}

async fn status(customer: &Customer, token: &str, method: Method, path: &str, body: Option<Value>) -> u16 {
    customer.scim_as(token, method, path, body).await.status.as_u16()
}

/// Trades client credentials for an access token, by HTTP Basic.
async fn trade(customer: &Customer, client: &TokenId, secret: &str, form: &[(&str, &str)]) -> TokenAnswer {
    let request =
        reqwest::Client::new().post(customer.url("/oauth2/token")).basic_auth(client, Some(secret)).form(form);
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.json().await.unwrap_or_default();
    TokenAnswer { status, headers, body }
}

#[tokio::test]
async fn a_token_is_exchanged_for_another_without_a_refused_request() {
    let acme = Arc::new(Customer::new().await);
    let current = Arc::new(Mutex::new(acme.token.clone()));
    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new([const { AtomicUsize::new(0) }; 4]));
    let mut pushers = tokio::task::JoinSet::new();
    for pusher in 0..4 {
        let (acme, current, stop, sent) =
            (Arc::clone(&acme), Arc::clone(&current), Arc::clone(&stop), Arc::clone(&sent));
        pushers.spawn(async move {
            for i in 0.. {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                let token = current.lock().unwrap().clone();
                let body = json!({ "userName": format!("user-{pusher}-{i}") });
                acme.scim_as(&token, Method::POST, "/Users", Some(body)).await.document(201);
                acme.scim_as(&token, Method::GET, "/Users?count=2", None).await.document(200);
                sent[pusher].fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    let mut old = acme.token_id;
    for _ in 0..5 {
        let (id, new) = token(&acme, TokenSpec::default()).await;
        *current.lock().unwrap() = new;
        // When each has begun anew, nobody uses the old one any longer.
        let before = sent.each_ref().map(|count| count.load(Ordering::SeqCst));
        while (0..4).any(|pusher| sent[pusher].load(Ordering::SeqCst) < before[pusher] + 2) && !pushers.is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            if let Some(ended) = pushers.try_join_next() {
                ended.unwrap();
            }
        }
        revoke(&acme, old).await;
        old = id;
    }
    stop.store(true, Ordering::SeqCst);
    while let Some(pusher) = pushers.join_next().await {
        pusher.unwrap();
    }
    assert_eq!(status(&acme, &acme.token, Method::GET, "/Users", None).await, 401);
}

#[tokio::test]
async fn a_token_ends_at_its_hour() {
    let acme = Customer::new().await;
    let expires_at = Some(acme.gateway.clock.now() + Duration::days(1));
    let (_, short) = token(&acme, TokenSpec { expires_at, ..TokenSpec::default() }).await;
    assert_eq!(status(&acme, &short, Method::GET, "/Users", None).await, 200);
    acme.gateway.clock.advance(Duration::days(1) - Duration::milliseconds(1));
    assert_eq!(status(&acme, &short, Method::GET, "/Users", None).await, 200);
    acme.gateway.clock.advance(Duration::milliseconds(1));
    assert_refused(&acme.scim_as(&short, Method::GET, "/Users", None).await, 401, None);
    assert_eq!(status(&acme, &acme.token, Method::GET, "/Users", None).await, 200, "others stay");
}

#[tokio::test]
async fn a_read_only_token_reads_everything_and_writes_nothing() {
    let acme = Customer::new().await;
    let ann = format!("/Users/{}", user(&acme, "ann").await);
    let staff = format!("/Groups/{}", super::group(&acme, "Staff", &[]).await);
    let (_, reader) = token(&acme, TokenSpec { read_only: true, ..TokenSpec::default() }).await;
    let readable =
        ["/Users", "/Groups", &ann, &staff, "", "/Schemas", "/ResourceTypes", "/ServiceProviderConfig", "/Roles"];
    for path in readable {
        assert_eq!(status(&acme, &reader, Method::GET, path, None).await, 200, "{path}");
    }
    for path in ["/.search", "/Users/.search", "/Groups/.search", "/Users/.search/"] {
        assert_eq!(status(&acme, &reader, Method::POST, path, Some(json!({ "count": 1 }))).await, 200, "{path}");
    }
    let before = [get(&acme, &ann).await, get(&acme, &staff).await];
    let operations = json!({ "Operations": [{ "op": "replace", "value": { "displayName": "x" } }] });
    let delete = json!({ "Operations": [{ "method": "DELETE", "path": ann }] });
    let writes = [
        (Method::POST, "/Users", Some(json!({ "userName": "ben" }))),
        (Method::PUT, &ann, Some(json!({ "userName": "ben" }))),
        (Method::PATCH, &ann, Some(operations.clone())),
        (Method::DELETE, &ann, None),
        (Method::POST, "/Groups", Some(json!({ "displayName": "Board" }))),
        (Method::PUT, &staff, Some(json!({ "displayName": "Board" }))),
        (Method::PATCH, &staff, Some(operations)),
        (Method::DELETE, &staff, None),
        (Method::POST, "/Bulk", Some(delete)),
    ];
    for (method, path, body) in writes {
        assert_refused(&acme.scim_as(&reader, method, path, body).await, 403, None);
    }
    assert_eq!([get(&acme, &ann).await, get(&acme, &staff).await], before);
    assert_eq!(get(&acme, "/Users").await["totalResults"], 1);
}

#[tokio::test]
async fn a_revoked_token_is_refused_at_once_by_every_gateway() {
    let acme = Customer::new().await;
    let second = Gateway::start_with(acme.gateway.clock.clone(), |_| {}).await;
    let at = |gateway: &str| format!("{gateway}/c/{}/scim/v2/Users", acme.connection);
    let (http, urls) = (reqwest::Client::new(), [at(&acme.gateway.url), at(&second.url)]);
    for url in &urls {
        assert_eq!(http.get(url).bearer_auth(&acme.token).send().await.unwrap().status(), 200);
    }
    revoke(&acme, acme.token_id).await;
    for url in &urls {
        let answer = ScimAnswer::read(http.get(url).bearer_auth(&acme.token).send().await.unwrap()).await;
        assert_refused(&answer, 401, None);
        assert!(answer.headers["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
    }
}

#[tokio::test]
async fn the_last_use_of_a_token_is_known() {
    let acme = Customer::new().await;
    assert_eq!(listed(&acme).await[0].last_use, None);
    let authorization = format!("Bearer {}", acme.token);
    let ask = async |agent: &str| {
        let headers =
            [("authorization", authorization.as_str()), ("user-agent", agent), ("x-forwarded-for", "203.0.113.9")];
        acme.sends(Method::GET, "/Users", &headers, "").await.document(200);
    };
    ask("Okta SCIM Client 1.0.0").await;
    acme.gateway.clock.advance(Duration::hours(1));
    ask("Something else").await;
    acme.gateway.app.log.flush().await;
    let last = listed(&acme).await[0].last_use.clone().unwrap();
    assert_eq!(
        (last.address.as_str(), last.agent.as_str()),
        ("127.0.0.1", "Something else"),
        "nobody is trusted about the address"
    );
    assert!((acme.gateway.clock.now() - last.at).abs() < Duration::milliseconds(1));
}

#[tokio::test]
async fn addresses_come_from_as_many_proxies_as_are_trusted() {
    let table = [
        (0, vec!["198.51.100.1, 203.0.113.9"], "127.0.0.1"),
        (1, vec!["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
        (2, vec!["198.51.100.1, 203.0.113.9"], "198.51.100.1"),
        (2, vec!["1.1.1.1", "198.51.100.1", "2001:DB8::1"], "198.51.100.1"),
        (1, vec!["2001:DB8::1"], "2001:db8::1"),
        (1, vec![], "127.0.0.1"),
        (1, vec!["<script>"], "127.0.0.1"),
        (3, vec!["198.51.100.1, 203.0.113.9"], "127.0.0.1"),
    ];
    for (trusted, forwarded, expected) in table {
        let gateway = Gateway::start_with(Clock::manual(), |config| config.server.trusted_proxies = trusted).await;
        let acme = Customer::of(&gateway).await;
        let authorization = format!("Bearer {}", acme.token);
        let mut headers = vec![("authorization", authorization.as_str())];
        headers.extend(forwarded.iter().map(|value| ("x-forwarded-for", *value)));
        acme.sends(Method::GET, "/Users", &headers, "").await.document(200);
        gateway.app.log.flush().await;
        assert_eq!(listed(&acme).await[0].last_use.as_ref().unwrap().address, expected, "{trusted} of {forwarded:?}");
    }
}

#[tokio::test]
async fn client_credentials_become_a_token_of_one_hour() {
    let acme = Customer::new().await;
    let (id, secret) = client(&acme, false).await;
    let (text, grant) = (id.to_string(), ("grant_type", "client_credentials"));
    let by_form = acme.post_form("/oauth2/token", &[grant, ("client_id", &text), ("client_secret", &secret)]).await;
    let by_basic = trade(&acme, &id, &secret, &[grant]).await;
    for answer in [&by_form, &by_basic] {
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_says(
            &answer.body,
            &json!({ "token_type": "Bearer", "expires_in": 3600, "scope": "scim", "refresh_token": null }),
        );
        assert_eq!(answer.headers["cache-control"], "no-store");
        create_with(&acme, answer.text("access_token")).await;
    }
    assert_ne!(by_form.text("access_token"), by_basic.text("access_token"));
    assert_eq!(status(&acme, &secret, Method::GET, "/Users", None).await, 401, "the secret is no token");
    acme.gateway.app.log.flush().await;
    // Both were made in the same moment, so neither is newer.
    let tokens = listed(&acme).await;
    let uses: BTreeSet<_> = tokens.iter().map(|token| (token.kind.as_str(), token.last_use.is_some())).collect();
    assert_eq!(uses, [("client", true), ("token", false)].into(), "a use of its tokens is the client's");
    acme.gateway.clock.advance(Duration::hours(1));
    for answer in [by_form, by_basic] {
        assert_eq!(status(&acme, answer.text("access_token"), Method::GET, "/Users", None).await, 401);
    }
    assert_eq!(trade(&acme, &id, &secret, &[grant]).await.status, 200, "the client goes on");
}

async fn create_with(customer: &Customer, token: &str) {
    let name = harness::gateway_process::unique("user");
    customer.scim_as(token, Method::POST, "/Users", Some(json!({ "userName": name }))).await.document(201);
}

#[tokio::test]
async fn scopes_narrow_and_never_widen() {
    let acme = Customer::new().await;
    let [(writer, secret), (reader, reads)] = [client(&acme, false).await, client(&acme, true).await];
    let grant = ("grant_type", "client_credentials");
    let table = [
        (&writer, &secret, None, Ok("scim")),
        (&writer, &secret, Some("scim"), Ok("scim")),
        (&writer, &secret, Some("scim.read"), Ok("scim.read")),
        (&writer, &secret, Some("scim.read scim"), Ok("scim")),
        (&writer, &secret, Some("openid"), Err("invalid_scope")),
        (&reader, &reads, None, Ok("scim.read")),
        (&reader, &reads, Some("scim.read"), Ok("scim.read")),
        (&reader, &reads, Some("scim"), Err("invalid_scope")),
    ];
    for (id, secret, scope, expected) in table {
        let form: Vec<_> = [grant].into_iter().chain(scope.map(|scope| ("scope", scope))).collect();
        let answer = trade(&acme, id, secret, &form).await;
        match expected {
            Ok(granted) => {
                assert_eq!((answer.status.as_u16(), &answer.body["scope"]), (200, &json!(granted)));
                let body = Some(json!({ "userName": harness::gateway_process::unique("user") }));
                let written = status(&acme, answer.text("access_token"), Method::POST, "/Users", body).await;
                assert_eq!(written, if granted == "scim" { 201 } else { 403 });
                assert_eq!(status(&acme, answer.text("access_token"), Method::GET, "/Users", None).await, 200);
            }
            Err(error) => assert_eq!(answer.error(), (400, error), "{scope:?}"),
        }
    }
}

#[tokio::test]
async fn a_revoked_client_takes_its_tokens_with_it_on_every_gateway() {
    let acme = Customer::new().await;
    let second = Gateway::start_with(acme.gateway.clock.clone(), |_| {}).await;
    let [(id, secret), (other, others)] = [client(&acme, false).await, client(&acme, false).await];
    let grant = [("grant_type", "client_credentials")];
    let [one, two] = [trade(&acme, &id, &secret, &grant).await, trade(&acme, &other, &others, &grant).await];
    revoke(&acme, id).await;
    for gateway in [&acme.gateway.url, &second.url] {
        let url = format!("{gateway}/c/{}/scim/v2/Users", acme.connection);
        for (answer, expected) in [(&one, 401), (&two, 200)] {
            let response =
                reqwest::Client::new().get(&url).bearer_auth(answer.text("access_token")).send().await.unwrap();
            assert_eq!(response.status(), expected);
        }
    }
    let refused = trade(&acme, &id, &secret, &grant).await;
    assert_eq!(refused.error(), (401, "invalid_client"));
}

#[tokio::test]
async fn a_wrong_client_is_told_so_in_oauths_form() {
    let acme = Customer::new().await;
    let sibling = acme.sibling(&acme.application).await;
    let (id, secret) = client(&acme, false).await;
    let (foreign, foreign_secret) = client(&sibling, false).await;
    let grant = [("grant_type", "client_credentials")];
    let nobody = TokenId(uuid::Uuid::new_v4());
    let wrong = [
        (id, "ghsec_wrong".to_owned()),
        (id, foreign_secret.clone()),
        (foreign, foreign_secret),
        (nobody, secret.clone()),
        (acme.token_id, acme.token.clone()),
    ];
    for (client, secret) in &wrong {
        let answer = trade(&acme, client, secret, &grant).await;
        assert_eq!(answer.error(), (401, "invalid_client"), "{}", answer.body);
        assert!(answer.headers["www-authenticate"].to_str().unwrap().starts_with("Basic"));
        assert_eq!(answer.headers["content-type"], "application/json");
        assert!(answer.body["error_description"].as_str().unwrap().len() > 15);
    }
    let text = id.to_string();
    type Form<'f> = &'f [(&'f str, &'f str)];
    let forms: [(Form<'_>, (u16, &str)); 5] = [
        (&[("client_id", &text), ("client_secret", &secret)], (400, "invalid_request")),
        (
            &[("grant_type", "password"), ("client_id", &text), ("client_secret", &secret)],
            (400, "unsupported_grant_type"),
        ),
        (&[("grant_type", "client_credentials")], (401, "invalid_client")),
        (&[("grant_type", "client_credentials"), ("client_id", &text)], (401, "invalid_client")),
        (
            &[("grant_type", "client_credentials"), ("client_id", "nobody"), ("client_secret", &secret)],
            (401, "invalid_client"),
        ),
    ];
    for (form, expected) in forms {
        assert_eq!(acme.post_form("/oauth2/token", form).await.error(), expected, "{form:?}");
    }
    let elsewhere = format!("{}/c/{}/oauth2/token", acme.gateway.url, uuid::Uuid::new_v4());
    let response =
        reqwest::Client::new().post(elsewhere).basic_auth(id, Some(&secret)).form(&grant).send().await.unwrap();
    assert_eq!(response.status(), 401);
}

#[tokio::test]
async fn an_expired_client_gets_nothing_and_its_tokens_end_with_it() {
    let acme = Customer::new().await;
    let expires_at = Some(acme.gateway.clock.now() + Duration::minutes(10));
    let (id, secret) = token(&acme, TokenSpec { kind: TokenKind::Client, expires_at, ..TokenSpec::default() }).await;
    let grant = [("grant_type", "client_credentials")];
    let answer = trade(&acme, &id, &secret, &grant).await;
    acme.gateway.clock.advance(Duration::minutes(10));
    assert_eq!(trade(&acme, &id, &secret, &grant).await.error(), (401, "invalid_client"));
    assert_eq!(
        status(&acme, answer.text("access_token"), Method::GET, "/Users", None).await,
        401,
        "an hour was promised to nobody"
    );
}

#[tokio::test]
async fn a_token_of_another_connection_opens_nothing() {
    let acme = Customer::new().await;
    let sibling = acme.sibling(&acme.application).await;
    create(&acme, "/Users", json!({ "userName": "ann" })).await;
    assert_refused(&acme.scim_as(&sibling.token, Method::GET, "/Users", None).await, 401, None);
    let raw = acme.sends(Method::GET, "/Users", &[("authorization", &acme.token)], "").await;
    assert_eq!(raw.document(200)["totalResults"], 1, "a raw token without Bearer");
}

#[tokio::test]
async fn a_browser_app_with_a_credential_is_served_from_wherever_it_comes() {
    let acme = Customer::new().await;
    let (id, secret) = client(&acme, false).await;
    let authorization = format!("Bearer {}", acme.token);
    let http = reqwest::Client::new();
    for (i, (name, value)) in [
        ("origin", "https://admin.test"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ]
    .into_iter()
    .enumerate()
    {
        let body = json!({ "userName": format!("ann-{i}") }).to_string();
        let mut headers = vec![("authorization", authorization.as_str()), (name, value)];
        acme.sends(Method::POST, "/Users", &headers, &body).await.document(201);
        headers.remove(0);
        assert_refused(&acme.sends(Method::POST, "/Users", &headers, &body).await, 401, None);
        let form = [("grant_type", "client_credentials")];
        let request =
            http.post(acme.url("/oauth2/token")).basic_auth(id, Some(&secret)).header(name, value).form(&form);
        assert_eq!(request.send().await.unwrap().status(), 200, "{name}: {value}");
    }
}

#[tokio::test]
async fn the_token_endpoint_says_in_oauths_form_what_it_does_not_read() {
    let acme = Customer::new().await;
    let http = reqwest::Client::new();
    let url = acme.url("/oauth2/token");
    let large = http.post(&url).body("x".repeat(1_100_000));
    let form = "application/x-www-form-urlencoded";
    let requests = [
        (large.header("content-type", form), 413, None),
        (http.get(&url), 405, Some("POST")),
        (http.put(&url).header("content-type", form).body("grant_type=client_credentials"), 405, Some("POST")),
        (http.delete(&url), 405, Some("POST")),
    ];
    for (request, status, allowed) in requests {
        let response = request.send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), response.headers()["content-type"].to_str().unwrap()),
            (status, "application/json")
        );
        let allow: Vec<_> = response.headers().get_all("allow").iter().map(|value| value.to_str().unwrap()).collect();
        assert_eq!(allow, Vec::from_iter(allowed));
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["error"], "invalid_request");
        assert!(body["error_description"].as_str().unwrap().len() > 15);
    }
}
