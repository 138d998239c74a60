//! The cryptography of XML encryption 1.1: AES in CBC and GCM, under a key that RSA-OAEP carries.
//!
//! Whoever can tell one failure from another can decrypt without the key. So a key that does not come out is replaced
//! by a random one, and everything behind it fails in one and the same way.

use crate::oaep::{Oaep, OaepKey};
use aws_lc_rs::aead::{self, AES_128_GCM, AES_192_GCM, AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::cipher::{self, AES_128, AES_192, AES_256, DecryptingKey, DecryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::{FixedLength, IV_LEN_128_BIT};
use aws_lc_rs::rand;
use std::fmt;

/// RSA operations that one message may cost; anybody may send one.
const MAX_TRIES: usize = 8;

/// A private key for what is encrypted for this connection; it is never printed.
pub struct DecryptionKey(OaepKey);

impl fmt::Debug for DecryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DecryptionKey([secret])")
    }
}

impl DecryptionKey {
    /// Takes an RSA key in PKCS#8; one of another kind opens nothing. It is read when it is first needed.
    pub fn from_pkcs8(der: Vec<u8>) -> Self {
        Self(OaepKey::from_pkcs8(der))
    }
}

/// A key that was sealed for somebody (xmlenc 1.1 3.5.1).
pub(crate) struct CarriedKey {
    pub(crate) oaep: Oaep,
    pub(crate) sealed: Vec<u8>,
}

/// How the content is encrypted (xmlenc 1.1 5.2).
#[derive(Clone, Copy)]
pub(crate) enum Cipher {
    Cbc { algorithm: &'static cipher::Algorithm, key_bytes: usize },
    Gcm { algorithm: &'static aead::Algorithm },
}

/// What can be decrypted, the best first.
pub(crate) const CIPHERS: [(&str, Cipher); 6] = [
    ("http://www.w3.org/2009/xmlenc11#aes256-gcm", Cipher::Gcm { algorithm: &AES_256_GCM }),
    ("http://www.w3.org/2009/xmlenc11#aes192-gcm", Cipher::Gcm { algorithm: &AES_192_GCM }),
    ("http://www.w3.org/2009/xmlenc11#aes128-gcm", Cipher::Gcm { algorithm: &AES_128_GCM }),
    ("http://www.w3.org/2001/04/xmlenc#aes256-cbc", Cipher::Cbc { algorithm: &AES_256, key_bytes: 32 }),
    ("http://www.w3.org/2001/04/xmlenc#aes192-cbc", Cipher::Cbc { algorithm: &AES_192, key_bytes: 24 }),
    ("http://www.w3.org/2001/04/xmlenc#aes128-cbc", Cipher::Cbc { algorithm: &AES_128, key_bytes: 16 }),
];

impl Cipher {
    /// The algorithm with that URI, if it is on the list.
    pub(crate) fn by_uri(uri: &str) -> Option<Self> {
        CIPHERS.iter().find(|(known, _)| *known == uri).map(|(_, cipher)| *cipher)
    }

    /// Opens the content with whichever of these carried keys one of ours opens. All are tried, so that the time does
    /// not tell which one it was.
    pub(crate) fn open(self, content: &[u8], carried: &[CarriedKey], keys: &[DecryptionKey]) -> Option<Vec<u8>> {
        let pairs = keys.iter().flat_map(|key| carried.iter().map(move |carried| (key, carried)));
        let opened = pairs.take(MAX_TRIES).filter_map(|(key, carried)| key.0.open(&carried.oaep, &carried.sealed));
        let fitting: Vec<Vec<u8>> = opened.filter(|key| key.len() == self.key_bytes()).collect();
        let key = match fitting.into_iter().next() {
            Some(key) => key,
            None => self.random_key()?,
        };
        match self {
            Self::Cbc { algorithm, .. } => open_cbc(algorithm, &key, content),
            Self::Gcm { algorithm } => open_gcm(algorithm, &key, content),
        }
    }

    fn key_bytes(self) -> usize {
        match self {
            Self::Cbc { key_bytes, .. } => key_bytes,
            Self::Gcm { algorithm } => algorithm.key_len(),
        }
    }

    fn random_key(self) -> Option<Vec<u8>> {
        let mut key = vec![0; self.key_bytes()];
        rand::fill(&mut key).ok()?;
        Some(key)
    }
}

/// Initialization vector, then blocks; the last byte tells how many bytes of padding there are, and the others of them
/// may be anything (xmlenc 1.1 5.2.1).
fn open_cbc(algorithm: &'static cipher::Algorithm, key: &[u8], content: &[u8]) -> Option<Vec<u8>> {
    let (iv, blocks) = content.split_first_chunk::<IV_LEN_128_BIT>()?;
    let key = DecryptingKey::cbc(UnboundCipherKey::new(algorithm, key).ok()?).ok()?;
    let mut text = blocks.to_vec();
    key.decrypt(&mut text, DecryptionContext::Iv128(FixedLength::from(*iv))).ok()?;
    let padding = usize::from(*text.last()?);
    if !(1..=algorithm.block_len()).contains(&padding) {
        return None;
    }
    text.truncate(text.len().checked_sub(padding)?);
    Some(text)
}

/// Nonce, content, tag (xmlenc 1.1 5.2.4).
fn open_gcm(algorithm: &'static aead::Algorithm, key: &[u8], content: &[u8]) -> Option<Vec<u8>> {
    let (nonce, sealed) = content.split_first_chunk::<NONCE_LEN>()?;
    let key = LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?);
    let mut text = sealed.to_vec();
    let length = key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::empty(), &mut text).ok()?.len();
    text.truncate(length);
    Some(text)
}
