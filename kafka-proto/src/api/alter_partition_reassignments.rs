//! Moves partitions between brokers, or cancels that (KIP-455, since Kafka 2.4).

messages! {
    /// Starts and cancels reassignments.
    struct AlterPartitionReassignmentsRequest {
        0.. => timeout_ms: i32 = 60000,
        /// Whether a partition may end with another number of replicas (KIP-860).
        1.. => allow_replication_factor_change: bool = true,
        0.. => topics: Vec<ReassignableTopic>,
    }

    /// Partitions of one topic.
    struct ReassignableTopic {
        0.. => name: String,
        0.. => partitions: Vec<ReassignablePartition>,
    }

    /// Where one partition is to be.
    struct ReassignablePartition {
        0.. => partition_index: i32,
        /// The brokers, the preferred leader first; null cancels a reassignment that is under way.
        0.. => replicas: Option<Vec<i32>>,
    }

    /// What became of each partition.
    struct AlterPartitionReassignmentsResponse {
        0..          => throttle_time_ms: i32,
        1.., or skip => allow_replication_factor_change: bool = true,
        0..          => error_code: i16,
        0..          => error_message: Option<String> = Some(String::new()),
        0..          => responses: Vec<ReassignableTopicResponse>,
    }

    /// What became of one topic.
    struct ReassignableTopicResponse {
        0.. => name: String,
        0.. => partitions: Vec<ReassignablePartitionResponse>,
    }

    /// What became of one partition.
    struct ReassignablePartitionResponse {
        0.. => partition_index: i32,
        0.. => error_code: i16,
        0.. => error_message: Option<String> = Some(String::new()),
    }
}
