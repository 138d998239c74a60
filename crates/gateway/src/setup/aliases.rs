//! Other names for tenants and connections: those by which a system before this one knew them.

use super::{changed, operator, taken, tell};
use crate::error::Error;
use domain::{
    event::{EventKind, Subject},
    ids::{ApplicationId, ConnectionId, TenantId},
    refusal::Refusal,
};
use serde_json::json;
use store::{
    aliases, applications, connections,
    control::{self, ControlTx},
    domains,
    store::Store,
    tenants,
};
use time::OffsetDateTime;

/// Characters of a name.
const LONGEST: usize = 200;

/// Refuses what cannot be a name from elsewhere.
///
/// # Errors
/// [`Refusal::ChangeImpossible`]
pub fn check(name: &str) -> Result<(), Refusal> {
    let is_plain = name.chars().all(|c| !c.is_control() && !c.is_whitespace());
    if !name.is_empty() && name.chars().count() <= LONGEST && is_plain {
        return Ok(());
    }
    let problem = format!("another name has 1 to {LONGEST} characters without spaces");
    Err(Refusal::ChangeImpossible { problem })
}

/// Whether it is the id of a tenant, connection or application: that keeps leading there.
///
/// # Errors
/// When the database cannot be used.
pub async fn is_own_id(tx: &mut ControlTx, name: &str) -> Result<bool, Error> {
    let Ok(id) = name.parse() else { return Ok(false) };
    Ok(tenants::exists(tx, TenantId(id)).await?
        || control::tenant_of_connection(tx, ConnectionId(id)).await?.is_some()
        || applications::client(tx, ApplicationId(id)).await?.is_some())
}

/// Gives a tenant, or one of its connections, another name.
///
/// # Errors
/// [`Error::NotFound`], [`Refusal::NameTaken`]
pub async fn add(
    store: &Store,
    now: OffsetDateTime,
    tenant: TenantId,
    connection: Option<ConnectionId>,
    name: &str,
) -> Result<(), Error> {
    check(name)?;
    let mut control = store.control(now).await?;
    let shadows = tenants::by_slug(&mut control, name).await?.is_some()
        || domains::owner(&mut control, &name.to_lowercase()).await?.is_some()
        || is_own_id(&mut control, name).await?;
    control.rollback().await?;
    if shadows {
        return Err(Refusal::NameTaken { name: name.to_owned() }.into());
    }
    let mut tx = operator(store, tenant, now).await?;
    if let Some(connection) = connection {
        connections::by_id(&mut tx, connection).await?.ok_or(Error::NotFound)?;
    }
    aliases::insert(&mut tx, name, connection).await.map_err(|error| taken(error, name))?;
    match connection {
        Some(connection) => changed(&mut tx, connection, "aliases").await?,
        None => {
            let subject = Subject::Tenant(tenant);
            tell(&mut tx, EventKind::TenantUpdated, subject, json!({ "changed": "aliases" })).await?;
        }
    }
    Ok(tx.commit().await?)
}

/// Takes such a name away.
///
/// # Errors
/// [`Error::NotFound`]
pub async fn remove(store: &Store, now: OffsetDateTime, tenant: TenantId, name: &str) -> Result<(), Error> {
    let mut tx = operator(store, tenant, now).await?;
    if !aliases::remove(&mut tx, name).await? {
        return Err(Error::NotFound);
    }
    tell(&mut tx, EventKind::TenantUpdated, Subject::Tenant(tenant), json!({ "changed": "aliases" })).await?;
    Ok(tx.commit().await?)
}
