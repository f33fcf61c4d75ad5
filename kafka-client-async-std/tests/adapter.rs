//! The adapter over real sockets, against the in-process broker: the same text under async-std and under smol.
#![cfg(any(feature = "async-std", feature = "smol"))]

use std::{
    collections::BTreeSet,
    future::{Future, poll_fn},
    net::{TcpListener, TcpStream},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    thread,
    time::{Duration, Instant},
};

use async_executor::Executor;
use async_io::{Async, Timer};
use futures_lite::future::{block_on, or, zip};
use kafka_client_async_std::{
    Client, Conn, Dialer, ErrorKind, FetchLimits, Outcome, Reader, Record, SeekFrom, Writer,
    WriterConfig, connect,
};
use kafka_testing::{
    broker::{Cluster, Config},
    server::Server,
};

const LIMIT: Duration = Duration::from_secs(10);

fn server(brokers: i32, topics: &[(&str, i32)]) -> Server {
    let mut cluster = Cluster::new(Config::new().brokers(brokers));
    for (topic, partitions) in topics {
        cluster.create_topic(topic, *partitions);
    }
    Server::start(cluster).expect("ports")
}

/// Runs a test by an executor that knows neither runtime, and fails it when it hangs.
fn test<T>(body: impl Future<Output = T>) -> T {
    let late = async {
        Timer::after(Duration::from_secs(60)).await;
        panic!("the test hangs");
    };
    block_on(or(body, late))
}

#[test]
fn ten_thousand_messages_come_back_once_and_in_order() {
    let server = server(3, &[("orders", 6)]);
    test(async {
        let client = connect(&server.bootstrap()).await.expect("a client");
        let writer = client.writer("orders").expect("a writer");
        let mut receipts = Vec::new();
        for call in 0..100 {
            let values: Vec<_> = (0..100).map(|i| format!("{}", call * 100 + i)).collect();
            let records: Vec<_> = values.iter().map(|v| Record::new(v).key(v)).collect();
            receipts.push(writer.send(&records).await.expect("room"));
        }
        for receipt in receipts {
            receipt.await.expect("written");
        }

        let mut reader = client.reader("orders").expect("a reader");
        let mut last = [-1; 6];
        let mut seen = BTreeSet::new();
        while seen.len() < 10_000 {
            let message = reader.read_message().await.expect("a message");
            let message = message.expect("not closed");
            let last = &mut last[message.partition() as usize];
            assert_eq!(message.offset(), *last + 1);
            *last = message.offset();
            assert!(seen.insert(message.value().expect("a value").to_vec()));
        }
        client.close(LIMIT).await.expect("all delivered");
    });
}

#[test]
fn a_connection_writes_reads_and_seeks() {
    let server = server(3, &[("orders", 6)]);
    test(async {
        let dialer = Dialer::new().client_id("conn");
        let mut conn = dialer
            .dial_leader(&server.bootstrap(), "orders", 4)
            .await
            .or(dialer.dial_leader(&first(&server), "orders", 4).await)
            .expect("the leader");
        let written = conn
            .write_messages(&[Record::new("a"), Record::new("b"), Record::new("c")])
            .await
            .expect("written");
        assert_eq!((written.partition, written.offset), (4, Some(0)));
        assert_eq!(values(&mut conn).await, ["a", "b", "c"]);
        assert_eq!(conn.seek(SeekFrom::Absolute(2)).await.expect("seek"), 2);
        let message = conn.read_message(1 << 20).await.expect("read");
        assert_eq!(message.expect("there").value(), Some(&b"c"[..]));
        conn.close();
        let error = conn.seek(SeekFrom::Start(0)).await.expect_err("closed");
        assert_eq!(error.kind(), ErrorKind::Closed);
    });
    assert_eq!(server.cluster().log("orders", 4).values(), ["a", "b", "c"]);
}

/// FN-08, FN-09, TY-04.
#[test]
fn a_connection_goes_over_a_stream_of_the_caller() {
    let server = server(1, &[("orders", 1)]);
    test(async {
        let stream = TcpStream::connect(first(&server)).expect("connected");
        let stream = Async::new(stream).expect("a socket");
        let mut conn = Dialer::new().over(stream, "orders", 0).expect("a conn");
        conn.write_messages(&[Record::new("over")])
            .await
            .expect("written");
        assert_eq!(values(&mut conn).await, ["over"]);
    });
}

#[test]
fn an_unknown_topic_is_a_typed_error_and_the_writer_goes_on() {
    let server = server(1, &[("orders", 1)]);
    test(async {
        let client = connect(&server.bootstrap()).await.expect("a client");
        let writer = client.writer(WriterConfig::any_topic());
        let writer = writer.expect("a writer");
        let error = writer
            .write(Record::new("x").topic("nowhere"))
            .await
            .expect_err("no such topic");
        assert_eq!(error.outcome(), Outcome::NotWritten);
        assert_eq!(
            error.first().expect("why").kind(),
            ErrorKind::UnknownTopic,
            "{error}"
        );
        let written = writer.write(Record::new("x").topic("orders")).await;
        assert_eq!(written.expect("written").offset, Some(0));

        let mut reader = client.reader("nowhere").expect("a reader");
        let error = reader.read_message().await.expect_err("no such topic");
        assert_eq!(error.kind(), ErrorKind::UnknownTopic);
    });
}

#[test]
fn nobody_listening_is_an_error_in_time() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("bound").to_string();
    // bound and silent: connections are made and nobody answers
    let start = Instant::now();
    let dialer = Dialer::new().timeout(Duration::from_millis(300));
    let error = test(dialer.connect(&address)).expect_err("silence");
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    test(dialer.dial(&address)).expect_err("silence");
    drop(free);
    test(dialer.dial(&address)).expect_err("refused");
    let error = test(dialer.connect("no-such-host.invalid:9092")).expect_err("no such name");
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn two_clients_share_nothing() {
    let server = server(1, &[("orders", 1)]);
    let other = self::server(1, &[("orders", 1)]);
    test(async {
        let (a, b) = zip(connect(&server.bootstrap()), connect(&other.bootstrap())).await;
        let (a, b) = (a.expect("a client"), b.expect("another"));
        let (to_a, to_b) = (a.writer("orders"), b.writer("orders"));
        let (to_a, to_b) = (to_a.expect("a writer"), to_b.expect("another"));
        to_a.write(Record::new("a")).await.expect("written");
        a.close(LIMIT).await.expect("closed");
        to_b.write(Record::new("b")).await.expect("written");
        let error = to_a.write(Record::new("late")).await.expect_err("closed");
        assert_eq!(error.first().expect("why").kind(), ErrorKind::Closed);
    });
    assert_eq!(server.cluster().log("orders", 0).values(), ["a"]);
    assert_eq!(other.cluster().log("orders", 0).values(), ["b"]);
}

#[test]
fn closing_the_client_ends_a_read_that_waits() {
    let server = server(1, &[("orders", 1)]);
    test(async {
        let client = connect(&server.bootstrap()).await.expect("a client");
        let mut reader = client.reader("orders").expect("a reader");
        let close = async {
            Timer::after(Duration::from_millis(200)).await;
            client.close(LIMIT).await
        };
        let (read, closed) = zip(reader.read_message(), close).await;
        closed.expect("nothing to deliver");
        assert!(read.expect("no error").is_none());
        assert!(reader.read_message().await.expect("no error").is_none());
    });
}

#[test]
fn what_was_accepted_is_delivered_after_the_last_handle_is_gone() {
    let server = server(1, &[("orders", 1)]);
    test(async {
        let client = connect(&server.bootstrap()).await.expect("a client");
        let config = WriterConfig::topic("orders").linger(Duration::from_millis(100));
        let writer = client.writer(config).expect("a writer");
        // the first call learns the partitions
        writer.write(Record::new("first")).await.expect("written");
        let receipt = writer.send(&[Record::new("last")]).await.expect("room");
        drop((client, writer));
        assert_eq!(receipt.await.expect("written")[0].offset, Some(1));
    });
}

#[test]
fn futures_dropped_midway_lose_nothing() {
    let server = server(1, &[("orders", 1)]);
    test(async {
        let client = connect(&server.bootstrap()).await.expect("a client");
        let writer = client.writer("orders").expect("a writer");
        let mut reader = client.reader("orders").expect("a reader");
        for polls in 0..40 {
            let value = format!("{polls}");
            polled(writer.write(Record::new(&value)), polls % 4).await;
            polled(reader.read_message(), 0).await;
            polled(client.reader("orders").expect("another").read_batch(), 2).await;
            polled(connect(&server.bootstrap()), polls % 5).await;
        }
        writer.write(Record::new("end")).await.expect("written");
        let mut last = -1;
        loop {
            let message = reader.read_message().await.expect("a message");
            let message = message.expect("not closed");
            assert!(message.offset() > last);
            last = message.offset();
            if message.value() == Some(b"end") {
                break;
            }
        }
        client.close(LIMIT).await.expect("all delivered");
    });
}

#[test]
fn an_executor_of_the_caller_runs_everything_and_ends_it_when_dropped() {
    let server = server(1, &[("orders", 1)]);
    let executor = Arc::new(Executor::new());
    let spawned = Arc::new(AtomicUsize::new(0));
    let (spawn, count) = (Arc::downgrade(&executor), spawned.clone());
    let dialer = Dialer::new().spawner(move |task| {
        count.fetch_add(1, Ordering::Relaxed);
        if let Some(executor) = spawn.upgrade() {
            executor.spawn(task).detach();
        }
    });
    let client = test(executor.run(async {
        let client = dialer.connect(&server.bootstrap()).await.expect("a client");
        let writer = client.writer("orders").expect("a writer");
        writer.write(Record::new("own")).await.expect("written");
        client
    }));
    // one that learns of the executor's end, and the connection that writes
    assert_eq!(spawned.load(Ordering::Relaxed), 2);
    let mut reader = client.reader("orders").expect("a reader");
    drop(executor);
    test(async {
        assert!(reader.read_message().await.expect("no error").is_none());
        let mut late = client.reader("orders").expect("a reader");
        assert!(late.read_message().await.expect("no error").is_none());
        client.close(LIMIT).await.expect("nothing to deliver");
        let error = dialer.connect(&server.bootstrap()).await;
        assert_eq!(error.expect_err("dropped").kind(), ErrorKind::Closed);
    });
}

#[test]
fn handles_go_between_threads() {
    fn is<T: Send + Sync + 'static>(_: &T) {}
    let server = server(1, &[("orders", 1)]);
    let client = test(connect(&server.bootstrap())).expect("a client");
    let writer = client.writer("orders").expect("a writer");
    is::<Client>(&client);
    is::<Writer>(&writer);
    let reader = client.reader("orders").expect("a reader");
    is::<Reader>(&reader);
    let threads: Vec<_> = (0..8)
        .map(|i| {
            let writer = writer.clone();
            thread::spawn(move || {
                let value = format!("{i}");
                block_on(writer.write(Record::new(&value))).expect("written");
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|t| t.join().expect("no panic"));
    assert_eq!(server.cluster().log("orders", 0).values().len(), 8);
}

fn first(server: &Server) -> String {
    server
        .bootstrap()
        .split(',')
        .next()
        .expect("one")
        .to_owned()
}

async fn values(conn: &mut Conn) -> Vec<String> {
    let batch = conn.read_batch(FetchLimits::default()).await;
    let batch = batch.expect("a batch");
    let value = |m: Result<kafka_client_async_std::Message, _>| {
        String::from_utf8_lossy(m.expect("whole").value().expect("a value")).into_owned()
    };
    batch.into_iter().map(value).collect()
}

/// Polls a future `times` and once more, each a while after the one before, and drops it.
async fn polled<T>(future: impl Future<Output = T>, times: usize) {
    let mut future: Pin<&mut _> = pin!(future);
    for time in 0..=times {
        let once = |cx: &mut Context<'_>| Poll::Ready(future.as_mut().poll(cx).is_ready());
        if poll_fn(once).await {
            return;
        }
        if time < times {
            Timer::after(Duration::from_millis(1)).await;
        }
    }
}
