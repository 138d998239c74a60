//! Step 4 for one signature: an enveloped signature over its own parent by algorithms on the list, and nothing else
//! (core 5.4). What is not refused here is what the verifying library gets to see.

use crate::algorithm::{self, KeyFamily, Sha1};
use crate::code::{Code, Rejection};
use crate::xml::{self, EXCLUSIVE_C14N, SIGNATURE};
use bergshamra_core::algorithm::ENVELOPED_SIGNATURE;
use uppsala::{Document, NodeId};

/// More prefixes than any document needs; the library looks at each for every element.
const MAX_PREFIXES: usize = 16;

/// A signature whose shape is accepted; nothing has been verified yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signed {
    /// The element that holds the signature and that its only Reference points at.
    pub(crate) parent: NodeId,
    pub(crate) signature: NodeId,
    pub(crate) key_family: KeyFamily,
}

/// Checks the signature that stands directly in `parent`.
pub(crate) fn check(
    document: &Document<'_>,
    parent: NodeId,
    signature: NodeId,
    sha1: Sha1,
) -> Result<Signed, Rejection> {
    let [signed_info, value] = children(document, signature, ["SignedInfo", "SignatureValue"], "KeyInfo")?;
    let [canonicalization, method, reference] = signed_info_children(document, signed_info)?;
    only_base64(document, value)?;
    no_comments(document, signature)?;
    key_info(document, signature)?;
    canonicalization_method(document, canonicalization)?;
    let key_family = algorithm::signature_method(algorithm_of(document, method)?, sha1)?;
    empty(document, method)?;
    self::reference(document, parent, reference, sha1)?;
    Ok(Signed { parent, signature, key_family })
}

fn signed_info_children(document: &Document<'_>, signed_info: NodeId) -> Result<[NodeId; 3], Rejection> {
    let references = xml::named(document, signed_info, SIGNATURE, "Reference").count();
    if references != 1 {
        return Err(Rejection::new(Code::ReferenceCount).expected("1").received(&references.to_string()));
    }
    children(document, signed_info, ["CanonicalizationMethod", "SignatureMethod", "Reference"], "")
}

/// XML signature 4.4.3: what was signed, which must be the parent of the signature.
fn reference(document: &Document<'_>, parent: NodeId, reference: NodeId, sha1: Sha1) -> Result<(), Rejection> {
    let id = xml::attribute(document, parent, "ID").ok_or(Code::IdInvalid)?;
    let uri = xml::attribute(document, reference, "URI").unwrap_or_default();
    if uri.strip_prefix('#') != Some(id) {
        return Err(Rejection::new(Code::ReferenceTarget).expected(&format!("#{id}")).received(uri));
    }
    let [transforms, method, value] = children(document, reference, ["Transforms", "DigestMethod", "DigestValue"], "")?;
    self::transforms(document, transforms)?;
    algorithm::digest_method(algorithm_of(document, method)?, sha1)?;
    empty(document, method)?;
    only_base64(document, value)
}

/// core 5.4.4: enveloped, then canonicalization (or none, which means inclusive).
fn transforms(document: &Document<'_>, transforms: NodeId) -> Result<(), Rejection> {
    let refused = |received: &str| Rejection::new(Code::TransformRefused).received(received);
    let mut enveloped = false;
    let mut canonicalized = false;
    for (transform, element) in xml::elements(document, transforms) {
        if !element.matches_name_ns(SIGNATURE, "Transform") {
            return Err(refused(&xml::display_name(element)));
        }
        let algorithm = algorithm_of(document, transform)?;
        if algorithm == ENVELOPED_SIGNATURE && !enveloped && !canonicalized {
            enveloped = true;
            empty(document, transform).map_err(|_| refused("content of the enveloped-signature transform"))?;
        } else if algorithm::is_canonicalization(algorithm) && enveloped && !canonicalized {
            canonicalized = true;
            prefix_list(document, transform, algorithm).map_err(|()| refused("content of a transform"))?;
        } else {
            return Err(refused(algorithm));
        }
    }
    if enveloped { Ok(()) } else { Err(refused("no enveloped-signature transform")) }
}

fn canonicalization_method(document: &Document<'_>, node: NodeId) -> Result<(), Rejection> {
    let algorithm = algorithm_of(document, node)?;
    let refused = || Rejection::new(Code::CanonicalizationRefused).received(algorithm);
    if !algorithm::is_canonicalization(algorithm) {
        return Err(refused());
    }
    prefix_list(document, node, algorithm).map_err(|()| refused())
}

/// Exclusive canonicalization may name prefixes; no other content is known.
fn prefix_list(document: &Document<'_>, node: NodeId, algorithm: &str) -> Result<(), ()> {
    if xml::has_own_text(document, node) {
        return Err(());
    }
    let mut seen = false;
    for (child, element) in xml::elements(document, node) {
        let known = element.matches_name_ns(EXCLUSIVE_C14N, "InclusiveNamespaces");
        if !known || seen || !algorithm::is_exclusive(algorithm) || empty(document, child).is_err() {
            return Err(());
        }
        seen = true;
        let prefixes = xml::attribute(document, child, "PrefixList").unwrap_or_default();
        if prefixes.split(xml::is_space).filter(|prefix| !prefix.is_empty()).count() > MAX_PREFIXES {
            return Err(());
        }
    }
    Ok(())
}

/// Keys in the message are never used. What points to a key elsewhere is not even let through.
fn key_info(document: &Document<'_>, signature: NodeId) -> Result<(), Rejection> {
    for key_info in xml::named(document, signature, SIGNATURE, "KeyInfo") {
        for node in document.descendants(key_info) {
            let Some(element) = document.element(node) else { continue };
            let name = &*element.name.local_name;
            if matches!(name, "RetrievalMethod" | "KeyInfoReference" | "EncryptedKey" | "AgreementMethod") {
                return Err(Rejection::new(Code::KeyInfoIndirect).received(name));
            }
        }
    }
    Ok(())
}

/// The required children in their order, each once, and at most one optional last child.
fn children<const N: usize>(
    document: &Document<'_>,
    node: NodeId,
    required: [&str; N],
    optional: &str,
) -> Result<[NodeId; N], Rejection> {
    let refused = |received: &str| Rejection::new(Code::SignatureContent).received(received);
    if xml::has_own_text(document, node) {
        return Err(refused("text between elements"));
    }
    let mut elements = xml::elements(document, node);
    let mut found = [node; N];
    for (slot, name) in found.iter_mut().zip(required) {
        match elements.next() {
            Some((child, element)) if element.matches_name_ns(SIGNATURE, name) => *slot = child,
            Some((_, element)) => return Err(refused(&xml::display_name(element)).expected(name)),
            None => return Err(refused("nothing").expected(name)),
        }
    }
    match elements.next() {
        Some((_, element)) if !element.matches_name_ns(SIGNATURE, optional) => {
            return Err(refused(&xml::display_name(element)));
        }
        _ => {}
    }
    match elements.next() {
        Some((_, element)) => Err(refused(&xml::display_name(element))),
        None => Ok(found),
    }
}

fn algorithm_of<'d>(document: &'d Document<'_>, node: NodeId) -> Result<&'d str, Rejection> {
    xml::attribute(document, node, "Algorithm")
        .ok_or_else(|| Rejection::new(Code::SignatureContent).expected("Algorithm").received("nothing"))
}

/// Parameters such as HMACOutputLength change what an algorithm does, so none is let through.
fn empty(document: &Document<'_>, node: NodeId) -> Result<(), Rejection> {
    let has_element = xml::elements(document, node).next().is_some();
    if has_element || xml::has_own_text(document, node) {
        return Err(Rejection::new(Code::SignatureContent).received("content of an algorithm"));
    }
    Ok(())
}

/// A value that could be read in parts would let the verifier see another one than the signer. The library drops what
/// Unicode calls white space, other verifiers only what XML does.
fn only_base64(document: &Document<'_>, node: NodeId) -> Result<(), Rejection> {
    let is_base64 = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '/' | '=');
    let whole = document.children_iter(node).count() == 1;
    let text = document.element_text(node).filter(|_| whole);
    if text.is_some_and(|text| text.chars().all(|letter| is_base64(letter) || xml::is_space(letter))) {
        return Ok(());
    }
    Err(Rejection::new(Code::SignatureContent).received("a digest or signature value that is not one text of base64"))
}

fn no_comments(document: &Document<'_>, signature: NodeId) -> Result<(), Rejection> {
    let commented =
        std::iter::once(signature).chain(document.descendants(signature)).any(|node| xml::has_comment(document, node));
    if commented {
        return Err(Rejection::new(Code::SignatureContent).received("a comment"));
    }
    Ok(())
}
