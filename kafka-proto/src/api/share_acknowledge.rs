//! Acknowledges records that a member of a share group has got (KIP-932, since Kafka 4.1).

use crate::wire::Uuid;

messages! {
    /// Acknowledges, within the share session.
    struct ShareAcknowledgeRequest {
        1.. => group_id: Option<String>,
        1.. => member_id: Option<String> = Some(String::new()),
        /// One more than in the last request of the session; -1 ends it.
        1.. => share_session_epoch: i32,
        /// Whether some acknowledgements ask for more time instead (KIP-1222).
        2.. => is_renew_ack: bool,
        1.. => topics: Vec<AcknowledgeTopic>,
    }

    /// Partitions of one topic.
    struct AcknowledgeTopic {
        1.. => topic_id: Uuid,
        1.. => partitions: Vec<AcknowledgePartition>,
    }

    /// One partition.
    struct AcknowledgePartition {
        1.. => partition_index: i32,
        1.. => acknowledgement_batches: Vec<AcknowledgementBatch>,
    }

    /// A run of records.
    struct AcknowledgementBatch {
        1.. => first_offset: i64,
        1.. => last_offset: i64,
        /// 0 a gap, 1 accept, 2 release, 3 reject, 4 more time; one for all records, or one for each.
        1.. => acknowledge_types: Vec<i8>,
    }

    /// What became of each partition.
    struct ShareAcknowledgeResponse {
        1..          => throttle_time_ms: i32,
        1..          => error_code: i16,
        1..          => error_message: Option<String>,
        2.., or skip => acquisition_lock_timeout_ms: i32,
        1..          => responses: Vec<ShareAcknowledgeTopicResponse>,
        1..          => node_endpoints: Vec<NodeEndpoint>,
    }

    /// What became of one topic.
    struct ShareAcknowledgeTopicResponse {
        1.. => topic_id: Uuid,
        1.. => partitions: Vec<PartitionData>,
    }

    /// Where one leader can be reached.
    struct NodeEndpoint {
        1.. => node_id: i32,
        1.. => host: String,
        1.. => port: i32,
        1.. => rack: Option<String>,
    }

    /// What became of one partition.
    struct PartitionData {
        1.. => partition_index: i32,
        1.. => error_code: i16,
        1.. => error_message: Option<String>,
        /// Who leads, if the client is wrong about it.
        1.. => current_leader: LeaderIdAndEpoch,
    }

    /// Who leads a partition.
    struct LeaderIdAndEpoch {
        1.. => leader_id: i32,
        1.. => leader_epoch: i32,
    }
}
