//! Accounts from before the search index: the owner's migration walks over all tenants and writes what they are
//! found by.

use crate::{
    attributes::{AttributeRow, Columns},
    error::Result,
};
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

/// Accounts of one transaction.
const BATCH: i64 = 500;

/// Indexes every account that is not, in batches that each stay; answers how many there were. May be repeated.
///
/// # Errors
/// When the owner's login cannot be used or a statement fails; what was done stays.
pub async fn index_all(owner_url: &str, index: impl Fn(&Value) -> Vec<AttributeRow>) -> Result<u64> {
    let mut connection = PgConnection::connect(owner_url).await?;
    let mut done = 0;
    loop {
        let count = batch(&mut connection, &index).await?;
        done += count;
        if count == 0 {
            connection.close().await?;
            return Ok(done);
        }
    }
}

async fn batch(connection: &mut PgConnection, index: &impl Fn(&Value) -> Vec<AttributeRow>) -> Result<u64> {
    // The connection is this function's own and goes with an error.
    let mut tx = connection.begin().await?;
    let accounts = sqlx::query!(
        "-- unindexed::batch
         SELECT tenant_id, connection_id, id, document FROM accounts WHERE NOT indexed
         ORDER BY tenant_id, id LIMIT $1 FOR UPDATE",
        BATCH
    )
    .fetch_all(&mut *tx)
    .await?;
    let (mut places, mut rows) = ((Vec::new(), Vec::new(), Vec::new()), Vec::new());
    for account in &accounts {
        for row in index(&account.document) {
            places.0.push(account.tenant_id);
            places.1.push(account.connection_id);
            places.2.push(account.id);
            rows.push(row);
        }
    }
    let Columns { paths, items, values, long, types, primaries } = rows.iter().collect();
    sqlx::query!(
        "-- unindexed::insert
         INSERT INTO account_attributes
             (tenant_id, connection_id, account_id, path, item, value_key, long_key, type_key, is_primary)
         SELECT tenant_id, connection_id, account_id, path, item, value_key, long_key, type_key, is_primary
         FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::integer[], $6::text[], $7::text[], $8::text[], $9::boolean[])
              AS r (tenant_id, connection_id, account_id, path, item, value_key, long_key, type_key, is_primary)
         ON CONFLICT DO NOTHING",
        &places.0,
        &places.1,
        &places.2,
        &paths,
        &items,
        &values as &[Option<String>],
        &long as &[Option<String>],
        &types as &[Option<String>],
        &primaries as &[Option<bool>]
    )
    .execute(&mut *tx)
    .await?;
    let ids: Vec<Uuid> = accounts.iter().map(|account| account.id).collect();
    let tenants: Vec<Uuid> = accounts.iter().map(|account| account.tenant_id).collect();
    let done = sqlx::query!(
        "-- unindexed::done
         UPDATE accounts a SET indexed = true FROM unnest($1::uuid[], $2::uuid[]) AS d (tenant_id, id)
         WHERE a.tenant_id = d.tenant_id AND a.id = d.id",
        &tenants,
        &ids
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(done.rows_affected())
}
