//! The fuzz bodies of the codec: compiled into every test, run over mutated vectors by `cargo test`.

use std::fmt::Debug;

use bytes::Bytes;

use super::{AnyRequest, AnyResponse, ApiKey};
use crate::wire::{Reader, Result, Writer};

/// Reads `data` as a request; see [`response`].
pub fn request(data: &[u8]) {
    round_trip(data, AnyRequest::decode, AnyRequest::encode);
}

/// Reads `data` as a response.
///
/// The first byte chooses the API, the second the version, the rest is the body. Nothing may panic, and what reads must
/// be written to bytes that read and are written the same again.
pub fn response(data: &[u8]) {
    round_trip(data, AnyResponse::decode, AnyResponse::encode);
}

/// The bytes that make [`request`] or [`response`] read this body.
pub fn data(api: ApiKey, version: i16, body: &[u8]) -> Vec<u8> {
    let place = |found: Option<usize>| {
        found
            .and_then(|at| u8::try_from(at).ok())
            .unwrap_or_default()
    };
    let api_at = place(ApiKey::ALL.iter().position(|a| *a == api));
    let version_at = place(versions(api).position(|v| v == version));
    [&[api_at, version_at], body].concat()
}

fn round_trip<T: PartialEq + Debug>(
    data: &[u8],
    decode: fn(ApiKey, &mut Reader<'_>) -> Result<T>,
    encode: fn(&T, &mut Writer),
) {
    let [api, version, body @ ..] = data else {
        return;
    };
    let api = ApiKey::ALL[usize::from(*api) % ApiKey::ALL.len()];
    let version = versions(api)
        .cycle()
        .nth(usize::from(*version))
        .unwrap_or_default();
    let flexible = api.is_flexible(version);
    let read = |bytes: &Bytes| {
        let mut r = Reader::new(bytes, version, flexible);
        decode(api, &mut r).and_then(|message| r.finish(message))
    };
    let write = |message: &T| {
        let mut w = Writer::new(version, flexible);
        encode(message, &mut w);
        let len = w.len();
        let bytes = w.flatten();
        assert_eq!(bytes.len(), len);
        bytes
    };
    let body = Bytes::copy_from_slice(body);
    match read(&body) {
        Ok(message) => {
            let once = write(&message);
            let twice = write(&read(&once).expect("what was written reads"));
            assert_eq!(once, twice);
        }
        Err(e) => assert!(e.offset() <= body.len(), "{e}"),
    }
}

fn versions(api: ApiKey) -> impl Iterator<Item = i16> + Clone {
    api.versions().chain(api.unstable())
}
