//! This side of a connection: its names and its metadata document.

use crate::decryption::CIPHERS;
use crate::sp_key::{KeyError, SpKey};
use crate::xml::{self, PROTOCOL, SIGNATURE};
use crate::{enveloped, instant};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use samael::metadata::{HTTP_POST_BINDING, HTTP_REDIRECT_BINDING};
use time::OffsetDateTime;

/// One connection as its identity provider knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceProvider {
    /// The entity ID, which is the audience of assertions (metadata 2.3.2).
    pub entity_id: String,
    /// The assertion consumer service, to which answers are posted (metadata 2.4.4).
    pub acs_url: String,
    /// Where messages about logout go (metadata 2.4.2).
    pub slo_url: String,
}

/// How keys may come (metadata 2.4.1.1), with the hashes of RSA-OAEP.
const KEY_TRANSPORTS: [(&str, &str); 2] = [
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

/// What the metadata of a connection tells.
#[derive(Debug)]
pub struct Metadata<'a> {
    /// The names and addresses.
    pub sp: &'a ServiceProvider,
    /// The certificates that may have signed a message of ours, in DER; several while one replaces another.
    pub signing: Vec<&'a [u8]>,
    /// The certificate to encrypt for, in DER.
    pub encryption: Option<&'a [u8]>,
    /// The document's ID, for its signature.
    pub id: &'a str,
    /// When whoever keeps a copy must fetch it anew (metadata 2.3.2).
    pub valid_until: OffsetDateTime,
    /// Who signs the document, if that is wanted.
    pub signer: Option<&'a SpKey>,
}

/// How long a copy may be used without a look whether there is a new one, as XML writes it.
const CACHE_DURATION: &str = "PT24H";

impl Metadata<'_> {
    /// The document (metadata 2.4.4).
    pub fn document(&self) -> Result<String, KeyError> {
        let entity = self.entity();
        let entity = match self.signer {
            Some(signer) => enveloped::sign(&entity, signer)?,
            None => entity,
        };
        Ok(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{entity}\n"))
    }

    fn entity(&self) -> String {
        let Self { sp, id, .. } = self;
        let ciphers = CIPHERS.iter().map(|(uri, _)| (*uri, ""));
        let methods: String = ciphers
            .chain(KEY_TRANSPORTS)
            .map(|(uri, hashes)| format!("<md:EncryptionMethod Algorithm=\"{uri}\">{hashes}</md:EncryptionMethod>"))
            .collect();
        let signing = self.signing.iter().map(|certificate| key_descriptor("signing", certificate, ""));
        let encryption = self.encryption.map(|certificate| key_descriptor("encryption", certificate, &methods));
        let keys: String = signing.chain(encryption).collect();
        let slo: String = [HTTP_REDIRECT_BINDING, HTTP_POST_BINDING]
            .map(|binding| {
                let url = xml::escape(&sp.slo_url);
                format!("<md:SingleLogoutService Binding=\"{binding}\" Location=\"{url}\"/>")
            })
            .concat();
        format!(
            "<md:EntityDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" ID=\"{id}\" \
             validUntil=\"{valid_until}\" cacheDuration=\"{CACHE_DURATION}\" entityID=\"{entity_id}\">\
             <md:SPSSODescriptor AuthnRequestsSigned=\"true\" WantAssertionsSigned=\"true\" \
             protocolSupportEnumeration=\"{PROTOCOL}\">{keys}{slo}\
             <md:NameIDFormat>urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress</md:NameIDFormat>\
             <md:NameIDFormat>urn:oasis:names:tc:SAML:2.0:nameid-format:persistent</md:NameIDFormat>\
             <md:NameIDFormat>urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified</md:NameIDFormat>\
             <md:AssertionConsumerService Binding=\"{HTTP_POST_BINDING}\" Location=\"{acs_url}\" index=\"0\" \
             isDefault=\"true\"/></md:SPSSODescriptor></md:EntityDescriptor>",
            valid_until = instant::written(self.valid_until),
            entity_id = xml::escape(&sp.entity_id),
            acs_url = xml::escape(&sp.acs_url),
        )
    }
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
