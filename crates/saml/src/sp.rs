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
    #[error("the key is not an RSA key of at least 2048 bits in PKCS#8")]
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
        parameters.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature, rcgen::KeyUsagePurpose::KeyEncipherment];
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

/// What can be decrypted, the best first (metadata 2.4.1.1), with the hashes of RSA-OAEP where they can be chosen.
const ENCRYPTION_METHODS: [(&str, &str); 8] = [
    ("http://www.w3.org/2009/xmlenc11#aes256-gcm", ""),
    ("http://www.w3.org/2009/xmlenc11#aes192-gcm", ""),
    ("http://www.w3.org/2009/xmlenc11#aes128-gcm", ""),
    ("http://www.w3.org/2001/04/xmlenc#aes256-cbc", ""),
    ("http://www.w3.org/2001/04/xmlenc#aes192-cbc", ""),
    ("http://www.w3.org/2001/04/xmlenc#aes128-cbc", ""),
    (
        "http://www.w3.org/2009/xmlenc11#rsa-oaep",
        "<ds:DigestMethod xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" \
         Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/>\
         <xenc11:MGF xmlns:xenc11=\"http://www.w3.org/2009/xmlenc11#\" \
         Algorithm=\"http://www.w3.org/2009/xmlenc11#mgf1sha256\"/>",
    ),
    (
        "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p",
        "<ds:DigestMethod xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" \
         Algorithm=\"http://www.w3.org/2000/09/xmldsig#sha1\"/>",
    ),
];

/// The metadata document of a connection (metadata 2.4.4), with every certificate that may be in use, newest first: all
/// of them may have signed a request, and the newest is to be encrypted for.
pub fn metadata(sp: &ServiceProvider, certificates: &[&[u8]]) -> String {
    let methods: String = ENCRYPTION_METHODS
        .iter()
        .map(|(uri, hashes)| format!("<md:EncryptionMethod Algorithm=\"{uri}\">{hashes}</md:EncryptionMethod>"))
        .collect();
    let signing = certificates.iter().map(|certificate| key_descriptor("signing", certificate, ""));
    let encryption = certificates.first().map(|certificate| key_descriptor("encryption", certificate, &methods));
    let keys: String = signing.chain(encryption).collect();
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

/// A certificate as a file (RFC 7468 5).
pub fn pem(certificate: &[u8]) -> String {
    let text = STANDARD.encode(certificate);
    let lines = text.as_bytes().chunks(64).map(|line| format!("{}\n", String::from_utf8_lossy(line)));
    format!("-----BEGIN CERTIFICATE-----\n{}-----END CERTIFICATE-----\n", lines.collect::<String>())
}

fn key_descriptor(usage: &str, certificate: &[u8], methods: &str) -> String {
    format!(
        "<md:KeyDescriptor use=\"{usage}\"><ds:KeyInfo xmlns:ds=\"{SIGNATURE}\"><ds:X509Data><ds:X509Certificate>\
         {}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>{methods}</md:KeyDescriptor>",
        STANDARD.encode(certificate)
    )
}
