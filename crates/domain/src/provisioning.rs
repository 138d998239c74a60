//! What becomes of users and accounts when an identity provider wants something: pure plans, carried out elsewhere.
//! SCIM, SAML and the vendor's API all end here, so a rule stands in one place.

use crate::{
    account::{Account, Profile, RoleBasis},
    email::Email,
    event::EventKind,
    linking::{self, Holder, Linking, Ownership},
    names::{UserName, fold},
    refusal::Refusal,
    role::{Assignment, Claims, RoleCatalogue, RolePolicy, RoleReason},
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
}

/// What the rules must know beside the account.
#[derive(Debug)]
pub struct Facts<'a> {
    pub roles: Roles<'a>,
    pub linking: Linking,
    /// Who has the wanted address, when the tenant owns its domain.
    pub holder: Option<Holder>,
}

/// What decides about roles.
#[derive(Debug, Clone, Copy)]
pub struct Roles<'a> {
    pub catalogue: &'a RoleCatalogue,
    pub policy: &'a RolePolicy,
    /// The place of the first rule that is for one of the account's groups.
    pub rule: Option<usize>,
}

/// A new account, and whose it is.
#[derive(Debug, PartialEq)]
pub struct CreatePlan {
    pub owner: Ownership,
    pub profile: Profile,
    pub events: Vec<PlannedEvent>,
}

/// Everything that changes about an account; nothing else does.
#[derive(Debug, PartialEq)]
pub struct ChangePlan {
    pub account: AccountEffect,
    /// Set when the user's shown name and address follow the account.
    pub user_follows: bool,
    /// Set when every live session and token of the account ends in the same transaction.
    pub ends_sessions: Option<EndReason>,
    pub events: Vec<PlannedEvent>,
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

/// A fact about the user, with ids, codes and counts only.
#[derive(Debug, PartialEq)]
pub struct PlannedEvent {
    pub kind: EventKind,
    pub data: Value,
}

/// A new account: for a new user, or for one that the tenant already has.
///
/// # Errors
/// [`Refusal::AddressTaken`], as the tenant wants it.
pub fn create(wanted: Wanted, facts: &Facts<'_>) -> Result<CreatePlan, Refusal> {
    let address = wanted.email.as_ref().map_or("", Email::as_str);
    let owner = linking::owner(facts.linking, facts.holder, address)?;
    let (profile, unknown_role) = profile(wanted, None, facts.roles);
    let data = json!({ "role": profile.role, "active": profile.active });
    let mut events = match owner {
        Ownership::New => vec![event(EventKind::UserCreated, data)],
        Ownership::Existing(_) => vec![event(EventKind::UserLinked, data)],
        Ownership::Asked(user) => {
            let asked = json!({ "why": "link", "user_id": user });
            vec![event(EventKind::UserCreated, data), event(EventKind::UserParked, asked)]
        }
    };
    events.extend(unknown_role);
    Ok(CreatePlan { owner, profile, events })
}

/// A changed account; without a difference nothing happens, so a repeated request leaves no trace.
pub fn update(before: &Account, wanted: Wanted, roles: Roles<'_>) -> ChangePlan {
    let (after, unknown_role) = profile(wanted, Some(&before.profile), roles);
    let was = &before.profile;
    let is_like_before = || Profile { role_basis: was.role_basis.clone(), ..after.clone() } == *was;
    if was.role_basis.is_like(&after.role_basis) && is_like_before() {
        return ChangePlan {
            account: AccountEffect::Keep,
            user_follows: false,
            ends_sessions: None,
            events: Vec::new(),
        };
    }
    let mut events = Vec::new();
    match (was.active, after.active) {
        (true, false) => events.push(event(EventKind::UserDeactivated, json!({}))),
        (false, true) => events.push(event(EventKind::UserReactivated, json!({ "role": after.role }))),
        _ => {}
    }
    let is_reason_new = !was.role_basis.is_like(&after.role_basis);
    if was.role != after.role {
        events.push(role_changed(&was.role, &after.role, &after.role_basis.reason));
    }
    if is_reason_new || was.role != after.role {
        events.extend(unknown_role);
    }
    if events.is_empty() {
        events.push(event(EventKind::UserUpdated, json!({})));
    }
    ChangePlan {
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
        events.push(event(EventKind::UserUpdated, json!({})));
    }
    Ok(ChangePlan { account: AccountEffect::Update(profile), events, ..plan })
}

pub(crate) fn kept(role: &str, reason: &RoleReason) -> PlannedEvent {
    let data =
        json!({ "code": "GH-ROL-002", "problem": "last administrator", "kept": role, "detail": reason.detail() });
    event(EventKind::ProvisioningFailed, data)
}

/// An account that goes for good (SCIM DELETE).
pub fn delete() -> ChangePlan {
    ChangePlan {
        account: AccountEffect::Delete,
        user_follows: false,
        ends_sessions: Some(EndReason::Deleted),
        events: vec![event(EventKind::UserDeleted, json!({}))],
    }
}

/// A sign-in that ties the account to the NameID it came with.
pub fn bind(before: &Account, name_id: &str) -> ChangePlan {
    let profile = Profile { name_id: Some(name_id.to_owned()), ..before.profile.clone() };
    ChangePlan {
        account: AccountEffect::Update(profile),
        user_follows: false,
        ends_sessions: None,
        events: vec![event(EventKind::UserLinked, json!({ "rule": "first sign-in with this NameID" }))],
    }
}

/// A sign-in that names other roles than the last one; `None` when it names the same.
pub fn assert_roles(before: &Account, named: Vec<String>, roles: Roles<'_>) -> Option<ChangePlan> {
    let was = &before.profile;
    if was.role_basis.assertion == named {
        return None;
    }
    let basis = RoleBasis { assertion: named, ..was.role_basis.clone() };
    let after = roles.catalogue.assign(roles.policy, &basis.claims(roles.rule));
    let mut events = Vec::new();
    if after.role != was.role {
        events.push(role_changed(&was.role, &after.role, &after.reason));
    }
    if after.reason != was.role_basis.reason {
        events.extend(unknown_role(&after));
    }
    if events.is_empty() {
        events.push(event(EventKind::UserUpdated, json!({})));
    }
    let role_basis = RoleBasis { reason: after.reason, is_highest: roles.catalogue.is_highest(&after.role), ..basis };
    let profile = Profile { role: after.role, role_basis, ..was.clone() };
    Some(ChangePlan { account: AccountEffect::Update(profile), user_follows: false, ends_sessions: None, events })
}

fn profile(wanted: Wanted, before: Option<&Profile>, facts: Roles<'_>) -> (Profile, Option<PlannedEvent>) {
    let Wanted { user_name, external_id, email, display_name, active, roles, document } = wanted;
    let assertion = before.map(|was| was.role_basis.assertion.clone()).unwrap_or_default();
    let claims = Claims { attribute: roles, rule: facts.rule, assertion };
    let assignment = facts.catalogue.assign(facts.policy, &claims);
    let unknown_role = unknown_role(&assignment);
    let name_id = before.and_then(|was| kept_binding(was, &user_name, email.as_ref()));
    let Assignment { role, reason } = assignment;
    let is_highest = facts.catalogue.is_highest(&role);
    let role_basis = RoleBasis { reason, attribute: Some(claims.attribute), assertion: claims.assertion, is_highest };
    (Profile { user_name, external_id, email, display_name, active, role, role_basis, name_id, document }, unknown_role)
}

pub(crate) fn role_changed(from: &str, to: &str, reason: &RoleReason) -> PlannedEvent {
    event(
        EventKind::UserRoleChanged,
        json!({ "from": from, "to": to, "reason": reason.word(), "detail": reason.detail() }),
    )
}

pub(crate) fn unknown_role(assignment: &Assignment) -> Option<PlannedEvent> {
    let RoleReason::Unknown { source, sent } = &assignment.reason else { return None };
    let data = json!({
        "code": "GH-ROL-001", "problem": "unknown role", "source": source.as_str(), "sent": sent, "given": assignment.role
    });
    Some(event(EventKind::ProvisioningFailed, data))
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

fn event(kind: EventKind, data: Value) -> PlannedEvent {
    PlannedEvent { kind, data }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ids::{AccountId, ConnectionId, UserId};
    use time::OffsetDateTime;
    use uuid::Uuid;

    pub(crate) fn catalogue() -> RoleCatalogue {
        RoleCatalogue::new(["ADMINISTRATOR", "MANAGER", "ANALYST"].map(str::to_owned).to_vec()).unwrap()
    }

    fn update(before: &Account, wanted: Wanted) -> ChangePlan {
        let (catalogue, policy) = (catalogue(), RolePolicy::default());
        super::update(before, wanted, Roles { catalogue: &catalogue, policy: &policy, rule: None })
    }

    fn create(wanted: Wanted, holder: Option<Holder>) -> CreatePlan {
        let (catalogue, policy) = (catalogue(), RolePolicy::default());
        let roles = Roles { catalogue: &catalogue, policy: &policy, rule: None };
        super::create(wanted, &Facts { roles, linking: Linking::default(), holder }).unwrap()
    }

    fn wanted(name: &str) -> Wanted {
        Wanted {
            user_name: UserName::parse(name).unwrap(),
            external_id: Some("00u1".to_owned()),
            email: Email::parse("ann@acme.test").ok(),
            display_name: Some("Ann Lee".to_owned()),
            active: true,
            roles: vec!["MANAGER".to_owned()],
            document: json!({ "userName": name }),
        }
    }

    pub(crate) fn account(name: &str) -> Account {
        let plan = create(wanted(name), None);
        Account {
            id: AccountId(Uuid::from_u128(1)),
            user_id: UserId(Uuid::from_u128(2)),
            connection_id: ConnectionId(Uuid::from_u128(3)),
            profile: plan.profile,
            parked: None,
            version: 1,
            created_at: OffsetDateTime::UNIX_EPOCH,
            updated_at: OffsetDateTime::UNIX_EPOCH,
        }
    }

    fn kinds(events: &[PlannedEvent]) -> Vec<&'static str> {
        events.iter().map(|event| event.kind.as_str()).collect()
    }

    fn updated(before: &Account, change: impl FnOnce(&mut Wanted)) -> ChangePlan {
        let mut wanted = wanted(before.profile.user_name.as_str());
        change(&mut wanted);
        update(before, wanted)
    }

    #[test]
    fn a_new_account_makes_a_user_or_joins_the_one_with_the_verified_address() {
        let plan = create(wanted("ann"), None);
        assert_eq!((plan.owner, kinds(&plan.events)), (Ownership::New, vec!["user.created"]));
        let ann = UserId(Uuid::from_u128(9));
        let plan = create(wanted("ann"), Some(Holder::One(ann)));
        assert_eq!((plan.owner, kinds(&plan.events)), (Ownership::Existing(ann), vec!["user.linked"]));
    }

    #[test]
    fn deactivation_keeps_everything_but_access_and_reactivation_restores_it() {
        let ann = account("ann");
        let out = updated(&ann, |w| w.active = false);
        assert_eq!((out.ends_sessions, kinds(&out.events)), (Some(EndReason::Deactivated), vec!["user.deactivated"]));
        let AccountEffect::Update(profile) = out.account else { panic!("updated") };
        assert!(!out.user_follows);
        assert_eq!(profile, Profile { active: false, ..ann.profile.clone() });
        let back = updated(&Account { profile, ..ann.clone() }, |_| {});
        assert_eq!((back.ends_sessions, kinds(&back.events)), (None, vec!["user.reactivated"]));
        assert_eq!(back.account, AccountEffect::Update(ann.profile));
    }

    #[test]
    fn the_same_request_twice_leaves_no_trace() {
        let ann = account("ann");
        let plan = updated(&ann, |_| {});
        assert_eq!((plan.account, plan.events), (AccountEffect::Keep, vec![]));
    }

    #[test]
    fn a_role_change_is_told_and_an_unknown_role_falls_to_the_lowest() {
        let ann = account("ann");
        assert_eq!(kinds(&updated(&ann, |w| w.roles = vec!["ADMINISTRATOR".into()]).events), ["user.role_changed"]);
        let unknown = updated(&ann, |w| w.roles = vec!["ROOT".into()]);
        assert_eq!(kinds(&unknown.events), ["user.role_changed", "provisioning.failed"]);
        let AccountEffect::Update(profile) = unknown.account else { panic!("updated") };
        assert_eq!((profile.role.as_str(), profile.role_basis.reason.word()), ("ANALYST", "unknown"));
    }

    fn administrator(name: &str) -> Account {
        let mut ann = account(name);
        ann.profile.role = "ADMINISTRATOR".to_owned();
        ann.profile.role_basis.reason = RoleReason::Attribute("ADMINISTRATOR".to_owned());
        ann.profile.role_basis.attribute = Some(vec!["ADMINISTRATOR".to_owned()]);
        ann.profile.role_basis.is_highest = true;
        ann
    }

    #[test]
    fn the_last_administrator_stays_one_and_stays_in() {
        let ann = administrator("ann");
        let demoted = updated(&ann, |_| {});
        assert!(loses_administrator(&ann, &demoted, &catalogue()));
        let kept = keep_administrator(&ann, demoted).unwrap();
        assert_eq!(kinds(&kept.events), ["provisioning.failed"]);
        let AccountEffect::Update(profile) = kept.account else { panic!("updated") };
        let reason = RoleReason::LastAdministrator { instead: "MANAGER".to_owned() };
        assert_eq!((profile.role.as_str(), &profile.role_basis.reason), ("ADMINISTRATOR", &reason));
        let ann = Account { profile, ..ann };
        let again = keep_administrator(&ann, updated(&ann, |_| {})).unwrap();
        assert_eq!((again.account, again.events), (AccountEffect::Keep, vec![]), "told once");
        for plan in [updated(&ann, |w| w.active = false), delete()] {
            assert!(loses_administrator(&ann, &plan, &catalogue()));
            assert_eq!(keep_administrator(&ann, plan), Err(Refusal::LastAdministrator));
        }
        let stays = updated(&ann, |w| w.roles = vec!["ADMINISTRATOR".into()]);
        assert!(!loses_administrator(&ann, &stays, &catalogue()));
        let mut out = ann.clone();
        out.profile.active = false;
        assert!(!loses_administrator(&out, &delete(), &catalogue()), "who is out administers nothing");
    }

    #[test]
    fn a_binding_goes_when_its_address_is_taken_from_the_account() {
        let table = [
            ("ann@acme.test", "ann2@acme.test", "ann2@acme.test", None),
            ("ann@acme.test", "ann2@acme.test", "ann@acme.test", Some("ann@acme.test")),
            ("Ann@Acme.test", "ann@acme.test", "ann@acme.test", Some("Ann@Acme.test")),
            ("00u-persistent", "ann2@acme.test", "ann2@acme.test", Some("00u-persistent")),
        ];
        for (bound, user_name, email, kept) in table {
            let mut ann = account("ann@acme.test");
            ann.profile.name_id = Some(bound.to_owned());
            let plan = updated(&ann, |w| {
                w.user_name = UserName::parse(user_name).unwrap();
                w.email = Email::parse(email).ok();
            });
            let binding = match plan.account {
                AccountEffect::Update(profile) => profile.name_id,
                _ => ann.profile.name_id,
            };
            assert_eq!(binding.as_deref(), kept, "{bound} {user_name} {email}");
        }
    }

    #[test]
    fn deletion_ends_access_and_takes_the_user_with_the_last_account() {
        let plan = delete();
        assert_eq!((plan.account, plan.ends_sessions), (AccountEffect::Delete, Some(EndReason::Deleted)));
        assert_eq!(kinds(&plan.events), ["user.deleted"]);
    }
}
