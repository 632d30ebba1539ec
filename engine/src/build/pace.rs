//! How many tasks workers are given ahead, so that they go on while the deciding thread writes down
//! what it knows, which waits for the disk.

use std::time::Duration;

use rustc_hash::FxHashMap;

/// About so much work is given ahead.
const AHEAD: Duration = Duration::from_millis(40);
/// So many tasks for each that may run, at most.
const MOST: usize = 16;
/// So many in all, where fewer than that may run: each has open what it is cancelled by.
const MOST_IN_ALL: usize = 64;

/// How long tasks take, as far as this build knows. What is given ahead cannot be overtaken any more,
/// and is told to have started, so only what is known to be short is.
#[derive(Default)]
pub(crate) struct Pace {
    /// By rule: how long the last task of it took.
    last: FxHashMap<String, Duration>,
}

impl Pace {
    /// Takes note of how long a task of `rule` took that ran.
    pub(crate) fn took(&mut self, rule: &str, took: Duration) {
        match self.last.get_mut(rule) {
            Some(last) => *last = took,
            None => _ = self.last.insert(rule.to_owned(), took),
        }
    }

    /// How many tasks like one of `rule` are given ahead where `jobs` may run; `before_ms` is how long
    /// that one took when it was last run, in milliseconds, and 0 if it was not.
    pub(crate) fn ahead(&self, jobs: usize, rule: &str, before_ms: u64) -> usize {
        let before = (before_ms > 0).then(|| Duration::from_millis(before_ms));
        let last = self.last.get(rule).copied();
        // It may be unlike others of its rule, and others of its rule may be unlike what it was.
        let Some(expected) = last.map(|last| before.map_or(last, |before| before.max(last))) else {
            return 0;
        };
        let most = AHEAD.as_micros() / expected.as_micros().max(1);
        let each = usize::try_from(most).map_or(MOST, |most| most.min(MOST));
        jobs.saturating_mul(each).min(jobs.max(MOST_IN_ALL))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_to_be_short_is_given_ahead() {
        let mut pace = Pace::default();
        assert_eq!([pace.ahead(1, "tts", 0), pace.ahead(1, "tts", 2)], [0, 0]);
        pace.took("tts", Duration::from_millis(10));
        assert_eq!(
            [pace.ahead(1, "tts", 0), pace.ahead(2, "tts", 2), pace.ahead(1, "clip", 0)],
            [4, 8, 0]
        );
        // This one was longer, or the others are by now.
        assert_eq!([pace.ahead(1, "tts", 20), pace.ahead(1, "tts", 60_000)], [2, 0]);
        pace.took("tts", Duration::from_secs(9));
        assert_eq!([pace.ahead(1, "tts", 0), pace.ahead(1, "tts", 2)], [0, 0]);
        pace.took("tts", Duration::from_nanos(1));
        let ahead = [1, 2, 64, 200].map(|jobs| pace.ahead(jobs, "tts", 0));
        assert_eq!(ahead, [MOST, 2 * MOST, MOST_IN_ALL, 200]);
    }
}
