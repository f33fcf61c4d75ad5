//! Waits of no length, of every length, and none: whatever a thread does with its time, what comes is seen.

use std::{
    collections::VecDeque,
    thread,
    time::{Duration, Instant},
};

use kafka_client_blocking::{Client, Dialer, Reader, Record, WriterConfig, connect};
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

/// A thread that keeps calls under way and waits for the oldest has the later ones leave together, as many as an answer let
/// it hand over: a request for each would cost it half as much again.
#[test]
fn calls_that_are_handed_over_in_a_row_leave_together() {
    const CALLS: usize = 2_048;
    let server = server();
    let (client, _reader) = led(&server);
    let writer = client.writer("orders").expect("a writer");
    let batches = || server.cluster().log("orders", 0).batches().len();
    let before = batches();
    let mut receipts = VecDeque::new();
    for i in 0..CALLS {
        let value = format!("{i}");
        receipts.push_back(writer.send(&[Record::new(&value)]).expect("room"));
        if receipts.len() == 64 {
            let oldest = receipts.pop_front().expect("64 of them");
            oldest.wait().expect("written");
        }
    }
    for receipt in receipts {
        receipt.wait().expect("written");
    }
    let batches = batches() - before;
    assert!(
        batches * 20 < CALLS,
        "{batches} batches for {CALLS} calls, 64 at a time"
    );
    client.close(LIMIT).expect("all delivered");
}

/// Callers have led, then one hands over and goes away: what nobody waits for leaves all the same.
#[test]
fn what_nobody_waits_for_leaves_soon() {
    let server = server();
    let (client, _reader) = led(&server);
    let writer = client.writer("orders").expect("a writer");
    let end = || server.cluster().log("orders", 0).end_offset();
    for i in 0..20 {
        let before = end();
        writer.write(Record::new("led")).expect("written");
        match i % 2 {
            0 => drop(writer.send(&[Record::new("left")]).expect("room")),
            _ => drop(writer.try_send(&[Record::new("left")]).expect("room")),
        }
        let start = Instant::now();
        while end() < before + 2 {
            assert!(start.elapsed() < LIMIT, "it never leaves");
            thread::yield_now();
        }
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

/// A setting of `Duration::MAX` is none: it does not overflow the clock of whoever drives.
#[test]
fn the_longest_settings_there_are_do_no_harm() {
    let server = server();
    let ever = Duration::MAX;
    let dialer = Dialer::new().timeout(ever).configure(|config| {
        config
            .request_timeout(ever)
            .call_timeout(ever)
            .metadata_max_age(ever)
            .idle_timeout(Some(ever))
            .fallback_delay(ever)
    });
    let client = dialer.connect(&server.bootstrap()).expect("a client");
    let config = WriterConfig::topic("orders").linger(ever);
    let writer = client.writer(config.delivery_timeout(ever));
    let writer = writer.expect("a writer");
    writer.write(Record::new("x")).expect("written");
    client.partitions(&["orders"]).expect("an answer");
    client.close(ever).expect("all delivered");
    let conn = dialer.dial(&server.bootstrap()).expect("a connection");
    conn.lookup_leader("orders", 0).expect("an answer");
}
