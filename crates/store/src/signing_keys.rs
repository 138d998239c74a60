//! Keys that sign tokens; one issuer serves all tenants.

use crate::{control::ControlTx, error::Result, pooled::one_row};
use time::OffsetDateTime;
use uuid::Uuid;

/// A key as stored.
#[derive(Debug, Clone)]
pub struct SealedSigningKey {
    /// The `kid`.
    pub id: Uuid,
    /// `RS256` or `ES256`.
    pub algorithm: String,
    pub root_key_id: String,
    pub sealed: Vec<u8>,
    /// From when on it signs; it is published before.
    pub signs_from: OffsetDateTime,
}

/// Stores a new key.
pub async fn insert(tx: &mut ControlTx, key: &SealedSigningKey) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "-- signing_keys::insert
         INSERT INTO signing_keys (id, algorithm, root_key_id, sealed, created_at, signs_from) VALUES ($1, $2, $3, $4, $5, $6)",
        key.id,
        key.algorithm,
        key.root_key_id,
        key.sealed,
        now,
        key.signs_from
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// All keys, in the order in which they sign.
pub async fn list(tx: &mut ControlTx) -> Result<Vec<SealedSigningKey>> {
    let keys = sqlx::query_as!(
        SealedSigningKey,
        "-- signing_keys::list
         SELECT id, algorithm, root_key_id, sealed, signs_from FROM signing_keys ORDER BY signs_from, created_at, id LIMIT 100"
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(keys)
}

/// Removes a key; what it signed is not believed any more.
pub async fn delete(tx: &mut ControlTx, id: Uuid) -> Result<()> {
    let done =
        sqlx::query!("-- signing_keys::delete\n DELETE FROM signing_keys WHERE id = $1", id).execute(tx.conn()).await?;
    one_row(&done)
}

/// Keeps others from making keys until this transaction ends.
pub async fn lock(tx: &mut ControlTx) -> Result<()> {
    sqlx::query!("-- signing_keys::lock\n SELECT pg_advisory_xact_lock(7238001)").fetch_one(tx.conn()).await?;
    Ok(())
}

/// Stores a key sealed again.
pub async fn reseal(tx: &mut ControlTx, key: &SealedSigningKey) -> Result<()> {
    let done = sqlx::query!(
        "-- signing_keys::reseal
         UPDATE signing_keys SET root_key_id = $2, sealed = $3 WHERE id = $1",
        key.id,
        key.root_key_id,
        key.sealed
    )
    .execute(tx.conn())
    .await?;
    one_row(&done)
}
