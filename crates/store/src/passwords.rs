//! Passwords that an identity provider synchronizes, as Argon2id in PHC form; nobody reads them back but a sign-in.

use crate::{error::Result, tenant::TenantTx};
use domain::ids::{AccountId, ConnectionId};

/// Stores the account's password in place of the one before.
pub async fn set(tx: &mut TenantTx, account: AccountId, hash: &str) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "-- passwords::set
         INSERT INTO account_passwords (account_id, hash, updated_at) VALUES ($1, $2, $3)
         ON CONFLICT (tenant_id, account_id) DO UPDATE SET hash = excluded.hash, updated_at = excluded.updated_at",
        account.0,
        hash,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// The hash of an account's password, if it has one.
pub async fn of(tx: &mut TenantTx, account: AccountId) -> Result<Option<String>> {
    let hash = sqlx::query_scalar!(
        "-- passwords::of
         SELECT hash FROM account_passwords WHERE account_id = $1",
        account.0
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(hash)
}

/// Deletes the passwords of every account of the connection, and says how many there were.
pub async fn delete_all(tx: &mut TenantTx, connection: ConnectionId) -> Result<u64> {
    let done = sqlx::query!(
        "-- passwords::delete_all
         DELETE FROM account_passwords WHERE account_id IN (SELECT id FROM accounts WHERE connection_id = $1)",
        connection.0
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(done.rows_affected())
}
