//! Gives a producer its id and epoch (KIP-98, since Kafka 0.11; KIP-360).

messages! {
    /// Asks for an id, or to go on with one under a new epoch.
    struct InitProducerIdRequest {
        /// Null for a producer without transactions: then any broker answers.
        0.. => transactional_id: Option<String> = Some(String::new()),
        0.. => transaction_timeout_ms: i32,
        /// What the producer has; -1 means none.
        3.. => producer_id: i64 = -1,
        /// What the producer has; -1 means none.
        3.. => producer_epoch: i16 = -1,
        /// Whether the producer takes part in two-phase commits (KIP-939).
        6.. => enable2_pc: bool,
        /// Whether to leave a prepared transaction open (KIP-939).
        6.. => keep_prepared_txn: bool,
    }

    /// The id and its epoch.
    struct InitProducerIdResponse {
        0.. => throttle_time_ms: i32,
        0.. => error_code: i16,
        0.. => producer_id: i64 = -1,
        0.. => producer_epoch: i16,
        /// Of the prepared transaction that was left open; -1 means none.
        6.. => ongoing_txn_producer_id: i64 = -1,
        /// Of the prepared transaction that was left open; -1 means none.
        6.. => ongoing_txn_producer_epoch: i16 = -1,
    }
}
