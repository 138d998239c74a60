//! The log of what identity providers asked and were told: complete, bounded, without secrets.

use super::{get, group, user};
use gateway::{
    cleaner,
    clock::Clock,
    setup::directory::{self, TokenSpec},
};
use harness::{
    customer::{Customer, until_waiting},
    gateway_process::{Gateway, superuser, unique},
};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Connection;
use store::{
    exchanges::{self, Exchange, Show},
    scim_tokens::TokenKind,
    scope::Actor,
};
use time::Duration;
use uuid::Uuid;

/// The connection's exchanges, newest first.
async fn exchanges(customer: &Customer, show: Show) -> Vec<Exchange> {
    let app = &customer.gateway.app;
    app.log.flush().await;
    let mut tx = app.tenant(customer.tenant, Actor::Gateway, app.clock.now()).await.unwrap();
    let all = exchanges::list(&mut tx, customer.connection, show, 10_000).await.unwrap();
    tx.rollback().await.unwrap();
    all
}

#[tokio::test]
async fn a_success_is_recorded_without_its_body() {
    let acme = Customer::new().await;
    let authorization = format!("Bearer {}", acme.token);
    let headers = [
        ("authorization", authorization.as_str()),
        ("user-agent", "Okta SCIM Client 1.0.0"),
        ("content-type", "application/json"),
    ];
    acme.sends(Method::POST, "//Users/?aadOptscim062020", &headers, r#"{"userName":"ann"}"#).await.document(201);
    acme.gateway.clock.advance(Duration::seconds(1));
    get(&acme, "/Users?filter=userName+eq+%22ann%22&count=1").await;
    let [search, create] = &exchanges(&acme, Show::All).await[..] else { panic!("not two") };
    assert_eq!(
        (create.method.as_str(), create.target.as_str(), create.status),
        ("POST", "/Users?aadOptscim062020", 201)
    );
    assert_eq!((create.code.as_str(), &create.detail, &create.body), ("ok", &None, &None));
    assert_eq!(
        (create.token, create.agent.as_str(), create.address.as_str()),
        (Some(acme.token_id), "Okta SCIM Client 1.0.0", "127.0.0.1")
    );
    assert!(create.milliseconds >= 0 && create.at < search.at);
    assert_eq!(search.target, "/Users?filter=userName+eq+%22ann%22&count=1");
    assert_eq!(exchanges(&acme, Show::Failed).await, []);
}

#[tokio::test]
async fn a_refusal_is_recorded_with_code_sentence_and_body() {
    let acme = Customer::new().await;
    let ann = format!("/Users/{}", user(&acme, "ann").await);
    let secret = unique("canary");
    let body = json!({ "userName": "ANN", "password": secret, "urn:x:2.0:User": { "apiToken": secret } });
    let refused: Vec<(Method, String, Option<Value>, u16, &str)> = vec![
        (Method::POST, "/Users".to_owned(), Some(body), 409, "GH-"),
        (Method::POST, "/Users".to_owned(), Some(json!([])), 400, "GH-SCIM-001"),
        (Method::POST, "/Users".to_owned(), Some(json!({ "userName": "x", "active": 7 })), 400, "GH-SCIM-002"),
        (
            Method::PATCH,
            ann.clone(),
            Some(json!({ "Operations": [{ "op": "add", "path": "a b", "value": 1 }] })),
            400,
            "GH-SCIM-003",
        ),
        (Method::GET, "/Users?filter=title".to_owned(), None, 400, "GH-SCIM-005"),
        (Method::GET, "/Users/0".to_owned(), None, 404, "GH-SCIM-012"),
        (Method::PUT, "/Users".to_owned(), Some(json!({})), 405, "GH-SCIM-013"),
        (Method::GET, "/Nothing".to_owned(), None, 404, "GH-SCIM-012"),
    ];
    for (method, path, body, status, _) in &refused {
        assert_eq!(acme.scim(method.clone(), path, body.clone()).await.status.as_u16(), *status);
        acme.gateway.clock.advance(Duration::seconds(1));
    }
    let recorded = exchanges(&acme, Show::Failed).await;
    let seen: Vec<(&str, u16)> =
        recorded.iter().rev().map(|exchange| (exchange.target.as_str(), exchange.status)).collect();
    // Nobody asks for a token where there is nothing: such requests are a stranger's, and of these only some are kept.
    assert!(seen.len() >= 6, "{seen:?}");
    for ((method, path, body, status, code), exchange) in refused.iter().take(6).zip(recorded.iter().rev()) {
        assert_eq!(
            (exchange.method.as_str(), exchange.target.as_str(), exchange.status),
            (method.as_str(), path.as_str(), *status)
        );
        assert!(exchange.code.starts_with(code), "{} for {path}", exchange.code);
        let detail = exchange.detail.as_deref().unwrap();
        assert!(detail.len() > 15 && !detail.contains(&secret), "{detail}");
        assert_eq!(exchange.body.is_some(), body.is_some());
        assert!(!exchange.body.as_deref().unwrap_or_default().contains(&secret), "{:?}", exchange.body);
    }
    assert!(recorded.last().unwrap().body.as_deref().unwrap().contains("\"ANN\""), "what Okta sent can be seen");
}

#[tokio::test]
async fn a_large_body_and_a_long_address_are_cut() {
    let acme = Customer::new().await;
    let long = "é".repeat(50_000);
    acme.scim(Method::POST, "/Users", Some(json!({ "title": long }))).await.document(400);
    acme.scim(Method::GET, &format!("/Users?filter={}", "x".repeat(9_000)), None).await.document(400);
    let authorization = format!("Bearer {}", acme.token);
    let headers = [("authorization", authorization.as_str()), ("user-agent", &"x".repeat(9_000))];
    acme.sends(Method::GET, "/Users", &headers, "").await.document(200);
    for exchange in exchanges(&acme, Show::All).await {
        let longest = [exchange.body.unwrap_or_default(), exchange.target, exchange.agent]
            .iter()
            .map(|text| text.chars().count())
            .max();
        assert!(longest.unwrap() <= 4_001, "{longest:?}");
    }
}

#[tokio::test]
async fn odd_texts_do_not_keep_others_from_being_recorded() {
    let acme = Customer::new().await;
    let authorization = format!("Bearer {}", acme.token);
    for body in [r#"{"userName":"a\u0000b"}"#, "{\"userName\":\"\\ud800\"}", "\u{0}", r#"{"userName":5,"x":"\u0000"}"#]
    {
        let answer = acme.sends(Method::POST, "/Users", &[("authorization", &authorization)], body).await;
        assert_eq!(answer.status, 400, "{}", answer.body);
    }
    for body in [r#"{"displayName":"a\u0000b"}"#, r#"{"displayName":"x","externalId":"\u0000"}"#] {
        let answer = acme.sends(Method::POST, "/Groups", &[("authorization", &authorization)], body).await;
        assert_eq!(answer.status, 400, "{}", answer.body);
    }
    for path in [
        "/Users?filter=%00",
        "/Users?filter=userName+eq+%22%00%22",
        "/Users/%00",
        "/Users?sortBy=%00",
        "/Schemas/%00",
        "/Roles/%00",
    ] {
        assert!([400, 404].contains(&acme.scim(Method::GET, path, None).await.status.as_u16()), "{path}");
    }
    let method = Method::from_bytes("X".repeat(3_000).as_bytes()).unwrap();
    assert_eq!(acme.scim(method, "/Users", None).await.status, 405);
    get(&acme, "/Users?the-last-one").await;
    let recorded = exchanges(&acme, Show::All).await;
    assert!(recorded.iter().any(|exchange| exchange.target == "/Users?the-last-one"), "{}", recorded.len());
    assert!(recorded.len() >= 11, "{}", recorded.len());
}

#[tokio::test]
async fn strangers_are_recorded_and_cannot_fill_the_log() {
    let acme = Customer::new().await;
    for _ in 0..200 {
        assert_eq!(acme.scim_as("ghscim_nonsense", Method::GET, "/Users", None).await.status, 401);
    }
    let recorded = exchanges(&acme, Show::Failed).await;
    assert!((1..=60).contains(&recorded.len()), "{} of 200", recorded.len());
    assert!(
        recorded
            .iter()
            .all(|exchange| exchange.token.is_none() && exchange.body.is_none() && exchange.code == "GH-SCIM-010")
    );
}

#[tokio::test]
async fn the_newest_exchanges_stay() {
    let gateway = Gateway::start_with(Clock::manual(), |config| config.scim.log_exchanges = 20).await;
    let (acme, other) = (Customer::of(&gateway).await, Customer::of(&gateway).await);
    get(&other, "/Users?quiet").await;
    for i in 0..90 {
        get(&acme, &format!("/Users?count=0&number={i}")).await;
        gateway.clock.advance(Duration::milliseconds(5));
        if i % 7 == 0 {
            gateway.app.log.flush().await;
        }
    }
    let recorded = exchanges(&acme, Show::All).await;
    assert!((20..=40).contains(&recorded.len()), "{} for 20", recorded.len());
    for (age, exchange) in recorded.iter().enumerate() {
        assert_eq!(exchange.target, format!("/Users?count=0&number={}", 89 - age));
    }
    assert_eq!(exchanges(&other, Show::All).await.len(), 1, "each connection has a log of its own");
}

#[tokio::test]
async fn a_log_of_nothing_is_kept_where_the_operator_says_so() {
    let gateway = Gateway::start_with(Clock::manual(), |config| config.scim.log_exchanges = 0).await;
    let acme = Customer::of(&gateway).await;
    get(&acme, "/Users").await;
    assert_eq!(exchanges(&acme, Show::All).await, []);
}

#[tokio::test]
async fn old_exchanges_are_removed() {
    // The other tests' exchanges are of today: the past is this one's own.
    let clock = Clock::manual();
    clock.advance(-Duration::days(40));
    let gateway = Gateway::start_with(clock.clone(), |config| config.scim.log_retention = Duration::days(30)).await;
    let acme = Customer::of(&gateway).await;
    get(&acme, "/Users?old").await;
    exchanges(&acme, Show::All).await;
    clock.advance(Duration::days(20));
    get(&acme, "/Users?new").await;
    assert_eq!(exchanges(&acme, Show::All).await.len(), 2);
    clock.advance(Duration::days(20));
    cleaner::clean(&gateway.app).await.unwrap();
    let left: Vec<String> = exchanges(&acme, Show::All).await.into_iter().map(|exchange| exchange.target).collect();
    assert_eq!(left, ["/Users?new"]);
}

#[tokio::test]
async fn a_bulk_request_with_a_failed_operation_says_so() {
    let acme = Customer::new().await;
    group(&acme, "Staff", &[]).await;
    let body = json!({ "Operations": [{ "method": "POST", "path": "/Groups", "bulkId": "1", "data": { "displayName": "staff" } }] });
    acme.scim(Method::POST, "/Bulk", Some(body)).await.document(200);
    let bulk = exchanges(&acme, Show::All).await.into_iter().find(|exchange| exchange.target == "/Bulk").unwrap();
    assert_ne!(bulk.code, "ok", "the IT admin looks here for why the group is not there");
    assert!(bulk.body.unwrap().contains("\"staff\""), "and for what was sent");
}

#[tokio::test]
async fn a_client_that_hangs_up_before_the_answer_is_recorded() {
    let acme = Customer::new().await;
    let ann = user(&acme, "ann").await;
    let mut database = superuser().await;
    let mut tx = database.begin().await.unwrap();
    let lock = sqlx::query("SELECT FROM accounts WHERE id = $1 FOR UPDATE").bind(Uuid::parse_str(&ann).unwrap());
    lock.execute(&mut *tx).await.unwrap();
    let body = json!({ "Operations": [{ "op": "replace", "path": "title", "value": "Chef" }] });
    let path = format!("/Users/{ann}");
    let patch = acme.scim(Method::PATCH, &path, Some(body));
    tokio::select! {
        answer = patch => panic!("nothing should be answered: {}", answer.status),
        () = until_waiting(&mut tx, 1) => {}
    }
    // The request is given up, and its connection with it; the server notices a moment later.
    let recorded = async {
        loop {
            if let Some(gone) = exchanges(&acme, Show::Failed).await.pop() {
                break gone;
            }
        }
    };
    let gone = tokio::time::timeout(std::time::Duration::from_secs(20), recorded).await.expect("it is recorded");
    tx.rollback().await.unwrap();
    assert_eq!((gone.method.as_str(), gone.status, gone.code.as_str()), ("PATCH", 0, "GH-SCIM-022"));
    assert_eq!(gone.token, Some(acme.token_id));
    assert!(gone.body.unwrap().contains("Chef") && gone.detail.unwrap().contains("went away"));
}

#[tokio::test]
async fn a_wrong_client_secret_is_recorded_and_the_form_is_not() {
    let acme = Customer::new().await;
    let (store, now) = (&acme.gateway.app.store, acme.gateway.clock.now());
    let spec = TokenSpec { kind: TokenKind::Client, ..TokenSpec::default() };
    let (id, secret) = directory::create_token(store, now, acme.connection, spec).await.unwrap();
    let http = reqwest::Client::new();
    let ask = async |secret: &str, scope: &str| {
        let form = [("grant_type", "client_credentials"), ("scope", scope)];
        let url = acme.url("/oauth2/token?client_secret=hunter2");
        let answer = http.post(url).basic_auth(id, Some(secret)).form(&form).send().await.unwrap();
        acme.gateway.clock.advance(Duration::seconds(1));
        answer.status().as_u16()
    };
    assert_eq!(ask(secret.reveal(), "scim").await, 200);
    assert_eq!(ask(secret.reveal(), "hunter2").await, 400);
    for _ in 0..50 {
        assert_eq!(ask("hunter2", "scim").await, 401);
    }
    let recorded = exchanges(&acme, Show::All).await;
    assert!((3..30).contains(&recorded.len()), "strangers are few: {}", recorded.len());
    let seen: Vec<_> = recorded.iter().rev().map(|one| (one.status, one.code.as_str(), one.token)).take(3).collect();
    assert_eq!(seen, [(200, "ok", Some(id)), (400, "GH-SCIM-024", Some(id)), (401, "GH-SCIM-023", None)]);
    for one in recorded {
        assert_eq!((one.method.as_str(), one.target.as_str(), &one.body), ("POST", "/oauth2/token", &None));
        assert!(!one.detail.unwrap_or_default().contains("hunter2"));
    }
}

#[tokio::test]
async fn a_token_that_takes_too_long_is_recorded_as_a_failure() {
    let limit = std::time::Duration::from_secs(2);
    let gateway = Gateway::start_with(Clock::manual(), |config| config.server.request_timeout = limit).await;
    let acme = Customer::of(&gateway).await;
    let spec = TokenSpec { kind: TokenKind::Client, ..TokenSpec::default() };
    let (store, now) = (&gateway.app.store, gateway.clock.now());
    let (id, secret) = directory::create_token(store, now, acme.connection, spec).await.unwrap();
    let mut database = superuser().await;
    let mut tx = database.begin().await.unwrap();
    let lock = sqlx::query("SELECT FROM connections WHERE id = $1 FOR UPDATE").bind(acme.connection.0);
    lock.execute(&mut *tx).await.unwrap();
    let form = [("grant_type", "client_credentials")];
    let request =
        reqwest::Client::new().post(acme.url("/oauth2/token")).basic_auth(id, Some(secret.reveal())).form(&form);
    assert_eq!(request.send().await.unwrap().status(), 503);
    tx.rollback().await.unwrap();
    let [slow] = &exchanges(&acme, Show::Failed).await[..] else { panic!("not one") };
    assert_eq!((slow.status, slow.code.as_str(), slow.token), (503, "GH-SCIM-019", Some(id)));
}
