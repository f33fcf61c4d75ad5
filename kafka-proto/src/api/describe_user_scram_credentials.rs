//! Lists which SCRAM credentials users have, without the secrets (KIP-554, since Kafka 2.7).

messages! {
    /// Says which users.
    struct DescribeUserScramCredentialsRequest {
        /// Null or empty means all.
        0.. => users: Option<Vec<UserName>> = Some(Vec::new()),
    }

    /// One user.
    struct UserName {
        0.. => name: String,
    }

    /// The users.
    struct DescribeUserScramCredentialsResponse {
        0.. => throttle_time_ms: i32,
        0.. => error_code: i16,
        0.. => error_message: Option<String> = Some(String::new()),
        0.. => results: Vec<DescribeUserScramCredentialsResult>,
    }

    /// The credentials of one user.
    struct DescribeUserScramCredentialsResult {
        0.. => user: String,
        0.. => error_code: i16,
        0.. => error_message: Option<String> = Some(String::new()),
        0.. => credential_infos: Vec<CredentialInfo>,
    }

    /// One credential.
    struct CredentialInfo {
        /// 1 is SCRAM-SHA-256, 2 is SCRAM-SHA-512.
        0.. => mechanism: i8,
        0.. => iterations: i32,
    }
}
