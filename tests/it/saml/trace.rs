//! What an IT admin can see of sign-ins, and what nobody can.

use super::{acme_with_ann, beside, modes};
use base64::{Engine, engine::general_purpose::STANDARD};
use harness::{browser::Browser, customer::Customer};
use serde_json::json;
use simulator::idp::response::Sign;
use store::{
    scope::{Actor, Scope},
    sign_in_steps::{self, Show, Step},
};
use time::Duration;

/// The steps of the connection, oldest first.
async fn steps(acme: &Customer) -> Vec<Step> {
    let (app, now) = (&acme.gateway.app, acme.gateway.clock.now());
    app.steps.flush().await;
    let mut tx = app.store.tenant(Scope { tenant: acme.tenant, actor: Actor::Operator, now }).await.unwrap();
    let mut steps = sign_in_steps::list(&mut tx, acme.connection, Show::All, 1_000).await.unwrap();
    tx.rollback().await.unwrap();
    steps.reverse();
    steps
}

fn told(steps: &[Step]) -> Vec<(&str, &str)> {
    steps.iter().map(|step| (step.step.as_str(), step.code.as_str())).collect()
}

#[tokio::test]
async fn each_attempt_is_told_step_by_step_without_what_it_says_of_the_person() {
    let (acme, ann) = acme_with_ann().await;
    let waiting = acme.waiting(&ann).await;
    let spoiled = waiting.honest().attribute("badge", "canary-4711").audience("https://other.test");
    waiting.is_refused(&waiting.signed(&spoiled), "GH-SAML-811").await;
    waiting.gets_in(&waiting.signed(&waiting.honest().attribute("groups", "canary-4712"))).await;
    let steps = steps(&acme).await;
    let id = &waiting.request.id;
    assert!(steps.iter().all(|step| &step.attempt == id), "{steps:?}");
    assert_eq!(
        told(&steps),
        [("asked", "ok"), ("meaning", "GH-SAML-811"), ("answered", "ok"), ("signed in", "ok")],
        "{steps:?}"
    );
    let [asked, refused, answered, signed_in] = steps.as_slice() else { unreachable!() };
    assert!(asked.message.as_deref().unwrap().contains("AuthnRequest"));
    assert_eq!(refused.expected.as_deref(), Some(acme.url("").as_str()));
    assert_eq!(refused.received.as_deref(), Some("https://other.test"));
    let message = refused.message.as_deref().unwrap();
    for part in ["https://other.test</", "Name=\"badge\"", "[11 characters]", id] {
        assert!(message.contains(part), "{part}: {message}");
    }
    let understood = answered.understood.as_ref().unwrap();
    assert_eq!(understood["email"], json!({ "from": "email", "values": 1 }));
    assert_eq!(understood["groups"], json!({ "from": "groups", "values": 1 }));
    assert_eq!((signed_in.address.as_str(), signed_in.message.as_deref()), ("127.0.0.1", None));
    let all = format!("{steps:?}");
    assert!(!all.contains("canary") && !all.contains(&ann.email) && !all.contains(&ann.first_name), "{all}");
    uppsala_reads(message);
}

fn uppsala_reads(xml: &str) {
    let encoded = STANDARD.encode(xml);
    saml::trace::kept(&encoded, false).expect("what is kept reads as XML");
}

#[tokio::test]
async fn while_a_test_is_on_the_contents_are_kept_and_then_no_more() {
    let (acme, ann) = acme_with_ann().await;
    let until = acme.gateway.clock.now() + Duration::minutes(10);
    modes::set(&acme, |settings| settings.test_until = Some(until)).await;
    for is_on in [true, false] {
        let waiting = acme.waiting(&ann).await;
        waiting.gets_in(&waiting.signed(&waiting.honest())).await;
        let steps = steps(&acme).await;
        let answered = steps.iter().rfind(|step| step.step == "answered").unwrap();
        assert_eq!(answered.message.as_deref().unwrap().contains(&ann.email), is_on);
        assert_eq!(answered.understood.as_ref().unwrap().to_string().contains(&ann.email), is_on);
        acme.gateway.clock.advance(Duration::minutes(10));
    }
}

#[tokio::test]
async fn strangers_fill_no_log_and_other_connections_see_none_of_it() {
    let (acme, ann) = acme_with_ann().await;
    let sibling = beside(&acme).await;
    let waiting = acme.waiting(&ann).await;
    let unsigned = waiting.signed(&waiting.honest().sign(Sign::Nothing));
    for _ in 0..20 {
        acme.post_response(&Browser::new(), &unsigned).await;
        acme.post_response(&Browser::new(), "not base64!").await;
        Browser::new().get(&acme.url("/saml/slo?SAMLRequest=x")).await;
    }
    let known = steps(&acme).await;
    assert!((2..=10).contains(&known.len()), "{:?}", told(&known));
    assert!(known.iter().all(|step| !format!("{step:?}").contains(&ann.email)));
    assert_eq!(steps(&sibling).await, []);
}

#[tokio::test]
async fn refusals_of_the_user_and_logouts_are_told_too() {
    let (acme, ann) = acme_with_ann().await;
    let bob = acme.user("bob");
    let waiting = acme.waiting(&bob).await;
    waiting.is_refused_at_finish(&waiting.signed(&waiting.honest()), "GH-SAML-1004").await;
    let browser = Browser::new();
    acme.sign_in(&browser, &ann.email).await;
    let page = browser.send(|http| http.post(acme.url("/saml/logout"))).await;
    let asked = acme.idp.read_logout(page.redirect(), "SAMLRequest").unwrap();
    browser.get(&acme.idp.answer_logout(&asked).unwrap()).await;
    let steps = steps(&acme).await;
    let told = told(&steps);
    for step in [("who the user is", "GH-SAML-1004"), ("signed in", "ok"), ("logout answered", "ok")] {
        assert!(told.contains(&step), "{step:?} is not in {told:?}");
    }
}
