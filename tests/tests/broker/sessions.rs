//! Fetch sessions, and consumers that are sent to a replica nearby.

use super::*;

/// A full request that wants a session, for these partitions of `t`.
fn full(partitions: &[i32]) -> FetchRequest {
    let mut request = fetch("t", 0, 0);
    (request.session_id, request.session_epoch) = (0, 0);
    request.topics[0].partitions = partitions
        .iter()
        .map(|p| {
            FetchPartition::build(|f| {
                (f.partition, f.partition_max_bytes) = (*p, 1_000_000);
                f.current_leader_epoch = -1;
            })
        })
        .collect();
    request
}

/// The next request of a session, with what changes.
fn next(session: i32, epoch: i32, changed: &[(i32, i64)]) -> FetchRequest {
    let mut request = full(&changed.iter().map(|(p, _)| *p).collect::<Vec<_>>());
    (request.session_id, request.session_epoch) = (session, epoch);
    for (partition, (_, offset)) in request.topics[0].partitions.iter_mut().zip(changed) {
        partition.fetch_offset = *offset;
    }
    if changed.is_empty() {
        request.topics.clear();
    }
    request
}

/// Which partitions an answer has, and how many records of each.
fn counts(answer: &FetchResponse) -> Vec<(i32, usize)> {
    let all = answer.responses.iter().flat_map(|t| &t.partitions);
    all.map(|p| (p.partition_index, read(p).len())).collect()
}

fn world() -> (World, ConnId) {
    let mut world = World::new(Config::new());
    world.cluster.create_topic("t", 3);
    let conn = world.cluster.connect(1);
    (world, conn)
}

#[test]
fn a_session_says_only_what_has_changed() {
    let (mut world, conn) = world();
    let answer = world.call(conn, 12, &full(&[0, 1, 2]));
    let session = answer.session_id;
    assert!(session > 0);
    assert_eq!(counts(&answer), [(0, 0), (1, 0), (2, 0)], "a full answer");
    let answer = world.call(conn, 12, &next(session, 1, &[]));
    assert_eq!((answer.session_id, counts(&answer)), (session, vec![]));
    world.produce(conn, "t", 1, batch(&["a", "b"]));
    let answer = world.call(conn, 12, &next(session, 2, &[]));
    assert_eq!(counts(&answer), [(1, 2)]);
    // the position is the client's: it is asked again until it moves on
    let answer = world.call(conn, 12, &next(session, 3, &[]));
    assert_eq!(counts(&answer), [(1, 2)]);
    let answer = world.call(conn, 12, &next(session, 4, &[(1, 2)]));
    assert_eq!(counts(&answer), []);
    // an error is said every time
    let answer = world.call(conn, 12, &next(session, 5, &[(2, 7)]));
    assert_eq!(counts(&answer), [(2, 0)]);
    let answer = world.call(conn, 12, &next(session, 6, &[]));
    let code = ErrorCode(answer.responses[0].partitions[0].error_code);
    assert_eq!(code, ErrorCode::OFFSET_OUT_OF_RANGE);
    // and what is forgotten is not said any more
    let mut request = next(session, 7, &[]);
    request.forgotten_topics_data = vec![ForgottenTopic::build(|t| {
        t.topic = "t".to_owned();
        t.partitions = vec![2];
    })];
    assert_eq!(counts(&world.call(conn, 12, &request)), []);
}

#[test]
fn a_fetch_within_a_session_waits_for_all_of_its_partitions() {
    let (mut world, conn) = world();
    let session = world.call(conn, 12, &full(&[0, 1])).session_id;
    let mut request = next(session, 1, &[]);
    request.max_wait_ms = 60_000;
    let id = world.send(conn, 12, &request);
    assert_eq!(world.cluster.poll_response(), None);
    let other = world.cluster.connect(1);
    world.produce(other, "t", 1, batch(&["a"]));
    // the answer to the waiting one came first
    let answer = world.answer::<FetchRequest>(conn, 12, id);
    assert_eq!(counts(&answer), [(1, 1)]);
}

#[test]
fn a_session_goes_on_by_its_id_and_the_next_epoch() {
    let (mut world, conn) = world();
    let session = world.call(conn, 12, &full(&[0])).session_id;
    // over any connection
    let other = world.cluster.connect(1);
    let mut code = |conn, session, epoch| {
        ErrorCode(world.call(conn, 12, &next(session, epoch, &[])).error_code)
    };
    assert_eq!(code(other, session, 1), ErrorCode::NONE);
    let epoch = ErrorCode::INVALID_FETCH_SESSION_EPOCH;
    assert_eq!(code(conn, session, 1), epoch, "the same again");
    assert_eq!(code(conn, session, 3), epoch, "one left out");
    assert_eq!(code(conn, session, 2), ErrorCode::NONE);
    let unknown = ErrorCode::FETCH_SESSION_ID_NOT_FOUND;
    assert_eq!(code(conn, session + 1, 1), unknown);
    // epoch -1 closes it
    assert_eq!(code(conn, session, -1), ErrorCode::NONE);
    assert_eq!(code(conn, session, 3), unknown);
    let session = world.call(conn, 12, &full(&[0])).session_id;
    world.cluster.expire_sessions(1);
    let answer = world.call(conn, 12, &next(session, 1, &[]));
    assert_eq!(ErrorCode(answer.error_code), unknown);
}

#[test]
fn who_had_records_comes_last_the_next_time() {
    let (mut world, conn) = world();
    for partition in 0..3 {
        world.produce(conn, "t", partition, batch(&["a"]));
    }
    let mut request = full(&[0, 1, 2]);
    request.max_bytes = 1;
    let answer = world.call(conn, 12, &request);
    assert_eq!(counts(&answer), [(0, 1), (1, 0), (2, 0)]);
    for (epoch, due) in [(1, 1), (2, 2), (3, 0)] {
        let mut request = next(answer.session_id, epoch, &[]);
        request.max_bytes = 1;
        assert_eq!(counts(&world.call(conn, 12, &request)), [(due, 1)]);
    }
}

#[test]
fn a_full_cache_makes_room_and_no_more() {
    let (mut world, conn) = world();
    let first = world.call(conn, 12, &full(&[0])).session_id;
    let second = world.call(conn, 12, &full(&[0])).session_id;
    for _ in 0..999 {
        world.call(conn, 12, &full(&[0]));
    }
    let mut code = |session| ErrorCode(world.call(conn, 12, &next(session, 1, &[])).error_code);
    assert_eq!(code(first), ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
    assert_eq!(code(second), ErrorCode::NONE);
}

#[test]
fn a_consumer_is_sent_to_the_replica_in_its_rack() {
    let mut world = World::new(Config::new().brokers(2));
    world.cluster.create_topic("t", 1);
    world.cluster.set_rack(1, "red");
    world.cluster.set_rack(2, "blue");
    world.cluster.set_leader("t", 0, 1);
    let leader = world.cluster.connect(1);
    world.produce(leader, "t", 0, batch(&["a"]));
    let mut look = |broker, rack: &str| {
        let conn = world.cluster.connect(broker);
        let mut request = fetch("t", 0, 0);
        request.rack_id = rack.to_owned();
        // being sent elsewhere is no reason to wait
        (request.max_wait_ms, request.min_bytes) = (60_000, 1_000_000);
        if rack == "red" || broker == 2 {
            request.min_bytes = 1;
        }
        let answer = world.call(conn, 12, &request);
        let partition = &answer.responses[0].partitions[0];
        (partition.preferred_read_replica, read(partition).len())
    };
    assert_eq!(look(1, "blue"), (2, 0));
    assert_eq!(look(2, "blue"), (-1, 1), "which serves it");
    assert_eq!(look(1, "red"), (-1, 1));
    world.cluster.stop(2);
    let mut request = fetch("t", 0, 0);
    request.rack_id = "blue".to_owned();
    let answer = world.call(leader, 12, &request);
    let partition = &answer.responses[0].partitions[0];
    assert_eq!(partition.preferred_read_replica, -1, "it is down");
}
