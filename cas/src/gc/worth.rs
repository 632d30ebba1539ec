//! Which result is missed least, by age, work and size.

use std::time::Duration;

/// What a file takes at least, so that removing tiny ones is not thought to free anything.
const BLOCK: u128 = 4096;
const MIB: u128 = 1024 * 1024;

/// How little something is missed: what has more of it goes first.
///
/// It is `age / (1 + seconds of work per MiB)`, so what took ten minutes and ten MiB is kept as if
/// it had been used 61 times as recently, and what took no work counts by its age alone. In whole
/// numbers, so that the order is the same everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Dispensable(u128);

impl Dispensable {
    /// Of what was last used `age` ago, took `work` to make and frees `bytes` if it goes.
    pub(super) fn of(age: Duration, work: Duration, bytes: u64) -> Self {
        let work_for_mib = work.as_millis() * MIB / u128::from(bytes).max(BLOCK);
        // A thousand for the milliseconds, another so that short ages differ.
        Self(age.as_millis() * 1_000_000 / (1000 + work_for_mib))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const DAY: Duration = Duration::from_hours(24);
    const CLIP: u64 = 10 << 20;

    #[test]
    fn a_clip_that_took_ten_minutes_outlives_one_that_took_a_second() {
        let slow = Dispensable::of(30 * DAY, 600 * SECOND, CLIP);
        assert!(slow < Dispensable::of(DAY, SECOND, CLIP));
        assert!(slow > Dispensable::of(DAY / 10, SECOND, CLIP));
    }

    #[test]
    fn of_equal_work_what_is_larger_goes_first() {
        let small = Dispensable::of(DAY, 60 * SECOND, CLIP);
        assert!(small < Dispensable::of(DAY, 60 * SECOND, 10 * CLIP));
    }

    #[test]
    fn what_took_no_work_goes_by_age() {
        let young = Dispensable::of(SECOND, Duration::ZERO, CLIP);
        assert!(young < Dispensable::of(2 * SECOND, Duration::ZERO, 1));
    }

    #[test]
    fn no_figures_are_too_large() {
        let most = Duration::from_millis(u64::MAX);
        assert_eq!(Dispensable::of(most, Duration::ZERO, 0).0, u128::from(u64::MAX) * 1000);
        assert_eq!(Dispensable::of(Duration::ZERO, most, 0), Dispensable(0));
    }
}
