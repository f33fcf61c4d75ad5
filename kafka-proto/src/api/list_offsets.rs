//! Finds offsets by time, and the ends of partitions.

messages! {
    /// Says which partitions.
    struct ListOffsetsRequest {
        /// The broker that asks; -1 is a client.
        0..           => replica_id: i32,
        /// 1 makes the end the last stable offset.
        2..           => isolation_level: i8,
        0..           => topics: Vec<ListOffsetsTopic>,
        /// How long the broker may look in tiered storage (KIP-1075).
        10.., or skip => timeout_ms: i32,
    }

    /// Partitions of one topic.
    struct ListOffsetsTopic {
        0.. => name: String,
        0.. => partitions: Vec<ListOffsetsPartition>,
    }

    /// One partition.
    struct ListOffsetsPartition {
        0..          => partition_index: i32,
        4.., or skip => current_leader_epoch: i32 = -1,
        /// The first record at this time or later, or: -1 the end, -2 the start, -3 the record with the largest time
        /// (KIP-734), -4 the start of the local log, -5 the end of tiered storage, -6 the first offset that waits for
        /// tiered storage.
        0..          => timestamp: i64,
        /// How many offsets of segments to list in version 0.
        0            => max_num_offsets: i32 = 1,
    }

    /// The offsets.
    struct ListOffsetsResponse {
        2.., or skip => throttle_time_ms: i32,
        0..          => topics: Vec<ListOffsetsTopicResponse>,
    }

    /// Offsets of one topic.
    struct ListOffsetsTopicResponse {
        0.. => name: String,
        0.. => partitions: Vec<ListOffsetsPartitionResponse>,
    }

    /// The offset in one partition.
    struct ListOffsetsPartitionResponse {
        0.. => partition_index: i32,
        0.. => error_code: i16,
        /// Of the record; -1 if none was found, or asked for.
        1.. => timestamp: i64 = -1,
        /// -1 means that there is no such record.
        1.. => offset: i64 = -1,
        4.. => leader_epoch: i32 = -1,
        /// In version 0: starts of segments, the latest first.
        0   => old_style_offsets: Vec<i64>,
    }
}
