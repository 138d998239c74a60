//! What an IT admin can see of sign-ins, and what nobody can.

use super::{acme_with_ann, beside, modes};
use base64::{Engine, engine::general_purpose::STANDARD};
use harness::{browser::Browser, customer::Customer};
use saml::idp::IdpCertificate;
use serde_json::json;
use simulator::{directory::DirectoryUser, idp::response::Sign};
use store::{
    scope::{Actor, Scope},
    sign_in_steps::{self, Show, Step},
};
use time::Duration;

/// The steps of the connection, oldest first.
pub async fn steps(acme: &Customer) -> Vec<Step> {
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

/// Nobody has to be anybody to begin a sign-in, and one answer can be sent for ever.
#[tokio::test]
async fn a_flood_pushes_nothing_out_of_the_log_and_fills_no_outbox() {
    let (acme, ann) = acme_with_ann().await;
    for _ in 0..150 {
        Browser::new().get(&acme.url("/saml/login")).await;
    }
    let asked = steps(&acme).await.len();
    assert!((100..=120).contains(&asked), "{asked}");
    let waiting = acme.waiting(&ann).await;
    let old = waiting.signed(&waiting.honest());
    waiting.gets_in(&old).await;
    let other = waiting.signed(&waiting.honest().audience("https://other.test"));
    let before = acme.events("login.failed").await.len();
    for _ in 0..75 {
        acme.post_response(&Browser::new(), &old).await;
        acme.post_response(&Browser::new(), &other).await;
    }
    let told = acme.events("login.failed").await.split_off(before);
    let codes: Vec<&str> = told.iter().map(|event| event["data"]["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["GH-SAML-906", "GH-SAML-811"], "each once");
    let refused = steps(&acme).await.iter().filter(|step| step.code != "ok").count();
    assert!((100..=120).contains(&refused), "{refused}");
}

#[tokio::test]
async fn the_reference_on_the_page_leads_to_the_story() {
    let (acme, ann) = acme_with_ann().await;
    let waiting = acme.waiting(&ann).await;
    let page =
        waiting.is_refused(&waiting.signed(&waiting.honest().audience("https://other.test")), "GH-SAML-811").await;
    let reference = page.reference().unwrap().to_owned();
    let steps = steps(&acme).await;
    let found: Vec<&Step> = steps.iter().filter(|step| step.reference.as_ref() == Some(&reference)).collect();
    assert_eq!(found.len(), 1, "{steps:?}");
    assert_eq!(found[0].received.as_deref(), Some("https://other.test"));
    // What a stranger calls an attempt is none.
    for name in ["x&#10;code  ok", "_one"] {
        let forged = waiting.honest().sign(Sign::Nothing).in_response_to("_x").edit("\"_x\"", &format!("\"{name}\""));
        acme.post_response(&Browser::new(), &waiting.signed(&forged)).await;
        acme.gateway.clock.advance(Duration::seconds(1));
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    let steps = self::steps(&acme).await;
    let names: Vec<&str> =
        steps.iter().map(|step| step.attempt.as_str()).filter(|name| *name != waiting.request.id).collect();
    assert_eq!(names, ["-", "-"]);
}

#[tokio::test]
async fn what_was_encrypted_is_told_while_a_test_is_on() {
    let (acme, ann) = acme_with_ann().await;
    let certificate = Browser::new().get(&acme.url("/saml/certificate")).await.text;
    let certificate = IdpCertificate::from_pem_or_base64(&certificate).unwrap().der().to_vec();
    for is_on in [true, false] {
        let until = is_on.then(|| acme.gateway.clock.now() + Duration::minutes(10));
        modes::set(&acme, |settings| settings.test_until = until).await;
        let waiting = acme.waiting(&ann).await;
        let sealed = waiting.honest().encrypt_for(&certificate);
        waiting.gets_in(&waiting.signed(&sealed)).await;
        let steps = steps(&acme).await;
        let answered = steps.iter().rfind(|step| step.step == "answered").unwrap().message.clone().unwrap();
        assert!(answered.contains("EncryptedData"));
        assert_eq!(answered.contains(&ann.email), is_on, "{answered}");
    }
}

/// As Okta's custom app, Courier's guide and Entra name them.
#[tokio::test]
async fn the_usual_names_of_attributes_are_understood() {
    let (acme, ann) = acme_with_ann().await;
    let claims = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims";
    let microsoft = "http://schemas.microsoft.com/ws/2008/06/identity/claims";
    let okta = ["email", "firstName", "lastName", "displayName", "groups", "role"].map(str::to_owned);
    let entra = [
        format!("{claims}/emailaddress"),
        format!("{claims}/givenname"),
        format!("{claims}/surname"),
        "http://schemas.microsoft.com/identity/claims/displayname".to_owned(),
        format!("{microsoft}/groups"),
        format!("{microsoft}/role"),
    ];
    let fields = ["email", "given_name", "family_name", "display_name", "groups", "role"];
    let ann = DirectoryUser { role: None, ..ann };
    for names in [okta, entra] {
        let waiting = acme.waiting(&ann).await;
        let [first, last] = ["firstName", "lastName"].map(|name| format!("Name=\"{name}\""));
        let [to_email, to_first, to_last] = [0, 1, 2].map(|place| format!("Name=\"{}\"", names[place]));
        let renamed = waiting.honest().edit("Name=\"email\"", &to_email).edit(&first, &to_first).edit(&last, &to_last);
        let response = names[3..].iter().fold(renamed, |response, name| response.attribute(name, "value"));
        waiting.gets_in(&waiting.signed(&response)).await;
        let steps = steps(&acme).await;
        let understood = steps.iter().rfind(|step| step.step == "answered").unwrap().understood.clone().unwrap();
        let from = fields.map(|field| understood[field]["from"].as_str().unwrap_or_default().to_owned());
        assert_eq!(from, names, "{understood}");
    }
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

/// Whoever has got hold of a good message can send it all day, and pushes nothing out that was logged before.
#[tokio::test]
async fn what_comes_again_and_again_is_not_told_again_and_again() {
    const POSTS: usize = 130;
    let (acme, ann) = acme_with_ann().await;
    let response = modes::unasked(&acme, &ann).encode(acme.idp.key()).unwrap();
    let browser = Browser::new();
    for _ in 0..POSTS {
        let page = acme.post_response(&browser, &response).await;
        assert_eq!(page.redirect(), acme.url("/saml/restart"));
    }
    acme.sign_in(&browser, &ann.email).await;
    let page = browser.send(|http| http.post(acme.url("/saml/logout"))).await;
    let asked = acme.idp.read_logout(page.redirect(), "SAMLRequest").unwrap();
    let answer = acme.idp.answer_logout(&asked).unwrap();
    for _ in 0..POSTS {
        browser.get(&answer).await;
    }
    let steps = steps(&acme).await;
    let count = |step: &str| steps.iter().filter(|told| told.step == step).count();
    let repeats = count("answered without a request, and sent back with one") + count("logout answered");
    assert!((100..POSTS).contains(&repeats), "{repeats}");
    assert_eq!(count("signed in"), 1);
}
