//! Mail domains: those that a tenant owns, and those that it claims.

use crate::{control::ControlTx, error::Result, pooled::one_row, tenant::TenantTx};
use domain::{
    ids::TenantId,
    mail_domain::{Failing, MOST},
};
use time::{Duration, OffsetDateTime};

/// A domain that a tenant owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    pub domain: String,
    /// What the record says; nothing where an operator vouches.
    pub token: Option<String>,
    pub verified_at: OffsetDateTime,
    pub checked_at: Option<OffsetDateTime>,
    /// Since when it has not been shown, since when something else was, and why.
    pub failing_since: Option<OffsetDateTime>,
    pub absent_since: Option<OffsetDateTime>,
    pub problem: Option<String>,
}

/// A domain that a tenant wants to own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub domain: String,
    pub token: String,
}

/// Stores a domain that the tenant owns from now on: by a record that is looked at again, or because an operator vouches.
pub async fn insert(tx: &mut TenantTx, domain: &str, record: Option<(&str, OffsetDateTime)>) -> Result<()> {
    let now = tx.now();
    let (token, due_at) = record.unzip();
    sqlx::query!(
        "-- domains::insert
         INSERT INTO domains (domain, verified_at, proof, token, due_at, checked_at)
         VALUES ($1, $2, CASE WHEN $3::text IS NULL THEN 'operator' ELSE 'dns' END, $3, $4, $2)",
        domain,
        now,
        token,
        due_at
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
pub async fn list(tx: &mut TenantTx) -> Result<Vec<Proven>> {
    let domains = sqlx::query_as!(
        Proven,
        "-- domains::list
         SELECT domain, token, verified_at, checked_at, failing_since, absent_since, problem FROM domains ORDER BY domain LIMIT 1000"
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(domains)
}

/// A domain of the tenant's, kept from others until this transaction ends.
pub async fn for_update(tx: &mut TenantTx, domain: &str) -> Result<Option<Proven>> {
    let found = sqlx::query_as!(
        Proven,
        "-- domains::for_update
         SELECT domain, token, verified_at, checked_at, failing_since, absent_since, problem FROM domains WHERE domain = $1 FOR UPDATE",
        domain
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(found)
}

/// Stores what was seen of a domain whose record somebody looked at.
pub async fn looked_at(
    tx: &mut TenantTx,
    domain: &str,
    failing: Option<(Failing, &str)>,
    due_at: OffsetDateTime,
) -> Result<()> {
    let now = tx.now();
    let (failing, problem) = failing.unzip();
    let done = sqlx::query!(
        "-- domains::looked_at
         UPDATE domains SET checked_at = $2, failing_since = $3, absent_since = $6, problem = $4, due_at = $5
         WHERE domain = $1",
        domain,
        now,
        failing.map(|failing| failing.since),
        problem,
        due_at,
        failing.and_then(|failing| failing.absent_since)
    )
    .execute(tx.conn().await?)
    .await?;
    one_row(&done)
}

/// Takes a domain from the tenant; answers whether it had it.
pub async fn remove(tx: &mut TenantTx, domain: &str) -> Result<bool> {
    let done = sqlx::query!("-- domains::remove\n DELETE FROM domains WHERE domain = $1", domain)
        .execute(tx.conn().await?)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Notes that the tenant wants to own a domain; answers the token, which stays the same however often that is said. Nothing
/// when it claims as many as it may.
pub async fn claim(tx: &mut TenantTx, domain: &str, token: &str) -> Result<Option<String>> {
    let (now, most) = (tx.now(), i64::try_from(MOST).unwrap_or(i64::MAX));
    sqlx::query!(
        "-- domains::claim
         INSERT INTO domain_claims (domain, token, created_at) SELECT $1, $2, $3
         WHERE (SELECT count(*) FROM domain_claims) + (SELECT count(*) FROM domains) < $4 ON CONFLICT DO NOTHING",
        domain,
        token,
        now,
        most
    )
    .execute(tx.conn().await?)
    .await?;
    let token = sqlx::query_scalar!("-- domains::token\n SELECT token FROM domain_claims WHERE domain = $1", domain)
        .fetch_optional(tx.conn().await?)
        .await?;
    Ok(token)
}

/// The token of a claim, which is kept from others until this transaction ends.
pub async fn claim_of(tx: &mut TenantTx, domain: &str) -> Result<Option<String>> {
    let token = sqlx::query_scalar!(
        "-- domains::claim_of\n SELECT token FROM domain_claims WHERE domain = $1 FOR UPDATE",
        domain
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(token)
}

/// The domains that the tenant claims.
pub async fn claims(tx: &mut TenantTx) -> Result<Vec<Claim>> {
    let claims = sqlx::query_as!(
        Claim,
        "-- domains::claims
         SELECT domain, token FROM domain_claims ORDER BY domain LIMIT 1000"
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(claims)
}

/// A domain that was the tenant's is a claim again, with the same record; the tenant has no more domains by it.
pub async fn reclaim(tx: &mut TenantTx, domain: &str, token: &str) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "-- domains::reclaim
         INSERT INTO domain_claims (domain, token, created_at) VALUES ($1, $2, $3)
         ON CONFLICT (tenant_id, domain) DO UPDATE SET token = excluded.token",
        domain,
        token,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// Takes a domain from the tenant if its record is still that one, and nobody has seen it since `before`; answers whether.
pub async fn lose(tx: &mut TenantTx, domain: &str, token: &str, before: OffsetDateTime) -> Result<bool> {
    let done = sqlx::query!(
        "-- domains::lose
         DELETE FROM domains WHERE domain = $1 AND token = $2 AND checked_at <= $3",
        domain,
        token,
        before
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Has the operator vouch for a domain that the tenant owns by a record.
pub async fn vouch(tx: &mut TenantTx, domain: &str) -> Result<()> {
    let done = sqlx::query!(
        "-- domains::vouch
         UPDATE domains SET proof = 'operator', token = NULL, due_at = NULL, failing_since = NULL, absent_since = NULL,
             problem = NULL WHERE domain = $1",
        domain
    )
    .execute(tx.conn().await?)
    .await?;
    one_row(&done)
}

/// Takes a claim back; answers its token.
pub async fn unclaim(tx: &mut TenantTx, domain: &str) -> Result<Option<String>> {
    let token = sqlx::query_scalar!(
        "-- domains::unclaim\n DELETE FROM domain_claims WHERE domain = $1 RETURNING token",
        domain
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(token)
}

/// Whose a domain is, and what its record says.
pub async fn owner(tx: &mut ControlTx, domain: &str) -> Result<Option<(TenantId, Option<String>)>> {
    let row = sqlx::query!("-- domains::owner\n SELECT tenant_id, token FROM domains WHERE domain = $1", domain)
        .fetch_optional(tx.conn())
        .await?;
    Ok(row.map(|row| (TenantId(row.tenant_id), row.token)))
}

/// Takes domains whose record somebody has to look at, the longest due first, and keeps them from others for so long.
pub async fn take_due(tx: &mut ControlTx, most: i64, lease: Duration) -> Result<Vec<(TenantId, String)>> {
    let now = tx.now();
    let rows = sqlx::query!(
        "-- domains::take_due
         WITH due AS MATERIALIZED (
             SELECT tenant_id, domain FROM domains WHERE due_at <= $2 ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED
         )
         UPDATE domains d SET due_at = $1 FROM due WHERE d.tenant_id = due.tenant_id AND d.domain = due.domain
         RETURNING d.tenant_id, d.domain",
        now + lease,
        now,
        most
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (TenantId(row.tenant_id), row.domain)).collect())
}
