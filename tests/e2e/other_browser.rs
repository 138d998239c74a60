//! A sign-in ends in the browser in which it began, whoever holds the answer.

use crate::{
    chromium::Chromium,
    simplesaml::Signs,
    stage::{Stage, answer_of},
};
use harness::browser::Browser;

#[tokio::test]
async fn the_last_step_of_a_sign_in_is_refused_in_another_browser() {
    let (stage, _idp) = Stage::with_simplesaml(Signs::Both).await;
    let (mine, other) = tokio::join!(Chromium::start(), Chromium::start());
    // The other browser is busy with a sign-in of its own, so it has a cookie, too.
    other.goto(&stage.bookmark()).await;
    other.see("#username").await;

    mine.goto(&stage.bookmark()).await;
    let finish = finish_url(&mine).await;
    other.goto(&finish).await;
    assert_eq!(other.code().await, "GH-SAML-905");
    other.goto(stage.app.base_url()).await;
    other.see("#sign-in").await;

    let fresh = Chromium::start().await;
    fresh.goto(&stage.bookmark()).await;
    let finish = finish_url(&fresh).await;
    fresh.goto(&finish).await;
    stage.sees_app_of(&fresh, &stage.sue()).await;
}

/// Brings the identity provider's answer without the browser and stops before the last step.
async fn finish_url(browser: &Chromium) -> String {
    let answer = answer_of(browser).await;
    let page = Browser::new().post(&answer.acs_url, &[("SAMLResponse", &answer.saml_response)]).await;
    page.redirect().to_owned()
}
