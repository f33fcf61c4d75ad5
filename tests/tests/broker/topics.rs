//! Metadata, CreateTopics and FindCoordinator.

use super::*;

#[test]
fn a_created_topic_is_described_in_every_version() {
    let mut world = World::new(Config::new().brokers(3));
    world.cluster.set_address(2, "two.example", 19092);
    let conn = world.cluster.connect(1);
    let created = world.call(conn, 7, &create("orders", 6, 3));
    let created = &created.topics[0];
    assert_eq!(
        (
            created.error_code,
            created.num_partitions,
            created.replication_factor
        ),
        (0, 6, 3)
    );
    assert_eq!(Some(created.topic_id), world.cluster.topic_id("orders"));
    for version in 0..=13 {
        let answer = world.call(conn, version, &metadata(&["orders"]));
        let brokers: Vec<_> = answer
            .brokers
            .iter()
            .map(|b| (b.node_id, b.host.as_str(), b.port))
            .collect();
        assert_eq!(
            brokers,
            [
                (1, "127.0.0.1", 9092),
                (2, "two.example", 19092),
                (3, "127.0.0.1", 9094)
            ]
        );
        assert_eq!(answer.controller_id, if version >= 1 { 1 } else { -1 });
        let topic = &answer.topics[0];
        assert_eq!(
            (topic.error_code, topic.name.as_deref()),
            (0, Some("orders"))
        );
        assert_eq!(topic.topic_id == created.topic_id, version >= 10);
        let leaders: Vec<_> = topic.partitions.iter().map(|p| p.leader_id).collect();
        assert_eq!(leaders, [1, 2, 3, 1, 2, 3]);
        assert_eq!(topic.partitions[1].replica_nodes, [2, 3, 1]);
    }
}

#[test]
fn metadata_lists_all_some_or_no_topics() {
    let mut world = World::new(Config::new());
    let ids = [
        world.cluster.create_topic("a", 1),
        world.cluster.create_topic("b", 1),
    ];
    let conn = world.cluster.connect(1);
    let mut names = |version, request: &MetadataRequest| -> Vec<(i16, Option<String>)> {
        world
            .call(conn, version, request)
            .topics
            .into_iter()
            .map(|t| (t.error_code, t.name))
            .collect()
    };
    let named = |code: ErrorCode, name: &str| (code.code(), Some(name.to_owned()));
    let both = [named(ErrorCode::NONE, "a"), named(ErrorCode::NONE, "b")];
    let all = MetadataRequest::build(|m| m.topics = None);
    let none = MetadataRequest::build(|m| m.topics = Some(Vec::new()));
    assert_eq!(names(0, &none), both);
    assert_eq!(names(1, &none), []);
    assert_eq!(names(1, &all), both);
    assert_eq!(names(13, &all), both);
    let unknown = named(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "c");
    let illegal = named(ErrorCode::INVALID_TOPIC_EXCEPTION, "no spaces");
    assert_eq!(
        names(9, &metadata(&["c", "no spaces", "b", "b"])),
        [unknown, illegal, both[1].clone()]
    );
    let by_id = MetadataRequest::build(|m| {
        let topic = |id| {
            MetadataRequestTopic::build(|t| {
                t.topic_id = id;
                t.name = None;
            })
        };
        m.topics = Some([ids[1], Uuid([9; 16])].map(topic).to_vec());
    });
    assert_eq!(
        names(12, &by_id),
        [both[1].clone(), (ErrorCode::UNKNOWN_TOPIC_ID.code(), None)]
    );
    assert_eq!(names(10, &by_id)[0].0, ErrorCode::INVALID_REQUEST.code());
}

#[test]
fn asking_for_a_topic_creates_it_only_if_both_sides_agree() {
    let mut world = World::new(Config::new().auto_create_topics(true).default_partitions(4));
    let conn = world.cluster.connect(1);
    let mut polite = metadata(&["t"]);
    polite.allow_auto_topic_creation = false;
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.code();
    assert_eq!(world.call(conn, 9, &polite).topics[0].error_code, unknown);
    assert_eq!(world.call(conn, 9, &polite).topics[0].error_code, unknown);
    // created, but only the next answer has it
    assert_eq!(
        world.call(conn, 9, &metadata(&["t"])).topics[0].error_code,
        unknown
    );
    assert_eq!(
        world.call(conn, 9, &metadata(&["t"])).topics[0]
            .partitions
            .len(),
        4
    );
}

#[test]
fn topics_that_cannot_be_are_not_created() {
    let mut world = World::new(Config::new().brokers(2).default_partitions(3));
    let conn = world.cluster.connect(1);
    world.cluster.create_topic("taken_name", 1);
    let mut result = |request: &CreateTopicsRequest| {
        ErrorCode(world.call(conn, 5, request).topics[0].error_code)
    };
    assert_eq!(
        result(&create("taken_name", 1, 1)),
        ErrorCode::TOPIC_ALREADY_EXISTS
    );
    assert_eq!(
        result(&create("taken.name", 1, 1)),
        ErrorCode::INVALID_TOPIC_EXCEPTION
    );
    assert_eq!(
        result(&create("no/slash", 1, 1)),
        ErrorCode::INVALID_TOPIC_EXCEPTION
    );
    assert_eq!(
        result(&create("t", 1, 3)),
        ErrorCode::INVALID_REPLICATION_FACTOR
    );
    assert_eq!(
        result(&create("t", 1, 0)),
        ErrorCode::INVALID_REPLICATION_FACTOR
    );
    assert_eq!(result(&create("t", 0, 1)), ErrorCode::INVALID_PARTITIONS);
    let assigned = |lists: &[(i32, &[i32])], count| {
        let mut request = create("t", count, -1);
        let list = |(index, brokers): &(i32, &[i32])| {
            CreatableReplicaAssignment::build(|a| {
                a.partition_index = *index;
                a.broker_ids = brokers.to_vec();
            })
        };
        request.topics[0].assignments = lists.iter().map(list).collect();
        request
    };
    assert_eq!(
        result(&assigned(&[(0, &[1])], 1)),
        ErrorCode::INVALID_REQUEST
    );
    assert_eq!(
        result(&assigned(&[(0, &[3])], -1)),
        ErrorCode::INVALID_REPLICA_ASSIGNMENT
    );
    assert_eq!(
        result(&assigned(&[(0, &[1]), (2, &[1])], -1)),
        ErrorCode::INVALID_REPLICA_ASSIGNMENT
    );
    let configured = |name: &str, value: &str| {
        let mut request = create("t", 1, 1);
        request.topics[0].configs = vec![CreatableTopicConfig::build(|c| {
            c.name = name.to_owned();
            c.value = Some(value.to_owned());
        })];
        request
    };
    assert_eq!(
        result(&configured("no.such.config", "1")),
        ErrorCode::INVALID_CONFIG
    );
    assert_eq!(
        result(&configured("max.message.bytes", "many")),
        ErrorCode::INVALID_CONFIG
    );
    let mut twice = create("t", 1, 1);
    twice.topics.push(twice.topics[0].clone());
    assert_eq!(result(&twice), ErrorCode::INVALID_REQUEST);
    let mut hasty = create("t", 1, 1);
    hasty.timeout_ms = 0;
    assert_eq!(result(&hasty), ErrorCode::REQUEST_TIMED_OUT);
    let mut only_checked = create("t", 1, 1);
    only_checked.validate_only = true;
    assert_eq!(result(&only_checked), ErrorCode::NONE);
    assert_eq!(
        result(&assigned(&[(1, &[1, 2]), (0, &[2, 1])], -1)),
        ErrorCode::NONE
    );
    assert_eq!(
        (world.cluster.leader("t", 0), world.cluster.leader("t", 1)),
        (Some(2), Some(1))
    );
    assert_eq!(
        world.call(conn, 5, &create("defaults", -1, -1)).topics[0].num_partitions,
        3
    );
}

#[test]
fn coordinators_stay_until_their_broker_stops() {
    let mut world = World::new(Config::new().brokers(3));
    let ask = |key: &str| {
        FindCoordinatorRequest::build(|m| {
            m.key = key.to_owned();
            m.coordinator_keys = vec![key.to_owned(), "other".to_owned()];
        })
    };
    let conn = world.cluster.connect(1);
    let many = world.call(conn, 6, &ask("g")).coordinators;
    assert_eq!(many.len(), 2);
    for version in 0..=3 {
        assert_eq!(
            world.call(conn, version, &ask("g")).node_id,
            many[0].node_id
        );
    }
    world.cluster.stop(many[0].node_id);
    let conn = world.connect_live();
    let moved = world.call(conn, 4, &ask("g")).coordinators;
    assert_ne!(moved[0].node_id, many[0].node_id);
    world.cluster.start(many[0].node_id);
    assert_eq!(
        world.call(conn, 4, &ask("g")).coordinators[0].node_id,
        many[0].node_id
    );
}
