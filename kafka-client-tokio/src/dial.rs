//! Connecting.

use std::{future::Future, io, sync::Arc, time::Instant};

use kafka_proto::{
    client::{Client, Clock, Conn, Connector, Seed},
    config::{Address, Config},
    error::Error,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    runtime::Handle,
};

use crate::{
    clock::TokioClock,
    drive,
    open::{Opener, OwnStream, Tokio},
};

const NO_RUNTIME: &str =
    "there is no tokio runtime here: call this from a task, or enter one with Runtime::enter";

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
        }
    }

    kafka_proto::dialer_settings!();

    kafka_proto::dialer_resolver!("kafka_client_tokio");

    /// Opens streams by a function of your own, from host and port, instead of lookup and TCP: through a proxy, by another
    /// resolver, or to a cluster in memory. The settings of sockets and lookups are then yours.
    ///
    /// It is used for every connection of [`connect`](Self::connect), [`connect_lazy`](Self::connect_lazy),
    /// [`dial`](Self::dial) and [`dial_leader`](Self::dial_leader), within [`timeout`](Self::timeout), and gets the
    /// addresses that brokers advertise, too. An error of it is what the connection failed with; dropped before its end, it
    /// is to leave nothing behind.
    ///
    /// All connections are then tasks of the runtime in which the client was made, so that a paused clock of it holds for
    /// the whole client. On a runtime of one thread, code that blocks it then stops what keeps members in their
    /// groups, too, which otherwise has a thread of its own.
    ///
    /// ```no_run
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use kafka_client_tokio::Dialer;
    /// use tokio::net::TcpStream;
    ///
    /// // everything goes through a tunnel that ends on this host
    /// let dialer = Dialer::new()
    ///     .connector(|_host, port| async move { TcpStream::connect(("localhost", port)).await });
    /// let client = dialer.connect("kafka-1:9092").await?;
    /// # drop(client);
    /// # Ok(())
    /// # }
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

    /// Connects to the cluster that these brokers belong to, and waits until one of them has described it.
    ///
    /// Tries them in turn, each within [`Dialer::timeout`].
    ///
    /// # Errors
    ///
    /// The list is no list of addresses, there is no tokio runtime, or no broker answered: the message has the reason of
    /// each.
    pub async fn connect(&self, brokers: &str) -> Result<Client, Error> {
        let client = self.start(brokers)?;
        client.ready().await?;
        Ok(client)
    }

    /// A client that connects when it is first needed: for services that start before their broker.
    ///
    /// # Errors
    ///
    /// The list is no list of addresses, or there is no tokio runtime.
    pub fn connect_lazy(&self, brokers: &str) -> Result<Client, Error> {
        self.start(brokers)
    }

    kafka_proto::dialer_connections!([async] [.await]);

    /// A connection over a stream that is open already, for one partition.
    ///
    /// # Errors
    ///
    /// A setting that cannot be, or there is no tokio runtime.
    pub fn over(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + 'static,
        topic: &str,
        partition: i32,
    ) -> Result<Conn, Error> {
        Handle::try_current().map_err(|_| Error::no_runtime(NO_RUNTIME))?;
        let clock: Arc<dyn Clock> = Arc::new(TokioClock);
        let (conn, outbound, inbound) = Conn::new(
            self.config.clone(),
            clock.clone(),
            seed()?,
            "a stream of the caller",
            topic,
            partition,
        )?;
        drive::drive_stream(Box::pin(stream), outbound, inbound, clock);
        Ok(conn)
    }

    fn start(&self, brokers: &str) -> Result<Client, Error> {
        let runtime = Handle::try_current().map_err(|_| Error::no_runtime(NO_RUNTIME))?;
        let clock: Arc<dyn Clock> = Arc::new(TokioClock);
        let (client, control) = Client::new(
            self.config.clone().brokers(brokers)?,
            clock.clone(),
            seed()?,
        )?;
        drive::start(control, clock, self.opener.clone(), &runtime).map_err(Error::exhausted)?;
        Ok(client)
    }

    fn dial_until(&self) -> Instant {
        self.config.setup_deadline(TokioClock.now().instant)
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
        Handle::try_current().map_err(|_| Error::no_runtime(NO_RUNTIME))?;
        let clock: Arc<dyn Clock> = Arc::new(TokioClock);
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
            .open(&Tokio, &address, self.config.dialing(), deadline)
            .await
            .map_err(|error| Error::unreachable(&peer, error))?;
        drive::drive(stream, outbound, inbound, clock);
        conn.ready_by(deadline).await?;
        Ok(conn)
    }
}

/// From the system's source of randomness: no two clients pause alike, and nobody guesses the nonces of SASL.
fn seed() -> Result<Seed, Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| Error::no_randomness())?;
    Ok(bytes.into())
}
