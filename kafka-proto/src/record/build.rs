//! Encodes records into the body of a batch.

use super::{
    BatchHeader, Record,
    varint::{self, Row, bits_size, blob_bits, zigzag},
};

/// Encodes records into the body of one batch: each push is the only copy that a record gets.
#[derive(Debug)]
pub struct BatchBuilder {
    /// What was pushed, and behind it room that is initialised.
    body: Vec<u8>,
    /// Where the room begins.
    len: usize,
    count: i32,
    base_timestamp: i64,
    max_timestamp: i64,
}

impl BatchBuilder {
    /// Starts a batch in `buffer`, whose content is dropped and whose capacity is used.
    pub fn new(buffer: Vec<u8>) -> Self {
        Self {
            // what it holds is room that need not be initialised
            body: buffer,
            len: 0,
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
        let delta = zigzag(timestamp.wrapping_sub(self.base_timestamp));
        let offset = zigzag(i64::from(offset_delta));
        let key = record.key.unwrap_or_default();
        let value = record.value.unwrap_or_default();
        let (key_len, value_len) = (blob_bits(record.key), blob_bits(record.value));
        let size = 1
            + bits_size(delta)
            + bits_size(offset)
            + bits_size(key_len)
            + key.len()
            + bits_size(value_len)
            + value.len()
            + record.headers.encoded_size();
        let mut row = self.row(size);
        let (size, attributes) = (zigzag(size as i64), 0);
        if key.is_empty() {
            row.varints([size, attributes, delta, offset, key_len, value_len]);
        } else {
            row.varints([size, attributes, delta, offset, key_len]);
            row.slice(key);
            row.varints([value_len]);
        }
        row.slice(value);
        record.headers.encode(&mut row);
        self.len += row.len();
        self.count += 1;
    }

    /// Room for a record of `size` bytes and what stands before it.
    #[inline]
    fn row(&mut self, size: usize) -> Row<'_> {
        let need = varint::MAX_LENGTH + size + varint::SLACK;
        if self.body.len() - self.len < need {
            self.make_room(need);
        }
        Row::new(self.body.get_mut(self.len..).unwrap_or_default())
    }

    /// Initialises room for `need` bytes and for the next records: as much as there is already, so that a batch of one record
    /// pays for no more, but little enough to stay in the nearest cache until then.
    #[cold]
    #[inline(never)]
    fn make_room(&mut self, need: usize) {
        const AHEAD: usize = 2048;
        let ahead = self.len.min(AHEAD);
        self.body.truncate(self.len);
        self.body.reserve(need);
        let room = (need + ahead).min(self.body.capacity() - self.len);
        self.body.resize(self.len + room, 0);
    }

    /// Records so far.
    pub fn count(&self) -> i32 {
        self.count
    }

    /// Bytes of the body so far.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was pushed.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The body, and a header for it without producer id, offset or checksum.
    pub fn finish(mut self) -> (BatchHeader, Vec<u8>) {
        self.body.truncate(self.len);
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
