//! The identity provider of a connection: what the IT admin pastes becomes keys and addresses that can be trusted.

use crate::algorithm::KeyFamily;
use crate::code::{Rejection, invisible, shown};
use crate::idp_metadata;
use crate::outgoing::{Binding, Endpoint};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bergshamra_keys::{Key, loader};
use std::fmt;
use time::OffsetDateTime;
use url::{Host, Url};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

const MIN_RSA_BITS: usize = 2048;
const MAX_RSA_BITS: usize = 8192;

/// Signing certificates of one identity provider; Entra publishes up to six.
pub(crate) const MAX_CERTIFICATES: usize = 16;

/// metadata 2.3.2: the longest entity ID.
const MAX_ENTITY_ID: usize = 1024;

/// Why the identity provider's data cannot be used; each sentence says what to paste instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The metadata is far larger than any real one.
    #[error("the metadata is larger than 1 MB; paste the metadata of this one application, not of a whole federation")]
    MetadataTooLarge,
    /// The metadata is not safe XML.
    #[error("the metadata is not plain XML; download it from the identity provider again and paste it unchanged")]
    MetadataXml(#[source] Rejection),
    /// The metadata is XML of another kind.
    #[error(
        "this is not SAML 2.0 metadata that can be read; paste the identity provider's metadata XML, or fill in the three fields (sign-on URL, issuer, certificate) instead"
    )]
    MetadataUnreadable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The metadata says that it does not hold any more.
    #[error("the metadata was valid until {} only; the identity provider has to publish new metadata", crate::instant::written(*.until))]
    MetadataExpired {
        /// When it ended.
        until: OffsetDateTime,
    },
    /// The metadata describes no identity provider.
    #[error(
        "the metadata describes no SAML 2.0 identity provider; it may be that of a service provider, so paste the metadata that the identity provider shows for this application"
    )]
    NoIdentityProvider,
    /// The metadata describes several identity providers.
    #[error("the metadata describes {count} identity providers; paste the one of this application")]
    SeveralIdentityProviders {
        /// How many there are.
        count: usize,
    },
    /// The issuer is missing.
    #[error(
        "the issuer is missing; paste the identity provider's entity ID (Okta: \"Identity Provider Issuer\", Entra: \"Microsoft Entra Identifier\")"
    )]
    IssuerMissing,
    /// The issuer is no name.
    #[error(
        "the issuer has more than {MAX_ENTITY_ID} characters or some that cannot be seen; paste the identity provider's entity ID as it shows it"
    )]
    IssuerInvalid,
    /// The metadata has no address for requests by HTTP-Redirect or HTTP-POST.
    #[error(
        "the metadata has no sign-on address for the HTTP-Redirect or the HTTP-POST binding; switch one of them on in the identity provider, or fill in the three fields with its sign-on URL"
    )]
    EndpointMissing,
    /// The sign-on address is no URL.
    #[error(
        "the sign-on URL is not a URL; paste the whole address (Okta: \"Identity Provider Single Sign-On URL\", Entra: \"Login URL\")"
    )]
    SsoUrlInvalid(#[source] url::ParseError),
    /// The sign-on address is not protected.
    #[error("the sign-on URL must begin with https://; paste the https address of the identity provider")]
    SsoUrlInsecure,
    /// There is no signing certificate.
    #[error(
        "there is no signing certificate; paste the identity provider's X.509 certificate (Okta: \"X.509 Certificate\", Entra: \"Certificate (Base64)\")"
    )]
    CertificateMissing,
    /// The certificate is damaged or something else.
    #[error(
        "the certificate cannot be read; paste the whole X.509 certificate, from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----, not a fingerprint or a key"
    )]
    CertificateUnreadable,
    /// There are more signing certificates than anybody needs, each of which costs time with every answer.
    #[error(
        "there are more than {MAX_CERTIFICATES} signing certificates; paste those that the identity provider signs with now and next"
    )]
    TooManyCertificates,
    /// Several certificates stand where one was asked for.
    #[error("there are {count} certificates in one; paste them one at a time")]
    SeveralCertificates {
        /// How many there are.
        count: usize,
    },
    /// The RSA key has a size that is not safe or not supported.
    #[error(
        "the certificate has an RSA key of {bits} bits; make the identity provider sign with one of 2048 to 8192 bits and paste its certificate"
    )]
    RsaKeySize {
        /// The key's size.
        bits: usize,
    },
    /// The key is neither RSA nor on a supported curve.
    #[error(
        "the certificate's key is of a kind that is not supported; make the identity provider sign with RSA, or with ECDSA on P-256, P-384 or P-521"
    )]
    KeyUnsupported,
}

/// The public key of a certificate, as far as an admin cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA with a modulus of this many bits.
    Rsa(usize),
    /// ECDSA on the NIST curve of this many bits.
    Ec(usize),
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa(bits) => write!(f, "RSA {bits}"),
            Self::Ec(bits) => write!(f, "ECDSA P-{bits}"),
        }
    }
}

/// A signing certificate that was parsed and whose key is strong enough; its validity period is only shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdpCertificate {
    der: Vec<u8>,
    fingerprint: String,
    subject: String,
    not_after: OffsetDateTime,
    key_kind: KeyKind,
}

impl IdpCertificate {
    /// Reads one certificate as identity providers show it: PEM, or base64 without the dashes.
    pub fn from_pem_or_base64(text: &str) -> Result<Self, SetupError> {
        let mut blocks = blocks(text)?;
        match (blocks.len(), blocks.pop()) {
            (1, Some(der)) => Self::from_der(&der),
            (0, _) => Err(SetupError::CertificateMissing),
            (count, _) => Err(SetupError::SeveralCertificates { count }),
        }
    }

    /// Reads one certificate from its binary form (RFC 5280 4.1).
    pub fn from_der(der: &[u8]) -> Result<Self, SetupError> {
        let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| SetupError::CertificateUnreadable)?;
        if !rest.is_empty() {
            return Err(SetupError::CertificateUnreadable);
        }
        let key_kind = key_kind(&certificate)?;
        let parsed = Self {
            der: der.to_vec(),
            fingerprint: fingerprint(der),
            subject: shown(&certificate.subject().to_string()),
            not_after: certificate.validity().not_after.to_datetime(),
            key_kind,
        };
        // The verifying library must be able to use the key too: now, not at the first sign-in.
        match parsed.verification_key() {
            Some(_) => Ok(parsed),
            None => Err(SetupError::KeyUnsupported),
        }
    }

    /// The binary form, as it is stored.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// SHA-256 of the binary form, in lower-case hexadecimal.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The subject's distinguished name, for people: bounded and escaped.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// When the certificate expires; sign-in does not stop then, but somebody should be warned before.
    pub fn not_after(&self) -> OffsetDateTime {
        self.not_after
    }

    /// The kind and size of the key.
    pub fn key_kind(&self) -> KeyKind {
        self.key_kind
    }

    pub(crate) fn family(&self) -> KeyFamily {
        match self.key_kind {
            KeyKind::Rsa(_) => KeyFamily::Rsa,
            KeyKind::Ec(_) => KeyFamily::EllipticCurve,
        }
    }

    pub(crate) fn verification_key(&self) -> Option<Key> {
        loader::load_x509_cert_der(&self.der).ok()
    }

    /// Whether this certificate's key made the signature, by an algorithm on the list.
    pub(crate) fn verifies(&self, algorithm: &str, message: &[u8], signature: &[u8]) -> bool {
        let key = self.verification_key().and_then(|key| key.to_signing_key().ok().flatten());
        let algorithm = bergshamra_crypto::sign::from_uri(algorithm).ok();
        key.zip(algorithm).is_some_and(|(key, algorithm)| algorithm.verify(&key, message, signature).unwrap_or(false))
    }
}

/// Where an identity provider wants to hear of logout (metadata 2.4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoutService {
    /// Where requests go.
    pub endpoint: Endpoint,
    /// Where answers go, if not to the same address (metadata 2.2.2).
    pub response_url: Option<Url>,
}

impl LogoutService {
    /// Checks the addresses as those for sign-in are checked.
    pub fn new(url: &str, response_url: Option<&str>, binding: Binding) -> Result<Self, SetupError> {
        Ok(Self {
            endpoint: Endpoint { url: protected(url)?, binding },
            response_url: response_url.map(protected).transpose()?,
        })
    }

    /// Where answers go.
    pub fn answers(&self) -> Endpoint {
        let url = self.response_url.as_ref().unwrap_or(&self.endpoint.url);
        Endpoint { url: url.clone(), binding: self.endpoint.binding }
    }
}

/// Where sign-in requests go and who may answer them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityProvider {
    /// The issuer of its messages (metadata 2.3.2).
    pub entity_id: String,
    /// Where sign-in requests go.
    pub sso: Endpoint,
    /// Where logout goes, if it takes part in it.
    pub slo: Option<LogoutService>,
    /// The certificates that may have signed an answer; several during a change.
    pub certificates: Vec<IdpCertificate>,
}

impl IdentityProvider {
    /// Reads the identity provider's metadata document (metadata 2.4.3).
    pub fn from_metadata(xml: &str) -> Result<Self, SetupError> {
        Ok(idp_metadata::read(xml)?.0)
    }

    /// The same of a document that was just fetched, which must be valid at `now` (metadata 2.3.2, `validUntil`). One that
    /// is pasted may be older: it is somebody who vouches for it.
    /// Also answers until when it is.
    pub fn from_current_metadata(xml: &str, now: OffsetDateTime) -> Result<(Self, Option<OffsetDateTime>), SetupError> {
        match idp_metadata::read(xml)? {
            (_, Some(until)) if until <= now => Err(SetupError::MetadataExpired { until }),
            current => Ok(current),
        }
    }

    /// Takes the three values that an identity provider's set-up page shows; several PEM certificates are kept.
    pub fn from_fields(sso_url: &str, issuer: &str, certificate: &str) -> Result<Self, SetupError> {
        let certificates = blocks(certificate)?;
        let certificates = certificates.iter().map(|der| IdpCertificate::from_der(der)).collect::<Result<_, _>>()?;
        Self::given(issuer, (sso_url, Binding::Redirect), certificates)
    }

    /// What somebody gives must also be bounded; what is stored was, and must go on to work.
    pub(crate) fn given(
        entity_id: &str,
        sso: (&str, Binding),
        certificates: Vec<IdpCertificate>,
    ) -> Result<Self, SetupError> {
        if entity_id.chars().count() > MAX_ENTITY_ID || entity_id.trim().contains(invisible) {
            return Err(SetupError::IssuerInvalid);
        }
        if certificates.len() > MAX_CERTIFICATES {
            return Err(SetupError::TooManyCertificates);
        }
        Self::checked(entity_id, sso, certificates)
    }

    /// Puts together what was stored.
    pub fn from_parts(entity_id: &str, sso: (&str, Binding), certificates_der: &[Vec<u8>]) -> Result<Self, SetupError> {
        let certificates =
            certificates_der.iter().map(|der| IdpCertificate::from_der(der)).collect::<Result<_, _>>()?;
        Self::checked(entity_id, sso, certificates)
    }

    /// There is no identity provider without a certificate: nothing it sends could ever be verified.
    fn checked(
        entity_id: &str,
        (sso_url, binding): (&str, Binding),
        certificates: Vec<IdpCertificate>,
    ) -> Result<Self, SetupError> {
        let entity_id = entity_id.trim();
        if entity_id.is_empty() {
            return Err(SetupError::IssuerMissing);
        }
        let sso = Endpoint { url: protected(sso_url)?, binding };
        if certificates.is_empty() {
            return Err(SetupError::CertificateMissing);
        }
        Ok(Self { entity_id: entity_id.to_owned(), sso, slo: None, certificates })
    }
}

fn protected(url: &str) -> Result<Url, SetupError> {
    let url = Url::parse(url.trim()).map_err(SetupError::SsoUrlInvalid)?;
    if is_protected(&url) { Ok(url) } else { Err(SetupError::SsoUrlInsecure) }
}

/// https, or http to this machine itself.
fn is_protected(url: &Url) -> bool {
    match url.scheme() {
        "https" => url.has_host(),
        "http" => match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address == std::net::Ipv4Addr::LOCALHOST,
            Some(Host::Ipv6(address)) => address == std::net::Ipv6Addr::LOCALHOST,
            None => false,
        },
        _ => false,
    }
}

/// The binary forms of all certificates in a text.
fn blocks(text: &str) -> Result<Vec<Vec<u8>>, SetupError> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    if !text.contains("-----") {
        let nothing = text.trim().is_empty();
        return if nothing { Ok(Vec::new()) } else { Ok(vec![decode(text)?]) };
    }
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(BEGIN) {
        let (body, after) = after.split_once(END).ok_or(SetupError::CertificateUnreadable)?;
        found.push(decode(body)?);
        rest = after;
    }
    if found.is_empty() { Err(SetupError::CertificateUnreadable) } else { Ok(found) }
}

pub(crate) fn decode(base64: &str) -> Result<Vec<u8>, SetupError> {
    let compact: String = base64.chars().filter(|character| !character.is_whitespace()).collect();
    STANDARD.decode(compact).map_err(|_| SetupError::CertificateUnreadable)
}

fn key_kind(certificate: &X509Certificate<'_>) -> Result<KeyKind, SetupError> {
    let key = certificate.public_key();
    match key.parsed().map_err(|_| SetupError::CertificateUnreadable)? {
        PublicKey::RSA(rsa) => {
            let bits = significant_bits(rsa.modulus);
            let right = (MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits);
            if right { Ok(KeyKind::Rsa(bits)) } else { Err(SetupError::RsaKeySize { bits }) }
        }
        PublicKey::EC(_) => {
            let curve = key.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
            match curve.map(|curve| curve.to_id_string()).as_deref() {
                Some("1.2.840.10045.3.1.7") => Ok(KeyKind::Ec(256)),
                Some("1.3.132.0.34") => Ok(KeyKind::Ec(384)),
                Some("1.3.132.0.35") => Ok(KeyKind::Ec(521)),
                _ => Err(SetupError::KeyUnsupported),
            }
        }
        _ => Err(SetupError::KeyUnsupported),
    }
}

fn significant_bits(number: &[u8]) -> usize {
    let mut digits = number.iter().skip_while(|byte| **byte == 0);
    match digits.next() {
        Some(first) => digits.count() * 8 + 8 - first.leading_zeros() as usize,
        None => 0,
    }
}

pub(crate) fn fingerprint(der: &[u8]) -> String {
    hex(digest(&SHA256, der).as_ref())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
