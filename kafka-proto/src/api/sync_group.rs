//! Hands out the assignments of a classic group (since Kafka 0.9).

use bytes::Bytes;

messages! {
    /// Brings the assignments, from the leader, or asks for one's own.
    struct SyncGroupRequest {
        0..          => group_id: String,
        0..          => generation_id: i32,
        0..          => member_id: String,
        3..          => group_instance_id: Option<String>,
        5.., or skip => protocol_type: Option<String>,
        5.., or skip => protocol_name: Option<String>,
        /// From the leader only.
        0..          => assignments: Vec<SyncGroupRequestAssignment>,
    }

    /// What one member gets.
    struct SyncGroupRequestAssignment {
        0.. => member_id: String,
        0.. => assignment: Bytes,
    }

    /// What this member gets.
    struct SyncGroupResponse {
        1.., or skip => throttle_time_ms: i32,
        0..          => error_code: i16,
        5.., or skip => protocol_type: Option<String>,
        5.., or skip => protocol_name: Option<String>,
        /// Of a consumer an assignment; empty means nothing.
        0..          => assignment: Bytes,
    }
}
