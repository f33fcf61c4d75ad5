//! Why bytes are not the message they claim to be.

use std::fmt;

use thiserror::Error;

/// What reading gives.
pub type Result<T> = std::result::Result<T, DecodeError>;

/// Why bytes from the peer are not the message they claim to be, and where.
// sixteen bytes, so that a `Result<()>` travels in two registers: hence the thin reference to a name
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("{kind}{} at byte {offset}", InField(field))]
pub struct DecodeError {
    kind: DecodeErrorKind,
    offset: u32,
    field: &'static &'static str,
}

/// What is wrong with the bytes.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The frame ends inside a field.
    #[error("unexpected end of frame")]
    UnexpectedEnd,
    /// A length, varint or count is out of its range.
    #[error("invalid length")]
    InvalidLength,
    /// A string is not UTF-8.
    #[error("invalid utf-8")]
    InvalidUtf8,
    /// Bytes remain after the last field.
    #[error("unread bytes")]
    TrailingData,
    /// A tag repeats, or comes after a higher one.
    #[error("tags out of order")]
    TagOrder,
}

impl DecodeError {
    #[cold]
    pub(super) fn new(kind: DecodeErrorKind, offset: usize) -> Self {
        // no frame is longer than an i32 can say
        Self {
            kind,
            offset: u32::try_from(offset).unwrap_or(u32::MAX),
            field: &"",
        }
    }

    /// Names the field that was being read, unless one inside it has done so.
    #[cold]
    pub(crate) fn in_field(mut self, name: &'static &'static str) -> Self {
        if self.field.is_empty() {
            self.field = name;
        }
        self
    }

    /// What is wrong.
    pub fn kind(&self) -> DecodeErrorKind {
        self.kind
    }

    /// Where it was noticed: so many bytes from the start of what the reader was given.
    pub fn offset(&self) -> usize {
        self.offset as usize
    }

    /// The innermost field that was being read; empty outside of any.
    pub fn field(&self) -> &'static str {
        self.field
    }
}

struct InField<'a>(&'a str);

impl fmt::Display for InField<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            "" => Ok(()),
            name => write!(f, " in field `{name}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{
        api::{fetch::FetchResponse, metadata::MetadataRequest},
        wire::{Reader, Wire, decode},
    };

    #[test]
    fn errors_say_what_where_and_in_which_field() {
        // one topic, whose name would be 17 bytes long
        let frame = Bytes::from_static(b"\0\0\0\x01\0\x11orders");
        let error = decode::<MetadataRequest>(&frame, 0, false).expect_err("too short");
        assert_eq!(error.kind(), DecodeErrorKind::UnexpectedEnd);
        assert_eq!(
            error.to_string(),
            "unexpected end of frame in field `name` at byte 6"
        );
        let error = decode::<MetadataRequest>(&Bytes::from_static(b"\0\0\0\0!"), 0, false)
            .expect_err("too long");
        assert_eq!(error.to_string(), "unread bytes at byte 4");
        let error =
            decode::<MetadataRequest>(&Bytes::from_static(b"\0\0\0\x01\0\x02\xff\xff"), 0, false);
        assert_eq!(
            error.expect_err("not text").to_string(),
            "invalid utf-8 in field `name` at byte 6"
        );
        let error = decode::<MetadataRequest>(&Bytes::from_static(b"\xff\xff\xff\xfe"), 1, false);
        assert_eq!(
            error.expect_err("not a count").to_string(),
            "invalid length in field `topics` at byte 0"
        );
    }

    #[test]
    fn errors_inside_tagged_fields_count_from_the_start_of_the_frame() {
        // throttle, error, session, no topics, one tag: 0, of one byte, which promises an endpoint that does not come
        let frame = Bytes::from_static(b"\0\0\0\0\0\0\0\0\0\0\x01\x01\0\x01\x02");
        let error = decode::<FetchResponse>(&frame, 16, true).expect_err("no endpoint");
        assert_eq!(
            error.to_string(),
            "unexpected end of frame in field `node_endpoints` at byte 14"
        );
        let frame = Bytes::from_static(b"\0\0\0\0\0\0\0\0\0\0\x01\x02\x07\0\x07\0");
        let error = decode::<FetchResponse>(&frame, 16, true).expect_err("a tag twice");
        assert_eq!(
            (error.kind(), error.offset(), error.field()),
            (DecodeErrorKind::TagOrder, 14, "")
        );
    }

    #[test]
    fn results_stay_small() {
        assert_eq!(size_of::<Result<()>>(), 16);
        let mut n = 0i32;
        assert!(n.read(&mut Reader::new(&Bytes::new(), 0, false)).is_err());
    }
}
