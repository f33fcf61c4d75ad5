//! Leaves a classic group, or removes members from it (since Kafka 0.9; KIP-345).

messages! {
    /// Who leaves.
    struct LeaveGroupRequest {
        0..   => group_id: String,
        0..=2 => member_id: String,
        3..   => members: Vec<MemberIdentity>,
    }

    /// One member; a static one may be named by its instance id alone.
    struct MemberIdentity {
        3..          => member_id: String,
        3..          => group_instance_id: Option<String>,
        /// Why it leaves, for the broker's log (KIP-800).
        5.., or skip => reason: Option<String>,
    }

    /// What became of each member.
    struct LeaveGroupResponse {
        1.., or skip => throttle_time_ms: i32,
        0..          => error_code: i16,
        3..          => members: Vec<MemberResponse>,
    }

    /// What became of one member.
    struct MemberResponse {
        3.. => member_id: String,
        3.. => group_instance_id: Option<String> = Some(String::new()),
        3.. => error_code: i16,
    }
}
