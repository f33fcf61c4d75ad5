//! Encodes records into the body of a batch.

use super::{
    BatchHeader, Record,
    varint::{self, Row, bits_size, blob_size, zigzag},
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
    #[inline]
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
        let left = if record.key.is_none() && record.headers.is_empty() {
            // most records
            let size = 3 + bits_size(delta) + bits_size(offset) + blob_size(record.value);
            let row = self.begin(size, delta, offset);
            row.blob(None).blob(record.value).varint(0).left()
        } else {
            self.put_whole(record, delta, offset)
        };
        debug_assert_eq!(left, self.body.len() - self.len, "{record:?}");
        self.count += 1;
    }

    /// Puts a record that has a key or headers, and says how much room is left.
    fn put_whole(&mut self, record: &Record<'_>, delta: u64, offset: u64) -> usize {
        let size = 1
            + bits_size(delta)
            + bits_size(offset)
            + blob_size(record.key)
            + blob_size(record.value)
            + record.headers.encoded_size();
        let row = self.begin(size, delta, offset);
        let row = row.blob(record.key).blob(record.value);
        record.headers.encode(row).left()
    }

    /// Begins a record of `size` bytes in room that is large enough for it.
    #[inline]
    fn begin(&mut self, size: usize, delta: u64, offset: u64) -> Row<'_> {
        let need = varint::MAX_LENGTH + size;
        if self.body.len() - self.len < need {
            self.make_room(need);
        }
        let (from, bits) = (self.len, zigzag(size as i64));
        // by what the parts take, so that the next record need not wait until they are put
        self.len += bits_size(bits) + size;
        let attributes = 0;
        Row::new(&mut self.body[from..])
            .varint(bits)
            .varint(attributes)
            .varint(delta)
            .varint(offset)
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
