//! What becomes of users and accounts when an identity provider wants something: pure plans, carried out elsewhere.
//! SCIM, SAML and the vendor's API all end here, so a rule stands in one place.

use crate::{
    account::{Account, Profile},
    email::Email,
    event::EventKind,
    ids::UserId,
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

/// A new account, and whose it is.
#[derive(Debug, PartialEq)]
pub struct CreatePlan {
    /// The user that the tenant already has; `None` makes a new one.
    pub link: Option<UserId>,
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
pub fn create(wanted: Wanted, facts: &Facts<'_>) -> CreatePlan {
    let (profile, unknown_role) = profile(wanted, None, facts.catalogue);
    let kind = if facts.linkable.is_some() { EventKind::UserLinked } else { EventKind::UserCreated };
    let mut events = vec![event(kind, json!({ "role": profile.role, "active": profile.active }))];
    events.extend(unknown_role);
    CreatePlan { link: facts.linkable, profile, events }
}

/// A changed account; without a difference nothing happens, so a repeated request leaves no trace.
pub fn update(before: &Account, wanted: Wanted, catalogue: &RoleCatalogue) -> ChangePlan {
    let (after, unknown_role) = profile(wanted, Some(&before.profile), catalogue);
    let was = &before.profile;
    if after == *was {
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
    if was.role != after.role {
        events.push(event(EventKind::UserRoleChanged, json!({ "from": was.role, "to": after.role })));
    }
    if was.role_reason != after.role_reason || was.role != after.role {
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
    use crate::ids::{AccountId, ConnectionId};
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
        Account {
            id: AccountId(Uuid::from_u128(1)),
            user_id: UserId(Uuid::from_u128(2)),
            connection_id: ConnectionId(Uuid::from_u128(3)),
            profile: plan.profile,
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
        update(before, wanted, &catalogue())
    }

    #[test]
    fn a_new_account_makes_a_user_or_joins_the_one_with_the_verified_address() {
        let catalogue = catalogue();
        let plan = create(wanted("ann"), &Facts { catalogue: &catalogue, linkable: None });
        assert_eq!((plan.link, kinds(&plan.events)), (None, vec!["user.created"]));
        let ann = UserId(Uuid::from_u128(9));
        let plan = create(wanted("ann"), &Facts { catalogue: &catalogue, linkable: Some(ann) });
        assert_eq!((plan.link, kinds(&plan.events)), (Some(ann), vec!["user.linked"]));
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
        assert_eq!(kinds(&updated(&ann, |w| w.role = Some("ADMINISTRATOR".into())).events), ["user.role_changed"]);
        let unknown = updated(&ann, |w| w.role = Some("ROOT".into()));
        assert_eq!(kinds(&unknown.events), ["user.role_changed", "provisioning.failed"]);
        let AccountEffect::Update(profile) = unknown.account else { panic!("updated") };
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
