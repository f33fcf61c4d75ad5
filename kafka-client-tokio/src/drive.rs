//! The tasks: one for a client's control, one for each connection.

use std::{
    future::{Future, poll_fn},
    io::{self, IoSlice},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    thread,
    time::Instant,
};

use kafka_proto::{
    client::{Clock, Control, Dial, Driver, Inbound, Outbound, Transport},
    config::Dialing,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf},
    runtime::{Builder, Handle},
    time::{Sleep, sleep_until},
};

use crate::open::{Opened, Opener, Tokio};

/// Starts driving a client, by the tasks of `runtime`.
///
/// On a runtime of one thread, user code that blocks it must not end a membership: there the control and its links go on
/// by a thread of their own, and only links that carry records stay with the runtime. (All links on an own thread would
/// cost every write two hops between threads.)
///
/// Streams of the user's own making are all driven by `runtime`: its clock may be paused, and that of a thread of our own
/// would go on.
pub(crate) fn start(
    control: Control,
    clock: Arc<dyn Clock>,
    opener: Opener,
    runtime: &Handle,
) -> io::Result<()> {
    let is_one_thread = runtime.metrics().num_workers() == 1;
    if !is_one_thread || opener.connector.is_some() {
        runtime.spawn(drive_control(control, clock, opener, runtime.clone()));
        return Ok(());
    }
    let own = Builder::new_current_thread().enable_all().build()?;
    // two ends of nothing: each side learns by it that the other has ended
    let (here, there) = tokio::io::duplex(1);
    runtime.spawn(ended(here));
    let data = runtime.clone();
    let drive = move || {
        own.block_on(async {
            let mut control = pin!(drive_control(control, clock, opener, data));
            let mut runtime_ended = pin!(ended(there));
            poll_fn(|cx| match runtime_ended.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(()),
                Poll::Pending => control.as_mut().poll(cx),
            })
            .await;
        });
    };
    thread::Builder::new()
        .name("kafka-control".to_owned())
        .spawn(drive)?;
    Ok(())
}

/// Waits until the other end is dropped.
async fn ended(mut end: DuplexStream) {
    let mut byte = [0];
    let read =
        |cx: &mut Context<'_>| Pin::new(&mut end).poll_read(cx, &mut ReadBuf::new(&mut byte));
    // nothing is ever written: whatever this is, it is the end
    let _ = poll_fn(read).await;
}

/// Drives a client until it ends; links that carry records are driven by `data`, the others where this runs.
async fn drive_control(mut control: Control, clock: Arc<dyn Clock>, opener: Opener, data: Handle) {
    let mut timer = Timer::default();
    let dialing = control.dialing().clone();
    while let Some(dial) = poll_fn(|cx| {
        loop {
            if let Poll::Ready(dial) = control.poll(clock.now(), cx) {
                return Poll::Ready(dial);
            }
            ready!(timer.poll(control.deadline(), cx));
        }
    })
    .await
    {
        let on = match dial.carries_records() {
            true => data.clone(),
            false => Handle::current(),
        };
        on.spawn(connect(
            dial,
            dialing.clone(),
            clock.clone(),
            opener.clone(),
        ));
    }
}

/// Makes a connection and drives it until it ends.
async fn connect(dial: Dial, dialing: Dialing, clock: Arc<dyn Clock>, opener: Opener) {
    let (address, deadline) = (dial.address.clone(), dial.deadline);
    let opening = opener.open(&Tokio, &address, &dialing, deadline);
    if let Some((stream, outbound, inbound)) = dial.make(opening).await {
        drive(stream, outbound, inbound, clock);
    }
}

/// Starts driving a connection over what was opened for it.
pub(crate) fn drive(
    stream: Opened,
    mut outbound: Outbound,
    inbound: Inbound,
    clock: Arc<dyn Clock>,
) {
    match stream {
        Opened::Tcp(stream) => {
            if let (Ok(local), Ok(peer)) = (stream.local_addr(), stream.peer_addr()) {
                outbound.connected(local, peer);
            }
            drive_stream(stream, outbound, inbound, clock);
        }
        Opened::Own(stream) => drive_stream(stream, outbound, inbound, clock),
    }
}

/// Starts driving a connection over its stream.
pub(crate) fn drive_stream(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    outbound: Outbound,
    inbound: Inbound,
    clock: Arc<dyn Clock>,
) {
    let timer = Timer::default();
    let driver = Driver::new(Wired { stream, timer }, outbound, inbound, clock);
    Handle::current().spawn(driver);
}

/// A stream with the timer of its connection.
struct Wired<S> {
    stream: S,
    timer: Timer,
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
        self.timer.poll(deadline, cx)
    }
}

/// A timer that is set again only for an earlier moment: waking early costs less than moving it with every request.
#[derive(Default)]
struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    /// `Ready` once `deadline`, or an earlier one that it was set for, has passed.
    fn poll(&mut self, deadline: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
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
