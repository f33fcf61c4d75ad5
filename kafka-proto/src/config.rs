//! Settings of clients, writers and readers: builders, checked where a handle is made.

mod address;
mod dialing;
mod properties;
mod reader;
mod sasl;
#[cfg(feature = "tls")]
mod tls;
mod writer;

use std::{sync::Arc, time::Duration};

pub use address::Address;
pub use dialing::Dialing;
pub(crate) use reader::Source;
pub use reader::{OffsetReset, ReaderConfig, StartOffset};
pub(crate) use sasl::Providing;
pub use sasl::Sasl;
#[cfg(feature = "tls")]
pub use tls::TlsConfig;
pub use writer::{Acks, Balancer, WriterConfig};

use crate::{
    error::ConfigError,
    event::{Event, Loggers},
};

/// What is longer is as good as for ever, and beyond what clocks can add.
const EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// A wait that can be added to any moment, so that `Duration::MAX` stands for ever.
fn bounded(wait: Duration) -> Duration {
    wait.min(EVER)
}

/// Settings of a client: where its brokers are, and how long it waits for them.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) bootstrap: Vec<Address>,
    pub(crate) client_id: String,
    pub(crate) setup_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) call_timeout: Duration,
    pub(crate) metadata_max_age: Duration,
    pub(crate) retry_backoff: (Duration, Duration),
    pub(crate) reconnect_backoff: (Duration, Duration),
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) max_frame: usize,
    pub(crate) fetch_buffer: usize,
    pub(crate) dialing: Dialing,
    pub(crate) loggers: Loggers,
    pub(crate) sasl: Option<Sasl>,
    /// Properties ask for SASL whose credentials come from elsewhere.
    pub(crate) wants_sasl: bool,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<TlsConfig>,
}

impl Config {
    /// Settings for the cluster that these brokers belong to: `"a:9092,b:9092"`. One that answers is enough; the rest of the
    /// cluster is learned from it. A missing port is 9092; IPv6 goes in brackets.
    ///
    /// # Errors
    ///
    /// An empty list, or an entry that is no address.
    pub fn new(bootstrap: &str) -> Result<Self, ConfigError> {
        Ok(Self {
            bootstrap: Address::list(bootstrap)?,
            ..Self::without_brokers()
        })
    }

    /// Settings for a single connection, which is given its stream and looks for nobody.
    pub fn without_brokers() -> Self {
        Self {
            bootstrap: Vec::new(),
            client_id: concat!("kafka-client-rs/", env!("CARGO_PKG_VERSION")).to_owned(),
            setup_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            call_timeout: Duration::from_secs(60),
            metadata_max_age: Duration::from_secs(300),
            retry_backoff: (Duration::from_millis(100), Duration::from_secs(1)),
            reconnect_backoff: (Duration::from_millis(50), Duration::from_secs(1)),
            idle_timeout: Some(Duration::from_secs(540)),
            max_frame: 100 << 20,
            fetch_buffer: 64 << 20,
            dialing: Dialing::default(),
            loggers: Loggers::default(),
            sasl: None,
            wants_sasl: false,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Names the brokers to begin with, as [`Config::new`] does.
    ///
    /// # Errors
    ///
    /// An empty list, or an entry that is no address.
    pub fn brokers(self, bootstrap: &str) -> Result<Self, ConfigError> {
        Ok(Self {
            bootstrap: Address::list(bootstrap)?,
            ..self
        })
    }

    /// The name under which the client appears in the broker's logs, quotas and metrics. Default: the name and version of
    /// this crate.
    #[doc(alias = "client.id")]
    pub fn client_id(self, id: impl Into<String>) -> Self {
        Self {
            client_id: id.into(),
            ..self
        }
    }

    /// How long lookup, connect, TLS, handshake and authentication of one connection may take together. Default: 10 s.
    #[doc(alias = "socket.connection.setup.timeout.ms")]
    pub fn setup_timeout(self, limit: Duration) -> Self {
        Self {
            setup_timeout: bounded(limit),
            ..self
        }
    }

    /// How long the answer to one request may take before its connection is given up. Default: 30 s.
    #[doc(alias = "request.timeout.ms")]
    pub fn request_timeout(self, limit: Duration) -> Self {
        Self {
            request_timeout: bounded(limit),
            ..self
        }
    }

    /// How long a call may take with all its retries. Default: 60 s.
    #[doc(alias = "default.api.timeout.ms")]
    pub fn call_timeout(self, limit: Duration) -> Self {
        Self {
            call_timeout: bounded(limit),
            ..self
        }
    }

    /// How old the knowledge of topics and leaders may become before it is fetched again unasked. Default: 5 min.
    #[doc(alias = "metadata.max.age.ms")]
    pub fn metadata_max_age(self, age: Duration) -> Self {
        Self {
            metadata_max_age: bounded(age),
            ..self
        }
    }

    /// The pause before a request is repeated: from the first, doubling to the second. Default: 100 ms, 1 s.
    #[doc(alias = "retry.backoff.ms")]
    pub fn retry_backoff(self, first: Duration, most: Duration) -> Self {
        Self {
            retry_backoff: (bounded(first), bounded(most)),
            ..self
        }
    }

    /// The pause before a broker is dialled again: from the first, doubling to the second. Default: 50 ms, 1 s.
    #[doc(alias = "reconnect.backoff.ms")]
    pub fn reconnect_backoff(self, first: Duration, most: Duration) -> Self {
        Self {
            reconnect_backoff: (bounded(first), bounded(most)),
            ..self
        }
    }

    /// How long a connection of a client may be idle before it is closed; `None` keeps it. One with a request in flight,
    /// or one that a reader fetches over, is not idle, and a single [`Conn`](crate::client::Conn) is never closed for it.
    /// Default: 9 min, a minute less than brokers wait.
    #[doc(alias = "connections.max.idle.ms")]
    #[doc(alias = "IdleConnTimeout")]
    pub fn idle_timeout(self, limit: Option<Duration>) -> Self {
        Self {
            idle_timeout: limit.map(bounded),
            ..self
        }
    }

    /// The largest response that is read, in bytes; a larger one ends its connection. Default: 100 MiB.
    #[doc(alias = "receive.message.max.bytes")]
    pub fn max_frame(self, bytes: usize) -> Self {
        Self {
            max_frame: bytes,
            ..self
        }
    }

    /// How many bytes all readers together may have fetched and not yet handed out. Default: 64 MiB. A fetch is not sent
    /// before its limit fits; one batch larger than that limit may overshoot.
    #[doc(alias = "queued.max.messages.kbytes")]
    pub fn fetch_buffer(self, bytes: usize) -> Self {
        Self {
            fetch_buffer: bytes,
            ..self
        }
    }

    /// Has each event of the client told to a function: the same events as `Client::events`, one line of text each by
    /// `Display`. It is called where the event happens, so it must neither block nor panic. Default: none.
    ///
    /// Source: acceptance RC-17, WC-15.
    #[doc(alias = "Logger")]
    pub fn logger(mut self, log: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.loggers.all = Some(Arc::new(log));
        self
    }

    /// Encrypts every connection. Default: none is encrypted.
    #[cfg(feature = "tls")]
    #[doc(alias = "security.protocol")]
    pub fn tls(self, tls: TlsConfig) -> Self {
        Self {
            tls: Some(tls),
            ..self
        }
    }

    /// Authenticates on every connection. Default: on none.
    #[doc(alias = "sasl.mechanism")]
    #[doc(alias = "sasl.jaas.config")]
    pub fn sasl(self, sasl: Sasl) -> Self {
        Self {
            sasl: Some(sasl),
            ..self
        }
    }

    /// Has the events that are errors told to another function than [`logger`](Self::logger). Default: to that one.
    ///
    /// Source: acceptance RC-18, WC-16.
    #[doc(alias = "ErrorLogger")]
    pub fn error_logger(mut self, log: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.loggers.errors = Some(Arc::new(log));
        self
    }

    /// Checks every setting, as whatever takes them does.
    ///
    /// # Errors
    ///
    /// The first setting that cannot be, by its name.
    pub fn check(&self) -> Result<(), ConfigError> {
        let second = Duration::from_secs(1) / 1000;
        let timeouts = [
            ("setup_timeout", self.setup_timeout),
            ("request_timeout", self.request_timeout),
            ("call_timeout", self.call_timeout),
            ("metadata_max_age", self.metadata_max_age),
            ("retry_backoff", self.retry_backoff.0),
            ("reconnect_backoff", self.reconnect_backoff.0),
        ];
        if let Some((field, _)) = timeouts.into_iter().find(|(_, t)| *t < second) {
            return Err(ConfigError::new(field, "must be at least 1 ms"));
        }
        if self.idle_timeout.is_some_and(|t| t < second) {
            return Err(ConfigError::new("idle_timeout", "must be at least 1 ms"));
        }
        if self.max_frame < 64 << 10 {
            return Err(ConfigError::new("max_frame", "must be at least 64 KiB"));
        }
        if self.client_id.len() > i16::MAX as usize {
            return Err(ConfigError::new("client_id", "must be at most 32767 bytes"));
        }
        if self.wants_sasl && self.sasl.is_none() {
            let reason = "OAUTHBEARER has no tokens: set `Sasl::oauth_bearer` after the properties";
            return Err(ConfigError::new("sasl.mechanism", reason));
        }
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            tls.client_config()?;
        }
        self.dialing.check()
    }
}
