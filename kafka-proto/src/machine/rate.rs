//! Keeps what a broken network repeats from flooding logs.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Lets each key through once in a while, and counts what it held back.
#[derive(Clone, Debug)]
pub struct RateLimit<K> {
    period: Duration,
    last: BTreeMap<K, (Instant, u64)>,
}

impl<K: Ord> RateLimit<K> {
    /// Once in `period` for each key.
    pub fn new(period: Duration) -> Self {
        Self {
            period,
            last: BTreeMap::new(),
        }
    }

    /// Whether `key` may pass now; then how many did not since it last did.
    pub fn admit(&mut self, key: K, now: Instant) -> Option<u64> {
        let period = self.period;
        let is_over = |at: &Instant| now.saturating_duration_since(*at) >= period;
        match self.last.get_mut(&key) {
            Some((at, held_back)) if is_over(at) => {
                *at = now;
                Some(std::mem::take(held_back))
            }
            Some((_, held_back)) => {
                *held_back += 1;
                None
            }
            None => {
                // keys come and go with brokers: those that owe nothing are forgotten
                self.last.retain(|_, (at, held)| *held > 0 || !is_over(at));
                self.last.insert(key, (now, 0));
                Some(0)
            }
        }
    }
}

#[cfg(test)]
#[allow(
    clippy::disallowed_methods,
    reason = "a moment to begin at; nothing here waits"
)]
mod tests {
    use super::*;

    #[test]
    fn each_key_passes_once_a_period_and_says_what_was_held_back() {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let mut limit = RateLimit::new(Duration::from_secs(1));
        assert_eq!(limit.admit("a", at(0)), Some(0));
        assert_eq!(limit.admit("a", at(10)), None);
        assert_eq!(limit.admit("b", at(20)), Some(0));
        assert_eq!(limit.admit("a", at(999)), None);
        assert_eq!(limit.admit("a", at(1_000)), Some(2));
        assert_eq!(limit.admit("a", at(1_500)), None);
        assert_eq!(limit.admit("a", at(9_000)), Some(1));
        // a key that owes nothing costs nothing for long
        assert_eq!(limit.admit("c", at(20_000)), Some(0));
        assert_eq!(limit.last.len(), 1);
    }
}
