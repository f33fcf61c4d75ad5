//! The seat under every interleaving: no outcome is missed, whoever drives.

use std::{
    sync::Arc,
    task::{Poll, Waker},
    time::Instant,
};

use loom::thread;

use super::{Caller, Drive, Seats};
use crate::{
    signal::{Signal, Task},
    sync::{
        Lock,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Answers each question of a caller in the turn after it was asked.
struct Echo {
    shared: Arc<Shared>,
    signal: Arc<Signal>,
    task: Task,
}

struct Shared {
    asked: Lock<Vec<(Arc<AtomicUsize>, Waker)>>,
    closed: AtomicUsize,
    ask: Waker,
}

impl Drive for Echo {
    fn turn(&mut self) {
        self.signal.hear();
        if self.task.take() {
            let asked = std::mem::take(&mut *self.shared.asked.lock());
            for (answer, waker) in asked {
                answer.store(1, Ordering::Release);
                waker.wake();
            }
        }
    }

    fn sleep(&mut self, until: Option<Instant>) {
        if self.signal.lie_down() {
            match until {
                None => self.signal.bell.listen(),
                // loom has no time: it may pass whenever another thread runs
                Some(_) => thread::yield_now(),
            }
            self.signal.get_up();
        }
    }

    fn is_over(&self) -> bool {
        self.shared.closed.load(Ordering::Acquire) == 1
    }
}

fn seats() -> (Arc<Seats<Echo>>, Arc<Shared>, Arc<Signal>) {
    let signal = Signal::new().expect("a bell");
    let task = Task::new(&signal);
    let shared = Arc::new(Shared {
        asked: Lock::default(),
        closed: AtomicUsize::new(0),
        ask: task.waker.clone(),
    });
    let echo = Echo {
        shared: shared.clone(),
        signal: signal.clone(),
        task,
    };
    (Arc::new(Seats::new(echo, signal.clone())), shared, signal)
}

/// Asks and waits.
fn call(seats: &Seats<Echo>, shared: &Shared, caller: &Arc<Caller>) {
    let answer = Arc::new(AtomicUsize::new(0));
    let waker = Waker::from(caller.clone());
    shared.asked.lock().push((answer.clone(), waker));
    shared.ask.wake_by_ref();
    let outcome = seats.wait(caller, None, || match answer.load(Ordering::Acquire) {
        0 => Poll::Pending,
        _ => Poll::Ready(()),
    });
    assert_eq!(outcome, Some(()));
}

fn close(shared: &Shared) {
    shared.closed.store(1, Ordering::Release);
    shared.ask.wake_by_ref();
}

fn model(check: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(check);
}

#[test]
fn loom_a_lone_caller_gets_every_outcome_while_the_seat_changes_hands() {
    model(|| {
        let (seats, shared, signal) = seats();
        let io = {
            let seats = seats.clone();
            thread::spawn(move || seats.run())
        };
        let caller = Caller::new(Some(&signal));
        for _ in 0..3 {
            call(&seats, &shared, &caller);
        }
        close(&shared);
        io.join().expect("no panic");
    });
}

#[test]
fn loom_two_callers_get_their_outcomes_whoever_drives() {
    model(|| {
        let (seats, shared, signal) = seats();
        let io = {
            let seats = seats.clone();
            thread::spawn(move || seats.run())
        };
        let other = {
            let (seats, shared, signal) = (seats.clone(), shared.clone(), signal.clone());
            thread::spawn(move || call(&seats, &shared, &Caller::new(Some(&signal))))
        };
        let caller = Caller::new(Some(&signal));
        call(&seats, &shared, &caller);
        call(&seats, &shared, &caller);
        other.join().expect("no panic");
        close(&shared);
        io.join().expect("no panic");
    });
}

/// As closing a client in another thread ends a read that waits.
#[test]
fn loom_a_caller_that_drives_learns_what_another_thread_decides() {
    model(|| {
        let (seats, shared, signal) = seats();
        let io = {
            let seats = seats.clone();
            thread::spawn(move || seats.run())
        };
        let caller = Caller::new(Some(&signal));
        call(&seats, &shared, &caller);
        let decided = Arc::new(AtomicUsize::new(0));
        let other = {
            let (decided, waker) = (decided.clone(), Waker::from(caller.clone()));
            thread::spawn(move || {
                decided.store(1, Ordering::Release);
                waker.wake();
            })
        };
        let outcome = seats.wait(&caller, None, || match decided.load(Ordering::Acquire) {
            0 => Poll::Pending,
            _ => Poll::Ready(()),
        });
        assert_eq!(outcome, Some(()));
        other.join().expect("no panic");
        close(&shared);
        io.join().expect("no panic");
    });
}

#[test]
fn loom_what_nobody_waits_for_is_done_by_whoever_nudges_or_by_the_tick() {
    model(|| {
        let (seats, shared, signal) = seats();
        let io = {
            let seats = seats.clone();
            thread::spawn(move || seats.run())
        };
        let caller = Caller::new(Some(&signal));
        call(&seats, &shared, &caller);
        let answer = Arc::new(AtomicUsize::new(0));
        let unheard = Waker::noop().clone();
        shared.asked.lock().push((answer.clone(), unheard));
        shared.ask.wake_by_ref();
        seats.nudge();
        while answer.load(Ordering::Acquire) == 0 {
            thread::yield_now();
        }
        close(&shared);
        io.join().expect("no panic");
    });
}

/// As a thread that asks again and again whether there is an outcome yet.
#[test]
fn loom_a_caller_that_only_looks_sees_its_outcome() {
    model(|| {
        let (seats, shared, signal) = seats();
        let io = {
            let seats = seats.clone();
            thread::spawn(move || seats.run())
        };
        let caller = Caller::new(Some(&signal));
        call(&seats, &shared, &caller);
        let answer = Arc::new(AtomicUsize::new(0));
        let waker = Waker::from(caller.clone());
        shared.asked.lock().push((answer.clone(), waker));
        shared.ask.wake_by_ref();
        let look = || {
            seats.wait(&caller, Some(Instant::now()), || {
                match answer.load(Ordering::Acquire) {
                    0 => Poll::Pending,
                    _ => Poll::Ready(()),
                }
            })
        };
        while look().is_none() {
            thread::yield_now();
        }
        close(&shared);
        io.join().expect("no panic");
    });
}
