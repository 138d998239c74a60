//! What becomes of users and accounts when an identity provider wants something: pure plans, carried out elsewhere.
//! SCIM, SAML and the vendor's API all end here, so a rule stands in one place.

use crate::{
    account::{Account, Profile},
    email::Email,
    event::EventKind,
    ids::{AccountId, UserId},
    names::{UserName, fold},
    role::{RoleCatalogue, RoleReason},
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
    /// The role it named, if any.
    pub role: Option<String>,
    pub document: Value,
}

/// What the rules must know beside the account.
#[derive(Debug)]
pub struct Facts<'a> {
    pub catalogue: &'a RoleCatalogue,
    /// The tenant's user with the wanted address, when the tenant owns the address' domain
    /// and the user has no account in this connection yet.
    pub linkable: Option<UserId>,
}

/// Everything that changes; nothing else does.
#[derive(Debug, PartialEq)]
pub struct Plan {
    pub user: UserEffect,
    pub account: AccountEffect,
    /// Set when every live session and token of the account ends in the same transaction.
    pub ends_sessions: Option<EndReason>,
    pub events: Vec<PlannedEvent>,
}

/// What happens to the person.
#[derive(Debug, PartialEq)]
pub enum UserEffect {
    Create,
    /// The account joins a user the tenant already has.
    Link(UserId),
    /// The user's shown name and address follow the account.
    Follow(UserId),
    Keep(UserId),
    /// Goes if this was the last account.
    RemoveIfAlone(UserId),
}

/// What happens to the account.
#[derive(Debug, PartialEq)]
pub enum AccountEffect {
    Insert(Profile),
    Update(AccountId, Profile),
    Delete(AccountId),
    Keep(AccountId),
}

/// A fact about the user, with ids, codes and counts only.
#[derive(Debug, PartialEq)]
pub struct PlannedEvent {
    pub kind: EventKind,
    pub data: Value,
}

/// A new account: for a new user, or for one that the tenant already has.
pub fn create(wanted: Wanted, facts: &Facts<'_>) -> Plan {
    let (profile, unknown_role) = profile(wanted, None, facts.catalogue);
    let (user, kind) = match facts.linkable {
        Some(user) => (UserEffect::Link(user), EventKind::UserLinked),
        None => (UserEffect::Create, EventKind::UserCreated),
    };
    let mut events = vec![event(kind, json!({ "role": profile.role, "active": profile.active }))];
    events.extend(unknown_role);
    Plan { user, account: AccountEffect::Insert(profile), ends_sessions: None, events }
}

/// A changed account; without a difference nothing happens, so a repeated request leaves no trace.
pub fn update(before: &Account, wanted: Wanted, facts: &Facts<'_>) -> Plan {
    let (after, unknown_role) = profile(wanted, Some(&before.profile), facts.catalogue);
    let was = &before.profile;
    if after == *was {
        return Plan {
            user: UserEffect::Keep(before.user_id),
            account: AccountEffect::Keep(before.id),
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
    if was.role != after.role {
        events.push(event(EventKind::UserRoleChanged, json!({ "from": was.role, "to": after.role })));
    }
    if was.role_reason != after.role_reason || was.role != after.role {
        events.extend(unknown_role);
    }
    if events.is_empty() {
        events.push(event(EventKind::UserUpdated, json!({})));
    }
    let ends_sessions = (was.active && !after.active).then_some(EndReason::Deactivated);
    let follows = was.email != after.email || was.display_name != after.display_name;
    let user = if follows { UserEffect::Follow(before.user_id) } else { UserEffect::Keep(before.user_id) };
    Plan { user, account: AccountEffect::Update(before.id, after), ends_sessions, events }
}

/// An account that goes for good (SCIM DELETE); the user goes with the last one.
pub fn delete(before: &Account) -> Plan {
    Plan {
        user: UserEffect::RemoveIfAlone(before.user_id),
        account: AccountEffect::Delete(before.id),
        ends_sessions: Some(EndReason::Deleted),
        events: vec![event(EventKind::UserDeleted, json!({}))],
    }
}

/// A first sign-in that ties the account to the NameID it came with.
pub fn bind(before: &Account, name_id: &str) -> Plan {
    let profile = Profile { name_id: Some(name_id.to_owned()), ..before.profile.clone() };
    Plan {
        user: UserEffect::Keep(before.user_id),
        account: AccountEffect::Update(before.id, profile),
        ends_sessions: None,
        events: vec![event(EventKind::UserLinked, json!({ "rule": "first sign-in" }))],
    }
}

fn profile(wanted: Wanted, before: Option<&Profile>, catalogue: &RoleCatalogue) -> (Profile, Option<PlannedEvent>) {
    let Wanted { user_name, external_id, email, display_name, active, role, document } = wanted;
    let assignment = catalogue.assign(role.as_deref());
    let unknown_role = match &assignment.reason {
        RoleReason::Unknown(sent) => Some(event(
            EventKind::ProvisioningFailed,
            json!({ "code": "GH-ROL-001", "problem": "unknown role", "sent": sent, "given": assignment.role }),
        )),
        RoleReason::Attribute | RoleReason::Missing => None,
    };
    let name_id = before.and_then(|was| kept_binding(was, &user_name, email.as_ref()));
    let role_reason = assignment.reason.as_str().to_owned();
    let role = assignment.role;
    (
        Profile { user_name, external_id, email, display_name, active, role, role_reason, name_id, document },
        unknown_role,
    )
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
    use crate::ids::ConnectionId;
    use time::OffsetDateTime;
    use uuid::Uuid;

    fn catalogue() -> RoleCatalogue {
        RoleCatalogue::new(["ADMINISTRATOR", "MANAGER", "ANALYST"].map(str::to_owned).to_vec()).unwrap()
    }

    fn wanted(name: &str) -> Wanted {
        Wanted {
            user_name: UserName::parse(name).unwrap(),
            external_id: Some("00u1".to_owned()),
            email: Email::parse("ann@acme.test").ok(),
            display_name: Some("Ann Lee".to_owned()),
            active: true,
            role: Some("MANAGER".to_owned()),
            document: json!({ "userName": name }),
        }
    }

    pub(crate) fn account(name: &str) -> Account {
        let catalogue = catalogue();
        let plan = create(wanted(name), &Facts { catalogue: &catalogue, linkable: None });
        let AccountEffect::Insert(profile) = plan.account else { panic!("a new account is inserted") };
        Account {
            id: AccountId(Uuid::from_u128(1)),
            user_id: UserId(Uuid::from_u128(2)),
            connection_id: ConnectionId(Uuid::from_u128(3)),
            profile,
            version: 1,
            created_at: OffsetDateTime::UNIX_EPOCH,
            updated_at: OffsetDateTime::UNIX_EPOCH,
        }
    }

    fn kinds(plan: &Plan) -> Vec<&'static str> {
        plan.events.iter().map(|event| event.kind.as_str()).collect()
    }

    fn updated(before: &Account, change: impl FnOnce(&mut Wanted)) -> Plan {
        let mut wanted = wanted(before.profile.user_name.as_str());
        change(&mut wanted);
        update(before, wanted, &Facts { catalogue: &catalogue(), linkable: None })
    }

    #[test]
    fn a_new_account_makes_a_user_or_joins_the_one_with_the_verified_address() {
        let catalogue = catalogue();
        let plan = create(wanted("ann"), &Facts { catalogue: &catalogue, linkable: None });
        assert_eq!((&plan.user, kinds(&plan)), (&UserEffect::Create, vec!["user.created"]));
        let ann = UserId(Uuid::from_u128(9));
        let plan = create(wanted("ann"), &Facts { catalogue: &catalogue, linkable: Some(ann) });
        assert_eq!((&plan.user, kinds(&plan)), (&UserEffect::Link(ann), vec!["user.linked"]));
    }

    #[test]
    fn deactivation_keeps_everything_but_access_and_reactivation_restores_it() {
        let ann = account("ann");
        let out = updated(&ann, |w| w.active = false);
        assert_eq!((out.ends_sessions, kinds(&out)), (Some(EndReason::Deactivated), vec!["user.deactivated"]));
        let AccountEffect::Update(id, profile) = out.account else { panic!("updated") };
        assert_eq!((id, out.user), (ann.id, UserEffect::Keep(ann.user_id)));
        assert_eq!(profile, Profile { active: false, ..ann.profile.clone() });
        let back = updated(&Account { profile, ..ann.clone() }, |_| {});
        assert_eq!((back.ends_sessions, kinds(&back)), (None, vec!["user.reactivated"]));
        assert_eq!(back.account, AccountEffect::Update(ann.id, ann.profile));
    }

    #[test]
    fn the_same_request_twice_leaves_no_trace() {
        let ann = account("ann");
        let plan = updated(&ann, |_| {});
        assert_eq!((plan.account, plan.events), (AccountEffect::Keep(ann.id), vec![]));
    }

    #[test]
    fn a_role_change_is_told_and_an_unknown_role_falls_to_the_lowest() {
        let ann = account("ann");
        assert_eq!(kinds(&updated(&ann, |w| w.role = Some("ADMINISTRATOR".into()))), ["user.role_changed"]);
        let unknown = updated(&ann, |w| w.role = Some("ROOT".into()));
        assert_eq!(kinds(&unknown), ["user.role_changed", "provisioning.failed"]);
        let AccountEffect::Update(_, profile) = unknown.account else { panic!("updated") };
        assert_eq!((profile.role.as_str(), profile.role_reason.as_str()), ("ANALYST", "unknown"));
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
                AccountEffect::Update(_, profile) => profile.name_id,
                _ => ann.profile.name_id,
            };
            assert_eq!(binding.as_deref(), kept, "{bound} {user_name} {email}");
        }
    }

    #[test]
    fn deletion_ends_access_and_takes_the_user_with_the_last_account() {
        let ann = account("ann");
        let plan = delete(&ann);
        assert_eq!(plan.user, UserEffect::RemoveIfAlone(ann.user_id));
        assert_eq!((plan.ends_sessions, kinds(&plan)), (Some(EndReason::Deleted), vec!["user.deleted"]));
    }
}
