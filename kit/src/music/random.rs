//! Chance that can be repeated: SplitMix64 (Steele, Lea and Flood, 2014). From a seed it goes on by
//! adding 0x9e3779b97f4a7c15, and mixes each state with two multiplications into a number.

/// A sequence of numbers that follows from its seed.
pub(crate) struct Chance {
    state: u64,
}

impl Chance {
    /// The sequence of `seed`; each `purpose` has its own, so that one part of a piece does not
    /// change with the length of another.
    pub(crate) fn of(seed: u64, purpose: &str) -> Self {
        let mut chance = Self { state: seed };
        for byte in purpose.bytes() {
            chance.state = chance.next() ^ u64::from(byte);
        }
        chance
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0; what of 2^64 does not divide is too little to hear.
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        (self.next() % u64::from(end.max(1))) as u32
    }

    /// A number from `-most` to `most`.
    pub(crate) fn around(&mut self, most: u8) -> i32 {
        self.below(u32::from(most) * 2 + 1) as i32 - i32::from(most)
    }

    /// True in `percent` of cases.
    pub(crate) fn happens(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    /// One of `things`, which are some.
    pub(crate) fn pick<'t, T>(&mut self, things: &'t [T]) -> &'t T {
        &things[self.below(things.len() as u32) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_that_of_the_paper() {
        let mut chance = Chance { state: 1_234_567 };
        assert_eq!(chance.next(), 6_457_827_717_110_365_317);
        assert_eq!(chance.next(), 3_203_168_211_198_807_973);
    }
}
