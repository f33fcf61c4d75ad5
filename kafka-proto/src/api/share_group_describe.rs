//! Describes share groups (KIP-932, since Kafka 4.1).

use crate::wire::Uuid;

messages! {
    /// Asks for groups that the broker coordinates.
    struct ShareGroupDescribeRequest {
        1.. => group_ids: Vec<String>,
        1.. => include_authorized_operations: bool,
    }

    /// The groups.
    struct ShareGroupDescribeResponse {
        1.. => throttle_time_ms: i32,
        1.. => groups: Vec<DescribedGroup>,
    }

    /// One group.
    struct DescribedGroup {
        1.. => error_code: i16,
        1.. => error_message: Option<String>,
        1.. => group_id: String,
        1.. => group_state: String,
        1.. => group_epoch: i32,
        /// The group epoch for which the assignment was made.
        1.. => assignment_epoch: i32,
        1.. => assignor_name: String,
        1.. => members: Vec<Member>,
        1.. => authorized_operations: i32 = i32::MIN,
    }

    /// One member.
    struct Member {
        1.. => member_id: String,
        1.. => rack_id: Option<String>,
        1.. => member_epoch: i32,
        1.. => client_id: String,
        1.. => client_host: String,
        1.. => subscribed_topic_names: Vec<String>,
        1.. => assignment: Assignment,
    }

    /// Partitions of one member.
    struct Assignment {
        1.. => topic_partitions: Vec<TopicPartitions>,
    }

    /// Partitions of one topic.
    struct TopicPartitions {
        1.. => topic_id: Uuid,
        1.. => topic_name: String,
        1.. => partitions: Vec<i32>,
    }
}
