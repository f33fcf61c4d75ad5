//! The thread of one client or connection, and waiting for what it drives.

use std::{
    cell::Cell,
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use kafka_proto::{client::Clock, error::Error};

use crate::{
    engine::Engine,
    seat::{Caller, Seats},
    signal::Signal,
    sync::Lock,
};

thread_local! {
    /// The thread's own bed: making one for each call would cost an allocation.
    static CALLER: Cell<Option<(Arc<Caller>, Waker)>> = const { Cell::new(None) };
}

/// Why a wait without a deadline has an outcome.
pub(crate) const ENDS: &str = "a wait without a deadline ends with its outcome";

/// What drives a client or a connection, for those who wait.
#[derive(Debug)]
pub(crate) struct Io {
    /// `None`: other threads drive, and nobody else can.
    seats: Option<(Arc<Seats<Engine>>, Arc<Signal>)>,
    threads: Lock<Vec<JoinHandle<()>>>,
    /// How many take the events.
    hearers: AtomicUsize,
}

impl Io {
    /// Starts the thread `kafka-io`, which drives what `fill` puts into the engine.
    pub(crate) fn start(
        clock: Arc<dyn Clock>,
        fill: impl FnOnce(&mut Engine),
    ) -> Result<Arc<Self>, Error> {
        let signal = Signal::new().map_err(Error::exhausted)?;
        let mut engine = Engine::new(clock, signal.clone());
        fill(&mut engine);
        let seats = Arc::new(Seats::new(engine, signal.clone()));
        let driven = seats.clone();
        let thread = thread::Builder::new()
            .name("kafka-io".to_owned())
            .spawn(move || driven.run())
            .map_err(Error::exhausted)?;
        Ok(Arc::new(Self {
            seats: Some((seats, signal)),
            threads: Lock::new(vec![thread]),
            hearers: AtomicUsize::new(0),
        }))
    }

    /// For a connection that has threads of its own.
    pub(crate) fn of_threads(threads: Vec<JoinHandle<()>>) -> Arc<Self> {
        Arc::new(Self {
            seats: None,
            threads: Lock::new(threads),
            hearers: AtomicUsize::new(0),
        })
    }

    /// Waits for `future`.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        let outcome = self.wait(None, future);
        outcome.expect(ENDS)
    }

    /// Waits for `future`, which hands something over. If it need not wait, what it handed over may leave a little later,
    /// with what follows: once the caller waits for something, or by the I/O thread.
    pub(crate) fn hand_over<T>(&self, future: impl Future<Output = T>) -> T {
        let outcome = self.look_or_stay(None, future, || {});
        outcome.expect(ENDS)
    }

    /// Waits for `future` up to `limit`.
    pub(crate) fn block_on_for<T>(
        &self,
        limit: Duration,
        future: impl Future<Output = T>,
    ) -> Option<T> {
        self.wait(deadline(limit), future)
    }

    /// Has what was handed over leave, if nobody drives: the caller may not wait for it, or late.
    pub(crate) fn nudge(&self) {
        if let Some((seats, _)) = &self.seats {
            seats.nudge();
        }
    }

    /// Takes note that somebody takes the events from now on.
    pub(crate) fn hear(&self) {
        self.hearers.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes note that somebody takes them no more.
    pub(crate) fn hear_no_more(&self) {
        self.hearers.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether somebody takes the events.
    pub(crate) fn is_heard(&self) -> bool {
        self.hearers.load(Ordering::Relaxed) > 0
    }

    /// Waits for the end of the threads: for after what they drive has ended.
    pub(crate) fn join(&self) {
        // locked while it waits, so that a second caller waits too
        let mut threads = self.threads.lock();
        for thread in threads.drain(..) {
            // one that panicked has said so, and whoever waited has an error
            let _ = thread.join();
        }
    }

    /// Waits for `future` up to `deadline`.
    pub(crate) fn wait<T>(
        &self,
        deadline: Option<Instant>,
        future: impl Future<Output = T>,
    ) -> Option<T> {
        self.look_or_stay(deadline, future, || self.nudge())
    }

    /// Waits up to `deadline`; `at_once` is done where that took no wait.
    fn look_or_stay<T>(
        &self,
        deadline: Option<Instant>,
        future: impl Future<Output = T>,
        at_once: impl FnOnce(),
    ) -> Option<T> {
        let mut future = pin!(future);
        // most calls find their outcome in hand: a look costs less than making a bed for the wait
        let mut look = Context::from_waker(Waker::noop());
        if let Poll::Ready(value) = future.as_mut().poll(&mut look) {
            at_once();
            return Some(value);
        }
        self.stay(deadline, future)
    }

    /// Waits up to `deadline` for `future`, which has been looked at.
    fn stay<T>(&self, deadline: Option<Instant>, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        let signal = self.seats.as_ref().map(|(_, signal)| signal);
        let (caller, waker) = take(signal);
        let mut cx = Context::from_waker(&waker);
        let mut poll = || future.as_mut().poll(&mut cx);
        let outcome = match (poll(), &self.seats) {
            (Poll::Ready(value), _) => Some(value),
            (Poll::Pending, Some((seats, _))) => seats.wait(&caller, deadline, &mut poll),
            (Poll::Pending, None) => loop {
                let late = !caller.sleep(deadline);
                match poll() {
                    Poll::Ready(value) => break Some(value),
                    Poll::Pending if late => break None,
                    Poll::Pending => {}
                }
            },
        };
        // what a call caused beside its outcome, such as the next fetch, shall leave now
        self.nudge();
        // a thread that ends needs it no more
        let _ = CALLER.try_with(|kept| kept.set(Some((caller, waker))));
        outcome
    }
}

/// When `limit` from now is over; what lies beyond the clock is for ever.
pub(crate) fn deadline(limit: Duration) -> Option<Instant> {
    Instant::now().checked_add(limit)
}

/// The thread's caller, or a new one where the last call was to another client, or the thread ends.
fn take(signal: Option<&Arc<Signal>>) -> (Arc<Caller>, Waker) {
    let kept = CALLER.try_with(Cell::take).ok().flatten();
    kept.filter(|(caller, _)| caller.is_of(signal))
        .unwrap_or_else(|| {
            let caller = Caller::new(signal);
            (caller.clone(), caller.into())
        })
}
