//! The cluster in memory, under a paused clock.

use std::{future::pending, io, time::Duration};

use bytes::Bytes;
use kafka_client_tokio::{Client, Dialer, ErrorKind, FetchLimits, Record, WriterConfig};
use kafka_proto::api::ApiKey;
use kafka_testing::{
    broker::{Cluster, Config, Fault, Rule},
    memory::Memory,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, timeout},
};

fn memory() -> Memory {
    let mut cluster = Cluster::new(Config::new().brokers(2));
    cluster.create_topic("t", 1);
    cluster.set_leader("t", 0, 1);
    Memory::new(cluster)
}

/// Two brokers with names that no resolver knows, and a client that has only memory.
async fn whole_client(memory: &Memory) -> Client {
    for (broker, host) in [(1, "b1.invalid"), (2, "b2.invalid")] {
        memory.cluster().set_address(broker, host, 9092);
    }
    assert_eq!(memory.bootstrap(), "b1.invalid:9092,b2.invalid:9092");
    let dialer = Dialer::new().connector(memory.connector());
    let client = dialer.connect(&memory.bootstrap()).await;
    client.expect("a client in memory")
}

/// Acceptance TY-11, DI-08.
#[tokio::test(start_paused = true)]
async fn a_whole_client_writes_and_reads_in_memory() {
    let memory = memory();
    memory.cluster().create_topic("both", 2);
    let client = whole_client(&memory).await;
    let writer = client.writer("both").expect("a writer");
    let mut reader = client.reader("both").expect("a reader");
    for nth in 0..100 {
        let value = format!("value {nth}");
        writer.write(Record::new(&value)).await.expect("written");
    }
    let mut got = Vec::new();
    while got.len() < 100 {
        let message = reader.read_message().await.expect("no error");
        let message = message.expect("the client is open");
        got.extend(message.value().map(<[u8]>::to_vec));
    }
    got.sort_unstable();
    let mut sent: Vec<_> = (0..100)
        .map(|n| format!("value {n}").into_bytes())
        .collect();
    sent.sort_unstable();
    assert_eq!(got, sent);
    let written = |p| memory.cluster().log("both", p).end_offset();
    assert_eq!(written(0) + written(1), 100);
    client.close(Duration::from_secs(10)).await.expect("closed");
}

/// The answer is lost: the request times out after 30 s, and is sent again.
#[tokio::test(start_paused = true)]
async fn thirty_seconds_of_waiting_take_no_time() {
    let memory = memory();
    let client = whole_client(&memory).await;
    let writer = client.writer("t").expect("a writer");
    let lost = Rule::new(Fault::DropResponse).api(ApiKey::Produce);
    let lost = memory.cluster().inject(lost);
    let (begin, real) = (Instant::now(), std::time::Instant::now());
    writer.write(Record::new("a")).await.expect("written");
    let passed = begin.elapsed();
    let limit = Duration::from_secs(30);
    assert!(passed >= limit && passed < 2 * limit, "{passed:?}");
    assert!(real.elapsed() < Duration::from_secs(10));
    assert_eq!(memory.cluster().hits(lost), 1);
    assert_eq!(memory.cluster().log("t", 0).values(), ["a"], "not twice");
}

/// A leader that is gone is refused, and the delivery time-out passes, without a resolver or a socket.
#[tokio::test(start_paused = true)]
async fn a_delivery_ends_in_time_when_no_leader_comes_back() {
    let memory = memory();
    let client = whole_client(&memory).await;
    let limit = Duration::from_secs(120);
    let config = WriterConfig::topic("t").delivery_timeout(limit);
    let writer = client.writer(config).expect("a writer");
    writer.write(Record::new("a")).await.expect("written");
    memory.cluster().stop(2);
    memory.cluster().stop(1);
    let begin = Instant::now();
    let failed = writer.write(Record::new("b")).await;
    failed.expect_err("nobody is there");
    let passed = begin.elapsed();
    assert!(
        passed >= limit && passed < limit + Duration::from_secs(1),
        "{passed:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_single_connection_finds_its_leader_in_memory() {
    let memory = memory();
    memory.cluster().set_leader("t", 0, 2);
    drop(whole_client(&memory).await);
    let dialer = Dialer::new().connector(memory.connector());
    let conn = dialer.dial_leader("b1.invalid:9092", "t", 0).await;
    let conn = conn.expect("the leader is broker 2");
    let written = conn.write_messages(&[Record::new("a")]).await;
    assert_eq!(written.expect("written").offset, Some(0));
    let refused = dialer.dial("elsewhere.invalid:9092").await;
    let refused = refused.expect_err("nobody is there");
    assert_eq!(refused.kind(), ErrorKind::Unreachable, "{refused}");
}

/// What the user's function waits for is cut off where lookup and TCP would be.
#[tokio::test(start_paused = true)]
async fn a_connector_that_never_ends_is_given_up_in_time() {
    let limit = Duration::from_secs(7);
    let never = |_, _| pending::<io::Result<tokio::io::DuplexStream>>();
    let dialer = Dialer::new().timeout(limit).connector(never);
    let begin = Instant::now();
    dialer.dial("b1.invalid:9092").await.expect_err("no stream");
    assert_eq!(begin.elapsed(), limit);
    let begin = Instant::now();
    let refused = dialer.connect("b1.invalid:9092").await;
    refused.expect_err("no stream");
    let passed = begin.elapsed();
    assert!(passed >= limit && passed < 2 * limit, "{passed:?}");
}

/// FN-08, FN-09, TY-04.
#[tokio::test(start_paused = true)]
async fn an_hour_passes_at_once_on_both_sides() {
    let memory = memory();
    let hour = Duration::from_secs(3_600);
    let dialer = Dialer::new().configure(|c| c.request_timeout(2 * hour));
    let conn = dialer.over(memory.connect(1), "t", 0).expect("settings");
    let rule = Rule::new(Fault::DelayResponse(hour)).api(ApiKey::Produce);
    memory.cluster().inject(rule);
    let (begin, real) = (Instant::now(), std::time::Instant::now());
    let written = conn.write_messages(&[Record::new("a")]).await;
    assert_eq!(written.expect("written").offset, Some(0));
    assert!(begin.elapsed() >= hour && begin.elapsed() < hour + Duration::from_secs(1));
    assert!(real.elapsed() < Duration::from_secs(60));
    assert_eq!(memory.cluster().log("t", 0).values(), [Bytes::from("a")]);
    // another connection reads it
    let mut other = dialer.over(memory.connect(1), "t", 0).expect("settings");
    let batch = other.read_batch(FetchLimits::default()).await;
    assert_eq!(batch.expect("a batch").next_offset(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_its_broker_and_a_connection_with_its_stream() {
    let memory = memory();
    let mut stream = memory.connect(1);
    assert_eq!(memory.cluster().connection_count(), 1);
    memory.cluster().stop(1);
    assert_eq!(stream.read(&mut [0; 1]).await.expect("the end"), 0);
    assert!(stream.write_all(b"x").await.is_err());
    assert_eq!(
        memory.connect(1).read(&mut [0; 1]).await.expect("the end"),
        0
    );
    let other = memory.connect(2);
    assert_eq!(memory.cluster().connection_count(), 1);
    drop(other);
    assert_eq!(memory.cluster().connection_count(), 0);
    // what speaks no Kafka is closed
    let mut stream = memory.connect(2);
    stream
        .write_all(b"GET / HTTP/1.1\r\n\r\n")
        .await
        .expect("taken");
    assert_eq!(stream.read(&mut [0; 1]).await.expect("the end"), 0);
}

#[tokio::test(start_paused = true)]
async fn brokers_are_found_by_their_address() {
    let memory = memory();
    memory.cluster().set_address(2, "b2", 9092);
    assert!(memory.dial("b2", 9093).is_none());
    let mut stream = memory.dial("b2", 9092).expect("it is there");
    // silence is no end
    let wait = timeout(Duration::from_secs(60), stream.read_u8());
    assert!(wait.await.is_err());
}
