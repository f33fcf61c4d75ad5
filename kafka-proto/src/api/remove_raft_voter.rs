//! Removes a controller from the voters of a KRaft quorum (KIP-853, since Kafka 3.9).

use crate::wire::Uuid;

messages! {
    /// Makes a voter an observer.
    struct RemoveRaftVoterRequest {
        /// The cluster that is meant; null means the one that answers.
        0.. => cluster_id: Option<String> = Some(String::new()),
        0.. => voter_id: i32,
        /// The id of the log directory with the voter's metadata.
        0.. => voter_directory_id: Uuid,
    }

    /// Whether it is no voter any more.
    struct RemoveRaftVoterResponse {
        0.. => throttle_time_ms: i32,
        0.. => error_code: i16,
        0.. => error_message: Option<String> = Some(String::new()),
    }
}
