//! Answers that no certificate of the connection explains: the identity provider changed something before anybody was told, or
//! somebody tries. A person decides; where the metadata have an address, they are read again.

use crate::{app::Inner, error::Error};
use ::saml::code::{Code, Rejection};
use domain::{
    event::{Event, EventKind, Subject},
    ids::{ConnectionId, TenantId},
};
use serde_json::json;
use store::{events, scope::Actor, seen_certificates, watches};
use time::{Duration, OffsetDateTime};

/// Refusals that newer metadata, or an identity provider that read ours, would have spared.
const STALE_KEYS: [Code; 3] = [Code::KeyType, Code::SignatureMismatch, Code::Undecryptable];

/// How long ago metadata must have been asked for to be asked for again for a stranger's sake.
const STALE: Duration = Duration::minutes(10);

/// Notes what a refused answer was signed with, bounded in how often and in how many.
///
/// # Errors
/// When the database cannot be used.
pub async fn note(
    app: &Inner,
    tenant: TenantId,
    connection: ConnectionId,
    rejection: &Rejection,
    now: OffsetDateTime,
) -> Result<(), Error> {
    if !STALE_KEYS.contains(&rejection.code) || !app.limits.notes_certificate(connection) {
        return Ok(());
    }
    let mut tx = app.tenant(tenant, Actor::Browser, now).await?;
    if let Some(certificate) = &rejection.claimed {
        let seen = (certificate.fingerprint(), certificate.subject(), certificate.not_after());
        if seen_certificates::remember(&mut tx, connection, seen).await? {
            let data = json!({ "fingerprint": certificate.fingerprint() });
            let event = Event::with(EventKind::CertificateSeen, Subject::Connection(connection), data);
            events::append(&mut tx, Some(connection), &[event]).await?;
        }
    }
    watches::hurry(&mut tx, connection, now - STALE).await?;
    Ok(tx.commit().await?)
}
