//! Virtual time: it moves when the simulator says so.

use std::{
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use kafka_proto::client::{Clock, Now};

/// The wall clock when a run begins: 2023-11-14T22:13:20Z.
const FIRST_UNIX_MS: i64 = 1_700_000_000_000;

/// The clock of one run.
#[derive(Debug)]
pub(super) struct VirtualClock {
    /// The only real moment: machines want an [`Instant`], and only differences of it are ever looked at.
    start: Instant,
    elapsed_ns: AtomicU64,
    /// The wall clock less the time that has passed.
    unix_ms: AtomicI64,
}

impl VirtualClock {
    pub(super) fn new() -> Self {
        Self {
            start: Instant::now(),
            elapsed_ns: AtomicU64::new(0),
            unix_ms: AtomicI64::new(FIRST_UNIX_MS),
        }
    }

    /// Moves on to `at`; never back.
    pub(super) fn advance(&self, at: Duration) {
        let ns = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX);
        self.elapsed_ns.fetch_max(ns, Ordering::Relaxed);
    }

    /// Sets the wall clock forwards or back, as an operator or NTP does. What has passed does not change.
    pub(super) fn jump(&self, ms: i64) {
        self.unix_ms.fetch_add(ms, Ordering::Relaxed);
    }

    pub(super) fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.elapsed_ns.load(Ordering::Relaxed))
    }

    pub(super) fn instant(&self) -> Instant {
        self.start + self.elapsed()
    }

    /// The virtual time of an instant that a machine named.
    pub(super) fn when(&self, instant: Instant) -> Duration {
        instant.saturating_duration_since(self.start)
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Now {
        let elapsed = self.elapsed();
        let passed = i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX);
        Now {
            instant: self.start + elapsed,
            unix_ms: self.unix_ms.load(Ordering::Relaxed) + passed,
        }
    }
}
