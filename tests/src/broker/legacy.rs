//! The message formats before 0.11, for the old versions of Produce and Fetch.
//!
//! A log holds batches of magic 2 alone, as that of a Kafka with `log.message.format.version` 0.11 and later: what comes
//! in as magic 0 or 1 is stored as one batch, and what goes out to an old client is written anew, uncompressed. Headers
//! have no place there and are lost, as in Kafka (`AbstractRecords.downConvert`). Unlike there, a time that the broker gave is
//! not told from one that the producer gave.

use bytes::Bytes;
use kafka_proto::{
    error::ErrorCode,
    record::{
        BatchBuilder, BatchHeader, Batches, Codecs, Compression, Record, RecordErrorKind,
        message_set,
    },
};

/// The message set of an old Produce as a batch of magic 2, which is how it is stored.
pub(super) fn upgraded(set: &Bytes) -> Result<Bytes, ErrorCode> {
    let mut builder = BatchBuilder::new(Vec::with_capacity(set.len()));
    let mut count = 0;
    for batch in Batches::new(with_room(set)) {
        let batch = batch.map_err(|e| match e.kind() {
            RecordErrorKind::UnsupportedCodec(_) => ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
            _ => ErrorCode::CORRUPT_MESSAGE,
        })?;
        if batch.header().magic > 1 {
            return Err(ErrorCode::UNSUPPORTED_FOR_MESSAGE_FORMAT);
        }
        for record in &batch {
            let record = record.map_err(|_| ErrorCode::CORRUPT_MESSAGE)?;
            let mut new = Record::default().timestamp(record.timestamp);
            if let Some(value) = &record.value {
                new = Record::new(value).timestamp(record.timestamp);
            }
            if let Some(key) = &record.key {
                new = new.key(key);
            }
            builder.push(&new, record.timestamp);
            count += 1;
        }
    }
    if count == 0 {
        return Err(ErrorCode::INVALID_RECORD);
    }
    let (header, body) = builder.finish();
    Ok([&header.write(&body)[..], &body].concat().into())
}

/// The set with wrappers of magic 1 moved to where no offset inside is below 0.
///
/// Inside, offsets count back from the wrapper's, which a producer need not know: librdkafka says 0.
fn with_room(set: &Bytes) -> Bytes {
    let mut set = set.to_vec();
    let mut at = 0;
    while let Some(head) = set.get_mut(at..at + HEAD)
        && let Ok(size) =
            usize::try_from(i32::from_be_bytes([head[8], head[9], head[10], head[11]]))
    {
        let (magic, attributes) = (head[16], head[17]);
        if magic == 1 && attributes & CODEC != 0 {
            head[..8].copy_from_slice(&i64::from(i32::MAX).to_be_bytes());
        }
        at += 12 + size;
    }
    set.into()
}

/// Offset, size, checksum, magic and attributes of a message.
const HEAD: usize = 18;
/// The bits of a message's attributes that name its codec.
const CODEC: u8 = 0x07;

/// The message set of magic 0 or 1 that an old client gets for `batches`; what cannot be read ends it.
pub(super) fn downgraded(batches: Bytes, magic: i8) -> Bytes {
    let mut set = Vec::with_capacity(batches.len());
    for batch in Batches::new(batches).without_crc() {
        let Ok(batch) = batch else { break };
        if batch.header().is_control() {
            continue;
        }
        for record in batch.iter().flatten() {
            // one by one: compaction may have left holes between their offsets
            let mut builder = BatchBuilder::new(Vec::new());
            let mut old = Record::default().timestamp(record.timestamp);
            if let Some(value) = &record.value {
                old = Record::new(value).timestamp(record.timestamp);
            }
            if let Some(key) = &record.key {
                old = old.key(key);
            }
            builder.push(&old, record.timestamp);
            let (mut header, body) = builder.finish();
            header.base_offset = record.offset;
            let codecs = Codecs::new();
            match message_set(magic, &header, &body, Compression::None, &codecs) {
                Ok(message) => set.extend_from_slice(&message),
                Err(_) => return set.into(),
            }
        }
    }
    set.into()
}

/// Whether the records of a Produce are a message set, and not a batch of magic 2.
pub(super) fn is_message_set(records: &[u8]) -> bool {
    BatchHeader::parse(records).is_none_or(|header| header.magic < 2)
}
