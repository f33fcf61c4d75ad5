//! Carries one step of a SASL exchange (KIP-152, since Kafka 1.0).

use bytes::Bytes;

use crate::wire::Secret;

messages! {
    /// What the client says.
    struct SaslAuthenticateRequest {
        0.. => auth_bytes: Secret,
    }

    /// What the broker says.
    struct SaslAuthenticateResponse {
        0..          => error_code: i16,
        0..          => error_message: Option<String> = Some(String::new()),
        0..          => auth_bytes: Bytes,
        /// After so long the client must authenticate again; 0 means never (KIP-368).
        1.., or skip => session_lifetime_ms: i64,
    }
}
