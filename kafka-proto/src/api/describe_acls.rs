//! Lists rules of access (KIP-140, since Kafka 0.11; patterns: KIP-290).
//!
//! | number | resource type    | pattern type | operation        | permission |
//! |--------|------------------|--------------|------------------|------------|
//! | 1      | any              | any          | any              | any        |
//! | 2      | topic            | match        | all              | deny       |
//! | 3      | group            | literal      | read             | allow      |
//! | 4      | cluster          | prefixed     | write            |            |
//! | 5      | transactional id |              | create           |            |
//! | 6      | delegation token |              | delete           |            |
//! | 7      | user             |              | alter            |            |
//! | 8      |                  |              | describe         |            |
//! | 9      |                  |              | cluster action   |            |
//! | 10     |                  |              | describe configs |            |
//! | 11     |                  |              | alter configs    |            |
//! | 12     |                  |              | idempotent write |            |
//! | 13     |                  |              | create tokens    |            |
//! | 14     |                  |              | describe tokens  |            |
//! | 15     |                  |              | two-phase commit |            |

messages! {
    /// Says which rules; null matches all.
    struct DescribeAclsRequest {
        0.. => resource_type_filter: i8,
        0.. => resource_name_filter: Option<String> = Some(String::new()),
        /// 2 finds all rules that apply to a resource of this name.
        1.. => pattern_type_filter: i8 = 3,
        0.. => principal_filter: Option<String> = Some(String::new()),
        0.. => host_filter: Option<String> = Some(String::new()),
        0.. => operation: i8,
        0.. => permission_type: i8,
    }

    /// The rules that match.
    struct DescribeAclsResponse {
        0.. => throttle_time_ms: i32,
        0.. => error_code: i16,
        0.. => error_message: Option<String> = Some(String::new()),
        0.. => resources: Vec<DescribeAclsResource>,
    }

    /// The rules for one resource or pattern.
    struct DescribeAclsResource {
        0.. => resource_type: i8,
        0.. => resource_name: String,
        1.. => pattern_type: i8 = 3,
        0.. => acls: Vec<AclDescription>,
    }

    /// One rule.
    struct AclDescription {
        /// Its type and name, as in `User:alice`.
        0.. => principal: String,
        /// An address, or `*` for all.
        0.. => host: String,
        0.. => operation: i8,
        0.. => permission_type: i8,
    }
}
