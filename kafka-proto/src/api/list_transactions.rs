//! Lists the transactions that one broker coordinates (KIP-664, since Kafka 3.0).

messages! {
    /// Says which transactions.
    struct ListTransactionsRequest {
        /// Names of states; empty means all.
        0.. => state_filters: Vec<String>,
        /// Empty means all.
        0.. => producer_id_filters: Vec<i64>,
        /// Only those that are open for more milliseconds; negative means all (KIP-994).
        1.. => duration_filter: i64 = -1,
        /// A regular expression; null or empty means all (KIP-1152).
        2.. => transactional_id_pattern: Option<String>,
    }

    /// The transactions.
    struct ListTransactionsResponse {
        0.. => throttle_time_ms: i32,
        0.. => error_code: i16,
        /// States that the broker does not know.
        0.. => unknown_state_filters: Vec<String>,
        0.. => transaction_states: Vec<TransactionState>,
    }

    /// One transaction.
    struct TransactionState {
        0.. => transactional_id: String,
        0.. => producer_id: i64,
        0.. => transaction_state: String,
    }
}
