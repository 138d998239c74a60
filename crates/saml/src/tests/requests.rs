//! Requests and metadata that this side sends.

use super::{kit::rsa, xmlsec1};
use crate::idp::IdentityProvider;
use crate::outgoing::{Binding, Outgoing};
use crate::request::{AuthnRequest, Comparison, RequestedAuthnContext, Wishes, request_id, send};
use crate::sp::{Metadata, ServiceProvider};
use crate::sp_key::{KeyAlgorithm, KeyError, SpKey};
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io::Read as _;
use std::sync::OnceLock;
use time::macros::datetime;
use url::Url;
use x509_parser::prelude::{FromDer, X509Certificate};

pub fn made(algorithm: KeyAlgorithm) -> SpKey {
    let (begin, end) = (datetime!(2026-01-01 0:00 UTC), datetime!(2036-01-01 0:00 UTC));
    SpKey::generate(algorithm, "gate.test", begin, end).expect("key")
}

pub fn key() -> &'static SpKey {
    static KEY: OnceLock<SpKey> = OnceLock::new();
    KEY.get_or_init(|| made(KeyAlgorithm::Rsa3072))
}

fn sp() -> ServiceProvider {
    ServiceProvider {
        entity_id: "https://gate.test/c/<&\"one\">".to_owned(),
        acs_url: "https://gate.test/c/one/saml/acs?a=1&b=2".to_owned(),
        slo_url: "https://gate.test/c/one/saml/slo?a=1&b=2".to_owned(),
    }
}

fn idp(sso_url: &str, binding: Binding) -> IdentityProvider {
    let certificates = [rsa().certificate.der().to_vec()];
    IdentityProvider::from_parts("urn:idp", (sso_url, binding), &certificates).expect("idp")
}

fn sent(to: &IdentityProvider, key: &SpKey, relay_state: &str, wishes: &Wishes) -> Outgoing {
    let request = AuthnRequest { id: "_1", issue_instant: datetime!(2026-01-31 13:00:00.5 +1), wishes };
    let document = request.document(&sp(), to).expect("document");
    send(&document, to, key, relay_state).expect("request")
}

fn url_with(sso_url: &str, relay_state: &str, wishes: &Wishes) -> Url {
    match sent(&idp(sso_url, Binding::Redirect), key(), relay_state, wishes) {
        Outgoing::Redirect(url) => url,
        Outgoing::Post(form) => panic!("{form:?}"),
    }
}

fn url(sso_url: &str, relay_state: &str, force_authn: bool) -> Url {
    url_with(sso_url, relay_state, &Wishes { force_authn, ..Wishes::default() })
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn document(url: &Url) -> String {
    let compressed = STANDARD.decode(parameter(url, "SAMLRequest").expect("request")).expect("base64");
    let mut xml = String::new();
    flate2::read::DeflateDecoder::new(compressed.as_slice()).read_to_string(&mut xml).expect("deflate");
    xml
}

/// What a receiver does: takes the query apart as it is and verifies it.
fn verified_query(url: &Url) -> String {
    let query = url.query().expect("query");
    let from = query.find("SAMLRequest=").expect("request");
    let (signed, signature) = query[from..].split_once("&Signature=").expect("signature");
    let signature =
        STANDARD.decode(signature.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=")).expect("base64");
    let (_, certificate) = X509Certificate::from_der(key().certificate_der()).expect("certificate");
    let public = certificate.public_key().subject_public_key.data.to_vec();
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public)
        .verify(signed.as_bytes(), &signature)
        .expect("signature");
    signed.to_owned()
}

#[test]
fn a_request_is_signed_as_the_binding_says() {
    let url = url("https://idp.test/sso", "a b&=ä/+", false);
    let signed = verified_query(&url);
    let names: Vec<&str> = signed.split('&').filter_map(|pair| pair.split('=').next()).collect();
    assert_eq!(names, ["SAMLRequest", "RelayState", "SigAlg"]);
    assert!(signed.contains("&RelayState=a%20b%26%3D%C3%A4%2F%2B&"));
    assert_eq!(parameter(&url, "RelayState").as_deref(), Some("a b&=ä/+"));
    assert_eq!(parameter(&url, "SigAlg").as_deref(), Some("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"));
}

#[test]
fn a_query_of_the_sign_on_url_stays_in_front_and_is_not_signed() {
    let url = url("https://idp.test/sso?idpid=C0%2f1&x#part", "", true);
    assert!(url.as_str().starts_with("https://idp.test/sso?idpid=C0%2f1&x&SAMLRequest="), "{url}");
    assert_eq!(url.fragment(), None);
    let signed = verified_query(&url);
    assert!(!signed.contains("RelayState"));
    assert!(document(&url).contains(" Destination=\"https://idp.test/sso?idpid=C0%2f1&amp;x\""));
}

#[test]
fn the_document_says_what_the_profile_needs() {
    let xml = document(&url("https://idp.test/sso", "r", false));
    for expected in [
        "<saml2p:AuthnRequest xmlns:saml2p=\"urn:oasis:names:tc:SAML:2.0:protocol\" ID=\"_1\" Version=\"2.0\" ",
        " IssueInstant=\"2026-01-31T12:00:00.000Z\"",
        " Destination=\"https://idp.test/sso\"",
        " ProtocolBinding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\"",
        " AssertionConsumerServiceURL=\"https://gate.test/c/one/saml/acs?a=1&amp;b=2\"",
        ">https://gate.test/c/&lt;&amp;&quot;one&quot;&gt;</saml2:Issuer>",
        "<saml2p:NameIDPolicy AllowCreate=\"true\"/>",
    ] {
        assert!(xml.contains(expected), "{expected} is not in {xml}");
    }
    assert!(!xml.contains("ForceAuthn"));
    assert!(document(&url("https://idp.test/sso", "r", true)).contains(" ForceAuthn=\"true\""));
    uppsala::parse(&xml).expect("well-formed");
}

#[test]
fn request_ids_are_xml_names_of_128_bits() {
    assert_eq!(request_id([0xab; 16]), format!("_{}", "ab".repeat(16)));
}

#[test]
fn keys_are_restored_and_never_printed() {
    let restored = SpKey::from_parts(key().pkcs8_der(), key().certificate_der()).expect("key");
    assert_eq!(restored.pkcs8_der(), key().pkcs8_der());
    assert_eq!(format!("{restored:?}"), "SpKey([secret])");
    let other = rsa().certificate.der();
    assert!(matches!(SpKey::from_parts(key().pkcs8_der(), other), Err(KeyError::Mismatch)));
    assert!(matches!(SpKey::from_parts(b"x", key().certificate_der()), Err(KeyError::PrivateKey)));
    assert!(matches!(SpKey::from_parts(key().pkcs8_der(), b"x"), Err(KeyError::Certificate)));
    let (_, certificate) = X509Certificate::from_der(key().certificate_der()).expect("certificate");
    assert_eq!(certificate.subject().to_string(), "CN=gate.test");
    assert_eq!(certificate.validity().not_after.to_datetime(), datetime!(2036-01-01 0:00 UTC));
}

fn metadata<'a>(sp: &'a ServiceProvider, signer: Option<&'a SpKey>) -> Metadata<'a> {
    let signing = vec![key().certificate_der(), rsa().certificate.der()];
    let encryption = Some(key().certificate_der());
    Metadata { sp, signing, encryption, id: "_metadata", valid_until: datetime!(2026-02-07 12:00 UTC), signer }
}

#[test]
fn metadata_escapes_and_lists_every_certificate() {
    let xml = metadata(&sp(), None).document().expect("metadata");
    let read: samael::metadata::EntityDescriptor = xml.parse().expect("metadata");
    assert_eq!(read.entity_id.as_deref(), Some(sp().entity_id.as_str()));
    assert!(xml.contains(" validUntil=\"2026-02-07T12:00:00Z\" cacheDuration=\"PT24H\""), "{xml}");
    let role = read.sp_sso_descriptors.unwrap_or_default().into_iter().next().expect("role");
    assert_eq!(role.authn_requests_signed, Some(true));
    assert_eq!(role.want_assertions_signed, Some(true));
    let acs = role.assertion_consumer_services.first().expect("acs");
    assert_eq!((acs.location.as_str(), acs.index, acs.is_default), (sp().acs_url.as_str(), 0, Some(true)));
    let slo = role.single_logout_services.unwrap_or_default();
    assert!(slo.len() == 2 && slo.iter().all(|service| service.location == sp().slo_url));
    let keys = role.key_descriptors.unwrap_or_default();
    assert_eq!(keys.iter().filter(|key| key.key_use.as_deref() == Some("signing")).count(), 2);
    assert_eq!(keys.iter().filter(|key| key.key_use.as_deref() == Some("encryption")).count(), 1);
    assert_eq!(role.name_id_formats.unwrap_or_default().len(), 3);
}

#[test]
fn the_document_asks_for_what_the_connection_wishes() {
    let wishes = Wishes {
        force_authn: true,
        is_passive: true,
        name_id_format: Some("urn:oasis:names:tc:SAML:2.0:nameid-format:persistent".to_owned()),
        authn_context: Some(RequestedAuthnContext {
            classes: vec!["urn:mfa&<".to_owned(), "urn:two".to_owned()],
            comparison: Comparison::Minimum,
        }),
    };
    let xml = document(&url_with("https://idp.test/sso", "r", &wishes));
    for expected in [
        " ForceAuthn=\"true\"",
        " IsPassive=\"true\"",
        " Format=\"urn:oasis:names:tc:SAML:2.0:nameid-format:persistent\"",
        " Comparison=\"minimum\"",
        "urn:mfa&amp;&lt;</",
        "urn:two</",
    ] {
        assert!(xml.contains(expected), "{expected} is not in {xml}");
    }
    uppsala::parse(&xml).expect("well-formed");
}

fn is_signed(xml: &str, key: &SpKey) -> bool {
    let certificate = key.certificate_der().to_vec();
    xmlsec1::verifies(xml, "/*", &[certificate]) == Some(true)
}

/// By each kind of key, with a judge of another make.
#[test]
fn signed_documents_are_verified_by_others() {
    for key in [key(), &made(KeyAlgorithm::EcP256)] {
        let to = idp("https://idp.test/sso?a=1&b=2", Binding::Post);
        let Outgoing::Post(form) = sent(&to, key, "state", &Wishes::default()) else { panic!("a URL") };
        assert_eq!((form.action.as_str(), form.field), ("https://idp.test/sso?a=1&b=2", "SAMLRequest"));
        assert_eq!(form.relay_state, "state");
        let request = String::from_utf8(STANDARD.decode(&form.message).expect("base64")).expect("text");
        assert!(is_signed(&request, key), "{request}");
        let changed = request.replacen("ID=\"_1\" Version=\"2.0\"", "ID=\"_1\" Version=\"2.1\"", 1);
        assert_ne!(changed, request);
        assert!(!is_signed(&changed, key));

        let sp = sp();
        let xml = metadata(&sp, Some(key)).document().expect("metadata");
        assert!(is_signed(&xml, key), "{xml}");
        // The schema wants the signature in front of everything else.
        let first = xml.split("><").nth(1).expect("an element");
        assert!(first.starts_with("ds:Signature "), "{xml}");
    }
}
