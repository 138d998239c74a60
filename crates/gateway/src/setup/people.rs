//! What an operator does with a tenant's users: known ones are brought in, two become one, one becomes two, and back.

use super::{operator, tell};
use crate::{error::Error, inviting, purge, revocation, roles::InForce, seats::All};
use domain::{
    account::Account,
    email::Email,
    event::{Event, EventKind, Subject},
    ids::{AccountId, TenantId, UserId},
    provisioning::{Rule, Waiting},
    refusal::Refusal,
    session::EndReason,
};
use serde_json::json;
use std::collections::HashMap;
use store::{
    accounts, events, seats,
    sessions::Which,
    store::Store,
    tenant::TenantTx,
    tenants::{self, Wishes},
    user_changes::{self, Change, Kind, Moved},
    users::{self, NewUser},
};
use time::OffsetDateTime;
use uuid::Uuid;

/// Sets what the tenant wants to hold for its users.
///
/// # Errors
/// When the database cannot be used.
pub async fn wish(
    store: &Store,
    now: OffsetDateTime,
    tenant: TenantId,
    change: impl FnOnce(&mut Wishes),
) -> Result<(), Error> {
    let mut tx = operator(store, tenant, now).await?;
    let mut wishes = tenants::wishes_for_update(&mut tx).await?.ok_or(Error::NotFound)?;
    change(&mut wishes);
    tenants::wish(&mut tx, &wishes).await?;
    let data = json!({
        "keeps_administrator": wishes.keeps_administrator,
        "linking": wishes.linking.as_str(),
        "plus_addresses": wishes.plus_addresses.as_str(),
        "mass_change_percent": wishes.mass_change_percent,
        "delete_after_days": wishes.delete_after_days,
    });
    tell(&mut tx, EventKind::TenantUpdated, Subject::Tenant(tenant), data).await?;
    Ok(tx.commit().await?)
}

/// A user whom the application knows already.
#[derive(Debug, Clone)]
pub struct Known {
    /// The id that tokens will carry; a new one where there is none.
    pub id: Option<UserId>,
    pub email: Email,
    pub display_name: Option<String>,
    /// How they sign in until now, in the vendor's word.
    pub method: Option<String>,
}

/// What became of users who were brought in.
#[derive(Debug, Default)]
pub struct Imported {
    pub new: usize,
    /// Those whose address is another user's, who stays: the id in the file, and that user.
    pub clashes: Vec<(UserId, UserId)>,
}

/// Brings in users, all or none. Those whose id, or whose address, is there already stay as they are, so that the same file may
/// come twice; they are known to the application from now on. Nobody creates accounts of the tenant meanwhile.
///
/// # Errors
/// [`Refusal::ChangeImpossible`] when an address stands there with two ids.
pub async fn import(store: &Store, now: OffsetDateTime, tenant: TenantId, known: &[Known]) -> Result<Imported, Error> {
    check(known)?;
    let mut tx = operator(store, tenant, now).await?;
    seats::close_all_lines(&mut tx).await?;
    let rows = known.iter().map(|known| NewUser {
        id: known.id.unwrap_or_else(|| UserId(tx.new_id())),
        email: &known.email,
        display_name: known.display_name.as_deref(),
        method: known.method.as_deref(),
        is_named: known.id.is_some(),
    });
    let rows: Vec<NewUser<'_>> = rows.collect();
    let clashes = users::clashes(&mut tx, &rows).await?;
    let new = users::import(&mut tx, &rows).await?;
    let told: Vec<Event> = new.iter().map(|id| Event::new(EventKind::UserImported, Subject::User(*id))).collect();
    events::append(&mut tx, None, &told).await?;
    tx.commit().await?;
    Ok(Imported { new: new.len(), clashes })
}

/// Nobody stands there as two people.
fn check(known: &[Known]) -> Result<(), Refusal> {
    let mut ids: HashMap<&str, Option<UserId>> = HashMap::new();
    for Known { id, email, .. } in known {
        if ids.insert(email.key(), *id).is_some_and(|other| other != *id) {
            let problem = format!("{email} stands there twice with different ids; leave the one that tokens carry");
            return Err(Refusal::ChangeImpossible { problem });
        }
    }
    Ok(())
}

/// Deletes a user all of whose accounts are out, with these.
///
/// # Errors
/// [`Error::NotFound`], or [`Refusal::ChangeImpossible`] while an account is active.
pub async fn delete(store: &Store, now: OffsetDateTime, tenant: TenantId, user: UserId) -> Result<(), Error> {
    let mut tx = operator(store, tenant, now).await?;
    users::row(&mut tx, user).await?.ok_or(Error::NotFound)?;
    for (account, _) in accounts::of_user(&mut tx, user).await? {
        let done = purge::delete(&mut tx, account.connection_id, account.id, Rule::Operator).await;
        done.map_err(|error| match error {
            Error::NotFound => {
                let problem =
                    "the user has an active account; have the person unassigned in the identity provider first";
                Refusal::ChangeImpossible { problem: problem.to_owned() }.into()
            }
            error => error,
        })?;
    }
    // Whom the application knew without any account.
    if users::row(&mut tx, user).await?.is_some() {
        users::forget(&mut tx, user).await?;
        if users::row(&mut tx, user).await?.is_some() {
            let problem = "an account of a removed connection is the user's, or one waits for somebody to say whether it is; it goes with the connection, or `gatehouse user erase` takes it";
            return Err(Refusal::ChangeImpossible { problem: problem.to_owned() }.into());
        }
        let data = json!({ "rule": Rule::Operator.as_str() });
        tell(&mut tx, EventKind::UserDeleted, Subject::User(user), data).await?;
    }
    Ok(tx.commit().await?)
}

/// Makes two users one: the accounts of the first are the second one's. Answers the change, which can be undone.
///
/// # Errors
/// [`Error::NotFound`], or [`Refusal::UsersOverlap`].
pub async fn merge(
    store: &Store,
    now: OffsetDateTime,
    tenant: TenantId,
    user: UserId,
    into: UserId,
) -> Result<Uuid, Error> {
    let mut tx = operator(store, tenant, now).await?;
    let held = All::of(&mut tx, &[user, into]).await?;
    let change = merged(&mut tx, user, into, None).await?;
    held.close(&mut tx).await?;
    tx.commit().await?;
    Ok(change)
}

/// Ties an account that has just proven itself to a user whom the application knows, as a merge that can be undone.
///
/// # Errors
/// [`Refusal::LinkImpossible`] where the account is somebody's already whom the application knows, or that user has another account there.
pub async fn link(tx: &mut TenantTx, account: Account, user: UserId) -> Result<Account, Error> {
    let own = account.user_id;
    if own == user {
        return Ok(account);
    }
    let held = All::of(tx, &[own, user]).await?;
    if users::is_imported(tx, own).await? || user_changes::accounts_of(tx, own).await?.len() > 1 {
        return Err(Refusal::LinkImpossible.into());
    }
    merged(tx, own, user, None).await.map_err(|error| match error {
        Error::Refusal(Refusal::UsersOverlap | Refusal::ChangeImpossible { .. }) => Refusal::LinkImpossible.into(),
        error => error,
    })?;
    held.close(tx).await?;
    accounts::by_id(tx, account.id).await?.ok_or(Error::NotFound)
}

/// Where that is the answer to a question, it is the one whose `answered` is.
async fn merged(tx: &mut TenantTx, user: UserId, into: UserId, answered: Option<AccountId>) -> Result<Uuid, Error> {
    if user == into {
        return Err(Refusal::ChangeImpossible { problem: "a user cannot go into itself".to_owned() }.into());
    }
    let removed = both(tx, user, into).await?;
    let answers = answered.is_some();
    if !answers && user_changes::is_asked_about(tx, user).await? {
        let problem =
            "an account waits for an answer whether it is the first user's, or the first user's account whose it is; \
                       `gatehouse user confirm` gives it"
                .to_owned();
        return Err(Refusal::ChangeImpossible { problem }.into());
    }
    if user_changes::overlap(tx, user, into).await? {
        return Err(Refusal::UsersOverlap.into());
    }
    let accounts = user_changes::accounts_of(tx, user).await?;
    moved(tx, &accounts, into).await?;
    users::remove(tx, user).await?;
    let accounts = ids(&accounts);
    let change = Change { kind: Kind::Merge, user, into, accounts, removed: Some(removed), answers, answered };
    let id = user_changes::insert(tx, &change).await?;
    tell(tx, EventKind::UserMerged, Subject::User(into), told(&change, id)).await?;
    Ok(id)
}

/// Gives an account a user of its own. Answers the change, which can be undone.
///
/// # Errors
/// [`Error::NotFound`], or [`Refusal::ChangeImpossible`] when it has one.
pub async fn split(store: &Store, now: OffsetDateTime, tenant: TenantId, account: AccountId) -> Result<Uuid, Error> {
    let mut tx = operator(store, tenant, now).await?;
    let Some(found) = user_changes::account(&mut tx, account).await? else { return Err(Error::NotFound) };
    let new = UserId(tx.new_id());
    let held = All::of(&mut tx, &[found.user, new]).await?;
    if user_changes::account(&mut tx, account).await?.map(|account| account.user) != Some(found.user) {
        return Err(Error::NotFound);
    }
    users::lock(&mut tx, found.user).await?;
    let owned = user_changes::accounts_of(&mut tx, found.user).await?;
    if owned.len() < 2 && !users::is_imported(&mut tx, found.user).await? {
        let problem = "the account is the only one of its user".to_owned();
        return Err(Refusal::ChangeImpossible { problem }.into());
    }
    users::copy_of_account(&mut tx, new, account).await?;
    moved(&mut tx, std::slice::from_ref(&found), new).await?;
    let change = Change {
        kind: Kind::Split,
        user: new,
        into: found.user,
        accounts: vec![account],
        removed: None,
        answers: false,
        answered: None,
    };
    let id = user_changes::insert(&mut tx, &change).await?;
    tell(&mut tx, EventKind::UserSplit, Subject::User(new), told(&change, id)).await?;
    held.close(&mut tx).await?;
    tx.commit().await?;
    Ok(id)
}

/// Undoes a merge or a split, as far as the accounts are still where it put them.
///
/// # Errors
/// [`Error::NotFound`], or [`Refusal::ChangeImpossible`].
pub async fn undo(store: &Store, now: OffsetDateTime, tenant: TenantId, change: Uuid) -> Result<(), Error> {
    let mut tx = operator(store, tenant, now).await?;
    let Some(done) = user_changes::take_back(&mut tx, change).await? else { return Err(Error::NotFound) };
    let (from, to) = match done.kind {
        Kind::Merge => (done.into, done.user),
        Kind::Split => (done.user, done.into),
    };
    let held = All::of(&mut tx, &[from, to]).await?;
    let is_there = users::row(&mut tx, to).await?.is_some();
    match &done.removed {
        Some(_) if is_there => return Err(gone_on("there is a user with that id again")),
        Some(removed) => users::put_back(&mut tx, to, removed).await?,
        None if !is_there => return Err(gone_on("the user whom the account left is gone")),
        None => {}
    }
    lock_both(&mut tx, from, to).await?;
    let there = user_changes::accounts_of(&mut tx, from).await?;
    let back: Vec<Moved> = there.into_iter().filter(|account| done.accounts.contains(&account.id)).collect();
    if back.is_empty() && !done.accounts.is_empty() {
        return Err(gone_on("the accounts are not where the change put them any more"));
    }
    if user_changes::would_overlap(&mut tx, &ids(&back), to).await? {
        return Err(Refusal::UsersOverlap.into());
    }
    moved(&mut tx, &back, to).await?;
    let asked = |account: &&Moved| done.answers && done.answered.is_none_or(|answered| answered == account.id);
    for account in back.iter().filter(asked) {
        user_changes::ask_again(&mut tx, account.id, from).await?;
    }
    // Whoever was split off goes, and who has lost all accounts meanwhile.
    users::delete_if_alone(&mut tx, from).await?;
    let kind = match done.kind {
        Kind::Merge => EventKind::UserSplit,
        Kind::Split => EventKind::UserMerged,
    };
    tell(&mut tx, kind, Subject::User(to), told(&Change { accounts: ids(&back), ..done }, change)).await?;
    held.close(&mut tx).await?;
    Ok(tx.commit().await?)
}

fn gone_on(why: &str) -> Error {
    let problem = format!("{why}, so this change cannot be undone; `gatehouse user show` tells how it is now");
    Refusal::ChangeImpossible { problem }.into()
}

/// A change as its events tell it.
fn told(change: &Change, id: Uuid) -> serde_json::Value {
    json!({ "change_id": id, "user_id": change.user, "into_user_id": change.into, "account_ids": change.accounts })
}

/// Answers for a parked account whether it is the user's whose address it has. Answers the change, where one was made.
///
/// # Errors
/// [`Error::NotFound`] when it does not wait, or [`Refusal::UsersOverlap`].
pub async fn confirm(
    store: &Store,
    now: OffsetDateTime,
    tenant: TenantId,
    account: AccountId,
    is_that_user: bool,
) -> Result<Option<Uuid>, Error> {
    let mut tx = operator(store, tenant, now).await?;
    let Some((own, asked)) = user_changes::asked(&mut tx, account).await? else { return Err(Error::NotFound) };
    let held = All::of(&mut tx, &[own, asked]).await?;
    if user_changes::unpark(&mut tx, account).await? != Some((own, asked)) {
        return Err(Error::NotFound);
    }
    let change = match is_that_user {
        true => Some(merged(&mut tx, own, asked, Some(account)).await?),
        false => {
            // They may have stayed for the question's sake.
            users::lock(&mut tx, asked).await?;
            users::delete_if_alone(&mut tx, asked).await?;
            None
        }
    };
    let waiting = held.seat(&mut tx, account).await?;
    held.close(&mut tx).await?;
    if let Some(account) = accounts::by_id(&mut tx, account).await? {
        let in_force = InForce::of(&mut tx, account.connection_id).await?;
        inviting::invite(&mut tx, account.connection_id, &in_force, &[account.id.0]).await?;
    }
    let user = if is_that_user { asked } else { own };
    let (kind, why) = match waiting {
        Some(Waiting::Outside) => (EventKind::UserParked, "seat"),
        _ => (EventKind::UserUnparked, "link"),
    };
    let data = json!({ "account_id": account, "linked": is_that_user, "why": why });
    tell(&mut tx, kind, Subject::User(user), data).await?;
    tx.commit().await?;
    Ok(change)
}

/// Both users, kept from others in the order of their ids; answers the first one's row.
async fn both(tx: &mut TenantTx, user: UserId, into: UserId) -> Result<serde_json::Value, Error> {
    lock_both(tx, user, into).await?;
    users::row(tx, into).await?.ok_or(Error::NotFound)?;
    users::row(tx, user).await?.ok_or(Error::NotFound)
}

async fn lock_both(tx: &mut TenantTx, one: UserId, other: UserId) -> Result<(), Error> {
    users::lock(tx, one.min(other)).await?;
    Ok(users::lock(tx, one.max(other)).await?)
}

/// Gives accounts to another user. Whoever is signed in as the one before is out: tokens name the user.
async fn moved(tx: &mut TenantTx, accounts: &[Moved], to: UserId) -> Result<(), Error> {
    for account in accounts {
        revocation::end(tx, Which::Account(account.id), EndReason::OtherUser, None).await?;
        user_changes::give(tx, account.id, to).await?;
    }
    Ok(())
}

fn ids(accounts: &[Moved]) -> Vec<AccountId> {
    accounts.iter().map(|account| account.id).collect()
}
