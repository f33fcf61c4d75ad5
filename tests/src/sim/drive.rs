//! The loops of an adapter, over the simulated network: one for a client's control, two for each connection.

use std::{
    future::poll_fn,
    io,
    task::{Poll, ready},
};

use kafka_proto::client::{Clock, Control, Dial, Inbound, Outbound};

use super::{
    Handle, Role,
    network::Fate,
    stream::{ReadHalf, WriteHalf, halves},
    timer::{Sleep, Timer},
};

/// Writes or reads in a row before other tasks have their turn.
const TURN: usize = 64;

/// Drives a client until it ends.
pub(super) async fn control(mut control: Control, sim: Handle) {
    let mut timer = Timer::new(sim.network.clone());
    while let Some(dial) = poll_fn(|cx| {
        for _ in 0..TURN {
            if let Poll::Ready(dial) = control.poll(sim.clock.now(), cx) {
                return Poll::Ready(dial);
            }
            ready!(timer.poll(control.deadline(), cx));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
    {
        let link = connect(dial, sim.clone());
        sim.executor.spawn(Role::Link, link);
    }
}

/// Makes a connection and drives it until it ends.
async fn connect(dial: Dial, sim: Handle) {
    match open(&dial, &sim).await {
        Ok((read, write)) => {
            let reading = read_loop(dial.inbound, read, sim.clone());
            sim.executor.spawn(Role::Link, reading);
            let writing = write_loop(dial.outbound, write, sim.clone());
            sim.executor.spawn(Role::Link, writing);
        }
        Err(error) => dial.failed(error),
    }
}

async fn open(dial: &Dial, sim: &Handle) -> io::Result<(ReadHalf, WriteHalf)> {
    let (fate, stale, there_and_back) = {
        let mut network = sim.network.borrow_mut();
        let (fate, stale) = network.dial(&dial.address.host, dial.address.port);
        (fate, stale, network.latency() + network.latency())
    };
    let deadline = sim.clock.when(dial.deadline);
    // an address that nobody answers at costs half of the time that is left
    let there_and_back = there_and_back + (deadline.saturating_sub(sim.now()) / 2) * stale;
    let answer = match fate {
        Fate::Vanishes => deadline,
        _ => sim.now() + there_and_back,
    };
    Sleep::new(sim.network.clone(), answer.min(deadline)).await;
    if answer >= deadline {
        return Err(io::ErrorKind::TimedOut.into());
    }
    let Fate::Opens(broker, mute) = fate else {
        let kind = match fate {
            Fate::Unknown => io::ErrorKind::NotFound,
            _ => io::ErrorKind::ConnectionRefused,
        };
        return Err(kind.into());
    };
    let opened = sim.network.borrow_mut().open(broker, mute);
    match opened {
        Some(connection) => Ok(halves(&sim.network, connection)),
        None => Err(io::ErrorKind::ConnectionRefused.into()),
    }
}

async fn write_loop(mut outbound: Outbound, write: WriteHalf, sim: Handle) {
    let mut timer = Timer::new(sim.network.clone());
    poll_fn(|cx| {
        for _ in 0..TURN {
            match outbound.poll(sim.clock.now(), cx) {
                Poll::Ready(false) => return Poll::Ready(()),
                Poll::Ready(true) => {
                    let written = outbound.write(|slices| write.poll_write(slices, cx));
                    match written {
                        Poll::Ready(true) => continue,
                        Poll::Ready(false) => return Poll::Ready(()),
                        Poll::Pending => {}
                    }
                }
                Poll::Pending => {}
            }
            ready!(timer.poll(outbound.deadline(), cx));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

async fn read_loop(mut inbound: Inbound, read: ReadHalf, sim: Handle) {
    poll_fn(|cx| {
        if inbound.poll_closed(cx).is_ready() {
            return Poll::Ready(());
        }
        for _ in 0..TURN {
            match ready!(read.poll_read(inbound.space(), cx)) {
                Ok(n) => match inbound.filled(n, sim.clock.now()) {
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
