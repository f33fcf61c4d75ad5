//! Reads records of partitions that a broker leads or follows.
//!
//! Sessions: KIP-227. Reading from followers: KIP-392. Topic ids: KIP-516, version 13. New leaders in answers:
//! KIP-951.

use bytes::Bytes;

use crate::wire::Uuid;

messages! {
    /// Reads, in a session or once.
    struct FetchRequest {
        /// For replicas of the metadata log only.
        12.., tag 0, or skip => cluster_id: Option<String>,
        /// The broker that asks; -1 is a client.
        0..=14               => replica_id: i32 = -1,
        /// The broker that asks, from version 15 on; at its default for clients.
        15.., tag 1          => replica_state: ReplicaState,
        /// How long the broker may wait for `min_bytes`.
        0..                  => max_wait_ms: i32,
        0..                  => min_bytes: i32,
        /// A limit for the whole answer, except that the first batch always comes whole.
        3.., or skip         => max_bytes: i32 = i32::MAX,
        /// 0 reads all, 1 reads what is committed.
        4.., or skip         => isolation_level: i8,
        /// 0 means no session, or a new one.
        7.., or skip         => session_id: i32,
        /// 0 starts a session, -1 means none; otherwise one more than in the last request of the session.
        7.., or skip         => session_epoch: i32 = -1,
        /// In a session only what has changed.
        0..                  => topics: Vec<FetchTopic>,
        /// What leaves the session.
        7..                  => forgotten_topics_data: Vec<ForgottenTopic>,
        /// Where the client is, so that the leader can name a replica nearby.
        11.., or skip        => rack_id: String,
    }

    /// The broker that asks.
    struct ReplicaState {
        15.. => replica_id: i32 = -1,
        15.. => replica_epoch: i64 = -1,
    }

    /// Partitions of one topic.
    struct FetchTopic {
        0..=12, or skip => topic: String,
        13.., or skip   => topic_id: Uuid,
        0..             => partitions: Vec<FetchPartition>,
    }

    /// Partitions of one topic that leave the session.
    struct ForgottenTopic {
        7..=12, or skip => topic: String,
        13.., or skip   => topic_id: Uuid,
        7..             => partitions: Vec<i32>,
    }

    /// One partition.
    struct FetchPartition {
        0..                  => partition: i32,
        /// What the client knows; a broker that knows better answers an error. -1 means not known.
        9.., or skip         => current_leader_epoch: i32 = -1,
        0..                  => fetch_offset: i64,
        /// Of the last record that was read; -1 means not known: then the broker does not look for a parting of logs.
        12..                 => last_fetched_epoch: i32 = -1,
        /// For followers only.
        5.., or skip         => log_start_offset: i64 = -1,
        /// A limit for this partition, except that the first batch always comes whole.
        0..                  => partition_max_bytes: i32,
        /// For replicas of the metadata log only.
        17.., tag 0, or skip => replica_directory_id: Uuid,
        /// What a replica knows.
        18.., tag 1, or skip => high_watermark: i64 = i64::MAX,
    }

    /// The records; in a session only of partitions that have something new.
    struct FetchResponse {
        1.., or skip => throttle_time_ms: i32,
        /// Of the session as a whole.
        7.., or skip => error_code: i16,
        7..          => session_id: i32,
        0..          => responses: Vec<FetchableTopicResponse>,
        /// Where the leaders are that partitions name.
        16.., tag 0  => node_endpoints: Vec<NodeEndpoint>,
    }

    /// Partitions of one topic.
    struct FetchableTopicResponse {
        0..=12, or skip => topic: String,
        13.., or skip   => topic_id: Uuid,
        0..             => partitions: Vec<PartitionData>,
    }

    /// Where one leader can be reached.
    struct NodeEndpoint {
        16.. => node_id: i32,
        16.. => host: String,
        16.. => port: i32,
        16.. => rack: Option<String>,
    }

    /// One partition.
    struct PartitionData {
        0..          => partition_index: i32,
        0..          => error_code: i16,
        /// The offset after the last record that all replicas in sync have.
        0..          => high_watermark: i64,
        /// The offset before which all transactions have ended; -1 means not known.
        4.., or skip => last_stable_offset: i64 = -1,
        5.., or skip => log_start_offset: i64 = -1,
        /// Where the client's log and the leader's part, if they do.
        12.., tag 0  => diverging_epoch: EpochEndOffset,
        /// Who leads, if the client is wrong about it.
        12.., tag 1  => current_leader: LeaderIdAndEpoch,
        /// For replicas of the metadata log only.
        12.., tag 2  => snapshot_id: SnapshotId,
        /// What a reader of committed records must leave out.
        4.., or skip => aborted_transactions: Option<Vec<AbortedTransaction>> = Some(Vec::new()),
        /// The broker to read from instead; -1 means this one.
        11..         => preferred_read_replica: i32 = -1,
        /// Record batches; the last may be cut off.
        0..          => records: Option<Bytes>,
    }

    /// Where a leader epoch ended.
    struct EpochEndOffset {
        12.. => epoch: i32 = -1,
        12.. => end_offset: i64 = -1,
    }

    /// Who leads a partition.
    struct LeaderIdAndEpoch {
        12.. => leader_id: i32 = -1,
        12.. => leader_epoch: i32 = -1,
    }

    /// A snapshot of the metadata log.
    struct SnapshotId {
        12.. => end_offset: i64 = -1,
        12.. => epoch: i32 = -1,
    }

    /// One aborted transaction among the records.
    struct AbortedTransaction {
        4.. => producer_id: i64,
        /// Where it began.
        4.. => first_offset: i64,
    }
}
