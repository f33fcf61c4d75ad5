//! How things end: handles dropped, runtimes shut down, tasks aborted, clients closed. Nothing hangs, nothing is lost silently.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use kafka_client_tokio::{Client, Dialer, ErrorKind, Outcome, Record, WriterConfig, connect};
use kafka_testing::{
    broker::{Cluster, Config, Fault, Rule},
    server::Server,
};
use tokio::runtime::{Builder, Runtime};

fn server() -> Server {
    let mut cluster = Cluster::new(Config::new().brokers(1));
    cluster.create_topic("t", 1);
    Server::start(cluster).expect("ports")
}

/// A server that never answers a Produce, but has applied it.
fn mute_server() -> Server {
    let server = server();
    let rule = Rule::new(Fault::DropResponse)
        .api(kafka_client_tokio::api::ApiKey::Produce)
        .always();
    server.cluster().inject(rule);
    server
}

fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
}

async fn client(server: &Server) -> Client {
    connect(&server.bootstrap()).await.expect("a broker")
}

#[test]
fn a_runtime_shut_down_under_a_client_resolves_every_receipt() {
    let server = mute_server();
    let inside = runtime();
    let (client, writer, receipt) = inside.block_on(async {
        let client = client(&server).await;
        let writer = client.writer("t").expect("a config");
        let receipt = writer.send(&[Record::new("x")]).await.expect("accepted");
        // until the batch has left, its outcome would be certain
        while server.cluster().log("t", 0).values().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        (client, writer, receipt)
    });
    inside.shutdown_timeout(Duration::from_secs(5));
    let outside = runtime();
    outside.block_on(async {
        let error = receipt
            .await
            .expect_err("nobody is left to hear the answer");
        assert_eq!(error.outcome(), Outcome::Unknown);
        let start = Instant::now();
        let error = writer
            .write(Record::new("y"))
            .await
            .expect_err("the runtime is gone");
        assert_eq!(error.first().expect("a reason").kind(), ErrorKind::Closed);
        let mut reader = client.reader("t").expect("a config");
        assert!(reader.read_message().await.expect("no error").is_none());
        assert!(client.ready().await.is_err());
        client
            .close(Duration::from_secs(5))
            .await
            .expect("nothing is left");
        assert!(
            start.elapsed() < Duration::from_secs(1),
            "a dead client answers at once"
        );
    });
}

#[tokio::test]
async fn handles_dropped_with_records_pending_deliver_them_all_the_same() {
    let server = server();
    let client = client(&server).await;
    let writer = client.writer("t").expect("a config");
    for i in 0..100 {
        drop(
            writer
                .send(&[Record::new(&format!("{i}"))])
                .await
                .expect("accepted"),
        );
    }
    drop((client, writer));
    while server.cluster().log("t", 0).values().len() < 100 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let values: Vec<_> = (0..100).map(|i| format!("{i}")).collect();
    assert_eq!(server.cluster().log("t", 0).values(), values);
}

#[tokio::test]
async fn close_hands_back_what_it_could_not_deliver() {
    let server = mute_server();
    let client = client(&server).await;
    let config = WriterConfig::topic("t").idempotent(false);
    let writer = client.writer(config).expect("a config");
    let sent = writer
        .send(&[Record::new("left").key("k")])
        .await
        .expect("accepted");
    while server.cluster().log("t", 0).values().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // without idempotence one batch is in flight: this one waits behind it
    let waiting = writer
        .send(&[Record::new("stayed")])
        .await
        .expect("accepted");
    let start = Instant::now();
    let undelivered = writer
        .close(Duration::from_millis(200))
        .await
        .expect_err("no answer comes");
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "close ends by its limit"
    );
    let told: Vec<_> = undelivered
        .messages()
        .iter()
        .map(|m| {
            (
                m.message.value().unwrap_or_default().to_vec(),
                m.error.outcome(),
            )
        })
        .collect();
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
    assert!(
        undelivered.to_string().contains("2 messages"),
        "{undelivered}"
    );
    assert_eq!(
        sent.await.expect_err("given up").outcome(),
        Outcome::Unknown
    );
    assert_eq!(
        waiting.await.expect_err("given up").outcome(),
        Outcome::NotWritten
    );
}

#[tokio::test]
async fn an_aborted_task_leaves_the_writer_of_others_alone() {
    let server = server();
    let client = client(&server).await;
    let writer = client.writer("t").expect("a config");
    for i in 0..50u64 {
        let own = writer.clone();
        let task = tokio::spawn(async move {
            loop {
                let _ = own.write(Record::new("noise")).await;
            }
        });
        tokio::time::sleep(Duration::from_micros(i * 37)).await;
        task.abort();
        assert!(task.await.expect_err("aborted").is_cancelled());
        writer.write(Record::new("mine")).await.expect("written");
    }
    let values = server.cluster().log("t", 0).values();
    assert_eq!(values.iter().filter(|v| v.as_ref() == b"mine").count(), 50);
}

#[test]
fn two_clients_in_two_runtimes_do_not_know_of_each_other() {
    let server = server();
    let (one, two) = (runtime(), runtime());
    let first = one.block_on(client(&server));
    let second = two.block_on(client(&server));
    let writer = first.writer("t").expect("a config");
    let mut reader = second.reader("t").expect("a config");
    // handles run on any executor: their drivers are elsewhere
    two.block_on(writer.write(Record::new("across")))
        .expect("written");
    let message = one
        .block_on(reader.read_message())
        .expect("good")
        .expect("open");
    assert_eq!(message.value(), Some(&b"across"[..]));
    one.shutdown_timeout(Duration::from_secs(5));
    assert!(two.block_on(writer.write(Record::new("late"))).is_err());
    two.block_on(
        second
            .writer("t")
            .expect("a config")
            .write(Record::new("alive")),
    )
    .expect("written");
}

#[tokio::test]
async fn a_reader_that_waits_is_closed_from_another_task() {
    let server = server();
    let client = client(&server).await;
    let mut reader = client.reader("t").expect("a config");
    let handle = reader.handle();
    let waiting = tokio::spawn(async move { reader.read_message().await });
    while handle.partitions().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    handle.close();
    handle.close();
    assert!(
        waiting
            .await
            .expect("no panic")
            .expect("no error")
            .is_none()
    );
}

#[tokio::test]
async fn events_tell_of_connections_and_end_with_the_client() {
    let server = server();
    let client = client(&server).await;
    let mut events = client.events();
    client
        .writer("t")
        .expect("a config")
        .write(Record::new("x"))
        .await
        .expect("written");
    let event = events.next().await.expect("a connection to produce over");
    assert!(format!("{event:?}").starts_with("Connected"), "{event:?}");
    client
        .close(Duration::from_secs(5))
        .await
        .expect("nothing is left");
    drop(client);
    while events.next().await.is_some() {}
}

/// A runtime of one thread that user code blocks must not end what keeps a client known to its brokers.
#[tokio::test(flavor = "current_thread")]
async fn control_goes_on_while_user_code_blocks_the_only_thread() {
    let server = server();
    let seen = Arc::new(AtomicU64::new(0));
    let counted = seen.clone();
    server.cluster().intercept(move |request| {
        let is_keep_alive = request.api == kafka_client_tokio::api::ApiKey::Metadata;
        counted.fetch_add(u64::from(is_keep_alive), Ordering::Relaxed);
        None
    });
    let age = Duration::from_millis(50);
    let dialer = Dialer::new().configure(|config| config.metadata_max_age(age));
    let client = dialer.connect(&server.bootstrap()).await.expect("a broker");
    client
        .writer("t")
        .expect("a config")
        .write(Record::new("x"))
        .await
        .expect("written");
    let blocked: u64 = std::env::var("BLOCKED_S")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(2);
    let before = seen.load(Ordering::Relaxed);
    std::thread::sleep(Duration::from_secs(blocked));
    let during = seen.load(Ordering::Relaxed) - before;
    assert!(
        during >= blocked * 2, // about ten a second on a machine with nothing else to do
        "{during} keep-alive calls in {blocked} s"
    );
    client
        .close(Duration::from_secs(5))
        .await
        .expect("nothing is left");
}
