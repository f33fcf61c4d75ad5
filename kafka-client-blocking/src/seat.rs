//! Who drives an engine: the thread `kafka-io`, or a caller that waits alone.
//!
//! A thread that waits for an outcome would sleep while another thread writes, reads and wakes it: two switches for each
//! call. So a caller that has waited alone several times in a row takes the seat and drives until its own outcome is there.
//! The rules:
//!
//! - One drives at a time: who has the seat.
//! - The I/O thread has the seat unless a caller has led within the last tick (1 ms, or up to 4 ms while callers lead on: each
//!   tick is a switch that takes a core from them). Idle, it sleeps until a socket or a deadline wakes it.
//! - It yields the seat to a caller that waits alone for the [`STREAK`]th time.
//! - A caller that leaves the seat while others wait calls the I/O thread back at once. If nobody waits, it calls nobody:
//!   the I/O thread looks every tick whether somebody has led since and looked at the sockets, and takes the seat if not.
//!   What nobody waits for is thus at most two ticks late, 2 to 8 ms. (So records that are handed over without a wait leave
//!   with the next wait, many in one request.)
//!
//! Locks, in this order: the engine, the seat, a caller.

#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod tests;

use std::{
    ops::RangeInclusive,
    sync::{Arc, Weak},
    task::{Poll, Wake},
    time::{Duration, Instant},
};

use crate::{
    signal::Signal,
    sync::{Condvar, Lock, wait, wait_timeout},
};

/// How often the I/O thread looks whether callers still lead: at first, and after some ticks in which they have.
const TICKS: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_millis(4);
/// Waits alone in a row after which a caller leads.
const STREAK: u32 = if cfg!(loom) { 1 } else { 8 };

/// What is driven.
pub(crate) trait Drive {
    /// Does what can be done now.
    fn turn(&mut self);

    /// Sleeps until there is something to do, or `until`.
    fn sleep(&mut self, until: Option<Instant>);

    /// Whether there will never be anything to do.
    fn is_over(&self) -> bool;
}

/// An engine and its seat.
#[derive(Debug)]
pub(crate) struct Seats<E> {
    /// Gone once it is over.
    engine: Lock<Option<E>>,
    seat: Lock<Seat>,
    /// The I/O thread waits here for the seat.
    called: Condvar,
    signal: Arc<Signal>,
}

#[derive(Debug)]
struct Seat {
    driver: Driver,
    /// Callers that wait for an outcome.
    waiting: usize,
    /// The one that waits, while it is one.
    lone: Option<Arc<Caller>>,
    /// Waits alone in a row.
    streak: u32,
    /// How often callers have led and looked at the sockets.
    leads: u64,
    /// The I/O thread shall take the seat at once.
    calling: bool,
    /// The I/O thread waits without a tick, because one caller leads on and on.
    untimed: bool,
    over: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Driver {
    Nobody,
    Io,
    Caller,
}

impl<E: Drive> Seats<E> {
    /// The I/O thread has the seat.
    pub(crate) fn new(engine: E, signal: Arc<Signal>) -> Self {
        let seat = Seat {
            driver: Driver::Io,
            waiting: 0,
            lone: None,
            streak: 0,
            leads: 0,
            calling: false,
            untimed: false,
            over: false,
        };
        Self {
            engine: Lock::new(Some(engine)),
            seat: Lock::new(seat),
            called: Condvar::new(),
            signal,
        }
    }

    /// The I/O thread: drives whenever no caller does, until the engine is over.
    pub(crate) fn run(&self) {
        let _end = EndOnPanic(self);
        loop {
            let mut engine = self.engine.lock();
            let Some(driven) = &mut *engine else { return };
            let lone = loop {
                driven.turn();
                if driven.is_over() {
                    drop(engine);
                    return self.end();
                }
                let mut seat = self.seat.lock();
                if seat.streak >= STREAK
                    && let Some(lone) = seat.lone.take()
                {
                    seat.driver = Driver::Nobody;
                    break lone;
                }
                drop(seat);
                driven.sleep(None);
            };
            drop(engine);
            lone.wake_by_ref();
            if !self.take_back() {
                return;
            }
        }
    }

    /// Waits until the seat is the I/O thread's again; `false` once the engine is over.
    fn take_back(&self) -> bool {
        let mut seat = self.seat.lock();
        let (mut leads, mut ticked) = (seat.leads, false);
        let mut tick = *TICKS.start();
        loop {
            if seat.over {
                return false;
            }
            let quiet = ticked && seat.leads == leads;
            if seat.driver == Driver::Nobody && (quiet || seat.calling) {
                seat.driver = Driver::Io;
                seat.calling = false;
                seat.streak = 0;
                return true;
            }
            leads = seat.leads;
            if quiet {
                seat.untimed = true;
                seat = wait(&self.called, seat);
                seat.untimed = false;
                (ticked, tick) = (false, *TICKS.start());
            } else {
                (seat, ticked) = wait_timeout(&self.called, &self.seat, seat, tick);
                tick = (tick * 2).min(*TICKS.end());
            }
        }
    }

    /// Waits for the outcome that `poll` looks for, up to `deadline`.
    pub(crate) fn wait<T>(
        &self,
        caller: &Arc<Caller>,
        deadline: Option<Instant>,
        mut poll: impl FnMut() -> Poll<T>,
    ) -> Option<T> {
        let _place = Place::new(self, caller);
        loop {
            if self.lead() {
                if let Some(outcome) = self.drive(caller, deadline, &mut poll) {
                    return outcome;
                }
            } else if !caller.sleep(deadline) {
                // one last look
                return match poll() {
                    Poll::Ready(value) => Some(value),
                    Poll::Pending => None,
                };
            }
            if let Poll::Ready(value) = poll() {
                return Some(value);
            }
        }
    }

    /// Drives until the outcome is there or the deadline has passed; `None` if the engine is over first.
    fn drive<T>(
        &self,
        caller: &Caller,
        deadline: Option<Instant>,
        poll: &mut impl FnMut() -> Poll<T>,
    ) -> Option<Option<T>> {
        let mut lead = Lead::new(self, 1);
        let mut engine = self.engine.lock();
        let driven = engine.as_mut()?;
        caller.rise();
        let mut late = false;
        loop {
            driven.turn();
            if caller.take()
                && let Poll::Ready(value) = poll()
            {
                lead.finished = true;
                return Some(Some(value));
            }
            if driven.is_over() {
                lead.finished = true;
                drop(engine);
                self.end();
                return None;
            }
            if late {
                lead.finished = true;
                return Some(None);
            }
            // a wait of no length looks at the sockets, too: nobody else does while such waits follow each other
            late = deadline.is_some_and(|at| at <= Instant::now());
            lead.looked = true;
            driven.sleep(deadline);
        }
    }

    /// Does what can be done now, if nobody else does and there is something: for what is not waited for.
    pub(crate) fn nudge(&self) {
        if self.signal.is_rung() && self.lead() {
            let mut lead = Lead::new(self, 0);
            if let Some(engine) = &mut *self.engine.lock() {
                engine.turn();
            }
            lead.finished = true;
        }
    }

    /// Takes the seat if it is free.
    fn lead(&self) -> bool {
        let mut seat = self.seat.lock();
        let free = seat.driver == Driver::Nobody && !seat.over;
        if free {
            seat.driver = Driver::Caller;
        }
        free
    }

    /// Drops the engine: all that wait learn it.
    fn end(&self) {
        let engine = self.engine.lock().take();
        drop(engine);
        self.seat.lock().over = true;
        self.called.notify_all();
    }
}

/// A caller that waits.
struct Place<'a, E: Drive>(&'a Seats<E>);

impl<'a, E: Drive> Place<'a, E> {
    fn new(seats: &'a Seats<E>, caller: &Arc<Caller>) -> Self {
        let mut seat = seats.seat.lock();
        seat.waiting += 1;
        if seat.waiting == 1 {
            seat.streak = seat.streak.saturating_add(1);
            seat.lone = Some(caller.clone());
        } else {
            seat.streak = 0;
            seat.lone = None;
        }
        Self(seats)
    }
}

impl<E: Drive> Drop for Place<'_, E> {
    fn drop(&mut self) {
        let mut seat = self.0.seat.lock();
        seat.waiting -= 1;
        seat.lone = None;
    }
}

/// A caller that has the seat.
struct Lead<'a, E: Drive> {
    seats: &'a Seats<E>,
    /// How many of those that wait it is itself.
    itself: usize,
    /// It has looked at the sockets. A lead without that does not keep the I/O thread from the seat, however often.
    looked: bool,
    /// `false`: a panic ends the lead.
    finished: bool,
}

impl<'a, E: Drive> Lead<'a, E> {
    fn new(seats: &'a Seats<E>, itself: usize) -> Self {
        Self {
            seats,
            itself,
            looked: false,
            finished: false,
        }
    }
}

impl<E: Drive> Drop for Lead<'_, E> {
    fn drop(&mut self) {
        if !self.finished {
            self.seats.end();
        }
        let mut seat = self.seats.seat.lock();
        seat.driver = Driver::Nobody;
        seat.leads += u64::from(self.looked);
        seat.calling |= seat.waiting > self.itself;
        let call = seat.calling || seat.untimed || seat.over;
        drop(seat);
        if call {
            self.seats.called.notify_one();
        }
    }
}

/// Ends the engine when its thread panics.
struct EndOnPanic<'a, E: Drive>(&'a Seats<E>);

impl<E: Drive> Drop for EndOnPanic<'_, E> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end();
        }
    }
}

/// A thread that waits for outcomes of one engine.
#[derive(Debug)]
pub(crate) struct Caller {
    state: Lock<CallerState>,
    bed: Condvar,
    /// Sleeps beside it while it drives. It goes with its engine, though threads keep their callers.
    signal: Option<Weak<Signal>>,
}

#[derive(Debug, Default)]
struct CallerState {
    woken: bool,
    leads: bool,
}

impl Caller {
    /// `None`: it never drives.
    pub(crate) fn new(signal: Option<&Arc<Signal>>) -> Arc<Self> {
        Arc::new(Self {
            state: Lock::default(),
            bed: Condvar::new(),
            signal: signal.map(Arc::downgrade),
        })
    }

    pub(crate) fn is_of(&self, signal: Option<&Arc<Signal>>) -> bool {
        match (&self.signal, signal) {
            (Some(mine), Some(signal)) => std::ptr::eq(mine.as_ptr(), Arc::as_ptr(signal)),
            (None, None) => true,
            _ => false,
        }
    }

    /// Sleeps until woken; `false` if the deadline came first.
    pub(crate) fn sleep(&self, deadline: Option<Instant>) -> bool {
        let mut state = self.state.lock();
        state.leads = false;
        loop {
            if std::mem::take(&mut state.woken) {
                return true;
            }
            state = match deadline {
                None => wait(&self.bed, state),
                Some(at) => {
                    let left = at.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return false;
                    }
                    wait_timeout(&self.bed, &self.state, state, left).0
                }
            };
        }
    }

    /// From now on it sleeps by its engine.
    fn rise(&self) {
        self.state.lock().leads = true;
    }

    /// Whether it was woken since the last look.
    fn take(&self) -> bool {
        std::mem::take(&mut self.state.lock().woken)
    }
}

impl Wake for Caller {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut state = self.state.lock();
        if std::mem::replace(&mut state.woken, true) {
            return;
        }
        let leads = state.leads;
        drop(state);
        match &self.signal {
            // where it is gone, so is the engine that was slept by
            Some(signal) if leads => signal.upgrade().iter().for_each(|signal| signal.ring()),
            _ => self.bed.notify_one(),
        }
    }
}
