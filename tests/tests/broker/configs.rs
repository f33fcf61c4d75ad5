//! What topic configs do: `min.insync.replicas`, `message.timestamp.type`, `retention.ms`, `compression.type`.

use super::*;

/// 2023-11-14T22:13:20Z.
const NOW: i64 = 1_700_000_000_000;
const HOUR_MS: i64 = 3_600_000;

/// A topic of one partition on three brokers, led by the first, with the clock set.
fn world(configs: &[(&str, &str)]) -> (World, ConnId) {
    let mut world = World::new(Config::new().brokers(3));
    world.cluster.create_topic_with("t", 1, configs);
    world.cluster.set_leader("t", 0, 1);
    world.cluster.set_clock(NOW);
    let conn = world.cluster.connect(1);
    (world, conn)
}

fn acks(acks: i16, value: &str) -> ProduceRequest {
    let mut request = produce("t", 0, batch(&[value]));
    request.acks = acks;
    request
}

#[test]
fn too_few_replicas_in_sync_refuse_what_wants_all() {
    let (mut world, conn) = world(&[("min.insync.replicas", "2")]);
    assert_eq!(code(&world.call(conn, 9, &acks(-1, "a"))), ErrorCode::NONE);
    world.cluster.stop(2);
    assert_eq!(code(&world.call(conn, 9, &acks(-1, "b"))), ErrorCode::NONE);
    world.cluster.stop(3);
    let answer = world.call(conn, 9, &acks(-1, "c"));
    assert_eq!(code(&answer), ErrorCode::NOT_ENOUGH_REPLICAS);
    let partition = &answer.responses[0].partition_responses[0];
    assert_eq!((partition.base_offset, partition.log_start_offset), (-1, 0));
    assert_eq!(world.cluster.log("t", 0).values(), ["a", "b"]);
    // one that comes back is enough
    world.cluster.start(2);
    assert_eq!(code(&world.call(conn, 9, &acks(-1, "d"))), ErrorCode::NONE);
    assert_eq!(world.cluster.log("t", 0).values(), ["a", "b", "d"]);
}

/// `Partition.maybeIncrementLeaderHW` of Kafka 3.7 and later.
#[test]
fn what_the_leader_alone_has_is_not_read_before_replicas_are_back() {
    let (mut world, conn) = world(&[("min.insync.replicas", "2")]);
    for broker in [2, 3] {
        world.cluster.stop(broker);
    }
    assert_eq!(code(&world.call(conn, 9, &acks(1, "a"))), ErrorCode::NONE);
    let log = world.cluster.log("t", 0);
    assert_eq!((log.high_watermark(), log.end_offset()), (0, 1));
    let reader = world.cluster.connect(1);
    let mut request = fetch("t", 0, 0);
    request.max_wait_ms = 60_000;
    let id = world.send(reader, 12, &request);
    assert_eq!(world.cluster.poll_response(), None);
    world.cluster.start(3);
    let answer = world.answer::<FetchRequest>(reader, 12, id);
    let got = read(&answer.responses[0].partitions[0]);
    assert_eq!(got, [(0, "a".to_owned())]);
}

#[test]
fn no_more_replicas_are_asked_for_than_there_are() {
    let (mut world, conn) = world(&[("min.insync.replicas", "9")]);
    assert_eq!(code(&world.call(conn, 9, &acks(-1, "a"))), ErrorCode::NONE);
    world.cluster.stop(2);
    let refused = code(&world.call(conn, 9, &acks(-1, "b")));
    assert_eq!(refused, ErrorCode::NOT_ENOUGH_REPLICAS);
}

#[test]
fn records_get_the_time_of_the_broker_where_the_topic_says_so() {
    // a release that takes messages of before batches, too
    let mut world = World::new(Config::new().as_version(Release::V2_8));
    let configs = [("message.timestamp.type", "LogAppendTime")];
    world.cluster.create_topic_with("t", 1, &configs);
    world.cluster.set_clock(NOW);
    let conn = world.cluster.connect(1);
    // the clock runs from the first call on
    world.pass(0);
    world.pass(5_000);
    let mut answers = Vec::new();
    for (sequence, version) in [(0, 2), (0, 3), (2, 9)] {
        let request = match version {
            2 => produce("t", 0, message_set_of_one()),
            _ => produce("t", 0, sequenced(7, 0, sequence, &["x", "y"])),
        };
        answers.push(world.written(conn, version, &request));
    }
    let stamped = NOW + 5_000;
    assert_eq!(answers, [(0, stamped), (1, stamped), (3, stamped)]);
    // each batch has its checksum anew, and readers get that time for every record
    let records = world.cluster.log("t", 0).bytes();
    for batch in Batches::new(records) {
        let batch = batch.expect("the checksum is right");
        assert!(batch.header().is_append_time());
        for record in &batch {
            assert_eq!(record.expect("sound").timestamp, stamped);
        }
    }
    // consumers of before batches get it too
    let answer = world.call(conn, 2, &fetch("t", 0, 0));
    let records = answer.responses[0].partitions[0].records.clone();
    for message in Batches::new(records.expect("messages")) {
        for record in &message.expect("sound") {
            assert_eq!(record.expect("sound").timestamp, stamped);
        }
    }
    // a duplicate gets the time of the first one
    world.pass(1_000);
    let again = produce("t", 0, sequenced(7, 0, 2, &["x", "y"]));
    assert_eq!(world.written(conn, 9, &again), (3, stamped));
    // and it is found by that time
    let found = world.call(conn, 6, &list_offsets("t", 0, stamped));
    let found = &found.topics[0].partitions[0];
    assert_eq!((found.offset, found.timestamp), (0, stamped));
    let later = world.call(conn, 6, &list_offsets("t", 0, stamped + 1));
    assert_eq!(later.topics[0].partitions[0].offset, -1);
}

#[test]
fn records_keep_their_time_without_that() {
    let (mut world, conn) = world(&[("message.timestamp.type", "CreateTime")]);
    assert_eq!(world.written(conn, 9, &acks(1, "a")), (0, -1));
    let records = world.cluster.log("t", 0).records().expect("sound");
    assert_eq!(records[0].timestamp, 1_000);
}

#[test]
fn records_grow_old() {
    let (mut world, conn) = world(&[("retention.ms", "3600000")]);
    world.pass(0);
    for (offset, age) in [(0, HOUR_MS), (1, HOUR_MS - 2), (2, HOUR_MS - 5), (3, -1)] {
        let written = world.produce(conn, "t", 0, timed(&[NOW - age]));
        assert_eq!(written, (ErrorCode::NONE, offset));
    }
    let start = |world: &World| world.cluster.log("t", 0).start_offset();
    assert_eq!(start(&world), 0, "an hour is not more than an hour");
    world.pass(1);
    assert_eq!(start(&world), 1);
    world.pass(5);
    assert_eq!(start(&world), 3);
    let answer = world.call(conn, 12, &fetch("t", 0, 2));
    let partition = &answer.responses[0].partitions[0];
    assert_eq!(partition.error_code, ErrorCode::OFFSET_OUT_OF_RANGE.code());
    // an operator's clock that jumps takes the rest
    world.cluster.set_clock(NOW + 3 * HOUR_MS);
    let log = world.cluster.log("t", 0);
    assert_eq!((log.start_offset(), log.end_offset()), (4, 4));
}

#[test]
fn what_is_young_keeps_what_stands_behind_it_and_followers_keep_what_they_lack() {
    let (mut world, conn) = world(&[("retention.ms", "1000")]);
    world.pass(0);
    let start = |world: &World| world.cluster.log("t", 0).start_offset();
    world.cluster.set_lag("t", 0, 1);
    for request in [timed(&[NOW - 5_000]), timed(&[NOW + 60_000]), timed(&[0])] {
        let mut request = produce("t", 0, request);
        request.acks = 1;
        let written = code(&world.call(conn, 9, &request));
        assert_eq!(written, ErrorCode::NONE);
    }
    world.pass(1);
    assert_eq!(
        start(&world),
        1,
        "the second is young, and the third behind it"
    );
    world.pass(120_000);
    assert_eq!(start(&world), 2, "followers do not have the third");
    world.cluster.set_lag("t", 0, 0);
    world.pass(1);
    assert_eq!(start(&world), 3);
}

#[test]
fn records_are_kept_without_retention_or_where_only_the_cleaner_deletes() {
    for configs in [
        &[][..],
        &[("retention.ms", "-1")],
        &[("cleanup.policy", "compact"), ("retention.ms", "1")],
    ] {
        let (mut world, conn) = world(configs);
        world.produce(conn, "t", 0, timed(&[1]));
        world.pass(HOUR_MS as u64);
        assert_eq!(world.cluster.log("t", 0).start_offset(), 0, "{configs:?}");
    }
    let both = [("cleanup.policy", "compact,delete"), ("retention.ms", "1")];
    let (mut world, conn) = world(&both);
    world.produce(conn, "t", 0, timed(&[1]));
    world.pass(1);
    assert_eq!(world.cluster.log("t", 0).start_offset(), 1);
}

/// `KafkaApis.handleFetchRequest`: it goes by the topic, not by what is in it.
#[test]
fn a_topic_of_zstd_is_refused_to_consumers_before_it() {
    let (mut world, conn) = world(&[("compression.type", "zstd")]);
    world.produce(conn, "t", 0, batch(&["a"]));
    for version in 4..=11 {
        let answer = world.call(conn, version, &fetch("t", 0, 0));
        let partition = &answer.responses[0].partitions[0];
        let refused = version < 10;
        let expected = match refused {
            true => ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
            false => ErrorCode::NONE,
        };
        assert_eq!(ErrorCode(partition.error_code), expected, "{version}");
        assert_eq!(read(partition).is_empty(), refused, "{version}");
    }
}

#[test]
fn batches_of_zstd_go_out_as_they_are_but_are_never_written_anew() {
    let config = Config::new().as_version(Release::V2_8);
    let mut world = World::new(config);
    world.cluster.create_topic("t", 1);
    let conn = world.cluster.connect(1);
    let compressed = Codecs::new().compress(Compression::Zstd, &batch(&["a"])[BatchHeader::SIZE..]);
    let body = compressed.expect("zstd is there");
    let mut header = BatchHeader::parse(&batch(&["a"])).expect("a batch");
    header.attributes = 4;
    let records = [&header.write(&body)[..], &body].concat().into();
    assert_eq!(world.produce(conn, "t", 0, records), (ErrorCode::NONE, 0));
    for version in [4, 9, 10] {
        let answer = world.call(conn, version, &fetch("t", 0, 0));
        assert_eq!(read(&answer.responses[0].partitions[0]).len(), 1);
    }
    for version in [0, 3] {
        let answer = world.call(conn, version, &fetch("t", 0, 0));
        let partition = &answer.responses[0].partitions[0];
        let refused = ErrorCode(partition.error_code);
        assert_eq!(refused, ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
    }
}

#[test]
fn configs_that_kafka_refuses_are_refused_in_its_words() {
    let mut world = World::new(Config::new());
    let conn = world.cluster.connect(1);
    let string = |name: &str, allowed: &str| {
        format!("Invalid value x for configuration {name}: String must be one of: {allowed}")
    };
    let number = |name: &str, value: &str, fault: &str| {
        format!("Invalid value {value} for configuration {name}: {fault}")
    };
    let (isr, retention) = ("min.insync.replicas", "retention.ms");
    let cases = [
        (isr, "0", number(isr, "0", "Value must be at least 1")),
        (isr, "x", number(isr, "x", "Not a number of type INT")),
        (
            retention,
            "-2",
            number(retention, "-2", "Value must be at least -1"),
        ),
        (
            retention,
            "x",
            number(retention, "x", "Not a number of type LONG"),
        ),
        (
            "message.timestamp.type",
            "x",
            string("message.timestamp.type", "CreateTime, LogAppendTime"),
        ),
        (
            "compression.type",
            "x",
            string(
                "compression.type",
                "uncompressed, zstd, lz4, snappy, gzip, producer",
            ),
        ),
    ];
    for (name, value, why) in cases {
        let mut request = create("u", 1, 1);
        request.topics[0].configs = vec![CreatableTopicConfig::build(|c| {
            c.name = name.to_owned();
            c.value = Some(value.to_owned());
        })];
        let answer = world.call(conn, 7, &request);
        let topic = &answer.topics[0];
        assert_eq!(topic.error_code, ErrorCode::INVALID_CONFIG.code());
        assert_eq!(topic.error_message.as_deref(), Some(&why[..]));
    }
}

#[test]
#[should_panic(expected = "topic `t`: Unknown topic config name: retention")]
fn a_config_that_is_none_is_told_to_the_test() {
    world(&[("retention", "1")]);
}

impl World {
    /// The base offset and the time that the broker gave.
    #[track_caller]
    fn written(&mut self, conn: ConnId, version: i16, request: &ProduceRequest) -> (i64, i64) {
        let answer = self.call(conn, version, request);
        assert_eq!(code(&answer), ErrorCode::NONE);
        let partition = &answer.responses[0].partition_responses[0];
        (partition.base_offset, partition.log_append_time_ms)
    }
}

/// One message of magic 1.
fn message_set_of_one() -> Bytes {
    let mut builder = BatchBuilder::new(Vec::new());
    builder.push(&Record::new("old"), 1_000);
    let (header, body) = builder.finish();
    let set = message_set(1, &header, &body, Compression::None, &Codecs::new());
    set.expect("it fits")
}
