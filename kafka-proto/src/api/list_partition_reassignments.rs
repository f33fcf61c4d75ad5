//! Lists partitions that are being moved (KIP-455, since Kafka 2.4).

messages! {
    /// Says which partitions.
    struct ListPartitionReassignmentsRequest {
        0.. => timeout_ms: i32 = 60000,
        /// Null means all.
        0.. => topics: Option<Vec<ListPartitionReassignmentsTopics>>,
    }

    /// Partitions of one topic.
    struct ListPartitionReassignmentsTopics {
        0.. => name: String,
        0.. => partition_indexes: Vec<i32>,
    }

    /// The moves under way.
    struct ListPartitionReassignmentsResponse {
        0.. => throttle_time_ms: i32,
        0.. => error_code: i16,
        0.. => error_message: Option<String> = Some(String::new()),
        0.. => topics: Vec<OngoingTopicReassignment>,
    }

    /// Partitions of one topic.
    struct OngoingTopicReassignment {
        0.. => name: String,
        0.. => partitions: Vec<OngoingPartitionReassignment>,
    }

    /// One partition.
    struct OngoingPartitionReassignment {
        0.. => partition_index: i32,
        /// All of them, those that come and those that go included.
        0.. => replicas: Vec<i32>,
        0.. => adding_replicas: Vec<i32>,
        0.. => removing_replicas: Vec<i32>,
    }
}
