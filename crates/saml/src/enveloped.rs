//! Signs a message of ours inside itself, for bindings that carry XML (core 5).

use crate::sp_key::{KeyError, SpKey};
use crate::xml::{self, ASSERTION, EXCLUSIVE_C14N, SIGNATURE};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bergshamra_c14n::C14nMode;
use bergshamra_core::algorithm::{ENVELOPED_SIGNATURE, SHA256 as SHA256_URI};
use bergshamra_xml::NodeSet;

/// The message with a signature where the schema wants it: behind the Issuer, or in front of everything.
pub(crate) fn sign(message: &str, key: &SpKey) -> Result<String, KeyError> {
    let document = xml::parse(message).map_err(|_| KeyError::Message)?;
    let root = document.document_element().ok_or(KeyError::Message)?;
    let id = xml::attribute(&document, root, "ID").ok_or(KeyError::Message)?;
    let everything = NodeSet::tree_without_comments(root, &document);
    let canonical = bergshamra_c14n::canonicalize_doc::<&str>(&document, C14nMode::Exclusive, Some(&everything), &[]);
    let canonical = canonical.map_err(|_| KeyError::Message)?;
    let signature = signature(id, &canonical, key)?;

    let issuer = xml::named(&document, root, ASSERTION, "Issuer").next();
    let place = match issuer {
        Some(issuer) => document.node_range(issuer).map(|range| range.end),
        None => message.find('>').map(|end| end + 1),
    };
    let (before, after) = place.and_then(|place| message.split_at_checked(place)).ok_or(KeyError::Message)?;
    Ok(format!("{before}{signature}{after}"))
}

fn signature(id: &str, canonical: &[u8], key: &SpKey) -> Result<String, KeyError> {
    // Written in its canonical form, so that what is signed is what stands here.
    let signed_info = format!(
        "<ds:SignedInfo xmlns:ds=\"{SIGNATURE}\">\
         <ds:CanonicalizationMethod Algorithm=\"{EXCLUSIVE_C14N}\"></ds:CanonicalizationMethod>\
         <ds:SignatureMethod Algorithm=\"{method}\"></ds:SignatureMethod><ds:Reference URI=\"#{id}\"><ds:Transforms>\
         <ds:Transform Algorithm=\"{ENVELOPED_SIGNATURE}\"></ds:Transform>\
         <ds:Transform Algorithm=\"{EXCLUSIVE_C14N}\"></ds:Transform></ds:Transforms>\
         <ds:DigestMethod Algorithm=\"{SHA256_URI}\"></ds:DigestMethod>\
         <ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>",
        method = key.algorithm(),
        digest = STANDARD.encode(digest(&SHA256, canonical)),
    );
    let value = STANDARD.encode(key.sign(signed_info.as_bytes())?);
    let certificate = STANDARD.encode(key.certificate_der());
    Ok(format!(
        "<ds:Signature xmlns:ds=\"{SIGNATURE}\">{signed_info}<ds:SignatureValue>{value}</ds:SignatureValue>\
         <ds:KeyInfo><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>\
         </ds:Signature>"
    ))
}
