//! rskafka: no accumulator and no partitioner, so the program makes the batches; not idempotent.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use bench_contract::{
    Args, Codec, Latencies, Mode, Pool, Report, Span, skip, stamp, touch, unstamp,
};
use futures::StreamExt;
use rskafka::{
    client::{
        Client, ClientBuilder,
        consumer::{StartOffset, StreamConsumer, StreamConsumerBuilder},
        partition::{Compression, PartitionClient, UnknownTopicHandling},
    },
    record::Record,
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

const CLIENT: &str = "rskafka";
/// Batches of a partition without an answer.
const IN_FLIGHT: usize = 2;
const WARM: usize = 200;

#[tokio::main]
async fn main() {
    let args = Args::parse();
    match args.mode {
        Mode::Produce => produce(&args).await,
        Mode::Consume => consume(&args).await,
        Mode::Latency => latency(&args).await,
        Mode::EndToEnd => end_to_end(&args).await,
        Mode::Group => skip(CLIENT, &args, "no consumer groups"),
    }
}

fn report(messages: u64, errors: u64, extra: Value) -> Report {
    Report {
        client: CLIENT,
        version: "0.6.0",
        messages,
        errors,
        extra,
    }
}

async fn connect(args: &Args) -> Client {
    let builder = ClientBuilder::new(vec![args.bootstrap.clone()]);
    builder.build().await.expect("a broker")
}

async fn partition(client: &Client, args: &Args, index: i32) -> Arc<PartitionClient> {
    let topic = args.topic.clone();
    let partition = client.partition_client(topic, index, UnknownTopicHandling::Error);
    Arc::new(partition.await.expect("a partition"))
}

fn record(value: &[u8]) -> Record {
    Record {
        key: None,
        value: Some(value.to_vec()),
        headers: BTreeMap::new(),
        timestamp: chrono::DateTime::from(std::time::SystemTime::now()),
    }
}

fn compression(args: &Args) -> Compression {
    match args.codec {
        Codec::None => Compression::NoCompression,
        Codec::Lz4 => Compression::Lz4,
        Codec::Zstd => Compression::Zstd,
    }
}

fn reader(partition: Arc<PartitionClient>) -> StreamConsumer {
    StreamConsumerBuilder::new(partition, StartOffset::Earliest)
        .with_max_batch_size(1 << 20)
        .with_max_wait_ms(500)
        .build()
}

async fn produce(args: &Args) {
    let pool = Pool::new(args.size);
    let client = connect(args).await;
    let mut partitions = Vec::new();
    for index in 0..args.partitions {
        partitions.push(partition(&client, args, index).await);
    }
    let codec = compression(args);
    let first = partitions[0].produce(vec![record(pool.value(0))], codec);
    first.await.expect("the first message is written");
    let span = Span::start();
    // what a record has besides its value
    let batch = args.batch_bytes / (args.size + 8);
    let mut in_flight: Vec<VecDeque<JoinHandle<(usize, bool)>>> = Vec::new();
    in_flight.resize_with(partitions.len(), VecDeque::new);
    let (mut written, mut failed) = (0, 0);
    let mut look = async |handle: JoinHandle<(usize, bool)>| {
        let (count, good) = handle.await.expect("it does not panic");
        *if good { &mut written } else { &mut failed } += count as u64;
    };
    for (place, from) in (0..args.messages).step_by(batch).enumerate() {
        let to = args.messages.min(from + batch);
        let records: Vec<_> = (from..to).map(|n| record(pool.value(n))).collect();
        let at = place % partitions.len();
        if in_flight[at].len() == IN_FLIGHT
            && let Some(oldest) = in_flight[at].pop_front()
        {
            look(oldest).await;
        }
        let partition = partitions[at].clone();
        in_flight[at].push_back(tokio::spawn(async move {
            let count = records.len();
            (count, partition.produce(records, codec).await.is_ok())
        }));
    }
    for handle in in_flight.into_iter().flatten() {
        look(handle).await;
    }
    report(written, failed, json!({ "sent_total": args.messages + 1 })).print(args, &span);
}

async fn consume(args: &Args) {
    let span = Span::start();
    let client = connect(args).await;
    // topics are filled evenly
    let share = args.messages / args.partitions as usize;
    let mut tasks = Vec::new();
    for index in 0..args.partitions {
        let mut reader = reader(partition(&client, args, index).await);
        tasks.push(tokio::spawn(async move {
            let mut sum = 0;
            for _ in 0..share {
                let (record, _) = reader.next().await.expect("open").expect("good");
                touch(&mut sum, record.record.value.as_deref().unwrap_or_default());
            }
            sum
        }));
    }
    let mut sum = 0u64;
    for task in tasks {
        sum = sum.wrapping_add(task.await.expect("it does not panic"));
    }
    let count = share * args.partitions as usize;
    report(count as u64, 0, json!({ "sum": sum })).print(args, &span);
}

async fn latency(args: &Args) {
    let pool = Pool::new(args.size);
    let partition = partition(&connect(args).await, args, 0).await;
    let codec = compression(args);
    let first = partition.produce(vec![record(pool.value(0))], codec);
    first.await.expect("the first message is written");
    let mut latencies = Latencies::default();
    let span = Span::start();
    for number in 0..args.messages {
        let from = Instant::now();
        let written = partition.produce(vec![record(pool.value(number))], codec);
        written.await.expect("written");
        latencies.push(from.elapsed().as_micros() as u64);
    }
    report(latencies.count(), 0, latencies.percentiles()).print(args, &span);
}

async fn end_to_end(args: &Args) {
    let epoch = Instant::now();
    // a client for each way: a fetch that the broker holds back would hold up what is written
    let (writing, reading) = (connect(args).await, connect(args).await);
    let writer = partition(&writing, args, 0).await;
    let mut reader = reader(partition(&reading, args, 0).await);
    let codec = compression(args);
    let first = writer.produce(vec![record(&stamp(epoch, args.size))], codec);
    first.await.expect("the first message is written");
    let span = Span::start();
    let total = args.messages + WARM;
    let pause = Duration::from_secs(1) / args.rate as u32;
    let size = args.size;
    let writing = tokio::spawn(async move {
        let start = Instant::now();
        let mut sent = Vec::new();
        for number in 0..total {
            tokio::time::sleep_until((start + pause * number as u32).into()).await;
            let (writer, record) = (writer.clone(), record(&stamp(epoch, size)));
            sent.push(tokio::spawn(async move {
                writer.produce(vec![record], codec).await.is_err()
            }));
        }
        let mut failed = 0;
        for sent in sent {
            failed += u64::from(sent.await.expect("it does not panic"));
        }
        failed
    });
    let mut latencies = Latencies::default();
    for number in 0..=total {
        let (record, _) = reader.next().await.expect("open").expect("good");
        if number > WARM {
            latencies.push(unstamp(
                epoch,
                record.record.value.as_deref().unwrap_or_default(),
            ));
        }
    }
    let failed = writing.await.expect("it does not panic");
    report(latencies.count(), failed, latencies.percentiles()).print(args, &span);
}
