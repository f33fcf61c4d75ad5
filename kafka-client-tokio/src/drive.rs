//! The loops: one for a client's control, two for each connection.

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
    client::{Clock, Control, Dial, Inbound, Outbound},
    config::Dialing,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, split},
    runtime::{Builder, Handle},
    time::{Sleep, sleep_until},
};

use crate::open::{Opened, Opener, Tokio};

/// Writes or reads in a row before other tasks have their turn.
const TURN: usize = 64;
/// Slices in one write.
const SLICES: usize = 64;

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

/// Starts the two loops of a connection.
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
            let (read, write) = stream.into_split();
            spawn_loops((read, write), outbound, inbound, clock);
        }
        Opened::Own(stream) => spawn_loops(split(stream), outbound, inbound, clock),
    }
}

/// Starts the two loops of a connection over the halves of its stream.
pub(crate) fn spawn_loops(
    (read, write): (
        impl AsyncRead + Send + 'static,
        impl AsyncWrite + Send + 'static,
    ),
    outbound: Outbound,
    inbound: Inbound,
    clock: Arc<dyn Clock>,
) {
    let runtime = Handle::current();
    runtime.spawn(write_loop(outbound, write, clock.clone()));
    runtime.spawn(read_loop(inbound, read, clock));
}

/// Writes what there is until the link ends; then closes the sending side.
async fn write_loop(mut outbound: Outbound, write: impl AsyncWrite, clock: Arc<dyn Clock>) {
    let mut write = pin!(write);
    let mut timer = Timer::default();
    // a stream of the user's may have a buffer
    let mut unflushed = false;
    poll_fn(|cx| {
        for _ in 0..TURN {
            match outbound.poll(clock.now(), cx) {
                Poll::Ready(false) => {
                    if unflushed {
                        // the last words are worth a try, and nobody waits for them
                        let _ = write.as_mut().poll_flush(cx);
                    }
                    return Poll::Ready(());
                }
                Poll::Ready(true) => match poll_write(&mut outbound, write.as_mut(), cx) {
                    Poll::Ready(Ok(())) => {
                        unflushed = true;
                        continue;
                    }
                    Poll::Ready(Err(error)) => {
                        outbound.failed(error);
                        return Poll::Ready(());
                    }
                    // a peer that takes nothing must not keep what is closed
                    Poll::Pending if outbound.poll_closed(cx).is_ready() => {
                        return Poll::Ready(());
                    }
                    Poll::Pending => {}
                },
                Poll::Pending if unflushed => match write.as_mut().poll_flush(cx) {
                    Poll::Ready(Ok(())) => unflushed = false,
                    Poll::Ready(Err(error)) => {
                        outbound.failed(error);
                        return Poll::Ready(());
                    }
                    Poll::Pending => {}
                },
                Poll::Pending => {}
            }
            // time-outs pass while the socket is full, too
            ready!(timer.poll(outbound.deadline(), cx));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    // a peer that does not take the rest must not keep the task
    drop(outbound);
}

fn poll_write(
    outbound: &mut Outbound,
    write: Pin<&mut impl AsyncWrite>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    let mut slices = [IoSlice::new(&[]); SLICES];
    let count = outbound.slices(&mut slices);
    let n = ready!(write.poll_write_vectored(cx, &slices[..count]))?;
    if n == 0 {
        return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
    }
    outbound.consume(n);
    Poll::Ready(Ok(()))
}

/// Reads what comes until the link or the stream ends.
async fn read_loop(mut inbound: Inbound, read: impl AsyncRead, clock: Arc<dyn Clock>) {
    let mut read = pin!(read);
    poll_fn(|cx| {
        if inbound.poll_closed(cx).is_ready() {
            return Poll::Ready(());
        }
        for _ in 0..TURN {
            let mut buffer = ReadBuf::new(inbound.space());
            let result = ready!(read.as_mut().poll_read(cx, &mut buffer));
            let n = buffer.filled().len();
            match result {
                // the link itself tells whoever waits what was wrong
                Ok(()) => match inbound.filled(n, clock.now()) {
                    Ok(true) => {}
                    Ok(false) | Err(_) => return Poll::Ready(()),
                },
                Err(error) => {
                    inbound.failed(error);
                    return Poll::Ready(());
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
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
