//! What becomes of metadata that were fetched.

use super::Asked;
use crate::{
    error::Error,
    saml::idp,
    setup::{
        self,
        idp::{Found, Metadata},
    },
};
use ::saml::idp_change::Change;
use domain::event::{Event, EventKind, Subject};
use metrics::counter;
use serde_json::json;
use store::{connections::Connection, events, tenant::TenantTx, watches::Watch};

/// Takes what was found, or keeps what is known and notes the problem. A problem is told once, not each time.
pub async fn settle(
    tx: &mut TenantTx,
    connection: &Connection,
    watch: &mut Watch,
    answer: Result<Found, String>,
    asked: &Asked,
) -> Result<(), Error> {
    let (result, problem) = match answer {
        Ok(Found::Same) => ("unchanged", None),
        Ok(Found::Other(metadata)) => judge(tx, connection, watch, *metadata, asked).await?,
        Err(problem) => ("failed", Some(format!("{problem}. It is tried again every hour"))),
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

async fn judge(
    tx: &mut TenantTx,
    connection: &Connection,
    watch: &mut Watch,
    metadata: Metadata,
    asked: &Asked,
) -> Result<(&'static str, Option<String>), Error> {
    let Metadata { provider, version, valid_until } = metadata;
    let named = match asked {
        Asked::ByOperator { new_issuer } => new_issuer.as_deref(),
        Asked::Daily => None,
    };
    if let Some(change) = setup::idp::stranger(connection, &provider, named) {
        return Ok(("held", Some(held(connection, &change))));
    }
    let is_another = idp::of(connection).map_or(true, |known| !Change::between(&known, &provider).is_none());
    if is_another {
        setup::idp::take(tx, connection.id, &provider).await?;
    }
    (watch.etag, watch.last_modified, watch.valid_until) = (version.etag, version.last_modified, valid_until);
    Ok((if is_another { "taken" } else { "unchanged" }, None))
}

fn held(connection: &Connection, change: &Change) -> String {
    format!(
        "the metadata name another issuer, so nothing of them was taken:\n{change}\nIf the identity provider was really \
         replaced, take them with `gatehouse connection refresh {} --new-issuer ISSUER`; otherwise ask the IT admin who \
         changed them",
        connection.id
    )
}
