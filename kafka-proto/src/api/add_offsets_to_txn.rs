//! Tells the transaction coordinator that offsets of a group will be committed in a transaction (KIP-98, since Kafka
//! 0.11).

messages! {
    /// Adds the offsets topic's partition of a group to the transaction.
    struct AddOffsetsToTxnRequest {
        0.. => transactional_id: String,
        0.. => producer_id: i64,
        0.. => producer_epoch: i16,
        0.. => group_id: String,
    }

    /// Whether the group was added.
    struct AddOffsetsToTxnResponse {
        0.. => throttle_time_ms: i32,
        0.. => error_code: i16,
    }
}
