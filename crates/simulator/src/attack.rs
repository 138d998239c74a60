//! Attacks on a sign-in: each is a valid response with one thing wrong, and has that response without it as its control.
//! It knows what a service provider should say, but neither sends anything nor looks at an answer.

mod digest;
mod edit;
mod encryption;
mod exclusion;
mod exhaustion;
mod fragile;
pub mod keys;
pub mod logout;
mod reference;
mod semantics;
mod text;
mod transport;
mod wrapping;
mod xml;

use anyhow::Context;
use base64::{Engine, engine::general_purpose::STANDARD};

use crate::idp::{
    keys::IdpKey,
    response::{ResponseBuilder, Sign, signature_template},
};

/// What an attacker has: a sign-in of their own under way, and things that anybody can get.
pub struct Material<'a> {
    /// The identity provider's answer to that sign-in.
    pub honest: ResponseBuilder,
    /// The identity provider's key. Attacks use it for what the identity provider itself signs, by mistake or on demand.
    pub idp: &'a IdpKey,
    /// A key of the attacker's own.
    pub stranger: &'a IdpKey,
    /// A key of the attacker's own, whose certificate has the identity provider's names and serial number.
    pub imitator: &'a IdpKey,
    /// The certificate for which the service provider wants assertions encrypted (X.509 DER).
    pub encryption_certificate: &'a [u8],
    /// An address that notices whoever fetches something from it.
    pub canary: &'a str,
    /// The NameID of the person the attacker wants to be.
    pub victim: &'a str,
}

/// What must become of an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The refusal `GH-SAML-` with this number.
    Refused(u16),
    /// It only looks like an attack: whom the identity provider meant gets in, and nobody else.
    Genuine,
}

impl From<u16> for Verdict {
    fn from(code: u16) -> Self {
        Self::Refused(code)
    }
}

type Make = Box<dyn Fn(&Material<'_>) -> anyhow::Result<String> + Send + Sync>;

/// One way to spoil a response.
pub struct Attack {
    /// What kind it is.
    pub class: &'static str,
    /// What it is called there.
    pub name: String,
    /// What must become of it.
    pub verdict: Verdict,
    style: Style,
    make: Make,
}

/// How a response is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Style {
    sign: Sign,
    is_encrypted: bool,
}

impl Attack {
    /// The form field `SAMLResponse` with the attack; its changes fail where there is nothing to be changed.
    pub fn field(&self, material: &Material<'_>) -> anyhow::Result<String> {
        (self.make)(material).with_context(|| format!("{} {}", self.class, self.name))
    }

    /// The form field with the same response without the defect.
    pub fn control(&self, material: &Material<'_>) -> anyhow::Result<String> {
        Ok(encode(&material.genuine(self.style)?))
    }
}

/// All of them, class by class.
pub fn catalog() -> Vec<Attack> {
    [
        wrapping::attacks(),
        exclusion::attacks(),
        reference::attacks(),
        keys::attacks(),
        digest::attacks(),
        fragile::attacks(),
        text::attacks(),
        xml::attacks(),
        semantics::attacks(),
        encryption::attacks(),
        exhaustion::attacks(),
        transport::attacks(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A class whose attacks are made from responses that are protected in one way.
#[derive(Clone, Copy)]
struct Class {
    name: &'static str,
    style: Style,
}

impl Class {
    fn of(name: &'static str, sign: Sign) -> Self {
        Self { name, style: Style { sign, is_encrypted: false } }
    }

    /// Changes the document after it was protected, as an attacker on its way can.
    fn tampered<C>(self, name: impl Into<String>, verdict: impl Into<Verdict>, change: C) -> Attack
    where
        C: Fn(&str, &Material<'_>) -> anyhow::Result<String> + Send + Sync + 'static,
    {
        self.bytes(name, verdict, move |xml, material| Ok(change(xml, material)?.into_bytes()))
    }

    /// The same where the outcome is no text.
    fn bytes<C>(self, name: impl Into<String>, verdict: impl Into<Verdict>, change: C) -> Attack
    where
        C: Fn(&str, &Material<'_>) -> anyhow::Result<Vec<u8>> + Send + Sync + 'static,
    {
        self.field(
            name,
            verdict,
            move |material| Ok(STANDARD.encode(change(&material.genuine(self.style)?, material)?)),
        )
    }

    /// Changes the document before the identity provider signs it, which is then its own mistake.
    fn signed<C>(self, name: impl Into<String>, verdict: impl Into<Verdict>, change: C) -> Attack
    where
        C: Fn(&str, &Material<'_>) -> anyhow::Result<String> + Send + Sync + 'static,
    {
        self.field(name, verdict, move |material| {
            let changed = change(&material.unsigned()?, material)?;
            Ok(encode(&sign(&changed, self.style.sign, material.idp)?))
        })
    }

    /// Makes the whole form field.
    fn field<C>(self, name: impl Into<String>, verdict: impl Into<Verdict>, make: C) -> Attack
    where
        C: Fn(&Material<'_>) -> anyhow::Result<String> + Send + Sync + 'static,
    {
        Attack {
            class: self.name,
            name: format!("{} ({:?})", name.into(), self.style.sign),
            verdict: verdict.into(),
            style: self.style,
            make: Box::new(make),
        }
    }
}

impl Material<'_> {
    fn unsigned(&self) -> anyhow::Result<String> {
        self.honest.clone().sign(Sign::Nothing).xml(self.idp)
    }

    fn genuine(&self, style: Style) -> anyhow::Result<String> {
        let honest = self.honest.clone().sign(style.sign);
        let honest = if style.is_encrypted { honest.encrypt_for(self.encryption_certificate) } else { honest };
        honest.xml(self.idp)
    }
}

const ASSERTION: (&str, &str) = ("<saml2:Assertion ", "</saml2:Assertion>");
const RESPONSE: &str = "<saml2p:Response ";
const SIGNATURE: (&str, &str) = ("<ds:Signature ", "</ds:Signature>");

/// Signs a document as the builder does: first the assertion, then the response around it.
fn sign(xml: &str, sign: Sign, key: &IdpKey) -> anyhow::Result<String> {
    let xml = match sign {
        Sign::Assertion | Sign::Both => key.sign(with_template(xml, ASSERTION.0, key, Ok)?)?,
        Sign::Nothing | Sign::Response => xml.to_owned(),
    };
    match sign {
        Sign::Response | Sign::Both => key.sign(with_template(&xml, RESPONSE, key, Ok)?),
        Sign::Nothing | Sign::Assertion => Ok(xml),
    }
}

/// Puts a signature that is still to be filled into the first element that opens so.
fn with_template(
    xml: &str,
    opening: &str,
    key: &IdpKey,
    change: impl FnOnce(String) -> anyhow::Result<String>,
) -> anyhow::Result<String> {
    let template = change(signature_template(&edit::value(xml, opening, "ID")?, key))?;
    edit::behind_issuer(xml, opening, &template)
}

fn encode(xml: &str) -> String {
    STANDARD.encode(xml)
}
