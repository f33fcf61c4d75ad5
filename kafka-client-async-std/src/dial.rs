//! Connecting.

use std::{future::Future, io, pin::Pin, sync::Arc, time::Instant};

use futures_io::{AsyncRead, AsyncWrite};
use kafka_proto::{
    client::{Client, Clock, Conn, Connector, Seed},
    config::{Address, Config},
    error::Error,
};

use crate::{
    clock::SystemClock,
    drive,
    open::{AsyncIo, Opener, OwnStream},
    spawn::Spawner,
};

/// Connects to the cluster that these brokers belong to, `"a:9092,b:9092"`: the same as `Dialer::new().connect(brokers)`.
///
/// # Errors
///
/// As [`Dialer::connect`].
pub async fn connect(brokers: &str) -> Result<Client, Error> {
    Dialer::new().connect(brokers).await
}

kafka_proto::dial_functions!([async] [.await]);

/// Settings for connecting.
///
/// Source: acceptance DI-01..17.
#[derive(Clone, Debug)]
pub struct Dialer {
    config: Config,
    opener: Opener,
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
            config: Config::without_brokers().client_id(default_client_id()),
            opener: Opener::default(),
            spawner: None,
        }
    }

    kafka_proto::dialer_settings!();

    kafka_proto::dialer_resolver!("kafka_client_async_std");

    /// Opens streams by a function of your own, from host and port, instead of lookup and TCP: through a proxy, by another
    /// resolver, or to a cluster in memory. The settings of sockets and lookups are then yours.
    ///
    /// It is used for every connection of [`connect`](Self::connect), [`connect_lazy`](Self::connect_lazy),
    /// [`dial`](Self::dial) and [`dial_leader`](Self::dial_leader), within [`timeout`](Self::timeout), and gets the
    /// addresses that brokers advertise, too. An error of it is what the connection failed with; dropped before its end, it
    /// is to leave nothing behind.
    ///
    /// ```no_run
    /// use async_io::Async;
    /// use kafka_client_async_std::Dialer;
    ///
    /// // everything goes through a tunnel that ends on this host
    /// let tunnel = std::net::SocketAddr::from(([127, 0, 0, 1], 9092));
    /// let dialer = Dialer::new()
    ///     .connector(move |_host, _port| Async::<std::net::TcpStream>::connect(tunnel));
    /// # drop(dialer);
    /// ```
    ///
    /// Source: acceptance TY-11, DI-08.
    pub fn connector<F, S>(
        mut self,
        open: impl Fn(String, u16) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = io::Result<S>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        self.opener.connector = Some(Connector::new(open, |stream| Box::pin(stream) as OwnStream));
        self
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

    kafka_proto::dialer_connections!([async] [.await]);

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
            seed()?,
            "a stream of the caller",
            topic,
            partition,
        )?;
        drive::drive_stream(Box::pin(stream), outbound, inbound, &spawner, clock);
        Ok(conn)
    }

    fn start(&self, brokers: &str) -> Result<Client, Error> {
        let spawner = self.running()?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (client, control) = Client::new(
            self.config.clone().brokers(brokers)?,
            clock.clone(),
            seed()?,
        )?;
        drive::start(control, spawner, clock, self.opener.clone())?;
        Ok(client)
    }

    fn dial_until(&self) -> Instant {
        self.config.setup_deadline(SystemClock.now().instant)
    }

    /// A connection that is ready by `deadline`, greeting from a rung of the handshake's ladder.
    async fn open_conn_at(
        &self,
        rung: usize,
        address: &str,
        topic: &str,
        partition: i32,
        deadline: Instant,
    ) -> Result<Conn, Error> {
        let address = Address::parse(address)?;
        let spawner = self.running()?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let peer = address.to_string();
        let (conn, outbound, inbound) = Conn::greeting_from(
            rung,
            self.config.clone(),
            clock.clone(),
            seed()?,
            &peer,
            topic,
            partition,
        )?;
        let stream = self
            .opener
            .open(&AsyncIo, &address, self.config.dialing(), deadline)
            .await
            .map_err(|error| Error::unreachable(&peer, error))?;
        drive::drive(stream, outbound, inbound, &spawner, clock);
        conn.ready_by(deadline).await?;
        Ok(conn)
    }

    fn running(&self) -> Result<Spawner, Error> {
        match &self.spawner {
            Some(spawner) => Ok(spawner.clone()),
            None => Spawner::of_runtime(),
        }
    }
}

/// From the system's source of randomness: no two clients pause alike, and nobody guesses the nonces of SASL.
fn seed() -> Result<Seed, Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| Error::no_randomness())?;
    Ok(bytes.into())
}
