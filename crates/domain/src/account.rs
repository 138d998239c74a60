//! An account: a user in one connection, as the identity provider keeps it.

use crate::{
    email::Email,
    ids::{AccountId, ConnectionId, UserId},
    names::UserName,
    role::{Asserted, Claims, RoleReason},
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
    /// Why it is that one.
    pub role_basis: RoleBasis,
    /// The NameID to which sign-ins of this account are bound, once there was one.
    pub name_id: Option<String>,
    /// The SCIM document as the identity provider sent it, without what the gateway computes.
    pub document: Value,
}

/// Why an account waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parked {
    /// For somebody to say whether it is this user's.
    Link(UserId),
    /// For a seat.
    Seat,
    /// For its connection to go live; until then it is nobody's.
    Shadow,
}

/// What decided about an account's role, and what else was said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleBasis {
    pub reason: RoleReason,
    /// The roles that SCIM sent; `None` in rows of older versions, where the document tells.
    pub attribute: Option<Vec<String>>,
    /// What the last sign-in asserted.
    pub assertion: Asserted,
    /// Whether the role is the application's highest.
    pub is_highest: bool,
}

impl RoleBasis {
    /// What the account itself says of its role, beside the groups that it is in and whether it waits for a seat.
    pub fn claims(&self, rule: Option<usize>, waits: bool) -> Claims {
        let attribute = self.attribute.clone().unwrap_or_default();
        Claims { attribute, rule, assertion: self.assertion.clone(), waits }
    }

    /// Whether nothing changes with `other` but what an older version did not keep.
    pub fn is_like(&self, other: &Self) -> bool {
        self == other || (self.attribute.is_none() && self.assertion == other.assertion && self.has_reason_of(other))
    }

    /// Whether the reason is the same, as far as an older version kept it.
    pub fn has_reason_of(&self, other: &Self) -> bool {
        self.reason == other.reason || (self.attribute.is_none() && self.reason.word() == other.reason.word())
    }
}

/// An account as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    pub id: AccountId,
    pub user_id: UserId,
    pub connection_id: ConnectionId,
    pub profile: Profile,
    /// Why the account cannot be used yet, although the identity provider has it active.
    pub parked: Option<Parked>,
    /// Since when it has been in line for a seat: outside, or with a lower role.
    pub waits_since: Option<OffsetDateTime>,
    /// Counts changes; the SCIM ETag.
    pub version: i64,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
}
