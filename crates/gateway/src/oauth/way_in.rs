//! Finding the way in: by which connection somebody comes who is sent here by an application.

use crate::{app::Inner, domains, error::Error};
use ::oidc::authorize::Parameters;
use domain::{
    email::Email,
    ids::{ApplicationId, ConnectionId, TenantId},
    mail_domain,
};
use store::{
    aliases, connections, connections::Connection, control::ControlTx, domains as owned, scope::Actor, tenants,
};
use time::OffsetDateTime;

/// Where a name leads: a tenant, or one connection of it.
type Place = aliases::Place;

/// What an application or a bookmark says about the way.
#[derive(Debug, Clone, Copy, Default)]
pub struct Named<'a> {
    pub tenant: Option<&'a str>,
    pub connection: Option<&'a str>,
    pub domain_hint: Option<&'a str>,
    pub login_hint: Option<&'a str>,
}

impl<'a> Named<'a> {
    /// As a request says it.
    pub fn by(parameters: &'a Parameters) -> Self {
        Self {
            tenant: parameters.tenant.as_deref(),
            connection: parameters.connection.as_deref(),
            domain_hint: parameters.domain_hint.as_deref(),
            login_hint: parameters.login_hint.as_deref(),
        }
    }

    /// Whether it insists on a place, and does not only hint at one.
    pub fn insists(&self) -> bool {
        self.tenant.is_some() || self.connection.is_some()
    }
}

/// The tenant and connection that are named, if the application can be entered through it. Whoever names a connection of one
/// tenant and another tenant is led nowhere; hints are only heard where nothing is named.
///
/// # Errors
/// When the database cannot be used.
pub async fn find(
    app: &Inner,
    application: ApplicationId,
    named: Named<'_>,
    now: OffsetDateTime,
) -> Result<Option<(TenantId, ConnectionId)>, Error> {
    let hint = named.login_hint.and_then(|hint| Email::parse(hint).ok());
    let place = match (named.connection, named.tenant) {
        (Some(connection), tenant) => {
            let Some(place) = place(app, connection, now).await? else { return Ok(None) };
            if let Some(tenant) = tenant
                && self::place(app, tenant, now).await?.map(|named| named.tenant) != Some(place.tenant)
            {
                return Ok(None);
            }
            place
        }
        (None, Some(tenant)) => match place(app, tenant, now).await? {
            Some(place) => place,
            None => return Ok(None),
        },
        (None, None) => return hinted(app, application, named, hint.as_ref(), now).await,
    };
    entrance(app, place, application, hint.as_ref(), now).await
}

async fn hinted(
    app: &Inner,
    application: ApplicationId,
    named: Named<'_>,
    hint: Option<&Email>,
    now: OffsetDateTime,
) -> Result<Option<(TenantId, ConnectionId)>, Error> {
    if let Some(address) = hint
        && let Some(way) = domains::route(&app.store, now, address, application).await?.to
    {
        return Ok(Some(way));
    }
    let Some(domain) = named.domain_hint else { return Ok(None) };
    let mut tx = app.control(now).await?;
    let owner = owned::owner(&mut tx, &domain.to_lowercase()).await?;
    tx.rollback().await?;
    let Some((tenant, _)) = owner else { return Ok(None) };
    entrance(app, Place { tenant, connection: None }, application, hint, now).await
}

/// A place by its id, its short name, a domain that it owns, or another name that the operator gave it.
async fn place(app: &Inner, name: &str, now: OffsetDateTime) -> Result<Option<Place>, Error> {
    if let Ok(id) = name.parse::<uuid::Uuid>() {
        return match app.tenant_of(ConnectionId(id), now).await {
            Ok(tenant) => Ok(Some(Place { tenant, connection: Some(ConnectionId(id)) })),
            // The id of nothing leads to no connection; a transaction of that tenant would find nothing either.
            Err(Error::NotFound) => Ok(Some(Place { tenant: TenantId(id), connection: None })),
            Err(error) => Err(error),
        };
    }
    let mut tx = app.control(now).await?;
    let found = by_name(&mut tx, name).await?;
    tx.rollback().await?;
    Ok(found)
}

/// The tenant of that name.
///
/// # Errors
/// When the database cannot be used.
pub async fn tenant(app: &Inner, name: &str, now: OffsetDateTime) -> Result<Option<TenantId>, Error> {
    Ok(place(app, name, now).await?.map(|place| place.tenant))
}

async fn by_name(tx: &mut ControlTx, name: &str) -> Result<Option<Place>, Error> {
    if let Some(place) = aliases::find(tx, name).await? {
        return Ok(Some(place));
    }
    let of = |tenant| Place { tenant, connection: None };
    if let Some(tenant) = tenants::by_slug(tx, name).await? {
        return Ok(Some(of(tenant.id)));
    }
    Ok(owned::owner(tx, &name.to_lowercase()).await?.map(|(tenant, _)| of(tenant)))
}

/// The place's connection to the application: the one that is named, the one for the domain of a hint, else the oldest that
/// is set up.
async fn entrance(
    app: &Inner,
    place: Place,
    application: ApplicationId,
    hint: Option<&Email>,
    now: OffsetDateTime,
) -> Result<Option<(TenantId, ConnectionId)>, Error> {
    let mut tx = app.tenant(place.tenant, Actor::Browser, now).await?;
    let all = connections::list(&mut tx).await?;
    tx.rollback().await?;
    let ways = domains::ways(&all, application)?;
    let mut open = ways.iter().filter(|way| way.is_set_up).map(|way| way.connection);
    let found = match (place.connection, hint) {
        (Some(named), _) => open.find(|way| *way == named),
        (None, Some(hint)) => mail_domain::way(hint.domain(), &ways).ok().map(|(way, _)| way).or_else(|| open.next()),
        (None, None) => open.next(),
    };
    Ok(found.map(|way| (place.tenant, way)))
}

/// Whether somebody can sign in through it: by an identity provider, or by a password that one synchronizes.
pub fn is_open(connection: &Connection) -> bool {
    connection.idp.is_some() || connection.provisioning.password_sync
}
