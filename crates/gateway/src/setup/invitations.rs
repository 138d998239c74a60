//! Whom an operator expects in a connection.

use super::{operator, tenant_of};
use crate::{
    error::Error,
    secret::{Kind, Secret},
};
use domain::{
    email::Email,
    event::{Event, EventKind, Subject},
    ids::{ConnectionId, InvitationId},
    invitation::{Action, Invitation},
    refusal::Refusal,
};
use serde_json::json;
use store::{connections, events, invitations, store::Store, tenant::TenantTx};
use time::OffsetDateTime;

/// Invites an address; whatever stood for it before is superseded. The code of its link is answered once.
///
/// # Errors
/// [`Refusal::ScimLive`] where SCIM keeps the users.
pub async fn invite(
    store: &Store,
    now: OffsetDateTime,
    connection: ConnectionId,
    email: &Email,
) -> Result<(InvitationId, Secret), Error> {
    let tenant = tenant_of(store, now, connection).await?;
    let code = Secret::of_tenant(Kind::Invitation, tenant);
    let mut tx = operator(store, tenant, now).await?;
    // One after the other: an address has one invitation that stands.
    connections::for_update(&mut tx, connection).await?.ok_or(Error::NotFound)?;
    if connections::terms(&mut tx, connection).await?.scim_since.is_some() {
        return Err(Refusal::ScimLive.into());
    }
    if let Some(open) = invitations::open(&mut tx, connection, email).await? {
        let over = open.after(Action::Supersede, now)?;
        invitations::set_step(&mut tx, open.id, over.step).await?;
        tell(&mut tx, connection, EventKind::InvitationSuperseded, open.id).await?;
    }
    let id = invitations::insert(&mut tx, connection, email, &code.hash()).await?;
    tell(&mut tx, connection, EventKind::InvitationCreated, id).await?;
    tx.commit().await?;
    Ok((id, code))
}

/// Withdraws an invitation; one that is over stays as it is, and is answered so.
///
/// # Errors
/// [`Error::NotFound`] without such an invitation.
pub async fn revoke(
    store: &Store,
    now: OffsetDateTime,
    connection: ConnectionId,
    id: InvitationId,
) -> Result<Invitation, Error> {
    let mut tx = operator(store, tenant_of(store, now, connection).await?, now).await?;
    let before = invitations::for_update(&mut tx, connection, id).await?.ok_or(Error::NotFound)?;
    let after = before.after(Action::Revoke, now)?;
    if after != before {
        invitations::set_step(&mut tx, id, after.step).await?;
        tell(&mut tx, connection, EventKind::InvitationRevoked, id).await?;
    }
    tx.commit().await?;
    Ok(after)
}

async fn tell(tx: &mut TenantTx, connection: ConnectionId, kind: EventKind, id: InvitationId) -> Result<(), Error> {
    let event = Event::with(kind, Subject::Invitation(id), json!({}));
    Ok(events::append(tx, Some(connection), &[event]).await?)
}
