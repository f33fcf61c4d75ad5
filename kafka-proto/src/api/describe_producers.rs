//! Lists the producers that a partition remembers (KIP-664, since Kafka 2.8).

messages! {
    /// Says which partitions.
    struct DescribeProducersRequest {
        0.. => topics: Vec<TopicRequest>,
    }

    /// Partitions of one topic.
    struct TopicRequest {
        0.. => name: String,
        0.. => partition_indexes: Vec<i32>,
    }

    /// The producers.
    struct DescribeProducersResponse {
        0.. => throttle_time_ms: i32,
        0.. => topics: Vec<TopicResponse>,
    }

    /// The producers of one topic.
    struct TopicResponse {
        0.. => name: String,
        0.. => partitions: Vec<PartitionResponse>,
    }

    /// The producers of one partition.
    struct PartitionResponse {
        0.. => partition_index: i32,
        0.. => error_code: i16,
        0.. => error_message: Option<String>,
        0.. => active_producers: Vec<ProducerState>,
    }

    /// One producer.
    struct ProducerState {
        0.. => producer_id: i64,
        0.. => producer_epoch: i32,
        0.. => last_sequence: i32 = -1,
        0.. => last_timestamp: i64 = -1,
        0.. => coordinator_epoch: i32,
        /// Where its open transaction began in this partition; -1 means that none is open.
        0.. => current_txn_start_offset: i64 = -1,
    }
}
