//! Describes groups of the classic protocol (since Kafka 0.9).

use bytes::Bytes;

messages! {
    /// Asks for groups that the broker coordinates.
    struct DescribeGroupsRequest {
        0.. => groups: Vec<String>,
        3.. => include_authorized_operations: bool,
    }

    /// The groups.
    struct DescribeGroupsResponse {
        1.., or skip => throttle_time_ms: i32,
        0..          => groups: Vec<DescribedGroup>,
    }

    /// One group; one that does not exist is `Dead` and from version 6 on an error.
    struct DescribedGroup {
        0.. => error_code: i16,
        6.. => error_message: Option<String>,
        0.. => group_id: String,
        0.. => group_state: String,
        /// `consumer`, `connect` or whatever the members say; empty if there are none.
        0.. => protocol_type: String,
        /// The assignor that the members agreed on.
        0.. => protocol_data: String,
        0.. => members: Vec<DescribedGroupMember>,
        3.. => authorized_operations: i32 = i32::MIN,
    }

    /// One member.
    struct DescribedGroupMember {
        0..          => member_id: String,
        4.., or skip => group_instance_id: Option<String>,
        0..          => client_id: String,
        0..          => client_host: String,
        /// What it said in JoinGroup; of a consumer a subscription.
        0..          => member_metadata: Bytes,
        /// What it got in SyncGroup; of a consumer an assignment.
        0..          => member_assignment: Bytes,
    }
}
