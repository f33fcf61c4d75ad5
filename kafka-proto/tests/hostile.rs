//! What a peer may do to the vectors of `tests/vectors`: cut them, change them, lie about counts.

#[allow(dead_code, reason = "shared with the checks of the vectors")]
#[path = "../examples/vectors/line.rs"]
mod line;

use std::{
    fs,
    path::{Path, PathBuf},
};

use allocation_counter::AllocationInfo;
use bytes::Bytes;
use kafka_proto::{
    api::{self, AnyRequest, AnyResponse, ApiKey},
    record::{self, Compression},
    wire::Reader,
};
use line::Vector;

/// A request or a response of the corpus.
struct Message {
    name: String,
    api: ApiKey,
    version: i16,
    is_request: bool,
    is_first: bool,
    body: Bytes,
}

impl Message {
    fn all() -> impl Iterator<Item = Self> {
        let messages = fs::read_dir(corpus("messages")).expect("a folder");
        let files = messages.map(|file| file.expect("a file").path());
        let is_message = |v: &Vector| v.text("kind") != Ok("data");
        files.flat_map(lines).filter(is_message).map(|v| Self {
            name: v.to_string(),
            api: ApiKey::try_from(v.number::<i16>("key").expect("a key")).expect("an API"),
            version: v.number("version").expect("a version"),
            is_request: v.text("kind") == Ok("request"),
            is_first: v.text("fill") == Ok("random-1"),
            body: v.hex("hex").expect("a body"),
        })
    }

    fn flexible(&self) -> bool {
        self.api.is_flexible(self.version)
    }

    /// Whether `body` reads as such a message.
    fn reads(&self, body: &Bytes) -> bool {
        let mut r = Reader::new(body, self.version, self.flexible());
        match self.is_request {
            true => AnyRequest::decode(self.api, &mut r)
                .and_then(|m| r.finish(m))
                .is_ok(),
            false => AnyResponse::decode(self.api, &mut r)
                .and_then(|m| r.finish(m))
                .is_ok(),
        }
    }

    /// Forty damaged copies of the body, the same in every run; of an empty body there are none.
    fn mutants(&self) -> impl Iterator<Item = Bytes> {
        let fnv = |seed: u64, b: &u8| (seed ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3);
        let mut seed = self.body.iter().fold(0x9e37_79b9_7f4a_7c15, fnv) | 1;
        let mut random = move |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed as usize % below
        };
        let body = self.body.clone();
        (0..if body.is_empty() { 0 } else { 40 }).map(move |_| {
            let mut bytes = body.to_vec();
            for _ in 0..=random(3) {
                let at = random(bytes.len());
                match random(4) {
                    0 => bytes[at] = 0xff,
                    1 => bytes[at] = random(256) as u8,
                    2 => bytes[at] ^= 1 << random(8),
                    _ => bytes.insert(at, random(256) as u8),
                }
            }
            bytes.into()
        })
    }

    /// Copies of the body in which some place claims the largest count there is.
    fn huge_counts(&self) -> impl Iterator<Item = Bytes> {
        let (body, flexible) = (self.body.clone(), self.flexible());
        let step = (body.len() / 50).max(1);
        (0..body.len()).step_by(step).map(move |at| {
            let count = if flexible {
                &b"\xff\xff\xff\xff\x0f"[..]
            } else {
                b"\x7f\xff\xff\xff"
            };
            let rest = body.get(at + if flexible { 1 } else { 4 }..);
            [&body[..at], count, rest.unwrap_or_default()]
                .concat()
                .into()
        })
    }

    /// Starts of the body, each with a large count and as many bytes of zeros or ones: elements as small as can be.
    fn floods(&self) -> impl Iterator<Item = Bytes> {
        let (body, flexible, is_first) = (self.body.clone(), self.flexible(), self.is_first);
        let step = (body.len() / 20).max(1);
        let places = (0..body.len()).step_by(step).filter(move |_| is_first);
        places.flat_map(move |at| {
            let count = if flexible {
                &b"\x81\x80\x01"[..]
            } else {
                b"\0\0\x40\0"
            };
            [0, 1].map(|byte| [&body[..at], count, &[byte; 0x4000]].concat().into())
        })
    }
}

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors")
        .join(name)
}

fn lines(file: PathBuf) -> Vec<Vector> {
    let text = fs::read_to_string(file).expect("the vectors are part of the repository");
    let lines = text.lines();
    lines
        .map(|line| Vector(serde_json::from_str(line).expect("json")))
        .collect()
}

/// No part of a message reads as a whole one.
#[test]
fn truncated_messages_are_refused() {
    let mut checked = 0;
    for message in Message::all() {
        let body = &message.body;
        let mut cuts = (0..body.len()).step_by((body.len() / 50).max(1));
        let enough = cuts.find(|n| message.reads(&body.slice(..*n)));
        assert_eq!(
            enough, None,
            "so many bytes were enough for {}",
            message.name
        );
        checked += 1;
    }
    assert_eq!(checked, 4768);
}

/// Damaged messages are refused, or read as something that has stable bytes.
#[test]
fn mutated_messages_are_refused_or_stable() {
    let mut mutants = 0;
    for message in Message::all() {
        let run = match message.is_request {
            true => api::fuzz::request,
            false => api::fuzz::response,
        };
        let data = |body: &[u8]| api::fuzz::data(message.api, message.version, body);
        run(&data(&message.body));
        for mutant in message.mutants() {
            run(&data(&mutant));
            mutants += 1;
        }
    }
    assert_eq!(mutants, 188_800);
}

/// Nothing that a peer declares makes us allocate more than a small multiple of what it has sent.
#[test]
fn memory_is_bounded_by_what_arrived() {
    let mut measured = 0;
    for message in Message::all() {
        for body in message
            .mutants()
            .chain(message.huge_counts())
            .chain(message.floods())
        {
            let used: AllocationInfo = allocation_counter::measure(|| {
                message.reads(&body);
            });
            let arrived = body.len() as u64;
            // the worst are empty strings: one byte on the wire, 24 in memory, and growing copies them
            let most = used.bytes_max <= 48 * arrived + 4096;
            let total = used.bytes_total <= 64 * arrived + 4096;
            assert!(most && total, "{used:?} for {arrived} of {}", message.name);
            measured += 1;
        }
    }
    assert_eq!(measured, 383_335);
}

/// The fuzz bodies of records and codecs hold on the vectors, as they are and with a byte changed.
#[test]
fn records_and_payloads_with_a_byte_changed_do_no_harm() {
    let changed = |data: &[u8], at: usize| {
        let mut data = data.to_vec();
        if let Some(place) = (data.len() * at / 5).checked_sub(1) {
            data[place] ^= 1 << at;
        }
        data
    };
    let short = |data: &Bytes| data.len() < 2_000;
    let mut checked = 0;
    for file in ["records.jsonl", "records-broken.jsonl"] {
        for vector in lines(corpus(file)) {
            let data = vector.hex("hex").expect("bytes");
            if short(&data) {
                (0..5).for_each(|at| record::fuzz::records(&changed(&data, at)));
                checked += 1;
            }
        }
    }
    for vector in lines(corpus("codecs.jsonl")) {
        let Ok(codec) = vector.text("codec") else {
            continue;
        };
        let codec: Compression = codec.parse().expect("a codec");
        let data = vector.hex("hex").expect("bytes");
        if short(&data) {
            let data = [&[codec.code() as u8 - 1][..], &data].concat();
            record::fuzz::codec(&data);
            (1..5).for_each(|at| record::fuzz::codec(&changed(&data, at)));
            checked += 1;
        }
    }
    assert!(checked > 400, "{checked}");
}
