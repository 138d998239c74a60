//! Sessions: browsers signed in as one user of one tenant. Looked up on every use, never cached.

use crate::{error::Result, tenant::TenantTx};
use domain::{
    ids::{AccountId, ApplicationId, ConnectionId, SessionId, UserId},
    session::EndReason,
};
use time::OffsetDateTime;
use uuid::Uuid;

/// A session to be stored.
#[derive(Debug)]
pub struct NewSession<'a> {
    /// SHA-256 of the browser's cookie.
    pub token_hash: &'a [u8],
    pub connection: ConnectionId,
    pub account: AccountId,
    pub user: UserId,
    pub name_id: &'a str,
    pub session_index: Option<&'a str>,
    /// When the identity provider saw the user prove who it is.
    pub auth_time: OffsetDateTime,
    pub expires_at: OffsetDateTime,
}

/// A live session with who is behind it, now.
#[derive(Debug, Clone)]
pub struct LiveSession {
    pub id: SessionId,
    pub user: UserId,
    pub connection: ConnectionId,
    pub application: ApplicationId,
    pub email: Option<String>,
    /// Whether the tenant owns the address' domain.
    pub email_verified: bool,
    pub display_name: Option<String>,
    pub role: String,
    pub auth_time: OffsetDateTime,
    pub expires_at: OffsetDateTime,
}

struct Row {
    id: Uuid,
    user_id: Uuid,
    connection_id: Uuid,
    application_id: Uuid,
    email: Option<String>,
    email_verified: bool,
    display_name: Option<String>,
    role: String,
    auth_time: OffsetDateTime,
    expires_at: OffsetDateTime,
}

impl From<Row> for LiveSession {
    fn from(row: Row) -> Self {
        Self {
            id: SessionId(row.id),
            user: UserId(row.user_id),
            connection: ConnectionId(row.connection_id),
            application: ApplicationId(row.application_id),
            email: row.email,
            email_verified: row.email_verified,
            display_name: row.display_name,
            role: row.role,
            auth_time: row.auth_time,
            expires_at: row.expires_at,
        }
    }
}

/// Selects sessions that are not ended, not over, and whose account is active.
macro_rules! live {
    ($name:literal, $condition:literal $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            Row,
            "-- sessions::" + $name + r#"
             SELECT s.id, s.user_id, s.connection_id, c.application_id, a.email, a.display_name, a.role, s.auth_time,
                    s.expires_at,
                    EXISTS (SELECT FROM domains d WHERE d.domain = split_part(a.email_key, '@', 2)) AS "email_verified!"
             FROM sessions s
             JOIN accounts a ON a.id = s.account_id
             JOIN connections c ON c.id = s.connection_id
             WHERE s.ended_at IS NULL AND a.active AND s.expires_at > $1 AND "# + $condition
            $(, $argument)*
        )
    };
}

/// Stores a session that begins.
pub async fn insert(tx: &mut TenantTx, new: &NewSession<'_>) -> Result<SessionId> {
    let (id, now) = (tx.new_id(), tx.now());
    sqlx::query!(
        "-- sessions::insert
         INSERT INTO sessions (id, token_hash, connection_id, account_id, user_id, name_id, session_index, auth_time,
             created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        id,
        new.token_hash,
        new.connection.0,
        new.account.0,
        new.user.0,
        new.name_id,
        new.session_index,
        new.auth_time,
        now,
        new.expires_at
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(SessionId(id))
}

/// The live session of the browser with that cookie, in that connection.
pub async fn by_token(tx: &mut TenantTx, connection: ConnectionId, hash: &[u8]) -> Result<Option<LiveSession>> {
    let now = tx.now();
    let row = live!("by_token", "s.token_hash = $2 AND s.connection_id = $3", now, hash, connection.0)
        .fetch_optional(tx.conn().await?)
        .await?;
    Ok(row.map(LiveSession::from))
}

/// The live session with that id.
pub async fn live(tx: &mut TenantTx, id: SessionId) -> Result<Option<LiveSession>> {
    let now = tx.now();
    let row = live!("live", "s.id = $2", now, id.0).fetch_optional(tx.conn().await?).await?;
    Ok(row.map(LiveSession::from))
}

/// Ends every session of an account; answers which.
pub async fn end_all(tx: &mut TenantTx, account: AccountId, reason: EndReason) -> Result<Vec<SessionId>> {
    let now = tx.now();
    let ids = sqlx::query_scalar!(
        "-- sessions::end_all
         UPDATE sessions SET ended_at = $2, end_reason = $3 WHERE account_id = $1 AND ended_at IS NULL RETURNING id",
        account.0,
        now,
        reason.as_str()
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(ids.into_iter().map(SessionId).collect())
}

/// Ends the session of the browser with that cookie, if it lives; answers which.
pub async fn end_by_token(
    tx: &mut TenantTx,
    connection: ConnectionId,
    hash: &[u8],
    reason: EndReason,
) -> Result<Option<SessionId>> {
    let now = tx.now();
    let id = sqlx::query_scalar!(
        "-- sessions::end_by_token
         UPDATE sessions SET ended_at = $3, end_reason = $4
         WHERE token_hash = $1 AND connection_id = $2 AND ended_at IS NULL RETURNING id",
        hash,
        connection.0,
        now,
        reason.as_str()
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(id.map(SessionId))
}
