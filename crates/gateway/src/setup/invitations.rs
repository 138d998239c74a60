//! Whom an operator expects in a connection.

use super::{operator, tenant_of};
use crate::{
    error::Error,
    inviting,
    oauth::settings::{Invitations, Settings},
    roles::InForce,
    secret::{Kind, Secret},
};
use anyhow::Context;
use domain::{
    email::Email,
    event::{Event, EventKind, Subject},
    ids::{ConnectionId, InvitationId, UserId},
    invitation::{Action, Invitation, Step},
    refusal::Refusal,
};
use serde_json::json;
use store::{
    accounts, applications, connections, events,
    invitations::{self, Invited, NewInvitation, Proof},
    store::Store,
    tenant::TenantTx,
    users,
};
use time::OffsetDateTime;

/// For how many days a link works that ties an account to somebody: whoever has it can be them.
const LINK_DAYS: i32 = 1;

/// Invites an address; whatever stood for it before is superseded. Where the application invites by mail, a mail is on its way;
/// elsewhere the code of the link is answered, once.
///
/// # Errors
/// [`Refusal::ScimLive`] where SCIM keeps the users.
pub async fn invite(
    store: &Store,
    now: OffsetDateTime,
    connection: ConnectionId,
    email: &Email,
) -> Result<(InvitationId, Option<Secret>), Error> {
    let tenant = tenant_of(store, now, connection).await?;
    let mut tx = operator(store, tenant, now).await?;
    // One after the other: an address has one invitation that stands.
    connections::for_update(&mut tx, connection).await?.ok_or(Error::NotFound)?;
    if connections::terms(&mut tx, connection).await?.scim_since.is_some() {
        return Err(Refusal::ScimLive.into());
    }
    let made = instead(&mut tx, connection, email).await?;
    tx.commit().await?;
    Ok(made)
}

/// A new invitation to the address instead of what stands.
async fn instead(
    tx: &mut TenantTx,
    connection: ConnectionId,
    email: &Email,
) -> Result<(InvitationId, Option<Secret>), Error> {
    let application = applications::of_connection(tx, connection).await?.ok_or(Error::NotFound)?;
    let settings = Settings::of(&application)?;
    supersede(tx, connection, email).await?;
    let code = (settings.invitations == Invitations::None).then(|| Secret::of_tenant(Kind::Invitation, tx.tenant()));
    let hash = code.as_ref().map(Secret::hash);
    let proof = hash.as_ref().map_or(Proof::Mail, |hash| Proof::Link(hash));
    let lifetime = i32::from(settings.invitation_days);
    let id = invitations::insert(tx, connection, &NewInvitation { account: None, user: None, email, lifetime, proof })
        .await?;
    tell(tx, connection, EventKind::InvitationCreated, id).await?;
    Ok((id, code))
}

/// Makes a link by which a user whom the application knows ties an account at the identity provider to themselves, within a day; whatever
/// stood for the address is superseded. Answers its code, once.
///
/// # Errors
/// [`Error::NotFound`], or [`Refusal::ChangeImpossible`] for a user without an address.
pub async fn link(
    store: &Store,
    now: OffsetDateTime,
    connection: ConnectionId,
    user: UserId,
) -> Result<(InvitationId, Secret), Error> {
    let mut tx = operator(store, tenant_of(store, now, connection).await?, now).await?;
    let found = connections::for_update(&mut tx, connection).await?.ok_or(Error::NotFound)?;
    if found.idp.is_none() {
        let problem = "the connection has no identity provider at which the person could prove an account".to_owned();
        return Err(Refusal::ChangeImpossible { problem }.into());
    }
    let row = users::row(&mut tx, user).await?.ok_or(Error::NotFound)?;
    let Some(email) = row["email"].as_str().and_then(|email| Email::parse(email).ok()) else {
        let problem =
            "the user has no address, which the page has to show; bring the user in again with one".to_owned();
        return Err(Refusal::ChangeImpossible { problem }.into());
    };
    supersede(&mut tx, connection, &email).await?;
    let code = Secret::of_tenant(Kind::Invitation, tx.tenant());
    let hash = code.hash();
    let new = NewInvitation {
        account: None,
        user: Some(user),
        email: &email,
        lifetime: LINK_DAYS,
        proof: Proof::Link(&hash),
    };
    let id = invitations::insert(&mut tx, connection, &new).await?;
    tell(&mut tx, connection, EventKind::InvitationCreated, id).await?;
    tx.commit().await?;
    Ok((id, code))
}

async fn supersede(tx: &mut TenantTx, connection: ConnectionId, email: &Email) -> Result<(), Error> {
    if let Some(open) = invitations::open(tx, connection, email).await? {
        let over = open.after(Action::Supersede, tx.now())?;
        invitations::set_step(tx, open.id, over.step).await?;
        tell(tx, connection, EventKind::InvitationSuperseded, open.id).await?;
    }
    Ok(())
}

/// Makes another invitation instead of one that ran out, came back, or got lost; where SCIM keeps the users, for whom it brought. Answers
/// as [`invite`].
///
/// # Errors
/// [`Error::NotFound`], [`Refusal::ScimLive`] for one by hand where SCIM keeps the users, or [`Refusal::ChangeImpossible`] for somebody who came,
/// or cannot come.
pub async fn resend(
    store: &Store,
    now: OffsetDateTime,
    connection: ConnectionId,
    id: InvitationId,
) -> Result<(InvitationId, Option<Secret>), Error> {
    let mut tx = operator(store, tenant_of(store, now, connection).await?, now).await?;
    let before = known(&mut tx, connection, id).await?;
    let impossible = |problem: &str| Err(Refusal::ChangeImpossible { problem: problem.to_owned() }.into());
    if before.invitation.step == Step::Accepted {
        return impossible("it was accepted; the person signs in without an invitation");
    }
    let made = match before.account {
        None if before.user.is_some() => {
            return impossible("it is a link of somebody's own; `gatehouse user link` makes another one");
        }
        None => {
            if connections::terms(&mut tx, connection).await?.scim_since.is_some() {
                return Err(Refusal::ScimLive.into());
            }
            let email = Email::parse(&before.email).ok().context("a stored address reads")?;
            instead(&mut tx, connection, &email).await?
        }
        Some(account) => {
            let in_force = InForce::of(&mut tx, connection).await?;
            if in_force.invites_for.is_none() {
                return impossible(
                    "the application does not invite by mail; `gatehouse application set NAME --invitations mail` has it do so",
                );
            }
            inviting::invite(&mut tx, connection, &in_force, &[account.0]).await?;
            let last = invitations::last_of(&mut tx, account).await?.filter(|last| last.invitation.step.is_open());
            match last {
                Some(last) => (last.invitation.id, None),
                None if accounts::by_id(&mut tx, account).await?.is_none() => {
                    return impossible("the account is gone; have the person assigned again in the identity provider");
                }
                None => {
                    return impossible(
                        "the account is deactivated, waits, or has no address; have the person assigned in the identity provider",
                    );
                }
            }
        }
    };
    tx.commit().await?;
    Ok(made)
}

async fn known(tx: &mut TenantTx, connection: ConnectionId, id: InvitationId) -> Result<Invited, Error> {
    let found = invitations::for_update(tx, id).await?;
    found.filter(|invited| invited.connection == connection).ok_or(Error::NotFound)
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
    let before = known(&mut tx, connection, id).await?.invitation;
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
