//! Messages of magic 0 and 1, which topics from before Kafka 0.11 still hold, read and written.
//!
//! A message: offset, size, CRC-32, magic, attributes, in magic 1 a timestamp, key, value. A compressed set is the value of
//! a wrapper message. In magic 1 the offsets inside count up to that of the wrapper, which is that of the last one inside
//! (KIP-31, KIP-32); in magic 0 they are absolute.
//!
//! What is read becomes the body of a batch of magic 2, so that there is one iteration for all formats.
//!
//! Layout: Kafka's `LegacyRecord`, `AbstractLegacyRecordBatch`.

use bytes::{Buf, Bytes};
use thiserror::Error;

use super::{
    BatchBuilder, BatchHeader, CodecError, Codecs, Compression, Decompressor, Record, RecordCursor,
    RecordError, RecordErrorKind, Records,
};

/// The least that the size of a message can say: checksum, magic, attributes, two lengths.
pub(super) const SMALLEST: i32 = 14;

/// Where the checksum stands; it counts everything after it.
const CRC: usize = BatchHeader::BEFORE_LENGTH;

/// Bytes of a message without key and value, offset and size included.
pub(super) fn header_size(magic: i8) -> usize {
    if magic == 0 { 26 } else { 34 }
}

/// The offset of the message at the start of `bytes`.
pub(super) fn offset(mut bytes: &[u8], position: usize) -> Result<i64, RecordError> {
    let offset = bytes.get_i64();
    if offset < 0 {
        let kind = RecordErrorKind::InvalidHeader;
        return Err(RecordError::new(kind, offset, position));
    }
    Ok(offset)
}

/// Reads one whole message, or all that a wrapper holds.
pub(super) fn read(
    bytes: &[u8],
    position: usize,
    check_crc: bool,
    decompressor: &mut Decompressor,
) -> Result<super::RecordBatch, RecordError> {
    let offset = offset(bytes, position)?;
    let fault = |kind| RecordError::new(kind, offset, position);
    let outer = Legacy::parse(bytes, check_crc).map_err(fault)?;
    let transcoded = match outer.compression() {
        Compression::None => {
            let mut body = Transcoder::new(bytes.len());
            body.push(Some(offset), &outer).map(|()| body.finish())
        }
        compression => outer
            .inner(compression, decompressor)
            .and_then(|plain| unwrap(&outer, offset, &plain, check_crc)),
    };
    let (mut header, body) = transcoded.map_err(fault)?;
    let span = i32::try_from(offset.saturating_sub(header.base_offset));
    header.last_offset_delta = span.map_err(|_| fault(RecordErrorKind::InvalidWrapper))?;
    header.batch_length = (bytes.len() - BatchHeader::BEFORE_LENGTH) as i32;
    (header.magic, header.crc) = (outer.magic, outer.crc);
    header.attributes = i16::from(outer.attributes) & BatchHeader::CODEC;
    if outer.is_append_time() {
        header.attributes |= BatchHeader::APPEND_TIME;
    }
    header.max_timestamp = outer.timestamp;
    Ok(super::RecordBatch::new(header, body.into(), position))
}

/// The messages in a wrapper, with their offsets in the log.
fn unwrap(
    outer: &Legacy<'_>,
    offset: i64,
    plain: &[u8],
    check_crc: bool,
) -> Result<(BatchHeader, Vec<u8>), RecordErrorKind> {
    let (mut rest, mut last) = (plain, None);
    // the last one may be cut short: brokers have written such sets
    while let Some((at, _)) = split(&mut rest)? {
        last = Some(at);
    }
    let last = last.ok_or(RecordErrorKind::InvalidWrapper)?;
    let base = if outer.magic > 0 {
        offset
            .checked_sub(last)
            .ok_or(RecordErrorKind::InvalidRecord)?
    } else {
        0
    };
    let mut body = Transcoder::new(plain.len());
    rest = plain;
    while let Some((at, message)) = split(&mut rest)? {
        let mut message = Legacy::parse(message, check_crc)?;
        if message.compression() != Compression::None {
            return Err(RecordErrorKind::InvalidWrapper);
        }
        if outer.is_append_time() && message.magic > 0 {
            message.timestamp = outer.timestamp;
        }
        body.push(base.checked_add(at), &message)?;
    }
    Ok(body.finish())
}

/// Cuts one message off the front of a set; `None` if it is not all there.
fn split<'a>(set: &mut &'a [u8]) -> Result<Option<(i64, &'a [u8])>, RecordErrorKind> {
    let Some(mut head) = set.get(..CRC) else {
        return Ok(None);
    };
    let (offset, size) = (head.get_i64(), head.get_i32());
    if size < SMALLEST {
        return Err(RecordErrorKind::InvalidLength);
    }
    let end = (size as usize).saturating_add(CRC);
    Ok(set.split_off(..end).map(|message| (offset, message)))
}

/// Writes messages as the records of one batch of magic 2.
struct Transcoder {
    builder: BatchBuilder,
    base: Option<i64>,
}

impl Transcoder {
    fn new(capacity: usize) -> Self {
        Self {
            builder: BatchBuilder::new(Vec::with_capacity(capacity)),
            base: None,
        }
    }

    fn push(&mut self, offset: Option<i64>, message: &Legacy<'_>) -> Result<(), RecordErrorKind> {
        let invalid = RecordErrorKind::InvalidRecord;
        let offset = offset.filter(|offset| *offset >= 0).ok_or(invalid)?;
        let delta = offset - *self.base.get_or_insert(offset);
        let delta = i32::try_from(delta).ok().filter(|delta| *delta >= 0);
        let record = Record {
            key: message.key,
            value: message.value,
            ..Record::default()
        };
        self.builder
            .push_at(&record, message.timestamp, delta.ok_or(invalid)?);
        Ok(())
    }

    fn finish(self) -> (BatchHeader, Vec<u8>) {
        let (mut header, body) = self.builder.finish();
        header.base_offset = self.base.unwrap_or_default();
        (header, body)
    }
}

/// One message, its checksum checked.
struct Legacy<'a> {
    crc: u32,
    magic: i8,
    attributes: i8,
    /// -1 in magic 0.
    timestamp: i64,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
}

impl<'a> Legacy<'a> {
    /// Reads a whole message, offset and size included.
    fn parse(bytes: &'a [u8], check_crc: bool) -> Result<Self, RecordErrorKind> {
        let short = RecordErrorKind::InvalidLength;
        let mut b = bytes.get(CRC..).ok_or(short)?;
        let (crc, magic) = (b.try_get_u32(), b.try_get_i8());
        let (crc, magic) = (crc.map_err(|_| short)?, magic.map_err(|_| short)?);
        if !(0..=1).contains(&magic) {
            return Err(RecordErrorKind::UnknownMagic(magic));
        }
        if bytes.len() < header_size(magic) {
            return Err(short);
        }
        if check_crc && crc != crc32fast::hash(&bytes[CRC + 4..]) {
            return Err(RecordErrorKind::Checksum);
        }
        let attributes = b.get_i8();
        let timestamp = if magic == 0 { -1 } else { b.get_i64() };
        Ok(Self {
            crc,
            magic,
            attributes,
            timestamp,
            key: blob(&mut b)?,
            value: blob(&mut b)?,
        })
    }

    fn compression(&self) -> Compression {
        let code = self.attributes & BatchHeader::CODEC as i8;
        Compression::from_code(code).unwrap_or(Compression::Other(code))
    }

    fn is_append_time(&self) -> bool {
        self.magic > 0 && i16::from(self.attributes) & BatchHeader::APPEND_TIME != 0
    }

    /// What a wrapper holds.
    fn inner(
        &self,
        compression: Compression,
        decompressor: &mut Decompressor,
    ) -> Result<Bytes, RecordErrorKind> {
        let value = self.value.ok_or(RecordErrorKind::InvalidWrapper)?;
        let plain = decompressor.decompress_in(self.magic, compression, value);
        plain.map_err(RecordErrorKind::from)
    }
}

fn blob<'a>(b: &mut &'a [u8]) -> Result<Option<&'a [u8]>, RecordErrorKind> {
    let invalid = RecordErrorKind::InvalidRecord;
    let size = b.try_get_i32().map_err(|_| invalid)?;
    if size == -1 {
        return Ok(None);
    }
    let size = usize::try_from(size).map_err(|_| invalid)?;
    b.split_off(..size).map(Some).ok_or(invalid)
}

/// Why records cannot be written as a message set.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum MessageSetError {
    /// Only magic 0 and 1 are message sets.
    #[error("magic {0} is no message set")]
    Magic(i8),
    /// The format has no headers, and dropping them would lose data.
    #[error("records with headers need message format 2, which brokers have from 0.11 on")]
    Headers,
    /// The body that was given is not one of magic 2.
    #[error(transparent)]
    Body(#[from] RecordError),
    /// The codec failed or is not there.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A set larger than its fields can say.
    #[error("the message set is larger than 2 GiB")]
    TooLarge,
}

/// Writes a finished body as a message set of magic 0 or 1, for brokers before 0.11.
///
/// `header` and `body` come from [`BatchBuilder::finish`]: what is queued need not know which format the broker will ask for.
/// Offsets count from `base_offset`; a set that is produced counts from 0. Compressed sets become one wrapper message.
///
/// # Errors
///
/// Something in the batch has no place in the format; see [`MessageSetError`].
pub fn message_set(
    magic: i8,
    header: &BatchHeader,
    body: &[u8],
    compression: Compression,
    codecs: &Codecs,
) -> Result<Bytes, MessageSetError> {
    if !(0..=1).contains(&magic) {
        return Err(MessageSetError::Magic(magic));
    }
    let is_compressed = compression != Compression::None;
    let mut set =
        Vec::with_capacity(body.len() + header_size(magic) * header.record_count.max(0) as usize);
    let (mut last, mut latest) = (header.base_offset, -1);
    for record in Records::new(RecordCursor::new(header, 0), body) {
        let record = record?;
        if !record.headers.is_empty() {
            return Err(MessageSetError::Headers);
        }
        (last, latest) = (record.offset, record.timestamp.max(latest));
        // in a wrapper, magic 1 counts from the first one
        let is_relative = is_compressed && magic == 1;
        let base = if is_relative { header.base_offset } else { 0 };
        let stamp = (record.offset - base, record.timestamp);
        put(&mut set, magic, 0, stamp, record.key, record.value)?;
    }
    if !is_compressed || set.is_empty() {
        return Ok(set.into());
    }
    let value = codecs.compress_in(magic, compression, &set)?;
    set.clear();
    put(
        &mut set,
        magic,
        compression.code(),
        (last, latest),
        None,
        Some(&value),
    )?;
    Ok(set.into())
}

/// Appends one message.
fn put(
    out: &mut Vec<u8>,
    magic: i8,
    attributes: i8,
    (offset, timestamp): (i64, i64),
    key: Option<&[u8]>,
    value: Option<&[u8]>,
) -> Result<(), MessageSetError> {
    let start = out.len();
    let payload = key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len);
    let size = i32::try_from(header_size(magic) - CRC + payload);
    let size = size.map_err(|_| MessageSetError::TooLarge)?;
    out.extend_from_slice(&offset.to_be_bytes());
    out.extend_from_slice(&size.to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&[magic as u8, attributes as u8]);
    if magic > 0 {
        out.extend_from_slice(&timestamp.to_be_bytes());
    }
    for blob in [key, value] {
        // the size of all of it fits, so these do
        let size = blob.map_or(-1, |b| b.len() as i32);
        out.extend_from_slice(&size.to_be_bytes());
        out.extend_from_slice(blob.unwrap_or_default());
    }
    let crc = crc32fast::hash(&out[start + CRC + 4..]);
    out[start + CRC..start + CRC + 4].copy_from_slice(&crc.to_be_bytes());
    Ok(())
}

#[cfg(test)]
mod tests;
