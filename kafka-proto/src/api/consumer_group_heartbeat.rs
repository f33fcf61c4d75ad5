//! Joins, stays in and leaves a consumer group in which the broker assigns (KIP-848, since Kafka 3.7).
//!
//! After the first heartbeat of an epoch a member sends only what has changed: null means as before.

use crate::wire::Uuid;

messages! {
    /// Says that a member is alive, what it wants and what it has.
    struct ConsumerGroupHeartbeatRequest {
        0.. => group_id: String,
        /// Made by the member itself from version 1 on; in version 0 empty until the coordinator gives one.
        0.. => member_id: String,
        /// 0 joins, -1 leaves, -2 leaves for a while as a static member.
        0.. => member_epoch: i32,
        /// The name of a static member.
        0.. => instance_id: Option<String>,
        0.. => rack_id: Option<String>,
        0.. => rebalance_timeout_ms: i32 = -1,
        0.. => subscribed_topic_names: Option<Vec<String>>,
        /// A regular expression of RE2, evaluated by the broker.
        1.. => subscribed_topic_regex: Option<String>,
        /// The assignor that the member prefers.
        0.. => server_assignor: Option<String>,
        /// What the member has.
        0.. => topic_partitions: Option<Vec<TopicPartitions>>,
    }

    /// Partitions of one topic.
    struct TopicPartitions {
        0.. => topic_id: Uuid,
        0.. => partitions: Vec<i32>,
    }

    /// What the member shall do.
    struct ConsumerGroupHeartbeatResponse {
        0.. => throttle_time_ms: i32,
        0.. => error_code: i16,
        0.. => error_message: Option<String>,
        0.. => member_id: Option<String>,
        0.. => member_epoch: i32,
        0.. => heartbeat_interval_ms: i32,
        /// What the member shall have; null means as before.
        0.. => assignment: Option<Assignment>,
    }

    /// Partitions of one member.
    struct Assignment {
        0.. => topic_partitions: Vec<TopicPartitions>,
    }
}
