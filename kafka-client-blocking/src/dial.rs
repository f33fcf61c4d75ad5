//! Connecting.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    io::{Read, Write},
    sync::Arc,
    time::Duration,
};

#[cfg(feature = "tls")]
use kafka_proto::config::TlsConfig;
use kafka_proto::{
    client::{self, Clock, Dial},
    config::{Address, Config, Sasl},
    error::{ConfigError, Error},
};

use crate::{client::Client, clock::SystemClock, conn::Conn, io::Io, threads};

/// Connects to the cluster that these brokers belong to, `"a:9092,b:9092"`: the same as `Dialer::new().connect(brokers)`.
///
/// # Errors
///
/// As [`Dialer::connect`].
pub fn connect(brokers: &str) -> Result<Client, Error> {
    Dialer::new().connect(brokers)
}

/// Settings for connecting.
///
/// Source: acceptance DI-01..17.
#[derive(Clone, Debug)]
pub struct Dialer {
    config: Config,
}

impl Default for Dialer {
    fn default() -> Self {
        Self::new()
    }
}

impl Dialer {
    /// The defaults: 10 s for a connection, no TLS, no SASL.
    pub fn new() -> Self {
        Self {
            config: Config::without_brokers(),
        }
    }

    /// Sets the name under which the client appears in the broker's logs, quotas and metrics.
    pub fn client_id(self, id: impl Into<String>) -> Self {
        self.configure(|config| config.client_id(id))
    }

    /// Sets how long lookup, connect, TLS, handshake and authentication of one connection may take together. Default: 10 s.
    pub fn timeout(self, limit: Duration) -> Self {
        self.configure(|config| config.setup_timeout(limit))
    }

    /// Encrypts connections and verifies brokers. Default: neither.
    #[cfg(feature = "tls")]
    #[doc(alias = "TLS")]
    pub fn tls(self, tls: TlsConfig) -> Self {
        self.configure(|config| config.tls(tls))
    }

    /// Authenticates on every connection. Default: on none.
    #[doc(alias = "SASLMechanism")]
    pub fn sasl(self, sasl: Sasl) -> Self {
        self.configure(|config| config.sasl(sasl))
    }

    /// The defaults, and on top of them the security settings of the Java client or of librdkafka, as they stand in a
    /// `client.properties`: [`Config::from_properties`] lists them.
    ///
    /// # Errors
    ///
    /// As there: a name that is not listed, or a value that cannot be.
    pub fn from_properties<K: AsRef<str>, V: AsRef<str>>(
        properties: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, ConfigError> {
        let config = Config::from_properties(properties)?;
        Ok(Self::new().configure(|_| config))
    }

    /// Changes the settings of the client that are not about connecting.
    pub fn configure(self, change: impl FnOnce(Config) -> Config) -> Self {
        Self {
            config: change(self.config),
        }
    }

    /// Connects to the cluster that these brokers belong to, and waits until one of them has described it.
    ///
    /// Tries them in turn, each within [`Dialer::timeout`].
    ///
    /// # Errors
    ///
    /// The list is no list of addresses, or no broker answered: the message has the reason of each. Or the system refused
    /// a thread.
    pub fn connect(&self, brokers: &str) -> Result<Client, Error> {
        let client = self.connect_lazy(brokers)?;
        client.ready()?;
        Ok(client)
    }

    /// A client that connects when it is first needed: for services that start before their broker.
    ///
    /// # Errors
    ///
    /// The list is no list of addresses, or the system refused a thread.
    pub fn connect_lazy(&self, brokers: &str) -> Result<Client, Error> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let config = self.config.clone().brokers(brokers)?;
        let (client, control) = client::Client::new(config, clock.clone(), seed())?;
        let io = Io::start(clock, |engine| engine.control(control))?;
        Ok(Client::new(client, io))
    }

    /// Connects to one broker, for requests of any kind.
    ///
    /// # Errors
    ///
    /// No connection could be made, or the peer is no Kafka broker.
    #[doc(alias = "Dial")]
    pub fn dial(&self, address: &str) -> Result<Conn, Error> {
        self.dial_partition(address, "", 0)
    }

    /// Connects to the leader of a partition; `address` is only asked for it.
    ///
    /// # Errors
    ///
    /// As [`Dialer::dial`]; also if the partition has no leader.
    #[doc(alias = "DialLeader")]
    pub fn dial_leader(&self, address: &str, topic: &str, partition: i32) -> Result<Conn, Error> {
        let leader = self.dial(address)?.lookup_leader(topic, partition)?;
        self.dial_partition(&leader.to_string(), topic, partition)
    }

    /// A connection over a stream that is open already, as its reading and its writing half, for one partition.
    ///
    /// Each half gets a thread of its own, which it may block; a third thread keeps the time-outs while a write waits.
    /// `close` is called once, when the connection has ended, and must make a read and a write that wait return, by
    /// shutting the stream down for example.
    ///
    /// # Errors
    ///
    /// A setting that cannot be, or the system refused a thread.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::{net::Shutdown, os::unix::net::UnixStream};
    ///
    /// use kafka_client_blocking::Dialer;
    ///
    /// let stream = UnixStream::connect("/run/kafka.sock")?;
    /// let (from, to) = (stream.try_clone()?, stream.try_clone()?);
    /// let close = move || drop(stream.shutdown(Shutdown::Both));
    /// let conn = Dialer::new().over(from, to, close, "orders", 0)?;
    /// # drop(conn);
    /// # Ok(())
    /// # }
    /// ```
    pub fn over(
        &self,
        from: impl Read + Send + 'static,
        to: impl Write + Send + 'static,
        close: impl FnOnce() + Send + 'static,
        topic: &str,
        partition: i32,
    ) -> Result<Conn, Error> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (config, peer) = (self.config.clone(), "a stream of the caller");
        let (conn, outbound, inbound) =
            client::Conn::new(config, clock.clone(), seed(), peer, topic, partition)?;
        let threads = threads::start((outbound, inbound), (from, to), close, clock)?;
        Ok(Conn::new(conn, Io::of_threads(threads)))
    }

    fn dial_partition(&self, address: &str, topic: &str, partition: i32) -> Result<Conn, Error> {
        let Address { host, port } = Address::parse(address)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let deadline = clock.now().instant + self.config.setup_limit();
        let (config, peer) = (self.config.clone(), address.to_owned());
        let (conn, outbound, inbound) =
            client::Conn::new(config, clock.clone(), seed(), &peer, topic, partition)?;
        let dial = Dial {
            host,
            port,
            deadline,
            outbound,
            inbound,
        };
        let io = Io::start(clock, |engine| engine.open(dial))?;
        io.block_on(conn.ready())?;
        Ok(Conn::new(conn, io))
    }
}

/// Makes the pauses of two clients differ; nothing else depends on it.
fn seed() -> u64 {
    RandomState::new().build_hasher().finish()
}
