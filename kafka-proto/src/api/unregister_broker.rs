//! Makes a KRaft cluster forget a broker that will not come back (KIP-631, since Kafka 2.8).

messages! {
    /// Says which broker.
    struct UnregisterBrokerRequest {
        0.. => broker_id: i32,
    }

    /// Whether it is forgotten.
    struct UnregisterBrokerResponse {
        0.. => throttle_time_ms: i32,
        0.. => error_code: i16,
        0.. => error_message: Option<String> = Some(String::new()),
    }
}
