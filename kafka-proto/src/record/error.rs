//! Why records cannot be read.

use thiserror::Error;

use super::compress::{CodecError, feature_hint};

/// Why a batch cannot be read. The records before it were good.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("{kind} in the batch at offset {offset} (byte {position} of the response)")]
pub struct RecordError {
    kind: RecordErrorKind,
    offset: i64,
    position: usize,
}

impl RecordError {
    pub(super) fn new(kind: RecordErrorKind, offset: i64, position: usize) -> Self {
        Self {
            kind,
            offset,
            position,
        }
    }

    /// What is wrong.
    pub fn kind(&self) -> RecordErrorKind {
        self.kind
    }

    /// The base offset that the batch states.
    pub fn offset(&self) -> i64 {
        self.offset
    }
}

/// What is wrong with a batch.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum RecordErrorKind {
    /// The checksum does not match: damaged in transit or on disk.
    #[error("checksum mismatch")]
    Checksum,
    /// A format that this crate does not read.
    #[error("unknown record format (magic {0})")]
    UnknownMagic(i8),
    /// A codec that this crate does not know or was built without.
    #[error("unsupported compression codec {0}{hint}", hint = feature_hint(*.0))]
    UnsupportedCodec(i16),
    /// The records decompress to more than the limit of [`Batches::limit`](super::Batches::limit).
    #[error("records decompress to more than the limit of {0} bytes")]
    TooLarge(usize),
    /// The codec cannot read the compressed records.
    #[error("{0}")]
    Decompress(CodecError),
    /// A batch that is shorter than its own header, or longer than any can be.
    #[error("invalid batch length")]
    InvalidLength,
    /// A negative offset, offset delta or count.
    #[error("invalid batch header")]
    InvalidHeader,
    /// A record whose lengths do not fit it.
    #[error("invalid record")]
    InvalidRecord,
    /// More or fewer records than the header counts.
    #[error("record count differs from the header")]
    RecordCount,
    /// A wrapper of magic 0 or 1 that holds none or another wrapper.
    #[error("invalid message set in a wrapper")]
    InvalidWrapper,
}

impl From<CodecError> for RecordErrorKind {
    fn from(error: CodecError) -> Self {
        match error {
            CodecError::Unsupported(code) => Self::UnsupportedCodec(code),
            CodecError::TooLarge { limit } => Self::TooLarge(limit),
            other => Self::Decompress(other),
        }
    }
}
