//! What an adapter for an async runtime brings, and what all of them do with it.

use std::{
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use super::{
    Clock, Control, Dial, Driver, Inbound, Opened, Opener, Outbound, Sockets, driver::Transport,
};
use crate::config::Dialing;

/// An async runtime: what it opens, how that is driven, and where tasks run.
pub trait Runtime: Sockets + Clone + Send + 'static {
    /// A stream of the user's own making.
    type Own: Send + 'static;
    /// Its timer.
    type Timer: Timer;

    /// Its clock.
    fn clock(&self) -> Arc<dyn Clock>;

    /// Runs a task.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);

    /// Runs a connection over what was opened for it.
    fn drive(&self, stream: Opened<Self::Stream, Self::Own>, outbound: Outbound, inbound: Inbound) {
        self.spawn(drive::<Self>(stream, outbound, inbound, self.clock()));
    }

    /// Starts driving a client by [`drive_client`], where user code that blocks this runtime does not stop it.
    ///
    /// # Errors
    ///
    /// The system refused a thread.
    fn start(self, control: Control, opener: Opener<Self::Own>) -> io::Result<()>;

    /// The addresses of a socket: its own and its peer's.
    ///
    /// # Errors
    ///
    /// It has been shut down meanwhile.
    fn addresses(socket: &Self::Stream) -> io::Result<(SocketAddr, SocketAddr)>;

    /// A connection over a socket.
    fn over_socket(socket: Self::Stream) -> impl Transport + Send + Unpin + 'static;

    /// A connection over a stream of the user's.
    fn over_own(stream: Self::Own) -> impl Transport + Send + Unpin + 'static;
}

/// A timer for one moment at a time.
pub trait Timer: Default + Send {
    /// `Ready` once `deadline` has passed, or an earlier one that it was asked to wait for before: waking early costs less
    /// than setting a timer anew with every request. Without a deadline it waits forever.
    fn poll(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<()>;
}

/// Drives a client until it ends, or what drives its data has; links that carry records are driven by `data`, the others by
/// `own`.
pub async fn drive_client<R: Runtime>(
    mut control: Control,
    opener: Opener<R::Own>,
    own: R,
    data: R,
    data_ended: impl Future<Output = ()>,
) {
    let mut timer = R::Timer::default();
    let (clock, dialing) = (own.clock(), control.dialing().clone());
    let mut data_ended = pin!(data_ended);
    while let Some(dial) = poll_fn(|cx| {
        // before each dial: a runtime that ends drops every one at once, and the next is wanted at once
        if data_ended.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        loop {
            if let Poll::Ready(dial) = control.poll(clock.now(), cx) {
                return Poll::Ready(dial);
            }
            ready!(timer.poll(cx, control.deadline()));
        }
    })
    .await
    {
        let runtime = match dial.carries_records() {
            true => &data,
            false => &own,
        };
        runtime.spawn(connect(
            runtime.clone(),
            dial,
            dialing.clone(),
            opener.clone(),
        ));
    }
}

/// Makes a connection and drives it until it ends.
async fn connect<R: Runtime>(runtime: R, dial: Dial, dialing: Dialing, opener: Opener<R::Own>) {
    let (address, deadline) = (dial.address.clone(), dial.deadline);
    let opening = opener.open(&runtime, &address, &dialing, deadline);
    if let Some((stream, outbound, inbound)) = dial.make(opening).await {
        drive::<R>(stream, outbound, inbound, runtime.clock()).await;
    }
}

/// Drives a connection, over what was opened for it, until it ends.
async fn drive<R: Runtime>(
    stream: Opened<R::Stream, R::Own>,
    mut outbound: Outbound,
    inbound: Inbound,
    clock: Arc<dyn Clock>,
) {
    match stream {
        Opened::Tcp(socket) => {
            if let Ok((local, peer)) = R::addresses(&socket) {
                outbound.connected(local, peer);
            }
            Driver::new(R::over_socket(socket), outbound, inbound, clock).await;
        }
        Opened::Own(stream) => Driver::new(R::over_own(stream), outbound, inbound, clock).await,
    }
}

/// The methods of a `Dialer` of an async adapter that look up and connect; `$name` is the crate's.
///
/// The dialer keeps an [`Opener`] in `opener` and says by `runtime()` which [`Runtime`] it dials in, or that there is none;
/// beside it stand `seed()`, from the system's randomness, and `Own`, the boxed stream.
#[doc(hidden)]
#[macro_export]
macro_rules! dialer_of_runtime {
    ($name:literal) => {
        /// Looks hosts up by a function of your own, instead of the system's lookup: by service discovery, for example. It
        /// returns `ip`, `ip:port` or `[ip]:port`, the best first.
        ///
        /// The port of the address that is dialled wins; one that was found is taken where that address has none. Hosts that are
        /// IP addresses are not looked up. TLS goes by the name that is dialled, whatever it resolves to. A lookup has the
        /// time that [`timeout`](Self::timeout) leaves; one that is dropped before its end is to leave nothing behind.
        ///
        /// ```
        #[doc = concat!("use ", $name, "::Dialer;")]
        ///
        /// let dialer = Dialer::new().resolver(|host| async move {
        ///     match host.as_str() {
        ///         "kafka.service" => Ok(vec!["10.0.0.7:9092".to_owned(), "10.0.0.8:9092".to_owned()]),
        ///         _ => Err(std::io::Error::other(format!("{host} is not registered"))),
        ///     }
        /// });
        /// # drop(dialer);
        /// ```
        ///
        /// Source: acceptance TY-11, DI-08, 2.2.
        #[doc(alias = "LookupHost")]
        pub fn resolver<F>(mut self, lookup: impl Fn(String) -> F + Send + Sync + 'static) -> Self
        where
            F: ::std::future::Future<Output = ::std::io::Result<Vec<String>>> + Send + 'static,
        {
            self.opener.resolver = Some($crate::client::Resolver::new(lookup));
            self
        }

        /// Connects to the cluster that these brokers belong to, and waits until one of them has described it.
        ///
        /// Tries them in turn, each within [`Dialer::timeout`].
        ///
        /// # Errors
        ///
        /// The list is no list of addresses, there is no runtime for the connections, or no broker answered: the message
        /// has the reason of each.
        pub async fn connect(&self, brokers: &str) -> Result<Client, $crate::error::Error> {
            let client = self.connect_lazy(brokers)?;
            client.ready().await?;
            Ok(client)
        }

        /// A client that connects when it is first needed: for services that start before their broker.
        ///
        /// # Errors
        ///
        /// The list is no list of addresses, there is no runtime for the connections, or the system refused a thread.
        pub fn connect_lazy(&self, brokers: &str) -> Result<Client, $crate::error::Error> {
            use $crate::client::Runtime as _;
            let runtime = self.runtime()?;
            let config = self.config.clone().brokers(brokers)?;
            let (client, control) = Client::new(config, runtime.clock(), seed()?)?;
            runtime
                .start(control, self.opener.clone())
                .map_err($crate::error::Error::exhausted)?;
            Ok(client)
        }

        /// A connection over a stream that is open already, for one partition.
        ///
        /// Returns before the peer has said anything: [`Conn::ready`] waits for the handshake, and so does the first call.
        ///
        /// # Errors
        ///
        /// A setting that cannot be, or there is no runtime for the connection.
        pub fn over(
            &self,
            stream: impl AsyncRead + AsyncWrite + Send + 'static,
            topic: &str,
            partition: i32,
        ) -> Result<Conn, $crate::error::Error> {
            use $crate::client::Runtime as _;
            let runtime = self.runtime()?;
            let (conn, outbound, inbound) = Conn::new(
                self.config.clone(),
                runtime.clock(),
                seed()?,
                "a stream of the caller",
                topic,
                partition,
            )?;
            let stream = $crate::client::Opened::Own(Box::pin(stream) as Own);
            runtime.drive(stream, outbound, inbound);
            Ok(conn)
        }

        /// A connection that is ready by `deadline`, greeting from a rung of the handshake's ladder.
        async fn open_conn_at(
            &self,
            rung: usize,
            address: &str,
            topic: &str,
            partition: i32,
            deadline: ::std::time::Instant,
        ) -> Result<Conn, $crate::error::Error> {
            use $crate::client::Runtime as _;
            let address = $crate::config::Address::parse(address)?;
            let runtime = self.runtime()?;
            let peer = address.to_string();
            let (conn, outbound, inbound) = Conn::greeting_from(
                rung,
                self.config.clone(),
                runtime.clock(),
                seed()?,
                &peer,
                topic,
                partition,
            )?;
            let dialing = self.config.dialing();
            let opened = self
                .opener
                .open(&runtime, &address, dialing, deadline)
                .await;
            let stream = opened.map_err(|error| $crate::error::Error::unreachable(&peer, error))?;
            runtime.drive(stream, outbound, inbound);
            conn.ready_by(deadline).await?;
            Ok(conn)
        }
    };
}
