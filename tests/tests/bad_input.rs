//! What users run into on the first day: each ends in a typed error, in its time, that says what to check.

#[path = "common/listener.rs"]
mod listener;

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use kafka_client_tokio::{
    Dialer, Error, ErrorKind, Outcome, ReaderConfig, Record, StartOffset, WriterConfig, connect,
};
use kafka_testing::{
    broker::{Cluster, Config},
    server::Server,
};
use listener::Listener;

fn server(topics: &[(&str, i32)]) -> Server {
    let mut cluster = Cluster::new(Config::new().brokers(1));
    for (topic, partitions) in topics {
        cluster.create_topic(topic, *partitions);
    }
    Server::start(cluster).expect("ports")
}

async fn fails(brokers: &str) -> Error {
    let start = Instant::now();
    let dialer = Dialer::new().timeout(Duration::from_millis(500));
    let error = dialer
        .connect(brokers)
        .await
        .expect_err("nobody to talk to");
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    error
}

#[tokio::test]
async fn nobody_listening_is_told_with_the_address() {
    let error = fails("127.0.0.1:1, localhost:1").await;
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
    assert!(error.to_string().contains("localhost:1"), "{error}");
    assert!(std::error::Error::source(&error).is_some());
}

#[tokio::test]
async fn a_listener_that_says_nothing_is_given_up_in_time() {
    let silent = Listener::start(|mut stream| drop(stream.read_to_end(&mut Vec::new())));
    let error = fails(&silent.address).await;
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(
        error.to_string().contains("does not answer the handshake"),
        "{error}"
    );
}

#[tokio::test]
async fn a_listener_that_is_not_kafka_is_named_for_what_it_is() {
    for (answer, name) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "HTTP"),
        (&[0x15, 3, 3, 0, 2, 2, 70], "TLS"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "SSH"),
        (&[0xff; 8], "does not speak Kafka"),
        (&[0, 0, 0, 4, 0, 0, 0, 99], "request"),
    ] {
        let other = Listener::start(move |mut stream| {
            let _ = stream.write_all(answer);
            drop(stream.read_to_end(&mut Vec::new()));
        });
        let error = fails(&other.address).await;
        assert!(error.to_string().contains(name), "{name}: {error}");
    }
    let hangs_up = Listener::start(drop);
    let error = fails(&hangs_up.address).await;
    assert!(error.to_string().contains("may expect TLS"), "{error}");
}

/// Fault 8: the peer is cut after each number of bytes that it answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_closes_mid_frame_at_every_byte_leaves_an_error_or_a_client() {
    let server = server(&[]);
    let broker = server.bootstrap();
    let mut connected = 0;
    for cut in 0..700 {
        let broker = broker.clone();
        let proxy = Listener::start(move |client| {
            let Ok(upstream) = TcpStream::connect(&broker) else {
                return;
            };
            let (mut from, mut to) = (
                client.try_clone().expect("fd"),
                upstream.try_clone().expect("fd"),
            );
            let requests = std::thread::spawn(move || drop(std::io::copy(&mut from, &mut to)));
            let _ = std::io::copy(&mut (&upstream).take(cut), &mut &client);
            let _ = client.shutdown(std::net::Shutdown::Both);
            let _ = upstream.shutdown(std::net::Shutdown::Both);
            let _ = requests.join();
        });
        let dialer = Dialer::new().timeout(Duration::from_secs(5));
        match tokio::time::timeout(Duration::from_secs(10), dialer.connect(&proxy.address)).await {
            Err(_) => panic!("hangs when cut after {cut} bytes"),
            Ok(Ok(_)) => connected += 1,
            Ok(Err(error)) => assert_eq!(error.kind(), ErrorKind::Unreachable, "{cut}: {error}"),
        }
    }
    assert!(
        (1..600).contains(&connected),
        "the cuts begin before the first answer and end after the last: {connected}"
    );
}

#[tokio::test]
async fn a_topic_that_does_not_exist_is_told_to_writers_and_readers() {
    let server = server(&[]);
    let client = connect(&server.bootstrap()).await.expect("a broker");
    let start = Instant::now();
    let writer = client.writer("missing").expect("a config");
    let error = writer.write(Record::new("x")).await.expect_err("no topic");
    assert_eq!(error.outcome(), Outcome::NotWritten);
    let error = error.first().expect("a reason");
    assert_eq!(error.kind(), ErrorKind::UnknownTopic);
    assert!(
        error.to_string().contains("missing") && error.to_string().contains("create it first"),
        "{error}"
    );
    let mut reader = client.reader("missing").expect("a config");
    let error = reader.read_message().await.expect_err("no topic");
    assert_eq!(error.kind(), ErrorKind::UnknownTopic);
    assert!(
        start.elapsed() < Duration::from_secs(15),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn partitions_and_offsets_that_are_not_there_are_told() {
    let server = server(&[("t", 2)]);
    let client = connect(&server.bootstrap()).await.expect("a broker");
    let writer = client.writer("t").expect("a config");
    for partition in [2, -1, i32::MAX] {
        let error = writer
            .write(Record::new("x").partition(partition))
            .await
            .expect_err("no partition");
        assert_eq!(
            error.first().expect("a reason").kind(),
            ErrorKind::UnknownPartition
        );
    }
    let mut reader = client
        .reader(ReaderConfig::partition("t", 7))
        .expect("a config");
    let error = reader.read_message().await.expect_err("no partition");
    assert_eq!(error.kind(), ErrorKind::UnknownPartition);
    let beyond = ReaderConfig::partition("t", 0).start(StartOffset::At(5));
    let mut reader = client.reader(beyond).expect("a config");
    let error = reader.read_message().await.expect_err("beyond the end");
    assert_eq!(error.kind(), ErrorKind::OffsetOutOfRange);
    reader.seek("t", 0, StartOffset::First).expect("known");
    writer
        .write(Record::new("found").partition(0))
        .await
        .expect("written");
    let message = reader.read_message().await.expect("goes on").expect("open");
    assert_eq!(message.value(), Some(&b"found"[..]));
}

#[tokio::test]
async fn records_and_calls_that_cannot_fit_are_refused_and_nothing_is_lost() {
    let server = server(&[("t", 1)]);
    let client = connect(&server.bootstrap()).await.expect("a broker");
    let config = WriterConfig::topic("t")
        .batch_bytes(2_000)
        .buffer_bytes(4_000);
    let writer = client.writer(config).expect("a config");
    let large = vec![0; 2_000];
    let error = writer
        .write(Record::new(&large))
        .await
        .expect_err("too large");
    assert_eq!(error.first().expect("a reason").kind(), ErrorKind::TooLarge);
    let medium = vec![0; 1_000];
    let error = writer
        .send(&[Record::new(&medium); 4])
        .await
        .expect_err("more than the buffer");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let two_topics = client.writer(WriterConfig::any_topic()).expect("a config");
    let error = two_topics
        .write(Record::new("x"))
        .await
        .expect_err("no topic");
    assert_eq!(error.first().expect("a reason").kind(), ErrorKind::Misuse);
    writer
        .write(Record::new("small"))
        .await
        .expect("the writer goes on");
    writer
        .close(Duration::from_secs(5))
        .await
        .expect("nothing is left");
    let error = writer.write(Record::new("late")).await.expect_err("closed");
    assert_eq!(error.first().expect("a reason").kind(), ErrorKind::Closed);
    assert_eq!(server.cluster().log("t", 0).values(), ["small"]);
}

#[test]
fn a_call_outside_a_runtime_is_an_error_with_its_cure() {
    let error = Dialer::new()
        .connect_lazy("127.0.0.1:1")
        .expect_err("no runtime");
    assert_eq!(error.kind(), ErrorKind::Misuse);
    assert!(error.to_string().contains("Runtime::enter"), "{error}");
}

/// FN-10, FN-11.
#[test]
fn settings_that_cannot_be_name_their_field() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let _guard = runtime.enter();
    let client = Dialer::new().connect_lazy("127.0.0.1:1").expect("lazy");
    let writer = |config: WriterConfig| client.writer(config).expect_err("cannot be").field();
    assert_eq!(writer(WriterConfig::topic("")), "topic");
    assert_eq!(
        writer(WriterConfig::topic("t").batch_bytes(1)),
        "batch_bytes"
    );
    assert_eq!(
        writer(WriterConfig::topic("t").request_bytes(1)),
        "request_bytes"
    );
    assert_eq!(
        writer(WriterConfig::topic("t").buffer_bytes(1)),
        "buffer_bytes"
    );
    assert_eq!(
        writer(WriterConfig::topic("t").delivery_timeout(Duration::ZERO)),
        "delivery_timeout"
    );
    let reader = |config: ReaderConfig| client.reader(config).expect_err("cannot be").field();
    assert_eq!(reader(ReaderConfig::topic("")), "topic");
    assert_eq!(reader(ReaderConfig::partitions::<String>([])), "partitions");
    assert_eq!(reader(ReaderConfig::partition("t", -1)), "partitions");
    assert_eq!(
        reader(ReaderConfig::topic("t").start(StartOffset::At(-1))),
        "start"
    );
    assert_eq!(reader(ReaderConfig::topic("t").max_bytes(0)), "max_bytes");
    assert_eq!(
        reader(ReaderConfig::topic("t").partition_bytes(0)),
        "partition_bytes"
    );
    assert_eq!(reader(ReaderConfig::topic("t").min_bytes(-1)), "min_bytes");
    for brokers in ["", "a:b", "a:0"] {
        let error = Dialer::new().connect_lazy(brokers).expect_err("no address");
        assert!(error.to_string().starts_with("brokers: "), "{error}");
    }
}
