//! Commits how far a group has read.

use crate::wire::Uuid;

messages! {
    /// Commits, as a member or from outside.
    struct OffsetCommitRequest {
        0..            => group_id: String,
        /// -1 is no member: the group must then be empty or unused.
        1.., or skip   => generation_id_or_member_epoch: i32 = -1,
        1.., or skip   => member_id: String,
        7..            => group_instance_id: Option<String>,
        /// How long to keep the offsets; -1 means the broker's default.
        2..=4, or skip => retention_time_ms: i64 = -1,
        0..            => topics: Vec<OffsetCommitRequestTopic>,
    }

    /// Partitions of one topic.
    struct OffsetCommitRequestTopic {
        0..=9, or skip => name: String,
        10.., or skip  => topic_id: Uuid,
        0..            => partitions: Vec<OffsetCommitRequestPartition>,
    }

    /// One partition.
    struct OffsetCommitRequestPartition {
        0..          => partition_index: i32,
        /// The next offset to read.
        0..          => committed_offset: i64,
        /// Of the last record that was read; -1 means not known.
        6.., or skip => committed_leader_epoch: i32 = -1,
        /// When, in version 1; -1 means now.
        1            => commit_timestamp: i64 = -1,
        /// Any text that the client wants to have back.
        0..          => committed_metadata: Option<String> = Some(String::new()),
    }

    /// What became of each partition.
    struct OffsetCommitResponse {
        3.., or skip => throttle_time_ms: i32,
        0..          => topics: Vec<OffsetCommitResponseTopic>,
    }

    /// What became of one topic.
    struct OffsetCommitResponseTopic {
        0..=9, or skip => name: String,
        10.., or skip  => topic_id: Uuid,
        0..            => partitions: Vec<OffsetCommitResponsePartition>,
    }

    /// What became of one partition.
    struct OffsetCommitResponsePartition {
        0.. => partition_index: i32,
        0.. => error_code: i16,
    }
}
