//! Every public future dropped after each of its polls, until it is ready: no message is lost or doubled, and every handle goes
//! on.

#[path = "common/runtimes.rs"]
mod runtimes;

use std::{collections::BTreeMap, future::Future, pin::pin, sync::Arc, task::Poll, time::Duration};

use futures_lite::future::yield_now;
use kafka_client_tokio::{
    Client, Error, FetchLimits, Record, SeekFrom, TopicConfig, WriterConfig,
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
    calls_that_are_dropped_leave_a_client_as_it_was:
        tokio tokio_current_thread async_std smol executor;
    calls_that_are_dropped_leave_a_connection_as_it_was:
        tokio tokio_current_thread async_std smol executor;
    a_flush_or_close_that_is_dropped_can_be_ended:
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

fn server() -> Server {
    let mut cluster = Cluster::new(Config::new().brokers(2));
    cluster.create_topic("t", 3);
    Server::start(cluster).expect("ports")
}

/// After how many polls a future is dropped: 0, 1 and so on, until it is ready by then, three times in a row. (Once may be
/// luck: what wakes it twice may come together.)
struct Polls {
    of: &'static str,
    count: usize,
    ready: usize,
}

impl Polls {
    /// No future here needs that many; one that does is never ready.
    const LIMIT: usize = 200;

    fn of(of: &'static str) -> Self {
        let (count, ready) = (0, 0);
        Self { of, count, ready }
    }

    /// Polls `future` as often as it is the turn of, then drops it; its output if it was ready by then.
    async fn cancel<F: Future>(&mut self, future: F) -> Option<F::Output> {
        let output = cancelled_after(self.count, future).await;
        self.ready = output.as_ref().map_or(0, |_| self.ready + 1);
        self.count += 1;
        assert!(self.count < Self::LIMIT, "{} is never ready", self.of);
        output
    }

    /// Whether every poll had its turn.
    fn are_over(&self) -> bool {
        self.ready == 3
    }
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
        let mut polls = Polls::of(verb);
        while !polls.are_over() {
            let client = dialer.connect(&server.bootstrap()).await.expect("a broker");
            // a buffer for one call at a time, so that the second one stands in line
            let config = WriterConfig::topic("t")
                .batch_bytes(4_096)
                .buffer_bytes(4_096);
            let writer = client.writer(config).expect("a config");
            if verb != "topic unknown yet" {
                writer.write(Record::new("warm")).await.expect("written");
            }
            let count = polls.count;
            let values = [format!("{verb} {count} a"), format!("{verb} {count} b")];
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
            let (first, done) = join(first, polls.cancel(second)).await;
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
                }
                None => cancelled.push(values),
            }
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
    for verb in ["read_message", "fetch_message", "read_batch"] {
        let mut unhindered = false;
        // the first poll of a read may find what was fetched meanwhile; without any there is no progress
        for polls in 1..Polls::LIMIT {
            let mut reader = client.reader("t").expect("a config");
            let mut seen = Vec::new();
            let mut dropped = 0;
            while seen.len() < 300 {
                let read = async {
                    let message = match verb {
                        "read_message" => reader.read_message().await,
                        "fetch_message" => reader.fetch_message().await,
                        _ => {
                            let batch = reader.read_batch().await?.expect("open");
                            let values = batch.iter().map(|r| r.expect("good").value);
                            return Ok(values.map(|v| v.map(<[u8]>::to_vec)).collect());
                        }
                    };
                    let message = message?.expect("open");
                    Ok::<_, Error>(vec![message.value().map(<[u8]>::to_vec)])
                };
                match cancelled_after(polls, read).await {
                    Some(values) => seen.append(&mut values.expect("good")),
                    None => {
                        dropped += 1;
                        yield_now().await;
                    }
                }
            }
            assert!(dropped > 0 || polls > 1, "the first read finds nothing");
            seen.sort();
            seen.dedup();
            assert_eq!(seen.len(), 300, "{verb}, dropped after {polls} polls");
            // no read of this pass needed more polls, nor of the one before
            if dropped == 0 && std::mem::replace(&mut unhindered, true) {
                break;
            }
        }
        assert!(unhindered, "{verb} is never ready");
    }
}

/// Two settings with one default, which are set together.
const PAIR: [&str; 2] = ["flush.messages", "flush.ms"];

fn calls_that_are_dropped_leave_a_client_as_it_was(on: Runtime) {
    tell(on, dropped_calls);
}

async fn dropped_calls(server: Arc<Server>, dialer: Dialer) {
    let brokers = server.bootstrap();
    let client = dialer.connect(&brokers).await.expect("a broker");
    fill(&client, 3).await;
    for verb in [
        "call",
        "call_broker",
        "ready",
        "create_topics",
        "delete_topics",
        "partitions",
        "offsets",
        "topic_configs",
        "set_topic_configs",
        "list_groups",
        "connect",
        "connect and ready",
    ] {
        let mut polls = Polls::of(verb);
        while !polls.are_over() {
            let name = format!("{}-{}", verb.replace(' ', "-"), polls.count);
            let topic = [TopicConfig::new(&*name).partitions(1)];
            if verb == "delete_topics" {
                client.create_topics(&topic).await.expect("made");
            }
            let count = (polls.count + 1).to_string();
            let settings = PAIR.map(|name| (name, Some(&*count)));
            let call = async {
                match verb {
                    "call" => client.call(MetadataRequest::default()).await.map(drop),
                    "call_broker" => {
                        let request = MetadataRequest::default();
                        client.call_broker(1, request).await.map(drop)
                    }
                    "ready" => client.ready().await,
                    "create_topics" => client.create_topics(&topic).await,
                    "delete_topics" => client.delete_topics(&[&name]).await,
                    "partitions" => client.partitions(&["t"]).await.map(drop),
                    "offsets" => client.offsets("t").await.map(drop),
                    "topic_configs" => client.topic_configs("t").await.map(drop),
                    "set_topic_configs" => client.set_topic_configs("t", &settings).await,
                    "list_groups" => client.list_groups().await.map(drop),
                    "connect" => dialer.connect(&brokers).await.map(drop),
                    _ => dialer.connect(&brokers).await?.ready().await,
                }
            };
            if let Some(answer) = polls.cancel(call).await {
                answer.expect("an answer");
            }
            let request = MetadataRequest::default();
            client.call(request).await.expect("goes on");
            let made = client.create_topics(&topic).await;
            made.expect("exists by now, or is made");
            let settings = client.topic_configs("t").await.expect("described");
            let [a, b] = PAIR.map(|name| settings.iter().find(|s| s.name == name));
            let (a, b) = a.zip(b).expect("there are both");
            assert_eq!(a.value, b.value, "both are set, or neither");
        }
    }
}

fn calls_that_are_dropped_leave_a_connection_as_it_was(on: Runtime) {
    tell(on, dropped_requests);
}

async fn dropped_requests(server: Arc<Server>, dialer: Dialer) {
    let client = dialer.connect(&server.bootstrap()).await.expect("a broker");
    fill(&client, 3).await;
    let brokers = server.bootstrap();
    let one_broker = brokers.split(',').next().expect("a broker").to_owned();
    for verb in [
        "dial_leader",
        "ready",
        "request",
        "write_value",
        "write_messages",
        "read_batch",
        "read_message",
        "read_value",
        "seek",
        "seek_unchecked",
        "offsets",
        "offset_at",
        "api_versions",
        "brokers",
        "controller",
        "read_partitions",
        "lookup_leader",
        "list_groups",
        "create_topics",
        "delete_topics",
    ] {
        let mut polls = Polls::of(verb);
        while !polls.are_over() {
            let mut conn = dialer
                .dial_leader(&one_broker, "t", 0)
                .await
                .expect("a leader");
            let value = format!("{verb} {}", polls.count);
            let name = format!("{verb}-{}", polls.count);
            let topic = [TopicConfig::new(&*name).partitions(1)];
            if verb == "delete_topics" {
                client.create_topics(&topic).await.expect("made");
            }
            let mut buffer = [0; 100];
            let call = async {
                match verb {
                    "dial_leader" => dialer.dial_leader(&one_broker, "t", 0).await.map(drop),
                    "ready" => conn.ready().await,
                    "request" => conn.request(MetadataRequest::default()).await.map(drop),
                    "write_value" => conn.write_value(value.as_bytes()).await.map(drop),
                    "write_messages" => {
                        let records = [Record::new(&value)];
                        conn.write_messages(&records).await.map(drop)
                    }
                    "read_batch" => conn.read_batch(FetchLimits::default()).await.map(drop),
                    "read_message" => conn.read_message(1 << 20).await.map(drop),
                    "read_value" => conn.read_value(&mut buffer).await.map(drop),
                    "seek" => conn.seek(SeekFrom::End(0)).await.map(drop),
                    "seek_unchecked" => conn.seek_unchecked(SeekFrom::End(0)).await.map(drop),
                    "offsets" => conn.offsets().await.map(drop),
                    "offset_at" => conn.offset_at(0).await.map(drop),
                    "api_versions" => conn.api_versions().await.map(drop),
                    "brokers" => conn.brokers().await.map(drop),
                    "controller" => conn.controller().await.map(drop),
                    "read_partitions" => conn.read_partitions(&["t"]).await.map(drop),
                    "lookup_leader" => conn.lookup_leader("t", 0).await.map(drop),
                    "list_groups" => conn.list_groups().await.map(drop),
                    "create_topics" => conn.create_topics(&topic).await,
                    _ => conn.delete_topics(&[&name]).await,
                }
            };
            let answer = polls.cancel(call).await;
            let is_refused = |error: &Error| error.code().is_some();
            match answer {
                // the topic's broker may not be the controller
                Some(Err(error)) if verb.ends_with("_topics") => assert!(is_refused(&error)),
                Some(answer) => answer.expect("an answer"),
                None => {}
            }
            conn.seek(SeekFrom::Start(0)).await.expect("goes on");
            let batch = conn
                .read_batch(FetchLimits::default())
                .await
                .expect("goes on");
            assert_eq!(batch.first_offset(), 0);
            let written = counts(&server).get(value.as_bytes()).copied();
            assert!(written.unwrap_or(0) <= 1, "{value}");
        }
    }
}

fn a_flush_or_close_that_is_dropped_can_be_ended(on: Runtime) {
    tell(on, dropped_ends);
}

async fn dropped_ends(server: Arc<Server>, dialer: Dialer) {
    const LIMIT: Duration = Duration::from_secs(5);
    let shared = dialer.connect(&server.bootstrap()).await.expect("a broker");
    let mut sent = 0;
    for verb in ["flush", "close", "client"] {
        let mut polls = Polls::of(verb);
        while !polls.are_over() {
            let client = match verb {
                "client" => dialer.connect(&server.bootstrap()).await.expect("a broker"),
                _ => shared.clone(),
            };
            let writer = client.writer("t").expect("a config");
            drop(writer.send(&[Record::new("x")]).await.expect("accepted"));
            sent += 1;
            let end = async {
                match verb {
                    "flush" => writer.flush().await.expect("open"),
                    "close" => writer.close(LIMIT).await.expect("nothing is left"),
                    _ => client.close(LIMIT).await.expect("nothing is left"),
                }
            };
            let _ = polls.cancel(end).await;
            // one that was dropped has begun all the same, and a second one ends it
            match verb {
                "flush" => writer.flush().await.expect("goes on"),
                "close" => writer.close(LIMIT).await.expect("nothing is left"),
                _ => client.close(LIMIT).await.expect("nothing is left"),
            }
            assert_eq!(counts(&server).get(&b"x"[..]), Some(&sent));
        }
    }
}
