//! Sign-in requests: an AuthnRequest in a signed URL (HTTP-Redirect, bindings 3.4).

use crate::idp::{IdentityProvider, hex};
use crate::sp::{KeyError, ServiceProvider, SpKey};
use crate::xml;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bergshamra_core::algorithm::RSA_SHA256;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use samael::metadata::HTTP_POST_BINDING;
use samael::schema::{Issuer, NameIdPolicy};
use samael::traits::ToXml as _;
use std::io::Write as _;
use time::{OffsetDateTime, UtcOffset};
use url::Url;

/// One request for sign-in (core 3.4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthnRequest {
    /// The request's ID, which the answer repeats as InResponseTo.
    pub id: String,
    /// When it was made.
    pub issue_instant: OffsetDateTime,
    /// Where it is sent, as the signature covers it.
    pub destination: Url,
    /// Whether the user must sign in again even with a session at the identity provider.
    pub force_authn: bool,
}

impl AuthnRequest {
    /// The XML document, written by samael.
    pub fn to_xml(&self, sp: &ServiceProvider) -> Result<String, KeyError> {
        let request = samael::schema::AuthnRequest {
            id: self.id.clone(),
            version: "2.0".to_owned(),
            // samael's time type is chrono's, which this crate names nowhere.
            issue_instant: timestamp(self.issue_instant).parse().map_err(|_| KeyError::Request)?,
            destination: Some(self.destination.to_string()),
            consent: None,
            // samael writes element text as it is, attributes escaped.
            issuer: Some(Issuer { value: Some(xml::escape(&sp.entity_id)), ..Issuer::default() }),
            signature: None,
            subject: None,
            // No format: what the NameID is, the identity provider's set-up decides.
            name_id_policy: Some(NameIdPolicy { allow_create: Some(true), ..NameIdPolicy::default() }),
            conditions: None,
            requested_authn_context: None,
            // Some identity providers ask for the password again on any ForceAuthn, so `false` is left out.
            force_authn: self.force_authn.then_some(true),
            is_passive: None,
            assertion_consumer_service_index: None,
            assertion_consumer_service_url: Some(sp.acs_url.clone()),
            protocol_binding: Some(HTTP_POST_BINDING.to_owned()),
            attribute_consuming_service_index: None,
            provider_name: None,
        };
        request.to_string().map_err(|_| KeyError::Request)
    }
}

/// An ID of 128 random bits that is an XML name (core 1.3.4).
pub fn request_id(random: [u8; 16]) -> String {
    format!("_{}", hex(&random))
}

/// The URL that sends the browser to the identity provider with a signed request (bindings 3.4.4.1).
///
/// The signature covers exactly `SAMLRequest=…&RelayState=…&SigAlg=…`. A query that the sign-on URL has of its own
/// stays in front of that and is not signed; an empty RelayState is left out.
pub fn redirect_url(
    sp: &ServiceProvider,
    idp: &IdentityProvider,
    key: &SpKey,
    id: &str,
    relay_state: &str,
    force_authn: bool,
    now: OffsetDateTime,
) -> Result<Url, KeyError> {
    let mut url = idp.sso_url.clone();
    url.set_fragment(None);
    let request = AuthnRequest { id: id.to_owned(), issue_instant: now, destination: url.clone(), force_authn };
    let message = STANDARD.encode(deflate(request.to_xml(sp)?.as_bytes())?);

    let mut signed = format!("SAMLRequest={}", percent_encode(&message));
    if !relay_state.is_empty() {
        signed.push_str(&format!("&RelayState={}", percent_encode(relay_state)));
    }
    signed.push_str(&format!("&SigAlg={}", percent_encode(RSA_SHA256)));
    let signature = STANDARD.encode(key.sign(signed.as_bytes())?);
    let signed = format!("{signed}&Signature={}", percent_encode(&signature));

    let query = match idp.sso_url.query() {
        Some(own) if !own.is_empty() => format!("{own}&{signed}"),
        _ => signed,
    };
    url.set_query(Some(&query));
    Ok(url)
}

/// Raw DEFLATE (RFC 1951), as the binding wants it.
fn deflate(bytes: &[u8]) -> Result<Vec<u8>, KeyError> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).map_err(|_| KeyError::Request)?;
    encoder.finish().map_err(|_| KeyError::Request)
}

/// RFC 3986 2.3: everything but unreserved characters, so that nobody re-encodes what was signed.
fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// core 1.3.3, in whole seconds.
fn timestamp(instant: OffsetDateTime) -> String {
    let utc = instant.to_offset(UtcOffset::UTC);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        utc.year(),
        u8::from(utc.month()),
        utc.day(),
        utc.hour(),
        utc.minute(),
        utc.second()
    )
}
