//! What every library has to manage, and what it must not fall for.

use super::{API, BYE, CALLBACK, Library, Proof, Scene};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use harness::{
    browser::Browser,
    sign_in::{claims, code_of, parameter},
    signer::{Signer, header},
};
use oidc::keys::Algorithm::{self, Es256, Rs256};
use reqwest::StatusCode;
use serde_json::{Value, json};
use url::Url;

/// Every proof of a client at every endpoint that asks for one, ID tokens of either algorithm, and requests sent ahead.
pub async fn gets_in_and_out(library: Library) {
    for (proof, algorithm, ahead) in [
        (Proof::Basic, Rs256, false),
        (Proof::Post, Es256, true),
        (Proof::Key("ES256"), Rs256, true),
        (Proof::Key("RS256"), Es256, false),
    ] {
        let mut scene = Scene::new(library, proof, algorithm, |spec| spec.settings.require_par = ahead).await;
        let tokens = signs_in(&mut scene, algorithm, ahead).await;
        introspects_and_revokes(&mut scene, &tokens);
        has_tokens_of_its_own(&mut scene, proof, library);
    }
}

async fn signs_in(scene: &mut Scene, algorithm: Algorithm, ahead: bool) -> Value {
    let (url, _) = scene.begins(if ahead { json!({ "pushed": "yes" }) } else { json!({}) });
    let told = ["code_challenge_method", "redirect_uri"].map(|name| parameter(&url, name));
    let expected = (!ahead).then(|| ["S256", CALLBACK].map(|text| Some(text.to_owned())));
    assert_eq!(told, expected.unwrap_or_default(), "{url}");
    assert_eq!(parameter(&url, "request_uri").is_some(), ahead, "{url}");
    let location = scene.visits(&url).await;
    let tokens = scene.client.does("callback", json!({ "url": location }));
    assert_eq!(header(tokens["id_token"].as_str().unwrap())["alg"], algorithm.as_str());
    let said = &tokens["claims"];
    assert_eq!((&said["email"], &said["roles"]), (&json!(scene.ann.email), &json!(["MANAGER"])));
    assert_eq!(said["aud"], scene.acme.application.client_id);
    let mut asked = json!({ "access_token": tokens["access_token"], "sub": said["sub"] });
    assert_eq!(scene.client.does("userinfo", asked.clone())["name"], "ann Tester");
    asked["sub"] = json!("somebody else");
    scene.client.refuses("userinfo", asked, "sub");
    tokens
}

fn introspects_and_revokes(scene: &mut Scene, tokens: &Value) {
    let kinds = ["access_token", "refresh_token"];
    for kind in kinds {
        let told = scene.client.does("introspect", json!({ "token": tokens[kind] }));
        assert_eq!((&told["active"], &told["sub"]), (&json!(true), &tokens["claims"]["sub"]), "{kind}");
    }
    scene.client.does("revoke", json!({ "token": tokens["refresh_token"] }));
    for kind in kinds {
        let told = scene.client.does("introspect", json!({ "token": tokens[kind] }));
        assert_eq!(told, json!({ "active": false }), "{kind}");
    }
}

/// Without a user, for its own resource, and only if it proves what it is.
fn has_tokens_of_its_own(scene: &mut Scene, proof: Proof, library: Library) {
    let wanted = json!({ "resource": API });
    let tokens = scene.client.does("own", wanted.clone());
    let said = claims(tokens["access_token"].as_str().unwrap());
    assert_eq!(said["aud"], json!([API, scene.acme.gateway.url]));
    assert_eq!(said["sub"], scene.acme.application.client_id);
    scene.client.refuses("own", json!({ "resource": "https://other.test/" }), "invalid_target");
    let mut stranger = scene.acme.application.clone();
    stranger.client_secret = Some("ghsec_wrong".to_owned());
    if let Proof::Key(alg) = proof {
        scene.client.does("key", json!({ "alg": alg }));
    }
    scene.discovers(&stranger, proof, Rs256);
    scene.client.refuses("own", wanted, library.words(["WWW-Authenticate", "invalid_client"]));
}

/// A refresh token works once, and one that was used before ends all that came of it.
pub async fn rotates_refresh_tokens(library: Library) {
    let mut scene = Scene::new(library, Proof::Basic, Rs256, |_| {}).await;
    let first = scene.tokens(json!({})).await;
    let client = &mut scene.client;
    let second = client.does("refresh", json!({ "refresh_token": first["refresh_token"] }));
    assert_eq!(second["claims"]["sub"], first["claims"]["sub"]);
    let third = client.does("refresh", json!({ "refresh_token": second["refresh_token"] }));
    assert_ne!(third["refresh_token"], second["refresh_token"]);
    let asked = json!({ "token": third["access_token"] });
    assert_eq!(client.does("introspect", asked.clone())["active"], true);
    client.refuses("refresh", json!({ "refresh_token": first["refresh_token"] }), "invalid_grant");
    client.refuses("refresh", json!({ "refresh_token": third["refresh_token"] }), "invalid_grant");
    assert_eq!(client.does("introspect", asked)["active"], false);
}

/// The browser is signed out here and at the identity provider; answers where it comes back to.
pub async fn signs_out(library: Library) -> (Scene, String) {
    let mut scene = Scene::new(library, Proof::Basic, Rs256, |_| {}).await;
    let tokens = scene.tokens(json!({})).await;
    let asked = json!({ "token": tokens["access_token"] });
    let mut given = json!({ "id_token_hint": tokens["id_token"], "post_logout_redirect_uri": "https://evil.test/" });
    let url = scene.client.does("leave", given.clone());
    let page = scene.browser.get(url.as_str().unwrap()).await;
    assert_eq!((page.status, &page.location), (StatusCode::BAD_REQUEST, &None));
    assert_eq!(scene.client.does("introspect", asked.clone())["active"], true);

    given["post_logout_redirect_uri"] = json!(BYE);
    given["state"] = json!("so long");
    let url = scene.client.does("leave", given);
    let page = scene.browser.get(url.as_str().unwrap()).await;
    let request = scene.acme.idp.read_logout(page.redirect(), "SAMLRequest").unwrap();
    let page = scene.browser.get(&scene.acme.idp.answer_logout(&request).unwrap()).await;
    assert_eq!(page.redirect(), format!("{BYE}?state=so+long"));
    assert!(!scene.acme.knows(&scene.browser).await);
    assert_eq!(scene.client.does("introspect", asked)["active"], false);
    (scene, page.redirect().to_owned())
}

/// The gateway's errors arrive; an answer with another parameter is refused before the code is spent.
pub async fn wants_its_own_answer(library: Library, wrong: &[(&str, Option<&str>, &str)]) {
    let mut scene = Scene::new(library, Proof::Basic, Rs256, |_| {}).await;
    let (url, _) = scene.begins(json!({ "prompt": "none" }));
    let location = scene.browser.get(&url).await.redirect().to_owned();
    scene.client.refuses("callback", json!({ "url": location }), "login_required");
    let (url, _) = scene.begins(json!({}));
    let location = scene.visits(&url).await;
    for (name, value, words) in wrong {
        let changed = changed(&location, name, *value);
        scene.client.refuses("callback", json!({ "url": changed }), words);
    }
    scene.client.does("callback", json!({ "url": location }));
}

/// An address with another value of a parameter, or without it.
fn changed(location: &str, name: &str, value: Option<&str>) -> String {
    let mut url = Url::parse(location).unwrap();
    let kept: Vec<(String, String)> = url.query_pairs().into_owned().filter(|(key, _)| key != name).collect();
    url.query_pairs_mut().clear().extend_pairs(kept).extend_pairs(value.map(|value| (name, value)));
    url.into()
}

/// Makes an ID token out of an answer.
type Forge = fn(&Value) -> Value;

/// ID tokens that are not for this sign-in, not for this application, not ID tokens, or not the gateway's.
pub async fn refuses_forgeries(library: Library) {
    let mut scene = Scene::new(library, Proof::Basic, Es256, |_| {}).await;
    let genuine = scene.is_handed(async |scene, nonce| scene.answer(nonce).await).await;
    assert_eq!(genuine.expect("the control")["claims"]["email"], scene.ann.email);
    let earlier = scene.is_handed(async |scene, _| scene.answer("of another sign-in").await).await;
    is_refused(earlier, library.words(["\"nonce\"", "nonce"]), "another sign-in");
    let elsewhere = scene.is_handed(async |scene, nonce| answer_elsewhere(scene, nonce).await).await;
    is_refused(elsewhere, library.words(["\"aud\"", "azp"]), "another application");
    let forgeries: [(&str, Forge, [&str; 2]); 4] = [
        ("an access token", |answer| answer["access_token"].clone(), ["nonce", "nonce"]),
        ("changed", promoted, ["signature", "bad_signature"]),
        ("a stranger's", forged, ["signature", "bad_signature"]),
        ("unsigned", unsigned, ["alg", "alg"]),
    ];
    for (what, forge, words) in forgeries {
        let forged = async |scene: &Scene, nonce: &str| {
            let mut answer = scene.answer(nonce).await;
            answer["id_token"] = forge(&answer);
            answer
        };
        is_refused(scene.is_handed(forged).await, library.words(words), what);
    }
}

fn is_refused(outcome: Result<Value, String>, words: &str, what: &str) {
    assert!(outcome.as_ref().is_err_and(|heard| heard.contains(words)), "{what}: {outcome:?}, not {words}");
}

/// What another application of the same tenant is told about Ann.
async fn answer_elsewhere(scene: &Scene, nonce: &str) -> Value {
    let change = |spec: &mut gateway::setup::applications::ApplicationSpec| spec.id_token_alg = Es256;
    let application = scene.acme.gateway.application("https://board.test/callback", change).await;
    let beside = scene.acme.sibling(&application).await;
    beside.assign(&scene.ann).await;
    let browser = Browser::new();
    beside.sign_in(&browser, &scene.ann.email).await;
    let page = browser.get(&beside.authorize_url(&[("nonce", Some(nonce))])).await;
    beside.redeem(&code_of(page.redirect())).await.body
}

fn id_token(answer: &Value) -> &str {
    answer["id_token"].as_str().unwrap()
}

/// What an ID token says, and that she is an administrator.
fn as_administrator(token: &str) -> Value {
    let mut said = claims(token);
    said["roles"] = json!(["ADMINISTRATOR"]);
    said
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn promoted(answer: &Value) -> Value {
    let token = id_token(answer);
    let [head, _, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    json!(format!("{head}.{}.{signature}", part(&as_administrator(token))))
}

/// Signed by somebody who calls a key of his own by the name of the gateway's.
fn forged(answer: &Value) -> Value {
    let token = id_token(answer);
    let mut stranger = Signer::default();
    stranger.kid = header(token)["kid"].as_str().unwrap().to_owned();
    json!(stranger.sign("JWT", &as_administrator(token)))
}

fn unsigned(answer: &Value) -> Value {
    json!(format!("{}.{}.", part(&json!({ "alg": "none", "typ": "JWT" })), part(&as_administrator(id_token(answer)))))
}
