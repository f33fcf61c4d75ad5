//! What an idle client costs, and what a client that ended leaves behind. Alone in its process, to count.
//!
//! `IDLE_S` sets for how long wake-ups are counted (default 1).
#![cfg(all(target_os = "linux", any(feature = "async-std", feature = "smol")))]

use std::{
    collections::BTreeMap,
    fs, thread,
    time::{Duration, Instant},
};

use futures_lite::future::block_on;
use kafka_client_async_std::{Record, connect};
use kafka_testing::{
    broker::{Cluster, Config},
    server::Server,
};

const LIMIT: Duration = Duration::from_secs(10);
/// Of the broker.
const OTHERS: [&str; 4] = ["kafka-accept", "kafka-timer", "kafka-read", "kafka-write"];

/// How often each thread that is not the broker's has gone to sleep, by id and name.
fn sleeps() -> BTreeMap<(String, String), u64> {
    let mut sleeps = BTreeMap::new();
    for task in fs::read_dir("/proc/self/task").expect("procfs") {
        let task = task.expect("a thread");
        let id = task.file_name().to_string_lossy().into_owned();
        // it may have ended
        let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        if let Some(line) = line
            && !OTHERS.contains(&name.trim())
        {
            let count = line.trim().parse().expect("a number");
            sleeps.insert((id, name.trim().to_owned()), count);
        }
    }
    sleeps
}

fn threads(name: &str) -> usize {
    sleeps().keys().filter(|(_, comm)| comm == name).count()
}

#[test]
fn an_idle_client_wakes_for_nothing_and_its_thread_ends_with_it() {
    let idle = std::env::var("IDLE_S").ok().and_then(|s| s.parse().ok());
    let idle = Duration::from_secs(idle.unwrap_or(1));
    let mut cluster = Cluster::new(Config::new().brokers(3));
    cluster.create_topic("orders", 6);
    let server = Server::start(cluster).expect("ports");
    let client = block_on(connect(&server.bootstrap())).expect("a client");
    let writer = client.writer("orders").expect("a writer");
    for _ in 0..100 {
        block_on(writer.write(Record::new("x"))).expect("written");
    }
    thread::sleep(Duration::from_millis(500));
    let before = sleeps();
    thread::sleep(idle);
    let after = sleeps();
    let mut total = 0;
    for (thread, count) in &after {
        let more = count - before.get(thread).unwrap_or(&0);
        total += more;
        println!("{more:4} {thread:?}");
    }
    assert_eq!(threads("kafka-control"), 1);
    // the threads of this test and its runner take part
    assert!(total <= 3, "{total} wake-ups in {idle:?}");

    block_on(client.close(LIMIT)).expect("all delivered");
    let start = Instant::now();
    while threads("kafka-control") > 0 {
        assert!(start.elapsed() < LIMIT, "its thread goes on");
        thread::sleep(Duration::from_millis(1));
    }
}
