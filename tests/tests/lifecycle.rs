//! How things end: handles dropped, runtimes shut down, tasks aborted, clients closed, threads blocked; on each runtime.
//! Nothing hangs, nothing is lost silently.
//!
//! The executors of async-std and smol live as long as the process: what a runtime's end does is told of those that end.

#[path = "common/blocked.rs"]
mod blocked;
#[path = "common/runtimes.rs"]
mod runtimes;

use std::{
    env,
    future::Future,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use blocked::Seen;
use futures_lite::future::block_on;
use kafka_client_tokio::{ErrorKind, Outcome, Record, WriterConfig, api::ApiKey};
use kafka_testing::{
    broker::{Cluster, Config, Fault, Rule},
    server::Server,
};
use runtimes::{Dialer, Host, Runtime, on_each, sleep};

const LIMIT: Duration = Duration::from_secs(10);
const MOMENT: Duration = Duration::from_millis(1);

on_each! {
    a_runtime_shut_down_under_a_client_resolves_every_receipt:
        tokio tokio_current_thread executor;
    handles_dropped_with_records_pending_deliver_them_all_the_same:
        tokio tokio_current_thread async_std smol executor;
    close_hands_back_what_it_could_not_deliver:
        tokio tokio_current_thread async_std smol executor;
    an_aborted_task_leaves_the_writer_of_others_alone:
        tokio tokio_current_thread async_std smol executor;
    two_clients_do_not_know_of_each_other:
        tokio tokio_current_thread async_std smol executor;
    a_reader_that_waits_is_closed_from_another_task:
        tokio tokio_current_thread async_std smol executor;
    events_tell_of_connections_and_end_with_the_client:
        tokio tokio_current_thread async_std smol executor;
    connecting_outside_of_a_runtime_works_or_says_what_is_missing:
        tokio tokio_current_thread async_std smol executor;
    control_goes_on_while_user_code_blocks_the_only_thread:
        tokio_one_worker tokio_current_thread async_std smol executor;
}

fn server() -> Arc<Server> {
    let mut cluster = Cluster::new(Config::new().brokers(1));
    cluster.create_topic("t", 1);
    Arc::new(Server::start(cluster).expect("ports"))
}

/// A server that never answers a Produce, but has applied it.
fn mute_server() -> Arc<Server> {
    let server = server();
    let rule = Rule::new(Fault::DropResponse).api(ApiKey::Produce).always();
    server.cluster().inject(rule);
    server
}

/// Tells a story with a broker and a dialer.
fn tell<S: Future<Output = ()> + Send + 'static>(
    on: Runtime,
    server: Arc<Server>,
    story: impl FnOnce(Arc<Server>, Dialer) -> S,
) {
    let host = Host::start(on);
    host.run(story(server, host.dialer()));
    host.shut_down();
}

/// Waits until the log holds that many messages.
async fn arrived(server: &Server, count: usize) {
    while server.cluster().log("t", 0).values().len() < count {
        sleep(MOMENT).await;
    }
}

fn a_runtime_shut_down_under_a_client_resolves_every_receipt(on: Runtime) {
    let server = mute_server();
    let host = Host::start(on);
    let (dialer, broker) = (host.dialer(), server.clone());
    let (client, writer, receipt) = host.run(async move {
        let client = dialer.connect(&broker.bootstrap()).await.expect("a broker");
        let writer = client.writer("t").expect("a config");
        let receipt = writer.send(&[Record::new("x")]).await.expect("accepted");
        // until the batch has left, its outcome would be certain
        arrived(&broker, 1).await;
        (client, writer, receipt)
    });
    host.shut_down();

    let start = Instant::now();
    let error = block_on(receipt).expect_err("nobody is left to hear the answer");
    assert_eq!(error.outcome(), Outcome::Unknown);
    let error = block_on(writer.write(Record::new("y"))).expect_err("the runtime is gone");
    assert_eq!(error.first().expect("a reason").kind(), ErrorKind::Closed);
    let mut reader = client.reader("t").expect("a config");
    assert!(block_on(reader.read_message()).expect("no error").is_none());
    block_on(client.ready()).expect_err("the runtime is gone");
    block_on(client.close(LIMIT)).expect("nothing is left");
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "a dead client answers at once"
    );
    assert_eq!(server.cluster().log("t", 0).values(), ["x"]);
}

fn handles_dropped_with_records_pending_deliver_them_all_the_same(on: Runtime) {
    let server = server();
    let host = Host::start(on);
    let (dialer, brokers) = (host.dialer(), server.bootstrap());
    let handles = host.run(async move {
        let client = dialer.connect(&brokers).await.expect("a broker");
        let writer = client.writer("t").expect("a config");
        for i in 0..100 {
            let value = format!("{i}");
            let receipt = writer.send(&[Record::new(&value)]).await;
            drop(receipt.expect("accepted"));
        }
        (client, writer)
    });
    // outside of the runtime, as a handle may be
    drop(handles);
    block_on(arrived(&server, 100));
    let values: Vec<_> = (0..100).map(|i| format!("{i}")).collect();
    assert_eq!(server.cluster().log("t", 0).values(), values);
    host.shut_down();
}

fn close_hands_back_what_it_could_not_deliver(on: Runtime) {
    tell(on, mute_server(), |server, dialer| async move {
        let client = dialer.connect(&server.bootstrap()).await.expect("a broker");
        let config = WriterConfig::topic("t").idempotent(false);
        let writer = client.writer(config).expect("a config");
        let left = [Record::new("left").key("k")];
        let sent = writer.send(&left).await.expect("accepted");
        arrived(&server, 1).await;
        // without idempotence one batch is in flight: this one waits behind it
        let stayed = [Record::new("stayed")];
        let waiting = writer.send(&stayed).await.expect("accepted");
        let start = Instant::now();
        let closed = writer.close(Duration::from_millis(200)).await;
        let undelivered = closed.expect_err("no answer comes");
        assert!(
            start.elapsed() < Duration::from_secs(2),
            "close ends by its limit"
        );
        let mut told = Vec::new();
        for m in undelivered.messages() {
            let value = m.message.value().unwrap_or_default().to_vec();
            told.push((value, m.error.outcome()));
        }
        assert_eq!(told.len(), 2);
        assert!(
            told.contains(&(b"left".to_vec(), Outcome::Unknown)),
            "{told:?}"
        );
        assert!(
            told.contains(&(b"stayed".to_vec(), Outcome::NotWritten)),
            "{told:?}"
        );
        assert_eq!(undelivered.messages()[0].message.topic(), "t");
        let text = undelivered.to_string();
        assert!(text.contains("2 messages"), "{text}");
        let error = sent.await.expect_err("given up");
        assert_eq!(error.outcome(), Outcome::Unknown);
        let error = waiting.await.expect_err("given up");
        assert_eq!(error.outcome(), Outcome::NotWritten);
    });
}

fn an_aborted_task_leaves_the_writer_of_others_alone(on: Runtime) {
    tell(on, server(), |server, dialer| async move {
        let client = dialer.connect(&server.bootstrap()).await.expect("a broker");
        let writer = client.writer("t").expect("a config");
        for i in 0..50u64 {
            let own = writer.clone();
            let task = dialer.spawn(async move {
                loop {
                    let _ = own.write(Record::new("noise")).await;
                }
            });
            // somewhere in the middle of what it does
            sleep(Duration::from_micros(i * 37)).await;
            task.abort().await;
            writer.write(Record::new("mine")).await.expect("written");
        }
        let values = server.cluster().log("t", 0).values();
        assert_eq!(values.iter().filter(|v| v.as_ref() == b"mine").count(), 50);
    });
}

fn two_clients_do_not_know_of_each_other(on: Runtime) {
    let server = server();
    let (one, two) = (Host::start(on), Host::start(on));
    let connected = |host: &Host| {
        let (dialer, brokers) = (host.dialer(), server.bootstrap());
        host.run(async move { dialer.connect(&brokers).await.expect("a broker") })
    };
    let (first, second) = (connected(&one), connected(&two));
    let writer = first.writer("t").expect("a config");
    let mut reader = second.reader("t").expect("a config");
    // handles run on any executor: their drivers are elsewhere
    let own = writer.clone();
    two.run(async move { own.write(Record::new("across")).await })
        .expect("written");
    let read = one.run(async move { reader.read_message().await });
    let message = read.expect("good").expect("open");
    assert_eq!(message.value(), Some(&b"across"[..]));

    // a runtime of the process does not end: there the client does
    if matches!(on, Runtime::async_std | Runtime::smol) {
        block_on(first.close(LIMIT)).expect("nothing is left");
    }
    one.shut_down();
    block_on(writer.write(Record::new("late"))).expect_err("its client has ended");
    let writer = second.writer("t").expect("a config");
    two.run(async move { writer.write(Record::new("alive")).await })
        .expect("written");
    two.shut_down();
}

fn a_reader_that_waits_is_closed_from_another_task(on: Runtime) {
    tell(on, server(), |server, dialer| async move {
        let client = dialer.connect(&server.bootstrap()).await.expect("a broker");
        let mut reader = client.reader("t").expect("a config");
        let handle = reader.handle();
        let (send, receive) = smol::channel::bounded(1);
        let waiting = dialer.spawn(async move {
            let _ = send.send(reader.read_message().await).await;
        });
        while handle.partitions().is_empty() {
            sleep(MOMENT).await;
        }
        handle.close();
        handle.close();
        let read = receive.recv().await.expect("no panic");
        assert!(read.expect("no error").is_none());
        waiting.detach();
    });
}

fn events_tell_of_connections_and_end_with_the_client(on: Runtime) {
    tell(on, server(), |server, dialer| async move {
        let client = dialer.connect(&server.bootstrap()).await.expect("a broker");
        let mut events = client.events();
        let writer = client.writer("t").expect("a config");
        writer.write(Record::new("x")).await.expect("written");
        let event = events.next().await.expect("a connection to produce over");
        assert!(format!("{event:?}").starts_with("Connected"), "{event:?}");
        client.close(LIMIT).await.expect("nothing is left");
        drop(client);
        while events.next().await.is_some() {}
    });
}

fn connecting_outside_of_a_runtime_works_or_says_what_is_missing(on: Runtime) {
    let server = server();
    let host = Host::start(on);
    let (dialer, brokers) = (host.dialer(), server.bootstrap());
    let connected = block_on(dialer.connect(&brokers));
    let lazy = dialer.connect_lazy(&brokers);
    let dialled = block_on(dialer.dial(&brokers));
    match on {
        Runtime::tokio | Runtime::tokio_one_worker | Runtime::tokio_current_thread => {
            for error in [connected.err(), lazy.err(), dialled.err()] {
                let error = error.expect("tokio runs what is made in its tasks");
                assert_eq!(error.kind(), ErrorKind::Misuse);
                assert!(error.to_string().contains("Runtime::enter"), "{error}");
            }
        }
        Runtime::async_std | Runtime::smol | Runtime::executor => {
            let client = connected.expect("a broker");
            let writer = client.writer("t").expect("a config");
            block_on(writer.write(Record::new("x"))).expect("written");
            block_on(lazy.expect("a client").ready()).expect("a broker");
            let leader = block_on(dialled.expect("a connection").lookup_leader("t", 0));
            assert_eq!(leader.expect("a leader").address().to_string(), brokers);
        }
    }
    host.shut_down();
}

/// A runtime of one thread that user code blocks must not end what keeps a client known to its brokers.
fn control_goes_on_while_user_code_blocks_the_only_thread(on: Runtime) {
    const THREADS: &str = "ASYNC_STD_THREAD_COUNT";
    if on == Runtime::async_std && env::var(THREADS).as_deref() != Ok("1") {
        // it is read once in a process
        let mut test = Command::new(env::current_exe().expect("a path"));
        let name = "control_goes_on_while_user_code_blocks_the_only_thread::async_std";
        let test = test
            .args(["--exact", name, "--nocapture"])
            .env(THREADS, "1");
        let output = test.output().expect("the test itself");
        let said = String::from_utf8_lossy(&output.stdout);
        println!("{said}");
        assert!(output.status.success(), "{said}");
        assert!(said.contains("1 passed"), "{said}");
        return;
    }
    tell(on, server(), |server, dialer| async move {
        let age = Duration::from_millis(50);
        let dialer = dialer.configure(|config| config.metadata_max_age(age));
        let client = dialer.connect(&server.bootstrap()).await.expect("a broker");
        let writer = client.writer("t").expect("a config");
        writer.write(Record::new("x")).await.expect("written");
        let ticks = Arc::new(AtomicU64::new(0));
        let count = ticks.clone();
        let ticking = dialer.spawn(async move {
            loop {
                count.fetch_add(1, Ordering::Relaxed);
                sleep(MOMENT).await;
            }
        });
        while ticks.load(Ordering::Relaxed) == 0 {
            sleep(MOMENT).await;
        }

        let keep_alive = Seen::of(&server, ApiKey::Metadata);
        let before = ticks.load(Ordering::Relaxed);
        // about ten a second on a machine with nothing else to do
        keep_alive.go_on_while_this_thread_is_blocked(2);
        let during = ticks.load(Ordering::Relaxed) - before;
        assert_eq!(
            during, 0,
            "other tasks ran: the thread was not the only one"
        );

        ticking.abort().await;
        writer.write(Record::new("y")).await.expect("written");
        client.close(LIMIT).await.expect("nothing is left");
    });
}

/// While the socket takes nothing, the write loop waits for it and for nothing else.
#[tokio::test]
async fn a_connection_closed_from_elsewhere_lets_go_of_a_peer_that_takes_nothing() {
    use tokio::io::{AsyncReadExt, duplex};
    let (ours, mut theirs) = duplex(16);
    let conn = kafka_client_tokio::Dialer::new().over(ours, "t", 0);
    let conn = conn.expect("a connection");
    let closer = conn.closer();
    // the greeting alone is longer than what the stream takes
    let call = conn.request(kafka_client_tokio::api::metadata::MetadataRequest::default());
    sleep(Duration::from_millis(50)).await;
    closer.close();
    let error = call.await.expect_err("closed");
    assert_eq!(error.kind(), ErrorKind::Closed);
    let mut rest = Vec::new();
    let end = tokio::time::timeout(LIMIT, theirs.read_to_end(&mut rest)).await;
    end.expect("the stream is let go of").expect("its end");
    drop(conn);
}

/// A limit that is none.
#[tokio::test]
async fn closing_takes_the_longest_limit_there_is() {
    let server = server();
    let client = kafka_client_tokio::connect(&server.bootstrap()).await;
    let client = client.expect("a broker");
    let writer = client.writer("t").expect("a config");
    writer.write(Record::new("x")).await.expect("written");
    client.close(Duration::MAX).await.expect("nothing is left");
}

/// A thread that has driven the connections itself and then does something else.
#[test]
fn control_of_a_blocking_client_goes_on_while_its_threads_do_other_things() {
    let server = server();
    let age = Duration::from_millis(50);
    let dialer = kafka_client_blocking::Dialer::new();
    let dialer = dialer.configure(|config| config.metadata_max_age(age));
    let client = dialer.connect(&server.bootstrap()).expect("a broker");
    let writer = client.writer("t").expect("a config");
    for _ in 0..50 {
        writer.write(Record::new("x")).expect("written");
    }
    Seen::of(&server, ApiKey::Metadata).go_on_while_this_thread_is_blocked(2);
    writer.write(Record::new("y")).expect("written");
    client.close(LIMIT).expect("nothing is left");
}

/// The handles are the same types for each runtime, and what they return is guarded where they are made.
#[test]
fn dialers_go_between_threads_and_so_does_connecting() {
    fn shared<T: Clone + Send + Sync + 'static>() {}
    fn send<T: Send>(_: T) {}
    shared::<kafka_client_tokio::Dialer>();
    shared::<kafka_client_async_std::Dialer>();
    shared::<kafka_client_blocking::Dialer>();
    shared::<kafka_client_blocking::Client>();
    shared::<kafka_client_blocking::Writer>();
    // futures that are never polled
    send(kafka_client_tokio::connect("localhost:9092"));
    send(kafka_client_async_std::connect("localhost:9092"));
    let dialer = kafka_client_tokio::Dialer::new();
    send(dialer.connect("localhost:9092"));
    send(dialer.dial("localhost:9092"));
    send(dialer.dial_leader("localhost:9092", "t", 0));
    let dialer = kafka_client_async_std::Dialer::new();
    send(dialer.connect("localhost:9092"));
    send(dialer.dial("localhost:9092"));
    send(dialer.dial_leader("localhost:9092", "t", 0));
}
