//! Describes topics in pages, with the replicas that may become leaders (KIP-966, since Kafka 3.7).

use crate::{api::NodeIds, wire::Uuid};

messages! {
    /// Says which topics, and from where on.
    struct DescribeTopicPartitionsRequest {
        /// Empty means all.
        0.. => topics: Vec<TopicRequest>,
        0.. => response_partition_limit: i32 = 2000,
        /// Where the last page ended; null means from the start.
        0.. => cursor: Option<Cursor>,
    }

    /// One topic.
    struct TopicRequest {
        0.. => name: String,
    }

    /// A place between two pages.
    struct Cursor {
        0.. => topic_name: String,
        0.. => partition_index: i32,
    }

    /// One page.
    struct DescribeTopicPartitionsResponse {
        0.. => throttle_time_ms: i32,
        0.. => topics: Vec<DescribeTopicPartitionsResponseTopic>,
        /// For the next page; null means that this is the last.
        0.. => next_cursor: Option<Cursor>,
    }

    /// One topic.
    struct DescribeTopicPartitionsResponseTopic {
        0.. => error_code: i16,
        0.. => name: Option<String> = Some(String::new()),
        0.. => topic_id: Uuid,
        0.. => is_internal: bool,
        0.. => partitions: Vec<DescribeTopicPartitionsResponsePartition>,
        0.. => topic_authorized_operations: i32 = i32::MIN,
    }

    /// One partition.
    struct DescribeTopicPartitionsResponsePartition {
        0.. => error_code: i16,
        0.. => partition_index: i32,
        0.. => leader_id: i32,
        0.. => leader_epoch: i32 = -1,
        0.. => replica_nodes: NodeIds,
        0.. => isr_nodes: NodeIds,
        /// Replicas out of sync that lost nothing that was committed.
        0.. => eligible_leader_replicas: Option<Vec<i32>>,
        /// The eligible ones before they were lost.
        0.. => last_known_elr: Option<Vec<i32>>,
        0.. => offline_replicas: NodeIds,
    }
}
