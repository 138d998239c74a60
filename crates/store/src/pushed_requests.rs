//! Authorization requests that applications sent ahead (RFC 9126), and the assertions by which they proved who they are.

use crate::{control::ControlTx, error::Result};
use domain::ids::ApplicationId;
use time::OffsetDateTime;

/// Keeps a request until then.
pub async fn insert(
    tx: &mut ControlTx,
    application: ApplicationId,
    hash: &[u8],
    parameters: &str,
    expires_at: OffsetDateTime,
) -> Result<()> {
    sqlx::query!(
        "-- pushed_requests::insert
         INSERT INTO pushed_requests (hash, application_id, parameters, expires_at) VALUES ($1, $2, $3, $4)",
        hash,
        application.0,
        parameters,
        expires_at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The request that the application sent ahead under that reference, if it is not over.
pub async fn find(tx: &mut ControlTx, application: ApplicationId, hash: &[u8]) -> Result<Option<String>> {
    let now = tx.now();
    let parameters = sqlx::query_scalar!(
        "-- pushed_requests::find
         SELECT parameters FROM pushed_requests WHERE hash = $1 AND application_id = $2 AND expires_at > $3",
        hash,
        application.0,
        now
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(parameters)
}

/// Remembers that an assertion proved an application; whether it is the first time (RFC 7523 3).
pub async fn use_assertion(
    tx: &mut ControlTx,
    application: ApplicationId,
    hash: &[u8],
    expires_at: OffsetDateTime,
) -> Result<bool> {
    let done = sqlx::query!(
        "-- pushed_requests::use_assertion
         INSERT INTO client_assertions (application_id, hash, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        application.0,
        hash,
        expires_at
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Removes what has run out; answers how many rows.
pub(crate) async fn delete_old(tx: &mut ControlTx, most: i64) -> Result<u64> {
    let now = tx.now();
    let requests = sqlx::query!(
        "-- pushed_requests::delete_old
         DELETE FROM pushed_requests p USING
             (SELECT hash FROM pushed_requests WHERE expires_at < $1 ORDER BY expires_at LIMIT $2) AS old
         WHERE p.hash = old.hash",
        now,
        most
    )
    .execute(tx.conn())
    .await?;
    let assertions = sqlx::query!(
        "-- pushed_requests::delete_old_assertions
         DELETE FROM client_assertions a USING
             (SELECT application_id, hash FROM client_assertions WHERE expires_at < $1 ORDER BY expires_at LIMIT $2) AS old
         WHERE a.application_id = old.application_id AND a.hash = old.hash",
        now,
        most
    )
    .execute(tx.conn())
    .await?;
    Ok(requests.rows_affected() + assertions.rows_affected())
}
