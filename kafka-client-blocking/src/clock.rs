//! The time, by the system's clock.

use std::time::{Instant, SystemTime};

use kafka_proto::client::{Clock, Now};

/// The clock of the system.
#[derive(Debug)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Now {
        Now::at(Instant::now(), SystemTime::now())
    }
}
