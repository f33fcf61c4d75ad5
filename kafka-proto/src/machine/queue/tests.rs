use std::time::Duration;

use super::*;

const ID: ProducerId = ProducerId { id: 7, epoch: 0 };

/// A queue and a clock; receipts are numbers of records.
struct Fixture {
    queue: Queue<&'static str>,
    now: Now,
    producer: ProducerId,
}

impl Fixture {
    /// A queue whose producer the broker knows.
    fn new() -> Self {
        let mut fixture = Self::fresh();
        fixture.queue.producer = Some(ID);
        fixture.queue.confirmed = true;
        fixture
    }

    /// A queue that has never sent anything.
    fn fresh() -> Self {
        let limits = Limits {
            batch_bytes: 1000,
            linger: Duration::ZERO,
            delivery_timeout: Duration::from_secs(10),
            in_flight: 5,
            idempotent: true,
        };
        Self {
            queue: Queue::new(limits),
            now: now(),
            producer: ID,
        }
    }

    /// One batch of one record.
    fn push(&mut self, name: &'static str) {
        self.queue.open(Vec::new(), self.now);
        self.queue.push(&Record::new(name), self.now).expect("open");
        self.queue.attach(name, true);
    }

    fn poll(&mut self) -> Option<Drained> {
        if let Some(from) = self.queue.wants_bump()
            && from == self.producer
        {
            self.producer.epoch += 1;
        }
        self.queue.poll_batch(Some(self.producer), self.now.instant)
    }

    fn poll_all(&mut self) -> Vec<Drained> {
        std::iter::from_fn(|| self.poll()).collect()
    }

    fn written(&mut self, batch: &Drained, offset: i64) {
        self.queue.handle_written(
            batch.id,
            BatchWritten {
                base_offset: Some(offset),
                append_time: None,
            },
        );
    }

    fn refused(&mut self, batch: &Drained, code: ErrorCode) -> Verdict {
        self.queue
            .handle_refused(batch.id, code, None, self.now, |_| {
                Duration::from_millis(100)
            })
    }

    fn expire(&mut self, id: BatchId) {
        self.queue.expire(id, timed_out(Outcome::Unknown));
    }

    fn after(&mut self, ms: u64) {
        self.now.instant += Duration::from_millis(ms);
    }

    /// What resolved since the last call: name, and offset or what became of the data.
    fn resolved(&mut self) -> Vec<(&'static str, Result<i64, Outcome>)> {
        let each = |r: Resolved<&'static str>| {
            (
                r.receipts[0],
                r.result
                    .map(|w| w.base_offset.unwrap_or(-1))
                    .map_err(|e| e.outcome()),
            )
        };
        std::iter::from_fn(|| self.queue.poll_resolved())
            .map(each)
            .collect()
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "tests need a moment to begin with"
)]
fn now() -> Now {
    Now {
        instant: Instant::now(),
        unix_ms: 1_000,
    }
}

fn sequences(batches: &[Drained]) -> Vec<(i16, i32)> {
    batches
        .iter()
        .map(|b| (b.header.producer_epoch, b.header.base_sequence))
        .collect()
}

#[test]
fn batches_leave_in_order_at_most_five_at_a_time_and_resolve_once() {
    let mut f = Fixture::new();
    for name in ["a", "b", "c", "d", "e", "f"] {
        f.push(name);
    }
    let sent = f.poll_all();
    assert_eq!(sequences(&sent), [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4)]);
    f.written(&sent[0], 10);
    f.written(&sent[0], 10);
    assert_eq!(f.resolved(), [("a", Ok(10))]);
    assert_eq!(sequences(&f.poll_all()), [(0, 5)]);
    assert_eq!(f.queue.in_flight(), 5);
}

/// Faults 2 and 8: the retry is the same batch under the same number.
#[test]
fn a_lost_connection_sends_the_same_numbers_again_once_all_are_back() {
    let mut f = Fixture::new();
    f.push("a");
    f.push("b");
    let sent = f.poll_all();
    f.queue.handle_lost(sent[0].id, true);
    assert!(f.poll().is_none(), "b is still out");
    f.queue.handle_lost(sent[1].id, false);
    f.push("c");
    let again = f.poll_all();
    assert_eq!(sequences(&again), [(0, 0), (0, 1), (0, 2)]);
    assert_eq!(again[0].body, sent[0].body);
    assert_eq!(
        f.refused(&again[0], ErrorCode::DUPLICATE_SEQUENCE_NUMBER),
        Verdict::Resolved
    );
    f.written(&again[1], 1);
    assert_eq!(f.resolved(), [("a", Ok(-1)), ("b", Ok(1))]);
}

/// Fault 5: a leader moves; later batches come back out of order and are sent again behind the first.
#[test]
fn a_moved_leader_makes_all_start_over_in_order_after_a_pause() {
    let mut f = Fixture::new();
    f.push("a");
    f.push("b");
    let sent = f.poll_all();
    assert_eq!(
        f.refused(&sent[0], ErrorCode::NOT_LEADER_OR_FOLLOWER),
        Verdict::RetryElsewhere
    );
    assert_eq!(
        f.refused(&sent[1], ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER),
        Verdict::Retry
    );
    assert!(f.poll().is_none(), "the pause");
    assert_eq!(
        f.queue.poll_ready_at(f.now.instant),
        Some(f.now.instant + Duration::from_millis(100))
    );
    f.after(100);
    assert_eq!(sequences(&f.poll_all()), [(0, 0), (0, 1)]);
    assert_eq!(f.resolved(), []);
}

/// Fault 34, KIP-360: what follows a refused batch goes on under a new epoch, from zero.
#[test]
fn a_batch_refused_for_good_leaves_a_gap_that_a_new_epoch_closes() {
    let mut f = Fixture::new();
    f.push("a");
    f.push("b");
    f.push("c");
    let sent = f.poll_all();
    f.written(&sent[0], 0);
    assert_eq!(
        f.refused(&sent[1], ErrorCode::MESSAGE_TOO_LARGE),
        Verdict::Resolved
    );
    assert!(f.poll().is_none(), "c is still out");
    assert_eq!(
        f.refused(&sent[2], ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER),
        Verdict::Retry
    );
    assert_eq!(
        f.resolved(),
        [("a", Ok(0)), ("b", Err(Outcome::NotWritten))]
    );
    f.after(100);
    let again = f.poll_all();
    assert_eq!(sequences(&again), [(1, 0)]);
    f.written(&again[0], 1);
    assert_eq!(f.resolved(), [("c", Ok(1))]);
    f.push("d");
    assert_eq!(sequences(&f.poll_all()), [(1, 1)]);
}

/// Fault 30: numbers are never exchanged under a batch that may be in the log.
#[test]
fn a_batch_that_may_be_written_is_never_sent_under_a_new_number() {
    let mut f = Fixture::new();
    f.push("a");
    f.push("b");
    let sent = f.poll_all();
    f.queue.handle_lost(sent[0].id, true);
    f.queue.handle_lost(sent[1].id, true);
    // another partition of the session has raised the epoch meanwhile
    f.producer.epoch = 1;
    let again = f.poll_all();
    assert_eq!(sequences(&again), [(0, 0), (0, 1)]);
    // the broker has forgotten the producer: it cannot tell, and neither can we
    assert_eq!(
        f.refused(&again[0], ErrorCode::UNKNOWN_PRODUCER_ID),
        Verdict::Resolved
    );
    assert_eq!(
        f.refused(&again[1], ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER),
        Verdict::Resolved
    );
    assert_eq!(
        f.resolved(),
        [("a", Err(Outcome::Unknown)), ("b", Err(Outcome::Unknown))]
    );
    f.push("c");
    assert_eq!(sequences(&f.poll_all()), [(1, 0)]);
}

#[test]
fn an_acknowledged_batch_behind_one_of_unknown_outcome_proves_that_there_is_no_gap() {
    let mut f = Fixture::new();
    f.push("a");
    f.after(1_000);
    f.push("b");
    let sent = f.poll_all();
    f.after(9_500);
    let overdue: Vec<_> = f.queue.overdue(f.now.instant).collect();
    assert_eq!(overdue, [sent[0].id]);
    f.expire(sent[0].id);
    f.expire(sent[0].id);
    assert_eq!(f.resolved(), [("a", Err(Outcome::Unknown))]);
    f.push("c");
    assert!(f.poll().is_none(), "not before the answer of a is in");
    f.queue.handle_lost(sent[0].id, true);
    f.written(&sent[1], 5);
    assert_eq!(f.resolved(), [("b", Ok(5))]);
    assert_eq!(sequences(&f.poll_all()), [(0, 2)]);
}

#[test]
fn an_unknown_outcome_with_nothing_behind_it_raises_the_epoch() {
    let mut f = Fixture::new();
    f.push("a");
    let sent = f.poll_all();
    f.after(10_000);
    f.expire(sent[0].id);
    f.queue.handle_lost(sent[0].id, true);
    assert!(f.queue.is_empty());
    f.push("b");
    assert_eq!(sequences(&f.poll_all()), [(1, 0)]);
    assert_eq!(f.resolved(), [("a", Err(Outcome::Unknown))]);
}

/// Found by the simulator: the record joined the batch that had been given up, and took its outcome.
#[test]
fn a_record_pushed_after_a_batch_was_given_up_gets_a_batch_of_its_own() {
    let mut f = Fixture::new();
    f.push("a");
    let sent = f.poll_all();
    f.after(10_000);
    f.expire(sent[0].id);
    assert!(!f.queue.fits(&Record::new("b")));
    f.push("b");
    f.written(&sent[0], 3);
    let next = f.poll_all();
    f.written(&next[0], 4);
    assert_eq!(f.resolved(), [("a", Err(Outcome::Unknown)), ("b", Ok(4))]);
}

/// A late answer to a batch that was given up still tells whether numbers go on.
#[test]
fn a_late_acknowledgement_changes_no_outcome_but_spares_the_epoch() {
    let mut f = Fixture::new();
    f.push("a");
    let sent = f.poll_all();
    f.after(10_000);
    f.expire(sent[0].id);
    f.written(&sent[0], 3);
    f.push("b");
    assert_eq!(sequences(&f.poll_all()), [(0, 1)]);
    assert_eq!(f.resolved(), [("a", Err(Outcome::Unknown))]);
}

/// Fault 3: nobody to send to.
#[test]
fn what_never_left_is_certainly_not_written_when_its_time_is_over() {
    let mut f = Fixture::new();
    f.push("a");
    assert_eq!(
        f.queue.poll_timeout(),
        Some(f.now.instant + Duration::from_secs(10))
    );
    f.queue.handle_timeout(f.now.instant);
    assert_eq!(f.resolved(), []);
    f.after(10_000);
    f.queue.handle_timeout(f.now.instant);
    f.queue.handle_timeout(f.now.instant);
    assert_eq!(f.resolved(), [("a", Err(Outcome::NotWritten))]);
}

/// A gap behind an unresolved batch is still there when that batch is acknowledged.
#[test]
fn an_acknowledgement_closes_only_gaps_before_it() {
    let mut f = Fixture::new();
    f.push("a");
    f.push("b");
    f.push("c");
    let sent = f.poll_all();
    assert_eq!(
        f.refused(&sent[0], ErrorCode::NOT_ENOUGH_REPLICAS),
        Verdict::Retry
    );
    assert_eq!(
        f.refused(&sent[1], ErrorCode::TOPIC_AUTHORIZATION_FAILED),
        Verdict::Resolved
    );
    assert_eq!(
        f.refused(&sent[2], ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER),
        Verdict::Retry
    );
    f.after(100);
    // nothing of a or c is in the log, so both may have new numbers
    let again = f.poll_all();
    assert_eq!(sequences(&again), [(1, 0)]);
    f.written(&again[0], 1);
    assert_eq!(sequences(&f.poll_all()), [(1, 1)]);
}

/// Found by the simulator: a broker takes any first number from a producer that it does not know, so the second batch was
/// written without the first.
#[test]
fn one_batch_is_in_flight_until_the_broker_knows_the_producer() {
    let mut f = Fixture::fresh();
    f.push("a");
    f.push("b");
    f.push("c");
    let first = f.poll_all();
    assert_eq!(sequences(&first), [(0, 0)]);
    f.refused(&first[0], ErrorCode::NOT_ENOUGH_REPLICAS);
    f.after(100);
    let first = f.poll_all();
    assert_eq!(sequences(&first), [(0, 0)]);
    f.written(&first[0], 0);
    assert_eq!(sequences(&f.poll_all()), [(0, 1), (0, 2)]);
}

/// A broker takes a number only behind the one before it.
#[test]
fn a_batch_lost_behind_a_refused_one_is_certainly_not_written() {
    let mut f = Fixture::new();
    f.push("a");
    f.push("b");
    let sent = f.poll_all();
    f.refused(&sent[0], ErrorCode::NOT_ENOUGH_REPLICAS);
    f.queue.handle_lost(sent[1].id, true);
    f.after(10_000);
    f.queue.handle_timeout(f.now.instant);
    let not_written = Err(Outcome::NotWritten);
    assert_eq!(f.resolved(), [("a", not_written), ("b", not_written)]);
}

#[test]
fn linger_holds_a_batch_nobody_waits_for_until_it_is_flushed_full_or_old() {
    let mut f = Fixture::new();
    f.queue.limits.linger = Duration::from_millis(5);
    f.queue.open(Vec::new(), f.now);
    f.queue.push(&Record::new("a"), f.now);
    f.queue.attach("a", false);
    assert!(f.poll().is_none());
    assert_eq!(
        f.queue.poll_ready_at(f.now.instant),
        Some(f.now.instant + Duration::from_millis(5))
    );
    f.after(5);
    assert!(f.poll().is_some());
    f.queue.open(Vec::new(), f.now);
    f.queue.push(&Record::new("b"), f.now);
    assert!(f.poll().is_none());
    f.queue.flush();
    assert!(f.poll().is_some());
}

/// The machine against a broker with Java's sequence rules, under random loss, refusals and expiry.
#[test]
fn whatever_happens_the_log_holds_each_accepted_record_once_and_in_order() {
    for seed in 0..3_000 {
        random_run(seed);
    }
}

fn random_run(seed: u64) {
    use crate::machine::backoff::Random;
    let mut random = Random::new(seed);
    let mut f = Fixture::fresh();
    let names: Vec<&'static str> = vec![
        "00", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "13", "14",
        "15", "16", "17", "18",
    ];
    let mut next = 0;
    // the broker: (epoch, sequence, name) in the log, as one partition sees one producer
    let mut log: Vec<(i16, i32, Vec<u8>)> = Vec::new();
    let mut wire: VecDeque<Drained> = VecDeque::new();
    let mut outcomes: Vec<(&str, Result<i64, Outcome>)> = Vec::new();
    for _ in 0..400 {
        match random.below(8) {
            0 if next < names.len() => {
                f.push(names[next]);
                next += 1;
            }
            1 | 2 => wire.extend(f.poll()),
            3 => f.after(random.below(400)),
            4 if random.below(4) == 0 => {
                // the connection dies: some requests were handled, some left, some did not
                let reached = random.below(wire.len() as u64 + 1) as usize;
                for (i, batch) in std::mem::take(&mut wire).into_iter().enumerate() {
                    if i < reached {
                        let _ = broker(&mut log, &batch);
                    }
                    f.queue.handle_lost(
                        batch.id,
                        i < reached || random.below(2) == 0 && i == reached,
                    );
                }
            }
            5 => {
                f.queue.handle_timeout(f.now.instant);
                let overdue: Vec<_> = f.queue.overdue(f.now.instant).collect();
                overdue.into_iter().for_each(|id| f.expire(id));
            }
            _ => {
                let Some(batch) = wire.pop_front() else {
                    continue;
                };
                match random.below(12) {
                    0 => drop(f.refused(&batch, ErrorCode::NOT_LEADER_OR_FOLLOWER)),
                    1 => drop(f.refused(&batch, ErrorCode::MESSAGE_TOO_LARGE)),
                    2 => {
                        let _ = broker(&mut log, &batch);
                        f.refused(&batch, ErrorCode::REQUEST_TIMED_OUT);
                    }
                    _ => match broker(&mut log, &batch) {
                        Ok(offset) => f.written(&batch, offset),
                        Err(code) => drop(f.refused(&batch, code)),
                    },
                }
            }
        }
        outcomes.extend(f.resolved());
    }
    for _ in 0..100 {
        f.after(200);
        wire.extend(f.poll_all());
        while let Some(batch) = wire.pop_front() {
            match broker(&mut log, &batch) {
                Ok(offset) => f.written(&batch, offset),
                Err(code) => drop(f.refused(&batch, code)),
            }
        }
        f.queue.handle_timeout(f.now.instant);
        outcomes.extend(f.resolved());
    }
    assert!(f.queue.is_empty(), "seed {seed}: everything resolves");
    assert_eq!(outcomes.len(), next, "seed {seed}: once each");
    let position = |name: &str| log.iter().position(|(_, _, n)| n == name.as_bytes());
    for (name, outcome) in &outcomes {
        match outcome {
            Ok(offset) if *offset >= 0 => assert_eq!(
                position(name),
                Some(*offset as usize),
                "seed {seed}: {name}"
            ),
            Ok(_) => assert!(position(name).is_some(), "seed {seed}: {name} is lost"),
            Err(Outcome::Unknown) => {}
            Err(_) => assert_eq!(
                position(name),
                None,
                "seed {seed}: {name} is written after all"
            ),
        }
    }
    let logged: Vec<_> = log.iter().map(|(_, _, name)| name.clone()).collect();
    assert!(logged.is_sorted(), "seed {seed}: order: {logged:?}");
    assert!(
        logged.windows(2).all(|w| w[0] != w[1]),
        "seed {seed}: twice: {logged:?}"
    );
}

/// What Kafka's `ProducerAppendInfo` decides, for batches of one record.
fn broker(log: &mut Vec<(i16, i32, Vec<u8>)>, batch: &Drained) -> Result<i64, ErrorCode> {
    let (epoch, sequence) = (batch.header.producer_epoch, batch.header.base_sequence);
    let size = 61 + batch.body.len();
    let bytes: Bytes = [&batch.header.write(&batch.body)[..], &batch.body]
        .concat()
        .into();
    assert_eq!(bytes.len(), size);
    let read = crate::record::Batches::new(bytes)
        .next()
        .expect("one")
        .expect("good");
    let name = read
        .iter()
        .next()
        .expect("one")
        .expect("good")
        .value
        .expect("a value")
        .to_vec();
    if let Some(at) = log
        .iter()
        .rev()
        .take(5)
        .position(|(e, s, _)| (*e, *s) == (epoch, sequence))
    {
        return Ok((log.len() - 1 - at) as i64);
    }
    let next = match log.last() {
        Some((last, _, _)) if epoch < *last => return Err(ErrorCode::INVALID_PRODUCER_EPOCH),
        Some((last, sequence, _)) if epoch == *last => sequence + 1,
        Some(_) => 0,
        // a producer without state may begin anywhere
        None => sequence,
    };
    if sequence != next {
        return Err(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    }
    log.push((epoch, sequence, name));
    Ok(log.len() as i64 - 1)
}

#[test]
fn a_batch_that_is_given_up_in_flight_takes_no_more_records() {
    let mut f = Fixture::new();
    f.push("a");
    let sent = f.poll().expect("ready");
    f.expire(sent.id);
    assert_eq!(f.resolved(), [("a", Err(Outcome::Unknown))]);
    assert!(!f.queue.fits(&Record::new("b")), "it would never be sent");
    f.push("b");
    f.written(&sent, 0);
    let next = f.poll().expect("what came later leaves");
    f.written(&next, 1);
    assert_eq!(f.resolved(), [("b", Ok(1))]);
}
