//! Brokers that are of an older release, and what only old clients ask for.

use super::*;

use kafka_proto::{
    api::{
        create_partitions::{CreatePartitionsRequest, CreatePartitionsTopic},
        delete_records::{DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic},
        delete_topics::{DeleteTopicState, DeleteTopicsRequest},
        offset_for_leader_epoch::{
            OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
        },
    },
    record::{Codecs, Compression, message_set},
};
use kafka_testing::broker::Release;

/// What a broker of `release` announces for `api`.
fn announced_by(release: Release, api: ApiKey) -> Option<RangeInclusive<i16>> {
    let mut world = World::new(Config::new().as_version(release));
    let conn = world.cluster.connect(1);
    announced(&world.call(conn, 0, &hello()), api)
}

#[test]
fn a_broker_announces_what_its_release_did() {
    use Release::{V0_10_2, V0_11, V2_8, V4_0, V4_3};
    assert_eq!(announced_by(V0_10_2, ApiKey::Fetch), Some(0..=3));
    assert_eq!(announced_by(V0_10_2, ApiKey::InitProducerId), None);
    assert_eq!(announced_by(V0_11, ApiKey::InitProducerId), Some(0..=0));
    assert_eq!(announced_by(V0_10_2, ApiKey::DescribeConfigs), None);
    assert_eq!(announced_by(V0_10_2, ApiKey::ListGroups), Some(0..=0));
    assert_eq!(announced_by(V0_11, ApiKey::DescribeConfigs), Some(0..=0));
    assert_eq!(announced_by(V0_11, ApiKey::IncrementalAlterConfigs), None);
    let changes = announced_by(V2_8, ApiKey::IncrementalAlterConfigs);
    assert_eq!(changes, Some(0..=1));
    assert_eq!(announced_by(V4_0, ApiKey::DescribeConfigs), Some(1..=4));
    assert_eq!(announced_by(V2_8, ApiKey::Fetch), Some(0..=12));
    assert_eq!(announced_by(V4_0, ApiKey::Fetch), Some(4..=17));
    assert_eq!(announced_by(V4_3, ApiKey::Produce), Some(0..=13));
    // one that differs stays as it was set
    let config = Config::new()
        .versions(ApiKey::Fetch, 4..=4)
        .as_version(V0_11);
    let mut world = World::new(config);
    let conn = world.cluster.connect(1);
    let answer = world.call(conn, 0, &hello());
    assert_eq!(announced(&answer, ApiKey::Fetch), Some(4..=4));
}

#[test]
fn what_a_release_does_not_announce_closes_the_connection() {
    let mut world = World::new(Config::new().as_version(Release::V0_10_2));
    world.cluster.create_topic("t", 1);
    let conn = world.cluster.connect(1);
    world.send(conn, 3, &produce("t", 0, batch(&["a"])));
    assert_eq!(world.closed(), [conn]);
    // and 4.x claims the oldest versions of Produce, and refuses them (KAFKA-18659)
    let mut world = World::new(Config::new().as_version(Release::V4_0));
    let conn = world.cluster.connect(1);
    world.send(conn, 2, &produce("t", 0, batch(&["a"])));
    assert_eq!(world.closed(), [conn]);
}

/// 0.10.0 has version 0 alone, which lists where segments begin.
#[test]
fn the_oldest_release_lists_segments() {
    let mut world = World::new(Config::new().as_version(Release::V0_10_0));
    world.cluster.create_topic("t", 1);
    let conn = world.cluster.connect(1);
    let list = |world: &mut World, timestamp, most| {
        let mut request = list_offsets("t", 0, timestamp);
        request.topics[0].partitions[0].max_num_offsets = most;
        let answer = world.call(conn, 0, &request);
        answer.topics[0].partitions[0].old_style_offsets.clone()
    };
    assert_eq!(list(&mut world, -1, 9), [0], "empty");
    let set = old_set(1, &["a", "b", "c"], Compression::None);
    let conn = world.cluster.connect(1);
    assert_eq!(
        code(&world.call(conn, 2, &produce("t", 0, set))),
        ErrorCode::NONE
    );
    assert_eq!(list(&mut world, -1, 1), [3], "the end");
    assert_eq!(list(&mut world, -1, 9), [3, 0]);
    assert_eq!(list(&mut world, -2, 9), [0], "the start");
    assert_eq!(list(&mut world, i64::MAX, 9), [0]);
    assert!(list(&mut world, 0, 9).is_empty(), "before anything changed");
    // and has no CreateTopics yet
    assert_eq!(announced_by(Release::V0_10_0, ApiKey::CreateTopics), None);
    assert_eq!(
        announced_by(Release::V0_10_1, ApiKey::CreateTopics),
        Some(0..=0)
    );
}

fn old_set(magic: i8, values: &[&str], compression: Compression) -> Bytes {
    let mut builder = BatchBuilder::new(Vec::new());
    for value in values {
        builder.push(&Record::new(value).key("k").timestamp(1_000), 0);
    }
    let (header, body) = builder.finish();
    message_set(magic, &header, &body, compression, &Codecs::new()).expect("a set")
}

#[test]
fn message_sets_are_written_and_read() {
    for (version, magic) in [(0, 0), (1, 0), (2, 1)] {
        for compression in [Compression::None, Compression::Gzip, Compression::Snappy] {
            let mut world = World::new(Config::new().as_version(Release::V0_10_2));
            world.cluster.create_topic("t", 1);
            let conn = world.cluster.connect(1);
            for values in [["a", "b"], ["c", "d"]] {
                let set = old_set(magic, &values, compression);
                let answer = world.call(conn, version, &produce("t", 0, set));
                assert_eq!(code(&answer), ErrorCode::NONE);
            }
            assert_eq!(world.cluster.log("t", 0).values(), ["a", "b", "c", "d"]);
            for (version, magic) in [(0, 0), (1, 0), (2, 1), (3, 1)] {
                // from the middle of a batch: what stands before comes along
                let answer = world.call(conn, version, &fetch("t", 0, 3));
                let partition = &answer.responses[0].partitions[0];
                let records = partition.records.clone().expect("records");
                let mut got = Vec::new();
                for batch in Batches::new(records) {
                    let batch = batch.expect("sound");
                    assert_eq!(batch.header().magic, magic);
                    for record in &batch {
                        let record = record.expect("sound");
                        let value = record.value.expect("a value").to_vec();
                        assert_eq!(record.key, Some(&b"k"[..]));
                        got.push((record.offset, value));
                    }
                }
                assert_eq!(got, [(2, b"c".to_vec()), (3, b"d".to_vec())]);
            }
        }
    }
}

#[test]
fn a_damaged_message_set_is_refused() {
    let write = |set: Bytes| {
        let mut world = World::new(Config::new().as_version(Release::V0_10_2));
        world.cluster.create_topic("t", 1);
        let conn = world.cluster.connect(1);
        let answer = world.call(conn, 2, &produce("t", 0, set));
        (code(&answer), world.cluster.log("t", 0).end_offset())
    };
    let sound = old_set(1, &["a", "b"], Compression::None);
    assert_eq!(write(sound.clone()), (ErrorCode::NONE, 2));
    let size = sound.len() / 2;
    // offset and size of a message are outside its checksum
    for at in (0..sound.len()).filter(|at| at % size >= 12) {
        let mut damaged = sound.to_vec();
        damaged[at] ^= 0x40;
        assert_eq!(
            write(damaged.into()),
            (ErrorCode::CORRUPT_MESSAGE, 0),
            "byte {at}"
        );
    }
    assert_eq!(write(Bytes::new()), (ErrorCode::INVALID_RECORD, 0));
}

#[test]
fn topics_are_deleted_by_name_and_by_id() {
    let mut world = World::new(Config::new());
    let id = world.cluster.create_topic("by-id", 1);
    world.cluster.create_topic("by-name", 1);
    let conn = world.cluster.connect(1);
    let request = DeleteTopicsRequest::build(|r| {
        r.topics = vec![
            DeleteTopicState::build(|t| (t.name, t.topic_id) = (None, id)),
            DeleteTopicState::build(|t| t.name = Some("by-name".to_owned())),
            DeleteTopicState::build(|t| t.name = Some("nope".to_owned())),
            DeleteTopicState::build(|t| (t.name, t.topic_id) = (None, Uuid([9; 16]))),
            DeleteTopicState::build(|t| (t.name, t.topic_id) = (Some("both".to_owned()), id)),
        ];
        r.timeout_ms = 1_000;
    });
    let answer = world.call(conn, 6, &request);
    let codes: Vec<_> = answer
        .responses
        .iter()
        .map(|t| ErrorCode(t.error_code))
        .collect();
    assert_eq!(
        codes,
        [
            ErrorCode::NONE,
            ErrorCode::NONE,
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            ErrorCode::UNKNOWN_TOPIC_ID,
            ErrorCode::INVALID_REQUEST,
        ]
    );
    assert_eq!(answer.responses[0].name.as_deref(), Some("by-id"));
    assert_eq!(world.cluster.topics().count(), 0);
    // by name alone, as before version 6
    world.cluster.create_topic("again", 1);
    let request = DeleteTopicsRequest::build(|r| r.topic_names = vec!["again".to_owned()]);
    assert_eq!(world.call(conn, 5, &request).responses[0].error_code, 0);
    assert_eq!(world.cluster.topics().count(), 0);
}

#[test]
fn records_are_deleted_up_to_an_offset() {
    let mut world = World::new(Config::new());
    world.cluster.create_topic("t", 1);
    let conn = world.cluster.connect(1);
    world.produce(conn, "t", 0, batch(&["a", "b", "c"]));
    let mut delete = |partition, offset| {
        let request = DeleteRecordsRequest::build(|r| {
            r.topics = vec![DeleteRecordsTopic::build(|t| {
                t.name = "t".to_owned();
                t.partitions = vec![DeleteRecordsPartition::build(|p| {
                    (p.partition_index, p.offset) = (partition, offset);
                })];
            })];
        });
        let answer = world.call(conn, 2, &request);
        let partition = &answer.topics[0].partitions[0];
        (ErrorCode(partition.error_code), partition.low_watermark)
    };
    assert_eq!(delete(0, 2), (ErrorCode::NONE, 2));
    assert_eq!(delete(0, 1), (ErrorCode::NONE, 2), "gone is gone");
    assert_eq!(delete(0, 4), (ErrorCode::OFFSET_OUT_OF_RANGE, -1));
    assert_eq!(delete(0, -2), (ErrorCode::OFFSET_OUT_OF_RANGE, -1));
    assert_eq!(delete(1, 0), (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, -1));
    assert_eq!(delete(0, -1), (ErrorCode::NONE, 3));
    assert!(world.cluster.log("t", 0).values().is_empty());
}

#[test]
fn the_end_of_a_leader_epoch_is_where_the_next_one_began() {
    let mut world = World::new(Config::new().brokers(2));
    world.cluster.create_topic("t", 1);
    let first = world.cluster.leader("t", 0).expect("a leader");
    let conn = world.cluster.connect(first);
    world.produce(conn, "t", 0, batch(&["a", "b"]));
    // epoch 1 writes nothing
    world.cluster.set_leader("t", 0, 3 - first);
    world.cluster.set_leader("t", 0, first);
    world.produce(conn, "t", 0, batch(&["c"]));
    let mut end = |current, epoch| {
        let request = OffsetForLeaderEpochRequest::build(|r| {
            r.topics = vec![OffsetForLeaderTopic::build(|t| {
                t.topic = "t".to_owned();
                t.partitions = vec![OffsetForLeaderPartition::build(|p| {
                    (p.current_leader_epoch, p.leader_epoch) = (current, epoch);
                })];
            })];
        });
        let answer = world.call(conn, 4, &request);
        let p = &answer.topics[0].partitions[0];
        (ErrorCode(p.error_code), p.leader_epoch, p.end_offset)
    };
    assert_eq!(end(2, 0), (ErrorCode::NONE, 0, 2));
    assert_eq!(
        end(2, 1),
        (ErrorCode::NONE, 0, 2),
        "epoch 0 wrote last before it"
    );
    assert_eq!(end(2, 2), (ErrorCode::NONE, 2, 3));
    assert_eq!(end(2, 3), (ErrorCode::NONE, -1, -1));
    assert_eq!(end(1, 0).0, ErrorCode::FENCED_LEADER_EPOCH);
    assert_eq!(end(3, 0).0, ErrorCode::UNKNOWN_LEADER_EPOCH);
    assert_eq!(end(-1, 0), (ErrorCode::NONE, 0, 2));
}

#[test]
fn topics_grow_and_never_shrink() {
    let mut world = World::new(Config::new().brokers(2));
    world.cluster.create_topic("t", 2);
    let conn = world.cluster.connect(1);
    let mut grow = |name: &str, count, validate_only| {
        let request = CreatePartitionsRequest::build(|r| {
            r.topics = vec![CreatePartitionsTopic::build(|t| {
                (t.name, t.count) = (name.to_owned(), count);
                t.assignments = None;
            })];
            r.validate_only = validate_only;
        });
        ErrorCode(world.call(conn, 3, &request).results[0].error_code)
    };
    assert_eq!(grow("t", 2, false), ErrorCode::INVALID_PARTITIONS);
    assert_eq!(grow("t", i32::MAX, false), ErrorCode::INVALID_PARTITIONS);
    assert_eq!(
        grow("nope", 2, false),
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
    );
    assert_eq!(grow("t", 5, true), ErrorCode::NONE);
    assert_eq!(grow("t", 4, false), ErrorCode::NONE);
    assert_eq!(world.cluster.partition_count("t"), 4);
}

#[test]
fn compaction_leaves_offsets_and_a_whole_last_batch() {
    let mut world = World::new(Config::new());
    world.cluster.create_topic("t", 1);
    let conn = world.cluster.connect(1);
    for values in [["a", "b", "c"], ["d", "e", "f"], ["g", "h", "i"]] {
        world.produce(conn, "t", 0, batch(&values));
    }
    let gone = world
        .cluster
        .compact("t", 0, |r| r.offset == 1 || r.offset > 7);
    assert_eq!(gone, 5, "all of the second batch, and two of the first");
    let log = world.cluster.log("t", 0);
    let left: Vec<_> = log
        .records()
        .expect("sound")
        .into_iter()
        .map(|r| (r.offset, r.value))
        .collect();
    let value = |v: &'static str| Some(Bytes::from_static(v.as_bytes()));
    let whole = [(6, value("g")), (7, value("h")), (8, value("i"))];
    assert_eq!(left[0], (1, value("b")));
    assert_eq!(left[1..], whole);
    // the first batch still ends where it did
    let ends: Vec<_> = log.batches().map(BatchHeader::next_offset).collect();
    assert_eq!(ends, [3, 9]);
    // and the checksums are right
    let answer = world.call(conn, 12, &fetch("t", 0, 0));
    assert_eq!(read(&answer.responses[0].partitions[0]).len(), 4);
    let answer = world.call(conn, 12, &fetch("t", 0, 4));
    assert_eq!(read(&answer.responses[0].partitions[0]).len(), 3);
}
