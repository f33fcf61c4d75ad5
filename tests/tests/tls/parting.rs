//! A connection over sockets ends its stream of TLS in good order, by every adapter.

use std::{
    io::{self, BufWriter, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use kafka_client_blocking::{Conn, Dialer, ErrorKind, Outcome, api::metadata::MetadataRequest};
use kafka_testing::{
    broker::{Cluster, Config},
    server::Server,
    tls::Tls,
};

use super::tls;
use crate::runtimes::{Host, Runtime, on_each};

on_each! {
    a_connection_that_is_closed_says_so: tokio tokio_current_thread async_std smol executor;
}

/// What a record of TLS 1.3 has that holds an alert: two bytes, their type, a tag. No request is that short.
const ALERT: usize = 2 + 1 + 16;
const APPLICATION_DATA: u8 = 23;

/// Stands between one client and a broker, and sees how the client's stream ends.
struct Relay {
    address: String,
    ends: mpsc::Receiver<Option<(u8, usize)>>,
    /// Both streams, once there is a client: to the client, to the broker.
    made: mpsc::Receiver<[TcpStream; 2]>,
}

impl Relay {
    fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        let (tell, ends) = mpsc::channel();
        let (make, made) = mpsc::channel();
        thread::spawn(move || {
            let (client, _) = listener.accept().expect("a client");
            let broker = TcpStream::connect(("127.0.0.1", port)).expect("a broker");
            let back = (
                broker.try_clone().expect("a half"),
                client.try_clone().expect("a half"),
            );
            let both = [&client, &broker].map(|stream| stream.try_clone().expect("a half"));
            let _ = make.send(both);
            thread::spawn(move || copy(back.0, back.1, |_| {}));
            let mut records = Records::default();
            copy(client, broker, |bytes| records.take(bytes));
            let _ = tell.send(records.last);
        });
        Self {
            address,
            ends,
            made,
        }
    }

    /// Type and length of the last record that the client sent, once its stream has ended; `None` if that was cut.
    fn last(self) -> Option<(u8, usize)> {
        self.ends.recv().expect("the stream ends")
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, mut see: impl FnMut(&[u8])) {
    let mut bytes = [0; 4096];
    while let Ok(n @ 1..) = from.read(&mut bytes) {
        see(&bytes[..n]);
        if to.write_all(&bytes[..n]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// The records in a stream.
#[derive(Default)]
struct Records {
    rest: Vec<u8>,
    last: Option<(u8, usize)>,
}

impl Records {
    fn take(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
        while let Some([kind, _, _, high, low]) = self.rest.first_chunk::<5>().copied() {
            let length = usize::from(u16::from_be_bytes([high, low]));
            if self.rest.len() < 5 + length {
                break;
            }
            self.rest.drain(..5 + length);
            self.last = Some((kind, length));
        }
        if !self.rest.is_empty() {
            self.last = None;
        }
    }
}

fn server() -> Server {
    Server::start_tls(Cluster::new(Config::new()), Tls::new()).expect("a server")
}

fn a_connection_that_is_closed_says_so(runtime: Runtime) {
    let host = Host::start(runtime);
    let server = server();
    let relay = Relay::to(server.port(1));
    let dialer = host.dialer().configure(|c| c.tls(tls()));
    let address = relay.address.clone();
    let conn = host.run(async move { dialer.dial(&address).await.expect("a connection") });
    host.run(async move { conn.close() });
    // nobody waits for it, and the runtime is there to write it
    assert_eq!(relay.last(), Some((APPLICATION_DATA, ALERT)));
    host.shut_down();
}

#[test]
fn a_connection_on_plain_threads_says_so_too() {
    let server = server();
    let relay = Relay::to(server.port(1));
    let conn = Dialer::new().tls(tls()).dial(&relay.address);
    conn.expect("a connection").close();
    assert_eq!(relay.last(), Some((APPLICATION_DATA, ALERT)));
}

/// A connection over a stream that blocks, whose writing half `wrap` makes, and how often it was closed.
fn over<W: Write + Send + 'static>(
    address: &str,
    wrap: impl FnOnce(TcpStream) -> W,
    close: impl FnOnce() + Send + 'static,
) -> (Conn, Arc<AtomicUsize>) {
    let dialer = Dialer::new().tls(tls().server_name("localhost").expect("a name"));
    let stream = TcpStream::connect(address).expect("a listener");
    let [from, to] = [&stream; 2].map(|stream| stream.try_clone().expect("a half"));
    let closed = Arc::new(AtomicUsize::new(0));
    let count = closed.clone();
    let close = move || {
        count.fetch_add(1, Ordering::Relaxed);
        let _ = stream.shutdown(Shutdown::Both);
        close();
    };
    let conn = dialer.over(from, wrap(to), close, "orders", 0);
    (conn.expect("a connection"), closed)
}

#[test]
fn a_connection_over_a_stream_that_blocks_says_so_too() {
    let server = server();
    let ends: [fn(Conn); 2] = [|conn| conn.close(), drop];
    for end in ends {
        let relay = Relay::to(server.port(1));
        let (conn, closed) = over(&relay.address, |to| to, || {});
        conn.request(MetadataRequest::default()).expect("an answer");
        end(conn);
        assert_eq!(relay.last(), Some((APPLICATION_DATA, ALERT)));
        assert_eq!(closed.load(Ordering::Relaxed), 1);
    }
    // what has a buffer is flushed
    let relay = Relay::to(server.port(1));
    let (conn, _) = over(&relay.address, BufWriter::new, || {});
    conn.request(MetadataRequest::default()).expect("an answer");
    conn.close();
    assert_eq!(relay.last(), Some((APPLICATION_DATA, ALERT)));
}

#[test]
fn what_a_broker_does_wrong_is_named_over_a_stream_that_blocks() {
    let server = server();
    let relay = Relay::to(server.port(1));
    let (conn, _) = over(&relay.address, |to| to, || {});
    conn.request(MetadataRequest::default()).expect("an answer");
    let [mut to_client, _to_broker] = relay.made.recv().expect("a client");
    to_client.write_all(&unreadable()).expect("taken");
    assert_eq!(relay.last(), Some((APPLICATION_DATA, ALERT)));
    let error = conn.request(MetadataRequest::default());
    assert_eq!(error.expect_err("over").kind(), ErrorKind::Protocol);
}

/// Whoever gets a fatal alert closes, and sends nothing more (RFC 8446, 6.2).
#[test]
fn a_fatal_alert_of_the_broker_is_not_answered() {
    let server = server();
    let dial: fn(&str) -> Conn = |address| {
        let conn = Dialer::new().tls(tls()).dial(address);
        conn.expect("a connection")
    };
    for make in [dial, |address| over(address, |to| to, || {}).0] {
        let relay = Relay::to(server.port(1));
        let conn = make(&relay.address);
        conn.request(MetadataRequest::default()).expect("an answer");
        let [_to_client, mut to_broker] = relay.made.recv().expect("a client");
        to_broker.write_all(&unreadable()).expect("taken");
        let (kind, length) = relay.last().expect("whole records");
        assert!(kind == APPLICATION_DATA && length > ALERT, "{length}");
        let error = conn.request(MetadataRequest::default());
        let error = error.expect_err("over").to_string();
        assert!(error.contains("the alert BadRecordMac"), "{error}");
    }
}

/// A record that nobody has sealed.
fn unreadable() -> Vec<u8> {
    let mut record = vec![APPLICATION_DATA, 3, 3, 0, 40];
    record.resize(5 + 40, 7);
    record
}

/// When a stream lets go of those who write.
#[derive(Default)]
struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Default)]
struct GateState {
    shut: bool,
    waits: bool,
    closed: bool,
}

impl Gate {
    fn shut(&self) {
        self.state.lock().expect("no panic").shut = true;
    }

    fn open(&self) {
        self.state.lock().expect("no panic").shut = false;
        self.changed.notify_all();
    }

    fn close(&self) {
        self.state.lock().expect("no panic").closed = true;
        self.changed.notify_all();
    }

    /// Waits until somebody waits to write.
    fn wait(&self) {
        let state = self.state.lock().expect("no panic");
        let waited = self.changed.wait_while(state, |state| !state.waits);
        drop(waited.expect("no panic"));
    }

    fn pass(&self) -> io::Result<()> {
        let mut state = self.state.lock().expect("no panic");
        state.waits = state.shut;
        self.changed.notify_all();
        let waited = self
            .changed
            .wait_while(state, |state| state.shut && !state.closed);
        match waited.expect("no panic").closed {
            true => Err(io::ErrorKind::BrokenPipe.into()),
            false => Ok(()),
        }
    }
}

/// Writes through a gate.
struct Gated(TcpStream, Arc<Gate>);

impl Write for Gated {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1.pass()?;
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A connection that has had an answer, over a stream that takes nothing more, and how often it was closed.
fn behind_a_shut_gate(relay: &Relay) -> (Conn, Arc<AtomicUsize>, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    let (to, close) = (gate.clone(), gate.clone());
    let to = |stream| Gated(stream, to);
    let (conn, closed) = over(&relay.address, to, move || close.close());
    conn.request(MetadataRequest::default()).expect("an answer");
    gate.shut();
    (conn, closed, gate)
}

/// The bound of what a close may wait for, and a lot more for those who share their processor.
const LIMIT: Duration = Duration::from_secs(10);

#[test]
fn a_broker_that_takes_no_farewell_is_not_waited_for_long() {
    let server = server();
    let relay = Relay::to(server.port(1));
    let (conn, closed, _gate) = behind_a_shut_gate(&relay);
    let start = Instant::now();
    conn.close();
    assert!(start.elapsed() < LIMIT, "close waited for the peer");
    assert_eq!(closed.load(Ordering::Relaxed), 1);
    let (kind, length) = relay.last().expect("whole records");
    assert!(kind == APPLICATION_DATA && length > ALERT, "{length}");
}

/// A call that waits ends at once; what its write comes to is left to the end of the connection.
#[test]
fn a_write_that_is_under_way_at_the_end_may_become_whole() {
    for let_through in [true, false] {
        let server = server();
        let relay = Relay::to(server.port(1));
        let (conn, closed, gate) = behind_a_shut_gate(&relay);
        let call = conn.send(MetadataRequest::default());
        gate.wait();
        conn.closer().close();
        if let_through {
            gate.open();
        }
        let error = call.wait().expect_err("closed");
        assert_eq!(error.kind(), ErrorKind::Closed);
        // it may be whole by now
        assert_eq!(error.outcome(), Outcome::Unknown);
        conn.close();
        assert_eq!(closed.load(Ordering::Relaxed), 1);
        let (_, length) = relay.last().expect("whole records");
        assert_eq!(length == ALERT, let_through);
    }
}
