//! Says which brokers there are, and which of them lead which partitions.

use crate::{api::NodeIds, wire::Uuid};

messages! {
    /// Says which topics.
    struct MetadataRequest {
        /// Null means all; empty means none, but all in version 0.
        0.., null 1.. => topics: Option<Vec<MetadataRequestTopic>> = Some(Vec::new()),
        /// Whether to create topics that do not exist, if the broker is set to.
        4..           => allow_auto_topic_creation: bool = true,
        8..=10        => include_cluster_authorized_operations: bool,
        8..           => include_topic_authorized_operations: bool,
    }

    /// One topic, by name or by id.
    struct MetadataRequestTopic {
        /// Zero if the name says which.
        10.., or skip  => topic_id: Uuid,
        /// Null if the id says which; brokers look at ids from version 12 on.
        0.., null 10.. => name: Option<String> = Some(String::new()),
    }

    /// The cluster, as the broker knows it.
    struct MetadataResponse {
        3.., or skip  => throttle_time_ms: i32,
        0..           => brokers: Vec<MetadataResponseBroker>,
        2.., or skip  => cluster_id: Option<String>,
        /// With KRaft any live broker; -1 means not known.
        1.., or skip  => controller_id: i32 = -1,
        0..           => topics: Vec<MetadataResponseTopic>,
        8..=10        => cluster_authorized_operations: i32 = i32::MIN,
        /// Of the whole answer: that the client must start again (KIP-1102).
        13.., or skip => error_code: i16,
    }

    /// One broker.
    struct MetadataResponseBroker {
        0..          => node_id: i32,
        0..          => host: String,
        0..          => port: i32,
        1.., or skip => rack: Option<String>,
    }

    /// One topic.
    struct MetadataResponseTopic {
        0..            => error_code: i16,
        /// Null if the topic was asked for by an id that nobody knows.
        0.., null 12.. => name: Option<String> = Some(String::new()),
        10.., or skip  => topic_id: Uuid,
        1.., or skip   => is_internal: bool,
        0..            => partitions: Vec<MetadataResponsePartition>,
        8..            => topic_authorized_operations: i32 = i32::MIN,
    }

    /// One partition.
    struct MetadataResponsePartition {
        0..          => error_code: i16,
        0..          => partition_index: i32,
        /// -1 means none.
        0..          => leader_id: i32,
        /// Grows with every election; -1 means not known (KIP-320).
        7.., or skip => leader_epoch: i32 = -1,
        /// All replicas, the preferred leader first.
        0..          => replica_nodes: NodeIds,
        /// The replicas in sync.
        0..          => isr_nodes: NodeIds,
        /// The replicas on brokers or disks that are down.
        5.., or skip => offline_replicas: NodeIds,
    }
}
