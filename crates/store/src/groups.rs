//! SCIM groups of one connection; their members are rows of their own.

use crate::{error::Result, pooled::one_row, tenant::TenantTx};
use domain::{
    ids::{ConnectionId, GroupId},
    names::fold,
};
use time::OffsetDateTime;
use uuid::Uuid;

/// A group as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub id: GroupId,
    pub display_name: String,
    pub external_id: Option<String>,
    /// Counts changes; the SCIM ETag.
    pub version: i64,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
}

#[derive(sqlx::FromRow)]
pub(crate) struct Row {
    id: Uuid,
    display_name: String,
    external_id: Option<String>,
    version: i64,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl From<Row> for Group {
    fn from(row: Row) -> Self {
        let Row { id, display_name, external_id, version, created_at, updated_at } = row;
        Self { id: GroupId(id), display_name, external_id, version, created_at, updated_at }
    }
}

/// Selects groups; the columns are named once, here.
macro_rules! groups {
    ($name:literal, $tail:literal $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            Row,
            "-- groups::" + $name + "
             SELECT id, display_name, external_id, version, created_at, updated_at FROM groups WHERE " + $tail
            $(, $argument)*
        )
    };
}

/// Stores a new group.
pub async fn insert(
    tx: &mut TenantTx,
    connection: ConnectionId,
    id: GroupId,
    display_name: &str,
    external_id: Option<&str>,
) -> Result<Group> {
    let now = tx.now();
    sqlx::query!(
        "-- groups::insert
         INSERT INTO groups (id, connection_id, display_name, display_name_key, external_id, version, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, 1, $6, $6)",
        id.0,
        connection.0,
        display_name,
        fold(display_name),
        external_id,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    let (display_name, external_id) = (display_name.to_owned(), external_id.map(str::to_owned));
    Ok(Group { id, display_name, external_id, version: 1, created_at: now, updated_at: now })
}

/// Stores a changed group.
pub async fn update(tx: &mut TenantTx, group: &Group) -> Result<()> {
    let now = tx.now();
    let done = sqlx::query!(
        "-- groups::update
         UPDATE groups SET display_name = $2, display_name_key = $3, external_id = $4, version = version + 1, updated_at = $5
         WHERE id = $1",
        group.id.0,
        group.display_name,
        fold(&group.display_name),
        group.external_id,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    one_row(&done)
}

/// Counts a change of the group's members.
pub async fn touch(tx: &mut TenantTx, id: GroupId) -> Result<()> {
    let now = tx.now();
    let done = sqlx::query!(
        "-- groups::touch
         UPDATE groups SET version = version + 1, updated_at = $2 WHERE id = $1",
        id.0,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    one_row(&done)
}

/// Keeps the groups of which this is a member, and the group itself if it is one, from other changes until this
/// transaction ends: whoever deletes a member takes them first and in order, as whoever changes a group does.
pub async fn lock_around(tx: &mut TenantTx, connection: ConnectionId, member: Uuid) -> Result<()> {
    sqlx::query!(
        "-- groups::lock_around
         SELECT g.id FROM (
             SELECT $2 AS id UNION SELECT group_id FROM group_members WHERE account_id = $2
             UNION SELECT group_id FROM group_groups WHERE member_id = $2 ORDER BY 1
         ) AS around
         CROSS JOIN LATERAL (
             SELECT id FROM groups WHERE connection_id = $1 AND id = around.id FOR NO KEY UPDATE) AS g",
        connection.0,
        member
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(())
}

/// Counts a change of every group that loses this member, which goes; answers which they are.
pub async fn lose_member(tx: &mut TenantTx, member: Uuid) -> Result<Vec<GroupId>> {
    let now = tx.now();
    let ids = sqlx::query_scalar!(
        "-- groups::lose_member
         WITH losing AS (
             SELECT g.id FROM groups g WHERE g.id IN (
                 SELECT group_id FROM group_members WHERE account_id = $1
                 UNION ALL SELECT group_id FROM group_groups WHERE member_id = $1)
             ORDER BY g.id FOR NO KEY UPDATE
         )
         UPDATE groups SET version = version + 1, updated_at = $2 WHERE id IN (SELECT id FROM losing) RETURNING id",
        member,
        now
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(ids.into_iter().map(GroupId).collect())
}

/// Removes a group with its memberships.
pub async fn delete(tx: &mut TenantTx, id: GroupId) -> Result<()> {
    let done =
        sqlx::query!("-- groups::delete\n DELETE FROM groups WHERE id = $1", id.0).execute(tx.conn().await?).await?;
    one_row(&done)
}

/// The connection's group with that id.
pub async fn by_id(tx: &mut TenantTx, connection: ConnectionId, id: GroupId) -> Result<Option<Group>> {
    let row =
        groups!("by_id", "id = $1 AND connection_id = $2", id.0, connection.0).fetch_optional(tx.conn().await?).await?;
    Ok(row.map(Group::from))
}

/// The same, kept from other changes until this transaction ends; others may name it as a member meanwhile.
pub async fn for_update(tx: &mut TenantTx, connection: ConnectionId, id: GroupId) -> Result<Option<Group>> {
    let row = groups!("for_update", "id = $1 AND connection_id = $2 FOR NO KEY UPDATE", id.0, connection.0)
        .fetch_optional(tx.conn().await?)
        .await?;
    Ok(row.map(Group::from))
}
