//! Roles: an application's ordered catalogue and the rule that picks one for an account.

use crate::refusal::Refusal;

/// The longest role name, in characters.
const MAX_ROLE_CHARS: usize = 64;

/// An application's roles, highest first; the last is the default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleCatalogue {
    roles: Vec<String>,
    lowest: String,
}

/// Where an account's role comes from; a person can read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoleReason {
    /// The identity provider named a role of the catalogue.
    Attribute,
    /// The identity provider named none.
    Missing,
    /// The identity provider named one that the catalogue does not have.
    Unknown(String),
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

    /// The role for what the identity provider sent; never an error, so that no task of Okta's loops.
    pub fn assign(&self, wanted: Option<&str>) -> Assignment {
        let wanted = wanted.map(str::trim).filter(|wanted| !wanted.is_empty());
        let Some(wanted) = wanted else {
            return Assignment { role: self.lowest.clone(), reason: RoleReason::Missing };
        };
        match self.roles.iter().find(|role| same(role, wanted)) {
            Some(role) => Assignment { role: role.clone(), reason: RoleReason::Attribute },
            None => Assignment {
                role: self.lowest.clone(),
                reason: RoleReason::Unknown(wanted.chars().take(MAX_ROLE_CHARS).collect()),
            },
        }
    }
}

impl RoleReason {
    /// The reason as stored: one word.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Attribute => "attribute",
            Self::Missing => "missing",
            Self::Unknown(_) => "unknown",
        }
    }
}

fn same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demo() -> RoleCatalogue {
        let names = ["ADMINISTRATOR", "MANAGER", "DEVELOPER", "DESIGNER", "SUPPORT_SPECIALIST", "ANALYST"];
        RoleCatalogue::new(names.map(str::to_owned).to_vec()).unwrap()
    }

    #[test]
    fn the_role_follows_the_attribute_and_falls_to_the_lowest() {
        let table = [
            (Some("ADMINISTRATOR"), "ADMINISTRATOR", RoleReason::Attribute),
            (Some("MANAGER"), "MANAGER", RoleReason::Attribute),
            (Some("DEVELOPER"), "DEVELOPER", RoleReason::Attribute),
            (Some("DESIGNER"), "DESIGNER", RoleReason::Attribute),
            (Some("SUPPORT_SPECIALIST"), "SUPPORT_SPECIALIST", RoleReason::Attribute),
            (Some("ANALYST"), "ANALYST", RoleReason::Attribute),
            (Some(" manager "), "MANAGER", RoleReason::Attribute),
            (None, "ANALYST", RoleReason::Missing),
            (Some(""), "ANALYST", RoleReason::Missing),
            (Some("ROOT"), "ANALYST", RoleReason::Unknown("ROOT".to_owned())),
        ];
        for (wanted, role, reason) in table {
            assert_eq!(demo().assign(wanted), Assignment { role: role.to_owned(), reason }, "{wanted:?}");
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
}
