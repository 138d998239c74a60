//! What one person, or one application that goes in circles, can make the gateway keep.

use super::{SignedIn, leaving::enter};
use domain::session::EndReason;
use gateway::setup::sessions;
use harness::{browser::Browser, customer::superuser};
use reqwest::StatusCode;
use store::sessions::{MOST_CLIENT_IDS, MOST_OF_ACCOUNT, Which};
use time::Duration;

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
    let user = story.tokens().await.id_claims()["sub"].as_str().unwrap().parse().unwrap();
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
    // One session is one session.
    clock.advance(Duration::SECOND);
    let waiting = acme.waiting(&story.ann).await;
    let page = acme.post_response(&waiting.browser, &waiting.signed(&waiting.honest())).await;
    let sid = enter(&story, &Browser::new()).await.id_claims()["sid"].as_str().unwrap().parse().unwrap();
    let (app, which) = (&acme.gateway.app, Which::One(domain::ids::SessionId(sid)));
    sessions::revoke(&app.store, clock.now(), acme.tenant, which, EndReason::Revoked).await.unwrap();
    assert!(waiting.browser.get(page.redirect()).await.redirect().contains("code="));
}
