//! Pauses between attempts: doubling, bounded, with jitter from a seed.

use std::time::Duration;

/// A small generator of random numbers (xorshift64*): the same seed gives the same run.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Starts with `seed`.
    pub fn new(seed: u64) -> Self {
        // splitmix64, so that near seeds do not begin alike; zero would stay zero
        let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self((z ^ (z >> 31)) | 1)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound`; 0 for a bound of 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }
}

/// The pause before attempt `n + 1`, where `n` attempts have failed: `first` doubled `n - 1` times, at most `most`, give
/// or take a fifth.
pub fn pause(failed: u32, (first, most): (Duration, Duration), random: &mut Random) -> Duration {
    let doubled = first.saturating_mul(1 << failed.saturating_sub(1).min(20));
    let base = doubled.min(most);
    base.mul_f64(0.8 + random.below(400) as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_their_limit_and_repeat_with_the_seed() {
        let limits = (Duration::from_millis(50), Duration::from_secs(1));
        let run = |seed| {
            (1..40)
                .map(|n| pause(n, limits, &mut Random::new(seed)))
                .collect::<Vec<_>>()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
        for (n, base) in [(1, 50), (2, 100), (5, 800), (6, 1000), (39, 1000)] {
            let pause = run(3)[n - 1].as_millis();
            assert!(
                (base * 8 / 10..=base * 12 / 10).contains(&pause),
                "{n}: {pause}"
            );
        }
    }
}
