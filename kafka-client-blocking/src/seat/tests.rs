//! What the seat owes to callers that never sleep in it.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    task::Waker,
    thread,
};

use super::*;

/// An engine whose only socket has something once somebody looks.
struct Socket {
    looks: Arc<AtomicUsize>,
    signal: Arc<Signal>,
    answered: Option<Waker>,
}

impl Drive for Socket {
    fn turn(&mut self) {
        self.signal.hear();
        if self.looks.load(Ordering::Relaxed) > 0
            && let Some(waker) = self.answered.take()
        {
            waker.wake();
        }
    }

    fn sleep(&mut self, _until: Option<Instant>) {
        self.looks.fetch_add(1, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        false
    }
}

/// Nobody drives, as after callers have led.
fn free(answered: Option<Waker>, signal: &Arc<Signal>) -> (Arc<Seats<Socket>>, Arc<AtomicUsize>) {
    let looks = Arc::new(AtomicUsize::new(0));
    let socket = Socket {
        looks: looks.clone(),
        signal: signal.clone(),
        answered,
    };
    let seats = Seats::new(socket, signal.clone());
    seats.seat.lock().driver = Driver::Nobody;
    (Arc::new(seats), looks)
}

#[test]
fn a_wait_of_no_length_looks_at_the_sockets() {
    let signal = Signal::new().expect("a bell");
    let caller = Caller::new(Some(&signal));
    let (seats, looks) = free(Some(caller.clone().into()), &signal);
    let outcome = seats.wait(&caller, Some(Instant::now()), || {
        match looks.load(Ordering::Relaxed) {
            0 => Poll::Pending,
            _ => Poll::Ready(()),
        }
    });
    assert_eq!(outcome, Some(()));
    let outcome = seats.wait::<()>(&caller, Some(Instant::now()), || Poll::Pending);
    assert_eq!(outcome, None);
}

/// A thread that sends and sends drives what it hands over, but sees no answers.
#[test]
fn nudges_do_not_keep_the_io_thread_from_the_seat() {
    let signal = Signal::new().expect("a bell");
    let (seats, _) = free(None, &signal);
    let start = Instant::now();
    let back = {
        let seats = seats.clone();
        thread::spawn(move || seats.take_back())
    };
    while !back.is_finished() {
        signal.ring();
        seats.nudge();
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "never taken back"
        );
    }
    assert_eq!(seats.seat.lock().leads, 0, "nothing was looked at");
    assert!(back.join().expect("no panic"));
}

/// Ticks grow while callers lead on, and no further than said: unbounded, they would be at 64 ms here, and two may pass.
#[test]
fn the_io_thread_is_not_late_after_a_long_time_of_leading() {
    let late = (0..3).map(|_| {
        let signal = Signal::new().expect("a bell");
        let caller = Caller::new(Some(&signal));
        let (seats, _) = free(None, &signal);
        let driven = seats.clone();
        let back = thread::spawn(move || (driven.take_back(), Instant::now()));
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(100) {
            seats.wait::<()>(&caller, Some(Instant::now()), || Poll::Pending);
        }
        let end = Instant::now();
        let (taken, at) = back.join().expect("no panic");
        assert!(taken);
        at.saturating_duration_since(end)
    });
    // the machine may be late by itself, but not each time
    let least = late.min();
    assert!(least < Some(Duration::from_millis(100)), "{least:?}");
}
