//! Single connections against what peers get wrong: by hand, byte by byte and in a time that stands still, and over
//! sockets on each runtime. What they do when all is well is in `scenarios/connections.rs`.

#[path = "common/runtimes.rs"]
mod runtimes;

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use bytes::Bytes;
use kafka_client_tokio::{
    Acks, Config, Conn, Error, ErrorCode, ErrorKind, FetchLimits, Outcome, Record, Sasl, SeekFrom,
    api::ApiKey, api::metadata::MetadataRequest,
};
use kafka_proto::{
    api::{AnyRequest, AnyResponse},
    client::{Clock, Inbound, Now, Outbound},
};
use kafka_testing::{
    broker::{self, Cluster, Config as Brokers, ConnId, Fault, Release, Rule},
    server::Server,
};
use runtimes::{Host, Runtime, on_each};

/// A clock that the test moves.
#[derive(Debug)]
struct Still(Mutex<Now>);

impl Clock for Still {
    fn now(&self) -> Now {
        *self.0.lock().expect("no panic")
    }
}

impl Still {
    fn pass(&self, time: Duration) {
        let mut now = self.0.lock().expect("no panic");
        now.instant += time;
        now.unix_ms += i64::try_from(time.as_millis()).expect("short");
    }
}

/// The two halves of a connection, and the broker that they talk to: bytes move when the test says so.
struct Wires {
    outbound: Outbound,
    inbound: Inbound,
    cluster: Cluster,
    id: ConnId,
    clock: Arc<Still>,
}

/// How often a call is looked at before it is taken to hang.
const ROUNDS: usize = 100;

impl Wires {
    fn connect(brokers: Brokers, config: Config) -> (Conn, Self) {
        let now = Now {
            instant: Instant::now(),
            unix_ms: 1_700_000_000_000,
        };
        let clock = Arc::new(Still(Mutex::new(now)));
        let mut cluster = Cluster::new(brokers);
        cluster.create_topic("t", 1);
        let made = Conn::new(config, clock.clone(), 1, "a broker", "t", 0);
        let (conn, outbound, inbound) = made.expect("good settings");
        let id = cluster.connect(1);
        let wires = Self {
            outbound,
            inbound,
            cluster,
            id,
            clock,
        };
        (conn, wires)
    }

    /// A connection whose handshake is done.
    fn ready() -> (Conn, Self) {
        let (conn, mut wires) = Self::connect(Brokers::new(), Config::without_brokers());
        wires.run(conn.ready()).expect("a broker");
        (conn, wires)
    }

    /// Brings what is to be written to the broker; what it answers is on the way.
    fn send(&mut self) -> Vec<Bytes> {
        let mut cx = Context::from_waker(Waker::noop());
        let now = self.clock.now();
        let mut bytes = Vec::new();
        while self.outbound.poll(now, &mut cx) == Poll::Ready(true) {
            let before = bytes.len();
            let written = self.outbound.write(|slices| {
                slices.iter().for_each(|s| bytes.extend_from_slice(s));
                Poll::Ready(Ok(bytes.len() - before))
            });
            assert_eq!(written, Poll::Ready(true));
        }
        let mut rest = Bytes::from(bytes);
        while let Some(length) = rest.first_chunk::<4>().map(|b| u32::from_be_bytes(*b)) {
            let frame = rest.split_to(4 + length as usize).slice(4..);
            self.cluster.handle_request(self.id, frame, now.instant);
        }
        self.cluster.handle_timeout(now.instant);
        std::iter::from_fn(|| self.cluster.poll_response())
            .map(|(_, frame)| frame)
            .collect()
    }

    /// Hands bytes to the connection.
    fn deliver(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            let space = self.inbound.space();
            let n = space.len().min(bytes.len());
            space[..n].copy_from_slice(&bytes[..n]);
            bytes = &bytes[n..];
            if !self.inbound.filled(n, self.clock.now())? {
                break;
            }
        }
        Ok(())
    }

    /// Waits for a call while all goes well.
    fn run<T>(&mut self, call: impl Future<Output = T>) -> T {
        let mut call = pin!(call);
        for _ in 0..ROUNDS {
            if let Poll::Ready(value) = poll(call.as_mut()) {
                return value;
            }
            let frames = self.send();
            if frames.is_empty() {
                // the broker holds something back
                self.clock.pass(Duration::from_millis(50));
            }
            for frame in frames {
                // what is wrong with it, the call says
                let _ = self.deliver(&frame);
            }
        }
        panic!("the call hangs")
    }
}

fn poll<T>(call: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    call.poll(&mut Context::from_waker(Waker::noop()))
}

fn ended<T>(call: Pin<&mut impl Future<Output = T>>) -> T {
    match poll(call) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it goes on waiting"),
    }
}

/// Fault 8.
#[test]
fn a_connection_cut_at_any_byte_ends_its_calls() {
    let (conn, mut wires) = Wires::ready();
    let mut call = pin!(conn.request(MetadataRequest::default()));
    assert!(poll(call.as_mut()).is_pending());
    let whole = wires.send().remove(0);
    for cut in 0..whole.len() {
        let (conn, mut wires) = Wires::ready();
        let mut call = pin!(conn.request(MetadataRequest::default()));
        let mut queued = pin!(conn.request(MetadataRequest::default()));
        let frames = wires.send();
        assert_eq!(frames[0].len(), whole.len());
        wires.deliver(&frames[0][..cut]).expect("so far it is good");
        assert!(poll(call.as_mut()).is_pending(), "after {cut} bytes");
        let open = wires.inbound.filled(0, wires.clock.now());
        assert!(!open.expect("the end is no error"));
        for call in [call.as_mut(), queued.as_mut()] {
            let error = ended(call).expect_err("the stream has ended");
            assert_eq!(error.kind(), ErrorKind::Disconnected);
            assert_eq!(error.outcome(), Outcome::Unknown, "it had left whole");
        }
        let error = wires.run(conn.first_offset()).expect_err("it stays ended");
        assert_eq!(error.kind(), ErrorKind::Disconnected);
    }
}

/// Fault 41, KIP-368: a session is renewed among writes that nobody answers, and they keep their order.
#[test]
fn a_session_is_renewed_among_writes_that_are_not_answered() {
    let session = Duration::from_secs(10);
    let users = broker::Sasl::new().user("alice", "secret");
    let brokers = Brokers::new().sasl(users.session_lifetime(session));
    let config = Config::without_brokers().sasl(Sasl::scram_sha256("alice", "secret"));
    let (conn, mut wires) = Wires::connect(brokers, config);
    wires.run(conn.ready()).expect("known");
    conn.set_required_acks(Acks::None);
    let values: Vec<_> = (0..120).map(|n| format!("{n}")).collect();
    for value in &values {
        let written = wires.run(conn.write_messages(&[Record::new(value)]));
        assert_eq!(written.expect("it has left").offset, None);
        wires.clock.pass(Duration::from_millis(500));
    }
    // a minute: a broker that had not been told again would have ended it five times
    wires
        .run(conn.request(MetadataRequest::default()))
        .expect("open");
    assert_eq!(wires.cluster.log("t", 0).values(), values);
}

/// Fault 9.
#[test]
fn frames_may_come_by_the_byte_or_a_hundred_at_once() {
    for at_once in [false, true] {
        let (conn, mut wires) = Wires::ready();
        let mut calls: Vec<_> = (0..100)
            .map(|_| Box::pin(conn.request(MetadataRequest::default())))
            .collect();
        let bytes = wires.send().concat();
        if at_once {
            wires.deliver(&bytes).expect("good");
        } else {
            for byte in &bytes {
                wires.deliver(&[*byte]).expect("good");
            }
        }
        for call in &mut calls {
            let response = ended(call.as_mut()).expect("an answer");
            assert_eq!(response.brokers.len(), 1);
        }
    }
}

/// Fault 10.
#[test]
fn a_length_that_no_frame_has_ends_the_connection() {
    for length in [-1, i32::MIN, 0, 3, i32::MAX, 100 << 20 | 1] {
        let (conn, mut wires) = Wires::ready();
        let mut call = pin!(conn.request(MetadataRequest::default()));
        wires.send();
        let frame = [&length.to_be_bytes()[..], &[0; 64]].concat();
        let error = wires.deliver(&frame).expect_err("no frame");
        assert_eq!(error.kind(), ErrorKind::Protocol, "{length}: {error}");
        let error = ended(call.as_mut()).expect_err("no answer");
        assert_eq!(error.kind(), ErrorKind::Protocol, "{length}: {error}");
        assert!(wires.inbound.space().len() <= 256 << 10, "room by its word");
    }
}

/// Fault 11.
#[test]
fn an_answer_that_nobody_waits_for_is_given_to_nobody() {
    // out of order, twice, and unasked
    for order in [&[1, 0][..], &[0, 0], &[0, 1, 1]] {
        let (conn, mut wires) = Wires::ready();
        let mut first = pin!(conn.request(MetadataRequest::default()));
        let mut second = pin!(conn.request(MetadataRequest::default()));
        let frames = wires.send();
        let answers = order.iter().map(|n| frames[*n].to_vec());
        let bytes = answers.collect::<Vec<_>>().concat();
        let error = wires.deliver(&bytes).expect_err("it belongs to nobody");
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
        let outcomes = [ended(first.as_mut()), ended(second.as_mut())];
        let answered = outcomes.iter().filter(|o| o.is_ok()).count();
        assert_eq!(answered, order.len() - 1 - usize::from(order == [1, 0]));
    }
}

/// Fault 12.
#[test]
fn an_answer_that_is_short_or_long_is_no_answer() {
    for by in [-8, -1, 1, 8] {
        let (conn, mut wires) = Wires::ready();
        let corrupt = Fault::corrupt(move |frame| {
            let length = frame.len().saturating_add_signed(by);
            frame.resize(length, 7);
            let word = u32::try_from(length - 4).expect("small");
            frame[..4].copy_from_slice(&word.to_be_bytes());
        });
        wires
            .cluster
            .inject(Rule::new(corrupt).api(ApiKey::Metadata));
        let error = wires.run(conn.brokers()).expect_err("no answer");
        assert_eq!(error.kind(), ErrorKind::Protocol, "{by}: {error}");
        assert!(error.to_string().contains("Metadata"), "{error}");
    }
}

/// Fault 12: the header of an answer is read before its waiter is known to be safe.
#[test]
fn an_answer_with_a_mangled_header_is_told_to_who_waits() {
    let (conn, mut wires) = Wires::ready();
    // the count of tagged fields, which follows length and correlation id
    let corrupt = Fault::corrupt(|frame| frame[8] = 0xff);
    wires
        .cluster
        .inject(Rule::new(corrupt).api(ApiKey::Metadata));
    let error = wires.run(conn.brokers()).expect_err("no answer");
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::Protocol, Outcome::Unknown)
    );
}

/// Fault 12: the same for a writer, which then tries again.
#[tokio::test]
async fn a_batch_whose_answer_has_a_mangled_header_is_resolved() {
    let server = Server::start(Cluster::new(Brokers::new())).expect("ports");
    server.cluster().create_topic("t", 1);
    let corrupt = Fault::corrupt(|frame| frame[8] = 0xff);
    let rule = server
        .cluster()
        .inject(Rule::new(corrupt).api(ApiKey::Produce));
    let client = kafka_client_tokio::connect(&server.bootstrap()).await;
    let client = client.expect("a broker");
    let writer = client.writer("t").expect("good settings");
    let written = writer.write(Record::new("v")).await.expect("in time");
    assert_eq!(written.partition, 0);
    assert_eq!(server.cluster().hits(rule), 1);
    assert_eq!(server.cluster().log("t", 0).values(), [Bytes::from("v")]);
}

/// Fault 13.
#[test]
fn a_mangled_answer_is_an_error_or_an_answer_and_nothing_else() {
    let mut errors = 0;
    for seed in 0u64..300 {
        let (mut conn, mut wires) = Wires::ready();
        wires.run(conn.write_value(b"there")).expect("written");
        let corrupt = Fault::corrupt(move |frame| {
            // a few bytes behind length and correlation id
            let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            for _ in 0..1 + seed % 3 {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let at = 8 + (random as usize >> 8) % (frame.len() - 8);
                frame[at] = [0xff, 0x7f, 0x80, random as u8][seed as usize % 4];
            }
        });
        let api = [ApiKey::Fetch, ApiKey::Metadata, ApiKey::ListOffsets][seed as usize % 3];
        wires.cluster.inject(Rule::new(corrupt).api(api));
        let failed = match api {
            ApiKey::Fetch => wires.run(conn.read_message(1 << 20)).is_err(),
            ApiKey::Metadata => wires.run(conn.read_all_partitions()).is_err(),
            _ => wires.run(conn.last_offset()).is_err(),
        };
        errors += usize::from(failed);
    }
    assert!(errors > 50, "{errors}: nothing was mangled");
}

/// Fault 58; CN-17.
#[test]
fn a_late_answer_is_never_taken_for_another() {
    let (conn, mut wires) = Wires::ready();
    let second = Duration::from_secs(1);
    conn.set_read_deadline(Some(wires.clock.now().instant + second));
    let mut late = pin!(conn.last_offset());
    assert!(poll(late.as_mut()).is_pending());
    let answer = wires.send();
    wires.clock.pass(second);
    wires.send();
    let error = ended(late.as_mut()).expect_err("the deadline passed");
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::TimedOut, Outcome::Unknown)
    );
    // the connection goes on: the answer comes, is nobody's, and the next call gets its own
    conn.set_read_deadline(None);
    let mut brokers = pin!(conn.brokers());
    assert!(poll(brokers.as_mut()).is_pending());
    let next = wires.send();
    wires.deliver(&answer.concat()).expect("it was asked for");
    assert!(poll(brokers.as_mut()).is_pending());
    wires.deliver(&next.concat()).expect("good");
    assert_eq!(ended(brokers.as_mut()).expect("an answer").len(), 1);
    // what is not answered at all ends it by the request time-out
    let mut silent = pin!(conn.last_offset());
    assert!(poll(silent.as_mut()).is_pending());
    let too_late = wires.send();
    wires.clock.pass(Duration::from_secs(31));
    wires.send();
    let error = ended(silent.as_mut()).expect_err("given up");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let gone = wires.deliver(&too_late.concat());
    assert!(gone.is_ok(), "it is read by nobody");
    let error = wires.run(conn.first_offset()).expect_err("ended");
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
}

/// CN-17, CN-19: deadlines are looked at when they pass, not when calls begin.
#[test]
fn a_call_that_waits_obeys_the_deadline_of_the_moment() {
    let (conn, mut wires) = Wires::ready();
    let (begin, second) = (wires.clock.now().instant, Duration::from_secs(1));
    let fault = Fault::HoldResponse;
    wires.cluster.inject(Rule::new(fault).always());
    let mut read = pin!(conn.last_offset());
    let mut write = pin!(conn.write_value(b"x"));
    let mut any = pin!(conn.request(MetadataRequest::default()));
    assert!(poll(read.as_mut()).is_pending() && poll(write.as_mut()).is_pending());
    wires.send();
    conn.set_deadline(Some(begin + 5 * second));
    conn.set_read_deadline(Some(begin + 3 * second));
    assert_eq!(wires.outbound.deadline(), Some(begin + 3 * second));
    wires.clock.pass(2 * second);
    wires.send();
    assert!(poll(read.as_mut()).is_pending(), "not yet");
    wires.clock.pass(second);
    wires.send();
    let error = ended(read.as_mut()).expect_err("its deadline passed");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let error = ended(any.as_mut()).expect_err("the earlier of both");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(poll(write.as_mut()).is_pending(), "it has longer");
    conn.set_write_deadline(None);
    wires.clock.pass(10 * second);
    wires.send();
    assert!(poll(write.as_mut()).is_pending(), "it has for ever now");
    conn.set_write_deadline(Some(begin));
    wires.send();
    let error = ended(write.as_mut()).expect_err("a past deadline ends it at once");
    assert_eq!(error.outcome(), Outcome::Unknown, "it had left");
}

/// CN-20: a request without an answer is done when it has left whole, and lost with the connection before.
#[test]
fn what_nobody_acknowledges_is_done_when_it_has_left() {
    let (conn, mut wires) = Wires::ready();
    conn.set_required_acks(Acks::None);
    let (a, b) = ([Record::new("a")], [Record::new("b")]);
    let mut write = pin!(conn.write_messages(&a));
    assert!(poll(write.as_mut()).is_pending());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(wires.outbound.poll(wires.clock.now(), &mut cx).is_ready());
    wires.outbound.consume(10);
    assert!(poll(write.as_mut()).is_pending(), "ten bytes are not all");
    let mut slices = [std::io::IoSlice::new(&[]); 64];
    let count = wires.outbound.slices(&mut slices);
    let left: usize = slices[..count].iter().map(|s| s.len()).sum();
    wires.outbound.consume(left);
    assert_eq!(ended(write.as_mut()).expect("it has left").offset, None);
    let mut write = pin!(conn.write_messages(&b));
    assert!(poll(write.as_mut()).is_pending());
    assert!(wires.outbound.poll(wires.clock.now(), &mut cx).is_ready());
    conn.close();
    let error = ended(write.as_mut()).expect_err("closed before it left");
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::Closed, Outcome::NotWritten)
    );
}

/// BA-01, BA-04, BA-05: what is good before the damage is handed out, then the same error for ever; the position stays there.
#[test]
fn damage_behind_good_messages_is_met_where_it_is() {
    let (mut conn, mut wires) = Wires::ready();
    for value in ["good", "damaged"] {
        wires
            .run(conn.write_value(value.as_bytes()))
            .expect("written");
    }
    let corrupt = Fault::corrupt(|frame| {
        let at = frame.windows(7).position(|w| w == b"damaged");
        frame[at.expect("it is there")] ^= 1;
    });
    let rule = Rule::new(corrupt).api(ApiKey::Fetch).always();
    wires.cluster.inject(rule);
    let mut batch = wires
        .run(conn.read_batch(FetchLimits::default()))
        .expect("its beginning is good");
    let message = batch.next_message().expect("good").expect("there");
    assert_eq!(message.value(), Some(&b"good"[..]));
    for _ in 0..2 {
        let error = batch.next_message().expect_err("damaged");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert_eq!(
            batch.read_value(&mut [0; 8]).expect_err("damaged").kind(),
            ErrorKind::Corrupt
        );
    }
    assert_eq!(batch.error().map(Error::kind), Some(ErrorKind::Corrupt));
    assert_eq!(
        batch.close().expect_err("it was met").kind(),
        ErrorKind::Corrupt
    );
    assert_eq!(conn.position(), SeekFrom::Absolute(1), "not beyond it");
    for _ in 0..2 {
        let error = wires.run(conn.read_message(1 << 20)).expect_err("damaged");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert_eq!(conn.position(), SeekFrom::Absolute(1));
    }
    // all of it again by iteration: the error is the last item
    wires
        .run(conn.seek(SeekFrom::Start(0)))
        .expect("in the log");
    let batch = wires
        .run(conn.read_batch(FetchLimits::default()))
        .expect("its beginning is good");
    assert_eq!(
        batch.iter().map(|r| r.is_ok()).collect::<Vec<_>>(),
        [true, false]
    );
    assert_eq!(
        batch.into_iter().map(|r| r.is_ok()).collect::<Vec<_>>(),
        [true, false]
    );
}

/// CT-01, CT-03, CN-11, CN-14, CN-16: the start is where the log begins, which need not be 0.
#[test]
fn counting_begins_where_the_log_does() {
    let (mut conn, mut wires) = Wires::ready();
    for _ in 0..10 {
        wires.run(conn.write_value(b"v")).expect("written");
    }
    wires.cluster.delete_records("t", 0, 4);
    assert_eq!(wires.run(conn.first_offset()).expect("known"), 4);
    assert_eq!(wires.run(conn.offsets()).expect("known"), (4, 10));
    for (to, expected) in [
        (SeekFrom::Current(1), 5),
        (SeekFrom::Start(0), 4),
        (SeekFrom::Start(2), 6),
        (SeekFrom::End(6), 4),
    ] {
        assert_eq!(
            wires.run(conn.seek(to)).expect("in the log"),
            expected,
            "{to:?}"
        );
    }
    for to in [SeekFrom::Absolute(3), SeekFrom::End(7), SeekFrom::Start(7)] {
        let error = wires.run(conn.seek(to)).expect_err("outside of the log");
        assert_eq!(error.kind(), ErrorKind::OffsetOutOfRange, "{to:?}");
    }
    assert_eq!(
        wires
            .run(conn.seek_unchecked(SeekFrom::Start(3)))
            .expect("asked"),
        7
    );
    let message = wires.run(conn.read_message(1 << 20)).expect("good");
    assert_eq!(message.map(|m| m.offset()), Some(7));
}

/// TY-02, TY-05: a broker that is down is still a replica, by its number alone.
#[test]
fn a_broker_that_is_down_is_listed_by_its_number() {
    let brokers = Brokers::new().brokers(3);
    let (conn, mut wires) = Wires::connect(brokers, Config::without_brokers());
    let whole = wires.run(conn.read_partitions(&[])).expect("one").remove(0);
    assert_eq!((whole.replicas.len(), whole.isr.len()), (3, 3));
    wires.cluster.stop(3);
    let partition = wires.run(conn.read_partitions(&[])).expect("one").remove(0);
    let ids = |brokers: &[kafka_client_tokio::Broker]| {
        let mut ids: Vec<_> = brokers.iter().map(|b| b.id).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(ids(&partition.replicas), [1, 2, 3]);
    assert_eq!(ids(&partition.isr), [1, 2]);
    assert_eq!(ids(&partition.offline_replicas), [3]);
    let down = partition
        .replicas
        .iter()
        .find(|b| b.id == 3)
        .expect("listed");
    assert_eq!((down.host.as_str(), down.port), ("", 0));
    assert_ne!(partition.leader.as_ref().map(|b| b.id), Some(3));
    assert_eq!(wires.run(conn.brokers()).expect("an answer").len(), 2);
}

/// BA-06.
#[test]
fn a_throttled_fetch_says_for_how_long() {
    let (mut conn, mut wires) = Wires::ready();
    wires.run(conn.write_value(b"v")).expect("written");
    let time = Duration::from_millis(123);
    wires.cluster.set_throttle(ApiKey::Fetch, time);
    let batch = wires.run(conn.read_batch(FetchLimits::default()));
    assert_eq!(batch.expect("good").throttle(), time);
}

/// CN-08, CN-10, CN-11, CN-13: the oldest brokers that say their versions, which list offsets of files and cut what is too
/// large.
#[test]
fn kafka_0_10_0_is_read_and_written() {
    let brokers = Brokers::new().as_version(Release::V0_10_0);
    let (mut conn, mut wires) = Wires::connect(brokers, Config::without_brokers());
    for value in ["short", &"long ".repeat(100)] {
        wires
            .run(conn.write_value(value.as_bytes()))
            .expect("written");
    }
    assert_eq!(wires.run(conn.offsets()).expect("known"), (0, 2));
    let error = wires
        .run(conn.offset_at(1))
        .expect_err("it knows files only");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    cut_as_old_brokers_do(&mut wires);
    let headers = [kafka_client_tokio::Header::new("k", "v")];
    let error = wires
        .run(conn.write_messages(&[Record::new("v").headers(&headers)]))
        .expect_err("it has no headers");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let mut limits = FetchLimits::default();
    (limits.min_bytes, limits.max_bytes) = (1, 60);
    let mut lengths = Vec::new();
    while lengths.len() < 2 {
        let batch = wires.run(conn.read_batch(limits)).expect("it is widened");
        lengths.extend(
            batch
                .iter()
                .map(|r| r.expect("good").value.map(<[u8]>::len)),
        );
    }
    assert_eq!(lengths, [Some(5), Some(500)]);
    assert_eq!(wires.run(conn.brokers()).expect("an answer").len(), 1);
    assert_eq!(wires.run(conn.read_all_partitions()).expect("all").len(), 1);
}

/// Cuts what is larger than the fetch allows, as brokers before 0.10.1 do (KIP-74), and the in-process one does not.
fn cut_as_old_brokers_do(wires: &mut Wires) {
    let cut = Fault::change(|request, response| {
        if let (AnyRequest::Fetch(asked), AnyResponse::Fetch(answer)) = (&request.body, response) {
            let most = asked.topics[0].partitions[0].partition_max_bytes as usize;
            let records = &mut answer.responses[0].partitions[0].records;
            *records = records.take().map(|r| r.slice(..r.len().min(most)));
        }
    });
    wires
        .cluster
        .inject(Rule::new(cut).api(ApiKey::Fetch).always());
}

/// CN-10: a batch that no frame may hold is an error instead of a loop.
#[test]
fn a_message_beyond_every_limit_is_an_error() {
    let brokers = Brokers::new().as_version(Release::V0_10_0);
    let config = Config::without_brokers().max_frame(64 << 10);
    let (mut conn, mut wires) = Wires::connect(brokers, config);
    cut_as_old_brokers_do(&mut wires);
    let large = vec![b'.'; 80 << 10];
    wires.run(conn.write_value(&large)).expect("written");
    let error = wires
        .run(conn.read_message(1 << 10))
        .expect_err("too large");
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    assert!(error.to_string().contains("max_frame"), "{error}");
}

/// FN-09, TY-04: settings are checked where a connection is made.
#[test]
fn settings_of_a_connection_that_cannot_be_name_their_field() {
    let now = Now {
        instant: Instant::now(),
        unix_ms: 0,
    };
    let clock = Arc::new(Still(Mutex::new(now)));
    let good = Config::without_brokers;
    let long = "t".repeat(250);
    for (field, config, topic, partition) in [
        ("topic", good(), &*long, 0),
        ("topic", good(), "a/b", 0),
        ("topic", good(), "..", 0),
        ("partition", good(), "t", -1),
        (
            "setup_timeout",
            good().setup_timeout(Duration::ZERO),
            "t",
            0,
        ),
        (
            "request_timeout",
            good().request_timeout(Duration::ZERO),
            "t",
            0,
        ),
        ("max_frame", good().max_frame(1), "t", 0),
        ("client_id", good().client_id("c".repeat(40_000)), "t", 0),
    ] {
        let made = Conn::new(config, clock.clone(), 1, "a broker", topic, partition);
        assert_eq!(made.expect_err("it cannot be").field(), field);
    }
    let made = Conn::new(good(), clock, 1, "a broker", "", 0);
    assert_eq!(
        made.expect("no topic is one, too").0.position(),
        SeekFrom::Start(0)
    );
}

on_each! {
    faults_over_sockets: tokio tokio_current_thread async_std smol executor;
    pipelined_calls_get_their_own_answers: tokio tokio_current_thread async_std smol executor;
    a_quota_holds_up_one_connection: tokio tokio_current_thread async_std smol executor;
}

/// What a broker may do instead of answering, and what that is to a caller.
fn wrong_answers() -> [(Fault, ErrorKind); 6] {
    [
        (Fault::DisconnectBefore, ErrorKind::Disconnected),
        (Fault::DisconnectAfter, ErrorKind::Disconnected),
        (Fault::corrupt(|frame| frame[0] = 0xff), ErrorKind::Protocol),
        (Fault::corrupt(|frame| frame[0] = 0x7f), ErrorKind::Protocol),
        (Fault::corrupt(|frame| frame[7] ^= 1), ErrorKind::Protocol),
        (
            Fault::corrupt(|frame| {
                frame.push(0);
                let length = u32::try_from(frame.len() - 4).expect("small");
                frame[..4].copy_from_slice(&length.to_be_bytes());
            }),
            ErrorKind::Protocol,
        ),
    ]
}

/// Faults 8, 10, 11, 12: the same on threads.
#[test]
fn faults_over_sockets_on_threads() {
    let server = Server::start(Cluster::new(Brokers::new())).expect("ports");
    server.cluster().create_topic("t", 1);
    let (dialer, address) = (kafka_client_blocking::Dialer::new(), server.bootstrap());
    let dial = || dialer.dial_leader(&address, "t", 0).expect("a broker");
    for (fault, kind) in wrong_answers() {
        let conn = dial();
        let rule = Rule::new(fault.clone()).api(ApiKey::ListOffsets);
        server.cluster().inject(rule);
        let error = conn.last_offset().expect_err("no answer");
        assert_eq!(error.kind(), kind, "{fault:?}: {error}");
        assert_eq!(dial().last_offset().expect("an answer"), 0);
    }
}

/// Fault 59: the system has no room for what is to be written.
#[test]
fn a_socket_that_cannot_be_written_is_told_with_its_cause() {
    const NO_BUFFER_SPACE: i32 = 105;
    let (conn, mut wires) = Wires::ready();
    let mut call = pin!(conn.request(MetadataRequest::default()));
    assert!(poll(call.as_mut()).is_pending());
    let failed = std::io::Error::from_raw_os_error(NO_BUFFER_SPACE);
    wires.outbound.failed(failed);
    let error = ended(call.as_mut()).expect_err("it never left");
    assert_eq!(error.kind(), ErrorKind::Disconnected);
    assert!(error.is_retriable());
    let source = std::error::Error::source(&error).and_then(|e| e.downcast_ref::<std::io::Error>());
    let code = source.and_then(std::io::Error::raw_os_error);
    assert_eq!(code, Some(NO_BUFFER_SPACE), "{error}");
}

/// Faults 8, 10, 11, 12: the same over sockets; another connection works at once.
fn faults_over_sockets(runtime: Runtime) {
    let host = Host::start(runtime);
    let server = Server::start(Cluster::new(Brokers::new())).expect("ports");
    server.cluster().create_topic("t", 1);
    let (dialer, address) = (host.dialer(), server.bootstrap());
    let server = Arc::new(server);
    host.run(async move {
        for (fault, kind) in wrong_answers() {
            let conn = dialer
                .dial_leader(&address, "t", 0)
                .await
                .expect("a broker");
            let rule = Rule::new(fault.clone()).api(ApiKey::ListOffsets);
            server.cluster().inject(rule);
            let error = conn.last_offset().await.expect_err("no answer");
            assert_eq!(error.kind(), kind, "{fault:?}: {error}");
            assert_ne!(error.code(), Some(ErrorCode::NONE));
            let other = dialer
                .dial_leader(&address, "t", 0)
                .await
                .expect("a broker");
            assert_eq!(other.last_offset().await.expect("an answer"), 0);
        }
    });
    host.shut_down();
}

/// CN-25: a thousand requests leave before the first answer is looked at, and none waits for another to be polled.
fn pipelined_calls_get_their_own_answers(runtime: Runtime) {
    let host = Host::start(runtime);
    let server = Server::start(Cluster::new(Brokers::new())).expect("ports");
    for n in 1..=10 {
        server.cluster().create_topic(&format!("t{n}"), n);
    }
    let (dialer, address) = (host.dialer(), server.bootstrap());
    host.run(async move {
        let conn = dialer.dial(&address).await.expect("a broker");
        let ask = |n: i32| {
            use kafka_client_tokio::api::metadata::MetadataRequestTopic;
            let topic = MetadataRequestTopic::build(|t| t.name = Some(format!("t{}", n % 10 + 1)));
            conn.request(MetadataRequest::build(|r| {
                r.topics = Some(vec![topic]);
                r.allow_auto_topic_creation = false;
            }))
        };
        let calls: Vec<_> = (0..1000).map(|n| (n, ask(n))).collect();
        // the last first: answers wait for whoever comes
        for (n, call) in calls.into_iter().rev() {
            let response = call.await.expect("an answer");
            let partitions = response.topics[0].partitions.len();
            assert_eq!(
                partitions,
                n as usize % 10 + 1,
                "the answer to another question"
            );
        }
    });
    host.shut_down();
}

/// Asks for one of ten topics, which have one to ten partitions.
fn question(caller: usize) -> (usize, MetadataRequest) {
    use kafka_client_tokio::api::metadata::MetadataRequestTopic;
    let partitions = caller % 10 + 1;
    let topic = MetadataRequestTopic::build(|t| t.name = Some(format!("t{partitions}")));
    let request = MetadataRequest::build(|r| {
        r.topics = Some(vec![topic]);
        r.allow_auto_topic_creation = false;
    });
    (partitions, request)
}

fn with_ten_topics() -> Server {
    let server = Server::start(Cluster::new(Brokers::new())).expect("ports");
    for n in 1..=10 {
        server.cluster().create_topic(&format!("t{n}"), n);
    }
    server
}

/// CN-25: one thread has a thousand requests in flight, and asks for the last answer first.
#[test]
fn one_thread_has_many_requests_in_flight() {
    let server = with_ten_topics();
    let conn = kafka_client_blocking::dial(&server.bootstrap()).expect("a broker");
    let send = |n| {
        let (partitions, request) = question(n);
        (partitions, conn.send(request))
    };
    let calls: Vec<_> = (0..1000).map(send).collect();
    for (partitions, call) in calls.into_iter().rev() {
        let response = call.wait().expect("an answer");
        assert_eq!(response.topics[0].partitions.len(), partitions);
    }
    // one that is not answered yet is handed back, and one that is dropped takes nothing with it
    let hold = Rule::new(Fault::HoldResponse).api(ApiKey::Metadata);
    let hold = server.cluster().inject(hold);
    let (_, mut held) = send(0);
    while server.cluster().hits(hold) == 0 {
        let moment = Duration::from_millis(5);
        held = held.wait_timeout(moment).expect_err("held");
    }
    drop(send(1));
    server.cluster().release(hold);
    let outcome = held.wait_timeout(Duration::from_secs(60));
    assert!(outcome.expect("released").is_ok());
    let refused = conn.send_at(i16::MAX, MetadataRequest::default());
    let error = refused.wait().expect_err("no such version");
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
}

/// Fault 35, KIP-219: the next request waits for the end of a pause, and another connection does not.
fn a_quota_holds_up_one_connection(runtime: Runtime) {
    const PAUSE: Duration = Duration::from_millis(500);
    let host = Host::start(runtime);
    let server = with_ten_topics();
    server.cluster().set_throttle(ApiKey::Metadata, PAUSE);
    let (dialer, address) = (host.dialer(), server.bootstrap());
    host.run(async move {
        let conn = dialer.dial(&address).await.expect("a broker");
        let other = dialer
            .dial_leader(&address, "t1", 0)
            .await
            .expect("a broker");
        let (_, first) = question(0);
        conn.request(first).await.expect("answered at once");
        let begun = Instant::now();
        let (_, second) = question(1);
        let late = conn.request(second);
        other.last_offset().await.expect("an answer");
        late.await.expect("answered after the pause");
        // the pause began a little before its answer was looked at
        let took = begun.elapsed();
        assert!(took >= PAUSE * 3 / 5, "{took:?}");
    });
    host.shut_down();
}
