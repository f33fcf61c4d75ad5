//! Connections: making them, and their halves.

use std::{
    future::{Future, poll_fn},
    io::{self, IoSlice, Read},
    net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs},
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Instant,
};

use async_io::{Async, Timer};
use futures_io::{AsyncRead, AsyncWrite};

/// Looks up and connects, all by `deadline`: to each address in turn.
pub(crate) async fn open(host: &str, port: u16, deadline: Instant) -> io::Result<Async<TcpStream>> {
    let addresses = within(deadline, resolve(host, port)).await?;
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let mut left = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    for address in addresses {
        // one that does not answer must leave time for the others
        let now = Instant::now();
        let until = now + deadline.saturating_duration_since(now) / left.max(1);
        left = left.saturating_sub(1);
        match within(until, Async::<TcpStream>::connect(address)).await {
            Ok(stream) => {
                // requests are written whole: waiting for more of them in the kernel only costs time
                stream.get_ref().set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// The addresses of a host, in the system's order.
async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![(ip, port).into()]);
    }
    let host = host.to_owned();
    // the system's lookup blocks and cannot be called off: it gets a thread of a pool
    blocking::unblock(move || Ok((host.as_str(), port).to_socket_addrs()?.collect())).await
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

/// The receiving half of a socket.
#[derive(Debug)]
pub(crate) struct TcpReader {
    stream: Arc<Async<TcpStream>>,
    /// The last read left room, so that the socket was empty.
    drained: bool,
}

impl TcpReader {
    pub(crate) fn new(stream: Arc<Async<TcpStream>>) -> Self {
        Self {
            stream,
            drained: false,
        }
    }
}

impl AsyncRead for TcpReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            // a read that can only say "would block" costs a system call
            if self.drained {
                ready!(self.stream.poll_readable(cx))?;
            }
            match self.stream.get_ref().read(buffer) {
                Ok(n) => {
                    self.drained = n < buffer.len();
                    return Poll::Ready(Ok(n));
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.drained = true,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
    }
}

/// The sending half of a socket.
#[derive(Debug)]
pub(crate) struct TcpWriter(pub(crate) Arc<Async<TcpStream>>);

impl AsyncWrite for TcpWriter {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self.0).poll_write(cx, buffer)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self.0).poll_write_vectored(cx, buffers)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self.0).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self.0).poll_close(cx)
    }
}

/// Half of a stream of the caller: each half locks it for one call.
#[derive(Debug)]
pub(crate) struct Half<S>(Arc<Mutex<Pin<Box<S>>>>);

impl<S> Half<S> {
    /// The halves of `stream`.
    pub(crate) fn split(stream: S) -> (Self, Self) {
        let whole = Arc::new(Mutex::new(Box::pin(stream)));
        (Self(whole.clone()), Self(whole))
    }

    fn lock(&self) -> MutexGuard<'_, Pin<Box<S>>> {
        // a stream that panicked in one half answers the other as it likes
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: AsyncRead> AsyncRead for Half<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.lock().as_mut().poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite> AsyncWrite for Half<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.lock().as_mut().poll_write(cx, buffer)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.lock().as_mut().poll_write_vectored(cx, buffers)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.lock().as_mut().poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.lock().as_mut().poll_close(cx)
    }
}
