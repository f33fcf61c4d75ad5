//! Connecting.

use std::{future::Future, io, pin::Pin, time::Instant};

use futures_io::{AsyncRead, AsyncWrite};
use kafka_proto::{
    client::{Client, Clock, Conn, Connector, Seed},
    config::Config,
    error::Error,
};

use crate::{
    clock::SystemClock,
    open::{AsyncIo, Opener, Own},
    spawn::Spawner,
};

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

    kafka_proto::dialer_of_runtime!("kafka_client_async_std");

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
        self.opener.connector = Some(Connector::new(open, |stream| Box::pin(stream) as Own));
        self
    }

    /// Runs the connections on an executor of yours. Default: async-std or smol, by the features of this crate.
    ///
    /// `spawn` is called from any thread, once for a client, once for each of its connections that carries records, and once
    /// for each [`Conn`]. A task that it drops ends the connection, or the client, with an error that says so. A client's
    /// control and the connections that keep it known to its brokers have a thread of their own, so that the executor may be
    /// blocked.
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

    kafka_proto::dialer_connections!([async] [.await]);

    fn dial_until(&self) -> Instant {
        self.config.setup_deadline(SystemClock.now().instant)
    }

    fn runtime(&self) -> Result<AsyncIo, Error> {
        let given = self.spawner.clone();
        given.map_or_else(Spawner::of_runtime, Ok).map(AsyncIo)
    }
}

/// From the system's source of randomness: no two clients pause alike, and nobody guesses the nonces of SASL.
fn seed() -> Result<Seed, Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| Error::no_randomness())?;
    Ok(bytes.into())
}
