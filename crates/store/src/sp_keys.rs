//! Keys with which the gateway signs AuthnRequests, sealed under the root key.

use crate::{control::ControlTx, error::Result, moment::Moment, pooled::one_row, tenant::TenantTx};
use domain::ids::{ConnectionId, TenantId};
use sqlx::{Row, postgres::PgRow};
use time::OffsetDateTime;
use uuid::Uuid;

/// A key as stored.
#[derive(Debug, Clone)]
pub struct SealedSpKey {
    pub id: Uuid,
    pub root_key_id: String,
    pub sealed: Vec<u8>,
    /// X.509 DER.
    pub certificate: Vec<u8>,
    /// `rsa` or `ec`.
    pub algorithm: String,
    /// Whether it signs; otherwise it only decrypts.
    pub signs: bool,
    /// From when it signs, unless a younger one does; from the beginning if that is not said.
    pub signs_from: Option<OffsetDateTime>,
    /// From when it is of no use any more.
    pub ends_at: Option<OffsetDateTime>,
}

/// Stores a new key.
pub async fn insert(tx: &mut TenantTx, connection: ConnectionId, key: &SealedSpKey) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "-- sp_keys::insert
         INSERT INTO sp_keys (id, connection_id, root_key_id, sealed, certificate, algorithm, signs, signs_from, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        key.id,
        connection.0,
        key.root_key_id,
        key.sealed,
        key.certificate,
        key.algorithm,
        key.signs,
        key.signs_from,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// The connection's keys that are of use, newest first.
pub async fn list(tx: &mut TenantTx, connection: ConnectionId) -> Result<Vec<SealedSpKey>> {
    let now = tx.now();
    let keys = sqlx::query_as!(
        SealedSpKey,
        "-- sp_keys::list
         SELECT id, root_key_id, sealed, certificate, algorithm, signs, signs_from, ends_at FROM sp_keys
         WHERE connection_id = $1 AND (ends_at IS NULL OR ends_at > $2)
         ORDER BY created_at DESC, id DESC LIMIT 10",
        connection.0,
        now
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(keys)
}

/// A row of a message with several statements.
pub(crate) fn read(row: &PgRow) -> Result<SealedSpKey> {
    let moment = |name| Ok::<_, sqlx::Error>(row.try_get::<Option<Moment>, _>(name)?.map(|Moment(at)| at));
    Ok(SealedSpKey {
        id: row.try_get("id")?,
        root_key_id: row.try_get("root_key_id")?,
        sealed: row.try_get("sealed")?,
        certificate: row.try_get("certificate")?,
        algorithm: row.try_get("algorithm")?,
        signs: row.try_get("signs")?,
        signs_from: moment("signs_from")?,
        ends_at: moment("ends_at")?,
    })
}

/// Sets the end of a key of the connection.
pub async fn end(tx: &mut TenantTx, connection: ConnectionId, id: Uuid, ends_at: OffsetDateTime) -> Result<()> {
    let done = sqlx::query!(
        "-- sp_keys::end
         UPDATE sp_keys SET ends_at = $3 WHERE connection_id = $1 AND id = $2",
        connection.0,
        id,
        ends_at
    )
    .execute(tx.conn().await?)
    .await?;
    one_row(&done)
}

/// Keys of all tenants that are not sealed under `root_key_id`, to be sealed again.
pub async fn sealed_otherwise(tx: &mut ControlTx, root_key_id: &str) -> Result<Vec<(TenantId, SealedSpKey)>> {
    let rows = sqlx::query!(
        "-- sp_keys::sealed_otherwise
         SELECT tenant_id, id, root_key_id, sealed, certificate, algorithm, signs, signs_from, ends_at FROM sp_keys
         WHERE root_key_id <> $1 ORDER BY tenant_id, id LIMIT 500",
        root_key_id
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let key = SealedSpKey {
                id: row.id,
                root_key_id: row.root_key_id,
                sealed: row.sealed,
                certificate: row.certificate,
                algorithm: row.algorithm,
                signs: row.signs,
                signs_from: row.signs_from,
                ends_at: row.ends_at,
            };
            (TenantId(row.tenant_id), key)
        })
        .collect())
}

/// Stores a key sealed again.
pub async fn reseal(tx: &mut ControlTx, tenant: TenantId, key: &SealedSpKey) -> Result<()> {
    let done = sqlx::query!(
        "-- sp_keys::reseal
         UPDATE sp_keys SET root_key_id = $3, sealed = $4 WHERE tenant_id = $1 AND id = $2",
        tenant.0,
        key.id,
        key.root_key_id,
        key.sealed
    )
    .execute(tx.conn())
    .await?;
    one_row(&done)
}

/// The root keys that stored keys are sealed under.
pub async fn root_key_ids(tx: &mut ControlTx) -> Result<Vec<String>> {
    let ids = sqlx::query_scalar!(
        r#"-- sp_keys::root_key_ids
        SELECT DISTINCT root_key_id AS "id!" FROM
            (SELECT root_key_id FROM sp_keys UNION ALL SELECT root_key_id FROM signing_keys) AS keys
        ORDER BY 1 LIMIT 100"#
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(ids)
}
