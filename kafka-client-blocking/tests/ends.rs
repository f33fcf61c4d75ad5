//! What a program that ends without a word is told, and what ends a call in another thread.

use std::{
    env,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use kafka_client_blocking::{
    Client, Dialer, ErrorKind, Event, FetchLimits, Outcome, Record, api::ApiKey, connect,
};
use kafka_testing::{
    broker::{Cluster, Config, Fault, Rule, RuleId},
    server::Server,
};

const LIMIT: Duration = Duration::from_secs(10);

/// A server whose answers to one API do not come, and what counts its requests.
fn mute(api: ApiKey) -> (Server, RuleId) {
    let mut cluster = Cluster::new(Config::new().brokers(1));
    cluster.create_topic("orders", 1);
    let rule = cluster.inject(Rule::new(Fault::Hold).api(api).always());
    (Server::start(cluster).expect("ports"), rule)
}

/// Hands over three messages that are not answered, and drops the last clone of the writer.
fn drop_a_writer(client: &Client) {
    let writer = client.writer("orders").expect("a writer");
    for value in ["a", "b", "c"] {
        drop(writer.send(&[Record::new(value)]).expect("room"));
    }
    let clone = writer.clone();
    drop(writer);
    assert_eq!(clone.pending(), 3);
}

#[test]
fn a_writer_dropped_with_messages_on_their_way_is_an_event() {
    let (server, _) = mute(ApiKey::Produce);
    let client = connect(&server.bootstrap()).expect("a client");
    let mut events = client.events();
    drop_a_writer(&client);
    let dropped = events.find_map(|event| match event {
        Event::WriterDropped { pending } => Some(pending),
        _ => None,
    });
    assert_eq!(dropped, Some(3));
}

/// `main` of a script that ends without closing anything: its last line is its return.
#[test]
#[ignore = "run by the test below, in a process of its own"]
fn a_script() {
    let Ok(brokers) = env::var("SCRIPT_BROKERS") else {
        return;
    };
    let client = connect(&brokers).expect("a client");
    match env::var("SCRIPT_EVENTS").expect("how").as_str() {
        // taken, and given up
        "dropped" => drop(client.events()),
        "never" => {}
        how => panic!("{how}"),
    }
    drop_a_writer(&client);
    println!("the script went on");
}

fn run_script(events: &str, stderr: Stdio) -> (String, String) {
    let (server, _) = mute(ApiKey::Produce);
    let script = Command::new(env::current_exe().expect("a path"))
        .args(["--exact", "a_script", "--ignored", "--nocapture"])
        .env("SCRIPT_BROKERS", server.bootstrap())
        .env("SCRIPT_EVENTS", events)
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .expect("the test itself");
    let output = script.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}");
    (said, String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_script_that_takes_no_events_is_told_on_standard_error() {
    for events in ["never", "dropped"] {
        let (said, told) = run_script(events, Stdio::piped());
        assert!(said.contains("the script went on"), "{said}");
        assert!(told.contains("dropped with 3 messages"), "{events}: {told}");
    }
}

/// Writing there fails, which is no reason to end a program.
#[test]
#[cfg(unix)]
fn nobody_reads_standard_error() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let (said, _) = run_script("never", writer.into());
    assert!(said.contains("the script went on"), "{said}");
}

#[test]
fn a_connection_closed_in_another_thread_ends_a_call_that_waits() {
    let (server, fetches) = mute(ApiKey::Fetch);
    let dialer = Dialer::new();
    let mut conn = dialer
        .dial_leader(&server.bootstrap(), "orders", 0)
        .expect("the leader");
    let closer = conn.closer();
    let start = thread::scope(|scope| {
        let read = scope.spawn(move || conn.read_batch(FetchLimits::default()));
        while server.cluster().hits(fetches) == 0 {
            thread::sleep(Duration::from_millis(1));
        }
        let start = Instant::now();
        closer.close();
        let error = read.join().expect("no panic").expect_err("closed");
        assert_eq!(error.kind(), ErrorKind::Closed);
        start
    });
    assert!(start.elapsed() < LIMIT);
}

#[test]
fn a_reader_or_a_writer_closed_in_another_thread_ends_a_call_that_waits() {
    let (server, _) = mute(ApiKey::Produce);
    let client = connect(&server.bootstrap()).expect("a client");
    let mut reader = client.reader("orders").expect("a reader");
    let writer = client.writer("orders").expect("a writer");
    let handle = reader.handle();
    thread::scope(|scope| {
        let read = scope.spawn(move || reader.read_message());
        let write = scope.spawn(|| writer.write(Record::new("x")));
        while handle.partitions().is_empty() || writer.pending() == 0 {
            thread::sleep(Duration::from_millis(1));
        }
        let start = Instant::now();
        handle.close();
        assert!(read.join().expect("no panic").expect("no error").is_none());
        let undelivered = writer.close(Duration::from_millis(100));
        assert_eq!(undelivered.expect_err("one").messages().len(), 1);
        let error = write.join().expect("no panic").expect_err("closed");
        assert_eq!(error.outcome(), Outcome::Unknown);
        assert!(start.elapsed() < LIMIT);
    });
}
