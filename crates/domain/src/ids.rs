//! Identifiers, one type per noun, so that a user's id cannot stand where an account's belongs.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )+};
}

id!(
    /// A vendor's product.
    ApplicationId,
    /// A customer organization.
    TenantId,
    /// A tenant's link between one application and one identity provider; public, grants nothing.
    ConnectionId,
    /// A person in a tenant: the `sub` of tokens.
    UserId,
    /// A user in one connection: the `id` of a SCIM User.
    AccountId,
    /// A SCIM group of one connection.
    GroupId,
    /// A browser signed in as one user.
    SessionId,
    /// An invitation.
    InvitationId,
    /// What an identity provider wanted and did not get.
    FailureId,
    /// A fact in the outbox.
    EventId,
    /// A bearer token of a SCIM client.
    TokenId,
    /// What one authorization code grew into: its access and refresh tokens.
    GrantId,
);
