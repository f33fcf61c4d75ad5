//! The cases: each prepares, then counts one region.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use kafka_proto::{
    client::Now,
    machine::{
        frames::Frames,
        produce::{Part, write_request},
        producer::ProducerId,
        queue::{BatchWritten, Limits, Queue},
    },
    record::{BatchBuilder, BatchHeader, Batches, Header, Record},
    wire::{Uuid, Writer},
};

use crate::{
    path,
    region::{Meter, outside},
};

/// One row of the record.
pub(crate) struct Case {
    /// Unique, and without `|`.
    pub(crate) name: &'static str,
    /// What one unit is.
    pub(crate) per: &'static str,
    pub(crate) run: fn(&mut Meter),
}

const fn case(name: &'static str, per: &'static str, run: fn(&mut Meter)) -> Case {
    Case { name, per, run }
}

/// Values have 100 bytes.
pub(crate) const CASES: &[Case] = &[
    case("encode", "message", |meter| encode(meter, false)),
    case("encode with key and 2 headers", "message", |meter| {
        encode(meter, true);
    }),
    case("decode", "message", |meter| decode(meter, false)),
    case("decode with key and 2 headers", "message", |meter| {
        decode(meter, true);
    }),
    case("push", "message", push),
    case("seal 10 messages", "batch", |meter| seal(meter, 10)),
    case("seal 1,000 messages", "batch", |meter| seal(meter, 1_000)),
    case("outcome", "batch", outcome),
    case("request of 6 partitions", "request", request),
    case("split small frames", "frame", |meter| {
        frames(meter, 200, 2_000);
    }),
    case("split frames of 1 MiB", "frame", |meter| {
        frames(meter, 1 << 20, 50);
    }),
    case("connect, first write", "client", path::connect),
    case("write, calls of 100", "message", |meter| {
        path::write(meter, 100, 64);
    }),
    case("write, calls of 1", "message", |meter| {
        path::write(meter, 1, 64);
    }),
    case("write, each awaited", "message", |meter| {
        path::write(meter, 1, 1);
    }),
    case("read by batches", "message", path::read_batches),
    case("read one by one", "message", path::read_messages),
    case("poll_message", "message", path::poll_message),
];

pub(crate) const VALUE: [u8; 100] = [b'v'; 100];
const KEY: &str = "order-17";
const TIME: i64 = 1_700_000_000_000;

fn with_record<T>(whole: bool, work: impl FnOnce(&Record<'_>) -> T) -> T {
    let headers = [Header::new("trace", "4bf92f35"), Header::new("retry", "0")];
    let record = Record::new(&VALUE);
    match whole {
        true => work(&record.key(KEY).headers(&headers)),
        false => work(&record),
    }
}

fn encode(meter: &mut Meter, whole: bool) {
    const BATCHES: u64 = 100;
    const RECORDS: u64 = 1_000;
    let mut buffer = Vec::with_capacity(256 << 10);
    with_record(whole, |record| {
        meter.count(|| {
            for _ in 0..BATCHES {
                let mut builder = BatchBuilder::new(std::mem::take(&mut buffer));
                for n in 0..RECORDS as i64 {
                    builder.push(black_box(record), TIME + n / 100);
                }
                let (header, body) = builder.finish();
                assert_eq!(header.record_count as u64, RECORDS);
                buffer = body;
            }
            BATCHES * RECORDS
        });
    });
}

/// A batch as it stands in a log.
fn batch(records: u64, whole: bool) -> Bytes {
    let mut builder = BatchBuilder::new(Vec::new());
    with_record(whole, |record| {
        (0..records).for_each(|_| builder.push(record, TIME));
    });
    let (header, body) = builder.finish();
    [&header.write(&body)[..], &body].concat().into()
}

fn decode(meter: &mut Meter, whole: bool) {
    const ROUNDS: u64 = 100;
    const RECORDS: u64 = 1_000;
    let fetched = batch(RECORDS, whole);
    meter.count(|| {
        let mut count = 0;
        for _ in 0..ROUNDS {
            for batch in Batches::new(fetched.clone()) {
                for record in batch.expect("good").iter() {
                    let record = record.expect("good");
                    assert_eq!(black_box(record).value.map(<[u8]>::len), Some(100));
                    count += 1;
                }
            }
        }
        assert_eq!(count, ROUNDS * RECORDS);
        ROUNDS * RECORDS
    });
}

const PRODUCER: ProducerId = ProducerId { id: 7, epoch: 0 };

fn queue() -> (Queue<u32>, Now) {
    let limits = Limits {
        batch_bytes: 1 << 20,
        linger: Duration::ZERO,
        delivery_timeout: Duration::from_secs(120),
        in_flight: 5,
        idempotent: true,
    };
    let now = Now {
        instant: Instant::now(),
        unix_ms: TIME,
    };
    (Queue::new(limits), now)
}

fn push(meter: &mut Meter) {
    const MESSAGES: u64 = 100_000;
    let (mut queue, now) = queue();
    let record = Record::new(&VALUE);
    let mut buffers = (0..20).map(|_| Vec::with_capacity(1 << 20));
    let mut buffers: Vec<_> = buffers.by_ref().collect();
    meter.count(|| {
        for _ in 0..MESSAGES {
            if !queue.fits(&record) {
                queue.open(buffers.pop().expect("enough"), now);
            }
            queue.push(black_box(&record), now).expect("it is open");
        }
        MESSAGES
    });
    assert_eq!(queue.pending() as u64, MESSAGES);
}

/// A queue that was filled with batches of `records` each; the first one has been written, as every later one needs.
fn filled(batches: u64, records: u64) -> (Queue<u32>, Now) {
    let (mut queue, now) = queue();
    for _ in 0..=batches {
        queue.open(Vec::with_capacity(256 << 10), now);
        for _ in 0..records {
            queue.push(&Record::new(&VALUE), now).expect("it is open");
        }
        queue.attach(0, true);
    }
    let first = queue
        .poll_batch(Some(PRODUCER), now.instant)
        .expect("the first");
    queue.handle_written(first.id, written());
    queue.poll_resolved().expect("the first");
    (queue, now)
}

fn written() -> BatchWritten {
    BatchWritten {
        base_offset: Some(42),
        append_time: None,
    }
}

/// As many as may be in flight.
const WINDOW: u64 = 5;

fn seal(meter: &mut Meter, records: u64) {
    let (mut queue, now) = filled(WINDOW, records);
    let mut sealed = Vec::with_capacity(WINDOW as usize);
    meter.count(|| {
        while let Some(batch) = queue.poll_batch(Some(PRODUCER), now.instant) {
            let header = batch.header.write(&batch.body);
            sealed.push((batch, header));
        }
        WINDOW
    });
    assert_eq!(sealed.len() as u64, WINDOW);
}

fn outcome(meter: &mut Meter) {
    let (mut queue, now) = filled(WINDOW, 10);
    let mut flying = Vec::new();
    while let Some(batch) = queue.poll_batch(Some(PRODUCER), now.instant) {
        flying.push(batch.id);
    }
    let mut resolved = Vec::with_capacity(WINDOW as usize);
    meter.count(|| {
        for id in flying.drain(..) {
            queue.handle_written(id, written());
            resolved.extend(queue.poll_resolved());
        }
        WINDOW
    });
    assert_eq!(resolved.len() as u64, WINDOW);
    assert!(resolved.iter().all(|batch| batch.result.is_ok()));
}

fn request(meter: &mut Meter) {
    const REQUESTS: u64 = 100;
    let topic: Arc<str> = "orders".into();
    let stored = batch(10, false);
    let header = BatchHeader::parse(&stored).expect("a header");
    let part = |partition| Part {
        topic: topic.clone(),
        id: Uuid([7; 16]),
        partition,
        header,
        body: stored.slice(BatchHeader::SIZE..),
    };
    let parts: Vec<_> = (0..6).map(part).collect();
    let mut bytes = 0;
    meter.count(|| {
        for _ in 0..REQUESTS {
            let mut w = Writer::new(13, true);
            write_request(-1, 30_000, black_box(&parts), &mut w);
            bytes += w.len();
        }
        REQUESTS
    });
    assert!(bytes > 6 * 10 * 100 * REQUESTS as usize);
}

/// Frames of `size` bytes, read by 64 KiB or what there is room for.
fn frames(meter: &mut Meter, size: usize, count: u64) {
    const READ: usize = 64 << 10;
    let mut frame = (size as i32).to_be_bytes().to_vec();
    frame.resize(4 + size, 7);
    let stream = frame.repeat(count as usize);
    let mut splitter = Frames::new(16 << 20);
    meter.count(|| {
        let (mut rest, mut seen) = (&stream[..], 0);
        while !rest.is_empty() {
            let space = splitter.space();
            let n = space.len().min(READ).min(rest.len());
            // the kernel's work
            outside(|| space[..n].copy_from_slice(&rest[..n]));
            rest = &rest[n..];
            splitter.filled(n);
            while let Some(frame) = splitter.poll_frame().expect("good") {
                assert_eq!(black_box(frame).len(), size);
                seen += 1;
            }
        }
        assert_eq!(seen, count);
        count
    });
}
