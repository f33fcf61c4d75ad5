//! Sockets by async-io, and lookups by a pool of threads.

use std::{
    future::Future,
    io,
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    pin::Pin,
    time::Instant,
};

use async_io::{Async, Timer};
use futures_io::{AsyncRead, AsyncWrite};
use kafka_proto::{
    client::{self, Sockets},
    config::Dialing,
};
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

use crate::spawn::Spawner;

/// How this adapter opens streams.
pub(crate) type Opener = client::Opener<Own>;

/// A stream that the user's function made.
pub(crate) type Own = Pin<Box<dyn Duplex>>;

/// Both directions, as one trait object needs them.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send {}

impl<S: AsyncRead + AsyncWrite + Send> Duplex for S {}

/// Sockets, names and timers for any executor, and one that runs the tasks.
#[derive(Clone)]
pub(crate) struct AsyncIo(pub(crate) Spawner);

impl Sockets for AsyncIo {
    type Stream = Async<TcpStream>;

    fn now(&self) -> Instant {
        Instant::now()
    }

    async fn sleep_until(&self, at: Instant) {
        Timer::at(at).await;
    }

    fn lookup(
        &self,
        host: &str,
        port: u16,
    ) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send {
        let host = host.to_owned();
        // the system's lookup blocks and cannot be called off: it gets a thread of a pool
        blocking::unblock(move || Ok((host.as_str(), port).to_socket_addrs()?.collect()))
    }

    async fn connect(
        &self,
        address: SocketAddr,
        dialing: &Dialing,
    ) -> io::Result<Async<TcpStream>> {
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
}

fn is_in_progress(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    error.kind() == io::ErrorKind::WouldBlock
        || code == Some(rustix::io::Errno::INPROGRESS.raw_os_error())
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
        let async_io = AsyncIo(Spawner::new(drop));
        for (config, kept, no_delay) in [(config, None, true), (told, Some(silence), false)] {
            let connecting = async_io.connect(address, config.dialing());
            let stream = futures_lite::future::block_on(connecting);
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
