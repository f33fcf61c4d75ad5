//! Locks and atomics: std's, or loom's under `--cfg loom`.

#[cfg(not(loom))]
pub(crate) use std::sync::{Condvar, MutexGuard, atomic};
use std::time::Duration;

#[cfg(loom)]
pub(crate) use loom::sync::{Condvar, MutexGuard, atomic};

/// A mutex that does not know poison: what a panic leaves behind is dropped, not used.
#[derive(Debug, Default)]
pub(crate) struct Lock<T>(
    #[cfg(not(loom))] std::sync::Mutex<T>,
    #[cfg(loom)] loom::sync::Mutex<T>,
);

impl<T> Lock<T> {
    #[cfg(not(loom))]
    pub(crate) fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    #[cfg(loom)]
    pub(crate) fn new(value: T) -> Self {
        Self(loom::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Waits on `condvar`.
pub(crate) fn wait<'a, T>(condvar: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condvar
        .wait(guard)
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Waits on `condvar` for up to `limit`; whether that was all it waited for. `guard` is of `lock`.
#[cfg(not(loom))]
pub(crate) fn wait_timeout<'a, T>(
    condvar: &Condvar,
    _lock: &'a Lock<T>,
    guard: MutexGuard<'a, T>,
    limit: Duration,
) -> (MutexGuard<'a, T>, bool) {
    let (guard, result) = condvar
        .wait_timeout(guard, limit)
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    (guard, result.timed_out())
}

/// loom has no time: the limit may pass whenever another thread runs.
#[cfg(loom)]
pub(crate) fn wait_timeout<'a, T>(
    _condvar: &Condvar,
    lock: &'a Lock<T>,
    guard: MutexGuard<'a, T>,
    _limit: Duration,
) -> (MutexGuard<'a, T>, bool) {
    drop(guard);
    loom::thread::yield_now();
    (lock.lock(), true)
}
