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

use async_channel::Receiver;
use async_executor::Executor;
use futures_io::{AsyncRead, AsyncWrite};
use futures_lite::future::block_on;
use kafka_proto::{
    client::{Clock, Control, Dial, Inbound, Outbound},
    config::Dialing,
    error::Error,
};

use crate::{
    open::{AsyncIo, Opened, Opener},
    spawn::Spawner,
    stream::{Half, TcpReader, TcpWriter},
};

/// Writes or reads in a row before other tasks have their turn.
const TURN: usize = 64;
/// Slices in one write.
const SLICES: usize = 64;

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

/// Starts the two loops of a connection.
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
            let stream = Arc::new(stream);
            let halves = (TcpReader::new(stream.clone()), TcpWriter(stream));
            spawn_loops(halves, outbound, inbound, spawner, clock);
        }
        Opened::Own(stream) => {
            spawn_loops(Half::split(stream), outbound, inbound, spawner, clock);
        }
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
    spawner: &Spawner,
    clock: Arc<dyn Clock>,
) {
    spawner.spawn(write_loop(outbound, write, clock.clone()));
    spawner.spawn(read_loop(inbound, read, clock));
}

/// Writes what there is until the link ends.
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
            match ready!(read.as_mut().poll_read(cx, inbound.space())) {
                // the link itself tells whoever waits what was wrong
                Ok(n) => match inbound.filled(n, clock.now()) {
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
