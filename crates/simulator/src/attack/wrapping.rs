//! Signature wrapping: the signed element is still in the document, and another one is where the reader looks.
//! XSW1 to 8 are those of "On Breaking SAML" (2012); the CVEs of later years are the same shapes again.

use super::{ASSERTION, Attack, Class, Material, RESPONSE, SIGNATURE, Verdict, edit};
use crate::idp::response::Sign;

const RESPONSE_END: &str = "</saml2p:Response>";
const STATUS: &str = "<saml2p:Status>";
const STATUS_END: &str = "</saml2p:Status>";
const SIGNATURE_END: &str = "</ds:Signature>";

type Wrap = fn(&Pieces) -> anyhow::Result<String>;

pub(super) fn attacks() -> Vec<Attack> {
    let mut attacks = Vec::new();
    for sign in [Sign::Assertion, Sign::Both] {
        attacks.extend(of_assertions().map(|(name, code, wrap)| wrapped(sign, name, code, wrap)));
        attacks.extend(of_documents().map(|(name, code, wrap)| wrapped(sign, name, code, wrap)));
    }
    // With two signatures these are refused by another rule first.
    attacks.extend(of_lone_assertions().map(|(name, code, wrap)| wrapped(Sign::Assertion, name, code, wrap)));
    attacks.extend(of_responses().map(|(name, code, wrap)| wrapped(Sign::Response, name, code, wrap)));
    attacks.extend(of_both());
    attacks
}

fn wrapped(sign: Sign, name: &str, code: u16, wrap: Wrap) -> Attack {
    Class::of("wrapping", sign).tampered(name, code, move |xml, material| wrap(&Pieces::of(xml, material, sign)?))
}

/// What is moved about.
struct Pieces {
    xml: String,
    /// The signed element.
    signed: String,
    /// Its signature.
    signature: String,
    /// It without its signature.
    bare: String,
    /// The same about the victim, with an ID of its own.
    evil: String,
    /// The same with the ID of the signed one.
    twin: String,
    opening: &'static str,
}

impl Pieces {
    fn of(xml: &str, material: &Material<'_>, sign: Sign) -> anyhow::Result<Self> {
        let body = match xml.split_once("?>") {
            Some((_, body)) => body,
            None => xml,
        };
        let is_response = sign == Sign::Response;
        let opening = if is_response { RESPONSE } else { ASSERTION.0 };
        let signed = if is_response { body } else { edit::piece(body, ASSERTION.0, ASSERTION.1)? };
        let signature = edit::piece(signed, SIGNATURE.0, SIGNATURE.1)?;
        let bare = edit::replace_first(signed, signature, "")?;
        let twin = edit::replace(&bare, &material.honest.name_id, material.victim)?;
        let evil = edit::set(&twin, opening, "ID", Some("_evil"))?;
        let (xml, signed, signature) = (body.to_owned(), signed.to_owned(), signature.to_owned());
        Ok(Self { xml, signed, signature, bare, evil, twin, opening })
    }

    /// The document with something in the place of the signed element.
    fn instead(&self, content: &str) -> anyhow::Result<String> {
        edit::replace_first(&self.xml, &self.signed, content)
    }

    /// An element with a signature where it belongs.
    fn holding(&self, element: &str, signature: &str) -> anyhow::Result<String> {
        edit::behind_issuer(element, self.opening, signature)
    }

    /// The signature with more at its end.
    fn signature_with(&self, content: &str) -> anyhow::Result<String> {
        edit::replace_last(&self.signature, SIGNATURE_END, &format!("{content}{SIGNATURE_END}"))
    }
}

/// A document with more in its Extensions.
fn extended(xml: &str, content: &str) -> anyhow::Result<String> {
    edit::before(xml, STATUS, &format!("<saml2p:Extensions>{content}</saml2p:Extensions>"))
}

/// A document with more in its StatusDetail.
fn detailed(xml: &str, content: &str) -> anyhow::Result<String> {
    edit::before(xml, STATUS_END, &format!("<saml2p:StatusDetail>{content}</saml2p:StatusDetail>"))
}

fn object(content: &str) -> String {
    format!("<ds:Object>{content}</ds:Object>")
}

fn advice(content: &str) -> String {
    format!("<saml2:Advice>{content}</saml2:Advice>")
}

fn of_assertions() -> impl Iterator<Item = (&'static str, u16, Wrap)> {
    let cases: [(&str, u16, Wrap); 20] = [
        ("xsw3", 404, |p| p.instead(&format!("{}{}", p.evil, p.signed))),
        ("xsw4", 405, |p| {
            p.instead(&edit::replace_last(&p.evil, ASSERTION.1, &format!("{}{}", p.signed, ASSERTION.1))?)
        }),
        ("xsw5", 404, |p| p.instead(&format!("{}{}", p.holding(&p.evil, &p.signature)?, p.bare))),
        ("xsw6", 405, |p| p.instead(&p.holding(&p.evil, &p.signature_with(&p.bare)?)?)),
        ("xsw7", 405, |p| extended(&p.xml, &p.evil)),
        ("xsw7b", 405, |p| extended(&p.xml, &p.twin)),
        ("xsw8", 405, |p| p.instead(&p.holding(&p.evil, &p.signature_with(&object(&p.bare))?)?)),
        ("xsw8b", 409, |p| p.instead(&p.holding(&p.twin, &p.signature_with(&object(&p.bare))?)?)),
        ("append-unsigned (CVE-2022-41912)", 404, |p| p.instead(&format!("{}{}", p.signed, p.evil))),
        ("swap-in-advice", 405, |p| p.instead(&edit::before(&p.evil, "<saml2:AuthnStatement", &advice(&p.signed))?)),
        ("evil-in-advice", 405, |p| edit::before(&p.xml, "<saml2:AuthnStatement", &advice(&p.evil))),
        ("dup-id", 409, |p| p.instead(&format!("{}{}", p.twin, p.signed))),
        ("dup-id-last", 409, |p| p.instead(&format!("{}{}", p.signed, p.twin))),
        ("genuine-in-statusdetail", 405, |p| detailed(&p.instead(&p.evil)?, &p.signed)),
        ("genuine-in-extensions", 405, |p| extended(&p.instead(&p.evil)?, &p.signed)),
        ("signature-in-statusdetail", 406, |p| detailed(&p.instead(&p.evil)?, &p.signature)),
        ("signature-in-subject", 406, |p| {
            p.instead(&edit::before(&p.evil, "<saml2:SubjectConfirmation ", &p.signature)?)
        }),
        ("relocated-signature", 413, |p| p.instead(&p.holding(&p.evil, &p.signature)?)),
        ("relocated-signature-same-id", 504, |p| p.instead(&p.holding(&p.twin, &p.signature)?)),
        ("in-keyinfo", 405, |p| {
            let signature = edit::before(&p.signature, "</ds:KeyInfo>", &p.bare)?;
            p.instead(&p.holding(&p.evil, &signature)?)
        }),
    ];
    cases.into_iter()
}

fn of_documents() -> impl Iterator<Item = (&'static str, u16, Wrap)> {
    let cases: [(&str, u16, Wrap); 9] = [
        ("nested-response", 405, |p| {
            let evil = p.instead(&p.evil)?;
            let evil = edit::set(&evil, RESPONSE, "ID", Some("_outer"))?;
            edit::replace_last(&evil, RESPONSE_END, &format!("{}{RESPONSE_END}", p.xml))
        }),
        ("nested-response-in-extensions", 405, |p| {
            extended(&edit::set(&p.instead(&p.evil)?, RESPONSE, "ID", Some("_outer"))?, &p.xml)
        }),
        ("nested-response-in-statusdetail", 405, |p| {
            detailed(&edit::set(&p.instead(&p.evil)?, RESPONSE, "ID", Some("_outer"))?, &p.xml)
        }),
        ("nested-response-in-object", 405, |p| {
            let evil = p.instead(&p.holding(&p.evil, &p.signature_with(&object(&p.xml))?)?)?;
            edit::set(&evil, RESPONSE, "ID", Some("_outer"))
        }),
        ("foreign-root", 401, |p| Ok(format!("<x:Response xmlns:x=\"urn:x\">{}</x:Response>", p.signed))),
        ("foreign-root-around-a-response", 401, |p| {
            Ok(format!("<x:Response xmlns:x=\"urn:x\">{}</x:Response>", p.xml))
        }),
        ("soap-envelope", 401, |p| {
            let soap = "http://schemas.xmlsoap.org/soap/envelope/";
            Ok(format!("<s:Envelope xmlns:s=\"{soap}\"><s:Body>{}</s:Body></s:Envelope>", p.xml))
        }),
        ("two-roots", 307, |p| Ok(format!("{}{}", p.instead(&p.evil)?, p.xml))),
        ("two-roots-genuine-first", 307, |p| Ok(format!("{}{}", p.xml, p.instead(&p.evil)?))),
    ];
    cases.into_iter()
}

fn of_lone_assertions() -> impl Iterator<Item = (&'static str, u16, Wrap)> {
    let cases: [(&str, u16, Wrap); 3] = [
        ("detached-valid-sibling", 413, |p| p.instead(&format!("{}{}", p.signature, p.evil))),
        ("detached-valid-sibling-of-the-genuine", 413, |p| p.instead(&format!("{}{}", p.signature, p.bare))),
        ("genuine-behind-a-detached-signature", 404, |p| p.instead(&format!("{}{}{}", p.evil, p.signature, p.bare))),
    ];
    cases.into_iter()
}

fn of_responses() -> impl Iterator<Item = (&'static str, u16, Wrap)> {
    let cases: [(&str, u16, Wrap); 8] = [
        ("xsw1", 405, |p| p.holding(&p.evil, &p.signature_with(&p.bare)?)),
        ("xsw2", 405, |p| p.holding(&p.evil, &format!("{}{}", p.bare, p.signature))),
        ("xsw3", 404, |p| {
            let evil = edit::set(edit::piece(&p.evil, ASSERTION.0, ASSERTION.1)?, ASSERTION.0, "ID", Some("_second"))?;
            edit::before(&p.xml, ASSERTION.0, &evil)
        }),
        ("nested-in-extensions", 405, |p| extended(&p.evil, &p.signed)),
        ("nested-in-statusdetail", 405, |p| detailed(&p.evil, &p.signed)),
        ("signature-moved-to-the-assertion", 413, |p| edit::behind_issuer(&p.evil, ASSERTION.0, &p.signature)),
        ("relocated-signature", 413, |p| p.holding(&p.evil, &p.signature)),
        ("changed-inside", 504, |p| p.holding(&p.twin, &p.signature)),
    ];
    cases.into_iter()
}

fn of_both() -> Vec<Attack> {
    let class = Class::of("wrapping", Sign::Both);
    let without_outer = |xml: &str| edit::cut(xml, SIGNATURE.0, SIGNATURE.1);
    vec![
        // Nothing is lost: the assertion proves itself.
        class.tampered("minus-response-signature", Verdict::Genuine, move |xml, _| without_outer(xml)),
        class.tampered("minus-response-signature-and-changed", 504, move |xml, material| {
            edit::replace(&without_outer(xml)?, &material.honest.name_id, material.victim)
        }),
        class.tampered("minus-response-signature-plus-evil", 404, move |xml, material| {
            let pieces = Pieces::of(xml, material, Sign::Both)?;
            edit::before(&without_outer(xml)?, ASSERTION.0, &pieces.evil)
        }),
        class.tampered("minus-assertion-signature", 504, |xml, _| {
            edit::in_assertion(xml, |assertion| edit::cut(assertion, SIGNATURE.0, SIGNATURE.1))
        }),
    ]
}
