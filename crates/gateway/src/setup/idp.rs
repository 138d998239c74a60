//! The identity provider of a connection: given by hand, or by the address of its metadata.

use super::{changed, operator, tenant_of};
use crate::{
    config::Outbound,
    error::{Error, chain},
    outbound::{self, Fetched, Version},
    saml::idp,
};
use ::saml::{idp::IdentityProvider, idp_change::Change};
use domain::{
    event::{Event, EventKind, Subject},
    ids::ConnectionId,
};
use serde_json::json;
use store::{
    connections::{self, Connection},
    events, seen_certificates,
    store::Store,
    tenant::TenantTx,
    watches::{self, Watch},
};
use time::OffsetDateTime;
use tokio::task::spawn_blocking;

/// Metadata that were fetched.
#[derive(Debug)]
pub struct Metadata {
    pub provider: IdentityProvider,
    pub version: Version,
    /// Until when they are valid, if they say so.
    pub valid_until: Option<OffsetDateTime>,
}

/// What is at the address of metadata.
#[derive(Debug)]
pub enum Found {
    /// The version that was taken last.
    Same,
    Other(Box<Metadata>),
}

/// Fetches and reads metadata, if they are not the known version.
///
/// # Errors
/// Why they cannot be used, as a sentence for the operator.
pub async fn fetch(url: &str, known: &Version, limits: &Outbound, now: OffsetDateTime) -> Result<Found, String> {
    match outbound::fetch(url, known, limits).await.map_err(|error| error.to_string())? {
        Fetched::Unchanged => Ok(Found::Same),
        Fetched::Document { text, version } => {
            // A stranger's document may take its time.
            let read = spawn_blocking(move || IdentityProvider::from_current_metadata(&text, now)).await;
            let read = read.map_err(|_| "the metadata could not be read, which is our mistake".to_owned())?;
            let (provider, valid_until) = read.map_err(|error| error.to_string())?;
            Ok(Found::Other(Box::new(Metadata { provider, version, valid_until })))
        }
    }
}

/// Stores what the operator gave by hand; metadata are not followed any more.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn set(
    store: &Store,
    now: OffsetDateTime,
    connection: ConnectionId,
    provider: &IdentityProvider,
) -> Result<(), Error> {
    give(store, now, connection, provider, Watch::default()).await
}

/// Stores metadata that were fetched, and follows them from now on.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn follow(
    store: &Store,
    now: OffsetDateTime,
    connection: ConnectionId,
    url: &str,
    metadata: Metadata,
) -> Result<(), Error> {
    let Metadata { provider, version: Version { etag, last_modified }, valid_until } = metadata;
    let (metadata_url, fetched_at) = (Some(url.to_owned()), Some(now));
    let watch = Watch { metadata_url, etag, last_modified, valid_until, fetched_at, ..Watch::default() };
    give(store, now, connection, &provider, watch).await
}

/// Keeps the identity provider as it is known, and follows its metadata no more.
///
/// # Errors
/// When the database cannot be used.
pub async fn unfollow(store: &Store, now: OffsetDateTime, connection: ConnectionId) -> Result<(), Error> {
    let mut tx = operator(store, tenant_of(store, now, connection).await?, now).await?;
    connections::for_update(&mut tx, connection).await?.ok_or(Error::NotFound)?;
    let told = watches::of(&mut tx, connection).await?.told;
    watches::update(&mut tx, connection, &Watch { told, ..Watch::default() }, now).await?;
    changed(&mut tx, connection, "metadata not followed").await?;
    Ok(tx.commit().await?)
}

/// The difference that somebody has to look at first: another issuer is another system that speaks for the tenant's users,
/// so it is taken only when somebody named it.
pub fn stranger(connection: &Connection, provider: &IdentityProvider, named: Option<&str>) -> Option<Change> {
    let known = connection.idp.as_ref()?;
    let is_stranger = known.entity_id != provider.entity_id && named != Some(&provider.entity_id);
    // One that does not read any more can still be replaced.
    is_stranger.then(|| idp::of(connection).map(|known| Change::between(&known, provider)).unwrap_or_default())
}

async fn give(
    store: &Store,
    now: OffsetDateTime,
    connection: ConnectionId,
    provider: &IdentityProvider,
    watch: Watch,
) -> Result<(), Error> {
    let mut tx = operator(store, tenant_of(store, now, connection).await?, now).await?;
    take(&mut tx, connection, provider).await?;
    let told = watches::of(&mut tx, connection).await?.told;
    // At once, because a certificate may end soon.
    watches::update(&mut tx, connection, &Watch { told, ..watch }, now).await?;
    Ok(tx.commit().await?)
}

/// Makes it the identity provider, and tells what is another.
pub(crate) async fn take(
    tx: &mut TenantTx,
    connection: ConnectionId,
    provider: &IdentityProvider,
) -> Result<(), Error> {
    let before = connections::for_update(tx, connection).await?.ok_or(Error::NotFound)?;
    // One that does not read any more is replaced like none.
    let before = idp::of(&before).inspect_err(|error| match error {
        Error::NotSetUp => {}
        error => tracing::warn!(connection = %connection, error = chain(error), "An identity provider is replaced"),
    });
    connections::set_idp(tx, connection, &idp::to_store(provider)).await?;
    seen_certificates::forget(tx, connection).await?;
    let change = before.map(|before| Change::between(&before, provider)).unwrap_or_default();
    let values: Vec<&str> = change.replaced.iter().map(|value| value.what).collect();
    let data = json!({ "changed": "identity provider", "values": values });
    let subject = Subject::Connection(connection);
    let mut told = vec![Event::with(EventKind::ConnectionUpdated, subject, data)];
    if !change.added.is_empty() || !change.removed.is_empty() {
        let data = json!({ "added": change.added, "removed": change.removed });
        told.push(Event::with(EventKind::CertificateRotated, subject, data));
    }
    Ok(events::append(tx, Some(connection), &told).await?)
}
