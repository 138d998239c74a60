//! Passwords that an identity provider synchronizes, as Argon2id in PHC form; nobody reads them back but a sign-in.

use crate::{error::Result, tenant::TenantTx};
use domain::ids::AccountId;

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
    .execute(tx.conn())
    .await?;
    Ok(())
}
