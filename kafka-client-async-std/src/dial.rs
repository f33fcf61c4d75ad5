//! Connecting.

use std::{
    future::Future,
    hash::{BuildHasher, Hasher, RandomState},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use futures_io::{AsyncRead, AsyncWrite};
#[cfg(feature = "tls")]
use kafka_proto::config::TlsConfig;
use kafka_proto::{
    client::{Client, Clock, Conn},
    config::{Address, Config, Sasl},
    error::{ConfigError, Error},
};

use crate::{
    clock::SystemClock,
    drive,
    spawn::Spawner,
    stream::{self, Half},
};

/// Connects to the cluster that these brokers belong to, `"a:9092,b:9092"`: the same as `Dialer::new().connect(brokers)`.
///
/// # Errors
///
/// As [`Dialer::connect`].
pub async fn connect(brokers: &str) -> Result<Client, Error> {
    Dialer::new().connect(brokers).await
}

/// Settings for connecting.
///
/// Source: acceptance DI-01..17.
#[derive(Clone, Debug)]
pub struct Dialer {
    config: Config,
    spawner: Option<Spawner>,
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
            spawner: None,
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
            ..self
        }
    }

    /// Runs the connections on an executor of yours. Default: async-std or smol, by the features of this crate.
    ///
    /// `spawn` is called from any thread, once for a client and three times for each connection that carries records. A
    /// task that it drops ends the connection, or the client, with an error that says so. The client's control and the
    /// connections that keep it known to its brokers have a thread of their own, so that the executor may be blocked.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use kafka_client_async_std::Dialer;
    ///
    /// let executor = Arc::new(async_executor::Executor::new());
    /// let spawn = executor.clone();
    /// let dialer = Dialer::new().spawner(move |task| spawn.spawn(task).detach());
    /// # drop(dialer);
    /// ```
    pub fn spawner(
        self,
        spawn: impl Fn(Pin<Box<dyn Future<Output = ()> + Send>>) + Send + Sync + 'static,
    ) -> Self {
        Self {
            spawner: Some(Spawner::new(spawn)),
            ..self
        }
    }

    /// Connects to the cluster that these brokers belong to, and waits until one of them has described it.
    ///
    /// Tries them in turn, each within [`Dialer::timeout`].
    ///
    /// # Errors
    ///
    /// The list is no list of addresses, nothing runs the connections, or no broker answered: the message has the reason
    /// of each.
    pub async fn connect(&self, brokers: &str) -> Result<Client, Error> {
        let client = self.start(brokers)?;
        client.ready().await?;
        Ok(client)
    }

    /// A client that connects when it is first needed: for services that start before their broker.
    ///
    /// # Errors
    ///
    /// The list is no list of addresses, or nothing runs the connections.
    pub fn connect_lazy(&self, brokers: &str) -> Result<Client, Error> {
        self.start(brokers)
    }

    /// Connects to one broker, for requests of any kind.
    ///
    /// # Errors
    ///
    /// No connection could be made, or the peer is no Kafka broker.
    #[doc(alias = "Dial")]
    pub async fn dial(&self, address: &str) -> Result<Conn, Error> {
        self.dial_partition(address, "", 0).await
    }

    /// Connects to the leader of a partition; `address` is only asked for it.
    ///
    /// # Errors
    ///
    /// As [`Dialer::dial`]; also if the partition has no leader.
    #[doc(alias = "DialLeader")]
    pub async fn dial_leader(
        &self,
        address: &str,
        topic: &str,
        partition: i32,
    ) -> Result<Conn, Error> {
        let leader = self
            .dial(address)
            .await?
            .lookup_leader(topic, partition)
            .await?;
        self.dial_partition(&leader.to_string(), topic, partition)
            .await
    }

    /// A connection over a stream that is open already, for one partition.
    ///
    /// # Errors
    ///
    /// A setting that cannot be, or nothing runs the connection.
    pub fn over(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + 'static,
        topic: &str,
        partition: i32,
    ) -> Result<Conn, Error> {
        let spawner = self.running()?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (conn, outbound, inbound) = Conn::new(
            self.config.clone(),
            clock.clone(),
            seed(),
            "a stream of the caller",
            topic,
            partition,
        )?;
        let (read, write) = Half::split(stream);
        spawner.spawn(drive::write_loop(outbound, write, clock.clone()));
        spawner.spawn(drive::read_loop(inbound, read, clock));
        Ok(conn)
    }

    fn start(&self, brokers: &str) -> Result<Client, Error> {
        let spawner = self.running()?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (client, control) =
            Client::new(self.config.clone().brokers(brokers)?, clock.clone(), seed())?;
        drive::start(control, spawner, clock)?;
        Ok(client)
    }

    async fn dial_partition(
        &self,
        address: &str,
        topic: &str,
        partition: i32,
    ) -> Result<Conn, Error> {
        let address = Address::parse(address)?;
        let spawner = self.running()?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let peer = address.to_string();
        let deadline = clock.now().instant + self.config.setup_limit();
        let stream = stream::open(&address.host, address.port, deadline)
            .await
            .map_err(|error| Error::unreachable(&peer, error))?;
        let (conn, outbound, inbound) = Conn::new(
            self.config.clone(),
            clock.clone(),
            seed(),
            &peer,
            topic,
            partition,
        )?;
        drive::drive(stream, outbound, inbound, &spawner, clock);
        conn.ready().await?;
        Ok(conn)
    }

    fn running(&self) -> Result<Spawner, Error> {
        match &self.spawner {
            Some(spawner) => Ok(spawner.clone()),
            None => Spawner::of_runtime(),
        }
    }
}

/// Makes the pauses of two clients differ; nothing else depends on it.
fn seed() -> u64 {
    RandomState::new().build_hasher().finish()
}
