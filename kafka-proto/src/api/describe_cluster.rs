//! Lists the brokers or the controllers of the cluster (KIP-700, since Kafka 2.8; controllers: KIP-919).

messages! {
    /// Asks for one of the two kinds.
    struct DescribeClusterRequest {
        0.. => include_cluster_authorized_operations: bool,
        /// 1 is brokers, 2 is controllers.
        1.. => endpoint_type: i8 = 1,
        /// Whether to list brokers that are registered but not in service (KIP-1073).
        2.. => include_fenced_brokers: bool,
    }

    /// The cluster.
    struct DescribeClusterResponse {
        0.. => throttle_time_ms: i32,
        0.. => error_code: i16,
        0.. => error_message: Option<String>,
        1.. => endpoint_type: i8 = 1,
        0.. => cluster_id: String,
        /// With KRaft any live broker; -1 means not known.
        0.. => controller_id: i32 = -1,
        0.. => brokers: Vec<DescribeClusterBroker>,
        0.. => cluster_authorized_operations: i32 = i32::MIN,
    }

    /// One broker or controller.
    struct DescribeClusterBroker {
        0.. => broker_id: i32,
        0.. => host: String,
        0.. => port: i32,
        0.. => rack: Option<String>,
        2.. => is_fenced: bool,
    }
}
