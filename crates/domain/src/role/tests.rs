use super::*;
use proptest::prelude::*;

fn demo() -> RoleCatalogue {
    let names = ["ADMINISTRATOR", "MANAGER", "DEVELOPER", "DESIGNER", "SUPPORT_SPECIALIST", "ANALYST"];
    RoleCatalogue::new(names.map(str::to_owned).to_vec()).unwrap()
}

fn sent(roles: &[&str]) -> Vec<String> {
    roles.iter().map(|&role| role.to_owned()).collect()
}

fn asserted(roles: &[&str], groups: &[&str]) -> Asserted {
    Asserted { roles: sent(roles), groups: sent(groups), id: None }
}

fn rule(group: &str, role: &str) -> GroupRule {
    GroupRule { group: group.to_owned(), role: role.to_owned() }
}

#[test]
fn the_role_follows_the_attribute_and_falls_to_the_lowest() {
    let of = |role: &str| RoleReason::Attribute(role.to_owned());
    let root = RoleReason::Unknown { source: RoleSource::Attribute, sent: "ROOT".to_owned() };
    let table = [
        (&["ADMINISTRATOR"][..], "ADMINISTRATOR", of("ADMINISTRATOR")),
        (&["MANAGER"], "MANAGER", of("MANAGER")),
        (&["DEVELOPER"], "DEVELOPER", of("DEVELOPER")),
        (&["DESIGNER"], "DESIGNER", of("DESIGNER")),
        (&["SUPPORT_SPECIALIST"], "SUPPORT_SPECIALIST", of("SUPPORT_SPECIALIST")),
        (&["ANALYST"], "ANALYST", of("ANALYST")),
        (&[" manager "], "MANAGER", of("manager")),
        (&["ANALYST", "x", "MANAGER"], "MANAGER", of("MANAGER")),
        (&["ROOT", "ANALYST"], "ANALYST", of("ANALYST")),
        (&[], "ANALYST", RoleReason::Missing),
        (&[""], "ANALYST", RoleReason::Missing),
        (&["ROOT", "x"], "ANALYST", root),
    ];
    for (attribute, role, reason) in table {
        let claims = Claims { attribute: sent(attribute), ..Claims::default() };
        let assigned = demo().assign(&RolePolicy::default(), &claims);
        assert_eq!(assigned, Assignment { role: role.to_owned(), reason }, "{attribute:?}");
    }
}

#[test]
fn the_first_source_that_says_anything_decides() {
    use RoleSource::{Assertion, Attribute, Groups};
    let rules = vec![rule("Staff", "DESIGNER"), rule("Board", "ADMINISTRATOR")];
    let all =
        Claims { attribute: sent(&["MANAGER"]), rule: Some(1), assertion: asserted(&["DEVELOPER"], &[]), waits: false };
    let unknown = Claims { attribute: sent(&["ROOT"]), ..all.clone() };
    let none = Claims { attribute: Vec::new(), ..all.clone() };
    let told = |sources: &[RoleSource], claims: &Claims| {
        let policy = RolePolicy::new(sources.to_vec(), rules.clone(), &demo()).unwrap();
        let Assignment { role, reason } = demo().assign(&policy, claims);
        format!("{role}, {reason}")
    };
    let lowest = "ANALYST, the lowest, because";
    let table = [
        (&[Attribute, Groups, Assertion][..], &all, "MANAGER, because SCIM sent the role \"MANAGER\""),
        (&[Groups, Attribute], &all, "ADMINISTRATOR, because of the group \"Board\" (rule 2)"),
        (&[Assertion, Groups], &all, "DEVELOPER, because the last sign-in named the role \"DEVELOPER\""),
        (&[Attribute, Groups], &none, "ADMINISTRATOR, because of the group \"Board\" (rule 2)"),
        (&[Attribute], &none, &format!("{lowest} nothing says another")),
        (&[Attribute, Groups], &unknown, &format!("{lowest} SCIM sent \"ROOT\", which the application does not have")),
        (&[], &all, &format!("{lowest} nothing says another")),
    ];
    for (sources, claims, expected) in table {
        assert_eq!(told(sources, claims), expected);
    }
}

#[test]
fn groups_of_an_assertion_count_until_scim_keeps_the_users() {
    let rules = vec![rule("Staff", "DESIGNER"), rule("Board", "ADMINISTRATOR")];
    let policy = RolePolicy::new(RoleSource::ALL.to_vec(), rules, &demo()).unwrap();
    let policy = RolePolicy { heeds_asserted_groups: true, ..policy };
    let told = |policy: &RolePolicy, assertion: Asserted| {
        let Assignment { role, reason } = demo().assign(policy, &Claims { assertion, ..Claims::default() });
        format!("{role}, {reason}")
    };
    let designer = "DESIGNER, because the last sign-in named the group \"Staff\" (rule 1)";
    assert_eq!(told(&policy, asserted(&[], &["board", "everyone", " STAFF"])), designer, "the first rule");
    let manager = "MANAGER, because the last sign-in named the role \"MANAGER\"";
    assert_eq!(told(&policy, asserted(&["MANAGER"], &["Staff"])), manager);
    let lowest = "ANALYST, the lowest, because nothing says another";
    assert_eq!(told(&policy, asserted(&[], &["everyone"])), lowest);
    let live = RolePolicy { heeds_asserted_groups: false, ..policy };
    assert_eq!(told(&live, asserted(&[], &["Staff"])), lowest);
}

#[test]
fn another_value_of_the_same_source_is_another_person() {
    let id = |source: &str, value: &str| AssertedId { source: source.to_owned(), value: value.to_owned() };
    assert!(id("okta id", "a").contradicts(&id("okta id", "b")));
    assert!(!id("okta id", "a").contradicts(&id("okta id", "a")));
    assert!(!id("okta id", "a").contradicts(&id("entra id", "b")));
}

#[test]
fn of_too_many_groups_those_with_a_rule_are_kept() {
    let policy = RolePolicy::new(RoleSource::ALL.to_vec(), vec![rule("zz staff", "DESIGNER")], &demo()).unwrap();
    let mut many: Vec<String> = (0..1_000).map(|n| format!("group number {n:04}")).collect();
    many.push("ZZ Staff".to_owned());
    let kept = policy.kept_groups(many);
    assert!(kept.contains(&"ZZ Staff".to_owned()) && kept.contains(&"group number 0000".to_owned()));
    assert!((400..1_000).contains(&kept.len()) && kept.is_sorted(), "{}", kept.len());
    let few = sent(&["a", "b"]);
    assert_eq!(policy.kept_groups(few.clone()), few);
}

#[test]
fn a_policy_names_roles_that_there_are_and_no_group_twice() {
    let check = |sources: &[RoleSource], rules: &[GroupRule]| {
        RolePolicy::new(sources.to_vec(), rules.to_vec(), &demo()).map_err(|refusal| refusal.to_string())
    };
    check(&RoleSource::ALL, &[rule("Staff", "manager"), rule("Board", "ANALYST")]).unwrap();
    let many: Vec<GroupRule> = (0..=MOST_RULES).map(|n| rule(&n.to_string(), "ANALYST")).collect();
    for (sources, rules, problem) in [
        (&[RoleSource::Groups, RoleSource::Groups][..], &[][..], "twice in the order"),
        (&[], &[rule("Staff", "ROOT")], "no role \"ROOT\""),
        (&[], &[rule(" ", "ANALYST")], "names no group"),
        (&[], &[rule("Staff", "ANALYST"), rule("STAFF ", "MANAGER")], "two rules for the group"),
        (&[], &many, "200 at most"),
    ] {
        let refused = check(sources, rules).unwrap_err();
        assert!(refused.contains(problem), "{refused}");
    }
}

#[test]
fn a_catalogue_has_distinct_names() {
    let catalogue = |names: &[&str]| RoleCatalogue::new(names.iter().map(|&n| n.to_owned()).collect());
    for bad in [&[][..], &[""], &["A", " "], &["A", "a"], &[&"x".repeat(65)]] {
        assert_eq!(catalogue(bad), Err(Refusal::RolesInvalid), "{bad:?}");
    }
    assert!(catalogue(&["ONE"]).is_ok());
}

proptest! {
    /// Whatever is sent, the role is one of the catalogue, and what is stored of the reason reads again.
    #[test]
    fn every_claim_has_a_role_with_a_reason_that_can_be_kept(
        attribute in prop::collection::vec("[A-Za-z ]{0,12}|MANAGER|DESIGNER", 0..4),
        assertion in prop::collection::vec("\\PC{0,80}|MANAGER", 0..3),
        groups in prop::collection::vec("Staff|board|\\PC{0,9}", 0..3),
        heeds_asserted_groups: bool,
        place in prop::option::of(0usize..4),
        order in Just(RoleSource::ALL.to_vec()).prop_shuffle(),
        taken in 0usize..4,
        waits: bool,
        fallback in prop::option::of(Just("DESIGNER".to_owned())),
    ) {
        let rules = vec![rule("Staff", "DESIGNER"), rule("Board", "ADMINISTRATOR")];
        let policy = RolePolicy::new(order[..taken.min(3)].to_vec(), rules, &demo()).unwrap();
        let policy = RolePolicy { fallback, heeds_asserted_groups, ..policy };
        let assertion = Asserted { roles: assertion, groups, id: None };
        let claims = Claims { attribute, rule: place, assertion, waits };
        let Assignment { role, reason } = demo().assign(&policy, &claims);
        prop_assert!(demo().roles().contains(&role));
        let is_above = |one: &str, other: &str| demo().is_higher(one, other);
        prop_assert!(!waits || !policy.fallback.as_deref().is_some_and(|fallback| is_above(&role, fallback)));
        let is_default = matches!(reason, RoleReason::Missing | RoleReason::Unknown { .. });
        prop_assert!(!is_default || role == demo().lowest());
        prop_assert_eq!(RoleReason::stored(reason.word(), &reason.detail()), reason);
    }
}
