//! Documents that a signature's verifier and the assertion's reader parse in two ways, each named by the CVE that it was
//! found under.

use super::{ASSERTION, Attack, Class, SIGNATURE, Verdict, edit};
use crate::idp::response::Sign;

pub(super) fn attacks() -> Vec<Attack> {
    let mut attacks = Vec::new();
    for sign in [Sign::Assertion, Sign::Response] {
        attacks.extend(digests(sign));
    }
    attacks.extend(document_types());
    attacks.extend(spellings());
    attacks
}

/// Two values where there must be one: the first is compared, the second was signed, or the other way round.
fn digests(sign: Sign) -> Vec<Attack> {
    let class = Class::of("digest", sign);
    const OTHER: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    let digest =
        |xml: &str| Ok::<_, anyhow::Error>(edit::piece(xml, "<ds:DigestValue>", "</ds:DigestValue>")?.to_owned());
    let with_digest = move |xml: &str, to: &str| edit::replace_first(xml, &digest(xml)?, to);
    let own = move |xml: &str| {
        Ok::<_, anyhow::Error>(digest(xml)?.replace("<ds:DigestValue>", "").replace("</ds:DigestValue>", ""))
    };
    vec![
        class.tampered("cve-2025-29775-forged-first", 411, move |xml, _| {
            with_digest(xml, &format!("<ds:DigestValue>{OTHER}<!--{}--></ds:DigestValue>", own(xml)?))
        }),
        class.tampered("cve-2025-29775-forged-in-comment", 411, move |xml, _| {
            with_digest(xml, &format!("<ds:DigestValue><!--{OTHER}-->{}</ds:DigestValue>", own(xml)?))
        }),
        class.tampered("comment-in-signature-value", 411, |xml, _| {
            edit::replace_first(xml, "<ds:SignatureValue>", "<ds:SignatureValue><!--x-->")
        }),
        class.tampered("cdata-in-digest", 411, move |xml, _| {
            with_digest(xml, &format!("<ds:DigestValue><![CDATA[{OTHER}]]>{}</ds:DigestValue>", own(xml)?))
        }),
        class.tampered("two-digests", 411, move |xml, _| with_digest(xml, &digest(xml)?.repeat(2))),
        class.tampered("cve-2025-29774-two-signedinfo", 411, |xml, _| {
            let info = edit::piece(xml, "<ds:SignedInfo>", "</ds:SignedInfo>")?;
            edit::before(xml, "<ds:SignedInfo>", info)
        }),
        class.tampered("cve-2025-29774-forged-signedinfo-second", 411, move |xml, _| {
            let info = edit::piece(xml, "<ds:SignedInfo>", "</ds:SignedInfo>")?;
            let forged =
                edit::replace_first(info, &digest(info)?, &format!("<ds:DigestValue>{OTHER}</ds:DigestValue>"))?;
            edit::replace_first(xml, info, &format!("{info}{forged}"))
        }),
        class.tampered("cve-2024-45409-digest-in-statusdetail", 504, |xml, material| {
            let evil = edit::replace(xml, &material.honest.name_id, material.victim)?;
            let digest =
                format!("<ds:DigestValue xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">{OTHER}</ds:DigestValue>");
            edit::before(&evil, "</saml2p:Status>", &format!("<saml2p:StatusDetail>{digest}</saml2p:StatusDetail>"))
        }),
        class.tampered("changed-name", 504, |xml, material| {
            edit::replace(xml, &material.honest.name_id, material.victim)
        }),
    ]
}

/// CVE-2025-25291, -25292, -66567, -23369: no document type is read at all.
fn document_types() -> Vec<Attack> {
    let class = Class::of("digest", Sign::Assertion);
    let types = [
        ("plain-doctype", "<!DOCTYPE Response>"),
        ("lower-case-doctype", "<!doctype Response>"),
        ("cve-2025-25291-comment-in-system-id", "<!DOCTYPE x SYSTEM 'x\"><!--'>"),
        (
            "cve-2025-25292-default-namespace",
            "<!DOCTYPE x [<!ATTLIST Signature xmlns CDATA #FIXED \"http://www.w3.org/2000/09/xmldsig#\">]>",
        ),
        ("cve-2025-66567-fixed-prefix", "<!DOCTYPE x [<!ATTLIST ds:Signature xmlns:ds CDATA #FIXED \"urn:x\">]>"),
        ("attlist-id", "<!DOCTYPE x [<!ATTLIST saml2:NameID Format ID #IMPLIED>]>"),
        (
            "default-attribute",
            "<!DOCTYPE x [<!ATTLIST saml2:SubjectConfirmationData Recipient CDATA \"https://evil.test\">]>",
        ),
        ("notation", "<!DOCTYPE x [<!NOTATION n SYSTEM \"{canary}/notation\">]>"),
    ];
    let attack = |(name, doctype): (&str, &'static str)| {
        class.tampered(name, 204, move |xml, material| {
            edit::before(xml, "<saml2p:Response", &edit::filled(doctype, material))
        })
    };
    let mut attacks: Vec<Attack> = types.into_iter().map(attack).collect();
    attacks.extend([
        class.tampered("cve-2025-25291-swallowing-cdata", 204, |xml, material| {
            let evil =
                edit::replace(edit::piece(xml, ASSERTION.0, ASSERTION.1)?, &material.honest.name_id, material.victim)?;
            let xml = edit::before(xml, "<saml2p:Response", "<!DOCTYPE x SYSTEM 'x\"><!--'>")?;
            let swallowed = format!("<![CDATA[-->{evil}<!--]]>");
            edit::before(&xml, "<saml2p:Status>", &format!("<saml2p:Extensions>{swallowed}</saml2p:Extensions>"))
        }),
        class.tampered("cve-2025-23369-id-by-entity", 204, |xml, _| {
            let id = edit::value(xml, ASSERTION.0, "ID")?;
            let xml = edit::replace_first(xml, &format!(" ID=\"{id}\""), " ID=\"&own;\"")?;
            edit::before(&xml, "<saml2p:Response", &format!("<!DOCTYPE x [<!ENTITY own \"{id}\">]>"))
        }),
        class.tampered("doctype-inside", 204, |xml, _| edit::before(xml, "<saml2p:Status>", "<!DOCTYPE x>")),
        class.tampered("doctype-behind", 204, |xml, _| Ok(format!("{xml}<!DOCTYPE x>"))),
        class.tampered("attlist-without-doctype", 205, |xml, _| {
            edit::before(xml, "<saml2p:Response", "<!ATTLIST Signature xmlns CDATA #FIXED \"urn:x\">")
        }),
    ]);
    attacks
}

/// Other spellings of the same document, which canonicalization makes the same again.
fn spellings() -> Vec<Attack> {
    let class = Class::of("digest", Sign::Assertion);
    vec![
        class.tampered("cve-2025-23369-id-by-character-reference", Verdict::Genuine, |xml, _| {
            let id = edit::value(xml, ASSERTION.0, "ID")?;
            let spelled = id.replacen('i', "&#x69;", 1);
            edit::replace_first(xml, &format!(" ID=\"{id}\""), &format!(" ID=\"{spelled}\""))
        }),
        class.tampered("namespace-by-character-reference", 306, |xml, _| {
            edit::replace(
                xml,
                "=\"urn:oasis:names:tc:SAML:2.0:assertion\"",
                "=\"&#x75;rn:oasis:names:tc:SAML:2.0:assertion\"",
            )
        }),
        class.tampered("single-quotes", Verdict::Genuine, |xml, _| {
            edit::replace_first(xml, "<saml2:Conditions NotBefore=", "<saml2:Conditions  NotBefore =\n")
        }),
        class.tampered("doctype-in-a-comment", Verdict::Genuine, |xml, _| {
            edit::before(xml, "<saml2p:Status>", "<!--<!DOCTYPE x>-->")
        }),
        class.tampered("empty-elements-written-out", Verdict::Genuine, |xml, _| {
            let method = edit::piece(xml, "<ds:DigestMethod", "/>")?;
            let long = format!("{}></ds:DigestMethod>", method.trim_end_matches("/>"));
            edit::replace_first(xml, method, &long)
        }),
        class.tampered("signature-moved-behind-the-subject", Verdict::Genuine, |xml, _| {
            // The schema wants it elsewhere; what it covers is the same.
            let signature = edit::piece(xml, SIGNATURE.0, SIGNATURE.1)?;
            let xml = edit::replace_first(xml, signature, "")?;
            edit::before(&xml, "<saml2:Conditions", signature)
        }),
    ]
}
