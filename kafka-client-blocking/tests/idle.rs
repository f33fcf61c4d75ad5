//! What an idle client costs, and what a client that ended leaves behind. Alone in its process, to count.
//!
//! `IDLE_S` sets for how long wake-ups are counted (default 1).
#![cfg(target_os = "linux")]

use std::{
    fs,
    sync::{Barrier, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use kafka_client_blocking::{Client, Record, connect};
use kafka_testing::{
    broker::{Cluster, Config},
    server::Server,
};

const LIMIT: Duration = Duration::from_secs(10);
/// One test at a time.
static COUNTING: Mutex<()> = Mutex::new(());

fn server() -> Server {
    let mut cluster = Cluster::new(Config::new().brokers(3));
    cluster.create_topic("orders", 6);
    Server::start(cluster).expect("ports")
}

/// How often the threads of that name have gone to sleep.
fn sleeps(name: &str) -> u64 {
    let mut sleeps = 0;
    for task in fs::read_dir("/proc/self/task").expect("procfs") {
        let path = task.expect("a thread").path();
        // it may have ended
        let comm = fs::read_to_string(path.join("comm")).unwrap_or_default();
        let status = fs::read_to_string(path.join("status")).unwrap_or_default();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        if let Some(line) = line
            && comm.trim() == name
        {
            sleeps += line.trim().parse::<u64>().expect("a number");
        }
    }
    sleeps
}

fn use_it(client: &Client, times: usize) {
    let writer = client.writer("orders").expect("a writer");
    for _ in 0..times {
        writer.write(Record::new("x")).expect("written");
    }
}

#[test]
fn an_idle_client_wakes_for_nothing() {
    let _alone = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let idle = std::env::var("IDLE_S").ok().and_then(|s| s.parse().ok());
    let idle = Duration::from_secs(idle.unwrap_or(1));
    let server = server();
    let client = connect(&server.bootstrap()).expect("a client");
    // callers have led, and the thread has the connections back
    use_it(&client, 100);
    thread::sleep(Duration::from_millis(300));
    let before = sleeps("kafka-io");
    thread::sleep(idle);
    let after = sleeps("kafka-io");
    println!("{} wake-ups in {idle:?}", after - before);
    assert!(before > 0);
    assert!(after - before <= 1, "{} wake-ups", after - before);

    // a reader that waits drives; neither it nor the thread wakes but for answers to its fetches, two a second at most
    let mut reader = client.reader("orders").expect("a reader");
    for _ in 0..100 {
        assert!(reader.read_message().expect("no error").is_some());
    }
    thread::scope(|scope| {
        let name = "waiting".to_owned();
        let waiting = thread::Builder::new().name(name);
        let mut reader = reader;
        let handle = reader.handle();
        let waiting = waiting.spawn_scoped(scope, move || reader.read_message());
        thread::sleep(Duration::from_millis(300));
        let before = sleeps("waiting") + sleeps("kafka-io");
        thread::sleep(idle);
        let after = sleeps("waiting") + sleeps("kafka-io");
        println!("{} wake-ups of a reader that waits", after - before);
        let most = 3 * (2 * idle.as_secs() + 2) * 4;
        assert!(after - before <= most, "{} wake-ups", after - before);
        handle.close();
        let read = waiting.expect("a thread").join().expect("no panic");
        assert!(read.expect("no error").is_none());
    });
    client.close(LIMIT).expect("all delivered");
}

#[test]
fn a_closed_client_leaves_no_descriptor_and_no_thread_behind() {
    let _alone = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let server = server();
    let descriptors = || fs::read_dir("/proc/self/fd").expect("procfs").count();
    let at_rest = descriptors();
    let (used, counted) = (Barrier::new(9), Barrier::new(9));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                // each thread keeps the bed that it slept in
                for _ in 0..3 {
                    let client = connect(&server.bootstrap()).expect("a client");
                    use_it(&client, 20);
                    client.close(LIMIT).expect("all delivered");
                }
                used.wait();
                counted.wait();
            });
        }
        used.wait();
        let start = Instant::now();
        // the broker's side of the connections ends a moment later
        while (descriptors(), sleeps("kafka-io")) != (at_rest, 0) && start.elapsed() < LIMIT {
            thread::sleep(Duration::from_millis(5));
        }
        let left = (descriptors(), sleeps("kafka-io"));
        counted.wait();
        assert_eq!(left, (at_rest, 0), "descriptors, and sleeps of threads");
    });
}
