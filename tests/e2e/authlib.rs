//! Authlib, the library of Python applications, and its validators for what an API and an app's back door get.

use crate::clients::{
    API,
    Library::Authlib,
    Proof, Scene,
    stories::{gets_in_and_out, refuses_forgeries, rotates_refresh_tokens, signs_out, wants_its_own_answer},
};
use axum::{Form, Router, routing::post};
use oidc::keys::Algorithm::{Es256, Rs256};
use serde_json::{Value, json};
use simulator::okta::Style;
use std::collections::HashMap;
use tokio::{net::TcpListener, sync::mpsc};

#[tokio::test(flavor = "multi_thread")]
async fn authlib_gets_in_and_out_however_it_proves_itself() {
    gets_in_and_out(Authlib).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn authlib_refreshes_and_a_second_use_ends_it() {
    rotates_refresh_tokens(Authlib).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn authlib_signs_its_user_out() {
    let (mut scene, location) = signs_out(Authlib).await;
    scene.client.refuses("left", json!({ "url": location.replace("long", "short") }), "state");
    scene.client.does("left", json!({ "url": location }));
}

/// It does not read `iss`.
#[tokio::test(flavor = "multi_thread")]
async fn authlib_takes_no_answer_with_another_state() {
    let wrong = [("state", Some("another"), "mismatching_state"), ("state", None, "mismatching_state")];
    wants_its_own_answer(Authlib, &wrong).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn authlib_refuses_forged_id_tokens() {
    refuses_forgeries(Authlib).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_takes_access_tokens_by_authlibs_rules_and_nothing_else() {
    for algorithm in [Rs256, Es256] {
        let mut scene = Scene::new(Authlib, Proof::Basic, algorithm, |_| {}).await;
        let tokens = scene.tokens(json!({ "resource": API })).await;
        let issuer = scene.acme.gateway.url.clone();
        let good =
            json!({ "token": tokens["access_token"], "resource": API, "scope": ["openid"], "role": ["MANAGER"] });
        let with = |name: &str, value: Value| {
            let mut given = good.clone();
            given[name] = value;
            given
        };
        let said = scene.client.does("accept", good.clone());
        assert_eq!(said["sub"], tokens["claims"]["sub"]);
        scene.client.does("accept", with("resource", json!(issuer)));
        let refused = [
            ("resource", json!("https://other.test/"), "aud"),
            ("scope", json!(["admin"]), "insufficient_scope"),
            ("role", json!(["ADMINISTRATOR"]), "invalid_token"),
            ("token", tokens["id_token"].clone(), "typ"),
        ];
        for (name, value, words) in refused {
            scene.client.refuses("accept", with(name, value), words);
        }
    }
}

/// Nobody's roles and no scope are in such a token.
#[tokio::test(flavor = "multi_thread")]
async fn an_api_takes_an_applications_own_token_by_authlibs_rules() {
    let mut scene = Scene::new(Authlib, Proof::Basic, Rs256, |_| {}).await;
    let own = scene.client.does("own", json!({ "resource": API }));
    let said = scene.client.does("accept", json!({ "token": own["access_token"], "resource": API }));
    assert_eq!(said["sub"], scene.acme.application.client_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apps_back_door_takes_logout_tokens_by_authlibs_tools_and_nothing_else() {
    let (uri, mut heard) = back_door().await;
    let change = |spec: &mut gateway::setup::applications::ApplicationSpec| spec.backchannel_logout_uri = Some(uri);
    let mut scene = Scene::new(Authlib, Proof::Basic, Es256, change).await;
    let tokens = scene.tokens(json!({})).await;
    scene.acme.okta(Style::Custom).deactivate(&scene.ann).await.unwrap();
    scene.acme.hears_of_logouts(&scene.acme.gateway).await;
    let token = heard.try_recv().expect("the application was told");
    let said = scene.client.does("logged_out", json!({ "token": token }));
    for name in ["sub", "sid"] {
        assert_eq!(said[name], tokens["claims"][name], "{name}");
    }
    scene.client.refuses("logged_out", json!({ "token": tokens["id_token"] }), "typ");
    scene.client.refuses("logged_out", json!({ "token": tokens["access_token"] }), "typ");
    let (body, signature) = token.rsplit_once('.').unwrap();
    let spoiled: String = signature.chars().rev().collect();
    scene.client.refuses("logged_out", json!({ "token": format!("{body}.{spoiled}") }), "bad_signature");
}

/// The vendor's app at its back door, and the logout tokens that it hears.
async fn back_door() -> (String, mpsc::UnboundedReceiver<String>) {
    let (told, heard) = mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/logout", listener.local_addr().unwrap());
    let hear = move |Form(form): Form<HashMap<String, String>>| async move {
        told.send(form["logout_token"].clone()).unwrap();
    };
    let router = Router::new().route("/logout", post(hear));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (uri, heard)
}
