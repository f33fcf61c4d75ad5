//! Commits or aborts a transaction (KIP-98, since Kafka 0.11).

messages! {
    /// Ends the transaction.
    struct EndTxnRequest {
        0.. => transactional_id: String,
        0.. => producer_id: i64,
        0.. => producer_epoch: i16,
        /// Whether it is committed; otherwise it is aborted.
        0.. => committed: bool,
    }

    /// Whether the end is decided; the markers may not be written yet.
    struct EndTxnResponse {
        0..          => throttle_time_ms: i32,
        0..          => error_code: i16,
        /// For the next transaction; -1 means as before (KIP-890).
        5.., or skip => producer_id: i64 = -1,
        /// For the next transaction; -1 means as before (KIP-890).
        5.., or skip => producer_epoch: i16 = -1,
    }
}
