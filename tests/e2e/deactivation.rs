//! Deactivated means out, before the user's eyes.

use crate::{chromium::Chromium, stage::Stage};
use serde_json::Value;
use simulator::{directory::DirectoryUser, okta::Style};
use std::time::{SystemTime, UNIX_EPOCH};

#[tokio::test]
async fn the_open_page_of_a_deactivated_user_says_so_and_a_new_sign_in_is_refused_until_she_is_back() {
    let stage = Stage::new().await;
    let mut ann = DirectoryUser::new(&format!("ann@{}", stage.acme.domain), "Ann", "Archer").with_role("MANAGER");
    ann.remote_id = Some(stage.acme.assign(&ann).await);
    let browser = Chromium::start().await;
    browser.goto(stage.app.base_url()).await;
    browser.click("#sign-in").await;
    stage.pick(&browser, &ann).await;
    stage.sees_app_of(&browser, &ann).await;

    browser.run(WATCH, &[]).await;
    stage.acme.okta(Style::Custom).deactivate(&ann).await.unwrap();
    let answered = milliseconds();
    browser.reads("#access-ended:not([hidden] *)", "Your access has ended").await;
    let seen = browser.run("return window.seenAt", &[]).await;
    println!("SCIM's answer to active:false until the open page said so: {} ms", since(&seen, answered));

    browser.click("#ended a").await;
    stage.pick(&browser, &ann).await;
    assert_eq!(browser.code().await, "GH-SAML-1005");
    browser.reads("h1", "Your account for this application is deactivated.").await;

    stage.acme.okta(Style::Custom).reactivate(&ann).await.unwrap();
    browser.goto(stage.app.base_url()).await;
    browser.click("#sign-in").await;
    stage.pick(&browser, &ann).await;
    stage.sees_app_of(&browser, &ann).await;
}

/// Notes when the page turns over.
const WATCH: &str = "const ended = document.getElementById('ended');
    new MutationObserver(() => { window.seenAt ??= Date.now(); }).observe(ended, { attributes: true });";

fn milliseconds() -> i128 {
    i128::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

fn since(seen: &Value, answered: i128) -> i128 {
    i128::from(seen.as_i64().expect("the page noted when it turned over")) - answered
}
