//! Writes the markers that end transactions in partitions (KIP-98, since Kafka 0.11).
//!
//! For transaction coordinators, and for tools that abort hanging transactions (KIP-664).

messages! {
    /// Writes markers to partitions that the broker leads.
    struct WriteTxnMarkersRequest {
        0.. => markers: Vec<WritableTxnMarker>,
    }

    /// The end of one transaction.
    struct WritableTxnMarker {
        0..          => producer_id: i64,
        0..          => producer_epoch: i16,
        /// Whether it is committed; otherwise it is aborted.
        0..          => transaction_result: bool,
        0..          => topics: Vec<WritableTxnMarkerTopic>,
        0..          => coordinator_epoch: i32,
        2.., or skip => transaction_version: i8,
    }

    /// Partitions of one topic.
    struct WritableTxnMarkerTopic {
        0.. => name: String,
        0.. => partition_indexes: Vec<i32>,
    }

    /// What became of each marker.
    struct WriteTxnMarkersResponse {
        0.. => markers: Vec<WritableTxnMarkerResult>,
    }

    /// What became of the markers of one producer.
    struct WritableTxnMarkerResult {
        0.. => producer_id: i64,
        0.. => topics: Vec<WritableTxnMarkerTopicResult>,
    }

    /// What became of one topic.
    struct WritableTxnMarkerTopicResult {
        0.. => name: String,
        0.. => partitions: Vec<WritableTxnMarkerPartitionResult>,
    }

    /// What became of one partition.
    struct WritableTxnMarkerPartitionResult {
        0.. => partition_index: i32,
        0.. => error_code: i16,
    }
}
