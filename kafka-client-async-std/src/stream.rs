//! Streams as a connection uses them, each with its timer.

use std::{
    future::Future as _,
    io::{self, IoSlice, Read},
    net::TcpStream,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};

use async_io::Async;
use futures_io::AsyncWrite;
use kafka_proto::client::{self, Timer as _, Transport};

use crate::open::Own;

/// A socket that is not read while it is known to be empty: a read that can only say "would block" costs a system call.
pub(crate) struct Tcp {
    stream: Async<TcpStream>,
    timer: Timer,
    /// The last read left room, so that the socket was empty.
    drained: bool,
}

impl Tcp {
    pub(crate) fn new(stream: Async<TcpStream>) -> Self {
        Self {
            stream,
            timer: Timer::default(),
            drained: false,
        }
    }
}

impl Transport for Tcp {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
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

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<()> {
        self.timer.poll(cx, deadline)
    }
}

/// A stream of the user's own making.
pub(crate) struct Boxed {
    stream: Own,
    timer: Timer,
}

impl Boxed {
    pub(crate) fn new(stream: Own) -> Self {
        let timer = Timer::default();
        Self { stream, timer }
    }
}

impl Transport for Boxed {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_read(cx, buffer)
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_write_vectored(cx, slices)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_flush(cx)
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<()> {
        self.timer.poll(cx, deadline)
    }
}

/// A timer that is set again only for an earlier moment.
#[derive(Default)]
pub(crate) struct Timer {
    set: Option<(Instant, async_io::Timer)>,
}

impl client::Timer for Timer {
    fn poll(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<()> {
        let Some(deadline) = deadline else {
            return Poll::Pending;
        };
        let (at, timer) = self
            .set
            .get_or_insert_with(|| (deadline, async_io::Timer::at(deadline)));
        if *at > deadline {
            *at = deadline;
            timer.set_at(deadline);
        }
        ready!(Pin::new(timer).poll(cx));
        // it is spent
        self.set = None;
        Poll::Ready(())
    }
}
