//! Deletes topics (KIP-4, since Kafka 0.10.1), from version 6 on by id too (KIP-516).

use crate::wire::Uuid;

messages! {
    /// Deletes topics.
    struct DeleteTopicsRequest {
        6..            => topics: Vec<DeleteTopicState>,
        0..=5, or skip => topic_names: Vec<String>,
        0..            => timeout_ms: i32,
    }

    /// One topic, by name or by id.
    struct DeleteTopicState {
        /// Null if the id says which.
        6.. => name: Option<String>,
        6.. => topic_id: Uuid,
    }

    /// What became of each topic.
    struct DeleteTopicsResponse {
        1.., or skip => throttle_time_ms: i32,
        0..          => responses: Vec<DeletableTopicResult>,
    }

    /// What became of one topic.
    struct DeletableTopicResult {
        0.., null 6.. => name: Option<String> = Some(String::new()),
        6.., or skip  => topic_id: Uuid,
        0..           => error_code: i16,
        5.., or skip  => error_message: Option<String>,
    }
}
