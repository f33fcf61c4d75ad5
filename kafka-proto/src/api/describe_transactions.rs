//! Describes transactions by their transactional ids (KIP-664, since Kafka 3.0).

messages! {
    /// Says which ones, of those that the broker coordinates.
    struct DescribeTransactionsRequest {
        0.. => transactional_ids: Vec<String>,
    }

    /// The transactions.
    struct DescribeTransactionsResponse {
        0.. => throttle_time_ms: i32,
        0.. => transaction_states: Vec<TransactionState>,
    }

    /// One transaction.
    struct TransactionState {
        0.. => error_code: i16,
        0.. => transactional_id: String,
        0.. => transaction_state: String,
        0.. => transaction_timeout_ms: i32,
        0.. => transaction_start_time_ms: i64,
        0.. => producer_id: i64,
        0.. => producer_epoch: i16,
        /// The partitions that it has written to.
        0.. => topics: Vec<TopicData>,
    }

    /// Partitions of one topic.
    struct TopicData {
        0.. => topic: String,
        0.. => partitions: Vec<i32>,
    }
}
