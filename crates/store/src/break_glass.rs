//! Codes for when the identity provider cannot be asked.

use crate::{error::Result, tenant::TenantTx};
use domain::ids::{AccountId, ConnectionId};
use time::OffsetDateTime;
use uuid::Uuid;

/// A code that can be used.
#[derive(Debug, Clone)]
pub struct Code {
    pub id: Uuid,
    pub hash: String,
}

/// How many codes somebody has.
#[derive(Debug, Clone)]
pub struct Sheet {
    pub connection: ConnectionId,
    pub account: AccountId,
    pub user_name: String,
    pub left: i64,
    pub used: i64,
    pub last_used_at: Option<OffsetDateTime>,
    /// From where.
    pub last_address: Option<String>,
}

/// Stores codes of an account, by their labels and hashes, instead of those that it has.
pub async fn replace(
    tx: &mut TenantTx,
    connection: ConnectionId,
    account: AccountId,
    codes: &[(String, String)],
) -> Result<()> {
    revoke(tx, account).await?;
    let now = tx.now();
    let ids: Vec<Uuid> = codes.iter().map(|_| tx.new_id()).collect();
    let (labels, hashes): (Vec<String>, Vec<String>) = codes.iter().cloned().unzip();
    sqlx::query!(
        "-- break_glass::insert
         INSERT INTO break_glass_codes (id, connection_id, account_id, label, hash, created_at)
         SELECT id, $1, $2, label, hash, $6 FROM unnest($3::uuid[], $4::text[], $5::text[]) AS n (id, label, hash)",
        connection.0,
        account.0,
        &ids,
        &labels,
        &hashes,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// Ends all codes of an account that were not used; answers how many.
pub async fn revoke(tx: &mut TenantTx, account: AccountId) -> Result<u64> {
    let done = sqlx::query!(
        "-- break_glass::revoke\n DELETE FROM break_glass_codes WHERE account_id = $1 AND used_at IS NULL",
        account.0
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(done.rows_affected())
}

/// The account's unused code of that label.
pub async fn find(tx: &mut TenantTx, account: AccountId, label: &str) -> Result<Option<Code>> {
    let code = sqlx::query_as!(
        Code,
        "-- break_glass::find
         SELECT id, hash FROM break_glass_codes WHERE account_id = $1 AND label = $2 AND used_at IS NULL",
        account.0,
        label
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(code)
}

/// Uses a code up; answers whether it was not used before.
pub async fn spend(tx: &mut TenantTx, id: Uuid, address: &str) -> Result<bool> {
    let now = tx.now();
    let done = sqlx::query!(
        "-- break_glass::spend
         UPDATE break_glass_codes SET used_at = $2, address = $3 WHERE id = $1 AND used_at IS NULL",
        id,
        now,
        address
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// How many unused codes an account has.
pub async fn left(tx: &mut TenantTx, account: AccountId) -> Result<i64> {
    let left = sqlx::query_scalar!(
        r#"-- break_glass::left
        SELECT count(*) AS "left!" FROM break_glass_codes WHERE account_id = $1 AND used_at IS NULL"#,
        account.0
    )
    .fetch_one(tx.conn().await?)
    .await?;
    Ok(left)
}

/// Who of the tenant has codes.
pub async fn list(tx: &mut TenantTx) -> Result<Vec<Sheet>> {
    let rows = sqlx::query!(
        r#"-- break_glass::list
        SELECT a.connection_id, a.id, a.user_name, count(*) FILTER (WHERE b.used_at IS NULL) AS "left!",
               count(b.used_at) AS "used!", max(b.used_at) AS last_used_at,
               (array_agg(b.address ORDER BY b.used_at DESC NULLS LAST))[1] AS last_address
        FROM break_glass_codes b JOIN accounts a ON a.id = b.account_id AND a.connection_id IN (SELECT id FROM connections)
        GROUP BY a.connection_id, a.id, a.user_name ORDER BY a.user_name, a.id LIMIT 1000"#
    )
    .fetch_all(tx.conn().await?)
    .await?;
    let sheets = rows.into_iter().map(|row| Sheet {
        connection: ConnectionId(row.connection_id),
        account: AccountId(row.id),
        user_name: row.user_name,
        left: row.left,
        used: row.used,
        last_used_at: row.last_used_at,
        last_address: row.last_address,
    });
    Ok(sheets.collect())
}
