//! Followers that lag, logs that are cut off, transactions, and quotas: as a test scripts them.

use super::*;

const ACKS_ALL: i16 = -1;

/// A topic of one partition on two brokers, and a connection to its leader.
fn led() -> (World, ConnId, i32) {
    let mut world = World::new(Config::new().brokers(2));
    world.cluster.create_topic("t", 1);
    let leader = world.cluster.leader("t", 0).expect("a leader");
    let conn = world.cluster.connect(leader);
    (world, conn, leader)
}

fn waiting_produce(values: &[&str], timeout_ms: i32) -> ProduceRequest {
    let mut request = produce("t", 0, batch(values));
    (request.acks, request.timeout_ms) = (ACKS_ALL, timeout_ms);
    request
}

#[test]
fn consumers_read_what_all_replicas_have() {
    let (mut world, conn, _) = led();
    world.cluster.set_lag("t", 0, 2);
    for value in ["a", "b", "c"] {
        let mut request = produce("t", 0, batch(&[value]));
        request.acks = 1;
        assert_eq!(code(&world.call(conn, 9, &request)), ErrorCode::NONE);
    }
    let log = world.cluster.log("t", 0);
    assert_eq!((log.high_watermark(), log.end_offset()), (1, 3));
    let answer = world.call(conn, 12, &fetch("t", 0, 0));
    let partition = &answer.responses[0].partitions[0];
    assert_eq!((read(partition).len(), partition.high_watermark), (1, 1));
    // beyond is not out of range
    let answer = world.call(conn, 12, &fetch("t", 0, 2));
    assert!(read(&answer.responses[0].partitions[0]).is_empty());
    // who waits at the high watermark gets more when it moves
    let mut request = fetch("t", 0, 1);
    request.max_wait_ms = 60_000;
    let id = world.send(conn, 12, &request);
    assert_eq!(world.cluster.poll_response(), None);
    world.cluster.set_lag("t", 0, 0);
    let answer = world.answer::<FetchRequest>(conn, 12, id);
    assert_eq!(read(&answer.responses[0].partitions[0]).len(), 2);
    // and it never goes back
    world.cluster.set_lag("t", 0, 10);
    assert_eq!(world.cluster.log("t", 0).high_watermark(), 3);
}

#[test]
fn a_produce_with_acks_all_waits_for_the_followers() {
    let (mut world, conn, _) = led();
    world.cluster.set_lag("t", 0, 1);
    let id = world.send(conn, 9, &waiting_produce(&["a"], 60_000));
    assert_eq!(world.cluster.poll_response(), None);
    assert_eq!(world.cluster.log("t", 0).end_offset(), 1);
    world.cluster.set_lag("t", 0, 0);
    let answer = world.answer::<ProduceRequest>(conn, 9, id);
    assert_eq!(code(&answer), ErrorCode::NONE);
    assert_eq!(answer.responses[0].partition_responses[0].base_offset, 0);
}

#[test]
fn a_produce_whose_followers_do_not_come_times_out_and_is_written() {
    let (mut world, conn, _) = led();
    world.cluster.set_lag("t", 0, 1);
    let id = world.send(conn, 9, &waiting_produce(&["a"], 500));
    world.pass(499);
    assert_eq!(world.cluster.poll_response(), None);
    world.pass(1);
    let answer = world.answer::<ProduceRequest>(conn, 9, id);
    assert_eq!(code(&answer), ErrorCode::REQUEST_TIMED_OUT);
    assert_eq!(world.cluster.log("t", 0).end_offset(), 1);
    // one that is gone is no matter
    let gone = world
        .cluster
        .connect(world.cluster.leader("t", 0).expect("a leader"));
    world.send(gone, 9, &waiting_produce(&["b"], 500));
    world.cluster.disconnect(gone);
    world.pass(1_000);
    assert_eq!(world.cluster.poll_response(), None);
}

#[test]
fn a_produce_that_waits_learns_of_a_new_leader() {
    let (mut world, conn, leader) = led();
    world.cluster.set_lag("t", 0, 1);
    let id = world.send(conn, 9, &waiting_produce(&["a"], 60_000));
    world.cluster.set_leader("t", 0, 3 - leader);
    let answer = world.answer::<ProduceRequest>(conn, 9, id);
    assert_eq!(code(&answer), ErrorCode::NOT_LEADER_OR_FOLLOWER);
}

#[test]
fn a_log_that_is_cut_off_forgets_what_was_behind() {
    let (mut world, conn, leader) = led();
    let first = idempotent(7, 0, 0, &["a", "b"]);
    let second = idempotent(7, 0, 2, &["c"]);
    for records in [first.clone(), second.clone()] {
        assert_eq!(world.produce(conn, "t", 0, records).0, ErrorCode::NONE);
    }
    world.cluster.truncate("t", 0, 2);
    let log = world.cluster.log("t", 0);
    assert_eq!((log.end_offset(), log.high_watermark()), (2, 2));
    // the producer is known as it was before
    assert_eq!(world.produce(conn, "t", 0, first), (ErrorCode::NONE, 0));
    assert_eq!(world.produce(conn, "t", 0, second), (ErrorCode::NONE, 2));
    // inside a batch, all of it goes
    world.cluster.truncate("t", 0, 1);
    assert_eq!(world.cluster.log("t", 0).end_offset(), 0);
    world.cluster.set_leader("t", 0, 3 - leader);
    let conn = world.cluster.connect(3 - leader);
    let answer = world.call(conn, 12, &fetch("t", 0, 2));
    let code = ErrorCode(answer.responses[0].partitions[0].error_code);
    assert_eq!(code, ErrorCode::OFFSET_OUT_OF_RANGE);
}

#[test]
fn what_followers_did_not_have_is_lost_with_the_leader() {
    let (mut world, conn, leader) = led();
    let write = |world: &mut World, sequence, values: &[&str]| {
        let mut request = produce("t", 0, idempotent(7, 0, sequence, values));
        request.acks = 1;
        let answer = world.call(conn, 9, &request);
        let partition = &answer.responses[0].partition_responses[0];
        (ErrorCode(partition.error_code), partition.base_offset)
    };
    assert_eq!(write(&mut world, 0, &["a"]), (ErrorCode::NONE, 0));
    world.cluster.set_lag("t", 0, 1);
    // by whole batches: of two records that are one behind, neither
    assert_eq!(write(&mut world, 1, &["b", "c"]), (ErrorCode::NONE, 1));
    assert_eq!(world.cluster.log("t", 0).high_watermark(), 1);
    // the same leader again has it all
    world.cluster.unset_leader("t", 0);
    world.cluster.set_leader("t", 0, leader);
    assert_eq!(world.cluster.log("t", 0).end_offset(), 3);
    world.cluster.set_leader("t", 0, 3 - leader);
    assert_eq!(world.cluster.log("t", 0).values(), ["a"]);
    // and so has the state of the producer
    world.cluster.set_leader("t", 0, leader);
    let gap = ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER;
    assert_eq!(write(&mut world, 3, &["d"]).0, gap);
    assert_eq!(write(&mut world, 1, &["b", "c"]), (ErrorCode::NONE, 1));
}

fn idempotent(id: i64, epoch: i16, sequence: i32, values: &[&str]) -> Bytes {
    build(values, |h| {
        (h.producer_id, h.producer_epoch, h.base_sequence) = (id, epoch, sequence);
    })
}

fn transactional(id: i64, values: &[&str]) -> Bytes {
    build(values, |h| {
        (h.producer_id, h.producer_epoch) = (id, 0);
        h.attributes |= BatchHeader::TRANSACTIONAL;
    })
}

fn build(values: &[&str], change: impl FnOnce(&mut BatchHeader)) -> Bytes {
    let mut builder = BatchBuilder::new(Vec::new());
    values.iter().for_each(|v| builder.push(&Record::new(v), 0));
    let (mut header, body) = builder.finish();
    change(&mut header);
    [&header.write(&body)[..], &body].concat().into()
}

#[test]
fn readers_of_committed_records_stop_at_the_first_open_transaction() {
    let (mut world, conn, _) = led();
    let committed = |offset| {
        let mut request = fetch("t", 0, offset);
        request.isolation_level = 1;
        request
    };
    world.produce(conn, "t", 0, batch(&["plain"]));
    assert_eq!(
        world.cluster.append("t", 0, transactional(5, &["a", "b"])),
        1
    );
    assert_eq!(world.cluster.append("t", 0, transactional(6, &["c"])), 3);
    let log = world.cluster.log("t", 0);
    assert_eq!((log.last_stable_offset(), log.high_watermark()), (1, 4));
    let look = |world: &mut World, offset| {
        let answer = world.call(conn, 12, &committed(offset));
        let partition = &answer.responses[0].partitions[0];
        let aborted = partition.aborted_transactions.clone().unwrap_or_default();
        let aborted: Vec<_> = aborted
            .iter()
            .map(|a| (a.producer_id, a.first_offset))
            .collect();
        let batches = Batches::new(partition.records.clone().unwrap_or_default());
        let count: i32 = batches
            .map(|b| b.expect("sound").header().record_count)
            .sum();
        (partition.last_stable_offset, count, aborted)
    };
    assert_eq!(look(&mut world, 0), (1, 1, vec![]));
    // the second of the two commits: nothing moves, for the first is open
    assert_eq!(world.cluster.end_transaction("t", 0, (6, 0), true), 4);
    assert_eq!(look(&mut world, 0), (1, 1, vec![]));
    // and when that is aborted, readers are told what to skip: three records, and two markers
    assert_eq!(world.cluster.end_transaction("t", 0, (5, 0), false), 5);
    assert_eq!(look(&mut world, 0), (6, 6, vec![(5, 1)]));
    assert_eq!(look(&mut world, 4), (6, 2, vec![(5, 1)]));
    assert_eq!(look(&mut world, 6), (6, 0, vec![]));
    // who reads everything is told nothing
    let answer = world.call(conn, 12, &fetch("t", 0, 0));
    assert_eq!(answer.responses[0].partitions[0].aborted_transactions, None);
    // cut off before the marker, it is open again
    world.cluster.truncate("t", 0, 5);
    assert_eq!(world.cluster.log("t", 0).last_stable_offset(), 1);
}

#[test]
fn a_throttled_answer_says_so_and_the_next_request_waits() {
    let (mut world, conn, _) = led();
    world
        .cluster
        .set_throttle(ApiKey::Produce, Duration::from_millis(300));
    let answer = world.call(conn, 9, &produce("t", 0, batch(&["a"])));
    assert_eq!(answer.throttle_time_ms, 300);
    let id = world.send(conn, 9, &produce("t", 0, batch(&["b"])));
    let other = world.cluster.connect(1);
    assert_eq!(world.call(other, 9, &metadata(&["t"])).throttle_time_ms, 0);
    world.pass(299);
    assert_eq!(world.cluster.log("t", 0).end_offset(), 1);
    world.pass(1);
    assert_eq!(
        world.answer::<ProduceRequest>(conn, 9, id).throttle_time_ms,
        300
    );
    world.cluster.set_throttle(ApiKey::Produce, Duration::ZERO);
    world.pass(300);
    let answer = world.call(conn, 9, &produce("t", 0, batch(&["c"])));
    assert_eq!(answer.throttle_time_ms, 0);
}
