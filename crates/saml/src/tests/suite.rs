//! Responses of real identity providers, when the suite is beside the repository.

use crate::code::{Code, Rejection};
use crate::idp::{IdentityProvider, SetupError};
use crate::response::{Expected, VerifiedAssertion, verify};
use crate::self_test::forge::encode;
use crate::sp::ServiceProvider;
use serde_json::Value;
use std::path::{Path, PathBuf};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

fn suite() -> Option<PathBuf> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2)?;
    let folder = repository.parent()?.join("shared").join("suites").join("saml");
    if !folder.is_dir() {
        println!("skipped: no suite of SAML responses beside the repository");
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

/// The honest responses of SimpleSAMLphp, pysaml2 and saml-idp with SHA-2 and without encryption.
fn honest(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder.join("responses")).expect("responses");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("entry").path()).collect();
    files.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let other = ["-enc", "metadata", "logout", "sha1"].iter().any(|word| name.contains(word));
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
    assert!(files.len() >= 15, "{files:?}");
    for path in files {
        let xml = read(&path);
        let issued = OffsetDateTime::parse(between(&xml, "IssueInstant=\"", "\""), &Rfc3339).expect("IssueInstant");
        let issuer = xml.split("Issuer").nth(1).map(|rest| between(rest, ">", "<")).expect("Issuer");
        let audience = xml.split("Audience>").find(|text| text.starts_with("http")).map(|text| text.split('<').next());
        let sp = ServiceProvider {
            entity_id: audience.flatten().expect("Audience").to_owned(),
            acs_url: between(&xml, "Recipient=\"", "\"").to_owned(),
        };
        let idp = IdentityProvider::from_fields("https://idp.test/sso", issuer, &certificate).expect("idp");
        let expected = Expected { sp: &sp, idp: &idp, now: issued, skew: Duration::minutes(3), allow_sha1: false };
        let accepted = verify(&encode(&xml), &expected);
        let accepted = accepted.unwrap_or_else(|rejection| panic!("{}: {rejection}", path.display()));
        assert!(!accepted.name_id().value.is_empty());
        assert!(accepted.valid_until() > issued);
    }
}

/// Where our rules are stricter than the vector's author, each with the check that refuses it.
const STRICTER: [(&str, Code); 6] = [
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
        Some(xml) => {
            let xml = if xml.contains("bindings:HTTP-Redirect") {
                xml
            } else {
                xml.replace("bindings:HTTP-POST", "bindings:HTTP-Redirect")
            };
            (between(&xml, "entityID=\"", "\"").to_owned(), IdentityProvider::from_metadata(&xml))
        }
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

fn judge(folder: &Path, entry: &Value) -> Result<VerifiedAssertion, Rejection> {
    let field = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
    let xml = read(&folder.join("vectors").join(field("file")));
    let sp = ServiceProvider { entity_id: field("entity").to_owned(), acs_url: field("acs").to_owned() };
    let idp = vector_idp(folder, entry);
    let now = OffsetDateTime::parse(field("now"), &Rfc3339).expect("now");
    let expected = Expected { sp: &sp, idp: &idp, now, skew: Duration::minutes(3), allow_sha1: true };
    let form = if xml.trim_start().starts_with('<') { encode(&xml) } else { xml };
    verify(&form, &expected)
}

#[test]
fn public_vectors_get_the_expected_verdict() {
    let Some(folder) = suite() else { return };
    let vectors: Vec<Value> = serde_json::from_str(&read(&folder.join("vectors.json"))).expect("vectors");
    let (mut accepted, mut refused, mut encrypted) = (0, 0, 0);
    for entry in &vectors {
        let field = |name: &str| entry.get(name).and_then(Value::as_str).expect("field");
        let name = field("name");
        let verdict = judge(&folder, entry);
        let stricter = STRICTER.iter().find(|(known, _)| *known == name).map(|(_, code)| *code);
        match (field("expect"), verdict, stricter) {
            (_, Err(rejection), _) if rejection.code == Code::AssertionEncrypted => encrypted += 1,
            ("policy", verdict, None) => {
                println!(
                    "{name}: {} ({})",
                    verdict.map_or_else(|r| r.to_string(), |_| "accepted".to_owned()),
                    field("why")
                );
            }
            ("accept", Ok(_), None) => accepted += 1,
            ("accept", Err(rejection), Some(code)) if rejection.code == code => {}
            ("reject", Err(_), None) => refused += 1,
            (expect, verdict, _) => panic!("{name}: expected {expect}, got {verdict:?}"),
        }
    }
    println!("{accepted} accepted, {refused} refused, {encrypted} encrypted, of {}", vectors.len());
    assert!(accepted >= 10 && refused >= 40);
}
