//! Connections in shadow: their accounts are a placeholder's, and nothing of them is told, until they go live.

use crate::{error::Result, pooled::one_row, tenant::TenantTx};
use domain::ids::{ConnectionId, UserId};

/// Whose the accounts of a connection in shadow are.
pub fn placeholder(connection: ConnectionId) -> UserId {
    UserId(connection.0)
}

/// Puts a connection into shadow that nobody could use yet; answers whether that is so.
pub async fn begin(tx: &mut TenantTx, connection: ConnectionId) -> Result<bool> {
    let now = tx.now();
    let done = sqlx::query!(
        "-- shadows::begin
         UPDATE connections SET shadow = true, suspended_at = $2, updated_at = $2 WHERE id = $1 AND NOT shadow
             AND NOT EXISTS (SELECT FROM scim_tokens WHERE connection_id = $1)
             AND NOT EXISTS (SELECT FROM accounts WHERE connection_id = $1)",
        connection.0,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query!(
        "-- shadows::place
         INSERT INTO users (id, display_name, created_at, updated_at, imported, placeholder)
         SELECT id, display_name, $2, $2, true, true FROM connections WHERE id = $1",
        connection.0,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(true)
}

/// From here on the transaction tells nothing, and the connection stays in shadow until it ends; answers whether it is in shadow.
pub async fn enter(tx: &mut TenantTx, connection: ConnectionId) -> Result<bool> {
    // Beside others who write, and against `hold`.
    let shadow = sqlx::query_scalar!(
        "-- shadows::enter\n SELECT shadow FROM connections WHERE id = $1 FOR KEY SHARE",
        connection.0
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    if shadow != Some(true) {
        return Ok(false);
    }
    sqlx::query!("-- shadows::tell_nothing\n SELECT set_config('app.shadow', 'yes', true) AS word")
        .fetch_one(tx.conn().await?)
        .await?;
    Ok(true)
}

/// Keeps everybody from writing into the connection until this transaction ends; answers whether it is in shadow, if it is there.
pub async fn hold(tx: &mut TenantTx, connection: ConnectionId) -> Result<Option<bool>> {
    let shadow =
        sqlx::query_scalar!("-- shadows::hold\n SELECT shadow FROM connections WHERE id = $1 FOR UPDATE", connection.0)
            .fetch_optional(tx.conn().await?)
            .await?;
    Ok(shadow)
}

/// The connection is live, and its placeholder gone.
pub async fn end(tx: &mut TenantTx, connection: ConnectionId) -> Result<()> {
    let now = tx.now();
    let done = sqlx::query!(
        "-- shadows::end
         UPDATE connections SET shadow = false, suspended_at = NULL, schema_version = schema_version + 1, updated_at = $2
         WHERE id = $1 AND shadow",
        connection.0,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    one_row(&done)?;
    forget_placeholder(tx, connection).await
}

/// Removes the placeholder of a connection, if it had one.
pub(crate) async fn forget_placeholder(tx: &mut TenantTx, connection: ConnectionId) -> Result<()> {
    sqlx::query!("-- shadows::forget_placeholder\n DELETE FROM users WHERE id = $1 AND placeholder", connection.0)
        .execute(tx.conn().await?)
        .await?;
    Ok(())
}

/// Tells of the connection's groups, as if they came now; answers how many there are.
pub async fn tell_groups(tx: &mut TenantTx, connection: ConnectionId) -> Result<u64> {
    let (now, actor) = (tx.now(), tx.actor().to_string());
    let done = sqlx::query!(
        "-- shadows::tell_groups
         INSERT INTO events (id, kind, subject, subject_id, data, connection_id, actor, occurred_at)
         SELECT gen_random_uuid(), 'group.created', 'group', id, '{}', $1, $2, $3 FROM groups WHERE connection_id = $1 ORDER BY id",
        connection.0,
        actor,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    sqlx::query!(
        r#"-- shadows::tell_members
         INSERT INTO events (id, kind, subject, subject_id, data, connection_id, actor, occurred_at)
         SELECT gen_random_uuid(), 'group.members_changed', 'group', m.group_id,
                jsonb_build_object('added', m.members, 'removed', 0, 'rule', 'operator'), $1, $2, $3
         FROM (SELECT group_id, count(*) AS members FROM (
                   SELECT group_id FROM group_members WHERE connection_id = $1
                   UNION ALL SELECT group_id FROM group_groups WHERE connection_id = $1
               ) AS all_members GROUP BY group_id) AS m
         ORDER BY m.group_id"#,
        connection.0,
        actor,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(done.rows_affected())
}

/// Users whom the application knows, and who have no account.
pub async fn count_known_alone(tx: &mut TenantTx) -> Result<i64> {
    let count = sqlx::query_scalar!(
        r#"-- shadows::count_known_alone
        SELECT count(*) AS "count!" FROM users u WHERE u.imported AND NOT u.placeholder
            AND NOT EXISTS (SELECT FROM accounts a WHERE a.user_id = u.id)"#
    )
    .fetch_one(tx.conn().await?)
    .await?;
    Ok(count)
}
