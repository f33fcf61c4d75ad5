//! Pushes metrics of the client (KIP-714, since Kafka 3.7).

use bytes::Bytes;

use crate::wire::Uuid;

messages! {
    /// One report.
    struct PushTelemetryRequest {
        0.. => client_instance_id: Uuid,
        0.. => subscription_id: i32,
        /// Whether this is the last one.
        0.. => terminating: bool,
        /// As in record batches; 0 is none.
        0.. => compression_type: i8,
        /// OpenTelemetry's `MetricsData`, as protobuf.
        0.. => metrics: Bytes,
    }

    /// Whether it was taken.
    struct PushTelemetryResponse {
        0.. => throttle_time_ms: i32,
        0.. => error_code: i16,
    }
}
