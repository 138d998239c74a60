//! The business "no": a stable code and a sentence that the customer's IT admin can act on.

use crate::ids::UserId;
use thiserror::Error;

/// Why something the caller asked for will not be done, and what to change so that it will.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    #[error(
        "userName must have 1 to 256 characters and no control characters; map it to the user's e-mail or login in the identity provider"
    )]
    UserNameInvalid,
    #[error(
        "another user of this connection already has the userName \"{user_name}\"; change the userName of one of the two in the identity provider, or remove the older assignment"
    )]
    UserNameTaken { user_name: String },
    #[error(
        "another group of this connection is already called \"{display_name}\"; link the existing group in the identity provider (Push Groups > Link Group) or rename one of the two"
    )]
    GroupNameTaken { display_name: String },
    #[error(
        "\"{address}\" is the address of somebody in the application already (user {user}), and your organization does not link accounts by address; have the application's operator link the two, or change one of the addresses"
    )]
    AddressTaken { address: String, user: UserId },
    #[error(
        "the user has no {label} ({attribute}), which your organization requires; fill it in in the identity provider, check that it is sent (Okta: Provisioning > To App > Attribute Mappings, or for single sign-on the SAML attribute statements), then try again"
    )]
    AttributeMissing { label: &'static str, attribute: &'static str },
    #[error(
        "{attribute} has the character \"{character}\", which your organization does not allow; correct it in the identity provider, then try again"
    )]
    CharacterForbidden { attribute: &'static str, character: char },
    #[error("\"{value}\" is not an e-mail address; correct the user's primary e-mail in the identity provider")]
    EmailInvalid { value: String },
    #[error("\"{slug}\" cannot be a short name; use 1 to 63 of a-z, 0-9 and inner hyphens")]
    SlugInvalid { slug: String },
    #[error(
        "\"{domain}\" is not a domain name; write it like example.com, and other letters than a-z as DNS has them (xn--...)"
    )]
    DomainInvalid { domain: String },
    #[error(
        "\"{domain}\" is a public suffix, below which others have their names; give the organization's own name, like example.com"
    )]
    DomainPublic { domain: String },
    #[error(
        "everybody can have an address at \"{domain}\", so it is no organization's; give a domain that only it uses"
    )]
    DomainFreeMail { domain: String },
    #[error(
        "\"{domain}\" belongs to another organization, whose proof stands; remove its TXT record if the domain is yours now and try again, or ask the application's vendor to transfer it"
    )]
    DomainTaken { domain: String },
    #[error(
        "{problem}; publish one there with the text \"{value}\", wait until your DNS provider shows it to everybody, then try again"
    )]
    DomainUnproven { problem: String, value: String },
    #[error("it could not be found out whose {domain} is: {problem}")]
    DomainSilent { domain: String, problem: String },
    #[error("\"{name}\" is taken; choose another name or show the existing one")]
    NameTaken { name: String },
    #[error(
        "an application needs at least one role, each of 1 to 64 characters and named once; the last one is the default"
    )]
    RolesInvalid,
    #[error(
        "this is the last active administrator of the application, and your organization asked to keep one; make somebody else an administrator first, then try again"
    )]
    LastAdministrator,
    #[error("{problem}")]
    RulesInvalid { problem: String },
    #[error("{what}: {problem}")]
    UriInvalid { what: &'static str, problem: String },
    #[error("{problem}")]
    AttributeInvalid { problem: String },
    #[error(
        "users have values of \"{name}\"; remove its mapping in the identity provider and push the users again, then remove the attribute"
    )]
    AttributeUsed { name: String },
    #[error(
        "the connection has {most} keys; retire those that no identity provider uses any more, then make the next one"
    )]
    KeysTooMany { most: usize },
    #[error(
        "this key is in use: it signs, or it is the one to encrypt for; make the key that follows it, and retire this one when that is in use"
    )]
    KeyInUse,
    #[error(
        "more than {percent} % of the users would be out within an hour, so nobody else goes until that is confirmed; if it is meant, ask the application's vendor to confirm it, otherwise check the assignments in the identity provider"
    )]
    MassChange { percent: u8 },
    #[error("it is not confirmed yet whose account this is; ask your IT admin to have it confirmed")]
    UserParked,
    #[error(
        "all {limit} seats of your organization are taken; deactivate or unassign somebody who does not need the application, or ask its vendor for more seats, then try again (Okta: Dashboard > Tasks > Retry Selected)"
    )]
    SeatsTaken { limit: u32 },
    #[error(
        "all seats of your organization are taken, and you are in line for the next one; ask your IT admin for a seat"
    )]
    SeatAwaited,
    #[error(
        "the two have accounts in the same connection, and a user has one in each; remove one of the accounts first"
    )]
    UsersOverlap,
    #[error(
        "this account is tied to somebody already, so the link cannot tie it to you; sign in from the application, or ask its vendor to merge the two"
    )]
    LinkImpossible,
    #[error("{problem}")]
    ChangeImpossible { problem: String },
    #[error("nobody with this identity has been assigned to the application; ask your IT admin to assign you")]
    UserUnknown,
    #[error("this account is deactivated; ask your IT admin to assign you to the application again")]
    UserDeactivated,
    #[error(
        "this account belongs to another identity at the identity provider; ask your IT admin to check the user's Application username"
    )]
    AccountBound,
    #[error(
        "SCIM keeps the users of this connection, so an invitation would change nothing; have the person assigned to the application in the identity provider"
    )]
    ScimLive,
    #[error("the invitation has expired; ask for a new one")]
    InvitationExpired,
    #[error("the invitation has been used")]
    InvitationUsed,
    #[error("the invitation was withdrawn; ask for a new one")]
    InvitationWithdrawn,
}

impl Refusal {
    /// The stable code: documented, searchable, never reused.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UserNameInvalid => "GH-USR-001",
            Self::UserNameTaken { .. } => "GH-USR-002",
            Self::EmailInvalid { .. } => "GH-USR-003",
            Self::UserUnknown => "GH-USR-004",
            Self::UserDeactivated => "GH-USR-005",
            Self::AccountBound => "GH-USR-006",
            Self::AddressTaken { .. } => "GH-USR-007",
            Self::UserParked => "GH-USR-008",
            Self::UsersOverlap => "GH-USR-009",
            Self::ChangeImpossible { .. } => "GH-USR-010",
            Self::LinkImpossible => "GH-USR-013",
            Self::SeatsTaken { .. } => "GH-SEA-001",
            Self::SeatAwaited => "GH-SEA-002",
            Self::MassChange { .. } => "GH-GRD-001",
            Self::AttributeMissing { .. } => "GH-USR-011",
            Self::CharacterForbidden { .. } => "GH-USR-012",
            Self::GroupNameTaken { .. } => "GH-GRP-001",
            Self::SlugInvalid { .. } => "GH-CFG-001",
            Self::DomainInvalid { .. } => "GH-CFG-002",
            Self::DomainPublic { .. } => "GH-DOM-001",
            Self::DomainFreeMail { .. } => "GH-DOM-002",
            Self::DomainTaken { .. } => "GH-DOM-003",
            Self::DomainUnproven { .. } => "GH-DOM-004",
            Self::DomainSilent { .. } => "GH-DOM-005",
            Self::NameTaken { .. } => "GH-CFG-003",
            Self::RolesInvalid => "GH-CFG-004",
            Self::UriInvalid { .. } => "GH-CFG-005",
            Self::AttributeInvalid { .. } => "GH-CFG-006",
            Self::AttributeUsed { .. } => "GH-CFG-007",
            Self::KeysTooMany { .. } => "GH-CFG-008",
            Self::KeyInUse => "GH-CFG-009",
            Self::LastAdministrator => "GH-ROL-002",
            Self::RulesInvalid { .. } => "GH-CFG-010",
            Self::InvitationExpired => "GH-INV-001",
            Self::InvitationUsed => "GH-INV-002",
            Self::InvitationWithdrawn => "GH-INV-003",
            Self::ScimLive => "GH-INV-004",
        }
    }
}
