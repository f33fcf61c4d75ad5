//! Joins, stays in and leaves a share group (KIP-932, since Kafka 4.1).

use crate::wire::Uuid;

messages! {
    /// Says that a member is alive and what it wants.
    struct ShareGroupHeartbeatRequest {
        1.. => group_id: String,
        /// Made by the member itself.
        1.. => member_id: String,
        /// 0 joins, -1 leaves.
        1.. => member_epoch: i32,
        1.. => rack_id: Option<String>,
        /// Null means as before.
        1.. => subscribed_topic_names: Option<Vec<String>>,
    }

    /// What the member shall do.
    struct ShareGroupHeartbeatResponse {
        1.. => throttle_time_ms: i32,
        1.. => error_code: i16,
        1.. => error_message: Option<String>,
        1.. => member_id: Option<String>,
        1.. => member_epoch: i32,
        1.. => heartbeat_interval_ms: i32,
        /// What the member shall read; null means as before.
        1.. => assignment: Option<Assignment>,
    }

    /// Partitions of one member.
    struct Assignment {
        1.. => topic_partitions: Vec<TopicPartitions>,
    }

    /// Partitions of one topic.
    struct TopicPartitions {
        1.. => topic_id: Uuid,
        1.. => partitions: Vec<i32>,
    }
}
