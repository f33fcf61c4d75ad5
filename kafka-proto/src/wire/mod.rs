//! The encoding of messages: primitive values, the cursor that reads them and the buffer that takes them.
//!
//! Messages themselves are tables of [`api`](crate::api). What a value looks like on the wire depends on two facts
//! that hold for a whole message, so [`Reader`] and [`Writer`] carry them: the *version*, which decides which fields
//! there are, and whether that version is *flexible*, which decides how lengths are written.
//!
//! | type                  | classic                     | flexible                                       |
//! |-----------------------|-----------------------------|------------------------------------------------|
//! | string                | `i16` length, -1 is null    | unsigned varint of length + 1, 0 is null       |
//! | bytes                 | `i32` length, -1 is null    | the same                                       |
//! | array                 | `i32` count, -1 is null     | the same                                       |
//! | struct                | its fields                  | its fields, then tagged fields                 |
//! | nullable struct       |                             | `i8`, negative is null, then the struct        |
//! | bool, numbers, uuid   | fixed size, big endian      | the same                                       |
//!
//! Reading trusts nothing: whatever the bytes are, it neither panics nor allocates by a number that they declare.

mod base64;
mod buffer;
mod error;
pub mod json;
mod reader;
mod secret;
mod tags;
mod uuid;
mod value;
mod writer;

use bytes::Bytes;

pub use buffer::Place;
pub(crate) use buffer::copy;
pub use error::{DecodeError, DecodeErrorKind, Result};
pub use reader::Reader;
pub use secret::Secret;
pub use tags::UnknownTags;
pub use uuid::Uuid;
pub use value::{Nullable, Struct, Wire};
pub(crate) use value::{differs, name_misfit, put_never_null};
pub use writer::{FrameStart, Tags, Writer};

/// The body of one message.
pub fn encode<T: Wire>(message: &T, version: i16, flexible: bool) -> Bytes {
    let mut w = Writer::new(version, flexible);
    message.write(&mut w);
    w.flatten()
}

/// Reads a body and insists that nothing is left.
pub fn decode<T: Wire>(body: &Bytes, version: i16, flexible: bool) -> Result<T> {
    let mut r = Reader::new(body, version, flexible);
    let mut message = T::default();
    message.read(&mut r)?;
    r.finish(message)
}
