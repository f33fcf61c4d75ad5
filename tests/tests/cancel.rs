//! Every public future dropped after each of its polls: no message is lost or doubled, and every handle goes on.

#[path = "common/runtimes.rs"]
mod runtimes;

use std::{collections::BTreeMap, future::Future, pin::pin, sync::Arc, task::Poll, time::Duration};

use futures_lite::future::yield_now;
use kafka_client_tokio::{
    Client, FetchLimits, Record, SeekFrom, TopicConfig, WriterConfig,
    api::metadata::MetadataRequest,
};
use kafka_testing::{
    broker::{Cluster, Config},
    server::Server,
};
use runtimes::{Dialer, Host, Runtime, on_each};

on_each! {
    writes_are_accepted_whole_or_not_at_all_and_never_twice:
        tokio tokio_current_thread async_std smol executor;
    reads_that_are_dropped_lose_and_repeat_no_message:
        tokio tokio_current_thread async_std smol executor;
    calls_that_are_dropped_leave_client_and_connection_as_they_were:
        tokio tokio_current_thread async_std smol executor;
}

/// Tells a story with a broker and a dialer.
fn tell<S: Future<Output = ()> + Send + 'static>(
    runtime: Runtime,
    story: impl FnOnce(Arc<Server>, Dialer) -> S,
) {
    let host = Host::start(runtime);
    host.run(story(Arc::new(server()), host.dialer()));
    host.shut_down();
}

/// Most polls that any future here needs.
const MOST: usize = 200;

fn server() -> Server {
    let mut cluster = Cluster::new(Config::new().brokers(2));
    cluster.create_topic("t", 3);
    Server::start(cluster).expect("ports")
}

/// Polls `future` at most `polls` times, then drops it; its output if it was ready by then.
async fn cancelled_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    std::future::poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// How often each value stands in the topic.
fn counts(server: &Server) -> BTreeMap<Vec<u8>, usize> {
    let mut counts = BTreeMap::new();
    for partition in 0..3 {
        for value in server.cluster().log("t", partition).values() {
            *counts.entry(value.to_vec()).or_default() += 1;
        }
    }
    counts
}

fn writes_are_accepted_whole_or_not_at_all_and_never_twice(on: Runtime) {
    tell(on, dropped_writes);
}

async fn dropped_writes(server: Arc<Server>, dialer: Dialer) {
    let mut cancelled = Vec::new();
    let mut written = Vec::new();
    for verb in [
        "write",
        "write_messages",
        "send",
        "receipt",
        "topic unknown yet",
    ] {
        for polls in 0..MOST {
            let client = dialer.connect(&server.bootstrap()).await.expect("a broker");
            // a buffer for one call at a time, so that the second one stands in line
            let config = WriterConfig::topic("t")
                .batch_bytes(4_096)
                .buffer_bytes(4_096);
            let writer = client.writer(config).expect("a config");
            if verb != "topic unknown yet" {
                writer.write(Record::new("warm")).await.expect("written");
            }
            let values = [format!("{verb} {polls} a"), format!("{verb} {polls} b")];
            let records = [Record::new(&values[0]), Record::new(&values[1])];
            let large = vec![b'.'; 3_000];
            let ahead = [Record::new(&large)];
            let first = writer.write_messages(&ahead);
            let second = async {
                match verb {
                    "write" => writer.write(records[0]).await.map(drop),
                    "send" => {
                        drop(writer.send(&records).await?);
                        Ok(())
                    }
                    "receipt" => writer.send(&records).await?.await.map(drop),
                    _ => writer.write_messages(&records).await.map(drop),
                }
            };
            let (first, done) = join(first, cancelled_after(polls, second)).await;
            first.expect("the call ahead is written");
            writer
                .write(Record::new("after"))
                .await
                .expect("the writer goes on");
            writer
                .close(Duration::from_secs(5))
                .await
                .expect("nothing is left");
            match done {
                Some(outcome) => {
                    outcome.expect("written");
                    written.push(values);
                    break;
                }
                None => cancelled.push(values),
            }
            assert!(polls + 1 < MOST, "{verb} needs more polls than that");
        }
    }
    assert!(
        cancelled.len() >= 10,
        "some were dropped before their end: {}",
        cancelled.len()
    );
    let counts = counts(&server);
    for [a, b] in &cancelled {
        let (a, b) = (counts.get(a.as_bytes()), counts.get(b.as_bytes()));
        assert!(
            a.is_none_or(|n| *n == 1) && b.is_none_or(|n| *n == 1),
            "{cancelled:?}"
        );
    }
    for [a, _] in &written {
        assert_eq!(counts.get(a.as_bytes()), Some(&1), "{a}");
    }
}

/// Polls both in one task until both are ready.
async fn join<A: Future, B: Future>(a: A, b: B) -> (A::Output, B::Output) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut first, mut second) = (None, None);
    std::future::poll_fn(|cx| {
        if first.is_none()
            && let Poll::Ready(output) = a.as_mut().poll(cx)
        {
            first = Some(output);
        }
        if second.is_none()
            && let Poll::Ready(output) = b.as_mut().poll(cx)
        {
            second = Some(output);
        }
        match (first.is_some(), second.is_some()) {
            (true, true) => Poll::Ready(()),
            _ => Poll::Pending,
        }
    })
    .await;
    (first.expect("ready"), second.expect("ready"))
}

async fn fill(client: &Client, count: usize) {
    let writer = client.writer("t").expect("a config");
    for i in 0..count {
        writer
            .write(Record::new(&format!("{i}")))
            .await
            .expect("written");
    }
}

fn reads_that_are_dropped_lose_and_repeat_no_message(on: Runtime) {
    tell(on, dropped_reads);
}

async fn dropped_reads(server: Arc<Server>, dialer: Dialer) {
    let client = dialer.connect(&server.bootstrap()).await.expect("a broker");
    fill(&client, 300).await;
    for polls in [1, 2, 3] {
        let mut reader = client.reader("t").expect("a config");
        let mut seen = Vec::new();
        let mut dropped = 0;
        while seen.len() < 300 {
            match cancelled_after(polls, reader.read_message()).await {
                Some(message) => seen.push(
                    message
                        .expect("good")
                        .expect("open")
                        .value()
                        .map(<[u8]>::to_vec),
                ),
                None => {
                    dropped += 1;
                    yield_now().await;
                }
            }
        }
        assert!(dropped > 0 || polls > 1);
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 300);
        let mut reader = client.reader("t").expect("a config");
        let mut count = 0;
        while count < 300 {
            match cancelled_after(polls, reader.read_batch()).await {
                Some(batch) => {
                    count += batch
                        .expect("good")
                        .expect("open")
                        .into_iter()
                        .flatten()
                        .count()
                }
                None => yield_now().await,
            }
        }
        assert_eq!(count, 300);
    }
}

fn calls_that_are_dropped_leave_client_and_connection_as_they_were(on: Runtime) {
    tell(on, dropped_calls);
}

async fn dropped_calls(server: Arc<Server>, dialer: Dialer) {
    let client = dialer.connect(&server.bootstrap()).await.expect("a broker");
    fill(&client, 3).await;
    for polls in 0..20 {
        let _ = cancelled_after(polls, client.call(MetadataRequest::default())).await;
        let _ = cancelled_after(polls, client.ready()).await;
        let topic = [TopicConfig::new(format!("new-{polls}")).partitions(1)];
        let _ = cancelled_after(polls, client.create_topics(&topic)).await;
        let _ = cancelled_after(polls, dialer.connect(&server.bootstrap())).await;
        client
            .call(MetadataRequest::default())
            .await
            .expect("goes on");
        client
            .create_topics(&topic)
            .await
            .expect("exists by now, or is made");
    }
    let brokers = server.bootstrap();
    let one_broker = brokers.split(',').next().expect("a broker").to_owned();
    for polls in 0..20 {
        let mut conn = dialer
            .dial_leader(&one_broker, "t", 0)
            .await
            .expect("a leader");
        let value = format!("conn {polls}");
        let _ = cancelled_after(polls, conn.write_messages(&[Record::new(&value)])).await;
        let _ = cancelled_after(polls, conn.read_batch(FetchLimits::default())).await;
        let _ = cancelled_after(polls, conn.seek(SeekFrom::End(0))).await;
        conn.seek(SeekFrom::Start(0)).await.expect("goes on");
        let batch = conn
            .read_batch(FetchLimits::default())
            .await
            .expect("goes on");
        assert_eq!(batch.first_offset(), 0);
        assert!(
            counts(&server)
                .get(value.as_bytes())
                .is_none_or(|n| *n == 1)
        );
    }
    let writer = client.writer("t").expect("a config");
    for polls in 0..20 {
        drop(
            writer
                .send(&[Record::new("flushed")])
                .await
                .expect("accepted"),
        );
        let _ = cancelled_after(polls, writer.flush()).await;
        writer.flush().await.expect("goes on");
        let closing = client.writer("t").expect("a config");
        drop(
            closing
                .send(&[Record::new("closed")])
                .await
                .expect("accepted"),
        );
        let _ = cancelled_after(polls, closing.close(Duration::from_secs(5))).await;
        // a close that was dropped has begun all the same, and a second one ends it
        closing
            .close(Duration::from_secs(5))
            .await
            .expect("nothing is left");
    }
    assert_eq!(counts(&server).get(&b"closed"[..]), Some(&20));
    assert_eq!(counts(&server).get(&b"flushed"[..]), Some(&20));
}
