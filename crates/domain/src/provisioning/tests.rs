use super::*;
use crate::ids::{AccountId, ConnectionId, UserId};
use time::OffsetDateTime;
use uuid::Uuid;

pub(crate) fn catalogue() -> RoleCatalogue {
    RoleCatalogue::new(["ADMINISTRATOR", "MANAGER", "ANALYST"].map(str::to_owned).to_vec()).unwrap()
}

fn update(before: &Account, wanted: Wanted) -> ChangePlan {
    let (catalogue, policy) = (catalogue(), RolePolicy::default());
    super::update(before, wanted, Roles { catalogue: &catalogue, policy: &policy, rule: None, waits: None })
}

fn create(wanted: Wanted, holder: Option<Holder>) -> CreatePlan {
    let (catalogue, policy) = (catalogue(), RolePolicy::default());
    let roles = Roles { catalogue: &catalogue, policy: &policy, rule: None, waits: None };
    super::create(wanted, &Facts { roles, linking: Linking::default(), holder, seating: None }, None).unwrap()
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
        signed_in: None,
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
        waits_since: None,
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
    for plan in [updated(&ann, |w| w.active = false), delete(Rule::IdentityProvider)] {
        assert!(loses_administrator(&ann, &plan, &catalogue()));
        assert_eq!(keep_administrator(&ann, plan), Err(Refusal::LastAdministrator));
    }
    let stays = updated(&ann, |w| w.roles = vec!["ADMINISTRATOR".into()]);
    assert!(!loses_administrator(&ann, &stays, &catalogue()));
    let mut out = ann.clone();
    out.profile.active = false;
    assert!(
        !loses_administrator(&out, &delete(Rule::IdentityProvider), &catalogue()),
        "who is out administers nothing"
    );
}

#[test]
fn a_sign_in_ties_the_account_and_says_roles_that_count_behind_those_of_scim() {
    let mut ann = account("ann");
    let signed_in = |before: &Account, name_id: Option<&str>, role: &str| {
        let asserted = Asserted { roles: vec![role.to_owned()], ..Asserted::default() };
        let signed_in = SignedIn { name_id: name_id.map(str::to_owned), asserted };
        let roles = before.profile.role_basis.attribute.clone().unwrap_or_default();
        update(before, Wanted::unchanged(&before.profile, roles, signed_in))
    };
    let rules =
        |plan: &ChangePlan| plan.events.iter().map(|event| (event.kind.as_str(), event.rule)).collect::<Vec<_>>();
    let plan = signed_in(&ann, Some("n"), "ADMINISTRATOR");
    assert_eq!(rules(&plan), [("user.linked", Rule::NameId)]);
    let AccountEffect::Update(profile) = plan.account else { panic!("updated") };
    assert_eq!((profile.name_id.as_deref(), profile.role.as_str()), (Some("n"), "MANAGER"), "SCIM says so");
    ann.profile = profile;
    assert_eq!(signed_in(&ann, None, "ADMINISTRATOR").account, AccountEffect::Keep, "nothing new");
    assert_eq!(rules(&signed_in(&ann, None, "ANALYST")), [("user.updated", Rule::SignIn)]);
    ann.profile.role_basis.attribute = Some(Vec::new());
    assert_eq!(rules(&signed_in(&ann, None, "ANALYST")), [("user.role_changed", Rule::RoleSources)]);
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
    let plan = delete(Rule::IdentityProvider);
    assert_eq!((plan.account, plan.ends_sessions), (AccountEffect::Delete, Some(EndReason::Deleted)));
    assert_eq!(kinds(&plan.events), ["user.deleted"]);
}
