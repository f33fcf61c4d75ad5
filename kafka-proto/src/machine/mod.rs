//! The state machines: each takes what happened and the time, and says what it wants.
//!
//! None has a lock, a waker, a socket, a thread or a clock. Four kinds of methods, by name: getters; `handle_*` for what
//! happened; bare verbs for commands; `poll_*` for what the machine wants. `handle_timeout` may be called early or twice:
//! then it does nothing.

pub mod authentication;
pub mod backoff;
pub mod balancer;
pub mod cluster;
pub mod cursor;
pub mod dial;
pub mod fetch;
pub mod frames;
#[cfg(any(test, feature = "unstable"))]
pub mod fuzz;
pub mod handshake;
pub mod produce;
pub mod producer;
pub mod queue;
pub mod rate;

use std::time::{Instant, SystemTime};

/// The time, as every machine takes it.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// For durations and deadlines; never goes back.
    pub instant: Instant,
    /// For timestamps: ms since the Unix epoch; may jump.
    pub unix_ms: i64,
}

impl Now {
    /// The time as the two clocks of a system tell it; a time of day before 1970 counts as 1970.
    pub fn at(instant: Instant, time: SystemTime) -> Self {
        let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH);
        let unix_ms = since_epoch.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX));
        Self { instant, unix_ms }
    }
}

/// The earlier of two moments, of which each may be missing.
pub(crate) fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
