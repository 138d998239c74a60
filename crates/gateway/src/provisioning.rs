//! Carries out what `domain::provisioning` planned, in the caller's transaction.

use crate::error::Error;
use domain::{
    account::Account,
    email::Email,
    event::{Event, EventKind, Subject},
    ids::{ConnectionId, UserId},
    provisioning::{AccountEffect, Plan, PlannedEvent, UserEffect},
    refusal::Refusal,
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
pub async fn carry_out_create(tx: &mut TenantTx, connection: ConnectionId, plan: Plan) -> Result<Account, Error> {
    let Plan { user, account, ends_sessions: _, events } = plan;
    let AccountEffect::Insert(profile) = account else {
        return Err(anyhow::anyhow!("a plan to create inserts an account").into());
    };
    let user = match user {
        UserEffect::Link(user)
        | UserEffect::Keep(user)
        | UserEffect::Follow(user)
        | UserEffect::RemoveIfAlone(user) => user,
        UserEffect::Create => {
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
pub async fn carry_out(tx: &mut TenantTx, before: Account, plan: Plan) -> Result<Account, Error> {
    let Plan { user, account, ends_sessions, events } = plan;
    append(tx, &before, events).await?;
    if let Some(reason) = ends_sessions {
        let ended = sessions::end_all(tx, before.id, reason).await?;
        let events: Vec<Event> = ended
            .into_iter()
            .map(|session| {
                Event::with(EventKind::SessionRevoked, Subject::Session(session), json!({ "reason": reason.as_str() }))
            })
            .collect();
        store::events::append(tx, Some(before.connection_id), &events).await?;
    }
    let after = match account {
        AccountEffect::Keep(_) | AccountEffect::Insert(_) => before,
        AccountEffect::Update(id, profile) => {
            let user_name = profile.user_name.to_string();
            accounts::update(tx, id, &profile).await.map_err(|error| taken(error, &user_name))?;
            Account { profile, version: before.version + 1, updated_at: tx.now(), ..before }
        }
        AccountEffect::Delete(id) => {
            accounts::delete(tx, id).await?;
            before
        }
    };
    match user {
        UserEffect::Follow(user) => {
            users::update(tx, user, after.profile.email.as_ref(), after.profile.display_name.as_deref()).await?;
        }
        UserEffect::RemoveIfAlone(user) => users::delete_if_alone(tx, user).await?,
        UserEffect::Create | UserEffect::Link(_) | UserEffect::Keep(_) => {}
    }
    Ok(after)
}

/// The user of this tenant whom a new account belongs to: by an address whose domain the tenant owns.
pub async fn linkable(
    tx: &mut TenantTx,
    connection: ConnectionId,
    email: Option<&Email>,
) -> Result<Option<UserId>, Error> {
    let Some(email) = email else { return Ok(None) };
    if !domains::is_verified(tx, email.domain()).await? {
        return Ok(None);
    }
    Ok(users::linkable(tx, connection, email).await?)
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
