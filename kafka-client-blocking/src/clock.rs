//! The time, by the system's clock.

use std::time::{Instant, SystemTime};

use kafka_proto::client::{Clock, Now};

/// The clock of the system.
#[derive(Debug)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Now {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let unix_ms = since_epoch.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX));
        Now {
            instant: Instant::now(),
            unix_ms,
        }
    }
}
