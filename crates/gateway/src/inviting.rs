//! Invitations of people whom SCIM brings, where the application has them: made, renewed, ended in the transaction that brings,
//! assigns again or takes out. `domain::invitation` has the rules; `invitation_mail` sends what is due.

use crate::{error::Error, roles::InForce};
use domain::{
    account::Account,
    event::{Event, EventKind, Subject},
    ids::{ConnectionId, InvitationId},
    invitation::{self, Step, Wish},
};
use serde_json::{Value, json};
use store::{events, invitations, tenant::TenantTx};
use uuid::Uuid;

/// Has these accounts invited, as far as they can sign in and have an address, where the application wants that.
pub async fn invite(
    tx: &mut TenantTx,
    connection: ConnectionId,
    in_force: &InForce,
    accounts: &[Uuid],
) -> Result<(), Error> {
    let Some(days) = in_force.invites_for.filter(|_| !accounts.is_empty()) else { return Ok(()) };
    let (superseded, new) = invitations::invite(tx, connection, accounts, days).await?;
    let superseded = superseded.into_iter().map(|id| event(EventKind::InvitationSuperseded, id, json!({})));
    let new = new.into_iter().map(|(id, account)| {
        event(EventKind::InvitationCreated, id, json!({ "account_id": account, "rule": "identity_provider" }))
    });
    let told: Vec<Event> = superseded.chain(new).collect();
    Ok(events::append(tx, Some(connection), &told).await?)
}

/// Does what is wanted of the invitation of an account that was changed.
pub async fn follow(tx: &mut TenantTx, in_force: &InForce, was_active: bool, after: &Account) -> Result<(), Error> {
    if in_force.invites_for.is_none() {
        return Ok(());
    }
    let is_due = match invitation::wish(was_active, after.profile.active) {
        Wish::Leave => false,
        Wish::Withdraw => return withdraw(tx, in_force, after).await,
        Wish::Invite => true,
        Wish::Renew => {
            let last = invitations::last_of(tx, after.id).await?;
            let (email, now) = (after.profile.email.as_ref(), tx.now());
            last.is_some_and(|last| invitation::is_useless(&last.invitation, &last.email_key, email, now))
        }
    };
    if is_due { invite(tx, after.connection_id, in_force, &[after.id.0]).await } else { Ok(()) }
}

/// Withdraws what stands for somebody who is out.
pub async fn withdraw(tx: &mut TenantTx, in_force: &InForce, account: &Account) -> Result<(), Error> {
    if in_force.invites_for.is_none() {
        return Ok(());
    }
    end(tx, account, Step::Revoked, EventKind::InvitationRevoked, "identity_provider").await
}

/// Whoever is in has accepted what stands for them.
pub async fn arrived(tx: &mut TenantTx, account: &Account) -> Result<(), Error> {
    end(tx, account, Step::Accepted, EventKind::InvitationAccepted, "sign_in").await
}

async fn end(tx: &mut TenantTx, account: &Account, step: Step, kind: EventKind, rule: &str) -> Result<(), Error> {
    let ended = invitations::end(tx, account.connection_id, account.id, account.profile.email.as_ref(), step).await?;
    let data = json!({ "user_id": account.user_id, "account_id": account.id, "rule": rule });
    let told: Vec<Event> = ended.into_iter().map(|id| event(kind, id, data.clone())).collect();
    Ok(events::append(tx, Some(account.connection_id), &told).await?)
}

fn event(kind: EventKind, id: InvitationId, data: Value) -> Event {
    Event::with(kind, Subject::Invitation(id), data)
}
