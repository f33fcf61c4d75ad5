//! The client on real Kafka, with Kafka's own Java client as the second opinion.
//!
//! Values are those of the Java peer: a number of eight bytes, then text; a partition's values rise with its offsets if
//! nothing was reordered, lost or doubled.

mod common;
#[path = "real_kafka/settings.rs"]
mod settings;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use kafka_client_tokio::{
    Client, Outcome as Data, ReaderConfig, Record, SeekFrom, StartOffset, TopicConfig, Written,
    connect,
};
use kafka_testing::{
    broker::Release,
    kafka::{Checksum, Kafka, KafkaVersion, Peer},
};
use libtest_mimic::Arguments;

use common::{Outcome, broker_trial};

/// Bytes of a value.
const SIZE: usize = 100;
/// Records in one call.
const CALL: u64 = 100;

fn main() {
    let (newest, older) = (KafkaVersion::V4_3_1, KafkaVersion::V3_9_1);
    let mut trials = vec![
        broker_trial(
            "a_million_messages_are_read_back_by_us_and_by_java",
            newest,
            a_million_messages,
        ),
        broker_trial(
            "a_kill_in_the_middle_loses_and_doubles_nothing",
            newest,
            a_kill_in_the_middle,
        ),
        broker_trial("kafka_3_9_writes_and_reads", older, older_kafka),
        broker_trial(
            "one_connection_writes_reads_and_seeks",
            newest,
            one_connection,
        ),
        broker_trial("every_codec_of_java_is_read", newest, compressed_by_java),
        broker_trial(
            "settings_are_answered_as_by_the_in_process_broker",
            newest,
            settings::are_answered_alike,
        ),
    ];
    for (name, version, release) in [
        ("0_11", KafkaVersion::V0_11_0_3, Release::V0_11),
        ("1_1", KafkaVersion::V1_1_1, Release::V1_1),
        ("2_8", KafkaVersion::V2_8_2, Release::V2_8),
        ("3_9", KafkaVersion::V3_9_1, Release::V3_9),
    ] {
        let name = format!("settings_of_kafka_{name}_are_described_as_by_the_in_process_broker");
        trials.push(broker_trial(&name, version, move |kafka| {
            settings::of_an_older_release_are_described_alike(kafka, release)
        }));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// What a topic holds, by reading it.
#[derive(Debug, Default, PartialEq)]
struct Contents {
    count: u64,
    checksum: Checksum,
    /// The numbers of each partition, in order of offsets.
    numbers: BTreeMap<i32, Vec<u64>>,
}

impl Contents {
    fn is_ordered(&self) -> bool {
        self.numbers
            .values()
            .all(|numbers| numbers.is_sorted_by(|a, b| a < b))
    }

    fn add(&mut self, partition: i32, value: &[u8]) {
        let number = value
            .first_chunk::<8>()
            .map(|b| u64::from_be_bytes(*b))
            .unwrap_or_default();
        self.count += 1;
        self.checksum.add(partition, value);
        self.numbers.entry(partition).or_default().push(number);
    }
}

fn on_tokio<F: Future<Output = Outcome>>(work: F) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        tokio::time::timeout(Duration::from_secs(300), work)
            .await
            .map_err(|_| "takes longer than five minutes")?
    })
}

async fn create(client: &Client, topic: &str, partitions: i32) -> Outcome {
    client
        .create_topics(&[TopicConfig::new(topic).partitions(partitions)])
        .await?;
    // what exists is left as it is
    Ok(client
        .create_topics(&[TopicConfig::new(topic).partitions(partitions)])
        .await?)
}

/// Writes the values `0..count` from one task with many calls in flight; a partition's numbers rise.
async fn write(
    client: &Client,
    topic: &str,
    count: u64,
) -> Result<Contents, Box<dyn std::error::Error>> {
    let writer = client.writer(topic)?;
    let mut pending = std::collections::VecDeque::new();
    let mut contents = Contents::default();
    let mut next = 0;
    while next < count || !pending.is_empty() {
        if next < count && pending.len() < 64 {
            let values: Vec<_> = (next..count.min(next + CALL))
                .map(|n| Peer::value(n, SIZE))
                .collect();
            let records: Vec<_> = values.iter().map(Record::new).collect();
            next += records.len() as u64;
            let receipt = writer.send(&records).await?;
            pending.push_back((values, receipt));
            continue;
        }
        let Some((values, receipt)) = pending.pop_front() else {
            break;
        };
        for (value, written) in values.iter().zip(receipt.await?) {
            contents.add(written.partition, value);
        }
    }
    writer.close(Duration::from_secs(30)).await?;
    Ok(contents)
}

async fn read(
    client: &Client,
    topic: &str,
    count: u64,
) -> Result<Contents, Box<dyn std::error::Error>> {
    let mut reader = client.reader(topic)?;
    let mut contents = Contents::default();
    while contents.count < count {
        let message = reader.read_message().await?.ok_or("closed")?;
        contents.add(message.partition(), message.value().unwrap_or_default());
    }
    Ok(contents)
}

fn a_million_messages(kafka: &Kafka) -> Outcome {
    const COUNT: u64 = 1_000_000;
    on_tokio(async {
        let client = connect(&kafka.bootstrap()).await?;
        create(&client, "million", 6).await?;
        let written = write(&client, "million", COUNT).await?;
        let read = read(&client, "million", COUNT).await?;
        assert_eq!(written.numbers.len(), 6, "all partitions have their turn");
        assert_eq!((read.count, read.checksum), (COUNT, written.checksum));
        assert!(read.is_ordered(), "order is kept in each partition");
        assert_eq!(read, written);
        client.close(Duration::from_secs(10)).await?;
        let java = kafka.peer().consume("million", COUNT)?;
        assert_eq!(
            (java.count, java.checksum),
            (COUNT, written.checksum.value())
        );
        assert!(java.is_ordered() && java.is_increasing(), "{java:?}");
        Ok(())
    })
}

/// Faults 1, 2 and 3 of a single broker: killed with SIGKILL while writes are in flight, and started again.
fn a_kill_in_the_middle(kafka: &Kafka) -> Outcome {
    on_tokio(async {
        let client = connect(&kafka.bootstrap()).await?;
        create(&client, "killed", 6).await?;
        let resolved = Arc::new(AtomicU64::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = Vec::new();
        for task in 0..8u64 {
            let writer = client.writer("killed")?;
            let (resolved, stop) = (resolved.clone(), stop.clone());
            tasks.push(tokio::spawn(async move {
                let mut outcomes = Vec::new();
                for call in 0.. {
                    if stop.load(Ordering::Acquire) {
                        break;
                    }
                    let numbers: Vec<u64> = (0..10).map(|i| (task << 40) + call * 10 + i).collect();
                    let values: Vec<_> = numbers.iter().map(|n| Peer::value(*n, SIZE)).collect();
                    let records: Vec<_> = values
                        .iter()
                        .map(|value| Record::new(value).partition((task % 6) as i32))
                        .collect();
                    let results = match writer.write_messages(&records).await {
                        Ok(written) => written.into_iter().map(Ok).collect(),
                        Err(error) => error.results().to_vec(),
                    };
                    assert_eq!(results.len(), numbers.len(), "every record resolves");
                    outcomes.extend(numbers.into_iter().zip(results));
                    resolved.fetch_add(10, Ordering::AcqRel);
                }
                outcomes
            }));
        }
        let reached = |count: u64| {
            let resolved = resolved.clone();
            async move {
                while resolved.load(Ordering::Acquire) < count {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        };
        for round in 1..=3 {
            reached(resolved.load(Ordering::Acquire) + 5_000).await;
            kafka.kill(0)?;
            kafka.restart(0)?;
            println!("killed and restarted, round {round}");
        }
        reached(resolved.load(Ordering::Acquire) + 5_000).await;
        stop.store(true, Ordering::Release);
        let mut outcomes = Vec::new();
        for task in tasks {
            outcomes.extend(task.await?);
        }
        let written: BTreeMap<u64, &Written> = outcomes
            .iter()
            .filter_map(|(n, r)| Some((*n, r.as_ref().ok()?)))
            .collect();
        let unknown = outcomes
            .iter()
            .filter(|(_, r)| r.as_ref().is_err_and(|e| e.outcome() == Data::Unknown))
            .count();
        println!(
            "{} sends, {} written, {unknown} unknown",
            outcomes.len(),
            written.len()
        );
        assert_eq!(
            written.len(),
            outcomes.len(),
            "the broker was back within the delivery time-out"
        );
        let read = read(&client, "killed", outcomes.len() as u64).await?;
        let mut seen = BTreeMap::new();
        for (partition, numbers) in &read.numbers {
            for (offset, number) in numbers.iter().enumerate() {
                assert_eq!(
                    seen.insert(*number, (*partition, offset as i64)),
                    None,
                    "{number} is doubled"
                );
            }
            // numbers of one task rise; two tasks may share a partition
            for task in 0..8 {
                assert!(
                    numbers.iter().filter(|n| *n >> 40 == task).is_sorted(),
                    "partition {partition}"
                );
            }
        }
        for (number, written) in written {
            let place = (
                written.partition,
                written.offset.unwrap_or_else(|| seen[&number].1),
            );
            assert_eq!(
                seen.get(&number),
                Some(&place),
                "{number} is where its outcome says"
            );
        }
        // nothing but what was sent
        assert_eq!(seen.len(), outcomes.len());
        let java = kafka.peer().consume("killed", read.count)?;
        assert_eq!(
            (java.count, java.checksum),
            (read.count, read.checksum.value())
        );
        client.close(Duration::from_secs(10)).await?;
        Ok(())
    })
}

/// Every codec of the Java producer, read by us.
fn compressed_by_java(kafka: &Kafka) -> Outcome {
    on_tokio(async {
        let client = connect(&kafka.bootstrap()).await?;
        for codec in ["gzip", "snappy", "lz4", "zstd"] {
            let peer = kafka.peer().setting("compression.type", codec);
            peer.topic(codec, 3)?;
            let java = peer.produce(codec, 10_000, SIZE)?;
            let read = read(&client, codec, 10_000).await?;
            assert_eq!(read.checksum.value(), java.checksum, "{codec}");
            assert!(read.is_ordered(), "{codec}");
        }
        client.close(Duration::from_secs(10)).await?;
        Ok(())
    })
}

fn older_kafka(kafka: &Kafka) -> Outcome {
    on_tokio(async {
        let client = connect(&kafka.bootstrap()).await?;
        create(&client, "older", 3).await?;
        let written = write(&client, "older", 20_000).await?;
        assert_eq!(read(&client, "older", 20_000).await?, written);
        kafka.peer().topic("java", 3)?;
        let java = kafka.peer().produce("java", 20_000, SIZE)?;
        let read = read(&client, "java", 20_000).await?;
        assert_eq!(read.checksum.value(), java.checksum);
        client.close(Duration::from_secs(10)).await?;
        Ok(())
    })
}

fn one_connection(kafka: &Kafka) -> Outcome {
    on_tokio(async {
        let client = connect(&kafka.bootstrap()).await?;
        create(&client, "conn", 2).await?;
        let dialer = kafka_client_tokio::Dialer::new();
        let mut conn = loop {
            match dialer.dial_leader(&kafka.bootstrap(), "conn", 1).await {
                // the leader of a new topic takes a moment
                Err(error) if error.is_retriable() => {
                    tokio::time::sleep(Duration::from_millis(20)).await
                }
                conn => break conn?,
            }
        };
        let written = conn
            .write_messages(&[
                Record::new("one"),
                Record::new("two").key("k"),
                Record::new("three"),
            ])
            .await?;
        assert_eq!((written.partition, written.offset), (1, Some(0)));
        let batch = conn
            .read_batch(kafka_client_tokio::FetchLimits::default())
            .await?;
        let values: Result<Vec<_>, _> = batch
            .iter()
            .map(|r| r.map(|r| r.value.map(<[u8]>::to_vec)))
            .collect();
        assert_eq!(
            values?,
            [
                Some(b"one".to_vec()),
                Some(b"two".to_vec()),
                Some(b"three".to_vec())
            ]
        );
        assert_eq!(
            (batch.next_offset(), batch.high_watermark(), conn.position()),
            (3, 3, SeekFrom::Absolute(3))
        );
        assert!(conn.read_message(10_000).await?.is_none());
        assert_eq!(conn.seek(SeekFrom::Absolute(1)).await?, 1);
        let message = conn.read_message(10_000).await?.ok_or("a message")?;
        assert_eq!((message.offset(), message.key()), (1, Some(&b"k"[..])));
        assert_eq!(
            conn.position(),
            SeekFrom::Absolute(2),
            "the position is behind what was handed out"
        );
        assert_eq!(conn.seek(SeekFrom::End(0)).await?, 3);
        assert_eq!(conn.seek(SeekFrom::Start(0)).await?, 0);
        let mut last =
            client.reader(ReaderConfig::partition("conn", 1).start(StartOffset::At(2)))?;
        assert_eq!(
            last.read_message()
                .await?
                .and_then(|m| m.value().map(<[u8]>::to_vec)),
            Some(b"three".to_vec())
        );
        client.close(Duration::from_secs(10)).await?;
        Ok(())
    })
}
