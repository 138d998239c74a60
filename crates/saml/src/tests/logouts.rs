//! Logout: what comes from an identity provider by both bindings, and what we send.

use super::kit::{ec, idp as kit_idp, rsa, stranger};
use super::requests::{key, made};
use crate::algorithm;
use crate::code::{Code, Rejection};
use crate::idp::{IdentityProvider, LogoutService};
use crate::logout::{Message, OwnRequest, OwnResponse, Received, from_form, from_query};
use crate::outgoing::{Binding, Outgoing};
use crate::response::{Expected, NameId};
use crate::self_test::forge::{self, ENTITY_ID, ISSUER, NOW, Signer};
use crate::sp_key::{KeyAlgorithm, SpKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use std::io::Write as _;
use time::Duration;
use url::form_urlencoded::byte_serialize;

const SLO: &str = "https://gate.test/c/one/saml/slo";

fn request() -> String {
    format!(
        "<samlp:LogoutRequest xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" \
         xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"_out\" Version=\"2.0\" \
         IssueInstant=\"2026-01-31T12:00:00Z\" Destination=\"{SLO}\" NotOnOrAfter=\"2026-01-31T12:02:00Z\">\
         <saml:Issuer>{ISSUER}</saml:Issuer>\
         <saml:NameID Format=\"urn:oasis:names:tc:SAML:2.0:nameid-format:persistent\">ann@acme.test</saml:NameID>\
         <samlp:SessionIndex>_one</samlp:SessionIndex><samlp:SessionIndex>_two</samlp:SessionIndex>\
         </samlp:LogoutRequest>"
    )
}

fn response() -> String {
    format!(
        "<samlp:LogoutResponse xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" \
         xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"_back\" Version=\"2.0\" \
         IssueInstant=\"2026-01-31T12:00:00Z\" Destination=\"{SLO}\" InResponseTo=\"_ours\">\
         <saml:Issuer>{ISSUER}</saml:Issuer><samlp:Status><samlp:StatusCode \
         Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"/></samlp:Status></samlp:LogoutResponse>"
    )
}

fn idp(signers: &[&Signer]) -> IdentityProvider {
    let provider = forge::identity_provider(signers.iter().copied()).expect("idp");
    let slo = LogoutService::new("https://idp.test/slo?x=1", None, Binding::Redirect).expect("logout");
    IdentityProvider { slo: Some(slo), ..provider }
}

fn expecting<T>(idp: &IdentityProvider, ask: impl FnOnce(&Expected<'_>) -> T) -> T {
    let sp = forge::service_provider();
    let skew = Duration::minutes(3);
    ask(&Expected { sp: &sp, idp, now: NOW, skew, allow_sha1: false, decryption_keys: &[] })
}

fn by_form(xml: &str, is_request: bool) -> Result<Received, Rejection> {
    expecting(&idp(&[rsa()]), |expected| from_form(&STANDARD.encode(xml), is_request, None, expected))
}

fn signed(xml: &str, signer: &Signer) -> String {
    let id = if xml.contains("LogoutRequest") { "_out" } else { "_back" };
    forge::sign(xml, id, signer).expect("signed")
}

fn deflated(xml: &str) -> String {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(xml.as_bytes()).expect("written");
    STANDARD.encode(encoder.finish().expect("deflated"))
}

fn escaped(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}

/// A signed query by one of our own keys, whose certificate the identity provider then has.
fn query(field: &str, xml: &str, relay_state: Option<&str>, key: &SpKey) -> String {
    let state = relay_state.map(|state| format!("&RelayState={}", escaped(state))).unwrap_or_default();
    let signed = format!("{field}={}{state}&SigAlg={}", escaped(&deflated(xml)), escaped(key.algorithm()));
    let signature = STANDARD.encode(key.sign(signed.as_bytes()).expect("signature"));
    format!("{signed}&Signature={}", escaped(&signature))
}

fn idp_of(key: &SpKey) -> IdentityProvider {
    let certificates = [key.certificate_der().to_vec()];
    IdentityProvider::from_parts(ISSUER, ("https://idp.test/sso", Binding::Redirect), &certificates).expect("idp")
}

fn by_query(query: &str, key: &SpKey) -> Result<Received, Rejection> {
    expecting(&idp_of(key), |expected| from_query(query, expected))
}

fn code(result: Result<Received, Rejection>) -> Code {
    result.expect_err("refused").code
}

#[test]
fn a_signed_request_is_read_from_a_form() {
    let received = by_form(&signed(&request(), rsa()), true).expect("accepted");
    let Message::Request(request) = received.message else { panic!("a response") };
    assert_eq!((request.id.as_str(), request.name_id.value.as_str()), ("_out", "ann@acme.test"));
    assert_eq!(request.session_indexes, ["_one", "_two"]);
}

#[test]
fn a_signed_answer_is_read_and_tells_whether_all_is_done() {
    let done = |xml: &str| match by_form(&signed(xml, rsa()), false).expect("accepted").message {
        Message::Response(response) => (response.in_response_to, response.is_complete),
        Message::Request(_) => panic!("a request"),
    };
    assert_eq!(done(&response()), ("_ours".to_owned(), true));
    let partial = response().replace(
        "status:Success\"/>",
        "status:Responder\"><samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:PartialLogout\"/></samlp:StatusCode>",
    );
    assert_eq!(done(&partial), ("_ours".to_owned(), false));
}

#[test]
fn a_query_is_verified_as_it_was_sent() {
    for key in [key(), &made(KeyAlgorithm::EcP256)] {
        let query = query("SAMLRequest", &request(), Some("a b/+"), key);
        let received = by_query(&query, key).expect("accepted");
        assert_eq!(received.relay_state.as_deref(), Some("a b/+"));
        assert!(by_query(&format!("x=1&{query}&y=2"), key).is_ok(), "others may add to it");
    }
    // ADFS writes the letters of its escapes small, and signs that.
    let small = |text: &str| {
        let parts: Vec<String> = text
            .split('%')
            .enumerate()
            .map(|(place, part)| match part.split_at_checked(2) {
                Some((escape, rest)) if place > 0 => format!("{}{rest}", escape.to_lowercase()),
                _ => part.to_owned(),
            })
            .collect();
        parts.join("%")
    };
    let signed =
        small(&format!("SAMLRequest={}&SigAlg={}", escaped(&deflated(&request())), escaped(key().algorithm())));
    let signature = STANDARD.encode(key().sign(signed.as_bytes()).expect("signature"));
    let query = format!("{signed}&Signature={}", small(&escaped(&signature)));
    assert!(query.contains("%2f") || query.contains("%3d"), "{query}");
    assert!(by_query(&query, key()).is_ok());
    let written_anew = query.replace("%3d", "%3D").replace("%2f", "%2F").replace("%2b", "%2B");
    assert_eq!(code(by_query(&written_anew, key())), Code::SignatureMismatch);
}

#[test]
fn a_query_with_a_defect_is_refused() {
    let good = query("SAMLRequest", &request(), Some("state"), key());
    assert!(by_query(&good, key()).is_ok());
    let without = |name: &str| -> String {
        let pairs: Vec<&str> = good.split('&').filter(|pair| !pair.starts_with(name)).collect();
        pairs.join("&")
    };
    let other = escaped(&deflated(&request().replace("ann@acme.test", "bob@acme.test")));
    let sha1 = escaped("http://www.w3.org/2000/09/xmldsig#rsa-sha1");
    let sha256 = escaped(key().algorithm());
    let bomb = query("SAMLRequest", &format!("<a>{}</a>", " ".repeat(1 << 20)), None, key());
    for (defect, query, expected) in [
        ("no signature", without("Signature="), Code::LogoutUnsigned),
        ("no algorithm", without("SigAlg="), Code::LogoutUnsigned),
        ("RelayState left out", without("RelayState="), Code::SignatureMismatch),
        ("RelayState changed", good.replace("RelayState=state", "RelayState=other"), Code::SignatureMismatch),
        ("RelayState twice", format!("{good}&RelayState=other"), Code::ParameterRepeated),
        ("a second message", format!("SAMLRequest={other}&{good}"), Code::ParameterRepeated),
        ("both kinds", format!("{good}&SAMLResponse={other}"), Code::ParameterRepeated),
        ("SHA-1", good.replace(&sha256, &sha1), Code::Sha1Refused),
        ("an unknown algorithm", good.replace(&sha256, "urn%3Ax"), Code::SignatureAlgorithm),
        ("another encoding", format!("{good}&SAMLEncoding=urn%3Ax"), Code::NotDeflated),
        ("nothing", String::new(), Code::ResponseMissing),
        ("not compressed", query("SAMLRequest", "", None, key()).replacen("Aw", "%21", 1), Code::NotBase64),
        ("a bomb", bomb, Code::ResponseTooLarge),
        ("too long", format!("{good}&x={}", "x".repeat(70_000)), Code::ResponseTooLarge),
    ] {
        assert_eq!(code(by_query(&query, key())), expected, "{defect}");
    }
    let plain = format!("SAMLRequest={}&SigAlg={sha256}&Signature=AA%3D%3D", escaped(&STANDARD.encode(request())));
    assert_eq!(code(by_query(&plain, key())), Code::NotDeflated);
    for (defect, from, to, expected) in [
        ("another destination", SLO, "https://gate.test/c/two/saml/slo", Code::LogoutDestination),
        ("no issuer", &*format!("<saml:Issuer>{ISSUER}</saml:Issuer>"), "", Code::ResponseIssuer),
        ("a sign-in", "LogoutRequest", "AuthnRequest", Code::NotALogout),
        ("a comment in the name", "ann@", "ann<!-- -->@", Code::CommentInText),
    ] {
        let edited = request().replace(from, to);
        assert_eq!(code(by_query(&query("SAMLRequest", &edited, None, key()), key())), expected, "{defect}");
    }
    let ours = made(KeyAlgorithm::EcP256);
    assert_eq!(code(by_query(&good, &ours)), Code::KeyType);
    assert_eq!(code(by_query(&good, &made(KeyAlgorithm::Rsa3072))), Code::SignatureMismatch);
}

#[test]
fn a_message_with_a_defect_is_refused() {
    let edit = |from: &str, to: &str| {
        let edited = request().replacen(from, to, 1);
        assert_ne!(edited, request(), "{from}");
        signed(&edited, rsa())
    };
    // What is refused for its shape is never verified.
    let spoil = |from: &str, to: &str| signed(&request(), rsa()).replacen(from, to, 1);
    let name = "<saml:NameID Format";
    let second = format!("<saml:NameID>x</saml:NameID>{name}");
    for (defect, xml, expected) in [
        ("unsigned", request(), Code::LogoutUnsigned),
        ("a stranger's key", signed(&request(), stranger()), Code::SignatureMismatch),
        ("another kind of key", signed(&request(), ec()), Code::KeyType),
        ("changed", signed(&request(), rsa()).replace("ann@", "bob@"), Code::DigestMismatch),
        ("another destination", edit(SLO, "https://gate.test/c/two/saml/slo"), Code::LogoutDestination),
        ("no destination", edit(&format!(" Destination=\"{SLO}\""), ""), Code::LogoutDestination),
        ("another issuer", edit(ISSUER, "http://evil.test"), Code::ResponseIssuer),
        ("an empty issuer", edit(ISSUER, ""), Code::ResponseIssuer),
        ("version", edit("Version=\"2.0\"", "Version=\"3.0\""), Code::Version),
        ("old", edit("12:00:00Z", "11:50:00Z"), Code::IssuedLongAgo),
        ("of the future", edit("12:00:00Z", "12:10:00Z"), Code::IssuedInFuture),
        ("over", edit("12:02:00Z", "11:55:00Z"), Code::LogoutExpired),
        (
            "no name",
            spoil("NameID Format", "NoName Format").replace("/saml:NameID", "/saml:NoName"),
            Code::LogoutContent,
        ),
        ("two names", spoil(name, &second), Code::LogoutContent),
        ("an assertion in it", spoil(name, &format!("<saml:Assertion ID=\"_a\"/>{name}")), Code::LogoutContent),
        ("a response in it", spoil(name, &format!("<samlp:Response ID=\"_a\"/>{name}")), Code::Misplaced),
        ("a comment in the name", edit("ann@", "ann<!-- -->@"), Code::CommentInText),
        ("an empty name", edit(">ann@acme.test<", "><"), Code::NameIdInvalid),
        ("text", spoil(name, &format!("x{name}")), Code::LogoutContent),
        ("a second ID", spoil("ID=\"_out\"", "ID=\"_out\" id=\"_x\""), Code::IdSpelling),
        ("a document type", format!("<!DOCTYPE x>{}", request()), Code::Doctype),
        ("a sign-in", forge::response(), Code::NotALogout),
    ] {
        assert_eq!(code(by_form(&xml, true)), expected, "{defect}");
    }
    assert_eq!(code(by_form(&signed(&response(), rsa()), true)), Code::NotALogout);
    assert_eq!(code(by_form(&signed(&request(), rsa()), false)), Code::NotALogout);
    let unasked = response().replace(" InResponseTo=\"_ours\"", "");
    assert_eq!(code(by_form(&signed(&unasked, rsa()), false)), Code::LogoutUnknown);
    let sessions = "<samlp:SessionIndex>x</samlp:SessionIndex>".repeat(101);
    assert_eq!(
        code(by_form(&edit("<samlp:SessionIndex>_one</samlp:SessionIndex>", &sessions), true)),
        Code::LogoutContent
    );
}

/// Wrapping: a genuine signature that stands beside another message.
#[test]
fn a_signature_proves_only_what_holds_it() {
    let genuine = signed(&request(), rsa());
    let evil = request().replace("ann@", "bob@").replace("_out", "_evil");
    let inside = evil.replace("<saml:NameID", &format!("{genuine}<saml:NameID"));
    assert!(matches!(code(by_form(&inside, true)), Code::LogoutContent | Code::SignatureMisplaced));
    let from = genuine.find("<ds:Signature").expect("signature");
    let to = genuine.find("</ds:Signature>").expect("signature") + "</ds:Signature>".len();
    let moved = evil.replace("</saml:Issuer>", &format!("</saml:Issuer>{}", &genuine[from..to]));
    assert_eq!(code(by_form(&moved, true)), Code::ReferenceTarget);
}

#[test]
fn our_messages_are_what_we_would_accept() {
    let ours = key();
    let name_id = NameId {
        value: "a<b&\"ann\"".to_owned(),
        format: Some("urn:oasis:names:tc:SAML:2.0:nameid-format:persistent".to_owned()),
        name_qualifier: Some("q&".to_owned()),
        sp_name_qualifier: None,
    };
    let sessions = ["_one".to_owned(), "<two>".to_owned()];
    // We are the identity provider, whose logout address is what the other side takes for its own.
    for binding in [Binding::Redirect, Binding::Post] {
        let mirror =
            IdentityProvider { slo: Some(LogoutService::new(SLO, None, binding).expect("logout")), ..idp_of(ours) };
        let sp = crate::sp::ServiceProvider { entity_id: ISSUER.to_owned(), ..forge::service_provider() };
        let request = OwnRequest { id: "_ours", issue_instant: NOW, name_id: &name_id, session_indexes: &sessions };
        let sent = request.send(&sp, &mirror, ours, "state").expect("sent").expect("a way");
        let Message::Request(read) = receive(&mirror, sent, true).message else { panic!("a response") };
        assert_eq!(
            (read.id.as_str(), &read.name_id, read.session_indexes.as_slice()),
            ("_ours", &name_id, &sessions[..])
        );
        let response = OwnResponse { id: "_ours", issue_instant: NOW, in_response_to: "_theirs" };
        let sent = response.send(&sp, &mirror, ours, "").expect("sent").expect("a way");
        let Message::Response(read) = receive(&mirror, sent, false).message else { panic!("a request") };
        assert_eq!((read.in_response_to.as_str(), read.is_complete), ("_theirs", true));
    }
    let request = OwnRequest { id: "_ours", issue_instant: NOW, name_id: &name_id, session_indexes: &[] };
    assert_eq!(request.send(&forge::service_provider(), &kit_idp(), ours, "").expect("sent"), None);
    assert_eq!(forge::service_provider().entity_id, ENTITY_ID);
    assert!(algorithm::signature_method(ours.algorithm(), algorithm::Sha1::Refused).is_ok());
}

fn receive(idp: &IdentityProvider, sent: Outgoing, is_request: bool) -> Received {
    expecting(idp, |expected| match sent {
        Outgoing::Redirect(url) => from_query(url.query().expect("query"), expected),
        Outgoing::Post(form) => from_form(&form.message, is_request, Some(form.relay_state), expected),
    })
    .expect("accepted")
}
