//! Sets where an empty share group goes on reading (KIP-932, since Kafka 4.1).

use crate::wire::Uuid;

messages! {
    /// Sets start offsets.
    struct AlterShareGroupOffsetsRequest {
        0.. => group_id: String,
        0.. => topics: Vec<AlterShareGroupOffsetsRequestTopic>,
    }

    /// Partitions of one topic.
    struct AlterShareGroupOffsetsRequestTopic {
        0.. => topic_name: String,
        0.. => partitions: Vec<AlterShareGroupOffsetsRequestPartition>,
    }

    /// The offset of one partition.
    struct AlterShareGroupOffsetsRequestPartition {
        0.. => partition_index: i32,
        /// The first offset that the group has not finished.
        0.. => start_offset: i64,
    }

    /// What became of each partition.
    struct AlterShareGroupOffsetsResponse {
        0.. => throttle_time_ms: i32,
        0.. => error_code: i16,
        0.. => error_message: Option<String>,
        0.. => responses: Vec<AlterShareGroupOffsetsResponseTopic>,
    }

    /// What became of one topic.
    struct AlterShareGroupOffsetsResponseTopic {
        0.. => topic_name: String,
        0.. => topic_id: Uuid,
        0.. => partitions: Vec<AlterShareGroupOffsetsResponsePartition>,
    }

    /// What became of one partition.
    struct AlterShareGroupOffsetsResponsePartition {
        0.. => partition_index: i32,
        0.. => error_code: i16,
        0.. => error_message: Option<String>,
    }
}
