//! How a broker's stream comes about: by lookup and TCP, or by the user's own way.

use std::{fmt, future::Future, io, net::SocketAddr, pin::Pin, sync::Arc, time::Instant};

use kafka_proto::{
    client::{Resolver, connect_any, lookup_failed},
    config::{Address, Dialing},
};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpSocket, TcpStream, lookup_host},
    time::{sleep_until, timeout_at},
};

use crate::clock::TokioClock;

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
    Tcp(TcpStream),
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
        let attempts = dialing.attempts(addresses, tokio::time::Instant::now().into(), deadline)?;
        let connect = |address| connect(address, dialing);
        let sleep = |at: Instant| sleep_until(at.into());
        connect_any(attempts, deadline, &TokioClock, connect, sleep)
            .await
            .map(Opened::Tcp)
    }

    async fn lookup(&self, address: &Address) -> io::Result<Vec<SocketAddr>> {
        let found = match &self.resolver {
            Some(resolver) => resolver.lookup(address).await,
            None => lookup_host((address.host.as_str(), address.port))
                .await
                .map(Iterator::collect),
        };
        found.map_err(|e| lookup_failed(address, &e))
    }
}

/// A socket with its options, connected.
async fn connect(address: SocketAddr, dialing: &Dialing) -> io::Result<TcpStream> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_nodelay(dialing.no_delay())?;
    if let Some(silence) = dialing.keep_alive() {
        let options = TcpKeepalive::new().with_time(silence);
        SockRef::from(&socket).set_tcp_keepalive(&options)?;
    }
    if let Some(local) = dialing.local_addr() {
        socket.bind(local)?;
    }
    socket.connect(address).await
}

async fn within<T>(
    deadline: Instant,
    future: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let late = |_| {
        io::Error::new(
            io::ErrorKind::TimedOut,
            "no connection within the set-up time-out",
        )
    };
    timeout_at(deadline.into(), future).await.map_err(late)?
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
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            let stream = runtime.block_on(connect(address, config.dialing()));
            let stream = stream.expect("connected");
            let socket = SockRef::from(&stream);
            assert_eq!(socket.keepalive().expect("an option"), kept.is_some());
            if let Some(time) = kept {
                assert_eq!(socket.tcp_keepalive_time().expect("an option"), time);
            }
            assert_eq!(socket.tcp_nodelay().expect("an option"), no_delay);
        }
    }
}
