//! Chance from a seed: one stream a purpose, so that a change of one leaves the others as they were.

use std::time::Duration;

use kafka_proto::machine::backoff::Random;

/// A stream of decisions.
#[derive(Clone, Debug)]
pub struct Chance(Random);

impl Chance {
    /// The stream of `seed` for one purpose.
    pub fn new(seed: u64, purpose: &str) -> Self {
        let hash = purpose.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, b| {
            (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(Random::new(seed ^ hash))
    }

    /// The `nth` stream of `seed` for one purpose.
    pub(super) fn nth(seed: u64, purpose: &str, nth: u64) -> Self {
        // an odd factor, so that no two streams of a purpose are the same
        Self::new(
            seed ^ nth.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15),
            purpose,
        )
    }

    /// A number below `bound`; 0 for a bound of 0.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0.below(bound as u64) as usize
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// A time from `low` to `high`, in whole microseconds.
    pub fn time(&mut self, low: Duration, high: Duration) -> Duration {
        let spread = high.saturating_sub(low).as_micros() as u64;
        low + Duration::from_micros(self.0.below(spread + 1))
    }

    /// A time whose mean is `mean`: 1 us to twice as much.
    pub fn about(&mut self, mean: Duration) -> Duration {
        self.time(Duration::from_micros(1), 2 * mean)
    }

    /// Whether what happens `count` times in 1,000 happens now.
    pub fn per_mille(&mut self, count: u32) -> bool {
        count > 0 && self.0.below(1_000) < u64::from(count)
    }

    /// One of `all`, which is not empty.
    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// 64 random bits, to seed something else.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }
}
