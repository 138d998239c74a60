//! What else SimpleSAMLphp does: encryption, sign-in from its side, logout from both, and keys that change.

use crate::{
    chromium::Chromium,
    simplesaml::{PASSWORD, Signs},
    stage::{Stage, answer_to, fill_in},
};
use gateway::{
    outbound::Version,
    saml::settings::{IdpInitiated, Settings},
    setup::{self, idp::Found, sp_keys::Signing},
    watch::{self, Asked, Place},
};
use harness::browser::Browser;
use saml::{idp::IdentityProvider, outgoing::Binding, sp_key::KeyAlgorithm};
use time::Duration;

async fn set(stage: &Stage, change: impl FnOnce(&mut Settings)) {
    let gateway = &stage.acme.gateway;
    let (store, now) = (&gateway.app.store, gateway.clock.now());
    setup::sign_in::set(store, now, stage.acme.connection, |settings, _| change(settings)).await.unwrap();
}

/// Signs in for the first time in this browser.
async fn signs_in(stage: &Stage, browser: &Chromium) {
    browser.goto(&stage.bookmark()).await;
    fill_in(browser, PASSWORD).await;
    browser.click("#submit_button").await;
    stage.sees_app_of(browser, &stage.sue()).await;
}

/// Whether the app's next question is answered without the identity provider.
async fn is_known(stage: &Stage, browser: &Chromium) -> bool {
    browser.goto(&stage.acme.authorize_url(&[("prompt", Some("none"))])).await;
    let url = browser.url().await;
    assert!(url.starts_with(stage.app.base_url()), "{url}");
    !url.contains("login_required") && !browser.text().await.contains("login_required")
}

#[tokio::test]
async fn simplesamlphp_encrypts_the_assertion_and_the_name() {
    for (signs, settings) in [
        (Signs::Both, "'assertion.encryption' => true"),
        (Signs::Assertion, "'assertion.encryption' => true"),
        (Signs::Both, "'nameid.encryption' => true"),
    ] {
        let (stage, idp) = Stage::with_simplesaml(signs).await;
        idp.set_up(settings);
        let browser = Chromium::start().await;
        signs_in(&stage, &browser).await;
        let request = Browser::new().get(&stage.bookmark()).await;
        browser.goto(&idp.base_url).await;
        let xml = answer_to(&browser, request.redirect()).await.xml();
        let sealed = if settings.contains("nameid") { "<saml:EncryptedID" } else { "<saml:EncryptedAssertion" };
        assert!(xml.contains(sealed) && !xml.contains(&format!(">{}</saml:NameID>", stage.sue().email)), "{xml}");
    }
}

#[tokio::test]
async fn simplesamlphp_begins_and_the_connections_mode_decides() {
    let (stage, idp) = Stage::with_simplesaml(Signs::Both).await;
    let tile = idp.tile(&stage.acme.url(""), "");
    // restart: its answer is not trusted, ours is asked for and given.
    let browser = Chromium::start().await;
    browser.goto(&tile).await;
    fill_in(&browser, PASSWORD).await;
    browser.click("#submit_button").await;
    stage.sees_app_of(&browser, &stage.sue()).await;

    set(&stage, |settings| settings.idp_initiated = IdpInitiated::Accept).await;
    let browser = Chromium::start().await;
    browser.goto(&tile).await;
    fill_in(&browser, PASSWORD).await;
    browser.click("#submit_button").await;
    stage.sees_app_of(&browser, &stage.sue()).await;

    set(&stage, |settings| settings.idp_initiated = IdpInitiated::Off).await;
    browser.goto(&tile).await;
    assert_eq!(browser.code().await, "GH-SAML-907");
}

#[tokio::test]
async fn who_signs_out_here_is_signed_out_of_simplesamlphp() {
    let (stage, idp) = Stage::with_simplesaml(Signs::Both).await;
    let browser = Chromium::start().await;
    signs_in(&stage, &browser).await;
    browser.goto(&stage.acme.url("/saml/logout")).await;
    browser.picture("sign-out").await;
    browser.click("button").await;
    browser.reads("h1", "You are signed out.").await;
    assert!(browser.url().await.starts_with(&stage.acme.url("/saml/slo?SAMLResponse=")), "{}", browser.url().await);
    browser.picture("signed-out").await;
    browser.goto(&stage.bookmark()).await;
    browser.see("#username").await;
    assert!(browser.url().await.starts_with(&idp.base_url), "it asks for the password again");
    assert!(!is_known(&stage, &browser).await);
}

#[tokio::test]
async fn who_signs_out_of_simplesamlphp_is_signed_out_here() {
    let (stage, idp) = Stage::with_simplesaml(Signs::Both).await;
    let browser = Chromium::start().await;
    signs_in(&stage, &browser).await;
    assert!(is_known(&stage, &browser).await);
    browser.goto(&idp.sign_out()).await;
    assert!(browser.url().await.starts_with(&idp.base_url), "{}", browser.url().await);
    assert!(!is_known(&stage, &browser).await);
    let events = stage.acme.events("session.revoked").await;
    assert_eq!(events.last().unwrap()["data"]["reason"], "logged_out");
    // Not somebody else's browser: a logout that is not signed by it ends nothing.
    signs_in(&stage, &browser).await;
    browser.goto(&stage.acme.url("/saml/slo?SAMLRequest=AAAA")).await;
    assert!(browser.code().await.starts_with("GH-SAML-"));
    assert!(is_known(&stage, &browser).await);
}

#[tokio::test]
async fn requests_and_logouts_go_by_form_where_simplesamlphp_is_asked_so() {
    let (stage, idp) = Stage::with_simplesaml(Signs::Both).await;
    let mut provider = IdentityProvider::from_metadata(&idp.metadata().await).unwrap();
    provider.sso.binding = Binding::Post;
    provider.slo.as_mut().expect("it has a logout service").endpoint.binding = Binding::Post;
    let gateway = &stage.acme.gateway;
    setup::idp::set(&gateway.app.store, gateway.clock.now(), stage.acme.connection, &provider).await.unwrap();
    set(&stage, |settings| settings.force_authn = true).await;
    let browser = Chromium::start().await;
    signs_in(&stage, &browser).await;
    // ForceAuthn: it asks again although it knows her.
    browser.goto(&stage.acme.authorize_url(&[("prompt", Some("login"))])).await;
    browser.see("#username").await;
    browser.goto(&stage.acme.url("/saml/logout")).await;
    browser.click("button").await;
    browser.reads("h1", "You are signed out.").await;
    assert!(!is_known(&stage, &browser).await);
}

/// A key that follows, one of another kind, and one of SimpleSAMLphp's own: nobody is kept out at any step.
#[tokio::test]
async fn keys_change_on_both_sides_and_no_sign_in_fails() {
    let (stage, idp) = Stage::with_simplesaml(Signs::Both).await;
    idp.set_up("'assertion.encryption' => true");
    let gateway = &stage.acme.gateway;
    let (app, connection) = (&gateway.app, stage.acme.connection);
    let step = async |what: &str| {
        let browser = Chromium::start().await;
        signs_in(&stage, &browser).await;
        println!("{what}: in");
    };
    step("before").await;
    let now = gateway.clock.now();
    setup::sp_keys::rotate(
        &app.store,
        now,
        &app.vault,
        connection,
        KeyAlgorithm::Rsa3072,
        Signing::From(now + Duration::DAY),
    )
    .await
    .unwrap();
    step("published, unknown to it").await;
    let metadata = reqwest::get(stage.acme.url("/saml/metadata")).await.unwrap().text().await.unwrap();
    idp.trust(&metadata);
    idp.set_up("'assertion.encryption' => true");
    step("published, known to it").await;
    let now = gateway.clock.now();
    setup::sp_keys::rotate(&app.store, now, &app.vault, connection, KeyAlgorithm::Rsa3072, Signing::AtOnce)
        .await
        .unwrap();
    let metadata = reqwest::get(stage.acme.url("/saml/metadata")).await.unwrap().text().await.unwrap();
    idp.trust(&metadata);
    idp.set_up("'assertion.encryption' => true");
    idp.trust(&only_the_newest_of(&metadata));
    idp.set_up("'assertion.encryption' => true");
    step("the new one signs").await;

    let old = IdentityProvider::from_metadata(&idp.metadata().await).unwrap();
    idp.make_key();
    let renewed = IdentityProvider::from_metadata(&idp.metadata().await).unwrap();
    assert_ne!(old.certificates, renewed.certificates);
    let both = IdentityProvider { certificates: [old.certificates, renewed.certificates].concat(), ..renewed };
    setup::idp::set(&app.store, gateway.clock.now(), connection, &both).await.unwrap();
    step("its own key is another").await;

    let (url, outbound) = (idp.metadata_url(), &app.config.outbound);
    let found = setup::idp::fetch(&url, &Version::default(), outbound, gateway.clock.now()).await.unwrap();
    let Found::Other(metadata) = found else { panic!("no metadata came") };
    setup::idp::follow(&app.store, gateway.clock.now(), connection, &url, *metadata).await.unwrap();
    idp.make_key();
    let place = Place { store: &app.store, limits: outbound, tenant: stage.acme.tenant, connection };
    assert_eq!(watch::look(&place, gateway.clock.now(), &Asked::Daily).await.unwrap(), None);
    step("its own key is another, and its metadata were read again").await;
}

/// Metadata without the certificates behind the first one that signs.
fn only_the_newest_of(metadata: &str) -> String {
    let start = "<md:KeyDescriptor use=\"signing\">";
    let (head, rest) = metadata.split_once(start).unwrap();
    let (first, rest) = rest.split_once("</md:KeyDescriptor>").unwrap();
    let encryption = rest.find("<md:KeyDescriptor use=\"encryption\">").unwrap();
    format!("{head}{start}{first}</md:KeyDescriptor>{}", &rest[encryption..])
}
