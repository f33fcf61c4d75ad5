//! The thread of a client: one, and gone with it. Alone in its process, to count threads.
#![cfg(target_os = "linux")]

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use kafka_client_blocking::{Dialer, Record, WriterConfig, connect};
use kafka_testing::{
    broker::{Cluster, Config},
    server::Server,
};

const LIMIT: Duration = Duration::from_secs(10);

/// How many threads run connections.
fn threads() -> usize {
    let tasks = fs::read_dir("/proc/self/task").expect("procfs");
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.trim() == "kafka-io").count()
}

fn wait_for(count: usize) {
    let start = Instant::now();
    while threads() != count {
        assert!(start.elapsed() < LIMIT, "{} threads", threads());
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_client_has_one_thread_that_ends_with_it() {
    let mut cluster = Cluster::new(Config::new().brokers(3));
    cluster.create_topic("orders", 6);
    let server = Server::start(cluster).expect("ports");
    let brokers = server.bootstrap();
    assert_eq!(threads(), 0);

    let client = connect(&brokers).expect("a client");
    let writer = client.writer("orders").expect("a writer");
    for partition in 0..6 {
        let record = Record::new("x").partition(partition);
        writer.write(record).expect("written");
    }
    assert_eq!(threads(), 1, "one for three brokers");
    client.close(LIMIT).expect("all delivered");
    // close has waited for it; the kernel lists it a moment longer
    wait_for(0);
    client.close(LIMIT).expect("again");

    let config = WriterConfig::topic("orders").linger(Duration::from_millis(300));
    let client = connect(&brokers).expect("a client");
    let writer = client.writer(config).expect("a writer");
    writer
        .write(Record::new("x").partition(0))
        .expect("written");
    let receipt = writer
        .send(&[Record::new("last").partition(0)])
        .expect("room");
    let start = Instant::now();
    drop((client, writer));
    assert!(start.elapsed() < Duration::from_millis(200), "drop waited");
    assert_eq!(threads(), 1, "it has something to deliver");
    wait_for(0);
    assert_eq!(receipt.wait().expect("written")[0].offset, Some(2));

    let address = brokers.split(',').next().expect("one");
    let conn = Dialer::new().dial_leader(address, "orders", 1);
    let conn = conn.expect("a connection");
    assert_eq!(threads(), 1);
    conn.close();
    wait_for(0);
    drop(Dialer::new().dial(address).expect("a connection"));
    wait_for(0);

    drop(server);
    let dialer = Dialer::new().timeout(Duration::from_millis(200));
    dialer.connect(&brokers).expect_err("nobody there");
    dialer.dial(address).expect_err("nobody there");
    dialer.connect("not an address").expect_err("a misuse");
    wait_for(0);
}

/// CPU time of this process, in clock ticks.
#[test]
#[ignore = "a measurement: cargo test --release -- --ignored --nocapture"]
fn idle_clients_use_nothing() {
    let ticks = || {
        let stat = fs::read_to_string("/proc/self/stat").expect("procfs");
        let fields: Vec<_> = stat.rsplit(')').next().expect("it").split(' ').collect();
        fields[12].parse::<u64>().expect("a number") + fields[13].parse::<u64>().expect("a number")
    };
    let server = Server::start(Cluster::new(Config::new().brokers(1))).expect("ports");
    let clients: Vec<_> = (0..20)
        .map(|_| connect(&server.bootstrap()).expect("a client"))
        .collect();
    thread::sleep(Duration::from_millis(500));
    let before = ticks();
    thread::sleep(Duration::from_secs(10));
    println!(
        "{} ticks in 10 s, {} clients",
        ticks() - before,
        clients.len()
    );
    assert!(ticks() - before <= 2);
}
