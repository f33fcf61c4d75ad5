//! Connecting.

use std::{future::Future, io, time::Instant};

use kafka_proto::{
    client::{Client, Clock, Conn, Connector, Seed},
    config::Config,
    error::Error,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    runtime::Handle,
};

use crate::{
    clock::TokioClock,
    open::{Opener, Own, Tokio},
};

const NO_RUNTIME: &str =
    "there is no tokio runtime here: call this from a task, or enter one with Runtime::enter";

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

    kafka_proto::dialer_of_runtime!("kafka_client_tokio");

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
        self.opener.connector = Some(Connector::new(open, |stream| Box::pin(stream) as Own));
        self
    }

    kafka_proto::dialer_connections!([async] [.await]);

    fn dial_until(&self) -> Instant {
        self.config.setup_deadline(TokioClock.now().instant)
    }

    fn runtime(&self) -> Result<Tokio, Error> {
        let current = Handle::try_current().map_err(|_| Error::no_runtime(NO_RUNTIME))?;
        Ok(Tokio(current))
    }
}

/// From the system's source of randomness: no two clients pause alike, and nobody guesses the nonces of SASL.
fn seed() -> Result<Seed, Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| Error::no_randomness())?;
    Ok(bytes.into())
}
