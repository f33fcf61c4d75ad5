//! Sets and removes the SCRAM credentials of users (KIP-554, since Kafka 2.7).

use bytes::Bytes;

use crate::wire::Secret;

messages! {
    /// Changes credentials.
    struct AlterUserScramCredentialsRequest {
        0.. => deletions: Vec<ScramCredentialDeletion>,
        0.. => upsertions: Vec<ScramCredentialUpsertion>,
    }

    /// A credential to remove.
    struct ScramCredentialDeletion {
        0.. => name: String,
        /// 1 is SCRAM-SHA-256, 2 is SCRAM-SHA-512.
        0.. => mechanism: i8,
    }

    /// A credential to set.
    struct ScramCredentialUpsertion {
        0.. => name: String,
        /// 1 is SCRAM-SHA-256, 2 is SCRAM-SHA-512.
        0.. => mechanism: i8,
        0.. => iterations: i32,
        0.. => salt: Bytes,
        /// What PBKDF2 makes of password, salt and iterations: the password itself is never sent.
        0.. => salted_password: Secret,
    }

    /// What became of each user.
    struct AlterUserScramCredentialsResponse {
        0.. => throttle_time_ms: i32,
        0.. => results: Vec<AlterUserScramCredentialsResult>,
    }

    /// What became of one user.
    struct AlterUserScramCredentialsResult {
        0.. => user: String,
        0.. => error_code: i16,
        0.. => error_message: Option<String> = Some(String::new()),
    }
}
