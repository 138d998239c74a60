//! Carries out what decides about roles: for accounts whose groups changed, and for all of a connection when its policy did.

use crate::{
    error::Error,
    oauth::settings as application,
    provisioning::ruled,
    saml::settings::{Jit, Settings},
    shadow,
};
use ::scim::user::UserDocument;
use anyhow::Context;
use domain::{
    account::Account,
    event::EventKind,
    ids::{ConnectionId, TenantId},
    profile_policy::ProfilePolicy,
    provisioning::{self as rules, ChangePlan},
    reassignment::{self, Reassigning, Reassignment, Standing},
    role::{RoleCatalogue, RolePolicy},
};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;
use store::{
    applications,
    connections::{self, Terms},
    events::{self, Common},
    roles,
    scope::{Actor, Scope},
    store::Store,
    tenant::TenantTx,
    tenants::{self, Wishes},
};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// Accounts that are looked at in one piece when a policy changes, or would.
pub const PAGE: i64 = 10_000;

/// After so long nobody works by an older policy any more: longer than any request takes.
const SETTLED_AFTER: Duration = Duration::seconds(90);

/// What decides about a connection's accounts.
#[derive(Debug)]
pub struct InForce {
    pub catalogue: RoleCatalogue,
    pub policy: RolePolicy,
    /// What is demanded of profiles.
    pub profiles: ProfilePolicy,
    /// Since when SCIM keeps the accounts.
    pub scim_since: Option<OffsetDateTime>,
    /// Who may come by signing in.
    pub jit: Jit,
    /// For how many days whom SCIM brings is invited by mail; nothing where nobody is.
    pub invites_for: Option<i32>,
    /// What else the tenant wants.
    pub tenant: Wishes,
    /// Whether the directory is only filled, and nothing takes effect.
    pub in_shadow: bool,
}

impl InForce {
    /// As stored.
    ///
    /// # Errors
    /// [`Error::NotFound`] without such a connection.
    pub async fn of(tx: &mut TenantTx, connection: ConnectionId) -> Result<Self, Error> {
        let live = Self::when_live(tx, connection).await?;
        if !live.in_shadow {
            return Ok(live);
        }
        // Nobody is anybody there: none is invited, missed, or the last one.
        let tenant = Wishes { keeps_administrator: false, mass_change_percent: 0, ..live.tenant };
        Ok(Self { invites_for: None, tenant, ..live })
    }

    /// The same as it will be when the connection is not in shadow any more.
    pub async fn when_live(tx: &mut TenantTx, connection: ConnectionId) -> Result<Self, Error> {
        let (catalogue, settings) = applications::terms(tx, connection).await?.ok_or(Error::NotFound)?;
        let settings = application::Settings::deserialize(settings).context("an application's settings read")?;
        let policy = roles::policy(tx, connection, &catalogue).await?;
        let tenant = tenants::wishes(tx).await?.ok_or(Error::NotFound)?;
        let Terms { profile_policy, sign_in_settings, scim_since, in_shadow } =
            connections::terms(tx, connection).await?;
        let profiles = ProfilePolicy::deserialize(profile_policy).context("stored demands of profiles read")?;
        let policy = RolePolicy { heeds_asserted_groups: scim_since.is_none(), ..policy };
        Ok(Self {
            catalogue,
            policy,
            profiles,
            scim_since,
            jit: Settings::read(&sign_in_settings)?.jit,
            invites_for: settings.mailed_for(),
            tenant,
            in_shadow,
        })
    }

    /// What sign-ins may do with accounts. Once SCIM keeps them it is nothing.
    pub fn jit(&self) -> Jit {
        if self.scim_since.is_some() { Jit::Off } else { self.jit }
    }

    /// Whether groups have a say.
    pub fn heeds_groups(&self) -> bool {
        !self.policy.rules.is_empty()
    }
}

/// Whether who is in which group may change while roles are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Groups {
    Free,
    /// [`roles::lock_groups`] is held.
    Kept,
}

/// Gives these accounts the roles that they have by what is stored now; answers for how many something changed. As many
/// statements for all as for one.
pub async fn settle(
    tx: &mut TenantTx,
    connection: ConnectionId,
    in_force: &InForce,
    accounts: &[Uuid],
    groups: Groups,
) -> Result<usize, Error> {
    if accounts.is_empty() {
        return Ok(0);
    }
    if groups == Groups::Free {
        roles::lock(tx, connection, accounts).await?;
    }
    let mut looking = Reassigning::new(&in_force.catalogue, &in_force.policy);
    let look = |standing, document| looking.look(whole(standing, document));
    roles::locked_standings(tx, connection, accounts, &in_force.policy.rules, look).await?;
    let mut changes = looking.done();
    keep_one(tx, connection, in_force, &mut changes, &mut Beside::default()).await?;
    roles::reassign(tx, connection, &in_force.catalogue, &changes).await?;
    tell(tx, connection, &changes).await?;
    Ok(changes.len())
}

/// Tells each account's events; what many have in common is kept once.
async fn tell(tx: &mut TenantTx, connection: ConnectionId, changes: &[Reassignment]) -> Result<(), Error> {
    let mut common: HashMap<usize, Vec<(EventKind, Value)>> = HashMap::new();
    for one in changes {
        let (number, change) = (one.change_number(), &one.change);
        common.entry(number).or_insert_with(|| change.events.iter().map(ruled).collect());
    }
    let of = |one: &Reassignment| (common[&one.change_number()].iter(), one.account, one.user);
    let facts = changes.iter().map(of).flat_map(|(events, account, user)| {
        events.map(move |(kind, data)| Common { kind: kind.as_str(), data, account, user })
    });
    Ok(events::append_common(tx, connection, &facts.collect::<Vec<_>>()).await?)
}

/// The claims with those of the document, where an older version did not keep them.
fn whole(mut standing: Standing, document: Option<Value>) -> Standing {
    if let Some(document) = document {
        standing.claims.attribute = UserDocument::from_stored(document).roles();
    }
    standing
}

/// The plan for one account, as the tenant's wish to keep an administrator allows it.
///
/// # Errors
/// [`domain::refusal::Refusal::LastAdministrator`]
pub async fn guarded(
    tx: &mut TenantTx,
    in_force: &InForce,
    before: &Account,
    plan: ChangePlan,
) -> Result<ChangePlan, Error> {
    if !in_force.tenant.keeps_administrator || !rules::loses_administrator(before, &plan, &in_force.catalogue) {
        return Ok(plan);
    }
    roles::lock_administrators(tx).await?;
    if roles::has_administrator_beside(tx, before.connection_id, &[before.id.0]).await? {
        return Ok(plan);
    }
    Ok(rules::keep_administrator(before, plan)?)
}

/// The same for a set.
async fn keep_one(
    tx: &mut TenantTx,
    connection: ConnectionId,
    in_force: &InForce,
    changes: &mut Vec<Reassignment>,
    beside: &mut Beside,
) -> Result<(), Error> {
    let catalogue = &in_force.catalogue;
    let lost = changes.iter().filter(|change| change.loses_administrator(catalogue)).count();
    beside.is_won |= changes.iter().any(|one| one.active && catalogue.is_highest(&one.change.after.role));
    if !in_force.tenant.keeps_administrator || lost == 0 {
        return Ok(());
    }
    roles::lock_administrators(tx).await?;
    let gone = changes.iter().filter(|change| change.loses_administrator(catalogue));
    beside.gone.extend(gone.map(|change| change.account.0));
    if !beside.is_won && !roles::has_administrator_beside(tx, connection, &beside.gone).await? {
        reassignment::keep_one(changes, catalogue);
        beside.is_won = true;
    }
    Ok(())
}

/// What became of administrators in pieces before this one, where none of it is stored.
#[derive(Debug, Default)]
pub struct Beside {
    gone: Vec<Uuid>,
    is_won: bool,
}

/// What a policy would change, the tenant's wish to keep an administrator heeded.
pub async fn foreseen(
    tx: &mut TenantTx,
    connection: ConnectionId,
    in_force: &InForce,
    accounts: &[Uuid],
    beside: &mut Beside,
) -> Result<Vec<Reassignment>, Error> {
    let mut looking = Reassigning::new(&in_force.catalogue, &in_force.policy);
    let look = |standing, document| looking.look(whole(standing, document));
    roles::standings(tx, connection, accounts, &in_force.policy.rules, look).await?;
    let mut changes = looking.done();
    keep_one(tx, connection, in_force, &mut changes, beside).await?;
    Ok(changes)
}

/// Looks at all accounts of a connection whose policy changed; answers when that has to be done once more, because somebody
/// may still be at work by the old one.
///
/// # Errors
/// When the database cannot be used: the connection stays marked, and a gateway tries again.
pub async fn settle_all(
    store: &Store,
    (tenant, connection): (TenantId, ConnectionId),
    actor: Actor,
    now: OffsetDateTime,
) -> Result<(usize, Option<OffsetDateTime>), Error> {
    let scope = Scope { tenant, actor, now };
    let (mut changed, mut after, mut version) = (settle_kept(store, scope, connection).await?, Uuid::nil(), None);
    loop {
        let mut tx = store.tenant(scope).await?;
        let Some(mark) = roles::mark(&mut tx, connection).await? else { return Ok((changed, None)) };
        if version.replace(mark.version).is_some_and(|known| known != mark.version) {
            after = Uuid::nil();
        }
        let ids = roles::page(&mut tx, connection, after, PAGE).await?;
        let Some(last) = ids.last() else {
            let again = (mark.since + SETTLED_AFTER > now).then_some(mark.since + SETTLED_AFTER);
            if again.is_none() {
                roles::unmark(&mut tx, connection, mark).await?;
            }
            tx.commit().await?;
            return Ok((changed, again));
        };
        after = *last;
        // Before any account, as in a change of a group.
        roles::lock_groups(&mut tx, connection).await?;
        let in_force = InForce::of(&mut tx, connection).await?;
        shadow::enter(&mut tx, connection, &in_force).await?;
        changed += settle(&mut tx, connection, &in_force, &ids, Groups::Kept).await?;
        tx.commit().await?;
    }
}

/// Looks at those who kept their role because nobody else was an administrator: somebody may be by now.
async fn settle_kept(store: &Store, scope: Scope, connection: ConnectionId) -> Result<usize, Error> {
    let mut tx = store.tenant(scope).await?;
    let kept = roles::kept(&mut tx, connection).await?;
    let mut changed = 0;
    if !kept.is_empty() {
        let in_force = InForce::of(&mut tx, connection).await?;
        shadow::enter(&mut tx, connection, &in_force).await?;
        changed = settle(&mut tx, connection, &in_force, &kept, Groups::Free).await?;
    }
    tx.commit().await?;
    Ok(changed)
}
