//! What brokers announce, and what they refuse to talk about.

use super::*;

#[test]
fn versions_are_announced_in_every_version_of_the_question() {
    let mut world = World::new(Config::new());
    let conn = world.cluster.connect(1);
    for version in 0..=4 {
        let answer = world.call(conn, version, &hello());
        assert_eq!(answer.error_code, 0);
        assert_eq!(announced(&answer, ApiKey::Fetch), Some(4..=18));
        // from 0, although served from 3 on: KAFKA-18659
        assert_eq!(announced(&answer, ApiKey::Produce), Some(0..=13));
        // on every listener, as Kafka does
        assert_eq!(announced(&answer, ApiKey::SaslHandshake), Some(0..=1));
        assert_eq!(announced(&answer, ApiKey::JoinGroup), None);
    }
}

#[test]
fn an_unknown_version_of_the_question_is_answered_in_version_0() {
    let mut world = World::new(Config::new().versions(ApiKey::ApiVersions, 0..=2));
    let conn = world.cluster.connect(1);
    let id = world.send(conn, 3, &hello());
    let frame = world.frame(conn);
    let answer: ApiVersionsResponse = decode(ApiKey::ApiVersions, 0, id, frame);
    assert_eq!(ErrorCode(answer.error_code), ErrorCode::UNSUPPORTED_VERSION);
    assert_eq!(answer.api_keys.len(), 1);
    assert_eq!(announced(&answer, ApiKey::ApiVersions), Some(0..=2));
    // the client asks again, on the same connection
    assert_eq!(world.call(conn, 2, &hello()).error_code, 0);
}

#[test]
fn a_nameless_client_is_refused_from_version_3_on() {
    let mut world = World::new(Config::new());
    let conn = world.cluster.connect(1);
    let nameless = ApiVersionsRequest::default();
    assert_eq!(world.call(conn, 2, &nameless).error_code, 0);
    assert_eq!(
        ErrorCode(world.call(conn, 3, &nameless).error_code),
        ErrorCode::INVALID_REQUEST
    );
}

#[test]
fn what_is_not_served_closes_the_connection() {
    let config = || {
        Config::new()
            .versions(ApiKey::Metadata, 0..=5)
            .without(ApiKey::InitProducerId)
    };
    let mut world = World::new(config());
    let too_new = world.cluster.connect(1);
    world.send(too_new, 6, &MetadataRequest::default());
    let left_out = world.cluster.connect(1);
    world.send(left_out, 0, &InitProducerIdRequest::default());
    let announced_only = world.cluster.connect(1);
    world.send(announced_only, 2, &produce("t", 0, batch(&["a"])));
    let unknown_api = world.cluster.connect(1);
    world.cluster.handle_request(
        unknown_api,
        Bytes::from_static(&[0x7f, 0xff, 0, 0, 0, 0, 0, 1, 0, 0]),
        world.now,
    );
    assert_eq!(
        world.closed(),
        [too_new, left_out, announced_only, unknown_api]
    );
    assert_eq!(world.cluster.poll_response(), None);
}
