//! Compares every message with the bytes that the Java client writes, and with what it reads in them.
//!
//! The vectors lie in `tests/vectors`. Every test says how many it has checked, so that a lost file is a failure.

use std::{fs, path::Path};

use allocation_counter::AllocationInfo;
use bytes::Bytes;
use serde_json::{Value, json};

use super::{AnyRequest, AnyResponse, ApiKey, RequestHeader, ResponseHeader, blobs, fuzz};
use crate::wire::{
    Reader, Result, Wire, Writer, decode, encode,
    json::{self, Json},
};

#[test]
fn request_bodies() {
    bodies::<AnyRequest>();
}

#[test]
fn response_bodies() {
    bodies::<AnyResponse>();
}

/// Bytes read as what Java read in them, are written as Java writes them, and our defaults are Java's.
fn bodies<T: Body>() {
    let (mut read, mut written, mut defaults) =
        (Tally::default(), Tally::default(), Tally::default());
    for v in vectors("messages").filter(|v| v.kind() == T::KIND) {
        let (api, version) = (v.api(), v.version());
        let message = match v.read::<T>(&v.hex("hex")) {
            Ok(message) => message,
            Err(e) => {
                read.add(&v, Err(e.to_string()));
                continue;
            }
        };
        read.add(&v, same_json(&message, version, &v.0["json"]));
        written.add(&v, same(&v.write(&message), &v.canonical()));
        if let Some(field) = message.misfit(version) {
            written.add(&v, Err(format!("{field} does not fit")));
        }
        if v.fill() == "default" {
            defaults.add(&v, same(&v.write(&T::default_of(api)), &v.hex("hex")));
        }
    }
    read.finish(2384);
    written.finish(2384);
    defaults.finish(298);
}

/// What travels inside of other messages.
#[test]
fn blob_bodies() {
    fn blob<T: Wire + Json>(v: &Vector) -> [Outcome; 2] {
        let hex = v.hex("hex");
        match decode::<T>(&hex, v.version(), false) {
            Ok(blob) => [
                same_json(&blob, v.version(), &v.0["json"]),
                same(&encode(&blob, v.version(), false), &hex),
            ],
            Err(e) => [Err(e.to_string()), Ok(())],
        }
    }
    let mut tally = Tally::default();
    for v in vectors("messages").filter(|v| v.kind() == "data") {
        let outcomes = match v.text("api") {
            "ConsumerProtocolSubscription" => blob::<blobs::ConsumerProtocolSubscription>(&v),
            "ConsumerProtocolAssignment" => blob::<blobs::ConsumerProtocolAssignment>(&v),
            "ControlRecordTypeSchema" => blob::<blobs::ControlRecordType>(&v),
            "EndTxnMarker" => blob::<blobs::EndTxnMarker>(&v),
            other => [Err(format!("{other} is unknown")), Ok(())],
        };
        outcomes
            .into_iter()
            .for_each(|outcome| tally.add(&v, outcome));
    }
    tally.finish(160);
}

#[test]
fn headers() {
    let (mut requests, mut responses) = (Tally::default(), Tally::default());
    for v in vectors("headers.jsonl") {
        match v.kind() {
            "request-header" => requests.add(&v, request_header(&v)),
            "response-header" => responses.add(&v, response_header(&v)),
            other => panic!("{other} is unknown"),
        }
    }
    requests.finish(299);
    responses.finish(298);
}

fn request_header(v: &Vector) -> Outcome {
    // the one request with header version 0 is of an API that is no business of clients
    let version =
        ApiKey::try_from(v.number("key")).map_or(0, |api| api.request_header(v.version()));
    equal(version, v.number("header_version"))?;
    let hex = v.hex("hex");
    let mut r = Reader::new(&hex, v.version(), false);
    let header = RequestHeader::read(&mut r, version)
        .and_then(|h| r.finish(h))
        .map_err(|e| e.to_string())?;
    let mut fields = json!({
        "requestApiKey": header.api_key,
        "requestApiVersion": header.api_version,
        "correlationId": header.correlation_id,
    });
    if version >= 1 {
        fields["clientId"] = header.client_id.clone().into();
    }
    equal(&fields, &v.0["json"])?;
    let mut w = Writer::new(v.version(), false);
    header.write(&mut w, version);
    same(&w.flatten(), &v.canonical())
}

fn response_header(v: &Vector) -> Outcome {
    let version = v.api().response_header(v.version());
    equal(version, v.number("header_version"))?;
    let hex = v.hex("hex");
    let mut r = Reader::new(&hex, v.version(), false);
    let header = ResponseHeader::read(&mut r, version)
        .and_then(|h| r.finish(h))
        .map_err(|e| e.to_string())?;
    equal(
        &json!({ "correlationId": header.correlation_id }),
        &v.0["json"],
    )?;
    let mut w = Writer::new(v.version(), false);
    header.write(&mut w, version);
    same(&w.flatten(), &v.canonical())
}

/// Whole frames read as header and body, and the two are written as the same frame.
#[test]
fn frames() {
    let (mut requests, mut responses) = (Tally::default(), Tally::default());
    for v in vectors("frames.jsonl") {
        match v.kind() {
            "request-frame" => requests.add(&v, request_frame(&v)),
            "response-frame" => responses.add(&v, response_frame(&v)),
            other => panic!("{other} is unknown"),
        }
    }
    requests.finish(298);
    responses.finish(299);
}

fn request_frame(v: &Vector) -> Outcome {
    let (hex, version) = (v.hex("hex"), v.api().request_header(v.version()));
    equal(version, v.number("header_version"))?;
    let frame = hex.slice(4..);
    let mut r = v.reader(&frame);
    let header = RequestHeader::read(&mut r, version).map_err(|e| e.to_string())?;
    equal(ApiKey::try_from(header.api_key), Ok(v.api()))?;
    equal(header.api_version, v.version())?;
    equal(&json!(header.correlation_id), &v.0["correlation_id"])?;
    same(&frame.slice(frame.len() - r.remaining()..), &v.hex("body"))?;
    let body = AnyRequest::decode(v.api(), &mut r)
        .and_then(|b| r.finish(b))
        .map_err(|e| e.to_string())?;
    let mut w = Writer::new(v.version(), v.flexible());
    let start = w.begin_frame();
    header.write(&mut w, version);
    body.encode(&mut w);
    w.end_frame(start);
    same(&w.segments().concat().into(), &hex)
}

fn response_frame(v: &Vector) -> Outcome {
    let (hex, version) = (v.hex("hex"), v.api().response_header(v.version()));
    equal(version, v.number("header_version"))?;
    let frame = hex.slice(4..);
    let mut r = v.reader(&frame);
    let header = ResponseHeader::read(&mut r, version).map_err(|e| e.to_string())?;
    equal(&json!(header.correlation_id), &v.0["correlation_id"])?;
    same(&frame.slice(frame.len() - r.remaining()..), &v.hex("body"))?;
    let body = AnyResponse::decode(v.api(), &mut r)
        .and_then(|b| r.finish(b))
        .map_err(|e| e.to_string())?;
    let mut w = Writer::new(v.version(), v.flexible());
    let start = w.begin_frame();
    header.write(&mut w, version);
    body.encode(&mut w);
    w.end_frame(start);
    same(&w.segments().concat().into(), &hex)
}

/// A field that a version lacks is left out or makes the message refused, as in Java.
#[test]
fn downgrades() {
    let mut tally = Tally::default();
    for v in vectors("downgrades.jsonl") {
        let outcome = match v.kind() {
            "request" => downgrade::<AnyRequest>(&v),
            "response" => downgrade::<AnyResponse>(&v),
            other => panic!("{other} is unknown"),
        };
        tally.add(&v, outcome);
    }
    tally.finish(433);
}

fn downgrade<T: Body>(v: &Vector) -> Outcome {
    let (hex, from) = (v.hex("from_hex"), v.number("from_version"));
    let mut r = Reader::new(&hex, from, v.api().is_flexible(from));
    let message = T::decode(v.api(), &mut r)
        .and_then(|m| r.finish(m))
        .map_err(|e| e.to_string())?;
    same_json(&message, from, &v.0["json"])?;
    match (v.0["refused"] == true, message.misfit(v.version())) {
        (true, Some(_)) => Ok(()),
        (true, None) => Err("Java refuses".to_owned()),
        (false, Some(field)) => Err(format!("Java leaves {field} out")),
        (false, None) => same(&v.write(&message), &v.hex("hex")),
    }
}

/// No part of a message reads as a whole one.
#[test]
fn truncated_bodies_are_refused() {
    fn check<T: Body>(v: &Vector) -> Outcome {
        let hex = v.hex("hex");
        let mut cuts = (0..hex.len()).step_by((hex.len() / 50).max(1));
        match cuts.find(|n| T::decode(v.api(), &mut v.reader(&hex.slice(..*n))).is_ok()) {
            Some(n) => Err(format!("{n} of {} bytes were enough", hex.len())),
            None => Ok(()),
        }
    }
    let mut tally = Tally::default();
    for v in vectors("messages").filter(|v| v.kind() != "data") {
        tally.add(
            &v,
            if v.kind() == AnyRequest::KIND {
                check::<AnyRequest>(&v)
            } else {
                check::<AnyResponse>(&v)
            },
        );
    }
    tally.finish(4768);
}

/// Damaged messages are refused, or read as something that has stable bytes.
#[test]
fn mutated_bodies_are_refused_or_stable() {
    let mut mutants = 0;
    for v in vectors("messages").filter(|v| v.kind() != "data") {
        let run = if v.kind() == AnyRequest::KIND {
            fuzz::request
        } else {
            fuzz::response
        };
        let data = |body: &[u8]| fuzz::data(v.api(), v.version(), body);
        run(&data(&v.hex("hex")));
        for mutant in v.mutants() {
            run(&data(&mutant));
            mutants += 1;
        }
    }
    assert_eq!(mutants, 188_800);
}

/// Nothing that a peer declares makes us allocate more than a small multiple of what it has sent.
#[test]
fn memory_is_bounded_by_what_arrived() {
    fn measure<T: Body>(v: &Vector, body: &Bytes) -> AllocationInfo {
        allocation_counter::measure(|| drop(v.read::<T>(body)))
    }
    let mut measured = 0;
    for v in vectors("messages").filter(|v| v.kind() != "data") {
        let measure = if v.kind() == AnyRequest::KIND {
            measure::<AnyRequest>
        } else {
            measure::<AnyResponse>
        };
        for body in v.mutants().chain(v.huge_counts()).chain(v.floods()) {
            let used = measure(&v, &body);
            let arrived = body.len() as u64;
            // the worst are empty strings: one byte on the wire, 24 in memory, and growing copies them
            assert!(
                used.bytes_max <= 48 * arrived + 4096,
                "{} bytes for {arrived} of {v}",
                used.bytes_max
            );
            assert!(
                used.bytes_total <= 64 * arrived + 4096,
                "{} bytes for {arrived} of {v}",
                used.bytes_total
            );
            measured += 1;
        }
    }
    assert_eq!(measured, 383_335);
}

/// One line of a vector file.
struct Vector(Value);

/// What a check found wrong.
type Outcome = std::result::Result<(), String>;

impl Vector {
    fn text(&self, key: &str) -> &str {
        self.0[key]
            .as_str()
            .unwrap_or_else(|| panic!("{self} has no {key}"))
    }

    fn number(&self, key: &str) -> i16 {
        let number = self.0[key].as_i64().and_then(|n| i16::try_from(n).ok());
        number.unwrap_or_else(|| panic!("{self} has no {key}"))
    }

    fn hex(&self, key: &str) -> Bytes {
        let digit = |c: u8| char::from(c).to_digit(16).expect("a hex digit") as u8;
        self.text(key)
            .as_bytes()
            .chunks(2)
            .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
            .collect()
    }

    /// What writing must give; a reader may drop what it does not know.
    fn canonical(&self) -> Bytes {
        self.hex(if self.0.get("reencoded").is_some() {
            "reencoded"
        } else {
            "hex"
        })
    }

    fn kind(&self) -> &str {
        self.text("kind")
    }

    fn fill(&self) -> &str {
        self.text("fill")
    }

    fn api(&self) -> ApiKey {
        ApiKey::try_from(self.number("key")).expect("an API of the table")
    }

    fn version(&self) -> i16 {
        self.number("version")
    }

    fn flexible(&self) -> bool {
        self.api().is_flexible(self.version())
    }

    fn reader<'a>(&self, bytes: &'a Bytes) -> Reader<'a> {
        Reader::new(bytes, self.version(), self.flexible())
    }

    fn read<T: Body>(&self, body: &Bytes) -> Result<T> {
        let mut r = self.reader(body);
        T::decode(self.api(), &mut r).and_then(|message| r.finish(message))
    }

    fn write<T: Body>(&self, message: &T) -> Bytes {
        let mut w = Writer::new(self.version(), self.flexible());
        message.encode(&mut w);
        w.flatten()
    }

    /// Forty damaged copies of the body, the same in every run; of an empty body there are none.
    fn mutants(&self) -> impl Iterator<Item = Bytes> {
        let hex = self.hex("hex");
        let fnv = |seed: u64, b: &u8| (seed ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3);
        let mut seed = hex.iter().fold(0x9e37_79b9_7f4a_7c15, fnv) | 1;
        let mut random = move |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed as usize % below
        };
        (0..if hex.is_empty() { 0 } else { 40 }).map(move |_| {
            let mut bytes = hex.to_vec();
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
        let (hex, flexible) = (self.hex("hex"), self.flexible());
        let step = (hex.len() / 50).max(1);
        (0..hex.len()).step_by(step).map(move |at| {
            let count = if flexible {
                &b"\xff\xff\xff\xff\x0f"[..]
            } else {
                b"\x7f\xff\xff\xff"
            };
            let rest = hex
                .get(at + if flexible { 1 } else { 4 }..)
                .unwrap_or_default();
            [&hex[..at], count, rest].concat().into()
        })
    }

    /// Starts of the body, each with a large count and as many bytes of zeros or ones: elements as small as can be.
    fn floods(&self) -> impl Iterator<Item = Bytes> {
        let (hex, flexible) = (self.hex("hex"), self.flexible());
        let step = (hex.len() / 20).max(1);
        let places = (0..hex.len())
            .step_by(step)
            .filter(move |_| self.fill() == "random-1");
        places.flat_map(move |at| {
            let count = if flexible {
                &b"\x81\x80\x01"[..]
            } else {
                b"\0\0\x40\0"
            };
            [0, 1].map(|byte| [&hex[..at], count, &[byte; 0x4000]].concat().into())
        })
    }
}

impl std::fmt::Display for Vector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(v) = self;
        write!(
            f,
            "{} {} {} {} {}",
            v["api"], v["kind"], v["version"], v["fill"], v["field"]
        )
    }
}

/// `AnyRequest` or `AnyResponse`.
trait Body: Json + Sized {
    const KIND: &str;
    fn default_of(api: ApiKey) -> Self;
    fn decode(api: ApiKey, r: &mut Reader<'_>) -> Result<Self>;
    fn encode(&self, w: &mut Writer);
    fn misfit(&self, version: i16) -> Option<&'static str>;
}

macro_rules! bodies {
    ($($any:ident $kind:literal)*) => {$(
        impl Body for $any {
            const KIND: &str = $kind;

            fn default_of(api: ApiKey) -> Self {
                Self::default_of(api)
            }

            fn decode(api: ApiKey, r: &mut Reader<'_>) -> Result<Self> {
                Self::decode(api, r)
            }

            fn encode(&self, w: &mut Writer) {
                self.encode(w);
            }

            fn misfit(&self, version: i16) -> Option<&'static str> {
                self.misfit(version)
            }
        }
    )*};
}
bodies! { AnyRequest "request" AnyResponse "response" }

/// Counts what is right and keeps what is wrong.
#[derive(Default)]
struct Tally {
    good: usize,
    bad: Vec<String>,
}

impl Tally {
    fn add(&mut self, v: &Vector, outcome: Outcome) {
        match outcome {
            Ok(()) => self.good += 1,
            Err(e) => self.bad.push(format!("{v}: {e}")),
        }
    }

    #[track_caller]
    fn finish(self, expected: usize) {
        assert!(
            self.bad.is_empty(),
            "{} are wrong: {:#?}",
            self.bad.len(),
            &self.bad[..self.bad.len().min(20)]
        );
        assert_eq!(self.good, expected);
    }
}

/// The lines of a file, or of all files of a folder.
fn vectors(name: &str) -> impl Iterator<Item = Vector> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors")
        .join(name);
    let files = match path.is_dir() {
        true => fs::read_dir(&path)
            .expect("a folder")
            .map(|f| f.expect("a file").path())
            .collect(),
        false => vec![path],
    };
    files.into_iter().flat_map(|file| {
        let text = fs::read_to_string(file).expect("text");
        text.lines()
            .map(|line| Vector(serde_json::from_str(line).expect("json")))
            .collect::<Vec<_>>()
    })
}

fn equal<T: PartialEq + std::fmt::Debug>(ours: T, theirs: T) -> Outcome {
    if ours == theirs {
        Ok(())
    } else {
        Err(format!("{ours:?}, not {theirs:?}"))
    }
}

fn same(ours: &Bytes, theirs: &Bytes) -> Outcome {
    match ours.iter().zip(theirs).position(|(a, b)| a != b) {
        None if ours.len() == theirs.len() => Ok(()),
        at => Err(format!(
            "bytes differ at {at:?}: {} and {} long",
            ours.len(),
            theirs.len()
        )),
    }
}

fn same_json(ours: &impl Json, version: i16, theirs: &Value) -> Outcome {
    let ours = serde_json::from_str(&json::to_string(ours, version)).map_err(|e| e.to_string())?;
    match difference("", &ours, theirs) {
        None => Ok(()),
        Some(at) => Err(format!("json differs at {at}")),
    }
}

fn difference(path: &str, ours: &Value, theirs: &Value) -> Option<String> {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            a.keys()
                .chain(b.keys())
                .find_map(|key| match (a.get(key), b.get(key)) {
                    (Some(a), Some(b)) => difference(&format!("{path}.{key}"), a, b),
                    (a, b) => Some(format!("{path}.{key}: {a:?} and {b:?}")),
                })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => a
            .iter()
            .zip(b)
            .enumerate()
            .find_map(|(i, (a, b))| difference(&format!("{path}[{i}]"), a, b)),
        (a, b) => (a != b).then(|| format!("{path}: {a} and {b}")),
    }
}
