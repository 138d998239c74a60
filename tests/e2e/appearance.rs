//! What people see: pictures for the eye, and what no eye sees: policies, a quiet console, nothing wider than a phone.

use crate::{
    chromium::{Chromium, Complaint, Look},
    stage::Stage,
};
use harness::browser::Browser;
use simulator::directory::DirectoryUser;

#[tokio::test]
async fn every_page_is_styled_under_its_policy_without_complaints_and_fits_a_phone() {
    let stage = Stage::new().await;
    let gateway = stage.acme.gateway.url.clone();
    let cara = DirectoryUser::new(&format!("cara@{}", stage.acme.domain), "Cara", "Cooper").with_role("DEVELOPER");
    stage.acme.assign(&cara).await;
    let browser = Chromium::start().await;
    let organization = stage.acme.authorize_url(&[("tenant", None)]);
    let unknown = stage.acme.authorize_url(&[("tenant", Some("nobody"))]);

    browser.goto(&gateway).await;
    show(&browser, "start").await;
    is_styled(&browser).await;
    browser.goto(&organization).await;
    show(&browser, "login").await;
    is_styled(&browser).await;
    browser.goto(&unknown).await;
    show(&browser, "login-unknown-organization").await;
    browser.goto(&format!("{gateway}/t/nobody")).await;
    show(&browser, "error-not-set-up").await;
    is_styled(&browser).await;
    browser.goto(stage.app.base_url()).await;
    show(&browser, "app-start").await;
    browser.click("#sign-in").await;
    browser.see(".people").await;
    show(&browser, "idp").await;
    let stranger = DirectoryUser::new(&format!("sam@{}", stage.acme.domain), "Sam", "Stranger");
    stage.acme.idp.add_user(stranger.clone());
    browser.goto(&stage.bookmark()).await;
    stage.pick(&browser, &stranger).await;
    browser.see("details").await.click().await.unwrap();
    show(&browser, "error-unknown-user").await;
    browser.goto(&stage.bookmark()).await;
    stage.pick(&browser, &cara).await;
    stage.sees_app_of(&browser, &cara).await;
    show(&browser, "app-signed-in").await;
    browser.goto(stage.acme.idp.base_url()).await;
    show(&browser, "idp-directory").await;

    let mut complaints = browser.complaints().await;
    // Chromium notes the status of an error page; every other thing that does not load is a mistake.
    let error_pages = ["/oauth2/authorize?", "/t/nobody ", "/saml/finish?"];
    let is_error_page = |complaint: &Complaint| error_pages.iter().any(|page| complaint.message.contains(page));
    complaints.retain(|complaint| complaint.source != "network" || !is_error_page(complaint));
    assert!(complaints.is_empty(), "{complaints:#?}");
}

/// The name of an organization is asked for, and leads on.
#[tokio::test]
async fn somebody_who_names_the_organization_is_taken_to_its_identity_provider() {
    let stage = Stage::new().await;
    let browser = Chromium::start().await;
    browser.goto(&stage.acme.authorize_url(&[("tenant", None)])).await;
    browser.click("summary").await;
    browser.type_into("#tenant", "no-such-company").await;
    browser.click("#by-name").await;
    browser.see("[role=alert]").await;
    browser.see("#tenant[value=no-such-company][aria-invalid=true]").await;
    browser.type_into("#tenant", &stage.acme.slug).await;
    browser.click("#by-name").await;
    browser.see(".people").await;
    assert!(browser.url().await.starts_with(&stage.acme.idp.sso_url()), "{}", browser.url().await);
}

#[tokio::test]
async fn a_script_that_somebody_smuggles_into_a_page_does_not_run() {
    let stage = Stage::new().await;
    let gateway = &stage.acme.gateway.url;
    for url in [format!("{gateway}/"), stage.acme.authorize_url(&[("tenant", None)]), format!("{gateway}/t/nobody")] {
        let page = Browser::new().get(&url).await;
        let policy = page.headers.get("content-security-policy").unwrap_or_else(|| panic!("{url}")).to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{url}: {policy}");
    }
    let browser = Chromium::start().await;
    browser.goto(gateway).await;
    let smuggled = "document.body.append(Object.assign(document.createElement('script'), { text: 'window.ran = 1' }));
         return window.ran === undefined;";
    assert_eq!(browser.run(smuggled, &[]).await, true);
    let complaints = browser.complaints().await;
    let heard = complaints.iter().any(|complaint| complaint.message.contains("Content Security Policy"));
    assert!(heard, "the test would hear a violation: {complaints:#?}");
    browser.goto(stage.app.base_url()).await;
    assert_eq!(browser.run(smuggled, &[]).await, false, "the control: a page without a policy");
}

pub async fn show(browser: &Chromium, name: &str) {
    for look in [Look::Light, Look::Dark, Look::Phone] {
        browser.look(look).await;
        browser.picture(&format!("{name}-{}", format!("{look:?}").to_lowercase())).await;
    }
    let too_wide = browser.run("return document.documentElement.scrollWidth > innerWidth", &[]).await;
    assert_eq!(too_wide, false, "{name} is wider than a phone");
    browser.look(Look::Light).await;
}

/// The style sheet is in the page and its digest in the policy: a policy that lags behind would leave the page bare.
async fn is_styled(browser: &Chromium) {
    let radius = browser.run("return getComputedStyle(document.querySelector('main')).borderRadius", &[]).await;
    assert_eq!(radius, "12px");
}
