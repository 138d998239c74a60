//! Messages as they may be kept for an administrator: their shape, with what they say about a person left out.

use crate::response::MAX_RESPONSE_BYTES;
use crate::transport;
use crate::xml::{self, PROTOCOL};
use uppsala::{Document, NodeId, NodeKind};

/// How long a kept message may be; what is longer is cut.
const MAX_KEPT: usize = 32 * 1024;

/// Elements whose text says nothing about a person.
const PLAIN_TEXTS: [&str; 8] = [
    "Issuer",
    "Audience",
    "AuthnContextClassRef",
    "AuthnContextDeclRef",
    "AuthenticatingAuthority",
    "X509Certificate",
    "DigestValue",
    "SignatureValue",
];

/// Attributes whose value says nothing about a person.
const PLAIN_ATTRIBUTES: [&str; 24] = [
    "ID",
    "Id",
    "Version",
    "IssueInstant",
    "Destination",
    "Consent",
    "InResponseTo",
    "Recipient",
    "NotBefore",
    "NotOnOrAfter",
    "AuthnInstant",
    "SessionNotOnOrAfter",
    "SessionIndex",
    "Name",
    "NameFormat",
    "FriendlyName",
    "Format",
    "Method",
    "Value",
    "Algorithm",
    "URI",
    "Type",
    "type",
    "PrefixList",
];

/// A message as it may be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The document, or what of it may be seen.
    pub xml: String,
    /// The request that it says it answers; nothing is proven.
    pub in_response_to: Option<String>,
}

/// What of a message in a form field may be kept; nothing of what does not read as XML.
///
/// Without `contents` every text and attribute value is left out but those that are known to say nothing about a person.
pub fn kept(field: &str, contents: bool) -> Option<Kept> {
    let decoded = transport::decode(field, MAX_RESPONSE_BYTES).ok()?;
    let (source, document) = xml::received(&decoded).ok()?;
    of(source, &document, contents)
}

/// The same of a message that was read.
pub(crate) fn of(source: &str, document: &Document<'_>, contents: bool) -> Option<Kept> {
    let root = document.document_element()?;
    let is_response = document.element(root)?.name.namespace_uri.as_deref() == Some(PROTOCOL);
    let in_response_to = xml::attribute(document, root, "InResponseTo").filter(|_| is_response);
    let mut shown = String::new();
    if contents {
        shown.push_str(source);
    } else {
        write(document, root, &mut shown);
    }
    Some(Kept { xml: cut(shown), in_response_to: in_response_to.map(str::to_owned) })
}

impl Kept {
    /// Adds what was encrypted in it, and that an identity provider signed.
    pub(crate) fn with(self, opened: Option<String>) -> Self {
        let Some(opened) = opened else { return self };
        Self { xml: cut(format!("{}\n\n{opened}", self.xml)), ..self }
    }
}

fn cut(mut text: String) -> String {
    if text.len() > MAX_KEPT {
        let end = (0..=MAX_KEPT).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Depth is bounded by the structure step.
fn write(document: &Document<'_>, node: NodeId, into: &mut String) {
    if into.len() > MAX_KEPT {
        return;
    }
    let Some(element) = document.element(node) else { return };
    let name = element.name.prefixed_name();
    into.push_str(&format!("<{name}"));
    for (prefix, uri) in &element.namespace_declarations {
        let prefix = if prefix.is_empty() { String::new() } else { format!(":{prefix}") };
        into.push_str(&format!(" xmlns{prefix}=\"{}\"", xml::escape(uri)));
    }
    for attribute in &element.attributes {
        let is_plain = PLAIN_ATTRIBUTES.contains(&&*attribute.name.local_name);
        let value = if is_plain { xml::escape(&attribute.value) } else { left_out(&attribute.value) };
        into.push_str(&format!(" {}=\"{value}\"", attribute.name.prefixed_name()));
    }
    into.push('>');
    let is_plain = PLAIN_TEXTS.contains(&&*element.name.local_name);
    for child in document.children_iter(node) {
        match document.node_kind(child) {
            Some(NodeKind::Element(_)) => write(document, child, into),
            Some(NodeKind::Text(text)) => write_text(text, is_plain, into),
            Some(NodeKind::CData(text)) => write_text(text, is_plain, into),
            Some(NodeKind::Comment(_)) => into.push_str("<!-- -->"),
            _ => {}
        }
    }
    into.push_str(&format!("</{name}>"));
}

fn write_text(text: &str, is_plain: bool, into: &mut String) {
    if is_plain || xml::trim(text).is_empty() {
        into.push_str(&xml::escape(text));
    } else {
        into.push_str(&left_out(text));
    }
}

fn left_out(text: &str) -> String {
    format!("[{} characters]", text.chars().count())
}
