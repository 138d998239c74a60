//! Clean-up: what has run out goes, a bounded number of rows at a time.

use crate::{control::ControlTx, error::Result, logout_deliveries, pushed_requests};
use time::Duration;

/// Rows of one kind that one call removes at most.
const BATCH: i64 = 1_000;

/// Rows that grew out of sessions, which one statement removes at most.
const GROWN: i64 = 5_000;

/// How long a session is kept after its end.
const SESSION_RETENTION: Duration = Duration::days(1);

/// How long an access token is kept after its end.
const TOKEN_RETENTION: Duration = Duration::days(1);

/// How long a certificate that is not trusted is remembered after it was seen last.
const CERTIFICATE_RETENTION: Duration = Duration::days(90);

/// How long an invitation is kept after what happened to it last; it works for 14 days at most.
const INVITATION_RETENTION: Duration = Duration::days(90);

/// How long what was refused is kept after it was seen last: what somebody wanted longer ago may not be what they want now.
const FAILURE_RETENTION: Duration = Duration::days(30);

/// How long logs are kept.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    pub exchanges: Duration,
    pub steps: Duration,
}

/// What runs out. Each goes by itself, so that one of which nothing can be removed stops no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    SignIns,
    Sessions,
    Logouts,
    Told,
    Directories,
    Steps,
    Certificates,
    Invitations,
    Failures,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::SignIns,
        Self::Sessions,
        Self::Logouts,
        Self::Told,
        Self::Directories,
        Self::Steps,
        Self::Certificates,
        Self::Invitations,
        Self::Failures,
    ];
}

/// Removes what has run out of one kind, or entries of logs that are too old; answers how many rows went.
pub async fn delete(tx: &mut ControlTx, kind: Kind, retention: Retention) -> Result<u64> {
    match kind {
        Kind::SignIns => sign_ins(tx).await,
        Kind::Sessions => sessions(tx).await,
        Kind::Logouts => logouts(tx).await,
        Kind::Told => {
            Ok(logout_deliveries::delete_old(tx, BATCH).await? + pushed_requests::delete_old(tx, BATCH).await?)
        }
        Kind::Directories => directories(tx, retention.exchanges).await,
        Kind::Steps => steps(tx, retention.steps).await,
        Kind::Certificates => seen_certificates(tx).await,
        Kind::Invitations => invitations(tx).await,
        Kind::Failures => failures(tx).await,
    }
}

async fn failures(tx: &mut ControlTx) -> Result<u64> {
    let now = tx.now();
    let failures = sqlx::query!(
        "-- expired::delete_failures
         DELETE FROM failures f USING
             (SELECT tenant_id, id FROM failures WHERE last_at < $1 AND (closed_at IS NOT NULL OR code <> 'GH-GRD-001')
              ORDER BY last_at LIMIT $2) AS old
         WHERE f.tenant_id = old.tenant_id AND f.id = old.id",
        now - FAILURE_RETENTION,
        BATCH
    )
    .execute(tx.conn())
    .await?;
    Ok(failures.rows_affected())
}

async fn invitations(tx: &mut ControlTx) -> Result<u64> {
    let now = tx.now();
    let invitations = sqlx::query!(
        "-- expired::delete_invitations
         DELETE FROM invitations i USING
             (SELECT tenant_id, id FROM invitations WHERE step_at < $1 ORDER BY step_at LIMIT $2) AS old
         WHERE i.tenant_id = old.tenant_id AND i.id = old.id",
        now - INVITATION_RETENTION,
        BATCH
    )
    .execute(tx.conn())
    .await?;
    Ok(invitations.rows_affected())
}

async fn seen_certificates(tx: &mut ControlTx) -> Result<u64> {
    let now = tx.now();
    let seen = sqlx::query!(
        "-- expired::delete_seen_certificates
         DELETE FROM seen_certificates s USING
             (SELECT tenant_id, connection_id, fingerprint FROM seen_certificates WHERE last_seen_at < $1
              ORDER BY last_seen_at LIMIT $2) AS old
         WHERE s.tenant_id = old.tenant_id AND s.connection_id = old.connection_id AND s.fingerprint = old.fingerprint",
        now - CERTIFICATE_RETENTION,
        BATCH
    )
    .execute(tx.conn())
    .await?;
    Ok(seen.rows_affected())
}

async fn directories(tx: &mut ControlTx, log_retention: Duration) -> Result<u64> {
    let now = tx.now();
    let tokens = sqlx::query!(
        "-- expired::delete_access_tokens
         DELETE FROM scim_tokens t USING
             (SELECT tenant_id, id FROM scim_tokens WHERE kind = 'access' AND expires_at < $1 ORDER BY expires_at LIMIT $2) AS old
         WHERE t.tenant_id = old.tenant_id AND t.id = old.id",
        now - TOKEN_RETENTION,
        BATCH
    )
    .execute(tx.conn())
    .await?;
    let exchanges = sqlx::query!(
        "-- expired::delete_exchanges
         DELETE FROM scim_exchanges e USING
             (SELECT tenant_id, connection_id, id FROM scim_exchanges WHERE occurred_at < $1 ORDER BY occurred_at LIMIT $2) AS old
         WHERE e.tenant_id = old.tenant_id AND e.connection_id = old.connection_id AND e.id = old.id",
        now - log_retention,
        BATCH
    )
    .execute(tx.conn())
    .await?;
    Ok(tokens.rows_affected() + exchanges.rows_affected())
}

async fn steps(tx: &mut ControlTx, log_retention: Duration) -> Result<u64> {
    let now = tx.now();
    let steps = sqlx::query!(
        "-- expired::delete_steps
         DELETE FROM sign_in_steps s USING
             (SELECT tenant_id, connection_id, id FROM sign_in_steps WHERE occurred_at < $1 ORDER BY occurred_at LIMIT $2) AS old
         WHERE s.tenant_id = old.tenant_id AND s.connection_id = old.connection_id AND s.id = old.id",
        now - log_retention,
        BATCH
    )
    .execute(tx.conn())
    .await?;
    Ok(steps.rows_affected())
}

async fn sign_ins(tx: &mut ControlTx) -> Result<u64> {
    let now = tx.now();
    let requests = sqlx::query!(
        "-- expired::delete_sign_in_requests
         DELETE FROM sign_in_requests r USING
             (SELECT tenant_id, id FROM sign_in_requests WHERE expires_at < $1 ORDER BY expires_at LIMIT $2) AS old
         WHERE r.tenant_id = old.tenant_id AND r.id = old.id",
        now,
        BATCH
    )
    .execute(tx.conn())
    .await?;
    let assertions = sqlx::query!(
        "-- expired::delete_assertions
         DELETE FROM assertions a USING
             (SELECT tenant_id, connection_id, assertion_id FROM assertions WHERE expires_at < $1 ORDER BY expires_at LIMIT $2) AS old
         WHERE a.tenant_id = old.tenant_id AND a.connection_id = old.connection_id
           AND a.assertion_id = old.assertion_id",
        now,
        BATCH
    )
    .execute(tx.conn())
    .await?;
    Ok(requests.rows_affected() + assertions.rows_affected())
}

/// With what grew out of them, which goes first: nobody says how much that is, and the last statement would take all of it along.
async fn sessions(tx: &mut ControlTx) -> Result<u64> {
    let before = tx.now() - SESSION_RETENTION;
    let most = u64::try_from(GROWN).unwrap_or(0);
    let tokens = sqlx::query!(
        "-- expired::delete_refresh_tokens
         DELETE FROM refresh_tokens r USING
             (SELECT t.tenant_id, t.token_hash
              FROM (SELECT tenant_id, id FROM sessions WHERE expires_at < $1 ORDER BY expires_at, id LIMIT $2) AS s
              JOIN grants g ON g.tenant_id = s.tenant_id AND g.session_id = s.id
              JOIN refresh_tokens t ON t.tenant_id = g.tenant_id AND t.grant_id = g.id
              LIMIT $3) AS old
         WHERE r.tenant_id = old.tenant_id AND r.token_hash = old.token_hash",
        before,
        BATCH,
        GROWN
    )
    .execute(tx.conn())
    .await?;
    if tokens.rows_affected() == most {
        return Ok(tokens.rows_affected());
    }
    let grants = sqlx::query!(
        "-- expired::delete_grants
         DELETE FROM grants r USING
             (SELECT g.tenant_id, g.id
              FROM (SELECT tenant_id, id FROM sessions WHERE expires_at < $1 ORDER BY expires_at, id LIMIT $2) AS s
              JOIN grants g ON g.tenant_id = s.tenant_id AND g.session_id = s.id
              LIMIT $3) AS old
         WHERE r.tenant_id = old.tenant_id AND r.id = old.id",
        before,
        BATCH,
        GROWN
    )
    .execute(tx.conn())
    .await?;
    if grants.rows_affected() == most {
        return Ok(tokens.rows_affected() + grants.rows_affected());
    }
    let sessions = sqlx::query!(
        "-- expired::delete_sessions
         DELETE FROM sessions s USING
             (SELECT tenant_id, id FROM sessions WHERE expires_at < $1 ORDER BY expires_at, id LIMIT $2) AS old
         WHERE s.tenant_id = old.tenant_id AND s.id = old.id",
        before,
        BATCH
    )
    .execute(tx.conn())
    .await?;
    Ok(tokens.rows_affected() + grants.rows_affected() + sessions.rows_affected())
}

async fn logouts(tx: &mut ControlTx) -> Result<u64> {
    let now = tx.now();
    let logouts = sqlx::query!(
        "-- expired::delete_logouts
         DELETE FROM logouts l USING
             (SELECT tenant_id, connection_id, id FROM logouts WHERE expires_at < $1 ORDER BY expires_at LIMIT $2) AS old
         WHERE l.tenant_id = old.tenant_id AND l.connection_id = old.connection_id AND l.id = old.id",
        now,
        BATCH
    )
    .execute(tx.conn())
    .await?;
    let requests = sqlx::query!(
        "-- expired::delete_logout_requests
         DELETE FROM logout_requests r USING
             (SELECT tenant_id, id FROM logout_requests WHERE expires_at < $1 ORDER BY expires_at LIMIT $2) AS old
         WHERE r.tenant_id = old.tenant_id AND r.id = old.id",
        now,
        BATCH
    )
    .execute(tx.conn())
    .await?;
    Ok(logouts.rows_affected() + requests.rows_affected())
}
