//! Facts for the outbox: appended in the transaction that made them true.
//! Data holds ids, codes, counts and names of roles; people's names and addresses stay in the tables that are
//! erased with their user.

use crate::ids::{AccountId, ConnectionId, GroupId, InvitationId, SessionId, TenantId, TokenId, UserId};
use serde_json::{Value, json};
use uuid::Uuid;

/// What happened, in the dotted names that the vendor's app will see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    TenantCreated,
    TenantUpdated,
    TenantExported,
    TenantSignInChanged,
    TenantSuspended,
    TenantResumed,
    DomainVerified,
    DomainVerificationFailed,
    DomainLost,
    DomainTransferred,
    DomainRemoved,
    ConnectionCreated,
    ConnectionUpdated,
    ConnectionSuspended,
    ConnectionResumed,
    ConnectionRemoved,
    ConnectionRestored,
    ConnectionDeleted,
    MetadataFailed,
    CertificateExpiring,
    CertificateExpired,
    CertificateRotated,
    CertificateSeen,
    TokenCreated,
    TokenRevoked,
    UserCreated,
    UserLinked,
    UserParked,
    UserUnparked,
    UserMerged,
    UserSplit,
    UserImported,
    UserUpdated,
    UserRoleChanged,
    UserDeactivated,
    UserReactivated,
    UserPasswordChanged,
    UserDeleted,
    UserErased,
    UserSignInMoved,
    GroupCreated,
    GroupUpdated,
    GroupDeleted,
    GroupMembersChanged,
    InvitationCreated,
    InvitationSent,
    InvitationBounced,
    InvitationAccepted,
    InvitationRevoked,
    InvitationSuperseded,
    SeatLimitReached,
    SeatLimitExceeded,
    SessionCreated,
    SessionRevoked,
    LoginFailed,
    BreakGlassUsed,
    BreakGlassCreated,
    BreakGlassRevoked,
    ProvisioningFailed,
    ProvisioningRecovered,
    MassChangePaused,
    MassChangeResumed,
}

impl EventKind {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TenantCreated => "tenant.created",
            Self::TenantUpdated => "tenant.updated",
            Self::TenantExported => "tenant.exported",
            Self::TenantSignInChanged => "tenant.sign_in_changed",
            Self::TenantSuspended => "tenant.suspended",
            Self::TenantResumed => "tenant.resumed",
            Self::DomainVerified => "domain.verified",
            Self::DomainVerificationFailed => "domain.verification_failed",
            Self::DomainLost => "domain.lost",
            Self::DomainTransferred => "domain.transferred",
            Self::DomainRemoved => "domain.removed",
            Self::ConnectionCreated => "connection.created",
            Self::ConnectionUpdated => "connection.updated",
            Self::ConnectionSuspended => "connection.suspended",
            Self::ConnectionResumed => "connection.resumed",
            Self::ConnectionRemoved => "connection.removed",
            Self::ConnectionRestored => "connection.restored",
            Self::ConnectionDeleted => "connection.deleted",
            Self::MetadataFailed => "connection.metadata.failed",
            Self::CertificateExpiring => "connection.certificate.expiring",
            Self::CertificateExpired => "connection.certificate.expired",
            Self::CertificateRotated => "connection.certificate.rotated",
            Self::CertificateSeen => "connection.certificate.untrusted_seen",
            Self::TokenCreated => "directory.token_created",
            Self::TokenRevoked => "directory.token_revoked",
            Self::UserCreated => "user.created",
            Self::UserLinked => "user.linked",
            Self::UserParked => "user.parked",
            Self::UserUnparked => "user.unparked",
            Self::UserMerged => "user.merged",
            Self::UserSplit => "user.split",
            Self::UserImported => "user.imported",
            Self::UserUpdated => "user.updated",
            Self::UserRoleChanged => "user.role_changed",
            Self::UserDeactivated => "user.deactivated",
            Self::UserReactivated => "user.reactivated",
            Self::UserPasswordChanged => "user.password_changed",
            Self::UserDeleted => "user.deleted",
            Self::UserErased => "user.erased",
            Self::UserSignInMoved => "user.sign_in_moved",
            Self::GroupCreated => "group.created",
            Self::GroupUpdated => "group.updated",
            Self::GroupDeleted => "group.deleted",
            Self::GroupMembersChanged => "group.members_changed",
            Self::InvitationCreated => "invitation.created",
            Self::InvitationSent => "invitation.sent",
            Self::InvitationBounced => "invitation.bounced",
            Self::InvitationAccepted => "invitation.accepted",
            Self::InvitationRevoked => "invitation.revoked",
            Self::InvitationSuperseded => "invitation.superseded",
            Self::SeatLimitReached => "seat.limit_reached",
            Self::SeatLimitExceeded => "seat.limit_exceeded",
            Self::SessionCreated => "session.created",
            Self::SessionRevoked => "session.revoked",
            Self::LoginFailed => "login.failed",
            Self::BreakGlassUsed => "break_glass.used",
            Self::BreakGlassCreated => "break_glass.created",
            Self::BreakGlassRevoked => "break_glass.revoked",
            Self::ProvisioningFailed => "provisioning.failed",
            Self::ProvisioningRecovered => "provisioning.recovered",
            Self::MassChangePaused => "provisioning.paused_mass_change",
            Self::MassChangeResumed => "provisioning.resumed",
        }
    }
}

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    Tenant(TenantId),
    Connection(ConnectionId),
    Token(TokenId),
    User(UserId),
    Account(AccountId),
    Group(GroupId),
    Session(SessionId),
    Invitation(InvitationId),
}

impl Subject {
    /// The subject's id.
    pub fn id(self) -> Uuid {
        match self {
            Self::Tenant(id) => id.0,
            Self::Connection(id) => id.0,
            Self::Token(id) => id.0,
            Self::User(id) => id.0,
            Self::Account(id) => id.0,
            Self::Group(id) => id.0,
            Self::Session(id) => id.0,
            Self::Invitation(id) => id.0,
        }
    }

    /// The subject's noun.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Tenant(_) => "tenant",
            Self::Connection(_) => "connection",
            Self::Token(_) => "token",
            Self::User(_) => "user",
            Self::Account(_) => "account",
            Self::Group(_) => "group",
            Self::Session(_) => "session",
            Self::Invitation(_) => "invitation",
        }
    }
}

/// One fact.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub kind: EventKind,
    pub subject: Subject,
    pub data: Value,
}

impl Event {
    /// A fact that needs no more words.
    pub fn new(kind: EventKind, subject: Subject) -> Self {
        Self { kind, subject, data: json!({}) }
    }

    /// A fact with details: ids, codes and counts only.
    pub fn with(kind: EventKind, subject: Subject, data: Value) -> Self {
        Self { kind, subject, data }
    }
}
