//! What a batch must be to be appended, and what the broker writes into it.

use bytes::Bytes;
use kafka_proto::{
    error::ErrorCode,
    record::{BatchHeader, Batches, verify_crc},
};

/// What a partition checks and keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct AppendRules {
    pub(super) max_message_bytes: usize,
    pub(super) check_records: bool,
    pub(super) discard: bool,
    pub(super) log_limit: Option<u64>,
    /// The broker's time, if records are to get it.
    pub(super) append_time: Option<i64>,
}

/// What `UnifiedLog.analyzeAndValidateRecords` and `LogValidator.validateBatch` look at, in their order.
pub(super) fn check_batch(
    batch: &Bytes,
    header: &BatchHeader,
    rules: &AppendRules,
) -> Result<(), ErrorCode> {
    if header.base_offset != 0 {
        return Err(ErrorCode::INVALID_RECORD);
    }
    if batch.len() > rules.max_message_bytes {
        return Err(ErrorCode::MESSAGE_TOO_LARGE);
    }
    if !verify_crc(batch) {
        return Err(ErrorCode::CORRUPT_MESSAGE);
    }
    let counted = i64::from(header.last_offset_delta) + 1;
    if header.record_count <= 0 || counted != i64::from(header.record_count) {
        return Err(ErrorCode::INVALID_RECORD);
    }
    if header.is_control() || header.producer_id >= 0 && header.base_sequence < 0 {
        return Err(ErrorCode::INVALID_RECORD);
    }
    // `CompressionType.forId` throws what no error code stands for
    if header.codec() > 4 {
        return Err(ErrorCode::UNKNOWN_SERVER_ERROR);
    }
    if header.attributes & BatchHeader::TRANSACTIONAL != 0 {
        // what a partition answers that the coordinator did not add to a transaction
        return Err(ErrorCode::INVALID_TXN_STATE);
    }
    if rules.check_records && !rules.discard && header.codec() == 0 {
        let mut batches = Batches::new(batch.clone()).without_crc();
        let sound = batches
            .next()
            .is_some_and(|b| b.is_ok_and(|b| b.iter().all(|r| r.is_ok())));
        if !sound {
            return Err(ErrorCode::INVALID_RECORD);
        }
    }
    Ok(())
}

/// The batch with the broker's time for all its records, as `LogValidator` makes it for `LogAppendTime`: in the header,
/// while the records keep what the producer gave them.
pub(super) fn stamp(batch: &Bytes, header: &BatchHeader, unix_ms: i64) -> (BatchHeader, Bytes) {
    let body = batch.get(BatchHeader::SIZE..).unwrap_or_default();
    let mut header = *header;
    header.attributes |= BatchHeader::APPEND_TIME;
    header.max_timestamp = unix_ms;
    let wire: Bytes = [&header.write(body)[..], body].concat().into();
    // with the checksum that it has now
    let header = BatchHeader::parse(&wire).unwrap_or(header);
    (header, wire)
}
