//! Deletes rules of access (KIP-140, since Kafka 0.11).
//!
//! What the numbers mean is listed at [`describe_acls`](super::describe_acls).

messages! {
    /// Deletes all rules that match one of the filters.
    struct DeleteAclsRequest {
        0.. => filters: Vec<DeleteAclsFilter>,
    }

    /// Which rules; null matches all.
    struct DeleteAclsFilter {
        0.. => resource_type_filter: i8,
        0.. => resource_name_filter: Option<String> = Some(String::new()),
        1.. => pattern_type_filter: i8 = 3,
        0.. => principal_filter: Option<String> = Some(String::new()),
        0.. => host_filter: Option<String> = Some(String::new()),
        0.. => operation: i8,
        0.. => permission_type: i8,
    }

    /// What each filter matched, in the order of the request.
    struct DeleteAclsResponse {
        0.. => throttle_time_ms: i32,
        0.. => filter_results: Vec<DeleteAclsFilterResult>,
    }

    /// What one filter matched.
    struct DeleteAclsFilterResult {
        0.. => error_code: i16,
        0.. => error_message: Option<String> = Some(String::new()),
        0.. => matching_acls: Vec<DeleteAclsMatchingAcl>,
    }

    /// A rule, and what became of it.
    struct DeleteAclsMatchingAcl {
        0.. => error_code: i16,
        0.. => error_message: Option<String> = Some(String::new()),
        0.. => resource_type: i8,
        0.. => resource_name: String,
        1.. => pattern_type: i8 = 3,
        0.. => principal: String,
        0.. => host: String,
        0.. => operation: i8,
        0.. => permission_type: i8,
    }
}
