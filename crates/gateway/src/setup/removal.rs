//! How a connection is removed, what becomes of its users, and how all of it comes back within 30 days.

use super::{operator, seats::recount, tenant_of};
use crate::{error::Error, oauth::settings::Settings, revocation, roles::InForce, saml::settings::Jit};
use domain::{
    event::{Event, EventKind, Subject},
    ids::ConnectionId,
    refusal::Refusal,
    removal::{Fate, undo_until},
    session::EndReason,
};
use serde_json::json;
use store::{
    applications, connections,
    error::{Constraint, Error as StoreError},
    events,
    logouts::{self, Whose},
    removals::{self, Holdings, Removed},
    seats,
    sessions::Which,
    store::Store,
    tenant::TenantTx,
};
use time::OffsetDateTime;

/// What a removal would touch.
///
/// # Errors
/// [`Error::NotFound`], or as [`remove`].
pub async fn preview(
    store: &Store,
    now: OffsetDateTime,
    connection: ConnectionId,
    fate: Fate,
    into: Option<ConnectionId>,
) -> Result<(String, Holdings), Error> {
    let mut tx = operator(store, tenant_of(store, now, connection).await?, now).await?;
    let found = connections::by_id(&mut tx, connection).await?.ok_or(Error::NotFound)?;
    if fate == Fate::Invite {
        inviting_into(&mut tx, connection, into).await?;
    }
    let holdings = removals::holdings(&mut tx, connection).await?;
    tx.rollback().await?;
    Ok((found.display_name, holdings))
}

/// Removes a connection: nobody signs in, its addresses answer as if it had never been, sessions end and their applications are told.
/// Nothing of it is deleted for 30 days.
///
/// # Errors
/// [`Error::NotFound`], or [`Refusal::ChangeImpossible`] where nobody can be invited into `into`.
pub async fn remove(
    store: &Store,
    now: OffsetDateTime,
    connection: ConnectionId,
    fate: Fate,
    into: Option<ConnectionId>,
) -> Result<Holdings, Error> {
    let mut tx = operator(store, tenant_of(store, now, connection).await?, now).await?;
    let found = connections::for_update(&mut tx, connection).await?.ok_or(Error::NotFound)?;
    let holdings = removals::holdings(&mut tx, connection).await?;
    // In the order of SCIM's departures: the line for seats, then sessions.
    seats::close_line(&mut tx, found.application_id).await?;
    // Whoever is on the way in stays out.
    logouts::lock_all(&mut tx, Some(connection)).await?;
    logouts::remember_end(&mut tx, Some(connection), Whose::Everybody).await?;
    revocation::end(&mut tx, Which::Connection(connection), EndReason::ConnectionRemoved, None).await?;
    let invited = match fate {
        Fate::Invite => {
            let (into, days) = inviting_into(&mut tx, connection, into).await?;
            removals::invite_elsewhere(&mut tx, connection, into, days).await?
        }
        _ => 0,
    };
    if fate.takes_out() {
        let data = json!({ "rule": "removal" });
        removals::tell_users(&mut tx, connection, EventKind::UserDeactivated.as_str(), &data).await?;
    }
    let data = json!({ "users": fate.as_str(), "active": holdings.active, "invited": invited });
    tell(&mut tx, EventKind::ConnectionRemoved, connection, data).await?;
    removals::hide(&mut tx, connection, fate).await?;
    recount(&mut tx, found.application_id).await?;
    tx.commit().await?;
    Ok(holdings)
}

/// The other connection of the tenant into which people can be invited, and for how many days.
async fn inviting_into(
    tx: &mut TenantTx,
    from: ConnectionId,
    into: Option<ConnectionId>,
) -> Result<(ConnectionId, i32), Error> {
    let impossible = |problem: &str| Refusal::ChangeImpossible { problem: problem.to_owned() };
    let into = into
        .filter(|into| *into != from)
        .ok_or_else(|| impossible("users are invited into another connection of the tenant; name it by --into"))?;
    let application = match connections::by_id(tx, into).await? {
        Some(found) if found.suspended_at.is_some() => {
            return Err(impossible("nobody signs in to the other connection: it is suspended or in shadow").into());
        }
        Some(_) => applications::of_connection(tx, into).await?.ok_or(Error::NotFound)?,
        None => return Err(impossible("the tenant has no such connection to invite users into").into()),
    };
    if connections::terms(tx, into).await?.scim_since.is_some() {
        return Err(Refusal::ScimLive.into());
    }
    let Some(days) = Settings::of(&application)?.mailed_for() else {
        return Err(impossible("the application of the other connection does not invite by mail; `gatehouse application set NAME --invitations mail` has it do so").into());
    };
    if InForce::of(tx, into).await?.jit() == Jit::Off {
        return Err(impossible("the other connection takes in nobody who signs in; `gatehouse connection sign-in ID --jit invited` has it take who is invited").into());
    }
    Ok((into, days))
}

/// Brings a connection back as it was: ids, addresses, keys, tokens, accounts, groups and memberships. Sessions stay ended.
///
/// # Errors
/// [`Error::NotFound`] without such a removal, or [`Refusal`] where it is too late or its name is another's.
pub async fn restore(store: &Store, now: OffsetDateTime, connection: ConnectionId) -> Result<Removed, Error> {
    let mut tx = operator(store, tenant_of(store, now, connection).await?, now).await?;
    let removed = removals::for_update(&mut tx, connection).await?.ok_or(Error::NotFound)?;
    if undo_until(removed.at) <= now {
        let problem = "a removal can be undone for 30 days, and those are over".to_owned();
        return Err(Refusal::ChangeImpossible { problem }.into());
    }
    removals::restore(&mut tx, connection).await.map_err(|error| match error {
        StoreError::Conflict(Constraint::ConnectionName) => {
            Refusal::NameTaken { name: removed.display_name.clone() }.into()
        }
        error => Error::from(error),
    })?;
    if removed.fate.takes_out() {
        let data = json!({ "rule": "removal" });
        removals::tell_users(&mut tx, connection, EventKind::UserReactivated.as_str(), &data).await?;
    }
    tell(&mut tx, EventKind::ConnectionRestored, connection, json!({ "users": removed.fate.as_str() })).await?;
    recount(&mut tx, removed.application).await?;
    tx.commit().await?;
    Ok(removed)
}

async fn tell(
    tx: &mut TenantTx,
    kind: EventKind,
    connection: ConnectionId,
    data: serde_json::Value,
) -> Result<(), Error> {
    let event = Event::with(kind, Subject::Connection(connection), data);
    Ok(events::append(tx, Some(connection), &[event]).await?)
}
