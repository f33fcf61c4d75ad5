#![allow(
    clippy::disallowed_methods,
    reason = "a moment to begin at; nothing here waits"
)]

use std::{collections::VecDeque, sync::atomic::AtomicUsize};

use super::*;
use crate::{
    client::{Conn, Now},
    config::Config,
    error::ErrorKind,
};

#[derive(Debug)]
struct Still(Now);

impl Clock for Still {
    fn now(&self) -> Now {
        self.0
    }
}

/// What the peer, the socket and the runtime do.
#[derive(Default)]
struct Script {
    /// What reads find, one after the other; then they wait.
    reads: VecDeque<io::Result<Vec<u8>>>,
    /// Reads find this over and over.
    endless: Option<u8>,
    /// What a write answers; `None`: it takes everything.
    refusal: Option<io::ErrorKind>,
    /// A write makes the socket readable, as an answer that comes at once does.
    echoes: bool,
    looked: usize,
    wrote: usize,
    reader: Option<Waker>,
}

impl Transport for Script {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.looked += 1;
        if let Some(byte) = self.endless {
            buffer[0] = byte;
            return Poll::Ready(Ok(1));
        }
        match self.reads.pop_front() {
            Some(Ok(bytes)) => {
                buffer[..bytes.len()].copy_from_slice(&bytes);
                Poll::Ready(Ok(bytes.len()))
            }
            Some(Err(error)) => Poll::Ready(Err(error)),
            None => {
                self.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn poll_write(
        &mut self,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(refusal) = self.refusal {
            return Poll::Ready(Err(refusal.into()));
        }
        let bytes = slices.iter().map(|slice| slice.len()).sum();
        self.wrote += bytes;
        if self.echoes {
            self.reader.take().into_iter().for_each(Waker::wake);
        }
        Poll::Ready(Ok(bytes))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_timer(&mut self, _: &mut Context<'_>, _: Option<Instant>) -> Poll<()> {
        Poll::Pending
    }
}

/// Counts how often its task was woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A connection whose greeting has not left yet.
struct World {
    conn: Conn,
    driver: Driver<Script>,
    wakes: Arc<Wakes>,
}

impl World {
    fn new(script: Script) -> Self {
        let now = Now {
            instant: Instant::now(),
            unix_ms: 0,
        };
        let clock: Arc<dyn Clock> = Arc::new(Still(now));
        let config = Config::without_brokers();
        let (conn, outbound, inbound) =
            Conn::new(config, clock.clone(), 1, "peer:9092", "", 0).expect("a config");
        Self {
            conn,
            driver: Driver::new(script, outbound, inbound, clock),
            wakes: Arc::default(),
        }
    }

    fn poll(&mut self) -> Poll<()> {
        let waker = self.wakes.clone().into();
        Pin::new(&mut self.driver).poll(&mut Context::from_waker(&waker))
    }

    fn wakes(&self) -> usize {
        self.wakes.0.load(Ordering::Relaxed)
    }

    fn script(&mut self) -> &mut Script {
        &mut self.driver.transport
    }

    /// Whether whoever waits for the connection learns that it has ended.
    fn error(&self) -> Option<ErrorKind> {
        let ready = std::pin::pin!(self.conn.ready());
        match ready.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => answer.err().map(|error| error.kind()),
            Poll::Pending => None,
        }
    }
}

#[test]
fn a_half_is_polled_only_when_it_is_due() {
    let mut world = World::new(Script::default());
    assert!(world.poll().is_pending());
    assert!(world.script().wrote > 0, "the greeting");
    assert_eq!((world.script().looked, world.wakes()), (1, 0));
    // an executor may poll for reasons of its own
    assert!(world.poll().is_pending());
    assert_eq!(world.script().looked, 1);
    let reader = world.script().reader.take().expect("it waits");
    reader.wake_by_ref();
    reader.wake();
    assert_eq!(world.wakes(), 1, "the task is woken once");
    assert!(world.poll().is_pending());
    assert_eq!(world.script().looked, 2);
}

#[test]
fn an_answer_that_comes_while_a_request_leaves_is_read_next() {
    let mut world = World::new(Script {
        echoes: true,
        ..Script::default()
    });
    // reading waits before the greeting leaves
    world.driver.due.begin(Waker::noop());
    assert_eq!(world.driver.due.take(), WRITE | READ);
    assert!(world.driver.poll_read().is_pending());
    world.driver.writer.wake_by_ref();
    assert!(world.poll().is_pending());
    // whoever wakes it while it runs leaves that to the task itself
    assert_eq!((world.script().looked, world.wakes()), (1, 1));
    assert!(world.poll().is_pending());
    assert_eq!((world.script().looked, world.wakes()), (2, 1));
}

#[test]
fn a_peer_that_sends_on_and_on_leaves_other_tasks_their_turn() {
    // the length of a frame of 64 KiB and more, of which the rest never comes to an end here
    let mut world = World::new(Script {
        reads: VecDeque::from([Ok(vec![0, 1, 0, 0])]),
        ..Script::default()
    });
    assert!(world.poll().is_pending());
    world.script().endless = Some(0);
    let reader = world.script().reader.take().expect("it waits");
    reader.wake();
    let looked = world.script().looked;
    assert!(world.poll().is_pending());
    assert_eq!(world.script().looked - looked, TURN);
    assert_eq!(world.wakes(), 2, "by the socket, and by itself");
}

#[test]
fn a_stream_that_fails_or_ends_ends_the_connection() {
    let refusing = Script {
        refusal: Some(io::ErrorKind::BrokenPipe),
        ..Script::default()
    };
    let failing = |end: io::Result<Vec<u8>>| Script {
        reads: VecDeque::from([end]),
        ..Script::default()
    };
    let reset = failing(Err(io::ErrorKind::ConnectionReset.into()));
    let ended = failing(Ok(Vec::new()));
    for script in [refusing, reset, ended] {
        let mut world = World::new(script);
        assert_eq!(world.error(), None);
        assert!(world.poll().is_ready());
        assert!(world.error().is_some());
    }
}

#[test]
fn a_connection_that_is_dropped_ends_its_task() {
    let mut world = World::new(Script::default());
    assert!(world.poll().is_pending());
    let World {
        conn,
        mut driver,
        wakes,
    } = world;
    drop(conn);
    assert!(wakes.0.load(Ordering::Relaxed) > 0);
    let polled = Pin::new(&mut driver).poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_ready());
}
