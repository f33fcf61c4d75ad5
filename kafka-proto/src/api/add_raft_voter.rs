//! Adds a controller to the voters of a KRaft quorum (KIP-853, since Kafka 3.9).

use crate::wire::Uuid;

messages! {
    /// Makes an observer a voter.
    struct AddRaftVoterRequest {
        /// The cluster that is meant; null means the one that answers.
        0.. => cluster_id: Option<String> = Some(String::new()),
        0.. => timeout_ms: i32,
        0.. => voter_id: i32,
        /// The id of the log directory with the voter's metadata.
        0.. => voter_directory_id: Uuid,
        /// Where the voter can be reached.
        0.. => listeners: Vec<Listener>,
        /// Whether to answer only when the change is committed, or as soon as it is written.
        1.. => ack_when_committed: bool = true,
    }

    /// One endpoint of the voter.
    struct Listener {
        0.. => name: String,
        0.. => host: String,
        0.. => port: u16,
    }

    /// Whether it is a voter now.
    struct AddRaftVoterResponse {
        0.. => throttle_time_ms: i32,
        0.. => error_code: i16,
        0.. => error_message: Option<String> = Some(String::new()),
    }
}
