//! How a connection is put into shadow, what going live would do, and how it goes live.

use super::operator;
use crate::{
    arrival::{self, Newcomer},
    error::Error,
    inviting,
    roles::InForce,
    setup::tenant_of,
};
use domain::{
    account::Account,
    event::{Event, EventKind, Subject},
    ids::{AccountId, ConnectionId, UserId},
    provisioning::{Waiting, Wanted},
    refusal::Refusal,
    role::RoleReason,
};
use serde_json::json;
use std::collections::HashMap;
use store::{
    accounts,
    arrivals::{NewAccount, Owner},
    domains, events, roles, seats, shadows,
    store::Store,
    tenant::TenantTx,
};
use time::OffsetDateTime;
use uuid::Uuid;

/// Accounts that go live by one statement.
const PAGE: i64 = 500;

/// Whose an account becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Becomes {
    /// A person whom the tenant did not have.
    New,
    /// This user's, who has the address.
    Linked(UserId),
    /// A new person's, until somebody says whether it is this one.
    Asked(UserId),
}

/// What becomes of an account when its connection goes live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub account: AccountId,
    pub user_name: String,
    pub active: bool,
    pub becomes: Becomes,
    /// How it waits for a seat.
    pub waits: Option<Waiting>,
    pub role: String,
    pub reason: RoleReason,
    /// Whether it has an address that the tenant has not proven to be its own, so that it is nobody's but a new person's.
    pub is_outside: bool,
}

/// What goes live, or would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub entries: Vec<Entry>,
    pub groups: u64,
    /// The seats that are taken afterwards, and the limit.
    pub seats: Option<(u32, u32)>,
    /// Users whom the application knows, and who have no account in any connection afterwards.
    pub known_alone: i64,
}

/// Puts a connection into shadow to which nobody has a token yet.
///
/// # Errors
/// [`Error::NotFound`], or [`Refusal::ChangeImpossible`]
pub async fn begin(store: &Store, now: OffsetDateTime, connection: ConnectionId) -> Result<(), Error> {
    let mut tx = operator(store, tenant_of(store, now, connection).await?, now).await?;
    if !shadows::begin(&mut tx, connection).await? {
        return Err(impossible("the connection has users or a SCIM token already; make another one with --shadow"));
    }
    Ok(tx.commit().await?)
}

/// Has a connection go live: everybody in its directory comes as if the identity provider pushed them now, and nobody is refused, because
/// it believes that they are in: who would be, waits. If it is not `meant`, all of it is undone, and was only looked at.
///
/// # Errors
/// [`Error::NotFound`], or [`Refusal::ChangeImpossible`] where it is live.
pub async fn go_live(
    store: &Store,
    now: OffsetDateTime,
    connection: ConnectionId,
    meant: bool,
) -> Result<Change, Error> {
    let mut tx = operator(store, tenant_of(store, now, connection).await?, now).await?;
    // Nobody creates accounts of the tenant meanwhile. Before the connection: whoever creates stands in line first.
    seats::close_all_lines(&mut tx).await?;
    tx.plan_anew().await?;
    if !shadows::hold(&mut tx, connection).await?.ok_or(Error::NotFound)? {
        return Err(impossible("the connection is live already"));
    }
    let in_force = InForce { in_shadow: false, ..InForce::when_live(&mut tx, connection).await? };
    let groups = shadows::tell_groups(&mut tx, connection).await?;
    let mut entries = Vec::new();
    loop {
        let after = entries.last().map_or(AccountId(Uuid::nil()), |entry: &Entry| entry.account);
        let page = accounts::page(&mut tx, connection, after, PAGE).await?;
        if page.is_empty() {
            break;
        }
        entries.extend(adopt(&mut tx, connection, &in_force, page).await?);
    }
    shadows::end(&mut tx, connection).await?;
    let event = Event::with(
        EventKind::ConnectionUpdated,
        Subject::Connection(connection),
        json!({ "changed": "shadow", "is_live": true }),
    );
    events::append(&mut tx, Some(connection), &[event]).await?;
    let held = seats::hold(&mut tx, connection).await?;
    let seats = held.map(|held| (held.seats.taken, held.seats.limit));
    let known_alone = shadows::count_known_alone(&mut tx).await?;
    match meant {
        true => tx.commit().await?,
        false => tx.rollback().await?,
    }
    Ok(Change { entries, groups, seats, known_alone })
}

/// One page of accounts.
async fn adopt(
    tx: &mut TenantTx,
    connection: ConnectionId,
    in_force: &InForce,
    page: Vec<(Account, String)>,
) -> Result<Vec<Entry>, Error> {
    let ids: Vec<Uuid> = page.iter().map(|(account, _)| account.id.0).collect();
    let mut by_groups = HashMap::new();
    if in_force.heeds_groups() {
        let note = |standing: domain::reassignment::Standing, _| {
            by_groups.insert(standing.account, standing.claims.rule);
        };
        roles::standings(tx, connection, &ids, &in_force.policy.rules, note).await?;
    }
    let newcomers = page.into_iter().map(|(account, _)| Newcomer {
        id: Some(account.id),
        rule: by_groups.get(&account.id).copied().flatten(),
        wanted: wanted(account),
        index: Vec::new(),
    });
    let owned = domains::list(tx).await?;
    let adopted = arrival::adopt(tx, connection, in_force, newcomers.collect()).await?;
    inviting::invite(tx, connection, in_force, &ids).await?;
    let entry = |new: &NewAccount| {
        let email = new.profile.email.as_ref();
        Entry {
            account: new.id,
            user_name: new.profile.user_name.to_string(),
            active: new.profile.active,
            becomes: match (new.asked, new.owner) {
                (Some(user), _) => Becomes::Asked(user),
                (None, Owner::Existing(user)) => Becomes::Linked(user),
                (None, Owner::New(_)) => Becomes::New,
            },
            waits: new.waits,
            role: new.profile.role.clone(),
            reason: new.profile.role_basis.reason.clone(),
            is_outside: !email.is_some_and(|email| owned.iter().any(|owned| owned.domain == email.domain())),
        }
    };
    Ok(adopted.iter().map(entry).collect())
}

/// The account as the identity provider wanted it last.
fn wanted(account: Account) -> Wanted {
    let profile = account.profile;
    Wanted {
        user_name: profile.user_name,
        external_id: profile.external_id,
        email: profile.email,
        display_name: profile.display_name,
        active: profile.active,
        roles: profile.role_basis.attribute.unwrap_or_default(),
        document: profile.document,
        signed_in: None,
    }
}

fn impossible(problem: &str) -> Error {
    Refusal::ChangeImpossible { problem: problem.to_owned() }.into()
}
