//! What an operator sets up: applications, tenants, connections. The command line and the tests end here.

pub mod aliases;
pub mod applications;
pub mod break_glass;
pub mod directory;
pub mod domains;
pub mod erasure;
pub mod export;
pub mod idp;
pub mod invitations;
pub mod moving;
pub mod people;
pub mod removal;
pub mod roles;
pub mod seats;
pub mod sessions;
pub mod shadow;
pub mod sign_in;
pub mod sp_keys;

use crate::{domains::own, error::Error, vault::Vault};
use ::saml::sp_key::KeyAlgorithm;
use domain::{
    event::{Event, EventKind, Subject},
    ids::{ApplicationId, ConnectionId, TenantId},
    mail_domain::ownable,
    names::Slug,
    refusal::Refusal,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use store::{
    connections, control,
    error::{Constraint, Error as StoreError},
    events,
    scope::{Actor, Scope},
    store::Store,
    tenant::TenantTx,
    tenants, watches,
};
use time::OffsetDateTime;
use uuid::{NoContext, Timestamp, Uuid};

/// Adds a customer organization; the operator vouches for its mail domains.
pub async fn create_tenant(
    store: &Store,
    now: OffsetDateTime,
    name: &Slug,
    display_name: &str,
    mail_domains: &[String],
) -> Result<TenantId, Error> {
    let owned: Result<BTreeSet<String>, Refusal> = mail_domains.iter().map(|domain| ownable(domain)).collect();
    let owned = owned?;
    for domain in &owned {
        self::domains::check_free(store, now, None, domain).await?;
    }
    // Made before its transaction, which has to know whose it is.
    let seconds = u64::try_from(now.unix_timestamp()).unwrap_or(0);
    let id = TenantId(Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, now.nanosecond())));
    let mut tx = operator(store, id, now).await?;
    tenants::insert(&mut tx, name.as_str(), display_name).await.map_err(|error| taken(error, name.as_str()))?;
    events::append(&mut tx, None, &[Event::new(EventKind::TenantCreated, Subject::Tenant(id))]).await?;
    for domain in &owned {
        own(&mut tx, domain, None).await?;
    }
    tx.commit().await?;
    Ok(id)
}

/// Links a tenant to an application; the connection gets a key of its own.
pub async fn create_connection(
    store: &Store,
    now: OffsetDateTime,
    vault: &Vault,
    tenant: TenantId,
    application: ApplicationId,
    name: &str,
) -> Result<ConnectionId, Error> {
    // Before the transaction: a key takes a moment.
    let key = sp_keys::generate(KeyAlgorithm::Rsa3072, now)?;
    let mut tx = operator(store, tenant, now).await?;
    let id = ConnectionId(tx.new_id());
    connections::insert(&mut tx, id, application, name).await.map_err(|error| taken(error, name))?;
    watches::insert(&mut tx, id).await?;
    sp_keys::insert(&mut tx, vault, id, &key, KeyAlgorithm::Rsa3072, sp_keys::Signing::AtOnce).await?;
    let event = Event::new(EventKind::ConnectionCreated, Subject::Connection(id));
    events::append(&mut tx, Some(id), &[event]).await?;
    tx.commit().await?;
    Ok(id)
}

/// The tenant that owns a connection; an unknown one is [`Error::NotFound`].
pub async fn tenant_of(store: &Store, now: OffsetDateTime, connection: ConnectionId) -> Result<TenantId, Error> {
    let mut tx = store.control(now).await?;
    let tenant = control::tenant_of_connection(&mut tx, connection).await?;
    tx.rollback().await?;
    tenant.ok_or(Error::NotFound)
}

/// Tells that something of a connection is another.
async fn changed(tx: &mut TenantTx, connection: ConnectionId, what: &str) -> Result<(), Error> {
    let event = Event::with(EventKind::ConnectionUpdated, Subject::Connection(connection), json!({ "changed": what }));
    Ok(events::append(tx, Some(connection), &[event]).await?)
}

/// Tells something that is of no one connection.
async fn tell(tx: &mut TenantTx, kind: EventKind, subject: Subject, data: Value) -> Result<(), Error> {
    Ok(events::append(tx, None, &[Event::with(kind, subject, data)]).await?)
}

async fn operator(store: &Store, tenant: TenantId, now: OffsetDateTime) -> Result<TenantTx, Error> {
    Ok(store.tenant(Scope { tenant, actor: Actor::Operator, now }).await?)
}

fn taken(error: StoreError, name: &str) -> Error {
    match error {
        StoreError::Conflict(
            Constraint::ApplicationSlug
            | Constraint::TenantSlug
            | Constraint::ConnectionName
            | Constraint::SchemaAttribute
            | Constraint::Alias,
        ) => Refusal::NameTaken { name: name.to_owned() }.into(),
        error => error.into(),
    }
}
