//! Lists delegation tokens (KIP-48, since Kafka 1.1).

use crate::wire::Secret;

messages! {
    /// Whose tokens; null means all that the user may see.
    struct DescribeDelegationTokenRequest {
        0.. => owners: Option<Vec<DescribeDelegationTokenOwner>> = Some(Vec::new()),
    }

    /// One owner.
    struct DescribeDelegationTokenOwner {
        0.. => principal_type: String,
        0.. => principal_name: String,
    }

    /// The tokens.
    struct DescribeDelegationTokenResponse {
        0.. => error_code: i16,
        0.. => tokens: Vec<DescribedDelegationToken>,
        0.. => throttle_time_ms: i32,
    }

    /// One token.
    struct DescribedDelegationToken {
        0.. => principal_type: String,
        0.. => principal_name: String,
        3.. => token_requester_principal_type: String,
        3.. => token_requester_principal_name: String,
        0.. => issue_timestamp: i64,
        0.. => expiry_timestamp: i64,
        0.. => max_timestamp: i64,
        0.. => token_id: String,
        /// The secret: it is the password of the token.
        0.. => hmac: Secret,
        0.. => renewers: Vec<DescribedDelegationTokenRenewer>,
    }

    /// A principal that may renew the token.
    struct DescribedDelegationTokenRenewer {
        0.. => principal_type: String,
        0.. => principal_name: String,
    }
}
