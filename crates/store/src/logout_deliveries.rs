//! Applications that are still to be told of a session's end (OpenID Connect Back-Channel Logout 1.0): noted in the
//! transaction that ends the session, delivered by any gateway.

use crate::{control::ControlTx, error::Result, pooled::one_row, tenant::TenantTx};
use domain::ids::{ApplicationId, SessionId, TenantId, UserId};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// How long one that was given up is kept, for those who look.
const RETENTION: Duration = Duration::days(7);

/// What one application is to be told.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub tenant: TenantId,
    pub id: Uuid,
    /// As the application calls itself.
    pub client_id: String,
    pub session: SessionId,
    pub user: UserId,
    pub ended_at: OffsetDateTime,
    /// Whether somebody else than the user wanted that.
    pub is_departure: bool,
    /// How often it was tried.
    pub attempts: i32,
}

/// Notes that the application of these sessions is to be told, if it wants that and knows of them, under each name by which it was
/// given a code.
pub async fn note(tx: &mut TenantTx, ended: &[SessionId], is_departure: bool) -> Result<u64> {
    let now = tx.now();
    let sessions: Vec<Uuid> = ended.iter().map(|session| session.0).collect();
    let done = sqlx::query!(
        "-- logout_deliveries::note
         INSERT INTO logout_deliveries (id, application_id, client_id, session_id, user_id, ended_at, is_departure, due_at)
         SELECT gen_random_uuid(), a.id, i.client_id, e.session_id, s.user_id, $2, $3, $2
         FROM unnest($1::uuid[]) AS e (session_id)
         CROSS JOIN LATERAL (SELECT user_id, connection_id, client_ids FROM sessions WHERE id = e.session_id LIMIT 1) AS s
         JOIN connections c ON c.id = s.connection_id
         JOIN applications a ON a.id = c.application_id AND a.backchannel_logout_uri IS NOT NULL
         CROSS JOIN LATERAL unnest(s.client_ids) AS i (client_id)",
        &sessions,
        now,
        is_departure
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(done.rows_affected())
}

/// Applications for which something is due.
pub async fn applications_due(tx: &mut ControlTx) -> Result<Vec<ApplicationId>> {
    let now = tx.now();
    let due = sqlx::query_scalar!(
        "-- logout_deliveries::applications_due
         SELECT a.id FROM applications a
         WHERE EXISTS (SELECT FROM logout_deliveries d WHERE d.application_id = a.id AND d.due_at <= $1 AND d.given_up_at IS NULL)
         ORDER BY a.id LIMIT 1000",
        now
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(due.into_iter().map(ApplicationId).collect())
}

/// Takes what is due for an application, and keeps others from it for so long.
pub async fn take(tx: &mut ControlTx, application: ApplicationId, most: i64, lease: Duration) -> Result<Vec<Delivery>> {
    let now = tx.now();
    let rows = sqlx::query!(
        "-- logout_deliveries::take
         UPDATE logout_deliveries d SET due_at = $4, attempts = d.attempts + 1
         FROM (SELECT tenant_id, id FROM logout_deliveries
               WHERE application_id = $1 AND due_at <= $2 AND given_up_at IS NULL
               ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED) AS due
         WHERE d.tenant_id = due.tenant_id AND d.id = due.id
         RETURNING d.tenant_id, d.id, d.client_id, d.session_id, d.user_id, d.ended_at, d.is_departure, d.attempts",
        application.0,
        now,
        most,
        now + lease
    )
    .fetch_all(tx.conn())
    .await?;
    let delivery = rows.into_iter().map(|row| Delivery {
        tenant: TenantId(row.tenant_id),
        id: row.id,
        client_id: row.client_id,
        session: SessionId(row.session_id),
        user: UserId(row.user_id),
        ended_at: row.ended_at,
        is_departure: row.is_departure,
        attempts: row.attempts,
    });
    Ok(delivery.collect())
}

/// The application knows.
pub async fn delivered(tx: &mut ControlTx, delivery: &Delivery) -> Result<()> {
    sqlx::query!(
        "-- logout_deliveries::delivered
         DELETE FROM logout_deliveries WHERE tenant_id = $1 AND id = $2",
        delivery.tenant.0,
        delivery.id
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The application could not be told; it is tried again then, or never.
pub async fn failed(
    tx: &mut ControlTx,
    delivery: &Delivery,
    problem: &str,
    again_at: Option<OffsetDateTime>,
) -> Result<()> {
    let now = tx.now();
    let done = sqlx::query!(
        "-- logout_deliveries::failed
         UPDATE logout_deliveries SET problem = $3, due_at = coalesce($4, due_at),
                given_up_at = CASE WHEN $4::timestamptz IS NULL THEN $5::timestamptz END
         WHERE tenant_id = $1 AND id = $2",
        delivery.tenant.0,
        delivery.id,
        problem,
        again_at,
        now
    )
    .execute(tx.conn())
    .await?;
    one_row(&done)
}

/// How it stands with telling an application.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// Those that are still to be told.
    pub waiting: i64,
    /// Those of the last week that were given up.
    pub given_up: i64,
    /// Why the last of them was not heard.
    pub problem: Option<String>,
}

/// How it stands with telling an application. Counts no further than a thousand.
pub async fn standing(tx: &mut ControlTx, application: ApplicationId) -> Result<Standing> {
    let standing = sqlx::query_as!(
        Standing,
        r#"-- logout_deliveries::standing
        SELECT (SELECT count(*) FROM (SELECT FROM logout_deliveries
                    WHERE application_id = $1 AND given_up_at IS NULL LIMIT 1000) AS w) AS "waiting!",
               (SELECT count(*) FROM (SELECT FROM logout_deliveries
                    WHERE application_id = $1 AND given_up_at IS NOT NULL LIMIT 1000) AS g) AS "given_up!",
               (SELECT problem FROM logout_deliveries WHERE application_id = $1 AND problem IS NOT NULL
                ORDER BY due_at DESC LIMIT 1) AS problem"#,
        application.0
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(standing)
}

/// Removes those that were given up long ago; answers how many.
pub(crate) async fn delete_old(tx: &mut ControlTx, most: i64) -> Result<u64> {
    let now = tx.now();
    let done = sqlx::query!(
        "-- logout_deliveries::delete_old
         DELETE FROM logout_deliveries d USING
             (SELECT tenant_id, id FROM logout_deliveries WHERE given_up_at < $1 ORDER BY given_up_at LIMIT $2) AS old
         WHERE d.tenant_id = old.tenant_id AND d.id = old.id",
        now - RETENTION,
        most
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}
