//! Connecting.

use std::{
    io::{self, Read, Write},
    os::fd::OwnedFd,
    sync::Arc,
    time::Instant,
};

use kafka_proto::{
    client::{self, Clock, Dial, Seed},
    config::{Address, Config},
    error::Error,
};

use crate::{client::Client, clock::SystemClock, conn::Conn, io::Io, opening::Opener, threads};

kafka_proto::dial_functions!([] []);

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

    /// Looks hosts up by a function of your own, instead of the system's lookup: by service discovery, for example. It
    /// returns `ip`, `ip:port` or `[ip]:port`, the best first.
    ///
    /// The port of the address that is dialled wins; one that was found is taken where that address has none. Hosts that are
    /// IP addresses are not looked up. TLS goes by the name that is dialled, whatever it resolves to. Each lookup has a
    /// thread of its own, which it may block; what comes after [`timeout`](Self::timeout) is dropped.
    ///
    /// ```
    /// use kafka_client_blocking::Dialer;
    ///
    /// let dialer = Dialer::new().resolver(|host| match host {
    ///     "kafka.service" => Ok(vec!["10.0.0.7:9092".to_owned(), "10.0.0.8:9092".to_owned()]),
    ///     _ => Err(std::io::Error::other(format!("{host} is not registered"))),
    /// });
    /// # drop(dialer);
    /// ```
    ///
    /// Source: acceptance TY-11, DI-08, 2.2.
    #[doc(alias = "LookupHost")]
    pub fn resolver(
        mut self,
        lookup: impl Fn(&str) -> io::Result<Vec<String>> + Send + Sync + 'static,
    ) -> Self {
        self.opener.resolver = Some(Arc::new(lookup));
        self
    }

    /// Opens sockets by a function of your own, from host and port, instead of lookup and TCP: through a proxy, or to a
    /// Unix socket. The settings of sockets and lookups are then yours.
    ///
    /// It is used for every connection of [`connect`](Self::connect), [`connect_lazy`](Self::connect_lazy),
    /// [`dial`](Self::dial) and [`dial_leader`](Self::dial_leader), and gets the addresses that brokers advertise, too.
    /// Each call has a thread of its own, which it may block; what comes after [`timeout`](Self::timeout) is dropped.
    /// For streams that are no sockets there is [`over`](Self::over).
    ///
    /// ```no_run
    /// use std::{net::TcpStream, os::fd::OwnedFd};
    ///
    /// use kafka_client_blocking::Dialer;
    ///
    /// // everything goes through a tunnel that ends on this host
    /// let dialer = Dialer::new()
    ///     .connector(|_host, port| TcpStream::connect(("localhost", port)).map(OwnedFd::from));
    /// # drop(dialer);
    /// ```
    ///
    /// Source: acceptance TY-11, DI-08.
    pub fn connector(
        mut self,
        open: impl Fn(&str, u16) -> io::Result<OwnedFd> + Send + Sync + 'static,
    ) -> Self {
        self.opener.connector = Some(Arc::new(open));
        self
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
        let (client, control) = client::Client::new(config, clock.clone(), seed()?)?;
        let io = Io::start(clock, |engine| engine.control(control, self.opener.clone()))?;
        Ok(Client::new(client, io))
    }

    kafka_proto::dialer_connections!([] []);

    /// A connection over a stream that is open already, as its reading and its writing half, for one partition.
    ///
    /// Returns before the peer has said anything: the first call waits for the handshake, too, and has its errors.
    ///
    /// Each half gets a thread of its own, which it may block; a third thread keeps the time-outs while a write waits.
    /// `close` is called once, by one of them, when the connection has ended, and must make a read and a write that wait
    /// return, by shutting the stream down for example. TLS ends its stream in good order before, for which it has half a
    /// second.
    ///
    /// # Errors
    ///
    /// A setting that cannot be, for which `close` is not called, or the system refused a thread.
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
            client::Conn::new(config, clock.clone(), seed()?, peer, topic, partition)?;
        let threads = threads::start((outbound, inbound), (from, to), close, clock)?;
        Ok(Conn::new(conn, Io::of_threads(threads)))
    }

    fn dial_until(&self) -> Instant {
        self.config.setup_deadline(SystemClock.now().instant)
    }

    /// A connection that is ready by `deadline`, greeting from a rung of the handshake's ladder.
    fn open_conn_at(
        &self,
        rung: usize,
        address: &str,
        topic: &str,
        partition: i32,
        deadline: Instant,
    ) -> Result<Conn, Error> {
        let address = Address::parse(address)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (config, peer) = (self.config.clone(), address.to_string());
        let (conn, outbound, inbound) = client::Conn::greeting_from(
            rung,
            config,
            clock.clone(),
            seed()?,
            &peer,
            topic,
            partition,
        )?;
        let dial = Dial {
            address,
            deadline,
            outbound,
            inbound,
        };
        let (dialing, opener) = (self.config.dialing().clone(), self.opener.clone());
        let io = Io::start(clock, |engine| engine.open(dial, dialing, opener))?;
        io.block_on(conn.ready_by(deadline))?;
        Ok(Conn::new(conn, io))
    }
}

/// From the system's source of randomness: no two clients pause alike, and nobody guesses the nonces of SASL.
fn seed() -> Result<Seed, Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| Error::no_randomness())?;
    Ok(bytes.into())
}
