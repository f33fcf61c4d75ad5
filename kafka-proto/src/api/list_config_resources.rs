//! Lists what has configurations of its own (KIP-1142); version 0 lists client metrics only (KIP-714, since Kafka
//! 3.7).

messages! {
    /// Says which types.
    struct ListConfigResourcesRequest {
        /// As in DescribeConfigs; empty means all.
        1.. => resource_types: Vec<i8>,
    }

    /// The resources.
    struct ListConfigResourcesResponse {
        0.. => throttle_time_ms: i32,
        0.. => error_code: i16,
        0.. => config_resources: Vec<ConfigResource>,
    }

    /// One resource.
    struct ConfigResource {
        0..          => resource_name: String,
        1.., or skip => resource_type: i8 = 16,
    }
}
