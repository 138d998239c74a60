//! The vendor's app as OpenID Connect client: what it is told, and what it is refused.

mod authorize;
mod bounds;
mod claims;
mod clients;
mod keys;
mod leaving;
mod telling;
mod tokens;
mod universal;
mod way_in;

use gateway::setup::applications::ApplicationSpec;
use harness::{
    browser::Browser,
    customer::Customer,
    gateway_process::{Application, Gateway},
    sign_in::{TokenAnswer, claims, code_of, parameter},
};
use oidc::keys::Algorithm;
use openidconnect::{
    AccessTokenHash, AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpRequest, HttpResponse, IssuerUrl, Nonce,
    OAuth2TokenResponse, PkceCodeChallenge, RedirectUrl, Scope, TokenResponse,
    core::{CoreAuthenticationFlow, CoreClient, CoreProviderMetadata, CoreUserInfoClaims},
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use simulator::directory::DirectoryUser;
use std::{collections::BTreeSet, sync::Arc};

/// Parameters that differ from the right ones: a new value, or `None` to leave one out.
type Changes<'a> = &'a [(&'a str, Option<&'a str>)];

/// Ann of Acme, signed in.
struct SignedIn {
    acme: Customer,
    ann: DirectoryUser,
    browser: Browser,
}

impl SignedIn {
    async fn new() -> Self {
        Self::to(Customer::new().await).await
    }

    async fn to(acme: Customer) -> Self {
        let ann = acme.user("ann").with_role("MANAGER");
        acme.assign(&ann).await;
        let browser = Browser::new();
        acme.sign_in(&browser, &ann.email).await;
        Self { acme, ann, browser }
    }

    /// A new code, without asking anybody.
    async fn code(&self) -> String {
        self.code_for(&[]).await
    }

    async fn code_for(&self, changes: Changes<'_>) -> String {
        code_of(self.browser.get(&self.acme.authorize_url(changes)).await.redirect())
    }

    async fn tokens(&self) -> TokenAnswer {
        let answer = self.acme.redeem(&self.code().await).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer
    }

    /// Another application of the same tenant, with Ann.
    async fn beside(&self) -> Customer {
        let application = self.acme.gateway.application("https://board.test/callback", |_| {}).await;
        let beside = self.acme.sibling(&application).await;
        beside.assign(&self.ann).await;
        beside
    }
}

async fn fetch(request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
    let received = reqwest::Client::new().execute(request.try_into()?).await?;
    let (status, headers) = (received.status(), received.headers().clone());
    let mut response = HttpResponse::new(received.bytes().await?.to_vec());
    (*response.status_mut(), *response.headers_mut()) = (status, headers);
    Ok(response)
}

#[tokio::test]
async fn a_client_library_gets_in_with_either_algorithm() {
    let gateway = Gateway::start().await;
    for (algorithm, alg) in [(Algorithm::Rs256, "RS256"), (Algorithm::Es256, "ES256")] {
        let change = |spec: &mut ApplicationSpec| spec.id_token_alg = algorithm;
        let application = gateway.application("https://app.test/callback?of=vendor", change).await;
        let acme = Customer::entering(&gateway, application).await;
        let ann = acme.user("ann");
        acme.assign(&ann).await;
        let id_token = by_library(&acme, &ann).await;
        let header = id_token.split('.').next().unwrap();
        let header: Value = serde_json::from_slice(&decode(header)).unwrap();
        assert_eq!(header["alg"], alg);
    }
}

/// From discovery to userinfo as the library does it, every signature verified; answers the ID token.
async fn by_library(acme: &Customer, ann: &DirectoryUser) -> String {
    let application = &acme.application;
    let issuer = IssuerUrl::new(acme.gateway.url.clone()).unwrap();
    let metadata = CoreProviderMetadata::discover_async(issuer, &fetch).await.unwrap();
    let secret = application.client_secret.clone().map(ClientSecret::new);
    let client = CoreClient::from_provider_metadata(metadata, ClientId::new(application.client_id.clone()), secret)
        .set_redirect_uri(RedirectUrl::new(application.redirect_uri.clone()).unwrap());
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (url, state, nonce) = client
        .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
        .add_scopes(["profile", "email"].map(|scope| Scope::new(scope.to_owned())))
        .set_pkce_challenge(challenge)
        .add_extra_param("tenant", &acme.slug)
        .url();

    let browser = Browser::new();
    let page = browser.get(url.as_str()).await;
    let posted = acme.idp.sign_in(page.redirect(), &ann.email).await.unwrap();
    let page = acme.post_response(&browser, &posted.saml_response).await;
    let page = browser.get(page.redirect()).await;
    assert!(page.redirect().starts_with("https://app.test/callback?of=vendor&code="), "{:?}", page.location);
    let answered = ["state", "iss"].map(|name| parameter(page.redirect(), name).unwrap());
    assert_eq!(answered, [state.into_secret(), acme.gateway.url.clone()]);

    let code = AuthorizationCode::new(code_of(page.redirect()));
    let tokens = client.exchange_code(code).unwrap().set_pkce_verifier(verifier).request_async(&fetch).await.unwrap();
    let (id_token, id_verifier) = (tokens.id_token().unwrap(), client.id_token_verifier());
    let said = id_token.claims(&id_verifier, &nonce).unwrap();
    assert!(id_token.claims(&id_verifier, &Nonce::new("another".to_owned())).is_err(), "the control");
    assert_eq!(said.email().map(|email| email.as_str()), Some(ann.email.as_str()));
    let (algorithm, key) = (id_token.signing_alg().unwrap(), id_token.signing_key(&id_verifier).unwrap());
    let hash = AccessTokenHash::from_token(tokens.access_token(), algorithm, key).unwrap();
    assert_eq!(said.access_token_hash(), Some(&hash));
    let subject = Some(said.subject().clone());
    let info: CoreUserInfoClaims =
        client.user_info(tokens.access_token().clone(), subject).unwrap().request_async(&fetch).await.unwrap();
    assert_eq!(info.name().unwrap().get(None).unwrap().as_str(), "ann Tester");
    id_token.to_string()
}

fn decode(base64url: &str) -> Vec<u8> {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.decode(base64url).unwrap()
}

#[tokio::test]
async fn the_discovery_document_is_true() {
    let gateway = Gateway::start().await;
    let browser = Browser::new();
    let page = browser.get(&format!("{}/.well-known/openid-configuration", gateway.url)).await;
    let twin = browser.get(&format!("{}/.well-known/oauth-authorization-server", gateway.url)).await;
    assert_eq!(page.text, twin.text);
    assert_eq!(
        ["content-type", "cache-control"].map(|name| page.header(name)),
        ["application/json", "public, max-age=300"]
    );
    let document: Value = serde_json::from_str(&page.text).unwrap();
    for (name, value) in [
        ("issuer", json!(gateway.url)),
        ("response_types_supported", json!(["code"])),
        ("response_modes_supported", json!(["query", "form_post"])),
        ("grant_types_supported", json!(["authorization_code", "refresh_token", "client_credentials"])),
        ("code_challenge_methods_supported", json!(["S256"])),
        ("subject_types_supported", json!(["public"])),
        ("id_token_signing_alg_values_supported", json!(["RS256", "ES256"])),
        (
            "token_endpoint_auth_methods_supported",
            json!(["client_secret_basic", "client_secret_post", "private_key_jwt", "none"]),
        ),
        ("scopes_supported", json!(["openid", "profile", "email", "roles", "groups", "offline_access"])),
        ("authorization_response_iss_parameter_supported", json!(true)),
        ("request_parameter_supported", json!(false)),
        ("request_uri_parameter_supported", json!(false)),
    ] {
        assert_eq!(document[name], value, "{name}");
    }
    // Introspection refuses a client without a secret, so it must not be offered.
    let methods = &document["introspection_endpoint_auth_methods_supported"];
    assert_eq!(*methods, json!(["client_secret_basic", "client_secret_post", "private_key_jwt"]));

    let answers = [
        ("authorization_endpoint", false, 400),
        ("authorization_endpoint", true, 303),
        ("jwks_uri", false, 200),
        ("userinfo_endpoint", false, 401),
        ("userinfo_endpoint", true, 401),
        ("token_endpoint", true, 401),
        ("introspection_endpoint", true, 401),
        ("revocation_endpoint", true, 401),
        ("token_endpoint", false, 405),
        ("pushed_authorization_request_endpoint", true, 401),
        ("pushed_authorization_request_endpoint", false, 405),
        ("end_session_endpoint", false, 200),
        ("end_session_endpoint", true, 200),
    ];
    let named: BTreeSet<&str> = answers.iter().map(|(name, ..)| *name).collect();
    let members = document.as_object().unwrap().keys().map(String::as_str);
    let endpoints: BTreeSet<&str> = members.filter(|name| name.ends_with("_endpoint") || *name == "jwks_uri").collect();
    assert_eq!(endpoints, named, "an endpoint without a check here");
    for (name, posts, status) in answers {
        let url = document[name].as_str().unwrap();
        let page = if posts { browser.post(url, &[]).await } else { browser.get(url).await };
        assert_eq!(page.status.as_u16(), status, "{name}: {}", page.text);
    }
}

#[tokio::test]
async fn the_key_set_holds_one_public_key_of_each_algorithm_and_nothing_private() {
    let gateway = Gateway::start().await;
    let page = Browser::new().get(&format!("{}/oauth2/jwks", gateway.url)).await;
    assert_eq!(page.header("cache-control"), "public, max-age=300");
    let set: Value = serde_json::from_str(&page.text).unwrap();
    let keys = set["keys"].as_array().unwrap();
    let algorithms: BTreeSet<&str> = keys.iter().filter_map(|key| key["alg"].as_str()).collect();
    assert_eq!(algorithms, BTreeSet::from(["ES256", "RS256"]));
    let ids: BTreeSet<&str> = keys.iter().filter_map(|key| key["kid"].as_str()).collect();
    assert_eq!(ids.len(), keys.len(), "each has an id of its own");
    for key in keys {
        let members: BTreeSet<&str> = key.as_object().unwrap().keys().map(String::as_str).collect();
        let expected = match key["kty"].as_str() {
            Some("RSA") => BTreeSet::from(["kty", "use", "alg", "kid", "n", "e"]),
            _ => BTreeSet::from(["kty", "use", "alg", "kid", "crv", "x", "y"]),
        };
        assert_eq!((members, &key["use"]), (expected, &json!("sig")));
    }
}

#[tokio::test]
async fn tokens_say_who_it_is_and_the_subject_is_never_the_address() {
    let story = SignedIn::new().await;
    let (acme, ann) = (&story.acme, &story.ann);
    let tokens = story.tokens().await;
    assert_eq!((&tokens.body["token_type"], &tokens.body["expires_in"]), (&json!("Bearer"), &json!(300)));
    assert_eq!(tokens.headers["cache-control"], "no-store");
    let (id, access) = (tokens.id_claims(), claims(tokens.text("access_token")));
    let now = acme.gateway.clock.now().unix_timestamp();
    for (name, value) in [
        ("iss", json!(acme.gateway.url)),
        ("aud", json!(acme.application.client_id)),
        ("exp", json!(now + 300)),
        ("iat", json!(now)),
        ("auth_time", json!(now)),
        ("nonce", json!("the-nonce")),
        ("email", json!(ann.email)),
        ("email_verified", json!(true)),
        ("name", json!("ann Tester")),
        ("tenant_id", json!(acme.tenant.to_string())),
        ("connection_id", json!(acme.connection.to_string())),
        ("roles", json!(["MANAGER"])),
    ] {
        assert_eq!(id[name], value, "{name}");
    }
    for name in ["sub", "sid", "tenant_id", "roles", "auth_time"] {
        assert_eq!(access[name], id[name], "{name}");
    }
    assert_eq!((&access["aud"], &access["client_id"]), (&id["iss"], &id["aud"]));
    for name in ["sub", "sid"] {
        id[name].as_str().unwrap().parse::<uuid::Uuid>().expect(name);
    }
    assert!(!access.to_string().contains(&ann.email), "an access token says no more than it must");

    let userinfo = acme.userinfo(tokens.text("access_token")).await;
    assert_eq!(userinfo.headers["cache-control"], "no-store");
    for name in ["sub", "email", "email_verified", "name", "tenant_id", "roles"] {
        assert_eq!(userinfo.body[name], id[name], "{name}");
    }
    let second = story.tokens().await.id_claims();
    assert_eq!((&second["sub"], &second["sid"]), (&id["sub"], &id["sid"]), "the same user in the same session");
}

#[tokio::test]
async fn a_client_is_told_what_its_scope_asks_for() {
    let story = SignedIn::new().await;
    for (scope, told) in [
        ("openid", vec!["sub", "tenant_id"]),
        ("openid email", vec!["email", "email_verified", "sub", "tenant_id"]),
        ("openid profile", vec!["family_name", "given_name", "locale", "name", "sub", "tenant_id"]),
        ("openid roles unheard-of", vec!["roles", "sub", "tenant_id"]),
    ] {
        let code = story.code_for(&[("scope", Some(scope))]).await;
        let tokens = story.acme.redeem(&code).await;
        assert_eq!(tokens.body["refresh_token"], Value::Null, "only offline_access brings one");
        assert_eq!(tokens.body["scope"], scope.trim_end_matches(" unheard-of"));
        let userinfo = story.acme.userinfo(tokens.text("access_token")).await;
        let names: Vec<&str> = userinfo.body.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, told, "{scope}");
    }
}

#[tokio::test]
async fn an_address_outside_the_tenants_domains_is_not_verified() {
    let acme = Customer::new().await;
    let mut guest = acme.user("guest");
    guest.email = format!("guest@sub.{}", acme.domain);
    acme.assign(&guest).await;
    let tokens = acme.sign_in(&Browser::new(), &guest.user_name).await;
    let userinfo = acme.userinfo(tokens.text("access_token")).await.body;
    for said in [tokens.id_claims(), userinfo] {
        assert_eq!((&said["email"], &said["email_verified"]), (&json!(guest.email), &json!(false)));
    }
}

#[tokio::test]
async fn a_role_that_changes_is_told_at_once() {
    let story = SignedIn::new().await;
    let tokens = story.tokens().await;
    let promoted = story.ann.clone().with_role("ADMINISTRATOR");
    story.acme.okta(simulator::okta::Style::Custom).push_user(&promoted).await.unwrap();
    let (access, expected) = (tokens.text("access_token"), json!(["ADMINISTRATOR"]));
    assert_eq!(story.acme.userinfo(access).await.body["roles"], expected);
    let form = [("token", access)];
    let told = story.acme.post_as(&story.acme.application, "/oauth2/introspect", &form).await;
    assert_eq!(told.body["roles"], expected);
    assert_eq!(story.acme.refresh(tokens.text("refresh_token")).await.id_claims()["roles"], expected);
}

/// A public client of that gateway.
async fn public_application(gateway: &Arc<Gateway>) -> Application {
    gateway.application("https://spa.test/callback", |spec| spec.public = true).await
}
