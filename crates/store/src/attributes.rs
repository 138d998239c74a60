//! The search index of accounts: a row for each value of an attribute that no column holds.

use crate::{error::Result, tenant::TenantTx};
use domain::ids::{AccountId, ConnectionId};

/// One value of one attribute of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeRow {
    /// In lower case, as in `name.familyname` or `emails`.
    pub path: String,
    /// Which value of a multi-valued attribute, from 0.
    pub item: i32,
    /// The value in the form in which it is compared; of a long one, its beginning.
    pub value_key: Option<String>,
    /// All of a long one.
    pub long_key: Option<String>,
    /// `type` of the value (RFC 7643 2.4).
    pub type_key: Option<String>,
    /// `primary` of the value (RFC 7643 2.4).
    pub is_primary: Option<bool>,
}

/// Rows as the columns of one statement.
#[derive(Default)]
pub(crate) struct Columns {
    pub(crate) paths: Vec<String>,
    pub(crate) items: Vec<i32>,
    pub(crate) values: Vec<Option<String>>,
    pub(crate) long: Vec<Option<String>>,
    pub(crate) types: Vec<Option<String>>,
    pub(crate) primaries: Vec<Option<bool>>,
}

impl<'r> FromIterator<&'r AttributeRow> for Columns {
    fn from_iter<I: IntoIterator<Item = &'r AttributeRow>>(rows: I) -> Self {
        let mut columns = Self::default();
        for AttributeRow { path, item, value_key, long_key, type_key, is_primary } in rows {
            columns.paths.push(path.clone());
            columns.items.push(*item);
            columns.values.push(value_key.clone());
            columns.long.push(long_key.clone());
            columns.types.push(type_key.clone());
            columns.primaries.push(*is_primary);
        }
        columns
    }
}

/// Makes the account's index what `after` says; `before` is what it was. Both are in order of path and item.
pub async fn change(
    tx: &mut TenantTx,
    connection: ConnectionId,
    account: AccountId,
    before: &[AttributeRow],
    after: &[AttributeRow],
) -> Result<()> {
    let place = |row: &AttributeRow| (row.path.clone(), row.item);
    let gone: Vec<_> = before.iter().map(place).filter(|old| after.binary_search_by_key(old, place).is_err()).collect();
    let written: Columns = after
        .iter()
        .filter(|row| before.binary_search_by_key(&place(row), place).ok().is_none_or(|i| before[i] != **row))
        .collect();
    if !gone.is_empty() {
        delete(tx, account, gone).await?;
    }
    if !written.paths.is_empty() {
        upsert(tx, connection, account, &written).await?;
    }
    Ok(())
}

async fn delete(tx: &mut TenantTx, account: AccountId, places: Vec<(String, i32)>) -> Result<()> {
    let (paths, items): (Vec<String>, Vec<i32>) = places.into_iter().unzip();
    sqlx::query!(
        "-- attributes::delete
         DELETE FROM account_attributes a USING unnest($2::text[], $3::integer[]) AS g (path, item)
         WHERE a.account_id = $1 AND a.path = g.path AND a.item = g.item",
        account.0,
        &paths,
        &items
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

async fn upsert(tx: &mut TenantTx, connection: ConnectionId, account: AccountId, rows: &Columns) -> Result<()> {
    let Columns { paths, items, values, long, types, primaries } = rows;
    sqlx::query!(
        "-- attributes::upsert
         INSERT INTO account_attributes (connection_id, account_id, path, item, value_key, long_key, type_key, is_primary)
         SELECT $1, $2, path, item, value_key, long_key, type_key, is_primary
         FROM unnest($3::text[], $4::integer[], $5::text[], $6::text[], $7::text[], $8::boolean[])
              AS r (path, item, value_key, long_key, type_key, is_primary)
         ON CONFLICT (tenant_id, account_id, path, item) DO UPDATE
         SET value_key = excluded.value_key, long_key = excluded.long_key, type_key = excluded.type_key,
             is_primary = excluded.is_primary",
        connection.0,
        account.0,
        paths,
        items,
        values as &[Option<String>],
        long as &[Option<String>],
        types as &[Option<String>],
        primaries as &[Option<bool>]
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}
