//! Describes groups of Kafka Streams (KIP-1071, since Kafka 4.1).

messages! {
    /// Asks for groups that the broker coordinates.
    struct StreamsGroupDescribeRequest {
        0.. => group_ids: Vec<String>,
        0.. => include_authorized_operations: bool,
    }

    /// The groups.
    struct StreamsGroupDescribeResponse {
        0.. => throttle_time_ms: i32,
        0.. => groups: Vec<DescribedGroup>,
    }

    /// One group.
    struct DescribedGroup {
        0.. => error_code: i16,
        0.. => error_message: Option<String>,
        0.. => group_id: String,
        0.. => group_state: String,
        0.. => group_epoch: i32,
        /// The group epoch for which the target assignment was made.
        0.. => assignment_epoch: i32,
        0.. => topology: Option<Topology>,
        0.. => members: Vec<Member>,
        0.. => authorized_operations: i32 = i32::MIN,
    }

    /// What the group computes.
    struct Topology {
        0.. => epoch: i32,
        /// Null until the topology is set up.
        0.. => subtopologies: Option<Vec<Subtopology>>,
    }

    /// One member.
    struct Member {
        0.. => member_id: String,
        0.. => member_epoch: i32,
        0.. => instance_id: Option<String>,
        0.. => rack_id: Option<String>,
        0.. => client_id: String,
        0.. => client_host: String,
        0.. => topology_epoch: i32,
        /// The same for all members of one process.
        0.. => process_id: String,
        /// Where its state can be queried.
        0.. => user_endpoint: Option<Endpoint>,
        0.. => client_tags: Vec<KeyValue>,
        0.. => task_offsets: Vec<TaskOffset>,
        0.. => task_end_offsets: Vec<TaskOffset>,
        /// What it has.
        0.. => assignment: Assignment,
        /// What it shall have.
        0.. => target_assignment: Assignment,
        /// Whether it uses the classic protocol.
        0.. => is_classic: bool,
    }

    /// A part of the topology that is computed by tasks of its own.
    struct Subtopology {
        0.. => subtopology_id: String,
        0.. => source_topics: Vec<String>,
        0.. => repartition_sink_topics: Vec<String>,
        0.. => state_changelog_topics: Vec<TopicInfo>,
        0.. => repartition_source_topics: Vec<TopicInfo>,
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

    /// A name and its value.
    struct KeyValue {
        0.. => key: String,
        0.. => value: String,
    }

    /// An address.
    struct Endpoint {
        0.. => host: String,
        0.. => port: u16,
    }

    /// How far one task is.
    struct TaskOffset {
        0.. => subtopology_id: String,
        0.. => partition: i32,
        0.. => offset: i64,
    }

    /// Tasks of one member.
    struct Assignment {
        0.. => active_tasks: Vec<TaskIds>,
        0.. => standby_tasks: Vec<TaskIds>,
        0.. => warmup_tasks: Vec<TaskIds>,
    }

    /// Tasks of one subtopology.
    struct TaskIds {
        0.. => subtopology_id: String,
        0.. => partitions: Vec<i32>,
    }
}
