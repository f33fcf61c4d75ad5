//! Encodes records into the body of a batch.

use super::{
    BatchHeader, Record,
    varint::{self, Row},
};

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
        self.push_at(record, timestamp, self.count);
    }

    /// Appends one record so many offsets after the first; deltas ascend.
    #[inline]
    pub(super) fn push_at(&mut self, record: &Record<'_>, timestamp: i64, offset_delta: i32) {
        let timestamp = record.timestamp.unwrap_or(timestamp);
        if self.count == 0 {
            self.base_timestamp = timestamp;
        }
        self.max_timestamp = self.max_timestamp.max(timestamp);
        let timestamp_delta = timestamp.wrapping_sub(self.base_timestamp);
        let offset_delta = i64::from(offset_delta);
        let (key_len, value_len) = (blob_len(record.key), blob_len(record.value));
        let key = record.key.unwrap_or_default();
        let value = record.value.unwrap_or_default();
        let size = 1
            + varint::size(timestamp_delta)
            + varint::size(offset_delta)
            + varint::size(key_len)
            + key.len()
            + varint::size(value_len)
            + value.len()
            + record.headers.encoded_size();
        let out = &mut self.body;
        out.reserve(size + varint::ROOM);
        Row::append(out, |row| {
            // at most 5 bytes, 1, 10, 5, 5, 5
            row.varint(size as i64);
            row.byte(0);
            row.varint(timestamp_delta);
            row.varint(offset_delta);
            row.varint(key_len);
            if key.is_empty() {
                row.varint(value_len);
            }
        });
        if !key.is_empty() {
            out.extend_from_slice(key);
            varint::put(out, value_len);
        }
        out.extend_from_slice(value);
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

/// The length that stands before a key or value: -1 for null.
#[inline]
fn blob_len(blob: Option<&[u8]>) -> i64 {
    blob.map_or(-1, |b| b.len() as i64)
}

#[inline]
pub(super) fn put_blob(out: &mut Vec<u8>, blob: Option<&[u8]>) {
    varint::put(out, blob_len(blob));
    out.extend_from_slice(blob.unwrap_or_default());
}
