//! Makes a group forget offsets of topics that it does not read (KIP-496, since Kafka 2.4).

messages! {
    /// Says which offsets.
    struct OffsetDeleteRequest {
        0.. => group_id: String,
        0.. => topics: Vec<OffsetDeleteRequestTopic>,
    }

    /// Partitions of one topic.
    struct OffsetDeleteRequestTopic {
        0.. => name: String,
        0.. => partitions: Vec<OffsetDeleteRequestPartition>,
    }

    /// One partition.
    struct OffsetDeleteRequestPartition {
        0.. => partition_index: i32,
    }

    /// What became of each partition.
    struct OffsetDeleteResponse {
        0.. => error_code: i16,
        0.. => throttle_time_ms: i32,
        0.. => topics: Vec<OffsetDeleteResponseTopic>,
    }

    /// What became of one topic.
    struct OffsetDeleteResponseTopic {
        0.. => name: String,
        0.. => partitions: Vec<OffsetDeleteResponsePartition>,
    }

    /// What became of one partition.
    struct OffsetDeleteResponsePartition {
        0.. => partition_index: i32,
        0.. => error_code: i16,
    }
}
