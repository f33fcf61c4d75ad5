//! Waits of no length, of every length, and none: whatever a thread does with its time, what comes is seen.

use std::{
    thread,
    time::{Duration, Instant},
};

use kafka_client_blocking::{Client, Reader, Record, connect};
use kafka_testing::{
    broker::{Cluster, Config},
    server::Server,
};

const LIMIT: Duration = Duration::from_secs(10);

fn server() -> Server {
    let mut cluster = Cluster::new(Config::new().brokers(1));
    cluster.create_topic("orders", 1);
    Server::start(cluster).expect("ports")
}

/// A client whose connections are driven by the calling thread: it has waited alone often enough.
fn led(server: &Server) -> (Client, Reader) {
    let client = connect(&server.bootstrap()).expect("a client");
    let writer = client.writer("orders").expect("a writer");
    let mut reader = client.reader("orders").expect("a reader");
    for i in 0..30 {
        writer.write(Record::new(&format!("{i}"))).expect("written");
        assert!(reader.read_message().expect("no error").is_some());
    }
    (client, reader)
}

#[test]
fn a_thread_that_only_looks_sees_what_comes() {
    let server = server();
    let (client, mut reader) = led(&server);
    let writing = client.clone();
    thread::scope(|scope| {
        scope.spawn(move || {
            thread::sleep(Duration::from_millis(20));
            let writer = writing.writer("orders").expect("a writer");
            let receipt = writer.send(&[Record::new("last")]).expect("room");
            drop(receipt);
        });
        let start = Instant::now();
        while reader
            .read_message_timeout(Duration::ZERO)
            .expect("no error")
            .is_none()
        {
            assert!(start.elapsed() < LIMIT, "it looks and never sees");
        }
    });

    let writer = client.writer("orders").expect("a writer");
    for i in 0..100 {
        let value = format!("{i}");
        // in between it waits, and drives
        writer.write(Record::new(&value)).expect("written");
        let mut receipt = writer.send(&[Record::new(&value)]).expect("room");
        let start = Instant::now();
        let outcome = loop {
            match receipt.wait_timeout(Duration::ZERO) {
                Ok(outcome) => break outcome,
                Err(again) => receipt = again,
            }
            assert!(start.elapsed() < LIMIT, "it looks and never sees");
        };
        outcome.expect("written");
    }
    client.close(LIMIT).expect("all delivered");
}

#[test]
fn the_longest_wait_there_is_ends_with_its_outcome() {
    let server = server();
    let client = connect(&server.bootstrap()).expect("a client");
    let mut events = client.events();
    let writer = client.writer("orders").expect("a writer");
    let receipt = writer.send(&[Record::new("x")]).expect("room");
    let outcome = receipt.wait_timeout(Duration::MAX).expect("no time-out");
    outcome.expect("written");
    let mut reader = client.reader("orders").expect("a reader");
    let message = reader.read_message_timeout(Duration::MAX);
    assert!(message.expect("no error").is_some());
    assert!(events.next_timeout(Duration::MAX).is_some());
    client.close(LIMIT).expect("all delivered");
}
