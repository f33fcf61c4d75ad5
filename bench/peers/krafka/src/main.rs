//! krafka.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bench_contract::{
    Args, Codec, Latencies, Mode, Pool, Report, Span, skip, stamp, touch, unstamp,
};
use bytes::Bytes;
use krafka::{
    Compression, Kafka, Record,
    consumer::{AutoOffsetReset, Consumer},
    producer::{Acks, DeliveryHandle, Producer},
};
use serde_json::{Value, json};

const CLIENT: &str = "krafka";
const WAITING: usize = 500_000;
const LOOK: usize = 1_000;
const WARM: usize = 200;
const POLL: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() {
    let args = Args::parse();
    match args.mode {
        Mode::Produce => produce(&args).await,
        Mode::Consume => consume(&args).await,
        Mode::Latency => latency(&args).await,
        Mode::EndToEnd => end_to_end(&args).await,
        Mode::Group => skip(
            CLIENT,
            &args,
            "not made: ours has no groups to compare with",
        ),
    }
}

fn report(messages: u64, errors: u64, extra: Value) -> Report {
    Report {
        client: CLIENT,
        version: "0.28.1",
        messages,
        errors,
        extra,
    }
}

async fn connect(args: &Args) -> Kafka {
    let builder = Kafka::builder(args.bootstrap.clone());
    builder.connect().await.expect("a broker")
}

async fn producer(args: &Args, linger: Duration) -> Producer {
    let compression = match args.codec {
        Codec::None => Compression::None,
        Codec::Lz4 => Compression::Lz4,
        Codec::Zstd => Compression::Zstd,
    };
    let kafka = connect(args).await;
    let builder = kafka
        .producer()
        .acks(Acks::All)
        .compression(compression)
        .batch_size(args.batch_bytes)
        .linger(linger)
        .buffer_memory(64 << 20);
    builder.build().await.expect("a config")
}

async fn consumer(args: &Args) -> Consumer {
    let kafka = connect(args).await;
    let builder = kafka
        .consumer_without_group()
        .auto_offset_reset(AutoOffsetReset::Earliest)
        // 500 by default, which makes it several times as dear
        .max_poll_records(10_000);
    let consumer = builder.build().await.expect("a config");
    let partitions = (0..args.partitions).collect();
    let assigned = consumer.assign(&args.topic, partitions).await;
    assigned.expect("partitions");
    consumer
}

/// Values as the client wants them: shared, not copied.
fn values(args: &Args) -> Vec<Bytes> {
    let values = Pool::new(args.size).into_values();
    values.into_iter().map(Bytes::from).collect()
}

async fn produce(args: &Args) {
    let values = values(args);
    let record = |number: usize| {
        Record::new(
            args.topic.as_str(),
            values[number & (values.len() - 1)].clone(),
        )
    };
    let producer = producer(args, args.linger).await;
    let first = producer.send(record(0)).await;
    let _ = first.expect("the first message is written");
    let span = Span::start();
    let (mut written, mut failed) = (0, 0);
    let mut look = async |handle: DeliveryHandle| match handle.await {
        Ok(_) => written += 1,
        Err(_) => failed += 1,
    };
    let mut refused = 0;
    let mut waiting = VecDeque::new();
    for number in 0..args.messages {
        if waiting.len() == WAITING {
            for handle in waiting.drain(..LOOK) {
                look(handle).await;
            }
        }
        match producer.enqueue(record(number)).await {
            Ok(handle) => waiting.push_back(handle),
            Err(_) => refused += 1,
        }
    }
    producer.flush().await.expect("everything is delivered");
    for handle in waiting {
        look(handle).await;
    }
    let extra = json!({ "sent_total": args.messages + 1 });
    report(written, failed + refused, extra).print(args, &span);
    producer.close().await.expect("closed");
}

async fn consume(args: &Args) {
    let span = Span::start();
    let consumer = consumer(args).await;
    let (mut count, mut sum) = (0, 0);
    while count < args.messages {
        for record in consumer.poll(POLL).await.expect("good") {
            touch(&mut sum, record.value.as_deref().unwrap_or_default());
            count += 1;
        }
    }
    report(count as u64, 0, json!({ "sum": sum })).print(args, &span);
    consumer.close().await.expect("closed");
}

async fn latency(args: &Args) {
    let values = values(args);
    let record = |number: usize| {
        Record::new(
            args.topic.as_str(),
            values[number & (values.len() - 1)].clone(),
        )
    };
    let producer = producer(args, Duration::ZERO).await;
    let first = producer.send(record(0)).await;
    let _ = first.expect("the first message is written");
    let mut latencies = Latencies::default();
    let span = Span::start();
    for number in 0..args.messages {
        let from = Instant::now();
        let _ = producer.send(record(number)).await.expect("written");
        latencies.push(from.elapsed().as_micros() as u64);
    }
    report(latencies.count(), 0, latencies.percentiles()).print(args, &span);
    producer.close().await.expect("closed");
}

async fn end_to_end(args: &Args) {
    let epoch = Instant::now();
    let producer = producer(args, Duration::ZERO).await;
    let consumer = consumer(args).await;
    let first = Record::new(args.topic.as_str(), stamp(epoch, args.size));
    let _ = producer
        .send(first)
        .await
        .expect("the first message is written");
    let span = Span::start();
    let total = args.messages + WARM;
    let pause = Duration::from_secs(1) / args.rate as u32;
    let (topic, size) = (args.topic.clone(), args.size);
    let writing = tokio::spawn(async move {
        let start = Instant::now();
        let mut waiting = Vec::new();
        for number in 0..total {
            tokio::time::sleep_until((start + pause * number as u32).into()).await;
            let record = Record::new(topic.as_str(), stamp(epoch, size));
            waiting.push(producer.enqueue(record).await.expect("accepted"));
        }
        let mut failed = 0;
        for handle in waiting {
            failed += u64::from(handle.await.is_err());
        }
        failed
    });
    let mut latencies = Latencies::default();
    let mut count = 0;
    while count < total + 1 {
        for record in consumer.poll(POLL).await.expect("good") {
            count += 1;
            if count > WARM + 1 {
                latencies.push(unstamp(epoch, record.value.as_deref().unwrap_or_default()));
            }
        }
    }
    let failed = writing.await.expect("it does not panic");
    report(latencies.count(), failed, latencies.percentiles()).print(args, &span);
    consumer.close().await.expect("closed");
}
