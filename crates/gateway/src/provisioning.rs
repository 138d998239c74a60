//! Carries out what `domain::provisioning` planned, in the caller's transaction.

use crate::{error::Error, revocation, roles::InForce};
use domain::{
    account::{Account, Parked, Profile},
    event::{Event, EventKind, Subject},
    ids::{AccountId, ConnectionId, UserId},
    linking::Ownership,
    provisioning::{AccountEffect, ChangePlan, CreatePlan, PlannedEvent, Rule},
    refusal::Refusal,
    session::EndReason,
};
use serde_json::{Value, json};
use store::{
    accounts,
    arrivals::{self, NewAccount, Owner},
    attributes::{self, AttributeRow},
    connections,
    error::{Constraint, Error as StoreError},
    events, groups, passwords, roles, seats,
    sessions::Which,
    tenant::TenantTx,
    users,
};
use uuid::Uuid;

/// A new account.
pub struct New {
    pub id: AccountId,
    /// Made by [`domain::provisioning::create`].
    pub plan: CreatePlan,
    /// What it is found by.
    pub index: Vec<AttributeRow>,
}

/// Creates accounts, all or none of them; as a placeholder's, if that is given. Who names one alone is told whether its name is taken.
pub async fn create(
    tx: &mut TenantTx,
    connection: ConnectionId,
    placeholder: Option<UserId>,
    new: Vec<New>,
) -> Result<Vec<Account>, Error> {
    let only = match &new[..] {
        [only] => Some(only.plan.profile.user_name.to_string()),
        _ => None,
    };
    let new = new.into_iter().map(|new| stored(tx, placeholder, new)).collect();
    arrivals::insert(tx, connection, new).await.map_err(|error| match &only {
        Some(user_name) => taken(error, user_name),
        None => error.into(),
    })
}

/// Gives accounts that were a placeholder's to whom the plans say.
pub async fn adopt(tx: &mut TenantTx, connection: ConnectionId, new: Vec<New>) -> Result<Vec<NewAccount>, Error> {
    let new: Vec<NewAccount> = new.into_iter().map(|new| stored(tx, None, new)).collect();
    arrivals::adopt(tx, &new).await?;
    let told: Vec<Event> = new.iter().flat_map(|new| &new.events).cloned().collect();
    events::append(tx, Some(connection), &told).await?;
    Ok(new)
}

fn stored(tx: &TenantTx, placeholder: Option<UserId>, New { id, plan, index }: New) -> NewAccount {
    let CreatePlan { owner, profile, waits, events } = plan;
    let new = || Owner::New(UserId(tx.new_id()));
    let (owner, asked) = match (placeholder, owner) {
        (Some(placeholder), _) => (Owner::Existing(placeholder), None),
        (None, Ownership::New) => (new(), None),
        (None, Ownership::Existing(user)) => (Owner::Existing(user), None),
        (None, Ownership::Asked(user)) => (new(), Some(user)),
    };
    let events = told(id, owner.id(), events);
    let in_shadow = placeholder.is_some();
    NewAccount { id, owner, asked, waits, in_shadow, profile, attributes: index, events }
}

/// Makes the account's search index what `after` says.
pub async fn reindex(
    tx: &mut TenantTx,
    account: &Account,
    before: &[AttributeRow],
    after: &[AttributeRow],
) -> Result<(), Error> {
    Ok(attributes::change(tx, account.connection_id, account.id, before, after).await?)
}

/// Notes whether SCIM keeps the connection's users from now on. Where there are rules for groups, roles are looked at again: the
/// groups of assertions count only where it does not.
pub async fn set_scim_live(
    tx: &mut TenantTx,
    connection: ConnectionId,
    in_force: &InForce,
    is_live: bool,
) -> Result<(), Error> {
    if !connections::set_scim_live(tx, connection, is_live).await? {
        return Ok(());
    }
    if in_force.heeds_groups() {
        roles::remember_to_look(tx, connection).await?;
    }
    let data = json!({ "changed": "scim", "is_live": is_live });
    let event = Event::with(EventKind::ConnectionUpdated, Subject::Connection(connection), data);
    Ok(events::append(tx, Some(connection), &[event]).await?)
}

/// Keeps the hash of a password that the identity provider sent, if it sent one. Sessions that the one before had proven end.
pub async fn set_password(tx: &mut TenantTx, account: &Account, hash: Option<&str>) -> Result<(), Error> {
    let Some(hash) = hash else { return Ok(()) };
    if passwords::of(tx, account.id).await?.as_deref() == Some(hash) {
        return Ok(());
    }
    passwords::set(tx, account.id, hash).await?;
    let by = Some(Rule::IdentityProvider);
    revocation::end(tx, Which::ByPassword(account.id), EndReason::PasswordChanged, by).await?;
    let changed = PlannedEvent { kind: EventKind::UserPasswordChanged, rule: Rule::IdentityProvider, data: json!({}) };
    append(tx, account, vec![changed]).await
}

/// Changes, keeps or removes `before` as planned, and ends its sessions when the plan says so.
pub async fn carry_out(tx: &mut TenantTx, before: Account, plan: ChangePlan) -> Result<Account, Error> {
    let ChangePlan { account, user_follows, waits, ends_sessions, events, by } = plan;
    append(tx, &before, events).await?;
    if let Some(reason) = ends_sessions {
        revocation::end(tx, Which::Account(before.id), reason, Some(by)).await?;
    }
    let after = match account {
        AccountEffect::Keep => return Ok(before),
        AccountEffect::Update(profile) => {
            let user_name = profile.user_name.to_string();
            accounts::update(tx, before.id, &profile).await.map_err(|error| taken(error, &user_name))?;
            Account { profile, version: before.version + 1, updated_at: tx.now(), ..before }
        }
        AccountEffect::Delete => {
            leave_groups(tx, before.connection_id, before.id.0, by).await?;
            let mut concerned = vec![before.user_id];
            if let Some(Parked::Link(asked)) = before.parked {
                concerned.push(asked);
            }
            concerned.sort_unstable();
            // Locked first: an account that joins a user at this moment is seen by the last statement, or waits.
            for user in &concerned {
                users::lock(tx, *user).await?;
            }
            accounts::delete(tx, before.id).await?;
            for user in concerned {
                users::delete_if_alone(tx, user).await?;
            }
            return Ok(before);
        }
    };
    if let Some(waiting) = waits {
        seats::wait(tx, after.id, waiting).await?;
    }
    if user_follows && after.parked != Some(Parked::Shadow) {
        let Profile { email, display_name, .. } = &after.profile;
        users::update(tx, after.user_id, email.as_ref(), display_name.as_deref()).await?;
    }
    Ok(after)
}

/// Tells of every group that loses a member which goes for good.
pub async fn leave_groups(tx: &mut TenantTx, connection: ConnectionId, member: Uuid, by: Rule) -> Result<(), Error> {
    let data = json!({ "added": 0, "removed": 1, "rule": by.as_str() });
    let lost = |group| Event::with(EventKind::GroupMembersChanged, Subject::Group(group), data.clone());
    let events: Vec<Event> = groups::lose_member(tx, member).await?.into_iter().map(lost).collect();
    Ok(events::append(tx, Some(connection), &events).await?)
}

async fn append(tx: &mut TenantTx, account: &Account, planned: Vec<PlannedEvent>) -> Result<(), Error> {
    let events = told(account.id, account.user_id, planned);
    Ok(events::append(tx, Some(account.connection_id), &events).await?)
}

/// Facts about the user, saying by which account.
pub(crate) fn told(account: AccountId, user: UserId, planned: Vec<PlannedEvent>) -> Vec<Event> {
    let event = |event: PlannedEvent| {
        let (kind, mut data) = ruled(&event);
        if let Some(data) = Value::as_object_mut(&mut data) {
            data.insert("account_id".to_owned(), json!(account));
        }
        Event::with(kind, Subject::User(user), data)
    };
    planned.into_iter().map(event).collect()
}

/// A planned event with the rule that caused it.
pub(crate) fn ruled(event: &PlannedEvent) -> (EventKind, Value) {
    let mut data = event.data.clone();
    if let Some(data) = Value::as_object_mut(&mut data) {
        data.insert("rule".to_owned(), json!(event.rule.as_str()));
    }
    (event.kind, data)
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
