//! Whose transaction it is, who acts in it, and when.

use domain::ids::{ApplicationId, TenantId, TokenId};
use std::fmt;
use time::OffsetDateTime;

/// One tenant, one actor, one moment.
#[derive(Debug, Clone, Copy)]
pub struct Scope {
    pub tenant: TenantId,
    pub actor: Actor,
    pub now: OffsetDateTime,
}

/// Who acts; written on every event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// Nobody yet: the credential is still to be looked up.
    Unproven,
    /// The gateway by itself: what it writes down behind requests.
    Gateway,
    /// Somebody with a shell on the gateway.
    Operator,
    /// A SCIM client, by its token.
    Scim(TokenId),
    /// A browser that is signing in.
    Browser,
    /// The connection's identity provider, by a token that it signed.
    IdentityProvider,
    /// The vendor's application.
    Application(ApplicationId),
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unproven => f.write_str("unproven"),
            Self::Gateway => f.write_str("gateway"),
            Self::Operator => f.write_str("operator"),
            Self::Scim(token) => write!(f, "scim:{token}"),
            Self::Browser => f.write_str("browser"),
            Self::IdentityProvider => f.write_str("identity_provider"),
            Self::Application(application) => write!(f, "application:{application}"),
        }
    }
}
