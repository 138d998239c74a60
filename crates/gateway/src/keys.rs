//! The keys that sign tokens: made at the first start, sealed at rest, held in memory.

use crate::vault::{Purpose, Vault};
use anyhow::{Context, bail};
use oidc::keys::{Algorithm, SigningKey};
use store::{
    control::ControlTx,
    signing_keys::{self, SealedSigningKey},
    sp_keys,
    store::Store,
};
use time::OffsetDateTime;
use uuid::Uuid;

/// All keys, oldest first.
pub struct TokenKeys {
    keys: Vec<SigningKey>,
}

impl TokenKeys {
    /// Opens the stored keys; makes one of each algorithm that has none, under a lock that other processes wait for.
    ///
    /// # Errors
    /// When the database cannot be used, or keys are sealed under a root key that is not here.
    pub async fn load_or_create(store: &Store, vault: &Vault, now: OffsetDateTime) -> anyhow::Result<Self> {
        let mut tx = store.control(now).await.context("the database cannot be reached")?;
        refuse_unknown_root_keys(&mut tx, vault).await?;
        signing_keys::lock(&mut tx).await?;
        let mut stored = signing_keys::list(&mut tx).await?;
        for algorithm in [Algorithm::Rs256, Algorithm::Es256] {
            if !stored.iter().any(|key| key.algorithm == algorithm.to_string()) {
                let key = new_key(tx.new_id(), algorithm, vault)?;
                signing_keys::insert(&mut tx, &key).await?;
                stored.push(key);
            }
        }
        tx.commit().await?;
        let keys = stored.iter().map(|key| open(key, vault)).collect::<anyhow::Result<Vec<_>>>()?;
        Ok(Self { keys })
    }

    /// The key that signs with that algorithm: the oldest, so that every process picks the same.
    pub fn signer(&self, algorithm: Algorithm) -> Option<&SigningKey> {
        self.keys.iter().find(|key| key.algorithm() == algorithm)
    }

    /// All keys, for verification and the JWKS.
    pub fn all(&self) -> &[SigningKey] {
        &self.keys
    }
}

/// Opens every stored token key, and makes none.
///
/// # Errors
/// As [`TokenKeys::load_or_create`].
pub async fn check(store: &Store, vault: &Vault, now: OffsetDateTime) -> anyhow::Result<()> {
    let mut tx = store.control(now).await.context("the database cannot be reached")?;
    refuse_unknown_root_keys(&mut tx, vault).await?;
    let stored = signing_keys::list(&mut tx).await?;
    tx.rollback().await?;
    stored.iter().try_for_each(|key| open(key, vault).map(drop))
}

/// Seals every stored key again that is not sealed under the newest root key; answers how many.
///
/// # Errors
/// When a key does not open or cannot be stored; what was done so far in this call is undone.
pub async fn reseal(store: &Store, vault: &Vault, now: OffsetDateTime) -> anyhow::Result<usize> {
    let mut tx = store.control(now).await?;
    refuse_unknown_root_keys(&mut tx, vault).await?;
    let mut count = 0;
    for key in signing_keys::list(&mut tx).await? {
        if key.root_key_id != vault.sealing_key_id() {
            let plain = vault.open(Purpose::SigningKey, key.id, &key.root_key_id, &key.sealed)?;
            let sealed = vault.seal(Purpose::SigningKey, key.id, &plain)?;
            let key = SealedSigningKey { root_key_id: sealed.root_key_id, sealed: sealed.bytes, ..key };
            signing_keys::reseal(&mut tx, &key).await?;
            count += 1;
        }
    }
    loop {
        let batch = sp_keys::sealed_otherwise(&mut tx, vault.sealing_key_id()).await?;
        if batch.is_empty() {
            break;
        }
        for (tenant, mut key) in batch {
            let plain = vault.open(Purpose::SpKey, key.id, &key.root_key_id, &key.sealed)?;
            let sealed = vault.seal(Purpose::SpKey, key.id, &plain)?;
            (key.root_key_id, key.sealed) = (sealed.root_key_id, sealed.bytes);
            sp_keys::reseal(&mut tx, tenant, &key).await?;
            count += 1;
        }
    }
    tx.commit().await?;
    Ok(count)
}

async fn refuse_unknown_root_keys(tx: &mut ControlTx, vault: &Vault) -> anyhow::Result<()> {
    let needed = sp_keys::root_key_ids(tx).await?;
    let missing: Vec<String> = needed.into_iter().filter(|id| !vault.key_ids().any(|have| have == id)).collect();
    if !missing.is_empty() {
        bail!(
            "stored keys are sealed under the root key {}, which is not in keys.root; add its line to the key file",
            missing.join(", ")
        );
    }
    Ok(())
}

fn new_key(id: Uuid, algorithm: Algorithm, vault: &Vault) -> anyhow::Result<SealedSigningKey> {
    let der = SigningKey::generate(algorithm)?;
    let sealed = vault.seal(Purpose::SigningKey, id, &der)?;
    Ok(SealedSigningKey { id, algorithm: algorithm.to_string(), root_key_id: sealed.root_key_id, sealed: sealed.bytes })
}

fn open(key: &SealedSigningKey, vault: &Vault) -> anyhow::Result<SigningKey> {
    let der = vault.open(Purpose::SigningKey, key.id, &key.root_key_id, &key.sealed)?;
    let algorithm: Algorithm = key.algorithm.parse().ok().context("a stored key has an unknown algorithm")?;
    Ok(SigningKey::from_pkcs8(&key.id.to_string(), algorithm, &der)?)
}
