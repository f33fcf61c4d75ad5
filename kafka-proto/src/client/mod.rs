//! The handles, the links and `Control`: what an adapter drives, and the only place with locks and wakers.
//!
//! An adapter gets a [`Control`] with each [`Client`], polls it in one loop, and dials what it asks for ([`Dial`]). Each
//! dial brings the two halves of a link ([`Outbound`], [`Inbound`]), which a [`Driver`] drives as one task. Everything else
//! is here, once, under every runtime: the handles are the same types and run on any executor.
//!
//! ```text
//!   handles ── notes ──> Control ── Dial ──> adapter: connect, spawn
//!      │                    │ owns cluster, sessions, links
//!      │ push, take         v
//!   queues, cursors <──> links ── Outbound.slices ──> socket ──> Inbound.filled
//! ```

mod admin;
mod call;
mod conn;
mod control;
mod dial;
mod driver;
#[cfg(all(test, not(loom)))]
mod guards;
mod hub;
mod inbox;
mod ledger;
mod link;
mod promise;
mod reader;
mod receipt;
mod runtime;
mod seed;
mod session;
mod sync;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "tls_absent.rs"]
mod tls;
mod topics;
mod writer;

use std::{
    fmt,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

pub use admin::{ConfigEntry, PartitionOffsets, TopicResult};
pub use call::Call;
#[doc(hidden)]
pub use conn::may_greet_lower;
pub use conn::{
    Broker, Conn, ConnCloser, FIRST_OFFSET, FetchLimits, LAST_OFFSET, Partition, SeekFrom,
};
pub use control::Control;
pub use dial::{
    Attempts, Connector, Dial, Failures, Opened, Opener, Pace, Resolver, Sockets, looked_up,
};
pub use driver::{Driver, Transport};
pub use hub::Events;
pub use link::{Inbound, Outbound};
pub use reader::{Batch, BatchMessages, Reader, ReaderHandle};
pub use receipt::Receipt;
pub use runtime::{Runtime, Timer, drive_client};
pub use seed::Seed;
pub use topics::TopicConfig;
pub use writer::Writer;

pub use crate::{event::Event, machine::Now};

use call::Submitted;
use hub::Hub;
use inbox::{Inbox, Note, Target};
use ledger::Ledger;
use link::Common;
use promise::Promise;
use reader::Shelf;
use session::Session;
use sync::{
    Lock,
    atomic::{AtomicU64, Ordering},
};

use crate::{
    api::{Request, Route},
    config::{Config, ReaderConfig, WriterConfig},
    error::{ConfigError, Error, ErrorKind, Undelivered},
};

/// Where handles get the time from: the adapter's, or a simulator's.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The time.
    fn now(&self) -> Now;
}

/// A Kafka cluster: its brokers, the connections to them, and what is known of its topics.
///
/// Cheap to clone. Writers and readers made from one client share its connections. The connections live until the last
/// clone and the last handle made from it are gone and every accepted record is resolved.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    // dropped by the last handle
    _guard: Arc<Guard>,
}

struct Shared {
    common: Arc<Common>,
    inbox: Arc<Inbox>,
    events: Arc<Hub>,
    next_reader: AtomicU64,
    sessions: Lock<Vec<Weak<Session>>>,
}

struct Guard(Arc<Inbox>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.tell(Note::Close);
    }
}

impl Client {
    /// A client and what drives it: for adapters. `seed` makes the jitter of pauses and the nonces of SASL ([`Seed`]).
    ///
    /// # Errors
    ///
    /// A setting that cannot be.
    pub fn new(
        config: Config,
        clock: Arc<dyn Clock>,
        seed: impl Into<Seed>,
    ) -> Result<(Self, Control), ConfigError> {
        config.check()?;
        let seed = seed.into();
        if config.bootstrap.is_empty() {
            return Err(ConfigError::new("brokers", "no broker is named"));
        }
        let inbox = Inbox::new();
        let events = Hub::new(config.loggers.clone());
        let common = Arc::new(Common {
            fetch_ledger: Ledger::new(config.fetch_buffer),
            random: seed.random(),
            nonces: seed.nonces(),
            writing: Lock::default(),
            inbox: Some(inbox.clone()),
            clock,
            config,
        });
        let shared = Arc::new(Shared {
            common: common.clone(),
            inbox: inbox.clone(),
            events: events.clone(),
            next_reader: AtomicU64::new(0),
            sessions: Lock::default(),
        });
        let control = Control::new(common, inbox.clone(), events);
        Ok((
            Self {
                shared,
                _guard: Arc::new(Guard(inbox)),
            },
            control,
        ))
    }

    /// Waits until a broker has described the cluster.
    ///
    /// # Errors
    ///
    /// Every bootstrap broker has been tried and none has answered; the message has the reason of each.
    pub async fn ready(&self) -> Result<(), Error> {
        let promise = Promise::new();
        self.shared.inbox.tell(Note::Await(promise.clone()));
        promise.wait().await
    }

    /// Sends one request to the broker that its API goes to, and waits for the response.
    ///
    /// Goes by the API's [`Route`]: to any broker, or to the controller. What goes to a certain broker (the leader of a
    /// partition, a coordinator) does not say which by its type: use [`Client::call_broker`].
    ///
    /// Resolves by [`Config::call_timeout`]. Dropping the future gives up the answer only.
    ///
    /// # Errors
    ///
    /// No broker could be reached, the broker does not know the API or a field that is set, or the connection ended.
    /// Error codes inside the response are yours to look at.
    pub fn call<R: Request + Send + Sync + 'static>(&self, request: R) -> Call<R> {
        let target = match R::API.route() {
            Route::Controller => Target::Controller,
            Route::Any | Route::Each => Target::Any,
            // without a transactional id any broker hands out producer ids
            Route::Transaction if R::API == crate::api::ApiKey::InitProducerId => Target::Any,
            Route::Leader | Route::Group | Route::Transaction => {
                let (submitted, call) = Submitted::call(request, i16::MAX, None);
                let message = format!(
                    "{} goes to a certain broker: name it with call_broker",
                    R::API.name()
                );
                submitted
                    .to
                    .resolve(Err(Error::new(ErrorKind::Misuse, message)));
                return call;
            }
        };
        self.submit(target, request)
    }

    /// Sends one request to the broker with this id, and waits for the response.
    ///
    /// # Errors
    ///
    /// As [`Client::call`].
    pub fn call_broker<R: Request + Send + Sync + 'static>(
        &self,
        broker: i32,
        request: R,
    ) -> Call<R> {
        self.submit(Target::Broker(broker), request)
    }

    /// Creates a writer.
    ///
    /// # Errors
    ///
    /// A setting that cannot be. Nothing is sent yet, and the topic need not exist yet.
    #[doc(alias = "NewWriter")]
    #[doc(alias = "producer")]
    pub fn writer(&self, config: impl Into<WriterConfig>) -> Result<Writer, ConfigError> {
        let config = config.into();
        config.check()?;
        let session = Session::new(
            config,
            self.shared.inbox.clone(),
            self.shared.common.clock.clone(),
        );
        let mut sessions = self.shared.sessions.lock();
        sessions.retain(|s| s.strong_count() > 0);
        sessions.push(Arc::downgrade(&session));
        drop(sessions);
        self.shared.inbox.tell(Note::Session(session.clone()));
        Ok(Writer::new(self.clone(), session))
    }

    /// Creates a reader, which begins to fetch at once.
    ///
    /// # Errors
    ///
    /// A setting that cannot be.
    #[doc(alias = "NewReader")]
    #[doc(alias = "consumer")]
    pub fn reader(&self, config: impl Into<ReaderConfig>) -> Result<Reader, ConfigError> {
        let config = config.into();
        config.check()?;
        let id = self.shared.next_reader.fetch_add(1, Ordering::Relaxed);
        let common = &self.shared.common;
        let shelf = Shelf::new(
            id,
            config,
            self.shared.inbox.clone(),
            common.clock.clone(),
            common.fetch_ledger.clone(),
        );
        self.shared.inbox.tell(Note::Reader(shelf.clone()));
        Ok(Reader::new(self.clone(), shelf))
    }

    /// What happens to the connections, as a stream. Events that nobody takes in time are dropped, the oldest first.
    pub fn events(&self) -> Events {
        self.shared.events.subscribe()
    }

    /// Ends the client: accepts nothing more, waits up to `limit` for what was accepted, then closes every connection.
    ///
    /// All clones and all handles made from them are closed.
    ///
    /// # Errors
    ///
    /// What could not be delivered in time, message by message.
    pub async fn close(&self, limit: Duration) -> Result<(), Undelivered> {
        let sessions: Vec<_> = self
            .shared
            .sessions
            .lock()
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        let result = writer::close_all(&sessions, &self.shared, limit).await;
        self.shared.inbox.tell(Note::Close);
        result
    }

    fn submit<R: Request + Send + Sync + 'static>(&self, target: Target, request: R) -> Call<R> {
        let common = &self.shared.common;
        let deadline = common.clock.now().instant + common.config.call_timeout;
        let (submitted, call) = Submitted::call(request, i16::MAX, Some(deadline));
        self.shared.inbox.tell(Note::Call(target, submitted));
        call
    }

    /// Sleeps until `at` by the driver's timers, or until the client ends.
    pub(crate) async fn sleep_until(&self, at: Instant) {
        self.shared.sleep_until(at).await;
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.shared.common.clock
    }

    pub(crate) fn config(&self) -> &Config {
        &self.shared.common.config
    }
}

impl Shared {
    async fn sleep_until(&self, at: Instant) {
        let alarm = Promise::new();
        self.inbox.tell(Note::Sleep(at, alarm.clone()));
        alarm.wait().await;
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("config", self.config())
            .finish_non_exhaustive()
    }
}
