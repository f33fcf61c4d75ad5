//! rdkafka. `--runtime callback` (delivery callbacks, librdkafka's way) or `future` (a future for each message).

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bench_contract::{
    Args, Codec, Latencies, Mode, Pool, Report, Span, skip, stamp, touch, unstamp,
};
use rdkafka::{
    ClientConfig, ClientContext, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::DeliveryResult,
    producer::{
        BaseRecord, FutureProducer, FutureRecord, Producer, ProducerContext, ThreadedProducer,
        future_producer::DeliveryFuture,
    },
};
use serde_json::{Value, json};

const CALLBACK: &str = "rdkafka";
const FUTURE: &str = "rdkafka-future";
const WAITING: usize = 500_000;
const LOOK: usize = 1_000;
const WARM: usize = 200;
const LIMIT: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() {
    let args = Args::parse();
    match (args.mode, args.runtime.as_str()) {
        (Mode::Produce, "future") => produce_by_futures(&args).await,
        (Mode::Produce, _) => produce_by_callback(&args),
        (Mode::Consume, _) => consume(&args),
        (Mode::Latency, _) => latency(&args).await,
        (Mode::EndToEnd, _) => end_to_end(&args),
        (Mode::Group, _) => skip(
            CALLBACK,
            &args,
            "not made: ours has no groups to compare with",
        ),
    }
}

fn report(client: &'static str, messages: u64, errors: u64, extra: Value) -> Report {
    Report {
        client,
        version: "0.39.0",
        messages,
        errors,
        extra,
    }
}

/// The broker, and how to get there.
fn common_config(args: &Args) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &args.bootstrap);
    if let Some(ca) = &args.ca {
        // certificate and host name are verified by default
        config
            .set("security.protocol", "ssl")
            .set("ssl.ca.location", ca.display().to_string());
    }
    config
}

fn producer_config(args: &Args, linger: Duration) -> ClientConfig {
    let codec = match args.codec {
        Codec::None => "none",
        Codec::Lz4 => "lz4",
        Codec::Zstd => "zstd",
    };
    let mut config = common_config(args);
    config
        .set("acks", "all")
        .set("enable.idempotence", args.idempotent.to_string())
        .set("linger.ms", linger.as_millis().to_string())
        .set("batch.size", args.batch_bytes.to_string())
        // 10,000 by default, which is what 1 MB has of 100 bytes
        .set("batch.num.messages", "10000")
        .set("queue.buffering.max.messages", WAITING.to_string())
        .set("queue.buffering.max.kbytes", "65536")
        .set("compression.codec", codec);
    config
}

fn consumer(args: &Args) -> BaseConsumer {
    let mut config = common_config(args);
    config
        // it wants one even where it joins none
        .set("group.id", "none")
        // off by default; all but kafka-go check them
        .set("check.crcs", "true")
        .set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().expect("a config");
    let mut partitions = TopicPartitionList::new();
    for partition in 0..args.partitions {
        let added = partitions.add_partition_offset(&args.topic, partition, Offset::Beginning);
        added.expect("a partition");
    }
    consumer.assign(&partitions).expect("partitions");
    consumer
}

#[derive(Default)]
struct Outcomes {
    written: AtomicU64,
    failed: AtomicU64,
}

struct Callback(Arc<Outcomes>);

impl ClientContext for Callback {}

impl ProducerContext for Callback {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let counter = match result {
            Ok(_) => &self.0.written,
            Err(_) => &self.0.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

type CallbackProducer = ThreadedProducer<Callback>;

/// A producer that has written a first message.
fn callback_producer(
    args: &Args,
    linger: Duration,
    first: &[u8],
) -> (CallbackProducer, Arc<Outcomes>) {
    let outcomes = Arc::new(Outcomes::default());
    let config = producer_config(args, linger);
    let producer: CallbackProducer = config
        .create_with_context(Callback(outcomes.clone()))
        .expect("a config");
    send(&producer, &args.topic, first);
    producer.flush(LIMIT).expect("the first message is written");
    assert_eq!(outcomes.written.swap(0, Ordering::Relaxed), 1);
    (producer, outcomes)
}

fn send(producer: &CallbackProducer, topic: &str, value: &[u8]) {
    let mut record = BaseRecord::<(), _>::to(topic).payload(value);
    while let Err((error, back)) = producer.send(record) {
        let full = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
        assert_eq!(error, full);
        record = back;
        // there is nothing to wait for
        thread::sleep(Duration::from_millis(1));
    }
}

fn produce_by_callback(args: &Args) {
    let pool = Pool::new(args.size);
    let (producer, outcomes) = callback_producer(args, args.linger, pool.value(0));
    let span = Span::start();
    for number in 0..args.messages {
        send(&producer, &args.topic, pool.value(number));
    }
    producer.flush(LIMIT).expect("everything is delivered");
    let written = outcomes.written.load(Ordering::Relaxed);
    let extra = json!({ "sent_total": args.messages + 1 });
    report(CALLBACK, written, args.messages as u64 - written, extra).print(args, &span);
}

async fn future_producer(args: &Args, linger: Duration, first: &[u8]) -> FutureProducer {
    let producer: FutureProducer = producer_config(args, linger).create().expect("a config");
    let record = FutureRecord::<(), _>::to(&args.topic).payload(first);
    let first = producer.send(record, LIMIT).await;
    first.expect("the first message is written");
    producer
}

async fn produce_by_futures(args: &Args) {
    let pool = Pool::new(args.size);
    let producer = future_producer(args, args.linger, pool.value(0)).await;
    let span = Span::start();
    let (mut written, mut failed) = (0, 0);
    let mut look = async |future: DeliveryFuture| match future.await {
        Ok(Ok(_)) => written += 1,
        _ => failed += 1,
    };
    let mut waiting = VecDeque::<DeliveryFuture>::new();
    for number in 0..args.messages {
        if waiting.len() == WAITING {
            for future in waiting.drain(..LOOK) {
                look(future).await;
            }
        }
        let mut record = FutureRecord::<(), _>::to(&args.topic).payload(pool.value(number));
        loop {
            match producer.send_result(record) {
                Ok(future) => break waiting.push_back(future),
                // full: one outcome makes room
                Err((_, back)) => record = back,
            }
            match waiting.pop_front() {
                Some(future) => look(future).await,
                None => tokio::task::yield_now().await,
            }
        }
    }
    for future in waiting {
        look(future).await;
    }
    let extra = json!({ "sent_total": args.messages + 1 });
    report(FUTURE, written, failed, extra).print(args, &span);
}

fn consume(args: &Args) {
    let span = Span::start();
    let consumer = consumer(args);
    let (mut count, mut sum, mut errors) = (0, 0, 0);
    while count < args.messages {
        match consumer.poll(Duration::from_secs(1)) {
            Some(Ok(message)) => {
                touch(&mut sum, message.payload().unwrap_or_default());
                count += 1;
            }
            Some(Err(_)) => errors += 1,
            None => {}
        }
    }
    report(CALLBACK, count as u64, errors, json!({ "sum": sum })).print(args, &span);
}

async fn latency(args: &Args) {
    let pool = Pool::new(args.size);
    let producer = future_producer(args, Duration::ZERO, pool.value(0)).await;
    let mut latencies = Latencies::default();
    let span = Span::start();
    for number in 0..args.messages {
        let from = Instant::now();
        let record = FutureRecord::<(), _>::to(&args.topic).payload(pool.value(number));
        producer.send(record, LIMIT).await.expect("written");
        latencies.push(from.elapsed().as_micros() as u64);
    }
    report(CALLBACK, latencies.count(), 0, latencies.percentiles()).print(args, &span);
}

fn end_to_end(args: &Args) {
    let epoch = Instant::now();
    let consumer = consumer(args);
    let first = stamp(epoch, args.size);
    let (producer, outcomes) = callback_producer(args, Duration::ZERO, &first);
    let span = Span::start();
    let pause = Duration::from_secs(1) / args.rate as u32;
    let total = args.messages + WARM;
    let mut latencies = Latencies::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            let start = Instant::now();
            for number in 0..total {
                let due = start + pause * number as u32;
                thread::sleep(due.saturating_duration_since(Instant::now()));
                send(&producer, &args.topic, &stamp(epoch, args.size));
            }
            producer.flush(LIMIT).expect("everything is delivered");
        });
        let mut count = 0;
        while count < total + 1 {
            if let Some(Ok(message)) = consumer.poll(Duration::from_secs(1)) {
                count += 1;
                if count > WARM + 1 {
                    latencies.push(unstamp(epoch, message.payload().unwrap_or_default()));
                }
            }
        }
    });
    let failed = outcomes.failed.load(Ordering::Relaxed);
    report(CALLBACK, latencies.count(), failed, latencies.percentiles()).print(args, &span);
}
