//! Whatever a peer or a stream does to a connection, calls and `close` return.
#![cfg(unix)]

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use kafka_client_blocking::{
    Conn, Dialer, ErrorKind, FetchLimits, Outcome, Record,
    api::{
        ApiKey,
        produce::{PartitionProduceData, ProduceRequest, TopicProduceData},
    },
};
use kafka_testing::{
    broker::{Cluster, Config},
    server::Server,
};

const LIMIT: Duration = Duration::from_secs(10);
const SOON: Duration = Duration::from_millis(200);

fn server() -> Server {
    let mut cluster = Cluster::new(Config::new().brokers(1));
    cluster.create_topic("orders", 1);
    Server::start(cluster).expect("ports")
}

/// A connection over a Unix socket, and how often its stream was closed.
fn over(stream: UnixStream, dialer: &Dialer) -> (Conn, Arc<AtomicUsize>) {
    let to = stream.try_clone().expect("a descriptor");
    let (conn, closed, _) = over_writer(stream, to, dialer);
    (conn, closed)
}

/// The same, writing by other means; the receiver hears of the close, too.
fn over_writer(
    stream: UnixStream,
    to: impl Write + Send + 'static,
    dialer: &Dialer,
) -> (Conn, Arc<AtomicUsize>, mpsc::Receiver<()>) {
    let from = stream.try_clone().expect("a descriptor");
    let closed = Arc::new(AtomicUsize::new(0));
    let count = closed.clone();
    let (tell, told) = mpsc::channel();
    let close = move || {
        count.fetch_add(1, Ordering::Relaxed);
        let _ = stream.shutdown(Shutdown::Both);
        let _ = tell.send(());
    };
    let conn = dialer.over(from, to, close, "orders", 0);
    (conn.expect("a connection"), closed, told)
}

/// One end of a Unix socket whose other end is the broker's.
fn broker(server: &Server) -> UnixStream {
    let (here, there) = UnixStream::pair().expect("a pair");
    let broker = TcpStream::connect(server.bootstrap()).expect("the broker");
    let (mut from_client, mut to_client) = (there.try_clone().expect("a clone"), there);
    let (mut from_broker, mut to_broker) = (broker.try_clone().expect("a clone"), broker);
    thread::spawn(move || io::copy(&mut from_client, &mut to_broker));
    thread::spawn(move || {
        let _ = io::copy(&mut from_broker, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Both);
    });
    here
}

/// FN-08, FN-09, TY-04.
#[test]
fn it_writes_and_reads_over_a_unix_socket_and_over_tcp() {
    let server = server();
    let (mut conn, closed) = over(broker(&server), &Dialer::new());
    let large = vec![b'.'; 900 << 10];
    conn.write_messages(&[Record::new("unix"), Record::new(&large)])
        .expect("written");
    let batch = conn.read_batch(FetchLimits::default()).expect("a batch");
    assert_eq!(batch.iter().count(), 2);
    conn.close();
    assert_eq!(closed.load(Ordering::Relaxed), 1);
    let error = conn.lookup_leader("orders", 0).expect_err("closed");
    assert_eq!(error.kind(), ErrorKind::Closed);

    let stream = TcpStream::connect(server.bootstrap()).expect("the broker");
    let (from, to) = (stream.try_clone(), stream.try_clone());
    let close = move || drop(stream.shutdown(Shutdown::Both));
    let conn = Dialer::new().over(
        from.expect("a clone"),
        to.expect("a clone"),
        close,
        "orders",
        0,
    );
    let conn = conn.expect("a connection");
    let written = conn.write_messages(&[Record::new("tcp")]);
    assert_eq!(written.expect("written").offset, Some(2));
}

/// A peer that takes the head of a Produce request and no more, so that the rest of it waits in the stream.
struct Deaf {
    /// It has taken the head.
    begun: mpsc::Receiver<()>,
    /// It goes with this.
    _done: mpsc::Sender<()>,
}

/// Such a peer, and the stream to it.
fn deaf() -> (UnixStream, Deaf) {
    let (here, there) = UnixStream::pair().expect("a pair");
    (here, deaf_at(move || there))
}

/// Such a peer at the other end of a stream.
fn deaf_at<S: Read + Write>(accept: impl FnOnce() -> S + Send + 'static) -> Deaf {
    let server = server();
    let (done, ended) = mpsc::channel();
    let (begin, begun) = mpsc::channel();
    thread::spawn(move || {
        let mut there = accept();
        let mut broker = TcpStream::connect(server.bootstrap()).expect("the broker");
        loop {
            let mut request = vec![0; 6];
            there.read_exact(&mut request).expect("a request");
            if request[4..] == (ApiKey::Produce as i16).to_be_bytes() {
                break;
            }
            fill(&mut request, &mut there);
            broker.write_all(&request).expect("the broker takes it");
            let mut response = vec![0; 4];
            broker.read_exact(&mut response).expect("a response");
            fill(&mut response, &mut broker);
            there.write_all(&response).expect("the client takes it");
        }
        let _ = begin.send(());
        // until the test is over
        let _ = ended.recv();
    });
    Deaf { begun, _done: done }
}

/// Reads the rest of a frame that has begun with its length.
fn fill(frame: &mut Vec<u8>, from: &mut impl Read) {
    let begun = frame.len();
    let length = u32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]]);
    frame.resize(4 + length as usize, 0);
    from.read_exact(&mut frame[begun..]).expect("a frame");
}

#[test]
fn a_peer_that_takes_nothing_costs_a_call_its_deadline_and_close_nothing() {
    let (stream, peer) = deaf();
    let (conn, closed) = over(stream, &Dialer::new());
    conn.lookup_leader("orders", 0).expect("so far all is well");
    let large = vec![b'.'; 8 << 20];
    let start = Instant::now();
    // encoding it takes a part of that
    conn.set_deadline(Some(start + 5 * SOON));
    let error = conn.write_messages(&[Record::new(&large)]);
    let error = error.expect_err("nobody takes it");
    peer.begun.try_recv().expect("the write waits");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(start.elapsed() >= 5 * SOON && start.elapsed() < LIMIT);
    assert_eq!(closed.load(Ordering::Relaxed), 0, "a deadline ends a call");
    conn.close();
    assert!(start.elapsed() < LIMIT, "close waited for the peer");
    assert_eq!(closed.load(Ordering::Relaxed), 1);
}

/// The write that waits was there first, and has no deadline.
#[test]
fn a_call_keeps_its_deadline_behind_a_write_that_waits() {
    let (stream, peer) = deaf();
    let (conn, _) = over(stream, &Dialer::new());
    let large = vec![b'.'; 8 << 20];
    thread::scope(|scope| {
        let write = scope.spawn(|| conn.write_messages(&[Record::new(&large)]));
        peer.begun.recv().expect("the write waits");
        let start = Instant::now();
        conn.set_read_deadline(Some(start + SOON));
        let error = conn.lookup_leader("orders", 0);
        let error = error.expect_err("it cannot be sent");
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
        assert_eq!(error.outcome(), Outcome::NotWritten, "{error}");
        assert!(start.elapsed() < LIMIT);
        conn.close();
        write.join().expect("no panic").expect_err("closed");
    });
}

#[test]
fn a_peer_that_takes_nothing_ends_the_connection_by_the_request_time_out() {
    let (stream, _peer) = deaf();
    let dialer = Dialer::new().configure(|config| config.request_timeout(SOON));
    let (conn, closed) = over(stream, &dialer);
    let large = vec![b'.'; 8 << 20];
    let start = Instant::now();
    let error = conn.write_messages(&[Record::new(&large)]);
    let error = error.expect_err("nobody takes it");
    assert_eq!(error.outcome(), Outcome::NotWritten, "{error}");
    assert!(start.elapsed() < LIMIT);
    conn.close();
    assert_eq!(closed.load(Ordering::Relaxed), 1);
}

#[test]
fn a_connection_dropped_while_its_stream_waits_leaves_nothing_behind() {
    let (stream, peer) = deaf();
    let to = stream.try_clone().expect("a descriptor");
    let (conn, closed, told) = over_writer(stream, to, &Dialer::new());
    let large = vec![b'.'; 8 << 20];
    let closer = conn.closer();
    thread::scope(|scope| {
        let write = scope.spawn(|| conn.write_messages(&[Record::new(&large)]));
        peer.begun.recv().expect("the write waits");
        closer.close();
        let error = write.join().expect("no panic").expect_err("closed");
        assert_eq!(error.kind(), ErrorKind::Closed);
    });
    drop(conn);
    told.recv_timeout(LIMIT).expect("it is closed");
    assert_eq!(closed.load(Ordering::Relaxed), 1);
}

/// Does not return from a write that it was told to wait in, before its stream is closed.
struct Slow {
    stream: UnixStream,
    waits: Arc<AtomicBool>,
    begin: mpsc::Sender<()>,
    closed: mpsc::Receiver<()>,
}

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.waits.load(Ordering::Relaxed) {
            let _ = self.begin.send(());
            let _ = self.closed.recv();
        }
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The peer may have all of it, which nobody can tell before the write has returned.
#[test]
fn a_request_whose_write_is_under_way_at_the_end_may_have_been_written() {
    let server = server();
    let stream = broker(&server);
    let (begin, begun) = mpsc::channel();
    let (tell, closed) = mpsc::channel();
    let waits = Arc::new(AtomicBool::new(false));
    let to = Slow {
        stream: stream.try_clone().expect("a descriptor"),
        waits: waits.clone(),
        begin,
        closed,
    };
    let from = stream.try_clone().expect("a descriptor");
    let close = move || {
        let _ = stream.shutdown(Shutdown::Both);
        let _ = tell.send(());
    };
    let conn = Dialer::new().over(from, to, close, "orders", 0);
    let conn = conn.expect("a connection");
    conn.lookup_leader("orders", 0).expect("so far all is well");
    waits.store(true, Ordering::Relaxed);
    let closer = conn.closer();
    thread::scope(|scope| {
        let write = scope.spawn(|| conn.write_messages(&[Record::new("a")]));
        begun.recv().expect("the write waits");
        closer.close();
        let error = write.join().expect("no panic").expect_err("closed");
        assert_eq!(error.kind(), ErrorKind::Closed);
        assert_eq!(error.outcome(), Outcome::Unknown);
    });
}

#[test]
fn a_socket_that_is_full_does_not_keep_a_connection_from_its_end() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let peer = deaf_at(move || listener.accept().expect("a client").0);
    let conn = Dialer::new().dial(&address).expect("a connection");
    let large = ProduceRequest::build(|r| {
        r.topic_data.push(TopicProduceData::build(|t| {
            t.partition_data.push(PartitionProduceData::build(|p| {
                p.records = Some(vec![b'.'; 16 << 20].into());
            }));
        }));
    });
    thread::scope(|scope| {
        // a connection without a topic sends requests and writes no records
        let write = scope.spawn(|| conn.request_at(9, large));
        peer.begun.recv().expect("the write waits");
        let start = Instant::now();
        conn.close();
        assert!(start.elapsed() < LIMIT, "close waited for the peer");
        write.join().expect("no panic").expect_err("closed");
    });
}

/// Waits for the close when it is dropped, as one with a buffer does where the peer takes nothing.
struct Full {
    stream: UnixStream,
    closed: mpsc::Receiver<()>,
}

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Full {
    fn drop(&mut self) {
        let _ = self.closed.recv_timeout(LIMIT);
    }
}

#[test]
fn a_stream_is_closed_before_it_is_dropped() {
    let server = server();
    let stream = broker(&server);
    let (tell, closed) = mpsc::channel();
    let to = stream.try_clone().expect("a descriptor");
    let to = Full { stream: to, closed };
    let from = stream.try_clone().expect("a descriptor");
    let close = move || {
        let _ = stream.shutdown(Shutdown::Both);
        let _ = tell.send(());
    };
    let conn = Dialer::new().over(from, to, close, "orders", 0);
    let conn = conn.expect("a connection");
    conn.lookup_leader("orders", 0).expect("so far all is well");
    let start = Instant::now();
    conn.close();
    assert!(start.elapsed() < LIMIT, "close waited for the stream");
}

/// Panics when it is written to.
struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        panic!("as a stream of the caller may");
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_stream_that_panics_ends_its_connection() {
    let (here, _there) = UnixStream::pair().expect("a pair");
    let from = here.try_clone().expect("a clone");
    let close = move || drop(here.shutdown(Shutdown::Both));
    let conn = Dialer::new().over(from, Broken, close, "orders", 0);
    let conn = conn.expect("a connection");
    conn.lookup_leader("orders", 0).expect_err("it panicked");
    conn.close();
}

/// Panics in a write of more than a little, once the socket has all of it.
struct Treacherous(UnixStream);

impl Write for Treacherous {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.0.write(bytes)?;
        assert!(n < 1000, "as a stream of the caller may fail");
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_request_whose_write_panics_may_have_been_written() {
    let (stream, _peer) = deaf();
    let to = Treacherous(stream.try_clone().expect("a descriptor"));
    let (conn, ..) = over_writer(stream, to, &Dialer::new());
    conn.lookup_leader("orders", 0).expect("so far all is well");
    let error = conn.write_messages(&[Record::new(&[b'.'; 2000])]);
    assert_eq!(error.expect_err("it panicked").outcome(), Outcome::Unknown);
}

#[test]
fn a_peer_that_hangs_up_or_talks_nonsense_ends_the_connection() {
    let (here, there) = UnixStream::pair().expect("a pair");
    let (conn, closed) = over(here, &Dialer::new());
    drop(there);
    conn.lookup_leader("orders", 0).expect_err("hung up");
    conn.close();
    assert_eq!(closed.load(Ordering::Relaxed), 1);

    let (here, mut there) = UnixStream::pair().expect("a pair");
    let (conn, _) = over(here, &Dialer::new());
    there.write_all(&[0xff; 64]).expect("taken");
    let error = conn.lookup_leader("orders", 0).expect_err("nonsense");
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
}
