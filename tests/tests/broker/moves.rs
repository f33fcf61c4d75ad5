//! Leaders that move, brokers that stop, topics that are deleted.

use super::*;

#[test]
fn a_moved_leader_is_pointed_at_and_fenced() {
    let mut world = World::new(Config::new().brokers(2));
    let id = world.cluster.create_topic("t", 1);
    world.cluster.set_address(2, "two.example", 2222);
    let old = world.cluster.connect(1);
    let mut request = fetch("t", 0, 0);
    request.max_wait_ms = 500;
    request.topics[0].topic_id = id;
    request.topics[0].partitions[0].current_leader_epoch = 0;
    let waiting = world.send(old, 17, &request);
    world.cluster.set_leader("t", 0, 2);
    assert_eq!(
        (
            world.cluster.leader("t", 0),
            world.cluster.leader_epoch("t", 0)
        ),
        (Some(2), 1)
    );
    // the waiting fetch is told at once
    let answer = world.answer::<FetchRequest>(old, 17, waiting);
    let partition = &answer.responses[0].partitions[0];
    assert_eq!(
        ErrorCode(partition.error_code),
        ErrorCode::FENCED_LEADER_EPOCH
    );
    assert_eq!(
        (
            partition.current_leader.leader_id,
            partition.current_leader.leader_epoch
        ),
        (2, 1)
    );
    assert_eq!(answer.node_endpoints[0].host, "two.example");
    // so is a producer, from version 10 on
    let answer = world.call(old, 10, &produce("t", 0, batch(&["a"])));
    let partition = &answer.responses[0].partition_responses[0];
    assert_eq!(
        ErrorCode(partition.error_code),
        ErrorCode::NOT_LEADER_OR_FOLLOWER
    );
    assert_eq!(partition.current_leader.leader_id, 2);
    assert_eq!(
        (
            answer.node_endpoints[0].node_id,
            answer.node_endpoints[0].port
        ),
        (2, 2222)
    );
    let answer = world.call(old, 9, &produce("t", 0, batch(&["a"])));
    assert_eq!(code(&answer), ErrorCode::NOT_LEADER_OR_FOLLOWER);
    let new = world.cluster.connect(2);
    assert_eq!(
        world.produce(new, "t", 0, batch(&["a"])),
        (ErrorCode::NONE, 0)
    );
    // the batch bears the epoch of its leader
    assert_eq!(
        world
            .cluster
            .log("t", 0)
            .batches()
            .next()
            .map(|b| b.leader_epoch),
        Some(1)
    );
}

#[test]
fn a_leader_without_a_replica_takes_over_that_of_the_last_one() {
    let mut world = World::new(Config::new().brokers(2).default_replication_factor(1));
    world.cluster.create_topic("t", 1);
    let old = world.cluster.connect(1);
    let mut request = fetch("t", 0, 0);
    request.max_wait_ms = 500;
    let waiting = world.send(old, 12, &request);
    world.cluster.set_leader("t", 0, 2);
    let answer = world.answer::<FetchRequest>(old, 12, waiting);
    let partition = &answer.responses[0].partitions[0];
    assert_eq!(
        ErrorCode(partition.error_code),
        ErrorCode::NOT_LEADER_OR_FOLLOWER
    );
    let described = &world.call(old, 9, &metadata(&["t"])).topics[0].partitions[0];
    assert_eq!(
        (&described.replica_nodes[..], &described.isr_nodes[..]),
        (&[2][..], &[2][..])
    );
    world.cluster.unset_leader("t", 0);
    assert_eq!(
        (
            world.cluster.leader("t", 0),
            world.cluster.leader_epoch("t", 0)
        ),
        (None, 2)
    );
}

#[test]
fn a_stopped_broker_loses_connections_and_leadership_but_no_records() {
    let mut world = World::new(Config::new().brokers(2));
    world.cluster.create_topic("t", 2);
    let (first, second) = (world.cluster.connect(1), world.cluster.connect(2));
    world.produce(first, "t", 0, batch(&["kept"]));
    let mut waits = fetch("t", 0, 1);
    waits.max_wait_ms = 1000;
    world.send(first, 12, &waits);
    world.cluster.stop(1);
    assert_eq!(world.closed(), [first]);
    assert_eq!(
        (
            world.cluster.leader("t", 0),
            world.cluster.leader_epoch("t", 0)
        ),
        (Some(2), 1)
    );
    assert_eq!(
        (
            world.cluster.leader("t", 1),
            world.cluster.leader_epoch("t", 1)
        ),
        (Some(2), 0)
    );
    let refused = world.cluster.connect(1);
    assert_eq!(world.closed(), [refused]);
    let answer = world.call(second, 9, &metadata(&["t"]));
    assert_eq!((answer.brokers.len(), answer.controller_id), (1, 2));
    let partition = &answer.topics[0].partitions[0];
    assert_eq!(
        (
            partition.leader_id,
            &partition.isr_nodes[..],
            &partition.offline_replicas[..]
        ),
        (2, &[2][..], &[1][..])
    );
    assert_eq!(
        world.produce(second, "t", 0, batch(&["more"])),
        (ErrorCode::NONE, 1)
    );
    // the last replica goes: no leader, until the one that has all records is back
    world.cluster.stop(2);
    assert_eq!(world.cluster.leader("t", 0), None);
    world.cluster.start(1);
    assert_eq!(world.cluster.leader("t", 0), None);
    let conn = world.cluster.connect(1);
    let leaderless = &world.call(conn, 9, &metadata(&["t"])).topics[0].partitions[0];
    assert_eq!(
        (ErrorCode(leaderless.error_code), leaderless.leader_id),
        (ErrorCode::LEADER_NOT_AVAILABLE, -1)
    );
    assert_eq!(
        world.produce(conn, "t", 0, batch(&["no"])).0,
        ErrorCode::NOT_LEADER_OR_FOLLOWER
    );
    world.cluster.start(2);
    assert_eq!(world.cluster.leader("t", 0), Some(2));
    assert_eq!(world.cluster.log("t", 0).values(), ["kept", "more"]);
}

#[test]
fn a_deleted_topic_comes_back_as_another() {
    let mut world = World::new(Config::new());
    let old = world.cluster.create_topic("t", 1);
    let conn = world.cluster.connect(1);
    let mut request = fetch("t", 0, 0);
    request.max_wait_ms = 500;
    request.topics[0].topic_id = old;
    let waiting = world.send(conn, 13, &request);
    world.cluster.delete_topic("t");
    let answer = world.answer::<FetchRequest>(conn, 13, waiting);
    assert_eq!(
        ErrorCode(answer.responses[0].partitions[0].error_code),
        ErrorCode::UNKNOWN_TOPIC_ID
    );
    assert_ne!(world.cluster.create_topic("t", 1), old);
    world.cluster.add_partitions("t", 3);
    assert_eq!(
        world.call(conn, 9, &metadata(&["t"])).topics[0]
            .partitions
            .len(),
        3
    );
}
