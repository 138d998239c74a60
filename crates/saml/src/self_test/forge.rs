//! Makes and signs responses for the self-test and for this crate's tests.

use super::SelfTestError;
use crate::idp::{IdentityProvider, IdpCertificate};
use crate::outgoing::Binding;
use crate::sp::ServiceProvider;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bergshamra_core::algorithm::{ECDSA_SHA256, SHA256};
use bergshamra_dsig::DsigContext;
use bergshamra_dsig::sign::sign_owned;
use bergshamra_keys::{Key, KeysManager, loader};
use time::OffsetDateTime;
use time::macros::datetime;

/// The frozen clock of everything that is made here.
pub(crate) const NOW: OffsetDateTime = datetime!(2026-01-31 12:00:00 UTC);
pub(crate) const ENTITY_ID: &str = "https://gate.test/c/one";
pub(crate) const ACS_URL: &str = "https://gate.test/c/one/saml/acs";
pub(crate) const ISSUER: &str = "http://idp.test/entity";
pub(crate) const RESPONSE_ID: &str = "_response";
pub(crate) const ASSERTION_ID: &str = "_assertion";
pub(crate) const REQUEST_ID: &str = "_request";
pub(crate) const NAME_ID: &str = "ann@acme.test";

/// A key that signs, with the certificate that verifies.
pub(crate) struct Signer {
    pub(crate) key: Key,
    pub(crate) certificate: IdpCertificate,
    /// The signature algorithm's URI.
    pub(crate) method: &'static str,
}

impl Signer {
    /// A fresh key on P-256, which takes no time to make.
    pub(crate) fn generate() -> Result<Self, SelfTestError> {
        let pair = rcgen::KeyPair::generate().map_err(|_| SelfTestError::Prepare("generate a key"))?;
        Self::new(&pair, ECDSA_SHA256)
    }

    /// Any key that rcgen can make a certificate for.
    pub(crate) fn new(pair: &rcgen::KeyPair, method: &'static str) -> Result<Self, SelfTestError> {
        let certificate = rcgen::CertificateParams::default()
            .self_signed(pair)
            .map_err(|_| SelfTestError::Prepare("make a certificate"))?;
        Ok(Self {
            key: loader::load_pem_auto(pair.serialize_pem().as_bytes(), None)
                .map_err(|_| SelfTestError::Prepare("load the key"))?,
            certificate: IdpCertificate::from_der(certificate.der())
                .map_err(|_| SelfTestError::Prepare("read the certificate"))?,
            method,
        })
    }
}

pub(crate) fn service_provider() -> ServiceProvider {
    ServiceProvider {
        entity_id: ENTITY_ID.to_owned(),
        acs_url: ACS_URL.to_owned(),
        slo_url: format!("{ENTITY_ID}/saml/slo"),
    }
}

pub(crate) fn identity_provider<'a>(
    signers: impl IntoIterator<Item = &'a Signer>,
) -> Result<IdentityProvider, SelfTestError> {
    let certificates: Vec<Vec<u8>> = signers.into_iter().map(|signer| signer.certificate.der().to_vec()).collect();
    IdentityProvider::from_parts(ISSUER, ("https://idp.test/sso", Binding::Redirect), &certificates)
        .map_err(|_| SelfTestError::Prepare("set up the identity provider"))
}

/// An honest answer at [`NOW`], not signed yet.
pub(crate) fn response() -> String {
    format!(
        "<samlp:Response xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" \
         xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"{RESPONSE_ID}\" Version=\"2.0\" \
         IssueInstant=\"2026-01-31T12:00:00Z\" Destination=\"{ACS_URL}\" InResponseTo=\"{REQUEST_ID}\">\
         <saml:Issuer>{ISSUER}</saml:Issuer><samlp:Status><samlp:StatusCode \
         Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"/></samlp:Status>{assertion}</samlp:Response>",
        assertion = assertion()
    )
}

fn assertion() -> String {
    format!(
        "<saml:Assertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" \
         xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         ID=\"{ASSERTION_ID}\" Version=\"2.0\" IssueInstant=\"2026-01-31T12:00:00Z\">\
         <saml:Issuer>{ISSUER}</saml:Issuer><saml:Subject>\
         <saml:NameID Format=\"urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress\">{NAME_ID}</saml:NameID>\
         <saml:SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:bearer\"><saml:SubjectConfirmationData \
         NotOnOrAfter=\"2026-01-31T12:04:00Z\" Recipient=\"{ACS_URL}\" InResponseTo=\"{REQUEST_ID}\"/>\
         </saml:SubjectConfirmation></saml:Subject>\
         <saml:Conditions NotBefore=\"2026-01-31T11:59:00Z\" NotOnOrAfter=\"2026-01-31T12:03:00Z\">\
         <saml:AudienceRestriction><saml:Audience>{ENTITY_ID}</saml:Audience></saml:AudienceRestriction>\
         </saml:Conditions><saml:AuthnStatement AuthnInstant=\"2026-01-31T11:58:00Z\" SessionIndex=\"_session\" \
         SessionNotOnOrAfter=\"2026-01-31T20:00:00Z\"><saml:AuthnContext><saml:AuthnContextClassRef>\
         urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</saml:AuthnContextClassRef>\
         </saml:AuthnContext></saml:AuthnStatement><saml:AttributeStatement>\
         <saml:Attribute Name=\"email\" FriendlyName=\"E-mail\">\
         <saml:AttributeValue xsi:type=\"xs:string\">{NAME_ID}</saml:AttributeValue></saml:Attribute>\
         <saml:Attribute Name=\"groups\"><saml:AttributeValue>one</saml:AttributeValue>\
         <saml:AttributeValue>two</saml:AttributeValue></saml:Attribute>\
         </saml:AttributeStatement></saml:Assertion>"
    )
}

/// Signs the element with this ID; sign the assertion before the response.
pub(crate) fn sign(xml: &str, id: &str, signer: &Signer) -> Result<String, SelfTestError> {
    sign_with(xml, id, signer, &template(id, signer.method))
}

/// The same with a signature template of the caller's.
pub(crate) fn sign_with(xml: &str, id: &str, signer: &Signer, template: &str) -> Result<String, SelfTestError> {
    const ISSUER_END: &str = "</saml:Issuer>";
    let place = SelfTestError::Prepare("find where the signature belongs");
    let Some((before, element)) = xml.split_once(&format!(" ID=\"{id}\"")) else { return Err(place) };
    let Some((start, rest)) = element.split_once(ISSUER_END) else { return Err(place) };
    let xml = format!("{before} ID=\"{id}\"{start}{ISSUER_END}{template}{rest}");
    let mut keys = KeysManager::new();
    keys.add_key(signer.key.clone());
    sign_owned(&DsigContext::new(keys), xml).map_err(|_| SelfTestError::Prepare("sign a response"))
}

/// An enveloped signature that still lacks its values.
pub(crate) fn template(id: &str, method: &str) -> String {
    format!(
        "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:SignedInfo>\
         <ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/>\
         <ds:SignatureMethod Algorithm=\"{method}\"/><ds:Reference URI=\"#{id}\"><ds:Transforms>\
         <ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/>\
         <ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/></ds:Transforms>\
         <ds:DigestMethod Algorithm=\"{SHA256}\"/><ds:DigestValue></ds:DigestValue></ds:Reference></ds:SignedInfo>\
         <ds:SignatureValue></ds:SignatureValue></ds:Signature>"
    )
}

/// The form field.
pub(crate) fn encode(xml: &str) -> String {
    STANDARD.encode(xml)
}
