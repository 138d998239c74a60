//! People who are erased: everything of the tenant that names them, and the tombstones that are left.

use crate::{error::Result, tenant::TenantTx};
use domain::ids::{AccountId, ConnectionId, UserId};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

/// An account of somebody who is erased.
#[derive(Debug, Clone)]
pub struct Held {
    pub id: AccountId,
    pub connection: ConnectionId,
    pub is_active: bool,
    /// Its connection was removed, and may come back.
    pub is_removed: bool,
    /// Its connection is in shadow, so that it is nobody's yet.
    pub in_shadow: bool,
    /// Everything it is called.
    pub names: Vec<String>,
    pub document: Value,
}

/// A person who was erased.
#[derive(Debug, Clone)]
pub struct Tombstone {
    pub user: Option<UserId>,
    pub erased_at: OffsetDateTime,
    pub counts: Value,
}

/// How a person is found in what is kept of others.
#[derive(Debug, Clone, Copy)]
pub struct Traces<'p> {
    pub accounts: &'p [Uuid],
    /// Names and addresses as they are compared.
    pub keys: &'p [String],
    /// What stands in texts, in lower case.
    pub words: &'p [String],
    /// Of those, what is nobody else's: ids and addresses.
    pub own: &'p [String],
}

/// Rows that went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gone {
    pub invitations: u64,
    pub failures: u64,
    /// Failures of others whose wish named the person, and is not kept any more.
    pub wishes: u64,
    pub scim_exchanges: u64,
    pub sign_in_steps: u64,
    pub sign_in_requests: u64,
    pub logouts: u64,
    pub user_changes: u64,
}

/// Users with that address or name, also by an account of a removed connection.
pub async fn users_called(tx: &mut TenantTx, key: &str) -> Result<Vec<UserId>> {
    let ids = sqlx::query_scalar!(
        r#"-- erasures::users_called
        SELECT id AS "id!" FROM users WHERE email_key = $1
        UNION SELECT user_id FROM accounts WHERE (email_key = $1 OR user_name_key = $1) AND parked IS DISTINCT FROM 'shadow'
        ORDER BY 1 LIMIT 100"#,
        key
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(ids.into_iter().map(UserId).collect())
}

/// Has no account of a removed connection wait any more for somebody to say whether it is this user's: nobody can say so there.
pub async fn answer_hidden(tx: &mut TenantTx, user: UserId) -> Result<()> {
    sqlx::query!(
        "-- erasures::answer_hidden
         UPDATE accounts SET parked = NULL, parked_user = NULL
         WHERE parked_user = $1 AND connection_id NOT IN (SELECT id FROM connections)",
        user.0
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// How many users and groups of others name the person: as a manager, or in a group's name.
pub async fn named_by_others(tx: &mut TenantTx, words: &[String]) -> Result<i64> {
    let count = sqlx::query_scalar!(
        r#"-- erasures::named_by_others
        SELECT (SELECT count(*) FROM accounts WHERE mentions(document::text, $1))
             + (SELECT count(*) FROM groups WHERE mentions(display_name, $1)) AS "count!""#,
        words
    )
    .fetch_one(tx.conn().await?)
    .await?;
    Ok(count)
}

/// All accounts of a user, also those of removed connections, and those that are called so in connections in shadow; kept from others
/// until this transaction ends.
pub async fn accounts_of(tx: &mut TenantTx, user: Option<UserId>, keys: &[String]) -> Result<Vec<Held>> {
    let rows = sqlx::query!(
        r#"-- erasures::accounts_of
        SELECT a.id, a.connection_id, a.active, c.id IS NULL AS "is_removed!", a.document,
               coalesce(a.parked = 'shadow', false) AS "in_shadow!",
               array_remove(ARRAY[a.user_name, a.external_id, a.email, a.display_name, a.name_id], NULL) AS "names!"
        FROM accounts a LEFT JOIN connections c ON c.id = a.connection_id
        WHERE a.user_id = $1 OR (a.parked = 'shadow' AND (a.email_key = ANY($2) OR a.user_name_key = ANY($2))) ORDER BY a.id FOR UPDATE OF a"#,
        user.map(|user| user.0),
        keys
    )
    .fetch_all(tx.conn().await?)
    .await?;
    let held = rows.into_iter().map(|row| Held {
        id: AccountId(row.id),
        connection: ConnectionId(row.connection_id),
        is_active: row.active,
        is_removed: row.is_removed,
        in_shadow: row.in_shadow,
        names: row.names,
        document: row.document,
    });
    Ok(held.collect())
}

/// Deletes an account of whose end nobody is told, and all that hangs on it.
pub async fn delete_untold(tx: &mut TenantTx, account: AccountId) -> Result<()> {
    sqlx::query!("-- erasures::delete_untold\n DELETE FROM accounts WHERE id = $1", account.0)
        .execute(tx.conn().await?)
        .await?;
    Ok(())
}

/// Deletes what is left of somebody whose accounts are gone. Reads all logs of the tenant: for people, not for requests.
pub async fn delete_traces(tx: &mut TenantTx, user: Option<UserId>, traces: Traces<'_>) -> Result<Gone> {
    Ok(Gone {
        invitations: invitations(tx, traces).await?,
        failures: failures(tx, traces).await?,
        wishes: wishes(tx, traces).await?,
        scim_exchanges: scim_exchanges(tx, traces).await?,
        sign_in_steps: sign_in_steps(tx, traces).await?,
        sign_in_requests: sign_in_requests(tx, traces).await?,
        logouts: logouts(tx, traces).await?,
        user_changes: user_changes(tx, user, traces).await?,
    })
}

async fn invitations(tx: &mut TenantTx, traces: Traces<'_>) -> Result<u64> {
    let done = sqlx::query!(
        "-- erasures::invitations\n DELETE FROM invitations WHERE account_id = ANY($1) OR email_key = ANY($2)",
        traces.accounts,
        traces.keys
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(done.rows_affected())
}

async fn failures(tx: &mut TenantTx, traces: Traces<'_>) -> Result<u64> {
    let done = sqlx::query!(
        "-- erasures::failures
         DELETE FROM failures WHERE subject_id = ANY($1) OR who_key = ANY($2)",
        traces.accounts,
        traces.keys
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(done.rows_affected())
}

async fn wishes(tx: &mut TenantTx, traces: Traces<'_>) -> Result<u64> {
    let done = sqlx::query!(
        "-- erasures::wishes
         UPDATE failures SET wish = NULL,
             detail = CASE WHEN mentions(detail, $1) THEN 'The sentence named somebody who was erased.' ELSE detail END
         WHERE mentions(wish::text, $1) OR mentions(detail, $1)",
        traces.words
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(done.rows_affected())
}

async fn scim_exchanges(tx: &mut TenantTx, traces: Traces<'_>) -> Result<u64> {
    let done = sqlx::query!(
        "-- erasures::scim_exchanges
         DELETE FROM scim_exchanges t WHERE mentions(t::text, $1)",
        traces.words
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(done.rows_affected())
}

/// Every step of an attempt that names the person.
async fn sign_in_steps(tx: &mut TenantTx, traces: Traces<'_>) -> Result<u64> {
    let done = sqlx::query!(
        "-- erasures::sign_in_steps
         DELETE FROM sign_in_steps WHERE (connection_id, attempt) IN (
             SELECT connection_id, attempt FROM sign_in_steps t WHERE mentions(t::text, $1))",
        traces.words
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(done.rows_affected())
}

async fn sign_in_requests(tx: &mut TenantTx, traces: Traces<'_>) -> Result<u64> {
    let done = sqlx::query!(
        "-- erasures::sign_in_requests
         DELETE FROM sign_in_requests t WHERE mentions(t::text, $1)",
        traces.own
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(done.rows_affected())
}

async fn logouts(tx: &mut TenantTx, traces: Traces<'_>) -> Result<u64> {
    let done = sqlx::query!(
        "-- erasures::logouts
         DELETE FROM logouts WHERE account_id = ANY($1) OR lower(name_id) = ANY($2) OR lower(subject) = ANY($2)",
        traces.accounts,
        traces.keys
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(done.rows_affected())
}

async fn user_changes(tx: &mut TenantTx, user: Option<UserId>, traces: Traces<'_>) -> Result<u64> {
    let done = sqlx::query!(
        "-- erasures::user_changes
         DELETE FROM user_changes t WHERE user_id = $1 OR into_user_id = $1 OR account_ids && $2
             OR mentions(removed::text, $3)",
        user.map(|user| user.0),
        traces.accounts,
        traces.own
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(done.rows_affected())
}

/// Notes that somebody was erased.
pub async fn bury(tx: &mut TenantTx, user: Option<UserId>, addresses: &[Vec<u8>], counts: &Value) -> Result<()> {
    let (id, now) = (tx.new_id(), tx.now());
    sqlx::query!(
        "-- erasures::bury
         INSERT INTO tombstones (id, user_id, addresses, erased_at, counts) VALUES ($1, $2, $3, $4, $5)",
        id,
        user.map(|user| user.0),
        addresses,
        now,
        counts
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// The tombstones of that user, or of anybody with one of these addresses; the last one first.
pub async fn find(tx: &mut TenantTx, user: Option<UserId>, addresses: &[Vec<u8>]) -> Result<Vec<Tombstone>> {
    let rows = sqlx::query!(
        "-- erasures::find
         SELECT user_id, erased_at, counts FROM tombstones WHERE user_id = $1 OR addresses && $2 ORDER BY erased_at DESC LIMIT 100",
        user.map(|user| user.0),
        addresses
    )
    .fetch_all(tx.conn().await?)
    .await?;
    let found = rows.into_iter().map(|row| Tombstone {
        user: row.user_id.map(UserId),
        erased_at: row.erased_at,
        counts: row.counts,
    });
    Ok(found.collect())
}
