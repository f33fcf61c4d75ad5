//! Lists the groups that one broker coordinates (since Kafka 0.9).

messages! {
    /// Says which groups.
    struct ListGroupsRequest {
        /// Empty means all (KIP-518).
        4.. => states_filter: Vec<String>,
        /// Empty means all (KIP-848).
        5.. => types_filter: Vec<String>,
    }

    /// The groups.
    struct ListGroupsResponse {
        1.., or skip => throttle_time_ms: i32,
        0..          => error_code: i16,
        0..          => groups: Vec<ListedGroup>,
    }

    /// One group.
    struct ListedGroup {
        0..          => group_id: String,
        /// `consumer` or whatever the members said.
        0..          => protocol_type: String,
        4.., or skip => group_state: String,
        /// `classic`, `consumer`, `share` or `streams`.
        5.., or skip => group_type: String,
    }
}
