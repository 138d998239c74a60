//! Messages that arrive by HTTP-Redirect, taken from the raw query, because that is what was signed; and those that leave
//! that way.

use std::io::{Read, Write};

use anyhow::{Context, bail, ensure};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use url::form_urlencoded;

use super::keys::IdpKey;
use super::metadata::ServiceProvider;

pub(crate) const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
const ECDSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256";
const MAX_INFLATED: u64 = 64 * 1024;

/// A message and what its signature covers; not yet believed.
#[derive(Debug)]
pub(super) struct SignedQuery {
    pub(super) xml: String,
    pub(super) relay_state: Option<String>,
    signed: String,
    /// The algorithm's URI and the signature.
    signature: Option<(String, Vec<u8>)>,
}

impl SignedQuery {
    /// Takes a query apart (SAML bindings 3.4.4); the field is SAMLRequest or SAMLResponse.
    pub(super) fn read(raw_query: &str, field: &str) -> anyhow::Result<Self> {
        let message = one(raw_query, field)?.with_context(|| format!("There is no {field} in the address."))?;
        let relay_state = one(raw_query, "RelayState")?;
        let algorithm = one(raw_query, "SigAlg")?;
        let signature = match (one(raw_query, "Signature")?, algorithm) {
            (None, _) => None,
            (Some(_), None) => bail!("The message has a Signature but no SigAlg."),
            (Some(signature), Some(algorithm)) => {
                let algorithm = decode(algorithm);
                let known = [RSA_SHA256, ECDSA_SHA256].contains(&algorithm.as_str());
                ensure!(known, "The message is signed by something else than RSA-SHA256 or ECDSA-SHA256.");
                let signature = STANDARD.decode(decode(signature)).context("The Signature is not base64.")?;
                Some((algorithm, signature))
            }
        };
        // The octets that were signed are those of the query, in this order and with the sender's own escaping.
        let mut signed = format!("{field}={message}");
        for (name, value) in [("RelayState", relay_state), ("SigAlg", algorithm)] {
            if let Some(value) = value {
                signed = format!("{signed}&{name}={value}");
            }
        }
        let deflated = STANDARD.decode(decode(message)).with_context(|| format!("The {field} is not base64."))?;
        Ok(Self { xml: inflate(&deflated)?, relay_state: relay_state.map(decode), signed, signature })
    }

    /// Checks the signature against the keys of a service provider.
    pub(super) fn verify(&self, provider: &ServiceProvider) -> anyhow::Result<()> {
        let signature = self.signature.as_ref();
        let (algorithm, signature) =
            signature.context("The message is not signed, but our metadata wants it to be.")?;
        let is_genuine = provider.signing_keys.iter().any(|key| match algorithm.as_str() {
            RSA_SHA256 => UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key)
                .verify(self.signed.as_bytes(), signature)
                .is_ok(),
            _ => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key).verify(self.signed.as_bytes(), signature).is_ok()
            }
        });
        ensure!(is_genuine, "The message's signature does not fit the certificate in the service provider's metadata.");
        Ok(())
    }
}

/// The query of a message of ours.
pub fn write(field: &str, xml: &str, relay_state: Option<&str>, key: &IdpKey) -> anyhow::Result<String> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(xml.as_bytes())?;
    let mut query = format!("{field}={}", encode(STANDARD.encode(encoder.finish()?).as_bytes()));
    if let Some(state) = relay_state {
        query.push_str(&format!("&RelayState={}", encode(state.as_bytes())));
    }
    query.push_str(&format!("&SigAlg={}", encode(RSA_SHA256.as_bytes())));
    let signature = STANDARD.encode(key.sign_bytes(query.as_bytes())?);
    Ok(format!("{query}&Signature={}", encode(signature.as_bytes())))
}

fn encode(bytes: &[u8]) -> String {
    form_urlencoded::byte_serialize(bytes).collect()
}

fn inflate(compressed: &[u8]) -> anyhow::Result<String> {
    let mut xml = String::new();
    DeflateDecoder::new(compressed)
        .take(MAX_INFLATED + 1)
        .read_to_string(&mut xml)
        .context("The message is not deflated UTF-8.")?;
    ensure!(xml.len() as u64 <= MAX_INFLATED, "The message is larger than {MAX_INFLATED} bytes.");
    Ok(xml)
}

fn one<'a>(raw_query: &'a str, name: &str) -> anyhow::Result<Option<&'a str>> {
    let mut values = raw_query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value);
    let first = values.next();
    ensure!(values.next().is_none(), "The parameter {name} stands in the address twice.");
    Ok(first)
}

fn decode(raw: &str) -> String {
    // One value, without `&` or `=` in it: it reads as a name without a value.
    form_urlencoded::parse(raw.replace('=', "%3D").as_bytes()).map(|(name, _)| name.into_owned()).collect()
}
