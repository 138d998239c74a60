//! Step 4: the tree has the one shape that a sign-in needs; every other place for an assertion, a signature or an ID
//! is refused, which costs no interoperability and leaves nothing to wrap a signature around.

use crate::algorithm::Sha1;
use crate::code::{Code, Rejection};
use crate::read;
use crate::signature_shape::{self, Signed};
use crate::xml::{self, ASSERTION, ENCRYPTION, PROTOCOL, SIGNATURE};
use std::collections::HashSet;
use uppsala::{Document, Element, NodeId, NodeKind};

/// A Response of the one accepted shape.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) response: NodeId,
    pub(crate) signature: Option<Signed>,
    pub(crate) content: Content,
}

/// The one assertion of a Response.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Content {
    Assertion(Assertion),
    /// An EncryptedAssertion, which is opened once what surrounds it is verified.
    Encrypted,
}

/// An Assertion of the one accepted shape.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Assertion {
    pub(crate) node: NodeId,
    pub(crate) signature: Option<Signed>,
}

impl Shape {
    /// The signatures that are there, the outer one first.
    pub(crate) fn signatures(&self) -> Vec<Signed> {
        let inner = match &self.content {
            Content::Assertion(assertion) => assertion.signature,
            Content::Encrypted => None,
        };
        self.signature.into_iter().chain(inner).collect()
    }
}

/// Checks the whole document and finds its parts.
pub(crate) fn check(document: &Document<'_>, sha1: Sha1) -> Result<Shape, Rejection> {
    let response = document.document_element().ok_or(Code::Malformed)?;
    let root = document.element(response).ok_or(Code::Malformed)?;
    if !root.matches_name_ns(PROTOCOL, "Response") {
        return Err(Rejection::new(Code::NotAResponse)
            .expected(&format!("{{{PROTOCOL}}}Response"))
            .received(&xml::display_name(root)));
    }
    every_element(document, response)?;
    let content = response_content(document, response)?;
    let signature = signature_of(document, response, sha1)?;
    let content = match content {
        Content::Assertion(Assertion { node, .. }) => Content::Assertion(assertion(document, node, sha1)?),
        encrypted => encrypted,
    };
    Ok(Shape { response, signature, content })
}

/// Checks a message about logout and finds its signature (core 3.7).
pub(crate) fn logout(
    document: &Document<'_>,
    is_request: bool,
    sha1: Sha1,
) -> Result<(NodeId, Option<Signed>), Rejection> {
    let root = document.document_element().ok_or(Code::Malformed)?;
    let element = document.element(root).ok_or(Code::Malformed)?;
    let name = if is_request { "LogoutRequest" } else { "LogoutResponse" };
    if !element.matches_name_ns(PROTOCOL, name) {
        return Err(misplaced(Code::NotALogout, element).expected(&format!("{{{PROTOCOL}}}{name}")));
    }
    every_element(document, root)?;
    if xml::attribute(document, root, "ID").is_none() {
        return Err(Rejection::new(Code::IdInvalid).expected(&format!("ID of the {name}")).received("nothing"));
    }
    only_elements(document, root, Code::LogoutContent)?;
    let mut seen = HashSet::new();
    for (_, element) in xml::elements(document, root) {
        let local_name = &*element.name.local_name;
        let known = match (element.name.namespace_uri.as_deref(), local_name) {
            (Some(ASSERTION), "Issuer") | (Some(PROTOCOL), "Extensions") | (Some(SIGNATURE), "Signature") => true,
            (Some(ASSERTION), "NameID" | "EncryptedID") | (Some(PROTOCOL), "SessionIndex") => is_request,
            (Some(PROTOCOL), "Status") => !is_request,
            _ => false,
        };
        if !known || (!seen.insert(local_name) && local_name != "SessionIndex") {
            return Err(misplaced(Code::LogoutContent, element));
        }
    }
    Ok((root, signature_of(document, root, sha1)?))
}

/// Checks what was encrypted: a root of our own with an Assertion and nothing else in it.
pub(crate) fn opened(document: &Document<'_>, sha1: Sha1) -> Result<Assertion, Rejection> {
    let holder = document.document_element().ok_or(Code::Malformed)?;
    every_element(document, holder)?;
    only_elements(document, holder, Code::AssertionContent)?;
    let node = xml::only_child(document, holder, ASSERTION, "Assertion").ok_or(Code::AssertionMissing)?;
    assertion(document, node, sha1)
}

fn assertion(document: &Document<'_>, node: NodeId, sha1: Sha1) -> Result<Assertion, Rejection> {
    assertion_content(document, node)?;
    Ok(Assertion { node, signature: signature_of(document, node, sha1)? })
}

/// Rules for every element, wherever it stands; `holder` is the root, in which the assertion stands.
fn every_element(document: &Document<'_>, holder: NodeId) -> Result<(), Rejection> {
    let mut ids = HashSet::new();
    for node in std::iter::once(holder).chain(document.descendants(holder)) {
        let Some(element) = document.element(node) else { continue };
        let parent = document.parent(node);
        unique_id(element, &mut ids)?;
        // Compared without the namespace on purpose: a look-alike in a foreign namespace is as suspicious.
        match &*element.name.local_name {
            "Response" if node != holder => return Err(misplaced(Code::Misplaced, element)),
            "Assertion" | "EncryptedAssertion" if parent != Some(holder) => {
                return Err(misplaced(Code::Misplaced, element));
            }
            "Signature" if !holds_signature(document, holder, parent) => {
                return Err(misplaced(Code::SignatureMisplaced, element));
            }
            _ => {}
        }
    }
    Ok(())
}

fn holds_signature(document: &Document<'_>, holder: NodeId, parent: Option<NodeId>) -> bool {
    parent.is_some_and(|parent| {
        parent == holder
            || (xml::is(document, parent, ASSERTION, "Assertion") && document.parent(parent) == Some(holder))
    })
}

/// core 1.3.4: identifiers are `ID`. XML signature itself says `Id`. Every other spelling would be a second name by
/// which a signature might find another element than the one that is read.
fn unique_id(element: &Element<'_>, ids: &mut HashSet<String>) -> Result<(), Rejection> {
    let namespace = element.name.namespace_uri.as_deref();
    for attribute in &element.attributes {
        let name = &*attribute.name.local_name;
        if !name.eq_ignore_ascii_case("ID") && name != "AssertionID" {
            continue;
        }
        let plain = attribute.name.namespace_uri.is_none() && attribute.name.prefix.is_none();
        let spelled = name == "ID" || (name == "Id" && matches!(namespace, Some(SIGNATURE | ENCRYPTION)));
        if !plain || !spelled {
            return Err(Rejection::new(Code::IdSpelling).expected("ID").received(&attribute.name.prefixed_name()));
        }
        if !is_name(&attribute.value) {
            return Err(Rejection::new(Code::IdInvalid).received(&attribute.value));
        }
        if !ids.insert(attribute.value.to_string()) {
            return Err(Rejection::new(Code::IdRepeated).received(&attribute.value));
        }
    }
    Ok(())
}

/// Namespaces in XML 3, NCName, for the characters that identity providers use: no colon, no leading digit.
fn is_name(text: &str) -> bool {
    let letter = |character: char| character.is_alphabetic() || character == '_';
    text.len() <= 256
        && text.starts_with(letter)
        && text.chars().all(|character| letter(character) || character.is_numeric() || matches!(character, '-' | '.'))
}

/// core 3.2.2 and 3.3.3; gives back the one assertion, whose own content is not looked at.
fn response_content(document: &Document<'_>, response: NodeId) -> Result<Content, Rejection> {
    if xml::attribute(document, response, "ID").is_none() {
        return Err(Rejection::new(Code::IdInvalid).expected("ID of the Response").received("nothing"));
    }
    only_elements(document, response, Code::ResponseContent)?;
    let (mut assertions, mut issuers, mut statuses, mut extensions) = (Vec::new(), 0, 0, 0);
    for (node, element) in xml::elements(document, response) {
        let namespace = element.name.namespace_uri.as_deref();
        match (namespace, &*element.name.local_name) {
            (Some(ASSERTION), "Assertion") => assertions.push(Content::Assertion(Assertion { node, signature: None })),
            (Some(ASSERTION), "EncryptedAssertion") => assertions.push(Content::Encrypted),
            (Some(ASSERTION), "Issuer") => issuers += 1,
            (Some(PROTOCOL), "Status") => statuses += 1,
            (Some(PROTOCOL), "Extensions") => extensions += 1,
            (Some(SIGNATURE), "Signature") => {}
            _ => return Err(misplaced(Code::ResponseContent, element)),
        }
    }
    if issuers > 1 || statuses > 1 || extensions > 1 {
        return Err(Rejection::new(Code::ResponseContent).received("a repeated Issuer, Status or Extensions"));
    }
    if assertions.len() > 1 {
        return Err(Rejection::new(Code::AssertionRepeated).expected("1").received(&assertions.len().to_string()));
    }
    match assertions.pop() {
        Some(assertion) => Ok(assertion),
        // An identity provider that refuses sends no assertion: what it says is more useful than what is missing.
        None => {
            read::status(document, response)?;
            Err(Code::AssertionMissing.into())
        }
    }
}

/// core 2.3.3.
fn assertion_content(document: &Document<'_>, assertion: NodeId) -> Result<(), Rejection> {
    if xml::attribute(document, assertion, "ID").is_none() {
        return Err(Rejection::new(Code::IdInvalid).expected("ID of the Assertion").received("nothing"));
    }
    only_elements(document, assertion, Code::AssertionContent)?;
    let (mut issuers, mut subjects, mut conditions, mut advice) = (0, 0, 0, 0);
    for (_, element) in xml::elements(document, assertion) {
        let namespace = element.name.namespace_uri.as_deref();
        match (namespace, &*element.name.local_name) {
            (Some(ASSERTION), "Issuer") => issuers += 1,
            (Some(ASSERTION), "Subject") => subjects += 1,
            (Some(ASSERTION), "Conditions") => conditions += 1,
            (Some(ASSERTION), "Advice") => advice += 1,
            (Some(ASSERTION), "AuthnStatement" | "AttributeStatement" | "AuthzDecisionStatement" | "Statement")
            | (Some(SIGNATURE), "Signature") => {}
            _ => return Err(misplaced(Code::AssertionContent, element)),
        }
    }
    if issuers > 1 || subjects > 1 || conditions > 1 || advice > 1 {
        return Err(Rejection::new(Code::AssertionContent).received("a repeated Issuer, Subject, Conditions or Advice"));
    }
    Ok(())
}

/// The one signature directly in an element, with its own shape checked.
fn signature_of(document: &Document<'_>, parent: NodeId, sha1: Sha1) -> Result<Option<Signed>, Rejection> {
    let mut signatures = xml::named(document, parent, SIGNATURE, "Signature");
    let Some(signature) = signatures.next() else { return Ok(None) };
    if signatures.next().is_some() {
        return Err(Code::SignatureRepeated.into());
    }
    signature_shape::check(document, parent, signature, sha1).map(Some)
}

fn only_elements(document: &Document<'_>, node: NodeId, code: Code) -> Result<(), Rejection> {
    let other = document.children_iter(node).any(|child| {
        matches!(
            document.node_kind(child),
            Some(
                NodeKind::CData(_) | NodeKind::ProcessingInstruction(_) | NodeKind::Document | NodeKind::Attribute(..)
            )
        )
    });
    if other || xml::has_own_text(document, node) {
        return Err(Rejection::new(code).received("text between elements"));
    }
    Ok(())
}

fn misplaced(code: Code, element: &Element<'_>) -> Rejection {
    Rejection::new(code).received(&xml::display_name(element))
}
