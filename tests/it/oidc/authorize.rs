//! The authorization endpoint: who is sent where, and who is not.

use super::{Changes, SignedIn};
use harness::{
    browser::Browser,
    customer::Customer,
    sign_in::{CHALLENGE, code_of, parameter},
};
use reqwest::StatusCode;
use simulator::okta::Style;
use time::{Duration, macros::format_description};
use url::Url;

#[tokio::test]
async fn a_request_may_come_by_post_also_from_another_site() {
    let story = SignedIn::new().await;
    let hard = "a b&c=d#é\"'%25+";
    let url = Url::parse(&story.acme.authorize_url(&[("state", Some(hard))])).unwrap();
    let form: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let endpoint = format!("{}/oauth2/authorize", story.acme.gateway.url);
    let post = async |browser: &Browser| {
        // A browser sends no Lax cookie with such a post, so this one has none; it comes again by GET, with them.
        let page =
            Browser::new().send(|http| http.post(&endpoint).header("origin", "https://app.test").form(&form)).await;
        assert!(page.status == StatusCode::SEE_OTHER && page.redirect().starts_with(&format!("{endpoint}?")));
        browser.get(page.redirect()).await
    };
    let page = post(&Browser::new()).await;
    story.acme.idp.read_request(page.redirect()).await.expect("a stranger is sent to the identity provider");
    let page = post(&story.browser).await;
    assert_eq!(parameter(page.redirect(), "state").as_deref(), Some(hard));
    let tokens = story.acme.redeem(&code_of(page.redirect())).await;
    assert_eq!(tokens.status, StatusCode::OK, "{}", tokens.body);
    let long = "x".repeat(20_000);
    assert_eq!(story.browser.post(&endpoint, &[("state", &long)]).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn nobody_is_ever_sent_to_an_address_that_is_not_registered() {
    let story = SignedIn::new().await;
    let other = story.beside().await;
    let right = story.acme.application.redirect_uri.as_str();
    let tricks = [
        None,
        Some(""),
        Some("https://app.test/callback/"),
        Some("https://app.test/callback/../evil"),
        Some("https://app.test/callbackevil"),
        Some("https://app.test/callback?x=1"),
        Some("https://app.test/callback#x"),
        Some("https://app.test/CALLBACK"),
        Some("https://app.test/%63allback"),
        Some("https://APP.test/callback"),
        Some("https://app.test:443/callback"),
        Some("https://app.test@evil.test/callback"),
        Some("https://app.test.evil.test/callback"),
        Some("https://evil.test/https://app.test/callback"),
        Some("https://app.test\\@evil.test/callback"),
        Some(" https://app.test/callback"),
        Some("//app.test/callback"),
        Some("http://app.test/callback"),
        Some("javascript:alert(1)//https://app.test/callback"),
        Some(other.application.redirect_uri.as_str()),
    ];
    // Neither with a code nor with an error, whatever else is wrong.
    for broken in [("state", Some("s")), ("response_type", Some("token")), ("prompt", Some("none")), ("scope", None)] {
        for trick in tricks {
            let page = story.browser.get(&story.acme.authorize_url(&[("redirect_uri", trick), broken])).await;
            assert_eq!((page.status, page.code()), (StatusCode::BAD_REQUEST, Some("GH-OIDC-001")), "{trick:?}");
            assert_eq!(page.location, None, "{trick:?}");
        }
    }
    code_of(story.browser.get(&story.acme.authorize_url(&[("redirect_uri", Some(right))])).await.redirect());
}

#[tokio::test]
async fn the_session_of_somebody_else_does_not_answer_for_the_one_who_is_hinted_at() {
    let story = SignedIn::new().await;
    let bob = story.acme.user("bob");
    story.acme.assign(&bob).await;
    let bobs = story.acme.sign_in(&Browser::new(), &bob.email).await;
    let own = story.tokens().await;
    for (hint, error) in [(own.text("id_token"), None), (bobs.text("id_token"), Some("login_required"))] {
        let silent = [("prompt", Some("none")), ("id_token_hint", Some(hint))];
        let page = story.browser.get(&story.acme.authorize_url(&silent)).await;
        assert_eq!(parameter(page.redirect(), "error").as_deref(), error);
    }
    let page = story.browser.get(&story.acme.authorize_url(&[("id_token_hint", Some(bobs.text("id_token")))])).await;
    assert!(page.redirect().starts_with(&story.acme.idp.sso_url()), "{}", page.redirect());
    // And when it is not Bob who comes back from there, the application does not get Ann instead.
    let posted = story.acme.idp.sign_in(page.redirect(), &story.ann.email).await.unwrap();
    let page = story.acme.post_response(&story.browser, &posted.saml_response).await;
    let page = story.browser.get(page.redirect()).await;
    assert_eq!(parameter(page.redirect(), "error").as_deref(), Some("login_required"), "{}", page.redirect());
    assert_eq!(parameter(page.redirect(), "code"), None);
}

/// `ForceAuthn` is a wish; whether it was heeded is seen in the answer.
#[tokio::test]
async fn an_identity_provider_that_does_not_ask_anew_is_no_proof() {
    let story = SignedIn::new().await;
    let acme = &story.acme;
    for (minutes, error) in [(1, None), (10, Some("login_required"))] {
        let (browser, now) = (Browser::new(), acme.gateway.clock.now());
        let page = browser.get(&acme.authorize_url(&[("max_age", Some("60"))])).await;
        let request = acme.idp.read_request(page.redirect()).await.unwrap();
        let instant = |at: time::OffsetDateTime| {
            at.format(format_description!("AuthnInstant=\"[year]-[month]-[day]T[hour]:[minute]:")).unwrap()
        };
        let before = instant(now - Duration::minutes(minutes));
        let answer = acme.idp.response_to(&request, &story.ann).edit(&instant(now), &before);
        let page = acme.post_response(&browser, &answer.encode(acme.idp.key()).unwrap()).await;
        let page = browser.get(page.redirect()).await;
        assert_eq!(parameter(page.redirect(), "error").as_deref(), error, "{}", page.redirect());
        assert_eq!(parameter(page.redirect(), "code").is_some(), error.is_none());
    }
}

#[tokio::test]
async fn requests_that_cannot_be_answered_end_on_a_page() {
    let story = SignedIn::new().await;
    let stranger = uuid::Uuid::now_v7().to_string();
    let good = story.acme.authorize_url(&[]);
    let long = "x".repeat(2049);
    for url in [
        story.acme.authorize_url(&[("client_id", None)]),
        story.acme.authorize_url(&[("client_id", Some("<script>"))]),
        story.acme.authorize_url(&[("client_id", Some(&stranger))]),
        story.acme.authorize_url(&[("state", Some(&long))]),
        story.acme.authorize_url(&[("state", Some("line\nbreak"))]),
        format!("{good}&state=twice"),
        format!("{good}&scope=openid"),
        format!("{good}&redirect_uri=https%3A%2F%2Fapp.test%2Fcallback"),
        format!("{good}{}", "&x=1".repeat(64)),
        format!("{}/oauth2/authorize", story.acme.gateway.url),
    ] {
        let page = story.browser.get(&url).await;
        assert_eq!((page.status, page.code()), (StatusCode::BAD_REQUEST, Some("GH-OIDC-001")), "{url}");
        assert_eq!((page.location.as_deref(), page.header("cache-control")), (None, "no-store"), "{url}");
        assert_eq!(page.reference().map(str::len), Some(12), "{url}");
        assert!(!page.text.contains("<script>") && page.text.contains("For your IT admin"), "{}", page.text);
    }
    code_of(story.browser.get(&good).await.redirect());
}

#[tokio::test]
async fn a_request_that_is_wrong_is_answered_to_the_application_with_state_and_issuer() {
    let story = SignedIn::new().await;
    let table: [(Changes<'_>, &str); 17] = [
        (&[("response_type", Some("token"))], "unsupported_response_type"),
        (&[("response_type", Some("code id_token"))], "unsupported_response_type"),
        (&[("response_type", None)], "invalid_request"),
        (&[("response_mode", Some("fragment"))], "invalid_request"),
        (&[("scope", Some("profile email"))], "invalid_scope"),
        (&[("scope", None)], "invalid_scope"),
        (&[("code_challenge", None)], "invalid_request"),
        (&[("code_challenge", None), ("code_challenge_method", None)], "invalid_request"),
        (&[("code_challenge_method", Some("plain"))], "invalid_request"),
        (&[("code_challenge_method", None)], "invalid_request"),
        (&[("code_challenge", Some("short"))], "invalid_request"),
        (&[("prompt", Some("none login"))], "invalid_request"),
        (&[("prompt", Some("dance"))], "invalid_request"),
        (&[("max_age", Some("soon"))], "invalid_request"),
        (&[("max_age", Some("-1"))], "invalid_request"),
        (&[("request", Some("e30"))], "request_not_supported"),
        (&[("request_uri", Some("https://evil.test"))], "request_uri_not_supported"),
    ];
    let hard = "a b&c=d#é\"'%25+";
    for (changes, error) in table {
        let changes = [changes, &[("state", Some(hard))]].concat();
        let page = story.browser.get(&story.acme.authorize_url(&changes)).await;
        let answer = page.redirect();
        assert!(page.status == StatusCode::SEE_OTHER && answer.starts_with("https://app.test/callback?error="));
        let told = ["error", "state", "iss"].map(|name| parameter(answer, name).unwrap_or_default());
        assert_eq!(told, [error, hard, story.acme.gateway.url.as_str()], "{changes:?}");
        assert!(!answer.contains("code=") && !answer.contains('#'), "{answer}");
    }
    let page = story.browser.get(&story.acme.authorize_url(&[("state", Some(hard))])).await;
    assert_eq!(parameter(page.redirect(), "state").as_deref(), Some(hard));
    assert_eq!(parameter(page.redirect(), "iss"), Some(story.acme.gateway.url.clone()));
    let stateless = story.browser.get(&story.acme.authorize_url(&[("state", None)])).await;
    assert_eq!(parameter(stateless.redirect(), "state"), None);
}

#[tokio::test]
async fn a_loopback_application_may_listen_on_any_port() {
    let gateway = harness::gateway_process::Gateway::start().await;
    let application = gateway.application("http://127.0.0.1/callback", |spec| spec.public = true).await;
    let acme = Customer::entering(&gateway, application).await;
    let ask = async |uri: &str| Browser::new().get(&acme.authorize_url(&[("redirect_uri", Some(uri))])).await.status;
    assert_eq!(ask("http://127.0.0.1:49152/callback").await, StatusCode::SEE_OTHER);
    for uri in ["http://127.0.0.1:49152/other", "http://127.0.0.1:1@evil.test/callback", "http://127.0.0.12/callback"] {
        assert_eq!(ask(uri).await, StatusCode::BAD_REQUEST, "{uri}");
    }
}

#[tokio::test]
async fn a_session_answers_silently_for_its_tenant_and_its_application_only() {
    let story = SignedIn::new().await;
    let acme = &story.acme;
    let (beta, board) = (Customer::of(&acme.gateway).await, story.beside().await);
    beta.assign(&beta.user("ann")).await;
    assert!(acme.knows(&story.browser).await);
    for (neighbor, email) in [(&beta, beta.user("ann").email), (&board, story.ann.email.clone())] {
        assert!(!neighbor.knows(&story.browser).await);
        let page = story.browser.get(&neighbor.authorize_url(&[])).await;
        assert!(page.redirect().starts_with(&neighbor.idp.sso_url()), "it is asked: {:?}", page.location);
        let own = neighbor.sign_in(&story.browser, &email).await.id_claims();
        assert_eq!(own["tenant_id"], neighbor.tenant.to_string());
        assert_eq!(own["aud"], neighbor.application.client_id);
    }
    assert!(acme.knows(&story.browser).await, "one browser may be signed in to all three");

    // The board's way in is none for the application, whoever names it.
    let cid = board.connection.to_string();
    for changes in [&[("connection", Some(cid.as_str())), ("tenant", None)][..], &[("connection", Some(&cid))]] {
        let page = story.browser.get(&acme.authorize_url(changes)).await;
        assert_eq!((page.status, page.location.as_deref()), (StatusCode::NOT_FOUND, None), "{}", page.text);
    }
    let silent = acme.authorize_url(&[("connection", Some(&cid)), ("prompt", Some("none"))]);
    let page = story.browser.get(&silent).await;
    assert_eq!(parameter(page.redirect(), "error").as_deref(), Some("login_required"));
}

#[tokio::test]
async fn prompt_and_age_decide_whether_a_session_is_enough() {
    let story = SignedIn::new().await;
    let (acme, browser) = (&story.acme, &story.browser);
    let asks = async |changes: Changes<'_>| {
        let page = browser.get(&acme.authorize_url(changes)).await;
        let to_idp = page.redirect().starts_with(&acme.idp.sso_url());
        assert!(to_idp || page.redirect().starts_with("https://app.test/callback?"), "{:?}", page.location);
        let error = parameter(page.redirect(), "error");
        if to_idp { "asks".to_owned() } else { error.unwrap_or_else(|| "answers".to_owned()) }
    };
    acme.gateway.clock.advance(Duration::seconds(120));
    for (changes, expected) in [
        (&[][..], "answers"),
        (&[("prompt", Some("none"))], "answers"),
        (&[("prompt", Some("consent"))], "answers"),
        (&[("prompt", Some("login"))], "asks"),
        (&[("prompt", Some("select_account"))], "asks"),
        (&[("max_age", Some("130"))], "answers"),
        (&[("max_age", Some("119"))], "asks"),
        (&[("max_age", Some("0"))], "asks"),
        (&[("max_age", Some("4294967295"))], "answers"),
        (&[("max_age", Some("119")), ("prompt", Some("none"))], "login_required"),
    ] {
        assert_eq!(asks(changes).await, expected, "{changes:?}");
    }
    // Used now and then, or it would be over sooner.
    for _ in 0..11 {
        acme.gateway.clock.advance(Duration::hours(1));
        assert_eq!(asks(&[]).await, "answers");
    }
    acme.gateway.clock.advance(Duration::hours(1) - Duration::seconds(121));
    assert_eq!(asks(&[("prompt", Some("none"))]).await, "answers");
    acme.gateway.clock.advance(Duration::seconds(1));
    assert_eq!(asks(&[("prompt", Some("none"))]).await, "login_required");
    assert_eq!(asks(&[]).await, "asks");
    acme.sign_in(browser, &story.ann.email).await;
    assert_eq!(asks(&[("max_age", Some("60"))]).await, "answers", "a fresh sign-in is young again");
}

#[tokio::test]
async fn a_fresh_sign_in_that_was_asked_for_ends_with_a_code() {
    let story = SignedIn::new().await;
    for change in [("prompt", Some("login")), ("max_age", Some("0"))] {
        let page = story.browser.get(&story.acme.authorize_url(&[change])).await;
        let posted = story.acme.idp.sign_in(page.redirect(), &story.ann.email).await.unwrap();
        let code = story.acme.finish(&story.browser, &posted.saml_response).await;
        assert_eq!(story.acme.redeem(&code).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn without_an_organization_the_person_is_asked_and_nothing_is_lost() {
    let acme = Customer::new().await;
    let browser = Browser::new();
    let hostile = "\"><script>alert('1')</script>";
    let changes = [("tenant", None), ("state", Some(hostile))];
    let page = browser.get(&acme.authorize_url(&changes)).await;
    assert_eq!((page.status, page.header("cache-control")), (StatusCode::OK, "no-store"));
    assert!(!page.text.contains("<script") && !page.text.contains("role=\"alert\""), "{}", page.text);
    let asked = asked_of(&page.text);
    let kept: Vec<_> = url::form_urlencoded::parse(asked.as_bytes()).into_owned().collect();
    assert!(kept.contains(&("state".to_owned(), hostile.to_owned())), "{kept:?}");
    assert!(kept.contains(&("code_challenge".to_owned(), CHALLENGE.to_owned())), "{kept:?}");

    let submit = async |tenant: &str| {
        let form = [("asked", asked.as_str()), ("tenant", tenant)];
        let page = browser.post(&format!("{}/login", acme.gateway.url), &form).await;
        match page.location.as_deref().filter(|url| url.starts_with(&acme.gateway.url)) {
            Some(onward) => browser.get(onward).await,
            None => page,
        }
    };
    for unknown in ["nobody", "<script>", "acme test", "00000000-0000-0000-0000-000000000000"] {
        let page = submit(unknown).await;
        assert_eq!((page.status, page.location.as_deref()), (StatusCode::OK, None), "{unknown}");
        assert!(page.text.contains("role=\"alert\"") && !page.text.contains("<script"), "{}", page.text);
        assert_eq!(asked_of(&page.text), asked, "and may try again");
    }
    assert_eq!(submit("").await.status, StatusCode::OK);
    let ann = acme.user("ann");
    acme.assign(&ann).await;
    let page = submit(&acme.slug).await;
    let posted = acme.idp.sign_in(page.redirect(), &ann.email).await.unwrap();
    let page = acme.post_response(&browser, &posted.saml_response).await;
    let page = browser.get(page.redirect()).await;
    assert_eq!(parameter(page.redirect(), "state").as_deref(), Some(hostile));
    assert_eq!(acme.redeem(&code_of(page.redirect())).await.status, StatusCode::OK);

    let by_id = browser.get(&acme.authorize_url(&[("tenant", Some(&acme.tenant.to_string()))])).await;
    code_of(by_id.redirect());
    for tenant in [None, Some("nobody")] {
        let page = browser.get(&acme.authorize_url(&[("tenant", tenant), ("prompt", Some("none"))])).await;
        assert_eq!(parameter(page.redirect(), "error").as_deref(), Some("login_required"));
    }
}

/// The request that goes along, which every form of the page has.
pub(super) fn asked_of(html: &str) -> String {
    let fields = hidden_fields(html);
    let asked: Vec<&String> = fields.iter().filter(|(name, _)| name == "asked").map(|(_, value)| value).collect();
    assert!(asked.len() >= 2 && asked.iter().all(|other| other == &asked[0]), "{fields:?}");
    asked[0].clone()
}

/// The hidden inputs of a page as a browser reads them.
fn hidden_fields(html: &str) -> Vec<(String, String)> {
    let unescape = |text: &str| {
        let pairs = [("&#34;", "\""), ("&#39;", "'"), ("&#60;", "<"), ("&#62;", ">"), ("&#38;", "&")];
        pairs.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    };
    let inputs = html.split("<input type=\"hidden\" name=\"").skip(1);
    inputs
        .map(|input| {
            let (name, rest) = input.split_once("\" value=\"").unwrap();
            (unescape(name), unescape(rest.split_once('"').unwrap().0))
        })
        .collect()
}

#[tokio::test]
async fn who_is_deactivated_gets_no_code_from_a_page_that_is_still_open() {
    let story = SignedIn::new().await;
    let code = story.code().await;
    story.acme.okta(Style::Catalogue).deactivate(&story.ann).await.unwrap();
    assert_eq!(story.acme.redeem(&code).await.error(), (400, "invalid_grant"));
    assert!(!story.acme.knows(&story.browser).await);
}
