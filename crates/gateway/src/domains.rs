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
    mail_domain::{self, Failing, Found, Standing, Way},
    refusal::Refusal,
};
use futures_util::{StreamExt, stream};
use serde_json::json;
use store::{
    connections::{self, Connection},
    domains,
    error::{Constraint, Error as StoreError},
    events,
    scope::{Actor, Scope},
    store::Store,
    tenant::TenantTx,
};
use time::{Duration, OffsetDateTime};
use tracing::{error, warn};

/// Domains that are taken at a time, how many of them are looked at at once, how often that is done in one round, and how long
/// they are kept from others: longer than they take at their slowest.
const BATCH: i64 = 32;
const AT_ONCE: usize = 8;
const BATCHES: usize = 8;
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
    // No more than that at a time: who is silent is due again soon, and others have their turn.
    for _ in 0..BATCHES {
        let mut tx = app.control(app.clock.now()).await?;
        let due = domains::take_due(&mut tx, BATCH, LEASE).await?;
        tx.commit().await?;
        if due.is_empty() {
            break;
        }
        all += due.len();
        // Each in a task of its own: what makes one panic must not keep the others from being looked at.
        let looks = due.into_iter().map(|(tenant, domain)| {
            let app = app.clone();
            async move {
                if let Err(lost) = tokio::spawn(look_for_round(app, tenant, domain)).await {
                    error!(error = %lost, "A mail domain could not be looked at");
                }
            }
        });
        stream::iter(looks).for_each_concurrent(AT_ONCE, |look| look).await;
    }
    Ok(all)
}

async fn look_for_round(app: App, tenant: TenantId, domain: String) {
    if let Err(error) = look(&app.store, &app.config.dns, (tenant, &domain), app.clock.now()).await {
        warn!(domain, error = chain(&error), "A mail domain could not be looked at; it is due again soon");
    }
}

/// Looks whether a domain's record still stands.
///
/// # Errors
/// When the database cannot be used.
pub async fn look(
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
    let failing = proven.failing_since.map(|since| Failing { since, absent_since: proven.absent_since });
    match mail_domain::after_look(failing, found, now) {
        Standing::Proven => domains::looked_at(&mut tx, domain, None, now + DAILY).await?,
        Standing::Failing(failing) => {
            warn!(domain, %tenant, problem, "A mail domain's record was not seen; after a week it is nobody's");
            domains::looked_at(&mut tx, domain, Some((failing, &problem)), now + AFTER_A_PROBLEM).await?;
            if proven.failing_since.is_none() {
                let data = json!({ "domain": domain, "problem": problem });
                tell(&mut tx, EventKind::DomainVerificationFailed, data).await?;
            }
        }
        Standing::Lost => {
            warn!(domain, %tenant, problem, "A mail domain is nobody's any more");
            domains::remove(&mut tx, domain).await?;
            domains::reclaim(&mut tx, domain, token).await?;
            tell(&mut tx, EventKind::DomainLost, json!({ "domain": domain, "problem": problem })).await?;
        }
    }
    Ok(tx.commit().await?)
}

/// Proves a claim by its record, which is looked at now; so is that of a domain that the tenant owns. A domain of another tenant whose own record is gone changes hands.
///
/// # Errors
/// [`Error::NotFound`] without a claim or the domain, [`Refusal::DomainUnproven`], [`Refusal::DomainSilent`],
/// [`Refusal::DomainTaken`]
pub async fn verify(
    store: &Store,
    settings: &Dns,
    now: OffsetDateTime,
    (tenant, domain): (TenantId, &str),
) -> Result<(), Error> {
    let scope = Scope { tenant, actor: Actor::Operator, now };
    let mut tx = store.tenant(scope).await?;
    let claim = domains::claim_of(&mut tx, domain).await?;
    let is_owned = domains::is_verified(&mut tx, domain).await?;
    tx.rollback().await?;
    let Some(token) = claim else {
        return if is_owned { look(store, settings, (tenant, domain), now).await } else { Err(Error::NotFound) };
    };
    let answer = dns::texts(domain, settings).await;
    let (found, problem) = dns::judge(domain, &token, &answer);
    let texts = match (found, answer) {
        (Found::Proof, Ok(texts)) => texts,
        (Found::Silence, _) => return Err(Refusal::DomainSilent { domain: domain.to_owned(), problem }.into()),
        _ => return Err(Refusal::DomainUnproven { problem, value: dns::record_value(&token) }.into()),
    };
    let mut control = store.control(now).await?;
    let owner = domains::owner(&mut control, domain).await?.filter(|(owner, _)| *owner != tenant);
    control.rollback().await?;
    let mut tx = store.tenant(scope).await?;
    if domains::claim_of(&mut tx, domain).await?.as_ref() != Some(&token) {
        return Err(Error::NotFound);
    }
    if let Some((other, record)) = owner {
        let taken = || Refusal::DomainTaken { domain: domain.to_owned() };
        // The operator's word, or a record that stands, is not overruled by another record.
        let record = record.filter(|record| !dns::shows(&texts, record)).ok_or_else(taken)?;
        tx.pass_to(other).await?;
        // Nor one that was seen since this question was asked.
        if !domains::lose(&mut tx, domain, &record, now).await? {
            return Err(taken().into());
        }
        domains::reclaim(&mut tx, domain, &record).await?;
        tell(&mut tx, EventKind::DomainTransferred, json!({ "domain": domain })).await?;
        tx.pass_to(tenant).await?;
    }
    domains::unclaim(&mut tx, domain).await?;
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
    Ok(match mail_domain::way(domain, &ways(&all, Some(application))?) {
        Ok((connection, why)) => Route { to: Some((tenant, connection)), why },
        Err(why) => Route { to: None, why },
    })
}

/// A tenant's connections to an application, or to any, as ways for somebody with an address.
///
/// # Errors
/// When what is stored does not read.
pub fn ways(all: &[Connection], application: Option<ApplicationId>) -> Result<Vec<Way>, Error> {
    let way = |connection: &Connection| {
        Ok(Way {
            connection: connection.id,
            name: connection.display_name.clone(),
            is_set_up: connection.is_open(),
            domains: Settings::of(connection)?.email_domains,
        })
    };
    // Nobody is led into a shadow.
    let wanted = |connection: &&Connection| {
        !connection.in_shadow && application.is_none_or(|wanted| connection.application_id == wanted)
    };
    all.iter().filter(wanted).map(way).collect()
}
