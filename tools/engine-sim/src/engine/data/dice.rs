//! Numbers that look thrown and are the same at every start.

/// A `SplitMix64` sequence.
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `sides`, or 0 when there are none.
    pub(super) fn below(&mut self, sides: u32) -> u32 {
        let wide = self.next() >> 32;
        u32::try_from((wide * u64::from(sides)) >> 32).unwrap_or(0)
    }

    /// A number from `low` up to and without `high`.
    pub(super) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high - low)
    }

    /// One of `choices`, which must not be empty.
    pub(super) fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        let sides = u32::try_from(choices.len()).unwrap_or(u32::MAX);
        &choices[usize::try_from(self.below(sides)).unwrap_or(0)]
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
