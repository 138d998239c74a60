//! How long a browser stays signed in, and why a session ended.

use time::{Duration, OffsetDateTime};

/// The longest a session lasts when the identity provider sets no earlier end.
pub const ABSOLUTE_LIFETIME: Duration = Duration::hours(12);

/// Why a session ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// The account was deactivated.
    Deactivated,
    /// The account was deleted.
    Deleted,
    /// The user signed in again in the same browser.
    Replaced,
    /// The user signed out here.
    SignedOut,
    /// The identity provider said that the user signed out there.
    LoggedOut,
    /// The account is another user's now.
    OtherUser,
    /// The account waits outside for a seat.
    SeatAwaited,
}

impl EndReason {
    /// The reason as stored and told in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deactivated => "deactivated",
            Self::Deleted => "deleted",
            Self::Replaced => "replaced",
            Self::SignedOut => "signed_out",
            Self::LoggedOut => "logged_out",
            Self::OtherUser => "other_user",
            Self::SeatAwaited => "seat_awaited",
        }
    }
}

/// The end of a session that begins now: the identity provider's limit, twelve hours at most.
pub fn expires_at(now: OffsetDateTime, session_not_on_or_after: Option<OffsetDateTime>) -> OffsetDateTime {
    let latest = now + ABSOLUTE_LIFETIME;
    session_not_on_or_after.map_or(latest, |limit| limit.min(latest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_with_the_identity_providers_limit_or_after_twelve_hours() {
        let now = OffsetDateTime::UNIX_EPOCH;
        assert_eq!(expires_at(now, None), now + Duration::hours(12));
        assert_eq!(expires_at(now, Some(now + Duration::hours(1))), now + Duration::hours(1));
        assert_eq!(expires_at(now, Some(now + Duration::days(30))), now + Duration::hours(12));
    }
}
