//! Record batches of magic 2: header, encoding in place, borrowed iteration.
//!
//! Layout: Kafka's `DefaultRecordBatch`, `DefaultRecord`. Read here is what a Fetch response carries: whole batches, of
//! which the last may be cut, because a broker fills up to its byte limit.

use bytes::{Buf, Bytes};
use thiserror::Error;

use super::{Header, Headers, Record, varint};

/// The fixed part of a batch of magic 2.
///
/// `base_offset` and `leader_epoch` are outside the checksum: the broker writes them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs, reason = "the names of Kafka's own record batch schema")]
pub struct BatchHeader {
    pub base_offset: i64,
    /// Bytes after this field; the whole batch takes 12 more.
    pub batch_length: i32,
    pub leader_epoch: i32,
    pub magic: i8,
    pub crc: u32,
    pub attributes: i16,
    pub last_offset_delta: i32,
    pub base_timestamp: i64,
    pub max_timestamp: i64,
    /// -1 without idempotence.
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub record_count: i32,
}

impl BatchHeader {
    /// Bytes of the header.
    pub const SIZE: usize = 61;
    /// The attribute bit of LogAppendTime.
    pub const APPEND_TIME: i16 = 0x08;
    /// The attribute bit of a transaction.
    pub const TRANSACTIONAL: i16 = 0x10;
    /// The attribute bit of control batches: markers, not messages.
    pub const CONTROL: i16 = 0x20;
    /// The attribute bits of the codec.
    pub const CODEC: i16 = 0x07;

    /// Bytes before the end of `batch_length`.
    const BEFORE_LENGTH: usize = 12;
    /// Where the checksum begins to count.
    const CRC_FROM: usize = 21;

    /// Reads the header at the start of `bytes`; `None` if it is not all there. Believes what it reads.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut b = bytes.get(..Self::SIZE)?;
        Some(Self {
            base_offset: b.get_i64(),
            batch_length: b.get_i32(),
            leader_epoch: b.get_i32(),
            magic: b.get_i8(),
            crc: b.get_u32(),
            attributes: b.get_i16(),
            last_offset_delta: b.get_i32(),
            base_timestamp: b.get_i64(),
            max_timestamp: b.get_i64(),
            producer_id: b.get_i64(),
            producer_epoch: b.get_i16(),
            base_sequence: b.get_i32(),
            record_count: b.get_i32(),
        })
    }

    /// Writes the header of a batch with this body; length and checksum are computed, not taken from `self`.
    pub fn write(&self, body: &[u8]) -> [u8; Self::SIZE] {
        let mut out = [0; Self::SIZE];
        let length = (Self::SIZE - Self::BEFORE_LENGTH + body.len()) as i32;
        out[..8].copy_from_slice(&self.base_offset.to_be_bytes());
        out[8..12].copy_from_slice(&length.to_be_bytes());
        out[12..16].copy_from_slice(&self.leader_epoch.to_be_bytes());
        out[16] = self.magic as u8;
        out[21..23].copy_from_slice(&self.attributes.to_be_bytes());
        out[23..27].copy_from_slice(&self.last_offset_delta.to_be_bytes());
        out[27..35].copy_from_slice(&self.base_timestamp.to_be_bytes());
        out[35..43].copy_from_slice(&self.max_timestamp.to_be_bytes());
        out[43..51].copy_from_slice(&self.producer_id.to_be_bytes());
        out[51..53].copy_from_slice(&self.producer_epoch.to_be_bytes());
        out[53..57].copy_from_slice(&self.base_sequence.to_be_bytes());
        out[57..61].copy_from_slice(&self.record_count.to_be_bytes());
        let crc = crc32c::crc32c_append(crc32c::crc32c(&out[Self::CRC_FROM..]), body);
        out[17..21].copy_from_slice(&crc.to_be_bytes());
        out
    }

    /// Bytes of the whole batch, header included; 0 for a length that no batch can have.
    pub fn total_size(&self) -> usize {
        usize::try_from(self.batch_length).map_or(0, |n| n + Self::BEFORE_LENGTH)
    }

    /// The offset of the last record that the batch ever had; compaction may have removed it.
    pub fn last_offset(&self) -> i64 {
        self.base_offset
            .saturating_add(i64::from(self.last_offset_delta))
    }

    /// The offset after this batch.
    pub fn next_offset(&self) -> i64 {
        self.last_offset().saturating_add(1)
    }

    /// The sequence number of the last record; sequences wrap from 2147483647 to 0.
    pub fn last_sequence(&self) -> i32 {
        sequence_after(self.base_sequence, self.last_offset_delta)
    }

    /// Whether the batch holds markers instead of messages.
    pub fn is_control(&self) -> bool {
        self.attributes & Self::CONTROL != 0
    }

    /// The codec number of the body; 0 is none.
    pub fn codec(&self) -> i16 {
        self.attributes & Self::CODEC
    }

    /// Checks what every later step relies on.
    fn validate(&self, base: usize) -> Result<(), RecordError> {
        let fault = |kind| {
            Err(RecordError {
                kind,
                offset: self.base_offset,
                position: base,
            })
        };
        if self.magic != 2 {
            return fault(RecordErrorKind::UnknownMagic(self.magic));
        }
        if self.total_size() < Self::SIZE {
            return fault(RecordErrorKind::InvalidLength);
        }
        if self.last_offset_delta < 0 || self.record_count < 0 || self.base_offset < 0 {
            return fault(RecordErrorKind::InvalidHeader);
        }
        Ok(())
    }
}

/// The sequence number `n` after `sequence`, wrapping from 2147483647 to 0 as Kafka's `DefaultRecordBatch.incrementSequence`.
pub fn sequence_after(sequence: i32, n: i32) -> i32 {
    sequence.wrapping_add(n) & i32::MAX
}

/// Tells whether the checksum of a whole batch of magic 2 holds; false if there is less than a header.
pub fn verify_crc(batch: &[u8]) -> bool {
    match (
        BatchHeader::parse(batch),
        batch.get(BatchHeader::CRC_FROM..),
    ) {
        (Some(header), Some(rest)) => header.crc == crc32c::crc32c(rest),
        _ => false,
    }
}

/// Why a batch cannot be read. The records before it were good.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("{kind} in the batch at offset {offset} (byte {position} of the response)")]
pub struct RecordError {
    kind: RecordErrorKind,
    offset: i64,
    position: usize,
}

impl RecordError {
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
    #[error("unsupported compression codec {0}")]
    UnsupportedCodec(i16),
    /// A batch that is shorter than its own header.
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
}

/// Encodes records into the body of one batch: each push is the only copy that a record gets.
#[derive(Debug)]
pub struct BatchBuilder {
    body: Vec<u8>,
    count: i32,
    base_timestamp: i64,
    max_timestamp: i64,
}

impl BatchBuilder {
    /// Starts a batch in `buffer`, whose content is dropped and whose capacity is used.
    pub fn new(mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        Self {
            body: buffer,
            count: 0,
            base_timestamp: 0,
            max_timestamp: i64::MIN,
        }
    }

    /// The most bytes that `record` can take in a body.
    pub fn size_bound(record: &Record<'_>) -> usize {
        // length 5, attributes 1, timestamp 10, offset 5, key and value lengths 10, header count 5
        36 + record.key.map_or(0, <[u8]>::len)
            + record.value.map_or(0, <[u8]>::len)
            + record.headers.encoded_bound()
    }

    /// Appends one record; `timestamp` (Unix ms) stands in where the record has none.
    #[inline]
    pub fn push(&mut self, record: &Record<'_>, timestamp: i64) {
        let timestamp = record.timestamp.unwrap_or(timestamp);
        if self.count == 0 {
            self.base_timestamp = timestamp;
        }
        self.max_timestamp = self.max_timestamp.max(timestamp);
        let timestamp_delta = timestamp.wrapping_sub(self.base_timestamp);
        let offset_delta = i64::from(self.count);
        let blob_size =
            |blob: Option<&[u8]>| blob.map_or(1, |b| varint::size(b.len() as i64) + b.len());
        let size = 1
            + varint::size(timestamp_delta)
            + varint::size(offset_delta)
            + blob_size(record.key)
            + blob_size(record.value)
            + record.headers.encoded_size();
        let out = &mut self.body;
        out.reserve(size + 5);
        varint::put(out, size as i64);
        out.push(0);
        varint::put(out, timestamp_delta);
        varint::put(out, offset_delta);
        put_blob(out, record.key);
        put_blob(out, record.value);
        record.headers.encode(out);
        self.count += 1;
    }

    /// Records so far.
    pub fn count(&self) -> i32 {
        self.count
    }

    /// Bytes of the body so far.
    pub fn len(&self) -> usize {
        self.body.len()
    }

    /// Whether nothing was pushed.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The body, and a header for it without producer id, offset or checksum.
    pub fn finish(self) -> (BatchHeader, Vec<u8>) {
        let header = BatchHeader {
            base_offset: 0,
            batch_length: (BatchHeader::SIZE - BatchHeader::BEFORE_LENGTH + self.body.len()) as i32,
            leader_epoch: -1,
            magic: 2,
            crc: 0,
            attributes: 0,
            last_offset_delta: (self.count - 1).max(0),
            base_timestamp: self.base_timestamp,
            max_timestamp: if self.count == 0 {
                -1
            } else {
                self.max_timestamp
            },
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            record_count: self.count,
        };
        (header, self.body)
    }
}

pub(super) fn put_blob(out: &mut Vec<u8>, blob: Option<&[u8]>) {
    match blob {
        None => out.push(1),
        Some(bytes) => {
            varint::put(out, bytes.len() as i64);
            out.extend_from_slice(bytes);
        }
    }
}

/// The whole batches at the start of a `records` field.
///
/// Ends before a batch that is cut; after an error it yields nothing more.
#[derive(Clone, Debug)]
pub struct Batches {
    rest: Bytes,
    position: usize,
    check_crc: bool,
}

impl Batches {
    /// Reads the batches of `records` and checks the checksum of each.
    pub fn new(records: Bytes) -> Self {
        Self {
            rest: records,
            position: 0,
            check_crc: true,
        }
    }

    /// Leaves checksums unread: for records that something else has checked.
    pub fn without_crc(mut self) -> Self {
        self.check_crc = false;
        self
    }

    /// Whether anything is left, a batch that is cut included.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn read(&mut self) -> Result<Option<RecordBatch>, RecordError> {
        let Some(header) = whole_batch(&self.rest, self.position)? else {
            self.rest.clear();
            return Ok(None);
        };
        let bytes = self.rest.split_to(header.total_size());
        if self.check_crc && header.crc != crc32c::crc32c(&bytes[BatchHeader::CRC_FROM..]) {
            let kind = RecordErrorKind::Checksum;
            return Err(RecordError {
                kind,
                offset: header.base_offset,
                position: self.position,
            });
        }
        let position = self.position;
        self.position += bytes.len();
        if header.codec() != 0 {
            let kind = RecordErrorKind::UnsupportedCodec(header.codec());
            return Err(RecordError {
                kind,
                offset: header.base_offset,
                position,
            });
        }
        Ok(Some(RecordBatch {
            header,
            body: bytes.slice(BatchHeader::SIZE..),
            position,
        }))
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
pub fn next_offset(records: &[u8]) -> Result<Option<i64>, RecordError> {
    let mut at = 0;
    let mut next = None;
    while let Some(header) = whole_batch(&records[at..], at)? {
        next = Some(header.next_offset());
        at += header.total_size();
    }
    Ok(next)
}

/// The header of the batch at the start of `bytes`, if all of the batch is there.
fn whole_batch(bytes: &[u8], position: usize) -> Result<Option<BatchHeader>, RecordError> {
    // magic stands at the same place in every format, and old ones have shorter headers
    if let Some(&magic) = bytes.get(16)
        && magic != 2
    {
        let mut offset = bytes;
        let kind = RecordErrorKind::UnknownMagic(magic as i8);
        return Err(RecordError {
            kind,
            offset: offset.get_i64(),
            position,
        });
    }
    let Some(header) = BatchHeader::parse(bytes) else {
        return Ok(None);
    };
    header.validate(position)?;
    Ok((header.total_size() <= bytes.len()).then_some(header))
}

/// One batch, its checksum checked; iterating it borrows.
#[derive(Clone, Debug)]
pub struct RecordBatch {
    header: BatchHeader,
    body: Bytes,
    position: usize,
}

impl RecordBatch {
    /// What stands before the records.
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The encoded records.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Borrows each record in turn.
    pub fn iter(&self) -> Records<'_> {
        Records {
            cursor: RecordCursor::new(&self.header, self.position),
            body: &self.body,
        }
    }

    pub(crate) fn cursor(&self) -> RecordCursor {
        RecordCursor::new(&self.header, self.position)
    }
}

impl<'a> IntoIterator for &'a RecordBatch {
    type Item = Result<RecordView<'a>, RecordError>;
    type IntoIter = Records<'a>;

    fn into_iter(self) -> Records<'a> {
        self.iter()
    }
}

/// A record as it stands in a batch.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the parts of a record speak for themselves")]
pub struct RecordView<'a> {
    pub offset: i64,
    /// Unix ms; -1 if the batch has none.
    pub timestamp: i64,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: Headers<'a>,
}

/// Borrowed iteration over one batch; after an error it yields nothing more.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    cursor: RecordCursor,
    body: &'a [u8],
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<RecordView<'a>, RecordError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let record = match self.cursor.next(self.body)? {
            Ok(record) => record,
            Err(e) => return Some(Err(e)),
        };
        Some(Ok(RecordView {
            offset: record.offset,
            timestamp: record.timestamp,
            key: record.key.of(self.body),
            value: record.value.of(self.body),
            headers: Headers::encoded(
                record.header_count,
                record.headers.of(self.body).unwrap_or_default(),
            ),
        }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.cursor.left.max(0) as usize + 1))
    }
}

/// Part of a body: where it starts and its length, -1 for null.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Span {
    start: u32,
    len: i32,
}

impl Span {
    #[inline]
    pub(crate) fn of(self, body: &[u8]) -> Option<&[u8]> {
        let len = usize::try_from(self.len).ok()?;
        body.get(self.start as usize..self.start as usize + len)
    }

    /// The same part as a share of `body`.
    pub(crate) fn share(self, body: &Bytes) -> Option<Bytes> {
        self.of(body).map(|part| body.slice_ref(part))
    }
}

/// A record as places in its body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawRecord {
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
    pub(crate) key: Span,
    pub(crate) value: Span,
    pub(crate) headers: Span,
    pub(crate) header_count: i32,
}

/// Where iteration stands: owns nothing, so that borrowed views and shared messages use the same one.
#[derive(Clone, Debug)]
pub(crate) struct RecordCursor {
    at: usize,
    left: i32,
    base_offset: i64,
    last_offset_delta: i32,
    base_timestamp: i64,
    append_time: Option<i64>,
    position: usize,
    failed: bool,
}

impl RecordCursor {
    fn new(header: &BatchHeader, position: usize) -> Self {
        let append = header.attributes & BatchHeader::APPEND_TIME != 0;
        Self {
            at: 0,
            left: header.record_count,
            base_offset: header.base_offset,
            last_offset_delta: header.last_offset_delta,
            base_timestamp: header.base_timestamp,
            append_time: append.then_some(header.max_timestamp),
            position,
            failed: false,
        }
    }

    /// The next record of `body`; the caller passes the same body every time.
    #[inline]
    pub(crate) fn next(&mut self, body: &[u8]) -> Option<Result<RawRecord, RecordError>> {
        if self.failed {
            return None;
        }
        if self.left == 0 {
            // bytes behind the last counted record: the header lied
            return (self.at < body.len()).then(|| Err(self.fail(RecordErrorKind::RecordCount)));
        }
        if self.at >= body.len() {
            return Some(Err(self.fail(RecordErrorKind::RecordCount)));
        }
        match self.parse(body) {
            Some(record) => {
                self.left -= 1;
                Some(Ok(record))
            }
            None => Some(Err(self.fail(RecordErrorKind::InvalidRecord))),
        }
    }

    #[inline]
    fn parse(&mut self, body: &[u8]) -> Option<RawRecord> {
        let mut at = self.at;
        let len = usize::try_from(varint::get_i32(body, &mut at)?).ok()?;
        let end = at.checked_add(len).filter(|end| *end <= body.len())?;
        // a record never reads beyond its own length
        let body = &body[..end];
        at += 1; // attributes, unused
        let timestamp_delta = varint::get(body, &mut at)?;
        let offset_delta = varint::get_i32(body, &mut at)?;
        if offset_delta < 0 || offset_delta > self.last_offset_delta {
            return None;
        }
        let key = span(body, &mut at)?;
        let value = span(body, &mut at)?;
        let header_count = varint::get_i32(body, &mut at)?;
        let headers = Span {
            start: u32::try_from(at).ok()?,
            len: i32::try_from(end - at).ok()?,
        };
        if header_count == 0 {
            if at != end {
                return None;
            }
        } else if !headers_are_whole(body, at, header_count) {
            return None;
        }
        self.at = end;
        Some(RawRecord {
            offset: self.base_offset.checked_add(i64::from(offset_delta))?,
            timestamp: self
                .append_time
                .unwrap_or_else(|| self.base_timestamp.wrapping_add(timestamp_delta)),
            key,
            value,
            headers,
            header_count,
        })
    }

    #[cold]
    fn fail(&mut self, kind: RecordErrorKind) -> RecordError {
        self.failed = true;
        RecordError {
            kind,
            offset: self.base_offset,
            position: self.position,
        }
    }
}

#[inline]
fn span(body: &[u8], at: &mut usize) -> Option<Span> {
    let len = varint::get_i32(body, at)?;
    let start = u32::try_from(*at).ok()?;
    if len < 0 {
        return (len == -1).then_some(Span { start, len });
    }
    *at = at
        .checked_add(len as usize)
        .filter(|end| *end <= body.len())?;
    Some(Span { start, len })
}

fn headers_are_whole(body: &[u8], mut at: usize, count: i32) -> bool {
    if count < 0 {
        return false;
    }
    for _ in 0..count {
        match (span(body, &mut at), span(body, &mut at)) {
            (Some(key), Some(_)) if key.len >= 0 => {}
            _ => return false,
        }
    }
    at == body.len()
}

/// Reads the header at `at` of headers that [`RecordCursor`] has found whole.
pub(super) fn read_header<'a>(encoded: &'a [u8], at: &mut usize) -> Option<Header<'a>> {
    let key = span(encoded, at)?;
    let value = span(encoded, at)?;
    Some(Header::from_parts(key.of(encoded)?, value.of(encoded)))
}
