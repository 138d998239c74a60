//! How clients prove themselves and what they may ask for: requests sent ahead, keys instead of secrets, tokens of their
//! own, audiences.

use super::SignedIn;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gateway::setup::applications::{self, ApplicationSpec};
use harness::{
    browser::Browser,
    customer::Customer,
    gateway_process::{Application, Gateway, unique},
    sign_in::{CHALLENGE, TokenAnswer, VERIFIER, claims, code_of, parameter},
    signer::Signer,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;
use time::Duration;
use uuid::Uuid;

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What an application sends ahead, with changes.
fn pushed<'a>(application: &'a Application, changes: &[(&'a str, Option<&'a str>)]) -> Vec<(&'a str, &'a str)> {
    let base = [
        ("response_type", "code"),
        ("redirect_uri", application.redirect_uri.as_str()),
        ("scope", "openid"),
        ("state", "s1"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let kept = base.into_iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    kept.chain(changes.iter().filter_map(|(name, value)| value.map(|value| (*name, value)))).collect()
}

fn by_reference(gateway: &Gateway, application: &Application, reference: &str) -> String {
    let mut url = url::Url::parse(&format!("{}/oauth2/authorize", gateway.url)).unwrap();
    url.query_pairs_mut().append_pair("client_id", &application.client_id).append_pair("request_uri", reference);
    url.into()
}

#[tokio::test]
async fn a_request_that_is_sent_ahead_is_answered_and_cannot_be_changed_on_the_way() {
    let story = SignedIn::new().await;
    let (acme, application) = (&story.acme, &story.acme.application);
    let form = pushed(application, &[("tenant", Some(&acme.slug))]);
    let answer = acme.post_as(application, "/oauth2/par", &form).await;
    assert_eq!((answer.status, &answer.body["expires_in"]), (StatusCode::CREATED, &json!(600)), "{}", answer.body);
    assert_eq!(answer.headers["cache-control"], "no-store");
    let reference = answer.text("request_uri");
    assert!(reference.starts_with("urn:ietf:params:oauth:request_uri:"), "{reference}");
    let url = by_reference(&acme.gateway, application, reference);
    for tampered in [url.clone(), format!("{url}&state=evil&redirect_uri=https%3A%2F%2Fevil.test&scope=openid+email")] {
        let page = story.browser.get(&tampered).await;
        assert!(page.redirect().starts_with(&application.redirect_uri), "{}", page.redirect());
        assert_eq!(parameter(page.redirect(), "state").as_deref(), Some("s1"));
        let tokens = acme.redeem(&code_of(page.redirect())).await;
        assert_eq!(tokens.body["scope"], "openid");
    }
    acme.gateway.clock.advance(Duration::minutes(10));
    let late = story.browser.get(&url).await;
    assert_eq!((late.status, late.code()), (StatusCode::BAD_REQUEST, Some("GH-OIDC-001")));
}

#[tokio::test]
async fn who_has_to_say_the_organization_first_comes_back_to_the_request_that_was_sent_ahead() {
    let story = SignedIn::new().await;
    let (acme, application) = (&story.acme, &story.acme.application);
    let answer = acme.post_as(application, "/oauth2/par", &pushed(application, &[])).await;
    let url = by_reference(&acme.gateway, application, answer.text("request_uri"));
    let browser = Browser::new();
    let page = browser.get(&url).await;
    assert!(page.status == StatusCode::OK && page.text.contains("name=\"asked\""), "{}", page.shown());
    let asked = url.split_once('?').unwrap().1;
    let form = [("asked", asked), ("email", story.ann.email.as_str())];
    let page = browser.post(&format!("{}/login", acme.gateway.url), &form).await;
    let page = browser.get(page.redirect()).await;
    let posted = acme.idp.sign_in(page.redirect(), &story.ann.email).await.unwrap();
    let tokens = acme.redeem(&acme.finish(&browser, &posted.saml_response).await).await;
    assert_eq!((tokens.status, &tokens.body["scope"]), (StatusCode::OK, &json!("openid")), "{}", tokens.body);
    // The organization that the application named is not another one because the browser says so.
    let globex = Customer::entering(&acme.gateway, application.clone()).await;
    let named = pushed(application, &[("tenant", Some(&acme.slug))]);
    let answer = acme.post_as(application, "/oauth2/par", &named).await;
    let url = by_reference(&acme.gateway, application, answer.text("request_uri"));
    let page = Browser::new().get(&format!("{url}&tenant={0}&connection={1}", globex.slug, globex.connection)).await;
    assert!(page.redirect().starts_with(&acme.idp.sso_url()), "{}", page.redirect());
    // Nor where it leads nowhere now.
    let cid = acme.connection.to_string();
    let contradiction = [("tenant", Some(globex.slug.as_str())), ("connection", Some(cid.as_str()))];
    let elsewhere = story.beside().await;
    let other = elsewhere.connection.to_string();
    for named in [&contradiction[..], &[("connection", Some(other.as_str()))]] {
        let answer = acme.post_as(application, "/oauth2/par", &pushed(application, named)).await;
        let url = by_reference(&acme.gateway, application, answer.text("request_uri"));
        assert_eq!(Browser::new().get(&url).await.status, StatusCode::NOT_FOUND, "{named:?}");
        let third = Customer::entering(&acme.gateway, application.clone()).await.connection;
        let page = Browser::new().get(&format!("{url}&connection={third}")).await;
        assert_eq!((page.status, page.location), (StatusCode::NOT_FOUND, None), "{named:?}");
    }
}

#[tokio::test]
async fn a_public_client_sends_ahead_only_so_much() {
    let gateway = Gateway::start().await;
    let change = |spec: &mut ApplicationSpec| spec.public = true;
    let acme = Customer::entering(&gateway, gateway.application("http://127.0.0.1/cb", change).await).await;
    let push = async || acme.post_as(&acme.application, "/oauth2/par", &pushed(&acme.application, &[])).await;
    let answers = futures_util::future::join_all((0..300).map(|_| push())).await;
    let taken = answers.iter().filter(|answer| answer.status == StatusCode::CREATED).count();
    assert!(taken >= 100, "a hundred at once, but {taken}");
    let refused = answers.iter().find(|answer| answer.status == StatusCode::TOO_MANY_REQUESTS).expect("then no more");
    assert!(refused.headers.contains_key("retry-after"), "{refused:?}");
    let long = "x".repeat(1_900);
    let fields: Vec<String> = (0..5).map(|number| format!("extra{number}")).collect();
    let extra = fields.iter().map(|name| (name.as_str(), long.as_str()));
    let form: Vec<(&str, &str)> = pushed(&acme.application, &[]).into_iter().chain(extra).collect();
    let other = Customer::entering(&gateway, gateway.application("http://127.0.0.1/cb", change).await).await;
    let answer = other.post_as(&other.application, "/oauth2/par", &form).await;
    assert_eq!(answer.error(), (400, "invalid_request"));
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_told_when_it_is_sent_ahead() {
    let acme = Customer::new().await;
    let application = &acme.application;
    for (changes, error) in [
        (("redirect_uri", Some("https://evil.test/callback")), "invalid_request"),
        (("redirect_uri", None), "invalid_request"),
        (("code_challenge", None), "invalid_request"),
        (("response_type", Some("token")), "unsupported_response_type"),
        (("scope", Some("email")), "invalid_scope"),
        (("resource", Some("https://api.test")), "invalid_target"),
        (("request_uri", Some("urn:ietf:params:oauth:request_uri:x")), "request_uri_not_supported"),
        (("request", Some("e30")), "request_not_supported"),
    ] {
        let answer = acme.post_as(application, "/oauth2/par", &pushed(application, &[changes])).await;
        assert_eq!(answer.error(), (400, error), "{changes:?}");
    }
    let wrong = Application { client_secret: Some("ghsec_wrong".to_owned()), ..application.clone() };
    let refused = acme.post_as(&wrong, "/oauth2/par", &pushed(application, &[])).await;
    assert_eq!(refused.error(), (401, "invalid_client"));
}

#[tokio::test]
async fn an_application_may_insist_on_requests_sent_ahead() {
    let gateway = Gateway::start().await;
    let strict = |spec: &mut ApplicationSpec| spec.settings.require_par = true;
    let acme = Customer::entering(&gateway, gateway.application("https://app.test/callback", strict).await).await;
    let page = Browser::new().get(&acme.authorize_url(&[])).await;
    assert_eq!(parameter(page.redirect(), "error").as_deref(), Some("invalid_request"));
    let form = pushed(&acme.application, &[("tenant", Some(&acme.slug))]);
    let reference = acme.post_as(&acme.application, "/oauth2/par", &form).await;
    let page = Browser::new().get(&by_reference(&gateway, &acme.application, reference.text("request_uri"))).await;
    assert!(page.redirect().starts_with(&acme.idp.sso_url()), "{}", page.redirect());
}

/// An application that proves itself by a key.
pub(super) async fn with_key(gateway: &Arc<Gateway>, signer: &Signer) -> Application {
    let jwks = signer.jwks();
    let change = |spec: &mut ApplicationSpec| {
        spec.settings.jwks = Some(jwks);
        spec.settings.client_credentials = true;
    };
    gateway.application("https://app.test/callback", change).await
}

async fn asserts(acme: &Customer, path: &str, assertion: &str, form: &[(&str, &str)]) -> TokenAnswer {
    let proof = [("client_assertion_type", TYPE), ("client_assertion", assertion)];
    let url = format!("{}{path}", acme.gateway.url);
    let response = reqwest::Client::new().post(url).form(&[form, &proof].concat()).send().await.unwrap();
    let status = response.status();
    let headers = response.headers().clone();
    TokenAnswer { status, headers, body: response.json().await.unwrap_or(Value::Null) }
}

#[tokio::test]
async fn a_key_proves_a_client_once_for_each_assertion_and_no_secret_does() {
    let gateway = Gateway::start().await;
    let (signer, stranger) = (Signer::default(), Signer::default());
    let application = with_key(&gateway, &signer).await;
    let acme = Customer::entering(&gateway, application.clone()).await;
    let now = gateway.clock.now().unix_timestamp();
    let (id, token) = (application.client_id.clone(), format!("{}/oauth2/token", gateway.url));
    let good =
        || json!({ "iss": id, "sub": id, "aud": gateway.url, "jti": Uuid::new_v4(), "iat": now, "exp": now + 60 });
    let own = [("grant_type", "client_credentials")];
    for audience in [json!(gateway.url), json!(token), json!([token])] {
        let mut claims = good();
        claims["aud"] = audience;
        let assertion = signer.sign("JWT", &claims);
        let answer = asserts(&acme, "/oauth2/token", &assertion, &own).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let again = asserts(&acme, "/oauth2/token", &assertion, &own).await;
        assert_eq!(again.error(), (401, "invalid_client"), "an assertion works once");
    }
    let with = |name: &str, value: Value| {
        let mut claims = good();
        claims[name] = value;
        signer.sign("JWT", &claims)
    };
    let none = {
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.", part(json!({ "alg": "none", "typ": "JWT" })), part(good()))
    };
    let refused = [
        ("a stranger's key", stranger.sign("JWT", &good())),
        ("no signature", none),
        ("another audience", with("aud", json!("https://other.test"))),
        ("another audience beside ours", with("aud", json!([gateway.url, "https://other.test"]))),
        ("another client", with("sub", json!(gateway.application.client_id))),
        ("it has ended", with("exp", json!(now - 1))),
        ("it lasts for ever", with("exp", json!(now + 86_400))),
        ("without a name", with("jti", Value::Null)),
        ("rubbish", "a.b.c".to_owned()),
    ];
    for (what, assertion) in refused {
        let answer = asserts(&acme, "/oauth2/token", &assertion, &own).await;
        assert_eq!(answer.error(), (401, "invalid_client"), "{what}");
    }
    // Its secret is worth nothing any more.
    assert_eq!(acme.post_as(&application, "/oauth2/token", &own).await.error(), (401, "invalid_client"));
    let both = [("grant_type", "client_credentials"), ("client_secret", "x")];
    let answer = asserts(&acme, "/oauth2/token", &signer.sign("JWT", &good()), &both).await;
    assert_eq!(answer.error(), (400, "invalid_request"));
    for path in ["/oauth2/introspect", "/oauth2/revoke"] {
        let answer = asserts(&acme, path, &signer.sign("JWT", &good()), &[("token", "x")]).await;
        assert_eq!(answer.status, StatusCode::OK, "{path} {}", answer.body);
    }
    let parallel = signer.sign("JWT", &good());
    let eight = futures_util::future::join_all((0..8).map(|_| asserts(&acme, "/oauth2/token", &parallel, &own))).await;
    assert_eq!(eight.iter().filter(|answer| answer.status == StatusCode::OK).count(), 1, "of eight at once, one");
}

#[tokio::test]
async fn an_application_has_tokens_of_its_own_if_it_may() {
    let gateway = Gateway::start().await;
    let change = |spec: &mut ApplicationSpec| {
        spec.settings.client_credentials = true;
        spec.settings.resources = vec!["https://api.test/".to_owned()];
        spec.settings.access_token_seconds = 60;
    };
    let acme = Customer::entering(&gateway, gateway.application("https://app.test/callback", change).await).await;
    let own = [("grant_type", "client_credentials"), ("resource", "https://api.test/")];
    let answer = acme.post_as(&acme.application, "/oauth2/token", &own).await;
    assert_eq!((answer.status, &answer.body["expires_in"]), (StatusCode::OK, &json!(60)), "{}", answer.body);
    assert!(answer.body["refresh_token"].is_null() && answer.body["id_token"].is_null());
    let access = answer.text("access_token");
    let said = claims(access);
    assert_eq!((&said["sub"], &said["client_id"]), (&json!(acme.application.client_id), &said["sub"]));
    assert_eq!(said["aud"], json!(["https://api.test/", gateway.url]));
    assert!(acme.is_active(access).await);
    assert_eq!(acme.userinfo(access).await.error(), (403, "insufficient_scope"), "there is no user");
    let elsewhere = [("grant_type", "client_credentials"), ("resource", "https://other.test/")];
    assert_eq!(acme.post_as(&acme.application, "/oauth2/token", &elsewhere).await.error(), (400, "invalid_target"));
    let scoped = [("grant_type", "client_credentials"), ("scope", "openid")];
    assert_eq!(acme.post_as(&acme.application, "/oauth2/token", &scoped).await.error(), (400, "invalid_scope"));
    let gone = acme.post_as(&acme.application, "/oauth2/revoke", &[("token", access)]).await;
    assert_eq!(gone.error(), (400, "unsupported_token_type"), "nobody is told that it is over when it is not");
    // Another application learns nothing of it.
    let other = gateway.application("https://other.test/callback", |_| {}).await;
    let strange = acme.post_as(&other, "/oauth2/introspect", &[("token", access)]).await;
    assert_eq!(strange.body, json!({ "active": false }));
    assert_eq!(acme.post_as(&other, "/oauth2/token", &own[..1]).await.error(), (400, "unauthorized_client"));
    // What was allowed is not for ever.
    let forbid = |_: &mut _, settings: &mut gateway::oauth::settings::Settings| settings.client_credentials = false;
    applications::change(&gateway.app.store, gateway.clock.now(), &acme.application.slug, forbid).await.unwrap();
    assert!(!acme.is_active(access).await);
}

#[tokio::test]
async fn a_public_client_never_has_tokens_of_its_own() {
    let gateway = Gateway::start().await;
    let change = |spec: &mut ApplicationSpec| spec.public = true;
    let acme = Customer::entering(&gateway, gateway.application("http://127.0.0.1/cb", change).await).await;
    let own = [("grant_type", "client_credentials")];
    assert_eq!(acme.post_as(&acme.application, "/oauth2/token", &own).await.error(), (400, "unauthorized_client"));
    let allow = |_: &mut _, settings: &mut gateway::oauth::settings::Settings| settings.client_credentials = true;
    let (store, now) = (&gateway.app.store, gateway.clock.now());
    let refused = applications::change(store, now, &acme.application.slug, allow).await.unwrap_err();
    assert!(refused.to_string().contains("public client"), "{refused}");
}

#[tokio::test]
async fn an_access_token_is_for_the_resource_that_was_asked_for() {
    let gateway = Gateway::start().await;
    let both = || ["https://api.test/", "https://second.test/"].map(str::to_owned).to_vec();
    let change = |spec: &mut ApplicationSpec| spec.settings.resources = both();
    let application = gateway.application("https://app.test/callback", change).await;
    let story = SignedIn::to(Customer::entering(&gateway, application).await).await;
    let code = story.code_for(&[("resource", Some("https://api.test/"))]).await;
    let tokens = story.acme.redeem(&code).await;
    assert_eq!(claims(tokens.text("access_token"))["aud"], json!(["https://api.test/", gateway.url]));
    assert_eq!(story.acme.userinfo(tokens.text("access_token")).await.status, StatusCode::OK);
    let page = story.browser.get(&story.acme.authorize_url(&[("resource", Some("https://other.test/"))])).await;
    assert_eq!(parameter(page.redirect(), "error").as_deref(), Some("invalid_target"));
    // The token request may choose where nothing was chosen, and nothing else than what was.
    for (granted, asked, error) in [
        (None, "https://api.test/", None),
        (Some("https://api.test/"), "https://api.test/", None),
        (Some("https://api.test/"), "https://second.test/", Some("invalid_target")),
        (None, "https://other.test/", Some("invalid_target")),
    ] {
        let code = story.code_for(&[("resource", granted)]).await;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", &story.acme.application.redirect_uri),
            ("code_verifier", VERIFIER),
            ("resource", asked),
        ];
        let tokens = story.acme.post_as(&story.acme.application, "/oauth2/token", &form).await;
        assert_eq!(tokens.body["error"].as_str(), error, "{granted:?} {asked}: {}", tokens.body);
        if error.is_none() {
            assert_eq!(claims(tokens.text("access_token"))["aud"], json!([asked, gateway.url]));
            let form = [("grant_type", "refresh_token"), ("refresh_token", tokens.text("refresh_token"))];
            let elsewhere = [&form[..], &[("resource", "https://other.test/")]].concat();
            let refused = story.acme.post_as(&story.acme.application, "/oauth2/token", &elsewhere).await;
            assert_eq!(refused.error(), (400, "invalid_target"));
        }
    }
}

#[tokio::test]
async fn an_answer_may_come_in_a_form() {
    let story = SignedIn::new().await;
    let url = story.acme.authorize_url(&[("response_mode", Some("form_post")), ("state", Some("\"><script>"))]);
    let page = story.browser.get(&url).await;
    assert_eq!((page.status, page.header("cache-control")), (StatusCode::OK, "no-store"));
    let redirect_uri = &story.acme.application.redirect_uri;
    assert!(page.text.contains(&format!("<form method=\"post\" action=\"{redirect_uri}\">")), "{}", page.shown());
    assert!(!page.text.contains("\"><script>"), "{}", page.shown());
    let code = page.text.split("name=\"code\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(story.acme.redeem(code).await.status, StatusCode::OK);
    let silent = [("response_mode", Some("form_post")), ("prompt", Some("none"))];
    let page = Browser::new().get(&story.acme.authorize_url(&silent)).await;
    assert!(page.text.contains("name=\"error\" value=\"login_required\""), "{}", page.shown());
}

#[tokio::test]
async fn a_client_that_came_from_elsewhere_keeps_its_name() {
    let story = SignedIn::new().await;
    let (acme, old) = (&story.acme, unique("5f4fmec2qnuscp89qbt8nsuftj"));
    let (store, now) = (&acme.gateway.app.store, acme.gateway.clock.now());
    applications::alias(store, now, &acme.application.slug, &old, false).await.unwrap();
    let code = story.code_for(&[("client_id", Some(&old))]).await;
    let renamed = Application { client_id: old.clone(), ..acme.application.clone() };
    let tokens = acme.redeem_as(&renamed, &code).await;
    assert_eq!(tokens.status, StatusCode::OK, "{}", tokens.body);
    assert_eq!(tokens.id_claims()["aud"], json!(old), "it would refuse a token for a name that it does not know");
    let told = acme.post_as(&renamed, "/oauth2/introspect", &[("token", tokens.text("access_token"))]).await;
    assert_eq!(told.body["active"], true);
    applications::alias(store, now, &acme.application.slug, &old, true).await.unwrap();
    let gone = story.browser.get(&acme.authorize_url(&[("client_id", Some(&old))])).await;
    assert_eq!(gone.status, StatusCode::BAD_REQUEST);
}
