//! Who is told that a session has ended, when, and how often (OpenID Connect Back-Channel Logout 1.0).

use super::SignedIn;
use domain::{
    ids::{SessionId, UserId},
    session::EndReason,
};
use gateway::{
    backchannel,
    clock::Clock,
    config::Config,
    setup::{
        applications::{self, ApplicationSpec},
        sessions,
    },
};
use harness::{
    back_door::BackDoor,
    browser::Browser,
    customer::{Customer, superuser},
    gateway_process::{Application, Gateway, measured, own_database, superuser_of, unique},
    sign_in::claims,
};
use serde_json::{Value, json};
use simulator::okta::Style;
use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration as Patience, Instant},
};
use store::{logout_deliveries, sessions::Which};
use time::Duration;

/// Ann of Acme, whose application has a back door, in a gateway that may ask local servers.
pub(super) async fn with_door() -> (SignedIn, BackDoor) {
    at_door(&Gateway::start_with(Clock::manual(), local).await).await
}

fn local(config: &mut Config) {
    config.outbound.private_networks = vec!["127.0.0.0/8".parse().unwrap()];
}

async fn at_door(gateway: &Arc<Gateway>) -> (SignedIn, BackDoor) {
    let door = BackDoor::open().await;
    let change = |spec: &mut ApplicationSpec| {
        spec.backchannel_logout_uri = Some(door.uri.clone());
        spec.settings.post_logout_redirect_uris = vec!["https://app.test/bye".to_owned()];
    };
    let application = gateway.application("https://app.test/callback", change).await;
    (SignedIn::to(Customer::entering(gateway, application).await).await, door)
}

/// The one logout token that the application heard is a good one (OpenID Connect Back-Channel Logout 2.4).
pub(super) fn is_told(acme: &Customer, door: &BackDoor, id: &Value, why: &str) {
    let heard = door.heard_of(&id["sid"]);
    let [token] = heard.as_slice() else { panic!("{why}: heard {} times", heard.len()) };
    let said = claims(token);
    assert_eq!((&said["sub"], &said["aud"], &said["iss"]), (&id["sub"], &id["aud"], &id["iss"]), "{why}");
    assert_eq!(said["events"], json!({ "http://schemas.openid.net/event/backchannel-logout": {} }));
    assert!(said["nonce"].is_null() && said["jti"].is_string(), "{said}");
    assert_eq!(said["exp"].as_i64().unwrap() - said["iat"].as_i64().unwrap(), 120);
    let header = harness::signer::header(token);
    assert_eq!(header["typ"], "logout+jwt");
    assert!(acme.application.client_id == said["aud"]);
}

async fn revoke(story: &SignedIn, which: Which<'_>) {
    let (app, now) = (&story.acme.gateway.app, story.acme.gateway.clock.now());
    sessions::revoke(&app.store, now, story.acme.tenant, which, EndReason::Revoked).await.unwrap();
}

fn session(id: &Value) -> SessionId {
    SessionId(id["sid"].as_str().unwrap().parse().unwrap())
}

#[tokio::test]
async fn an_application_that_does_not_answer_is_told_again_and_given_up_in_the_end() {
    let (story, door) = with_door().await;
    let clock = &story.acme.gateway.clock;
    let id = story.tokens().await.id_claims();
    door.answers(500);
    revoke(&story, Which::One(session(&id))).await;
    let mut heard = Vec::new();
    // Every hour for a day: what is due earlier than that is told once in it.
    for _ in 0..24 {
        story.acme.hears_of_logouts(&story.acme.gateway).await;
        heard.extend(door.heard_of(&id["sid"]));
        clock.advance(Duration::HOUR);
    }
    assert_eq!(heard.len(), 11, "ten times again");
    let name = |token: &String| claims(token)["jti"].as_str().unwrap().to_owned();
    let names: BTreeSet<String> = heard.iter().map(name).collect();
    assert_eq!(names.len(), 11, "each has a name of its own: who refuses names that it knows hears the next one");
    let problem: (String, bool) =
        sqlx::query_as("SELECT problem, given_up_at IS NOT NULL FROM logout_deliveries WHERE session_id = $1")
            .bind(session(&id).0)
            .fetch_one(&mut superuser().await)
            .await
            .unwrap();
    assert_eq!(problem, ("the application answered 500 Internal Server Error".to_owned(), true));
}

#[tokio::test]
async fn an_application_that_comes_back_hears_what_it_missed() {
    let (story, door) = with_door().await;
    let clock = &story.acme.gateway.clock;
    let id = story.tokens().await.id_claims();
    let which = Which::User(UserId(id["sub"].as_str().unwrap().parse().unwrap()));
    for refusal in [302, 404, 503] {
        door.answers(refusal);
        revoke(&story, which).await;
        story.acme.hears_of_logouts(&story.acme.gateway).await;
        assert_eq!(door.heard_of(&id["sid"]).len(), 1, "{refusal}");
        clock.advance(Duration::HOUR);
    }
    door.answers(204);
    story.acme.hears_of_logouts(&story.acme.gateway).await;
    is_told(&story.acme, &door, &id, "it is back");
    clock.advance(Duration::HOUR);
    story.acme.hears_of_logouts(&story.acme.gateway).await;
    assert!(door.heard_of(&id["sid"]).is_empty());
}

/// Signs in once more in the browser of the story, which takes the place of the session before; answers the code.
async fn again(story: &SignedIn) -> String {
    let page = story.browser.get(&story.acme.authorize_url(&[("prompt", Some("login"))])).await;
    let posted = story.acme.idp.sign_in(page.redirect(), &story.ann.email).await.unwrap();
    story.acme.finish(&story.browser, &posted.saml_response).await
}

#[tokio::test]
async fn an_application_is_told_of_what_it_knows_or_can_still_come_to_know() {
    let (story, door) = with_door().await;
    let clock = &story.acme.gateway.clock;
    let first = story.tokens().await.id_claims();
    let code = again(&story).await;
    story.acme.hears_of_logouts(&story.acme.gateway).await;
    is_told(&story.acme, &door, &first, "another session has its place: a departure will name only that one");
    // The code of the second may be on its way, in one request that reads before and writes after this.
    revoke(&story, Which::Tenant).await;
    story.acme.hears_of_logouts(&story.acme.gateway).await;
    assert_eq!(door.heard().len(), 1);
    assert_eq!(story.acme.redeem(&code).await.error(), (400, "invalid_grant"));
    // Who came without a request of the application has a session of which it does not know.
    clock.advance(Duration::SECOND);
    let browser = Browser::new();
    let page = browser.get(&story.acme.url("/saml/login")).await;
    let posted = story.acme.idp.sign_in(page.redirect(), &story.ann.email).await.unwrap();
    let page = story.acme.post_response(&browser, &posted.saml_response).await;
    browser.get(page.redirect()).await;
    revoke(&story, Which::Tenant).await;
    story.acme.hears_of_logouts(&story.acme.gateway).await;
    let query = "SELECT count(*) FROM logout_deliveries WHERE tenant_id = $1";
    let left: i64 =
        sqlx::query_scalar(query).bind(story.acme.tenant.0).fetch_one(&mut superuser().await).await.unwrap();
    assert_eq!((left, door.heard().len()), (0, 0));
}

#[tokio::test]
async fn an_application_with_another_name_is_told_under_that() {
    let (story, door) = with_door().await;
    let (acme, old) = (&story.acme, unique("5f4fmec2qnuscp89qbt8nsuftj"));
    let (app, now) = (&acme.gateway.app, acme.gateway.clock.now());
    applications::alias(&app.store, now, &acme.application.slug, &old, false).await.unwrap();
    let code = story.code_for(&[("client_id", Some(&old))]).await;
    let renamed = Application { client_id: old.clone(), ..acme.application.clone() };
    let id = acme.redeem_as(&renamed, &code).await.id_claims();
    revoke(&story, Which::One(session(&id))).await;
    story.acme.hears_of_logouts(&story.acme.gateway).await;
    let heard: BTreeSet<String> =
        door.heard_of(&id["sid"]).iter().map(|token| claims(token)["aud"].as_str().unwrap().to_owned()).collect();
    // The first sign-in of the story had the usual name.
    assert_eq!(heard, BTreeSet::from([old, acme.application.client_id.clone()]));
}

#[tokio::test]
async fn another_gateway_goes_on_where_one_died() {
    let (story, door) = with_door().await;
    let clock = &story.acme.gateway.clock;
    let id = story.tokens().await.id_claims();
    revoke(&story, Which::One(session(&id))).await;
    // One took it, and was killed before it told.
    let application = domain::ids::ApplicationId(story.acme.application.client_id.parse().unwrap());
    let mut tx = story.acme.gateway.app.control(clock.now()).await.unwrap();
    assert_eq!(logout_deliveries::take(&mut tx, application, 10, Duration::MINUTE).await.unwrap().len(), 1);
    tx.commit().await.unwrap();
    clock.advance(Duration::seconds(59));
    story.acme.hears_of_logouts(&story.acme.gateway).await;
    assert!(door.heard_of(&id["sid"]).is_empty(), "it may still be at it");
    clock.advance(Duration::SECOND);
    story.acme.hears_of_logouts(&story.acme.gateway).await;
    is_told(&story.acme, &door, &id, "a minute later");
}

#[tokio::test]
async fn a_running_gateway_tells_at_once_and_a_silent_application_keeps_no_other_waiting() {
    gateway::telemetry::metrics().unwrap();
    let database = own_database().await;
    let gateway = Gateway::on(&database, Clock::System, local).await;
    let ((one, silent), (other, door)) = (at_door(&gateway).await, at_door(&gateway).await);
    silent.answers(0);
    let worker = tokio::spawn(backchannel::run(gateway.app.clone(), backchannel::client().unwrap()));
    // More than are told at once.
    let mut ids = vec![one.tokens().await.id_claims()];
    for _ in 0..20 {
        ids.push(one.acme.sign_in(&Browser::new(), &one.ann.email).await.id_claims());
    }
    revoke(&one, Which::Tenant).await;
    silent.hears_of(&ids[20]["sid"], "the silent one").await;
    let id = other.tokens().await.id_claims();
    let (sid, began) = (session(&id), Instant::now());
    other.acme.okta(Style::Custom).deactivate(&other.ann).await.unwrap();
    door.hears_of(&id["sid"], "the other").await;
    assert!(began.elapsed() < Patience::from_secs(5), "it took {:?}", began.elapsed());
    // Told, and noted as told, while the other one is still silent.
    let waits = "SELECT count(*) FROM logout_deliveries WHERE session_id = $1";
    let patience = Instant::now() + Patience::from_secs(20);
    let mut database = superuser_of(&database).await;
    while sqlx::query_scalar::<_, i64>(waits).bind(sid.0).fetch_one(&mut database).await.unwrap() > 0 {
        assert!(Instant::now() < patience, "it was never noted");
    }
    let (_, text) = crate::operations::get(&gateway, "/metrics").await;
    // Other tests count here, too, and move their clocks by hours: of all that is counted, serve.rs says that it was in time.
    for stage in ["gateway", "app"] {
        for series in [format!("count{{stage=\"{stage}\"}}"), format!("bucket{{stage=\"{stage}\",le=\"5\"}}")] {
            let count = measured(&text, &format!("gatehouse_deprovision_seconds_{series}"));
            assert!(count.is_some_and(|count| count >= 1.0), "{series}: {text}");
        }
    }
    worker.abort();
}
