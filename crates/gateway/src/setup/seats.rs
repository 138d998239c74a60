//! How many of a tenant's users an application lets in.

use super::operator;
use crate::{error::Error, seats::Line};
use domain::{
    event::{Event, EventKind, Subject},
    ids::{ApplicationId, ConnectionId, TenantId},
    refusal::Refusal,
    seats::SeatPolicy,
};
use serde_json::json;
use store::{events, roles, seats, store::Store, tenant::TenantTx};
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
    tell(&mut tx, data).await?;
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
    seats::remove(&mut tx, application).await?;
    tell(&mut tx, json!({ "application_id": application, "seats": null })).await?;
    tx.commit().await?;
    Ok(connections)
}

async fn save(
    tx: &mut TenantTx,
    application: ApplicationId,
    limit: u32,
    policy: &SeatPolicy,
) -> Result<Vec<ConnectionId>, Error> {
    seats::close_line(tx, application).await?;
    let held = seats::save(tx, application, limit, policy).await?;
    seats::move_line(tx, application, held.seats.keeps_out()).await?;
    // Who waits has another role where that is what waiting means.
    let connections = roles::look_again(tx, application).await?;
    if let Some(line) = Line::met(tx, Some(held)).await? {
        line.close(tx).await?;
    }
    Ok(connections)
}

async fn tell(tx: &mut TenantTx, data: serde_json::Value) -> Result<(), Error> {
    let event = Event::with(EventKind::TenantUpdated, Subject::Tenant(tx.tenant()), data);
    Ok(events::append(tx, None, &[event]).await?)
}
