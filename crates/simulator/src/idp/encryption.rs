//! Encrypts an assertion for one service provider, as Okta does: AES-256-GCM, its key by RSA-OAEP.

use anyhow::{Context, anyhow};
use bergshamra_enc::{context::EncContext, encrypt::encrypt};
use bergshamra_keys::{KeysManager, loader};

const XMLENC: &str = "http://www.w3.org/2001/04/xmlenc#";
const DS: &str = "http://www.w3.org/2000/09/xmldsig#";

/// The cipher that Okta uses.
pub(crate) const AES256_GCM: &str = "http://www.w3.org/2009/xmlenc11#aes256-gcm";

/// The `EncryptedAssertion` of an assertion, for the owner of this certificate.
pub fn encrypted_assertion(assertion: &str, certificate: &[u8]) -> anyhow::Result<String> {
    encrypted(assertion.as_bytes(), AES256_GCM, certificate)
}

/// The same with any content and another cipher.
pub(crate) fn encrypted(content: &[u8], cipher: &str, certificate: &[u8]) -> anyhow::Result<String> {
    let key = loader::load_x509_cert_der(certificate).map_err(|error| anyhow!("the certificate: {error}"))?;
    let mut keys = KeysManager::new();
    keys.add_key(key);
    let template = format!(
        "<saml2:EncryptedAssertion xmlns:saml2=\"urn:oasis:names:tc:SAML:2.0:assertion\">\
         <xenc:EncryptedData xmlns:xenc=\"{XMLENC}\" Type=\"{XMLENC}Element\">\
         <xenc:EncryptionMethod Algorithm=\"{cipher}\"/>\
         <ds:KeyInfo xmlns:ds=\"{DS}\"><xenc:EncryptedKey>\
         <xenc:EncryptionMethod Algorithm=\"{XMLENC}rsa-oaep-mgf1p\"><ds:DigestMethod Algorithm=\"{DS}sha1\"/>\
         </xenc:EncryptionMethod><xenc:CipherData><xenc:CipherValue></xenc:CipherValue></xenc:CipherData>\
         </xenc:EncryptedKey></ds:KeyInfo>\
         <xenc:CipherData><xenc:CipherValue></xenc:CipherValue></xenc:CipherData>\
         </xenc:EncryptedData></saml2:EncryptedAssertion>"
    );
    encrypt(&EncContext::new(keys), &template, content)
        .map_err(|error| anyhow!("{error}"))
        .context("the assertion could not be encrypted")
}
