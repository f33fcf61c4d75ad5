//! Lets a delegation token live longer (KIP-48, since Kafka 1.1).

use crate::wire::Secret;

messages! {
    /// Says which token, and for how long.
    struct RenewDelegationTokenRequest {
        0.. => hmac: Secret,
        /// From now; negative means the broker's default.
        0.. => renew_period_ms: i64,
    }

    /// When the token ends.
    struct RenewDelegationTokenResponse {
        0.. => error_code: i16,
        0.. => expiry_timestamp_ms: i64,
        0.. => throttle_time_ms: i32,
    }
}
