//! What one person, or one application that goes in circles, can make the gateway keep.

use super::{SignedIn, clients::with_key, leaving::enter, telling::with_door, universal::trusts};
use domain::session::EndReason;
use gateway::{saml::settings::Jit, setup::sessions};
use harness::{
    browser::Browser,
    customer::superuser,
    sign_in::VERIFIER,
    signer::{OktaOrg, Signer},
};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::json;
use std::time::Duration as Patience;
use store::sessions::{MOST_CLIENT_IDS, MOST_OF_ACCOUNT, Which};
use time::Duration;
use tokio::{runtime::Builder, sync::oneshot, task::spawn_blocking, time::timeout};

#[tokio::test]
async fn an_account_has_so_many_sessions_and_a_new_one_takes_the_place_of_the_oldest() {
    let story = SignedIn::new().await;
    let copy = "INSERT INTO sessions
        SELECT (jsonb_populate_record(s, jsonb_build_object('id', gen_random_uuid(), 'token_hash', '\\x' || md5(random()::text || n),
            'created_at', s.created_at + n * interval '1 millisecond'))).*
        FROM sessions s, generate_series(1, $2) AS n WHERE s.tenant_id = $1";
    let copied = sqlx::query(copy).bind(story.acme.tenant.0).bind(i32::try_from(MOST_OF_ACCOUNT).unwrap() + 20);
    copied.execute(&mut superuser().await).await.unwrap();
    let tokens = enter(&story, &Browser::new()).await;
    let live = "SELECT count(*) FROM sessions WHERE tenant_id = $1 AND ended_at IS NULL";
    let live: i64 = sqlx::query_scalar(live).bind(story.acme.tenant.0).fetch_one(&mut superuser().await).await.unwrap();
    assert_eq!(live, MOST_OF_ACCOUNT);
    assert!(story.acme.is_active(tokens.text("access_token")).await, "the new one is not among those that went");
    let page = story.browser.get(&story.acme.authorize_url(&[("prompt", Some("none"))])).await;
    assert!(page.redirect().contains("error=login_required"), "the first one is: {}", page.redirect());
}

#[tokio::test]
async fn an_application_that_goes_in_circles_is_stopped() {
    let story = SignedIn::new().await;
    let url = story.acme.authorize_url(&[]);
    let mut last = story.browser.get(&url).await;
    for _ in 0..400 {
        if last.status == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
        last = story.browser.get(&url).await;
    }
    assert_eq!((last.status, last.code()), (StatusCode::TOO_MANY_REQUESTS, Some("GH-SYS-004")), "{}", last.shown());
    assert!(last.header("retry-after").parse::<u64>().unwrap() >= 1);
    // Nobody else has to wait.
    let bob = story.acme.user("bob");
    story.acme.assign(&bob).await;
    story.acme.sign_in(&Browser::new(), &bob.email).await;
}

#[tokio::test]
async fn nobody_makes_up_names_under_which_an_application_is_told() {
    let story = SignedIn::new().await;
    let named = |turn: usize| format!("tenant={}&product={}&turn={turn}", story.acme.slug, story.acme.application.slug);
    let mut refused = 0;
    for turn in 0..MOST_CLIENT_IDS + 5 {
        let page = story.browser.get(&story.acme.authorize_url(&[("client_id", Some(&named(turn)))])).await;
        refused += usize::from(page.status == StatusCode::BAD_REQUEST);
    }
    // The story's own name is one of them.
    assert_eq!(refused, 6);
    story.code().await;
    let ids = "SELECT cardinality(client_ids) FROM sessions WHERE tenant_id = $1";
    let ids: i32 = sqlx::query_scalar(ids).bind(story.acme.tenant.0).fetch_one(&mut superuser().await).await.unwrap();
    assert_eq!(usize::try_from(ids).unwrap(), MOST_CLIENT_IDS);
}

/// An operator who ends the sessions of somebody means the one that is just beginning, too.
#[tokio::test]
async fn a_sign_in_that_is_on_its_way_does_not_get_past_an_operator() {
    let story = SignedIn::new().await;
    let (acme, clock) = (&story.acme, &story.acme.gateway.clock);
    let user: uuid::Uuid = story.tokens().await.id_claims()["sub"].as_str().unwrap().parse().unwrap();
    let everybody = [Which::User(domain::ids::UserId(user)), Which::Connection(acme.connection), Which::Tenant];
    for which in everybody {
        clock.advance(Duration::SECOND);
        let waiting = acme.waiting(&story.ann).await;
        let page = acme.post_response(&waiting.browser, &waiting.signed(&waiting.honest())).await;
        clock.advance(Duration::SECOND);
        let app = &acme.gateway.app;
        sessions::revoke(&app.store, clock.now(), acme.tenant, which, EndReason::Revoked).await.unwrap();
        let refused = waiting.browser.get(page.redirect()).await;
        assert_eq!(refused.code(), Some("GH-SAML-909"), "{which:?}: {}", refused.shown());
        enter(&story, &Browser::new()).await;
    }
    // Nor one by which the user gets another account at this moment.
    let board = acme.sibling(&acme.gateway.application("https://board.test/callback", |_| {}).await).await;
    crate::saml::modes::set(&board, |settings| settings.jit = Jit::Create).await;
    board.idp.add_user(story.ann.clone());
    let waiting = board.waiting(&story.ann).await;
    let page = board.post_response(&waiting.browser, &waiting.signed(&waiting.honest())).await;
    clock.advance(Duration::SECOND);
    let (app, which) = (&acme.gateway.app, everybody[0]);
    sessions::revoke(&app.store, clock.now(), acme.tenant, which, EndReason::Revoked).await.unwrap();
    let refused = waiting.browser.get(page.redirect()).await;
    assert_eq!(refused.code(), Some("GH-SAML-909"), "{}", refused.shown());
    clock.advance(Duration::SECOND);
    let later = board.sign_in(&Browser::new(), &story.ann.email).await.id_claims();
    assert_eq!(later["sub"], json!(user.to_string()), "it is the same user");
    // One session is one session.
    clock.advance(Duration::SECOND);
    let waiting = acme.waiting(&story.ann).await;
    let page = acme.post_response(&waiting.browser, &waiting.signed(&waiting.honest())).await;
    let sid = enter(&story, &Browser::new()).await.id_claims()["sid"].as_str().unwrap().parse().unwrap();
    let (app, which) = (&acme.gateway.app, Which::One(domain::ids::SessionId(sid)));
    sessions::revoke(&app.store, clock.now(), acme.tenant, which, EndReason::Revoked).await.unwrap();
    assert!(waiting.browser.get(page.redirect()).await.redirect().contains("code="));
}

/// The only thread for long work is taken. What needs it waits, and everybody else is answered.
async fn waits_for_a_thread(what: &str, request: RequestBuilder, anybody: &str) -> StatusCode {
    let (release, held) = std::sync::mpsc::channel::<()>();
    let (taken, is_taken) = oneshot::channel();
    let holding = spawn_blocking(move || {
        taken.send(()).unwrap();
        held.recv().ok();
    });
    is_taken.await.unwrap();
    let mut answer = std::pin::pin!(request.send());
    assert!(timeout(Patience::from_millis(300), &mut answer).await.is_err(), "{what} is not computed where all wait");
    assert_eq!(Client::new().get(anybody).send().await.unwrap().status(), StatusCode::OK);
    drop(release);
    holding.await.unwrap();
    answer.await.unwrap().status()
}

#[test]
fn tokens_are_signed_and_verified_where_nobody_else_waits() {
    let runtime = Builder::new_multi_thread().worker_threads(2).max_blocking_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let (story, _door) = with_door().await;
        let (acme, org, signer) = (&story.acme, OktaOrg::start().await, Signer::default());
        trusts(acme, &org, None).await;
        let nobody = json!({ "format": "email", "email": "nobody@nowhere.test" });
        assert_eq!(org.calls(acme, &org.token(acme), nobody.clone()).await.status, StatusCode::NOT_FOUND);
        let application = with_key(&acme.gateway, &signer).await;
        let code = story.code().await;
        // A name would be looked up on such a thread, too.
        let at = |path: &str| format!("{}{path}", acme.gateway.url.replace("localhost", "127.0.0.1"));
        let anybody = at("/oauth2/jwks");

        let secret = acme.application.client_secret.as_ref();
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", &acme.application.redirect_uri),
            ("code_verifier", VERIFIER),
        ];
        let trade = Client::new().post(at("/oauth2/token")).basic_auth(&acme.application.client_id, secret).form(&form);
        assert_eq!(waits_for_a_thread("a signature", trade, &anybody).await, StatusCode::OK);

        let (id, now) = (&application.client_id, acme.gateway.clock.now().unix_timestamp());
        let claims = json!({ "iss": id, "sub": id, "aud": acme.gateway.url, "jti": "1", "iat": now, "exp": now + 60 });
        let assertion = signer.sign("JWT", &claims);
        let form = [
            ("token", "none"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", &assertion),
        ];
        let ask = Client::new().post(at("/oauth2/introspect")).form(&form);
        assert_eq!(waits_for_a_thread("a client's assertion", ask, &anybody).await, StatusCode::OK);

        let path = format!("/c/{}/global-token-revocation", acme.connection);
        let call = Client::new().post(at(&path)).bearer_auth(org.token(acme)).json(&json!({ "sub_id": nobody }));
        assert_eq!(waits_for_a_thread("an organization's token", call, &anybody).await, StatusCode::NOT_FOUND);
    });
}
