//! Sign-in over SAML: who gets in, and everybody who does not.

mod attacks;
mod cli;
mod identity;
mod keys;
mod logout;
pub(crate) mod modes;
pub mod trace;
mod watch;

use crate::serve::Process;
use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::read::DeflateDecoder;
use gateway::{clock::Clock, setup};
use harness::{
    browser::{Browser, Page},
    customer::Customer,
    gateway_process::{Gateway, unique},
    sign_in::{code_of, parameter},
};
use reqwest::StatusCode;
use saml::idp::{IdentityProvider, IdpCertificate};
use simulator::{
    directory::DirectoryUser,
    idp::{
        keys::IdpKey,
        response::{ResponseBuilder, Sign},
    },
    okta::Style,
};
use std::{io::Read, sync::Arc};
use time::Duration;
use tokio::task::JoinSet;

type Change = fn(ResponseBuilder) -> ResponseBuilder;

/// A customer with Ann, who has been provisioned.
async fn acme_with_ann() -> (Customer, DirectoryUser) {
    with_ann(Customer::new().await).await
}

/// Another connection of the same tenant, for another application.
async fn beside(acme: &Customer) -> Customer {
    acme.sibling(&acme.gateway.application("https://board.test/callback", |_| {}).await).await
}

async fn with_ann(customer: Customer) -> (Customer, DirectoryUser) {
    let ann = customer.user("ann");
    customer.assign(&ann).await;
    (customer, ann)
}

#[tokio::test]
async fn each_defect_of_a_response_has_its_code_and_without_the_defect_it_gets_in() {
    let (acme, ann) = acme_with_ann().await;
    let defects: [(&str, Change); 19] = [
        ("GH-SAML-501", |response| response.sign(Sign::Nothing)),
        ("GH-SAML-504", |response| response.tamper("ann@", "eve@")),
        ("GH-SAML-504", |response| response.sign(Sign::Assertion).tamper("ann@", "eve@")),
        ("GH-SAML-504", |response| response.sign(Sign::Response).tamper("ann@", "eve@")),
        ("GH-SAML-704", |response| response.name_id("")),
        ("GH-SAML-803", |response| response.status("urn:oasis:names:tc:SAML:2.0:status:Responder")),
        ("GH-SAML-804", |response| response.issuer("https://evil.test/metadata")),
        ("GH-SAML-806", |response| response.destination(None)),
        ("GH-SAML-807", |response| response.destination(Some("https://evil.test/acs"))),
        ("GH-SAML-811", |response| response.audience("https://evil.test")),
        ("GH-SAML-812", |response| response.not_before(Duration::minutes(4))),
        ("GH-SAML-813", |response| response.not_on_or_after(Duration::minutes(-4))),
        ("GH-SAML-814", |response| response.not_on_or_after(Duration::minutes(-6))),
        ("GH-SAML-818", |response| response.recipient("https://evil.test/acs")),
        ("GH-SAML-826", |response| response.issue_instant(Duration::minutes(-9))),
        ("GH-SAML-827", |response| response.issue_instant(Duration::minutes(4))),
        ("GH-SAML-901", |response| response.in_response_to("_00000000000000000000000000000000")),
        ("GH-SAML-411", |response| response.tamper("</ds:KeyInfo>", "</ds:KeyInfo><ds:Object/>")),
        ("GH-SAML-419", |response| {
            response.tamper("http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2000/09/xmldsig#sha1")
        }),
    ];
    for (code, spoil) in defects {
        let waiting = acme.waiting(&ann).await;
        let honest = waiting.honest();
        waiting.is_refused(&waiting.signed(&spoil(honest.clone())), code).await;
        waiting.gets_in(&waiting.signed(&honest)).await;
    }
}

#[tokio::test]
async fn every_style_of_signing_gets_in() {
    let (acme, ann) = acme_with_ann().await;
    let styles: [Change; 4] = [
        |response| response.sign(Sign::Assertion),
        |response| response.sign(Sign::Response),
        |response| response.sign(Sign::Both),
        |response| response.sign(Sign::Assertion).destination(None),
    ];
    for style in styles {
        let waiting = acme.waiting(&ann).await;
        waiting.gets_in(&waiting.signed(&style(waiting.honest()))).await;
    }
}

#[tokio::test]
async fn only_the_key_in_the_metadata_signs() {
    let (acme, ann) = acme_with_ann().await;
    let waiting = acme.waiting(&ann).await;
    let honest = waiting.honest();
    let stranger = IdpKey::generate(acme.gateway.clock.now()).unwrap();
    waiting.is_refused(&honest.encode(&stranger).unwrap(), "GH-SAML-505").await;
    // The certificate that a response carries proves nothing: here it is the right one beside a stranger's signature.
    let (ours, theirs) = (waiting.idp.key().certificate_base64(), stranger.certificate_base64());
    let disguised = honest.clone().sign(Sign::Assertion).tamper(&theirs, &ours);
    waiting.is_refused(&disguised.encode(&stranger).unwrap(), "GH-SAML-505").await;
    waiting.gets_in(&waiting.signed(&honest)).await;
}

#[tokio::test]
async fn a_response_expires_by_our_clock_with_three_minutes_of_grace() {
    let (acme, ann) = acme_with_ann().await;
    let (early, late) = (acme.waiting(&ann).await, acme.waiting(&ann).await);
    let short = |response: ResponseBuilder| response.not_on_or_after(Duration::minutes(1));
    let (in_time, too_late) = (early.signed(&short(early.honest())), late.signed(&short(late.honest())));
    acme.gateway.clock.advance(Duration::seconds(238));
    early.gets_in(&in_time).await;
    acme.gateway.clock.advance(Duration::seconds(2));
    late.is_refused(&too_late, "GH-SAML-813").await;

    let (early, late) = (acme.waiting(&ann).await, acme.waiting(&ann).await);
    let (in_time, too_late) = (early.signed(&early.honest()), late.signed(&late.honest()));
    acme.gateway.clock.advance(Duration::seconds(478));
    early.gets_in(&in_time).await;
    acme.gateway.clock.advance(Duration::seconds(2));
    late.is_refused(&too_late, "GH-SAML-826").await;
}

#[tokio::test]
async fn a_response_and_its_assertion_work_once() {
    let (acme, ann) = acme_with_ann().await;
    let first = acme.waiting(&ann).await;
    let assertion = unique("assertion");
    let response = first.signed(&first.honest().assertion_id(&assertion));
    first.gets_in(&response).await;

    let second = acme.waiting(&ann).await;
    second.is_refused(&response, "GH-SAML-906").await;
    second.is_refused(&second.signed(&second.honest().assertion_id(&assertion)), "GH-SAML-906").await;
    // A new assertion does not help where the request has been answered.
    second.is_refused(&first.signed(&first.honest()), "GH-SAML-902").await;
    second.gets_in(&second.signed(&second.honest())).await;
}

#[tokio::test]
async fn of_sixteen_posts_at_once_one_gets_a_ticket_and_of_eight_collections_one_a_session() {
    let (acme, ann) = acme_with_ann().await;
    // Two processes behind the same address, which share nothing but the database.
    let address = &acme.gateway.url;
    let processes = [Process::start_behind(address).await, Process::start_behind(address).await];
    let waiting = acme.waiting(&ann).await;
    let response = waiting.signed(&waiting.honest());
    let mut posts = JoinSet::new();
    for number in 0..16 {
        let port = processes[number % 2].port;
        let (acs, response) = (format!("http://localhost:{port}/c/{}/saml/acs", acme.connection), response.clone());
        posts.spawn(async move { Browser::new().post(&acs, &[("SAMLResponse", &response)]).await });
    }
    let (taken, refused): (Vec<Page>, Vec<Page>) =
        posts.join_all().await.into_iter().partition(|page| page.status == StatusCode::SEE_OTHER);
    assert_eq!(taken.len(), 1);
    assert!(refused.iter().all(|page| page.code() == Some("GH-SAML-906")), "{refused:?}");

    let browser = Arc::new(waiting.browser);
    let mut collections = JoinSet::new();
    for _ in 0..8 {
        let (browser, finish) = (Arc::clone(&browser), taken[0].redirect().to_owned());
        collections.spawn(async move { browser.get(&finish).await });
    }
    let (taken, refused): (Vec<Page>, Vec<Page>) =
        collections.join_all().await.into_iter().partition(|page| page.status == StatusCode::SEE_OTHER);
    assert_eq!(taken.len(), 1);
    assert!(refused.iter().all(|page| page.code() == Some("GH-SAML-908")), "{refused:?}");
    assert_eq!(acme.redeem(&code_of(taken[0].redirect())).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_request_waits_fifteen_minutes_and_its_ticket_no_longer() {
    let (acme, ann) = acme_with_ann().await;
    let clock = &acme.gateway.clock;
    let (early, slow, late) = (acme.waiting(&ann).await, acme.waiting(&ann).await, acme.waiting(&ann).await);
    clock.advance(Duration::minutes(15) - Duration::SECOND);
    early.gets_in(&early.signed(&early.honest())).await;
    let ticket = acme.post_response(&slow.browser, &slow.signed(&slow.honest())).await;
    clock.advance(Duration::SECOND);
    late.is_refused(&late.signed(&late.honest()), "GH-SAML-903").await;
    let page = slow.browser.get(ticket.redirect()).await;
    assert_eq!((page.status, page.code()), (StatusCode::FORBIDDEN, Some("GH-SAML-903")));
    assert!(!acme.knows(&slow.browser).await);
}

#[tokio::test]
async fn a_sign_in_ends_in_the_browser_that_began_it_and_another_burns_the_ticket() {
    let (acme, ann) = acme_with_ann().await;
    // One without a cookie, one with a sign-in of its own.
    for other in [Browser::new(), acme.waiting(&ann).await.browser] {
        let waiting = acme.waiting(&ann).await;
        let page = acme.post_response(&waiting.browser, &waiting.signed(&waiting.honest())).await;
        let stolen = other.get(page.redirect()).await;
        assert_eq!((stolen.status, stolen.code()), (StatusCode::FORBIDDEN, Some("GH-SAML-905")));
        let burnt = waiting.browser.get(page.redirect()).await;
        assert_eq!((burnt.status, burnt.code()), (StatusCode::FORBIDDEN, Some("GH-SAML-908")));
        assert!(!acme.knows(&other).await && !acme.knows(&waiting.browser).await);
        acme.sign_in(&waiting.browser, &ann.email).await;
    }
}

#[tokio::test]
async fn a_ticket_works_once_and_in_its_own_connection() {
    let (acme, ann) = acme_with_ann().await;
    let sibling = beside(&acme).await;
    let waiting = acme.waiting(&ann).await;
    let page = acme.post_response(&waiting.browser, &waiting.signed(&waiting.honest())).await;
    let (own, ticket) = (page.redirect(), parameter(page.redirect(), "ticket").unwrap());
    let elsewhere = sibling.url(&format!("/saml/finish?ticket={ticket}"));
    for url in [elsewhere, acme.url("/saml/finish"), acme.url("/saml/finish?ticket=x")] {
        let page = waiting.browser.get(&url).await;
        assert_eq!((page.status, page.code()), (StatusCode::FORBIDDEN, Some("GH-SAML-908")), "{url}");
    }
    code_of(waiting.browser.get(own).await.redirect());
    assert_eq!(waiting.browser.get(own).await.code(), Some("GH-SAML-908"));
}

#[tokio::test]
async fn an_encrypted_assertion_is_opened_with_the_connections_own_key() {
    let (acme, ann) = acme_with_ann().await;
    let sibling = beside(&acme).await;
    let certificate = async |customer: &Customer| {
        let file = Browser::new().get(&customer.url("/saml/certificate")).await;
        assert_eq!(file.header("content-disposition"), "attachment; filename=\"gatehouse.crt\"");
        IdpCertificate::from_pem_or_base64(&file.text).unwrap().der().to_vec()
    };
    let (own, other) = (certificate(&acme).await, certificate(&sibling).await);
    for sign in [Sign::Assertion, Sign::Response, Sign::Both] {
        let waiting = acme.waiting(&ann).await;
        let honest = waiting.honest().sign(sign);
        let refused = [
            honest.clone().encrypt_for(&other),
            honest.clone().sign(Sign::Nothing).encrypt_for(&own),
            honest.clone().encrypt_for(&own).tamper("aes256-gcm", "aes128-gcm"),
        ];
        for response in &refused[..if sign == Sign::Assertion { 3 } else { 2 }] {
            waiting.is_refused(&waiting.signed(response), "GH-SAML-601").await;
        }
        waiting.gets_in(&waiting.signed(&honest.encrypt_for(&own))).await;
    }
}

#[tokio::test]
async fn a_response_is_taken_by_its_own_connection_only() {
    let (acme, ann) = acme_with_ann().await;
    let sibling = beside(&acme).await;
    let other_tenant = Customer::of(&acme.gateway).await;
    for (neighbor, code) in [(&sibling, "GH-SAML-904"), (&other_tenant, "GH-SAML-901")] {
        trust_the_same_idp(neighbor, &acme).await;
        neighbor.okta(Style::Custom).push_user(&ann).await.unwrap();
        let waiting = acme.waiting(&ann).await;
        let (honest, mut posted) = (waiting.honest(), Vec::new());
        let (entity, acs) = (neighbor.url(""), neighbor.url("/saml/acs"));
        let readdressed = honest.clone().destination(Some(&acs)).recipient(&acs);
        posted.push((honest.clone(), "GH-SAML-807"));
        posted.push((honest.clone().sign(Sign::Assertion).destination(None), "GH-SAML-811"));
        posted.push((honest.clone().destination(Some(&acs)).audience(&entity), "GH-SAML-818"));
        posted.push((readdressed.clone(), "GH-SAML-811"));
        posted.push((readdressed.audience(&entity), code));
        for (response, code) in posted {
            let page = neighbor.post_response(&waiting.browser, &waiting.signed(&response)).await;
            assert_eq!((page.status, page.code()), (StatusCode::FORBIDDEN, Some(code)));
            assert!(!neighbor.knows(&waiting.browser).await && !acme.knows(&waiting.browser).await, "{code}");
        }
        waiting.gets_in(&waiting.signed(&honest)).await;
    }
}

#[tokio::test]
async fn two_tenants_with_the_same_identity_provider_do_not_meet() {
    let (acme, ann) = acme_with_ann().await;
    let beta = Customer::of(&acme.gateway).await;
    trust_the_same_idp(&beta, &acme).await;
    beta.okta(Style::Custom).push_user(&ann).await.unwrap();
    let at_acme = acme.waiting(&ann).await;
    let at_beta = beta.waiting_at(&acme.idp, Browser::new(), &ann).await;
    // Even the same assertion ID is each tenant's own.
    let id = unique("assertion");
    let (for_acme, for_beta) = (at_acme.honest().assertion_id(&id), at_beta.honest().assertion_id(&id));
    at_acme.is_refused(&at_acme.signed(&for_beta), "GH-SAML-807").await;
    at_beta.is_refused(&at_beta.signed(&for_acme), "GH-SAML-807").await;
    let acme_ann = at_acme.gets_in(&at_acme.signed(&for_acme)).await.id_claims();
    let beta_ann = at_beta.gets_in(&at_beta.signed(&for_beta)).await.id_claims();
    assert_ne!(acme_ann["sub"], beta_ann["sub"]);
    assert_eq!(acme_ann["tenant_id"], acme.tenant.to_string());
    assert_eq!(beta_ann["tenant_id"], beta.tenant.to_string());
    assert_eq!((&acme_ann["email_verified"], &beta_ann["email_verified"]), (&true.into(), &false.into()));
}

async fn trust_the_same_idp(customer: &Customer, other: &Customer) {
    let provider = IdentityProvider::from_metadata(&other.idp.metadata()).unwrap();
    let gateway = &customer.gateway;
    setup::idp::set(&gateway.app.store, gateway.clock.now(), customer.connection, &provider).await.unwrap();
    other.idp.trust(&Browser::new().get(&customer.url("/saml/metadata")).await.text).unwrap();
}

#[tokio::test]
async fn a_response_comes_as_one_form_field_by_post() {
    let (acme, ann) = acme_with_ann().await;
    let waiting = acme.waiting(&ann).await;
    let (browser, acs, good) = (&waiting.browser, acme.url("/saml/acs"), waiting.signed(&waiting.honest()));
    let json =
        |body: String| browser.send(|http| http.post(&acs).header("content-type", "application/json").body(body));
    let [big, huge] = [256 * 1024 + 4, 2 * 1024 * 1024].map(|length| "A".repeat(length));
    let lines = good.as_bytes().chunks(76).collect::<Vec<_>>().join(&b"\r\n"[..]);
    let pages = [
        (browser.post(&acs, &[]).await, "GH-SAML-101"),
        (browser.post(&acs, &[("SAMLArt", "x"), ("RelayState", &good)]).await, "GH-SAML-101"),
        (browser.post(&acs, &[("SAMLResponse", &good), ("SAMLResponse", &good)]).await, "GH-SAML-102"),
        (browser.post(&acs, &[("SAMLResponse", &big)]).await, "GH-SAML-103"),
        (browser.post(&acs, &[("SAMLResponse", &huge)]).await, "GH-SAML-103"),
        (browser.post(&acs, &[("SAMLResponse", "-_-_")]).await, "GH-SAML-104"),
        (json(format!("{{\"SAMLResponse\":\"{good}\"}}")).await, "GH-SAML-106"),
        (json(format!("SAMLResponse={}", good.replace('+', "%2B"))).await, "GH-SAML-106"),
        (browser.post(&acs, &[("SAMLResponse", &STANDARD.encode("<!DOCTYPE x><x/>"))]).await, "GH-SAML-204"),
        (browser.post(&acs, &[("SAMLResponse", &STANDARD.encode("hello"))]).await, "GH-SAML-208"),
    ];
    for (page, code) in pages {
        assert_eq!((page.status, page.code()), (StatusCode::FORBIDDEN, Some(code)));
    }
    let by_get = browser.send(|http| http.get(&acs).query(&[("SAMLResponse", &good)])).await;
    assert_eq!(by_get.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(!acme.knows(browser).await);

    // Line breaks, and a RelayState that is not ours, do no harm; other sites may post, that is what it is for.
    let lines = String::from_utf8(lines).unwrap();
    let form = [("SAMLResponse", lines.as_str()), ("RelayState", "https://evil.test")];
    let page = browser.send(|http| http.post(&acs).header("origin", "https://idp.test").form(&form)).await;
    assert!(page.redirect().starts_with(&acme.url("/saml/finish?ticket=")), "{:?}", page.location);
}

#[tokio::test]
async fn responses_are_limited_per_connection() {
    let gateway = Gateway::start_with(Clock::manual(), |config| config.limits.saml_responses = 1).await;
    let (acme, ann) = with_ann(Customer::of(&gateway).await).await;
    let mut rubbish = JoinSet::new();
    for _ in 0..16 {
        let acs = acme.url("/saml/acs");
        rubbish.spawn(async move { Browser::new().post(&acs, &[("SAMLResponse", "-")]).await });
    }
    let pages = rubbish.join_all().await;
    assert!(pages.iter().any(|page| page.code() == Some("GH-SAML-105")));
    let neighbor = beside(&acme).await;
    neighbor.assign(&ann).await;
    neighbor.sign_in(&Browser::new(), &ann.email).await;
}

#[tokio::test]
async fn a_refusal_says_what_to_do_and_nothing_of_the_assertion() {
    let (acme, ann) = acme_with_ann().await;
    let waiting = acme.waiting(&ann).await;
    let spoiled = waiting.honest().audience("<script>alert(1)</script>").attribute("badge", "canary-4711");
    let story =
        [&format!("<dt>Expected</dt><dd><code>{}</code>", acme.url("")), "<dt>Received</dt><dd><code>&#60;script&#62;"];
    let until = acme.gateway.clock.now() + Duration::minutes(10);
    modes::set(&acme, |settings| settings.test_until = Some(until)).await;
    let page = waiting.is_refused(&waiting.signed(&spoiled), "GH-SAML-811").await;
    assert!(story.iter().all(|part| page.text.contains(part)), "while a test is on: {}", page.text);
    modes::set(&acme, |settings| settings.test_until = None).await;
    let page = waiting.is_refused(&waiting.signed(&spoiled), "GH-SAML-811").await;
    assert!(!story.iter().any(|part| page.text.contains(part)), "for everybody: {}", page.text);
    for part in [
        "is not set up correctly.</h1>",
        "Try again from your application.",
        "<dt>Reference</dt>",
        "<summary>For your IT admin</summary>",
        "Audience URI (SP Entity ID)",
    ] {
        assert!(page.text.contains(part), "{part} is not in {}", page.text);
    }
    for secret in [ann.email.as_str(), "Tester", "canary-4711", "<script", &waiting.request.id] {
        assert!(!page.text.contains(secret), "{secret} is in {}", page.text);
    }
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    let others = ["cache-control", "content-type", "x-content-type-options", "referrer-policy"];
    let expected = ["no-store", "text/html; charset=utf-8", "nosniff", "same-origin"];
    assert_eq!(others.map(|name| page.header(name)), expected);
    assert!(page.cookies().is_empty());
}

#[tokio::test]
async fn requests_are_signed_and_ask_for_a_fresh_sign_in_only_when_the_application_does() {
    let acme = Customer::new().await;
    let fresh = [(None, None, false), (Some("login"), None, true), (None, Some("60"), true), (None, Some("0"), true)];
    for (prompt, max_age, forced) in fresh {
        let url = acme.authorize_url(&[("prompt", prompt), ("max_age", max_age)]);
        let page = Browser::new().get(&url).await;
        let request = acme.idp.read_request(page.redirect()).await.expect("it is genuine");
        assert_eq!((request.entity_id, request.acs_url), (acme.url(""), acme.url("/saml/acs")));
        let deflated = STANDARD.decode(parameter(page.redirect(), "SAMLRequest").unwrap()).unwrap();
        let mut xml = String::new();
        DeflateDecoder::new(&*deflated).read_to_string(&mut xml).unwrap();
        assert_eq!(xml.contains("ForceAuthn=\"true\""), forced, "{prompt:?} {max_age:?}: {xml}");
        assert!(xml.contains(&format!("Destination=\"{}\"", acme.idp.sso_url())), "{xml}");
    }
    let [one, other] =
        [Browser::new().get(&acme.authorize_url(&[])).await, Browser::new().get(&acme.authorize_url(&[])).await];
    let (good, swap) = (one.redirect(), parameter(other.redirect(), "SAMLRequest").unwrap());
    let swap: String = url::form_urlencoded::byte_serialize(swap.as_bytes()).collect();
    let (rest, request) = (good.split_once("&RelayState").unwrap().1, good.split_once("&SigAlg").unwrap().0);
    for tampered in [
        good.replace("&RelayState=", "&RelayState=x"),
        format!("{}?SAMLRequest={swap}&RelayState{rest}", acme.idp.sso_url()),
        request.to_owned(),
    ] {
        assert!(acme.idp.read_request(&tampered).await.is_err(), "{tampered}");
    }
    assert!(acme.idp.read_request(good).await.is_ok());
}

#[tokio::test]
async fn the_metadata_says_what_an_identity_provider_needs() {
    let acme = Customer::new().await;
    let browser = Browser::new();
    let (page, at_entity) = (browser.get(&acme.url("/saml/metadata")).await, browser.get(&acme.url("")).await);
    assert_eq!((page.status, &page.text), (StatusCode::OK, &at_entity.text));
    assert_eq!(at_entity.header("content-type"), page.header("content-type"));
    assert_eq!(page.header("content-type"), "application/samlmetadata+xml");
    for part in [
        &format!("entityID=\"{}\"", acme.url("")),
        &format!("bindings:HTTP-POST\" Location=\"{}\"", acme.url("/saml/acs")),
        "<md:KeyDescriptor use=\"signing\">",
        "<md:KeyDescriptor use=\"encryption\">",
        "<md:EncryptionMethod Algorithm=\"http://www.w3.org/2009/xmlenc11#aes256-gcm\">",
        "<ds:X509Certificate>MII",
        "AuthnRequestsSigned=\"true\" WantAssertionsSigned=\"true\"",
        "nameid-format:emailAddress</md:NameIDFormat>",
        "nameid-format:persistent</md:NameIDFormat>",
        "nameid-format:unspecified</md:NameIDFormat>",
    ] {
        assert!(page.text.contains(part), "{part} is not in {}", page.text);
    }
    let certificate = |text: &str| text.split("X509Certificate>").nth(1).unwrap().to_owned();
    let sibling = beside(&acme).await;
    let other = browser.get(&sibling.url("")).await;
    assert_ne!(certificate(&page.text), certificate(&other.text), "each connection has a key of its own");
    let nothing = browser.get(&format!("{}/c/{}", acme.gateway.url, uuid::Uuid::now_v7())).await;
    assert_eq!((nothing.status, nothing.code()), (StatusCode::NOT_FOUND, Some("GH-SYS-003")));
}

#[tokio::test]
async fn an_identity_provider_set_up_from_three_fields_works_as_from_metadata() {
    let (acme, ann) = acme_with_ann().await;
    let certificate = acme.idp.key().certificate_pem();
    let by_fields = IdentityProvider::from_fields(&acme.idp.sso_url(), &acme.idp.entity_id(), certificate).unwrap();
    let from_metadata = acme.sign_in(&Browser::new(), &ann.email).await;
    let gateway = &acme.gateway;
    setup::idp::set(&gateway.app.store, gateway.clock.now(), acme.connection, &by_fields).await.unwrap();
    let waiting = acme.waiting(&ann).await;
    waiting.is_refused(&waiting.signed(&waiting.honest().issuer("https://evil.test")), "GH-SAML-804").await;
    let from_fields = waiting.gets_in(&waiting.signed(&waiting.honest())).await;
    assert_eq!(from_fields.id_claims()["sub"], from_metadata.id_claims()["sub"]);
}
