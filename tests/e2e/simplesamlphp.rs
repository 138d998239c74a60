//! Sign-in by SimpleSAMLphp, an identity provider that nobody here wrote.

use crate::{
    chromium::Chromium,
    simplesaml::{PASSWORD, Signs},
    stage::{Stage, answer_of, answer_to, fill_in},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use harness::browser::Browser;

#[tokio::test]
async fn simplesamlphp_signs_the_assertion_and_the_app_knows_who_it_is() {
    signs_in(Signs::Assertion).await;
}

#[tokio::test]
async fn simplesamlphp_signs_the_response_and_the_app_knows_who_it_is() {
    signs_in(Signs::Response).await;
}

#[tokio::test]
async fn simplesamlphp_signs_both_and_the_app_knows_who_it_is() {
    signs_in(Signs::Both).await;
}

async fn signs_in(signs: Signs) {
    let (stage, idp) = Stage::with_simplesaml(signs).await;
    let browser = Chromium::start().await;
    browser.goto(stage.app.base_url()).await;
    browser.click("#sign-in").await;
    fill_in(&browser, "a wrong one").await;
    browser.click("#submit_button").await;
    browser.see(".erroricon").await;
    browser.see("#username").await.clear().await.unwrap();
    fill_in(&browser, PASSWORD).await;
    browser.click("#submit_button").await;
    stage.sees_app_of(&browser, &stage.sue()).await;

    // SimpleSAMLphp knows her now and answers at once; this answer is only looked at.
    let request = Browser::new().get(&stage.bookmark()).await;
    browser.goto(&idp.base_url).await;
    let xml = answer_to(&browser, request.redirect()).await.xml();
    let (response, assertion) = xml.split_once("<saml:Assertion").unwrap();
    let signed = (response.contains("<ds:Signature "), assertion.contains("<ds:Signature "));
    assert_eq!(signed, (!matches!(signs, Signs::Assertion), !matches!(signs, Signs::Response)), "{signs:?}");
}

#[tokio::test]
async fn the_tenants_bookmark_leads_through_simplesamlphp_into_the_app() {
    let (stage, _idp) = Stage::with_simplesaml(Signs::Both).await;
    let browser = Chromium::start().await;
    browser.goto(&stage.bookmark()).await;
    fill_in(&browser, PASSWORD).await;
    browser.click("#submit_button").await;
    stage.sees_app_of(&browser, &stage.sue()).await;
    browser.goto(&stage.bookmark()).await;
    stage.sees_app_of(&browser, &stage.sue()).await;
}

#[tokio::test]
async fn simplesamlphp_refuses_a_request_whose_signature_is_not_ours() {
    let (stage, idp) = Stage::with_simplesaml(Signs::Both).await;
    let page = Browser::new().get(&stage.bookmark()).await;
    let request = page.redirect();
    assert!(request.starts_with(&idp.base_url), "{request}");
    let http = reqwest::Client::builder().cookie_store(true).build().unwrap();
    let genuine = http.get(request).send().await.unwrap();
    assert!(genuine.text().await.unwrap().contains("id=\"username\""), "the control: a login form");
    let relay_state = request.find("RelayState=").unwrap() + "RelayState=".len();
    let changed = format!("{}x{}", &request[..relay_state], &request[relay_state..]);
    let forged = http.get(changed).send().await.unwrap();
    let shown = forged.text().await.unwrap();
    assert!(shown.contains("Unable to validate signature on query string"), "{shown}");
}

#[tokio::test]
async fn an_answer_of_simplesamlphp_that_was_changed_on_its_way_is_refused_and_the_genuine_one_is_not() {
    let (stage, idp) = Stage::with_simplesaml(Signs::Both).await;
    let browser = Chromium::start().await;
    browser.goto(&stage.bookmark()).await;
    let answer = answer_of(&browser).await;
    let xml = answer.xml();
    let sue = stage.sue().email;
    assert!(xml.contains(&sue));
    let changed = STANDARD.encode(xml.replace(&sue, &sue.replace("sue@", "eve@")));

    browser.goto(&idp.base_url).await;
    browser.post(&answer.acs_url, &[("SAMLResponse", &changed)]).await;
    assert_eq!(browser.code().await, "GH-SAML-504");

    browser.goto(&idp.base_url).await;
    browser.post(&answer.acs_url, &[("SAMLResponse", &answer.saml_response)]).await;
    stage.sees_app_of(&browser, &stage.sue()).await;

    browser.goto(&idp.base_url).await;
    browser.post(&answer.acs_url, &[("SAMLResponse", &answer.saml_response)]).await;
    assert_eq!(browser.code().await, "GH-SAML-906", "the same answer a second time");
}
