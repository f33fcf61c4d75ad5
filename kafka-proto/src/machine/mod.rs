//! The state machines: each takes what happened and the time, and says what it wants.
//!
//! None has a lock, a waker, a socket, a thread or a clock. Four kinds of methods, by name: getters; `handle_*` for what
//! happened; bare verbs for commands; `poll_*` for what the machine wants. `handle_timeout` may be called early or twice:
//! then it does nothing.

pub mod backoff;
pub mod balancer;
pub mod cluster;
pub mod cursor;
pub mod fetch;
pub mod frames;
#[cfg(any(test, feature = "unstable"))]
pub mod fuzz;
pub mod handshake;
pub mod produce;
pub mod producer;
pub mod queue;

use std::time::Instant;

/// The time, as every machine takes it.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// For durations and deadlines; never goes back.
    pub instant: Instant,
    /// For timestamps: ms since the Unix epoch; may jump.
    pub unix_ms: i64,
}

/// The earlier of two moments, of which each may be missing.
pub(crate) fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
