//! Certificates that identity providers seem to sign with, and that are not trusted.

use crate::{error::Result, tenant::TenantTx};
use domain::ids::ConnectionId;
use time::{Duration, OffsetDateTime};

/// How many of a connection are remembered, those that were seen last, and how many new ones are told of in a day: whoever is
/// not the identity provider can make up any number.
const MOST: i64 = 10;

/// A certificate that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenCertificate {
    /// SHA-256 in hexadecimal.
    pub fingerprint: String,
    pub subject: String,
    pub ends_at: OffsetDateTime,
    pub first_seen_at: OffsetDateTime,
    pub last_seen_at: OffsetDateTime,
}

/// Remembers that a certificate was seen; whether it is new and to be told of.
pub async fn remember(
    tx: &mut TenantTx,
    connection: ConnectionId,
    (fingerprint, subject, ends_at): (&str, &str, OffsetDateTime),
) -> Result<bool> {
    let now = tx.now();
    let again = sqlx::query!(
        "-- seen_certificates::again
         UPDATE seen_certificates SET last_seen_at = $3 WHERE connection_id = $1 AND fingerprint = $2",
        connection.0,
        fingerprint,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    if again.rows_affected() > 0 {
        return Ok(false);
    }
    let is_told = sqlx::query_scalar!(
        r#"-- seen_certificates::make_room
        WITH forgotten AS (
            DELETE FROM seen_certificates WHERE connection_id = $1 AND fingerprint IN (
                SELECT fingerprint FROM seen_certificates WHERE connection_id = $1
                ORDER BY last_seen_at DESC, fingerprint OFFSET $2)
        )
        SELECT count(*) < $3 AS "is_told!" FROM seen_certificates WHERE connection_id = $1 AND first_seen_at > $4"#,
        connection.0,
        MOST - 1,
        MOST,
        now - Duration::DAY
    )
    .fetch_one(tx.conn().await?)
    .await?;
    let first = sqlx::query!(
        "-- seen_certificates::first
         INSERT INTO seen_certificates (connection_id, fingerprint, subject, ends_at, first_seen_at, last_seen_at)
         VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT DO NOTHING",
        connection.0,
        fingerprint,
        subject,
        ends_at,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(is_told && first.rows_affected() == 1)
}

/// Those of the connection, the one seen last first.
pub async fn list(tx: &mut TenantTx, connection: ConnectionId) -> Result<Vec<SeenCertificate>> {
    let seen = sqlx::query_as!(
        SeenCertificate,
        "-- seen_certificates::list
         SELECT fingerprint, subject, ends_at, first_seen_at, last_seen_at FROM seen_certificates
         WHERE connection_id = $1 ORDER BY last_seen_at DESC, fingerprint LIMIT $2",
        connection.0,
        MOST
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(seen)
}

/// Forgets those of the connection: it was just said which ones are trusted.
pub async fn forget(tx: &mut TenantTx, connection: ConnectionId) -> Result<()> {
    sqlx::query!(
        "-- seen_certificates::forget
         DELETE FROM seen_certificates WHERE connection_id = $1",
        connection.0
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}
