//! Sessions: browsers signed in as one user of one tenant. Looked up on every use, never cached.

use crate::{error::Result, tenant::TenantTx};
use domain::{
    ids::{AccountId, ApplicationId, ConnectionId, SessionId, UserId},
    session::EndReason,
};
use serde_json::Value;
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
    pub name: Name<'a>,
    pub session_index: Option<&'a str>,
    /// What the assertion said, as it was mapped.
    pub attributes: &'a Value,
    /// When the identity provider saw the user prove who it is.
    pub auth_time: OffsetDateTime,
    pub expires_at: OffsetDateTime,
}

/// The subject's name as the identity provider wrote it.
#[derive(Debug, Clone, Copy)]
pub struct Name<'a> {
    pub value: &'a str,
    pub format: Option<&'a str>,
    pub qualifier: Option<&'a str>,
    pub sp_qualifier: Option<&'a str>,
}

/// A session that ended, as logout names it.
#[derive(Debug, Clone)]
pub struct EndedSession {
    pub id: SessionId,
    pub name_id: String,
    pub name_id_format: Option<String>,
    pub name_qualifier: Option<String>,
    pub sp_name_qualifier: Option<String>,
    pub session_index: Option<String>,
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
             WHERE s.ended_at IS NULL AND a.active AND a.parked IS NULL AND a.user_id = s.user_id AND s.expires_at > $1 AND "# + $condition
            $(, $argument)*
        )
    };
}

/// Stores a session that begins.
pub async fn insert(tx: &mut TenantTx, new: &NewSession<'_>) -> Result<SessionId> {
    let (id, now) = (tx.new_id(), tx.now());
    sqlx::query!(
        "-- sessions::insert
         INSERT INTO sessions (id, token_hash, connection_id, account_id, user_id, name_id, name_id_format,
             name_qualifier, sp_name_qualifier, session_index, attributes, auth_time, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        id,
        new.token_hash,
        new.connection.0,
        new.account.0,
        new.user.0,
        new.name.value,
        new.name.format,
        new.name.qualifier,
        new.name.sp_qualifier,
        new.session_index,
        new.attributes,
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

/// What was mapped at the account's last sign-in, while its session is kept.
pub async fn last_attributes(tx: &mut TenantTx, connection: ConnectionId, account: AccountId) -> Result<Option<Value>> {
    let attributes = sqlx::query_scalar!(
        "-- sessions::last_attributes
         SELECT attributes FROM sessions WHERE connection_id = $1 AND account_id = $2 ORDER BY created_at DESC, id DESC LIMIT 1",
        connection.0,
        account.0
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(attributes)
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

/// The name under which the session of the browser with that cookie began, if it lives.
pub async fn name_by_token(tx: &mut TenantTx, connection: ConnectionId, hash: &[u8]) -> Result<Option<String>> {
    let name = sqlx::query_scalar!(
        "-- sessions::name_by_token
         SELECT name_id FROM sessions WHERE token_hash = $1 AND connection_id = $2 AND ended_at IS NULL",
        hash,
        connection.0
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(name)
}

/// Ends the session of the browser with that cookie, if it lives; answers which.
pub async fn end_by_token(
    tx: &mut TenantTx,
    connection: ConnectionId,
    hash: &[u8],
    reason: EndReason,
) -> Result<Option<EndedSession>> {
    let now = tx.now();
    let row = sqlx::query!(
        "-- sessions::end_by_token
         UPDATE sessions SET ended_at = $3, end_reason = $4
         WHERE token_hash = $1 AND connection_id = $2 AND ended_at IS NULL
         RETURNING id, name_id, name_id_format, name_qualifier, sp_name_qualifier, session_index",
        hash,
        connection.0,
        now,
        reason.as_str()
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(row.map(|row| EndedSession {
        id: SessionId(row.id),
        name_id: row.name_id,
        name_id_format: row.name_id_format,
        name_qualifier: row.name_qualifier,
        sp_name_qualifier: row.sp_name_qualifier,
        session_index: row.session_index,
    }))
}

/// Ends the sessions of the connection that began with this name, or those of them that the identity provider numbers
/// like that; answers which.
pub async fn end_by_name(
    tx: &mut TenantTx,
    connection: ConnectionId,
    name_id: &str,
    session_indexes: &[String],
    reason: EndReason,
) -> Result<Vec<SessionId>> {
    let now = tx.now();
    let ids = sqlx::query_scalar!(
        "-- sessions::end_by_name
         UPDATE sessions SET ended_at = $4, end_reason = $5
         WHERE connection_id = $1 AND name_id = $2 AND ended_at IS NULL
           AND (cardinality($3::text[]) = 0 OR session_index = ANY($3))
         RETURNING id",
        connection.0,
        name_id,
        session_indexes,
        now,
        reason.as_str()
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(ids.into_iter().map(SessionId).collect())
}
