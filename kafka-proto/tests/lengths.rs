//! Every place of a message is taken for a length and set to what a length must not be: the bad input of acceptance.
//!
//! The bodies are those of the golden corpus with random content, one for each API, version and direction.

#[allow(dead_code, reason = "shared with the checks of the vectors")]
#[path = "../examples/vectors/line.rs"]
mod line;

use std::{fs, path::Path};

use bytes::Bytes;
use kafka_proto::{
    api::{AnyRequest, AnyResponse, ApiKey},
    wire::{DecodeError, DecodeErrorKind, Reader},
};
use line::Vector;

struct Message {
    name: String,
    api: ApiKey,
    version: i16,
    is_request: bool,
    body: Bytes,
}

impl Message {
    /// The longest version of a body costs the square of its length: those above are checked at every seventh place.
    const SHORT: usize = 1_000;

    fn all() -> impl Iterator<Item = Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/messages");
        let files = fs::read_dir(folder).expect("the vectors are part of the repository");
        let texts = files.map(|f| fs::read_to_string(f.expect("a file").path()).expect("text"));
        texts.flat_map(|text| {
            let lines = text.lines();
            let vectors = lines.map(|line| Vector(serde_json::from_str(line).expect("json")));
            let wanted = vectors
                .filter(|v| v.text("kind") != Ok("data") && v.text("fill") == Ok("random-1"));
            let messages = wanted.map(|v| Self {
                name: v.to_string(),
                api: ApiKey::try_from(v.number::<i16>("key").expect("a key")).expect("an API"),
                version: v.number("version").expect("a version"),
                is_request: v.text("kind") == Ok("request"),
                body: v.hex("hex").expect("a body"),
            });
            messages.collect::<Vec<_>>()
        })
    }

    fn flexible(&self) -> bool {
        self.api.is_flexible(self.version)
    }

    fn places(&self) -> impl Iterator<Item = usize> + use<> {
        let len = self.body.len();
        (0..len).step_by(if len > Self::SHORT { 7 } else { 1 })
    }

    fn read(&self, body: &Bytes) -> Result<(), DecodeError> {
        let mut r = Reader::new(body, self.version, self.flexible());
        match self.is_request {
            true => AnyRequest::decode(self.api, &mut r).map(drop)?,
            false => AnyResponse::decode(self.api, &mut r).map(drop)?,
        }
        r.finish(())
    }

    /// Reads `body`, which takes memory only for what is there, and fails, if so, with a place in it.
    fn check(&self, body: &Bytes) -> Option<DecodeError> {
        let mut result = Ok(());
        let memory = allocation_counter::measure(|| result = self.read(body));
        let allowed = 64 * body.len() as u64 + 4096;
        assert!(
            memory.bytes_max <= allowed,
            "{} bytes for {} of {}",
            memory.bytes_max,
            body.len(),
            self.name
        );
        let error = result.err()?;
        assert!(error.offset() <= body.len(), "{error} of {}", self.name);
        // the number of tagged fields and what follows the last field are of no field
        let outside = !self.flexible() && error.kind() != DecodeErrorKind::TrailingData;
        assert!(
            !outside || !error.field().is_empty(),
            "{error} of {}",
            self.name
        );
        Some(error)
    }

    /// Replaces the `over` bytes at `at`.
    fn with(&self, at: usize, over: usize, bytes: &[u8]) -> Bytes {
        let rest = self.body.get(at + over..).unwrap_or_default();
        [&self.body[..at], bytes, rest].concat().into()
    }
}

#[test]
fn a_body_that_ends_at_any_byte_is_an_unexpected_end() {
    let (mut cuts, mut messages) = (0, 0);
    for message in Message::all() {
        for at in message.places() {
            let error = message.check(&message.body.slice(..at));
            let kind = error.map(|e| e.kind());
            assert_eq!(
                kind,
                Some(DecodeErrorKind::UnexpectedEnd),
                "{at} of {}",
                message.name
            );
            cuts += 1;
        }
        messages += 1;
    }
    assert_eq!(messages, 2 * 298);
    assert!(cuts > 50_000, "{cuts}");
}

#[test]
fn lengths_of_minus_one_zero_the_largest_and_beyond_cost_nothing_and_are_refused_by_name() {
    // null, empty, the largest, one more than that, the most negative
    let classic: [&[u8]; 9] = [
        &[0xff; 4],
        &[0; 4],
        &[0x7f, 0xff, 0xff, 0xff],
        &[0x80, 0, 0, 0],
        &[0xff, 0xff, 0xff, 0xfe],
        &[0xff; 2],
        &[0; 2],
        &[0x7f, 0xff],
        &[0x80, 0],
    ];
    // null, empty, the largest of Java's and one more, the largest there is, six bytes, eleven bytes
    let compact: [&[u8]; 7] = [
        &[0],
        &[1],
        &[0x80, 0x80, 0x80, 0x80, 0x08],
        &[0x81, 0x80, 0x80, 0x80, 0x08],
        &[0xff, 0xff, 0xff, 0xff, 0x0f],
        &[0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
        &[0xff; 11],
    ];
    let (mut refused, mut read) = (0, 0);
    for message in Message::all() {
        let lengths = if message.flexible() {
            &compact[..]
        } else {
            &classic[..]
        };
        for at in message.places() {
            for length in lengths {
                let over = if message.flexible() { 1 } else { length.len() };
                match message.check(&message.with(at, over, length)) {
                    Some(_) => refused += 1,
                    None => read += 1,
                }
            }
        }
    }
    // numbers are no lengths, so much of it reads
    assert!(refused > 100_000 && read > 100_000, "{refused} {read}");
}
