//! Faults by interception, and logs that are not kept.

use super::*;

#[test]
fn a_scripted_error_reaches_every_api() {
    let mut world = World::new(Config::new());
    world.cluster.create_topic("t", 1);
    let conn = world.cluster.connect(1);
    let fault = Fault::Error(ErrorCode::KAFKA_STORAGE_ERROR);
    let rule = world.cluster.inject(Rule::new(fault).always());
    let expected = ErrorCode::KAFKA_STORAGE_ERROR.code();
    assert_eq!(world.call(conn, 3, &hello()).error_code, expected);
    assert_eq!(
        world.call(conn, 9, &metadata(&["t"])).topics[0].error_code,
        expected
    );
    assert_eq!(world.call(conn, 13, &metadata(&[])).error_code, expected);
    assert_eq!(
        world.call(conn, 7, &create("u", 1, 1)).topics[0].error_code,
        expected
    );
    assert_eq!(
        world
            .call(conn, 5, &InitProducerIdRequest::default())
            .error_code,
        expected
    );
    assert_eq!(
        code(&world.call(conn, 9, &produce("t", 0, batch(&["a"])))).code(),
        expected
    );
    assert_eq!(
        world.call(conn, 12, &fetch("t", 0, 0)).responses[0].partitions[0].error_code,
        expected
    );
    assert_eq!(
        world.call(conn, 5, &list_offsets("t", 0, -1)).topics[0].partitions[0].error_code,
        expected
    );
    assert_eq!(
        world
            .call(conn, 3, &FindCoordinatorRequest::default())
            .error_code,
        expected
    );
    let one_key = FindCoordinatorRequest::build(|m| m.coordinator_keys = vec!["g".to_owned()]);
    assert_eq!(
        world.call(conn, 4, &one_key).coordinators[0].error_code,
        expected
    );
    let described = world.call(conn, 4, &describe("t", &[]));
    assert_eq!(described.results[0].error_code, expected);
    let altered = world.call(conn, 1, &alter("t", &[("flush.ms", 0, Some("1"))]));
    assert_eq!(altered.responses[0].error_code, expected);
    let groups = world.call(conn, 5, &ListGroupsRequest::default());
    assert_eq!(groups.error_code, expected);
    assert_eq!(world.cluster.hits(rule), 13);
    assert_eq!(
        world.cluster.log("t", 0).end_offset(),
        0,
        "nothing was applied"
    );
    world.cluster.remove_rule(rule);
    assert_eq!(
        world.produce(conn, "t", 0, batch(&["a"])),
        (ErrorCode::NONE, 0)
    );
}

#[test]
fn rules_pick_their_requests() {
    let mut world = World::new(Config::new().brokers(2));
    world.cluster.create_topic("t", 2);
    let (first, second) = (world.cluster.connect(1), world.cluster.connect(2));
    let fault = || Fault::Error(ErrorCode::NOT_ENOUGH_REPLICAS);
    world.cluster.inject(
        Rule::new(fault())
            .api(ApiKey::Produce)
            .broker(2)
            .skip(1)
            .times(2),
    );
    let mut results = |conn, partition| -> Vec<bool> {
        (0..5)
            .map(|_| world.produce(conn, "t", partition, batch(&["a"])).0 == ErrorCode::NONE)
            .collect()
    };
    assert_eq!(results(first, 0), [true; 5]);
    assert_eq!(results(second, 1), [true, false, false, true, true]);
    let mut seen = 0;
    world.cluster.intercept(move |request| {
        seen += 1;
        (seen % 2 == 0 && request.api == ApiKey::Produce).then(fault)
    });
    let mut results = |conn, partition| -> Vec<bool> {
        (0..4)
            .map(|_| world.produce(conn, "t", partition, batch(&["a"])).0 == ErrorCode::NONE)
            .collect()
    };
    assert_eq!(results(first, 0), [true, false, true, false]);
    world.cluster.heal();
    world.cluster.inject(
        Rule::new(fault())
            .connection(second)
            .when(|r| r.version == 8),
    );
    assert_eq!(
        world.produce(second, "t", 1, batch(&["a"])).0,
        ErrorCode::NONE
    );
    assert_eq!(
        code(&world.call(second, 8, &produce("t", 1, batch(&["a"])))),
        ErrorCode::NOT_ENOUGH_REPLICAS
    );
}

#[test]
fn faults_strike_before_or_after_the_request_is_applied() {
    let mut world = World::new(Config::new());
    world.cluster.create_topic("t", 1);
    let mut written = 0;
    let cases = [
        (Fault::DisconnectBefore, false),
        (Fault::DisconnectAfter, true),
        (Fault::DropResponse, true),
    ];
    for (fault, applied) in cases {
        let conn = world.cluster.connect(1);
        let drops = matches!(fault, Fault::DropResponse);
        world.cluster.inject(Rule::new(fault).api(ApiKey::Produce));
        world.send(conn, 9, &produce("t", 0, batch(&["a"])));
        written += i64::from(applied);
        assert_eq!(world.cluster.log("t", 0).end_offset(), written);
        assert_eq!(world.cluster.poll_response(), None);
        match drops {
            // the connection goes on
            true => assert_eq!(world.call(conn, 9, &metadata(&["t"])).topics.len(), 1),
            false => assert_eq!(world.closed(), [conn]),
        }
    }
}

#[test]
fn delays_and_holds_end_by_time_or_by_command() {
    let mut world = World::new(Config::new());
    world.cluster.create_topic("t", 1);
    let conn = world.cluster.connect(1);
    let time = Duration::from_millis(100);
    let mut written = 0;
    let cases = [
        (Fault::Delay(time), false),
        (Fault::DelayResponse(time), true),
        (Fault::Hold, false),
        (Fault::HoldResponse, true),
    ];
    for (fault, applied) in cases {
        let held = matches!(fault, Fault::Hold | Fault::HoldResponse);
        let rule = world.cluster.inject(Rule::new(fault));
        let id = world.send(conn, 9, &produce("t", 0, batch(&["a"])));
        let next = world.send(conn, 9, &metadata(&["t"]));
        assert_eq!(
            world.cluster.log("t", 0).end_offset(),
            written + i64::from(applied)
        );
        world.pass(99);
        assert_eq!(world.cluster.poll_response(), None);
        world.pass(1);
        if held {
            assert_eq!(world.cluster.poll_timeout(), None);
            world.cluster.release(rule);
        }
        written += 1;
        assert_eq!(
            code(&world.answer::<ProduceRequest>(conn, 9, id)),
            ErrorCode::NONE
        );
        world.answer::<MetadataRequest>(conn, 9, next);
        assert_eq!(world.cluster.log("t", 0).end_offset(), written);
    }
    // a held response of a fetch that waits comes after the wait
    world.cluster.inject(Rule::new(Fault::HoldResponse));
    let mut request = fetch("t", 0, written);
    request.max_wait_ms = 100;
    let id = world.send(conn, 12, &request);
    world.pass(100);
    assert_eq!(world.cluster.poll_response(), None);
    world.cluster.heal();
    world.answer::<FetchRequest>(conn, 12, id);
}

#[test]
fn answers_can_be_changed_and_corrupted() {
    let mut world = World::new(Config::new());
    world.cluster.create_topic("t", 1);
    let conn = world.cluster.connect(1);
    let stale = Fault::change(|_, response| {
        if let kafka_proto::api::AnyResponse::Metadata(m) = response {
            m.topics[0].partitions[0].leader_id = 9;
        }
    });
    world.cluster.inject(Rule::new(stale).api(ApiKey::Metadata));
    assert_eq!(
        world.call(conn, 9, &metadata(&["t"])).topics[0].partitions[0].leader_id,
        9
    );
    world
        .cluster
        .inject(Rule::new(Fault::corrupt(|frame| frame.truncate(6))));
    world.send(conn, 9, &metadata(&["t"]));
    assert_eq!(world.cluster.poll_response().map(|(_, f)| f.len()), Some(6));
}

#[test]
fn logs_can_be_thrown_away_or_kept_short() {
    let mut world = World::new(Config::new().discard(true));
    world.cluster.create_topic("t", 1);
    let conn = world.cluster.connect(1);
    assert_eq!(
        world.produce(conn, "t", 0, sequenced(1, 0, 0, &["a", "b"])),
        (ErrorCode::NONE, 0)
    );
    assert_eq!(
        world.produce(conn, "t", 0, sequenced(1, 0, 5, &["a"])).0,
        ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
    );
    let log = world.cluster.log("t", 0);
    assert_eq!(
        (log.start_offset(), log.end_offset(), log.bytes().len()),
        (2, 2, 0)
    );

    let size = batch(&["a"]).len() as u64;
    let mut world = World::new(Config::new().log_limit(2 * size));
    world.cluster.create_topic("t", 1);
    let conn = world.cluster.connect(1);
    for _ in 0..5 {
        world.produce(conn, "t", 0, batch(&["a"]));
    }
    let log = world.cluster.log("t", 0);
    assert_eq!(
        (log.start_offset(), log.end_offset(), log.values().len()),
        (3, 5, 2)
    );
}
