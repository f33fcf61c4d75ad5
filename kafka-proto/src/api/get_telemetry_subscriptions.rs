//! Asks which of its metrics a client shall push (KIP-714, since Kafka 3.7).

use crate::wire::Uuid;

messages! {
    /// Says who asks.
    struct GetTelemetrySubscriptionsRequest {
        /// Zero at first: then the broker gives one.
        0.. => client_instance_id: Uuid,
    }

    /// What to push, and how often.
    struct GetTelemetrySubscriptionsResponse {
        0.. => throttle_time_ms: i32,
        0.. => error_code: i16,
        /// What to call oneself from now on.
        0.. => client_instance_id: Uuid,
        /// To be repeated with each push.
        0.. => subscription_id: i32,
        /// The best first; as in record batches.
        0.. => accepted_compression_types: Vec<i8>,
        0.. => push_interval_ms: i32,
        0.. => telemetry_max_bytes: i32,
        /// Whether to push differences instead of sums.
        0.. => delta_temporality: bool,
        /// Prefixes of names; one empty string means all, no strings none.
        0.. => requested_metrics: Vec<String>,
    }
}
