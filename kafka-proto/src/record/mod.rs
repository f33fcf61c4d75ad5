//! Records: what is written ([`Record`]), what is read ([`Message`]), and the batches that carry them.

mod batch;
mod build;
mod compress;
#[cfg(feature = "client")]
mod destination;
mod error;
#[cfg(any(test, feature = "unstable"))]
pub mod fuzz;
mod header;
mod legacy;
mod message;
mod varint;
mod view;

use std::fmt;

pub use batch::{Batches, RecordBatch, next_offset};
pub use build::BatchBuilder;
#[cfg(feature = "gzip")]
pub use compress::Gzip;
#[cfg(feature = "lz4")]
pub use compress::Lz4;
#[cfg(feature = "snappy")]
pub use compress::Snappy;
#[cfg(feature = "zstd")]
pub use compress::Zstd;
pub use compress::{
    CodecError, CodecWorker, Codecs, Compression, CompressionCodec, Compressor, Decompressor,
};
pub use error::{RecordError, RecordErrorKind};
pub use header::{BatchHeader, sequence_after, verify_crc};
pub use legacy::{MessageSetError, message_set};
#[cfg(feature = "client")]
pub(crate) use message::Chunk;
pub use message::{Message, Messages};
pub(crate) use view::{RawRecord, RecordCursor};
pub use view::{RecordView, Records};

/// A message to write: borrowed, so that the batch buffer holds the only copy.
///
/// ```
/// use kafka_proto::record::{Header, Record};
///
/// let headers = [Header::new("trace", "4bf92f35")];
/// let record = Record::new("paid").key("order-17").headers(&headers);
/// assert_eq!(record.value_bytes(), Some(&b"paid"[..]));
/// ```
///
/// Source: acceptance MS-01..07.
#[derive(Clone, Copy, Default)]
#[doc(alias = "ProducerRecord")]
#[doc(alias = "BaseRecord")]
#[doc(alias = "FutureRecord")]
pub struct Record<'a> {
    pub(crate) topic: Option<&'a str>,
    pub(crate) partition: Option<i32>,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: Headers<'a>,
    pub(crate) timestamp: Option<i64>,
}

impl<'a> Record<'a> {
    /// A record with this value and nothing else.
    pub fn new(value: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self {
            value: Some(value.as_ref()),
            ..Self::default()
        }
    }

    /// A record with this key and a null value: a compacted topic forgets the key.
    pub fn tombstone(key: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self {
            key: Some(key.as_ref()),
            ..Self::default()
        }
    }

    /// Sets the key. Records of one key go to one partition, in order.
    pub fn key(self, key: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self {
            key: Some(key.as_ref()),
            ..self
        }
    }

    /// Sets the headers.
    pub fn headers(self, headers: &'a [Header<'a>]) -> Self {
        Self {
            headers: Headers(HeadersInner::Slice(headers)),
            ..self
        }
    }

    /// Sets the time, in ms since the Unix epoch. Default: the time at which the writer accepts the record.
    pub fn timestamp(self, unix_ms: i64) -> Self {
        Self {
            timestamp: Some(unix_ms),
            ..self
        }
    }

    /// The key that was set.
    pub fn key_bytes(&self) -> Option<&'a [u8]> {
        self.key
    }

    /// The value that was set.
    pub fn value_bytes(&self) -> Option<&'a [u8]> {
        self.value
    }
}

/// Forwards key, value, headers and time; not topic and partition, which are where it came from.
impl<'a> From<&'a Message> for Record<'a> {
    fn from(message: &'a Message) -> Self {
        Self {
            key: message.key(),
            value: message.value(),
            headers: message.headers(),
            timestamp: Some(message.timestamp()).filter(|t| *t >= 0),
            ..Self::default()
        }
    }
}

/// Shows lengths, not payload.
impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("topic", &self.topic)
            .field("partition", &self.partition)
            .field("key_len", &self.key.map(<[u8]>::len))
            .field("value_len", &self.value.map(<[u8]>::len))
            .field("headers", &self.headers.len())
            .field("timestamp", &self.timestamp)
            .finish()
    }
}

/// A name and a value beside a message. Names may repeat, and need not be UTF-8.
///
/// Source: acceptance TY-10, MS-06.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Header<'a> {
    key: &'a [u8],
    value: Option<&'a [u8]>,
}

impl<'a> Header<'a> {
    /// A header with a value.
    pub fn new(
        key: &'a (impl AsRef<[u8]> + ?Sized),
        value: &'a (impl AsRef<[u8]> + ?Sized),
    ) -> Self {
        Self {
            key: key.as_ref(),
            value: Some(value.as_ref()),
        }
    }

    /// A header whose value is null, which is not the same as empty.
    pub fn null(key: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self {
            key: key.as_ref(),
            value: None,
        }
    }

    pub(crate) fn from_parts(key: &'a [u8], value: Option<&'a [u8]>) -> Self {
        Self { key, value }
    }

    /// The name, as bytes: nothing makes a writer send UTF-8.
    pub fn key(&self) -> &'a [u8] {
        self.key
    }

    /// The name, if it is UTF-8.
    pub fn key_str(&self) -> Option<&'a str> {
        std::str::from_utf8(self.key).ok()
    }

    /// The value; `None` is null.
    pub fn value(&self) -> Option<&'a [u8]> {
        self.value
    }
}

/// Shows the name and the length of the value.
impl fmt::Debug for Header<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = String::from_utf8_lossy(self.key);
        f.debug_struct("Header")
            .field("key", &name)
            .field("value_len", &self.value.map(<[u8]>::len))
            .finish()
    }
}

/// The headers of a record or message: an iterator that decodes as it goes.
#[derive(Clone, Copy, Default)]
pub struct Headers<'a>(HeadersInner<'a>);

#[derive(Clone, Copy)]
enum HeadersInner<'a> {
    Slice(&'a [Header<'a>]),
    /// As they stand in a record, found whole.
    Encoded {
        left: i32,
        at: usize,
        bytes: &'a [u8],
    },
}

impl Default for HeadersInner<'_> {
    fn default() -> Self {
        Self::Slice(&[])
    }
}

impl<'a> Headers<'a> {
    pub(crate) fn encoded(count: i32, bytes: &'a [u8]) -> Self {
        Self(HeadersInner::Encoded {
            left: count,
            at: 0,
            bytes,
        })
    }

    /// How many are left.
    #[inline]
    pub fn len(&self) -> usize {
        match self.0 {
            HeadersInner::Slice(headers) => headers.len(),
            HeadersInner::Encoded { left, .. } => left.max(0) as usize,
        }
    }

    /// Whether none is left.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of the last header of this name: where a name repeats, the last one counts, as in Java's `lastHeader`.
    pub fn get(&self, key: impl AsRef<[u8]>) -> Option<Header<'a>> {
        self.filter(|h| h.key == key.as_ref()).last()
    }

    /// The most bytes that these take in a batch, beside their count.
    #[inline]
    fn encoded_bound(&self) -> usize {
        // most records have none, and this is asked for each record
        if self.is_empty() {
            0
        } else {
            self.bound_of_some()
        }
    }

    fn bound_of_some(&self) -> usize {
        match self.0 {
            HeadersInner::Slice(headers) => {
                let each = |h: &Header<'_>| 10 + h.key.len() + h.value.map_or(0, <[u8]>::len);
                headers.iter().map(each).sum()
            }
            HeadersInner::Encoded { at, bytes, .. } => bytes.len() - at,
        }
    }

    #[inline]
    fn encoded_size(&self) -> usize {
        let all = match self.0 {
            HeadersInner::Slice(headers) => {
                let each =
                    |h: &Header<'_>| varint::blob_size(Some(h.key)) + varint::blob_size(h.value);
                headers.iter().map(each).sum()
            }
            HeadersInner::Encoded { at, bytes, .. } => bytes.len() - at,
        };
        varint::bits_size((self.len() as u64) << 1) + all
    }

    #[inline]
    fn encode<'b>(&self, row: varint::Row<'b>) -> varint::Row<'b> {
        let row = row.varint((self.len() as u64) << 1);
        match self.0 {
            HeadersInner::Slice(headers) => headers
                .iter()
                .fold(row, |row, h| row.blob(Some(h.key)).blob(h.value)),
            // what is forwarded need not be taken apart
            HeadersInner::Encoded { at, bytes, .. } => row.slice(&bytes[at..]),
        }
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        match &mut self.0 {
            HeadersInner::Slice(headers) => {
                let (first, rest) = headers.split_first()?;
                *headers = rest;
                Some(*first)
            }
            HeadersInner::Encoded { left, at, bytes } => {
                *left = left.checked_sub(1).filter(|n| *n >= 0)?;
                view::read_header(bytes, at)
            }
        }
    }
}

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(*self).finish()
    }
}

#[cfg(test)]
mod tests;
