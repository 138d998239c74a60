//! Attacks on single logout: messages that somebody else sends, or that were changed on their way, by either binding.

use std::io::Write;

use anyhow::{Context, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compression, write::DeflateEncoder};
use time::Duration;
use url::form_urlencoded;

use super::{Verdict, edit};
use crate::idp::{
    keys::IdpKey,
    logout::{Content, LogoutMessage},
    response::signature_template,
    signed_query::RSA_SHA256,
};

const SHA1: &str = "http://www.w3.org/2000/09/xmldsig#rsa-sha1";
const STATE: &str = "the state";

/// What an attacker has.
pub struct Material<'a> {
    /// The identity provider's request that would end the victim's session.
    pub honest: LogoutMessage,
    /// The identity provider's key.
    pub idp: &'a IdpKey,
    /// The attacker's.
    pub stranger: &'a IdpKey,
    /// An address that notices whoever fetches something from it.
    pub canary: &'a str,
}

/// What is sent to the logout address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// A raw query (HTTP-Redirect).
    Query(String),
    /// A form (HTTP-POST).
    Form(Vec<(&'static str, String)>),
}

type Make = fn(&Material<'_>) -> anyhow::Result<Sent>;

/// One way to end somebody's session, or to find something out.
pub struct Attack {
    /// What it is called.
    pub name: &'static str,
    /// What must become of it.
    pub verdict: Verdict,
    make: Make,
}

impl Attack {
    /// What is sent; fails if it is no different from the control.
    pub fn sent(&self, material: &Material<'_>) -> anyhow::Result<Sent> {
        let sent = (self.make)(material).with_context(|| self.name)?;
        ensure!(sent != control(material)?, "{} changes nothing", self.name);
        Ok(sent)
    }
}

/// The identity provider's own request.
pub fn control(material: &Material<'_>) -> anyhow::Result<Sent> {
    Ok(Sent::Query(query(&material.honest.xml("")?, material.idp)?))
}

/// All of them.
pub fn catalog() -> Vec<Attack> {
    let cases = unsigned().into_iter().chain(rearranged()).chain(meant_otherwise()).chain(by_post()).chain(bytes());
    cases.map(|(name, verdict, make)| Attack { name, verdict, make }).collect()
}

type Case = (&'static str, Verdict, Make);

fn refused(name: &'static str, code: u16, make: Make) -> Case {
    (name, Verdict::Refused(code), make)
}

/// The parts of a signed query, as they are written.
struct Parts {
    message: String,
    state: String,
    algorithm: String,
}

impl Parts {
    fn of(xml: &str) -> anyhow::Result<Self> {
        Ok(Self { message: encode(&deflated(xml.as_bytes())?), state: escape(STATE), algorithm: escape(RSA_SHA256) })
    }

    fn unsigned(&self) -> String {
        format!("SAMLRequest={}&RelayState={}&SigAlg={}", self.message, self.state, self.algorithm)
    }

    fn signed(&self, key: &IdpKey) -> anyhow::Result<String> {
        with_signature(&self.unsigned(), key)
    }
}

fn query(xml: &str, key: &IdpKey) -> anyhow::Result<String> {
    Parts::of(xml)?.signed(key)
}

fn with_signature(query: &str, key: &IdpKey) -> anyhow::Result<String> {
    Ok(format!("{query}&Signature={}", encode(&key.sign_bytes(query.as_bytes())?)))
}

fn deflated(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

fn encode(bytes: &[u8]) -> String {
    escape(&STANDARD.encode(bytes))
}

fn escape(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// The honest query with one thing changed after it was signed.
fn changed(material: &Material<'_>, change: impl FnOnce(&str) -> anyhow::Result<String>) -> anyhow::Result<Sent> {
    Ok(Sent::Query(change(&query(&material.honest.xml("")?, material.idp)?)?))
}

/// Another message, signed by the identity provider.
fn said(material: &Material<'_>, change: impl FnOnce(&mut LogoutMessage)) -> anyhow::Result<Sent> {
    let mut message = material.honest.clone();
    change(&mut message);
    Ok(Sent::Query(query(&message.xml("")?, material.idp)?))
}

/// Another text of the message, signed by the identity provider.
fn written(material: &Material<'_>, change: impl FnOnce(&str) -> anyhow::Result<String>) -> anyhow::Result<Sent> {
    Ok(Sent::Query(query(&change(&material.honest.xml("")?)?, material.idp)?))
}

fn unsigned() -> [Case; 7] {
    [
        refused("unsigned", 1107, |m| changed(m, |query| edit::cut(&format!("{query}#"), "&SigAlg=", "#"))),
        refused("missing-sigalg", 1107, |m| {
            changed(m, |query| edit::replace(query, &format!("&SigAlg={}", escape(RSA_SHA256)), ""))
        }),
        refused("missing-signature", 1107, |m| changed(m, |query| edit::cut(&format!("{query}#"), "&Signature=", "#"))),
        refused("empty-signature", 505, |m| {
            changed(m, |query| Ok(edit::cut(&format!("{query}#"), "&Signature=", "#")? + "&Signature="))
        }),
        refused("attacker-key", 505, |m| Ok(Sent::Query(query(&m.honest.xml("")?, m.stranger)?))),
        refused("sha1", 419, |m| {
            let parts = Parts { algorithm: escape(SHA1), ..Parts::of(&m.honest.xml("")?)? };
            Ok(Sent::Query(parts.signed(m.idp)?))
        }),
        refused("hmac", 417, |m| {
            changed(m, |query| {
                edit::replace(query, &escape(RSA_SHA256), &escape("http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"))
            })
        }),
    ]
}

fn rearranged() -> [Case; 12] {
    [
        refused("relaystate-changed", 505, |m| changed(m, |query| edit::replace(query, &escape(STATE), "evil"))),
        refused("relaystate-removed", 505, |m| {
            changed(m, |query| edit::replace(query, &format!("&RelayState={}", escape(STATE)), ""))
        }),
        refused("relaystate-not-covered", 505, |m| {
            let query = Parts::of(&m.honest.xml("")?)?.unsigned();
            let without = edit::replace(&query, &format!("&RelayState={}", escape(STATE)), "")?;
            Ok(Sent::Query(with_signature(&without, m.idp)? + "&RelayState=evil"))
        }),
        refused("two-relaystates", 107, |m| changed(m, |query| Ok(format!("{query}&RelayState=evil")))),
        refused("two-messages", 107, |m| changed(m, |query| Ok(format!("SAMLRequest=x&{query}")))),
        refused("two-messages-last", 107, |m| changed(m, |query| Ok(format!("{query}&SAMLRequest=x")))),
        refused("two-signatures", 107, |m| changed(m, |query| Ok(format!("{query}&Signature=x")))),
        refused("two-algorithms", 107, |m| changed(m, |query| Ok(format!("SigAlg=x&{query}")))),
        refused("request-and-response", 107, |m| changed(m, |query| Ok(format!("{query}&SAMLResponse=x")))),
        refused("tampered", 505, |m| {
            let honest = query(&m.honest.xml("")?, m.idp)?;
            let evil = m.honest.xml("")?.replace("<saml2p:SessionIndex>", "<saml2p:SessionIndex>_all_and_");
            let evil =
                edit::before(&evil, "</saml2p:LogoutRequest>", "<saml2p:SessionIndex>_more</saml2p:SessionIndex>")?;
            let own = edit::piece(&honest, "SAMLRequest=", "&")?;
            Ok(Sent::Query(edit::replace_first(&honest, own, &format!("SAMLRequest={}&", Parts::of(&evil)?.message))?))
        }),
        refused("escaped-otherwise", 505, |m| changed(m, |query| edit::replace(query, "%3A", "%3a"))),
        // ADFS and Entra write these letters small, and sign what they write.
        ("lower-case-escapes", Verdict::Genuine, |m| {
            let upper = Parts::of(&m.honest.xml("")?)?.unsigned();
            let lower =
                ["%2B", "%2F", "%3A", "%3D"].iter().fold(upper, |text, code| text.replace(code, &code.to_lowercase()));
            Ok(Sent::Query(with_signature(&lower, m.idp)?))
        }),
    ]
}

fn meant_otherwise() -> [Case; 13] {
    [
        refused("issuer", 804, |m| said(m, |message| message.issuer = "https://evil.test".to_owned())),
        refused("destination", 1103, |m| said(m, |message| message.destination.push_str("/x"))),
        refused("no-destination", 1103, |m| {
            written(m, |xml| edit::set(xml, "<saml2p:LogoutRequest ", "Destination", None))
        }),
        refused("old", 826, |m| said(m, |message| message.issue_instant -= Duration::minutes(9))),
        refused("future", 827, |m| said(m, |message| message.issue_instant += Duration::minutes(9))),
        refused("expired", 1104, |m| {
            written(m, |xml| edit::set(xml, "<saml2p:LogoutRequest ", "NotOnOrAfter", Some("2001-01-01T00:00:00Z")))
        }),
        refused("version", 801, |m| written(m, |xml| edit::set(xml, "<saml2p:LogoutRequest ", "Version", Some("1.1")))),
        refused("no-id", 408, |m| written(m, |xml| edit::set(xml, "<saml2p:LogoutRequest ", "ID", None))),
        refused("nobody", 703, |m| written(m, |xml| edit::cut(xml, "<saml2:NameID>", "</saml2:NameID>"))),
        refused("comment-in-nameid", 701, |m| written(m, |xml| edit::before(xml, "</saml2:NameID>", "<!---->"))),
        refused("a-thousand-sessions", 1102, |m| {
            written(m, |xml| {
                edit::before(
                    xml,
                    "</saml2p:LogoutRequest>",
                    &"<saml2p:SessionIndex>x</saml2p:SessionIndex>".repeat(1_000),
                )
            })
        }),
        refused("unsolicited-logoutresponse", 1105, |m| {
            let content = Content::Response { in_response_to: "_never_asked".to_owned(), status: "Success".to_owned() };
            let message = LogoutMessage { content, ..m.honest.clone() };
            let query = Parts::of(&message.xml("")?)?.unsigned().replacen("SAMLRequest=", "SAMLResponse=", 1);
            Ok(Sent::Query(with_signature(&query, m.idp)?))
        }),
        refused("response-as-request", 1101, |m| {
            said(m, |message| {
                message.content =
                    Content::Response { in_response_to: "_never_asked".to_owned(), status: "Success".to_owned() };
            })
        }),
    ]
}

fn form(xml: &str) -> Sent {
    Sent::Form(vec![("SAMLRequest", STANDARD.encode(xml))])
}

/// Signed inside, as the form's binding wants it.
fn signed(material: &Material<'_>, key: &IdpKey) -> anyhow::Result<String> {
    key.sign(material.honest.xml(&signature_template(&material.honest.id, key))?)
}

fn by_post() -> [Case; 8] {
    [
        refused("post-unsigned", 1107, |m| Ok(form(&m.honest.xml("")?))),
        refused("post-attacker-key", 505, |m| Ok(form(&signed(m, m.stranger)?))),
        refused("post-tampered", 504, |m| {
            Ok(form(&edit::before(
                &signed(m, m.idp)?,
                "</saml2p:LogoutRequest>",
                "<saml2p:SessionIndex>x</saml2p:SessionIndex>",
            )?))
        }),
        refused("post-xsw-in-extensions", 406, |m| {
            let genuine = signed(m, m.idp)?;
            let evil = LogoutMessage { id: "_evil".to_owned(), ..m.honest.clone() }.xml("")?;
            Ok(form(&edit::before(
                &evil,
                "<saml2:NameID>",
                &format!("<saml2p:Extensions>{genuine}</saml2p:Extensions>"),
            )?))
        }),
        refused("post-xsw-relocated-signature", 413, |m| {
            let genuine = signed(m, m.idp)?;
            let signature = edit::piece(&genuine, super::SIGNATURE.0, super::SIGNATURE.1)?;
            Ok(form(&LogoutMessage { id: "_evil".to_owned(), ..m.honest.clone() }.xml(signature)?))
        }),
        refused("post-two-messages", 102, |m| {
            let field = STANDARD.encode(signed(m, m.idp)?);
            Ok(Sent::Form(vec![("SAMLRequest", field.clone()), ("SAMLRequest", field)]))
        }),
        refused("post-nothing", 101, |_| Ok(Sent::Form(vec![("RelayState", "x".to_owned())]))),
        ("post-genuine", Verdict::Genuine, |m| Ok(form(&signed(m, m.idp)?))),
    ]
}

fn bytes() -> [Case; 9] {
    fn raw(message: &[u8], material: &Material<'_>) -> anyhow::Result<Sent> {
        let parts = Parts { message: encode(message), ..Parts::of("")? };
        Ok(Sent::Query(parts.signed(material.idp)?))
    }
    [
        // CVE-2025-25293, CVE-2025-54572: a thousand times as long as it looks, and it need not be signed to be inflated.
        refused("deflate-bomb", 103, |m| {
            let parts = Parts { message: encode(&deflated(&vec![b' '; 40_000_000])?), ..Parts::of("")? };
            Ok(Sent::Query(parts.signed(m.stranger)?))
        }),
        refused("deflate-bomb-of-elements", 103, |m| {
            let xml = edit::before(&m.honest.xml("")?, "<saml2:NameID>", &"<a/>".repeat(1_000_000))?;
            Ok(Sent::Query(query(&xml, m.idp)?))
        }),
        refused("not-deflated", 108, |m| raw(m.honest.xml("")?.as_bytes(), m)),
        refused("deflate-cut", 108, |m| {
            let mut message = deflated(m.honest.xml("")?.as_bytes())?;
            message.truncate(message.len() / 2);
            raw(&message, m)
        }),
        refused("other-encoding", 108, |m| changed(m, |query| Ok(format!("{query}&SAMLEncoding=urn%3Ax")))),
        refused("garbage", 104, |m| {
            let parts = Parts { message: "*".to_owned(), ..Parts::of("")? };
            Ok(Sent::Query(parts.signed(m.idp)?))
        }),
        refused("doctype", 204, |m| {
            let doctype = format!("<!DOCTYPE x SYSTEM \"{}/dtd\">", m.canary);
            written(m, |xml| Ok(format!("{doctype}{xml}")))
        }),
        refused("two-roots", 307, |m| written(m, |xml| Ok(xml.repeat(2)))),
        refused("nothing", 101, |_| Ok(Sent::Query(String::new()))),
    ]
}
