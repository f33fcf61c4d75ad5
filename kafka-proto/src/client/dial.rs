//! Connections that Control asks for, and making them over whatever sockets an adapter has.

use std::{
    fmt,
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Instant,
};

use super::{Inbound, Outbound};
use crate::config::{Address, Dialing};

pub use crate::machine::dial::{Attempts, Pace};

/// A connection to make: resolve, connect, then drive the halves.
///
/// Dropping it without either is a failure to connect.
#[derive(Debug)]
#[must_use = "a dial waits to be made or failed"]
pub struct Dial {
    /// Where to.
    pub address: Address,
    /// Lookup and connect end by then, and the handshake too.
    pub deadline: Instant,
    /// The sending half.
    pub outbound: Outbound,
    /// The receiving half.
    pub inbound: Inbound,
}

impl Dial {
    /// Whether the link carries records. Those that do not keep a member in its group, and so must go on while user code
    /// blocks a runtime of one thread.
    pub fn carries_records(&self) -> bool {
        self.outbound.carries_records()
    }

    /// Tells that no connection could be made.
    pub fn failed(self, error: io::Error) {
        self.outbound.refused(error);
    }

    /// Waits for the stream that `opening` makes, and returns it with the halves to drive over it. `None` if it failed,
    /// which is told, or once nobody needs it any more: a client that ends does not wait for it.
    pub async fn make<S>(
        mut self,
        opening: impl Future<Output = io::Result<S>>,
    ) -> Option<(S, Outbound, Inbound)> {
        let opened = {
            let mut opening = pin!(opening);
            let inbound = &mut self.inbound;
            poll_fn(|cx| match opening.as_mut().poll(cx) {
                Poll::Ready(stream) => Poll::Ready(Some(stream)),
                Poll::Pending => inbound.poll_closed(cx).map(|()| None),
            })
            .await
        };
        match opened? {
            Ok(stream) => Some((stream, self.outbound, self.inbound)),
            Err(error) => {
                self.failed(error);
                None
            }
        }
    }
}

/// The user's own way from a host to its addresses (acceptance TY-11).
#[derive(Clone)]
pub struct Resolver(Arc<Lookup>);

type Lookup =
    dyn Fn(String) -> Pin<Box<dyn Future<Output = io::Result<Vec<String>>> + Send>> + Send + Sync;

impl Resolver {
    /// A function from a host to `ip`, `ip:port` or `[ip]:port`, of which the best comes first.
    pub fn new<F>(lookup: impl Fn(String) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<Vec<String>>> + Send + 'static,
    {
        Self(Arc::new(move |host| Box::pin(lookup(host))))
    }

    /// The addresses of a host that is no address itself.
    ///
    /// # Errors
    ///
    /// The function's, or it found none.
    pub async fn lookup(&self, address: &Address) -> io::Result<Vec<SocketAddr>> {
        let found = (self.0)(address.host.clone()).await?;
        address.resolved(&found)
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

/// The user's own way to a stream, in place of lookup and connect (acceptance DI-08).
pub struct Connector<S>(Arc<Open<S>>);

type Open<S> =
    dyn Fn(String, u16) -> Pin<Box<dyn Future<Output = io::Result<S>> + Send>> + Send + Sync;

impl<S: 'static> Connector<S> {
    /// A function from host and port to a stream, and how the adapter keeps one.
    pub fn new<F, T>(
        open: impl Fn(String, u16) -> F + Send + Sync + 'static,
        keep: impl Fn(T) -> S + Copy + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = io::Result<T>> + Send + 'static,
    {
        Self(Arc::new(move |host, port| {
            let opening = open(host, port);
            Box::pin(async move { opening.await.map(keep) })
        }))
    }
}

impl<S> Clone for Connector<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S> fmt::Debug for Connector<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

/// How a broker's stream comes about: by lookup and TCP, or by the user's own way. For adapters of async runtimes.
pub struct Opener<S> {
    /// In place of the system's lookup.
    pub resolver: Option<Resolver>,
    /// In place of lookup and TCP.
    pub connector: Option<Connector<S>>,
}

/// A stream that was opened. TCP has halves without a lock, so it is kept apart.
#[derive(Debug)]
pub enum Opened<T, S> {
    /// By lookup and TCP.
    Tcp(T),
    /// By the user's function.
    Own(S),
}

/// What a runtime has for making connections.
pub trait Sockets: Sync {
    /// A connected socket.
    type Stream: Send + 'static;

    /// The time, by the clock that [`sleep_until`](Self::sleep_until) goes by.
    fn now(&self) -> Instant;

    /// Sleeps.
    fn sleep_until(&self, at: Instant) -> impl Future<Output = ()> + Send;

    /// The addresses of a host, by the system.
    fn lookup(
        &self,
        host: &str,
        port: u16,
    ) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;

    /// A socket with the options of the dialer, connected.
    fn connect(
        &self,
        address: SocketAddr,
        dialing: &Dialing,
    ) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl<S> Opener<S> {
    /// Opens a stream, all by `deadline`.
    ///
    /// # Errors
    ///
    /// The lookup failed, or found nothing; what each attempt failed with; or the deadline passed. Cancel safe: all
    /// attempts are dropped.
    pub async fn open<N: Sockets>(
        &self,
        sockets: &N,
        address: &Address,
        dialing: &Dialing,
        deadline: Instant,
    ) -> io::Result<Opened<N::Stream, S>> {
        if let Some(Connector(open)) = &self.connector {
            let opening = open(address.host.clone(), address.port);
            return within(sockets, deadline, opening).await.map(Opened::Own);
        }
        let addresses = match address.literal() {
            Some(literal) => vec![literal],
            None => within(sockets, deadline, self.lookup(sockets, address)).await?,
        };
        let attempts = dialing.attempts(addresses, sockets.now(), deadline)?;
        connect_any(sockets, attempts, dialing, deadline)
            .await
            .map(Opened::Tcp)
    }

    async fn lookup(
        &self,
        sockets: &impl Sockets,
        address: &Address,
    ) -> io::Result<Vec<SocketAddr>> {
        let found = match &self.resolver {
            Some(resolver) => resolver.lookup(address).await,
            None => sockets.lookup(&address.host, address.port).await,
        };
        looked_up(address, found)
    }
}

impl<S> Clone for Opener<S> {
    fn clone(&self) -> Self {
        Self {
            resolver: self.resolver.clone(),
            connector: self.connector.clone(),
        }
    }
}

impl<S> fmt::Debug for Opener<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener")
            .field("resolver", &self.resolver)
            .field("connector", &self.connector)
            .finish()
    }
}

impl<S> Default for Opener<S> {
    fn default() -> Self {
        Self {
            resolver: None,
            connector: None,
        }
    }
}

/// What a lookup came to: some addresses, or an error that names the host. For adapters.
///
/// # Errors
///
/// The lookup failed, or found nothing.
pub fn looked_up(
    address: &Address,
    found: io::Result<Vec<SocketAddr>>,
) -> io::Result<Vec<SocketAddr>> {
    let found = found.and_then(|found| match found.is_empty() {
        true => Err(address.unknown()),
        false => Ok(found),
    });
    found.map_err(|error| {
        let message = format!("the lookup of {} failed: {error}", address.host);
        io::Error::new(error.kind(), message)
    })
}

impl Dialing {
    /// The addresses of a host, in the order and pace in which to try them; what the local address cannot reach is left
    /// out.
    ///
    /// # Errors
    ///
    /// None is left.
    pub fn attempts(
        &self,
        mut addresses: Vec<SocketAddr>,
        now: Instant,
        deadline: Instant,
    ) -> io::Result<Attempts> {
        if let Some(local) = self.local_addr() {
            addresses.retain(|address| address.is_ipv4() == local.is_ipv4());
            if addresses.is_empty() {
                return Err(io::Error::new(
                    io::ErrorKind::AddrNotAvailable,
                    format!("the host has no address of the family of the local address {local}"),
                ));
            }
        }
        Ok(Attempts::new(addresses, self.pace(), now, deadline))
    }
}

/// What `future` gives, or an error at `deadline`.
async fn within<T>(
    sockets: &impl Sockets,
    deadline: Instant,
    future: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let (mut future, mut sleep) = (pin!(future), pin!(sockets.sleep_until(deadline)));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Pending => {
            let elapsed = sleep.as_mut().poll(cx);
            elapsed.map(|()| Err(Failures::default().late()))
        }
        ready => ready,
    })
    .await
}

/// Connects to whichever address answers first, beginning one attempt after the other in their pace. Attempts that were not
/// first are dropped.
async fn connect_any<N: Sockets>(
    sockets: &N,
    mut attempts: Attempts,
    dialing: &Dialing,
    deadline: Instant,
) -> io::Result<N::Stream> {
    let mut running = Vec::new();
    let mut failures = Failures::default();
    let mut timer = None;
    poll_fn(|cx| {
        loop {
            let now = sockets.now();
            while let Some(address) = attempts.poll_start(now) {
                running.push((address, Box::pin(sockets.connect(address, dialing))));
            }
            let mut failed = false;
            let mut at = 0;
            while let Some((address, attempt)) = running.get_mut(at) {
                match attempt.as_mut().poll(cx) {
                    Poll::Ready(Ok(stream)) => return Poll::Ready(Ok(stream)),
                    Poll::Ready(Err(error)) => {
                        failures.add(*address, error);
                        drop(running.swap_remove(at));
                        attempts.handle_failed(now);
                        failed = true;
                    }
                    Poll::Pending => at += 1,
                }
            }
            if attempts.is_over() {
                return Poll::Ready(Err(failures.error()));
            }
            if failed {
                continue;
            }
            if now >= deadline {
                return Poll::Ready(Err(failures.late()));
            }
            let next = attempts.poll_timeout();
            let until = next.map_or(deadline, |at| at.min(deadline));
            if timer.as_ref().is_none_or(|(at, _)| *at != until) {
                timer = Some((until, Box::pin(sockets.sleep_until(until))));
            }
            let elapsed = timer.as_mut().map(|(_, sleep)| sleep.as_mut().poll(cx));
            if elapsed.is_none_or(|elapsed| elapsed.is_pending()) {
                return Poll::Pending;
            }
            timer = None;
        }
    })
    .await
}

/// What the attempts at one host failed with.
#[derive(Debug, Default)]
pub struct Failures(Vec<(SocketAddr, io::Error)>);

impl Failures {
    /// One more.
    pub fn add(&mut self, address: SocketAddr, error: io::Error) {
        self.0.push((address, error));
    }

    /// The error of a host that cannot be reached, of the kind of its first failure.
    pub fn error(&mut self) -> io::Error {
        let failures = std::mem::take(&mut self.0);
        match <[_; 1]>::try_from(failures) {
            Ok([(_, error)]) => error,
            Err(several) => {
                let kind = several
                    .first()
                    .map_or(io::ErrorKind::NotFound, |(_, e)| e.kind());
                io::Error::new(kind, listed(&several))
            }
        }
    }

    /// The error of a host that did not answer in time.
    pub fn late(&mut self) -> io::Error {
        let failures = std::mem::take(&mut self.0);
        let message = "no connection within the set-up time-out";
        let message = match failures.is_empty() {
            true => message.to_owned(),
            false => format!("{message}; before that {}", listed(&failures)),
        };
        io::Error::new(io::ErrorKind::TimedOut, message)
    }
}

fn listed(failures: &[(SocketAddr, io::Error)]) -> String {
    let each: Vec<_> = failures.iter().map(|(a, e)| format!("{a}: {e}")).collect();
    each.join("; ")
}
