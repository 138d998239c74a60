//! Universal Logout: Okta wants everything of a user to end.

use super::{leaving::enter, telling::with_door};
use gateway::{
    saml::settings::{Jit, Settings, UniversalLogout},
    setup,
};
use harness::{browser::Browser, customer::Customer, signer::OktaOrg};
use reqwest::StatusCode;
use serde_json::{Value, json};

/// Sets Universal Logout up with that organization's keys.
pub(super) async fn trusts(acme: &Customer, org: &OktaOrg, subject: Option<&str>) {
    let (issuer, subject) = (org.issuer.clone(), subject.map(str::to_owned));
    let heed = |settings: &mut Settings, _: &mut bool| {
        settings.universal_logout = Some(UniversalLogout { issuer, jwks_url: None, subject });
    };
    let (store, now) = (&acme.gateway.app.store, acme.gateway.clock.now());
    setup::sign_in::set(store, now, acme.connection, heed).await.unwrap();
}

#[tokio::test]
async fn universal_logout_believes_only_the_organizations_own_key_for_this_endpoint_once() {
    let (story, _door) = with_door().await;
    let (acme, org, stranger) = (&story.acme, OktaOrg::start().await, OktaOrg::start().await);
    let by_email = json!({ "format": "email", "email": story.ann.email });
    let unset = org.calls(acme, &org.token(acme), by_email.clone()).await;
    assert_eq!((unset.status, &unset.body["error"]), (StatusCode::FORBIDDEN, &json!("access_denied")));
    trusts(acme, &org, Some("0oa1")).await;
    let tokens = story.tokens().await;
    let second = acme.gateway.clock.now().unix_timestamp();
    let with = |name: &str, value: Value| {
        let mut claims = org.claims(acme);
        claims[name] = value;
        org.signer.sign("global-token-revocation+jwt", &claims)
    };
    let refused = [
        ("a stranger's key", stranger.signer.sign("global-token-revocation+jwt", &org.claims(acme))),
        ("another kind of token", org.signer.sign("JWT", &org.claims(acme))),
        ("another endpoint", with("aud", json!(acme.url("/saml/acs")))),
        ("another organization", with("iss", json!("https://evil.okta.com"))),
        ("another app", with("sub", json!("0oa2"))),
        ("it is over", with("exp", json!(second - 600))),
        ("it lasts too long", with("exp", json!(second + 3_600))),
        ("without a name", with("jti", Value::Null)),
        ("rubbish", "a.b.c".to_owned()),
    ];
    for (what, token) in refused {
        let answer = org.calls(acme, &token, by_email.clone()).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{what}: {}", answer.body);
    }
    assert_eq!(
        org.asked(),
        1,
        "only what could be true makes us ask for keys, and a key that is not there not at once again"
    );
    for (subject, status) in [
        (json!({ "format": "email", "email": "nobody@nowhere.test" }), 404),
        (json!({ "format": "iss_sub", "iss": "https://evil.okta.com", "sub": story.ann.id }), 404),
        (json!({ "format": "phone_number", "phone_number": "+1" }), 422),
        (json!({ "format": "email" }), 400),
        (json!("ann"), 400),
    ] {
        let answer = org.calls(acme, &org.token(acme), subject.clone()).await;
        assert_eq!(answer.status.as_u16(), status, "{subject}: {}", answer.body);
    }
    assert!(acme.is_active(tokens.text("access_token")).await, "nothing has ended yet");
    let token = org.token(acme);
    let by_id = json!({ "format": "iss_sub", "iss": org.issuer, "sub": story.ann.id });
    assert_eq!(org.calls(acme, &token, by_id.clone()).await.status, StatusCode::NO_CONTENT);
    assert!(!acme.is_active(tokens.text("access_token")).await);
    let tokens = enter(&story, &Browser::new()).await;
    let by_saml = json!({ "format": "iss_sub", "iss": acme.idp.entity_id(), "sub": story.ann.user_name });
    assert_eq!(org.calls(acme, &org.token(acme), by_saml).await.status, StatusCode::NO_CONTENT);
    assert!(!acme.is_active(tokens.text("access_token")).await, "by the names that stand in assertions");
    let again = enter(&story, &Browser::new()).await;
    assert_eq!(org.calls(acme, &token, by_id).await.status, StatusCode::UNAUTHORIZED, "a token works once");
    assert!(acme.is_active(again.text("access_token")).await);
    // An assertion from before the call opens nothing after it.
    let browser = Browser::new();
    let posted = acme.to_idp(&browser, &story.ann.email).await;
    let waiting = acme.post_response(&browser, &posted.saml_response).await;
    assert_eq!(org.calls(acme, &org.token(acme), by_email).await.status, StatusCode::NO_CONTENT);
    let page = browser.get(waiting.redirect()).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.shown());
}

#[tokio::test]
async fn keys_are_asked_for_once_however_many_call_and_however_it_goes() {
    let (story, _door) = with_door().await;
    let (acme, org) = (&story.acme, OktaOrg::start().await);
    trusts(acme, &org, None).await;
    let nobody = json!({ "format": "email", "email": "nobody@nowhere.test" });
    let call = async || org.calls(acme, &org.token(acme), nobody.clone()).await.status;
    org.fails(true);
    for status in [call().await, call().await] {
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    }
    assert_eq!(org.asked(), 1, "what failed is not tried again at once");
    let org = OktaOrg::start().await;
    trusts(acme, &org, None).await;
    let call = async || org.calls(acme, &org.token(acme), nobody.clone()).await.status;
    let eight = futures_util::future::join_all((0..8).map(|_| call())).await;
    assert_eq!(eight, [StatusCode::NOT_FOUND; 8]);
    assert_eq!(org.asked(), 1);
}

/// An answer that waits to be collected is none any more, under whatever name it comes.
#[tokio::test]
async fn nobody_keeps_a_sign_in_for_later() {
    let (story, _door) = with_door().await;
    let (acme, org) = (&story.acme, OktaOrg::start().await);
    trusts(acme, &org, None).await;
    let (bob, subject) = (acme.user("bob"), |email: &str| json!({ "format": "email", "email": email }));
    acme.assign(&bob).await;
    let waiting = acme.waiting(&bob).await;
    // The first time somebody comes under another name than the directory's: the address tells who it is.
    let other = waiting.honest().name_id("00u-other").attribute("email", &bob.email);
    let page = acme.post_response(&waiting.browser, &waiting.signed(&other)).await;
    assert_eq!(org.calls(acme, &org.token(acme), subject(&bob.email)).await.status, StatusCode::NO_CONTENT);
    let refused = waiting.browser.get(page.redirect()).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::FORBIDDEN, Some("GH-SAML-909")), "{}", refused.shown());
    acme.gateway.clock.advance(time::Duration::SECOND);
    let waiting = acme.waiting(&bob).await;
    waiting.gets_in(&waiting.signed(&waiting.honest().name_id("00u-other").attribute("email", &bob.email))).await;
    // Nor does somebody who would be there only then.
    let newcomers = Customer::of(&acme.gateway).await;
    trusts(&newcomers, &org, None).await;
    crate::saml::modes::set(&newcomers, |settings| settings.jit = Jit::Create).await;
    for (name, opaque) in [("eve", None), ("fay", Some("00u-fay"))] {
        let user = newcomers.user(name);
        newcomers.idp.add_user(user.clone());
        let waiting = newcomers.waiting(&user).await;
        let response = match opaque {
            Some(opaque) => waiting.honest().name_id(opaque).edit(&user.email, &user.email.to_uppercase()),
            None => waiting.honest(),
        };
        let page = newcomers.post_response(&waiting.browser, &waiting.signed(&response)).await;
        newcomers.gateway.clock.advance(time::Duration::SECOND);
        let answer = org.calls(&newcomers, &org.token(&newcomers), subject(&user.email)).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        let refused = waiting.browser.get(page.redirect()).await;
        assert_eq!(refused.code(), Some("GH-SAML-909"), "{name}: {}", refused.shown());
        newcomers.gateway.clock.advance(time::Duration::SECOND);
        newcomers.sign_in(&Browser::new(), &user.email).await;
    }
}

/// A call that finds nobody waits for whoever is getting in for the first time at this moment, and finds them then.
#[tokio::test]
async fn nobody_slips_in_while_the_call_is_answered() {
    let (story, _door) = with_door().await;
    let (acme, org) = (&story.acme, OktaOrg::start().await);
    trusts(acme, &org, None).await;
    crate::saml::modes::set(acme, |settings| settings.jit = Jit::Create).await;
    let now = acme.gateway.clock.now();
    let mut getting_in = acme.gateway.app.tenant(acme.tenant, store::scope::Actor::Browser, now).await.unwrap();
    store::logouts::lock_sign_in(&mut getting_in, acme.connection, "gil").await.unwrap();
    let subject = json!({ "format": "email", "email": "gil@nowhere.test" });
    let token = org.token(acme);
    let mut calling = std::pin::pin!(org.calls(acme, &token, subject));
    let patience = std::time::Duration::from_millis(300);
    assert!(tokio::time::timeout(patience, &mut calling).await.is_err(), "it waits");
    let gil = json!({ "userName": "gil@nowhere.test", "emails": [{ "value": "gil@nowhere.test", "primary": true }] });
    acme.scim(reqwest::Method::POST, "/Users", Some(gil)).await.document(201);
    getting_in.commit().await.unwrap();
    assert_eq!(calling.await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn who_has_never_signed_in_is_kept_out_too() {
    let (story, _door) = with_door().await;
    let (acme, org) = (&story.acme, OktaOrg::start().await);
    trusts(acme, &org, None).await;
    let bob = acme.user("bob");
    acme.assign(&bob).await;
    let browser = Browser::new();
    let posted = acme.to_idp(&browser, &bob.email).await;
    let subject = json!({ "format": "email", "email": bob.email });
    acme.gateway.clock.advance(time::Duration::SECOND);
    assert_eq!(org.calls(acme, &org.token(acme), subject).await.status, StatusCode::NO_CONTENT);
    let page = acme.post_response(&browser, &posted.saml_response).await;
    let page = if page.location.is_some() { browser.get(page.redirect()).await } else { page };
    assert_eq!(page.status, StatusCode::FORBIDDEN, "an assertion from before: {}", page.shown());
    acme.gateway.clock.advance(time::Duration::SECOND);
    acme.sign_in(&Browser::new(), &bob.email).await;
}
