//! Certificates that come near their end, the identity provider's and our own.

use crate::{error::Error, saml::keys::Keys};
use ::saml::idp::IdpCertificate;
use domain::{
    event::{Event, EventKind, Subject},
    expiry,
    ids::ConnectionId,
};
use metrics::counter;
use serde_json::{Map, Value, json};
use store::{connections, events, tenant::TenantTx, watches::Watch};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tracing::warn;

/// Tells of each certificate that has reached a mark, and answers when the next one is reached.
pub async fn tell(
    tx: &mut TenantTx,
    connection: ConnectionId,
    watch: &mut Watch,
) -> Result<Option<OffsetDateTime>, Error> {
    let now = tx.now();
    // As they are after the metadata were taken.
    let idp = connections::by_id(tx, connection).await?.and_then(|connection| connection.idp);
    let theirs = read(idp.iter().flat_map(|idp| &idp.certificates).map(Vec::as_slice));
    let keys = Keys::of(tx, connection).await?;
    let ours = read(keys.all().iter().map(|key| key.certificate.as_slice()));
    let (mut told, mut new) = (Map::new(), Vec::new());
    for (whose, certificates) in [("identity provider", &theirs), ("service provider", &ours)] {
        for certificate in certificates {
            let last = watch.told.get(certificate.fingerprint()).and_then(Value::as_u64);
            let last = last.and_then(|days| u16::try_from(days).ok());
            let due = expiry::due(certificate.not_after(), now, last);
            if let Some(days) = due {
                let fingerprint = certificate.fingerprint();
                warn!(connection = %connection, whose, fingerprint, days, "A certificate ends within so many days");
                counter!("gatehouse_certificate_warnings_total", "whose" => whose, "days" => days.to_string())
                    .increment(1);
                new.push(event(connection, whose, certificate, days, certificates));
            }
            // Only of those that are in use, so that it does not grow.
            if let Some(days) = due.or(last) {
                told.insert(certificate.fingerprint().to_owned(), json!(days));
            }
        }
    }
    if !new.is_empty() {
        events::append(tx, Some(connection), &new).await?;
    }
    watch.told = Value::Object(told);
    Ok(theirs.iter().chain(&ours).filter_map(|certificate| expiry::next(certificate.not_after(), now)).min())
}

fn read<'a>(certificates: impl Iterator<Item = &'a [u8]>) -> Vec<IdpCertificate> {
    certificates.filter_map(|der| IdpCertificate::from_der(der).ok()).collect()
}

fn event(
    connection: ConnectionId,
    whose: &str,
    certificate: &IdpCertificate,
    days: u16,
    all: &[IdpCertificate],
) -> Event {
    let ends_at = certificate.not_after();
    let data = json!({
        "whose": whose,
        "fingerprint": certificate.fingerprint(),
        "days": days,
        "ends_at": ends_at.format(&Rfc3339).unwrap_or_default(),
        // Nobody has to hurry where the next one is known already.
        "is_followed": all.iter().any(|other| other.not_after() > ends_at),
    });
    let kind = if days == 0 { EventKind::CertificateExpired } else { EventKind::CertificateExpiring };
    Event::with(kind, Subject::Connection(connection), data)
}
