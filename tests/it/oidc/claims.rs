//! What an application is told of a person, and how somebody proved who it is.

use super::SignedIn;
use crate::saml::modes::set;
use gateway::saml::settings::{Jit, Settings};
use harness::{
    browser::Browser,
    customer::Customer,
    sign_in::{TokenAnswer, claims, code_of, parameter},
};
use reqwest::Method;
use serde_json::{Value, json};
use simulator::idp::response::ResponseBuilder;
use time::Duration;

/// Signs in with what the answer says beside; answers the tokens for that scope.
async fn sign_in(story: &SignedIn, scope: &str, say: impl FnOnce(ResponseBuilder) -> ResponseBuilder) -> TokenAnswer {
    let acme = &story.acme;
    acme.gateway.clock.advance(Duration::SECOND);
    let waiting = acme.waiting(&story.ann).await;
    waiting.gets_in(&waiting.signed(&say(waiting.honest()))).await;
    let page = waiting.browser.get(&acme.authorize_url(&[("scope", Some(scope))])).await;
    acme.redeem(&code_of(page.redirect())).await
}

/// Ann of Acme, who comes by signing in: no SCIM keeps the users there.
async fn without_scim() -> SignedIn {
    let acme = Customer::new().await;
    set(&acme, |settings: &mut Settings| settings.jit = Jit::Create).await;
    let ann = acme.user("ann");
    SignedIn { acme, ann, browser: Browser::new() }
}

/// The id by which SCIM knows Ann.
async fn account_of(story: &SignedIn) -> Value {
    let path = format!("/Users?filter=userName%20eq%20%22{}%22", story.ann.user_name);
    story.acme.scim(Method::GET, &path, None).await.document(200)["Resources"][0]["id"].clone()
}

async fn group(acme: &Customer, name: &str, members: Value) -> String {
    let body = json!({ "displayName": name, "members": members });
    acme.scim(Method::POST, "/Groups", Some(body)).await.document(201)["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn groups_are_told_also_those_in_which_groups_are_and_never_more_than_fit() {
    let story = SignedIn::new().await;
    let acme = &story.acme;
    let ann = account_of(&story).await;
    let inner = group(acme, "Engineers <b>", json!([{ "value": ann }])).await;
    group(acme, "Staff", json!([{ "value": inner, "type": "Group" }])).await;
    group(acme, "Others", json!([])).await;
    let tokens = sign_in(&story, "openid groups", |response| response).await;
    let mut said = tokens.id_claims()["groups"].clone();
    said.as_array_mut().unwrap().sort_by_key(ToString::to_string);
    assert_eq!(said, json!(["Engineers <b>", "Staff"]));
    assert!(tokens.id_claims()["groups_overage"].is_null());
    assert!(claims(tokens.text("access_token"))["groups"].is_null(), "an access token says no more than it must");
    let without = sign_in(&story, "openid", |response| response).await;
    assert!(without.id_claims()["groups"].is_null());
    for number in 0..100 {
        group(acme, &format!("Team {number}"), json!([{ "value": ann }])).await;
    }
    let tokens = sign_in(&story, "openid groups", |response| response).await;
    let said = tokens.id_claims();
    assert_eq!((said["groups"].as_array().unwrap().len(), &said["groups_overage"]), (100, &json!(true)));
    let userinfo = acme.userinfo(tokens.text("access_token")).await.body;
    assert_eq!((userinfo["groups"].as_array().unwrap().len(), &userinfo["groups_overage"]), (102, &Value::Null));
}

#[tokio::test]
async fn groups_are_told_from_the_assertion_until_scim_keeps_the_users() {
    let story = without_scim().await;
    let acme = &story.acme;
    let say = |response: ResponseBuilder| response.attribute_values("groups", &["Staff", "Engineers <b>"]);
    let first = sign_in(&story, "openid groups", say).await;
    let told = json!(["Staff", "Engineers <b>"]);
    let first_says = async || acme.userinfo(first.text("access_token")).await.body["groups"].clone();
    assert_eq!((first.id_claims()["groups"].clone(), first_says().await), (told.clone(), told.clone()));
    let without = sign_in(&story, "openid groups", |response| response).await;
    assert_eq!(without.id_claims()["groups"], json!([]), "each session has what its own assertion said");
    assert_eq!(first_says().await, told);
    // The first user that SCIM writes, whoever it is.
    acme.scim(Method::POST, "/Users", Some(json!({ "userName": "ben" }))).await.document(201);
    assert_eq!(first_says().await, json!([]), "what was said before that counts no more");
    let ann = account_of(&story).await;
    group(acme, "Bakers", json!([{ "value": ann }])).await;
    let tokens = sign_in(&story, "openid groups", say).await;
    assert_eq!((tokens.id_claims()["groups"].clone(), first_says().await), (json!(["Bakers"]), json!(["Bakers"])));
}

#[tokio::test]
async fn what_would_make_a_token_too_long_is_told_by_userinfo_alone() {
    let story = without_scim().await;
    let long: Vec<String> = (0..40).map(|number| format!("{number:02}{}", "x".repeat(98))).collect();
    let names: Vec<&str> = long.iter().map(String::as_str).collect();
    // With quotes and a comma each takes 103 of 3072 bytes.
    for (count, more) in [(29, Value::Null), (40, json!(true))] {
        let say = |response: ResponseBuilder| response.attribute_values("groups", &names[..count]);
        let tokens = sign_in(&story, "openid groups", say).await;
        let said = tokens.id_claims();
        assert_eq!((&said["groups"], &said["groups_overage"]), (&json!(names[..29]), &more), "{count}");
        let userinfo = story.acme.userinfo(tokens.text("access_token")).await.body;
        assert_eq!(userinfo["groups"], json!(names[..count]));
        assert!(userinfo["groups_overage"].is_null(), "{count}");
    }
    // Attributes all or none: 3 of about 510 bytes fit into 2048, and 5 do not.
    for (count, fit) in [(3, true), (5, false)] {
        let aws = "https://aws.amazon.com/SAML/Attributes/AccessControl:";
        let value = "x".repeat(500);
        let keys: Vec<String> = (0..count).map(|number| format!("Key{number}")).collect();
        let with = |response: ResponseBuilder, key: &String| response.attribute(&format!("{aws}{key}"), &value);
        let tokens = sign_in(&story, "openid profile", |response| keys.iter().fold(response, with)).await;
        let all: Value = keys.iter().map(|key| (key.as_str(), value.as_str())).collect();
        let said = tokens.id_claims();
        assert_eq!(said["attrs"], if fit { all.clone() } else { Value::Null }, "{count}");
        assert_eq!(said["given_name"], "ann", "the rest is told all the same");
        assert_eq!(story.acme.userinfo(tokens.text("access_token")).await.body["attrs"], all, "{count}");
    }
}

#[tokio::test]
async fn attributes_for_access_control_are_told_from_the_assertion_and_from_scim() {
    let story = SignedIn::new().await;
    let aws = "https://aws.amazon.com/SAML/Attributes/AccessControl:";
    set(&story.acme, |settings: &mut Settings| {
        settings.access_control.scim = [("Title".to_owned(), "title".to_owned())].into();
    })
    .await;
    let change = json!({ "Operations": [{ "op": "replace", "path": "title", "value": "Baker" }] });
    let user = format!("/Users/{}", account_of(&story).await.as_str().unwrap());
    story.acme.scim(Method::PATCH, &user, Some(change)).await.document(200);
    let say = |response: ResponseBuilder| {
        response.attribute_values(&format!("{aws}CostCenter"), &["blue", "red"]).attribute(&format!("{aws}Level"), "7")
    };
    let tokens = sign_in(&story, "openid profile", say).await;
    let expected = json!({ "CostCenter": ["blue", "red"], "Level": "7", "Title": "Baker" });
    assert_eq!(tokens.id_claims()["attrs"], expected);
    assert_eq!(story.acme.userinfo(tokens.text("access_token")).await.body["attrs"], expected);
    let without = sign_in(&story, "openid email", say).await;
    assert!(without.id_claims()["attrs"].is_null() && without.id_claims()["name"].is_null());
}

#[tokio::test]
async fn how_somebody_signed_in_is_told_in_the_words_of_both_standards() {
    let story = SignedIn::new().await;
    let class = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport";
    let said = sign_in(&story, "openid profile", |response| response).await.id_claims();
    assert_eq!((&said["acr"], &said["amr"]), (&json!(class), &json!(["pwd"])), "{said}");
    assert_eq!(said["idp"], json!(story.acme.idp.entity_id()));
    assert_eq!((&said["given_name"], &said["family_name"]), (&json!("ann"), &json!("Tester")));
    let strong = "https://refeds.org/profile/mfa";
    let said = sign_in(&story, "openid", |response| response.edit(class, strong)).await.id_claims();
    assert_eq!((&said["acr"], &said["amr"]), (&json!(strong), &json!(["mfa"])));
    let soon = story.acme.gateway.clock.now() + Duration::minutes(20);
    let until = soon.format(&time::format_description::well_known::Rfc3339).unwrap();
    let limited = sign_in(&story, "openid", |response| {
        response.edit("<saml2:AuthnStatement ", &format!("<saml2:AuthnStatement SessionNotOnOrAfter=\"{until}\" "))
    })
    .await;
    assert_eq!(limited.id_claims()["session_expiry"], json!(soon.unix_timestamp()));
    let access = limited.text("access_token");
    assert_eq!(claims(access)["exp"], json!((story.acme.gateway.clock.now() + Duration::minutes(5)).unix_timestamp()));
    story.acme.gateway.clock.advance(Duration::minutes(4));
    assert!(story.acme.is_active(access).await);
    // It ends when the identity provider said, whatever is left of its twelve hours.
    let later = sign_in(&story, "openid offline_access", |response| {
        let until = (story.acme.gateway.clock.now() + Duration::minutes(3))
            .format(&time::format_description::well_known::Rfc3339)
            .unwrap();
        response.edit("<saml2:AuthnStatement ", &format!("<saml2:AuthnStatement SessionNotOnOrAfter=\"{until}\" "))
    })
    .await;
    story.acme.gateway.clock.advance(Duration::minutes(3));
    assert!(!story.acme.is_active(later.text("access_token")).await);
    assert_eq!(story.acme.refresh(later.text("refresh_token")).await.error(), (400, "invalid_grant"));
}

#[tokio::test]
async fn an_answer_has_a_state_only_where_the_application_sent_one() {
    let story = SignedIn::new().await;
    let page = story.browser.get(&story.acme.authorize_url(&[("state", None), ("nonce", None)])).await;
    assert_eq!(parameter(page.redirect(), "state"), None, "{}", page.redirect());
    assert!(parameter(page.redirect(), "iss").is_some());
    let tokens = story.acme.redeem(&code_of(page.redirect())).await;
    assert!(tokens.id_claims()["nonce"].is_null());
    assert_eq!(Browser::new().get(&story.acme.authorize_url(&[("state", None)])).await.status.as_u16(), 303);
}
