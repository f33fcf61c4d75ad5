//! Who runs the tasks: async-std, smol, or what the user says.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use kafka_proto::error::Error;

const NO_RUNTIME: &str = "nothing runs the client's connections: build kafka-client-async-std with its feature \
                          `async-std` or `smol`, or name an executor with Dialer::spawner";

/// A task to run.
pub(crate) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs tasks.
#[derive(Clone)]
pub(crate) struct Spawner(Arc<dyn Fn(Task) + Send + Sync>);

impl Spawner {
    pub(crate) fn new(spawn: impl Fn(Task) + Send + Sync + 'static) -> Self {
        Self(Arc::new(spawn))
    }

    /// The one of the runtime that this crate was built for.
    pub(crate) fn of_runtime() -> Result<Self, Error> {
        RUNTIME
            .map(Self::new)
            .ok_or_else(|| Error::no_runtime(NO_RUNTIME))
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        (self.0)(Box::pin(task));
    }
}

impl fmt::Debug for Spawner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spawner")
    }
}

#[cfg(feature = "async-std")]
const RUNTIME: Option<fn(Task)> = Some(|task| drop(async_std::task::spawn(task)));

#[cfg(all(feature = "smol", not(feature = "async-std")))]
const RUNTIME: Option<fn(Task)> = Some(|task| smol::spawn(task).detach());

#[cfg(not(any(feature = "async-std", feature = "smol")))]
const RUNTIME: Option<fn(Task)> = None;
