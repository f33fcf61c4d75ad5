//! Describes the quorum of KRaft controllers (KIP-595, since Kafka 2.7; KIP-853).

use crate::wire::Uuid;

messages! {
    /// Asks for the one partition that there is, 0 of `__cluster_metadata`.
    struct DescribeQuorumRequest {
        0.. => topics: Vec<RequestTopicData>,
    }

    /// Partitions of one topic.
    struct RequestTopicData {
        0.. => topic_name: String,
        0.. => partitions: Vec<RequestPartitionData>,
    }

    /// One partition.
    struct RequestPartitionData {
        0.. => partition_index: i32,
    }

    /// The quorum.
    struct DescribeQuorumResponse {
        0..          => error_code: i16,
        2.., or skip => error_message: Option<String> = Some(String::new()),
        0..          => topics: Vec<ResponseTopicData>,
        2..          => nodes: Vec<Node>,
    }

    /// Partitions of one topic.
    struct ResponseTopicData {
        0.. => topic_name: String,
        0.. => partitions: Vec<ResponsePartitionData>,
    }

    /// Where one voter can be reached.
    struct Node {
        2.. => node_id: i32,
        2.. => listeners: Vec<Listener>,
    }

    /// One partition.
    struct ResponsePartitionData {
        0..          => partition_index: i32,
        0..          => error_code: i16,
        2.., or skip => error_message: Option<String> = Some(String::new()),
        0..          => leader_id: i32,
        0..          => leader_epoch: i32,
        0..          => high_watermark: i64,
        0..          => current_voters: Vec<ReplicaState>,
        0..          => observers: Vec<ReplicaState>,
    }

    /// How far one voter or observer is.
    struct ReplicaState {
        0..          => replica_id: i32,
        2..          => replica_directory_id: Uuid,
        /// -1 means not known.
        0..          => log_end_offset: i64,
        /// When the leader heard from it; -1 means not known.
        1.., or skip => last_fetch_timestamp: i64 = -1,
        /// When it had all that the leader had; -1 means not known.
        1.., or skip => last_caught_up_timestamp: i64 = -1,
    }

    /// One endpoint of a voter.
    struct Listener {
        2.. => name: String,
        2.. => host: String,
        2.. => port: u16,
    }
}
