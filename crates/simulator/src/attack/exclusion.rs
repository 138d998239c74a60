//! Signatures that are missing, empty, of nothing, or of something else than what is read.

use super::{ASSERTION, Attack, Class, SIGNATURE, edit, encode, sign};
use crate::idp::response::{Sign, signature_template};

const EMPTY: &str = "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"/>";
const METADATA: &str = "urn:oasis:names:tc:SAML:2.0:metadata";
const SAML: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
const DS: &str = "http://www.w3.org/2000/09/xmldsig#";

pub(super) fn attacks() -> Vec<Attack> {
    let mut attacks = Vec::new();
    for sign in [Sign::Assertion, Sign::Response, Sign::Both] {
        attacks.extend(stripped(sign));
    }
    attacks.extend(of_another_document());
    attacks.extend(over_another_element());
    attacks
}

fn stripped(sign: Sign) -> Vec<Attack> {
    let class = Class::of("exclusion", sign);
    vec![
        class.tampered("unsigned", 501, |_, material| material.unsigned()),
        class.tampered("unsigned-and-changed", 501, |_, material| {
            edit::replace(&material.unsigned()?, &material.honest.name_id, material.victim)
        }),
        class.tampered("empty-signature", 411, |xml, _| {
            edit::replace_first(xml, edit::piece(xml, SIGNATURE.0, SIGNATURE.1)?, EMPTY)
        }),
        class.tampered("empty-value", 411, |xml, _| {
            let value = edit::piece(xml, "<ds:SignatureValue>", "</ds:SignatureValue>")?;
            edit::replace_first(xml, value, "<ds:SignatureValue></ds:SignatureValue>")
        }),
        class.tampered("no-value", 411, |xml, _| edit::cut(xml, "<ds:SignatureValue>", "</ds:SignatureValue>")),
        class.tampered("no-reference", 412, |xml, _| edit::cut(xml, "<ds:Reference ", "</ds:Reference>")),
        class.tampered("no-signedinfo", 411, |xml, _| edit::cut(xml, "<ds:SignedInfo>", "</ds:SignedInfo>")),
        class.tampered("no-digest", 411, |xml, _| edit::cut(xml, "<ds:DigestValue>", "</ds:DigestValue>")),
        class.tampered("zero-value", 505, |xml, _| {
            let value = edit::piece(xml, "<ds:SignatureValue>", "</ds:SignatureValue>")?;
            let zeros = format!("<ds:SignatureValue>{}A==</ds:SignatureValue>", "A".repeat(341));
            edit::replace_first(xml, value, &zeros)
        }),
        class.tampered("short-value", 505, |xml, _| {
            let value = edit::piece(xml, "<ds:SignatureValue>", "</ds:SignatureValue>")?;
            edit::replace_first(xml, value, "<ds:SignatureValue>AA==</ds:SignatureValue>")
        }),
    ]
}

fn of_another_document() -> Vec<Attack> {
    let class = Class::of("exclusion", Sign::Assertion);
    vec![
        class.tampered("signature-of-another-document", 504, |xml, material| {
            let other = material.honest.clone().in_response_to("_another").sign(Sign::Assertion).xml(material.idp)?;
            let (ours, theirs) =
                (edit::piece(xml, SIGNATURE.0, SIGNATURE.1)?, edit::piece(&other, SIGNATURE.0, SIGNATURE.1)?);
            edit::replace_first(xml, ours, theirs)
        }),
        class.field("signature-value-of-another-signature", 505, |material| {
            // Both digests fit, and the value is one of the same key, but not of this SignedInfo.
            let both = material.honest.clone().sign(Sign::Both).xml(material.idp)?;
            let outer = edit::piece(&both, "<ds:SignatureValue>", "</ds:SignatureValue>")?;
            let alone = sign(&material.unsigned()?, Sign::Assertion, material.idp)?;
            let own = edit::piece(&alone, "<ds:SignatureValue>", "</ds:SignatureValue>")?;
            Ok(encode(&edit::replace_first(&alone, own, outer)?))
        }),
    ]
}

/// The identity provider did sign this element, but it says nothing about who somebody is.
fn over_another_element() -> Vec<Attack> {
    let class = Class::of("exclusion", Sign::Assertion);
    let elements = [
        (
            "entitydescriptor",
            413,
            format!("<md:EntityDescriptor xmlns:md=\"{METADATA}\" ID=\"_other\">SIGNATURE</md:EntityDescriptor>"),
        ),
        ("subject", 413, format!("<saml2:Subject xmlns:saml2=\"{SAML}\" ID=\"_other\">SIGNATURE</saml2:Subject>")),
        ("keyinfo", 413, format!("<ds:KeyInfo xmlns:ds=\"{DS}\" Id=\"_other\">SIGNATURE</ds:KeyInfo>")),
        ("object", 411, format!("<ds:Object xmlns:ds=\"{DS}\" Id=\"_other\">SIGNATURE</ds:Object>")),
    ];
    let attack = |(name, code, element): (&'static str, u16, String)| {
        class.tampered(format!("signature-over-{name}"), code, move |_, material| {
            let signed = element.replace("SIGNATURE", &signature_template("_other", material.idp));
            let signed = material.idp.sign(signed)?;
            let signature = edit::piece(&signed, SIGNATURE.0, SIGNATURE.1)?;
            let element = edit::replace_first(&signed, signature, "")?;
            let evil = edit::replace(&material.unsigned()?, &material.honest.name_id, material.victim)?;
            if name == "object" {
                let signature = edit::replace_last(signature, SIGNATURE.1, &format!("{element}{}", SIGNATURE.1))?;
                return edit::behind_issuer(&evil, ASSERTION.0, &signature);
            }
            let evil = edit::behind_issuer(&evil, ASSERTION.0, signature)?;
            edit::before(&evil, "<saml2p:Status>", &format!("<saml2p:Extensions>{element}</saml2p:Extensions>"))
        })
    };
    elements.into_iter().map(attack).collect()
}
