//! The adapter over real sockets, against the in-process broker.

use std::{
    collections::BTreeSet,
    net::TcpListener,
    thread,
    time::{Duration, Instant},
};

use kafka_client_blocking::{
    Client, Conn, Dialer, ErrorKind, Event, FetchLimits, Outcome, Reader, Receipt, Record,
    SeekFrom, Writer, WriterConfig, connect,
};
use kafka_testing::{
    broker::{Cluster, Config, Fault, Rule},
    server::Server,
};

const LIMIT: Duration = Duration::from_secs(10);
/// For what must not happen.
const SOON: Duration = Duration::from_millis(200);

fn server(brokers: i32, topics: &[(&str, i32)]) -> Server {
    let mut cluster = Cluster::new(Config::new().brokers(brokers));
    for (topic, partitions) in topics {
        cluster.create_topic(topic, *partitions);
    }
    Server::start(cluster).expect("ports")
}

fn client(server: &Server) -> Client {
    connect(&server.bootstrap()).expect("a client")
}

fn freeze(server: &Server) {
    server.cluster().inject(Rule::new(Fault::Hold).always());
}

#[test]
fn ten_thousand_messages_of_four_threads_come_back_once_and_in_order() {
    let server = server(3, &[("orders", 6)]);
    let client = client(&server);
    let writer = client.writer("orders").expect("a writer");
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let writer = writer.clone();
            thread::spawn(move || {
                let mut receipts = Vec::new();
                for call in 0..25 {
                    let values: Vec<_> = (0..100)
                        .map(|i| format!("{thread}-{}", call * 100 + i))
                        .collect();
                    let records: Vec<_> = values.iter().map(|v| Record::new(v).key(v)).collect();
                    receipts.push(writer.send(&records).expect("room"));
                }
                for receipt in receipts {
                    assert_eq!(receipt.wait().expect("written").len(), 100);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no panic");
    }

    let mut reader = client.reader("orders").expect("a reader");
    let mut last = [-1; 6];
    let mut seen = BTreeSet::new();
    for message in reader.messages().take(10_000) {
        let message = message.expect("a message");
        let last = &mut last[message.partition() as usize];
        assert_eq!(message.offset(), *last + 1);
        *last = message.offset();
        assert!(seen.insert(message.value().expect("a value").to_vec()));
    }
    assert_eq!(seen.len(), 10_000);
    client.close(LIMIT).expect("all delivered");
}

#[test]
fn a_connection_writes_reads_and_seeks() {
    let server = server(3, &[("orders", 6)]);
    let bootstrap = server.bootstrap();
    let address = bootstrap.split(',').next().expect("one");
    let mut conn = Dialer::new()
        .client_id("conn")
        .dial_leader(address, "orders", 4)
        .expect("the leader");
    let written = conn
        .write_messages(&[Record::new("a"), Record::new("b"), Record::new("c")])
        .expect("written");
    assert_eq!((written.partition, written.offset), (4, Some(0)));
    let batch = conn.read_batch(FetchLimits::default()).expect("a batch");
    assert_eq!(batch.iter().count(), 3);
    assert_eq!(conn.seek(SeekFrom::Absolute(2)).expect("seek"), 2);
    let message = conn.read_message(1 << 20).expect("read").expect("there");
    assert_eq!(message.value(), Some(&b"c"[..]));
    conn.close();
    conn.close();
    let error = conn.seek(SeekFrom::Start(0)).expect_err("closed");
    assert_eq!(error.kind(), ErrorKind::Closed);
}

#[test]
fn an_unknown_topic_is_a_typed_error_and_the_writer_goes_on() {
    let server = server(1, &[("orders", 1)]);
    let client = client(&server);
    let writer = client.writer(WriterConfig::any_topic()).expect("a writer");
    let error = writer
        .write(Record::new("x").topic("nowhere"))
        .expect_err("no such topic");
    assert_eq!(error.outcome(), Outcome::NotWritten);
    assert_eq!(error.first().expect("why").kind(), ErrorKind::UnknownTopic);
    let written = writer.write(Record::new("x").topic("orders"));
    assert_eq!(written.expect("written").offset, Some(0));

    let mut reader = client.reader("nowhere").expect("a reader");
    let error = reader.read_message().expect_err("no such topic");
    assert_eq!(error.kind(), ErrorKind::UnknownTopic);
}

#[test]
fn two_clients_share_nothing() {
    let (server, other) = (server(1, &[("orders", 1)]), server(1, &[("orders", 1)]));
    let (a, b) = (client(&server), client(&other));
    let to_a = a.writer("orders").expect("a writer");
    let to_b = b.writer("orders").expect("another");
    to_a.write(Record::new("a")).expect("written");
    a.close(LIMIT).expect("closed");
    to_b.write(Record::new("b")).expect("written");
    let error = to_a.write(Record::new("late")).expect_err("closed");
    assert_eq!(error.first().expect("why").kind(), ErrorKind::Closed);
    assert_eq!(server.cluster().log("orders", 0).values(), ["a"]);
    assert_eq!(other.cluster().log("orders", 0).values(), ["b"]);
}

#[test]
fn closing_the_client_in_another_thread_ends_every_call_that_waits() {
    let server = server(1, &[("orders", 1)]);
    let dialer = Dialer::new();
    let client = dialer.connect_lazy(&server.bootstrap()).expect("a client");
    let mut events = client.events();
    let writer = client.writer("orders").expect("a writer");
    writer.write(Record::new("first")).expect("written");
    assert!(events.next_timeout(LIMIT).is_some());
    let mut reader = client.reader("orders").expect("a reader");
    let mut iterated = client.reader("orders").expect("another");
    assert!(reader.read_message().expect("no error").is_some());
    assert!(iterated.read_message().expect("no error").is_some());
    freeze(&server);

    thread::scope(|scope| {
        let read = scope.spawn(|| reader.read_message());
        let iterate = scope.spawn(|| iterated.messages().map_while(Result::ok).count());
        let event = scope.spawn(|| {
            events
                .by_ref()
                .filter(|e| matches!(e, Event::Connected { .. }))
                .count()
        });
        let write = scope.spawn(|| writer.write(Record::new("frozen")));
        let flush = scope.spawn(|| {
            thread::sleep(SOON);
            writer.flush()
        });
        thread::sleep(2 * SOON);
        let start = Instant::now();
        let undelivered = client.close(SOON).expect_err("one is on its way");
        assert_eq!(undelivered.messages().len(), 1);
        assert!(start.elapsed() < SOON + Duration::from_secs(1));

        assert!(read.join().expect("no panic").expect("no error").is_none());
        assert_eq!(iterate.join().expect("no panic"), 0);
        event.join().expect("no panic");
        let error = write.join().expect("no panic").expect_err("closed");
        assert_eq!(error.outcome(), Outcome::Unknown);
        // it waited for what close gave up
        let _ = flush.join().expect("no panic");
        assert!(start.elapsed() < SOON + Duration::from_secs(2));
    });
    assert!(reader.read_message().expect("no error").is_none());
}

#[test]
fn a_read_gives_up_in_time_loses_nothing_and_tells_of_the_end() {
    let server = server(1, &[("orders", 1)]);
    let client = client(&server);
    let mut reader = client.reader("orders").expect("a reader");
    let start = Instant::now();
    assert!(
        reader
            .read_message_timeout(SOON)
            .expect("no error")
            .is_none()
    );
    assert!(start.elapsed() >= SOON);
    let writer = client.writer("orders").expect("a writer");
    for i in 0..50 {
        writer.write(Record::new(&format!("{i}"))).expect("written");
    }
    let mut last = -1;
    while last < 49 {
        let message = reader.read_message_timeout(Duration::from_micros(50));
        if let Some(message) = message.expect("no error") {
            assert_eq!(message.offset(), last + 1);
            last = message.offset();
        }
    }
    client.close(LIMIT).expect("all delivered");
    let error = reader.read_message_timeout(LIMIT).expect_err("closed");
    assert_eq!(error.kind(), ErrorKind::Closed);
}

#[test]
fn every_call_returns_when_the_broker_freezes() {
    let server = server(1, &[("orders", 1)]);
    let dialer = Dialer::new()
        .timeout(SOON)
        .configure(|c| c.request_timeout(2 * SOON).call_timeout(2 * SOON));
    let client = dialer.connect(&server.bootstrap()).expect("a client");
    let config = WriterConfig::topic("orders").delivery_timeout(3 * SOON);
    let writer = client.writer(config).expect("a writer");
    writer.write(Record::new("first")).expect("written");
    let conn = dialer.dial(&server.bootstrap()).expect("a connection");
    freeze(&server);

    let start = Instant::now();
    let receipt = writer.send(&[Record::new("x")]).expect("room");
    let receipt = receipt.wait_timeout(Duration::ZERO).expect_err("too early");
    let error = receipt.wait().expect_err("frozen");
    assert_eq!(error.outcome(), Outcome::Unknown);
    writer.flush().expect("resolved");
    conn.set_deadline(Some(Instant::now() + SOON));
    conn.lookup_leader("orders", 0).expect_err("frozen");
    client
        .create_topics(&[kafka_client_blocking::TopicConfig::new("more")])
        .expect_err("frozen");
    dialer.dial(&server.bootstrap()).expect_err("frozen");
    dialer.connect(&server.bootstrap()).expect_err("frozen");
    client.close(SOON).expect("nothing is left");
    assert!(start.elapsed() < Duration::from_secs(8));
}

#[test]
fn nobody_listening_is_an_error_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("bound").to_string();
    let start = Instant::now();
    let dialer = Dialer::new().timeout(SOON);
    let error = dialer.connect(&address).expect_err("silence");
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    dialer.dial(&address).expect_err("silence");
    drop(silent);
    dialer.dial(&address).expect_err("refused");

    let lazy = dialer.connect_lazy(&address).expect("a client");
    lazy.ready().expect_err("refused");
    let writer = lazy.writer("orders").expect("a writer");
    let error = writer.try_send(&[Record::new("x")]).expect_err("unknown");
    assert_eq!(error.kind(), ErrorKind::TopicPending);
    lazy.close(SOON).expect("nothing was accepted");
    assert!(start.elapsed() < Duration::from_secs(8));
}

#[test]
fn handles_go_between_threads() {
    fn send<T: Send + 'static>() {}
    fn sync<T: Send + Sync + 'static>() {}
    sync::<Client>();
    sync::<Dialer>();
    sync::<Writer>();
    sync::<Conn>();
    send::<Reader>();
    send::<Receipt>();
}
