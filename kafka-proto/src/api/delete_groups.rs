//! Deletes groups that have no members, with their offsets (KIP-229, since Kafka 1.1).

messages! {
    /// Deletes groups that the broker coordinates.
    struct DeleteGroupsRequest {
        0.. => groups_names: Vec<String>,
    }

    /// What became of each group.
    struct DeleteGroupsResponse {
        0.. => throttle_time_ms: i32,
        0.. => results: Vec<DeletableGroupResult>,
    }

    /// What became of one group.
    struct DeletableGroupResult {
        0.. => group_id: String,
        0.. => error_code: i16,
    }
}
