//! The header of a batch of magic 2.
//!
//! Layout: Kafka's `DefaultRecordBatch`.

use bytes::Buf;

use super::{RecordError, RecordErrorKind};

/// The fixed part of a batch of magic 2, and what there is of it in older formats.
///
/// What was read as magic 0 or 1 has -1 for what these lack, and `base_offset`, `last_offset_delta` and `record_count` of
/// the messages inside.
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
    /// The attribute bit that turns `base_timestamp` into the delete horizon (KIP-534).
    pub const DELETE_HORIZON: i16 = 0x40;
    /// The attribute bits of the codec.
    pub const CODEC: i16 = 0x07;

    /// Bytes before the end of `batch_length`.
    pub(super) const BEFORE_LENGTH: usize = 12;
    /// Where the checksum begins to count.
    pub(super) const CRC_FROM: usize = 21;

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

    /// The sequence number of the last record; sequences wrap from 2147483647 to 0. -1 without idempotence.
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence < 0 {
            return -1;
        }
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

    /// Whether the broker set the time of all records: it is then `max_timestamp`.
    pub fn is_append_time(&self) -> bool {
        self.attributes & Self::APPEND_TIME != 0
    }

    /// When the tombstones or markers of the batch may go, if compaction has set that; it is then `base_timestamp`.
    ///
    /// Source: KIP-534.
    pub fn delete_horizon(&self) -> Option<i64> {
        (self.magic >= 2 && self.attributes & Self::DELETE_HORIZON != 0)
            .then_some(self.base_timestamp)
    }

    /// Checks what every later step relies on; the length has been checked.
    pub(super) fn validate(&self, position: usize) -> Result<(), RecordError> {
        if self.last_offset_delta < 0 || self.record_count < 0 || self.base_offset < 0 {
            let kind = RecordErrorKind::InvalidHeader;
            return Err(RecordError::new(kind, self.base_offset, position));
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
