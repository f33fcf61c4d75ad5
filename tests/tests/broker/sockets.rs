//! The same cluster behind TCP.

use super::*;

#[test]
fn a_cluster_is_served_over_sockets() {
    let mut cluster = Cluster::new(Config::new().brokers(2).default_replication_factor(1));
    cluster.create_topic("t", 1);
    let server = Server::start(cluster).expect("ports are free");
    assert_eq!(
        server.bootstrap(),
        format!("127.0.0.1:{},127.0.0.1:{}", server.port(1), server.port(2))
    );
    let mut writer = Socket::connect(server.port(1));
    let mut reader = Socket::connect(server.port(1));
    let answer = writer.call(9, &metadata(&["t"]));
    assert_eq!(answer.brokers[1].port, i32::from(server.port(2)));

    // a fetch that waits gets what another connection writes
    let mut request = fetch("t", 0, 0);
    request.max_wait_ms = 60_000;
    let waiting = reader.send(12, &request);
    assert_eq!(
        code(&writer.call(9, &produce("t", 0, batch(&["a", "b"])))),
        ErrorCode::NONE
    );
    let answer = reader.answer::<FetchRequest>(12, waiting);
    assert_eq!(read(&answer.responses[0].partitions[0]).len(), 2);
    // and is answered without any when its time is up
    request.topics[0].partitions[0].fetch_offset = 2;
    request.max_wait_ms = 20;
    assert_eq!(
        read(&reader.call(12, &request).responses[0].partitions[0]),
        []
    );
    // a large answer
    let large = "x".repeat(1_000_000);
    for _ in 0..20 {
        writer.call(9, &produce("t", 0, batch(&[&large])));
    }
    let mut request = fetch("t", 0, 2);
    request.max_bytes = i32::MAX;
    request.topics[0].partitions[0].partition_max_bytes = i32::MAX;
    assert_eq!(
        read(&reader.call(12, &request).responses[0].partitions[0]).len(),
        20
    );
    // commands take effect at once
    request.topics[0].partitions[0].fetch_offset = 22;
    request.max_wait_ms = 60_000;
    let waiting = reader.send(12, &request);
    while !server.with(|c| c.poll_timeout().is_some()) {
        std::thread::yield_now();
    }
    server.with(|c| c.set_leader("t", 0, 2));
    let answer = reader.answer::<FetchRequest>(12, waiting);
    assert_eq!(
        ErrorCode(answer.responses[0].partitions[0].error_code),
        ErrorCode::NOT_LEADER_OR_FOLLOWER
    );
}

#[test]
fn a_stopped_broker_frees_its_port_and_takes_it_again() {
    let mut cluster = Cluster::new(Config::new().brokers(2));
    cluster.create_topic("t", 1);
    let server = Server::start(cluster).expect("ports are free");
    let port = server.port(1);
    for _ in 0..20 {
        let mut open = Socket::connect(port);
        assert_eq!(open.call(9, &metadata(&["t"])).topics.len(), 1);
        server.stop_broker(1);
        assert!(open.is_closed());
        assert!(
            TcpStream::connect(("127.0.0.1", port)).is_err(),
            "nobody listens"
        );
        assert_eq!(server.bootstrap(), format!("127.0.0.1:{}", server.port(2)));
        server.start_broker(1).expect("the port is free again");
        assert_eq!(server.port(1), port);
    }
    Socket::connect(port).call(9, &metadata(&["t"]));
    drop(server);
    TcpListener::bind(("127.0.0.1", port)).expect("dropping the server frees its ports");
}

#[test]
fn a_broker_whose_port_was_taken_stays_stopped() {
    let mut cluster = Cluster::new(Config::new().brokers(2));
    cluster.create_topic("t", 1);
    let server = Server::start(cluster).expect("ports are free");
    server.stop_broker(1);
    let thief = TcpListener::bind(("127.0.0.1", server.port(1))).expect("the port is free");
    let refused = server.start_broker(1).expect_err("the port is taken");
    assert_eq!(refused.kind(), ErrorKind::AddrInUse);
    assert!(!server.cluster().is_running(1));
    assert_eq!(server.cluster().leader("t", 0), Some(2));
    drop(thief);
    server.start_broker(1).expect("the port is free again");
    Socket::connect(server.port(1)).call(9, &metadata(&["t"]));
}

#[test]
fn garbage_and_broken_scripts_end_one_connection_only() {
    let mut cluster = Cluster::new(Config::new());
    cluster.create_topic("t", 1);
    let server = Server::start(cluster).expect("ports are free");
    let mut bystander = Socket::connect(server.port(1));
    for garbage in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0xff; 64],
        &[0, 0, 0, 1, 7],
        &[0x16, 3, 1, 0, 0xa5, 1, 0],
    ] {
        let mut socket = Socket::connect(server.port(1));
        socket
            .stream
            .write_all(garbage)
            .expect("the server listens");
        assert!(socket.is_closed());
    }
    server.with(|c| c.intercept(|r| (r.version == 7).then(|| panic!("a test's own bug"))));
    let mut victim = Socket::connect(server.port(1));
    victim.send(7, &metadata(&["t"]));
    assert!(victim.is_closed());
    assert_eq!(bystander.call(9, &metadata(&["t"])).topics.len(), 1);
    // half a frame, and the end of the server
    bystander
        .stream
        .write_all(&[0, 0, 0, 50, 0, 3])
        .expect("the server listens");
    drop(server);
    assert!(bystander.is_closed());
}

#[test]
fn the_clock_is_that_of_the_system_unless_it_was_set() {
    let stamped = |clock: Option<i64>| {
        let mut cluster = Cluster::new(Config::new());
        let configs = [("message.timestamp.type", "LogAppendTime")];
        cluster.create_topic_with("t", 1, &configs);
        if let Some(unix_ms) = clock {
            cluster.set_clock(unix_ms);
        }
        let server = Server::start(cluster).expect("ports");
        let mut socket = Socket::connect(server.port(1));
        let answer = socket.call(9, &produce("t", 0, batch(&["a"])));
        answer.responses[0].partition_responses[0].log_append_time_ms
    };
    let minute = 60_000;
    assert!((1_000..1_000 + minute).contains(&stamped(Some(1_000))));
    let passed = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = passed.expect("after 1970").as_millis() as i64;
    assert!((now..now + minute).contains(&stamped(None)));
}
