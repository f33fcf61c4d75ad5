//! One log, read in every way that there is, whole and damaged.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{Cell, Reader, Shelf};
use crate::{
    api::fetch::PartitionData,
    client::{Client, Clock, Control, inbox::Inbox, ledger::Ledger},
    config::{Config, ReaderConfig, StartOffset},
    error::{Error, ErrorKind},
    machine::{Now, cursor::Verdict},
    random::Random,
    record::{BatchBuilder, Message, Record},
};

#[derive(Debug)]
struct Still(Now);

impl Clock for Still {
    fn now(&self) -> Now {
        self.0
    }
}

#[derive(Clone, Copy)]
enum Damage {
    /// A record that the checksum covers.
    Record(usize),
    /// A byte that was not so when the checksum was made.
    Checksum,
}

/// The offset behind a batch, and its bytes.
type Stored = (i64, Bytes);

fn batch(base: i64, count: usize, damage: Option<Damage>, control: bool) -> Stored {
    let mut builder = BatchBuilder::new(Vec::new());
    for _ in 0..count {
        builder.push(&Record::new("v"), 0);
    }
    let (mut header, mut body) = builder.finish();
    header.base_offset = base;
    header.attributes |= if control { 0x20 } else { 0 };
    if let Some(Damage::Record(at)) = damage {
        // all records are of one size, and this one claims to be empty
        let size = body.len() / count;
        body[at * size] = 0;
    }
    let mut bytes = [&header.write(&body)[..], &body].concat();
    if let (Some(Damage::Checksum), Some(last)) = (damage, bytes.last_mut()) {
        *last ^= 1;
    }
    (header.next_offset(), bytes.into())
}

/// A reader of one partition whose log is given it as it asks, damage and all, each time.
struct World {
    log: Vec<Stored>,
    reader: Reader,
    shelf: Arc<Shelf>,
    cell: Arc<Cell>,
    now: Now,
    _control: Control,
}

impl World {
    #[allow(
        clippy::disallowed_methods,
        reason = "a moment for a clock that stands still"
    )]
    fn new(log: Vec<Stored>, start: i64) -> Self {
        let now = Now {
            instant: Instant::now(),
            unix_ms: 0,
        };
        let clock = Arc::new(Still(now));
        let config = Config::new("localhost:1").expect("an address");
        let (client, control) = Client::new(config, clock.clone(), 1u64).expect("a config");
        let (config, ledger) = (ReaderConfig::topic("orders"), Ledger::new(1 << 30));
        let shelf = Shelf::new(0, config, Inbox::new(), clock, ledger);
        let cell = shelf.add(&"orders".into(), 0, StartOffset::At(start));
        Self {
            log,
            reader: Reader::new(client, shelf.clone()),
            shelf,
            cell,
            now,
            _control: control,
        }
    }

    /// Answers what is asked with up to `most` batches; `false` at the end of the log.
    fn fetch(&self, most: usize) -> bool {
        let after_any_pause = self.now.instant + Duration::from_secs(10);
        let mut inner = self.cell.inner.lock();
        let Some((at, ticket)) = inner.cursor.wants_fetch(after_any_pause) else {
            return false;
        };
        let wanted = self.log.iter().filter(|(next, _)| *next > at.offset);
        let some: Vec<_> = wanted.take(most).map(|(_, bytes)| &bytes[..]).collect();
        if some.is_empty() {
            return false;
        }
        let mut answer = PartitionData::build(|p| {
            p.high_watermark = 1_000;
            p.records = Some(some.concat().into());
        });
        let pause = |_| Duration::ZERO;
        let verdict = inner
            .cursor
            .handle_fetched(ticket, &mut answer, self.now, pause);
        assert!(matches!(verdict, Verdict::Ready), "{verdict:?}");
        let shelve = !std::mem::replace(&mut inner.shelved, true);
        drop(inner);
        if shelve {
            self.shelf.shelve(&self.cell);
        }
        true
    }

    fn look(&mut self, way: Way) -> Poll<Result<Option<Message>, Error>> {
        let mut cx = Context::from_waker(Waker::noop());
        if let Way::Threads = way
            && let Some(message) = self.reader.next_in_hand()
        {
            return Poll::Ready(Ok(Some(message)));
        }
        match way {
            Way::Poll => self.reader.poll_message(&mut cx),
            Way::Tasks | Way::Threads => pin!(self.reader.fetch_message()).poll(&mut cx),
        }
    }

    /// The offsets of all messages to the end of the log, or to the second error in a row.
    fn read(mut self, mut way: impl FnMut() -> Way, most: usize) -> Vec<Result<i64, ()>> {
        let mut told = Vec::new();
        let mut fetches = 0;
        while !told.ends_with(&[Err(()), Err(())]) {
            let mut looked = self.look(way());
            if looked.is_pending() {
                // it may have given other tasks their turn
                looked = self.look(Way::Poll);
            }
            match looked {
                Poll::Ready(message) => {
                    let message = message.map(|m| m.expect("open").offset());
                    told.push(message.map_err(|_| ()));
                }
                Poll::Pending if self.fetch(most) => {
                    fetches += 1;
                    assert!(fetches < 100, "never told: {told:?}");
                }
                Poll::Pending => break,
            }
        }
        told
    }
}

#[derive(Clone, Copy, Debug)]
enum Way {
    Poll,
    Tasks,
    /// As the blocking reader does.
    Threads,
}

const WAYS: [Way; 3] = [Way::Poll, Way::Tasks, Way::Threads];

#[test]
fn damage_that_stays_is_told_and_nothing_is_skipped() {
    for way in WAYS {
        for (damage, good) in [(Damage::Record(2), 7), (Damage::Checksum, 5)] {
            let log = vec![
                batch(0, 5, None, false),
                batch(5, 5, Some(damage), false),
                batch(10, 5, None, false),
            ];
            let expected: Vec<_> = (0..good).map(Ok).chain([Err(()), Err(())]).collect();
            assert_eq!(World::new(log, 0).read(|| way, 10), expected, "{way:?}");
        }
    }
}

#[test]
fn all_ways_of_reading_give_the_same() {
    let mut random = Random::new(1);
    for round in 0..400 {
        let (mut log, mut base) = (Vec::new(), 0);
        for _ in 0..=random.below(6) {
            let most = [5, 300][random.below(2) as usize];
            let count = 1 + random.below(most) as usize;
            let damage = match random.below(8) {
                0 if round % 2 == 0 => Some(Damage::Record(random.below(count as u64) as usize)),
                1 if round % 2 == 0 => Some(Damage::Checksum),
                _ => None,
            };
            let stored = batch(base, count, damage, random.below(5) == 0);
            base = stored.0;
            log.push(stored);
        }
        let (start, most) = (
            random.below(base as u64) as i64,
            1 + random.below(4) as usize,
        );
        let polled = World::new(log.clone(), start).read(|| Way::Poll, most);
        let mixed = World::new(log, start).read(|| WAYS[random.below(3) as usize], most);
        assert_eq!(polled, mixed, "in round {round}");
    }
}

#[test]
fn a_batch_that_is_read_after_messages_is_their_rest() {
    let all: Vec<i64> = (0..5).chain(7..12).collect();
    for taken in 0..all.len() {
        let log = vec![
            batch(0, 5, None, false),
            batch(5, 2, None, true),
            batch(7, 5, None, false),
        ];
        let mut world = World::new(log, 0);
        assert!(world.fetch(10));
        for at in &all[..taken] {
            let Poll::Ready(Ok(Some(message))) = world.look(Way::Threads) else {
                panic!("no message {at}");
            };
            assert_eq!(message.offset(), *at);
        }
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready(Ok(Some(rest))) = pin!(world.reader.read_batch()).poll(&mut cx) else {
            panic!("no batch after {taken}");
        };
        let rest: Vec<_> = rest.iter().map(|r| r.expect("good").offset).collect();
        assert_eq!(rest, all[taken..]);
    }
}

#[test]
fn damage_that_stays_is_told_to_who_reads_batches() {
    let log = vec![
        batch(0, 5, None, false),
        batch(5, 5, Some(Damage::Checksum), false),
    ];
    let mut world = World::new(log, 0);
    let mut cx = Context::from_waker(Waker::noop());
    let mut told = Vec::new();
    while told.len() < 3 {
        let read = pin!(world.reader.read_batch()).poll(&mut cx);
        match read {
            Poll::Ready(batch) => {
                let batch = batch.map(|b| b.expect("open").next_offset());
                told.push(batch.map_err(|e| e.kind()));
            }
            Poll::Pending => assert!(world.fetch(10), "never told: {told:?}"),
        }
    }
    let corrupt = Err(ErrorKind::Corrupt);
    assert_eq!(told, [Ok(5), corrupt, corrupt]);
}

/// The task that fetches the next is one of those others.
#[test]
fn who_reads_batches_gives_other_tasks_their_turn() {
    struct Flag(AtomicBool);
    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let log = (0..3).map(|n| batch(n * 200, 200, None, false)).collect();
    let mut world = World::new(log, 0);
    let woken = Arc::new(Flag(AtomicBool::new(false)));
    let waker = Waker::from(woken.clone());
    let mut cx = Context::from_waker(&waker);
    let mut look = |world: &mut World| {
        let read = pin!(world.reader.read_batch()).poll(&mut cx);
        (read.is_ready(), woken.0.swap(false, Ordering::Relaxed))
    };
    let (here, waits, gives_turn) = ((true, false), (false, false), (false, true));
    assert!(world.fetch(1));
    assert_eq!(look(&mut world), here);
    // waiting is a turn, too, and costs no wake of its own
    assert_eq!(look(&mut world), waits);
    assert!(world.fetch(1) && world.fetch(1));
    assert_eq!(look(&mut world), here);
    assert_eq!(look(&mut world), gives_turn);
    assert_eq!(look(&mut world), here);
}
