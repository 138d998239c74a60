//! Namespaces and small readers on the parsed tree; names are always compared with their namespace.

use crate::code::{Code, Rejection};
use crate::{bytes, structure};
use uppsala::{Document, Element, NodeId, NodeKind, Parser, XmlError};

pub(crate) const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
pub(crate) const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
pub(crate) const SIGNATURE: &str = "http://www.w3.org/2000/09/xmldsig#";
pub(crate) const ENCRYPTION: &str = "http://www.w3.org/2001/04/xmlenc#";
pub(crate) const EXCLUSIVE_C14N: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";

/// Parses text that passed the structure step; the limits here are a second wall.
pub(crate) fn parse(text: &str) -> Result<Document<'_>, XmlError> {
    Parser::new().with_forbid_dtd(true).with_forbid_entities(true).with_max_depth(2 * structure::MAX_DEPTH).parse(text)
}

/// A message that came, through the walls in front of every tree: bytes, then structure.
pub(crate) fn received(message: &[u8]) -> Result<(&str, Document<'_>), Rejection> {
    let source = bytes::text(message)?;
    structure::scan(source)?;
    let document = parse(source).map_err(|_| Code::Malformed)?;
    Ok((source, document))
}

/// Whether the node is the element of that namespace and name.
pub(crate) fn is(document: &Document<'_>, node: NodeId, namespace: &str, name: &str) -> bool {
    document.element(node).is_some_and(|element| element.matches_name_ns(namespace, name))
}

/// The child elements of a node with their ids.
pub(crate) fn elements<'d, 'a>(
    document: &'d Document<'a>,
    node: NodeId,
) -> impl Iterator<Item = (NodeId, &'d Element<'a>)> {
    document.children_iter(node).filter_map(|child| document.element(child).map(|element| (child, element)))
}

/// The child elements of that namespace and name.
pub(crate) fn named<'d>(
    document: &'d Document<'_>,
    node: NodeId,
    namespace: &'d str,
    name: &'d str,
) -> impl Iterator<Item = NodeId> + 'd {
    elements(document, node).filter(move |(_, element)| element.matches_name_ns(namespace, name)).map(|(id, _)| id)
}

/// The only child element of a node, if it has that namespace and name.
pub(crate) fn only_child(document: &Document<'_>, node: NodeId, namespace: &str, name: &str) -> Option<NodeId> {
    let mut children = elements(document, node);
    let (child, element) = children.next()?;
    (children.next().is_none() && element.matches_name_ns(namespace, name)).then_some(child)
}

/// The value of an attribute without a namespace; `x:Recipient` is not `Recipient`.
pub(crate) fn attribute<'d>(document: &'d Document<'_>, node: NodeId, name: &str) -> Option<&'d str> {
    let found =
        document.element(node)?.attributes.iter().find(|a| a.name.matches(None, name) && a.name.prefix.is_none())?;
    Some(&found.value)
}

/// Whether the node has text other than white space directly in it.
pub(crate) fn has_own_text(document: &Document<'_>, node: NodeId) -> bool {
    document.children_iter(node).any(|child| match document.node_kind(child) {
        Some(NodeKind::Text(text)) => !trim(text).is_empty(),
        Some(NodeKind::CData(text)) => !trim(text).is_empty(),
        _ => false,
    })
}

/// Whether the node has a comment directly in it.
pub(crate) fn has_comment(document: &Document<'_>, node: NodeId) -> bool {
    document.children_iter(node).any(|child| matches!(document.node_kind(child), Some(NodeKind::Comment(_))))
}

/// The name with its namespace, as it is shown to the admin.
pub(crate) fn display_name(element: &Element<'_>) -> String {
    element.name.to_string()
}

/// Text without the white space of XML 1.0 2.3 at its ends.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// White space of XML 1.0 2.3.
pub(crate) fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

/// Text for use in XML content and quoted attribute values; characters that XML cannot hold are dropped.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\t' | '\n' | '\r' => out.push_str(&format!("&#{};", u32::from(character))),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {}
            _ => out.push(character),
        }
    }
    out
}
