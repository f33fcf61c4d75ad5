//! Keeps a member in a classic group (since Kafka 0.9).

messages! {
    /// Says that a member is alive.
    struct HeartbeatRequest {
        0.. => group_id: String,
        0.. => generation_id: i32,
        0.. => member_id: String,
        3.. => group_instance_id: Option<String>,
    }

    /// Whether the member is still in, or must join again.
    struct HeartbeatResponse {
        1.., or skip => throttle_time_ms: i32,
        0..          => error_code: i16,
    }
}
