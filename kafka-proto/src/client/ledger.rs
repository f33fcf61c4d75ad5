//! Bytes that may be in use, handed out in order of asking.
//!
//! Two of them stand in a client: one for what writers accepted, one for what readers fetched. What frees bytes never
//! waits for them.

use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Poll, Waker},
};

use super::sync::Lock;

/// A bounded number of bytes, with a queue before it.
#[derive(Debug)]
pub(crate) struct Ledger {
    total: usize,
    state: Lock<State>,
}

#[derive(Debug)]
struct State {
    /// Below zero after a batch that was larger than the fetch limit.
    free: isize,
    waiters: VecDeque<Waiter>,
    next: u64,
    closed: bool,
}

#[derive(Debug)]
struct Waiter {
    id: u64,
    want: usize,
    /// Set by whoever freed the bytes: they are this waiter's from then on.
    granted: bool,
    waker: Option<Waker>,
}

/// A place in the queue. Dropping it gives up the place, and passes on what it was granted.
#[derive(Debug)]
#[must_use = "dropping a ticket gives up its place"]
pub(crate) struct Ticket {
    ledger: Arc<Ledger>,
    id: u64,
}

/// The ledger was closed: nothing is handed out any more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct LedgerClosed;

impl Ledger {
    pub(crate) fn new(total: usize) -> Arc<Self> {
        let total = total.min(isize::MAX as usize);
        let state = State {
            free: total as isize,
            waiters: VecDeque::new(),
            next: 0,
            closed: false,
        };
        Arc::new(Self {
            total,
            state: Lock::new(state),
        })
    }

    /// All bytes there are; more than that is never granted.
    pub(crate) fn total(&self) -> usize {
        self.total
    }

    /// Whether nothing is in use.
    pub(crate) fn is_unused(&self) -> bool {
        self.state.lock().free == self.total as isize
    }

    /// Takes `bytes` if they are free and nobody stands in line.
    pub(crate) fn try_reserve(&self, bytes: usize) -> bool {
        let mut state = self.state.lock();
        let fits = !state.closed && state.waiters.is_empty() && bytes as isize <= state.free;
        if fits {
            state.free -= bytes as isize;
        }
        fits
    }

    /// Takes `bytes`, or stands in line with `ticket` until they are free.
    pub(crate) fn poll_reserve(
        self: &Arc<Self>,
        bytes: usize,
        ticket: &mut Option<Ticket>,
        waker: &Waker,
    ) -> Poll<Result<(), LedgerClosed>> {
        let mut state = self.state.lock();
        let Some(id) = ticket.as_ref().map(|t| t.id) else {
            if state.closed {
                return Poll::Ready(Err(LedgerClosed));
            }
            if state.waiters.is_empty() && bytes as isize <= state.free {
                state.free -= bytes as isize;
                return Poll::Ready(Ok(()));
            }
            let id = state.next;
            state.next += 1;
            state.waiters.push_back(Waiter {
                id,
                want: bytes,
                granted: false,
                waker: Some(waker.clone()),
            });
            drop(state);
            *ticket = Some(Ticket {
                ledger: self.clone(),
                id,
            });
            return Poll::Pending;
        };
        let closed = state.closed;
        let Some(at) = state.waiters.iter().position(|w| w.id == id) else {
            return Poll::Ready(Err(LedgerClosed));
        };
        if state.waiters[at].granted {
            state.waiters.remove(at);
            drop(state);
            *ticket = None;
            return Poll::Ready(Ok(()));
        }
        if closed {
            drop(state);
            *ticket = None;
            return Poll::Ready(Err(LedgerClosed));
        }
        let old = state.waiters[at].waker.replace(waker.clone());
        drop(state);
        drop(old);
        Poll::Pending
    }

    /// Gives `bytes` back, and grants them to those who stand first.
    pub(crate) fn release(&self, bytes: usize) {
        let mut back = bytes;
        // one waker at a time, so that nothing is gathered or woken under the lock
        loop {
            let mut state = self.state.lock();
            state.free = (state.free + std::mem::take(&mut back) as isize).min(self.total as isize);
            let Some(waker) = state.grant() else { return };
            drop(state);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// Exchanges what was reserved for what is used, which may be more: one oversize batch overshoots.
    pub(crate) fn settle(&self, reserved: usize, used: usize) {
        match reserved.checked_sub(used) {
            Some(back) => self.release(back),
            None => self.state.lock().free -= (used - reserved) as isize,
        }
    }

    /// Ends all waiting.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        loop {
            let waker = self
                .state
                .lock()
                .waiters
                .iter_mut()
                .find_map(|w| w.waker.take());
            match waker {
                Some(waker) => waker.wake(),
                None => return,
            }
        }
    }
}

impl State {
    /// Grants the first waiter that was not; `None` if there is none or it does not fit.
    fn grant(&mut self) -> Option<Option<Waker>> {
        let waiter = self.waiters.iter_mut().find(|w| !w.granted)?;
        if waiter.want as isize > self.free {
            return None;
        }
        self.free -= waiter.want as isize;
        waiter.granted = true;
        Some(waiter.waker.take())
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.ledger.state.lock();
        let Some(at) = state.waiters.iter().position(|w| w.id == self.id) else {
            return;
        };
        let waiter = state.waiters.remove(at);
        drop(state);
        // the next in line may fit, whether or not this one had been granted
        self.ledger
            .release(waiter.filter(|w| w.granted).map_or(0, |w| w.want));
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn reserve(ledger: &Arc<Ledger>, bytes: usize, ticket: &mut Option<Ticket>) -> bool {
        ledger.poll_reserve(bytes, ticket, Waker::noop()).is_ready()
    }

    /// Fault 55.
    #[test]
    fn bytes_are_granted_in_the_order_of_asking() {
        let ledger = Ledger::new(100);
        assert!(ledger.try_reserve(80));
        let (mut large, mut small) = (None, None);
        assert!(!reserve(&ledger, 50, &mut large));
        assert!(
            !reserve(&ledger, 10, &mut small),
            "it would fit, but stands behind"
        );
        assert!(!ledger.try_reserve(10));
        ledger.release(30);
        assert!(reserve(&ledger, 50, &mut large));
        ledger.release(50);
        assert!(reserve(&ledger, 10, &mut small));
        assert!(large.is_none() && small.is_none());
    }

    #[test]
    fn a_dropped_ticket_passes_on_what_it_was_granted() {
        let ledger = Ledger::new(100);
        assert!(ledger.try_reserve(100));
        let (mut first, mut second) = (None, None);
        assert!(!reserve(&ledger, 60, &mut first));
        assert!(!reserve(&ledger, 60, &mut second));
        ledger.release(100);
        drop(first);
        assert!(reserve(&ledger, 60, &mut second));
        ledger.release(60);
        assert!(ledger.is_unused());
    }

    #[test]
    fn closing_ends_the_wait_of_all_but_the_granted() {
        let ledger = Ledger::new(100);
        assert!(ledger.try_reserve(100));
        let (mut first, mut second) = (None, None);
        assert!(!reserve(&ledger, 60, &mut first));
        assert!(!reserve(&ledger, 60, &mut second));
        ledger.release(60);
        ledger.close();
        assert_eq!(
            ledger.poll_reserve(60, &mut first, Waker::noop()),
            Poll::Ready(Ok(()))
        );
        assert_eq!(
            ledger.poll_reserve(60, &mut second, Waker::noop()),
            Poll::Ready(Err(LedgerClosed))
        );
        assert!(!ledger.try_reserve(1));
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use loom::{future::block_on, thread};

    use super::*;

    async fn reserve(ledger: &Arc<Ledger>, bytes: usize) -> Result<(), LedgerClosed> {
        let mut ticket = None;
        std::future::poll_fn(|cx| ledger.poll_reserve(bytes, &mut ticket, cx.waker())).await
    }

    #[test]
    fn loom_no_wake_is_lost_between_asking_and_freeing() {
        loom::model(|| {
            let ledger = Ledger::new(10);
            assert!(ledger.try_reserve(10));
            let freeing = ledger.clone();
            let thread = thread::spawn(move || freeing.release(10));
            block_on(reserve(&ledger, 10)).expect("open");
            thread.join().expect("no panic");
            ledger.release(10);
            assert!(ledger.is_unused());
        });
    }

    #[test]
    fn loom_a_ticket_dropped_while_it_is_granted_loses_nothing() {
        loom::model(|| {
            let ledger = Ledger::new(10);
            assert!(ledger.try_reserve(10));
            let mut ticket = None;
            assert!(
                ledger
                    .poll_reserve(10, &mut ticket, Waker::noop())
                    .is_pending()
            );
            let freeing = ledger.clone();
            let thread = thread::spawn(move || freeing.release(10));
            drop(ticket);
            block_on(reserve(&ledger, 10)).expect("open");
            thread.join().expect("no panic");
        });
    }

    #[test]
    fn loom_closing_reaches_everyone_who_waits() {
        loom::model(|| {
            let ledger = Ledger::new(10);
            assert!(ledger.try_reserve(10));
            let closing = ledger.clone();
            let thread = thread::spawn(move || closing.close());
            assert_eq!(block_on(reserve(&ledger, 10)), Err(LedgerClosed));
            thread.join().expect("no panic");
        });
    }
}
