//! Joins a classic group (since Kafka 0.9); the answer waits until all members have come.

use bytes::Bytes;

messages! {
    /// Says what the member supports.
    struct JoinGroupRequest {
        0..          => group_id: String,
        0..          => session_timeout_ms: i32,
        /// How long others wait for this member; -1 means the session timeout.
        1.., or skip => rebalance_timeout_ms: i32 = -1,
        /// Empty at first; from version 4 on the broker then answers one with error 79 (KIP-394).
        0..          => member_id: String,
        /// The name of a static member (KIP-345).
        5..          => group_instance_id: Option<String>,
        0..          => protocol_type: String,
        /// Assignors, the favourite first.
        0..          => protocols: Vec<JoinGroupRequestProtocol>,
        /// Why the member joins, for the broker's log (KIP-800).
        8.., or skip => reason: Option<String>,
    }

    /// One assignor, and what to tell it.
    struct JoinGroupRequestProtocol {
        0.. => name: String,
        /// Of a consumer a subscription.
        0.. => metadata: Bytes,
    }

    /// The generation.
    struct JoinGroupResponse {
        2.., or skip  => throttle_time_ms: i32,
        0..           => error_code: i16,
        0..           => generation_id: i32 = -1,
        7.., or skip  => protocol_type: Option<String>,
        /// The assignor that all support; null if the join failed.
        0.., null 7.. => protocol_name: Option<String> = Some(String::new()),
        /// The member id of the one that assigns.
        0..           => leader: String,
        /// Whether the leader sends no assignment, since the broker keeps the last one (KIP-814).
        9..           => skip_assignment: bool,
        0..           => member_id: String,
        /// For the leader only.
        0..           => members: Vec<JoinGroupResponseMember>,
    }

    /// One member, and what it said.
    struct JoinGroupResponseMember {
        0..          => member_id: String,
        5.., or skip => group_instance_id: Option<String>,
        0..          => metadata: Bytes,
    }
}
