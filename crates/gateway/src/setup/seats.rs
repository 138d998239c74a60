//! How many of a tenant's users an application lets in.

use super::{operator, tell};
use crate::{
    error::Error,
    inviting,
    provisioning::told,
    revocation,
    roles::{Groups, InForce},
    seats::{Line, by_connection},
};
use domain::{
    event::{EventKind, Subject},
    ids::{ApplicationId, ConnectionId, TenantId},
    provisioning::{PlannedEvent, Rule},
    refusal::Refusal,
    seats::SeatPolicy,
    session::EndReason,
};
use serde_json::json;
use store::{events, roles, seats, seats::InLine, sessions::Which, store::Store, tenant::TenantTx};
use time::OffsetDateTime;

/// Seats that can be counted.
pub const MOST: u32 = 10_000_000;

/// Sets how many seats there are, and counts those that are taken; answers the connections whose roles have to be looked
/// at. Who has a seat keeps it; who waits comes in as far as there is room.
///
/// # Errors
/// When the database cannot be used.
pub async fn set(
    store: &Store,
    now: OffsetDateTime,
    tenant: TenantId,
    application: ApplicationId,
    (limit, policy): (u32, &SeatPolicy),
) -> Result<Vec<ConnectionId>, Error> {
    if limit > MOST {
        let problem = format!("{limit} seats are more than the {MOST} that can be counted");
        return Err(Refusal::ChangeImpossible { problem }.into());
    }
    let mut tx = operator(store, tenant, now).await?;
    let connections = save(&mut tx, application, limit, policy).await?;
    let data = json!({ "application_id": application, "seats": limit, "policy": policy.as_str() });
    tell(&mut tx, EventKind::TenantUpdated, Subject::Tenant(tenant), data).await?;
    tx.commit().await?;
    Ok(connections)
}

/// Counts seats no more, and lets in everybody who waits.
///
/// # Errors
/// As [`set`].
pub async fn remove(
    store: &Store,
    now: OffsetDateTime,
    tenant: TenantId,
    application: ApplicationId,
) -> Result<Vec<ConnectionId>, Error> {
    let mut tx = operator(store, tenant, now).await?;
    let connections = save(&mut tx, application, 0, &SeatPolicy::Soft).await?;
    if seats::is_awaited(&mut tx, application).await? {
        let problem = "somebody who waits is being changed at this moment; try again".to_owned();
        return Err(Refusal::ChangeImpossible { problem }.into());
    }
    seats::remove(&mut tx, application).await?;
    let data = json!({ "application_id": application, "seats": null });
    tell(&mut tx, EventKind::TenantUpdated, Subject::Tenant(tenant), data).await?;
    tx.commit().await?;
    Ok(connections)
}

/// Counts seats anew, where somebody counts, because a connection of the application came or went.
pub(super) async fn recount(tx: &mut TenantTx, application: ApplicationId) -> Result<(), Error> {
    let all = seats::list(tx).await?;
    let Some(counted) = all.into_iter().find(|counted| counted.held.application == application) else { return Ok(()) };
    let domain::seats::Seats { limit, policy, .. } = counted.held.seats;
    save(tx, application, limit, &policy).await?;
    Ok(())
}

async fn save(
    tx: &mut TenantTx,
    application: ApplicationId,
    limit: u32,
    policy: &SeatPolicy,
) -> Result<Vec<ConnectionId>, Error> {
    seats::close_line(tx, application).await?;
    let held = seats::save(tx, application, limit, policy).await?;
    let connections = roles::look_again(tx, application).await?;
    move_line(tx, application, held.seats.keeps_out()).await?;
    if let Some(line) = Line::met(tx, Some(held)).await? {
        line.close(tx).await?;
    }
    Ok(connections)
}

/// Has who waits, wait as the policy wants it. Nobody is inside with a role that belongs to a seat; who has to go out is out.
async fn move_line(tx: &mut TenantTx, application: ApplicationId, is_outside: bool) -> Result<(), Error> {
    let line = seats::line(tx, application).await?;
    for (connection, accounts) in by_connection(&line) {
        let in_force = InForce::of(tx, connection).await?;
        if is_outside {
            seats::move_line(tx, &accounts, true).await?;
            crate::roles::settle(tx, connection, &in_force, &accounts, Groups::Free).await?;
        } else {
            crate::roles::settle(tx, connection, &in_force, &accounts, Groups::Free).await?;
            seats::move_line(tx, &accounts, false).await?;
        }
    }
    let coming_in: Vec<InLine> = line.iter().filter(|waiting| !is_outside && waiting.is_outside).cloned().collect();
    for (connection, accounts) in by_connection(&coming_in) {
        let in_force = InForce::of(tx, connection).await?;
        inviting::invite(tx, connection, &in_force, &accounts).await?;
    }
    for waiting in line.iter().filter(|waiting| is_outside && !waiting.is_outside) {
        let (kind, rule, data) = (EventKind::UserParked, Rule::SeatsTaken, json!({ "why": "seat" }));
        let told = told(waiting.account, waiting.user, vec![PlannedEvent { kind, rule, data }]);
        events::append(tx, Some(waiting.connection), &told).await?;
        revocation::end(tx, Which::Account(waiting.account), EndReason::SeatAwaited, Some(rule)).await?;
    }
    Ok(())
}
