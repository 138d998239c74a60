//! Bearer tokens of SCIM clients: looked up on every request, never cached, so a revocation holds at once everywhere.

use crate::{error::Result, tenant::TenantTx};
use domain::ids::{ApplicationId, ConnectionId, TokenId};
use time::OffsetDateTime;

/// A token as listed; the secret itself is stored nowhere.
#[derive(Debug, Clone)]
pub struct ScimToken {
    pub id: TokenId,
    pub created_at: OffsetDateTime,
    pub revoked_at: Option<OffsetDateTime>,
}

/// What a live token stands for.
#[derive(Debug, Clone, Copy)]
pub struct Bearer {
    pub token: TokenId,
    pub application: ApplicationId,
}

/// Stores a new token's SHA-256.
pub async fn insert(tx: &mut TenantTx, connection: ConnectionId, hash: &[u8]) -> Result<TokenId> {
    let (id, now) = (tx.new_id(), tx.now());
    sqlx::query!(
        "-- scim_tokens::insert
         INSERT INTO scim_tokens (id, connection_id, token_hash, created_at) VALUES ($1, $2, $3, $4)",
        id,
        connection.0,
        hash,
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(TokenId(id))
}

/// The live token of that connection with that SHA-256.
pub async fn bearer(tx: &mut TenantTx, connection: ConnectionId, hash: &[u8]) -> Result<Option<Bearer>> {
    let row = sqlx::query!(
        "-- scim_tokens::bearer
         SELECT t.id, c.application_id FROM scim_tokens t JOIN connections c ON c.id = t.connection_id
         WHERE t.token_hash = $1 AND t.connection_id = $2 AND t.revoked_at IS NULL",
        hash,
        connection.0
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| Bearer { token: TokenId(row.id), application: ApplicationId(row.application_id) }))
}

/// The connection's tokens, newest first.
pub async fn list(tx: &mut TenantTx, connection: ConnectionId) -> Result<Vec<ScimToken>> {
    let rows = sqlx::query!(
        "-- scim_tokens::list
         SELECT id, created_at, revoked_at FROM scim_tokens
         WHERE connection_id = $1 ORDER BY created_at DESC, id DESC LIMIT 100",
        connection.0
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ScimToken { id: TokenId(row.id), created_at: row.created_at, revoked_at: row.revoked_at })
        .collect())
}

/// Ends a token; false when the connection has no such live token.
pub async fn revoke(tx: &mut TenantTx, connection: ConnectionId, token: TokenId) -> Result<bool> {
    let now = tx.now();
    let done = sqlx::query!(
        "-- scim_tokens::revoke
         UPDATE scim_tokens SET revoked_at = $3 WHERE id = $1 AND connection_id = $2 AND revoked_at IS NULL",
        token.0,
        connection.0,
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}
