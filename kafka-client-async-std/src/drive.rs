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

use async_channel::Receiver;
use async_executor::Executor;
use futures_io::{AsyncRead, AsyncWrite};
use futures_lite::future::block_on;
use kafka_proto::{
    client::{Clock, Control, Dial, Driver, Inbound, Outbound, Transport},
    config::Dialing,
    error::Error,
};

use crate::{
    open::{AsyncIo, Opened, Opener},
    spawn::Spawner,
    stream::Tcp,
};

/// Starts driving a client.
///
/// User code that blocks an executor must not end a membership, and nobody can tell how many threads an executor has. So
/// the control and the links that keep a client known to its brokers have a thread, and only links that carry records run
/// on `spawner`. (Those on an own thread would cost every write two hops between threads.) The thread sleeps without
/// driving sockets and timers, which would have it wake the others for each of their events.
pub(crate) fn start(
    control: Control,
    spawner: Spawner,
    clock: Arc<dyn Clock>,
    opener: Opener,
) -> Result<(), Error> {
    let executor = Arc::new(Executor::new());
    let spawn = Arc::downgrade(&executor);
    let own = Spawner::new(move |task| {
        if let Some(executor) = spawn.upgrade() {
            executor.spawn(task).detach();
        }
    });
    // neither ever sends: each side learns by it that the other has ended
    let (here, there_ended) = async_channel::bounded::<()>(1);
    let (there, here_ended) = async_channel::bounded::<()>(1);
    spawner.spawn(async move {
        let _here = here;
        let _ = here_ended.recv().await;
    });
    let drive = move || {
        let _there = there;
        let driving = drive_control(control, there_ended, own, spawner, clock, opener);
        block_on(executor.run(driving));
    };
    thread::Builder::new()
        .name("kafka-control".to_owned())
        .spawn(drive)
        .map_err(Error::exhausted)?;
    Ok(())
}

/// Drives a client until it ends, or what drives its data has; links that carry records are driven by `data`, the others by
/// `own`.
async fn drive_control(
    mut control: Control,
    data_ended: Receiver<()>,
    own: Spawner,
    data: Spawner,
    clock: Arc<dyn Clock>,
    opener: Opener,
) {
    let mut timer = Timer::default();
    let dialing = control.dialing().clone();
    let mut data_ended = pin!(data_ended.recv());
    while let Some(dial) = poll_fn(|cx| {
        // before each dial: an executor that ends drops every one at once, and the next is wanted at once
        if data_ended.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        loop {
            if let Poll::Ready(dial) = control.poll(clock.now(), cx) {
                return Poll::Ready(dial);
            }
            ready!(timer.poll(control.deadline(), cx));
        }
    })
    .await
    {
        let spawner = match dial.carries_records() {
            true => &data,
            false => &own,
        };
        let (clock, opener) = (clock.clone(), opener.clone());
        spawner.spawn(connect(
            dial,
            dialing.clone(),
            spawner.clone(),
            clock,
            opener,
        ));
    }
}

/// Makes a connection and drives it until it ends.
async fn connect(
    dial: Dial,
    dialing: Dialing,
    spawner: Spawner,
    clock: Arc<dyn Clock>,
    opener: Opener,
) {
    let (address, deadline) = (dial.address.clone(), dial.deadline);
    let opening = opener.open(&AsyncIo, &address, &dialing, deadline);
    if let Some((stream, outbound, inbound)) = dial.make(opening).await {
        drive(stream, outbound, inbound, &spawner, clock);
    }
}

/// Starts driving a connection over what was opened for it.
pub(crate) fn drive(
    stream: Opened,
    mut outbound: Outbound,
    inbound: Inbound,
    spawner: &Spawner,
    clock: Arc<dyn Clock>,
) {
    match stream {
        Opened::Tcp(stream) => {
            let socket = stream.get_ref();
            if let (Ok(local), Ok(peer)) = (socket.local_addr(), socket.peer_addr()) {
                outbound.connected(local, peer);
            }
            drive_stream(Tcp::new(stream), outbound, inbound, spawner, clock);
        }
        Opened::Own(stream) => drive_stream(stream, outbound, inbound, spawner, clock),
    }
}

/// Starts driving a connection over its stream.
pub(crate) fn drive_stream(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    outbound: Outbound,
    inbound: Inbound,
    spawner: &Spawner,
    clock: Arc<dyn Clock>,
) {
    let timer = Timer::default();
    let driver = Driver::new(Wired { stream, timer }, outbound, inbound, clock);
    spawner.spawn(driver);
}

/// A stream with the timer of its connection.
struct Wired<S> {
    stream: S,
    timer: Timer,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Transport for Wired<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
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
    set: Option<(Instant, async_io::Timer)>,
}

impl Timer {
    /// `Ready` once `deadline`, or an earlier one that it was set for, has passed.
    fn poll(&mut self, deadline: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
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
