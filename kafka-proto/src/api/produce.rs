//! Writes records to partitions that a broker leads.
//!
//! With `acks` 0 there is no response at all. Topic ids: KIP-516, version 13. New leaders in answers: KIP-951.

use bytes::Bytes;

use crate::wire::Uuid;

messages! {
    /// Writes record batches.
    struct ProduceRequest {
        /// Null without transactions.
        3.. => transactional_id: Option<String>,
        /// Who must have the records before the answer: -1 all replicas in sync, 1 the leader, 0 nobody.
        0.. => acks: i16,
        /// How long the broker may wait for replicas.
        0.. => timeout_ms: i32,
        0.. => topic_data: Vec<TopicProduceData>,
    }

    /// Partitions of one topic.
    struct TopicProduceData {
        0..=12, or skip => name: String,
        13.., or skip   => topic_id: Uuid,
        0..             => partition_data: Vec<PartitionProduceData>,
    }

    /// One partition.
    struct PartitionProduceData {
        0.. => index: i32,
        /// One record batch, from version 3 on; messages of the older formats before.
        0.. => records: Option<Bytes>,
    }

    /// What became of each partition.
    struct ProduceResponse {
        0..          => responses: Vec<TopicProduceResponse>,
        1.., or skip => throttle_time_ms: i32,
        /// Where the leaders are that partitions name.
        10.., tag 0  => node_endpoints: Vec<NodeEndpoint>,
    }

    /// What became of one topic.
    struct TopicProduceResponse {
        0..=12, or skip => name: String,
        13.., or skip   => topic_id: Uuid,
        0..             => partition_responses: Vec<PartitionProduceResponse>,
    }

    /// Where one leader can be reached.
    struct NodeEndpoint {
        10.. => node_id: i32,
        10.. => host: String,
        10.. => port: i32,
        10.. => rack: Option<String>,
    }

    /// What became of one partition.
    struct PartitionProduceResponse {
        0..          => index: i32,
        0..          => error_code: i16,
        /// The offset of the first record; -1 means not known.
        0..          => base_offset: i64,
        /// When the broker wrote them, if the topic keeps that; otherwise -1.
        2.., or skip => log_append_time_ms: i64 = -1,
        5.., or skip => log_start_offset: i64 = -1,
        /// Which records made the batch fail (KIP-467).
        8.., or skip => record_errors: Vec<BatchIndexAndErrorMessage>,
        8.., or skip => error_message: Option<String>,
        /// Who leads, if the client is wrong about it.
        10.., tag 0  => current_leader: LeaderIdAndEpoch,
    }

    /// One record that made the batch fail.
    struct BatchIndexAndErrorMessage {
        8.. => batch_index: i32,
        8.. => batch_index_error_message: Option<String>,
    }

    /// Who leads a partition.
    struct LeaderIdAndEpoch {
        10.. => leader_id: i32 = -1,
        10.. => leader_epoch: i32 = -1,
    }
}
