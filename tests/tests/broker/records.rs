//! Produce, Fetch, ListOffsets and InitProducerId: what is stored, and what is refused.

use super::*;

#[test]
fn what_is_written_is_read_in_every_version() {
    let mut world = World::new(Config::new());
    let id = world.cluster.create_topic("t", 2);
    let conn = world.cluster.connect(1);
    let mut expected = Vec::new();
    for version in 3..=13 {
        let offset = expected.len() as i64;
        let mut request = produce("t", 1, batch(&["x", "y"]));
        request.topic_data[0].topic_id = id;
        let answer = world.call(conn, version, &request);
        let partition = &answer.responses[0].partition_responses[0];
        assert_eq!(
            (partition.index, partition.error_code, partition.base_offset),
            (1, 0, offset)
        );
        assert_eq!(
            partition.log_start_offset,
            if version >= 5 { 0 } else { -1 }
        );
        expected.extend([(offset, "x".to_owned()), (offset + 1, "y".to_owned())]);
    }
    for version in 4..=18 {
        let mut request = fetch("t", 1, 0);
        request.topics[0].topic_id = id;
        let answer = world.call(conn, version, &request);
        let partition = &answer.responses[0].partitions[0];
        assert_eq!(
            (
                partition.error_code,
                partition.high_watermark,
                partition.last_stable_offset
            ),
            (0, 22, 22)
        );
        assert_eq!(read(partition), expected);
    }
    // a fetch from inside a batch returns the whole batch
    let answer = world.call(conn, 12, &fetch("t", 1, 21));
    assert_eq!(read(&answer.responses[0].partitions[0]), expected[20..]);
    assert_eq!(world.cluster.log("t", 1).values(), ["x", "y"].repeat(11));
    assert_eq!(world.cluster.log("t", 0).end_offset(), 0);
}

#[test]
fn batches_that_kafka_would_not_store_are_refused() {
    let mut world = World::new(Config::new());
    world
        .cluster
        .create_topic_with("t", 1, &[("max.message.bytes", "300")]);
    let conn = world.cluster.connect(1);
    let good = batch(&["a"]);
    let altered = |at: usize, byte: u8| {
        let mut bytes = good.to_vec();
        bytes[at] = byte;
        Bytes::from(bytes)
    };
    let with = |change: &dyn Fn(&mut BatchHeader)| batch_with(&["a"], change);
    const INVALID: ErrorCode = ErrorCode::INVALID_RECORD;
    const CORRUPT: ErrorCode = ErrorCode::CORRUPT_MESSAGE;
    let cases = [
        ("no batch", Bytes::new(), INVALID),
        ("two batches", [&good[..], &good].concat().into(), INVALID),
        ("cut", good.slice(..good.len() - 1), INVALID),
        (
            "large",
            batch(&["a".repeat(300).as_str()]),
            ErrorCode::MESSAGE_TOO_LARGE,
        ),
        ("base offset", altered(7, 1), INVALID),
        ("magic 1", altered(16, 1), INVALID),
        ("magic 3", altered(16, 3), CORRUPT),
        ("length", altered(11, 3), CORRUPT),
        ("checksum", altered(good.len() - 1, 9), CORRUPT),
        ("count 2", with(&|h| h.record_count = 2), INVALID),
        ("count 0", with(&|h| h.record_count = 0), INVALID),
        ("delta -1", with(&|h| h.last_offset_delta = -1), INVALID),
        (
            "delta max",
            with(&|h| h.last_offset_delta = i32::MAX),
            INVALID,
        ),
        (
            "control",
            with(&|h| h.attributes = BatchHeader::CONTROL),
            INVALID,
        ),
        (
            "sequence",
            with(&|h| (h.producer_id, h.base_sequence) = (1, -1)),
            INVALID,
        ),
        // counted twice, there once: only reading the records through finds it
        (
            "lie",
            with(&|h| (h.record_count, h.last_offset_delta) = (2, 1)),
            INVALID,
        ),
        (
            "codec 5",
            with(&|h| h.attributes = 5),
            ErrorCode::UNKNOWN_SERVER_ERROR,
        ),
    ];
    for (case, records, expected) in cases {
        assert_eq!(
            world.produce(conn, "t", 0, records),
            (expected, -1),
            "{case}"
        );
    }
    // what follows the batch and is none is cut off
    let with_tail = [&good[..], &[0; 9]].concat().into();
    assert_eq!(world.produce(conn, "t", 0, with_tail), (ErrorCode::NONE, 0));
    assert_eq!(world.cluster.log("t", 0).values(), ["a"]);
}

#[test]
fn transactions_are_refused() {
    let mut world = World::new(Config::new());
    world.cluster.create_topic("t", 1);
    let conn = world.cluster.connect(1);
    let records = batch_with(&["a"], &|h| h.attributes = BatchHeader::TRANSACTIONAL);
    let mut request = produce("t", 0, records);
    let nameless = code(&world.call(conn, 9, &request));
    assert_eq!(nameless, ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    request.transactional_id = Some("tx".to_owned());
    let named = code(&world.call(conn, 9, &request));
    assert_eq!(named, ErrorCode::INVALID_TXN_STATE);
}

#[test]
fn zstd_is_for_those_who_know_it() {
    let mut world = World::new(Config::new());
    world.cluster.create_topic("t", 1);
    let conn = world.cluster.connect(1);
    let request = produce("t", 0, batch_with(&["a"], &|h| h.attributes = 4));
    let early = code(&world.call(conn, 6, &request));
    assert_eq!(early, ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
    assert_eq!(code(&world.call(conn, 7, &request)), ErrorCode::NONE);
}

#[test]
fn produce_says_what_is_wrong_with_the_place() {
    let mut world = World::new(Config::new().brokers(2));
    world.cluster.create_topic("t", 2);
    let conn = world.cluster.connect(1);
    let cases = [
        ("no", 0, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        ("t", 2, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        ("t", -1, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        ("t", 1, ErrorCode::NOT_LEADER_OR_FOLLOWER),
    ];
    for (topic, partition, expected) in cases {
        let result = world.produce(conn, topic, partition, batch(&["a"]));
        assert_eq!(result, (expected, -1), "{topic} {partition}");
    }
    let by_unknown_id = world.call(conn, 13, &produce("t", 0, batch(&["a"])));
    assert_eq!(code(&by_unknown_id), ErrorCode::UNKNOWN_TOPIC_ID);
    // acks come after the place
    for (topic, expected) in [
        ("t", ErrorCode::INVALID_REQUIRED_ACKS),
        ("no", ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
    ] {
        let mut odd_acks = produce(topic, 0, batch(&["a"]));
        odd_acks.acks = 2;
        assert_eq!(code(&world.call(conn, 9, &odd_acks)), expected);
    }
}

#[test]
fn without_acks_there_is_no_answer_and_an_error_ends_the_connection() {
    let mut world = World::new(Config::new());
    world.cluster.create_topic("t", 1);
    let conn = world.cluster.connect(1);
    let unacknowledged = |partition| {
        let mut request = produce("t", partition, batch(&["a"]));
        request.acks = 0;
        request
    };
    world.send(conn, 9, &unacknowledged(0));
    // the next answer is of the next request
    assert_eq!(
        world.call(conn, 9, &metadata(&["t"])).topics[0].error_code,
        0
    );
    assert_eq!(world.cluster.log("t", 0).end_offset(), 1);
    world.send(conn, 9, &unacknowledged(5));
    assert_eq!(world.closed(), [conn]);
}

#[test]
fn sequences_follow_the_rules_of_kafka() {
    let mut world = World::new(Config::new());
    world.cluster.create_topic("t", 2);
    let conn = world.cluster.connect(1);
    let first = world.call(
        conn,
        5,
        &InitProducerIdRequest::build(|m| m.transactional_id = None),
    );
    let second = world.call(
        conn,
        0,
        &InitProducerIdRequest::build(|m| m.transactional_id = None),
    );
    assert_ne!(first.producer_id, second.producer_id);
    assert_eq!((first.error_code, first.producer_epoch), (0, 0));
    let id = first.producer_id;
    let write = |world: &mut World, epoch, sequence, count: usize| {
        world.produce(
            conn,
            "t",
            0,
            sequenced(id, epoch, sequence, &vec!["v"; count]),
        )
    };
    const FINE: ErrorCode = ErrorCode::NONE;
    const DISORDER: ErrorCode = ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER;
    // six batches of two
    for n in 0..6 {
        assert_eq!(write(&mut world, 0, 2 * n, 2), (FINE, i64::from(2 * n)));
    }
    // any of the last five again: the offset that it has, and nothing is written
    for n in 1..6 {
        assert_eq!(write(&mut world, 0, 2 * n, 2), (FINE, i64::from(2 * n)));
    }
    assert_eq!(world.cluster.log("t", 0).end_offset(), 12);
    // older, or of another length: only disorder is known
    assert_eq!(write(&mut world, 0, 0, 2).0, DISORDER);
    assert_eq!(write(&mut world, 0, 10, 1).0, DISORDER);
    // a gap
    assert_eq!(write(&mut world, 0, 13, 1).0, DISORDER);
    assert_eq!(write(&mut world, 0, 12, 1), (FINE, 12));
    // a new epoch begins at 0, and ends the old one
    assert_eq!(write(&mut world, 1, 13, 1).0, DISORDER);
    assert_eq!(write(&mut world, 1, 0, 1), (FINE, 13));
    assert_eq!(
        write(&mut world, 0, 13, 1).0,
        ErrorCode::INVALID_PRODUCER_EPOCH
    );
    assert_eq!(
        write(&mut world, 0, 12, 1).0,
        ErrorCode::INVALID_PRODUCER_EPOCH
    );
    assert_eq!(write(&mut world, 1, 1, 1), (FINE, 14));
    // another partition knows nothing of it: any sequence will do
    let elsewhere = sequenced(id, 1, 700, &["v"]);
    assert_eq!(world.produce(conn, "t", 1, elsewhere), (FINE, 0));
    // nor does this one, once it has forgotten
    world.cluster.expire_producers("t", 0);
    assert_eq!(write(&mut world, 1, i32::MAX - 1, 2), (FINE, 15));
    // after the last number comes 0
    assert_eq!(write(&mut world, 1, 0, 1), (FINE, 17));
}

#[test]
fn a_sequence_may_wrap_inside_a_batch() {
    let mut world = World::new(Config::new());
    world.cluster.create_topic("t", 1);
    let conn = world.cluster.connect(1);
    let mut write =
        |sequence, values: &[&str]| world.produce(conn, "t", 0, sequenced(1, 0, sequence, values));
    assert_eq!(write(i32::MAX - 1, &["a", "b", "c"]), (ErrorCode::NONE, 0));
    assert_eq!(write(1, &["d"]), (ErrorCode::NONE, 3));
    assert_eq!(write(i32::MAX - 1, &["a", "b", "c"]), (ErrorCode::NONE, 0));
}

#[test]
fn producer_ids_are_for_idempotence_only() {
    let mut world = World::new(Config::new());
    let conn = world.cluster.connect(1);
    let transactional =
        InitProducerIdRequest::build(|m| m.transactional_id = Some("tx".to_owned()));
    assert_eq!(
        ErrorCode(world.call(conn, 5, &transactional).error_code),
        ErrorCode::INVALID_REQUEST
    );
    let half = InitProducerIdRequest::build(|m| {
        m.transactional_id = None;
        m.producer_id = 7;
    });
    assert_eq!(
        ErrorCode(world.call(conn, 5, &half).error_code),
        ErrorCode::INVALID_REQUEST
    );
}

#[test]
fn a_fetch_keeps_to_its_limits_but_for_the_first_batch() {
    let mut world = World::new(Config::new());
    world.cluster.create_topic("t", 2);
    let conn = world.cluster.connect(1);
    for partition in [0, 0, 0, 1] {
        world.produce(conn, "t", partition, batch(&["0123456789"]));
    }
    let size = batch(&["0123456789"]).len();
    let mut sizes = |partition_max_bytes: usize, max_bytes: usize| {
        let mut request = fetch("t", 0, 0);
        request.max_bytes = max_bytes as i32;
        request.topics[0].partitions = [0, 1].map(|p| fetch_partition(p, 0)).to_vec();
        request.topics[0]
            .partitions
            .iter_mut()
            .for_each(|p| p.partition_max_bytes = partition_max_bytes as i32);
        let answer = world.call(conn, 12, &request);
        let len = |p: &PartitionData| p.records.as_ref().map_or(0, Bytes::len);
        answer.responses[0]
            .partitions
            .iter()
            .map(len)
            .collect::<Vec<_>>()
    };
    assert_eq!(sizes(1000, 1000), [3 * size, size]);
    // the last batch is cut where the limit is, as Kafka does
    assert_eq!(sizes(size + 7, 1000), [size + 7, size]);
    // one whole batch, however small the limit, but only from the first partition that has one
    assert_eq!(sizes(1, 1000), [size, 0]);
    assert_eq!(sizes(0, 0), [size, 0]);
    assert_eq!(sizes(1000, 2 * size), [2 * size, 0]);
    assert_eq!(sizes(1000, 4 * size - 1), [3 * size, 0]);
    // limits below zero break it
    let mut negative = fetch("t", 0, 0);
    negative.max_bytes = -5;
    negative.min_bytes = -5;
    negative.topics[0].partitions[0].partition_max_bytes = -5;
    let answer = world.call(conn, 12, &negative);
    let partition = &answer.responses[0].partitions[0];
    assert_eq!(
        ErrorCode(partition.error_code),
        ErrorCode::UNKNOWN_SERVER_ERROR
    );
}

#[test]
fn a_fetch_says_what_is_wrong_with_the_place() {
    let mut world = World::new(Config::new().brokers(2).default_replication_factor(1));
    let id = world.cluster.create_topic("t", 2);
    let conn = world.cluster.connect(1);
    world.produce(conn, "t", 0, batch(&["a", "b"]));
    world.cluster.delete_records("t", 0, 1);
    let mut result = |version, topic: &str, partition, offset, epoch| {
        let mut request = fetch(topic, partition, offset);
        request.max_wait_ms = 60_000;
        request.topics[0].topic_id = if topic == "t" { id } else { Uuid([7; 16]) };
        request.topics[0].partitions[0].current_leader_epoch = epoch;
        ErrorCode(world.call(conn, version, &request).responses[0].partitions[0].error_code)
    };
    assert_eq!(
        result(12, "no", 0, 1, -1),
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
    );
    assert_eq!(result(13, "no", 0, 1, -1), ErrorCode::UNKNOWN_TOPIC_ID);
    assert_eq!(
        result(13, "t", 5, 1, -1),
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
    );
    assert_eq!(result(12, "t", 1, 0, -1), ErrorCode::NOT_LEADER_OR_FOLLOWER);
    assert_eq!(result(12, "t", 0, 0, -1), ErrorCode::OFFSET_OUT_OF_RANGE);
    assert_eq!(result(12, "t", 0, 3, -1), ErrorCode::OFFSET_OUT_OF_RANGE);
    assert_eq!(result(12, "t", 0, -1, -1), ErrorCode::OFFSET_OUT_OF_RANGE);
    assert_eq!(result(12, "t", 0, 1, 1), ErrorCode::UNKNOWN_LEADER_EPOCH);
    assert_eq!(result(12, "t", 0, 1, 0), ErrorCode::NONE);
}

#[test]
fn any_replica_answers_consumers_from_version_11_on() {
    let mut world = World::new(Config::new().brokers(3).default_replication_factor(2));
    world.cluster.create_topic("t", 1);
    let (leader, follower) = (world.cluster.connect(1), world.cluster.connect(2));
    let stranger = world.cluster.connect(3);
    world.produce(leader, "t", 0, batch(&["a"]));
    let mut result = |conn, version, epoch| {
        let mut request = fetch("t", 0, 0);
        request.topics[0].partitions[0].current_leader_epoch = epoch;
        ErrorCode(world.call(conn, version, &request).responses[0].partitions[0].error_code)
    };
    assert_eq!(result(follower, 11, -1), ErrorCode::NONE);
    assert_eq!(result(follower, 12, 0), ErrorCode::NONE);
    assert_eq!(result(follower, 12, 1), ErrorCode::UNKNOWN_LEADER_EPOCH);
    assert_eq!(result(follower, 10, -1), ErrorCode::NOT_LEADER_OR_FOLLOWER);
    assert_eq!(result(stranger, 12, -1), ErrorCode::NOT_LEADER_OR_FOLLOWER);
    // who has no replica does not know the epoch either
    assert_eq!(result(stranger, 12, 7), ErrorCode::NOT_LEADER_OR_FOLLOWER);
}

#[test]
fn offsets_are_found_by_end_and_by_time() {
    let mut world = World::new(Config::new().brokers(2));
    world.cluster.create_topic("t", 2);
    let conn = world.cluster.connect(1);
    world.produce(conn, "t", 0, timed(&[1000, 3000, 2000]));
    world.cluster.set_leader("t", 0, 1);
    world.produce(conn, "t", 0, timed(&[5000]));
    let mut found = |version, partition, timestamp| {
        let answer = world.call(conn, version, &list_offsets("t", partition, timestamp));
        let p = &answer.topics[0].partitions[0];
        (
            ErrorCode(p.error_code),
            p.offset,
            p.timestamp,
            p.leader_epoch,
        )
    };
    const FINE: ErrorCode = ErrorCode::NONE;
    assert_eq!(found(1, 0, -1), (FINE, 4, -1, -1));
    assert_eq!(found(4, 0, -1), (FINE, 4, -1, 1));
    assert_eq!(found(11, 0, -2), (FINE, 0, -1, 0));
    assert_eq!(found(11, 0, 0), (FINE, 0, 1000, 0));
    assert_eq!(found(11, 0, 1001), (FINE, 1, 3000, 0));
    assert_eq!(found(11, 0, 3001), (FINE, 3, 5000, 1));
    assert_eq!(found(11, 0, 5001), (FINE, -1, -1, -1));
    assert_eq!(found(7, 0, -3), (FINE, 3, 5000, 1));
    assert_eq!(found(6, 0, -3).0, ErrorCode::UNSUPPORTED_VERSION);
    assert_eq!(found(8, 0, -4), (FINE, 0, -1, 0));
    assert_eq!(found(9, 0, -5), (FINE, -1, -1, -1));
    assert_eq!(found(11, 1, -1).0, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    assert_eq!(found(11, 2, -1).0, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let mut twice = list_offsets("t", 0, -1);
    twice.topics.push(twice.topics[0].clone());
    let answer = world.call(conn, 11, &twice);
    let topics: Vec<_> = answer.topics.iter().map(|t| t.partitions.len()).collect();
    assert_eq!(topics, [1], "one answer for both");
    assert_eq!(
        ErrorCode(answer.topics[0].partitions[0].error_code),
        ErrorCode::INVALID_REQUEST
    );
}
