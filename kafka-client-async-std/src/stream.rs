//! The halves of a connection.

use std::{
    io::{self, IoSlice, Read},
    net::TcpStream,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use async_io::Async;
use futures_io::{AsyncRead, AsyncWrite};

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
