//! Asks where leader epochs ended, to find out whether records were lost in an election (KIP-101, KIP-320).

messages! {
    /// Says which epochs.
    struct OffsetForLeaderEpochRequest {
        /// The broker that asks; -1 is a client, -2 one that debugs.
        3.., or skip => replica_id: i32 = -2,
        0..          => topics: Vec<OffsetForLeaderTopic>,
    }

    /// Partitions of one topic.
    struct OffsetForLeaderTopic {
        0.. => topic: String,
        0.. => partitions: Vec<OffsetForLeaderPartition>,
    }

    /// One partition.
    struct OffsetForLeaderPartition {
        0..          => partition: i32,
        /// What the client knows of the present; -1 means not known.
        2.., or skip => current_leader_epoch: i32 = -1,
        /// The epoch that is asked for.
        0..          => leader_epoch: i32,
    }

    /// The ends.
    struct OffsetForLeaderEpochResponse {
        2.., or skip => throttle_time_ms: i32,
        0..          => topics: Vec<OffsetForLeaderTopicResult>,
    }

    /// Ends of one topic.
    struct OffsetForLeaderTopicResult {
        0.. => topic: String,
        0.. => partitions: Vec<EpochEndOffset>,
    }

    /// The end in one partition.
    struct EpochEndOffset {
        0..          => error_code: i16,
        0..          => partition: i32,
        /// The largest epoch that is not above the one that was asked for; -1 means none.
        1.., or skip => leader_epoch: i32 = -1,
        /// The offset after its last record; -1 means none.
        0..          => end_offset: i64 = -1,
    }
}
