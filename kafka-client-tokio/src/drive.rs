//! Driving: a task for a client's control, and one for each connection.

use std::{
    future::{Future, pending, poll_fn},
    io::{self, IoSlice},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    thread,
    time::Instant,
};

use kafka_proto::client::{self, Clock, Control, Runtime, Timer as _, Transport, drive_client};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf},
    net::TcpStream,
    runtime::Builder,
    time::{Sleep, sleep_until},
};

use crate::{
    clock::TokioClock,
    open::{Opener, Own, Tokio},
};

impl Runtime for Tokio {
    type Own = Own;
    type Timer = Timer;

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(TokioClock)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(task);
    }

    /// On a runtime of one thread, user code that blocks it must not end a membership: there the control and its links go
    /// on by a thread of their own, and only links that carry records stay with the runtime. (All links on an own thread
    /// would cost every write two hops between threads.)
    ///
    /// Streams of the user's own making are all driven by this runtime: its clock may be paused, and that of a thread of
    /// our own would go on.
    fn start(self, control: Control, opener: Opener) -> io::Result<()> {
        let is_one_thread = self.0.metrics().num_workers() == 1;
        if !is_one_thread || opener.connector.is_some() {
            let (own, data) = (self.clone(), self.clone());
            self.spawn(drive_client(control, opener, own, data, pending()));
            return Ok(());
        }
        let runtime = Builder::new_current_thread().enable_all().build()?;
        // two ends of nothing: each side learns by it that the other has ended
        let (here, there) = tokio::io::duplex(1);
        self.spawn(ended(here));
        let drive = move || {
            let own = Self(runtime.handle().clone());
            runtime.block_on(drive_client(control, opener, own, self, ended(there)));
        };
        thread::Builder::new()
            .name("kafka-control".to_owned())
            .spawn(drive)?;
        Ok(())
    }

    fn addresses(socket: &TcpStream) -> io::Result<(SocketAddr, SocketAddr)> {
        Ok((socket.local_addr()?, socket.peer_addr()?))
    }

    fn over_socket(socket: TcpStream) -> impl Transport + Send + Unpin + 'static {
        Wired::over(socket)
    }

    fn over_own(stream: Own) -> impl Transport + Send + Unpin + 'static {
        Wired::over(stream)
    }
}

/// Waits until the other end is dropped.
async fn ended(mut end: DuplexStream) {
    let mut byte = [0];
    let read =
        |cx: &mut Context<'_>| Pin::new(&mut end).poll_read(cx, &mut ReadBuf::new(&mut byte));
    // nothing is ever written: whatever this is, it is the end
    let _ = poll_fn(read).await;
}

/// A stream with the timer of its connection.
struct Wired<S> {
    stream: S,
    timer: Timer,
}

impl<S> Wired<S> {
    fn over(stream: S) -> Self {
        let timer = Timer::default();
        Self { stream, timer }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Transport for Wired<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<()> {
        self.timer.poll(cx, deadline)
    }
}

/// A timer that is set again only for an earlier moment.
#[derive(Default)]
pub(crate) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl client::Timer for Timer {
    fn poll(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<()> {
        let Some(deadline) = deadline else {
            return Poll::Pending;
        };
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(sleep_until(deadline.into())));
        if sleep.deadline().into_std() > deadline || sleep.is_elapsed() {
            sleep.as_mut().reset(deadline.into());
        }
        sleep.as_mut().poll(cx)
    }
}
