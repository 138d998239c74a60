//! Who is in which group: changed by sets, never by reading the list and writing it back.

use crate::{error::Result, tenant::TenantTx};
use domain::ids::{AccountId, ConnectionId, GroupId};
use uuid::Uuid;

/// A group that an account is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    pub account: AccountId,
    pub group: GroupId,
    pub display_name: String,
}

/// Adds those of `accounts` that the connection has, and keeps them from deletion meanwhile; answers how many were new.
pub async fn add(tx: &mut TenantTx, connection: ConnectionId, group: GroupId, accounts: &[Uuid]) -> Result<u64> {
    let done = sqlx::query!(
        "-- members::add
         INSERT INTO group_members (connection_id, group_id, account_id)
         SELECT a.connection_id, $2, a.id FROM accounts a WHERE a.connection_id = $1 AND a.id = ANY($3)
         ORDER BY a.id FOR KEY SHARE OF a
         ON CONFLICT DO NOTHING",
        connection.0,
        group.0,
        accounts
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// Those of `accounts` that the connection does not have.
pub async fn unknown(tx: &mut TenantTx, connection: ConnectionId, accounts: &[Uuid]) -> Result<Vec<Uuid>> {
    let ids = sqlx::query_scalar!(
        r#"-- members::unknown
        SELECT w.id AS "id!" FROM unnest($2::uuid[]) AS w (id)
        WHERE NOT EXISTS (SELECT FROM accounts a WHERE a.id = w.id AND a.connection_id = $1)
        ORDER BY 1 LIMIT 100000"#,
        connection.0,
        accounts
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(ids)
}

/// Removes those of `accounts` that are in the group; answers how many were.
pub async fn remove(tx: &mut TenantTx, group: GroupId, accounts: &[Uuid]) -> Result<u64> {
    let done = sqlx::query!(
        "-- members::remove
         DELETE FROM group_members WHERE group_id = $1 AND account_id = ANY($2)",
        group.0,
        accounts
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// Removes everybody but `accounts`; answers how many went.
pub async fn retain(tx: &mut TenantTx, group: GroupId, accounts: &[Uuid]) -> Result<u64> {
    let done = sqlx::query!(
        "-- members::retain
         DELETE FROM group_members m WHERE m.group_id = $1
           AND NOT EXISTS (SELECT FROM unnest($2::uuid[]) AS w (id) WHERE w.id = m.account_id)",
        group.0,
        accounts
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// The group's members, `limit` at most.
pub async fn list(tx: &mut TenantTx, group: GroupId, limit: i64) -> Result<Vec<AccountId>> {
    let ids = sqlx::query_scalar!(
        "-- members::list
         SELECT account_id FROM group_members WHERE group_id = $1 ORDER BY account_id LIMIT $2",
        group.0,
        limit
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(ids.into_iter().map(AccountId).collect())
}

/// The members of several groups, `limit` of each at most.
pub async fn of_groups(tx: &mut TenantTx, groups: &[Uuid], limit: i64) -> Result<Vec<(GroupId, AccountId)>> {
    let rows = sqlx::query!(
        r#"-- members::of_groups
        SELECT g.id AS "group!", m.account_id AS "account!" FROM unnest($1::uuid[]) AS g (id)
        CROSS JOIN LATERAL (SELECT account_id FROM group_members WHERE group_id = g.id ORDER BY account_id LIMIT $2) AS m
        ORDER BY 1, 2"#,
        groups,
        limit
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (GroupId(row.group), AccountId(row.account))).collect())
}

/// The groups of several accounts, 1,000 of each at most.
pub async fn of_accounts(tx: &mut TenantTx, accounts: &[Uuid]) -> Result<Vec<Membership>> {
    let rows = sqlx::query!(
        r#"-- members::of_accounts
        SELECT a.id AS "account!", m.id AS "group!", m.display_name AS "display_name!"
        FROM unnest($1::uuid[]) AS a (id)
        CROSS JOIN LATERAL (
            SELECT g.id, g.display_name FROM group_members gm JOIN groups g ON g.id = gm.group_id
            WHERE gm.account_id = a.id ORDER BY g.id LIMIT 1000
        ) AS m
        ORDER BY 1, 2"#,
        accounts
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Membership {
            account: AccountId(row.account),
            group: GroupId(row.group),
            display_name: row.display_name,
        })
        .collect())
}
