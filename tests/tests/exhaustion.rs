//! Fault 59: no file descriptor is left for a new connection. What is open goes on, what is not is tried again by the
//! rules of pauses, and works once there is room.
//!
//! The limit is that of a process, so that the client's side of the story is told in one of its own.

#[path = "common/runtimes.rs"]
mod runtimes;

use std::{
    env,
    error::Error,
    fs, io,
    process::Command,
    time::{Duration, Instant},
};

use kafka_client_blocking as blocking;
use kafka_client_tokio::{ErrorKind, Event, Record};
use kafka_testing::{
    broker::{Cluster, Config as Brokers},
    server::Server,
};
use runtimes::{Host, Runtime};
use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    time::{ClockId, clock_gettime},
};

/// Set for the process that has no descriptors left: the brokers' address.
const BROKERS: &str = "EXHAUSTION_BROKERS";
const TOPIC: &str = "orders";
/// How many descriptors the process may have, which are soon used up.
const MOST: u64 = 200;

/// All descriptors of the process.
struct Exhausted(Vec<fs::File>);

impl Exhausted {
    fn new() -> Self {
        let limit = Rlimit {
            current: Some(MOST),
            maximum: getrlimit(Resource::Nofile).maximum,
        };
        setrlimit(Resource::Nofile, limit).expect("a lower limit");
        Self(std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect())
    }
}

/// Processor time of this process.
fn cpu() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).expect("not negative")
}

/// Runs the test of this name again, in a process of its own.
fn in_a_process(name: &str) {
    let server = Server::start(Cluster::new(Brokers::new())).expect("ports");
    server.cluster().create_topic(TOPIC, 1);
    let this = env::current_exe().expect("a path");
    let output = Command::new(this)
        .args(["--exact", name, "--nocapture"])
        .env(BROKERS, server.bootstrap())
        .output()
        .expect("it starts");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(out.contains("1 passed"), "{out}");
}

/// Whether the system's own error is at the bottom of it.
fn is_caused_by_it(error: &kafka_client_tokio::Error) -> bool {
    const TOO_MANY_OPEN_FILES: i32 = 24;
    let mut at: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = at {
        let found = error.downcast_ref().and_then(io::Error::raw_os_error);
        if found == Some(TOO_MANY_OPEN_FILES) {
            return true;
        }
        at = error.source();
    }
    false
}

/// What the events and figures of a few seconds without descriptors have to say.
fn check(errors: &[Event], dials: u64, took: Duration, used: Duration) {
    for event in errors {
        let text = event.to_string();
        assert!(text.contains("Too many open files"), "{text}");
    }
    // pauses grow to a second
    assert!((3..60).contains(&dials), "{dials} dials in {took:?}");
    assert!(used < took / 2, "{used:?} of CPU in {took:?}");
}

fn on_a_runtime(runtime: Runtime, name: &str) {
    let Ok(brokers) = env::var(BROKERS) else {
        return in_a_process(name);
    };
    let host = Host::start(runtime);
    let dialer = host.dialer();
    host.run(async move {
        let client = dialer.connect(&brokers).await.expect("a broker");
        let writer = client.writer(TOPIC).expect("a writer");
        writer.write(Record::new("first")).await.expect("written");
        let mut events = client.events();
        let exhausted = Exhausted::new();
        assert!(!exhausted.0.is_empty());
        let (begun, before) = (Instant::now(), cpu());
        let mut reader = client.reader(TOPIC).expect("a reader");
        let mut errors = Vec::new();
        while errors.len() < 3 {
            let event = events.next().await.expect("open");
            if matches!(event, Event::Unreachable { .. }) {
                errors.push(event);
            }
        }
        let (took, used) = (begun.elapsed(), cpu() - before);
        check(&errors, reader.stats().dials, took, used);
        writer.write(Record::new("second")).await.expect("written");
        let error = dialer.dial(&brokers).await.expect_err("no descriptor");
        assert!(is_caused_by_it(&error), "{error:?}");
        drop(exhausted);
        for value in ["first", "second"] {
            let message = reader.read_message().await.expect("read").expect("one");
            assert_eq!(message.value(), Some(value.as_bytes()));
        }
    });
    host.shut_down();
}

#[test]
fn a_client_on_tokio_outlasts_it() {
    on_a_runtime(Runtime::tokio, "a_client_on_tokio_outlasts_it");
}

#[test]
fn a_client_on_tokio_with_one_thread_outlasts_it() {
    let name = "a_client_on_tokio_with_one_thread_outlasts_it";
    on_a_runtime(Runtime::tokio_current_thread, name);
}

#[test]
fn a_client_on_async_std_outlasts_it() {
    on_a_runtime(Runtime::async_std, "a_client_on_async_std_outlasts_it");
}

#[test]
fn a_client_on_smol_outlasts_it() {
    on_a_runtime(Runtime::smol, "a_client_on_smol_outlasts_it");
}

#[test]
fn a_client_on_threads_outlasts_it() {
    let Ok(brokers) = env::var(BROKERS) else {
        return in_a_process("a_client_on_threads_outlasts_it");
    };
    let client = blocking::connect(&brokers).expect("a broker");
    let writer = client.writer(TOPIC).expect("a writer");
    writer.write(Record::new("first")).expect("written");
    let mut events = client.events();
    let exhausted = Exhausted::new();
    assert!(!exhausted.0.is_empty());
    let (begun, before) = (Instant::now(), cpu());
    let mut reader = client.reader(TOPIC).expect("a reader");
    let mut errors = Vec::new();
    while errors.len() < 3 {
        let event = events.next().expect("open");
        if matches!(event, Event::Unreachable { .. }) {
            errors.push(event);
        }
    }
    let (took, used) = (begun.elapsed(), cpu() - before);
    check(&errors, reader.stats().dials, took, used);
    writer.write(Record::new("second")).expect("written");
    let error = blocking::dial(&brokers).expect_err("no descriptor");
    assert!(is_caused_by_it(&error), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Exhausted);
    drop(exhausted);
    for value in ["first", "second"] {
        let message = reader.read_message().expect("read").expect("one");
        assert_eq!(message.value(), Some(value.as_bytes()));
    }
}
