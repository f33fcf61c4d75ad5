//! Asks how far groups have read.

use crate::wire::Uuid;

messages! {
    /// Asks for one group, or from version 8 on for several (KIP-709).
    struct OffsetFetchRequest {
        0..=7             => group_id: String,
        /// Null means all, from version 2 on.
        0..=7, null 2..=7 => topics: Option<Vec<OffsetFetchRequestTopic>> = Some(Vec::new()),
        8..               => groups: Vec<OffsetFetchRequestGroup>,
        /// Whether to answer error 88 while a transaction with offsets is open (KIP-447).
        7..               => require_stable: bool,
    }

    /// Partitions of one topic.
    struct OffsetFetchRequestTopic {
        0..=7 => name: String,
        0..=7 => partition_indexes: Vec<i32>,
    }

    /// One group.
    struct OffsetFetchRequestGroup {
        8..          => group_id: String,
        /// Who asks, in a group in which the broker assigns (KIP-848).
        9.., or skip => member_id: Option<String>,
        9.., or skip => member_epoch: i32 = -1,
        /// Null means all.
        8..          => topics: Option<Vec<OffsetFetchRequestTopics>> = Some(Vec::new()),
    }

    /// Partitions of one topic.
    struct OffsetFetchRequestTopics {
        8..=9, or skip => name: String,
        10.., or skip  => topic_id: Uuid,
        8..            => partition_indexes: Vec<i32>,
    }

    /// The offsets.
    struct OffsetFetchResponse {
        3.., or skip   => throttle_time_ms: i32,
        0..=7          => topics: Vec<OffsetFetchResponseTopic>,
        2..=7, or skip => error_code: i16,
        8..            => groups: Vec<OffsetFetchResponseGroup>,
    }

    /// Offsets of one topic.
    struct OffsetFetchResponseTopic {
        0..=7 => name: String,
        0..=7 => partitions: Vec<OffsetFetchResponsePartition>,
    }

    /// Offsets of one group.
    struct OffsetFetchResponseGroup {
        8.. => group_id: String,
        8.. => topics: Vec<OffsetFetchResponseTopics>,
        8.. => error_code: i16,
    }

    /// The offset of one partition.
    struct OffsetFetchResponsePartition {
        0..=7          => partition_index: i32,
        /// The next offset to read; -1 means that none was committed.
        0..=7          => committed_offset: i64,
        5..=7, or skip => committed_leader_epoch: i32 = -1,
        0..=7          => metadata: Option<String> = Some(String::new()),
        0..=7          => error_code: i16,
    }

    /// Offsets of one topic.
    struct OffsetFetchResponseTopics {
        8..=9, or skip => name: String,
        10.., or skip  => topic_id: Uuid,
        8..            => partitions: Vec<OffsetFetchResponsePartitions>,
    }

    /// The offset of one partition.
    struct OffsetFetchResponsePartitions {
        8.. => partition_index: i32,
        /// The next offset to read; -1 means that none was committed.
        8.. => committed_offset: i64,
        8.. => committed_leader_epoch: i32 = -1,
        8.. => metadata: Option<String> = Some(String::new()),
        8.. => error_code: i16,
    }
}
