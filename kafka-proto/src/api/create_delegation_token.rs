//! Creates a delegation token for the user of the connection, or for another (KIP-48, since Kafka 1.1; KIP-373).

use crate::wire::Secret;

messages! {
    /// Asks for a token.
    struct CreateDelegationTokenRequest {
        /// Null or empty means the user of the connection.
        3.. => owner_principal_type: Option<String> = Some(String::new()),
        /// Null or empty means the user of the connection.
        3.. => owner_principal_name: Option<String> = Some(String::new()),
        0.. => renewers: Vec<CreatableRenewers>,
        /// After so long the token cannot be renewed; -1 means the broker's limit.
        0.. => max_lifetime_ms: i64,
    }

    /// A principal that may renew the token.
    struct CreatableRenewers {
        0.. => principal_type: String,
        0.. => principal_name: String,
    }

    /// The token.
    struct CreateDelegationTokenResponse {
        0.. => error_code: i16,
        0.. => principal_type: String,
        0.. => principal_name: String,
        3.. => token_requester_principal_type: String,
        3.. => token_requester_principal_name: String,
        0.. => issue_timestamp_ms: i64,
        0.. => expiry_timestamp_ms: i64,
        0.. => max_timestamp_ms: i64,
        0.. => token_id: String,
        /// The secret: it is the password of the token.
        0.. => hmac: Secret,
        0.. => throttle_time_ms: i32,
    }
}
