//! Messages that come by HTTP-Redirect (bindings 3.4), read from the query as it was received: the signature covers the
//! sender's own percent-encoding, of which ADFS and Entra write the letters small.

use crate::algorithm::{self, KeyFamily, Sha1};
use crate::code::{Code, Rejection};
use crate::idp::IdentityProvider;
use crate::outgoing::Kind;
use crate::transport;
use flate2::read::DeflateDecoder;
use percent_encoding::percent_decode_str;
use std::io::Read as _;

/// How long a query may be; browsers and proxies bear less.
const MAX_QUERY: usize = 64 * 1024;

/// How long the message may be after it was inflated.
const MAX_MESSAGE: usize = 64 * 1024;

const DEFLATE: &str = "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE";

/// A message and what its signature covers; nothing is proven yet.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) kind: Kind,
    /// The XML document.
    pub(crate) message: Vec<u8>,
    /// What was sent along, to be sent back.
    pub(crate) relay_state: Option<String>,
    signature: Option<Signature>,
}

#[derive(Debug)]
struct Signature {
    algorithm: String,
    value: Vec<u8>,
    signed: String,
}

/// Reads a raw query; parameters that the binding does not know are passed over.
pub(crate) fn read(query: &str) -> Result<Received, Rejection> {
    if query.len() > MAX_QUERY {
        return Err(too_large(MAX_QUERY));
    }
    let (kind, message) = match (raw(query, "SAMLRequest")?, raw(query, "SAMLResponse")?) {
        (Some(message), None) => (Kind::Request, message),
        (None, Some(message)) => (Kind::Response, message),
        (None, None) => return Err(Code::ResponseMissing.into()),
        (Some(_), Some(_)) => {
            return Err(Rejection::new(Code::ParameterRepeated).received("SAMLRequest and SAMLResponse"));
        }
    };
    let encoding = raw(query, "SAMLEncoding")?.map(decoded).transpose()?;
    if encoding.is_some_and(|encoding| encoding != DEFLATE) {
        return Err(Code::NotDeflated.into());
    }
    let relay_state = raw(query, "RelayState")?;
    let signature = match (raw(query, "SigAlg")?, raw(query, "Signature")?) {
        (Some(algorithm), Some(value)) => {
            // bindings 3.4.4.1: these, in this order.
            let state = relay_state.map(|state| format!("&RelayState={state}")).unwrap_or_default();
            let signed = format!("{}={message}{state}&SigAlg={algorithm}", kind.field());
            let value = transport::decode(&decoded(value)?, MAX_QUERY)?;
            Some(Signature { algorithm: decoded(algorithm)?, value, signed })
        }
        _ => None,
    };
    let message = inflate(&transport::decode(&decoded(message)?, MAX_QUERY)?)?;
    // A form's way to write a space; in base64 a plus sign stands for itself, even where it was left as it is.
    let relay_state = relay_state.map(|state| decoded(&state.replace('+', " "))).transpose()?;
    Ok(Received { kind, message, relay_state, signature })
}

/// The one parameter of that name, as it was sent.
fn raw<'q>(query: &'q str, name: &str) -> Result<Option<&'q str>, Rejection> {
    let mut values = query.split('&').filter_map(|pair| pair.split_once('=')).filter(|(key, _)| *key == name);
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(Rejection::new(Code::ParameterRepeated).received(name)),
        (found, None) => Ok(found.map(|(_, value)| value)),
    }
}

impl Received {
    /// Verifies the signature with the identity provider's certificates.
    pub(crate) fn verify(&self, idp: &IdentityProvider, sha1: Sha1) -> Result<(), Rejection> {
        let Signature { algorithm, value, signed } = self.signature.as_ref().ok_or(Code::Unsigned)?;
        let family: KeyFamily = algorithm::signature_method(algorithm, sha1)?;
        let fitting: Vec<_> = idp.certificates.iter().filter(|known| known.family() == family).collect();
        if fitting.is_empty() {
            return Err(Rejection::new(Code::KeyType).received(&format!("a signature by {family}")));
        }
        if fitting.iter().any(|known| known.verifies(algorithm, signed.as_bytes(), value)) {
            return Ok(());
        }
        let known: Vec<&str> = fitting.iter().map(|certificate| certificate.fingerprint()).collect();
        Err(Rejection::new(Code::SignatureMismatch).expected(&format!("certificate {}", known.join(" or "))))
    }
}

fn decoded(text: &str) -> Result<String, Rejection> {
    let text = percent_decode_str(text).decode_utf8().map_err(|_| Code::NotUtf8)?;
    Ok(text.into_owned())
}

/// Raw DEFLATE (RFC 1951).
fn inflate(bytes: &[u8]) -> Result<Vec<u8>, Rejection> {
    let mut message = Vec::new();
    let most = u64::try_from(MAX_MESSAGE).unwrap_or(u64::MAX).saturating_add(1);
    DeflateDecoder::new(bytes).take(most).read_to_end(&mut message).map_err(|_| Code::NotDeflated)?;
    if message.len() > MAX_MESSAGE { Err(too_large(MAX_MESSAGE)) } else { Ok(message) }
}

fn too_large(limit: usize) -> Rejection {
    Rejection::new(Code::ResponseTooLarge).expected(&format!("at most {limit} bytes"))
}
