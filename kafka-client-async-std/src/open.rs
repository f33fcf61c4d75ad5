//! How a broker's stream comes about: by lookup and TCP, or by the user's own way.

use std::{
    fmt,
    future::{Future, poll_fn},
    io,
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    pin::{Pin, pin},
    sync::Arc,
    task::{Poll, ready},
    time::Instant,
};

use async_io::{Async, Timer};
use futures_io::{AsyncRead, AsyncWrite};
use kafka_proto::{
    client::{Clock, Resolver, connect_any, lookup_failed},
    config::{Address, Dialing},
};
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

use crate::clock::SystemClock;

/// What the user does in place of lookup or connect.
#[derive(Clone, Debug, Default)]
pub(crate) struct Opener {
    pub(crate) resolver: Option<Resolver>,
    pub(crate) connector: Option<Connector>,
}

/// The user's own way to a stream.
#[derive(Clone)]
pub(crate) struct Connector(Arc<Open>);

type Open = dyn Fn(String, u16) -> Pin<Box<dyn Future<Output = io::Result<OwnStream>> + Send>>
    + Send
    + Sync;

/// A stream that the user's function made.
pub(crate) type OwnStream = Pin<Box<dyn Duplex>>;

/// Both directions, as one trait object needs them.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send {}

impl<S: AsyncRead + AsyncWrite + Send> Duplex for S {}

/// What was opened. TCP has halves without a lock, so it is kept apart.
pub(crate) enum Opened {
    Tcp(Async<TcpStream>),
    Own(OwnStream),
}

impl Connector {
    pub(crate) fn new<F, S>(open: impl Fn(String, u16) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<S>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        Self(Arc::new(move |host, port| {
            let opening = open(host, port);
            Box::pin(async move { Ok(Box::pin(opening.await?) as OwnStream) })
        }))
    }
}

impl Opener {
    /// Opens a stream, all by `deadline`.
    pub(crate) async fn open(
        &self,
        address: &Address,
        dialing: &Dialing,
        deadline: Instant,
    ) -> io::Result<Opened> {
        if let Some(Connector(open)) = &self.connector {
            let opening = open(address.host.clone(), address.port);
            return within(deadline, opening).await.map(Opened::Own);
        }
        let addresses = match address.literal() {
            Some(literal) => vec![literal],
            None => within(deadline, self.lookup(address)).await?,
        };
        let attempts = dialing.attempts(addresses, SystemClock.now().instant, deadline)?;
        let connect = |address| connect(address, dialing);
        connect_any(attempts, deadline, &SystemClock, connect, Timer::at)
            .await
            .map(Opened::Tcp)
    }

    async fn lookup(&self, address: &Address) -> io::Result<Vec<SocketAddr>> {
        let found = match &self.resolver {
            Some(resolver) => resolver.lookup(address).await,
            None => {
                let (host, port) = (address.host.clone(), address.port);
                // the system's lookup blocks and cannot be called off: it gets a thread of a pool
                blocking::unblock(move || Ok((host.as_str(), port).to_socket_addrs()?.collect()))
                    .await
            }
        };
        found.map_err(|e| lookup_failed(address, &e))
    }
}

/// A socket with its options, connected.
async fn connect(address: SocketAddr, dialing: &Dialing) -> io::Result<Async<TcpStream>> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(dialing.no_delay())?;
    if let Some(silence) = dialing.keep_alive() {
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(silence))?;
    }
    if let Some(local) = dialing.local_addr() {
        socket.bind(&local.into())?;
    }
    match socket.connect(&address.into()) {
        Err(e) if !is_in_progress(&e) => return Err(e),
        _ => {}
    }
    let stream = Async::new(TcpStream::from(socket))?;
    stream.writable().await?;
    match stream.get_ref().take_error()? {
        Some(error) => Err(error),
        None => Ok(stream),
    }
}

fn is_in_progress(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    error.kind() == io::ErrorKind::WouldBlock
        || code == Some(rustix::io::Errno::INPROGRESS.raw_os_error())
}

/// What `future` gives, or an error at `deadline`.
async fn within<T>(
    deadline: Instant,
    future: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let mut future = pin!(future);
    let mut timer = Timer::at(deadline);
    poll_fn(|cx| {
        if let Poll::Ready(result) = future.as_mut().poll(cx) {
            return Poll::Ready(result);
        }
        ready!(Pin::new(&mut timer).poll(cx));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "no connection within the set-up time-out",
        )))
    })
    .await
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, time::Duration};

    use super::*;

    /// DI-07, and the options beside it.
    #[test]
    fn a_socket_has_the_options_of_the_dialer() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let silence = Duration::from_secs(77);
        let config = kafka_proto::config::Config::without_brokers();
        let told = config.clone().keep_alive(Some(silence)).no_delay(false);
        for (config, kept, no_delay) in [(config, None, true), (told, Some(silence), false)] {
            let stream = futures_lite::future::block_on(connect(address, config.dialing()));
            let stream = stream.expect("connected");
            let socket = socket2::SockRef::from(stream.get_ref());
            assert_eq!(socket.keepalive().expect("an option"), kept.is_some());
            if let Some(time) = kept {
                assert_eq!(socket.tcp_keepalive_time().expect("an option"), time);
            }
            assert_eq!(socket.tcp_nodelay().expect("an option"), no_delay);
        }
    }
}
