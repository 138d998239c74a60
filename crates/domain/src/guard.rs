//! When a sync takes so many people out at once that somebody is asked first.

use time::Duration;

/// The time in which departures are counted together.
pub const WINDOW: Duration = Duration::HOUR;

/// How long an approval lasts.
pub const APPROVAL: Duration = Duration::hours(24);

/// Departures that are never too many: a small organization may lose half of its people on one day.
pub const FEW: u32 = 20;

/// The usual share, in per cent; 0 asks nobody.
pub const USUAL_PERCENT: u8 = 50;

/// Departures of a connection within one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Departures {
    /// Users who were active when it began.
    pub there: u32,
    /// Those who went since.
    pub gone: u32,
}

impl Departures {
    /// Whether one more is too many for a guard of so many per cent.
    pub fn is_mass(self, percent: u8) -> bool {
        let next = u64::from(self.gone) + 1;
        percent > 0 && next > u64::from(FEW) && next * 100 > u64::from(self.there) * u64::from(percent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_few_may_always_go_and_a_share_may() {
        let is_mass = |there, gone, percent| Departures { there, gone }.is_mass(percent);
        for (there, gone, percent, mass) in [
            (10, 9, 50, false),
            (30, 19, 50, false),
            (30, 20, 50, true),
            (100, 49, 50, false),
            (100, 50, 50, true),
            (100, 99, 100, false),
            (100, 99, 0, false),
            (1_000_000, 300_000, 30, true),
            (0, u32::MAX, 100, true),
        ] {
            assert_eq!(is_mass(there, gone, percent), mass, "{gone} of {there} at {percent} %");
        }
    }

    proptest! {
        #[test]
        fn never_more_than_the_share_or_the_few_go(there in 0u32..5_000, percent in 1u8..=100) {
            let mut departures = Departures { there, gone: 0 };
            while departures.gone < there && !departures.is_mass(percent) {
                departures.gone += 1;
            }
            let most = (u64::from(there) * u64::from(percent) / 100).max(u64::from(FEW)).min(u64::from(there));
            prop_assert_eq!(u64::from(departures.gone), most);
        }
    }
}
