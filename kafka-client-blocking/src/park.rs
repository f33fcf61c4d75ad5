//! Waiting: the caller's thread sleeps until its future can go on.

use std::{
    cell::Cell,
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Instant,
};

use parking::Parker;

thread_local! {
    /// The thread's own bed: making one for each call would cost an allocation.
    static PARKER: Cell<Option<(Parker, Waker)>> = const { Cell::new(None) };
}

/// Waits for `future`.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let (parker, waker) = take();
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
            put(parker, waker);
            return value;
        }
        parker.park();
    }
}

/// Waits for `future` up to `deadline`.
pub(crate) fn block_on_until<T>(deadline: Instant, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let (parker, waker) = take();
    let mut cx = Context::from_waker(&waker);
    loop {
        let late = Instant::now() >= deadline;
        if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
            put(parker, waker);
            return Some(value);
        }
        if late {
            put(parker, waker);
            return None;
        }
        parker.park_deadline(deadline);
    }
}

/// Takes the thread's parker, or a new one where a call waits inside another, or the thread ends.
fn take() -> (Parker, Waker) {
    let kept = PARKER.try_with(Cell::take).ok().flatten();
    kept.unwrap_or_else(|| {
        let parker = Parker::new();
        let waker = Waker::from(parker.unparker());
        (parker, waker)
    })
}

fn put(parker: Parker, waker: Waker) {
    // a thread that ends needs it no more
    let _ = PARKER.try_with(|kept| kept.set(Some((parker, waker))));
}
