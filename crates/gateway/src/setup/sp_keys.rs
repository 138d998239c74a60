//! Keys of a connection: made, followed by another, retired.

use super::{changed, operator, tenant_of};
use crate::{
    error::Error,
    saml::keys::{self, Keys},
    vault::{Purpose, Vault},
};
use ::saml::sp_key::{KeyAlgorithm, SpKey};
use anyhow::Context;
use domain::{ids::ConnectionId, refusal::Refusal};
use store::{
    sp_keys::{self, SealedSpKey},
    store::Store,
    tenant::TenantTx,
};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// How long the self-signed certificate of a connection's key lasts.
const CERTIFICATE_LIFETIME: Duration = Duration::days(10 * 365);

/// Keys of a connection that may be of use at the same time; each may cost an RSA operation for what anybody sends.
const MOST: usize = 4;

/// When a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    AtOnce,
    From(OffsetDateTime),
    /// It only decrypts.
    Never,
}

/// Makes a key, which takes a moment: not inside a transaction.
pub(super) fn generate(algorithm: KeyAlgorithm, now: OffsetDateTime) -> Result<SpKey, Error> {
    let (begin, end) = (now - Duration::DAY, now + CERTIFICATE_LIFETIME);
    Ok(SpKey::generate(algorithm, "Gatehouse", begin, end).context("a key is made")?)
}

/// Seals and stores a key.
pub(super) async fn insert(
    tx: &mut TenantTx,
    vault: &Vault,
    connection: ConnectionId,
    key: &SpKey,
    algorithm: KeyAlgorithm,
    signing: Signing,
) -> Result<Uuid, Error> {
    let id = tx.new_id();
    let sealed = vault.seal(Purpose::SpKey, id, key.pkcs8_der())?;
    let stored = SealedSpKey {
        id,
        root_key_id: sealed.root_key_id,
        sealed: sealed.bytes,
        certificate: key.certificate_der().to_vec(),
        algorithm: keys::name(algorithm).to_owned(),
        signs: signing != Signing::Never,
        signs_from: match signing {
            Signing::From(begin) => Some(begin),
            Signing::AtOnce | Signing::Never => None,
        },
        ends_at: None,
    };
    sp_keys::insert(tx, connection, &stored).await?;
    Ok(id)
}

/// Makes the key that follows, which is published at once.
///
/// # Errors
/// [`Refusal::KeysTooMany`] while too many older ones are not retired.
pub async fn rotate(
    store: &Store,
    now: OffsetDateTime,
    vault: &Vault,
    connection: ConnectionId,
    algorithm: KeyAlgorithm,
    signing: Signing,
) -> Result<Uuid, Error> {
    let key = generate(algorithm, now)?;
    let mut tx = operator(store, tenant_of(store, now, connection).await?, now).await?;
    if Keys::of(&mut tx, connection).await?.all().len() >= MOST {
        return Err(Refusal::KeysTooMany { most: MOST }.into());
    }
    let id = insert(&mut tx, vault, connection, &key, algorithm, signing).await?;
    changed(&mut tx, connection, "key made").await?;
    tx.commit().await?;
    Ok(id)
}

/// Takes a key out of use.
///
/// # Errors
/// [`Refusal::KeyInUse`] for the one that signs and the one that the metadata says to encrypt for; [`Error::NotFound`].
pub async fn retire(store: &Store, now: OffsetDateTime, connection: ConnectionId, id: Uuid) -> Result<(), Error> {
    let mut tx = operator(store, tenant_of(store, now, connection).await?, now).await?;
    let keys = Keys::of(&mut tx, connection).await?;
    if !keys.all().iter().any(|key| key.id == id) {
        return Err(Error::NotFound);
    }
    if [keys.signing(), keys.encryption()].into_iter().flatten().any(|key| key.id == id) {
        return Err(Refusal::KeyInUse.into());
    }
    sp_keys::end(&mut tx, connection, id, now).await?;
    changed(&mut tx, connection, "key retired").await?;
    Ok(tx.commit().await?)
}
