//! Attacks that take more than one message, or another way to carry it: each beside its control.

use super::{Canary, Target, sub};
use crate::saml::{acme_with_ann, trust_the_same_idp};
use harness::{
    browser::{Browser, Page},
    customer::Customer,
    gateway_process::unique,
    sign_in::{Waiting, code_of},
};
use reqwest::{StatusCode, header};
use saml::idp::IdentityProvider;
use serde_json::json;
use simulator::{
    attack::{self, keys::SHORT},
    directory::DirectoryUser,
    idp::response::Sign,
    okta::Style,
};
use std::time::{Duration, Instant};

const SESSION: &str = "session_";

fn shows(page: &Page, status: StatusCode, code: &str, name: &str) {
    assert_eq!((page.status, page.code()), (status, Some(code)), "{name}: {}", page.shown());
}

/// Forms that other sites can post, and bodies that are no forms.
#[tokio::test]
async fn one_form_field_is_the_only_way_in() {
    let (acme, ann) = acme_with_ann().await;
    let acs = acme.url("/saml/acs");
    let encoded = |good: &str| url::form_urlencoded::byte_serialize(good.as_bytes()).collect::<String>();
    type Body = fn(&str) -> (&'static str, String);
    let bodies: [(&str, Body, &str); 10] = [
        ("text/plain", |good| ("text/plain", format!("SAMLResponse={good}")), "GH-SAML-106"),
        (
            "text/plain as JSON",
            |good| ("text/plain", format!("{{\"SAMLResponse\":\"{good}\",\"x\":\"=\"}}")),
            "GH-SAML-106",
        ),
        ("JSON", |good| ("application/json", json!({ "SAMLResponse": good }).to_string()), "GH-SAML-106"),
        ("XML", |good| ("application/xml", good.to_owned()), "GH-SAML-106"),
        (
            "multipart",
            |good| {
                let part =
                    format!("--x\r\nContent-Disposition: form-data; name=\"SAMLResponse\"\r\n\r\n{good}\r\n--x--");
                ("multipart/form-data; boundary=x", part)
            },
            "GH-SAML-106",
        ),
        ("no type", |good| ("", format!("SAMLResponse={good}")), "GH-SAML-106"),
        ("nothing", |_| ("application/x-www-form-urlencoded", String::new()), "GH-SAML-101"),
        ("another name", |good| ("application/x-www-form-urlencoded", format!("samlresponse={good}")), "GH-SAML-101"),
        (
            "twice",
            |good| ("application/x-www-form-urlencoded", format!("SAMLResponse={good}&SAMLResponse={good}")),
            "GH-SAML-102",
        ),
        ("an array", |good| ("application/x-www-form-urlencoded", format!("SAMLResponse[]={good}")), "GH-SAML-101"),
    ];
    for (name, body, code) in bodies {
        let waiting = acme.waiting(&ann).await;
        let good = waiting.signed(&waiting.honest());
        let (kind, body) = body(&encoded(&good));
        let page = waiting.browser.send(|http| http.post(&acs).header(header::CONTENT_TYPE, kind).body(body)).await;
        shows(&page, StatusCode::FORBIDDEN, code, name);
        assert!(!acme.knows(&waiting.browser).await, "{name}");
        waiting.gets_in(&good).await;
    }
    // In the address it counts for nothing, whatever the method.
    let waiting = acme.waiting(&ann).await;
    let good = waiting.signed(&waiting.honest());
    let address = format!("{acs}?SAMLResponse={}", encoded(&good));
    shows(&waiting.browser.post(&address, &[]).await, StatusCode::FORBIDDEN, "GH-SAML-101", "in the query");
    for method in [reqwest::Method::GET, reqwest::Method::PUT, reqwest::Method::PATCH, reqwest::Method::DELETE] {
        let page = waiting.browser.send(|http| http.request(method.clone(), &address)).await;
        assert_eq!(page.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
    }
    assert!(!acme.knows(&waiting.browser).await);
    waiting.gets_in(&good).await;
}

/// An application asked: it gets the answer, whatever RelayState comes back.
#[tokio::test]
async fn no_relay_state_leads_a_requested_sign_in_elsewhere() {
    let (acme, ann) = acme_with_ann().await;
    let long = "x".repeat(5_000);
    let states = [
        "https://evil.test/",
        "//evil.test",
        "/\\evil.test",
        "/\\/evil.test",
        "javascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "https://app.test@evil.test/callback",
        "https://app.test/callback?code=x",
        "https:%2f%2fevil.test",
        "%0d%0aLocation:%20https://evil.test",
        "x\r\nSet-Cookie: a=b",
        "\"><script>alert(1)</script>",
        "\0",
        "/admin",
        "",
        &long,
    ];
    for state in states {
        let waiting = acme.waiting(&ann).await;
        let good = waiting.signed(&waiting.honest());
        let form = [("SAMLResponse", good.as_str()), ("RelayState", state)];
        let page = waiting.browser.post(&acme.url("/saml/acs"), &form).await;
        assert!(page.redirect().starts_with(&acme.url("/saml/finish?ticket=")), "{state:?}: {:?}", page.location);
        let page = waiting.browser.get(page.redirect()).await;
        assert!(page.redirect().starts_with("https://app.test/callback?code="), "{state:?}: {:?}", page.location);
        assert_eq!(acme.redeem(&code_of(page.redirect())).await.status, StatusCode::OK);
    }
}

/// What a stranger writes into a response is shown as text, and an unproven message not at all.
#[tokio::test]
async fn an_error_page_runs_nothing_that_a_response_says() {
    let (acme, ann) = acme_with_ann().await;
    let script = "\"><script>alert(1)</script><img src=x onerror=alert(1)>";
    let written = "&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;";
    let message = format!("<saml2p:StatusMessage>{written}</saml2p:StatusMessage></saml2p:Status>");
    let waiting = acme.waiting(&ann).await;
    let alone = waiting.honest().sign(Sign::Assertion);
    for (code, response) in [
        (
            "GH-SAML-803",
            alone.clone().tamper("</saml2p:Status>", &message).tamper("status:Success", "status:Responder"),
        ),
        ("GH-SAML-803", alone.clone().tamper("urn:oasis:names:tc:SAML:2.0:status:Success", written)),
        ("GH-SAML-807", alone.clone().destination(Some(script))),
        ("GH-SAML-804", alone.clone().issuer(script)),
        ("GH-SAML-811", alone.clone().audience(script)),
        ("GH-SAML-818", alone.clone().recipient(script)),
        (
            "GH-SAML-901",
            alone
                .clone()
                .in_response_to("_x")
                .edit("InResponseTo=\"_x\"", "InResponseTo=\"&lt;b&gt;\"")
                .tamper("InResponseTo=\"_x\"", "InResponseTo=\"&lt;b&gt;\""),
        ),
        (
            "GH-SAML-402",
            alone.clone().tamper("<saml2p:Status>", "<x:script xmlns:x=\"urn:&lt;script&gt;\"/><saml2p:Status>"),
        ),
    ] {
        let page = waiting.is_refused(&waiting.signed(&response), code).await;
        for part in ["<script", "<img", "<b>", "onerror=alert(1)>"] {
            assert!(!page.text.contains(part), "{code}: {part} is in {}", page.text);
        }
        assert!(page.header("content-security-policy").starts_with("default-src 'none'"), "{code}");
    }
    waiting.gets_in(&waiting.signed(&waiting.honest())).await;
}

/// The page without what is different each time.
fn without_reference(page: &Page) -> String {
    page.text.replace(page.reference().unwrap(), "")
}

/// Who can tell a wrong padding from a wrong content can read what is encrypted, byte by byte.
#[tokio::test]
async fn refusals_of_ciphertexts_are_the_same_to_the_byte_and_take_their_time() {
    let target = Target::new().await;
    let mut pages = Vec::new();
    for attack in attack::catalog().iter().filter(|attack| attack.class == "encryption") {
        let part = |name: &str| attack.name.starts_with(name);
        if !["cbc-bad", "cbc-no-xml", "bad-tag", "wrong-key", "plaintext-unsigned-evil"].into_iter().any(part) {
            continue;
        }
        let waiting = target.acme.waiting(&target.ann).await;
        let field = attack.field(&target.material(&waiting)).unwrap();
        let began = Instant::now();
        let page = target.acme.post_response(&waiting.browser, &field).await;
        // Never earlier than any of them could be known: the time tells nothing.
        assert!(began.elapsed() >= Duration::from_millis(100), "{}: {:?}", attack.name, began.elapsed());
        assert_eq!(page.code(), Some("GH-SAML-601"), "{}", attack.name);
        pages.push((attack.name.clone(), without_reference(&page)));
    }
    assert!(pages.len() >= 7, "{} pages", pages.len());
    for (name, page) in &pages {
        assert_eq!(page, &pages[0].1, "{name}");
    }
}

/// The session's cookie as a page sets it, without its attributes.
fn session_of(page: &Page) -> String {
    let cookie = page.cookies().into_iter().find(|cookie| cookie.contains(SESSION)).unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

/// Session fixation: what a browser had before is worth nothing afterwards, and a planted cookie becomes nobody's.
#[tokio::test]
async fn each_sign_in_has_a_session_of_its_own() {
    let (acme, ann) = acme_with_ann().await;
    let signed_in = async |browser: &Browser| {
        let page = browser.get(&acme.authorize_url(&[("prompt", Some("login"))])).await;
        let posted = acme.idp.sign_in(page.redirect(), &ann.email).await.unwrap();
        let page = acme.post_response(browser, &posted.saml_response).await;
        session_of(&browser.get(page.redirect()).await)
    };
    let knows = async |cookie: &str| {
        let url = acme.authorize_url(&[("prompt", Some("none"))]);
        let page = Browser::new().send(|http| http.get(&url).header(header::COOKIE, cookie)).await;
        page.redirect().contains("code=")
    };
    let browser = Browser::new();
    let first = signed_in(&browser).await;
    let second = signed_in(&browser).await;
    assert_ne!(first, second);
    assert!(!knows(&first).await && knows(&second).await);

    let planted = format!("{}=chosen", first.split('=').next().unwrap());
    let page = Browser::new().get(&acme.authorize_url(&[])).await;
    let own: Vec<&str> = page.cookies().into_iter().map(|cookie| cookie.split(';').next().unwrap()).collect();
    let cookies = format!("{}; {planted}", own.join("; "));
    let request = acme.idp.read_request(page.redirect()).await.unwrap();
    let response = acme.idp.response_to(&request, &ann).encode(acme.idp.key()).unwrap();
    let finish = acme.post_response(&Browser::new(), &response).await;
    let page = Browser::new().send(|http| http.get(finish.redirect()).header(header::COOKIE, &cookies)).await;
    let session = session_of(&page);
    assert_ne!(session, planted);
    assert!(knows(&session).await && !knows(&planted).await);
}

/// Login CSRF: the attacker's own answer, posted and collected by a victim's browser, signs nobody in.
#[tokio::test]
async fn an_answer_is_of_no_use_in_another_browser() {
    let target = Target::new().await;
    let (acme, ann) = (&target.acme, &target.ann);
    let anywhere = [Browser::new(), acme.waiting(&target.bob).await.browser];
    for victim in anywhere {
        let waiting = acme.waiting(ann).await;
        let page = acme.post_response(&victim, &waiting.signed(&waiting.honest())).await;
        let page = victim.get(page.redirect()).await;
        shows(&page, StatusCode::FORBIDDEN, "GH-SAML-905", "another browser");
        assert!(!acme.knows(&victim).await && !acme.knows(&waiting.browser).await);
        // The victim's own sign-in goes on.
        let tokens = acme.sign_in(&victim, &target.bob.email).await;
        assert_ne!(sub(&tokens), target.sub);
    }
    // A signed-in victim stays who they are.
    let victim = Browser::new();
    acme.sign_in(&victim, &target.bob.email).await;
    let waiting = acme.waiting(ann).await;
    let page = acme.post_response(&victim, &waiting.signed(&waiting.honest())).await;
    shows(&victim.get(page.redirect()).await, StatusCode::FORBIDDEN, "GH-SAML-905", "a signed-in browser");
    let page = victim.get(&acme.authorize_url(&[("prompt", Some("none"))])).await;
    assert_ne!(sub(&acme.redeem(&code_of(page.redirect())).await), target.sub);
}

/// One tenant's identity provider says what only another tenant's may say.
#[tokio::test]
async fn an_identity_provider_speaks_for_its_own_tenant_only() {
    let (acme, ann) = acme_with_ann().await;
    let beta = Customer::of(&acme.gateway).await;
    let bea = beta.user("bea");
    beta.assign(&bea).await;
    let (own, other) = (acme.waiting(&ann).await, beta.waiting(&bea).await);
    let refused = [
        // By acme's key, to acme: as beta's identity provider, or for beta.
        (&own, own.signed(&own.honest().issuer(&beta.idp.entity_id())), "GH-SAML-804"),
        (&own, own.signed(&own.honest().audience(&beta.url(""))), "GH-SAML-811"),
        (&own, own.signed(&own.honest().recipient(&beta.url("/saml/acs"))), "GH-SAML-818"),
        (&own, own.signed(&own.honest().in_response_to(&other.request.id)), "GH-SAML-901"),
        // By acme's key, to beta: all that beta's identity provider would say.
        (&other, other.honest().encode(acme.idp.key()).unwrap(), "GH-SAML-505"),
        (&other, other.honest().issuer(&acme.idp.entity_id()).encode(acme.idp.key()).unwrap(), "GH-SAML-505"),
        // By beta's key, to acme.
        (&own, own.honest().encode(beta.idp.key()).unwrap(), "GH-SAML-505"),
        (&own, other.signed(&other.honest()), "GH-SAML-505"),
    ];
    for (waiting, response, code) in refused {
        waiting.is_refused(&response, code).await;
    }
    // A person of the other tenant is nobody here.
    let stranger = acme.waiting(&bea).await;
    stranger.is_refused_at_finish(&stranger.signed(&stranger.honest()), "GH-SAML-1004").await;
    own.gets_in(&own.signed(&own.honest())).await;
    other.gets_in(&other.signed(&other.honest())).await;
}

#[tokio::test]
async fn one_assertion_id_is_used_once_in_each_connection_and_binds_no_other() {
    let (acme, ann) = acme_with_ann().await;
    let beta = Customer::of(&acme.gateway).await;
    trust_the_same_idp(&beta, &acme).await;
    beta.okta(Style::Custom).push_user(&ann).await.unwrap();
    let id = unique("assertion");
    for customer in [&acme, &beta] {
        let waiting = customer.waiting_at(&acme.idp, Browser::new(), &ann).await;
        let response = waiting.signed(&waiting.honest().assertion_id(&id));
        waiting.gets_in(&response).await;
        let again = customer.waiting_at(&acme.idp, Browser::new(), &ann).await;
        again.is_refused(&response, "GH-SAML-906").await;
        again.is_refused(&again.signed(&again.honest().assertion_id(&id)), "GH-SAML-906").await;
        again.gets_in(&again.signed(&again.honest())).await;
    }
}

/// Names that look like Mark's, or become his under somebody's idea of the same.
#[tokio::test]
async fn only_his_own_name_is_marks() {
    let (acme, _) = acme_with_ann().await;
    let mark = acme.user("mark");
    acme.assign(&mark).await;
    let domain = &acme.domain;
    let enters = async |name_id: &str, email: Option<&str>| {
        let waiting = acme.waiting(&mark).await;
        let user = DirectoryUser { user_name: name_id.to_owned(), ..mark.clone() };
        let response = waiting.idp.response_to(&waiting.request, &user);
        let response = match email {
            // The attribute instead of the one that the directory has.
            Some(email) => response.edit(&format!(">{}<", mark.email), &format!(">{email}<")),
            None => response.edit(&format!(">{}<", mark.email), ">nobody<"),
        };
        whoever(&waiting, &waiting.signed(&response)).await
    };
    let own = enters(&mark.user_name, Some(&mark.email)).await.expect("control");
    let tricks = [
        format!("mark@{domain}.evil.test"),
        format!("mark@{domain}@evil.test"),
        format!("mark@evil.test@{domain}"),
        format!("mark@{domain},eve@evil.test"),
        format!("eve@evil.test mark@{domain}"),
        format!("mark+x@{domain}"),
        format!("m.ark@{domain}"),
        format!("mark(x)@{domain}"),
        format!("\"mark\"@{domain}"),
        format!("mailto:mark@{domain}"),
        format!("mark@{domain}."),
        format!("mark%40{domain}"),
        format!("mark@sub.{domain}"),
        format!("mark\u{200b}@{domain}"),
        format!("\u{a0}mark@{domain}"),
        format!("mark@{domain}\u{3000}"),
        format!("mar\u{212a}@{domain}"),
        format!("m\u{430}rk@{domain}"),
        format!("\u{ff4d}ark@{domain}"),
        format!("mark@{domain}\u{202e}"),
        format!("ma\u{301}rk@{domain}"),
        format!("mark\\@{domain}"),
        "mark".to_owned(),
        format!("*@{domain}"),
        format!("' OR user_name = 'mark@{domain}"),
    ];
    for (number, trick) in tricks.iter().enumerate() {
        assert_eq!(enters(trick, None).await, None, "{trick:?} as NameID");
        let unknown = unique(&number.to_string());
        assert_eq!(enters(&unknown, Some(trick)).await, None, "{trick:?} as address");
    }
    for spelling in [mark.user_name.to_uppercase(), format!(" {}\n", mark.user_name)] {
        assert_eq!(enters(&spelling, None).await.as_ref(), Some(&own), "{spelling:?}");
    }
}

/// Whom the answer signs in, if anybody.
async fn whoever(waiting: &Waiting<'_>, saml_response: &str) -> Option<String> {
    let acme = waiting.customer;
    let page = acme.post_response(&waiting.browser, saml_response).await;
    let page = match &page.location {
        Some(finish) => waiting.browser.get(finish).await,
        None => page,
    };
    if page.status == StatusCode::FORBIDDEN {
        assert!(!acme.knows(&waiting.browser).await);
        return None;
    }
    Some(sub(&acme.redeem(&code_of(page.redirect())).await))
}

/// Several addresses, several spellings of one attribute, an address that is not the name's.
#[tokio::test]
async fn of_two_people_in_one_assertion_none_is_picked_by_chance() {
    let (acme, ann) = acme_with_ann().await;
    let bob = acme.user("bob");
    acme.assign(&bob).await;
    let own = sub(&acme.sign_in(&Browser::new(), &ann.email).await);
    let unknown = unique("00u");
    let waiting = acme.waiting(&ann).await;
    // Nobody has this name, and of two addresses none counts.
    let two = waiting.honest().name_id(&unknown).attribute_values("email", &[&ann.email, &bob.email]);
    waiting.is_refused_at_finish(&waiting.signed(&two), "GH-SAML-1004").await;
    let waiting = acme.waiting(&ann).await;
    let again = waiting.honest().name_id(&unknown).attribute("email", &bob.email);
    waiting.is_refused_at_finish(&waiting.signed(&again), "GH-SAML-1004").await;
    // The name decides, whatever address stands beside it.
    for (name, value) in [("email", &bob.email), ("EMAIL", &bob.email), ("Email", &bob.email), ("mail", &bob.email)] {
        let waiting = acme.waiting(&ann).await;
        let response = waiting.honest().attribute(name, value).attribute("userName", &bob.user_name);
        assert_eq!(sub(&waiting.gets_in(&waiting.signed(&response)).await), own, "{name}");
    }
    // A role that the application does not have is none.
    let waiting = acme.waiting(&ann).await;
    let before = acme.sign_in(&Browser::new(), &ann.email).await.id_claims()["roles"].clone();
    let response = waiting.honest().attribute("role", "SUPERUSER").attribute("roles", "ADMINISTRATOR");
    assert_eq!(waiting.gets_in(&waiting.signed(&response)).await.id_claims()["roles"], before);
}

/// CVE-2026-28323 and its kin: a connection without a good certificate cannot be set up, so nothing is ever unchecked.
#[tokio::test]
async fn no_connection_verifies_with_nothing_or_with_little() {
    let (acme, ann) = acme_with_ann().await;
    let (sso, entity) = (acme.idp.sso_url(), acme.idp.entity_id());
    assert!(IdentityProvider::from_fields(&sso, &entity, "").is_err());
    assert!(IdentityProvider::from_fields(&sso, &entity, SHORT).is_err(), "RSA with 1024 bits");
    let metadata = acme.idp.metadata();
    let certificate = acme.idp.key().certificate_base64();
    assert!(IdentityProvider::from_metadata(&metadata.replace(&certificate, "")).is_err());
    assert!(IdentityProvider::from_metadata(&metadata.replace(&certificate, SHORT)).is_err());
    assert!(IdentityProvider::from_metadata(&metadata.replace("use=\"signing\"", "use=\"encryption\"")).is_err());
    assert!(IdentityProvider::from_metadata(&metadata).is_ok(), "control");
    acme.sign_in(&Browser::new(), &ann.email).await;
}

/// Metadata of the identity provider leads nowhere either.
#[tokio::test]
async fn metadata_fetches_nothing() {
    let acme = Customer::new().await;
    let canary = Canary::new().await;
    let metadata = acme.idp.metadata();
    let body = metadata.find("<md:EntityDescriptor").or_else(|| metadata.find("<EntityDescriptor")).unwrap();
    let (declaration, body) = metadata.split_at(body);
    let doctype = |subset: &str| format!("{declaration}<!DOCTYPE x {subset}>{body}");
    for hostile in [
        doctype(&format!("SYSTEM \"{}/dtd\"", canary.url)),
        doctype(&format!("[<!ENTITY % e SYSTEM \"{}/e\"> %e;]", canary.url)),
        doctype("[<!ENTITY a \"b\">]"),
    ] {
        assert!(IdentityProvider::from_metadata(&hostile).is_err(), "{hostile}");
    }
    IdentityProvider::from_metadata(&metadata).expect("control");
    canary.sees_nobody().await;
}
