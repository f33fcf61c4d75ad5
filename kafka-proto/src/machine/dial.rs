//! Which of a host's addresses to try, and when: happy eyeballs, without the sockets (RFC 8305).
//!
//! The families alternate, beginning with the one that the system puts first. The next address is tried as soon as one has
//! failed, or when the last one has not answered for a while: whichever connects first is taken. So a network whose IPv6
//! goes nowhere costs a quarter of a second, not the whole time-out.
//!
//! ```
//! use std::time::{Duration, Instant};
//!
//! # use kafka_proto::machine::dial::{Attempts, Pace};
//! # #[allow(clippy::disallowed_methods)]
//! # fn main() {
//! let now = Instant::now();
//! let addresses = ["[2001:db8::1]:9092", "192.0.2.1:9092"].map(|a| a.parse().expect("an address"));
//! let pace = Pace::Race(Duration::from_millis(250));
//! let mut attempts = Attempts::new(addresses, pace, now, now + Duration::from_secs(10));
//!
//! assert_eq!(attempts.poll_start(now), Some(addresses[0]));
//! assert_eq!(attempts.poll_start(now), None);
//! let later = attempts.poll_timeout().expect("IPv4 has its turn soon");
//! assert_eq!(attempts.poll_start(later), Some(addresses[1]));
//! # }
//! ```

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

/// How soon the next address is tried while another has not answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pace {
    /// After this time, or a fair share of the time that is left, if that is less; families alternate.
    Race(Duration),
    /// After a fair share of the time that is left: with four addresses and a minute, 15 s each. In the order given.
    InTurn,
}

/// The addresses of one host, and what became of those that were tried.
#[derive(Clone, Debug)]
pub struct Attempts {
    waiting: VecDeque<SocketAddr>,
    running: usize,
    pace: Pace,
    /// The next one may start then, or once one has failed.
    next_at: Instant,
    deadline: Instant,
}

impl Attempts {
    /// Addresses in the order of the system's preference (RFC 6724), to be connected to by `deadline`.
    pub fn new(
        addresses: impl IntoIterator<Item = SocketAddr>,
        pace: Pace,
        now: Instant,
        deadline: Instant,
    ) -> Self {
        let addresses = addresses.into_iter();
        let waiting = match pace {
            Pace::Race(_) => alternate(addresses),
            Pace::InTurn => addresses.collect(),
        };
        Self {
            waiting,
            running: 0,
            pace,
            next_at: now,
            deadline,
        }
    }

    /// The address to connect to now, beside those that are being tried.
    pub fn poll_start(&mut self, now: Instant) -> Option<SocketAddr> {
        if now < self.next_at {
            return None;
        }
        let left = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX);
        let address = self.waiting.pop_front()?;
        let share = self.deadline.saturating_duration_since(now) / left;
        self.next_at = now
            + match self.pace {
                Pace::Race(delay) => delay.min(share),
                Pace::InTurn => share,
            };
        self.running += 1;
        Some(address)
    }

    /// When to call [`Attempts::poll_start`] again unless an attempt fails before.
    pub fn poll_timeout(&self) -> Option<Instant> {
        (!self.waiting.is_empty()).then_some(self.next_at)
    }

    /// An attempt has failed: the next one need not wait.
    pub fn handle_failed(&mut self, now: Instant) {
        self.running = self.running.saturating_sub(1);
        self.next_at = self.next_at.min(now);
    }

    /// Whether every address was tried and has failed.
    pub fn is_over(&self) -> bool {
        self.running == 0 && self.waiting.is_empty()
    }
}

/// One of the first family, one of the other, and so on; what is left of one at the end.
fn alternate(addresses: impl Iterator<Item = SocketAddr>) -> VecDeque<SocketAddr> {
    let mut addresses = addresses.peekable();
    let first_is_v6 = addresses.peek().is_some_and(SocketAddr::is_ipv6);
    let (first, other): (VecDeque<_>, VecDeque<_>) =
        addresses.partition(|a| a.is_ipv6() == first_is_v6);
    let mut mixed = VecDeque::with_capacity(first.len() + other.len());
    let (mut first, mut other) = (first.into_iter(), other.into_iter());
    loop {
        let (a, b) = (first.next(), other.next());
        if a.is_none() && b.is_none() {
            return mixed;
        }
        mixed.extend(a.into_iter().chain(b));
    }
}

#[cfg(test)]
#[allow(
    clippy::disallowed_methods,
    reason = "a moment to begin at; nothing here waits"
)]
mod tests {
    use super::*;

    const QUARTER: Duration = Duration::from_millis(250);

    fn v6(n: u16) -> SocketAddr {
        SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, n], 9092))
    }

    fn v4(n: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, n], 9092))
    }

    /// The addresses in the order of their starts, ms after the beginning, if none ever answers.
    fn starts(addresses: &[SocketAddr], pace: Pace, limit: Duration) -> Vec<(u128, SocketAddr)> {
        let begin = Instant::now();
        let mut now = begin;
        let mut attempts = Attempts::new(addresses.iter().copied(), pace, begin, begin + limit);
        let mut starts = Vec::new();
        loop {
            while let Some(address) = attempts.poll_start(now) {
                starts.push(((now - begin).as_millis(), address));
            }
            match attempts.poll_timeout() {
                Some(at) => now = at,
                None => return starts,
            }
        }
    }

    /// Acceptance DI-05, DI-06; RFC 8305, 4 and 5.
    #[test]
    fn families_alternate_from_the_preferred_one_a_quarter_of_a_second_apart() {
        let ten = Duration::from_secs(10);
        let all = [v6(1), v6(2), v6(3), v4(1)];
        let expected = [(0, v6(1)), (250, v4(1)), (500, v6(2)), (750, v6(3))];
        assert_eq!(starts(&all, Pace::Race(QUARTER), ten), expected);
        let all = [v4(1), v4(2), v6(1)];
        let expected = [(0, v4(1)), (250, v6(1)), (500, v4(2))];
        assert_eq!(starts(&all, Pace::Race(QUARTER), ten), expected);
        assert_eq!(starts(&[], Pace::Race(QUARTER), ten), []);
    }

    /// Acceptance DI-02: four addresses and a minute make 15 s each.
    #[test]
    fn the_time_is_shared_out_where_addresses_go_in_turn() {
        let all = [v6(1), v6(2), v4(1), v4(2)];
        let expected = [
            (0, v6(1)),
            (15_000, v6(2)),
            (30_000, v4(1)),
            (45_000, v4(2)),
        ];
        let minute = Duration::from_secs(60);
        assert_eq!(starts(&all, Pace::InTurn, minute), expected);
        // a race leaves time for the last one, too
        let expected = [(0, v6(1)), (100, v4(1)), (200, v6(2)), (300, v4(2))];
        let race = starts(&all, Pace::Race(QUARTER), Duration::from_millis(400));
        assert_eq!(race, expected);
    }

    #[test]
    fn a_failure_lets_the_next_one_start_at_once_and_the_last_one_ends_it() {
        let now = Instant::now();
        let limit = now + Duration::from_secs(10);
        let mut attempts = Attempts::new([v6(1), v4(1)], Pace::InTurn, now, limit);
        assert_eq!(attempts.poll_start(now), Some(v6(1)));
        assert_eq!(attempts.poll_start(now), None);
        attempts.handle_failed(now);
        assert!(!attempts.is_over());
        assert_eq!(attempts.poll_start(now), Some(v4(1)));
        assert_eq!(attempts.poll_timeout(), None);
        attempts.handle_failed(now);
        assert!(attempts.is_over());
    }

    #[test]
    fn time_that_has_run_out_starts_the_rest_at_once() {
        let now = Instant::now();
        let mut attempts = Attempts::new([v6(1), v4(1)], Pace::Race(QUARTER), now, now);
        assert_eq!(attempts.poll_start(now), Some(v6(1)));
        assert_eq!(attempts.poll_start(now), Some(v4(1)));
        assert_eq!(attempts.poll_start(now), None);
    }
}
