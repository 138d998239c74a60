//! What IT admins paste, right and wrong.

use super::kit::{ec, rsa, stranger};
use crate::idp::{IdentityProvider, IdpCertificate, KeyKind, SetupError};
use crate::idp_change::Change;
use crate::outgoing::Binding;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use time::macros::datetime;

const SSO: &str = "https://idp.test/sso";
const REDIRECT: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";

fn base64(certificate: &IdpCertificate) -> String {
    STANDARD.encode(certificate.der())
}

fn pem(certificate: &IdpCertificate) -> String {
    let text = base64(certificate);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("ascii")).collect();
    format!("-----BEGIN CERTIFICATE-----\r\n{}\r\n-----END CERTIFICATE-----\r\n", lines.join("\r\n"))
}

fn key_descriptor(usage: &str, certificate: &IdpCertificate) -> String {
    format!(
        "<md:KeyDescriptor{usage}><ds:KeyInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:X509Data>\
         <ds:X509Certificate>\n{}\n</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>",
        base64(certificate)
    )
}

fn entity(entity_id: &str, keys: &str, binding: &str, location: &str) -> String {
    format!(
        "<md:EntityDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" entityID=\"{entity_id}\">\
         <md:IDPSSODescriptor WantAuthnRequestsSigned=\"true\" \
         protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\">{keys}\
         <md:NameIDFormat>urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified</md:NameIDFormat>\
         <md:SingleSignOnService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\" \
         Location=\"https://idp.test/post\"/><md:SingleSignOnService Binding=\"{binding}\" Location=\"{location}\"/>\
         </md:IDPSSODescriptor></md:EntityDescriptor>"
    )
}

fn signing() -> String {
    key_descriptor(" use=\"signing\"", &rsa().certificate)
}

#[test]
fn metadata_is_read() {
    let keys = [
        signing(),
        signing(),
        key_descriptor("", &ec().certificate),
        key_descriptor(" use=\"encryption\"", &stranger().certificate),
    ]
    .concat();
    let xml = format!("<?xml version=\"1.0\"?>\n{}", entity("urn:idp", &keys, REDIRECT, SSO));
    let idp = IdentityProvider::from_metadata(&xml).expect("idp");
    assert_eq!(idp.entity_id, "urn:idp");
    assert_eq!((idp.sso.url.as_str(), idp.sso.binding), (SSO, Binding::Redirect));
    assert_eq!(idp.slo, None);
    assert_eq!(idp.certificates, [rsa().certificate.clone(), ec().certificate.clone()]);
}

/// JumpCloud publishes HTTP-POST only.
#[test]
fn the_binding_is_the_one_that_is_offered() {
    let idp = IdentityProvider::from_metadata(&entity("urn:idp", &signing(), "urn:other", SSO)).expect("idp");
    assert_eq!((idp.sso.url.as_str(), idp.sso.binding), ("https://idp.test/post", Binding::Post));
}

#[test]
fn the_logout_service_is_read() {
    let with = |services: &str| {
        let place = "<md:NameIDFormat>";
        let xml = entity("urn:idp", &signing(), REDIRECT, SSO).replacen(place, &format!("{services}{place}"), 1);
        IdentityProvider::from_metadata(&xml)
    };
    let service = |binding: &str, rest: &str| {
        format!("<md:SingleLogoutService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:{binding}\" {rest}/>")
    };
    let post = service("HTTP-POST", "Location=\"https://idp.test/out\" ResponseLocation=\"https://idp.test/back\"");
    let slo = with(&post).expect("idp").slo.expect("logout");
    assert_eq!((slo.endpoint.url.as_str(), slo.endpoint.binding), ("https://idp.test/out", Binding::Post));
    assert_eq!(slo.answers().url.as_str(), "https://idp.test/back");
    let redirect = service("HTTP-Redirect", "Location=\"https://idp.test/url\"");
    let slo = with(&format!("{post}{redirect}")).expect("idp").slo.expect("logout");
    assert_eq!((slo.endpoint.clone(), slo.endpoint.url.as_str()), (slo.answers(), "https://idp.test/url"));
    assert_eq!(with(&service("SOAP", "Location=\"https://idp.test/soap\"")).expect("idp").slo, None);
    let insecure = service("HTTP-POST", "Location=\"http://idp.test/out\"");
    assert_eq!(with(&insecure).expect("sign-in works without").slo, None);
}

#[test]
fn a_group_with_one_identity_provider_is_read() {
    let group = |content: &str| {
        format!(
            "<md:EntitiesDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\">{content}</md:EntitiesDescriptor>"
        )
    };
    let one = entity("urn:one", &signing(), REDIRECT, SSO);
    let two = entity("urn:two", &signing(), REDIRECT, SSO);
    assert_eq!(IdentityProvider::from_metadata(&group(&one)).expect("idp").entity_id, "urn:one");
    let error = IdentityProvider::from_metadata(&group(&format!("{one}{two}"))).expect_err("two");
    assert!(matches!(error, SetupError::SeveralIdentityProviders { count: 2 }), "{error}");
}

#[test]
fn metadata_that_cannot_be_used_says_why() {
    use SetupError as E;
    let good = entity("urn:idp", &signing(), REDIRECT, SSO);
    let encryption = key_descriptor(" use=\"encryption\"", &rsa().certificate);
    let sp = "<md:EntityDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" entityID=\"x\"/>";
    type Right = fn(&SetupError) -> bool;
    let cases: [(String, Right); 12] = [
        (entity("urn:idp", "", REDIRECT, SSO), |e| matches!(e, E::CertificateMissing)),
        (entity("urn:idp", &encryption, REDIRECT, SSO), |e| matches!(e, E::CertificateMissing)),
        (entity("urn:idp", &signing(), "urn:other", SSO).replace("HTTP-POST", "HTTP-Artifact"), |e| {
            matches!(e, E::EndpointMissing)
        }),
        (entity("urn:idp", &signing(), REDIRECT, "http://idp.test/sso"), |e| matches!(e, E::SsoUrlInsecure)),
        (entity("urn:idp", &signing(), REDIRECT, "sso"), |e| matches!(e, E::SsoUrlInvalid(_))),
        (entity(" ", &signing(), REDIRECT, SSO), |e| matches!(e, E::IssuerMissing)),
        (good.replace("SAML:2.0:protocol\"", "SAML:1.1:protocol\""), |e| matches!(e, E::NoIdentityProvider)),
        (sp.to_owned(), |e| matches!(e, E::NoIdentityProvider)),
        ("<html></html>".to_owned(), |e| matches!(e, E::MetadataUnreadable(_))),
        (format!("<!DOCTYPE x>{good}"), |e| matches!(e, E::MetadataXml(_))),
        ("https://idp.test/metadata".to_owned(), |e| matches!(e, E::MetadataXml(_))),
        (" ".repeat(1024 * 1024) + &good, |e| matches!(e, E::MetadataTooLarge)),
    ];
    IdentityProvider::from_metadata(&good).expect("control");
    for (xml, right) in cases {
        let error = IdentityProvider::from_metadata(&xml).expect_err("refused");
        assert!(right(&error), "{error:?} for {}", xml.trim_start());
    }
}

#[test]
fn a_certificate_that_cannot_be_used_keeps_out_no_other() {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("key");
    let edwards = rcgen::CertificateParams::default().self_signed(&pair).expect("certificate");
    let unusable = signing().replace(&base64(&rsa().certificate), &STANDARD.encode(edwards.der()));
    let read = |keys: &str| IdentityProvider::from_metadata(&entity("urn:idp", keys, REDIRECT, SSO));
    let provider = read(&[unusable.clone(), signing()].concat()).expect("idp");
    assert_eq!(provider.certificates, [rsa().certificate.clone()]);
    assert!(matches!(read(&unusable), Err(SetupError::KeyUnsupported)), "{:?}", read(&unusable));
}

#[test]
fn certificates_are_read_as_they_are_shown() {
    let known = &rsa().certificate;
    for text in [pem(known), base64(known), format!("\n {} \n", pem(known)), base64(known).replace('M', "M\n ")] {
        assert_eq!(&IdpCertificate::from_pem_or_base64(&text).expect("certificate"), known);
    }
    assert_eq!(known.key_kind(), KeyKind::Rsa(2048));
    assert_eq!(ec().certificate.key_kind(), KeyKind::Ec(256));
    assert_eq!(known.fingerprint().len(), 64);
    assert_eq!(known.subject(), "CN=rcgen self signed cert");
    assert_eq!(known.not_after(), datetime!(4096-01-01 0:00 UTC));
    assert_eq!(&IdpCertificate::from_der(known.der()).expect("certificate"), known);
}

#[test]
fn certificates_that_cannot_be_used_are_refused() {
    let known = &rsa().certificate;
    let read = IdpCertificate::from_pem_or_base64;
    assert!(matches!(read(""), Err(SetupError::CertificateMissing)));
    for text in ["x", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "-----BEGIN CERTIFICATE-----\nAAAA"]
    {
        assert!(matches!(read(text), Err(SetupError::CertificateUnreadable)), "{text}");
    }
    assert!(matches!(read(known.fingerprint()), Err(SetupError::CertificateUnreadable)));
    let two = format!("{}{}", pem(known), pem(&ec().certificate));
    assert!(matches!(read(&two), Err(SetupError::SeveralCertificates { count: 2 })));
    let trailing = [known.der(), b"x"].concat();
    assert!(matches!(IdpCertificate::from_der(&trailing), Err(SetupError::CertificateUnreadable)));
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("key");
    let ed25519 = rcgen::CertificateParams::default().self_signed(&pair).expect("certificate");
    assert!(matches!(IdpCertificate::from_der(ed25519.der()), Err(SetupError::KeyUnsupported)));
}

#[test]
fn p384_and_p521_certificates_are_read() {
    for (algorithm, kind) in
        [(&rcgen::PKCS_ECDSA_P384_SHA384, KeyKind::Ec(384)), (&rcgen::PKCS_ECDSA_P521_SHA512, KeyKind::Ec(521))]
    {
        let pair = rcgen::KeyPair::generate_for(algorithm).expect("key");
        let certificate = rcgen::CertificateParams::default().self_signed(&pair).expect("certificate");
        assert_eq!(IdpCertificate::from_der(certificate.der()).expect("certificate").key_kind(), kind);
    }
}

#[test]
fn three_fields_make_an_identity_provider() {
    let two = format!("{}{}", pem(&rsa().certificate), pem(&ec().certificate));
    let idp = IdentityProvider::from_fields(" https://idp.test/sso?idpid=1 ", " urn:idp\n", &two).expect("idp");
    assert_eq!((idp.entity_id.as_str(), idp.certificates.len()), ("urn:idp", 2));
    let with = |url: &str| IdentityProvider::from_fields(url, "urn:idp", &pem(&rsa().certificate));
    for url in ["http://localhost:8090/sso", "http://127.0.0.1:8090/sso", "http://[::1]/sso", SSO] {
        with(url).unwrap_or_else(|error| panic!("{url}: {error}"));
    }
    for url in [
        "http://idp.test/sso",
        "http://localhost.evil.test/",
        "http://127.0.0.2/",
        "ftp://idp.test/",
        "javascript:alert(1)",
    ] {
        assert!(matches!(with(url), Err(SetupError::SsoUrlInsecure)), "{url}");
    }
    assert!(matches!(with("idp.test/sso"), Err(SetupError::SsoUrlInvalid(_))));
    assert!(matches!(IdentityProvider::from_fields(SSO, "urn:idp", " "), Err(SetupError::CertificateMissing)));
    assert!(matches!(
        IdentityProvider::from_parts("urn:idp", (SSO, Binding::Redirect), &[]),
        Err(SetupError::CertificateMissing)
    ));
}

#[test]
fn setup_errors_tell_what_to_paste() {
    let errors = [SetupError::CertificateMissing, SetupError::IssuerMissing, SetupError::EndpointMissing];
    for error in errors {
        let text = error.to_string();
        assert!(text.contains("paste") || text.contains("fill in"), "{text}");
    }
}

#[test]
fn fetched_metadata_must_be_valid_and_pasted_metadata_need_not() {
    let now = datetime!(2026-03-01 12:00 UTC);
    let document = |until: &str, role_until: &str| {
        let xml = entity("urn:idp", &signing(), REDIRECT, SSO);
        let xml = xml.replacen(" entityID=", &format!(" validUntil=\"{until}\" entityID="), 1);
        xml.replacen(" WantAuthn", &format!(" validUntil=\"{role_until}\" WantAuthn"), 1)
    };
    let (over, on) = ("2026-03-01T12:00:00Z", "2026-03-01T12:00:01Z");
    IdentityProvider::from_current_metadata(&document(on, on), now).expect("control");
    for ended in [document(over, on), document(on, over)] {
        let error = IdentityProvider::from_current_metadata(&ended, now).expect_err("ended");
        assert!(matches!(error, SetupError::MetadataExpired { until } if until == now), "{error}");
        IdentityProvider::from_metadata(&ended).expect("pasted");
    }
    let federation = format!(
        "<md:EntitiesDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" validUntil=\"{over}\">{}</md:EntitiesDescriptor>",
        document(on, on)
    );
    IdentityProvider::from_current_metadata(&federation, now).expect_err("the whole ended");
}

#[test]
fn an_issuer_is_a_name_that_can_be_seen() {
    let fields = |issuer: &str| IdentityProvider::from_fields(SSO, issuer, &pem(&rsa().certificate));
    assert_eq!(fields(&format!(" {} ", "i".repeat(1020))).expect("control").entity_id.len(), 1020);
    for issuer in ["i\u{1b}[2K", "a\nissuer: a becomes a", "\u{202e}dpi", &"i".repeat(1025)] {
        assert!(matches!(fields(issuer), Err(SetupError::IssuerInvalid)), "{issuer:?}");
    }
    let metadata = entity("urn:idp&#10;x", &signing(), REDIRECT, SSO);
    assert!(matches!(IdentityProvider::from_metadata(&metadata), Err(SetupError::IssuerInvalid)));
}

#[test]
fn a_subject_is_shown_without_what_moves_a_terminal() {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("key");
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, "a\u{0}b\u{1b}[2K\nSHA-256");
    let certificate = IdpCertificate::from_der(params.self_signed(&pair).expect("certificate").der()).expect("read");
    assert_eq!(certificate.subject(), "CN=a\\u{0}b\\u{1b}[2K\\u{a}SHA-256");
}

#[test]
fn nobody_needs_more_certificates_than_sixteen() {
    let fields = |count: usize| IdentityProvider::from_fields(SSO, "urn:idp", &pem(&rsa().certificate).repeat(count));
    assert_eq!(fields(16).expect("control").certificates.len(), 16);
    assert!(matches!(fields(17), Err(SetupError::TooManyCertificates)));
}

#[test]
fn a_change_is_told_line_by_line() {
    let read = |id: &str, keys: &str, sso: &str| {
        IdentityProvider::from_metadata(&entity(id, keys, REDIRECT, sso)).expect("idp")
    };
    let before = read("urn:idp", &signing(), SSO);
    assert!(Change::between(&before, &before.clone()).is_none());
    let both = [signing(), key_descriptor("", &ec().certificate)].concat();
    let change = Change::between(&before, &read("urn:idp", &both, SSO));
    assert_eq!(change.to_string(), format!("certificate SHA-256 {} comes", ec().certificate.fingerprint()));
    assert!(change.replaced.is_empty() && !change.is_none());
    let change =
        Change::between(&read("urn:idp", &both, SSO), &read("urn:other", &signing(), "https://other.test/sso"));
    assert_eq!(change.replaced[0].what, "issuer");
    assert_eq!(
        change.to_string(),
        format!(
            "issuer: urn:idp becomes urn:other\nsign-on URL: {SSO} becomes https://other.test/sso\n\
             certificate SHA-256 {} goes",
            ec().certificate.fingerprint()
        )
    );
}
