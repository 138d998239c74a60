//! Grants: what one authorization code grew into. Codes and refresh tokens work once and are stored as SHA-256.

use crate::{error::Result, tenant::TenantTx};
use domain::ids::{ApplicationId, GrantId, SessionId};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

/// A grant as stored.
#[derive(Debug)]
pub struct Grant {
    pub id: GrantId,
    pub application: ApplicationId,
    pub session: SessionId,
    /// The authorize request it answers.
    pub request: Value,
    pub code_expires_at: OffsetDateTime,
    pub revoked: bool,
}

/// What a code or a refresh token was worth.
#[derive(Debug)]
pub enum Consumed {
    /// The first use.
    Fresh(Grant),
    /// It had been used before: the grant must end (RFC 6749 4.1.2, RFC 9700 4.14.2).
    Again(Grant),
}

struct Row {
    id: Uuid,
    application_id: Uuid,
    session_id: Uuid,
    request: Value,
    code_expires_at: OffsetDateTime,
    revoked: bool,
    used: bool,
}

impl From<Row> for Consumed {
    fn from(row: Row) -> Self {
        let used = row.used;
        let grant = Grant {
            id: GrantId(row.id),
            application: ApplicationId(row.application_id),
            session: SessionId(row.session_id),
            request: row.request,
            code_expires_at: row.code_expires_at,
            revoked: row.revoked,
        };
        if used { Self::Again(grant) } else { Self::Fresh(grant) }
    }
}

/// Stores a grant with its code.
pub async fn insert(
    tx: &mut TenantTx,
    application: ApplicationId,
    session: SessionId,
    request: &Value,
    code_hash: &[u8],
    code_expires_at: OffsetDateTime,
) -> Result<GrantId> {
    let (id, now) = (tx.new_id(), tx.now());
    sqlx::query!(
        "-- grants::insert
         INSERT INTO grants (id, application_id, session_id, request, code_hash, code_expires_at, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        id,
        application.0,
        session.0,
        request,
        code_hash,
        code_expires_at,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(GrantId(id))
}

/// Uses up a code of the application; another application's is unknown to it and stays unused.
pub async fn consume_code(tx: &mut TenantTx, application: ApplicationId, code_hash: &[u8]) -> Result<Option<Consumed>> {
    let now = tx.now();
    let row = sqlx::query_as!(
        Row,
        r#"-- grants::consume_code
        WITH found AS (SELECT id, code_used_at FROM grants WHERE code_hash = $1 AND application_id = $3 FOR UPDATE)
        UPDATE grants g SET code_used_at = coalesce(g.code_used_at, $2) FROM found WHERE g.id = found.id
        RETURNING g.id, g.application_id, g.session_id, g.request, g.code_expires_at,
                  g.revoked_at IS NOT NULL AS "revoked!", found.code_used_at IS NOT NULL AS "used!""#,
        code_hash,
        now,
        application.0
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(row.map(Consumed::from))
}

/// Stores a refresh token of a grant.
pub async fn insert_refresh_token(tx: &mut TenantTx, grant: GrantId, token_hash: &[u8]) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "-- grants::insert_refresh_token
         INSERT INTO refresh_tokens (token_hash, grant_id, created_at) VALUES ($1, $2, $3)",
        token_hash,
        grant.0,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// Uses up a refresh token of the application.
pub async fn consume_refresh_token(
    tx: &mut TenantTx,
    application: ApplicationId,
    token_hash: &[u8],
) -> Result<Option<Consumed>> {
    let now = tx.now();
    let row = sqlx::query_as!(
        Row,
        r#"-- grants::consume_refresh_token
        WITH found AS (
                 SELECT t.token_hash, t.used_at FROM refresh_tokens t JOIN grants g ON g.id = t.grant_id
                 WHERE t.token_hash = $1 AND g.application_id = $3 FOR UPDATE OF t
             ),
             used AS (
                 UPDATE refresh_tokens t SET used_at = coalesce(t.used_at, $2) FROM found
                 WHERE t.token_hash = found.token_hash RETURNING t.grant_id, found.used_at IS NOT NULL AS used
             )
        SELECT g.id, g.application_id, g.session_id, g.request, g.code_expires_at,
               g.revoked_at IS NOT NULL AS "revoked!", used.used AS "used!"
        FROM used JOIN grants g ON g.id = used.grant_id"#,
        token_hash,
        now,
        application.0
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(row.map(Consumed::from))
}

/// The grant of a refresh token of the application, without using it.
pub async fn by_refresh_token(
    tx: &mut TenantTx,
    application: ApplicationId,
    token_hash: &[u8],
) -> Result<Option<Consumed>> {
    let row = sqlx::query_as!(
        Row,
        r#"-- grants::by_refresh_token
        SELECT g.id, g.application_id, g.session_id, g.request, g.code_expires_at,
               g.revoked_at IS NOT NULL AS "revoked!", t.used_at IS NOT NULL AS "used!"
        FROM refresh_tokens t JOIN grants g ON g.id = t.grant_id
        WHERE t.token_hash = $1 AND g.application_id = $2"#,
        token_hash,
        application.0
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(row.map(Consumed::from))
}

/// The application of a grant that stands.
pub async fn live(tx: &mut TenantTx, grant: GrantId) -> Result<Option<ApplicationId>> {
    let application = sqlx::query_scalar!(
        "-- grants::live
         SELECT application_id FROM grants WHERE id = $1 AND revoked_at IS NULL",
        grant.0
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(application.map(ApplicationId))
}

/// Ends a grant of the application with all its tokens.
pub async fn revoke(tx: &mut TenantTx, grant: GrantId, application: ApplicationId) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "-- grants::revoke
         UPDATE grants SET revoked_at = $3 WHERE id = $1 AND application_id = $2 AND revoked_at IS NULL",
        grant.0,
        application.0,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}
