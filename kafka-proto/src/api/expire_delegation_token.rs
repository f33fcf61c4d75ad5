//! Lets a delegation token end sooner or later (KIP-48, since Kafka 1.1).

use crate::wire::Secret;

messages! {
    /// Says which token, and when.
    struct ExpireDelegationTokenRequest {
        0.. => hmac: Secret,
        /// From now; negative ends it at once.
        0.. => expiry_time_period_ms: i64,
    }

    /// When the token ends.
    struct ExpireDelegationTokenResponse {
        0.. => error_code: i16,
        0.. => expiry_timestamp_ms: i64,
        0.. => throttle_time_ms: i32,
    }
}
