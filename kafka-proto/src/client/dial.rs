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

use super::{Clock, Inbound, Outbound};
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

/// The error of a lookup that failed: for adapters.
pub fn lookup_failed(address: &Address, error: &io::Error) -> io::Error {
    io::Error::new(
        error.kind(),
        format!("the lookup of {} failed: {error}", address.host),
    )
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
        addresses: Vec<SocketAddr>,
        now: Instant,
        deadline: Instant,
    ) -> io::Result<Attempts> {
        let local = self.local_addr();
        let suits = |a: &SocketAddr| local.is_none_or(|l| l.is_ipv4() == a.is_ipv4());
        let suited: Vec<_> = addresses.into_iter().filter(suits).collect();
        match (suited.is_empty(), local) {
            (true, Some(local)) => Err(io::Error::new(
                io::ErrorKind::AddrNotAvailable,
                format!("the host has no address of the family of the local address {local}"),
            )),
            (true, None) => Err(io::Error::new(
                io::ErrorKind::NotFound,
                "the name has no address",
            )),
            (false, _) => Ok(Attempts::new(suited, self.pace(), now, deadline)),
        }
    }
}

/// Connects to whichever address answers first, beginning one attempt after the other in their pace: for adapters, which
/// say how to connect and how to sleep. Attempts that were not first are dropped.
///
/// # Errors
///
/// What each attempt failed with, or the deadline passed. Cancel safe: all attempts are dropped.
pub async fn connect_any<S, C, T>(
    mut attempts: Attempts,
    deadline: Instant,
    clock: &dyn Clock,
    connect: impl Fn(SocketAddr) -> C,
    sleep_until: impl Fn(Instant) -> T,
) -> io::Result<S>
where
    C: Future<Output = io::Result<S>>,
    T: Future,
{
    let mut running: Vec<(SocketAddr, Pin<Box<C>>)> = Vec::new();
    let mut failures = Failures::default();
    let mut timer: Option<(Instant, Pin<Box<T>>)> = None;
    poll_fn(|cx| {
        loop {
            let now = clock.now().instant;
            while let Some(address) = attempts.poll_start(now) {
                running.push((address, Box::pin(connect(address))));
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
            let until = attempts
                .poll_timeout()
                .map_or(deadline, |at| at.min(deadline));
            if timer.as_ref().is_none_or(|(at, _)| *at != until) {
                timer = Some((until, Box::pin(sleep_until(until))));
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
