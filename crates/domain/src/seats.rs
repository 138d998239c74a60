//! Seats: how many of a tenant's users an application lets in at a time, and what becomes of who comes when all are taken.
//! A user has one seat in an application, through however many connections.

use crate::refusal::Refusal;

/// What becomes of who comes when all seats are taken. Who has a seat keeps it, also when there are fewer seats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeatPolicy {
    /// They are refused.
    Refuse,
    /// They are taken in, and stay outside until it is their turn.
    Park,
    /// They get in with this role, or their own where it is lower, until it is their turn.
    FallbackRole(String),
    /// They get a seat all the same, and that is told.
    Soft,
}

/// A tenant's seats in one application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seats {
    pub limit: u32,
    /// More than the limit where it is soft, or was higher.
    pub taken: u32,
    pub policy: SeatPolicy,
}

/// Where somebody who is active stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seating {
    /// On a seat.
    Seated,
    /// In line for one.
    Waits,
}

impl Seats {
    /// Somebody comes, for whom nobody with a seat stands.
    ///
    /// # Errors
    /// [`Refusal::SeatsTaken`] where the tenant wants that.
    pub fn take(&mut self) -> Result<Seating, Refusal> {
        if self.free() == 0 && self.policy != SeatPolicy::Soft {
            return match self.policy {
                SeatPolicy::Refuse => Err(Refusal::SeatsTaken { limit: self.limit }),
                _ => Ok(Seating::Waits),
            };
        }
        self.taken += 1;
        Ok(Seating::Seated)
    }

    /// Somebody with a seat goes.
    pub fn give_back(&mut self) {
        self.taken = self.taken.saturating_sub(1);
    }

    /// How many of those who wait can be let in.
    pub fn free(&self) -> u32 {
        match self.policy {
            SeatPolicy::Soft => u32::MAX,
            _ => self.limit.saturating_sub(self.taken),
        }
    }

    /// Whether who waits stays outside.
    pub fn keeps_out(&self) -> bool {
        !matches!(self.policy, SeatPolicy::FallbackRole(_))
    }
}

impl SeatPolicy {
    /// The names of all.
    pub const NAMES: [&str; 4] = ["refuse", "park", "fallback-role", "soft"];

    /// The policy as it is stored and given.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Park => "park",
            Self::FallbackRole(_) => "fallback-role",
            Self::Soft => "soft",
        }
    }

    /// The policy of that name; with the role that one of them has.
    pub fn read(name: &str, fallback: Option<&str>) -> Option<Self> {
        match (name, fallback) {
            ("refuse", None) => Some(Self::Refuse),
            ("park", None) => Some(Self::Park),
            ("soft", None) => Some(Self::Soft),
            ("fallback-role", Some(role)) => Some(Self::FallbackRole(role.to_owned())),
            _ => None,
        }
    }

    /// The role of who waits.
    pub fn fallback(&self) -> Option<&str> {
        match self {
            Self::FallbackRole(role) => Some(role),
            _ => None,
        }
    }
}
