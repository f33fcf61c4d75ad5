//! Connecting, on each runtime: which address, in what time, from where, and what is left of a dial that fails.

#[path = "common/listener.rs"]
mod listener;
#[path = "common/runtimes.rs"]
mod runtimes;

use std::{
    fs,
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use kafka_client_tokio::{Config, Error, ErrorKind, api::metadata::MetadataRequest};
use kafka_testing::{
    broker::{Cluster, Config as Brokers},
    server::Server,
};
use listener::Listener;
use runtimes::{Host, Runtime};
use socket2::{Domain, Socket, Type};

/// Who dials.
#[allow(non_camel_case_types, reason = "tests are named after them")]
#[derive(Clone, Copy, Debug)]
enum Way {
    tokio,
    async_std,
    smol,
    blocking,
}

macro_rules! in_each_way {
    ($($story:ident)*) => {
        $(mod $story {
            in_each_way!(@ $story tokio async_std smol blocking);
        })*
    };
    (@ $story:ident $($way:ident)*) => {
        $(#[test]
        fn $way() {
            super::$story(super::Way::$way);
        })*
    };
}

in_each_way! {
    an_address_that_nobody_answers_at_costs_a_quarter_of_a_second
    addresses_in_turn_have_a_share_of_the_time_each
    a_resolver_is_asked_for_names_and_its_port_gives_way
    a_resolver_that_fails_or_finds_nothing_is_named
    a_resolver_that_hangs_costs_the_time_out
    every_address_that_failed_is_told
    connections_come_from_the_local_address
    no_connection_is_made_after_the_deadline
    ipv6_literals_are_dialled
    settings_that_cannot_be_name_their_field
    peers_that_are_not_kafka_are_named_for_what_they_are
    a_peer_that_is_not_kafka_is_not_dialled_in_a_hot_loop
    a_broker_that_hangs_up_on_new_greetings_is_greeted_lower
}

type Lookup = fn(&str) -> io::Result<Vec<String>>;
type Configure = fn(Config) -> Config;

/// Dials once, and has a request answered.
fn dial(
    way: Way,
    address: &str,
    configure: impl FnOnce(Config) -> Config,
    lookup: impl Fn(&str) -> io::Result<Vec<String>> + Send + Sync + 'static,
) -> Result<(), Error> {
    let runtime = match way {
        Way::tokio => Runtime::tokio,
        Way::async_std => Runtime::async_std,
        Way::smol => Runtime::smol,
        Way::blocking => {
            let dialer = kafka_client_blocking::Dialer::new().resolver(lookup);
            return dialer.configure(configure).dial(address).map(drop);
        }
    };
    let host = Host::start(runtime);
    let dialer = host.dialer().configure(configure).resolver(lookup);
    let address = address.to_owned();
    let dialled = host.run(async move { dialer.dial(&address).await.map(drop) });
    host.shut_down();
    dialled
}

fn nobody_asks(host: &str) -> io::Result<Vec<String>> {
    panic!("{host} is an address")
}

fn broker() -> Server {
    Server::start(Cluster::new(Brokers::new().brokers(1))).expect("ports")
}

/// A listener whose queue is full: the system drops what comes, as a firewall does.
struct BlackHole {
    address: SocketAddr,
    _listener: Socket,
    _waiting: Vec<Socket>,
}

impl BlackHole {
    fn open() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        listener.bind(&any.into()).expect("a free port");
        listener.listen(1).expect("listening");
        let address = listener.local_addr().expect("bound");
        let address = address.as_socket().expect("an IP address");
        let mut waiting = Vec::new();
        loop {
            assert!(waiting.len() < 100, "the queue has an end");
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
            let answered = socket.connect_timeout(&address.into(), Duration::from_millis(300));
            if answered.is_err() {
                break;
            }
            waiting.push(socket);
        }
        Self {
            address,
            _listener: listener,
            _waiting: waiting,
        }
    }
}

/// Acceptance DI-05, DI-06; fault 37: an address family that leads nowhere.
fn an_address_that_nobody_answers_at_costs_a_quarter_of_a_second(way: Way) {
    let (hole, server) = (BlackHole::open(), broker());
    let found = vec![hole.address.to_string(), server.bootstrap()];
    let begin = Instant::now();
    dial(way, "kafka", |c| c, move |_| Ok(found.clone())).expect("the second address");
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(250), "{took:?}");
    assert!(took < Duration::from_secs(8), "{took:?}");
}

/// Acceptance DI-02, DI-05: without the race, two addresses share the time-out.
fn addresses_in_turn_have_a_share_of_the_time_each(way: Way) {
    let (hole, server) = (BlackHole::open(), broker());
    let found = vec![hole.address.to_string(), server.bootstrap()];
    let in_turn = |c: Config| c.dual_stack(false).setup_timeout(Duration::from_secs(4));
    let begin = Instant::now();
    dial(way, "kafka", in_turn, move |_| Ok(found.clone())).expect("the second address");
    let took = begin.elapsed();
    // the lookup has had its part of the four seconds
    assert!(took >= Duration::from_millis(1_500), "{took:?}");
}

/// Acceptance TY-11, DI-08 and the four stories of section 5.
fn a_resolver_is_asked_for_names_and_its_port_gives_way(way: Way) {
    let server = broker();
    let address = server.bootstrap();
    let (_, port) = address.rsplit_once(':').expect("a port");
    for (dialled, found) in [
        (format!("kafka.test:{port}"), "127.0.0.1".to_owned()),
        (format!("kafka.test:{port}"), "127.0.0.1:1".to_owned()),
        ("kafka.test".to_owned(), address.clone()),
    ] {
        let lookup = move |host: &str| {
            assert_eq!(host, "kafka.test");
            Ok(vec![found.clone()])
        };
        dial(way, &dialled, |c| c, lookup).expect(&dialled);
    }
    // an address is not looked up
    dial(way, &address, |c| c, nobody_asks).expect("the broker");
}

fn a_resolver_that_fails_or_finds_nothing_is_named(way: Way) {
    let lookups: [(Lookup, &str); 3] = [
        (
            |_| Err(io::Error::other("no such service")),
            "no such service",
        ),
        (|_| Ok(Vec::new()), "has no address"),
        (|_| Ok(vec!["kafka-1".to_owned()]), "\"kafka-1\""),
    ];
    for (lookup, told) in lookups {
        let error = dial(way, "kafka.test:1", |c| c, lookup).expect_err("no address");
        assert_eq!(error.kind(), ErrorKind::Unreachable);
        let text = error.to_string();
        assert!(text.contains("kafka.test") && text.contains(told), "{text}");
    }
    // and so is the system's
    let error = match way {
        Way::blocking => kafka_client_blocking::Dialer::new()
            .dial("nobody.invalid:9092")
            .expect_err("no such name"),
        Way::tokio => of_system(Runtime::tokio),
        Way::async_std => of_system(Runtime::async_std),
        Way::smol => of_system(Runtime::smol),
    };
    let text = error.to_string();
    assert!(
        text.contains("the lookup of nobody.invalid failed"),
        "{text}"
    );
}

fn of_system(runtime: Runtime) -> Error {
    let host = Host::start(runtime);
    let dialer = host.dialer();
    let dialled = host.run(async move { dialer.dial("nobody.invalid:9092").await.map(drop) });
    dialled.expect_err("no such name")
}

/// Fault 37: a lookup that takes a minute. What waits in it is a thread of the resolver's own.
fn a_resolver_that_hangs_costs_the_time_out(way: Way) {
    let (release, held) = mpsc::sync_channel::<()>(0);
    let begin = Instant::now();
    let short = Duration::from_millis(300);
    let error = match way {
        Way::blocking => {
            let held = std::sync::Mutex::new(held);
            let lookup = move |_: &str| {
                let _ = held.lock().expect("alone").recv();
                Ok(Vec::new())
            };
            dial(way, "kafka.test:1", |c| c.setup_timeout(short), lookup)
        }
        Way::tokio => hangs(Runtime::tokio, short),
        Way::async_std => hangs(Runtime::async_std, short),
        Way::smol => hangs(Runtime::smol, short),
    };
    drop(release);
    let error = error.expect_err("nobody answered");
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    assert!(begin.elapsed() >= short);
}

fn hangs(runtime: Runtime, limit: Duration) -> Result<(), Error> {
    let host = Host::start(runtime);
    let dialer = host.dialer().configure(|c| c.setup_timeout(limit));
    let dialer = dialer.hanging_resolver();
    host.run(async move { dialer.dial("kafka.test:1").await.map(drop) })
}

fn every_address_that_failed_is_told(way: Way) {
    let lookup = |_: &str| Ok(vec!["127.0.0.1".to_owned(), "127.0.0.2".to_owned()]);
    let error = dial(way, "kafka.test:1", |c| c, lookup).expect_err("nobody listens");
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    let text = error.to_string();
    for address in ["127.0.0.1:1", "127.0.0.2:1"] {
        assert!(text.contains(address), "{text}");
    }
}

/// Acceptance DI-04.
fn connections_come_from_the_local_address(way: Way) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    let accepting = thread::spawn(move || listener.accept().expect("a connection").1);
    let local = SocketAddr::from(([127, 0, 0, 9], 0));
    let from = |c: Config| c.local_addr(Some(local));
    dial(way, &address, from, nobody_asks).expect_err("nobody speaks");
    let peer = accepting.join().expect("no panic");
    assert_eq!(peer.ip(), local.ip());

    let other_family = |c: Config| c.local_addr(Some("[::1]:0".parse().expect("an address")));
    let error = dial(way, "127.0.0.1:1", other_family, nobody_asks).expect_err("cannot be");
    assert!(
        error
            .to_string()
            .contains("the family of the local address"),
        "{error}"
    );
}

/// Acceptance DI-03.
fn no_connection_is_made_after_the_deadline(way: Way) {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("bound").to_string();
    let begin = Instant::now();
    for deadline in [begin, begin + Duration::from_millis(300)] {
        let by = |c: Config| c.dial_deadline(Some(deadline));
        let error = dial(way, &address, by, nobody_asks).expect_err("nobody speaks");
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    }
    let took = begin.elapsed();
    assert!(
        took >= Duration::from_millis(300) && took < Duration::from_secs(8),
        "{took:?}"
    );
}

fn ipv6_literals_are_dialled(way: Way) {
    let Ok(listener) = TcpListener::bind("[::1]:0") else {
        eprintln!("left out: this system has no IPv6");
        return;
    };
    let address = listener.local_addr().expect("bound").to_string();
    let accepting = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut length = [0; 4];
        stream.read_exact(&mut length).expect("a greeting");
    });
    let error = dial(way, &address, |c| c, nobody_asks).expect_err("it hangs up");
    assert_eq!(error.kind(), ErrorKind::Disconnected, "{error}");
    accepting.join().expect("it was greeted");
}

fn settings_that_cannot_be_name_their_field(way: Way) {
    let second = Duration::from_secs(1);
    let wrong: [(&str, Configure); 3] = [
        ("keep_alive", |c| c.keep_alive(Some(Duration::ZERO))),
        ("fallback_delay", |c| c.fallback_delay(Duration::ZERO)),
        ("setup_timeout", |c| c.setup_timeout(Duration::ZERO)),
    ];
    for (field, configure) in wrong {
        let configure = |c| configure(c).call_timeout(second);
        let error = dial(way, "127.0.0.1:1", configure, nobody_asks).expect_err("cannot be");
        assert!(
            error.to_string().starts_with(&format!("{field}: ")),
            "{error}"
        );
        assert_eq!(error.kind(), ErrorKind::Misuse);
    }
}

/// Fault 42: some brokers reset the connection on an ApiVersions that they do not know, instead of an answer.
fn a_broker_that_hangs_up_on_new_greetings_is_greeted_lower(way: Way) {
    let server = broker();
    let behind = server.bootstrap();
    let dials = Arc::new(AtomicUsize::new(0));
    let count = dials.clone();
    let old = Listener::start(move |mut client| {
        count.fetch_add(1, Ordering::Relaxed);
        // length, key and version of the first request
        let mut head = [0; 8];
        if client.read_exact(&mut head).is_err() || head[4..] != [0, 18, 0, 0] {
            return;
        }
        let mut broker = TcpStream::connect(&behind).expect("the broker");
        broker.write_all(&head).expect("it reads");
        let (mut from, mut to) = (
            client.try_clone().expect("fd"),
            broker.try_clone().expect("fd"),
        );
        let requests = thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
        let _ = io::copy(&mut broker, &mut client);
        let _ = client.shutdown(Shutdown::Both);
        let _ = requests.join();
    });
    dial(way, &old.address, |c| c, nobody_asks).expect("greeted in version 0");
    assert_eq!(dials.load(Ordering::Relaxed), 3, "4, 3 and 0");
}

/// Faults 38, 39: whatever listens there, the error says what it seems to be.
fn peers_that_are_not_kafka_are_named_for_what_they_are(way: Way) {
    for (answer, kind, told) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            ErrorKind::Protocol,
            "speaks HTTP",
        ),
        (
            &[0x15, 3, 3, 0, 2, 2, 70],
            ErrorKind::Protocol,
            "speaks TLS",
        ),
        (
            b"SSH-2.0-OpenSSH_9.6\r\n",
            ErrorKind::Protocol,
            "speaks SSH",
        ),
        (&[0xff; 8], ErrorKind::Protocol, "does not speak Kafka"),
        (
            &[0, 0, 0, 4, 0, 0, 0, 99],
            ErrorKind::Protocol,
            "an answer to request",
        ),
        // nobody has said who he is yet: a megabyte is more than enough
        (
            &[0, 32, 0, 0, 0, 0, 0, 0],
            ErrorKind::Protocol,
            "2097152 bytes is announced, 1048576 are allowed",
        ),
    ] {
        let other = Listener::start(move |mut stream| {
            let _ = stream.write_all(answer);
            drop(stream.read_to_end(&mut Vec::new()));
        });
        let error = dial(way, &other.address, |c| c, nobody_asks).expect_err("no broker");
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(told), "{told}: {error}");
    }
    let hangs_up = Listener::start(drop);
    let error = dial(way, &hangs_up.address, |c| c, nobody_asks).expect_err("no broker");
    assert_eq!(error.kind(), ErrorKind::Disconnected, "{error}");
    assert!(error.to_string().contains("may expect TLS"), "{error}");

    let resets = Listener::start(|stream| {
        let _ = (&stream).read(&mut [0; 1]);
        // what was not read makes it a reset
        let _ = Socket::from(stream).set_linger(Some(Duration::ZERO));
    });
    let error = dial(way, &resets.address, |c| c, nobody_asks).expect_err("no broker");
    assert_eq!(error.kind(), ErrorKind::Disconnected, "{error}");

    let short = |c: Config| c.setup_timeout(Duration::from_millis(300));
    let silent = Listener::start(|mut stream| drop(stream.read_to_end(&mut Vec::new())));
    let error = dial(way, &silent.address, short, nobody_asks).expect_err("no broker");
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    assert!(error.to_string().contains("speak plaintext?"), "{error}");

    let hole = BlackHole::open();
    let address = hole.address.to_string();
    let error = dial(way, &address, short, nobody_asks).expect_err("no broker");
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    assert!(
        error.to_string().contains("no connection within"),
        "{error}"
    );
}

fn a_peer_that_is_not_kafka_is_not_dialled_in_a_hot_loop(way: Way) {
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = accepted.clone();
    let hangs_up = Listener::start(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let brokers = hangs_up.address.clone();
    let patient = |c: Config| c.call_timeout(Duration::from_secs(2));
    let request = MetadataRequest::default();
    let answer = match way {
        Way::blocking => {
            let dialer = kafka_client_blocking::Dialer::new().configure(patient);
            let client = dialer.connect_lazy(&brokers).expect("lazy");
            client.call(request).map(drop)
        }
        Way::tokio => asks(Runtime::tokio, brokers, request),
        Way::async_std => asks(Runtime::async_std, brokers, request),
        Way::smol => asks(Runtime::smol, brokers, request),
    };
    let error = answer.expect_err("no broker");
    assert!(error.to_string().contains("may expect TLS"), "{error}");
    let accepted = accepted.load(Ordering::Relaxed);
    // three rungs of the handshake's ladder for each of six pauses or so
    assert!((2..40).contains(&accepted), "{accepted} connections in 2 s");
}

fn asks(runtime: Runtime, brokers: String, request: MetadataRequest) -> Result<(), Error> {
    let host = Host::start(runtime);
    let dialer = host.dialer();
    let dialer = dialer.configure(|c| c.call_timeout(Duration::from_secs(2)));
    host.run(async move {
        let client = dialer.connect_lazy(&brokers).expect("lazy");
        client.call(request).await.map(drop)
    })
}

/// As many dials as `DIALS` says, of which half fail, leave no socket and no thread behind: a drill takes 10,000. A
/// process of its own, since what is counted belongs to the whole process.
#[test]
fn dials_of_which_half_fail_leave_nothing_behind() {
    let program = std::env::current_exe().expect("this program");
    for way in ["tokio", "async_std", "smol", "blocking"] {
        let child = Command::new(&program)
            .args(["--exact", "a_process_that_dials_and_counts", "--ignored"])
            .env("DIALS_BY", way)
            .output()
            .expect("a process");
        let said = String::from_utf8_lossy(&child.stdout);
        assert!(
            child.status.success() && said.contains("1 passed"),
            "{way}: {said}"
        );
    }
}

#[test]
#[ignore = "a part of dials_of_which_half_fail_leave_nothing_behind"]
fn a_process_that_dials_and_counts() {
    let way = match std::env::var("DIALS_BY").as_deref() {
        Ok("async_std") => Way::async_std,
        Ok("smol") => Way::smol,
        Ok("blocking") => Way::blocking,
        _ => Way::tokio,
    };
    let dials = std::env::var("DIALS").map_or(200, |n| n.parse().expect("a number"));
    let server = broker();
    let brokers = server.bootstrap();
    // the runtimes of a process, and the pools beside them, stay once they are there
    let both = |n: usize| {
        dial(way, &brokers, |c| c, nobody_asks).expect("a broker");
        let refused = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = refused.local_addr().expect("bound").to_string();
        match n % 3 {
            0 => drop(refused),
            // it accepts and says nothing, or hangs up in the middle of the handshake
            1 => drop(thread::spawn(move || drop(refused.accept()))),
            _ => drop(thread::spawn(move || {
                if let Ok((stream, _)) = refused.accept() {
                    let _ = (&stream).read(&mut [0; 3]);
                }
            })),
        }
        let short = |c: Config| c.setup_timeout(Duration::from_millis(200));
        dial(way, &address, short, nobody_asks).expect_err("no broker");
        let _ = TcpStream::connect(&address);
    };
    (0..4).for_each(both);
    let before = settled(None);
    (0..dials / 2).for_each(both);
    let after = settled(Some(before));
    assert!(
        after.0 <= before.0 && after.1 <= before.1 + 1,
        "{before:?}, then {after:?}"
    );
}

/// Sockets and threads of this process, once they are no more than `wanted`, or stay the same.
fn settled(wanted: Option<(usize, usize)>) -> (usize, usize) {
    let begin = Instant::now();
    loop {
        let fds = fs::read_dir("/proc/self/fd").expect("Linux");
        let targets = fds.filter_map(|fd| fs::read_link(fd.ok()?.path()).ok());
        let sockets = targets.filter(|t| t.to_string_lossy().starts_with("socket:"));
        let threads = fs::read_dir("/proc/self/task").expect("Linux").count();
        let now = (sockets.count(), threads);
        let enough = match wanted {
            Some((sockets, threads)) => now.0 <= sockets && now.1 <= threads,
            None => begin.elapsed() > Duration::from_secs(1),
        };
        if enough || begin.elapsed() > Duration::from_secs(20) {
            return now;
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// A stream of the user's may keep what is written until it is flushed.
#[tokio::test]
async fn a_stream_with_a_buffer_is_flushed() {
    let server = broker();
    let stream = tokio::net::TcpStream::connect(server.bootstrap()).await;
    let stream = tokio::io::BufStream::new(stream.expect("the broker"));
    let conn = kafka_client_tokio::Dialer::new().over(stream, "", 0);
    let conn = conn.expect("a connection");
    conn.set_deadline(Some(Instant::now() + Duration::from_secs(20)));
    conn.request(MetadataRequest::default())
        .await
        .expect("an answer");
}
