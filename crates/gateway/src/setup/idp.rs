//! The identity provider of a connection: given by hand, or by the address of its metadata.

use super::{operator, tenant_of};
use crate::{
    config::Outbound,
    error::Error,
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
    connections, events, seen_certificates,
    store::Store,
    tenant::TenantTx,
    watches::{self, Watch},
};
use time::OffsetDateTime;

/// Where the metadata are, and which version was taken.
#[derive(Debug, Clone)]
pub struct Source {
    pub url: String,
    pub version: Version,
}

/// What is at the address of metadata.
#[derive(Debug)]
pub enum Found {
    /// The version that was taken last.
    Same,
    Other(Box<IdentityProvider>, Version),
}

/// Fetches and reads metadata, if they are not the known version.
///
/// # Errors
/// Why they cannot be used, as a sentence for the operator.
pub async fn fetch(url: &str, known: &Version, limits: &Outbound, now: OffsetDateTime) -> Result<Found, String> {
    match outbound::fetch(url, known, limits).await.map_err(|error| error.to_string())? {
        Fetched::Unchanged => Ok(Found::Same),
        Fetched::Document { text, version } => {
            let provider = IdentityProvider::from_current_metadata(&text, now).map_err(|error| error.to_string())?;
            Ok(Found::Other(Box::new(provider), version))
        }
    }
}

/// Stores what the operator gave of the identity provider; from a source it is followed from now on, otherwise no more.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn set(
    store: &Store,
    now: OffsetDateTime,
    connection: ConnectionId,
    provider: &IdentityProvider,
    source: Option<Source>,
) -> Result<(), Error> {
    let mut tx = operator(store, tenant_of(store, now, connection).await?, now).await?;
    take(&mut tx, connection, provider).await?;
    let told = watches::of(&mut tx, connection).await?.ok_or(Error::NotFound)?.told;
    let fetched_at = source.as_ref().map(|_| now);
    let (metadata_url, version) =
        source.map_or((None, Version::default()), |source| (Some(source.url), source.version));
    let Version { etag, last_modified } = version;
    let watch = Watch { metadata_url, etag, last_modified, fetched_at, problem: None, told };
    // At once, because a certificate may end soon.
    watches::update(&mut tx, connection, &watch, now).await?;
    Ok(tx.commit().await?)
}

/// Makes it the identity provider, and tells what is another.
pub(crate) async fn take(
    tx: &mut TenantTx,
    connection: ConnectionId,
    provider: &IdentityProvider,
) -> Result<(), Error> {
    let before = connections::for_update(tx, connection).await?.ok_or(Error::NotFound)?;
    let before = before.idp.is_some().then(|| idp::of(&before)).transpose()?;
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
