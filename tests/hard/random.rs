//! Random numbers that a seed repeats, and where seeds and counts come from.

use std::env;
use std::hash::{BuildHasher, RandomState};

/// A generator (splitmix64): small, and the same for the same seed everywhere.
pub(crate) struct Random(u64);

impl Random {
    /// One that repeats what it did for `seed`.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    /// One of `choices`.
    pub(crate) fn choose<'c, T>(&mut self, choices: &'c [T]) -> &'c T {
        &choices[self.below(choices.len())]
    }
}

/// The number in the variable `name`, so that a run can be repeated or made longer.
pub(crate) fn number(name: &str) -> Option<u64> {
    let text = env::var_os(name)?;
    let number = text.to_str().and_then(|text| text.parse().ok());
    Some(number.unwrap_or_else(|| panic!("`{name}` is not a number: {}", text.display())))
}

/// The seed in `VWFB_SEED`, else another one each time.
pub(crate) fn seed() -> u64 {
    number("VWFB_SEED").unwrap_or_else(|| RandomState::new().hash_one(0))
}

/// Tells how to run a test again, should it fail.
pub(crate) struct Replay(pub(crate) String);

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            crate::world::tell(&format!("to repeat: {}", self.0));
        }
    }
}
