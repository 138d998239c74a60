//! Roles: an application's ordered catalogue, and the policy by which a connection's accounts get one of it.

use crate::{names::fold, refusal::Refusal};
use serde_json::{Value, json};
use std::{collections::HashSet, fmt};

/// The longest role name, in characters.
const MAX_ROLE_CHARS: usize = 64;

/// Bytes of the names of groups that are kept of one assertion.
const MOST_GROUP_BYTES: usize = 8_192;

/// Rules of one connection.
pub const MOST_RULES: usize = 200;

/// An application's roles, highest first; the last is the default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleCatalogue {
    roles: Vec<String>,
    lowest: String,
}

/// What can say which role somebody has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RoleSource {
    /// `role` or `roles` of the SCIM user.
    Attribute,
    /// Membership in groups that have a rule.
    Groups,
    /// The last sign-in's assertion: its role attribute, else its groups where they count.
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
    /// Whether the groups of an assertion count: until SCIM keeps the connection's users.
    pub heeds_asserted_groups: bool,
}

/// What an assertion says of a role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asserted {
    pub roles: Vec<String>,
    /// The names of groups.
    pub groups: Vec<String>,
    /// Who it is, beside the NameID.
    pub id: Option<AssertedId>,
}

/// What names a person for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssertedId {
    /// The identity provider, and which attribute of it.
    pub source: String,
    pub value: String,
}

impl AssertedId {
    /// Whether the two are different people: of two sources nobody can say.
    pub fn contradicts(&self, other: &Self) -> bool {
        self.source == other.source && self.value != other.value
    }
}

/// What the sources say of one account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    /// The roles that SCIM sent.
    pub attribute: Vec<String>,
    /// The place of the first rule that is for one of the account's groups, from 0.
    pub rule: Option<usize>,
    /// What the last sign-in said.
    pub assertion: Asserted,
    /// Whether the account is in line for a seat.
    pub waits: bool,
}

/// Why an account has its role; a person can read it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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
    /// A rule is for one of the groups that the last sign-in named.
    AssertedGroup {
        /// Its place, from 1.
        rule: usize,
        group: String,
    },
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
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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
            RoleSource::Assertion => {
                let by_name = self.named(source, &claims.assertion.roles, RoleReason::Assertion);
                by_name.or_else(|| {
                    let place = policy.first_asserted(&claims.assertion.groups)?;
                    self.ruled(source, policy, place, |rule, group| RoleReason::AssertedGroup { rule, group })
                })
            }
            RoleSource::Groups => {
                self.ruled(source, policy, claims.rule?, |rule, group| RoleReason::Group { rule, group })
            }
        }
    }

    /// The role of the rule at that place.
    fn ruled(
        &self,
        source: RoleSource,
        policy: &RolePolicy,
        place: usize,
        reason: impl Fn(usize, String) -> RoleReason,
    ) -> Option<Assignment> {
        let rule = policy.rules.get(place)?;
        self.named(source, std::slice::from_ref(&rule.role), |_| reason(place + 1, rule.group.clone()))
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
        Ok(Self { sources, rules, fallback: None, heeds_asserted_groups: false })
    }

    /// Of the groups that an assertion names, those that are kept: rules of today first, as long as there is room.
    pub fn kept_groups(&self, groups: Vec<String>) -> Vec<String> {
        let keys: HashSet<String> = self.rules.iter().map(GroupRule::key).collect();
        let (ruled, others): (Vec<String>, Vec<String>) =
            groups.into_iter().partition(|group| keys.contains(&fold(group.trim())));
        let mut room = MOST_GROUP_BYTES;
        let fits = |group: &String| {
            let fits = group.len() <= room;
            room -= if fits { group.len() } else { 0 };
            fits
        };
        let mut kept: Vec<String> = ruled.into_iter().chain(others).filter(fits).collect();
        kept.sort_unstable();
        kept
    }

    /// The place of the first rule that is for one of these groups, where an assertion's count.
    fn first_asserted(&self, groups: &[String]) -> Option<usize> {
        if !self.heeds_asserted_groups || self.rules.is_empty() {
            return None;
        }
        let keys: HashSet<String> = groups.iter().map(|group| fold(group.trim())).collect();
        self.rules.iter().position(|rule| keys.contains(&rule.key()))
    }
}

impl Default for RolePolicy {
    /// SCIM before groups before sign-in, and no rules.
    fn default() -> Self {
        Self { sources: RoleSource::ALL.to_vec(), rules: Vec::new(), fallback: None, heeds_asserted_groups: false }
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
            Self::AssertedGroup { .. } => "asserted_group",
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
            Self::Group { rule, group } | Self::AssertedGroup { rule, group } => {
                json!({ "rule": rule, "group": group })
            }
            Self::Missing => json!({}),
            Self::Unknown { source, sent } => json!({ "source": source.as_str(), "sent": sent }),
            Self::LastAdministrator { instead } | Self::NoSeat { instead } => json!({ "instead": instead }),
        }
    }

    /// The reason from its word and what stands beside it; processes of older versions store the word alone.
    pub fn stored(word: &str, detail: &Value) -> Self {
        let text = |name: &str| detail[name].as_str().unwrap_or_default().to_owned();
        let place = || detail["rule"].as_u64().and_then(|rule| usize::try_from(rule).ok()).unwrap_or_default();
        match word {
            "attribute" => Self::Attribute(text("sent")),
            "assertion" => Self::Assertion(text("sent")),
            "group" => Self::Group { rule: place(), group: text("group") },
            "asserted_group" => Self::AssertedGroup { rule: place(), group: text("group") },
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
            Self::AssertedGroup { rule, group } => {
                write!(f, "because the last sign-in named the group \"{group}\" (rule {rule})")
            }
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
mod tests;
