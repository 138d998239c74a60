//! This side of a connection: its names, its signing key and its metadata document.

use crate::xml::{self, PROTOCOL, SIGNATURE};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, X509Certificate};

/// One connection as its identity provider knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceProvider {
    /// The entity ID, which is the audience of assertions (metadata 2.3.2).
    pub entity_id: String,
    /// The assertion consumer service, to which answers are posted (metadata 2.4.4).
    pub acs_url: String,
}

/// Why a signing key cannot be made or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Key generation failed.
    #[error("could not generate a signing key")]
    Generate(#[source] rcgen::Error),
    /// The private key is damaged or of another kind.
    #[error("the signing key is not an RSA key of at least 2048 bits in PKCS#8")]
    PrivateKey,
    /// The certificate is damaged.
    #[error("the certificate of the signing key cannot be read")]
    Certificate,
    /// The certificate belongs to another key.
    #[error("the certificate does not belong to the signing key")]
    Mismatch,
    /// Signing failed.
    #[error("could not sign the request")]
    Sign,
    /// The request could not be written.
    #[error("could not write the request")]
    Request,
}

/// The key that signs requests, with its certificate; the private part is never printed.
pub struct SpKey {
    pkcs8: Vec<u8>,
    certificate: Vec<u8>,
    pair: RsaKeyPair,
}

impl fmt::Debug for SpKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SpKey([secret])")
    }
}

impl SpKey {
    /// Makes an RSA key of 3072 bits and a certificate that it signs itself.
    pub fn generate(
        common_name: &str,
        not_before: OffsetDateTime,
        not_after: OffsetDateTime,
    ) -> Result<Self, KeyError> {
        let pair = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_3072)
            .map_err(KeyError::Generate)?;
        let mut parameters = rcgen::CertificateParams::default();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, common_name);
        parameters.not_before = not_before;
        parameters.not_after = not_after;
        parameters.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
        let certificate = parameters.self_signed(&pair).map_err(KeyError::Generate)?;
        Self::from_parts(pair.serialized_der(), certificate.der())
    }

    /// Puts a stored key and certificate together again; they must belong to each other.
    pub fn from_parts(pkcs8_der: &[u8], certificate_der: &[u8]) -> Result<Self, KeyError> {
        let pair = RsaKeyPair::from_pkcs8(pkcs8_der).map_err(|_| KeyError::PrivateKey)?;
        let (_, certificate) = X509Certificate::from_der(certificate_der).map_err(|_| KeyError::Certificate)?;
        if certificate.public_key().subject_public_key.data.as_ref() != pair.public_key().as_ref() {
            return Err(KeyError::Mismatch);
        }
        Ok(Self { pkcs8: pkcs8_der.to_vec(), certificate: certificate_der.to_vec(), pair })
    }

    /// The private key in PKCS#8, to be sealed before it is stored.
    pub fn pkcs8_der(&self) -> &[u8] {
        &self.pkcs8
    }

    /// The certificate that goes into the metadata.
    pub fn certificate_der(&self) -> &[u8] {
        &self.certificate
    }

    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 8.2).
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).map_err(|_| KeyError::Sign)?;
        Ok(signature)
    }
}

/// The metadata document of a connection (metadata 2.4.4), with every signing certificate that may be in use.
pub fn metadata(sp: &ServiceProvider, certificates: &[&[u8]]) -> String {
    let mut keys = String::new();
    for certificate in certificates {
        keys.push_str(&format!(
            "<md:KeyDescriptor use=\"signing\"><ds:KeyInfo xmlns:ds=\"{SIGNATURE}\"><ds:X509Data><ds:X509Certificate>\
             {}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>",
            STANDARD.encode(certificate)
        ));
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <md:EntityDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" entityID=\"{entity_id}\">\
         <md:SPSSODescriptor AuthnRequestsSigned=\"true\" WantAssertionsSigned=\"true\" \
         protocolSupportEnumeration=\"{PROTOCOL}\">{keys}\
         <md:NameIDFormat>urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress</md:NameIDFormat>\
         <md:NameIDFormat>urn:oasis:names:tc:SAML:2.0:nameid-format:persistent</md:NameIDFormat>\
         <md:NameIDFormat>urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified</md:NameIDFormat>\
         <md:AssertionConsumerService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\" \
         Location=\"{acs_url}\" index=\"0\" isDefault=\"true\"/>\
         </md:SPSSODescriptor></md:EntityDescriptor>\n",
        entity_id = xml::escape(&sp.entity_id),
        acs_url = xml::escape(&sp.acs_url),
    )
}
