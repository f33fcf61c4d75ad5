//! Whole clients: from a call to its outcome, from a topic to its messages. The broker is left out of the count.

use std::{
    collections::VecDeque,
    hint::black_box,
    task::{Context, Poll, Waker},
};

use kafka_proto::{
    client::{Client, Reader, Writer},
    record::Record,
};
use kafka_testing::broker::Config;

use crate::{
    cases::VALUE,
    region::{Meter, outside},
    world::World,
};

const TOPIC: &str = "orders";

/// Before the count, so that buffers have their size.
const WARM: usize = 20_000;
const COUNTED: usize = 50_000;

/// A broker that keeps what it gets, and a client of it.
fn world() -> (World, Client) {
    World::new(Config::new(), &[TOPIC])
}

/// From nothing to the outcome of a first write.
pub(crate) fn connect(meter: &mut Meter) {
    let mut made = None;
    meter.count(|| {
        let (mut world, client) = outside(world);
        let written = world.block_on(async {
            let writer = client.writer(TOPIC).expect("a writer");
            writer.write(Record::new(&VALUE)).await
        });
        made = Some((world, client));
        assert_eq!(written.expect("written").offset, Some(0));
        1
    });
}

/// Writes in calls of `call` messages, of which `waiting` may be without an outcome.
pub(crate) fn write(meter: &mut Meter, call: usize, waiting: usize) {
    let (mut world, client) = world();
    let writer = client.writer(TOPIC).expect("a writer");
    // few calls would make the broker's log the work
    let calls = (COUNTED / call).min(5_000);
    let records = vec![Record::new(&VALUE); call];
    world.block_on(send(&writer, &records, waiting, calls));
    meter.count(|| {
        world.block_on(send(&writer, &records, waiting, calls));
        (calls * call) as u64
    });
}

async fn send(writer: &Writer, records: &[Record<'_>], waiting: usize, calls: usize) {
    let mut pending = VecDeque::with_capacity(waiting);
    for _ in 0..calls {
        if pending.len() == waiting
            && let Some(first) = pending.pop_front()
        {
            let receipt: kafka_proto::client::Receipt = first;
            receipt.await.expect("written");
        }
        pending.push_back(writer.send(records).await.expect("accepted"));
    }
    for receipt in pending {
        receipt.await.expect("written");
    }
}

/// A topic with enough messages for warming up and counting, and a reader at its start.
fn filled() -> (World, Reader) {
    let (mut world, client) = world();
    let writer = client.writer(TOPIC).expect("a writer");
    let records = vec![Record::new(&VALUE); 1_000];
    world.block_on(send(&writer, &records, 10, 2 * (WARM + COUNTED) / 1_000));
    (world, client.reader(TOPIC).expect("a reader"))
}

pub(crate) fn read_batches(meter: &mut Meter) {
    let (mut world, mut reader) = filled();
    world.block_on(by_batches(&mut reader, WARM));
    meter.count(|| world.block_on(by_batches(&mut reader, COUNTED)) as u64);
}

/// Reads until at least `wanted` messages have come.
async fn by_batches(reader: &mut Reader, wanted: usize) -> usize {
    let mut count = 0;
    while count < wanted {
        let batch = reader.read_batch().await.expect("good").expect("open");
        for record in batch.iter() {
            black_box(record.expect("good"));
            count += 1;
        }
    }
    count
}

pub(crate) fn read_messages(meter: &mut Meter) {
    let (mut world, mut reader) = filled();
    world.block_on(one_by_one(&mut reader, WARM));
    meter.count(|| {
        world.block_on(one_by_one(&mut reader, COUNTED));
        COUNTED as u64
    });
}

async fn one_by_one(reader: &mut Reader, wanted: usize) {
    for _ in 0..wanted {
        black_box(reader.read_message().await.expect("good").expect("open"));
    }
}

/// What has been fetched, message by message, without the fetching.
pub(crate) fn poll_message(meter: &mut Meter) {
    let (mut world, mut reader) = filled();
    world.block_on(one_by_one(&mut reader, WARM));
    let mut cx = Context::from_waker(Waker::noop());
    meter.count(|| {
        let mut count = 0;
        while count < COUNTED {
            match reader.poll_message(&mut cx) {
                Poll::Ready(message) => {
                    black_box(message.expect("good").expect("open"));
                    count += 1;
                }
                Poll::Pending => outside(|| world.settle()),
            }
        }
        COUNTED as u64
    });
}
