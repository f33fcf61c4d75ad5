//! Describes consumer groups of the protocol in which the broker assigns (KIP-848, since Kafka 3.7).

use crate::wire::Uuid;

messages! {
    /// Asks for groups that the broker coordinates.
    struct ConsumerGroupDescribeRequest {
        0.. => group_ids: Vec<String>,
        0.. => include_authorized_operations: bool,
    }

    /// The groups.
    struct ConsumerGroupDescribeResponse {
        0.. => throttle_time_ms: i32,
        0.. => groups: Vec<DescribedGroup>,
    }

    /// One group.
    struct DescribedGroup {
        0.. => error_code: i16,
        0.. => error_message: Option<String>,
        0.. => group_id: String,
        0.. => group_state: String,
        0.. => group_epoch: i32,
        /// The group epoch for which the target assignment was made.
        0.. => assignment_epoch: i32,
        0.. => assignor_name: String,
        0.. => members: Vec<Member>,
        0.. => authorized_operations: i32 = i32::MIN,
    }

    /// One member.
    struct Member {
        0..          => member_id: String,
        0..          => instance_id: Option<String>,
        0..          => rack_id: Option<String>,
        0..          => member_epoch: i32,
        0..          => client_id: String,
        0..          => client_host: String,
        0..          => subscribed_topic_names: Vec<String>,
        0..          => subscribed_topic_regex: Option<String>,
        /// What it has.
        0..          => assignment: Assignment,
        /// What it shall have.
        0..          => target_assignment: Assignment,
        /// 0 uses the classic protocol, 1 this one, -1 is not known.
        1.., or skip => member_type: i8 = -1,
    }

    /// Partitions of one member.
    struct Assignment {
        0.. => topic_partitions: Vec<TopicPartitions>,
    }

    /// Partitions of one topic.
    struct TopicPartitions {
        0.. => topic_id: Uuid,
        0.. => topic_name: String,
        0.. => partitions: Vec<i32>,
    }
}
