//! Responses of real identity providers, when the suite is beside the repository.

use super::xmlsec1;
use crate::code::{Code, Rejection};
use crate::decryption::DecryptionKey;
use crate::idp::{IdentityProvider, SetupError};
use crate::response::{Expected, VerifiedAssertion, verify};
use crate::self_test::forge::encode;
use crate::sp::ServiceProvider;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

fn suite() -> Option<PathBuf> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2)?;
    let folder = repository.parent()?.join("shared").join("suites").join("saml");
    if !folder.is_dir() {
        // Past the test runner, which shows nothing that a passing test prints.
        let line = "skipped: no suite of SAML responses beside the repository\n";
        std::io::stderr().write_all(line.as_bytes()).expect("a line");
        return None;
    }
    Some(folder)
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    text.split_once(before).and_then(|(_, rest)| rest.split_once(after)).map(|(found, _)| found).unwrap_or_default()
}

/// The service provider that the responses were made for.
const ENTITY_ID: &str = "http://127.0.0.1:27080/saml/metadata";
const ACS_URL: &str = "http://127.0.0.1:27080/saml/acs";

/// A key of the suite, in PKCS#8 or in the older form that is put into it (RFC 5208 5).
fn decryption_key(path: &Path) -> DecryptionKey {
    let pem = read(path);
    let der = STANDARD.decode(between(&pem, "-----\n", "-----END").replace(['\n', '\r'], "")).expect("PEM");
    if pem.contains("BEGIN PRIVATE KEY") {
        return DecryptionKey::from_pkcs8(der);
    }
    let block = |tag: u8, content: &[u8]| {
        let length = u16::try_from(content.len()).expect("length").to_be_bytes();
        [&[tag, 0x82][..], &length, content].concat()
    };
    let rsa_encryption = [2, 1, 0, 0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];
    let wrapped = block(0x30, &[&rsa_encryption[..], &block(4, &der)].concat());
    DecryptionKey::from_pkcs8(wrapped)
}

/// The responses of SimpleSAMLphp, pysaml2 and saml-idp.
fn honest(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder.join("responses")).expect("responses");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("entry").path()).collect();
    files.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let other = ["metadata", "logout"].iter().any(|word| name.contains(word));
        name.ends_with(".xml") && !other
    });
    files.sort();
    files
}

#[test]
fn honest_responses_of_three_identity_providers_are_accepted() {
    let Some(folder) = suite() else { return };
    let certificate = read(&folder.join("keys/idp.crt"));
    let files = honest(&folder);
    assert!(files.len() >= 35, "{files:?}");
    let keys = [decryption_key(&folder.join("keys/sp-enc.key"))];
    let sp = ServiceProvider { entity_id: ENTITY_ID.to_owned(), acs_url: ACS_URL.to_owned(), slo_url: String::new() };
    for path in files {
        let name = path.display();
        let xml = read(&path);
        let now = OffsetDateTime::parse(between(&xml, "IssueInstant=\"", "\""), &Rfc3339).expect("IssueInstant");
        let issuer = xml.split("Issuer").nth(1).map(|rest| between(rest, ">", "<")).expect("Issuer");
        let idp = IdentityProvider::from_fields("https://idp.test/sso", issuer, &certificate).expect("idp");
        let judge = |allow_sha1, decryption_keys| {
            let skew = Duration::minutes(3);
            verify(&encode(&xml), &Expected { sp: &sp, idp: &idp, now, skew, allow_sha1, decryption_keys })
        };
        let is_old = xml.contains("#rsa-sha1\"");
        let accepted = judge(is_old, &keys).unwrap_or_else(|rejection| panic!("{name}: {rejection}"));
        assert!(!accepted.name_id().value.is_empty());
        assert!(accepted.valid_until() > now);
        let certificates: Vec<Vec<u8>> = idp.certificates.iter().map(|known| known.der().to_vec()).collect();
        xmlsec1::must_agree(&xml, &certificates, Some(&folder.join("keys/sp-enc.key")), &name.to_string());
        if is_old {
            assert_eq!(judge(false, &keys).expect_err("SHA-1 without the switch").code, Code::Sha1Refused);
        }
        if xml.contains("EncryptedData") {
            assert_eq!(judge(is_old, &[]).expect_err("no key").code, Code::DecryptionKeyMissing, "{name}");
            let other = [decryption_key(&folder.join("keys/sp.key"))];
            assert_eq!(judge(is_old, &other).expect_err("another key").code, Code::Undecryptable, "{name}");
        }
    }
}

/// Where our rules are stricter than the vector's author, each with the check that refuses it.
const STRICTER: [(&str, Code); 9] = [
    // A Reference with an empty URI; core 5.4.2 wants the ID.
    ("oktadev-2", Code::ReferenceTarget),
    // The client was set up without AuthnStatement; profiles 4.1.4.2 wants one.
    ("ssoready-keycloak", Code::AuthnStatementMissing),
    // No audience restriction; profiles 4.1.4.2 wants one.
    ("omicron-saml_response_signed_with_ecdsa_sha256", Code::AudienceMissing),
    // RSA with 1024 bits: the certificate cannot even be set up, so another one stands in for it.
    ("omicron-saml_response", Code::SignatureMismatch),
    ("omicron-saml_response_only_assertion_signed", Code::SignatureMismatch),
    ("omicron-saml_response_with_groups", Code::SignatureMismatch),
    // Encrypted for a key of 1024 bits; ours have 3072.
    ("crewjam-OktaSignedResponseEncryptedAssertion", Code::Undecryptable),
    ("crewjam-OktaResponseEncryptedSignedAssertion", Code::Undecryptable),
    ("crewjam-OktaResponseEncryptedAssertionBothSigned", Code::Undecryptable),
];

/// What we do where the author of a vector leaves it to policy, with SHA-1 allowed.
const POLICIES: [(&str, Option<Code>); 19] = [
    // A Reference with an empty URI, as above.
    ("oktadev-9", Some(Code::ReferenceTarget)),
    ("oktadev-10", Some(Code::ReferenceTarget)),
    // Signed before or after the certificate's period: that is shown to the admin and ends no sign-in. The moment before
    // it is refused all the same, because the user had not signed in yet.
    ("onelogin-21", Some(Code::AuthnInFuture)),
    ("onelogin-22", None),
    ("onelogin-93", Some(Code::AuthnInFuture)),
    ("onelogin-94", None),
    ("onelogin-83", Some(Code::AuthnInFuture)),
    ("onelogin-84", None),
    ("onelogin-23", Some(Code::AuthnInFuture)),
    ("onelogin-24", None),
    // A signed Response without Destination; bindings 3.5.5.2 wants one. An unsigned one needs none.
    ("onelogin-50", Some(Code::DestinationMissing)),
    ("onelogin-55", None),
    ("onelogin-155", Some(Code::DestinationMissing)),
    ("auth0-2016", None),
    // RSA with 1024 bits, as above.
    ("oracle-oam-2016", Some(Code::SignatureMismatch)),
    ("crewjam-Onelogin", None),
    ("crewjam-Plaintext", None),
    // Changed after it was signed; xmlsec1 finds the digest wrong too.
    ("ssoready-okta", Some(Code::DigestMismatch)),
    ("omicron-saml_response_with_comment", Some(Code::SignatureMismatch)),
];

/// The identity provider of a vector. Two things that set-up refuses are replaced, so that the response itself is
/// judged: a sign-on address without HTTP-Redirect, and a certificate with a short key.
fn vector_idp(folder: &Path, entry: &Value) -> IdentityProvider {
    let field = |name: &str| entry.get(name).and_then(Value::as_str);
    let file = |name: &str| field(name).map(|path| read(&folder.join("vectors").join(path)));
    let stand_in = |issuer: &str| {
        let certificate = read(&folder.join("keys/idp.crt"));
        IdentityProvider::from_fields("https://idp.test/sso", issuer, &certificate).expect("stand-in")
    };
    let (issuer, idp) = match file("md") {
        Some(xml) => (between(&xml, "entityID=\"", "\"").to_owned(), IdentityProvider::from_metadata(&xml)),
        None => {
            let issuer = field("issuer").expect("issuer");
            let certificate = file("cert").expect("cert");
            (issuer.to_owned(), IdentityProvider::from_fields("https://idp.test/sso", issuer, &certificate))
        }
    };
    match idp {
        Ok(idp) => idp,
        Err(SetupError::RsaKeySize { bits: 1024 }) => stand_in(&issuer),
        Err(error) => panic!("{entry}: {error}"),
    }
}

fn judge(folder: &Path, entry: &Value, allow_sha1: bool) -> Result<VerifiedAssertion, Rejection> {
    let field = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
    let xml = read(&folder.join("vectors").join(field("file")));
    let sp = ServiceProvider {
        entity_id: field("entity").to_owned(),
        acs_url: field("acs").to_owned(),
        slo_url: String::new(),
    };
    let idp = vector_idp(folder, entry);
    let now = OffsetDateTime::parse(field("now"), &Rfc3339).expect("now");
    let key = entry.get("sp_key").and_then(Value::as_str).map(|path| folder.join("vectors").join(path));
    let keys: Vec<DecryptionKey> = key.iter().map(|path| decryption_key(path)).collect();
    let expected = Expected { sp: &sp, idp: &idp, now, skew: Duration::minutes(3), allow_sha1, decryption_keys: &keys };
    let is_xml = xml.trim_start().starts_with('<');
    let verdict = verify(&if is_xml { encode(&xml) } else { xml.clone() }, &expected);
    if let Ok(accepted) = &verdict {
        let said = |name: &str| entry.get(name).and_then(Value::as_str);
        assert!(said("irt").is_none_or(|request| accepted.in_response_to() == Some(request)), "{entry}");
        assert!(said("identity").is_none_or(|name| accepted.name_id().value == name), "{entry}");
        let decoded = STANDARD.decode(xml.replace(['\n', '\r'], "")).unwrap_or_default();
        let document = if is_xml { xml } else { String::from_utf8(decoded).expect("text") };
        let certificates: Vec<Vec<u8>> = idp.certificates.iter().map(|known| known.der().to_vec()).collect();
        xmlsec1::must_agree(&document, &certificates, key.as_deref(), field("name"));
    }
    verdict
}

#[test]
fn public_vectors_get_the_expected_verdict() {
    let Some(folder) = suite() else { return };
    let vectors: Vec<Value> = serde_json::from_str(&read(&folder.join("vectors.json"))).expect("vectors");
    let (mut accepted, mut refused, mut policies, mut table) = (0, 0, Vec::new(), String::new());
    for entry in &vectors {
        let field = |name: &str| entry.get(name).and_then(Value::as_str).expect("field");
        let name = field("name");
        let told = |verdict: &Result<VerifiedAssertion, Rejection>| match verdict {
            Ok(_) => "accepted".to_owned(),
            Err(refused) => format!("{:?}", refused.code),
        };
        let (verdict, without) = (judge(&folder, entry, true), judge(&folder, entry, false));
        let (told, without) = (told(&verdict), told(&without));
        let switch = if told == without { String::new() } else { format!(" with SHA-1 allowed, otherwise {without}") };
        writeln!(table, "{} {name}: {told}{switch}", field("expect")).expect("a line");
        let stricter = STRICTER.iter().find(|(known, _)| *known == name).map(|(_, code)| *code);
        match (field("expect"), verdict, stricter) {
            ("policy", verdict, None) => policies.push((name, verdict.err().map(|refused| refused.code))),
            ("accept", Ok(_), None) => accepted += 1,
            ("accept", Err(rejection), Some(code)) if rejection.code == code => {}
            ("reject", Err(_), None) => refused += 1,
            (expect, verdict, _) => panic!("{name}: expected {expect}, got {verdict:?}"),
        }
    }
    assert_eq!(policies, POLICIES);
    // The verdict on each, to the code, so that no refusal is an accident.
    assert_eq!(table, include_str!("vectors.txt"));
    assert_eq!((accepted, refused), (18, 72));
}
