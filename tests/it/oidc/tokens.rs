//! Codes, tokens and the clients that hold them.

use super::{Changes, SignedIn, public_application};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use harness::{
    browser::{Browser, Page},
    customer::Customer,
    gateway_process::{Application, Gateway},
    sign_in::{TokenAnswer, VERIFIER, claims, code_of},
    signer::public_key_texts,
};
use reqwest::StatusCode;
use serde_json::json;
use std::sync::Arc;
use time::Duration;
use tokio::task::JoinSet;

const OTHER_VERIFIER: &str = "another-verifier-of-at-least-forty-three-characters";
const INVALID_GRANT: (u16, &str) = (400, "invalid_grant");
const INVALID_CLIENT: (u16, &str) = (401, "invalid_client");
const INVALID_TOKEN: (u16, &str) = (401, "invalid_token");

/// The token request for a code, with changes as in `authorize_url`.
async fn redeem_with(customer: &Customer, application: &Application, code: &str, changes: Changes<'_>) -> TokenAnswer {
    let base = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", &application.redirect_uri),
        ("code_verifier", VERIFIER),
    ];
    let kept = base.into_iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    let added = changes.iter().filter_map(|(name, value)| value.map(|value| (*name, value)));
    customer.post_as(application, "/oauth2/token", &kept.chain(added).collect::<Vec<_>>()).await
}

#[tokio::test]
async fn a_code_is_good_for_exactly_what_it_was_issued_for() {
    let story = SignedIn::new().await;
    let acme = &story.acme;
    let table: [(Changes<'_>, &str, bool); 13] = [
        (&[("code_verifier", Some(OTHER_VERIFIER))], "invalid_grant", true),
        (&[("code_verifier", Some("short"))], "invalid_grant", true),
        (&[("redirect_uri", Some("https://app.test/callback/"))], "invalid_grant", true),
        (&[("redirect_uri", Some("https://evil.test/callback"))], "invalid_grant", true),
        (&[("code_verifier", None)], "invalid_request", false),
        (&[("code_verifier", Some(""))], "invalid_request", false),
        (&[("redirect_uri", None)], "invalid_request", false),
        (&[("code", Some("ghcode_AAAA"))], "invalid_grant", false),
        (&[("code", Some("rubbish"))], "invalid_grant", false),
        (&[("code", None)], "invalid_request", false),
        (&[("grant_type", None)], "invalid_request", false),
        (&[("grant_type", Some("password"))], "unsupported_grant_type", false),
        (&[("grant_type", Some("client_credentials"))], "unauthorized_client", false),
    ];
    for (changes, error, uses_up) in table {
        let code = story.code().await;
        let refused = redeem_with(acme, &acme.application, &code, changes).await;
        assert_eq!(refused.error(), (400, error), "{changes:?}");
        assert!(refused.body["access_token"].is_null() && refused.headers["cache-control"] == "no-store");
        // Whoever tries a code with a wrong proof has no second try; a clumsy request may be mended.
        let code = if uses_up {
            assert_eq!(acme.redeem(&code).await.error(), INVALID_GRANT, "{changes:?}");
            story.code().await
        } else {
            code
        };
        assert_eq!(acme.redeem(&code).await.status, StatusCode::OK, "{changes:?}");
    }
    for name in ["code", "grant_type", "client_id"] {
        let code = story.code().await;
        let id = acme.application.client_id.clone();
        let twice = [("code", code.clone()), ("client_id", id), ("grant_type", "authorization_code".to_owned())];
        let form: Vec<(&str, &str)> = twice.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let again = form.iter().copied().find(|(key, _)| *key == name).unwrap();
        let form = [form, vec![again, ("redirect_uri", &acme.application.redirect_uri), ("code_verifier", VERIFIER)]];
        let answer = acme.post_as(&acme.application, "/oauth2/token", &form.concat()).await;
        assert_eq!(answer.error(), (400, "invalid_request"), "{name} twice");
        assert_eq!(acme.redeem(&code).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_code_lives_a_minute() {
    let story = SignedIn::new().await;
    let (early, late) = (story.code().await, story.code().await);
    story.acme.gateway.clock.advance(Duration::seconds(59));
    assert_eq!(story.acme.redeem(&early).await.status, StatusCode::OK);
    story.acme.gateway.clock.advance(Duration::seconds(1));
    assert_eq!(story.acme.redeem(&late).await.error(), INVALID_GRANT);
}

#[tokio::test]
async fn a_code_that_comes_twice_ends_the_tokens_of_the_first_time() {
    let story = SignedIn::new().await;
    let (acme, other) = (&story.acme, story.tokens().await);
    let code = story.code().await;
    let tokens = acme.redeem(&code).await;
    let renewed = acme.refresh(tokens.text("refresh_token")).await;
    let access = [tokens.text("access_token"), renewed.text("access_token")];
    for token in access {
        assert!(acme.is_active(token).await, "the control");
    }
    assert_eq!(acme.redeem(&code).await.error(), INVALID_GRANT);
    for token in access {
        assert!(!acme.is_active(token).await);
        assert_eq!(acme.userinfo(token).await.error(), INVALID_TOKEN);
    }
    assert_eq!(acme.refresh(renewed.text("refresh_token")).await.error(), INVALID_GRANT);
    assert!(acme.is_active(other.text("access_token")).await, "the grant of another code stands");
}

#[tokio::test]
async fn of_many_uses_at_once_of_a_code_or_a_refresh_token_one_succeeds_and_nothing_stands() {
    let SignedIn { acme, browser, .. } = SignedIn::new().await;
    let code = code_of(browser.get(&acme.authorize_url(&[])).await.redirect());
    let fresh = acme.redeem(&code_of(browser.get(&acme.authorize_url(&[])).await.redirect())).await;
    let refresh = fresh.text("refresh_token").to_owned();
    let acme = Arc::new(acme);
    for (is_code, secret) in [(true, code), (false, refresh)] {
        let mut uses = JoinSet::new();
        for _ in 0..8 {
            let (acme, secret) = (Arc::clone(&acme), secret.clone());
            uses.spawn(async move { if is_code { acme.redeem(&secret).await } else { acme.refresh(&secret).await } });
        }
        let (given, refused): (Vec<TokenAnswer>, Vec<TokenAnswer>) =
            uses.join_all().await.into_iter().partition(|answer| answer.status == StatusCode::OK);
        assert!(given.len() == 1 && refused.iter().all(|answer| answer.error() == INVALID_GRANT), "{refused:?}");
        assert!(!acme.is_active(given[0].text("access_token")).await, "seven others had it too");
    }
}

#[tokio::test]
async fn a_code_or_token_of_another_application_is_nothing_and_stays_whole() {
    let story = SignedIn::new().await;
    let (acme, board) = (&story.acme, story.beside().await);
    let (code, thief) = (story.code().await, &board.application);
    let uri = Some(acme.application.redirect_uri.as_str());
    assert_eq!(redeem_with(acme, thief, &code, &[("redirect_uri", uri)]).await.error(), INVALID_GRANT);
    let tokens = acme.redeem(&code).await;
    assert_eq!(tokens.status, StatusCode::OK, "the control: the owner still can");

    let (access, refresh) = (tokens.text("access_token"), tokens.text("refresh_token"));
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    assert_eq!(acme.post_as(thief, "/oauth2/token", &form).await.error(), INVALID_GRANT);
    for token in [access, refresh] {
        let told = acme.post_as(thief, "/oauth2/introspect", &[("token", token)]).await;
        assert_eq!((told.status, told.body), (StatusCode::OK, json!({ "active": false })));
        assert_eq!(acme.post_as(thief, "/oauth2/revoke", &[("token", token)]).await.status, StatusCode::OK);
        assert!(acme.is_active(token).await, "the control: it is active for its owner, and still is");
    }
    assert_eq!(acme.refresh(refresh).await.status, StatusCode::OK);
}

/// The token request for a code with a client's own way to say who it is.
async fn as_client(acme: &Customer, code: &str, basic: Option<(&str, &str)>, form: &[(&str, &str)]) -> TokenAnswer {
    let uri = acme.application.redirect_uri.as_str();
    let base =
        [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", uri), ("code_verifier", VERIFIER)];
    let page = Browser::new()
        .send(|http| {
            let request = http.post(format!("{}/oauth2/token", acme.gateway.url)).form(&[&base, form].concat());
            match basic {
                Some((id, secret)) => request.basic_auth(id, Some(secret)),
                None => request,
            }
        })
        .await;
    let Page { status, headers, text, .. } = page;
    TokenAnswer { status, headers, body: serde_json::from_str(&text).unwrap() }
}

#[tokio::test]
async fn a_client_proves_itself_once_and_with_its_own_secret() {
    let story = SignedIn::new().await;
    let (acme, board) = (&story.acme, story.beside().await);
    let (id, secret) = (acme.application.client_id.as_str(), acme.application.client_secret.as_deref().unwrap());
    let (other_id, other_secret) = (board.application.client_id.as_str(), board.application.client_secret.as_deref());
    let stranger = uuid::Uuid::now_v7().to_string();
    let cut = &secret[..secret.len() - 1];
    let code = story.code().await;
    for (basic, form) in [
        (None, vec![]),
        (None, vec![("client_id", id)]),
        (None, vec![("client_secret", secret)]),
        (None, vec![("client_id", id), ("client_secret", "wrong")]),
        (None, vec![("client_id", id), ("client_secret", other_secret.unwrap())]),
        (Some((id, "wrong")), vec![]),
        (Some((id, "")), vec![]),
        (Some((id, cut)), vec![]),
        (Some((other_id, secret)), vec![]),
        (Some((&stranger, secret)), vec![]),
        (Some(("rubbish", secret)), vec![]),
    ] {
        let answer = as_client(acme, &code, basic, &form).await;
        assert_eq!(answer.error(), INVALID_CLIENT, "{basic:?} {form:?}");
        let challenge = answer.headers["www-authenticate"].to_str().unwrap();
        assert_eq!(challenge, "Basic realm=\"gatehouse\", error=\"invalid_client\"");
    }
    for form in [[("client_id", id), ("client_secret", secret)], [("client_id", other_id), ("client_secret", "")]] {
        let answer = as_client(acme, &code, Some((id, secret)), &form).await;
        assert_eq!(answer.error(), (400, "invalid_request"), "two who do not agree, or one who says it twice");
    }
    // None of them has touched the code.
    assert_eq!(as_client(acme, &code, Some((id, secret)), &[]).await.status, StatusCode::OK, "client_secret_basic");
    let code = story.code().await;
    let in_form = [("client_id", id), ("client_secret", secret)];
    assert_eq!(as_client(acme, &code, None, &in_form).await.status, StatusCode::OK, "client_secret_post");
}

#[tokio::test]
async fn a_public_client_lives_by_pkce_alone() {
    let gateway = Gateway::start().await;
    let application = public_application(&gateway).await;
    assert_eq!(application.client_secret, None);
    let story = SignedIn::to(Customer::entering(&gateway, application).await).await;
    let (acme, spa) = (&story.acme, &story.acme.application);
    let stolen = story.code().await;
    let wrong = [("code_verifier", Some(OTHER_VERIFIER))];
    assert_eq!(redeem_with(acme, spa, &stolen, &wrong).await.error(), INVALID_GRANT);
    let with_secret = Application { client_secret: Some("ghsec_made-up".to_owned()), ..spa.clone() };
    assert_eq!(redeem_with(acme, &with_secret, &story.code().await, &[]).await.error(), INVALID_CLIENT);

    let tokens = story.tokens().await;
    let access = tokens.text("access_token");
    assert_eq!(acme.userinfo(access).await.status, StatusCode::OK);
    let told = acme.post_as(spa, "/oauth2/introspect", &[("token", access)]).await;
    assert_eq!(told.error(), INVALID_CLIENT, "introspection is for those who can keep a secret");
    let told = acme.post_as(&with_secret, "/oauth2/introspect", &[("token", access)]).await;
    assert_eq!(told.error(), INVALID_CLIENT);
    let renewed = acme.refresh(tokens.text("refresh_token")).await;
    assert_eq!(renewed.status, StatusCode::OK);
    let refresh = renewed.text("refresh_token");
    assert_eq!(acme.post_as(spa, "/oauth2/revoke", &[("token", refresh)]).await.status, StatusCode::OK);
    assert_eq!(acme.userinfo(access).await.error(), INVALID_TOKEN);
}

#[tokio::test]
async fn introspection_is_for_clients_with_their_secret() {
    let story = SignedIn::new().await;
    let (acme, tokens) = (&story.acme, story.tokens().await);
    let url = format!("{}/oauth2/introspect", acme.gateway.url);
    let (id, access) = (acme.application.client_id.as_str(), tokens.text("access_token"));
    for form in [vec![("token", access)], vec![("token", access), ("client_id", id)]] {
        let page = Browser::new().post(&url, &form).await;
        assert_eq!(page.status, StatusCode::UNAUTHORIZED, "{}", page.text);
        assert!(page.header("www-authenticate").starts_with("Basic ") && !page.text.contains("active"));
    }
    let told = acme.post_as(&acme.application, "/oauth2/introspect", &[]).await;
    assert_eq!(told.error(), (400, "invalid_request"));
    let told = acme.post_as(&acme.application, "/oauth2/introspect", &[("token", access)]).await;
    let said = claims(access);
    for name in ["iss", "sub", "aud", "client_id", "scope", "sid", "tenant_id", "roles", "exp", "iat", "jti"] {
        assert_eq!(told.body[name], said[name], "{name}");
    }
    assert_eq!((&told.body["active"], &told.body["token_type"]), (&json!(true), &json!("Bearer")));
    assert_eq!(told.headers["cache-control"], "no-store");
}

#[tokio::test]
async fn only_a_genuine_access_token_opens_userinfo_and_introspects_as_active() {
    let story = SignedIn::new().await;
    let (acme, tokens) = (&story.acme, story.tokens().await);
    let (access, id_token) = (tokens.text("access_token"), tokens.text("id_token"));
    let [header, payload, signature]: [&str; 3] = access.split('.').collect::<Vec<_>>().try_into().unwrap();
    let encode = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let said = |name: &str, value: serde_json::Value| {
        let mut claims = claims(access);
        claims[name] = value;
        encode(&claims)
    };
    let head = |alg: &str| {
        let mut head: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
        assert_eq!(head["typ"], "at+jwt");
        head["alg"] = json!(alg);
        encode(&head)
    };
    let id_parts: Vec<&str> = id_token.split('.').collect();
    let forged = [
        id_token.to_owned(),
        tokens.text("refresh_token").replace("ghref_", ""),
        format!("{}.{payload}.", head("none")),
        format!("{}.{payload}.{signature}", head("none")),
        format!("{}.{payload}.{signature}", head("HS256")),
        format!("{}.{payload}.{signature}", head("ES256")),
        format!("{}.{payload}.{signature}", head("RS512")),
        format!("{header}.{payload}."),
        format!("{header}.{payload}"),
        format!("{header}.{}.{signature}", said("sub", json!(uuid::Uuid::now_v7()))),
        format!("{header}.{}.{signature}", said("roles", json!(["ADMINISTRATOR"]))),
        format!("{header}.{}.{signature}", said("exp", json!(4_102_444_800_i64))),
        format!("{header}.{}.{}", id_parts[1], id_parts[2]),
        format!("{header}.{payload}.{}", id_parts[2]),
        "x".repeat(9000),
        "rubbish".to_owned(),
    ];
    // RSA's public key as the secret of an HMAC, in each form in which it might be held.
    let jwks: serde_json::Value =
        reqwest::get(format!("{}/oauth2/jwks", acme.gateway.url)).await.unwrap().json().await.unwrap();
    let own = jwks["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["kid"] == harness::signer::header(access)["kid"])
        .unwrap();
    let confused = public_key_texts(own).into_iter().map(|key| {
        let message = format!("{}.{payload}", head("HS256"));
        let secret = jsonwebtoken::EncodingKey::from_secret(&key);
        let mac = jsonwebtoken::crypto::sign(message.as_bytes(), &secret, jsonwebtoken::Algorithm::HS256).unwrap();
        format!("{message}.{mac}")
    });
    for token in confused.chain(forged) {
        let refused = acme.userinfo(&token).await;
        assert_eq!(refused.error(), INVALID_TOKEN, "{token}");
        let challenge = refused.headers["www-authenticate"].to_str().unwrap();
        assert_eq!(challenge, "Bearer realm=\"gatehouse\", error=\"invalid_token\"");
        if token.len() <= 2048 {
            assert!(!acme.is_active(&token).await, "{token}");
        }
    }
    for scheme in ["Basic", "DPoP", ""] {
        let url = format!("{}/oauth2/userInfo", acme.gateway.url);
        let authorization = format!("{scheme} {access}");
        let page = Browser::new().send(|http| http.get(url).header("authorization", authorization)).await;
        assert_eq!(page.status, StatusCode::UNAUTHORIZED, "{scheme}");
    }
    let in_query = format!("{}/oauth2/userInfo?access_token={access}", acme.gateway.url);
    assert_eq!(Browser::new().get(&in_query).await.status, StatusCode::UNAUTHORIZED, "a URL is no place for a token");
    assert!(acme.userinfo(access).await.status == StatusCode::OK && acme.is_active(access).await, "the control");
}

#[tokio::test]
async fn an_access_token_lives_five_minutes() {
    let story = SignedIn::new().await;
    let tokens = story.tokens().await;
    let access = tokens.text("access_token");
    story.acme.gateway.clock.advance(Duration::seconds(299));
    assert!(story.acme.userinfo(access).await.status == StatusCode::OK && story.acme.is_active(access).await);
    story.acme.gateway.clock.advance(Duration::seconds(1));
    assert_eq!(story.acme.userinfo(access).await.error(), INVALID_TOKEN);
    assert!(!story.acme.is_active(access).await);
    assert_eq!(story.acme.refresh(tokens.text("refresh_token")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_refresh_token_turns_over_and_an_old_one_ends_them_all() {
    let story = SignedIn::new().await;
    let (acme, bystander) = (&story.acme, story.tokens().await);
    let first = story.tokens().await;
    let second = acme.refresh(first.text("refresh_token")).await;
    let third = acme.refresh(second.text("refresh_token")).await;
    for (name, claim) in
        [("sub", "sub"), ("sid", "sid"), ("aud", "aud"), ("nonce", "nonce"), ("auth_time", "auth_time")]
    {
        assert_eq!(third.id_claims()[name], first.id_claims()[claim], "{name}");
    }
    let access = [&first, &second, &third].map(|answer| answer.text("access_token"));
    for token in access {
        assert!(acme.is_active(token).await, "the control");
    }
    assert!(!acme.is_active(first.text("refresh_token")).await && acme.is_active(third.text("refresh_token")).await);

    assert_eq!(acme.refresh(first.text("refresh_token")).await.error(), INVALID_GRANT);
    for token in access {
        assert!(!acme.is_active(token).await, "the whole family");
    }
    assert_eq!(acme.refresh(third.text("refresh_token")).await.error(), INVALID_GRANT);
    assert_eq!(acme.refresh(bystander.text("refresh_token")).await.status, StatusCode::OK);
    for rubbish in ["ghref_AAAA", "rubbish", bystander.text("access_token")] {
        assert_eq!(acme.refresh(rubbish).await.error(), INVALID_GRANT);
    }
}

#[tokio::test]
async fn a_refresh_may_ask_for_less_but_not_for_more() {
    let story = SignedIn::new().await;
    let acme = &story.acme;
    let code = story.code_for(&[("scope", Some("openid email offline_access"))]).await;
    let tokens = acme.redeem(&code).await;
    let refresh = async |token: &str, scope: &str| {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token), ("scope", scope)];
        acme.post_as(&acme.application, "/oauth2/token", &form).await
    };
    for wider in ["openid profile", "openid email roles offline_access"] {
        assert_eq!(refresh(tokens.text("refresh_token"), wider).await.error(), (400, "invalid_scope"), "{wider}");
    }
    let narrowed = refresh(tokens.text("refresh_token"), "openid").await;
    assert_eq!((narrowed.status, &narrowed.body["scope"]), (StatusCode::OK, &json!("openid")), "and was not used up");
    assert!(acme.userinfo(narrowed.text("access_token")).await.body["email"].is_null());
    let whole = refresh(narrowed.text("refresh_token"), "openid email offline_access").await;
    assert_eq!(whole.body["scope"], "openid email offline_access", "what was granted can be had again");
}

#[tokio::test]
async fn giving_back_either_token_ends_the_whole_grant_and_nothing_else() {
    let story = SignedIn::new().await;
    let (acme, bystander) = (&story.acme, story.tokens().await);
    for given_back in ["access_token", "refresh_token"] {
        let tokens = story.tokens().await;
        assert!(
            acme.is_active(tokens.text("access_token")).await && acme.is_active(tokens.text("refresh_token")).await
        );
        for hint in ["access_token", "refresh_token", "unheard-of"] {
            let form = [("token", tokens.text(given_back)), ("token_type_hint", hint)];
            assert_eq!(acme.post_as(&acme.application, "/oauth2/revoke", &form).await.status, StatusCode::OK);
            assert!(!acme.is_active(tokens.text("access_token")).await, "{given_back}");
            assert!(!acme.is_active(tokens.text("refresh_token")).await, "{given_back}");
        }
        assert_eq!(acme.userinfo(tokens.text("access_token")).await.error(), INVALID_TOKEN);
        assert_eq!(acme.refresh(tokens.text("refresh_token")).await.error(), INVALID_GRANT);
    }
    assert!(acme.is_active(bystander.text("access_token")).await);
    assert!(acme.knows(&story.browser).await, "the session is not the application's to end this way");
    for unknown in ["rubbish", "ghref_AAAA", bystander.text("id_token")] {
        let answer = acme.post_as(&acme.application, "/oauth2/revoke", &[("token", unknown)]).await;
        assert_eq!(answer.status, StatusCode::OK, "{unknown}");
    }
    let nothing = acme.post_as(&acme.application, "/oauth2/revoke", &[]).await;
    assert_eq!(nothing.error(), (400, "invalid_request"));
    let anonymous = Browser::new().post(&format!("{}/oauth2/revoke", acme.gateway.url), &[("token", "x")]).await;
    assert_eq!(anonymous.status, StatusCode::UNAUTHORIZED);
    assert!(acme.is_active(bystander.text("access_token")).await, "an ID token is not given back");
}

#[tokio::test]
async fn another_site_posts_only_where_more_than_a_cookie_is_asked_for() {
    let story = SignedIn::new().await;
    let (acme, tokens) = (&story.acme, story.tokens().await);
    let code = story.code().await;
    let (id, secret) = (acme.application.client_id.clone(), acme.application.client_secret.clone());
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", &acme.application.redirect_uri),
        ("code_verifier", VERIFIER),
        ("token", tokens.text("access_token")),
    ];
    let post = async |path: &str, header: Option<(&str, &str)>| {
        let request = |http: &reqwest::Client| {
            let request = http.post(format!("{}{path}", acme.gateway.url)).basic_auth(&id, secret.as_ref()).form(&form);
            match header {
                Some((name, value)) => request.header(name, value),
                None => request,
            }
        };
        Browser::new().send(request).await.status
    };
    let foreign = [
        ("origin", "https://evil.test"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ];
    for header in foreign {
        assert_eq!(post("/oauth2/userInfo", Some(header)).await, StatusCode::FORBIDDEN, "{header:?}");
        // What a client proves by its secret or PKCE is worth the same wherever it is sent from.
        assert_eq!(post("/oauth2/introspect", Some(header)).await, StatusCode::OK, "{header:?}");
    }
    assert!(acme.is_active(tokens.text("access_token")).await);
    assert_eq!(post("/oauth2/token", Some(("origin", "https://app.test"))).await, StatusCode::OK);
    for header in [None, Some(("sec-fetch-site", "same-origin"))] {
        assert_ne!(post("/oauth2/userInfo", header).await, StatusCode::FORBIDDEN, "the control: {header:?}");
    }
}
