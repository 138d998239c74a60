//! The pages before and after a sign-in, in Chromium: for hands without a mouse, for eyes that do not see, in the dark, and
//! without scripts. axe looks at each of them.

use crate::{
    appearance::show,
    chromium::{Chromium, Look},
    stage::Stage,
};
use domain::{email::Email, ids::UserId};
use gateway::{
    oauth::settings::Settings,
    setup::{self, applications, people::Known, sessions, sessions::Entry},
};
use harness::customer::Customer;
use reqwest::Method;
use simulator::directory::DirectoryUser;
use std::sync::Arc;
use uuid::Uuid;

const LOGO: &[u8] = br##"<svg xmlns="http://www.w3.org/2000/svg" width="160" height="40"><rect width="40" height="40" rx="8" fill="#7a1fa2"/><text x="52" y="28" font-family="sans-serif" font-size="24" fill="#7a1fa2">Vendor</text></svg>"##;

/// Cara of Acme, whose application has a logo and a colour.
async fn stage() -> (Stage, DirectoryUser) {
    let stage = Stage::new().await;
    let (gateway, application) = (&stage.acme.gateway, &stage.acme.application);
    let (store, now) = (&gateway.app.store, gateway.clock.now());
    let back = format!("{}/", stage.app.base_url());
    let paint = |_: &mut _, settings: &mut Settings| {
        settings.colour = Some("#7a1fa2".to_owned());
        settings.post_logout_redirect_uris = vec![back];
    };
    applications::change(store, now, &application.slug, paint).await.unwrap();
    applications::set_logo(store, now, &application.slug, Some(LOGO.to_vec())).await.unwrap();
    let cara = DirectoryUser::new(&format!("cara@{}", stage.acme.domain), "Cara", "Cooper").with_role("DEVELOPER");
    stage.acme.assign(&cara).await;
    (stage, cara)
}

/// Everybody can use the page that is open, by day and by night.
async fn is_for_everybody(browser: &Chromium, name: &str) {
    show(browser, name).await;
    let mut grounds = Vec::new();
    for look in [Look::Light, Look::Dark, Look::Phone] {
        browser.look(look).await;
        grounds.push(browser.run("return getComputedStyle(document.body).backgroundColor", &[]).await);
        let violations = browser.violations().await;
        assert!(violations.is_empty(), "{name} {look:?}: {violations:#?}");
    }
    assert_ne!(grounds[0], grounds[1], "{name}: it is dark in the dark");
    browser.look(Look::Light).await;
}

#[tokio::test]
async fn everybody_can_use_every_page_of_a_sign_in() {
    let (stage, cara) = stage().await;
    let gateway = stage.acme.gateway.url.clone();
    let browser = Chromium::start().await;
    let login = stage.acme.authorize_url(&[("tenant", None), ("redirect_uri", None)]);
    let callback = format!("{}/callback", stage.app.base_url());
    let login = format!("{login}&redirect_uri={callback}");

    browser.goto(&gateway).await;
    is_for_everybody(&browser, "start").await;
    browser.goto(&login).await;
    is_for_everybody(&browser, "login-branded").await;
    browser.type_into("#email", "ann@nowhere.test").await;
    browser.press("\u{e007}").await;
    browser.see("[role=alert]").await;
    is_for_everybody(&browser, "login-unknown-address").await;
    browser.click("summary").await;
    browser.type_into("#tenant", "nobody").await;
    browser.click("#by-name").await;
    browser.see("#tenant-alert").await;
    is_for_everybody(&browser, "login-unknown-name").await;
    browser.goto(&format!("{login}&ui_locales=ja")).await;
    is_for_everybody(&browser, "login-japanese").await;
    browser.goto(&format!("{login}&ui_locales=en")).await;
    browser.goto(&format!("{gateway}/t/nobody")).await;
    is_for_everybody(&browser, "error-not-set-up").await;
    browser.goto(&format!("{gateway}/oauth2/authorize?client_id=nobody")).await;
    browser.click("summary").await;
    is_for_everybody(&browser, "error-request").await;

    // In through the login page, whose field has the focus, and back: the domain is remembered.
    browser.goto(stage.app.base_url()).await;
    browser.goto(&login).await;
    browser.press(&cara.email).await;
    browser.press("\u{e007}").await;
    stage.pick(&browser, &cara).await;
    browser.goto(&stage.acme.authorize_url(&[("tenant", None)])).await;
    is_for_everybody(&browser, "login-remembered").await;

    // Out: asked first, then signed out here and at the identity provider, and back in the application.
    let client = &stage.acme.application.client_id;
    let back = format!("{}%2F", stage.app.base_url().replace(':', "%3A").replace('/', "%2F"));
    let leave = format!("{gateway}/oauth2/logout?client_id={client}&post_logout_redirect_uri={back}");
    browser.goto(&leave).await;
    browser.reads("h1", "Sign out of Test app?").await;
    is_for_everybody(&browser, "sign-out-asked").await;
    browser.click("button").await;
    browser.see("#sign-in").await;
    assert_eq!(browser.url().await, format!("{}/", stage.app.base_url()));
    browser.goto(&format!("{gateway}/oauth2/logout?client_id={client}")).await;
    browser.reads("h1", "You are signed out.").await;
    is_for_everybody(&browser, "signed-out").await;
    browser.run("document.documentElement.removeAttribute('lang')", &[]).await;
    let heard = browser.violations().await;
    assert!(heard.iter().any(|violation| violation.starts_with("html-has-lang")), "the control: {heard:#?}");
}

#[tokio::test]
async fn everybody_can_use_invitations_passwords_and_the_pages_that_say_no() {
    let (stage, _) = stage().await;
    let (acme, gateway) = (&stage.acme, &stage.acme.gateway);
    let (store, now) = (&gateway.app.store, gateway.clock.now());
    let browser = Chromium::start().await;
    let other = Customer::of(gateway).await;
    let email = Email::parse(&format!("dan@{}", other.domain)).unwrap();
    let (_, code) = setup::invitations::invite(store, now, other.connection, &email).await.unwrap();
    let code = code.unwrap();
    browser.goto(&format!("{}/invite/{}", gateway.url, code.reveal())).await;
    is_for_everybody(&browser, "invitation").await;
    setup::invitations::invite(store, gateway.clock.now(), other.connection, &email).await.unwrap();
    browser.goto(&format!("{}/invite/{}", gateway.url, code.reveal())).await;
    assert_eq!(browser.code().await, "GH-INV-003");
    is_for_everybody(&browser, "invitation-over").await;

    let directory = Customer::with_passwords(gateway, acme.application.clone()).await;
    let ann = directory.user("ann");
    directory.assign_with_password(&ann, "correct horse").await;
    browser.goto(&format!("{}?login_hint={}", directory.url("/saml/login"), ann.email)).await;
    browser.see("#password").await;
    is_for_everybody(&browser, "password").await;
    // The address is there already, so the focus is where it is needed.
    browser.press("wrong").await;
    browser.press("\u{e007}").await;
    browser.see("[role=alert]").await;
    is_for_everybody(&browser, "password-wrong").await;
    browser.press("correct horse").await;
    browser.press("\u{e007}").await;
    browser.see("#name").await;
    assert!(browser.url().await.starts_with(stage.app.base_url()), "{}", browser.url().await);

    let suspended = Customer::of(gateway).await;
    sessions::suspend(store, now, suspended.tenant, None, Entry::Suspended).await.unwrap();
    browser.goto(&format!("{}/t/{}", gateway.url, suspended.slug)).await;
    assert_eq!(browser.code().await, "GH-CON-002");
    is_for_everybody(&browser, "error-suspended").await;
    let sam = DirectoryUser::new(&format!("sam@{}", acme.domain), "Sam", "Stranger");
    acme.idp.add_user(sam.clone());
    browser.goto(&stage.bookmark()).await;
    stage.pick(&browser, &sam).await;
    browser.see("details").await.click().await.unwrap();
    assert_eq!(browser.code().await, "GH-SAML-1004");
    is_for_everybody(&browser, "error-unassigned").await;
}

#[tokio::test]
async fn somebody_without_scripts_signs_in_all_the_same() {
    let (stage, cara) = stage().await;
    let browser = Chromium::start().await;
    let login = stage.acme.authorize_url(&[("tenant", None)]);
    browser.goto(&login).await;
    browser.scripts(false).await;
    browser.goto(&login).await;
    browser.type_into("#email", &cara.email).await;
    browser.click("button").await;
    stage.pick(&browser, &cara).await;
    // The identity provider's page posts its form by a script, which does not run: the person presses its button.
    if browser.url().await.starts_with(stage.acme.idp.base_url()) {
        browser.click("button").await;
    }
    browser.see("body").await;
    browser.scripts(true).await;
    browser.goto(&stage.bookmark()).await;
    stage.sees_app_of(&browser, &cara).await;
}

/// The bookmark of the Courier guide, clicked.
#[tokio::test]
async fn the_bookmark_of_the_courier_guide_ends_in_the_app() {
    let (stage, cara) = stage().await;
    let gateway = Arc::clone(&stage.acme.gateway);
    let (store, now) = (&gateway.app.store, gateway.clock.now());
    let provider = harness::gateway_process::unique("AcmeOkta");
    setup::aliases::add(store, now, stage.acme.tenant, Some(stage.acme.connection), &provider).await.unwrap();
    let bookmark = format!(
        "{}/oauth2/authorize?response_type=token&identity_provider={provider}&client_id={}\
         &redirect_uri=https%3A%2F%2Fapp.courier.com%2Flogin%2Fcallback\
         &scope=aws.cognito.signin.user.admin%20email%20openid%20profile",
        gateway.url, stage.acme.application.client_id
    );
    let browser = Chromium::start().await;
    browser.goto(&bookmark).await;
    stage.pick(&browser, &cara).await;
    stage.sees_app_of(&browser, &cara).await;
}

#[tokio::test]
async fn everybody_can_move_over_and_get_back_in() {
    let (stage, cara) = stage().await;
    let (acme, gateway) = (&stage.acme, &stage.acme.gateway);
    let (store, now) = (&gateway.app.store, gateway.clock.now());
    let browser = Chromium::start().await;
    let own = |_: &mut _, settings: &mut Settings| settings.own_login_uri = Some(stage.app.base_url().to_owned());
    applications::change(store, now, &acme.application.slug, own).await.unwrap();
    setup::moving::both(store, now, acme.tenant).await.unwrap();
    browser.goto(&acme.authorize_url(&[("tenant", None)])).await;
    browser.type_into("#email", &cara.email).await;
    browser.press("\u{e007}").await;
    browser.reads("h1", "How do you want to sign in?").await;
    is_for_everybody(&browser, "ways").await;
    browser.click(".button").await;
    browser.see(".people").await;
    assert!(browser.url().await.starts_with(&acme.idp.sso_url()), "{}", browser.url().await);

    // A link of one's own.
    let email = Email::parse(&format!("dan@{}", acme.domain)).unwrap();
    let dan = UserId(Uuid::new_v4());
    let known = Known { id: Some(dan), email, display_name: None, method: None };
    setup::people::import(store, now, acme.tenant, &[known]).await.unwrap();
    let (_, code) = setup::invitations::link(store, now, acme.connection, dan).await.unwrap();
    browser.goto(&format!("{}/invite/{}", gateway.url, code.reveal())).await;
    browser.reads("h1", "Link your company account").await;
    is_for_everybody(&browser, "link").await;

    // A code, typed as it is printed: wrong at first.
    browser.goto(&acme.url("/break-glass")).await;
    is_for_everybody(&browser, "break-glass").await;
    let accounts = acme.scim(Method::GET, "/Users", None).await.document(200);
    let account = accounts["Resources"][0]["id"].as_str().unwrap().parse().unwrap();
    let codes = setup::break_glass::create(store, now, acme.connection, account).await.unwrap();
    browser.type_into("#email", &cara.email).await;
    browser.type_into("#code", "0000-0000-0000-0000-0000").await;
    browser.press("\u{e007}").await;
    browser.see("[role=alert]").await;
    is_for_everybody(&browser, "break-glass-wrong").await;
    browser.type_into("#code", &codes[0]).await;
    browser.press("\u{e007}").await;
    stage.sees_app_of(&browser, &cara).await;
}
