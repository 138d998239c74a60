//! How many people of a connection went within the hour, and whether a sync is paused for that. Counted in several rows, so that
//! departures at the same moment seldom wait for each other.

use crate::{error::Result, tenant::TenantTx};
use domain::{guard::Departures, ids::ConnectionId};
use time::OffsetDateTime;

/// Rows among which the count is spread.
const SLOTS: u128 = 8;

/// How it stands with a connection's departures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guard {
    /// When the window began, and what happened in it.
    pub since: OffsetDateTime,
    pub departures: Departures,
    /// Since when nobody goes until somebody says so.
    pub paused_at: Option<OffsetDateTime>,
    /// Until when everybody may go.
    pub approved_until: Option<OffsetDateTime>,
}

/// How it stands; nothing where nobody has gone yet.
pub async fn guard(tx: &mut TenantTx, connection: ConnectionId) -> Result<Option<Guard>> {
    let row = sqlx::query!(
        r#"-- departures::guard
        SELECT g.since, g.there, g.paused_at, g.approved_until,
               (SELECT coalesce(sum(d.gone), 0)::bigint FROM departures d
                WHERE d.connection_id = $1 AND d.since = g.since) AS "gone!"
        FROM guards g WHERE g.connection_id = $1"#,
        connection.0
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    let number = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(row.map(|row| Guard {
        since: row.since,
        departures: Departures { there: number(i64::from(row.there)), gone: number(row.gone) },
        paused_at: row.paused_at,
        approved_until: row.approved_until,
    }))
}

/// Begins a window now, unless somebody else has just begun one after `before`; counts who is there.
pub async fn begin(tx: &mut TenantTx, connection: ConnectionId, before: Option<OffsetDateTime>) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "-- departures::begin
         INSERT INTO guards (connection_id, since, there)
         SELECT $1, $2, (SELECT count(*) FROM accounts WHERE connection_id = $1 AND active)
         ON CONFLICT (tenant_id, connection_id) DO UPDATE SET since = excluded.since, there = excluded.there
         WHERE guards.since = $3",
        connection.0,
        now,
        before
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// Counts one who goes, in the window that began then.
pub async fn count(tx: &mut TenantTx, connection: ConnectionId, since: OffsetDateTime) -> Result<()> {
    let slot = i16::try_from(tx.new_id().as_u128() % SLOTS).unwrap_or_default();
    sqlx::query!(
        "-- departures::count
         INSERT INTO departures (connection_id, slot, since, gone) VALUES ($1, $2, $3, 1)
         ON CONFLICT (tenant_id, connection_id, slot) DO UPDATE
         SET gone = CASE WHEN departures.since = excluded.since THEN departures.gone + 1 ELSE 1 END, since = excluded.since",
        connection.0,
        slot,
        since
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// Has nobody go any more; whether that is news.
pub async fn pause(tx: &mut TenantTx, connection: ConnectionId) -> Result<bool> {
    let now = tx.now();
    let done = sqlx::query!(
        "-- departures::pause
         UPDATE guards SET paused_at = $2 WHERE connection_id = $1 AND paused_at IS NULL",
        connection.0,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Has people go again: everybody until then, or as many as before.
pub async fn resume(tx: &mut TenantTx, connection: ConnectionId, approved_until: Option<OffsetDateTime>) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "-- departures::resume
         INSERT INTO guards (connection_id, since, there, approved_until)
         SELECT $1, $2, (SELECT count(*) FROM accounts WHERE connection_id = $1 AND active), $3
         ON CONFLICT (tenant_id, connection_id) DO UPDATE
         SET since = excluded.since, there = excluded.there, paused_at = NULL, approved_until = excluded.approved_until",
        connection.0,
        now,
        approved_until
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}
