//! What becomes of metadata that were fetched.

use crate::{
    error::Error,
    saml::idp,
    setup::{self, idp::Found},
};
use ::saml::idp_change::Change;
use domain::event::{Event, EventKind, Subject};
use metrics::counter;
use serde_json::json;
use store::{connections::Connection, events, tenant::TenantTx, watches::Watch};

/// Whether metadata may name another issuer than they did: another system would speak for the customer's users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewIssuer {
    Refused,
    Taken,
}

/// Takes what was found, or keeps what is known and notes the problem. A problem is told once, not each time.
pub async fn settle(
    tx: &mut TenantTx,
    connection: &Connection,
    watch: &mut Watch,
    answer: Result<Found, String>,
    new_issuer: NewIssuer,
) -> Result<(), Error> {
    let (result, problem) = match answer {
        Ok(Found::Same) => ("unchanged", None),
        Ok(Found::Other(provider, version)) => {
            let known = connection.idp.is_some().then(|| idp::of(connection)).transpose()?;
            let change = known.map(|known| Change::between(&known, &provider));
            if change.as_ref().is_some_and(|change| change.is_of_issuer) && new_issuer == NewIssuer::Refused {
                ("held", Some(held(connection, &change.unwrap_or_default())))
            } else {
                let is_another = change.is_none_or(|change| !change.is_none());
                if is_another {
                    setup::idp::take(tx, connection.id, &provider).await?;
                }
                (watch.etag, watch.last_modified) = (version.etag, version.last_modified);
                (if is_another { "taken" } else { "unchanged" }, None)
            }
        }
        Err(problem) => ("failed", Some(problem)),
    };
    counter!("gatehouse_metadata_fetches_total", "result" => result).increment(1);
    if let Some(problem) = problem.as_ref().filter(|problem| watch.problem.as_ref() != Some(problem)) {
        let data = json!({ "problem": problem });
        let event = Event::with(EventKind::MetadataFailed, Subject::Connection(connection.id), data);
        events::append(tx, Some(connection.id), &[event]).await?;
    }
    if problem.is_none() {
        watch.fetched_at = Some(tx.now());
    }
    watch.problem = problem;
    Ok(())
}

fn held(connection: &Connection, change: &Change) -> String {
    format!(
        "the metadata name another issuer, so nothing of them was taken:\n{change}\nIf the identity provider was really \
         replaced, take them with `gatehouse connection refresh {} --new-issuer`; otherwise ask the IT admin who changed them",
        connection.id
    )
}
