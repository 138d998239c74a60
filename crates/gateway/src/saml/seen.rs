//! A certificate that answers are signed with and that is not trusted: the identity provider changed it before anybody was
//! told, or somebody tries. A person decides; where the metadata have an address, they are read again.

use crate::{app::Inner, error::Error};
use ::saml::idp::IdpCertificate;
use domain::{
    event::{Event, EventKind, Subject},
    ids::{ConnectionId, TenantId},
};
use serde_json::json;
use store::{events, scope::Actor, seen_certificates, watches};
use time::{Duration, OffsetDateTime};

/// How old metadata must be to be read again for a stranger's sake.
const STALE: Duration = Duration::minutes(10);

/// The longest name that is kept.
const MAX_SUBJECT: usize = 200;

/// Notes the certificate, bounded in how often and in how many.
///
/// # Errors
/// When the database cannot be used.
pub async fn note(
    app: &Inner,
    tenant: TenantId,
    connection: ConnectionId,
    certificate: &IdpCertificate,
    now: OffsetDateTime,
) -> Result<(), Error> {
    if !app.limits.notes_certificate(connection) {
        return Ok(());
    }
    let mut tx = app.tenant(tenant, Actor::Browser, now).await?;
    let (fingerprint, subject) = (certificate.fingerprint(), certificate.subject());
    let subject: String = subject.chars().take(MAX_SUBJECT).collect();
    let seen = (fingerprint, subject.as_str(), certificate.not_after());
    if seen_certificates::remember(&mut tx, connection, seen).await? {
        let data = json!({ "fingerprint": fingerprint });
        let event = Event::with(EventKind::CertificateSeen, Subject::Connection(connection), data);
        events::append(&mut tx, Some(connection), &[event]).await?;
    }
    watches::hurry(&mut tx, connection, now - STALE).await?;
    Ok(tx.commit().await?)
}
