//! A broker that has proven who it is and does harm all the same: floods cost no memory and hold off no time-out, and
//! nothing counts that comes after the end of a stream.

use std::{iter, pin::Pin, time::Duration};

use allocation_counter::measure;
use kafka_proto::error::{Error, ErrorKind};
use rustls::{
    ConnectionTrafficSecrets, ContentType, ProtocolVersion,
    crypto::cipher::{MessageEncrypter, OutboundChunks, OutboundPlainMessage},
};

use super::*;

/// What a flood may have in memory at a time.
const LITTLE: u64 = 1 << 20;
/// Tickets that rustls keeps, with all that belongs to them.
const TICKETS: u64 = 2 << 20;

/// Seals whatever it is told to.
struct Forger {
    encrypter: Box<dyn MessageEncrypter>,
    number: u64,
}

impl Forger {
    fn new(server: ServerConnection) -> Self {
        use ConnectionTrafficSecrets::{Aes128Gcm, Aes256Gcm, Chacha20Poly1305};
        let suite = server.negotiated_cipher_suite().expect("a handshake");
        let suite = suite.tls13().expect("TLS 1.3");
        let secrets = server.dangerous_extract_secrets().expect("allowed");
        let (number, secrets) = secrets.tx;
        let (Aes128Gcm { key, iv } | Aes256Gcm { key, iv } | Chacha20Poly1305 { key, iv }) =
            secrets
        else {
            panic!("a cipher that this test does not know")
        };
        let encrypter = suite.aead_alg.encrypter(key, iv);
        Self { encrypter, number }
    }

    fn seal(&mut self, typ: ContentType, payload: &[u8]) -> Vec<u8> {
        let message = OutboundPlainMessage {
            typ,
            version: ProtocolVersion::TLSv1_2,
            payload: OutboundChunks::Single(payload),
        };
        let sealed = self.encrypter.encrypt(message, self.number);
        self.number += 1;
        sealed.expect("room").encode()
    }
}

/// A client whose handshake is done.
struct Victim {
    conn: Conn,
    outbound: Outbound,
    inbound: Inbound,
}

impl Victim {
    fn new() -> (Self, Forger) {
        let (conn, mut pair) = Pair::new();
        pair.run(1 << 20, conn.ready()).expect("a handshake");
        let Pair {
            outbound,
            inbound,
            server,
            ..
        } = pair;
        let victim = Self {
            conn,
            outbound,
            inbound,
        };
        (victim, Forger::new(server))
    }

    /// Reads all of it, or until the link has ended.
    fn read(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            let space = self.inbound.space();
            let n = bytes.len().min(space.len());
            space[..n].copy_from_slice(&bytes[..n]);
            bytes = &bytes[n..];
            if !matches!(self.inbound.filled(n, RealTime.now()), Ok(true)) {
                return false;
            }
        }
        true
    }

    /// Has everything leave that wants to, at this moment; `false` once the link has ended.
    fn write(&mut self, now: Now) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            match self.outbound.poll(now, &mut cx) {
                Poll::Ready(true) => {
                    let all = |slices: &[IoSlice<'_>]| slices.iter().map(|s| s.len()).sum();
                    let _ = self.outbound.write(|slices| Poll::Ready(Ok(all(slices))));
                }
                told => return told.is_pending(),
            }
        }
    }

    /// Reads this often what `flood` makes; returns the most memory that it had beside what it had before.
    fn endure(&mut self, times: usize, mut flood: impl FnMut() -> Vec<u8>) -> u64 {
        (0..times)
            .map(|_| {
                let bytes = flood();
                let mut goes_on = false;
                let info = measure(|| goes_on = self.read(&bytes));
                assert!(goes_on, "the link has ended");
                info.bytes_max
            })
            .max()
            .unwrap_or_default()
    }
}

/// Where nothing stands between them they are refused, and a little in between does not make them better.
#[test]
fn records_without_content_cost_no_memory_and_hold_off_no_time_out() {
    let (mut victim, mut forger) = Victim::new();
    let mut call = pin!(victim.conn.request(MetadataRequest::default()));
    assert!(victim.write(RealTime.now()));
    // an answer of 64 KiB
    let mut answer = [0, 1, 0, 0].into_iter().chain(iter::repeat(0));
    let mut flood = || {
        let mut bytes = Vec::new();
        for byte in answer.by_ref().take(40) {
            for content in [&[][..]; 30].into_iter().chain([&[byte][..]]) {
                bytes.extend(forger.seal(ContentType::ApplicationData, content));
            }
        }
        bytes
    };
    let mut most = 0;
    let kept = measure(|| most = victim.endure(100, &mut flood));
    assert!(most < LITTLE, "{most} bytes at a time");
    assert!(kept.bytes_current < LITTLE as i64, "{kept:?}");
    let Now { instant, unix_ms } = RealTime.now();
    let later = Now {
        instant: instant + Duration::from_secs(60),
        unix_ms,
    };
    assert!(!victim.write(later), "it waits for ever");
    assert_eq!(
        end_of(call.as_mut()),
        (ErrorKind::TimedOut, Outcome::Unknown)
    );

    let (mut victim, mut forger) = Victim::new();
    let mut call = pin!(victim.conn.request(MetadataRequest::default()));
    assert!(victim.write(RealTime.now()));
    let mut empty = || victim.read(&forger.seal(ContentType::ApplicationData, &[]));
    let taken = (0..1000).take_while(|_| empty()).count();
    assert!(taken < 100, "{taken}");
    assert_eq!(
        end_of(call.as_mut()),
        (ErrorKind::Protocol, Outcome::Unknown)
    );
}

/// Why a call has ended, and what is known of its request.
fn end_of<T>(call: Pin<&mut impl Future<Output = Result<T, Error>>>) -> (ErrorKind, Outcome) {
    match call.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Err(error)) => (error.kind(), error.outcome()),
        Poll::Ready(Ok(_)) => panic!("it has an answer"),
        Poll::Pending => panic!("it waits for ever"),
    }
}

#[test]
fn tickets_without_end_cost_no_memory() {
    let (mut victim, mut forger) = Victim::new();
    let mut number = 0u32;
    let mut flood = || {
        let ticket = |_| {
            number += 1;
            // a day, no age, a nonce, a ticket, no extensions
            let mut body = [&[0, 1, 0x51, 0x80][..], &[0; 4], &[4]].concat();
            body.extend(number.to_be_bytes());
            body.extend([0, 200]);
            body.extend([7; 200]);
            body.extend([0, 0]);
            let header = [4, 0, 0, body.len() as u8];
            forger.seal(ContentType::Handshake, &[&header[..], &body].concat())
        };
        (0..100).flat_map(ticket).collect()
    };
    let kept = measure(|| {
        victim.endure(200, &mut flood);
    });
    assert!(kept.bytes_current < TICKETS as i64, "{kept:?}");
}

/// The answers to new keys do not pile up where the peer does not read them; without data between, the peer is refused.
#[test]
fn new_keys_without_end_cost_no_memory_and_are_refused() {
    let (conn, mut pair) = Pair::new();
    pair.run(1 << 20, conn.ready()).expect("a handshake");
    let Pair {
        outbound,
        inbound,
        mut server,
        ..
    } = pair;
    let mut victim = Victim {
        conn,
        outbound,
        inbound,
    };
    let mut say = |byte: Option<u8>| {
        let mut ciphertext = Vec::new();
        server.refresh_traffic_keys().expect("TLS 1.3");
        if let Some(byte) = byte {
            server.writer().write_all(&[byte]).expect("room");
        }
        while server.wants_write() {
            server.write_tls(&mut ciphertext).expect("a vector");
        }
        ciphertext
    };
    let mut call = pin!(victim.conn.request(MetadataRequest::default()));
    assert!(victim.write(RealTime.now()));
    // an answer of 64 KiB
    let mut answer = [0, 1, 0, 0].into_iter().chain(iter::repeat(0));
    let mut most = 0;
    let kept = measure(|| most = victim.endure(5_000, || say(answer.next())));
    assert!(most < LITTLE, "{most} bytes at a time");
    assert!(kept.bytes_current < LITTLE as i64, "{kept:?}");
    let taken = (0..100).take_while(|_| victim.read(&say(None))).count();
    assert!((1..100).contains(&taken), "{taken}");
    assert_eq!(
        end_of(call.as_mut()),
        (ErrorKind::Protocol, Outcome::Unknown)
    );
}

/// A message of the handshake in the smallest parts there are costs the square of its length, which is bounded.
#[test]
fn messages_of_the_handshake_in_the_smallest_parts_are_bounded() {
    let (mut victim, mut forger) = Victim::new();
    // a ticket of 60 kB that is never whole
    let mut message = vec![4, 0, 0xea, 0x60];
    message.resize(20_000, 7);
    let parts = message.chunks(1);
    let flood: Vec<_> = parts
        .flat_map(|part| forger.seal(ContentType::Handshake, part))
        .collect();
    let mut goes_on = true;
    let info = measure(|| goes_on = victim.read(&flood));
    assert!(!goes_on, "it is held for ever");
    assert!(info.bytes_max < LITTLE, "{info:?}");
}

#[test]
fn nothing_counts_that_comes_after_the_end_of_the_stream() {
    let whole = |correlation: i32| {
        let mut answer = correlation.to_be_bytes().to_vec();
        // no tags, no throttling, no brokers, ...
        answer.resize(64, 0);
        [&(answer.len() as i32).to_be_bytes()[..], &answer].concat()
    };
    let (mut victim, mut forger) = Victim::new();
    let _call = victim.conn.request(MetadataRequest::default());
    assert!(victim.write(RealTime.now()));
    let answer = forger.seal(ContentType::ApplicationData, &whole(5));
    assert!(victim.read(&answer), "it answers another request");
    for half in [true, false] {
        let (mut victim, mut forger) = Victim::new();
        let mut call = pin!(victim.conn.request(MetadataRequest::default()));
        assert!(victim.write(RealTime.now()));
        // the greeting, three requests of SASL and what made sure that it is ready came before
        let answer = whole(5);
        let (begin, rest) = answer.split_at(if half { 20 } else { 0 });
        let mut bytes = Vec::new();
        if half {
            bytes.extend(forger.seal(ContentType::ApplicationData, begin));
        }
        bytes.extend(forger.seal(ContentType::Alert, &[1, 0]));
        bytes.extend(forger.seal(ContentType::ApplicationData, rest));
        assert!(!victim.read(&bytes), "it goes on");
        // an adapter that reads on gets nothing for it
        let mut more = || forger.seal(ContentType::ApplicationData, &[0; 1000]);
        let kept = measure(|| {
            for _ in 0..1000 {
                victim.read(&more());
            }
        });
        assert!(kept.bytes_current < LITTLE as i64, "{kept:?}");
        let ended = (ErrorKind::Disconnected, Outcome::Unknown);
        assert_eq!(end_of(call.as_mut()), ended);
    }
}
