//! Credentials of SCIM clients: looked up on every request, never cached, so a revocation holds at once everywhere.

use crate::{
    ahead::Glance,
    error::Result,
    prepared::{self, Argument},
    scope::Scope,
    store::Store,
    tenant::TenantTx,
    users::Linkable,
};
use domain::ids::{ConnectionId, TokenId};
use sqlx::{Row, postgres::PgRow};
use time::OffsetDateTime;
use uuid::Uuid;

/// What kind of credential it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// A token that the IT admin pastes.
    Token,
    /// OAuth 2 client credentials (RFC 6749 4.4); good for the token endpoint only.
    Client,
    /// What a client got there.
    Access,
}

impl TokenKind {
    /// The spelling as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Client => "client",
            Self::Access => "access",
        }
    }
}

/// A credential to be stored.
#[derive(Debug)]
pub struct NewToken<'a> {
    pub kind: TokenKind,
    /// SHA-256 of the secret.
    pub hash: &'a [u8],
    /// The client of an access token.
    pub parent: Option<TokenId>,
    /// It may look and not change.
    pub read_only: bool,
    pub expires_at: Option<OffsetDateTime>,
}

/// A credential as listed; the secret itself is stored nowhere.
#[derive(Debug, Clone)]
pub struct ScimToken {
    pub id: TokenId,
    /// `token` or `client`.
    pub kind: String,
    pub read_only: bool,
    pub created_at: OffsetDateTime,
    pub expires_at: Option<OffsetDateTime>,
    pub revoked_at: Option<OffsetDateTime>,
    pub last_use: Option<Use>,
}

/// When and from where a credential was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    pub at: OffsetDateTime,
    pub address: String,
    pub agent: String,
}

/// What a live token opens.
#[derive(Debug, Clone)]
pub struct Bearer {
    /// The token that was pasted, or the client whose access token it is.
    pub credential: TokenId,
    pub read_only: bool,
    pub schema_version: i64,
    pub password_sync: bool,
    pub entitlements: bool,
    /// Whether something was refused that is still open.
    pub has_failures: bool,
}

/// Stores a new credential's SHA-256.
pub async fn insert(tx: &mut TenantTx, connection: ConnectionId, new: &NewToken<'_>) -> Result<TokenId> {
    let (id, now) = (tx.new_id(), tx.now());
    sqlx::query!(
        "-- scim_tokens::insert
         INSERT INTO scim_tokens (id, connection_id, token_hash, kind, parent_id, read_only, expires_at, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        id,
        connection.0,
        new.hash,
        new.kind.as_str(),
        new.parent.map(|parent| parent.0),
        new.read_only,
        new.expires_at,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(TokenId(id))
}

/// What the connection's live token with that SHA-256 opens, and the transaction that saw it, with what will be asked
/// next if that is known.
pub async fn prove(
    store: &Store,
    scope: Scope,
    connection: ConnectionId,
    hash: &[u8; 32],
    ahead: Option<Linkable>,
) -> Result<Option<(Bearer, TenantTx)>> {
    let (tx, rows) = store.tenant_with(scope, look(connection, hash, scope.now), ahead).await?;
    match rows.first() {
        Some(row) => Ok(Some((read_bearer(row)?, tx))),
        None => {
            tx.rollback().await?;
            Ok(None)
        }
    }
}

/// What the connection's live token with that SHA-256 opens, in one message with these glances. Each gets a transaction,
/// which opens when something else is asked.
pub async fn prove_at_a_glance(
    store: &Store,
    scope: Scope,
    connection: ConnectionId,
    hash: &[u8; 32],
    glances: Vec<Glance>,
) -> Result<Option<(Bearer, Vec<TenantTx>)>> {
    let (transactions, rows) = store.glance(scope, look(connection, hash, scope.now), glances).await?;
    rows.first().map(|row| Ok((read_bearer(row)?, transactions))).transpose()
}

fn look(connection: ConnectionId, hash: &[u8; 32], now: OffsetDateTime) -> String {
    prepared::call("bearer", &[Argument::Id(connection.0), Argument::Bytes(hash), Argument::Moment(now)])
}

fn read_bearer(row: &PgRow) -> Result<Bearer> {
    Ok(Bearer {
        credential: TokenId(row.try_get("credential")?),
        read_only: row.try_get("read_only")?,
        schema_version: row.try_get("schema_version")?,
        password_sync: row.try_get("password_sync")?,
        entitlements: row.try_get("entitlements")?,
        has_failures: row.try_get("has_failures")?,
    })
}

/// What an operator has of a connection's directory, without a token of it.
pub async fn of_operator(tx: &mut TenantTx, connection: ConnectionId) -> Result<Option<Bearer>> {
    let row = sqlx::query!(
        "-- scim_tokens::of_operator
         SELECT schema_version, password_sync, entitlements FROM connections WHERE id = $1",
        connection.0
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(row.map(|row| Bearer {
        credential: TokenId(Uuid::nil()),
        read_only: false,
        schema_version: row.schema_version,
        password_sync: row.password_sync,
        entitlements: row.entitlements,
        has_failures: true,
    }))
}

/// A live OAuth 2 client.
#[derive(Debug, Clone)]
pub struct Client {
    /// SHA-256 of the secret.
    pub hash: Vec<u8>,
    pub read_only: bool,
    pub expires_at: Option<OffsetDateTime>,
}

/// The live client of that id, kept from being revoked until this transaction ends.
pub async fn client(tx: &mut TenantTx, connection: ConnectionId, id: TokenId) -> Result<Option<Client>> {
    let now = tx.now();
    let row = sqlx::query!(
        "-- scim_tokens::client
         SELECT t.token_hash, t.read_only, t.expires_at FROM scim_tokens t JOIN connections c ON c.id = t.connection_id
         WHERE t.id = $1 AND t.connection_id = $2 AND t.kind = 'client' AND t.revoked_at IS NULL
           AND (t.expires_at IS NULL OR t.expires_at > $3)
         FOR SHARE OF t",
        id.0,
        connection.0,
        now
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(row.map(|row| Client { hash: row.token_hash, read_only: row.read_only, expires_at: row.expires_at }))
}

/// The connection's tokens and clients, newest first.
pub async fn list(tx: &mut TenantTx, connection: ConnectionId) -> Result<Vec<ScimToken>> {
    let rows = sqlx::query!(
        r#"-- scim_tokens::list
        SELECT t.id, t.kind, t.read_only, t.created_at, t.expires_at, t.revoked_at,
               u.used_at AS "used_at?", u.address AS "address?", u.agent AS "agent?"
        FROM scim_tokens t LEFT JOIN scim_token_uses u ON u.token_id = t.id
        WHERE t.connection_id = $1 AND t.kind <> 'access' ORDER BY t.created_at DESC, t.id DESC LIMIT 100"#,
        connection.0
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ScimToken {
            id: TokenId(row.id),
            kind: row.kind,
            read_only: row.read_only,
            created_at: row.created_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            last_use: row.used_at.map(|at| Use {
                at,
                address: row.address.unwrap_or_default(),
                agent: row.agent.unwrap_or_default(),
            }),
        })
        .collect())
}

/// Ends a token, or a client with all that it got; false when the connection has no such live one.
pub async fn revoke(tx: &mut TenantTx, connection: ConnectionId, token: TokenId) -> Result<bool> {
    let now = tx.now();
    let done = sqlx::query!(
        "-- scim_tokens::revoke
         UPDATE scim_tokens SET revoked_at = $3 WHERE id = $1 AND connection_id = $2 AND revoked_at IS NULL",
        token.0,
        connection.0,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query!(
        "-- scim_tokens::revoke_issued
         UPDATE scim_tokens SET revoked_at = $2 WHERE parent_id = $1 AND revoked_at IS NULL",
        token.0,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(true)
}

/// Notes when and from where credentials were used last.
pub async fn used(tx: &mut TenantTx, uses: &[(TokenId, Use)]) -> Result<()> {
    let ids: Vec<Uuid> = uses.iter().map(|(id, _)| id.0).collect();
    let times: Vec<OffsetDateTime> = uses.iter().map(|(_, last)| last.at).collect();
    let addresses: Vec<String> = uses.iter().map(|(_, last)| last.address.clone()).collect();
    let agents: Vec<String> = uses.iter().map(|(_, last)| last.agent.clone()).collect();
    sqlx::query!(
        "-- scim_tokens::used
         INSERT INTO scim_token_uses (token_id, used_at, address, agent)
         SELECT u.token_id, u.used_at, u.address, u.agent
         FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[]) AS u (token_id, used_at, address, agent)
         WHERE EXISTS (SELECT FROM scim_tokens t WHERE t.id = u.token_id)
         ORDER BY u.token_id
         ON CONFLICT (tenant_id, token_id) DO UPDATE
         SET used_at = excluded.used_at, address = excluded.address, agent = excluded.agent
         WHERE scim_token_uses.used_at < excluded.used_at",
        &ids,
        &times,
        &addresses,
        &agents
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}
