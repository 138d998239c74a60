//! Sessions as people look at them.

use super::BREAK_GLASS;
use crate::{error::Result, tenant::TenantTx};
use domain::ids::{AccountId, ConnectionId, SessionId, UserId};
use time::OffsetDateTime;
use uuid::Uuid;

/// A session as it is listed.
#[derive(Debug, Clone)]
pub struct Listed {
    pub id: SessionId,
    pub user: UserId,
    pub connection: ConnectionId,
    pub user_name: String,
    pub by_password: bool,
    /// By a code for when the identity provider cannot be asked.
    pub by_break_glass: bool,
    pub created_at: OffsetDateTime,
    pub expires_at: OffsetDateTime,
    pub idle_until: OffsetDateTime,
}

/// Sessions of the tenant that have not ended and are not over, the oldest first, from behind `after`; of one user if one is named.
pub async fn list(
    tx: &mut TenantTx,
    user: Option<UserId>,
    after: Option<SessionId>,
    limit: i64,
) -> Result<Vec<Listed>> {
    let now = tx.now();
    let rows = sqlx::query!(
        r#"-- sessions::list
         SELECT s.id, s.user_id, s.connection_id, a.user_name, s.by_password, s.created_at, s.expires_at, s.idle_until,
                coalesce(s.authn_context = $5, false) AS "by_break_glass!"
         FROM sessions s JOIN accounts a ON a.id = s.account_id
         WHERE s.ended_at IS NULL AND s.expires_at > $1 AND s.idle_until > $1 AND ($2::uuid IS NULL OR s.user_id = $2)
           AND s.id > $3
         ORDER BY s.id LIMIT $4"#,
        now,
        user.map(|user| user.0),
        after.map_or(Uuid::nil(), |after| after.0),
        limit,
        BREAK_GLASS
    )
    .fetch_all(tx.conn().await?)
    .await?;
    let listed = rows.into_iter().map(|row| Listed {
        id: SessionId(row.id),
        user: UserId(row.user_id),
        connection: ConnectionId(row.connection_id),
        user_name: row.user_name,
        by_password: row.by_password,
        by_break_glass: row.by_break_glass,
        created_at: row.created_at,
        expires_at: row.expires_at,
        idle_until: row.idle_until,
    });
    Ok(listed.collect())
}

/// An application that the tenant is connected to, with an own way to sign in, and who of an administrator's accounts came to it through
/// the identity provider.
#[derive(Debug, Clone)]
pub struct Proven {
    pub application: String,
    pub has_own_login: bool,
    pub by: Option<(ConnectionId, AccountId)>,
}

/// For each application that the tenant can sign in to: the account by which that user, with its highest role, came through the
/// identity provider since then, and could again.
pub async fn proven_since(tx: &mut TenantTx, user: UserId, since: OffsetDateTime) -> Result<Vec<Proven>> {
    let rows = sqlx::query!(
        r#"-- sessions::proven_since
         SELECT p.slug, coalesce(p.settings->>'own_login_uri', '') <> '' AS "has_own_login!", s.connection_id AS "connection_id?",
                s.account_id AS "account_id?"
         FROM applications p LEFT JOIN LATERAL (
             SELECT s.connection_id, s.account_id FROM sessions s
             JOIN accounts a ON a.id = s.account_id AND a.user_id = s.user_id
             JOIN connections c ON c.id = s.connection_id
             WHERE s.user_id = $1 AND s.created_at >= $2 AND NOT s.by_password AND a.active AND a.parked IS NULL
               AND c.application_id = p.id AND a.role = p.roles[1] AND c.suspended_at IS NULL
             ORDER BY s.created_at DESC LIMIT 1
         ) AS s ON true
         WHERE p.id IN (SELECT application_id FROM connections WHERE suspended_at IS NULL) ORDER BY p.slug"#,
        user.0,
        since
    )
    .fetch_all(tx.conn().await?)
    .await?;
    let proven = rows.into_iter().map(|row| Proven {
        application: row.slug,
        has_own_login: row.has_own_login,
        by: row.connection_id.map(ConnectionId).zip(row.account_id.map(AccountId)),
    });
    Ok(proven.collect())
}
