//! What an operator does with mail domains.

use super::operator;
use crate::{
    domains::{own, tell},
    error::Error,
    secret::Secret,
};
use domain::{event::EventKind, ids::TenantId, mail_domain, refusal::Refusal};
use serde_json::json;
use store::{domains, store::Store};
use time::OffsetDateTime;

/// Notes that a tenant wants to own a domain; answers the token that its record has to show.
///
/// # Errors
/// As [`mail_domain::ownable`], or [`Refusal::ChangeImpossible`] where the tenant owns it already or claims too many.
pub async fn claim(store: &Store, now: OffsetDateTime, tenant: TenantId, domain: &str) -> Result<String, Error> {
    let domain = mail_domain::ownable(domain)?;
    let mut tx = operator(store, tenant, now).await?;
    let impossible = |problem: String| Err(Refusal::ChangeImpossible { problem }.into());
    if domains::is_verified(&mut tx, &domain).await? {
        return impossible(format!("{domain} is this tenant's already; `gatehouse domain list` shows it"));
    }
    let Some(token) = domains::claim(&mut tx, &domain, Secret::plain().reveal()).await? else {
        let most = mail_domain::MOST_CLAIMS;
        return impossible(format!("the tenant claims {most} domains already; remove those that it does not need"));
    };
    tx.commit().await?;
    Ok(token)
}

/// Gives a tenant a domain for which the operator vouches.
///
/// # Errors
/// As [`mail_domain::ownable`], or [`Refusal::DomainTaken`].
pub async fn vouch(store: &Store, now: OffsetDateTime, tenant: TenantId, domain: &str) -> Result<(), Error> {
    let domain = mail_domain::ownable(domain)?;
    let mut tx = operator(store, tenant, now).await?;
    if domains::is_verified(&mut tx, &domain).await? {
        let problem = format!("{domain} is this tenant's already; `gatehouse domain list` shows it");
        return Err(Refusal::ChangeImpossible { problem }.into());
    }
    domains::unclaim(&mut tx, &domain).await?;
    own(&mut tx, &domain, None).await?;
    Ok(tx.commit().await?)
}

/// Takes a domain, or a claim, from a tenant.
///
/// # Errors
/// [`Error::NotFound`] when it has neither.
pub async fn remove(store: &Store, now: OffsetDateTime, tenant: TenantId, domain: &str) -> Result<(), Error> {
    let mut tx = operator(store, tenant, now).await?;
    let (owned, claimed) = (domains::remove(&mut tx, domain).await?, domains::unclaim(&mut tx, domain).await?);
    if !owned && claimed.is_none() {
        return Err(Error::NotFound);
    }
    if owned {
        tell(&mut tx, EventKind::DomainRemoved, json!({ "domain": domain })).await?;
    }
    Ok(tx.commit().await?)
}

/// Gives a tenant the domain of another, for which the operator vouches.
///
/// # Errors
/// [`Error::NotFound`] when the first does not own it. Between the two nobody does, for a moment.
pub async fn transfer(
    store: &Store,
    now: OffsetDateTime,
    (from, to): (TenantId, TenantId),
    domain: &str,
) -> Result<(), Error> {
    let mut tx = operator(store, from, now).await?;
    if !domains::remove(&mut tx, domain).await? {
        return Err(Error::NotFound);
    }
    tell(&mut tx, EventKind::DomainTransferred, json!({ "domain": domain })).await?;
    tx.commit().await?;
    vouch(store, now, to, domain).await
}
