//! Chooses the SASL mechanism (KIP-43, since Kafka 0.10).
//!
//! After version 0 the exchange goes over the connection as it is, after version 1 in SaslAuthenticate requests.

messages! {
    /// What the client wants.
    struct SaslHandshakeRequest {
        0.. => mechanism: String,
    }

    /// What the broker offers.
    struct SaslHandshakeResponse {
        0.. => error_code: i16,
        0.. => mechanisms: Vec<String>,
    }
}
