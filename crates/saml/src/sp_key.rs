//! The keys of this side of a connection: they sign what we send, and RSA keys open what was encrypted for us.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use bergshamra_core::algorithm::{ECDSA_SHA256, RSA_SHA256};
use std::fmt;
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Why a key cannot be made or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Key generation failed.
    #[error("could not generate a key")]
    Generate(#[source] rcgen::Error),
    /// The private key is damaged or of another kind.
    #[error("the key is neither an RSA key of at least 2048 bits nor one on P-256, in PKCS#8")]
    PrivateKey,
    /// The certificate is damaged.
    #[error("the certificate of the key cannot be read")]
    Certificate,
    /// The certificate belongs to another key.
    #[error("the certificate does not belong to the key")]
    Mismatch,
    /// Signing failed.
    #[error("could not sign the message")]
    Sign,
    /// The message could not be written.
    #[error("could not write the message")]
    Message,
}

/// The kinds of keys that can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// RSA with 3072 bits: signs, and opens what is encrypted for us.
    Rsa3072,
    /// ECDSA on P-256: signs only.
    EcP256,
}

impl KeyAlgorithm {
    fn generate(self) -> Result<rcgen::KeyPair, KeyError> {
        let pair = match self {
            Self::Rsa3072 => rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_3072),
            Self::EcP256 => rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
        };
        pair.map_err(KeyError::Generate)
    }

    fn usages(self) -> Vec<rcgen::KeyUsagePurpose> {
        match self {
            Self::Rsa3072 => {
                vec![rcgen::KeyUsagePurpose::DigitalSignature, rcgen::KeyUsagePurpose::KeyEncipherment]
            }
            Self::EcP256 => vec![rcgen::KeyUsagePurpose::DigitalSignature],
        }
    }
}

/// A key with its certificate; the private part is never printed.
pub struct SpKey {
    pkcs8: Vec<u8>,
    certificate: Vec<u8>,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
}

impl Pair {
    fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let rsa = RsaKeyPair::from_pkcs8(der).map(Self::Rsa);
        let any = rsa.or_else(|_| EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map(Self::Ec));
        any.map_err(|_| KeyError::PrivateKey)
    }

    fn public_key(&self) -> &[u8] {
        match self {
            Self::Rsa(pair) => pair.public_key().as_ref(),
            Self::Ec(pair) => pair.public_key().as_ref(),
        }
    }
}

impl fmt::Debug for SpKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SpKey([secret])")
    }
}

impl SpKey {
    /// Makes a key and a certificate that it signs itself.
    pub fn generate(
        algorithm: KeyAlgorithm,
        common_name: &str,
        not_before: OffsetDateTime,
        not_after: OffsetDateTime,
    ) -> Result<Self, KeyError> {
        let pair = algorithm.generate()?;
        let mut parameters = rcgen::CertificateParams::default();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, common_name);
        parameters.not_before = not_before;
        parameters.not_after = not_after;
        parameters.key_usages = algorithm.usages();
        let certificate = parameters.self_signed(&pair).map_err(KeyError::Generate)?;
        Self::from_parts(pair.serialized_der(), certificate.der())
    }

    /// Puts a stored key and certificate together again; they must belong to each other.
    pub fn from_parts(pkcs8_der: &[u8], certificate_der: &[u8]) -> Result<Self, KeyError> {
        let pair = Pair::from_pkcs8(pkcs8_der)?;
        let (_, certificate) = X509Certificate::from_der(certificate_der).map_err(|_| KeyError::Certificate)?;
        if certificate.public_key().subject_public_key.data.as_ref() != pair.public_key() {
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

    /// The URI of the algorithm by which [`sign`](Self::sign) signs (RFC 9231 2.3).
    pub(crate) fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Rsa(_) => RSA_SHA256,
            Pair::Ec(_) => ECDSA_SHA256,
        }
    }

    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 8.2), or ECDSA with both numbers in full length (xmldsig 1.1 6.4.3).
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(|_| KeyError::Sign)?;
                Ok(signature)
            }
            Pair::Ec(pair) => Ok(pair.sign(&random, message).map_err(|_| KeyError::Sign)?.as_ref().to_vec()),
        }
    }
}
