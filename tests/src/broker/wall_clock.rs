//! What the brokers' clocks read: for records that get their time from the broker, and for those that grow old.

use std::time::Instant;

/// A wall clock that moves with the time that the cluster is told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct WallClock {
    unix_ms: i64,
    /// When it read that; `None` until the first time comes in.
    since: Option<Instant>,
    pub(super) is_set: bool,
}

impl WallClock {
    pub(super) fn set(&mut self, unix_ms: i64, now: Option<Instant>) {
        *self = Self {
            unix_ms,
            since: now,
            is_set: true,
        };
    }

    /// Time came in: the clock runs from the first one on.
    pub(super) fn run(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    pub(super) fn unix_ms(&self, now: Option<Instant>) -> i64 {
        let passed = now
            .zip(self.since)
            .map(|(now, since)| now.saturating_duration_since(since));
        let ms = passed.and_then(|passed| i64::try_from(passed.as_millis()).ok());
        self.unix_ms.saturating_add(ms.unwrap_or(0))
    }
}
