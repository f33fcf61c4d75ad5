//! Fetches that wait, and what waits behind them.

use super::*;

#[test]
fn a_waiting_fetch_wakes_when_enough_was_written() {
    let mut world = World::new(Config::new());
    world.cluster.create_topic("t", 1);
    let (reader, writer) = (world.cluster.connect(1), world.cluster.connect(1));
    let one = batch(&["a"]);
    let mut request = fetch("t", 0, 0);
    request.max_wait_ms = 500;
    request.min_bytes = 2 * one.len() as i32;
    let id = world.send(reader, 12, &request);
    assert_eq!(
        world.cluster.poll_timeout(),
        Some(world.now + Duration::from_millis(500))
    );
    assert!(world.cluster.is_busy(reader));
    world.produce(writer, "t", 0, one.clone());
    assert_eq!(
        world.cluster.poll_response(),
        None,
        "one batch is not enough"
    );
    let written = world.send(writer, 9, &produce("t", 0, one));
    let answer: ProduceResponse = world.answer::<ProduceRequest>(writer, 9, written);
    assert_eq!(code(&answer), ErrorCode::NONE);
    let answer: FetchResponse = world.answer::<FetchRequest>(reader, 12, id);
    assert_eq!(read(&answer.responses[0].partitions[0]).len(), 2);
    assert_eq!(world.cluster.poll_timeout(), None);
}

#[test]
fn a_waiting_fetch_is_answered_when_its_time_is_up() {
    let mut world = World::new(Config::new());
    world.cluster.create_topic("t", 1);
    let conn = world.cluster.connect(1);
    let mut request = fetch("t", 0, 0);
    request.max_wait_ms = 500;
    let id = world.send(conn, 12, &request);
    world.pass(499);
    world.pass(0);
    assert_eq!(world.cluster.poll_response(), None);
    world.pass(1);
    let answer = world.answer::<FetchRequest>(conn, 12, id);
    assert_eq!(
        (
            answer.error_code,
            read(&answer.responses[0].partitions[0]).len()
        ),
        (0, 0)
    );
    world.pass(1000);
    assert_eq!(world.cluster.poll_response(), None);
    // nothing to wait for: answered at once
    request.topics.clear();
    assert_eq!(world.call(conn, 12, &request).responses.len(), 0);
}

#[test]
fn requests_behind_a_waiting_fetch_wait_and_keep_their_order() {
    let mut world = World::new(Config::new());
    world.cluster.create_topic("t", 1);
    let (conn, other) = (world.cluster.connect(1), world.cluster.connect(1));
    let mut request = fetch("t", 0, 0);
    request.max_wait_ms = 500;
    let waiting = world.send(conn, 12, &request);
    let second = world.send(conn, 9, &metadata(&["t"]));
    let third = world.send(conn, 9, &produce("t", 0, batch(&["late"])));
    assert!(world.cluster.backlog(conn) > 0);
    // other connections are not held up
    assert_eq!(world.call(other, 9, &metadata(&["t"])).topics.len(), 1);
    assert_eq!(world.cluster.log("t", 0).end_offset(), 0);
    world.pass(500);
    assert!(
        read(&world.answer::<FetchRequest>(conn, 12, waiting).responses[0].partitions[0])
            .is_empty()
    );
    world.answer::<MetadataRequest>(conn, 9, second);
    world.answer::<ProduceRequest>(conn, 9, third);
    assert_eq!(world.cluster.log("t", 0).values(), ["late"]);
    // a client that hangs up takes what waits with it
    request.topics[0].partitions[0].fetch_offset = 1;
    world.send(conn, 12, &request);
    world.send(conn, 9, &produce("t", 0, batch(&["never"])));
    world.cluster.disconnect(conn);
    world.pass(1000);
    assert_eq!(world.cluster.log("t", 0).values(), ["late"]);
    assert_eq!(
        (world.cluster.poll_response(), world.cluster.poll_timeout()),
        (None, None)
    );
}
