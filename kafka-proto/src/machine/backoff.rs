//! Pauses between attempts: doubling, bounded, with jitter from a seed.

use std::time::Duration;

pub use crate::random::Random;

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
