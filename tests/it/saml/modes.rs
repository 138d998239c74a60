//! How sign-in behaves where a connection wants it otherwise.

use super::{acme_with_ann, with_ann};
use base64::{Engine, engine::general_purpose::STANDARD};
use gateway::{
    saml::settings::{AuthnComparison, AuthnContext, IdpInitiated, Settings},
    setup,
};
use harness::{
    browser::{Browser, Page},
    customer::{Customer, superuser},
    gateway_process::Gateway,
    sign_in::parameter,
};
use reqwest::StatusCode;
use saml::{idp::IdentityProvider, outgoing::Binding};
use serde_json::{Value, json};
use simulator::{directory::DirectoryUser, idp::response::ResponseBuilder};
use time::Duration;

const HOME: &str = "https://board.test/home";

/// A customer whose application has a page to begin at, with Ann.
async fn with_home() -> (Customer, DirectoryUser) {
    let gateway = Gateway::start().await;
    let application = gateway
        .application("https://board.test/callback", |spec| spec.initiate_login_uri = Some(HOME.to_owned()))
        .await;
    with_ann(Customer::entering(&gateway, application).await).await
}

pub(crate) async fn set(acme: &Customer, change: impl FnOnce(&mut Settings)) {
    let (store, now) = (&acme.gateway.app.store, acme.gateway.clock.now());
    setup::sign_in::set(store, now, acme.connection, |settings, _| change(settings)).await.unwrap();
}

pub fn unasked(acme: &Customer, user: &DirectoryUser) -> ResponseBuilder {
    let now = acme.gateway.clock.now();
    ResponseBuilder::new(&acme.idp.entity_id(), &acme.url(""), &acme.url("/saml/acs"), &user.user_name, now)
        .attribute("email", &user.email)
}

fn encoded(acme: &Customer, response: &ResponseBuilder) -> String {
    response.encode(acme.idp.key()).unwrap()
}

/// Posts an answer as an identity provider does that began by itself.
async fn tile(acme: &Customer, browser: &Browser, response: &ResponseBuilder, relay_state: Option<&str>) -> Page {
    let saml_response = encoded(acme, response);
    let mut form = vec![("SAMLResponse", saml_response.as_str())];
    form.extend(relay_state.map(|state| ("RelayState", state)));
    browser.post(&acme.url("/saml/acs"), &form).await
}

/// Where a browser ends that was sent to the identity provider with a request of ours.
async fn signed_in_there(acme: &Customer, browser: &Browser, page: &Page, user: &DirectoryUser) -> Page {
    let posted = acme.idp.sign_in(page.redirect(), &user.email).await.unwrap();
    let page = acme.post_response(browser, &posted.saml_response).await;
    browser.get(page.redirect()).await
}

#[tokio::test]
async fn an_answer_that_nobody_asked_for_starts_a_sign_in_of_ours() {
    let (acme, ann) = with_home().await;
    let browser = Browser::new();
    let page = tile(&acme, &browser, &unasked(&acme, &ann), None).await;
    assert_eq!(page.redirect(), acme.url("/saml/restart"));
    assert!(!acme.knows(&browser).await, "the answer itself opens nothing");
    let page = browser.get(page.redirect()).await;
    let page = signed_in_there(&acme, &browser, &page, &ann).await;
    assert!(page.redirect().starts_with(&format!("{HOME}?iss=")), "{}", page.redirect());
    assert_eq!(parameter(page.redirect(), "target_link_uri"), None);
    assert!(acme.knows(&browser).await);
    // Who signs in again by the tile is not taken for one who runs in a circle.
    let page = tile(&acme, &browser, &unasked(&acme, &ann), None).await;
    assert!(browser.get(page.redirect()).await.redirect().starts_with(&acme.idp.sso_url()));
}

#[tokio::test]
async fn a_browser_that_is_sent_back_and_forth_is_stopped_at_the_second_turn() {
    let (acme, ann) = with_home().await;
    let browser = Browser::new();
    let page = tile(&acme, &browser, &unasked(&acme, &ann), None).await;
    let page = browser.get(page.redirect()).await;
    assert!(page.redirect().starts_with(&acme.idp.sso_url()), "{}", page.redirect());
    // This identity provider cannot answer requests: it sends the same again.
    let page = tile(&acme, &browser, &unasked(&acme, &ann), None).await;
    let page = browser.get(page.redirect()).await;
    assert_eq!((page.status, page.code()), (StatusCode::FORBIDDEN, Some("GH-SAML-907")), "{}", page.shown());
    let elsewhere = tile(&acme, &Browser::new(), &unasked(&acme, &ann), None).await;
    assert!(Browser::new().get(elsewhere.redirect()).await.redirect().starts_with(&acme.idp.sso_url()));
}

#[tokio::test]
async fn where_it_is_off_the_identity_provider_cannot_begin() {
    let (acme, ann) = acme_with_ann().await;
    set(&acme, |settings| settings.idp_initiated = IdpInitiated::Off).await;
    let waiting = acme.waiting(&ann).await;
    waiting.is_refused(&encoded(&acme, &unasked(&acme, &ann)), "GH-SAML-907").await;
    waiting.gets_in(&waiting.signed(&waiting.honest())).await;
    assert_eq!(acme.events("login.failed").await.last().unwrap()["data"]["code"], "GH-SAML-907");
}

#[tokio::test]
async fn where_it_is_accepted_an_answer_opens_one_session_and_one_only() {
    let (acme, ann) = with_home().await;
    set(&acme, |settings| settings.idp_initiated = IdpInitiated::Accept).await;
    let response = unasked(&acme, &ann);
    let browser = Browser::new();
    let page = tile(&acme, &browser, &response, None).await;
    let ticket = page.redirect().to_owned();
    let page = browser.get(&ticket).await;
    assert!(page.redirect().starts_with(HOME), "{}", page.redirect());
    assert!(acme.knows(&browser).await);
    let again = Browser::new();
    assert_eq!(again.get(&ticket).await.code(), Some("GH-SAML-908"));
    assert_eq!(tile(&acme, &again, &response, None).await.code(), Some("GH-SAML-906"));
    // What names a request must still answer one of ours, in the browser that started it.
    let waiting = acme.waiting(&ann).await;
    waiting.is_refused(&waiting.signed(&waiting.honest().in_response_to("_unknown")), "GH-SAML-901").await;
    let honest = waiting.signed(&waiting.honest());
    let page = acme.post_response(&again, &honest).await;
    assert_eq!(again.get(page.redirect()).await.code(), Some("GH-SAML-905"));
    // Nobody who is not assigned gets in this way either.
    let bob = acme.user("bob");
    let page = tile(&acme, &again, &unasked(&acme, &bob), None).await;
    assert_eq!(again.get(page.redirect()).await.code(), Some("GH-SAML-1004"));
    // A ticket that waits too long is of no use.
    let page = tile(&acme, &again, &unasked(&acme, &ann), None).await;
    acme.gateway.clock.advance(Duration::minutes(5));
    assert_eq!(again.get(page.redirect()).await.code(), Some("GH-SAML-903"));
}

/// Wherever an attacker or a careless administrator wants to send the browser: only what stands on the list goes on.
#[tokio::test]
async fn a_relay_state_leads_on_only_if_it_stands_on_the_list() {
    let (acme, ann) = with_home().await;
    let console = "https://console.board.test/login?team=1";
    let foreign = [
        "https://evil.test/",
        "//evil.test",
        "/\\evil.test",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://console.board.test/login?team=1#x",
        "https://console.board.test/login",
        "https://console.board.test@evil.test/login?team=1",
        "HTTPS://console.board.test/login?team=1",
        " https://console.board.test/login?team=1",
        "\"><script>alert(1)</script>",
        "/admin",
        "",
        "x\r\nLocation: https://evil.test",
        "https:%2f%2fevil.test",
        &"x".repeat(2_000),
    ];
    for mode in [IdpInitiated::Accept, IdpInitiated::Restart] {
        set(&acme, |settings| {
            settings.idp_initiated = mode;
            settings.relay_states = vec![console.to_owned()];
        })
        .await;
        let states =
            foreign.iter().map(|state| (Some(*state), None)).chain([(Some(console), Some(console)), (None, None)]);
        for (state, target) in states {
            let browser = Browser::new();
            let page = tile(&acme, &browser, &unasked(&acme, &ann), state).await;
            let page = browser.get(page.redirect()).await;
            let page = match mode {
                IdpInitiated::Restart => signed_in_there(&acme, &browser, &page, &ann).await,
                _ => page,
            };
            assert!(page.redirect().starts_with(&format!("{HOME}?iss=")), "{state:?}: {}", page.redirect());
            assert_eq!(parameter(page.redirect(), "target_link_uri").as_deref(), target, "{mode:?} {state:?}");
        }
    }
    // The address that starts anew is open to all, and knows no other list.
    for (asked, target) in [("https://evil.test/", None), (console, Some(console))] {
        let browser = Browser::new();
        let url = url::Url::parse_with_params(&acme.url("/saml/restart"), [("target", asked)]).unwrap();
        let page = browser.get(url.as_str()).await;
        let page = signed_in_there(&acme, &browser, &page, &ann).await;
        assert_eq!(parameter(page.redirect(), "target_link_uri").as_deref(), target);
    }
}

#[tokio::test]
async fn users_are_of_the_connections_mail_domains() {
    let (acme, ann) = acme_with_ann().await;
    let domain = acme.domain.to_uppercase();
    set(&acme, |settings| settings.email_domains = vec!["other.test".to_owned(), domain]).await;
    let waiting = acme.waiting(&ann).await;
    let with = |email: &str| {
        waiting.signed(&waiting.idp.response_to(&waiting.request, &DirectoryUser::new(email, "Ann", "T")))
    };
    for (email, code) in [
        ("ann@evil.test".to_owned(), "GH-SAML-1003"),
        (format!("ann@sub.{}", acme.domain), "GH-SAML-1003"),
        (format!("ann@{}.evil.test", acme.domain), "GH-SAML-1003"),
        ("ann".to_owned(), "GH-SAML-1001"),
    ] {
        waiting.is_refused(&with(&email), code).await;
    }
    // Of two addresses none counts, and the name is the next to be looked at.
    let two = waiting.honest().attribute("email", "eve@other.test").name_id("ann");
    waiting.is_refused(&waiting.signed(&two), "GH-SAML-1001").await;
    let two = waiting.honest().attribute("email", "eve@other.test");
    waiting.gets_in(&waiting.signed(&two)).await;
    assert_eq!(attributes(&acme).await["email"], json!({ "from": "NameID", "values": [ann.user_name] }));
}

/// What the last session knows of the user.
async fn attributes(acme: &Customer) -> Value {
    let query = "SELECT attributes FROM sessions WHERE connection_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1";
    sqlx::query_scalar(query).bind(acme.connection.0).fetch_one(&mut superuser().await).await.unwrap()
}

#[tokio::test]
async fn attributes_are_found_under_the_names_that_providers_use_and_under_those_that_are_chosen() {
    let (acme, ann) = acme_with_ann().await;
    let aws = "https://aws.amazon.com/SAML/Attributes/AccessControl:";
    let waiting = acme.waiting(&ann).await;
    let response = waiting
        .honest()
        .attribute("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname", "not this one")
        .attribute_values("groups", &["one", "two", "one"])
        .attribute_values(&format!("{aws}CostCenter"), &["blue", "red"])
        .attribute(&format!("{aws}Level"), "7")
        .attribute(&format!("{aws}Lead"), "true")
        .edit("xsi:type=\"xs:string\">7<", "xsi:type=\"xs:integer\">7<")
        .edit("xsi:type=\"xs:string\">true<", "xsi:type=\"xs:boolean\">true<");
    waiting.gets_in(&waiting.signed(&response)).await;
    let known = attributes(&acme).await;
    assert_eq!(known["email"], json!({ "from": "email", "values": [ann.email] }));
    assert_eq!(known["given_name"], json!({ "from": "firstName", "values": [ann.first_name] }));
    assert_eq!(known["groups"], json!({ "from": "groups", "values": ["one", "two"] }));
    assert_eq!(known["access_control"], json!({ "CostCenter": ["blue", "red"], "Level": [7], "Lead": [true] }));

    set(&acme, |settings| {
        settings.mapping.email = vec!["primaryMail".to_owned(), "NameID".to_owned()];
        settings.mapping.role = vec!["team".to_owned()];
    })
    .await;
    acme.gateway.clock.advance(Duration::seconds(1));
    let waiting = acme.waiting(&ann).await;
    let response = waiting.honest().attribute("primaryMail", "not an address").attribute("team", "red");
    waiting.gets_in(&waiting.signed(&response)).await;
    let known = attributes(&acme).await;
    assert_eq!(known["email"], json!({ "from": "NameID", "values": [ann.user_name] }));
    assert_eq!(known["role"], json!({ "from": "team", "values": ["red"] }));
}

const PASSWORD: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport";

#[tokio::test]
async fn the_way_of_signing_in_that_is_asked_for_must_be_the_one_that_is_used() {
    let (acme, ann) = acme_with_ann().await;
    let ask = |classes: &[&str], comparison| {
        let classes = classes.iter().map(|class| (*class).to_owned()).collect();
        Some(AuthnContext { classes, comparison })
    };
    for (context, refused) in [
        (ask(&["urn:mfa"], AuthnComparison::Exact), true),
        (ask(&["urn:mfa", PASSWORD], AuthnComparison::Exact), false),
        (ask(&["urn:mfa"], AuthnComparison::Minimum), false),
        (None, false),
    ] {
        set(&acme, |settings| settings.authn_context = context.clone()).await;
        let waiting = acme.waiting(&ann).await;
        let answer = waiting.signed(&waiting.honest());
        if refused {
            waiting.is_refused(&answer, "GH-SAML-829").await;
            let step = super::trace::steps(&acme).await.pop().unwrap();
            assert_eq!((step.expected.as_deref(), step.received.as_deref()), (Some("urn:mfa"), Some(PASSWORD)));
        } else {
            waiting.gets_in(&answer).await;
        }
    }
}

#[tokio::test]
async fn a_connections_own_clock_difference_counts() {
    let (acme, ann) = acme_with_ann().await;
    let late = Duration::minutes(-2);
    for (seconds, gets_in) in [(None, true), (Some(60), false), (Some(300), true), (Some(0), false)] {
        set(&acme, |settings| settings.clock_skew_seconds = seconds).await;
        let waiting = acme.waiting(&ann).await;
        let answer = waiting.signed(&waiting.honest().not_on_or_after(late));
        if gets_in {
            waiting.gets_in(&answer).await;
        } else {
            waiting.is_refused(&answer, "GH-SAML-813").await;
        }
    }
}

/// JumpCloud takes requests by HTTP-POST only.
#[tokio::test]
async fn a_request_goes_by_the_binding_that_the_identity_provider_has() {
    let (acme, ann) = acme_with_ann().await;
    let mut provider = IdentityProvider::from_metadata(&acme.idp.metadata()).unwrap();
    provider.sso.binding = Binding::Post;
    let (store, now) = (&acme.gateway.app.store, acme.gateway.clock.now());
    setup::idp::set(store, now, acme.connection, &provider).await.unwrap();
    set(&acme, |settings| {
        settings.force_authn = true;
        settings.is_passive = true;
        settings.name_id_format = Some("urn:oasis:names:tc:SAML:2.0:nameid-format:persistent".to_owned());
    })
    .await;
    let browser = Browser::new();
    let page = browser.get(&acme.authorize_url(&[])).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains(&format!("action=\"{}\"", acme.idp.sso_url())), "{}", page.shown());
    assert!(page.header("content-security-policy").contains("script-src 'sha256-"));
    let field = |name: &str| {
        let (_, rest) = page.text.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    };
    let request =
        field("SAMLRequest").replace("&#x2B;", "+").replace("&#43;", "+").replace("&#61;", "=").replace("&#47;", "/");
    let request = String::from_utf8(STANDARD.decode(request).unwrap()).unwrap();
    for part in ["<ds:SignatureValue>", " ForceAuthn=\"true\"", " IsPassive=\"true\"", "nameid-format:persistent"] {
        assert!(request.contains(part), "{part}: {request}");
    }
    let id = request.split_once(" ID=\"").unwrap().1.split_once('"').unwrap().0;
    assert_eq!(field("RelayState"), id.trim_start_matches('_'));
    let page = acme.post_response(&browser, &encoded(&acme, &unasked(&acme, &ann).in_response_to(id))).await;
    browser.get(page.redirect()).await;
    assert!(acme.knows(&browser).await);
}
