//! The keys of a connection: which one signs, which ones open what was encrypted, which ones the metadata shows.
//!
//! A key that follows another is published before it signs, and the one before it opens messages until it is retired: so
//! identity providers may take their time to learn of it, and no sign-in fails meanwhile.

use crate::{app::Inner, error::Error, vault::Purpose};
use ::saml::{
    decryption::DecryptionKey,
    idp::IdpCertificate,
    sp_key::{KeyAlgorithm, SpKey},
};
use anyhow::Context;
use domain::ids::ConnectionId;
use store::{
    sp_keys::{self, SealedSpKey},
    tenant::TenantTx,
};
use time::OffsetDateTime;

/// The keys of a connection that are of use, newest first.
pub struct Keys {
    all: Vec<SealedSpKey>,
    now: OffsetDateTime,
}

/// The name under which a kind of key is stored.
pub fn name(algorithm: KeyAlgorithm) -> &'static str {
    match algorithm {
        KeyAlgorithm::Rsa3072 => "rsa",
        KeyAlgorithm::EcP256 => "ec",
    }
}

fn decrypts(key: &SealedSpKey) -> bool {
    key.algorithm == name(KeyAlgorithm::Rsa3072)
}

impl Keys {
    /// Reads them.
    ///
    /// # Errors
    /// When the database cannot be used.
    pub async fn of(tx: &mut TenantTx, connection: ConnectionId) -> Result<Self, Error> {
        Ok(Self::from_stored(sp_keys::list(tx, connection).await?, tx.now()))
    }

    /// Those that were read, newest first.
    pub fn from_stored(all: Vec<SealedSpKey>, now: OffsetDateTime) -> Self {
        Self { all, now }
    }

    /// All of them.
    pub fn all(&self) -> &[SealedSpKey] {
        &self.all
    }

    /// The one that signs now: the newest whose time has come.
    pub fn signing(&self) -> Option<&SealedSpKey> {
        self.all.iter().find(|key| key.signs && !self.is_pending(key))
    }

    /// Whether it will sign, and does not yet.
    pub fn is_pending(&self, key: &SealedSpKey) -> bool {
        key.signs && key.signs_from.is_some_and(|from| self.now < from)
    }

    /// The one to encrypt for: the newest that can decrypt, because older ones can still be used as well.
    pub fn encryption(&self) -> Option<&SealedSpKey> {
        self.all.iter().find(|key| decrypts(key))
    }

    /// When the last certificate ends.
    pub fn end(&self) -> Option<OffsetDateTime> {
        let ends = self.all.iter().filter_map(|key| IdpCertificate::from_der(&key.certificate).ok());
        ends.map(|certificate| certificate.not_after()).max()
    }

    /// The certificates that verify what was or will be signed.
    pub fn signing_certificates(&self) -> Vec<&[u8]> {
        let signing = self.all.iter().filter(|key| key.signs);
        signing.map(|key| key.certificate.as_slice()).collect()
    }

    /// The key that signs, opened.
    ///
    /// # Errors
    /// [`Error::Internal`] when there is none, or it does not read.
    pub fn signer(&self, app: &Inner) -> Result<SpKey, Error> {
        let key = self.signing().context("a connection has no key of its own")?;
        let read = SpKey::from_parts(&private_part(app, key)?, &key.certificate);
        Ok(read.context("a stored key does not read any more")?)
    }

    /// The keys for what is encrypted.
    ///
    /// # Errors
    /// [`Error::Internal`] when one cannot be unsealed.
    pub fn decryption(&self, app: &Inner) -> Result<Vec<DecryptionKey>, Error> {
        let keys = self.all.iter().filter(|key| decrypts(key));
        keys.map(|key| Ok(DecryptionKey::from_pkcs8(private_part(app, key)?))).collect()
    }
}

/// The private part of a stored key, in PKCS#8.
fn private_part(app: &Inner, key: &SealedSpKey) -> Result<Vec<u8>, Error> {
    Ok(app.vault.open(Purpose::SpKey, key.id, &key.root_key_id, &key.sealed)?)
}
