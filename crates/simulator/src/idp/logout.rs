//! Single logout: requests and answers of ours, and what service providers ask.

use anyhow::{Context, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};
use uppsala::{Document, NodeId};

use super::keys::IdpKey;
use super::metadata::{ServiceProvider, parse};
use super::response::{escape, signature_template};
use super::signed_query::{self, SignedQuery};

const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion";

/// A message about logout to be; every default is right.
#[derive(Clone, Debug)]
pub struct LogoutMessage {
    /// Its ID.
    pub id: String,
    /// Who sends it.
    pub issuer: String,
    /// Where it goes.
    pub destination: String,
    /// When it was made.
    pub issue_instant: OffsetDateTime,
    /// What it says.
    pub content: Content,
}

/// What a message says.
#[derive(Clone, Debug)]
pub enum Content {
    /// These sessions shall end.
    Request {
        /// Whose they are.
        name_id: String,
        /// Which; none means all.
        session_indexes: Vec<String>,
    },
    /// They have ended.
    Response {
        /// The request that is answered.
        in_response_to: String,
        /// `Success`, or something else at the end of a status URI.
        status: String,
    },
}

impl LogoutMessage {
    /// A message with an ID of its own.
    pub fn new(issuer: &str, destination: &str, now: OffsetDateTime, content: Content) -> Self {
        Self {
            id: format!("id{}", uuid::Uuid::new_v4().simple()),
            issuer: issuer.to_owned(),
            destination: destination.to_owned(),
            issue_instant: now,
            content,
        }
    }

    /// The field that carries it.
    pub fn field(&self) -> &'static str {
        match self.content {
            Content::Request { .. } => "SAMLRequest",
            Content::Response { .. } => "SAMLResponse",
        }
    }

    /// The address with the message in a signed query (HTTP-Redirect).
    pub fn url(&self, relay_state: Option<&str>, key: &IdpKey) -> anyhow::Result<String> {
        let query = signed_query::write(self.field(), &self.xml("")?, relay_state, key)?;
        let joint = if self.destination.contains('?') { '&' } else { '?' };
        Ok(format!("{}{joint}{query}", self.destination))
    }

    /// The form field with the signed message (HTTP-POST).
    pub fn encode(&self, key: &IdpKey) -> anyhow::Result<String> {
        Ok(STANDARD.encode(key.sign(self.xml(&signature_template(&self.id, key))?)?))
    }

    pub(crate) fn xml(&self, signature: &str) -> anyhow::Result<String> {
        let instant = |instant: OffsetDateTime| {
            let whole = instant.replace_nanosecond(0).context("a time")?.to_offset(time::UtcOffset::UTC);
            whole.format(&Rfc3339).context("a time that can be written")
        };
        let (name, attributes, content) = match &self.content {
            Content::Request { name_id, session_indexes } => {
                let end = instant(self.issue_instant + Duration::minutes(5))?;
                let indexes: String = session_indexes
                    .iter()
                    .map(|index| format!("<saml2p:SessionIndex>{}</saml2p:SessionIndex>", escape(index)))
                    .collect();
                let name_id = format!("<saml2:NameID>{}</saml2:NameID>", escape(name_id));
                ("LogoutRequest", format!(" NotOnOrAfter=\"{end}\""), name_id + &indexes)
            }
            Content::Response { in_response_to, status } => (
                "LogoutResponse",
                format!(" InResponseTo=\"{}\"", escape(in_response_to)),
                format!(
                    "<saml2p:Status><saml2p:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:{}\"/></saml2p:Status>",
                    escape(status)
                ),
            ),
        };
        Ok(format!(
            "<saml2p:{name} xmlns:saml2p=\"{PROTOCOL}\" xmlns:saml2=\"{ASSERTION}\" ID=\"{id}\" Version=\"2.0\" \
             IssueInstant=\"{issued}\" Destination=\"{destination}\"{attributes}>\
             <saml2:Issuer>{issuer}</saml2:Issuer>{signature}{content}</saml2p:{name}>",
            id = escape(&self.id),
            issued = instant(self.issue_instant)?,
            destination = escape(&self.destination),
            issuer = escape(&self.issuer),
        ))
    }
}

/// What a service provider sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The ID of the request, or of the request that is answered.
    pub id: String,
    /// Who sent it.
    pub issuer: String,
    /// Whose sessions; none in an answer.
    pub name_id: Option<String>,
    /// The kind of name, as a URI.
    pub name_id_format: Option<String>,
    /// Which sessions.
    pub session_indexes: Vec<String>,
    /// To be sent back unchanged.
    pub relay_state: Option<String>,
}

pub(super) fn issuer_of(raw_query: &str, field: &str) -> anyhow::Result<String> {
    let query = SignedQuery::read(raw_query, field)?;
    let document = parse(&query.xml)?;
    let root = document.document_element().context("The message is empty.")?;
    text_of(&document, root, ASSERTION, "Issuer").context("The message has no Issuer.")
}

/// Reads and verifies what came in a query.
pub(super) fn read(raw_query: &str, field: &str, slo_url: &str, provider: &ServiceProvider) -> anyhow::Result<Asked> {
    let query = SignedQuery::read(raw_query, field)?;
    query.verify(provider)?;
    let document = parse(&query.xml)?;
    let root = document.document_element().context("The message is empty.")?;
    let element = document.element(root).context("The message is empty.")?;
    let is_request = field == "SAMLRequest";
    let name = if is_request { "LogoutRequest" } else { "LogoutResponse" };
    ensure!(element.matches_name_ns(PROTOCOL, name), "The message is not a {name}.");
    ensure!(element.get_attribute("Destination") == Some(slo_url), "The message is not meant for us.");
    let issuer = text_of(&document, root, ASSERTION, "Issuer").context("The message has no Issuer.")?;
    ensure!(issuer == provider.entity_id, "The message is another service provider's.");
    let id = element.get_attribute(if is_request { "ID" } else { "InResponseTo" }).context("The message has no ID.")?;
    let indexes = document.child_elements_by_name_ns(root, PROTOCOL, "SessionIndex").into_iter();
    Ok(Asked {
        id: id.to_owned(),
        issuer,
        name_id: text_of(&document, root, ASSERTION, "NameID"),
        name_id_format: document
            .first_child_element_by_name_ns(root, ASSERTION, "NameID")
            .and_then(|name| document.get_attribute(name, "Format").map(str::to_owned)),
        session_indexes: indexes.map(|node| document.text_content_deep(node).trim().to_owned()).collect(),
        relay_state: query.relay_state,
    })
}

fn text_of(document: &Document<'_>, parent: NodeId, namespace: &str, name: &str) -> Option<String> {
    let node = document.first_child_element_by_name_ns(parent, namespace, name)?;
    Some(document.text_content_deep(node).trim().to_owned())
}
