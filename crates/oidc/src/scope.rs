//! The scopes that this provider knows; others are ignored (OpenID Connect Core 3.1.2.1).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One scope value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Makes the request an OpenID request (OpenID Connect Core 3.1.2.1).
    OpenId,
    /// `name` and its like, and `attrs` (OpenID Connect Core 5.4).
    Profile,
    /// `email` and `email_verified` (OpenID Connect Core 5.4).
    Email,
    /// `roles`, a scope of our own.
    Roles,
    /// `groups`, a scope of our own.
    Groups,
    /// Asks for a refresh token (OpenID Connect Core 11).
    OfflineAccess,
}

impl Scope {
    /// Every scope, in the order in which they are printed.
    pub const ALL: [Self; 6] =
        [Self::OpenId, Self::Profile, Self::Email, Self::Roles, Self::Groups, Self::OfflineAccess];

    /// The value on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenId => "openid",
            Self::Profile => "profile",
            Self::Email => "email",
            Self::Roles => "roles",
            Self::Groups => "groups",
            Self::OfflineAccess => "offline_access",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of scopes, printed and stored as the space-separated list of RFC 6749 3.3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// Reads a space-separated list and drops what it does not know (OpenID Connect Core 3.1.2.1).
    pub fn parse(list: &str) -> Self {
        list.split(' ')
            .filter_map(|word| Scope::ALL.into_iter().find(|scope| scope.as_str() == word))
            .fold(Self::default(), Self::with)
    }

    /// Whether the scope is in the set.
    pub fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Whether it asks for nothing at all.
    pub fn is_empty(&self) -> bool {
        self.0 == 0
    }

    /// Whether this set asks for nothing that `granted` lacks (RFC 6749 6: a refresh may narrow, never widen).
    pub fn is_within(self, granted: Self) -> bool {
        self.0 & !granted.0 == 0
    }

    /// The set with one scope more.
    #[must_use]
    pub fn with(self, scope: Scope) -> Self {
        Self(self.0 | scope.bit())
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for scope in Scope::ALL.into_iter().filter(|scope| self.contains(*scope)) {
            write!(f, "{separator}{}", scope.as_str())?;
            separator = " ";
        }
        Ok(())
    }
}

impl Serialize for Scopes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scopes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::parse(&String::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_sets() {
        let cases = [
            ("openid", "openid"),
            ("email openid", "openid email"),
            ("openid openid phone  profile", "openid profile"),
            ("OPENID", ""),
            ("openid,email", ""),
            ("offline_access roles email profile openid", "openid profile email roles offline_access"),
        ];
        for (list, printed) in cases {
            assert_eq!(Scopes::parse(list).to_string(), printed, "{list}");
        }
    }

    #[test]
    fn a_refresh_may_only_narrow() {
        let granted = Scopes::parse("openid email");
        assert!(Scopes::parse("openid").is_within(granted));
        assert!(granted.is_within(granted));
        assert!(!Scopes::parse("openid roles").is_within(granted));
    }

    #[test]
    fn it_survives_storage() {
        let scopes = Scopes::parse("openid roles");
        let stored = serde_json::to_string(&scopes).expect("a string");
        assert_eq!(stored, r#""openid roles""#);
        assert_eq!(serde_json::from_str::<Scopes>(&stored).expect("the same string"), scopes);
    }
}
