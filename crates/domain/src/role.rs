//! Roles: an application's ordered catalogue, and the policy by which a connection's accounts get one of it.

use crate::{names::fold, refusal::Refusal};
use serde_json::{Value, json};
use std::fmt;

/// The longest role name, in characters.
const MAX_ROLE_CHARS: usize = 64;

/// Rules of one connection.
pub const MOST_RULES: usize = 200;

/// An application's roles, highest first; the last is the default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleCatalogue {
    roles: Vec<String>,
    lowest: String,
}

/// What can say which role somebody has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleSource {
    /// `role` or `roles` of the SCIM user.
    Attribute,
    /// Membership in groups that have a rule.
    Groups,
    /// The role attribute of the last sign-in's assertion.
    Assertion,
}

/// Members of the group have the role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRule {
    /// The group's name, in any case.
    pub group: String,
    pub role: String,
}

/// How a connection's accounts get their roles: the first source that says anything decides; among groups, the first rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolePolicy {
    pub sources: Vec<RoleSource>,
    pub rules: Vec<GroupRule>,
    /// Nobody who waits for a seat has a higher one.
    pub fallback: Option<String>,
}

/// What the sources say of one account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    /// The roles that SCIM sent.
    pub attribute: Vec<String>,
    /// The place of the first rule that is for one of the account's groups, from 0.
    pub rule: Option<usize>,
    /// The roles that the last sign-in asserted.
    pub assertion: Vec<String>,
    /// Whether the account is in line for a seat.
    pub waits: bool,
}

/// Why an account has its role; a person can read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoleReason {
    /// SCIM named a role of the catalogue.
    Attribute(String),
    /// A rule is for one of the account's groups.
    Group {
        /// Its place, from 1.
        rule: usize,
        group: String,
    },
    /// The last sign-in named a role of the catalogue.
    Assertion(String),
    /// Nothing says a role.
    Missing,
    /// What decides named one that the catalogue does not have.
    Unknown { source: RoleSource, sent: String },
    /// Nobody else would administer the tenant; otherwise it would be that role.
    LastAdministrator { instead: String },
    /// All seats are taken; with one it would be that role.
    NoSeat { instead: String },
}

/// A role and why it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    pub role: String,
    pub reason: RoleReason,
}

impl RoleCatalogue {
    /// Accepts one or more distinct, non-blank names, highest first.
    pub fn new(roles: Vec<String>) -> Result<Self, Refusal> {
        let fits = |role: &String| (1..=MAX_ROLE_CHARS).contains(&role.trim().chars().count());
        let distinct =
            roles.iter().enumerate().all(|(i, role)| roles.iter().skip(i + 1).all(|other| !same(role, other)));
        match roles.last().cloned() {
            Some(lowest) if distinct && roles.iter().all(fits) => Ok(Self { roles, lowest }),
            _ => Err(Refusal::RolesInvalid),
        }
    }

    /// The names, highest first.
    pub fn roles(&self) -> &[String] {
        &self.roles
    }

    /// The role of somebody for whom nothing better is known.
    pub fn lowest(&self) -> &str {
        &self.lowest
    }

    /// Whether it is the role of administrators.
    pub fn is_highest(&self, role: &str) -> bool {
        self.roles.first().is_some_and(|highest| highest == role)
    }

    /// The role for what the sources say; never an error, so that no task of Okta's loops.
    pub fn assign(&self, policy: &RolePolicy, claims: &Claims) -> Assignment {
        let said = policy.sources.iter().find_map(|source| self.said(*source, policy, claims));
        let Assignment { role, reason } = said.unwrap_or_else(|| self.by_default(RoleReason::Missing));
        match &policy.fallback {
            Some(fallback) if claims.waits && self.is_higher(&role, fallback) => {
                Assignment { role: fallback.clone(), reason: RoleReason::NoSeat { instead: role } }
            }
            _ => Assignment { role, reason },
        }
    }

    /// The role of that name, in any case, as the catalogue writes it.
    pub fn find(&self, name: &str) -> Option<&str> {
        self.roles.iter().find(|role| same(role, name)).map(String::as_str)
    }

    fn is_higher(&self, role: &str, other: &str) -> bool {
        let place = |role: &str| self.roles.iter().position(|known| known == role);
        // One that the catalogue does not have any more is below all.
        place(role).is_some_and(|role| place(other).is_none_or(|other| role < other))
    }

    fn said(&self, source: RoleSource, policy: &RolePolicy, claims: &Claims) -> Option<Assignment> {
        match source {
            RoleSource::Attribute => self.named(source, &claims.attribute, RoleReason::Attribute),
            RoleSource::Assertion => self.named(source, &claims.assertion, RoleReason::Assertion),
            RoleSource::Groups => {
                let place = claims.rule?;
                let rule = policy.rules.get(place)?;
                let reason = |_| RoleReason::Group { rule: place + 1, group: rule.group.clone() };
                self.named(source, std::slice::from_ref(&rule.role), reason)
            }
        }
    }

    /// The highest of the roles that were sent.
    fn named(&self, source: RoleSource, sent: &[String], reason: impl Fn(String) -> RoleReason) -> Option<Assignment> {
        let sent: Vec<&str> = sent.iter().map(|role| role.trim()).filter(|role| !role.is_empty()).collect();
        let first = short(sent.first()?);
        let known =
            self.roles.iter().find_map(|role| sent.iter().find(|sent| same(role, sent)).map(|sent| (role, sent)));
        Some(match known {
            Some((role, sent)) => Assignment { role: role.clone(), reason: reason(short(sent)) },
            None => self.by_default(RoleReason::Unknown { source, sent: first }),
        })
    }

    fn by_default(&self, reason: RoleReason) -> Assignment {
        Assignment { role: self.lowest.clone(), reason }
    }
}

impl RolePolicy {
    /// Checks a policy: each source once, rules for roles that there are, and no group twice.
    pub fn new(sources: Vec<RoleSource>, rules: Vec<GroupRule>, catalogue: &RoleCatalogue) -> Result<Self, Refusal> {
        let wrong = |problem: String| Err(Refusal::RulesInvalid { problem });
        if sources.iter().enumerate().any(|(place, source)| sources[place + 1..].contains(source)) {
            return wrong("a source stands twice in the order".to_owned());
        }
        if rules.len() > MOST_RULES {
            return wrong(format!("there are {} rules, and {MOST_RULES} at most", rules.len()));
        }
        for (place, rule) in rules.iter().enumerate() {
            if rule.key().is_empty() || rule.group.chars().any(char::is_control) {
                return wrong(format!("rule {} names no group", place + 1));
            }
            if !catalogue.roles.iter().any(|role| same(role, &rule.role)) {
                let known = catalogue.roles.join(", ");
                return wrong(format!("the application has no role \"{}\"; it has {known}", short(&rule.role)));
            }
            if rules[place + 1..].iter().any(|other| other.key() == rule.key()) {
                return wrong(format!("there are two rules for the group \"{}\"", short(&rule.group)));
            }
        }
        Ok(Self { sources, rules, fallback: None })
    }
}

impl Default for RolePolicy {
    /// SCIM before groups before sign-in, and no rules.
    fn default() -> Self {
        Self { sources: RoleSource::ALL.to_vec(), rules: Vec::new(), fallback: None }
    }
}

impl GroupRule {
    /// The group's name as it is compared.
    pub fn key(&self) -> String {
        fold(self.group.trim())
    }
}

impl RoleSource {
    /// All of them, in the usual order.
    pub const ALL: [Self; 3] = [Self::Attribute, Self::Groups, Self::Assertion];

    /// The source as it is stored and given.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Attribute => "scim",
            Self::Groups => "groups",
            Self::Assertion => "saml",
        }
    }

    /// The source of that name.
    pub fn read(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == name)
    }
}

impl RoleReason {
    /// The reason as stored: one word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Attribute(_) => "attribute",
            Self::Group { .. } => "group",
            Self::Assertion(_) => "assertion",
            Self::Missing => "missing",
            Self::Unknown { .. } => "unknown",
            Self::LastAdministrator { .. } => "last_administrator",
            Self::NoSeat { .. } => "no_seat",
        }
    }

    /// What is stored beside the word.
    pub fn detail(&self) -> Value {
        match self {
            Self::Attribute(sent) | Self::Assertion(sent) => json!({ "sent": sent }),
            Self::Group { rule, group } => json!({ "rule": rule, "group": group }),
            Self::Missing => json!({}),
            Self::Unknown { source, sent } => json!({ "source": source.as_str(), "sent": sent }),
            Self::LastAdministrator { instead } | Self::NoSeat { instead } => json!({ "instead": instead }),
        }
    }

    /// The reason from its word and what stands beside it; processes of older versions store the word alone.
    pub fn stored(word: &str, detail: &Value) -> Self {
        let text = |name: &str| detail[name].as_str().unwrap_or_default().to_owned();
        match word {
            "attribute" => Self::Attribute(text("sent")),
            "assertion" => Self::Assertion(text("sent")),
            "group" => {
                let rule = detail["rule"].as_u64().and_then(|rule| usize::try_from(rule).ok()).unwrap_or_default();
                Self::Group { rule, group: text("group") }
            }
            "unknown" => {
                let source = RoleSource::read(&text("source")).unwrap_or(RoleSource::Attribute);
                Self::Unknown { source, sent: text("sent") }
            }
            "last_administrator" => Self::LastAdministrator { instead: text("instead") },
            "no_seat" => Self::NoSeat { instead: text("instead") },
            _ => Self::Missing,
        }
    }
}

impl fmt::Display for RoleReason {
    /// The end of a sentence that begins with the role.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = |source| match source {
            RoleSource::Attribute => "SCIM sent",
            RoleSource::Groups => "a rule names",
            RoleSource::Assertion => "the last sign-in named",
        };
        match self {
            // Rows of older versions do not tell.
            Self::Attribute(sent) if sent.is_empty() => write!(f, "because {} it", by(RoleSource::Attribute)),
            Self::Attribute(sent) => write!(f, "because {} the role \"{sent}\"", by(RoleSource::Attribute)),
            Self::Assertion(sent) => write!(f, "because {} the role \"{sent}\"", by(RoleSource::Assertion)),
            Self::Group { rule, group } => write!(f, "because of the group \"{group}\" (rule {rule})"),
            Self::Missing => f.write_str("the lowest, because nothing says another"),
            Self::Unknown { source, sent } => {
                write!(f, "the lowest, because {} \"{sent}\", which the application does not have", by(*source))
            }
            Self::LastAdministrator { instead } => {
                write!(f, "kept because nobody else is; the identity provider wants {instead}")
            }
            Self::NoSeat { instead } => write!(f, "because all seats are taken; with a seat it is {instead}"),
        }
    }
}

fn same(a: &str, b: &str) -> bool {
    a.trim().eq_ignore_ascii_case(b.trim())
}

fn short(text: &str) -> String {
    text.chars().take(MAX_ROLE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn demo() -> RoleCatalogue {
        let names = ["ADMINISTRATOR", "MANAGER", "DEVELOPER", "DESIGNER", "SUPPORT_SPECIALIST", "ANALYST"];
        RoleCatalogue::new(names.map(str::to_owned).to_vec()).unwrap()
    }

    fn sent(roles: &[&str]) -> Vec<String> {
        roles.iter().map(|&role| role.to_owned()).collect()
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
            Claims { attribute: sent(&["MANAGER"]), rule: Some(1), assertion: sent(&["DEVELOPER"]), waits: false };
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
            (
                &[Attribute, Groups],
                &unknown,
                &format!("{lowest} SCIM sent \"ROOT\", which the application does not have"),
            ),
            (&[], &all, &format!("{lowest} nothing says another")),
        ];
        for (sources, claims, expected) in table {
            assert_eq!(told(sources, claims), expected);
        }
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
            place in prop::option::of(0usize..4),
            order in Just(RoleSource::ALL.to_vec()).prop_shuffle(),
            taken in 0usize..4,
            waits: bool,
            fallback in prop::option::of(Just("DESIGNER".to_owned())),
        ) {
            let rules = vec![rule("Staff", "DESIGNER"), rule("Board", "ADMINISTRATOR")];
            let policy = RolePolicy::new(order[..taken.min(3)].to_vec(), rules, &demo()).unwrap();
            let policy = RolePolicy { fallback, ..policy };
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
}
