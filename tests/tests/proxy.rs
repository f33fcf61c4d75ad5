//! The client on three real brokers behind a network that is bad on purpose.
//!
//! `PROXY_SEED` sets the seed, and `PROXY_S` for how many seconds the network is bad.

mod common;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use kafka_client_tokio::{Client, ReaderConfig, Record, TopicConfig, connect};
use kafka_testing::{
    kafka::{Kafka, KafkaVersion, Options, Peer},
    proxy::{Action, Proxy, Script},
    sim::Way,
};
use libtest_mimic::Arguments;

use common::{Outcome, kafka_trial};

const PARTITIONS: i32 = 6;
const TASKS: u64 = 6;
/// Bytes of a value.
const SIZE: usize = 100;
const SEED: u64 = 17;
const BAD_FOR_S: u64 = 12;

fn main() {
    let trial = kafka_trial(
        "a_bad_network_loses_doubles_and_changes_nothing",
        KafkaVersion::V4_3_1,
        a_bad_network,
    );
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit();
}

fn a_bad_network() -> Outcome {
    let proxy = Arc::new(Proxy::start(3)?);
    let kafka = Kafka::start(Options::new().nodes(3).behind(proxy.ports()))?;
    proxy.lead_to(&kafka.behind_proxy());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let work = async {
        let client = connect(&proxy.bootstrap()).await?;
        trouble(&proxy, &kafka, &client).await?;
        damage(&proxy, &client).await?;
        client.close(Duration::from_secs(30)).await?;
        Ok(())
    };
    runtime.block_on(async {
        let limit = Duration::from_secs(300);
        let ended = tokio::time::timeout(limit, work).await;
        ended.map_err(|_| "takes longer than five minutes")?
    })
}

/// Delays, slow lines, cuts, frozen and half-open connections and refusals by a seed, while six tasks write.
async fn trouble(proxy: &Arc<Proxy>, kafka: &Kafka, client: &Client) -> Outcome {
    create(client, "bad").await?;
    let length = Duration::from_secs(number("PROXY_S", BAD_FOR_S));
    let seed = number("PROXY_SEED", SEED);
    let script = Script::seeded(seed, 3, length);
    println!("seed {seed}:\n{script}");
    let stop = Arc::new(AtomicBool::new(false));
    let writing: Vec<_> = (0..TASKS)
        .map(|task| tokio::spawn(write(client.clone(), task, stop.clone())))
        .collect();
    let playing = proxy.clone();
    tokio::task::spawn_blocking(move || playing.play(&script)).await??;
    stop.store(true, Ordering::Release);
    let mut sent = Vec::new();
    for task in writing {
        sent.extend(task.await??);
    }
    println!("{} messages are written", sent.len());
    assert!(
        sent.len() > 1_000,
        "the network lets hardly anything through"
    );

    let mut reader = client.reader("bad")?;
    let mut seen = BTreeMap::new();
    let mut latest = BTreeMap::new();
    while seen.len() < sent.len() {
        let message = reader.read_message().await?.ok_or("closed")?;
        let value = message.value().unwrap_or_default();
        let number = u64::from_be_bytes(*value.first_chunk().ok_or("a number")?);
        let place = (message.partition(), message.offset());
        assert_eq!(seen.insert(number, place), None, "{number} is doubled");
        let before = latest.insert(number >> 40, number);
        assert!(before < Some(number), "{before:?} stands before {number}");
    }
    for (number, place) in &sent {
        assert_eq!(
            seen.get(number),
            Some(place),
            "{number} is where it was said to be"
        );
    }
    let count = sent.len() as u64;
    let java = kafka.peer().consume("bad", count)?;
    assert_eq!(java.count, count, "nothing else is there");
    Ok(())
}

/// Bytes that change on their way to a reader are noticed, and asked for again.
async fn damage(proxy: &Proxy, client: &Client) -> Outcome {
    const CALLS: u64 = 60;
    const CALL: u64 = 1_000;
    create(client, "damaged").await?;
    let writer = client.writer("damaged")?;
    for call in 0..CALLS {
        // large batches: what the checksum leaves out, which nobody could notice, is a small part of them
        let values: Vec<_> = (0..CALL)
            .map(|i| Peer::value(call * CALL + i, SIZE))
            .collect();
        let partition = (call % PARTITIONS as u64) as i32;
        let record = |value| Record::new(value).partition(partition);
        let records: Vec<_> = values.iter().map(record).collect();
        writer.write_messages(&records).await?;
    }
    let small = ReaderConfig::topic("damaged").partition_bytes(150_000);
    let mut reader = client.reader(small)?;
    let mut latest = BTreeMap::new();
    for count in 0..CALLS * CALL {
        if count == 1 {
            for broker in 0..3 {
                let way = Way::Down;
                proxy.apply(broker, Action::Corrupt { way, after: 60_000 });
            }
        }
        let message = reader.read_message().await?.ok_or("closed")?;
        let value = message.value().unwrap_or_default();
        let number = u64::from_be_bytes(*value.first_chunk().ok_or("a number")?);
        assert_eq!(value, Peer::value(number, SIZE), "a byte has changed");
        let before = latest.insert(message.partition(), number);
        assert!(before < Some(number), "{before:?} stands before {number}");
    }
    assert!(proxy.inverted() > 0, "no byte was changed");
    println!("{} bytes were changed on their way", proxy.inverted());
    Ok(())
}

async fn create(client: &Client, topic: &str) -> Outcome {
    let topic = TopicConfig::new(topic)
        .partitions(PARTITIONS)
        .replication_factor(3);
    Ok(client.create_topics(&[topic]).await?)
}

/// What was written, and where it is.
type Sent = Vec<(u64, (i32, i64))>;

/// Writes until it is told to stop. All of it has to be written in the end.
async fn write(client: Client, task: u64, stop: Arc<AtomicBool>) -> Result<Sent, String> {
    let writer = client.writer("bad").map_err(|e| e.to_string())?;
    let mut sent = Vec::new();
    let mut next = task << 40;
    while !stop.load(Ordering::Acquire) {
        let numbers = next..next + 20;
        next = numbers.end;
        let values: Vec<_> = numbers.clone().map(|n| Peer::value(n, SIZE)).collect();
        let record = |value| Record::new(value).partition(task as i32 % PARTITIONS);
        let records: Vec<_> = values.iter().map(record).collect();
        let written = writer.write_messages(&records).await;
        for (number, written) in numbers.zip(written.map_err(|e| e.to_string())?) {
            let offset = written.offset.ok_or("it is not said where")?;
            sent.push((number, (written.partition, offset)));
        }
    }
    Ok(sent)
}

fn number(name: &str, default: u64) -> u64 {
    let set = std::env::var(name).ok().and_then(|n| n.parse().ok());
    set.unwrap_or(default)
}
