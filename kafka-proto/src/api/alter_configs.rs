//! Replaces whole configurations (KIP-133, since Kafka 0.11); what is not named goes back to its default.
//!
//! [`incremental_alter_configs`](super::incremental_alter_configs) changes only what it names.

messages! {
    /// Replaces the configurations of topics, brokers and the like.
    struct AlterConfigsRequest {
        0.. => resources: Vec<AlterConfigsResource>,
        0.. => validate_only: bool,
    }

    /// The new configuration of one resource.
    struct AlterConfigsResource {
        /// 2 is a topic, 4 a broker, 8 a broker logger, 16 client metrics, 32 a group.
        0.. => resource_type: i8,
        0.. => resource_name: String,
        0.. => configs: Vec<AlterableConfig>,
    }

    /// One setting.
    struct AlterableConfig {
        0.. => name: String,
        /// Null means the default.
        0.. => value: Option<String> = Some(String::new()),
    }

    /// What became of each resource.
    struct AlterConfigsResponse {
        0.. => throttle_time_ms: i32,
        0.. => responses: Vec<AlterConfigsResourceResponse>,
    }

    /// What became of one resource.
    struct AlterConfigsResourceResponse {
        0.. => error_code: i16,
        0.. => error_message: Option<String> = Some(String::new()),
        0.. => resource_type: i8,
        0.. => resource_name: String,
    }
}
