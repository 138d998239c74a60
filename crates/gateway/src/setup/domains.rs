//! What an operator does with mail domains.

use super::operator;
use crate::{
    domains::{own, tell},
    error::Error,
    secret::Secret,
};
use domain::{event::EventKind, ids::TenantId, mail_domain, refusal::Refusal};
use serde_json::json;
use store::{domains, store::Store, tenants};
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
        let most = mail_domain::MOST;
        return impossible(format!(
            "the tenant has {most} domains already, with those that it claims; remove those that it does not need"
        ));
    };
    tx.commit().await?;
    Ok(token)
}

/// Gives a tenant a domain for which the operator vouches; of one that it owns, no record is looked at any more.
///
/// # Errors
/// As [`mail_domain::ownable`], or [`Refusal::ChangeImpossible`] when it is another's.
pub async fn vouch(store: &Store, now: OffsetDateTime, tenant: TenantId, domain: &str) -> Result<(), Error> {
    let domain = mail_domain::ownable(domain)?;
    check_free(store, now, Some(tenant), &domain).await?;
    let mut tx = operator(store, tenant, now).await?;
    domains::unclaim(&mut tx, &domain).await?;
    if domains::is_verified(&mut tx, &domain).await? {
        domains::vouch(&mut tx, &domain).await?;
        tell(&mut tx, EventKind::DomainVerified, json!({ "domain": domain, "proof": "operator" })).await?;
    } else {
        own(&mut tx, &domain, None).await?;
    }
    Ok(tx.commit().await?)
}

/// Tells the operator, and nobody else, whose a domain is.
pub(super) async fn check_free(
    store: &Store,
    now: OffsetDateTime,
    tenant: Option<TenantId>,
    domain: &str,
) -> Result<(), Error> {
    let mut control = store.control(now).await?;
    let owner = domains::owner(&mut control, domain).await?.map(|(owner, _)| owner);
    control.rollback().await?;
    let Some(other) = owner.filter(|owner| Some(*owner) != tenant) else { return Ok(()) };
    let mut tx = operator(store, other, now).await?;
    let name = tenants::current(&mut tx).await?.map_or_else(|| other.to_string(), |tenant| tenant.slug);
    tx.rollback().await?;
    let problem = format!(
        "{domain} is the tenant {name}'s; if it is not theirs any more: gatehouse domain transfer {domain} --from {name} --to NAME"
    );
    Err(Refusal::ChangeImpossible { problem }.into())
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
/// [`Error::NotFound`] when the first does not own it.
pub async fn transfer(
    store: &Store,
    now: OffsetDateTime,
    (from, to): (TenantId, TenantId),
    domain: &str,
) -> Result<(), Error> {
    if from == to {
        let problem =
            format!("a domain passes to another tenant; to vouch for it: gatehouse domain claim --vouch {domain}");
        return Err(Refusal::ChangeImpossible { problem }.into());
    }
    let mut tx = operator(store, from, now).await?;
    if !domains::remove(&mut tx, domain).await? {
        return Err(Error::NotFound);
    }
    tell(&mut tx, EventKind::DomainTransferred, json!({ "domain": domain })).await?;
    tx.pass_to(to).await?;
    domains::unclaim(&mut tx, domain).await?;
    own(&mut tx, domain, None).await?;
    Ok(tx.commit().await?)
}
