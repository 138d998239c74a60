//! Users who became one, or two, by an operator's hand: kept so that it can be undone.

use crate::{
    error::{Error, Result},
    pooled::one_row,
    tenant::TenantTx,
};
use domain::ids::{AccountId, ConnectionId, UserId};
use serde_json::Value;
use uuid::Uuid;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `user` went into `into`.
    Merge,
    /// Accounts left `into` for `user`.
    Split,
}

/// A change as it is kept.
#[derive(Debug, Clone)]
pub struct Change {
    pub kind: Kind,
    pub user: UserId,
    pub into: UserId,
    pub accounts: Vec<AccountId>,
    /// The row of the user who went.
    pub removed: Option<Value>,
    /// Whether it was the answer to the question whose the accounts are.
    pub answers: bool,
    /// Which of them waited for it; older versions did not keep that.
    pub answered: Option<AccountId>,
}

/// An account that moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    pub id: AccountId,
    pub connection: ConnectionId,
    pub user: UserId,
}

/// Stores a change; answers its id.
pub async fn insert(tx: &mut TenantTx, change: &Change) -> Result<Uuid> {
    let (id, now) = (tx.new_id(), tx.now());
    let kind = match change.kind {
        Kind::Merge => "merge",
        Kind::Split => "split",
    };
    sqlx::query!(
        "-- user_changes::insert
         INSERT INTO user_changes (id, kind, user_id, into_user_id, account_ids, removed, created_at, answers, answered_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        id,
        kind,
        change.user.0,
        change.into.0,
        &change.accounts.iter().map(|id| id.0).collect::<Vec<_>>(),
        change.removed,
        now,
        change.answers,
        change.answered.map(|account| account.0)
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(id)
}

/// Marks a change as undone, once; answers it.
pub async fn take_back(tx: &mut TenantTx, id: Uuid) -> Result<Option<Change>> {
    let now = tx.now();
    let row = sqlx::query!(
        "-- user_changes::take_back
         UPDATE user_changes SET undone_at = $2 WHERE id = $1 AND undone_at IS NULL
         RETURNING kind, user_id, into_user_id, account_ids, removed, answers, answered_id",
        id,
        now
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let kind = match row.kind.as_str() {
        "merge" => Kind::Merge,
        "split" => Kind::Split,
        _ => return Err(Error::Damaged("user_changes.kind")),
    };
    let accounts = row.account_ids.into_iter().map(AccountId).collect();
    let (user, into) = (UserId(row.user_id), UserId(row.into_user_id));
    let answered = row.answered_id.map(AccountId);
    Ok(Some(Change { kind, user, into, accounts, removed: row.removed, answers: row.answers, answered }))
}

/// The accounts of a user.
pub async fn accounts_of(tx: &mut TenantTx, user: UserId) -> Result<Vec<Moved>> {
    let rows = sqlx::query!(
        "-- user_changes::accounts_of
         SELECT id, connection_id FROM accounts WHERE user_id = $1 ORDER BY id LIMIT 10000",
        user.0
    )
    .fetch_all(tx.conn().await?)
    .await?;
    let moved = |(id, connection)| Moved { id: AccountId(id), connection: ConnectionId(connection), user };
    Ok(rows.into_iter().map(|row| moved((row.id, row.connection_id))).collect())
}

/// An account and whose it is; not one of a connection in shadow, which is nobody's.
pub async fn account(tx: &mut TenantTx, id: AccountId) -> Result<Option<Moved>> {
    let row = sqlx::query!(
        "-- user_changes::account
         SELECT connection_id, user_id FROM accounts WHERE id = $1 AND parked IS DISTINCT FROM 'shadow'",
        id.0
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(row.map(|row| Moved { id, connection: ConnectionId(row.connection_id), user: UserId(row.user_id) }))
}

/// Whether two users have accounts in the same connection.
pub async fn overlap(tx: &mut TenantTx, one: UserId, other: UserId) -> Result<bool> {
    let found = sqlx::query_scalar!(
        r#"-- user_changes::overlap
        SELECT EXISTS (
            SELECT FROM accounts a JOIN accounts b ON b.connection_id = a.connection_id
            WHERE a.user_id = $1 AND b.user_id = $2
        ) AS "found!""#,
        one.0,
        other.0
    )
    .fetch_one(tx.conn().await?)
    .await?;
    Ok(found)
}

/// Whether a user has an account in a connection of one of these.
pub async fn would_overlap(tx: &mut TenantTx, accounts: &[AccountId], user: UserId) -> Result<bool> {
    let found = sqlx::query_scalar!(
        r#"-- user_changes::would_overlap
        SELECT EXISTS (
            SELECT FROM unnest($1::uuid[]) AS w (id)
            CROSS JOIN LATERAL (SELECT connection_id FROM accounts WHERE id = w.id LIMIT 1) AS a
            JOIN accounts b ON b.user_id = $2 AND b.connection_id = a.connection_id
        ) AS "found!""#,
        &accounts.iter().map(|id| id.0).collect::<Vec<_>>(),
        user.0
    )
    .fetch_one(tx.conn().await?)
    .await?;
    Ok(found)
}

/// Gives an account to a user.
pub async fn give(tx: &mut TenantTx, account: AccountId, user: UserId) -> Result<()> {
    let done = sqlx::query!(
        "-- user_changes::give
         UPDATE accounts SET user_id = $2, linked_by = 'operator',
             parked = CASE WHEN parked_user = $2 THEN NULL ELSE parked END, parked_user = nullif(parked_user, $2)
         WHERE id = $1",
        account.0,
        user.0
    )
    .execute(tx.conn().await?)
    .await?;
    one_row(&done)
}

/// The own user of an account that waits for somebody to say whose it is, and the one who is asked about.
pub async fn asked(tx: &mut TenantTx, account: AccountId) -> Result<Option<(UserId, UserId)>> {
    let row = sqlx::query!(
        r#"-- user_changes::asked
        SELECT user_id, parked_user AS "asked!" FROM accounts WHERE id = $1 AND parked = 'link'"#,
        account.0
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(row.map(|row| (UserId(row.user_id), UserId(row.asked))))
}

/// Whether an account of the user waits for somebody to say whose it is, or one waits that may be the user's.
pub async fn is_asked_about(tx: &mut TenantTx, user: UserId) -> Result<bool> {
    let found = sqlx::query_scalar!(
        r#"-- user_changes::is_asked_about
        SELECT EXISTS (SELECT FROM accounts WHERE user_id = $1 AND parked = 'link')
            OR EXISTS (SELECT FROM accounts WHERE parked_user = $1 AND connection_id IN (SELECT id FROM connections)) AS "found!""#,
        user.0
    )
    .fetch_one(tx.conn().await?)
    .await?;
    Ok(found)
}

/// Has an account wait again for somebody to say whether it is that user's.
pub async fn ask_again(tx: &mut TenantTx, account: AccountId, user: UserId) -> Result<()> {
    let done = sqlx::query!(
        "-- user_changes::ask_again
         UPDATE accounts SET parked = 'link', parked_user = $2, waits_since = NULL WHERE id = $1",
        account.0,
        user.0
    )
    .execute(tx.conn().await?)
    .await?;
    one_row(&done)
}

/// Keeps the accounts of users from other changes until this transaction ends. They come before their users, as in every
/// request about an account.
pub async fn lock_accounts(tx: &mut TenantTx, users: &[UserId]) -> Result<()> {
    sqlx::query!(
        "-- user_changes::lock_accounts
         SELECT a.id FROM unnest($1::uuid[]) AS w (id)
         CROSS JOIN LATERAL (SELECT id FROM accounts WHERE user_id = w.id ORDER BY id LIMIT 10000 FOR UPDATE) AS a",
        &users.iter().map(|id| id.0).collect::<Vec<_>>()
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(())
}

/// Lets an account in that waited for somebody to say whose it is; answers its own user, and the one who was asked about.
pub async fn unpark(tx: &mut TenantTx, account: AccountId) -> Result<Option<(UserId, UserId)>> {
    let row = sqlx::query!(
        r#"-- user_changes::unpark
        WITH before AS (SELECT id, parked_user FROM accounts WHERE id = $1 AND parked = 'link' FOR UPDATE)
        UPDATE accounts a SET parked = NULL, parked_user = NULL FROM before
        WHERE a.id = before.id RETURNING a.user_id, before.parked_user AS "asked!""#,
        account.0
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(row.map(|row| (UserId(row.user_id), UserId(row.asked))))
}
