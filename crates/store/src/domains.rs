//! Mail domains that a tenant owns.

use crate::{error::Result, tenant::TenantTx};

/// Stores a domain whose owner has been verified.
pub async fn insert_verified(tx: &mut TenantTx, domain: &str) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "-- domains::insert_verified
         INSERT INTO domains (domain, verified_at) VALUES ($1, $2)",
        domain,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// Whether the tenant owns `domain`.
pub async fn is_verified(tx: &mut TenantTx, domain: &str) -> Result<bool> {
    let found = sqlx::query_scalar!(
        r#"-- domains::is_verified
        SELECT EXISTS (SELECT FROM domains WHERE domain = $1) AS "found!""#,
        domain
    )
    .fetch_one(tx.conn().await?)
    .await?;
    Ok(found)
}

/// The tenant's domains.
pub async fn list(tx: &mut TenantTx) -> Result<Vec<String>> {
    let domains = sqlx::query_scalar!(
        "-- domains::list
         SELECT domain FROM domains ORDER BY domain LIMIT 1000"
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(domains)
}
