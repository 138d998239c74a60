//! How long a browser stays signed in, and why a session ended.

use time::{Duration, OffsetDateTime};

/// How long sessions last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest that one lasts when the identity provider sets no earlier end.
    pub absolute: Duration,
    /// The longest that nobody uses one.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { absolute: Duration::hours(12), idle: Duration::hours(2) }
    }
}

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
    /// Somebody with a shell on the gateway ended it.
    Revoked,
    /// The password that had proven it is another now, or is not kept any more.
    PasswordChanged,
    /// The connection or its tenant was suspended.
    Suspended,
    /// The connection was removed.
    ConnectionRemoved,
    /// The identity provider wants everything of the user to end (Okta's Universal Logout).
    UniversalLogout,
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
            Self::Revoked => "revoked",
            Self::PasswordChanged => "password_changed",
            Self::Suspended => "suspended",
            Self::ConnectionRemoved => "connection_removed",
            Self::UniversalLogout => "universal_logout",
        }
    }

    /// Whether somebody else than the user wanted it.
    pub fn is_taken_away(self) -> bool {
        !matches!(self, Self::Replaced | Self::SignedOut)
    }
}

/// The end of a session that begins now: the identity provider's limit, and the application's at most.
pub fn expires_at(
    now: OffsetDateTime,
    limits: Limits,
    session_not_on_or_after: Option<OffsetDateTime>,
) -> OffsetDateTime {
    let latest = now + limits.absolute;
    session_not_on_or_after.map_or(latest, |limit| limit.min(latest))
}

/// When a session that is used now is over if nobody uses it again; nothing where that would put it off by less than a tenth,
/// so that not every use is written down.
pub fn idle_until(now: OffsetDateTime, limits: Limits, before: OffsetDateTime) -> Option<OffsetDateTime> {
    let until = now + limits.idle;
    (until - before > limits.idle / 10).then_some(until)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    #[test]
    fn a_session_ends_with_the_identity_providers_limit_or_the_applications() {
        let limits = Limits::default();
        assert_eq!(expires_at(NOW, limits, None), NOW + Duration::hours(12));
        assert_eq!(expires_at(NOW, limits, Some(NOW + Duration::hours(1))), NOW + Duration::hours(1));
        assert_eq!(expires_at(NOW, limits, Some(NOW + Duration::days(30))), NOW + Duration::hours(12));
    }

    #[test]
    fn a_use_puts_the_end_off_but_is_not_written_down_each_time() {
        let limits = Limits::default();
        let first = NOW + limits.idle;
        assert_eq!(idle_until(NOW + Duration::minutes(11), limits, first), None);
        let later = NOW + Duration::minutes(13);
        assert_eq!(idle_until(later, limits, first), Some(later + limits.idle));
    }
}
