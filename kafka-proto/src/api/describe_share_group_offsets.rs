//! Says how far share groups have read (KIP-932, since Kafka 4.1).

use crate::wire::Uuid;

messages! {
    /// Says which groups.
    struct DescribeShareGroupOffsetsRequest {
        0.. => groups: Vec<DescribeShareGroupOffsetsRequestGroup>,
    }

    /// Which topics of one group.
    struct DescribeShareGroupOffsetsRequestGroup {
        0.. => group_id: String,
        /// Null means all.
        0.. => topics: Option<Vec<DescribeShareGroupOffsetsRequestTopic>> = Some(Vec::new()),
    }

    /// Partitions of one topic.
    struct DescribeShareGroupOffsetsRequestTopic {
        0.. => topic_name: String,
        0.. => partitions: Vec<i32>,
    }

    /// The groups.
    struct DescribeShareGroupOffsetsResponse {
        0.. => throttle_time_ms: i32,
        0.. => groups: Vec<DescribeShareGroupOffsetsResponseGroup>,
    }

    /// One group.
    struct DescribeShareGroupOffsetsResponseGroup {
        0.. => group_id: String,
        0.. => topics: Vec<DescribeShareGroupOffsetsResponseTopic>,
        0.. => error_code: i16,
        0.. => error_message: Option<String>,
    }

    /// Partitions of one topic.
    struct DescribeShareGroupOffsetsResponseTopic {
        0.. => topic_name: String,
        0.. => topic_id: Uuid,
        0.. => partitions: Vec<DescribeShareGroupOffsetsResponsePartition>,
    }

    /// One partition.
    struct DescribeShareGroupOffsetsResponsePartition {
        0..          => partition_index: i32,
        /// The first offset that the group has not finished.
        0..          => start_offset: i64,
        0..          => leader_epoch: i32,
        /// How many records are left; -1 means not known.
        1.., or skip => lag: i64 = -1,
        0..          => error_code: i16,
        0..          => error_message: Option<String>,
    }
}
