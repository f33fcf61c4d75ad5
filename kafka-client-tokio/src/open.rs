//! Sockets and lookups by tokio.

use std::{future::Future, io, net::SocketAddr, pin::Pin, time::Instant};

use kafka_proto::{
    client::{self, Sockets},
    config::Dialing,
};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpSocket, TcpStream, lookup_host},
    runtime::Handle,
};

/// How this adapter opens streams.
pub(crate) type Opener = client::Opener<Own>;

/// A stream that the user's function made.
pub(crate) type Own = Pin<Box<dyn Duplex>>;

/// Both directions, as one trait object needs them.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send {}

impl<S: AsyncRead + AsyncWrite + Send> Duplex for S {}

/// A runtime of tokio: its sockets, names, timers and tasks.
#[derive(Clone)]
pub(crate) struct Tokio(pub(crate) Handle);

impl Sockets for Tokio {
    type Stream = TcpStream;

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into()
    }

    fn sleep_until(&self, at: Instant) -> impl Future<Output = ()> + Send {
        tokio::time::sleep_until(at.into())
    }

    async fn lookup(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(lookup_host((host, port)).await?.collect())
    }

    async fn connect(&self, address: SocketAddr, dialing: &Dialing) -> io::Result<TcpStream> {
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
            let tokio = Tokio(runtime.handle().clone());
            let stream = runtime.block_on(tokio.connect(address, config.dialing()));
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
