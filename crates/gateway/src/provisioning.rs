//! Carries out what `domain::provisioning` planned, in the caller's transaction.

use crate::error::Error;
use domain::{
    account::{Account, Profile},
    email::Email,
    event::{Event, EventKind, Subject},
    ids::{ConnectionId, UserId},
    provisioning::{AccountEffect, ChangePlan, CreatePlan, PlannedEvent},
    refusal::Refusal,
    session::EndReason,
};
use serde_json::json;
use store::{
    accounts, domains,
    error::{Constraint, Error as StoreError},
    events, sessions,
    tenant::TenantTx,
    users,
};

/// Creates the account of a plan made by [`domain::provisioning::create`].
pub async fn create(tx: &mut TenantTx, connection: ConnectionId, plan: CreatePlan) -> Result<Account, Error> {
    let CreatePlan { link, profile, events } = plan;
    let user = match link {
        Some(user) => user,
        None => {
            let id = UserId(tx.new_id());
            users::insert(tx, id, profile.email.as_ref(), profile.display_name.as_deref()).await?;
            id
        }
    };
    let user_name = profile.user_name.to_string();
    let account = accounts::insert(tx, connection, user, profile).await.map_err(|error| taken(error, &user_name))?;
    append(tx, &account, events).await?;
    Ok(account)
}

/// Changes, keeps or removes `before` as planned, and ends its sessions when the plan says so.
pub async fn carry_out(tx: &mut TenantTx, before: Account, plan: ChangePlan) -> Result<Account, Error> {
    let ChangePlan { account, user_follows, ends_sessions, events } = plan;
    append(tx, &before, events).await?;
    if let Some(reason) = ends_sessions {
        end_sessions(tx, &before, reason).await?;
    }
    let after = match account {
        AccountEffect::Keep => return Ok(before),
        AccountEffect::Update(profile) => {
            let user_name = profile.user_name.to_string();
            accounts::update(tx, before.id, &profile).await.map_err(|error| taken(error, &user_name))?;
            Account { profile, version: before.version + 1, updated_at: tx.now(), ..before }
        }
        AccountEffect::Delete => {
            // Locked first: an account that joins the user at this moment is seen by the last statement, or waits.
            users::lock(tx, before.user_id).await?;
            accounts::delete(tx, before.id).await?;
            users::delete_if_alone(tx, before.user_id).await?;
            return Ok(before);
        }
    };
    if user_follows {
        let Profile { email, display_name, .. } = &after.profile;
        users::update(tx, after.user_id, email.as_ref(), display_name.as_deref()).await?;
    }
    Ok(after)
}

/// The user of this tenant whom a new account belongs to: by an address whose domain the tenant owns.
/// Whoever else creates an account with that address waits until this transaction ends.
pub async fn linkable(
    tx: &mut TenantTx,
    connection: ConnectionId,
    email: Option<&Email>,
) -> Result<Option<UserId>, Error> {
    let Some(email) = email else { return Ok(None) };
    if !domains::is_verified(tx, email.domain()).await? {
        return Ok(None);
    }
    users::lock_address(tx, email).await?;
    Ok(users::linkable(tx, connection, email).await?)
}

async fn end_sessions(tx: &mut TenantTx, account: &Account, reason: EndReason) -> Result<(), Error> {
    let ended = sessions::end_all(tx, account.id, reason).await?;
    let revoked = |session| {
        Event::with(EventKind::SessionRevoked, Subject::Session(session), json!({ "reason": reason.as_str() }))
    };
    let events: Vec<Event> = ended.into_iter().map(revoked).collect();
    Ok(events::append(tx, Some(account.connection_id), &events).await?)
}

async fn append(tx: &mut TenantTx, account: &Account, planned: Vec<PlannedEvent>) -> Result<(), Error> {
    let events: Vec<Event> = planned
        .into_iter()
        .map(|PlannedEvent { kind, mut data }| {
            if let Some(data) = data.as_object_mut() {
                data.insert("account_id".to_owned(), json!(account.id));
            }
            Event::with(kind, Subject::User(account.user_id), data)
        })
        .collect();
    Ok(events::append(tx, Some(account.connection_id), &events).await?)
}

fn taken(error: StoreError, user_name: &str) -> Error {
    match error {
        StoreError::Conflict(Constraint::UserName) => {
            Refusal::UserNameTaken { user_name: user_name.chars().take(100).collect() }.into()
        }
        StoreError::Conflict(Constraint::NameId) => Refusal::AccountBound.into(),
        error => error.into(),
    }
}
