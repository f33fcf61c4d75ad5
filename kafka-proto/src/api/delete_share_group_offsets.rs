//! Makes a share group forget topics (KIP-932, since Kafka 4.1).

use crate::wire::Uuid;

messages! {
    /// Names the topics.
    struct DeleteShareGroupOffsetsRequest {
        0.. => group_id: String,
        0.. => topics: Vec<DeleteShareGroupOffsetsRequestTopic>,
    }

    /// One topic.
    struct DeleteShareGroupOffsetsRequestTopic {
        0.. => topic_name: String,
    }

    /// What became of each topic.
    struct DeleteShareGroupOffsetsResponse {
        0.. => throttle_time_ms: i32,
        0.. => error_code: i16,
        0.. => error_message: Option<String>,
        0.. => responses: Vec<DeleteShareGroupOffsetsResponseTopic>,
    }

    /// What became of one topic.
    struct DeleteShareGroupOffsetsResponseTopic {
        0.. => topic_name: String,
        0.. => topic_id: Uuid,
        0.. => error_code: i16,
        0.. => error_message: Option<String>,
    }
}
