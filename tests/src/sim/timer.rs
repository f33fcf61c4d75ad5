//! Sleeping in virtual time.

use std::{
    cell::RefCell,
    fmt,
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use super::network::{Event, Network};

/// A future that ends at some virtual time. It costs nothing to wait for it.
#[must_use = "futures do nothing unless polled"]
pub struct Sleep {
    network: Rc<RefCell<Network>>,
    at: Duration,
    event: Option<(Duration, u64)>,
}

impl Sleep {
    pub(super) fn new(network: Rc<RefCell<Network>>, at: Duration) -> Self {
        Self {
            network,
            at,
            event: None,
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let mut network = this.network.borrow_mut();
        if let Some(event) = this.event.take() {
            network.unschedule(event);
        }
        if network.now() >= this.at {
            return Poll::Ready(());
        }
        this.event = Some(network.schedule(this.at, Event::Wake(cx.waker().clone())));
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(event) = self.event.take() {
            self.network.borrow_mut().unschedule(event);
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// The timer of a driver's loop, which is set again only for an earlier moment: so machines are also asked too early, as
/// adapters do.
pub(super) struct Timer {
    network: Rc<RefCell<Network>>,
    sleep: Option<Sleep>,
}

impl Timer {
    pub(super) fn new(network: Rc<RefCell<Network>>) -> Self {
        Self {
            network,
            sleep: None,
        }
    }

    /// `Ready` once `deadline`, or an earlier one that it was set for, has passed.
    pub(super) fn poll(&mut self, deadline: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = deadline else {
            return Poll::Pending;
        };
        let at = self.network.borrow().clock.when(deadline);
        let now = self.network.borrow().now();
        let stale = self.sleep.as_ref().is_none_or(|s| s.at > at || s.at <= now);
        if stale {
            self.sleep = Some(Sleep::new(self.network.clone(), at));
        }
        match &mut self.sleep {
            Some(sleep) => Pin::new(sleep).poll(cx),
            None => Poll::Pending,
        }
    }
}
