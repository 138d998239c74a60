//! AuthnRequests on their way, and assertions that came back: each is used once.

use crate::{error::Result, tenant::TenantTx};
use domain::ids::{ConnectionId, InvitationId};
use serde_json::Value;
use time::OffsetDateTime;

/// A request to be stored.
#[derive(Debug)]
pub struct NewSignInRequest<'a> {
    /// The ID of the AuthnRequest.
    pub id: &'a str,
    pub connection: ConnectionId,
    /// SHA-256 of the browser's cookie.
    pub browser_hash: &'a [u8],
    /// The OpenID Connect request to answer in the end.
    pub authorize: Option<Value>,
    /// Where in the application the identity provider wants to send the browser.
    pub target: Option<&'a str>,
    /// The link by which the account is tied to somebody.
    pub invitation: Option<InvitationId>,
    pub expires_at: OffsetDateTime,
}

/// An answer that nobody asked for, in a connection that accepts it from any browser.
#[derive(Debug)]
pub struct Unsolicited<'a> {
    pub id: &'a str,
    pub connection: ConnectionId,
    pub target: Option<&'a str>,
    /// SHA-256 of the ticket with which the browser collects it.
    pub ticket_hash: &'a [u8],
    pub identity: &'a Value,
    pub expires_at: OffsetDateTime,
}

/// A request whose answer a browser collects.
#[derive(Debug)]
pub struct AnsweredRequest {
    pub id: String,
    /// SHA-256 of the cookie of the browser that asked, if one did.
    pub browser_hash: Option<Vec<u8>>,
    pub authorize: Option<Value>,
    pub target: Option<String>,
    pub invitation: Option<InvitationId>,
    pub identity: Value,
    /// Whether nobody may sign in to the connection, or to the tenant, or it is gone.
    pub is_shut: bool,
    pub created_at: OffsetDateTime,
    pub expires_at: OffsetDateTime,
}

/// Stores a request that is about to leave.
pub async fn insert(tx: &mut TenantTx, new: &NewSignInRequest<'_>) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "-- sign_in_requests::insert
         INSERT INTO sign_in_requests (id, connection_id, browser_hash, authorize, target, created_at, expires_at, invitation_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        new.id,
        new.connection.0,
        new.browser_hash,
        new.authorize,
        new.target,
        now,
        new.expires_at,
        new.invitation.map(|id| id.0)
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// Stores an answer that nobody asked for, to be collected once.
pub async fn insert_unsolicited(tx: &mut TenantTx, new: &Unsolicited<'_>) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "-- sign_in_requests::insert_unsolicited
         INSERT INTO sign_in_requests (id, connection_id, target, created_at, expires_at, answered_at, ticket_hash, identity)
         VALUES ($1, $2, $3, $4, $5, $4, $6, $7)",
        new.id,
        new.connection.0,
        new.target,
        now,
        new.expires_at,
        new.ticket_hash,
        new.identity
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// Takes the answer out: a ticket works once, whoever holds it.
pub async fn collect(
    tx: &mut TenantTx,
    connection: ConnectionId,
    ticket_hash: &[u8],
) -> Result<Option<AnsweredRequest>> {
    let row = sqlx::query!(
        r#"-- sign_in_requests::collect
        WITH found AS (
            SELECT id, identity FROM sign_in_requests
            WHERE ticket_hash = $1 AND connection_id = $2 AND identity IS NOT NULL FOR UPDATE
        )
        UPDATE sign_in_requests r SET identity = NULL, ticket_hash = NULL FROM found WHERE r.id = found.id
        RETURNING r.id, r.browser_hash, r.authorize, r.target, r.invitation_id, r.created_at, r.expires_at, found.identity AS "identity!",
                  NOT EXISTS (SELECT FROM connections c JOIN tenants t ON t.id = c.tenant_id
                              WHERE c.id = $2 AND c.suspended_at IS NULL AND t.suspended_at IS NULL) AS "is_shut!""#,
        ticket_hash,
        connection.0
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(row.map(|row| AnsweredRequest {
        id: row.id,
        browser_hash: row.browser_hash,
        authorize: row.authorize,
        target: row.target,
        invitation: row.invitation_id.map(InvitationId),
        identity: row.identity,
        is_shut: row.is_shut,
        created_at: row.created_at,
        expires_at: row.expires_at,
    }))
}

/// A request that waits for a password.
#[derive(Debug)]
pub struct WaitingRequest {
    pub authorize: Option<Value>,
    pub target: Option<String>,
    pub created_at: OffsetDateTime,
}

/// The request of that browser which is not answered and not over.
pub async fn waiting(
    tx: &mut TenantTx,
    connection: ConnectionId,
    id: &str,
    browser_hash: &[u8],
) -> Result<Option<WaitingRequest>> {
    let now = tx.now();
    let waiting = sqlx::query_as!(
        WaitingRequest,
        "-- sign_in_requests::waiting
         SELECT authorize, target, created_at FROM sign_in_requests
         WHERE id = $1 AND connection_id = $2 AND browser_hash = $3 AND answered_at IS NULL AND expires_at > $4",
        id,
        connection.0,
        browser_hash,
        now
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(waiting)
}

/// The same, answered from now on: it works once.
pub async fn answer_waiting(
    tx: &mut TenantTx,
    connection: ConnectionId,
    id: &str,
    browser_hash: &[u8],
) -> Result<Option<WaitingRequest>> {
    let now = tx.now();
    let answered = sqlx::query_as!(
        WaitingRequest,
        "-- sign_in_requests::answer_waiting
         UPDATE sign_in_requests SET answered_at = $4
         WHERE id = $1 AND connection_id = $2 AND browser_hash = $3 AND answered_at IS NULL AND expires_at > $4
         RETURNING authorize, target, created_at",
        id,
        connection.0,
        browser_hash,
        now
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(answered)
}

/// Remembers an assertion until it is too old; the second time is a [`Conflict`](crate::error::Error::Conflict).
pub async fn remember_assertion(
    tx: &mut TenantTx,
    connection: ConnectionId,
    assertion_id: &str,
    expires_at: OffsetDateTime,
) -> Result<()> {
    sqlx::query!(
        "-- sign_in_requests::remember_assertion
         INSERT INTO assertions (connection_id, assertion_id, expires_at) VALUES ($1, $2, $3)",
        connection.0,
        assertion_id,
        expires_at
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}
