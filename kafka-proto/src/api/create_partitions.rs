//! Adds partitions to topics (KIP-195, since Kafka 1.0).

messages! {
    /// Says how many partitions topics shall have.
    struct CreatePartitionsRequest {
        0.. => topics: Vec<CreatePartitionsTopic>,
        0.. => timeout_ms: i32,
        0.. => validate_only: bool,
    }

    /// One topic.
    struct CreatePartitionsTopic {
        0.. => name: String,
        /// How many partitions there shall be in all.
        0.. => count: i32,
        /// Where the new partitions shall be; null lets the controller choose.
        0.. => assignments: Option<Vec<CreatePartitionsAssignment>> = Some(Vec::new()),
    }

    /// The replicas of one new partition, the preferred leader first.
    struct CreatePartitionsAssignment {
        0.. => broker_ids: Vec<i32>,
    }

    /// What became of each topic.
    struct CreatePartitionsResponse {
        0.. => throttle_time_ms: i32,
        0.. => results: Vec<CreatePartitionsTopicResult>,
    }

    /// What became of one topic.
    struct CreatePartitionsTopicResult {
        0.. => name: String,
        0.. => error_code: i16,
        0.. => error_message: Option<String>,
    }
}
