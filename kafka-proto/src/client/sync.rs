//! The locks of the client layer: std's, or loom's under `--cfg loom`.
//!
//! Order: queue or cursor first, then a link, an inbox, a ledger or a producer; never two queues; nothing is woken,
//! allocated in bulk, compressed or decoded under a lock.

#[cfg(not(loom))]
use std::sync::{Mutex, MutexGuard, PoisonError};

#[cfg(loom)]
use loom::sync::{Mutex, MutexGuard};

#[cfg(loom)]
pub(crate) use loom::sync::atomic;
#[cfg(not(loom))]
pub(crate) use std::sync::atomic;

/// A mutex that does not know poison: a panic in the caller's own code (a balancer) must not end every other handle, and
/// no state here is left half-changed by one.
#[derive(Debug, Default)]
pub(crate) struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    #[cfg(not(loom))]
    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(loom)]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().expect("loom does not poison")
    }
}
