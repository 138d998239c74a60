//! Connections that were removed: hidden from every statement of the tenant, and brought back as they were, for 30 days.

use crate::{control::ControlTx, error::Result, pooled::one_row, shadows, tenant::TenantTx};
use domain::{
    ids::{ApplicationId, ConnectionId, TenantId},
    removal::{Fate, UNDO},
};
use serde_json::Value;
use time::OffsetDateTime;

/// Accounts that one statement deletes for good.
const BATCH: i64 = 1_000;

/// What a connection holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Accounts that can sign in.
    pub active: i64,
    /// Active for the identity provider, but they wait.
    pub parked: i64,
    pub deactivated: i64,
    /// Users whose only accounts are here.
    pub only_here: i64,
    pub groups: i64,
    pub live_sessions: i64,
    pub tokens: i64,
    pub invitations: i64,
}

/// A connection that was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    pub id: ConnectionId,
    pub application: ApplicationId,
    pub display_name: String,
    pub at: OffsetDateTime,
    pub fate: Fate,
}

/// What the connection holds. Reads all of it: for people, not for requests.
pub async fn holdings(tx: &mut TenantTx, connection: ConnectionId) -> Result<Holdings> {
    let now = tx.now();
    let holdings = sqlx::query_as!(
        Holdings,
        r#"-- removals::holdings
        SELECT (SELECT count(*) FROM accounts WHERE connection_id = $1 AND active AND parked IS NULL) AS "active!",
               (SELECT count(*) FROM accounts WHERE connection_id = $1 AND active AND parked IS NOT NULL) AS "parked!",
               (SELECT count(*) FROM accounts WHERE connection_id = $1 AND NOT active) AS "deactivated!",
               (SELECT count(DISTINCT a.user_id) FROM accounts a WHERE a.connection_id = $1 AND NOT EXISTS (
                    SELECT FROM accounts o WHERE o.user_id = a.user_id AND o.connection_id <> $1)) AS "only_here!",
               (SELECT count(*) FROM groups WHERE connection_id = $1) AS "groups!",
               (SELECT count(*) FROM sessions WHERE connection_id = $1 AND ended_at IS NULL AND expires_at > $2) AS "live_sessions!",
               (SELECT count(*) FROM scim_tokens WHERE connection_id = $1 AND revoked_at IS NULL AND kind <> 'access'
                    AND (expires_at IS NULL OR expires_at > $2)) AS "tokens!",
               (SELECT count(*) FROM invitations WHERE connection_id = $1 AND step IN ('created', 'sent', 'bounced')) AS "invitations!""#,
        connection.0,
        now
    )
    .fetch_one(tx.conn().await?)
    .await?;
    Ok(holdings)
}

/// Hides the connection: from here on it is not there, for anybody, until it is brought back.
pub async fn hide(tx: &mut TenantTx, connection: ConnectionId, fate: Fate) -> Result<()> {
    let now = tx.now();
    show_removed(tx, true).await?;
    let done = sqlx::query!(
        "-- removals::hide\n UPDATE connections SET removed_at = $2, removed_users = $3 WHERE id = $1 AND removed_at IS NULL",
        connection.0,
        now,
        fate.as_str()
    )
    .execute(tx.conn().await?)
    .await?;
    one_row(&done)?;
    show_removed(tx, false).await?;
    // Nobody looks at it before it is back, or gone.
    look_at(tx, connection, now + UNDO).await
}

/// When a connection is looked at next.
async fn look_at(tx: &mut TenantTx, connection: ConnectionId, at: OffsetDateTime) -> Result<()> {
    sqlx::query!("-- removals::look_at\n UPDATE watches SET due_at = $2 WHERE connection_id = $1", connection.0, at)
        .execute(tx.conn().await?)
        .await?;
    Ok(())
}

/// The connection that was removed, kept from others until this transaction ends.
pub async fn for_update(tx: &mut TenantTx, connection: ConnectionId) -> Result<Option<Removed>> {
    show_removed(tx, true).await?;
    let row = sqlx::query!(
        r#"-- removals::for_update
        SELECT application_id, display_name, removed_at AS "removed_at!", removed_users AS "removed_users!"
        FROM connections WHERE id = $1 AND removed_at IS NOT NULL FOR UPDATE"#,
        connection.0
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    show_removed(tx, false).await?;
    let removed = row.and_then(|row| {
        let (id, application) = (connection, ApplicationId(row.application_id));
        let fate = Fate::read(&row.removed_users)?;
        Some(Removed { id, application, display_name: row.display_name, at: row.removed_at, fate })
    });
    Ok(removed)
}

/// The tenant's connections that were removed, the last one first.
pub async fn list(tx: &mut TenantTx) -> Result<Vec<Removed>> {
    show_removed(tx, true).await?;
    let rows = sqlx::query!(
        r#"-- removals::list
        SELECT id, application_id, display_name, removed_at AS "removed_at!", removed_users AS "removed_users!"
        FROM connections WHERE removed_at IS NOT NULL ORDER BY removed_at DESC, id LIMIT 1000"#
    )
    .fetch_all(tx.conn().await?)
    .await?;
    show_removed(tx, false).await?;
    let removed = rows.into_iter().filter_map(|row| {
        let (id, application) = (ConnectionId(row.id), ApplicationId(row.application_id));
        let fate = Fate::read(&row.removed_users)?;
        Some(Removed { id, application, display_name: row.display_name, at: row.removed_at, fate })
    });
    Ok(removed.collect())
}

/// Brings the connection back.
pub async fn restore(tx: &mut TenantTx, connection: ConnectionId) -> Result<()> {
    show_removed(tx, true).await?;
    let done = sqlx::query!(
        "-- removals::restore
         UPDATE connections SET removed_at = NULL, removed_users = NULL WHERE id = $1 AND removed_at IS NOT NULL",
        connection.0
    )
    .execute(tx.conn().await?)
    .await?;
    show_removed(tx, false).await?;
    one_row(&done)?;
    let now = tx.now();
    look_at(tx, connection, now).await
}

/// Tells something of every user who has an account there that can sign in; answers of how many.
pub async fn tell_users(tx: &mut TenantTx, connection: ConnectionId, kind: &str, data: &Value) -> Result<u64> {
    let (now, actor) = (tx.now(), tx.actor().to_string());
    let done = sqlx::query!(
        "-- removals::tell_users
         INSERT INTO events (id, kind, subject, subject_id, data, connection_id, actor, occurred_at)
         SELECT gen_random_uuid(), $2, 'user', user_id, $3::jsonb || jsonb_build_object('account_id', id), $1, $4, $5
         FROM accounts WHERE connection_id = $1 AND active AND parked IS NULL ORDER BY id",
        connection.0,
        kind,
        data,
        actor,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(done.rows_affected())
}

/// Has everybody who can sign in here invited into another connection, instead of what stands there for their addresses; answers how
/// many are.
pub async fn invite_elsewhere(tx: &mut TenantTx, from: ConnectionId, into: ConnectionId, lifetime: i32) -> Result<u64> {
    let now = tx.now();
    sqlx::query!(
        "-- removals::supersede_elsewhere
         WITH over AS (
             UPDATE invitations i SET step = 'superseded', step_at = $3, due_at = NULL
             FROM accounts a WHERE a.connection_id = $1 AND a.active AND a.parked IS NULL
               AND i.connection_id = $2 AND i.email_key = a.email_key AND i.step IN ('created', 'sent', 'bounced')
             RETURNING i.id
         )
         INSERT INTO events (id, kind, subject, subject_id, data, connection_id, actor, occurred_at)
         SELECT gen_random_uuid(), 'invitation.superseded', 'invitation', id, '{}', $2, $4, $3 FROM over",
        from.0,
        into.0,
        now,
        tx.actor().to_string()
    )
    .execute(tx.conn().await?)
    .await?;
    let done = sqlx::query!(
        "-- removals::invite_elsewhere
         WITH new AS (
             INSERT INTO invitations (id, connection_id, email, email_key, step, step_at, created_at, lifetime_days, due_at)
             SELECT gen_random_uuid(), $2, email, email_key, 'created', $3, $3, $4, $3
             FROM (SELECT DISTINCT ON (email_key) email, email_key FROM accounts
                   WHERE connection_id = $1 AND active AND parked IS NULL AND email_key IS NOT NULL ORDER BY email_key, id) AS a
             ON CONFLICT DO NOTHING
             RETURNING id
         )
         INSERT INTO events (id, kind, subject, subject_id, data, connection_id, actor, occurred_at)
         SELECT gen_random_uuid(), 'invitation.created', 'invitation', id, '{\"rule\": \"removal\"}', $2, $5, $3 FROM new",
        from.0,
        into.0,
        now,
        lifetime,
        tx.actor().to_string()
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(done.rows_affected())
}

/// Connections that nobody can bring back any more.
pub async fn due(tx: &mut ControlTx, most: i64) -> Result<Vec<(TenantId, ConnectionId)>> {
    let before = tx.now() - UNDO;
    let due = sqlx::query!(
        "-- removals::due
         SELECT tenant_id, id FROM connections WHERE removed_at <= $1 ORDER BY removed_at LIMIT $2",
        before,
        most
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(due.into_iter().map(|row| (TenantId(row.tenant_id), ConnectionId(row.id))).collect())
}

/// Deletes some accounts of a connection for good, with their users where these are not kept, and tells of those; answers how many
/// accounts went.
pub async fn delete_accounts(tx: &mut TenantTx, connection: ConnectionId, keeps_users: bool) -> Result<u64> {
    let (now, actor) = (tx.now(), tx.actor().to_string());
    let gone = sqlx::query!(
        "-- removals::delete_accounts
         DELETE FROM accounts WHERE id IN (SELECT id FROM accounts WHERE connection_id = $1 ORDER BY id LIMIT $2)
         RETURNING id, user_id, parked, parked_user",
        connection.0,
        BATCH
    )
    .fetch_all(tx.conn().await?)
    .await?;
    let accounts: Vec<_> = gone.iter().map(|row| row.id).collect();
    let users: Vec<_> = gone.iter().flat_map(|row| [Some(row.user_id), row.parked_user]).flatten().collect();
    if keeps_users {
        sqlx::query!(
            "-- removals::keep_users\n UPDATE users SET imported = true WHERE id = ANY($1) AND NOT imported",
            &users
        )
        .execute(tx.conn().await?)
        .await?;
        return Ok(u64::try_from(accounts.len()).unwrap_or(0));
    }
    // Of who never was anybody nobody was told.
    let known = || gone.iter().filter(|row| row.parked.as_deref() != Some("shadow"));
    sqlx::query!(
        "-- removals::tell_deleted
         INSERT INTO events (id, kind, subject, subject_id, data, connection_id, actor, occurred_at)
         SELECT gen_random_uuid(), 'user.deleted', 'user', user_id, jsonb_build_object('account_id', id, 'rule', 'removal'), $3, $4, $5
         FROM unnest($1::uuid[], $2::uuid[]) AS w (id, user_id)",
        &known().map(|row| row.id).collect::<Vec<_>>(),
        &known().map(|row| row.user_id).collect::<Vec<_>>(),
        connection.0,
        actor,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    sqlx::query!(
        "-- removals::delete_users
         DELETE FROM users u WHERE u.id = ANY($1) AND NOT u.imported
           AND NOT EXISTS (SELECT FROM accounts a WHERE a.user_id = u.id)
           AND NOT EXISTS (SELECT FROM accounts a WHERE a.parked_user = u.id)",
        &users
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(u64::try_from(accounts.len()).unwrap_or(0))
}

/// Deletes the connection itself, with everything of it that is left.
pub async fn delete(tx: &mut TenantTx, connection: ConnectionId) -> Result<()> {
    show_removed(tx, true).await?;
    let done = sqlx::query!(
        "-- removals::delete\n DELETE FROM connections WHERE id = $1 AND removed_at IS NOT NULL",
        connection.0
    )
    .execute(tx.conn().await?)
    .await?;
    show_removed(tx, false).await?;
    one_row(&done)?;
    shadows::forget_placeholder(tx, connection).await
}

/// Whether this transaction sees connections that were removed.
pub(crate) async fn show_removed(tx: &mut TenantTx, shows: bool) -> Result<()> {
    let word = if shows { "yes" } else { "" };
    sqlx::query!("-- removals::show_removed\n SELECT set_config('app.shows_removed', $1, true) AS word", word)
        .fetch_one(tx.conn().await?)
        .await?;
    Ok(())
}
