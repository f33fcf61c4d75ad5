//! Creates topics (KIP-4, since Kafka 0.10.1).

use crate::wire::Uuid;

messages! {
    /// Creates topics.
    struct CreateTopicsRequest {
        0.. => topics: Vec<CreatableTopic>,
        0.. => timeout_ms: i32 = 60000,
        /// Whether to check only.
        1.. => validate_only: bool,
    }

    /// One topic.
    struct CreatableTopic {
        0.. => name: String,
        /// -1 means the broker's default, or that there are assignments (KIP-464).
        0.. => num_partitions: i32,
        /// -1 means the broker's default, or that there are assignments (KIP-464).
        0.. => replication_factor: i16,
        /// Where each partition shall be; empty lets the controller choose.
        0.. => assignments: Vec<CreatableReplicaAssignment>,
        0.. => configs: Vec<CreatableTopicConfig>,
    }

    /// The replicas of one partition, the preferred leader first.
    struct CreatableReplicaAssignment {
        0.. => partition_index: i32,
        0.. => broker_ids: Vec<i32>,
    }

    /// One setting.
    struct CreatableTopicConfig {
        0.. => name: String,
        0.. => value: Option<String> = Some(String::new()),
    }

    /// What became of each topic.
    struct CreateTopicsResponse {
        2.., or skip => throttle_time_ms: i32,
        0..          => topics: Vec<CreatableTopicResult>,
    }

    /// What became of one topic, and what it is like (KIP-525).
    struct CreatableTopicResult {
        0..                 => name: String,
        7.., or skip        => topic_id: Uuid,
        0..                 => error_code: i16,
        1.., or skip        => error_message: Option<String> = Some(String::new()),
        /// Why the configuration is not here, though the topic was created.
        5.., tag 0, or skip => topic_config_error_code: i16,
        5.., or skip        => num_partitions: i32 = -1,
        5.., or skip        => replication_factor: i16 = -1,
        5.., or skip        => configs: Option<Vec<CreatableTopicConfigs>> = Some(Vec::new()),
    }

    /// One setting that the topic has.
    struct CreatableTopicConfigs {
        5.. => name: String,
        5.. => value: Option<String> = Some(String::new()),
        5.. => read_only: bool,
        /// Where the value comes from, as in DescribeConfigs.
        5.. => config_source: i8 = -1,
        5.. => is_sensitive: bool,
    }
}
