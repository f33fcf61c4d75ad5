//! What writers and readers count, as stories in virtual time.

use std::{collections::BTreeMap, time::Duration};

use kafka_proto::{
    api::ApiKey,
    config::{ReaderConfig, WriterConfig},
    error::ErrorCode,
    record::Record,
    stats::{Metric, MetricKind},
};
use kafka_testing::{
    broker::{Config, Fault, Rule},
    sim::{Faults, Sim},
};

const TOPIC: &str = "orders";

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn sim(partitions: i32) -> Sim {
    let sim = Sim::new(1, Config::new(), Faults::none());
    sim.cluster(|cluster| cluster.create_topic(TOPIC, partitions));
    sim
}

fn by_name(metrics: &[Metric]) -> BTreeMap<&str, f64> {
    let all: BTreeMap<_, _> = metrics.iter().map(|m| (m.name, m.value)).collect();
    assert_eq!(all.len(), metrics.len(), "each name once");
    all
}

/// Acceptance WR-02, WS-02..06, WS-08..11, WS-20: batches, messages, retries and what was given up.
#[test]
fn a_writer_counts_batches_messages_retries_and_what_was_given_up() {
    let sim = sim(1);
    let client = sim.client(sim.config());
    let config = WriterConfig::from(TOPIC).linger(secs(3));
    let writer = client.writer(config).expect("a writer");
    let story = async {
        let values: Vec<_> = (0..10).map(|n| n.to_string()).collect();
        let records: Vec<_> = values.iter().map(Record::new).collect();
        let receipt = writer.send(&records).await.expect("room");
        assert_eq!(writer.stats().queue_length, 10);
        receipt.await.expect("written");
        let first = writer.stats();
        assert_eq!((first.writes, first.messages, first.errors), (1, 10, 0));
        assert_eq!(first.queue_length, 0);
        assert_eq!((first.batch_size.min(), first.batch_size.max()), (10, 10));
        assert_eq!((first.retries.count(), first.retries.max()), (1, 0));
        // nobody waited for it, so it lingered
        assert!(
            first.wait_time.min() >= secs(3),
            "{:?}",
            first.wait_time.min()
        );
        assert!(first.write_time.max() < secs(1));
        assert_eq!((first.dials, first.dial_time.count()), (1, 1));
        assert!(first.bytes > 61 && first.bytes < 300, "{}", first.bytes);

        let refuse = |code: ErrorCode, times| {
            let rule = Rule::new(Fault::Error(code)).api(ApiKey::Produce);
            sim.cluster(|cluster| cluster.inject(rule.times(times)));
        };
        refuse(ErrorCode::NOT_ENOUGH_REPLICAS, 2);
        writer
            .write(Record::new("tried again"))
            .await
            .expect("written");
        refuse(ErrorCode::TOPIC_AUTHORIZATION_FAILED, 1);
        writer
            .write(Record::new("given up"))
            .await
            .expect_err("refused");
        let later = writer.stats().since(&first);
        assert_eq!((later.writes, later.messages, later.errors), (4, 1, 1));
        assert_eq!((later.retries.sum(), later.retries.count()), (2, 2));
        assert_eq!((later.batch_size.count(), later.batch_size.max()), (2, 1));
        assert_eq!((later.dials, later.rebalances), (0, 0));
    };
    sim.block_on(secs(60), story).expect("it ends");
}

/// Acceptance WS-05, WC-11: a topic gets more partitions.
#[test]
fn a_writer_counts_how_often_its_partitions_changed() {
    let sim = sim(2);
    let client = sim.client(sim.config().metadata_max_age(secs(5)));
    let writer = client.writer(TOPIC).expect("a writer");
    let story = async {
        writer.write(Record::new("first")).await.expect("written");
        assert_eq!(writer.stats().rebalances, 0);
        sim.cluster(|cluster| cluster.add_partitions(TOPIC, 4));
        sim.sleep(secs(11)).await;
        writer.write(Record::new("second")).await.expect("written");
        assert_eq!(writer.stats().rebalances, 1);
    };
    sim.block_on(secs(60), story).expect("it ends");
}

/// Acceptance RD-10, RS-01..14, RS-18: what was handed out is counted, not what was fetched ahead; and its lag.
#[test]
fn a_reader_counts_what_it_hands_out_and_knows_its_lag() {
    let sim = sim(1);
    let client = sim.client(sim.config());
    let writer = client.writer(TOPIC).expect("a writer");
    let config = ReaderConfig::from(TOPIC).max_wait(secs(2));
    let mut reader = client.reader(config).expect("a reader");
    let handle = reader.handle();
    let story = async {
        let values: Vec<_> = (0..10).map(|n| n.to_string()).collect();
        let records: Vec<_> = values.iter().map(Record::new).collect();
        writer.write_messages(&records).await.expect("written");
        for _ in 0..4 {
            reader.read_message().await.expect("read").expect("one");
        }
        let first = handle.stats();
        assert_eq!(
            (first.messages, first.offset(), first.lag()),
            (4, Some(4), 6)
        );
        assert_eq!((first.dials, first.errors, first.timeouts), (1, 0, 0));
        sim.sleep(secs(7)).await;
        for _ in 4..10 {
            reader.read_message().await.expect("read").expect("one");
        }
        writer.write(Record::new("last")).await.expect("written");
        let batch = reader.read_batch().await.expect("read").expect("one");
        assert_eq!(batch.iter().count(), 1);
        let stats = reader.stats();
        assert_eq!(
            (stats.messages, stats.offset(), stats.lag()),
            (11, Some(11), 0)
        );
        let later = stats.since(&first);
        assert_eq!((later.messages, later.dials), (7, 0));
        // ten in one piece, for which this story took its time; the batch is in hand still
        assert_eq!((stats.fetch_size.count(), stats.fetch_size.max()), (1, 10));
        assert!(stats.read_time.max() >= secs(7), "{:?}", stats.read_time);
        assert_eq!(stats.fetch_bytes.sum(), stats.bytes);
        assert!(stats.fetches >= 2 && stats.wait_time.count() == stats.fetches);
        // a seek forgets where it was
        let start = kafka_proto::config::StartOffset::First;
        reader.seek(TOPIC, 0, start).expect("its own partition");
        assert_eq!(reader.stats().offset(), None);
    };
    sim.block_on(secs(60), story).expect("it ends");
}

/// Acceptance RS-06, RS-07: a broker that does not answer, and a topic that is not there.
#[test]
fn a_reader_counts_answers_that_never_came_and_errors() {
    let sim = sim(1);
    let hang = Rule::new(Fault::HoldResponse).api(ApiKey::Fetch);
    sim.cluster(|cluster| cluster.inject(hang.times(1)));
    let client = sim.client(sim.config().request_timeout(secs(5)));
    let mut reader = client.reader(TOPIC).expect("a reader");
    let mut absent = client.reader("absent").expect("a reader");
    let story = async {
        absent.read_message().await.expect_err("not there");
        assert_eq!(absent.stats().errors, 1);
        let writer = client.writer(TOPIC).expect("a writer");
        writer.write(Record::new("late")).await.expect("written");
        reader.read_message().await.expect("read").expect("one");
        let stats = reader.stats();
        assert_eq!((stats.timeouts, stats.errors), (1, 0));
        assert_eq!((stats.dials, stats.dial_time.count()), (2, 2));
    };
    sim.block_on(secs(60), story).expect("it ends");
}

/// Acceptance WS-01..23, RS-01..22: the names of the metrics and tags are those of kafka-go.
#[test]
fn metrics_have_the_names_and_kinds_of_kafka_go() {
    let sim = sim(1);
    let client = sim.client(sim.config().client_id("billing").request_timeout(secs(5)));
    let writer = client.writer(TOPIC).expect("a writer");
    let mut reader = client.reader(TOPIC).expect("a reader");
    let story = async {
        writer.write(Record::new("first")).await.expect("written");
        reader.read_message().await.expect("read").expect("one");
    };
    sim.block_on(secs(60), story).expect("it ends");

    let summaries = |prefix: &str, names: &[&str]| -> Vec<String> {
        let each = |name: &&str| ["avg", "min", "max"].map(|part| format!("{prefix}{name}.{part}"));
        names.iter().flat_map(each).collect()
    };
    let check =
        |metrics: &[Metric], prefix: &str, counters: &[&str], gauges: &[&str], of: &[&str]| {
            let all = by_name(metrics);
            let gauges = gauges.iter().map(|name| format!("{prefix}{name}"));
            let gauges: Vec<_> = gauges.chain(summaries(prefix, of)).collect();
            let counters: Vec<_> = counters
                .iter()
                .map(|name| format!("{prefix}{name}"))
                .collect();
            assert_eq!(all.len(), gauges.len() + counters.len(), "{all:#?}");
            for metric in metrics {
                let names = match metric.kind {
                    MetricKind::Counter => &counters,
                    MetricKind::Gauge => &gauges,
                };
                assert!(names.iter().any(|name| name == metric.name), "{metric:?}");
            }
        };
    let stats = writer.stats();
    check(
        &stats.metrics(),
        "kafka.writer.",
        &[
            "dial.count",
            "write.count",
            "message.count",
            "message.bytes",
            "rebalance.count",
            "error.count",
        ],
        &[
            "batch.max",
            "batch.timeout",
            "read.timeout",
            "write.timeout",
            "rebalance.interval",
            "acks.required",
            "queue.length",
            "queue.capacity",
        ],
        &[
            "dial.seconds",
            "write.seconds",
            "wait.seconds",
            "retries.count",
            "batch.size",
        ],
    );
    let all = stats.metrics();
    let all = by_name(&all);
    assert_eq!(all["kafka.writer.message.count"], 1.0);
    assert_eq!(all["kafka.writer.acks.required"], -1.0);
    assert_eq!(all["kafka.writer.read.timeout"], 5.0);
    let tags = [
        ("client_id", "billing".to_owned()),
        ("topic", TOPIC.to_owned()),
    ];
    assert_eq!(stats.tags(), tags);

    let stats = reader.stats();
    check(
        &stats.metrics(),
        "kafka.reader.",
        &[
            "dial.count",
            "fetch.count",
            "message.count",
            "message.bytes",
            "timeout.count",
            "error.count",
        ],
        &[
            "offset",
            "lag",
            "fetch_bytes.min",
            "fetch_bytes.max",
            "fetch_wait.max",
            "queue.length",
            "queue.capacity",
        ],
        &[
            "dial.seconds",
            "read.seconds",
            "wait.seconds",
            "fetch.size",
            "fetch.bytes",
        ],
    );
    let all = stats.metrics();
    assert_eq!(by_name(&all)["kafka.reader.offset"], 1.0);
    let tag = |name, value: &str| (name, value.to_owned());
    let tags = [
        tag("client_id", "billing"),
        tag("topic", TOPIC),
        tag("partition", "0"),
    ];
    assert_eq!(stats.tags(), tags);
}
