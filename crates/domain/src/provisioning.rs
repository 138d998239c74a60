//! What becomes of users and accounts when an identity provider wants something: pure plans, carried out elsewhere.
//! SCIM, SAML and the vendor's API all end here, so a rule stands in one place.

use crate::{
    account::{Account, Profile, RoleBasis},
    email::Email,
    event::EventKind,
    linking::{self, Holder, Linking, Ownership},
    names::{UserName, fold},
    refusal::Refusal,
    role::{Asserted, Assignment, Claims, RoleCatalogue, RolePolicy, RoleReason},
    seats::{Seating, Seats},
    session::EndReason,
};
use serde_json::{Value, json};

/// An account as the identity provider wants it.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    pub user_name: UserName,
    pub external_id: Option<String>,
    pub email: Option<Email>,
    pub display_name: Option<String>,
    pub active: bool,
    /// The roles that it named.
    pub roles: Vec<String>,
    pub document: Value,
    /// What came with it, where somebody signed in.
    pub signed_in: Option<SignedIn>,
}

/// What a sign-in says beside the profile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignedIn {
    /// The NameID that the account is tied to from now on.
    pub name_id: Option<String>,
    pub asserted: Asserted,
}

/// What the rules must know beside the account.
#[derive(Debug)]
pub struct Facts<'a> {
    pub roles: Roles<'a>,
    pub linking: Linking,
    /// Who has the wanted address, when the tenant owns its domain.
    pub holder: Option<Holder>,
    /// Where the holder stands in the application already.
    pub seating: Option<Seating>,
}

/// What decides about roles.
#[derive(Debug, Clone, Copy)]
pub struct Roles<'a> {
    pub catalogue: &'a RoleCatalogue,
    pub policy: &'a RolePolicy,
    /// The place of the first rule that is for one of the account's groups.
    pub rule: Option<usize>,
    /// How the account waits for a seat from now on; for a new one that is found out.
    pub waits: Option<Waiting>,
}

/// A new account, and whose it is.
#[derive(Debug, PartialEq)]
pub struct CreatePlan {
    pub owner: Ownership,
    pub profile: Profile,
    /// Set when the account is in line for a seat.
    pub waits: Option<Waiting>,
    pub events: Vec<PlannedEvent>,
}

/// Everything that changes about an account; nothing else does.
#[derive(Debug, PartialEq)]
pub struct ChangePlan {
    pub account: AccountEffect,
    /// Set when the user's shown name and address follow the account.
    pub user_follows: bool,
    /// Set when the account comes to wait for a seat, or stops to: how it stands then.
    pub waits: Option<Option<Waiting>>,
    /// Set when every live session and token of the account ends in the same transaction.
    pub ends_sessions: Option<EndReason>,
    pub events: Vec<PlannedEvent>,
    /// What asked for the change.
    pub by: Rule,
}

/// How somebody waits for a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    Outside,
    /// With a lower role.
    Inside,
}

/// What happens to the account.
#[derive(Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "plans are made one at a time and carried out at once")]
pub enum AccountEffect {
    Keep,
    Update(Profile),
    /// Goes for good; its user goes with the last one.
    Delete,
}

/// A fact about the user, with ids, codes and counts only, and the rule that caused it.
#[derive(Debug, PartialEq)]
pub struct PlannedEvent {
    pub kind: EventKind,
    pub rule: Rule,
    pub data: Value,
}

/// What causes effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The identity provider wants it so.
    IdentityProvider,
    /// Somebody signed in, and the identity provider says this of them.
    SignIn,
    /// One user of the tenant has the address, in a domain that the tenant owns.
    Address,
    /// The first sign-in with a NameID ties it to the account.
    NameId,
    /// The connection's order of sources for roles.
    RoleSources,
    /// The tenant keeps its last administrator.
    LastAdministrator,
    /// All seats are taken.
    SeatsTaken,
    /// It is the account's turn for a seat.
    SeatFree,
    /// Somebody with a shell on the gateway wants it.
    Operator,
    /// The account has been out for longer than the tenant wants to keep such.
    Retention,
}

/// A new account: for a new user, or for one that the tenant already has; on one of `seats`, if they are counted.
///
/// # Errors
/// [`Refusal::AddressTaken`] and [`Refusal::SeatsTaken`], as the tenant wants it.
pub fn create(wanted: Wanted, facts: &Facts<'_>, seats: Option<&mut Seats>) -> Result<CreatePlan, Refusal> {
    let (address, by) = (wanted.email.as_ref().map_or("", Email::as_str), wanted.rule());
    let owner = linking::owner(facts.linking, facts.holder, address)?;
    let waits = match (owner, seats) {
        (Ownership::Asked(_), _) | (_, None) => None,
        _ if !wanted.active => None,
        (Ownership::Existing(_), Some(seats)) => seated(seats, facts.seating)?,
        (Ownership::New, Some(seats)) => seated(seats, None)?,
    };
    let roles = Roles { waits, ..facts.roles };
    let (profile, unknown_role) = profile(wanted, None, roles);
    let data = json!({ "role": profile.role, "active": profile.active });
    let mut events = match owner {
        Ownership::New => vec![event(EventKind::UserCreated, by, data)],
        Ownership::Existing(_) => vec![event(EventKind::UserLinked, Rule::Address, data)],
        Ownership::Asked(user) => {
            let asked = json!({ "why": "link", "user_id": user });
            let asked = event(EventKind::UserParked, Rule::Address, asked);
            vec![event(EventKind::UserCreated, by, data), asked]
        }
    };
    events.extend(waits.and_then(Waiting::told));
    events.extend(unknown_role);
    Ok(CreatePlan { owner, profile, waits, events })
}

/// Whether somebody who comes has to wait for a seat; `held` says where the same user stands already.
///
/// # Errors
/// [`Refusal::SeatsTaken`]
pub fn seated(seats: &mut Seats, held: Option<Seating>) -> Result<Option<Waiting>, Refusal> {
    let seating = match held {
        Some(seating) => seating,
        None => seats.take()?,
    };
    let waiting = if seats.keeps_out() { Waiting::Outside } else { Waiting::Inside };
    Ok((seating == Seating::Waits).then_some(waiting))
}

/// A changed account; without a difference nothing happens, so a repeated request leaves no trace.
pub fn update(before: &Account, wanted: Wanted, roles: Roles<'_>) -> ChangePlan {
    let by = wanted.rule();
    let (after, unknown_role) = profile(wanted, Some(&before.profile), roles);
    let was = &before.profile;
    let is_like_before = || Profile { role_basis: was.role_basis.clone(), ..after.clone() } == *was;
    if was.role_basis.is_like(&after.role_basis) && is_like_before() {
        return ChangePlan {
            account: AccountEffect::Keep,
            user_follows: false,
            waits: None,
            ends_sessions: None,
            events: Vec::new(),
            by,
        };
    }
    let mut events = Vec::new();
    match (was.active, after.active) {
        (true, false) => events.push(event(EventKind::UserDeactivated, by, json!({}))),
        (false, true) => events.push(event(EventKind::UserReactivated, by, json!({ "role": after.role }))),
        _ => {}
    }
    if by == Rule::SignIn && was.name_id != after.name_id {
        events.push(event(EventKind::UserLinked, Rule::NameId, json!({})));
    }
    let is_in_line = before.waits_since.is_some();
    events.extend(roles.waits.filter(|_| !is_in_line).and_then(Waiting::told));
    let is_reason_new = !was.role_basis.has_reason_of(&after.role_basis);
    if was.role != after.role {
        events.push(role_changed(&was.role, &after.role, &after.role_basis.reason));
    }
    if is_reason_new || was.role != after.role {
        events.extend(unknown_role);
    }
    if events.is_empty() || (by == Rule::SignIn && was.document != after.document) {
        events.push(event(EventKind::UserUpdated, by, json!({})));
    }
    ChangePlan {
        by,
        waits: (is_in_line != roles.waits.is_some()).then_some(roles.waits),
        ends_sessions: (was.active && !after.active).then_some(EndReason::Deactivated),
        user_follows: was.email != after.email || was.display_name != after.display_name,
        account: AccountEffect::Update(after),
        events,
    }
}

/// Whether somebody stops to be an active administrator by this plan.
pub fn loses_administrator(before: &Account, plan: &ChangePlan, catalogue: &RoleCatalogue) -> bool {
    let is_one = |profile: &Profile| profile.active && catalogue.is_highest(&profile.role);
    before.parked.is_none()
        && is_one(&before.profile)
        && match &plan.account {
            AccountEffect::Keep => false,
            AccountEffect::Update(after) => !is_one(after),
            AccountEffect::Delete => true,
        }
}

/// The plan for a last administrator where the tenant wants to keep one: who would only have another role keeps this one,
/// and that is told; nobody goes.
pub fn keep_administrator(before: &Account, plan: ChangePlan) -> Result<ChangePlan, Refusal> {
    let AccountEffect::Update(after) = plan.account else { return Err(Refusal::LastAdministrator) };
    if !after.active {
        return Err(Refusal::LastAdministrator);
    }
    let was = &before.profile;
    let reason = RoleReason::LastAdministrator { instead: after.role.clone() };
    let is_news = was.role_basis.reason != reason;
    let profile = Profile {
        role: was.role.clone(),
        role_basis: RoleBasis { reason, is_highest: true, ..after.role_basis.clone() },
        ..after
    };
    if profile == *was {
        return Ok(ChangePlan { account: AccountEffect::Keep, events: Vec::new(), ..plan });
    }
    let is_of_role = |event: &PlannedEvent| event.kind == EventKind::UserRoleChanged;
    let mut events: Vec<PlannedEvent> = plan.events.into_iter().filter(|event| !is_of_role(event)).collect();
    events.extend(is_news.then(|| kept(&profile.role, &profile.role_basis.reason)));
    if events.is_empty() {
        events.push(event(EventKind::UserUpdated, plan.by, json!({})));
    }
    Ok(ChangePlan { account: AccountEffect::Update(profile), events, ..plan })
}

pub(crate) fn kept(role: &str, reason: &RoleReason) -> PlannedEvent {
    let data =
        json!({ "code": "GH-ROL-002", "problem": "last administrator", "kept": role, "detail": reason.detail() });
    event(EventKind::ProvisioningFailed, Rule::LastAdministrator, data)
}

/// An account that goes for good, as by SCIM's DELETE.
pub fn delete(by: Rule) -> ChangePlan {
    ChangePlan {
        account: AccountEffect::Delete,
        user_follows: false,
        waits: None,
        ends_sessions: Some(EndReason::Deleted),
        events: vec![event(EventKind::UserDeleted, by, json!({}))],
        by,
    }
}

fn profile(wanted: Wanted, before: Option<&Profile>, facts: Roles<'_>) -> (Profile, Option<PlannedEvent>) {
    let Wanted { user_name, external_id, email, display_name, active, roles, document, signed_in } = wanted;
    let kept = before.and_then(|was| kept_binding(was, &user_name, email.as_ref()));
    let (name_id, assertion) = match signed_in {
        Some(SignedIn { name_id, asserted }) => (name_id.or(kept), asserted),
        None => (kept, before.map(|was| was.role_basis.assertion.clone()).unwrap_or_default()),
    };
    let claims = Claims { attribute: roles, rule: facts.rule, assertion, waits: facts.waits.is_some() };
    let assignment = facts.catalogue.assign(facts.policy, &claims);
    let unknown_role = unknown_role(&assignment);
    let Assignment { role, reason } = assignment;
    let is_highest = facts.catalogue.is_highest(&role);
    let role_basis = RoleBasis { reason, attribute: Some(claims.attribute), assertion: claims.assertion, is_highest };
    (Profile { user_name, external_id, email, display_name, active, role, role_basis, name_id, document }, unknown_role)
}

pub(crate) fn role_changed(from: &str, to: &str, reason: &RoleReason) -> PlannedEvent {
    event(
        EventKind::UserRoleChanged,
        Rule::RoleSources,
        json!({ "from": from, "to": to, "reason": reason.word(), "detail": reason.detail() }),
    )
}

pub(crate) fn unknown_role(assignment: &Assignment) -> Option<PlannedEvent> {
    let RoleReason::Unknown { source, sent } = &assignment.reason else { return None };
    let data = json!({
        "code": "GH-ROL-001", "problem": "unknown role", "source": source.as_str(), "sent": sent, "given": assignment.role
    });
    Some(event(EventKind::ProvisioningFailed, Rule::RoleSources, data))
}

/// A NameID that was the userName or the address goes when that changes: the identity provider renamed the person,
/// and whoever gets the old address next must not be refused, nor let in, for this account's sake.
fn kept_binding(was: &Profile, user_name: &UserName, email: Option<&Email>) -> Option<String> {
    let name_id = was.name_id.clone()?;
    let key = fold(&name_id);
    let was_user_name = was.user_name.key() == key;
    let was_email = was.email.as_ref().is_some_and(|email| email.key() == key);
    let still = user_name.key() == key || email.is_some_and(|email| email.key() == key);
    (still || !(was_user_name || was_email)).then_some(name_id)
}

fn event(kind: EventKind, rule: Rule, data: Value) -> PlannedEvent {
    PlannedEvent { kind, rule, data }
}

impl Wanted {
    /// The account as it is, with what a sign-in says; `roles` are those that SCIM sent.
    pub fn unchanged(profile: &Profile, roles: Vec<String>, signed_in: SignedIn) -> Self {
        let Profile { user_name, external_id, email, display_name, active, document, .. } = profile.clone();
        Self { user_name, external_id, email, display_name, active, roles, document, signed_in: Some(signed_in) }
    }

    fn rule(&self) -> Rule {
        if self.signed_in.is_some() { Rule::SignIn } else { Rule::IdentityProvider }
    }
}

impl Waiting {
    /// That somebody stays outside; who gets in with a lower role is told by the role.
    fn told(self) -> Option<PlannedEvent> {
        let parked = || event(EventKind::UserParked, Rule::SeatsTaken, json!({ "why": "seat" }));
        (self == Self::Outside).then(parked)
    }
}

impl Rule {
    /// The rule as events tell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IdentityProvider => "identity_provider",
            Self::SignIn => "sign_in",
            Self::Address => "address",
            Self::NameId => "name_id",
            Self::RoleSources => "role_sources",
            Self::LastAdministrator => "last_administrator",
            Self::SeatsTaken => "seats_taken",
            Self::SeatFree => "seat_free",
            Self::Operator => "operator",
            Self::Retention => "retention",
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
