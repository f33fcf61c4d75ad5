//! Gets records for a member of a share group, and acknowledges earlier ones (KIP-932, since Kafka 4.1).

use bytes::Bytes;

use crate::wire::Uuid;

messages! {
    /// Reads, within a share session.
    struct ShareFetchRequest {
        1..          => group_id: Option<String>,
        1..          => member_id: Option<String> = Some(String::new()),
        /// 0 starts a session, -1 ends it; otherwise one more than in the last request.
        1..          => share_session_epoch: i32,
        /// How long the broker may wait for `min_bytes`.
        1..          => max_wait_ms: i32,
        1..          => min_bytes: i32,
        1..          => max_bytes: i32 = i32::MAX,
        1..          => max_records: i32,
        /// How many records the broker should put into one run of acquired ones.
        1..          => batch_size: i32,
        /// 0 takes whole batches, 1 never more records than `max_records` (KIP-1206).
        2.., or skip => share_acquire_mode: i8,
        /// Whether some acknowledgements ask for more time instead (KIP-1222).
        2..          => is_renew_ack: bool,
        /// Only what has changed in the session.
        1..          => topics: Vec<FetchTopic>,
        /// What leaves the session.
        1..          => forgotten_topics_data: Vec<ForgottenTopic>,
    }

    /// Partitions of one topic.
    struct FetchTopic {
        1.. => topic_id: Uuid,
        1.. => partitions: Vec<FetchPartition>,
    }

    /// Partitions of one topic that leave the session.
    struct ForgottenTopic {
        1.. => topic_id: Uuid,
        1.. => partitions: Vec<i32>,
    }

    /// One partition.
    struct FetchPartition {
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

    /// The records.
    struct ShareFetchResponse {
        1.. => throttle_time_ms: i32,
        1.. => error_code: i16,
        1.. => error_message: Option<String>,
        /// How long the member may take to acknowledge.
        1.. => acquisition_lock_timeout_ms: i32,
        1.. => responses: Vec<ShareFetchableTopicResponse>,
        1.. => node_endpoints: Vec<NodeEndpoint>,
    }

    /// Partitions of one topic.
    struct ShareFetchableTopicResponse {
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

    /// One partition.
    struct PartitionData {
        1.. => partition_index: i32,
        1.. => error_code: i16,
        1.. => error_message: Option<String>,
        /// What became of the acknowledgements.
        1.. => acknowledge_error_code: i16,
        1.. => acknowledge_error_message: Option<String>,
        /// Who leads, if the client is wrong about it.
        1.. => current_leader: LeaderIdAndEpoch,
        /// Record batches; only the acquired records in them are for this member.
        1.. => records: Bytes,
        1.. => acquired_records: Vec<AcquiredRecords>,
    }

    /// Who leads a partition.
    struct LeaderIdAndEpoch {
        1.. => leader_id: i32,
        1.. => leader_epoch: i32,
    }

    /// A run of records that are for this member.
    struct AcquiredRecords {
        1.. => first_offset: i64,
        1.. => last_offset: i64,
        /// How often they have been given out, this time included.
        1.. => delivery_count: i16,
    }
}
