//! A value that comes once, for any number of waiters.

use std::{
    future::Future,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use super::sync::Lock;

/// A value that comes once.
#[derive(Debug)]
pub(crate) struct Promise<T> {
    state: Lock<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    value: Option<T>,
    wakers: Vec<Waker>,
}

impl<T: Clone> Promise<T> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Lock::new(State {
                value: None,
                wakers: Vec::new(),
            }),
        })
    }

    /// Keeps the promise; the first value stays.
    pub(crate) fn resolve(&self, value: T) {
        let mut state = self.state.lock();
        if state.value.is_some() {
            return;
        }
        state.value = Some(value);
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<T> {
        let mut state = self.state.lock();
        if let Some(value) = &state.value {
            return Poll::Ready(value.clone());
        }
        if !state.wakers.iter().any(|w| w.will_wake(cx.waker())) {
            state.wakers.push(cx.waker().clone());
        }
        Poll::Pending
    }

    pub(crate) fn wait(&self) -> impl Future<Output = T> {
        std::future::poll_fn(|cx| self.poll(cx))
    }
}
