//! The batches of a `records` field: whole ones of any magic, in turn.
//!
//! Read here is what a Fetch response carries: whole batches, of which the last may be cut, because a broker fills up to its
//! byte limit. Formats may be mixed: a log keeps what it was written in.

use std::sync::Arc;

use bytes::{Buf, Bytes};

use super::{
    BatchHeader, Codecs, Compression, Decompressor, Messages, RecordCursor, RecordError,
    RecordErrorKind, Records, legacy,
};

/// The whole batches at the start of a `records` field, decompressed.
///
/// Ends before a batch that is cut; after an error it yields nothing more. An uncompressed message of magic 0 or 1 is a batch
/// of one, a compressed wrapper one batch with all messages inside.
///
/// ```
/// use kafka_proto::record::{BatchBuilder, Batches, Codecs, Compression, Record};
///
/// let mut builder = BatchBuilder::new(Vec::new());
/// builder.push(&Record::new("paid").key("order-17"), 1_700_000_000_000);
/// let (mut header, body) = builder.finish();
/// # #[cfg(feature = "lz4")] {
/// header.attributes |= Compression::Lz4.attributes();
/// let body = Codecs::new().compress(Compression::Lz4, &body)?;
/// let field = [&header.write(&body)[..], &body].concat();
///
/// for batch in Batches::new(field.into()) {
///     for record in &batch? {
///         assert_eq!(record?.value, Some(&b"paid"[..]));
///     }
/// }
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Batches {
    rest: Bytes,
    position: usize,
    check_crc: bool,
    decompressor: Decompressor,
}

impl Batches {
    /// Reads the batches of `records` and checks the checksum of each.
    pub fn new(records: Bytes) -> Self {
        Self {
            rest: records,
            position: 0,
            check_crc: true,
            decompressor: Decompressor::default(),
        }
    }

    /// Leaves checksums unread: for records that something else has checked.
    pub fn without_crc(mut self) -> Self {
        self.check_crc = false;
        self
    }

    /// Refuses batches that decompress to more than `bytes`. Default: [`Decompressor::DEFAULT_LIMIT`], 64 MiB.
    ///
    /// The limit is for one batch, however many there are; what is not compressed is limited by the fetch.
    pub fn limit(mut self, bytes: usize) -> Self {
        self.decompressor.set_limit(bytes);
        self
    }

    /// Decompresses with these codecs. Default: Kafka's own.
    pub fn codecs(mut self, codecs: Codecs) -> Self {
        self.decompressor.set_codecs(codecs);
        self
    }

    /// Whether anything is left, a batch that is cut included.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn read(&mut self) -> Result<Option<RecordBatch>, RecordError> {
        let position = self.position;
        let Some((magic, size)) = whole_batch(&self.rest, position)? else {
            self.rest.clear();
            return Ok(None);
        };
        let bytes = self.rest.split_to(size);
        self.position += size;
        if magic < 2 {
            return legacy::read(&bytes, position, self.check_crc, &mut self.decompressor)
                .map(Some);
        }
        let Some(header) = BatchHeader::parse(&bytes) else {
            return Ok(None);
        };
        header.validate(position)?;
        let fault = |kind| RecordError::new(kind, header.base_offset, position);
        if self.check_crc && header.crc != crc32c::crc32c(&bytes[BatchHeader::CRC_FROM..]) {
            return Err(fault(RecordErrorKind::Checksum));
        }
        let body = bytes.slice(BatchHeader::SIZE..);
        let body = match header.codec() {
            0 => body,
            // compaction may leave a header alone, and there is nothing to decompress then
            _ if header.record_count == 0 => Bytes::new(),
            codec => {
                let unsupported = RecordErrorKind::UnsupportedCodec(codec);
                let codec =
                    Compression::from_code(codec as i8).ok_or_else(|| fault(unsupported))?;
                let plain = self.decompressor.decompress(codec, &body);
                plain.map_err(|e| fault(e.into()))?
            }
        };
        Ok(Some(RecordBatch::new(header, body, position)))
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.read() {
            Ok(batch) => batch.map(Ok),
            Err(e) => {
                self.rest.clear();
                Some(Err(e))
            }
        }
    }
}

/// Looks at the headers only: where the next fetch begins after the whole batches of `records`.
///
/// That is `last offset + 1` of the last complete batch, never of the last record (compaction leaves holes at the end);
/// `None` if not even one batch is whole.
///
/// # Errors
///
/// A length, format or header is not one that Kafka writes. Checksums and compressed data are not looked at.
pub fn next_offset(records: &[u8]) -> Result<Option<i64>, RecordError> {
    let mut at = 0;
    let mut next = None;
    while let Some((magic, size)) = whole_batch(&records[at..], at)? {
        let bytes = &records[at..];
        next = match BatchHeader::parse(bytes) {
            Some(header) if magic == 2 => {
                header.validate(at)?;
                Some(header.next_offset())
            }
            // the offset of a message or, of a wrapper, that of the last one inside
            _ => Some(legacy::offset(bytes, at)?.saturating_add(1)),
        };
        at += size;
    }
    Ok(next)
}

/// Magic and size of the batch at the start of `bytes`, if all of it is there.
///
/// Offset, length and magic stand at the same place in every format.
fn whole_batch(bytes: &[u8], position: usize) -> Result<Option<(i8, usize)>, RecordError> {
    let fault = |kind| Err(RecordError::new(kind, (&mut &*bytes).get_i64(), position));
    let Some((length, after)) = bytes.get(8..).and_then(<[u8]>::split_first_chunk) else {
        return Ok(None);
    };
    let length = i32::from_be_bytes(*length);
    // a field is no longer than an int32 can say, and no message is shorter than one of magic 0
    if length < legacy::SMALLEST || length > i32::MAX - BatchHeader::BEFORE_LENGTH as i32 {
        return fault(RecordErrorKind::InvalidLength);
    }
    let Some(&magic) = after.get(4) else {
        return Ok(None);
    };
    let (magic, size) = (magic as i8, length as usize + BatchHeader::BEFORE_LENGTH);
    let least = match magic {
        0 | 1 => legacy::header_size(magic),
        2 => BatchHeader::SIZE,
        _ => return fault(RecordErrorKind::UnknownMagic(magic)),
    };
    if size < least {
        return fault(RecordErrorKind::InvalidLength);
    }
    Ok((size <= bytes.len()).then_some((magic, size)))
}

/// One batch, its checksum checked and decompressed; iterating it borrows.
#[derive(Clone, Debug)]
pub struct RecordBatch {
    header: BatchHeader,
    body: Bytes,
    position: usize,
}

impl RecordBatch {
    pub(super) fn new(header: BatchHeader, body: Bytes, position: usize) -> Self {
        Self {
            header,
            body,
            position,
        }
    }

    /// What stands before the records. Length, checksum and codec are those of the batch before it was decompressed.
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The encoded records, decompressed; those of magic 0 and 1 as they would stand in a batch of magic 2.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Borrows each record in turn.
    pub fn iter(&self) -> Records<'_> {
        Records::new(self.cursor(), &self.body)
    }

    /// The records as messages of this topic and partition, each of which keeps the body of the batch alive.
    pub fn messages(&self, topic: &Arc<str>, partition: i32) -> Messages {
        Messages::new(topic, partition, self)
    }

    pub(crate) fn cursor(&self) -> RecordCursor {
        RecordCursor::new(&self.header, self.position)
    }
}

impl<'a> IntoIterator for &'a RecordBatch {
    type Item = Result<super::RecordView<'a>, RecordError>;
    type IntoIter = Records<'a>;

    fn into_iter(self) -> Records<'a> {
        self.iter()
    }
}
