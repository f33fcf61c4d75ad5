//! What a message costs: CPU of the client's thread, and allocations, against the broker in this process.
//!
//! `cargo bench -p kafka-client-tokio` runs everything; `-- write`, `-- read`, `-- lone` one part. `MESSAGES` sets the
//! size (default 3,000,000). The client runs on one thread, whose CPU time the kernel counts; the broker has threads of its
//! own. Linux only. Machines are noisy: compare figures of one run.

use std::{
    collections::VecDeque,
    env, fs,
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use kafka_client_tokio::{Client, Record, WriterConfig, connect};
use kafka_proto::{
    api::{
        ApiKey, RequestHeader,
        produce::{PartitionProduceData, ProduceRequest, TopicProduceData},
    },
    record::BatchBuilder,
    wire::{Wire, Writer},
};
use kafka_testing::{
    broker::{Cluster, Config},
    server::Server,
};
use tokio::runtime::{Builder, Runtime};

const SIZE: usize = 100;
const CALL: usize = 100;
const CALLS: usize = 64;
const PARTITIONS: i32 = 6;

fn main() {
    let chosen: Vec<_> = env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    let wanted = |name: &str| chosen.is_empty() || chosen.iter().any(|c| c == name);
    let messages = env::var("MESSAGES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(3_000_000);
    if wanted("write") {
        write(messages);
    }
    if wanted("read") {
        read(messages.min(3_000_000));
    }
    if wanted("lone") {
        lone(5_000);
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

fn server(discard: bool) -> Server {
    let mut cluster = Cluster::new(Config::new().brokers(1).discard(discard));
    cluster.create_topic("bench", PARTITIONS);
    Server::start(cluster).expect("ports")
}

/// CPU nanoseconds of this thread so far.
fn cpu() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ')
        .next()
        .and_then(|n| n.parse().ok())
        .unwrap_or_default()
}

/// Calls of 100 messages, 64 of them waiting for their outcome.
fn write(messages: usize) {
    let server = server(true);
    let values: Vec<_> = (0..4096usize).map(|i| format!("{i:0SIZE$}")).collect();
    runtime().block_on(async {
        let client = connect(&server.bootstrap()).await.expect("a broker");
        let writer = client.writer("bench").expect("a config");
        writer.write(Record::new("first")).await.expect("written");
        let run = async |messages: usize| {
            let mut pending = VecDeque::new();
            let mut records = Vec::with_capacity(CALL);
            for call in 0..messages / CALL {
                records.clear();
                records.extend(
                    (0..CALL).map(|i| Record::new(&values[(call * CALL + i) % values.len()])),
                );
                pending.push_back(writer.send(&records).await.expect("accepted"));
                if pending.len() == CALLS
                    && let Some(receipt) = pending.pop_front()
                {
                    receipt.await.expect("written");
                }
            }
            for receipt in pending {
                receipt.await.expect("written");
            }
        };
        run(messages / 10).await;
        let (start, from) = (Instant::now(), cpu());
        run(messages).await;
        report(
            "write, calls of 100",
            messages,
            cpu() - from,
            start.elapsed(),
        );
    });
}

fn read(messages: usize) {
    let server = server(false);
    let runtime = runtime();
    runtime.block_on(async {
        let client = connect(&server.bootstrap()).await.expect("a broker");
        fill(&client, messages).await;
        for name in ["read, by batches", "read, by messages"] {
            let mut reader = client.reader("bench").expect("a config");
            let (start, from) = (Instant::now(), cpu());
            let (mut count, mut bytes) = (0, 0);
            while count < messages {
                if name.ends_with("batches") {
                    let batch = reader.read_batch().await.expect("good").expect("open");
                    for record in batch.iter() {
                        bytes += record.expect("good").value.map_or(0, <[u8]>::len);
                        count += 1;
                    }
                } else {
                    let message = reader.read_message().await.expect("good").expect("open");
                    bytes += message.value().map_or(0, <[u8]>::len);
                    count += 1;
                }
            }
            assert_eq!(bytes, count * SIZE);
            report(name, count, cpu() - from, start.elapsed());
        }
    });
}

async fn fill(client: &Client, messages: usize) {
    let writer = client
        .writer(WriterConfig::topic("bench"))
        .expect("a config");
    let value = [b'x'; SIZE];
    let records = [Record::new(&value); 1000];
    for _ in 0..messages / records.len() {
        let receipt = writer.send(&records).await.expect("accepted");
        drop(receipt);
    }
    writer.flush().await.expect("written");
}

/// One write at a time, beside a bare request and reply of the same bytes over a socket of its own.
fn lone(rounds: usize) {
    let server = server(true);
    let value = [b'x'; SIZE];
    let (frame, mut bare) = bare(&server, &value);
    let mut answer = [0; 1024];
    let mut exchange = || {
        bare.write_all(&frame).expect("sent");
        let mut length = [0; 4];
        bare.read_exact(&mut length).expect("an answer");
        bare.read_exact(&mut answer[..u32::from_be_bytes(length) as usize])
            .expect("an answer");
    };
    let runtime = runtime();
    let writer = runtime.block_on(async {
        let client = connect(&server.bootstrap()).await.expect("a broker");
        client.writer("bench").expect("a config")
    });
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..rounds {
        let start = Instant::now();
        exchange();
        let between = Instant::now();
        runtime.block_on(async {
            writer
                .write(Record::new(&value).partition(0))
                .await
                .expect("written")
        });
        if round > rounds / 10 {
            times[0].push(between - start);
            times[1].push(between.elapsed());
        }
    }
    let [bare, ours] = times.map(|mut t| {
        t.sort();
        t[t.len() / 2].as_secs_f64() * 1e6
    });
    println!(
        "{:<24} p50 {ours:.1} us; bare request and reply {bare:.1} us; {:.2}x",
        "lone write",
        ours / bare
    );
}

/// A Produce request of one record as bytes, and a socket to send it over.
fn bare(server: &Server, value: &[u8]) -> (Vec<u8>, TcpStream) {
    let mut builder = BatchBuilder::new(Vec::new());
    builder.push(&Record::new(value), 0);
    let (header, body) = builder.finish();
    let request = ProduceRequest::build(|r| {
        (r.acks, r.timeout_ms) = (-1, 1000);
        r.topic_data.push(TopicProduceData::build(|t| {
            t.name = "bench".to_owned();
            t.partition_data.push(PartitionProduceData::build(|p| {
                p.records = Some([&header.write(&body)[..], &body].concat().into());
            }));
        }));
    });
    let mut w = Writer::new(9, false);
    let header = RequestHeader {
        api_key: ApiKey::Produce as i16,
        api_version: 9,
        correlation_id: 1,
        client_id: None,
        ..RequestHeader::default()
    };
    header.write(&mut w, 2);
    w.flexible = true;
    request.write(&mut w);
    let body = w.flatten();
    let frame = [&(body.len() as u32).to_be_bytes()[..], &body].concat();
    let socket = TcpStream::connect(server.bootstrap()).expect("a broker");
    socket.set_nodelay(true).expect("tcp");
    (frame, socket)
}

fn report(what: &str, messages: usize, cpu: u64, wall: Duration) {
    println!(
        "{what:<24} {:.3} us of client CPU a message, {:.0} messages/s",
        cpu as f64 / 1000.0 / messages as f64,
        messages as f64 / wall.as_secs_f64()
    );
}
