//! Stops a sync that takes out more of a connection's people within an hour than the tenant allows, until somebody says that it is
//! meant. `domain::guard` has the rule.

use crate::{
    error::Error,
    scim::{call::Directory, proof::Key},
};
use domain::{
    event::{Event, EventKind, Subject},
    guard::WINDOW,
    ids::{ConnectionId, TenantId},
    refusal::Refusal,
};
use metrics::counter;
use serde_json::json;
use store::{
    departures::{self, Guard},
    events,
    scope::{Actor, Scope},
    store::Store,
    tenant::TenantTx,
};
use time::OffsetDateTime;
use tracing::warn;

/// Counts one who is about to go.
///
/// # Errors
/// [`Refusal::MassChange`] where too many go.
pub async fn leaves(tx: &mut TenantTx, directory: &Directory) -> Result<(), Error> {
    let percent = directory.role_policy().tenant.mass_change_percent;
    // What an operator has done again is meant.
    if percent == 0 || matches!(directory.proof.key, Key::Replay(_)) {
        return Ok(());
    }
    let connection = directory.connection;
    let guard = current(tx, connection).await?;
    if guard.approved_until.is_some_and(|until| until > tx.now()) {
        return Ok(());
    }
    if guard.paused_at.is_some() || guard.departures.is_mass(percent) {
        return Err(Refusal::MassChange { percent }.into());
    }
    Ok(departures::count(tx, connection, guard.since).await?)
}

/// The window that is on, begun now if the last one is over.
async fn current(tx: &mut TenantTx, connection: ConnectionId) -> Result<Guard, Error> {
    let (now, found) = (tx.now(), departures::guard(tx, connection).await?);
    if let Some(guard) = found.filter(|guard| guard.paused_at.is_some() || guard.since + WINDOW > now) {
        return Ok(guard);
    }
    departures::begin(tx, connection, found.map(|guard| guard.since)).await?;
    departures::guard(tx, connection).await?.ok_or(Error::NotFound)
}

/// Has nobody go any more, because one was too many.
pub async fn pause(tx: &mut TenantTx, connection: ConnectionId) -> Result<(), Error> {
    if !departures::pause(tx, connection).await? {
        return Ok(());
    }
    counter!("gatehouse_mass_changes_total").increment(1);
    warn!(tenant.id = %tx.tenant(), %connection, "A sync takes out too many people and is paused; gatehouse connection guard shows it");
    let guard = departures::guard(tx, connection).await?;
    let (there, gone) = guard.map_or((0, 0), |guard| (guard.departures.there, guard.departures.gone));
    let data = json!({ "there": there, "gone": gone });
    let event = Event::with(EventKind::MassChangePaused, Subject::Connection(connection), data);
    Ok(events::append(tx, Some(connection), &[event]).await?)
}

/// Has people go again: everybody until then, or as many as before.
///
/// # Errors
/// When the database cannot be used.
pub async fn resume(
    store: &Store,
    now: OffsetDateTime,
    (tenant, connection): (TenantId, ConnectionId),
    approved_until: Option<OffsetDateTime>,
) -> Result<(), Error> {
    let mut tx = store.tenant(Scope { tenant, actor: Actor::Operator, now }).await?;
    departures::resume(&mut tx, connection, approved_until).await?;
    let data = json!({ "is_approved": approved_until.is_some() });
    let event = Event::with(EventKind::MassChangeResumed, Subject::Connection(connection), data);
    events::append(&mut tx, Some(connection), &[event]).await?;
    Ok(tx.commit().await?)
}
