//! The two halves of a connection against a server of rustls, in memory: chunks of any size, records that come together,
//! and what had left when the line went dead.

#[path = "hostile.rs"]
mod hostile;

use std::{
    collections::VecDeque,
    future::Future,
    io::{IoSlice, Read, Write},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Instant, SystemTime},
};

use bytes::Bytes;
use kafka_proto::{
    api::{list_offsets::ListOffsetsRequest, metadata::MetadataRequest},
    client::{Clock, Conn, FetchLimits, Inbound, Now, Outbound},
    config::{Config, Sasl, TlsConfig},
    error::Outcome,
    record::Record,
};
use kafka_testing::{
    broker::{self, Cluster, ConnId, Frames},
    certificates,
};
use rustls::{
    AlertDescription, ServerConfig, ServerConnection,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

#[derive(Debug)]
struct RealTime;

impl Clock for RealTime {
    fn now(&self) -> Now {
        Now::at(Instant::now(), SystemTime::now())
    }
}

/// A connection, and a broker at the other end of two queues of bytes.
struct Pair {
    outbound: Outbound,
    inbound: Inbound,
    server: ServerConnection,
    frames: Frames,
    cluster: Cluster,
    id: ConnId,
    to_client: VecDeque<u8>,
    /// Bytes that the line still takes from the client.
    budget: usize,
    /// The client has ended its stream in good order.
    has_ended: bool,
}

impl Pair {
    fn new() -> (Conn, Self) {
        Self::in_fragments(None)
    }

    /// The server cuts what it says into records of this size.
    fn in_fragments(size: Option<usize>) -> (Conn, Self) {
        let users = broker::Sasl::new().user("alice", "secret");
        let mut cluster = Cluster::new(broker::Config::new().sasl(users));
        cluster.create_topic("orders", 1);
        let id = cluster.connect(1);
        let tls = TlsConfig::new().roots_pem(certificates::CA).expect("roots");
        let sasl = Sasl::scram_sha256("alice", "secret");
        let config = Config::without_brokers().tls(tls).sasl(sasl);
        let clock = Arc::new(RealTime);
        let made = Conn::new(config, clock, 7, "localhost:9093", "orders", 0);
        let (conn, outbound, inbound) = made.expect("settings that can be");
        let provider = TlsConfig::default_provider().expect("cryptography");
        let pem = certificates::BROKER.as_bytes();
        let chain = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>();
        let key = PrivateKeyDer::from_pem_slice(pem).expect("a key");
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain.expect("a chain"), key)
            .expect("a certificate");
        server.max_fragment_size = size;
        server.enable_secret_extraction = true;
        let pair = Self {
            outbound,
            inbound,
            server: ServerConnection::new(Arc::new(server)).expect("a server"),
            frames: Frames::new(),
            cluster,
            id,
            to_client: VecDeque::new(),
            budget: usize::MAX,
            has_ended: false,
        };
        (conn, pair)
    }

    /// One turn: each side says up to `chunk` bytes.
    fn turn(&mut self, chunk: usize) {
        self.write(chunk);
        self.read(chunk);
    }

    fn write(&mut self, chunk: usize) {
        let mut cx = Context::from_waker(Waker::noop());
        if self.outbound.poll(RealTime.now(), &mut cx) == Poll::Ready(true) {
            let mut slices = [IoSlice::new(&[]); 8];
            let count = self.outbound.slices(&mut slices);
            let bytes = slices[..count].iter().flat_map(|s| s.iter().copied());
            let bytes: Vec<u8> = bytes.take(chunk.min(self.budget)).collect();
            let n = bytes.len();
            self.budget -= n;
            self.outbound.consume(n);
            self.serve(&bytes);
        }
    }

    /// Takes what the client still has to say after the end of its link.
    fn end(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        self.write(1 << 20);
        assert_eq!(
            self.outbound.poll(RealTime.now(), &mut cx),
            Poll::Ready(false)
        );
    }

    fn read(&mut self, chunk: usize) {
        let n = self.to_client.len().min(chunk);
        if n > 0 {
            let bytes: Vec<_> = self.to_client.drain(..n).collect();
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let space = self.inbound.space();
                let n = rest.len().min(space.len());
                space[..n].copy_from_slice(&rest[..n]);
                rest = &rest[n..];
                // whoever waits learns what is wrong
                let _ = self.inbound.filled(n, RealTime.now());
            }
        }
    }

    fn serve(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            self.server.read_tls(&mut bytes).expect("room");
            let state = self.server.process_new_packets().expect("sound records");
            let mut plaintext = vec![0; state.plaintext_bytes_to_read()];
            self.server
                .reader()
                .read_exact(&mut plaintext)
                .expect("it is there");
            self.frames.push(&plaintext);
            self.has_ended |= state.peer_has_closed();
        }
        while let Some(frame) = self.frames.poll_frame().expect("sound frames") {
            self.cluster.handle_request(self.id, frame, Instant::now());
        }
        while let Some((_, frame)) = self.cluster.poll_response() {
            self.say(&frame);
        }
        self.flush();
    }

    fn say(&mut self, frame: &Bytes) {
        self.server.set_buffer_limit(None);
        self.server.writer().write_all(frame).expect("room");
    }

    fn flush(&mut self) {
        let mut ciphertext = Vec::new();
        while self.server.wants_write() {
            self.server.write_tls(&mut ciphertext).expect("a vector");
        }
        self.to_client.extend(ciphertext);
    }

    /// Turns until the future is there.
    fn run<T>(&mut self, chunk: usize, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..5_000_000 {
            if let Poll::Ready(told) = future.as_mut().poll(&mut cx) {
                return told;
            }
            self.turn(chunk);
        }
        panic!("it does not end")
    }
}

#[test]
fn chunks_of_any_size_make_no_difference() {
    for chunk in [1, 2, 5, 6, 100, 16_383, 16_406, 1 << 20] {
        let (mut conn, mut pair) = Pair::new();
        pair.run(chunk, conn.ready()).expect("a handshake");
        let value: Vec<_> = (0..40_000).map(|i| (i % 251) as u8).collect();
        let written = pair.run(chunk, conn.write_messages(&[Record::new(&value)]));
        assert_eq!(written.expect("written").offset, Some(0));
        let batch = pair.run(chunk, conn.read_batch(FetchLimits::default()));
        let batch = batch.expect("a batch");
        let read: Vec<_> = batch
            .iter()
            .map(|r| r.expect("sound").value.map(<[u8]>::to_vec))
            .collect();
        assert_eq!(read, [Some(value)], "in chunks of {chunk}");
    }
}

/// Many requests fill many records, and the broker's answers come in one read.
#[test]
fn records_that_come_together_are_all_taken() {
    let (conn, mut pair) = Pair::new();
    pair.run(1 << 20, conn.ready()).expect("a handshake");
    let calls: Vec<_> = (0..200)
        .map(|_| conn.request(MetadataRequest::default()))
        .collect();
    for call in calls {
        let answer = pair.run(1 << 20, call).expect("an answer");
        assert_eq!(answer.brokers.len(), 1);
    }
}

/// A broker may change its keys at any time: the answer to that leaves although no request does.
#[test]
fn keys_may_change_at_any_time() {
    let (conn, mut pair) = Pair::new();
    pair.run(64, conn.ready()).expect("a handshake");
    for _ in 0..3 {
        pair.server.refresh_traffic_keys().expect("TLS 1.3");
        pair.flush();
        let call = conn.request(MetadataRequest::default());
        pair.run(64, call).expect("an answer");
    }
}

/// A handshake message may be cut anywhere, the broker's tickets among them, and requests do not wait for the rest of one.
#[test]
fn messages_of_the_handshake_may_come_in_parts() {
    for part in [1, 40, 90, 200] {
        let (conn, mut pair) = Pair::in_fragments(Some(64));
        pair.write(1 << 20);
        while pair.server.is_handshaking() {
            pair.read(1 << 20);
            pair.write(1 << 20);
        }
        // the end of the handshake has left, nothing else has, and the first ticket is on its way
        assert!(pair.to_client.len() > 200);
        pair.read(part);
        pair.write(1 << 20);
        pair.run(part, conn.ready()).expect("a handshake");
        pair.server.refresh_traffic_keys().expect("TLS 1.3");
        let call = conn.request(MetadataRequest::default());
        pair.run(part, call).expect("an answer");
    }
}

/// What has begun is kept until it is whole, which a peer must not be able to put off for ever.
#[test]
fn a_message_of_the_handshake_that_does_not_end_is_refused() {
    let (conn, mut pair) = Pair::new();
    pair.write(1 << 20);
    pair.to_client.clear();
    // the largest server hello there can be, in records of one byte
    for byte in [2, 0, 0xff, 0xff].into_iter().chain([0; 20_000]) {
        pair.to_client.extend([22, 3, 3, 0, 1, byte]);
    }
    pair.read(10_000);
    let mut ready = pin!(conn.ready());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(ready.as_mut().poll(&mut cx).is_pending());
    pair.read(1 << 20);
    let error = pair.run(1 << 20, ready).expect_err("too long");
    assert!(error.to_string().contains("in parts"), "{error}");
    assert!(!pair.inbound.space().is_empty());
}

#[test]
fn the_end_of_the_stream_is_understood_in_good_order_and_without() {
    for notify in [true, false] {
        let (conn, mut pair) = Pair::new();
        pair.run(64, conn.ready()).expect("a handshake");
        let call = conn.request(MetadataRequest::default());
        match notify {
            true => {
                pair.server.send_close_notify();
                pair.flush();
            }
            false => {
                let _ = pair.inbound.filled(0, RealTime.now());
            }
        }
        let error = pair.run(64, call).expect_err("the connection has ended");
        assert!(
            error
                .to_string()
                .contains("the broker closed the connection"),
            "{error}"
        );
    }
}

/// So that the broker can tell an end from a line that was cut.
#[test]
fn the_end_of_a_connection_is_said_and_not_waited_for() {
    let (conn, mut pair) = Pair::new();
    pair.run(64, conn.ready()).expect("a handshake");
    drop(conn);
    pair.end();
    assert!(pair.has_ended, "no close_notify");
}

/// A broker that ends the stream in good order, and one that says what nobody can read, are answered as well.
#[test]
fn the_end_that_a_broker_makes_is_answered() {
    let (conn, mut pair) = Pair::new();
    pair.run(64, conn.ready()).expect("a handshake");
    pair.server.send_close_notify();
    pair.flush();
    pair.read(1 << 20);
    pair.end();
    assert!(pair.has_ended, "no close_notify");

    let (conn, mut pair) = Pair::new();
    pair.run(64, conn.ready()).expect("a handshake");
    pair.to_client.extend([23, 3, 3, 0, 40]);
    pair.to_client.extend([7; 40]);
    pair.read(1 << 20);
    // what may still come changes nothing
    pair.to_client.extend([23, 3, 3, 0, 40]);
    pair.to_client.extend([8; 40]);
    pair.read(1 << 20);
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(
        pair.outbound.poll(RealTime.now(), &mut cx),
        Poll::Ready(true)
    );
    let mut slices = [IoSlice::new(&[]); 8];
    let count = pair.outbound.slices(&mut slices);
    let bytes: Vec<u8> = slices[..count].iter().flat_map(|s| s.to_vec()).collect();
    let mut bytes = &bytes[..];
    pair.server.read_tls(&mut bytes).expect("room");
    let error = pair.server.process_new_packets().expect_err("an alert");
    let alert = rustls::Error::AlertReceived(AlertDescription::BadRecordMac);
    assert_eq!(error, alert);
}

/// What is cut when the connection ends was not written, as its caller knows: the rest of it must not follow.
#[test]
fn nothing_follows_a_request_that_is_cut() {
    let (conn, mut pair) = Pair::new();
    pair.run(64, conn.ready()).expect("a handshake");
    let call = conn.request(MetadataRequest::default());
    pair.budget = 10;
    pair.write(1 << 20);
    let answered = pair.to_client.len();
    drop((call, conn));
    pair.budget = usize::MAX;
    pair.end();
    assert!(!pair.has_ended);
    assert_eq!(pair.to_client.len(), answered, "the request was taken");
}

/// Nobody can read a part of a record, so that what is in it has not left before its last byte has.
#[test]
fn a_request_has_left_with_the_last_byte_of_its_record_and_not_before() {
    let outcome = |budget: usize| {
        let (conn, mut pair) = Pair::new();
        pair.run(1 << 20, conn.ready()).expect("a handshake");
        pair.budget = budget;
        let mut call = pin!(conn.request(ListOffsetsRequest::default()));
        // the answer, if there is one, stays on its way
        pair.write(1 << 20);
        let _ = pair.inbound.filled(0, RealTime.now());
        let mut cx = Context::from_waker(Waker::noop());
        match call.as_mut().poll(&mut cx) {
            Poll::Ready(Err(error)) => error.outcome(),
            told => panic!("{told:?}"),
        }
    };
    let whole = (1..1000).find(|budget| outcome(*budget) == Outcome::Unknown);
    let whole = whole.expect("it leaves at last");
    // a header, a request of some bytes, a tag
    assert!(whole > 5 + 20 + 16, "{whole}");
    for budget in [0, 1, whole / 2, whole - 1] {
        assert_eq!(outcome(budget), Outcome::NotWritten, "{budget} of {whole}");
    }
    assert_eq!(outcome(whole), Outcome::Unknown);
    assert_eq!(outcome(whole + 100), Outcome::Unknown);
}

/// A write that may take long may have taken all of it before it returns.
#[test]
fn a_request_in_a_write_under_way_may_have_left() {
    for (missing, returned, expected) in [
        (0, false, Outcome::Unknown),
        (1, false, Outcome::NotWritten),
        (0, true, Outcome::NotWritten),
    ] {
        let (conn, mut pair) = Pair::new();
        pair.run(1 << 20, conn.ready()).expect("a handshake");
        let mut call = pin!(conn.request(ListOffsetsRequest::default()));
        let mut cx = Context::from_waker(Waker::noop());
        let polled = pair.outbound.poll(RealTime.now(), &mut cx);
        assert_eq!(polled, Poll::Ready(true));
        let mut slices = [IoSlice::new(&[]); 8];
        let count = pair.outbound.slices(&mut slices);
        let size: usize = slices[..count].iter().map(|s| s.len()).sum();
        pair.outbound.writing(size - missing);
        if returned {
            pair.outbound.consume(0);
        }
        let _ = pair.inbound.filled(0, RealTime.now());
        match call.as_mut().poll(&mut cx) {
            Poll::Ready(Err(error)) => assert_eq!(error.outcome(), expected, "{missing}"),
            told => panic!("{told:?}"),
        }
    }
}
