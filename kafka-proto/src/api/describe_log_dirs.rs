//! Says how full the log directories of a broker are (KIP-113, since Kafka 1.0; KIP-827).

messages! {
    /// Says which partitions.
    struct DescribeLogDirsRequest {
        /// Null means all.
        0.. => topics: Option<Vec<DescribableLogDirTopic>> = Some(Vec::new()),
    }

    /// Partitions of one topic.
    struct DescribableLogDirTopic {
        0.. => topic: String,
        0.. => partitions: Vec<i32>,
    }

    /// The directories of the broker.
    struct DescribeLogDirsResponse {
        0..          => throttle_time_ms: i32,
        3.., or skip => error_code: i16,
        0..          => results: Vec<DescribeLogDirsResult>,
    }

    /// One directory.
    struct DescribeLogDirsResult {
        0..          => error_code: i16,
        0..          => log_dir: String,
        0..          => topics: Vec<DescribeLogDirsTopic>,
        /// The size of the volume that it is on; -1 means not known.
        4.., or skip => total_bytes: i64 = -1,
        /// What is free on the volume; -1 means not known.
        4.., or skip => usable_bytes: i64 = -1,
        /// Whether it gets no new partitions.
        5.., or skip => is_cordoned: bool,
    }

    /// Partitions of one topic.
    struct DescribeLogDirsTopic {
        0.. => name: String,
        0.. => partitions: Vec<DescribeLogDirsPartition>,
    }

    /// One replica.
    struct DescribeLogDirsPartition {
        0.. => partition_index: i32,
        0.. => partition_size: i64,
        /// How far it is behind the high watermark, or a future replica behind the present one.
        0.. => offset_lag: i64,
        /// Whether it will take the place of a replica in another directory.
        0.. => is_future_key: bool,
    }
}
