//! Frames and streams that no client should send.

use super::*;

#[test]
fn frames_that_are_cut_anywhere_close_the_connection() {
    let mut world = World::new(Config::new().versions(ApiKey::CreateTopics, 0..=7));
    world.cluster.create_topic("t", 1);
    for (api, version, frame) in one_of_each() {
        for end in 0..frame.len() {
            let conn = world.cluster.connect(1);
            world
                .cluster
                .handle_request(conn, frame.slice(..end), world.now);
            assert_eq!(world.closed(), [conn], "{api:?} {version} cut at {end}");
            assert_eq!(world.cluster.poll_response(), None);
        }
        let conn = world.cluster.connect(1);
        world
            .cluster
            .handle_request(conn, [&frame[..], &[0]].concat().into(), world.now);
        assert_eq!(
            world.closed(),
            [conn],
            "{api:?} {version} with a byte too many"
        );
    }
    assert_eq!(world.cluster.connection_count(), 0);
    assert_eq!(world.cluster.log("t", 0).end_offset(), 0);
}

#[test]
fn frames_with_any_byte_changed_are_answered_or_refused() {
    let mut world = World::new(Config::new().versions(ApiKey::CreateTopics, 0..=7));
    world.cluster.create_topic("t", 1);
    for (_, _, frame) in one_of_each() {
        for at in 0..frame.len() {
            for byte in [0x00, 0x01, 0x7f, 0x80, 0xff] {
                let mut bytes = frame.to_vec();
                bytes[at] = byte;
                let conn = world.cluster.connect(1);
                world.cluster.handle_request(conn, bytes.into(), world.now);
                while world.cluster.poll_response().is_some() {}
                world.cluster.disconnect(conn);
            }
        }
    }
    world.closed();
    assert_eq!(
        (
            world.cluster.connection_count(),
            world.cluster.poll_timeout()
        ),
        (0, None)
    );
}

#[test]
fn streams_are_split_into_frames_however_they_arrive() {
    let sizes = [0usize, 1, 300, 70_000, 5];
    let stream: Vec<u8> = sizes
        .iter()
        .enumerate()
        .flat_map(|(i, n)| [&(*n as i32).to_be_bytes()[..], &vec![i as u8; *n]].concat())
        .collect();
    for step in [1, 2, 7, 4096, stream.len()] {
        let mut frames = Frames::new();
        let mut got = Vec::new();
        for part in stream.chunks(step) {
            frames.push(part);
            while let Some(frame) = frames.poll_frame().expect("these are frames") {
                got.push(frame);
            }
        }
        assert!(frames.is_empty());
        let expected = sizes.iter().enumerate().map(|(i, n)| vec![i as u8; *n]);
        assert!(got.into_iter().map(Vec::from).eq(expected));
    }
    for length in [-1, i32::MIN, i32::MAX, Frames::MAX + 1] {
        let mut frames = Frames::new();
        frames.push(&length.to_be_bytes());
        assert_eq!(frames.poll_frame(), Err(NotKafka(length)));
    }
    // a promise of 100 MiB takes no memory
    let mut frames = Frames::new();
    frames.push(&Frames::MAX.to_be_bytes());
    assert_eq!(frames.poll_frame(), Ok(None));
    assert!(frames.space().len() < 100_000);
}
