//! Creates rules of access (KIP-140, since Kafka 0.11; patterns: KIP-290).
//!
//! What the numbers mean is listed at [`describe_acls`](super::describe_acls).

messages! {
    /// Creates rules.
    struct CreateAclsRequest {
        0.. => creations: Vec<AclCreation>,
    }

    /// One rule.
    struct AclCreation {
        0.. => resource_type: i8,
        0.. => resource_name: String,
        /// 3 takes the name as it is, 4 as a prefix.
        1.. => resource_pattern_type: i8 = 3,
        /// Its type and name, as in `User:alice`.
        0.. => principal: String,
        /// An address, or `*` for all.
        0.. => host: String,
        0.. => operation: i8,
        0.. => permission_type: i8,
    }

    /// What became of each rule, in the order of the request.
    struct CreateAclsResponse {
        0.. => throttle_time_ms: i32,
        0.. => results: Vec<AclCreationResult>,
    }

    /// What became of one rule.
    struct AclCreationResult {
        0.. => error_code: i16,
        0.. => error_message: Option<String> = Some(String::new()),
    }
}
