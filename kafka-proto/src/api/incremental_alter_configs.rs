//! Changes single settings of configurations (KIP-339, since Kafka 2.3).

messages! {
    /// Changes settings of topics, brokers and the like.
    struct IncrementalAlterConfigsRequest {
        0.. => resources: Vec<AlterConfigsResource>,
        0.. => validate_only: bool,
    }

    /// The changes for one resource.
    struct AlterConfigsResource {
        /// 2 is a topic, 4 a broker, 8 a broker logger, 16 client metrics, 32 a group.
        0.. => resource_type: i8,
        0.. => resource_name: String,
        0.. => configs: Vec<AlterableConfig>,
    }

    /// One change.
    struct AlterableConfig {
        0.. => name: String,
        /// 0 sets, 1 goes back to the default, 2 adds to a list, 3 removes from a list.
        0.. => config_operation: i8,
        0.. => value: Option<String> = Some(String::new()),
    }

    /// What became of each resource.
    struct IncrementalAlterConfigsResponse {
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
