//! DescribeConfigs, IncrementalAlterConfigs and ListGroups. That Kafka answers the same stands in `real_kafka/settings.rs`.

use super::*;

/// 2023-11-14T22:13:20Z.
const NOW: i64 = 1_700_000_000_000;
const HOUR_MS: i64 = 3_600_000;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// A topic with one config that was given.
fn world(config: Config) -> (World, ConnId) {
    let mut world = World::new(config);
    let configs = [("retention.ms", " +3600000 ")];
    world.cluster.create_topic_with("t", 1, &configs);
    let conn = world.cluster.connect(1);
    (world, conn)
}

/// The code that the first topic gets for these changes.
#[track_caller]
fn changed(world: &mut World, conn: ConnId, changes: &[(&str, i8, Option<&str>)]) -> ErrorCode {
    let answer = world.call(conn, 1, &alter("t", changes));
    ErrorCode(answer.responses[0].error_code)
}

/// What the topic has of its own.
#[track_caller]
fn given(world: &mut World, conn: ConnId) -> Vec<(String, String)> {
    let answer = world.call(conn, 4, &describe("t", &[]));
    let configs = answer.results[0].configs.iter();
    let own = configs.filter(|c| c.config_source == 1);
    own.map(|c| (c.name.clone(), c.value.clone().expect("a value")))
        .collect()
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn settings_are_described_with_where_they_come_from() {
    let (mut world, conn) = world(Config::new());
    for version in 1..=4 {
        let mut request = describe("t", &[]);
        request.include_synonyms = true;
        let answer = world.call(conn, version, &request);
        let result = &answer.results[0];
        assert_eq!((result.error_code, result.resource_name.as_str()), (0, "t"));
        assert_eq!(result.configs.len(), 33);
        let entry = |name: &str| {
            let found = result.configs.iter().find(|c| c.name == name);
            found.unwrap_or_else(|| panic!("no {name}"))
        };
        let typed = |kind| if version >= 3 { kind } else { 0 };
        let own = entry("retention.ms");
        // as the broker reads it, not as it was given
        assert_eq!(own.value.as_deref(), Some("3600000"));
        assert_eq!((own.config_source, own.config_type), (1, typed(5)));
        assert_eq!(own.synonyms.len(), 1);
        let (name, source) = (&own.synonyms[0].name, own.synonyms[0].source);
        assert_eq!((name.as_str(), source), ("retention.ms", 1));
        let default = entry("max.message.bytes");
        assert_eq!(default.value.as_deref(), Some("1048588"));
        assert_eq!((default.config_source, default.config_type), (5, typed(3)));
        assert_eq!(default.synonyms[0].name, "message.max.bytes");
        assert!(!default.read_only && !default.is_sensitive);
    }
    // without being asked nothing tells synonyms, and keys choose
    let chosen = describe("t", &["cleanup.policy", "no.such", "retention.ms"]);
    let answer = world.call(conn, 4, &chosen);
    let configs = &answer.results[0].configs;
    let names: Vec<_> = configs.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["cleanup.policy", "retention.ms"]);
    assert!(configs.iter().all(|c| c.synonyms.is_empty()));
}

/// Brokers from 2.8 on forget to, up to 3.9, the last that serves it.
#[test]
fn the_oldest_version_says_what_is_a_default() {
    for (release, is_told) in [
        (Release::V0_11, true),
        (Release::V2_4, true),
        (Release::V2_8, false),
        (Release::V3_9, false),
    ] {
        let (mut world, conn) = world(Config::new().as_version(release));
        let answer = world.call(conn, 0, &describe("t", &["retention.ms", "segment.ms"]));
        let configs = &answer.results[0].configs;
        let defaults: Vec<_> = configs.iter().map(|c| (&*c.name, c.is_default)).collect();
        let expected = [("retention.ms", false), ("segment.ms", is_told)];
        assert_eq!(defaults, expected, "{release:?}");
    }
}

#[test]
fn what_cannot_be_described_is_refused_for_itself() {
    let (mut world, conn) = world(Config::new());
    let mut request = describe("t", &["retention.ms"]);
    for (kind, name) in [(2, "missing"), (2, "no spaces"), (4, "1")] {
        let mut resource = request.resources[0].clone();
        (resource.resource_type, resource.resource_name) = (kind, name.to_owned());
        request.resources.push(resource);
    }
    let codes = |answer: DescribeConfigsResponse| -> Vec<_> {
        let results = answer.results.into_iter();
        results.map(|r| ErrorCode(r.error_code)).collect()
    };
    let expected = [
        ErrorCode::NONE,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode::INVALID_TOPIC_EXCEPTION,
        ErrorCode::INVALID_REQUEST,
    ];
    assert_eq!(codes(world.call(conn, 4, &request)), expected);
    // but a type that there is not spoils it all
    request.resources[3].resource_type = 3;
    let all = [ErrorCode::INVALID_REQUEST; 4];
    assert_eq!(codes(world.call(conn, 4, &request)), all);
}

#[test]
fn single_settings_change_and_the_others_stay() {
    let (mut world, conn) = world(Config::new());
    let kept = pair("retention.ms", "3600000");
    let size = ("max.message.bytes", SET, Some(" 1000 "));
    let mut only_checked = alter("t", &[size]);
    only_checked.validate_only = true;
    let answer = world.call(conn, 0, &only_checked);
    let answer = &answer.responses[0];
    assert_eq!((answer.error_code, &answer.error_message), (0, &None));
    assert_eq!(given(&mut world, conn), std::slice::from_ref(&kept));
    assert_eq!(changed(&mut world, conn, &[size]), ErrorCode::NONE);
    let size = pair("max.message.bytes", "1000");
    assert_eq!(given(&mut world, conn), [size, kept.clone()]);
    // what is not set can be deleted too, and a value beside it is no matter
    let back = [
        ("max.message.bytes", DELETE, Some("7")),
        ("no.such", DELETE, None),
    ];
    assert_eq!(changed(&mut world, conn, &back), ErrorCode::NONE);
    assert_eq!(given(&mut world, conn), [kept]);
}

#[test]
fn lists_are_added_to_and_removed_from() {
    let (mut world, conn) = world(Config::new());
    let steps = [
        // from the default on
        (APPEND, "compact", "delete,compact"),
        (APPEND, "compact", "delete,compact"),
        (SUBTRACT, "delete", "compact"),
        (SUBTRACT, "compact,delete", ""),
        (SET, "compact , delete,compact", "compact,delete"),
    ];
    for (operation, value, policy) in steps {
        let change = [("cleanup.policy", operation, Some(value))];
        assert_eq!(changed(&mut world, conn, &change), ErrorCode::NONE);
        let policy = pair("cleanup.policy", policy);
        assert_eq!(given(&mut world, conn)[0], policy, "{change:?}");
    }
}

#[test]
fn a_change_that_is_refused_changes_nothing() {
    let (mut world, conn) = world(Config::new());
    let fine = ("max.message.bytes", SET, Some("1000"));
    let refusals = [
        (("no.such", SET, Some("1")), ErrorCode::INVALID_CONFIG),
        (("segment.ms", SET, Some("0")), ErrorCode::INVALID_CONFIG),
        (("segment.ms", SET, Some("x")), ErrorCode::INVALID_CONFIG),
        (("segment.ms", APPEND, Some("1")), ErrorCode::INVALID_CONFIG),
        (("no.such", SUBTRACT, Some("1")), ErrorCode::INVALID_CONFIG),
        (("segment.ms", SET, None), ErrorCode::INVALID_REQUEST),
        (fine, ErrorCode::INVALID_REQUEST),
        (
            ("segment.ms", 9, Some("1")),
            ErrorCode::UNKNOWN_SERVER_ERROR,
        ),
    ];
    for (change, code) in refusals {
        assert_eq!(
            changed(&mut world, conn, &[fine, change]),
            code,
            "{change:?}"
        );
    }
    let own = pair("retention.ms", "3600000");
    assert_eq!(given(&mut world, conn), std::slice::from_ref(&own));
    let mut refused = |kind: i8, name: &str| {
        let mut request = alter(name, &[fine]);
        request.resources[0].resource_type = kind;
        ErrorCode(world.call(conn, 1, &request).responses[0].error_code)
    };
    let missing = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    assert_eq!(refused(2, "missing"), missing);
    assert_eq!(refused(2, "no spaces"), ErrorCode::INVALID_TOPIC_EXCEPTION);
    for (kind, name) in [(2, ""), (3, "x"), (4, "1")] {
        assert_eq!(refused(kind, name), ErrorCode::INVALID_REQUEST, "{kind}");
    }
    // twice in a request, neither is done; one beside them is
    world.cluster.create_topic("u", 1);
    let mut twice = alter("t", &[fine]);
    twice.resources.extend(alter("u", &[fine]).resources);
    twice.resources.extend(alter("t", &[fine]).resources);
    let answer = world.call(conn, 1, &twice);
    let codes: Vec<_> = answer.responses.iter().map(|r| r.error_code).collect();
    let invalid = ErrorCode::INVALID_REQUEST.code();
    assert_eq!(codes, [invalid, 0, invalid]);
    assert_eq!(given(&mut world, conn), [own]);
}

#[test]
fn a_change_holds_for_what_is_there() {
    let mut world = World::new(Config::new().brokers(2));
    let configs = [("min.insync.replicas", "2")];
    world.cluster.create_topic_with("t", 1, &configs);
    world.cluster.set_clock(NOW);
    let conn = world.cluster.connect(1);
    world.cluster.stop(2);
    let written = |world: &mut World, acks, time| {
        let mut request = produce("t", 0, timed(&[time]));
        request.acks = acks;
        code(&world.call(conn, 9, &request))
    };
    let old = NOW - 2 * HOUR_MS;
    assert_eq!(written(&mut world, 1, old), ErrorCode::NONE);
    let refused = written(&mut world, -1, NOW);
    assert_eq!(refused, ErrorCode::NOT_ENOUGH_REPLICAS);
    // a reader waits for what one replica alone has
    let reader = world.cluster.connect(1);
    let mut request = fetch("t", 0, 0);
    request.max_wait_ms = 60_000;
    let id = world.send(reader, 12, &request);
    assert_eq!(world.cluster.poll_response(), None);
    let delete = [("min.insync.replicas", DELETE, None)];
    let change = world.send(conn, 1, &alter("t", &delete));
    let answer = world.answer::<IncrementalAlterConfigsRequest>(conn, 1, change);
    assert_eq!(answer.responses[0].error_code, 0);
    let answer = world.answer::<FetchRequest>(reader, 12, id);
    assert_eq!(read(&answer.responses[0].partitions[0]).len(), 1);
    assert_eq!(written(&mut world, -1, NOW), ErrorCode::NONE);
    let hour = HOUR_MS.to_string();
    let change = [
        ("retention.ms", SET, Some(&*hour)),
        ("max.message.bytes", SET, Some("10")),
    ];
    assert_eq!(changed(&mut world, conn, &change), ErrorCode::NONE);
    let log = world.cluster.log("t", 0);
    assert_eq!((log.start_offset(), log.end_offset()), (1, 2));
    let refused = written(&mut world, -1, NOW);
    assert_eq!(refused, ErrorCode::MESSAGE_TOO_LARGE);
}

#[test]
fn no_groups_are_listed_however_they_are_asked_for() {
    let mut world = World::new(Config::new());
    let conn = world.cluster.connect(1);
    for version in 0..=5 {
        let request = ListGroupsRequest::build(|m| {
            if version >= 4 {
                m.states_filter = vec!["Stable".to_owned(), "nonsense".to_owned()];
            }
            if version >= 5 {
                m.types_filter = vec!["classic".to_owned()];
            }
        });
        let answer = world.call(conn, version, &request);
        assert_eq!((answer.error_code, answer.groups), (0, Vec::new()));
    }
}
