//! The proxy before a server that sends back what it gets.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    thread::JoinHandle,
};

use super::*;

/// Sends back what it gets, over every connection, until it is dropped.
struct Echo {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Echo {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("bound");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let serve = move || {
            let mut threads = Vec::new();
            while let Ok((stream, _)) = listener.accept() {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                threads.push(thread::spawn(move || {
                    let _ = io::copy(&mut &stream, &mut &stream);
                }));
            }
            threads.into_iter().for_each(|t| drop(t.join()));
        };
        Self {
            address,
            stop,
            thread: Some(thread::spawn(serve)),
        }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(100);

/// A server, a proxy before it, and a connection: dropped from the last to the first.
fn world() -> (Echo, Proxy, TcpStream) {
    let echo = Echo::start();
    let proxy = Proxy::start(1).expect("a port");
    proxy.lead_to(&[echo.address]);
    let stream = connect(&proxy);
    (echo, proxy, stream)
}

fn connect(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.ports()[0])).expect("accepted");
    stream.set_read_timeout(Some(LONG)).expect("a time");
    stream
}

fn say(mut stream: &TcpStream, words: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(words)?;
    hear(stream, words.len())
}

fn hear(mut stream: &TcpStream, count: usize) -> io::Result<Vec<u8>> {
    let mut answer = vec![0; count];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

/// Whether nothing comes for a moment, and the connection stays open.
fn is_silent(stream: &TcpStream) -> bool {
    stream.set_read_timeout(Some(SHORT)).expect("a time");
    let silent = hear(stream, 1).is_err_and(|e| {
        matches!(
            e.kind(),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
        )
    });
    stream.set_read_timeout(Some(LONG)).expect("a time");
    silent
}

#[test]
fn what_passes_is_what_was_sent() {
    let (_echo, proxy, stream) = world();
    assert_eq!(say(&stream, b"hello").expect("an echo"), b"hello");
    let large: Vec<_> = (0..3_000_000u32).map(|n| (n >> 8) as u8).collect();
    let echoed = thread::scope(|scope| {
        let hearing = scope.spawn(|| hear(&stream, large.len()));
        (&stream).write_all(&large).expect("it is read");
        hearing.join().expect("no panic")
    });
    assert!(echoed.expect("an echo") == large);
    assert_eq!(proxy.connections(0), 1);
    // and the end of the stream passes, both ways
    stream.shutdown(Shutdown::Write).expect("open");
    assert_eq!((&stream).read(&mut [0]).expect("the end"), 0);
}

#[test]
fn a_delay_takes_its_time_both_ways() {
    let (_echo, proxy, stream) = world();
    proxy.apply(0, Action::Delay(SHORT, SHORT));
    let begin = Instant::now();
    assert_eq!(say(&stream, b"a").expect("an echo"), b"a");
    assert!(begin.elapsed() >= 2 * SHORT);
}

#[test]
fn bandwidth_is_shared_out() {
    let (_echo, proxy, stream) = world();
    proxy.apply(0, Action::Bandwidth(100_000));
    let begin = Instant::now();
    say(&stream, &[7; 20_000]).expect("an echo");
    assert!(begin.elapsed() >= 2 * SHORT, "{:?}", begin.elapsed());
}

#[test]
fn a_frozen_way_is_silent_until_it_heals() {
    let (_echo, proxy, stream) = world();
    proxy.apply(0, Action::Freeze);
    (&stream).write_all(b"a").expect("taken");
    assert!(is_silent(&stream));
    let other = connect(&proxy);
    (&other).write_all(b"b").expect("taken");
    assert!(is_silent(&other));
    proxy.heal();
    assert_eq!(hear(&stream, 1).expect("an echo"), b"a");
    assert_eq!(hear(&other, 1).expect("an echo"), b"b");
}

#[test]
fn a_half_open_connection_is_silent_and_ends_when_it_heals() {
    let (_echo, proxy, stream) = world();
    assert_eq!(say(&stream, b"a").expect("an echo"), b"a");
    proxy.apply(0, Action::HalfOpen);
    let new = connect(&proxy);
    for stream in [&stream, &new] {
        let mut stream = stream;
        stream.write_all(b"b").expect("taken");
        assert!(is_silent(stream));
    }
    proxy.heal();
    assert!(hear(&stream, 1).is_err() && hear(&new, 1).is_err());
    assert_eq!(say(&connect(&proxy), b"c").expect("an echo"), b"c");
}

#[test]
fn a_cut_ends_what_there_is_and_a_refusal_what_comes() {
    let (_echo, proxy, stream) = world();
    assert_eq!(say(&stream, b"a").expect("an echo"), b"a");
    proxy.apply(0, Action::Cut);
    assert!(hear(&stream, 1).is_err());
    assert_eq!(say(&connect(&proxy), b"b").expect("an echo"), b"b");
    proxy.apply(0, Action::Refuse);
    assert!(say(&connect(&proxy), b"c").is_err());
    proxy.heal();
    let stream = connect(&proxy);
    assert_eq!(say(&stream, b"d").expect("an echo"), b"d");
    // six bytes: four up, and two of the four that come back
    proxy.apply(0, Action::CutAfter(6));
    (&stream).write_all(b"four").expect("taken");
    assert_eq!(hear(&stream, 2).expect("two pass"), b"fo");
    assert!(hear(&stream, 1).is_err());
}

#[test]
fn one_byte_is_inverted() {
    let (_echo, proxy, stream) = world();
    assert_eq!(say(&stream, b"a").expect("an echo"), b"a");
    let way = Way::Down;
    proxy.apply(0, Action::Corrupt { way, after: 5 });
    assert_eq!(say(&stream, &[1; 4]).expect("an echo"), [1; 4]);
    assert_eq!(say(&stream, &[1; 4]).expect("an echo"), [1, !1, 1, 1]);
    assert_eq!(proxy.inverted(), 1);
    assert_eq!(say(&stream, &[1; 4]).expect("an echo"), [1; 4]);
}

#[test]
fn a_script_is_played_in_its_time_and_a_poisoned_one_not_at_all() {
    let (_echo, proxy, stream) = world();
    let script = Script::new()
        .at(2 * SHORT, 0, Action::Heal)
        .at(SHORT, 0, Action::Freeze);
    assert_eq!(script.steps()[0].2, Action::Freeze);
    let begin = Instant::now();
    proxy.play(&script).expect("it names what is there");
    assert!(begin.elapsed() >= 2 * SHORT);
    assert_eq!(say(&stream, b"a").expect("an echo"), b"a");

    let poisoned = Script::new()
        .at(Duration::ZERO, 0, Action::Cut)
        .at(SHORT, 1, Action::Cut);
    let error = proxy.play(&poisoned).expect_err("there is no broker 1");
    assert_eq!((error.step, error.broker, error.brokers), (1, 1, 1));
    assert_eq!(say(&stream, b"a").expect("it was not cut"), b"a");

    let drawn = Script::seeded(17, 3, LONG);
    assert_eq!(drawn, Script::seeded(17, 3, LONG));
    assert_ne!(drawn, Script::seeded(18, 3, LONG));
    let (last, _, _) = drawn.steps().last().expect("it does something");
    assert_eq!(*last, LONG);
}

#[test]
fn nothing_is_left_of_a_proxy_that_is_dropped() {
    for action in [Action::Heal, Action::Freeze, Action::HalfOpen] {
        let (_echo, proxy, stream) = world();
        let port = proxy.ports()[0];
        proxy.apply(0, action.clone());
        (&stream).write_all(&[0; 100_000]).expect("taken");
        drop(proxy);
        // what had passed before comes out first
        let mut rest = Vec::new();
        let _ = (&stream).read_to_end(&mut rest);
        assert!(rest.len() <= 100_000, "{action:?}");
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("the port is free");
    }
}
