//! Starts elections of partition leaders (KIP-183, since Kafka 2.2; KIP-460).

messages! {
    /// Says which partitions.
    struct ElectLeadersRequest {
        /// 0 elects the preferred replica, 1 any replica, even one that lacks records.
        1.. => election_type: i8,
        /// Null means all.
        0.. => topic_partitions: Option<Vec<TopicPartitions>> = Some(Vec::new()),
        0.. => timeout_ms: i32 = 60000,
    }

    /// Partitions of one topic.
    struct TopicPartitions {
        0.. => topic: String,
        0.. => partitions: Vec<i32>,
    }

    /// What became of each partition.
    struct ElectLeadersResponse {
        0.. => throttle_time_ms: i32,
        1.. => error_code: i16,
        0.. => replica_election_results: Vec<ReplicaElectionResult>,
    }

    /// What became of one topic.
    struct ReplicaElectionResult {
        0.. => topic: String,
        0.. => partition_result: Vec<PartitionResult>,
    }

    /// What became of one partition.
    struct PartitionResult {
        0.. => partition_id: i32,
        0.. => error_code: i16,
        0.. => error_message: Option<String> = Some(String::new()),
    }
}
