//! Deletes the oldest records of partitions (KIP-107, since Kafka 0.11).

messages! {
    /// Deletes records that the broker leads.
    struct DeleteRecordsRequest {
        0.. => topics: Vec<DeleteRecordsTopic>,
        0.. => timeout_ms: i32,
    }

    /// Partitions of one topic.
    struct DeleteRecordsTopic {
        0.. => name: String,
        0.. => partitions: Vec<DeleteRecordsPartition>,
    }

    /// One partition.
    struct DeleteRecordsPartition {
        0.. => partition_index: i32,
        /// The first offset to keep; -1 means the high watermark.
        0.. => offset: i64,
    }

    /// What became of each partition.
    struct DeleteRecordsResponse {
        0.. => throttle_time_ms: i32,
        0.. => topics: Vec<DeleteRecordsTopicResult>,
    }

    /// What became of one topic.
    struct DeleteRecordsTopicResult {
        0.. => name: String,
        0.. => partitions: Vec<DeleteRecordsPartitionResult>,
    }

    /// What became of one partition.
    struct DeleteRecordsPartitionResult {
        0.. => partition_index: i32,
        /// The first offset that is left.
        0.. => low_watermark: i64,
        0.. => error_code: i16,
    }
}
