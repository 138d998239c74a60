//! Messages on their way by the user's browser: as a signed URL (HTTP-Redirect, bindings 3.4) or as a form that carries
//! signed XML (HTTP-POST, bindings 3.5).

use crate::enveloped;
use crate::sp_key::{KeyError, SpKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use std::io::Write as _;
use url::Url;

/// How a message travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// In the query of a URL.
    Redirect,
    /// In a form.
    Post,
}

/// Where messages of one kind go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The address.
    pub url: Url,
    /// What the address understands.
    pub binding: Binding,
}

/// Whether a message asks or answers, which names the field that carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Request,
    Response,
}

impl Kind {
    pub(crate) const fn field(self) -> &'static str {
        match self {
            Self::Request => "SAMLRequest",
            Self::Response => "SAMLResponse",
        }
    }
}

/// A signed message, ready to leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outgoing {
    /// Send the browser there.
    Redirect(Url),
    /// Make the browser post this.
    Post(PostForm),
}

/// A form with a message (bindings 3.5.4); its values are not escaped for HTML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostForm {
    /// Where it is posted.
    pub action: Url,
    /// `SAMLRequest` or `SAMLResponse`.
    pub field: &'static str,
    /// The message in base64.
    pub message: String,
    /// What is to come back unchanged; empty if nothing is.
    pub relay_state: String,
}

/// Signs the message for that way.
pub(crate) fn send(kind: Kind, xml: &str, to: &Endpoint, relay_state: &str, key: &SpKey) -> Result<Outgoing, KeyError> {
    match to.binding {
        Binding::Redirect => redirect(kind, xml, &to.url, relay_state, key).map(Outgoing::Redirect),
        Binding::Post => Ok(Outgoing::Post(PostForm {
            action: to.url.clone(),
            field: kind.field(),
            message: STANDARD.encode(enveloped::sign(xml, key)?),
            relay_state: relay_state.to_owned(),
        })),
    }
}

/// bindings 3.4.4.1: the signature covers exactly `SAMLRequest=…&RelayState=…&SigAlg=…`. A query that the address has of
/// its own stays in front of that and is not signed; an empty RelayState is left out.
fn redirect(kind: Kind, xml: &str, to: &Url, relay_state: &str, key: &SpKey) -> Result<Url, KeyError> {
    let message = STANDARD.encode(deflate(xml.as_bytes())?);
    let mut signed = format!("{}={}", kind.field(), percent_encode(&message));
    if !relay_state.is_empty() {
        signed.push_str(&format!("&RelayState={}", percent_encode(relay_state)));
    }
    signed.push_str(&format!("&SigAlg={}", percent_encode(key.algorithm())));
    let signature = STANDARD.encode(key.sign(signed.as_bytes())?);
    let signed = format!("{signed}&Signature={}", percent_encode(&signature));

    let query = match to.query() {
        Some(own) if !own.is_empty() => format!("{own}&{signed}"),
        _ => signed,
    };
    let mut url = to.clone();
    url.set_fragment(None);
    url.set_query(Some(&query));
    Ok(url)
}

/// Raw DEFLATE (RFC 1951), as the binding wants it.
fn deflate(bytes: &[u8]) -> Result<Vec<u8>, KeyError> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).map_err(|_| KeyError::Message)?;
    encoder.finish().map_err(|_| KeyError::Message)
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
