//! Who is in which group: changed by sets, never by reading the list and writing it back. Members are accounts
//! (group_members) and groups (group_groups) of one connection.

use crate::{error::Result, tenant::TenantTx};
use domain::ids::{AccountId, ConnectionId, GroupId};
use uuid::Uuid;

/// A group that an account is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    pub account: AccountId,
    pub group: GroupId,
    pub display_name: String,
    /// Not only through another group.
    pub direct: bool,
}

/// A member of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Member {
    Account(AccountId),
    Group(GroupId),
}

/// What became of members that were to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// How many were new.
    pub count: u64,
    /// Those that the connection does not have, in order.
    pub unknown: Vec<Uuid>,
}

/// Adds those of `members` that the connection has, and keeps them from deletion meanwhile. A group is no member of
/// itself.
pub async fn add(tx: &mut TenantTx, connection: ConnectionId, group: GroupId, members: &[Uuid]) -> Result<Added> {
    let row = sqlx::query!(
        r#"-- members::add
        WITH accounts_there AS MATERIALIZED (
            SELECT a.id FROM accounts a WHERE a.connection_id = $1 AND a.id = ANY($3) ORDER BY a.id FOR KEY SHARE
        ), groups_there AS MATERIALIZED (
            SELECT g.id FROM groups g WHERE g.connection_id = $1 AND g.id = ANY($3) AND g.id <> $2
            ORDER BY g.id FOR KEY SHARE
        ), accounts_in AS (
            INSERT INTO group_members (connection_id, group_id, account_id) SELECT $1, $2, id FROM accounts_there
            ON CONFLICT DO NOTHING RETURNING 1
        ), groups_in AS (
            INSERT INTO group_groups (connection_id, group_id, member_id) SELECT $1, $2, id FROM groups_there
            ON CONFLICT DO NOTHING RETURNING 1
        )
        SELECT (SELECT count(*) FROM accounts_in) + (SELECT count(*) FROM groups_in) AS "count!",
               ARRAY(SELECT w.id FROM unnest($3::uuid[]) AS w (id)
                     EXCEPT SELECT id FROM accounts_there EXCEPT SELECT id FROM groups_there
                     ORDER BY 1) AS "unknown!""#,
        connection.0,
        group.0,
        members
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Added { count: u64::try_from(row.count).unwrap_or(0), unknown: row.unknown })
}

/// Removes those of `members` that are in the group; answers how many were.
pub async fn remove(tx: &mut TenantTx, group: GroupId, members: &[Uuid]) -> Result<u64> {
    let count = sqlx::query_scalar!(
        r#"-- members::remove
        WITH accounts_out AS (
            DELETE FROM group_members WHERE group_id = $1 AND account_id = ANY($2) RETURNING 1
        ), groups_out AS (
            DELETE FROM group_groups WHERE group_id = $1 AND member_id = ANY($2) RETURNING 1
        )
        SELECT (SELECT count(*) FROM accounts_out) + (SELECT count(*) FROM groups_out) AS "count!""#,
        group.0,
        members
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Removes everybody but `members`; answers how many went.
pub async fn retain(tx: &mut TenantTx, group: GroupId, members: &[Uuid]) -> Result<u64> {
    let count = sqlx::query_scalar!(
        r#"-- members::retain
        WITH accounts_out AS (
            DELETE FROM group_members m WHERE m.group_id = $1
              AND NOT EXISTS (SELECT FROM unnest($2::uuid[]) AS w (id) WHERE w.id = m.account_id) RETURNING 1
        ), groups_out AS (
            DELETE FROM group_groups m WHERE m.group_id = $1
              AND NOT EXISTS (SELECT FROM unnest($2::uuid[]) AS w (id) WHERE w.id = m.member_id) RETURNING 1
        )
        SELECT (SELECT count(*) FROM accounts_out) + (SELECT count(*) FROM groups_out) AS "count!""#,
        group.0,
        members
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// The group's members behind `after`, accounts first, `limit` at most.
pub async fn page(tx: &mut TenantTx, group: GroupId, after: Option<Member>, limit: i64) -> Result<Vec<Member>> {
    let (accounts_after, groups_after) = match after {
        None => (Some(Uuid::nil()), Uuid::nil()),
        Some(Member::Account(id)) => (Some(id.0), Uuid::nil()),
        Some(Member::Group(id)) => (None, id.0),
    };
    // Without a place among the accounts they are all behind us.
    let rows = sqlx::query!(
        r#"-- members::page
        SELECT is_group AS "is_group!", id AS "id!" FROM (
            (SELECT false AS is_group, account_id AS id FROM group_members
             WHERE group_id = $1 AND account_id > $2 ORDER BY account_id LIMIT $4)
            UNION ALL
            (SELECT true, member_id FROM group_groups
             WHERE group_id = $1 AND member_id > $3 ORDER BY member_id LIMIT $4)
        ) AS m ORDER BY is_group, id LIMIT $4"#,
        group.0,
        accounts_after,
        groups_after,
        limit
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| member(row.is_group, row.id)).collect())
}

/// The members of several groups, of each the first `limit` accounts and groups, in the order of groups.
pub async fn of_groups(tx: &mut TenantTx, groups: &[Uuid], limit: i64) -> Result<Vec<(GroupId, Member)>> {
    let rows = sqlx::query!(
        r#"-- members::of_groups
        SELECT g.id AS "group!", m.is_group AS "is_group!", m.id AS "id!" FROM unnest($1::uuid[]) AS g (id)
        CROSS JOIN LATERAL (
            (SELECT false AS is_group, account_id AS id FROM group_members WHERE group_id = g.id ORDER BY account_id LIMIT $2)
            UNION ALL
            (SELECT true, member_id FROM group_groups WHERE group_id = g.id ORDER BY member_id LIMIT $2)
        ) AS m
        ORDER BY 1, 2, 3"#,
        groups,
        limit
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (GroupId(row.group), member(row.is_group, row.id))).collect())
}

/// The groups of several accounts, direct and through other groups (RFC 7643 4.1.2): 1,000 direct ones of each at most.
pub async fn of_accounts(tx: &mut TenantTx, accounts: &[Uuid]) -> Result<Vec<Membership>> {
    let rows = sqlx::query!(
        r#"-- members::of_accounts
        WITH RECURSIVE up (account, id, direct) AS (
            SELECT a.id, m.group_id, true FROM unnest($1::uuid[]) AS a (id)
            CROSS JOIN LATERAL (SELECT group_id FROM group_members WHERE account_id = a.id ORDER BY group_id LIMIT 1000) AS m
            UNION
            SELECT up.account, n.group_id, false FROM up
            CROSS JOIN LATERAL (SELECT group_id FROM group_groups WHERE member_id = up.id ORDER BY group_id LIMIT 1000) AS n
        ), once AS (
            SELECT account, id, bool_or(direct) AS direct FROM up GROUP BY account, id
        )
        SELECT once.account AS "account!", once.id AS "group!", once.direct AS "direct!", g.display_name AS "display_name!"
        FROM once CROSS JOIN LATERAL (SELECT display_name FROM groups WHERE id = once.id LIMIT 1) AS g
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
            direct: row.direct,
        })
        .collect())
}

fn member(is_group: bool, id: Uuid) -> Member {
    if is_group { Member::Group(GroupId(id)) } else { Member::Account(AccountId(id)) }
}
