//! Joins, stays in and leaves a group of Kafka Streams (KIP-1071, since Kafka 4.1).

messages! {
    /// Says that a member is alive and what it has; null means as before.
    struct StreamsGroupHeartbeatRequest {
        0.. => group_id: String,
        0.. => member_id: String,
        /// 0 joins, -1 leaves, -2 leaves for a while as a static member.
        0.. => member_epoch: i32,
        /// What the member knows of the endpoints of others.
        0.. => endpoint_information_epoch: i32,
        0.. => instance_id: Option<String>,
        0.. => rack_id: Option<String>,
        0.. => rebalance_timeout_ms: i32 = -1,
        /// Only with the first heartbeat, or when it has changed.
        0.. => topology: Option<Topology>,
        0.. => active_tasks: Option<Vec<TaskIds>>,
        0.. => standby_tasks: Option<Vec<TaskIds>>,
        0.. => warmup_tasks: Option<Vec<TaskIds>>,
        /// The same for all members of one process.
        0.. => process_id: Option<String>,
        /// Where its state can be queried.
        0.. => user_endpoint: Option<Endpoint>,
        0.. => client_tags: Option<Vec<KeyValue>>,
        0.. => task_offsets: Option<Vec<TaskOffset>>,
        0.. => task_end_offsets: Option<Vec<TaskOffset>>,
        /// Whether all members shall stop.
        0.. => shutdown_application: bool,
    }

    /// What the group computes.
    struct Topology {
        0.. => epoch: i32,
        0.. => subtopologies: Vec<Subtopology>,
    }

    /// Tasks of one subtopology.
    struct TaskIds {
        0.. => subtopology_id: String,
        0.. => partitions: Vec<i32>,
    }

    /// An address.
    struct Endpoint {
        0.. => host: String,
        0.. => port: u16,
    }

    /// A name and its value.
    struct KeyValue {
        0.. => key: String,
        0.. => value: String,
    }

    /// How far one task is.
    struct TaskOffset {
        0.. => subtopology_id: String,
        0.. => partition: i32,
        0.. => offset: i64,
    }

    /// A part of the topology that is computed by tasks of its own.
    struct Subtopology {
        0.. => subtopology_id: String,
        0.. => source_topics: Vec<String>,
        0.. => source_topic_regex: Vec<String>,
        0.. => state_changelog_topics: Vec<TopicInfo>,
        0.. => repartition_sink_topics: Vec<String>,
        0.. => repartition_source_topics: Vec<TopicInfo>,
        /// Topics that must have the same number of partitions.
        0.. => copartition_groups: Vec<CopartitionGroup>,
    }

    /// A topic that the group needs.
    struct TopicInfo {
        0.. => name: String,
        /// 0 means that the group decides.
        0.. => partitions: i32,
        /// 0 means the broker's default.
        0.. => replication_factor: i16,
        0.. => topic_configs: Vec<KeyValue>,
    }

    /// Topics with the same number of partitions, by their places in the lists of the subtopology.
    struct CopartitionGroup {
        0.. => source_topics: Vec<i16>,
        0.. => source_topic_regex: Vec<i16>,
        0.. => repartition_source_topics: Vec<i16>,
    }

    /// What the member shall do; null means as before.
    struct StreamsGroupHeartbeatResponse {
        0.. => throttle_time_ms: i32,
        0.. => error_code: i16,
        0.. => error_message: Option<String>,
        0.. => member_id: String,
        0.. => member_epoch: i32,
        0.. => heartbeat_interval_ms: i32,
        /// How far a task may be behind and still be active.
        0.. => acceptable_recovery_lag: i32,
        0.. => task_offset_interval_ms: i32,
        /// What is wrong with the group, if anything.
        0.. => status: Option<Vec<Status>> = Some(Vec::new()),
        0.. => active_tasks: Option<Vec<TaskIds>>,
        0.. => standby_tasks: Option<Vec<TaskIds>>,
        0.. => warmup_tasks: Option<Vec<TaskIds>>,
        0.. => endpoint_information_epoch: i32,
        0.. => partitions_by_user_endpoint: Option<Vec<EndpointToPartitions>>,
    }

    /// One thing that is wrong, for people to read too.
    struct Status {
        0.. => status_code: i8,
        0.. => status_detail: String,
    }

    /// What can be queried at one endpoint.
    struct EndpointToPartitions {
        0.. => user_endpoint: Endpoint,
        0.. => active_partitions: Vec<TopicPartition>,
        0.. => standby_partitions: Vec<TopicPartition>,
    }

    /// Partitions of one topic.
    struct TopicPartition {
        0.. => topic: String,
        0.. => partitions: Vec<i32>,
    }
}
