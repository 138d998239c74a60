//! Mail domains of tenants: proven by a record, looked at again every day, and where an address in them leads.

use crate::{
    app::App,
    config::Dns,
    dns,
    error::{Error, chain},
    saml::settings::Settings,
};
use domain::{
    email::Email,
    event::{Event, EventKind, Subject},
    ids::{ApplicationId, ConnectionId, TenantId},
    mail_domain::{self, Found, Standing, Way},
    refusal::Refusal,
};
use serde_json::json;
use store::{
    connections, domains,
    error::{Constraint, Error as StoreError},
    events,
    scope::{Actor, Scope},
    store::Store,
    tenant::TenantTx,
};
use time::{Duration, OffsetDateTime};
use tracing::warn;

/// Domains that are taken at a time, and how long they are kept from others.
const BATCH: i64 = 32;
const LEASE: Duration = Duration::minutes(15);

/// When a domain is looked at again.
const DAILY: Duration = Duration::DAY;
const AFTER_A_PROBLEM: Duration = Duration::HOUR;

/// Looks at every domain that is due; answers how many those were.
///
/// # Errors
/// When the database cannot be asked. What goes wrong with one domain is logged.
pub async fn round(app: &App) -> Result<usize, Error> {
    let mut all = 0;
    loop {
        let mut tx = app.control(app.clock.now()).await?;
        let due = domains::take_due(&mut tx, BATCH, LEASE).await?;
        tx.commit().await?;
        if due.is_empty() {
            return Ok(all);
        }
        all += due.len();
        for (tenant, domain) in due {
            if let Err(error) = look(&app.store, &app.config.dns, (tenant, &domain), app.clock.now()).await {
                warn!(domain, error = chain(&error), "A mail domain could not be looked at; it is due again soon");
            }
        }
    }
}

/// Looks whether a domain's record still stands.
async fn look(
    store: &Store,
    settings: &Dns,
    (tenant, domain): (TenantId, &str),
    now: OffsetDateTime,
) -> Result<(), Error> {
    let scope = Scope { tenant, actor: Actor::Gateway, now };
    // Not held while a stranger's server takes its time.
    let answer = dns::texts(domain, settings).await;
    let mut tx = store.tenant(scope).await?;
    let Some(proven) = domains::for_update(&mut tx, domain).await? else { return Ok(tx.rollback().await?) };
    let Some(token) = &proven.token else { return Ok(tx.rollback().await?) };
    let (found, problem) = dns::judge(domain, token, &answer);
    match mail_domain::after_look(proven.failing_since, found, now) {
        Standing::Proven => domains::looked_at(&mut tx, domain, None, now + DAILY).await?,
        Standing::Failing { since } => {
            domains::looked_at(&mut tx, domain, Some((since, &problem)), now + AFTER_A_PROBLEM).await?;
            if proven.failing_since.is_none() {
                let data = json!({ "domain": domain, "problem": problem });
                tell(&mut tx, EventKind::DomainVerificationFailed, data).await?;
            }
        }
        Standing::Lost => {
            give_up(&mut tx, domain, token).await?;
            tell(&mut tx, EventKind::DomainLost, json!({ "domain": domain, "problem": problem })).await?;
        }
    }
    Ok(tx.commit().await?)
}

/// A domain becomes a claim again, with the same record.
async fn give_up(tx: &mut TenantTx, domain: &str, token: &str) -> Result<(), Error> {
    domains::remove(tx, domain).await?;
    domains::claim(tx, domain, token).await?;
    Ok(())
}

/// Proves a claim by its record, which is looked at now. A domain of another tenant whose own record is gone changes hands.
///
/// # Errors
/// [`Error::NotFound`] without a claim, [`Refusal::DomainUnproven`], [`Refusal::DomainTaken`]
pub async fn verify(
    store: &Store,
    settings: &Dns,
    now: OffsetDateTime,
    (tenant, domain): (TenantId, &str),
) -> Result<(), Error> {
    let scope = Scope { tenant, actor: Actor::Operator, now };
    let mut tx = store.tenant(scope).await?;
    let claims = domains::claims(&mut tx).await?;
    tx.rollback().await?;
    let claim = claims.into_iter().find(|claim| claim.domain == domain).ok_or(Error::NotFound)?;
    let answer = dns::texts(domain, settings).await;
    let (found, problem) = dns::judge(domain, &claim.token, &answer);
    let (Found::Proof, Ok(texts)) = (found, &answer) else {
        return Err(Refusal::DomainUnproven { problem, value: dns::record_value(&claim.token) }.into());
    };
    let mut control = store.control(now).await?;
    let owner = domains::owner(&mut control, domain).await?;
    control.rollback().await?;
    if let Some((other, token)) = owner {
        // The operator's word, or a record that stands, is not overruled by another record.
        let token = token.filter(|token| other != tenant && !dns::shows(texts, token));
        let token = token.ok_or_else(|| Refusal::DomainTaken { domain: domain.to_owned() })?;
        let mut tx = store.tenant(Scope { tenant: other, ..scope }).await?;
        give_up(&mut tx, domain, &token).await?;
        tell(&mut tx, EventKind::DomainTransferred, json!({ "domain": domain })).await?;
        tx.commit().await?;
    }
    let mut tx = store.tenant(scope).await?;
    let Some(token) = domains::unclaim(&mut tx, domain).await? else { return Err(Error::NotFound) };
    own(&mut tx, domain, Some((&token, now + DAILY))).await?;
    Ok(tx.commit().await?)
}

/// The domain is the tenant's from now on.
///
/// # Errors
/// [`Refusal::DomainTaken`]
pub async fn own(tx: &mut TenantTx, domain: &str, record: Option<(&str, OffsetDateTime)>) -> Result<(), Error> {
    domains::insert(tx, domain, record).await.map_err(|error| match error {
        StoreError::Conflict(Constraint::DomainOwner) => Refusal::DomainTaken { domain: domain.to_owned() }.into(),
        error => Error::from(error),
    })?;
    let proof = if record.is_some() { "dns" } else { "operator" };
    tell(tx, EventKind::DomainVerified, json!({ "domain": domain, "proof": proof })).await
}

/// Tells something about a domain of the tenant's.
pub async fn tell(tx: &mut TenantTx, kind: EventKind, data: serde_json::Value) -> Result<(), Error> {
    let event = Event::with(kind, Subject::Tenant(tx.tenant()), data);
    Ok(events::append(tx, None, &[event]).await?)
}

/// Where an address leads, and why; or why nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub to: Option<(TenantId, ConnectionId)>,
    pub why: String,
}

/// Where somebody with that address signs in to an application.
///
/// # Errors
/// When the database cannot be used.
pub async fn route(
    store: &Store,
    now: OffsetDateTime,
    address: &Email,
    application: ApplicationId,
) -> Result<Route, Error> {
    let domain = address.domain();
    let mut control = store.control(now).await?;
    let owner = domains::owner(&mut control, domain).await?;
    control.rollback().await?;
    let Some((tenant, _)) = owner else {
        return Ok(Route { to: None, why: format!("no organization has proven that {domain} is its own") });
    };
    let mut tx = store.tenant(Scope { tenant, actor: Actor::Gateway, now }).await?;
    let all = connections::list(&mut tx).await?;
    tx.rollback().await?;
    let mut ways = Vec::new();
    for connection in all.iter().filter(|connection| connection.application_id == application) {
        let domains = Settings::of(connection)?.email_domains;
        let (name, is_set_up) = (connection.display_name.clone(), connection.idp.is_some());
        ways.push(Way { connection: connection.id, name, is_set_up, domains });
    }
    Ok(match mail_domain::way(domain, &ways) {
        Ok((connection, why)) => Route { to: Some((tenant, connection)), why },
        Err(why) => Route { to: None, why },
    })
}
