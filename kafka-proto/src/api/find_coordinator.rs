//! Finds the broker that coordinates a group or a transactional id (since Kafka 0.8.2; KIP-98, KIP-699).

messages! {
    /// Asks for one, or from version 4 on for several.
    struct FindCoordinatorRequest {
        0..=3 => key: String,
        /// 0 is a group, 1 a transactional id, 2 a partition of a share group.
        1..   => key_type: i8,
        4..   => coordinator_keys: Vec<String>,
    }

    /// The coordinators.
    struct FindCoordinatorResponse {
        1.., or skip   => throttle_time_ms: i32,
        0..=3          => error_code: i16,
        1..=3, or skip => error_message: Option<String> = Some(String::new()),
        0..=3          => node_id: i32,
        0..=3          => host: String,
        0..=3          => port: i32,
        4..            => coordinators: Vec<Coordinator>,
    }

    /// One coordinator.
    struct Coordinator {
        4.. => key: String,
        4.. => node_id: i32,
        4.. => host: String,
        4.. => port: i32,
        4.. => error_code: i16,
        4.. => error_message: Option<String> = Some(String::new()),
    }
}
