//! When to tell that a certificate ends: early, again and again, and each time once.

use time::{Duration, OffsetDateTime};

/// Days before the end on which somebody is told; 0 is the end itself.
pub const DAYS: [u16; 7] = [90, 60, 30, 14, 7, 1, 0];

/// Of which of [`DAYS`] to tell now, if that is nearer to the end than what was `told` last.
pub fn due(ends_at: OffsetDateTime, now: OffsetDateTime, told: Option<u16>) -> Option<u16> {
    let reached = DAYS.into_iter().rfind(|days| now >= moment(ends_at, *days))?;
    told.is_none_or(|told| reached < told).then_some(reached)
}

/// When the next of [`DAYS`] comes.
pub fn next(ends_at: OffsetDateTime, now: OffsetDateTime) -> Option<OffsetDateTime> {
    DAYS.into_iter().map(|days| moment(ends_at, days)).find(|moment| *moment > now)
}

fn moment(ends_at: OffsetDateTime, days: u16) -> OffsetDateTime {
    ends_at.saturating_sub(Duration::days(days.into()))
}

#[cfg(test)]
mod tests {
    use super::{DAYS, due, next};
    use proptest::prelude::*;
    use time::{Duration, OffsetDateTime, macros::datetime};

    const END: OffsetDateTime = datetime!(2027-03-01 12:00 UTC);

    #[test]
    fn each_mark_is_told_when_it_is_reached_and_not_twice() {
        let before = |days, told| due(END, END - Duration::days(days), told);
        assert_eq!(before(91, None), None);
        assert_eq!(before(90, None), Some(90));
        assert_eq!(before(90, Some(90)), None);
        assert_eq!(before(61, Some(90)), None);
        assert_eq!(before(60, Some(90)), Some(60));
        assert_eq!(before(0, Some(1)), Some(0));
        assert_eq!(before(-400, Some(0)), None);
    }

    #[test]
    fn who_comes_late_is_told_of_the_nearest_mark_only() {
        assert_eq!(due(END, END - Duration::days(8), None), Some(14));
        assert_eq!(due(END, END + Duration::DAY, Some(90)), Some(0));
    }

    proptest! {
        /// Whoever looks again when `next` says so misses no mark, and looks a bounded number of times.
        #[test]
        fn looking_at_the_next_moment_tells_of_every_mark(early in 0i64..40_000_000) {
            let (mut now, mut told, mut all) = (END - Duration::days(91) - Duration::seconds(early), None, Vec::new());
            while let Some(then) = next(END, now) {
                now = then;
                told = due(END, now, told).or(told);
                all.extend(told);
            }
            prop_assert_eq!(all, DAYS);
        }
    }
}
