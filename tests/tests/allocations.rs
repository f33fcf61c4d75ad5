//! What a message costs in memory: nothing of its own, once buffers have their size.
//!
//! A call, a batch, a request and a response allocate; a message does not. Counted on the client's thread, which is the
//! only one of its runtime; the broker has threads of its own.

use std::collections::VecDeque;

use kafka_client_tokio::{Reader, Record, Writer, connect};
use kafka_testing::{
    broker::{Cluster, Config},
    server::Server,
};
use tokio::runtime::{Builder, Runtime};

const WARM: usize = 100_000;
const COUNTED: usize = 200_000;

fn server() -> Server {
    let mut cluster = Cluster::new(Config::new().brokers(1));
    cluster.create_topic("t", 6);
    Server::start(cluster).expect("ports")
}

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Allocations a message of `work`, which handles that many messages.
fn per_message(runtime: &Runtime, mut work: impl AsyncFnMut(usize)) -> f64 {
    runtime.block_on(work(WARM));
    let counted = allocation_counter::measure(|| runtime.block_on(work(COUNTED)));
    counted.count_total as f64 / COUNTED as f64
}

async fn write(writer: &Writer, call: usize, messages: usize) {
    let value = [b'x'; 100];
    let records = vec![Record::new(&value); call];
    let mut pending = VecDeque::with_capacity(64);
    for _ in 0..messages / call {
        pending.push_back(writer.send(&records).await.expect("accepted"));
        if pending.len() == 64
            && let Some(receipt) = pending.pop_front()
        {
            receipt.await.expect("written");
        }
    }
    for receipt in pending {
        receipt.await.expect("written");
    }
}

#[test]
fn writing_allocates_by_call_and_batch_and_not_by_message() {
    let server = server();
    let runtime = runtime();
    let writer = runtime.block_on(async {
        let client = connect(&server.bootstrap()).await.expect("a broker");
        client.writer("t").expect("a config")
    });
    for call in [100, 1000] {
        let a_message = per_message(&runtime, async |messages| {
            write(&writer, call, messages).await
        });
        println!("{a_message:.4} allocations a message written in calls of {call}");
        // the receipt and its results, and what a batch and a request of one call take
        let a_call = a_message * call as f64;
        assert!(
            a_call < 10.0,
            "{a_call} a call of {call}: they grow with the messages"
        );
    }
}

#[test]
fn reading_allocates_by_batch_and_not_by_message() {
    let server = server();
    let runtime = runtime();
    let client = runtime.block_on(async { connect(&server.bootstrap()).await.expect("a broker") });
    let writer = client.writer("t").expect("a config");
    runtime.block_on(write(&writer, 1000, 2 * (WARM + COUNTED) + WARM));
    let mut batches = client.reader("t").expect("a config");
    let allocations = per_message(&runtime, async |messages| {
        read_batches(&mut batches, messages).await
    });
    println!("{allocations:.4} allocations a message read by batches");
    assert!(allocations < 0.02, "{allocations}");
    let mut single = client.reader("t").expect("a config");
    let allocations = per_message(&runtime, async |messages| {
        read_messages(&mut single, messages).await
    });
    println!("{allocations:.4} allocations a message read one by one");
    assert!(allocations < 0.02, "{allocations}");
}

async fn read_batches(reader: &mut Reader, messages: usize) {
    let mut count = 0;
    while count < messages {
        let batch = reader.read_batch().await.expect("good").expect("open");
        for record in batch.iter() {
            record.expect("good");
            count += 1;
        }
    }
}

async fn read_messages(reader: &mut Reader, messages: usize) {
    for _ in 0..messages {
        reader.read_message().await.expect("good").expect("open");
    }
}
