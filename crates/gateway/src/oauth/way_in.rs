//! Finding the way in: by which connection somebody comes who is sent here by an application.

use crate::{app::Inner, domains, error::Error};
use ::oidc::authorize::Parameters;
use domain::{
    email::{Email, is_domain},
    ids::{ApplicationId, ConnectionId, TenantId},
    mail_domain,
};
use store::{
    aliases, aliases::Place, connections, control::ControlTx, domains as owned, scope::Actor, sessions, tenants,
};
use time::OffsetDateTime;
use uuid::Uuid;

/// What an application or a bookmark says about the way.
#[derive(Debug, Clone, Copy, Default)]
pub struct Named<'a> {
    pub tenant: Option<&'a str>,
    pub connection: Option<&'a str>,
    pub domain_hint: Option<&'a str>,
    pub login_hint: Option<&'a str>,
    /// What the browser has of sessions, as hashes.
    pub known: &'a [Vec<u8>],
}

impl<'a> Named<'a> {
    /// As a request says it.
    pub fn by(parameters: &'a Parameters) -> Self {
        Self {
            tenant: parameters.tenant.as_deref(),
            connection: parameters.connection.as_deref(),
            domain_hint: parameters.domain_hint.as_deref(),
            login_hint: parameters.login_hint.as_deref(),
            known: &[],
        }
    }

    /// Whether it insists on a place, and does not only hint at one.
    pub fn insists(&self) -> bool {
        self.tenant.is_some() || self.connection.is_some()
    }

    /// The mail domain that is said or meant.
    fn domain(&self) -> Option<String> {
        let of_address = || Some(Email::parse(self.login_hint?).ok()?.domain().to_owned());
        let domain = |name: Option<&str>| name.map(str::to_lowercase).filter(|name| is_domain(name));
        let named = || domain(self.connection).or_else(|| domain(self.tenant));
        domain(self.domain_hint).or_else(of_address).or_else(named)
    }
}

/// The tenant and connection that are named, if the application can be entered through it. Whoever names a connection of one
/// tenant and another tenant is led nowhere; a tenant that nobody knows says nothing beside a connection that is known. Hints are only heard where nothing is named. No application means any.
///
/// # Errors
/// When the database cannot be used.
pub async fn find(
    app: &Inner,
    application: Option<ApplicationId>,
    named: Named<'_>,
    now: OffsetDateTime,
) -> Result<Option<(TenantId, ConnectionId)>, Error> {
    let domain = named.domain();
    let mut tx = app.control(now).await?;
    let place = match (named.connection, named.tenant) {
        (Some(connection), Some(tenant)) => {
            let (one, other) = (place(app, &mut tx, connection).await?, place(app, &mut tx, tenant).await?);
            one.filter(|one| other.is_none_or(|other| other.tenant == one.tenant))
        }
        (Some(name), None) | (None, Some(name)) => place(app, &mut tx, name).await?,
        (None, None) => match &domain {
            Some(domain) => of_domain(&mut tx, domain).await?,
            None => None,
        },
    };
    tx.rollback().await?;
    match place {
        Some(place) => entrance(app, place, application, &named, domain.as_deref(), now).await,
        None => Ok(None),
    }
}

/// A place by its id, its short name, a domain that it owns, or another name that the operator gave it.
async fn place(app: &Inner, tx: &mut ControlTx, name: &str) -> Result<Option<Place>, Error> {
    if let Ok(id) = name.parse::<Uuid>() {
        if let Some(tenant) = app.tenant_within(tx, ConnectionId(id)).await? {
            return Ok(Some(Place { tenant, connection: Some(ConnectionId(id)) }));
        }
        if tenants::exists(tx, TenantId(id)).await? {
            return Ok(Some(Place { tenant: TenantId(id), connection: None }));
        }
        return Ok(aliases::find(tx, name).await?);
    }
    // A name of ours first: no alias takes a tenant's place.
    if let Some(tenant) = tenants::by_slug(tx, name).await? {
        return Ok(Some(Place { tenant: tenant.id, connection: None }));
    }
    match of_domain(tx, &name.to_lowercase()).await? {
        Some(place) => Ok(Some(place)),
        None => Ok(aliases::find(tx, name).await?),
    }
}

async fn of_domain(tx: &mut ControlTx, domain: &str) -> Result<Option<Place>, Error> {
    Ok(owned::owner(tx, domain).await?.map(|(tenant, _)| Place { tenant, connection: None }))
}

/// The place's connection to the application: the one that is named; the one for a domain that is said; the one in which the browser
/// signed in last; else the oldest that is open. Where only a hint was given and no connection is for its domain, there is none.
async fn entrance(
    app: &Inner,
    place: Place,
    application: Option<ApplicationId>,
    named: &Named<'_>,
    domain: Option<&str>,
    now: OffsetDateTime,
) -> Result<Option<(TenantId, ConnectionId)>, Error> {
    let mut tx = app.tenant(place.tenant, Actor::Browser, now).await?;
    let all = connections::list(&mut tx).await?;
    let ways = domains::ways(&all, application)?;
    let open = || ways.iter().filter(|way| way.is_set_up).map(|way| way.connection);
    let last = match (place.connection, named.known) {
        (None, [_, ..]) if named.insists() => {
            sessions::last_begun(&mut tx, named.known, &open().collect::<Vec<_>>()).await?
        }
        _ => None,
    };
    tx.rollback().await?;
    if let Some(wanted) = place.connection {
        // Who names one in shadow is told that nobody signs in there.
        if all.iter().any(|one| one.id == wanted && one.in_shadow) {
            return Ok(Some((place.tenant, wanted)));
        }
        return Ok(open().find(|way| *way == wanted).map(|way| (place.tenant, way)));
    }
    // Who comes to a connection that is suspended is told so, but nobody is led there past another one.
    let is_suspended = |way: ConnectionId| all.iter().any(|one| one.id == way && one.suspended_at.is_some());
    let for_domain = domain.and_then(|domain| mail_domain::way(domain, &ways).ok()).map(|(way, _)| way);
    let usual = || last.or_else(|| open().min_by_key(|way| is_suspended(*way)));
    let found = if named.insists() { for_domain.or_else(usual) } else { for_domain };
    Ok(found.map(|way| (place.tenant, way)))
}
