//! One Fetch request for all partitions that a reader wants of one broker, and who each part of the answer is for.
//!
//! Requests are sessionless (session id 0, epoch -1), which every broker serves; sessions (KIP-227) save bytes on
//! requests with many partitions and change nothing here but what the request lists.

use std::{sync::Arc, time::Duration};

use super::cursor::FetchAt;
use crate::{
    api::{
        fetch::{FetchPartition, FetchRequest, FetchTopic},
        list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic},
    },
    wire::Uuid,
};

/// The last version of Fetch and of Produce that names topics by name.
pub const LAST_BY_NAME: i16 = 12;

/// What the requests of one reader have in common.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the settings of the reader, by the same names")]
pub struct FetchLimits {
    pub min_bytes: i32,
    pub max_bytes: i32,
    pub max_wait: Duration,
}

/// A partition as requests name it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Name {
    /// The topic.
    pub topic: Arc<str>,
    /// Its id; zeros if unknown.
    pub id: Uuid,
    /// The partition.
    pub partition: i32,
}

impl Name {
    /// Whether an answer that names a topic by `topic` or `id` means this one.
    pub fn is(&self, topic: &str, id: Uuid, partition: i32) -> bool {
        let same_topic = if topic.is_empty() {
            self.id == id
        } else {
            *self.topic == *topic
        };
        self.partition == partition && same_topic
    }
}

/// The fetch of all `wanted` partitions; neighbours of one topic share its entry.
pub fn fetch_request<'a>(
    limits: FetchLimits,
    wanted: impl Iterator<Item = (&'a Name, FetchAt)>,
) -> FetchRequest {
    let mut topics: Vec<FetchTopic> = Vec::new();
    for (name, at) in wanted {
        let partition = FetchPartition::build(|p| {
            p.partition = name.partition;
            p.current_leader_epoch = at.leader_epoch;
            p.fetch_offset = at.offset;
            p.partition_max_bytes = at.max_bytes;
        });
        match topics.last_mut() {
            Some(topic) if *topic.topic == *name.topic => topic.partitions.push(partition),
            _ => topics.push(FetchTopic::build(|t| {
                t.topic = name.topic.to_string();
                t.topic_id = name.id;
                t.partitions.push(partition);
            })),
        }
    }
    FetchRequest::build(|r| {
        r.max_wait_ms = i32::try_from(limits.max_wait.as_millis()).unwrap_or(i32::MAX);
        r.min_bytes = limits.min_bytes;
        r.max_bytes = limits.max_bytes;
        r.topics = topics;
    })
}

/// The question for the offsets of all `wanted` partitions: timestamp and leader epoch of each.
pub fn offsets_request<'a>(
    wanted: impl Iterator<Item = (&'a Name, i64, i32)>,
) -> ListOffsetsRequest {
    let mut topics: Vec<ListOffsetsTopic> = Vec::new();
    for (name, timestamp, leader_epoch) in wanted {
        let partition = ListOffsetsPartition::build(|p| {
            p.partition_index = name.partition;
            p.current_leader_epoch = leader_epoch;
            p.timestamp = timestamp;
        });
        match topics.last_mut() {
            Some(topic) if *topic.name == *name.topic => topic.partitions.push(partition),
            _ => topics.push(ListOffsetsTopic::build(|t| {
                t.name = name.topic.to_string();
                t.partitions.push(partition);
            })),
        }
    }
    ListOffsetsRequest::build(|r| {
        r.replica_id = -1;
        r.topics = topics;
    })
}
