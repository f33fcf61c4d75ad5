//! Tells the transaction coordinator which partitions a transaction writes to (KIP-98, since Kafka 0.11).
//!
//! Clients use versions up to 3; later ones carry many transactions and are for brokers that verify them (KIP-890).

messages! {
    /// Adds partitions to one transaction, or from version 4 on to several.
    struct AddPartitionsToTxnRequest {
        4..   => transactions: Vec<AddPartitionsToTxnTransaction>,
        0..=3 => v3_and_below_transactional_id: String,
        0..=3 => v3_and_below_producer_id: i64,
        0..=3 => v3_and_below_producer_epoch: i16,
        0..=3 => v3_and_below_topics: Vec<AddPartitionsToTxnTopic>,
    }

    /// One transaction.
    struct AddPartitionsToTxnTransaction {
        4.. => transactional_id: String,
        4.. => producer_id: i64,
        4.. => producer_epoch: i16,
        /// Whether to ask only if the partitions belong to the transaction.
        4.. => verify_only: bool,
        4.. => topics: Vec<AddPartitionsToTxnTopic>,
    }

    /// Partitions of one topic.
    struct AddPartitionsToTxnTopic {
        0.. => name: String,
        0.. => partitions: Vec<i32>,
    }

    /// What became of each partition; if one fails, none was added.
    struct AddPartitionsToTxnResponse {
        0..          => throttle_time_ms: i32,
        4.., or skip => error_code: i16,
        4..          => results_by_transaction: Vec<AddPartitionsToTxnResult>,
        0..=3        => results_by_topic_v3_and_below: Vec<AddPartitionsToTxnTopicResult>,
    }

    /// What became of one transaction.
    struct AddPartitionsToTxnResult {
        4.. => transactional_id: String,
        4.. => topic_results: Vec<AddPartitionsToTxnTopicResult>,
    }

    /// What became of one topic.
    struct AddPartitionsToTxnTopicResult {
        0.. => name: String,
        0.. => results_by_partition: Vec<AddPartitionsToTxnPartitionResult>,
    }

    /// What became of one partition.
    struct AddPartitionsToTxnPartitionResult {
        0.. => partition_index: i32,
        0.. => partition_error_code: i16,
    }
}
