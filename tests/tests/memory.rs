//! The cluster in memory, under a paused clock.

use std::time::Duration;

use bytes::Bytes;
use kafka_client_tokio::{Dialer, FetchLimits, Record};
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
