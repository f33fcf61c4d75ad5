//! The time, by tokio's clock: a paused one pauses the client too.

use std::time::SystemTime;

use kafka_proto::client::{Clock, Now};
use tokio::time::Instant;

/// The clock of the runtime.
#[derive(Debug)]
pub(crate) struct TokioClock;

impl Clock for TokioClock {
    fn now(&self) -> Now {
        Now::at(Instant::now().into_std(), SystemTime::now())
    }
}
