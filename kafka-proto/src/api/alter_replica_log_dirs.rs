//! Moves replicas between the log directories of one broker (KIP-113, since Kafka 1.0).

messages! {
    /// Says which directory replicas of the asked broker shall live in.
    struct AlterReplicaLogDirsRequest {
        0.. => dirs: Vec<AlterReplicaLogDir>,
    }

    /// What one directory is to hold.
    struct AlterReplicaLogDir {
        0.. => path: String,
        0.. => topics: Vec<AlterReplicaLogDirTopic>,
    }

    /// Partitions of one topic.
    struct AlterReplicaLogDirTopic {
        0.. => name: String,
        0.. => partitions: Vec<i32>,
    }

    /// Whether each move was started.
    struct AlterReplicaLogDirsResponse {
        0.. => throttle_time_ms: i32,
        0.. => results: Vec<AlterReplicaLogDirTopicResult>,
    }

    /// What became of one topic.
    struct AlterReplicaLogDirTopicResult {
        0.. => topic_name: String,
        0.. => partitions: Vec<AlterReplicaLogDirPartitionResult>,
    }

    /// What became of one partition.
    struct AlterReplicaLogDirPartitionResult {
        0.. => partition_index: i32,
        0.. => error_code: i16,
    }
}
