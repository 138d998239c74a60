//! Step 7: texts that say who somebody is are read whole, or not at all.

use crate::code::{Code, Rejection};
use crate::xml;
use uppsala::{Document, NodeId, NodeKind};

/// The whole text of an element, text and CDATA joined, without white space at its ends.
///
/// A reader that stops at the first comment or element sees another user than the one that was signed
/// (CVE-2017-11427 and its kin).
pub(crate) fn whole(document: &Document<'_>, node: NodeId) -> Result<String, Rejection> {
    let mut joined = String::new();
    for child in document.children_iter(node) {
        match document.node_kind(child) {
            Some(NodeKind::Text(text)) => joined.push_str(text),
            Some(NodeKind::CData(text)) => joined.push_str(text),
            Some(NodeKind::Comment(_)) => return Err(inside(document, node, Code::CommentInText)),
            _ => return Err(inside(document, node, Code::ElementInText)),
        }
    }
    Ok(xml::trim(&joined).to_owned())
}

/// Refuses comments in the received document wherever they stand inside a text.
///
/// Canonicalization drops comments, so the verified bytes cannot show them; but their sender meant somebody to be
/// misled, and between elements they stay allowed.
pub(crate) fn no_comments(document: &Document<'_>, root: NodeId) -> Result<(), Rejection> {
    for node in std::iter::once(root).chain(document.descendants(root)) {
        if document.element(node).is_none() || !xml::has_comment(document, node) {
            continue;
        }
        let holds_elements = xml::elements(document, node).next().is_some();
        if !holds_elements || xml::has_own_text(document, node) {
            return Err(inside(document, node, Code::CommentInText));
        }
    }
    Ok(())
}

fn inside(document: &Document<'_>, node: NodeId, code: Code) -> Rejection {
    let name = document.element(node).map(xml::display_name).unwrap_or_default();
    Rejection::new(code).received(&format!("inside {name}"))
}
