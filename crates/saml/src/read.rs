//! Reads the Response and the Assertion from a tree, strictly by namespace.
//!
//! samael's `Assertion` is not used here: it compares names without their namespaces, joins no text, drops unknown
//! conditions and fails on a NameID nested in an attribute. All of these must hold, so the tree of the verified bytes
//! is the only reader; the tests compare it with samael's.

use crate::code::{Code, Rejection};
use crate::decryption::DecryptionKey;
use crate::encrypted;
use crate::instant;
use crate::response::{Attribute, AttributeValue, NameId, ValueKind};
use crate::text;
use crate::xml::{self, ASSERTION, PROTOCOL};
use time::OffsetDateTime;
use uppsala::{Document, NodeId};

const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";
const STATUS_PREFIX: &str = "urn:oasis:names:tc:SAML:2.0:status:";
const MAX_NAME_ID: usize = 1024;

/// Ohm, Kelvin, Angstrom and theta as signs: they look like letters and become them in lower case, so that a name with one of
/// them would be somebody else's.
const LOOK_ALIKES: [char; 4] = ['\u{3f4}', '\u{2126}', '\u{212a}', '\u{212b}'];

/// The fields of the Response that are compared (core 3.2.2).
#[derive(Clone)]
pub(crate) struct Response {
    pub(crate) version: String,
    pub(crate) issue_instant: OffsetDateTime,
    pub(crate) destination: Option<String>,
    pub(crate) in_response_to: Option<String>,
    pub(crate) issuer: Option<String>,
}

/// The fields of the Assertion that are compared or handed out (core 2.3.3).
#[derive(Clone)]
pub(crate) struct Assertion {
    pub(crate) id: String,
    pub(crate) version: String,
    pub(crate) issue_instant: OffsetDateTime,
    pub(crate) issuer: String,
    pub(crate) name_id: NameId,
    pub(crate) confirmations: Vec<Confirmation>,
    pub(crate) conditions: Conditions,
    pub(crate) statements: Vec<AuthnStatement>,
    pub(crate) attributes: Vec<Attribute>,
}

/// One bearer SubjectConfirmation (core 2.4.1.1 and 2.4.1.2).
#[derive(Clone)]
pub(crate) struct Confirmation {
    pub(crate) recipient: Option<String>,
    pub(crate) in_response_to: Option<String>,
    pub(crate) not_before: Option<OffsetDateTime>,
    pub(crate) not_on_or_after: Option<OffsetDateTime>,
}

/// core 2.5.1; every restriction is a list of audiences of which one must fit.
#[derive(Clone)]
pub(crate) struct Conditions {
    pub(crate) not_before: Option<OffsetDateTime>,
    pub(crate) not_on_or_after: Option<OffsetDateTime>,
    pub(crate) audience_restrictions: Vec<Vec<String>>,
    pub(crate) one_time_use: bool,
}

/// core 2.7.2.
#[derive(Clone)]
pub(crate) struct AuthnStatement {
    pub(crate) instant: OffsetDateTime,
    pub(crate) session_index: Option<String>,
    pub(crate) session_not_on_or_after: Option<OffsetDateTime>,
    pub(crate) context: Option<String>,
}

/// Reads the fields of the Response element.
pub(crate) fn response(document: &Document<'_>, node: NodeId) -> Result<Response, Rejection> {
    let issuer = xml::named(document, node, ASSERTION, "Issuer").next();
    Ok(Response {
        version: owned(document, node, "Version").unwrap_or_default(),
        issue_instant: instant::required(xml::attribute(document, node, "IssueInstant"), "IssueInstant")?,
        destination: owned(document, node, "Destination"),
        in_response_to: owned(document, node, "InResponseTo"),
        issuer: issuer.map(|issuer| text::whole(document, issuer)).transpose()?,
    })
}

/// core 3.2.2.2: refuses everything but exactly Success, with what the identity provider said.
pub(crate) fn status(document: &Document<'_>, response: NodeId) -> Result<(), Rejection> {
    let status = xml::named(document, response, PROTOCOL, "Status").next().ok_or(Code::StatusMissing)?;
    let codes: Vec<&str> = document
        .descendants(status)
        .into_iter()
        .filter(|node| xml::is(document, *node, PROTOCOL, "StatusCode"))
        .map(|node| xml::attribute(document, node, "Value").unwrap_or_default())
        .collect();
    if codes == [SUCCESS] {
        return Ok(());
    }
    let mut said: Vec<&str> = codes.iter().map(|code| code.strip_prefix(STATUS_PREFIX).unwrap_or("(other)")).collect();
    let message = xml::named(document, status, PROTOCOL, "StatusMessage").next();
    let message = message.and_then(|message| text::whole(document, message).ok());
    said.extend(message.as_deref().map(str::trim).filter(|message| !message.is_empty()));
    Err(Rejection::new(Code::StatusNotSuccess).expected("Success").received(&said.join(", ")))
}

/// Reads the Assertion element; a missing mandatory part is refused here, a wrong one by the meaning step.
pub(crate) fn assertion(document: &Document<'_>, node: NodeId, keys: &[DecryptionKey]) -> Result<Assertion, Rejection> {
    let issuer = xml::named(document, node, ASSERTION, "Issuer").next();
    let issuer = issuer.ok_or_else(|| Rejection::new(Code::AssertionIssuer).received("nothing"))?;
    let subject = xml::named(document, node, ASSERTION, "Subject").next().ok_or(Code::SubjectMissing)?;
    let conditions = xml::named(document, node, ASSERTION, "Conditions").next().ok_or(Code::ConditionsMissing)?;
    Ok(Assertion {
        id: owned(document, node, "ID").ok_or(Code::IdInvalid)?,
        version: owned(document, node, "Version").unwrap_or_default(),
        issue_instant: instant::required(xml::attribute(document, node, "IssueInstant"), "IssueInstant")?,
        issuer: text::whole(document, issuer)?,
        name_id: name_id(document, subject, keys)?,
        confirmations: confirmations(document, subject)?,
        conditions: self::conditions(document, conditions)?,
        statements: statements(document, node)?,
        attributes: attributes(document, node)?,
    })
}

/// The one NameID of a subject or a logout request, encrypted or not (core 2.4.1 and 3.7.1). An encrypted one was signed with all around it, so whoever
/// changed it is found out before it is opened.
pub(crate) fn name_id(document: &Document<'_>, subject: NodeId, keys: &[DecryptionKey]) -> Result<NameId, Rejection> {
    let plain = xml::named(document, subject, ASSERTION, "NameID");
    let sealed = xml::named(document, subject, ASSERTION, "EncryptedID");
    let mut names = plain.chain(sealed);
    let node = names.next().ok_or(Code::NameIdMissing)?;
    if names.next().is_some() {
        return Err(Rejection::new(Code::AssertionContent).received("a repeated NameID"));
    }
    if xml::is(document, node, ASSERTION, "NameID") {
        return plain_name_id(document, node);
    }
    let text = encrypted::open(document, node, keys)?;
    let opened = xml::parse(&text).map_err(|_| Code::Undecryptable)?;
    let root = opened.document_element().ok_or(Code::Undecryptable)?;
    let node = xml::only_child(&opened, root, ASSERTION, "NameID").ok_or(Code::Undecryptable)?;
    plain_name_id(&opened, node)
}

fn plain_name_id(document: &Document<'_>, node: NodeId) -> Result<NameId, Rejection> {
    let value = text::whole(document, node)?;
    let is_somebody_elses = value.trim() != value || value.contains(LOOK_ALIKES);
    if value.is_empty() || value.len() > MAX_NAME_ID || value.contains(char::is_control) || is_somebody_elses {
        return Err(Rejection::new(Code::NameIdInvalid).expected(&format!(
            "1 to {MAX_NAME_ID} bytes without control characters, signs that look like letters, or spaces at the ends"
        )));
    }
    Ok(NameId {
        value,
        format: owned(document, node, "Format"),
        name_qualifier: owned(document, node, "NameQualifier"),
        sp_name_qualifier: owned(document, node, "SPNameQualifier"),
    })
}

fn confirmations(document: &Document<'_>, subject: NodeId) -> Result<Vec<Confirmation>, Rejection> {
    let mut found = Vec::new();
    for node in xml::named(document, subject, ASSERTION, "SubjectConfirmation") {
        if xml::attribute(document, node, "Method") != Some("urn:oasis:names:tc:SAML:2.0:cm:bearer") {
            continue;
        }
        let mut data = xml::named(document, node, ASSERTION, "SubjectConfirmationData");
        let confirmation = match data.next() {
            Some(data) => Confirmation {
                recipient: owned(document, data, "Recipient"),
                in_response_to: owned(document, data, "InResponseTo"),
                not_before: instant::optional(xml::attribute(document, data, "NotBefore"), "NotBefore")?,
                not_on_or_after: instant::optional(xml::attribute(document, data, "NotOnOrAfter"), "NotOnOrAfter")?,
            },
            None => Confirmation { recipient: None, in_response_to: None, not_before: None, not_on_or_after: None },
        };
        if data.next().is_some() {
            return Err(Rejection::new(Code::AssertionContent).received("a repeated SubjectConfirmationData"));
        }
        found.push(confirmation);
    }
    Ok(found)
}

fn conditions(document: &Document<'_>, node: NodeId) -> Result<Conditions, Rejection> {
    let mut audience_restrictions = Vec::new();
    let mut one_time_use = false;
    for (child, element) in xml::elements(document, node) {
        let in_namespace = element.name.namespace_uri.as_deref() == Some(ASSERTION);
        match &*element.name.local_name {
            "AudienceRestriction" if in_namespace => {
                let audiences = xml::named(document, child, ASSERTION, "Audience");
                audience_restrictions
                    .push(audiences.map(|node| text::whole(document, node)).collect::<Result<_, _>>()?);
            }
            "OneTimeUse" if in_namespace => one_time_use = true,
            // core 2.5.1.6: restricts what we may issue on its basis as a SAML identity provider, which we are not.
            "ProxyRestriction" if in_namespace => {}
            // core 2.5.1: an assertion with a condition that is not understood is indeterminate.
            _ => return Err(Rejection::new(Code::ConditionUnknown).received(&xml::display_name(element))),
        }
    }
    Ok(Conditions {
        not_before: instant::optional(xml::attribute(document, node, "NotBefore"), "NotBefore")?,
        not_on_or_after: instant::optional(xml::attribute(document, node, "NotOnOrAfter"), "NotOnOrAfter")?,
        audience_restrictions,
        one_time_use,
    })
}

fn statements(document: &Document<'_>, assertion: NodeId) -> Result<Vec<AuthnStatement>, Rejection> {
    let read = |node| {
        let context = xml::named(document, node, ASSERTION, "AuthnContext").next();
        let class = context.and_then(|node| xml::named(document, node, ASSERTION, "AuthnContextClassRef").next());
        let session_end = xml::attribute(document, node, "SessionNotOnOrAfter");
        Ok(AuthnStatement {
            instant: instant::required(xml::attribute(document, node, "AuthnInstant"), "AuthnInstant")?,
            session_index: owned(document, node, "SessionIndex"),
            session_not_on_or_after: instant::optional(session_end, "SessionNotOnOrAfter")?,
            context: class.map(|class| text::whole(document, class)).transpose()?,
        })
    };
    xml::named(document, assertion, ASSERTION, "AuthnStatement").map(read).collect()
}

fn attributes(document: &Document<'_>, assertion: NodeId) -> Result<Vec<Attribute>, Rejection> {
    let mut found = Vec::new();
    for statement in xml::named(document, assertion, ASSERTION, "AttributeStatement") {
        for (node, element) in xml::elements(document, statement) {
            if element.matches_name_ns(ASSERTION, "EncryptedAttribute") {
                return Err(Code::AttributeEncrypted.into());
            }
            if !element.matches_name_ns(ASSERTION, "Attribute") {
                return Err(Rejection::new(Code::AssertionContent).received(&xml::display_name(element)));
            }
            let name = owned(document, node, "Name").filter(|name| !name.is_empty());
            found.push(Attribute {
                name: name.ok_or(Code::AttributeNameMissing)?,
                friendly_name: owned(document, node, "FriendlyName"),
                values: values(document, node)?,
            });
        }
    }
    Ok(found)
}

/// The plain values of an attribute. A value made of elements only, such as the NameID inside eduPersonTargetedID,
/// is no text and therefore left out; one that mixes text and elements is refused.
fn values(document: &Document<'_>, attribute: NodeId) -> Result<Vec<AttributeValue>, Rejection> {
    let mut values = Vec::new();
    for value in xml::named(document, attribute, ASSERTION, "AttributeValue") {
        let structured = xml::elements(document, value).next().is_some();
        if structured && !xml::has_own_text(document, value) {
            continue;
        }
        values.push(AttributeValue { text: text::whole(document, value)?, kind: kind(document, value) });
    }
    Ok(values)
}

/// The prefix of the type's name is not looked up: what is not of its kind is taken as text anyway.
fn kind(document: &Document<'_>, value: NodeId) -> ValueKind {
    const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";
    let attributes = document.element(value).into_iter().flat_map(|element| &element.attributes);
    let mut types = attributes.filter(|attribute| attribute.name.matches(Some(INSTANCE), "type"));
    let name = types.next().map(|attribute| attribute.value.rsplit(':').next().unwrap_or_default());
    match name {
        Some("boolean") => ValueKind::Boolean,
        Some("integer" | "int" | "long" | "short" | "nonNegativeInteger" | "positiveInteger") => ValueKind::Integer,
        _ => ValueKind::Other,
    }
}

fn owned(document: &Document<'_>, node: NodeId, name: &str) -> Option<String> {
    xml::attribute(document, node, name).map(str::to_owned)
}
