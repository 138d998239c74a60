//! Who is in which group: changed by sets, never by reading the list and writing it back. Members are accounts
//! (group_members) and groups (group_groups) of one connection.
//!
//! Plans are kept, and statistics take groups for small until a large one was analyzed: each row is looked up by its
//! whole key, where `id = ANY(…)` would have the planner read the group and filter.

use crate::{error::Result, search::too_slow, tenant::TenantTx};
use domain::ids::{AccountId, ConnectionId, GroupId};
use std::collections::{BTreeSet, HashMap, HashSet};
use uuid::Uuid;

/// Groups that an account shows.
const MOST_GROUPS: usize = 1_000;

/// Memberships of groups in groups that are looked at for a page of accounts.
const MOST_NESTINGS: i64 = 100_000;

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
        WITH wanted AS (SELECT DISTINCT w.id FROM unnest($3::uuid[]) AS w (id) ORDER BY 1),
        accounts_there AS MATERIALIZED (
            SELECT a.id FROM wanted w CROSS JOIN LATERAL (
                SELECT a.id FROM accounts a WHERE a.connection_id = $1 AND a.id = w.id FOR KEY SHARE) AS a
        ), groups_there AS MATERIALIZED (
            SELECT g.id FROM wanted w CROSS JOIN LATERAL (
                SELECT g.id FROM groups g WHERE g.connection_id = $1 AND g.id = w.id AND g.id <> $2 FOR KEY SHARE) AS g
        ), accounts_in AS (
            INSERT INTO group_members (connection_id, group_id, account_id) SELECT $1, $2, id FROM accounts_there
            ON CONFLICT DO NOTHING RETURNING 1
        ), groups_in AS (
            INSERT INTO group_groups (connection_id, group_id, member_id) SELECT $1, $2, id FROM groups_there
            ON CONFLICT DO NOTHING RETURNING 1
        )
        SELECT (SELECT count(*) FROM accounts_in) + (SELECT count(*) FROM groups_in) AS "count!",
               ARRAY(SELECT id FROM wanted EXCEPT SELECT id FROM accounts_there EXCEPT SELECT id FROM groups_there
                     ORDER BY 1) AS "unknown!""#,
        connection.0,
        group.0,
        members
    )
    .fetch_one(tx.conn().await?)
    .await?;
    Ok(Added { count: u64::try_from(row.count).unwrap_or(0), unknown: row.unknown })
}

/// Removes those of these accounts and groups that are in the group; answers how many were.
pub async fn remove(tx: &mut TenantTx, group: GroupId, accounts: &[Uuid], groups: &[Uuid]) -> Result<u64> {
    let count = sqlx::query_scalar!(
        r#"-- members::remove
        SELECT remove_members($1, $2, $3) AS "count!""#,
        group.0,
        accounts,
        groups
    )
    .fetch_one(tx.conn().await?)
    .await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Removes all accounts but these, and all groups but these; `None` leaves all of a kind. Answers how many went.
pub async fn retain(
    tx: &mut TenantTx,
    group: GroupId,
    accounts: Option<&[Uuid]>,
    groups: Option<&[Uuid]>,
) -> Result<u64> {
    let count = sqlx::query_scalar!(
        r#"-- members::retain
        WITH accounts_out AS (
            DELETE FROM group_members m WHERE m.group_id = $1 AND $2::uuid[] IS NOT NULL
              AND m.account_id NOT IN (SELECT unnest($2::uuid[])) RETURNING 1
        ), groups_out AS (
            DELETE FROM group_groups m WHERE m.group_id = $1 AND $3::uuid[] IS NOT NULL
              AND m.member_id NOT IN (SELECT unnest($3::uuid[])) RETURNING 1
        )
        SELECT (SELECT count(*) FROM accounts_out) + (SELECT count(*) FROM groups_out) AS "count!""#,
        group.0,
        accounts,
        groups
    )
    .fetch_one(tx.conn().await?)
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
    .fetch_all(tx.conn().await?)
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
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(rows.into_iter().map(|row| (GroupId(row.group), member(row.is_group, row.id))).collect())
}

/// The groups of several accounts, direct and through other groups (RFC 7643 4.1.2), in the order of accounts and
/// groups; of each account the nearest 1,000.
///
/// # Errors
/// [`crate::error::Error::TooSlow`] when that took longer than `search::bound` allows.
pub async fn of_accounts(tx: &mut TenantTx, accounts: &[Uuid]) -> Result<Vec<Membership>> {
    let rows = sqlx::query!(
        r#"-- members::of_accounts
        SELECT a.id AS "account!", m.group_id AS "group!", g.display_name,
               EXISTS (SELECT FROM group_groups n WHERE n.member_id = m.group_id) AS "nested!"
        FROM unnest($1::uuid[]) AS a (id)
        CROSS JOIN LATERAL (SELECT group_id FROM group_members WHERE account_id = a.id ORDER BY group_id LIMIT 1000) AS m
        CROSS JOIN LATERAL (SELECT display_name FROM groups WHERE id = m.group_id LIMIT 1) AS g
        ORDER BY 1, 2"#,
        accounts
    )
    .fetch_all(tx.conn().await?)
    .await
    .map_err(too_slow)?;
    let nested = rows.iter().any(|row| row.nested);
    let direct = rows.into_iter().map(|row| Membership {
        account: AccountId(row.account),
        group: GroupId(row.group),
        display_name: row.display_name,
        direct: true,
    });
    with_indirect(tx, direct.collect(), nested).await
}

/// Adds the groups that these are in, if `nested` says that some are in others.
pub(crate) async fn with_indirect(tx: &mut TenantTx, direct: Vec<Membership>, nested: bool) -> Result<Vec<Membership>> {
    if !nested {
        return Ok(direct);
    }
    let above = above(tx, &direct).await?;
    let mut all = Vec::with_capacity(direct.len());
    for of_account in direct.chunk_by(|a, b| a.account == b.account) {
        let mut seen: HashSet<GroupId> = of_account.iter().map(|membership| membership.group).collect();
        let mut groups = of_account.to_vec();
        // The list grows while it is walked: what is near comes first.
        let mut next = 0;
        while next < groups.len() && groups.len() < MOST_GROUPS {
            let higher = above.get(&groups[next].group).map_or(&[][..], Vec::as_slice);
            for (group, display_name) in higher.iter().filter(|(group, _)| seen.insert(*group)) {
                let account = of_account[0].account;
                groups.push(Membership { account, group: *group, display_name: display_name.clone(), direct: false });
            }
            next += 1;
        }
        groups.truncate(MOST_GROUPS);
        groups.sort_by_key(|membership| membership.group);
        all.append(&mut groups);
    }
    Ok(all)
}

/// Of these groups and of those that they are in, which groups each is in.
async fn above(tx: &mut TenantTx, direct: &[Membership]) -> Result<HashMap<GroupId, Vec<(GroupId, String)>>> {
    let start: BTreeSet<Uuid> = direct.iter().map(|membership| membership.group.0).collect();
    let rows = sqlx::query!(
        r#"-- members::above
        WITH RECURSIVE up (id) AS (
            SELECT s.id FROM unnest($1::uuid[]) AS s (id)
            UNION
            SELECT n.group_id FROM up
            CROSS JOIN LATERAL (SELECT group_id FROM group_groups WHERE member_id = up.id LIMIT $2) AS n
        )
        SELECT n.member_id, n.group_id, g.display_name
        FROM up
        CROSS JOIN LATERAL (SELECT member_id, group_id FROM group_groups WHERE member_id = up.id LIMIT $2) AS n
        CROSS JOIN LATERAL (SELECT display_name FROM groups WHERE id = n.group_id LIMIT 1) AS g
        LIMIT $2"#,
        &start.into_iter().collect::<Vec<_>>(),
        MOST_NESTINGS
    )
    .fetch_all(tx.conn().await?)
    .await
    .map_err(too_slow)?;
    let mut above: HashMap<GroupId, Vec<(GroupId, String)>> = HashMap::new();
    for row in rows {
        above.entry(GroupId(row.member_id)).or_default().push((GroupId(row.group_id), row.display_name));
    }
    above.values_mut().for_each(|groups| groups.sort_unstable());
    Ok(above)
}

fn member(is_group: bool, id: Uuid) -> Member {
    if is_group { Member::Group(GroupId(id)) } else { Member::Account(AccountId(id)) }
}
