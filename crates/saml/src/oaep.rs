//! RSA-OAEP with any of the hashes for digest and mask (RFC 8017 7.1, xmlenc 1.1 5.5.2).
//!
//! aws-lc-rs opens what has one hash for both. XML encryption 1.0 fixes the mask at SHA-1 and lets the digest be another,
//! which is what Keycloak sends; for these there is OpenSSL, which samael brings anyway.

use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OAEP_SHA384_MGF1SHA384, OAEP_SHA512_MGF1SHA512, OaepAlgorithm,
    OaepPrivateDecryptingKey, PrivateDecryptingKey,
};
use openssl::encrypt::Decrypter;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Padding;
use std::sync::OnceLock;

/// A hash of RSA-OAEP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    /// By the end of its URI: `sha256`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "sha1" => Some(Self::Sha1),
            "sha256" => Some(Self::Sha256),
            "sha384" => Some(Self::Sha384),
            "sha512" => Some(Self::Sha512),
            _ => None,
        }
    }

    /// The algorithm with this hash for both.
    fn for_both(self) -> &'static OaepAlgorithm {
        match self {
            Self::Sha1 => &OAEP_SHA1_MGF1SHA1,
            Self::Sha256 => &OAEP_SHA256_MGF1SHA256,
            Self::Sha384 => &OAEP_SHA384_MGF1SHA384,
            Self::Sha512 => &OAEP_SHA512_MGF1SHA512,
        }
    }

    fn digest(self) -> MessageDigest {
        match self {
            Self::Sha1 => MessageDigest::sha1(),
            Self::Sha256 => MessageDigest::sha256(),
            Self::Sha384 => MessageDigest::sha384(),
            Self::Sha512 => MessageDigest::sha512(),
        }
    }
}

/// What RSA-OAEP was made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Oaep {
    pub(crate) digest: Hash,
    pub(crate) mask: Hash,
    pub(crate) label: Option<Vec<u8>>,
}

/// A private RSA key. To read one costs more than to verify a signature, so that it is read when it is needed.
pub(crate) struct OaepKey {
    pkcs8: Vec<u8>,
    usual: OnceLock<Option<OaepPrivateDecryptingKey>>,
    mixed: OnceLock<Option<PKey<Private>>>,
}

impl OaepKey {
    /// Takes a key in PKCS#8; one of another kind opens nothing.
    pub(crate) fn from_pkcs8(pkcs8: Vec<u8>) -> Self {
        Self { pkcs8, usual: OnceLock::new(), mixed: OnceLock::new() }
    }

    /// What was sealed for this key.
    pub(crate) fn open(&self, oaep: &Oaep, sealed: &[u8]) -> Option<Vec<u8>> {
        if oaep.digest == oaep.mask { self.open_usual(oaep, sealed) } else { self.open_mixed(oaep, sealed) }
    }

    fn open_usual(&self, oaep: &Oaep, sealed: &[u8]) -> Option<Vec<u8>> {
        let read = || OaepPrivateDecryptingKey::new(PrivateDecryptingKey::from_pkcs8(&self.pkcs8).ok()?).ok();
        let key = self.usual.get_or_init(read).as_ref()?;
        let mut room = vec![0; key.min_output_size()];
        let opened = key.decrypt(oaep.digest.for_both(), sealed, &mut room, oaep.label.as_deref()).ok()?;
        Some(opened.to_vec())
    }

    fn open_mixed(&self, oaep: &Oaep, sealed: &[u8]) -> Option<Vec<u8>> {
        let read = || PKey::private_key_from_pkcs8(&self.pkcs8).ok();
        let key = self.mixed.get_or_init(read).as_ref()?;
        mixed(key, oaep, sealed).ok()
    }
}

fn mixed(key: &PKey<Private>, oaep: &Oaep, sealed: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let mut decrypter = Decrypter::new(key)?;
    decrypter.set_rsa_padding(Padding::PKCS1_OAEP)?;
    decrypter.set_rsa_oaep_md(oaep.digest.digest())?;
    decrypter.set_rsa_mgf1_md(oaep.mask.digest())?;
    if let Some(label) = &oaep.label {
        decrypter.set_rsa_oaep_label(label)?;
    }
    let mut opened = vec![0; decrypter.decrypt_len(sealed)?];
    let length = decrypter.decrypt(sealed, &mut opened)?;
    opened.truncate(length);
    Ok(opened)
}
