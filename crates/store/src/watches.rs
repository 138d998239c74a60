//! What is looked at from time to time: the metadata of identity providers, and certificates that end.

use crate::{control::ControlTx, error::Result, pooled::one_row, tenant::TenantTx};
use domain::ids::{ConnectionId, TenantId};
use serde_json::Value;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// What is known of a connection from looking at it; nothing of one that was made by a version that did not look.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Watch {
    /// Where the metadata are, if they were given so.
    pub metadata_url: Option<String>,
    /// The `ETag` of the document that was taken last.
    pub etag: Option<String>,
    /// Its `Last-Modified`.
    pub last_modified: Option<String>,
    /// Until when it is valid.
    pub valid_until: Option<OffsetDateTime>,
    /// When the document was last as it should be.
    pub fetched_at: Option<OffsetDateTime>,
    /// Why it is not.
    pub problem: Option<String>,
    /// By the fingerprint of a certificate, how many days before its end was last told; whose meaning is not the store's.
    pub told: Value,
}

/// Begins to watch a connection.
pub async fn insert(tx: &mut TenantTx, connection: ConnectionId) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "-- watches::insert
         INSERT INTO watches (connection_id, due_at) VALUES ($1, $2)",
        connection.0,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// What is known of the connection.
pub async fn of(tx: &mut TenantTx, connection: ConnectionId) -> Result<Watch> {
    let watch = sqlx::query_as!(
        Watch,
        "-- watches::of
         SELECT metadata_url, etag, last_modified, valid_until, fetched_at, problem, told FROM watches
         WHERE connection_id = $1",
        connection.0
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(watch.unwrap_or_default())
}

/// Stores what is known now that somebody looked, and when to look again.
pub async fn update(tx: &mut TenantTx, connection: ConnectionId, watch: &Watch, due_at: OffsetDateTime) -> Result<()> {
    let now = tx.now();
    let done = sqlx::query!(
        "-- watches::update
         INSERT INTO watches (connection_id, metadata_url, etag, last_modified, valid_until, asked_at, fetched_at,
                              problem, told, due_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (tenant_id, connection_id) DO UPDATE SET metadata_url = $2, etag = $3, last_modified = $4,
             valid_until = $5, asked_at = $6, fetched_at = $7, problem = $8, told = $9,
             -- Who saved a policy of roles meanwhile wants it to be looked at.
             due_at = CASE WHEN watches.roles_since IS NULL THEN $10 ELSE least($10, watches.roles_since + '90 s') END",
        connection.0,
        watch.metadata_url,
        watch.etag,
        watch.last_modified,
        watch.valid_until,
        now,
        watch.fetched_at,
        watch.problem,
        watch.told,
        due_at
    )
    .execute(tx.conn().await?)
    .await?;
    one_row(&done)
}

/// Has somebody look at once, if the metadata were given by URL and nobody has asked for them since `before`.
pub async fn hurry(tx: &mut TenantTx, connection: ConnectionId, before: OffsetDateTime) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "-- watches::hurry
         UPDATE watches SET due_at = $2
         WHERE connection_id = $1 AND metadata_url IS NOT NULL AND asked_at < $3 AND due_at > $2",
        connection.0,
        now,
        before
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// Takes connections that somebody has to look at, the longest due first, and keeps them from others for so long.
pub async fn take(tx: &mut ControlTx, most: i64, lease: Duration) -> Result<Vec<(TenantId, ConnectionId)>> {
    let now = tx.now();
    let rows = sqlx::query!(
        "-- watches::take
         WITH due AS MATERIALIZED (
             SELECT tenant_id, connection_id FROM watches WHERE due_at <= $2 ORDER BY due_at LIMIT $3
             FOR UPDATE SKIP LOCKED
         )
         UPDATE watches w SET due_at = $1, asked_at = $2 FROM due
         WHERE w.tenant_id = due.tenant_id AND w.connection_id = due.connection_id
         RETURNING w.tenant_id, w.connection_id",
        now + lease,
        now,
        most
    )
    .fetch_all(tx.conn())
    .await?;
    let taken = |(tenant, connection): (Uuid, Uuid)| (TenantId(tenant), ConnectionId(connection));
    Ok(rows.into_iter().map(|row| taken((row.tenant_id, row.connection_id))).collect())
}
