//! Keys that are made once, the three ways to sign, and edits that must have an effect.

use crate::code::{Code, Rejection};
use crate::idp::IdentityProvider;
use crate::response::{Expected, VerifiedAssertion, verify};
use crate::self_test::forge::{self, ASSERTION_ID, NOW, RESPONSE_ID, Signer};
use std::sync::OnceLock;
use time::{Duration, OffsetDateTime};

pub const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";

/// What is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Assertion,
    Response,
    Both,
}

pub const STYLES: [Style; 3] = [Style::Assertion, Style::Response, Style::Both];

fn new_rsa() -> Signer {
    let pair = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).expect("key");
    Signer::new(&pair, RSA_SHA256).expect("signer")
}

/// The identity provider's RSA key.
pub fn rsa() -> &'static Signer {
    static SIGNER: OnceLock<Signer> = OnceLock::new();
    SIGNER.get_or_init(new_rsa)
}

/// An attacker's RSA key.
pub fn stranger() -> &'static Signer {
    static SIGNER: OnceLock<Signer> = OnceLock::new();
    SIGNER.get_or_init(new_rsa)
}

/// The identity provider's P-256 key.
pub fn ec() -> &'static Signer {
    static SIGNER: OnceLock<Signer> = OnceLock::new();
    SIGNER.get_or_init(|| Signer::generate().expect("signer"))
}

pub fn sign(xml: &str, style: Style, signer: &Signer) -> String {
    let one = |xml: &str, id| forge::sign(xml, id, signer).expect("signature");
    match style {
        Style::Assertion => one(xml, ASSERTION_ID),
        Style::Response => one(xml, RESPONSE_ID),
        Style::Both => one(&one(xml, ASSERTION_ID), RESPONSE_ID),
    }
}

/// An honest signed response.
pub fn signed(style: Style) -> String {
    sign(&forge::response(), style, rsa())
}

pub fn idp() -> IdentityProvider {
    forge::identity_provider([rsa()]).expect("idp")
}

/// Judges at an instant, with the identity provider's RSA certificate.
pub fn judge_at(xml: &str, now: OffsetDateTime) -> Result<VerifiedAssertion, Rejection> {
    judge_with(xml, &idp(), now, false)
}

pub fn judge_with(
    xml: &str,
    idp: &IdentityProvider,
    now: OffsetDateTime,
    allow_sha1: bool,
) -> Result<VerifiedAssertion, Rejection> {
    let sp = forge::service_provider();
    verify(
        &forge::encode(xml),
        &Expected { sp: &sp, idp, now, skew: Duration::minutes(3), allow_sha1, decryption_keys: &[] },
    )
}

pub fn judge(xml: &str) -> Result<VerifiedAssertion, Rejection> {
    judge_at(xml, NOW)
}

/// The code by which a response is refused.
pub fn refusal(xml: &str) -> Code {
    match judge(xml) {
        Err(rejection) => rejection.code,
        Ok(_) => panic!("accepted: {xml}"),
    }
}

/// Replaces the first occurrence, which must be there.
pub fn edit(xml: &str, from: &str, to: &str) -> String {
    assert!(xml.contains(from), "{from} is not in {xml}");
    xml.replacen(from, to, 1)
}

/// Replaces the last occurrence, which must be there.
pub fn edit_last(xml: &str, from: &str, to: &str) -> String {
    let (before, after) = xml.rsplit_once(from).unwrap_or_else(|| panic!("{from} is not in {xml}"));
    format!("{before}{to}{after}")
}

/// What stands from `start` to `end`, both included.
pub fn part<'a>(xml: &'a str, start: &str, end: &str) -> &'a str {
    let from = xml.find(start).unwrap_or_else(|| panic!("{start} is not in {xml}"));
    let length = xml[from..].find(end).unwrap_or_else(|| panic!("{end} is not in {xml}"));
    &xml[from..from + length + end.len()]
}

/// Takes a part out.
pub fn cut(xml: &str, start: &str, end: &str) -> String {
    xml.replacen(part(xml, start, end), "", 1)
}

/// The first value of an attribute.
pub fn attribute<'a>(accepted: &'a VerifiedAssertion, name: &str) -> Option<&'a str> {
    accepted.attribute_values(name).next().map(|value| value.text.as_str())
}
