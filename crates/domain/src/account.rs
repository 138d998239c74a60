//! An account: a user in one connection, as the identity provider keeps it.

use crate::{
    email::Email,
    ids::{AccountId, ConnectionId, UserId},
    names::UserName,
};
use serde_json::Value;
use time::OffsetDateTime;

/// What the identity provider decides about an account.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    pub user_name: UserName,
    pub external_id: Option<String>,
    pub email: Option<Email>,
    pub display_name: Option<String>,
    /// False means out: no sign-in, no live session, no token.
    pub active: bool,
    /// A role of the application's catalogue.
    pub role: String,
    /// `attribute`, `missing` or `unknown`: see [`crate::role::RoleReason`].
    pub role_reason: String,
    /// The NameID to which sign-ins of this account are bound, once there was one.
    pub name_id: Option<String>,
    /// The SCIM document as the identity provider sent it, without what the gateway computes.
    pub document: Value,
}

/// An account as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    pub id: AccountId,
    pub user_id: UserId,
    pub connection_id: ConnectionId,
    pub profile: Profile,
    /// Counts changes; the SCIM ETag.
    pub version: i64,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
}
