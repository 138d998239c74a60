//! What becomes of a connection that is removed, and of its users.

use time::{Duration, OffsetDateTime};

/// For how long a removal can be undone.
pub const UNDO: Duration = Duration::days(30);

/// What becomes of the users of a connection that is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// They stay known to the application, and sign in otherwise.
    Keep,
    /// The same, and they are invited into another connection.
    Invite,
    /// They are out, and stay known to the application.
    Deactivate,
    /// They are out, and are deleted when the removal cannot be undone any more.
    Delete,
}

impl Fate {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Keep, Self::Invite, Self::Deactivate, Self::Delete];

    /// The fate as it is stored and given.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Invite => "invite",
            Self::Deactivate => "deactivate",
            Self::Delete => "delete",
        }
    }

    /// The fate of that name.
    pub fn read(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fate| fate.as_str() == name)
    }

    /// Whether the application is told that the users are out.
    pub fn takes_out(self) -> bool {
        matches!(self, Self::Deactivate | Self::Delete)
    }

    /// Whether the application goes on knowing them when the removal cannot be undone any more.
    pub fn keeps_users(self) -> bool {
        self != Self::Delete
    }
}

/// Until when a removal of that time can be undone.
pub fn undo_until(removed_at: OffsetDateTime) -> OffsetDateTime {
    removed_at + UNDO
}
