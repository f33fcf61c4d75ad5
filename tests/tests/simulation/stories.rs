//! One situation each, as a story in virtual time.

use std::{cell::Cell, rc::Rc, time::Duration};

use kafka_proto::{
    api::{ApiKey, metadata::MetadataRequest},
    config::{ReaderConfig, StartOffset, WriterConfig},
    error::{ErrorKind, Outcome},
    record::Record,
};
use kafka_testing::{
    broker::{Config, Fault, Rule},
    sim::{Faults, Handle, Role, Sim, Way},
};

const TOPIC: &str = "orders";

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A network without faults, and a topic.
fn sim(brokers: i32, partitions: i32) -> Sim {
    let sim = Sim::new(1, Config::new().brokers(brokers), Faults::none());
    sim.cluster(|cluster| cluster.create_topic(TOPIC, partitions));
    sim
}

/// What a partition holds.
fn log(sim: &Handle, partition: i32) -> Vec<String> {
    let values = sim.cluster(|cluster| cluster.log(TOPIC, partition).values());
    let text = |v: &bytes::Bytes| String::from_utf8_lossy(v).into_owned();
    values.iter().map(text).collect()
}

/// The most of `times` that lie within one second.
fn most_in_a_second(times: &[Duration]) -> usize {
    let within = |from: &Duration| {
        let mine = |at: &&Duration| **at >= *from && **at < *from + secs(1);
        times.iter().filter(mine).count()
    };
    times.iter().map(within).max().unwrap_or(0)
}

/// Fault 3.
#[test]
fn brokers_that_are_all_gone_for_30_s_are_dialled_calmly_and_nothing_is_lost() {
    let sim = sim(3, 6);
    let client = sim.client(sim.config());
    let writer = client.writer(TOPIC).expect("a writer");
    let mut reader = client.reader(TOPIC).expect("a reader");
    let story = async {
        writer.write(Record::new("before")).await.expect("written");
        let first = reader.read_message().await.expect("read");
        assert_eq!(first.expect("one").value(), Some(&b"before"[..]));
        (1..=3).for_each(|broker| sim.crash(broker));
        let down = sim.now();
        let mut receipts = Vec::new();
        for n in 0..30 {
            let value = format!("during {n}");
            receipts.push(writer.send(&[Record::new(&value)]).await.expect("room"));
            sim.sleep(secs(1)).await;
        }
        let dials: Vec<_> = sim.dials().into_iter().filter(|at| *at > down).collect();
        let most = most_in_a_second(&dials);
        // 3 links to each of 3 brokers, after pauses of 0.8 s and more
        assert!(most <= 18, "{most} dials in one second");
        assert!(dials.len() <= 9 * 30, "{} dials in 30 s", dials.len());
        (1..=3).for_each(|broker| sim.restart(broker));
        let up = sim.now();
        for receipt in receipts {
            receipt.await.expect("written");
        }
        assert!(
            sim.now() - up < secs(3),
            "{:?} after their return",
            sim.now() - up
        );
        for _ in 0..30 {
            reader.read_message().await.expect("read").expect("one");
        }
    };
    sim.block_on(secs(60), story).expect("it ends");
}

#[test]
fn what_left_is_unknown_at_the_delivery_timeout_and_what_did_not_is_not_written() {
    let sim = sim(1, 1);
    let client = sim.client(sim.config());
    let config = WriterConfig::topic(TOPIC).delivery_timeout(secs(2));
    let writer = client.writer(config).expect("a writer");
    let story = async {
        writer.write(Record::new("a")).await.expect("written");
        sim.silence_all(Way::Down);
        let from = sim.now();
        let error = writer.write(Record::new("b")).await.expect_err("silence");
        assert_eq!(error.outcome(), Outcome::Unknown);
        assert_eq!(sim.now() - from, secs(2));

        sim.crash(1);
        sim.sleep(secs(10)).await;
        let from = sim.now();
        let error = writer.write(Record::new("c")).await.expect_err("nobody");
        assert_eq!(error.outcome(), Outcome::NotWritten);
        assert_eq!(error.first().map(|e| e.kind()), Some(ErrorKind::TimedOut));
        assert_eq!(sim.now() - from, secs(2));

        sim.restart(1);
        writer.write(Record::new("d")).await.expect("written");
    };
    sim.block_on(secs(60), story).expect("it ends");
    assert_eq!(log(&sim, 0), ["a", "b", "d"]);
}

/// Fault 5.
#[test]
fn a_leader_that_moves_mid_stream_costs_neither_order_nor_messages() {
    let sim = sim(3, 1);
    let client = sim.client(sim.config());
    let writer = client.writer(TOPIC).expect("a writer");
    let mut reader = client.reader(TOPIC).expect("a reader");
    let story = async {
        let mut receipts = Vec::new();
        for n in 0..200 {
            let value = n.to_string();
            receipts.push(writer.send(&[Record::new(&value)]).await.expect("room"));
            sim.sleep(ms(1)).await;
            if n % 50 == 25 {
                sim.lead(TOPIC, 0, 1 + (n / 50) % 3);
            }
        }
        let moved = sim.now();
        for receipt in receipts {
            receipt.await.expect("written");
        }
        assert!(
            sim.now() - moved < secs(2),
            "{:?} to the end",
            sim.now() - moved
        );
        for n in 0..200 {
            let message = reader.read_message().await.expect("read").expect("one");
            assert_eq!(message.value(), Some(n.to_string().as_bytes()));
            assert_eq!(message.offset(), n);
        }
    };
    sim.block_on(secs(60), story).expect("it ends");
}

/// Fault 2.
#[test]
fn a_batch_whose_answer_is_lost_is_written_once() {
    let sim = sim(1, 1);
    let fault = Rule::new(Fault::DisconnectAfter).api(ApiKey::Produce);
    sim.cluster(|cluster| cluster.inject(fault.times(3)));
    let client = sim.client(sim.config());
    let writer = client.writer(TOPIC).expect("a writer");
    let story = async {
        let written = writer.write(Record::new("a")).await.expect("written");
        assert_eq!(written.offset, Some(0));
        let written = writer.write(Record::new("b")).await.expect("written");
        assert_eq!(written.offset, Some(1));
    };
    sim.block_on(secs(60), story).expect("it ends");
    assert_eq!(log(&sim, 0), ["a", "b"]);
}

#[test]
fn a_reader_goes_on_where_another_stopped() {
    let sim = sim(1, 1);
    let client = sim.client(sim.config());
    let writer = client.writer(TOPIC).expect("a writer");
    let story = async {
        let values: Vec<_> = (0..10).map(|n| n.to_string()).collect();
        let records: Vec<_> = values.iter().map(Record::new).collect();
        writer.write_messages(&records).await.expect("written");
        let mut next = 0;
        for stop in [3, 4, 10] {
            let config = ReaderConfig::partition(TOPIC, 0).start(StartOffset::At(next));
            let mut reader = client.reader(config).expect("a reader");
            while next < stop {
                let message = reader.read_message().await.expect("read").expect("one");
                assert_eq!(message.offset(), next);
                assert_eq!(message.value(), Some(values[next as usize].as_bytes()));
                next += 1;
            }
        }
    };
    sim.block_on(secs(60), story).expect("it ends");
}

#[test]
fn what_was_accepted_is_delivered_after_the_last_handle_is_dropped() {
    let sim = sim(3, 6);
    let client = sim.client(sim.config());
    let story = async {
        let writer = client.writer(TOPIC).expect("a writer");
        let mut receipts = Vec::new();
        for n in 0..100 {
            let value = n.to_string();
            receipts.push(writer.send(&[Record::new(&value)]).await.expect("room"));
        }
        drop((writer, client));
        for receipt in receipts {
            receipt.await.expect("written");
        }
        sim.sleep(secs(1)).await;
        assert_eq!((sim.tasks(Role::Control), sim.tasks(Role::Link)), (0, 0));
    };
    sim.block_on(secs(60), story).expect("it ends");
}

#[test]
fn every_receipt_resolves_when_the_drivers_are_gone() {
    for role in [Role::Control, Role::Link] {
        for after in 0..40 {
            let sim = sim(2, 4);
            let client = sim.client(sim.config());
            let writer = client.writer(TOPIC).expect("a writer");
            let mut reader = client.reader(TOPIC).expect("a reader");
            let story = async {
                let mut receipts = Vec::new();
                for n in 0..20 {
                    sim.sleep(ms(1)).await;
                    if n * 2 == after {
                        sim.abort(role);
                    }
                    let value = n.to_string();
                    let sent = writer.send(&[Record::new(&value)]).await;
                    receipts.extend(sent.ok());
                }
                sim.abort(role);
                for receipt in receipts {
                    let resolved = receipt.await;
                    if let (Err(error), Role::Control) = (resolved, role) {
                        let kind = error.first().map(|e| e.kind());
                        assert_eq!(kind, Some(ErrorKind::Closed), "{error}");
                    }
                }
                if role == Role::Control {
                    while reader.read_message().await.expect("closed").is_some() {}
                    let error = writer.write(Record::new("late")).await;
                    let error = error.expect_err("closed");
                    assert_eq!(error.first().map(|e| e.kind()), Some(ErrorKind::Closed));
                }
            };
            let ended = sim.block_on(secs(200), story);
            assert!(ended.is_ok(), "{role:?} gone after {after} ms: {ended:?}");
        }
    }
}

#[test]
fn a_topic_that_does_not_exist_is_an_error_within_seconds() {
    let sim = sim(1, 1);
    let client = sim.client(sim.config());
    let story = async {
        let writer = client.writer("nope").expect("a writer");
        let error = writer.write(Record::new("a")).await.expect_err("no topic");
        assert_eq!(
            error.first().map(|e| e.kind()),
            Some(ErrorKind::UnknownTopic)
        );
        assert_eq!(error.outcome(), Outcome::NotWritten);
        let mut reader = client.reader("nope").expect("a reader");
        let error = reader.read_message().await.expect_err("no topic");
        assert_eq!(error.kind(), ErrorKind::UnknownTopic);
    };
    sim.block_on(secs(10), story).expect("it ends");
}

/// Fault 54.
#[test]
fn a_close_ends_by_its_limit_and_hands_back_what_is_left() {
    let sim = sim(1, 1);
    let client = sim.client(sim.config());
    let writer = client.writer(TOPIC).expect("a writer");
    let story = async {
        writer.write(Record::new("a")).await.expect("written");
        sim.crash(1);
        let receipt = writer.send(&[Record::new("b"), Record::new("c")]).await;
        let receipt = receipt.expect("room");
        let from = sim.now();
        let undelivered = client.close(secs(5)).await.expect_err("no broker");
        assert_eq!(sim.now() - from, secs(5));
        let values = undelivered.messages().iter().map(|m| m.message.value());
        assert_eq!(
            values.collect::<Vec<_>>(),
            [Some(&b"b"[..]), Some(&b"c"[..])]
        );
        assert_eq!(receipt.await.expect_err("not written").failed(), 2);
    };
    sim.block_on(secs(60), story).expect("it ends");
}

/// Fault 55.
#[test]
fn a_full_buffer_makes_senders_wait_and_a_sender_that_leaves_passes_its_turn_on() {
    let sim = sim(1, 1);
    let client = sim.client(sim.config());
    let config = WriterConfig::topic(TOPIC)
        .batch_bytes(1 << 10)
        .buffer_bytes(1 << 10);
    let writer = client.writer(config).expect("a writer");
    let story = async {
        writer.write(Record::new("a")).await.expect("written");
        sim.crash(1);
        let large = "b".repeat(900);
        let held = writer.send(&[Record::new(&large)]).await.expect("room");
        let error = writer.try_send(&[Record::new(&large)]).expect_err("full");
        assert_eq!(error.kind(), ErrorKind::Full);
        let leaves = writer.write(Record::new(&large));
        assert!(sim.timeout(secs(1), leaves).await.is_none());
        let waiting = writer.write(Record::new("c"));
        let back = async {
            sim.sleep(secs(1)).await;
            sim.restart(1);
        };
        let flushed = async {
            back.await;
            writer.flush().await
        };
        let (mut waiting, mut flushed) = (std::pin::pin!(waiting), std::pin::pin!(flushed));
        let (mut written, mut flush) = (None, None);
        std::future::poll_fn(|cx| {
            use std::{future::Future, task::Poll};
            if written.is_none()
                && let Poll::Ready(result) = waiting.as_mut().poll(cx)
            {
                written = Some(result);
            }
            if flush.is_none()
                && let Poll::Ready(result) = flushed.as_mut().poll(cx)
            {
                flush = Some(result);
            }
            match written.is_some() && flush.is_some() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
        held.await.expect("written");
        written.expect("polled").expect("written");
        flush.expect("polled").expect("open");
    };
    sim.block_on(secs(60), story).expect("it ends");
    assert_eq!(log(&sim, 0).len(), 3);
}

/// Fault 36.
#[test]
fn clock_jumps_and_a_long_pause_cause_no_burst() {
    let sim = sim(3, 6);
    let client = sim.client(sim.config());
    let writer = client.writer(TOPIC).expect("a writer");
    let mut reader = client.reader(TOPIC).expect("a reader");
    let story = async {
        for n in 0..20 {
            let value = n.to_string();
            writer.write(Record::new(&value)).await.expect("written");
            sim.jump(if n % 2 == 0 { 3_600_000 } else { -3_600_000 });
            if n % 5 == 0 {
                sim.suspend(secs(600));
            }
            reader.read_message().await.expect("read").expect("one");
        }
        let dials = sim.dials();
        let most = most_in_a_second(&dials[6..]);
        assert!(most <= 18, "{most} dials in one second");
    };
    sim.block_on(secs(60 * 60), story).expect("it ends");
}

/// Fault 46.
#[test]
fn partitions_that_are_added_are_written_to_and_read_from_their_beginning() {
    let sim = sim(2, 1);
    let client = sim.client(sim.config().metadata_max_age(secs(5)));
    let writer = client.writer(TOPIC).expect("a writer");
    let mut reader = client.reader(TOPIC).expect("a reader");
    let story = async {
        writer.write(Record::new("a")).await.expect("written");
        reader.read_message().await.expect("read").expect("one");
        let early = writer.write(Record::new("b").partition(1)).await;
        let early = early.expect_err("there is no such partition yet");
        assert_eq!(
            early.first().map(|e| e.kind()),
            Some(ErrorKind::UnknownPartition)
        );
        sim.cluster(|cluster| cluster.add_partitions(TOPIC, 2));
        sim.sleep(secs(6)).await;
        writer
            .write(Record::new("b").partition(1))
            .await
            .expect("written");
        let message = reader.read_message().await.expect("read").expect("one");
        assert_eq!((message.partition(), message.offset()), (1, 0));
    };
    sim.block_on(secs(60), story).expect("it ends");
}

/// Fault 38.
#[test]
fn a_peer_that_accepts_and_says_nothing_is_left_at_the_setup_timeout() {
    let faults = Faults {
        until: secs(30),
        mute_per_mille: 1_000,
        ..Faults::none()
    };
    let sim = Sim::new(1, Config::new(), faults);
    sim.cluster(|cluster| cluster.create_topic(TOPIC, 1));
    let client = sim.client(sim.config());
    let story = async {
        let error = client.ready().await.expect_err("nobody speaks");
        assert_eq!(error.kind(), ErrorKind::Unreachable);
        assert!(sim.now() < secs(3), "{:?}", sim.now());
        let writer = client.writer(TOPIC).expect("a writer");
        writer
            .write(Record::new("a"))
            .await
            .expect("written in the end");
        assert!(sim.now() < secs(36), "{:?}", sim.now());
        // whatever was made and left is gone
        client.close(secs(1)).await.expect("nothing is left");
        drop((writer, client));
        sim.sleep(secs(5)).await;
        assert_eq!((sim.tasks(Role::Control), sim.tasks(Role::Link)), (0, 0));
    };
    sim.block_on(secs(120), story).expect("it ends");
}

/// CN-25: a thousand tasks on one connection are served in turn: between a question and its answer each of the others gets
/// two answers at most, whatever the order in which tasks run.
#[test]
fn a_thousand_tasks_on_one_connection_are_served_in_turn() {
    const TASKS: u64 = 1000;
    const TURNS: u64 = 10;
    for seed in 0..3 {
        let faults = Faults {
            shuffle: true,
            ..Faults::none()
        };
        let sim = Sim::new(seed, Config::new(), faults);
        let client = sim.client(sim.config());
        let answered = Rc::new(Cell::new(0));
        let story = async {
            client.ready().await.expect("a broker");
            let tasks: Vec<_> = (0..TASKS)
                .map(|_| {
                    let (client, answered) = (client.clone(), answered.clone());
                    sim.spawn(async move {
                        for _ in 0..TURNS {
                            let before = answered.get();
                            let call = client.call_broker(1, MetadataRequest::default());
                            call.await.expect("an answer");
                            let others = answered.get() - before;
                            assert!(others <= 2 * TASKS, "{others} were answered meanwhile");
                            answered.set(answered.get() + 1);
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await;
            }
        };
        sim.block_on(Duration::from_secs(60), story)
            .expect("it ends");
        assert_eq!(answered.get(), TASKS * TURNS);
    }
}
