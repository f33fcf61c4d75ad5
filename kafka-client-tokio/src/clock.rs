//! The time, by tokio's clock: a paused one pauses the client too.

use std::time::SystemTime;

use kafka_proto::client::{Clock, Now};
use tokio::time::Instant;

/// The clock of the runtime.
#[derive(Debug)]
pub(crate) struct TokioClock;

impl Clock for TokioClock {
    fn now(&self) -> Now {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let unix_ms = since_epoch.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX));
        Now {
            instant: Instant::now().into_std(),
            unix_ms,
        }
    }
}
