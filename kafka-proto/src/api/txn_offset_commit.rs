//! Commits how far a group has read as part of a transaction (KIP-98, since Kafka 0.11; KIP-447).

messages! {
    /// Commits, when the transaction does.
    struct TxnOffsetCommitRequest {
        0.. => transactional_id: String,
        0.. => group_id: String,
        0.. => producer_id: i64,
        0.. => producer_epoch: i16,
        /// -1 is no member.
        3.. => generation_id: i32 = -1,
        3.. => member_id: String,
        3.. => group_instance_id: Option<String>,
        0.. => topics: Vec<TxnOffsetCommitRequestTopic>,
    }

    /// Partitions of one topic.
    struct TxnOffsetCommitRequestTopic {
        0.. => name: String,
        0.. => partitions: Vec<TxnOffsetCommitRequestPartition>,
    }

    /// One partition.
    struct TxnOffsetCommitRequestPartition {
        0..          => partition_index: i32,
        /// The next offset to read.
        0..          => committed_offset: i64,
        2.., or skip => committed_leader_epoch: i32 = -1,
        0..          => committed_metadata: Option<String> = Some(String::new()),
    }

    /// What became of each partition.
    struct TxnOffsetCommitResponse {
        0.. => throttle_time_ms: i32,
        0.. => topics: Vec<TxnOffsetCommitResponseTopic>,
    }

    /// What became of one topic.
    struct TxnOffsetCommitResponseTopic {
        0.. => name: String,
        0.. => partitions: Vec<TxnOffsetCommitResponsePartition>,
    }

    /// What became of one partition.
    struct TxnOffsetCommitResponsePartition {
        0.. => partition_index: i32,
        0.. => error_code: i16,
    }
}
