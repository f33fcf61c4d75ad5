//! One partition's log: batches as they came, their offsets, and who wrote them.
//!
//! A batch is stored as the slice of the request that carried it. Base offset and leader epoch, which the broker writes
//! and the checksum leaves out, are put in when the batch is read.

use std::collections::{BTreeMap, VecDeque};

use bytes::{BufMut, Bytes};
use kafka_proto::{
    error::ErrorCode,
    record::{BatchHeader, Batches, RecordError, verify_crc},
};

use super::producer::{ProducerState, Verdict, judge};

/// What one partition holds.
#[derive(Clone, Debug)]
pub struct PartitionLog {
    batches: VecDeque<Stored>,
    start_offset: i64,
    end_offset: i64,
    /// Bytes of all batches that were ever appended.
    end_position: u64,
    /// Where each leader epoch began, as `LeaderEpochFileCache` keeps it.
    epochs: Vec<(i32, i64)>,
    producers: BTreeMap<i64, ProducerState>,
}

#[derive(Clone, Debug)]
struct Stored {
    header: BatchHeader,
    /// As it came: offset and leader epoch of `header` are not in here.
    wire: Bytes,
    /// Bytes before this batch.
    position: u64,
}

/// A record of a [`PartitionLog`], copied out.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct StoredRecord {
    /// Its place in the log.
    pub offset: i64,
    /// Unix ms.
    pub timestamp: i64,
    /// `None` is null.
    pub key: Option<Bytes>,
    /// `None` is null.
    pub value: Option<Bytes>,
    /// Names and values, in order.
    pub headers: Vec<(Bytes, Option<Bytes>)>,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Appended {
    pub(super) base_offset: i64,
    /// -1, but for a duplicate, as in `UnifiedLog.append`.
    pub(super) log_append_time: i64,
    pub(super) duplicate: bool,
}

/// What a partition checks and keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct AppendRules {
    pub(super) max_message_bytes: usize,
    pub(super) check_records: bool,
    pub(super) discard: bool,
    pub(super) log_limit: Option<u64>,
}

/// The answer to a search by time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Found {
    pub(super) offset: i64,
    pub(super) timestamp: i64,
    pub(super) leader_epoch: i32,
}

impl PartitionLog {
    pub(super) fn new(leader_epoch: i32) -> Self {
        Self {
            batches: VecDeque::new(),
            start_offset: 0,
            end_offset: 0,
            end_position: 0,
            epochs: vec![(leader_epoch, 0)],
            producers: BTreeMap::new(),
        }
    }

    /// The first offset that can be read.
    pub fn start_offset(&self) -> i64 {
        self.start_offset
    }

    /// The offset that the next record gets.
    pub fn end_offset(&self) -> i64 {
        self.end_offset
    }

    /// The offset up to which consumers read. Replicas do not lag yet, so it is the end of the log.
    pub fn high_watermark(&self) -> i64 {
        self.end_offset
    }

    /// The offset up to which consumers read that want committed records only. No transactions yet, so it is the high
    /// watermark.
    pub fn last_stable_offset(&self) -> i64 {
        self.high_watermark()
    }

    /// The headers of the batches that are still there, with the offsets they got.
    pub fn batches(&self) -> impl ExactSizeIterator<Item = &BatchHeader> {
        self.batches.iter().map(|b| &b.header)
    }

    /// Copies out every record that is still there. Fails at the first batch that cannot be read: a compressed one, so
    /// far.
    pub fn records(&self) -> Result<Vec<StoredRecord>, RecordError> {
        let mut records = Vec::new();
        for batch in Batches::new(self.bytes()).without_crc() {
            for record in &batch? {
                let record = record?;
                records.push(StoredRecord {
                    offset: record.offset,
                    timestamp: record.timestamp,
                    key: record.key.map(Bytes::copy_from_slice),
                    value: record.value.map(Bytes::copy_from_slice),
                    headers: record
                        .headers
                        .map(|h| {
                            (
                                Bytes::copy_from_slice(h.key()),
                                h.value().map(Bytes::copy_from_slice),
                            )
                        })
                        .collect(),
                });
            }
        }
        // a log may begin inside a batch
        records.retain(|r| r.offset >= self.start_offset);
        Ok(records)
    }

    /// The values of [`records`](Self::records), null as empty: what most tests look at.
    ///
    /// # Panics
    ///
    /// If a batch cannot be read.
    #[track_caller]
    pub fn values(&self) -> Vec<Bytes> {
        match self.records() {
            Ok(records) => records
                .into_iter()
                .map(|r| r.value.unwrap_or_default())
                .collect(),
            Err(e) => panic!("the log cannot be read: {e}"),
        }
    }

    /// The batches as a consumer gets them.
    pub fn bytes(&self) -> Bytes {
        self.copy_from(0, usize::MAX)
    }

    /// Appends the one batch that `records` must be, or tells why not.
    pub(super) fn append(
        &mut self,
        batch: &Bytes,
        leader_epoch: i32,
        rules: &AppendRules,
    ) -> Result<Appended, ErrorCode> {
        let mut header = BatchHeader::parse(batch).ok_or(ErrorCode::CORRUPT_MESSAGE)?;
        check_batch(batch, &header, rules)?;
        if header.producer_id >= 0 {
            match judge(self.producers.get(&header.producer_id), &header)? {
                Verdict::Append => {}
                Verdict::Duplicate(written) => {
                    return Ok(Appended {
                        base_offset: written.base_offset,
                        log_append_time: written.max_timestamp,
                        duplicate: true,
                    });
                }
            }
            let epoch = header.producer_epoch;
            let state = self
                .producers
                .entry(header.producer_id)
                .or_insert_with(|| ProducerState::new(epoch));
            state.record(&header, self.end_offset);
        }
        header.base_offset = self.end_offset;
        header.leader_epoch = leader_epoch;
        let (base_offset, position) = (self.end_offset, self.end_position);
        self.end_offset = header.next_offset();
        self.end_position += batch.len() as u64;
        if rules.discard {
            self.start_offset = self.end_offset;
        } else {
            self.batches.push_back(Stored {
                header,
                wire: batch.clone(),
                position,
            });
        }
        if let Some(limit) = rules.log_limit {
            self.shrink(limit);
        }
        Ok(Appended {
            base_offset,
            log_append_time: -1,
            duplicate: false,
        })
    }

    /// Notes that a new leader takes over at the end of the log.
    pub(super) fn begin_epoch(&mut self, epoch: i32) {
        self.epochs.retain(|(_, start)| *start < self.end_offset);
        self.epochs.push((epoch, self.end_offset));
    }

    /// Moves the start of the log up, as DeleteRecords and retention do. Later or earlier than the log is the nearest.
    pub(super) fn delete_before(&mut self, offset: i64) {
        self.start_offset = offset.clamp(self.start_offset, self.high_watermark());
        while self
            .batches
            .front()
            .is_some_and(|b| b.header.last_offset() < self.start_offset)
        {
            self.batches.pop_front();
        }
    }

    /// Forgets every producer, as when `producer.id.expiration.ms` has passed.
    pub(super) fn expire_producers(&mut self) {
        self.producers.clear();
    }

    /// How many bytes a consumer at `offset` could read.
    pub(super) fn available(&self, offset: i64) -> u64 {
        match self.batches.get(self.find(offset)) {
            Some(batch) => self.end_position - batch.position,
            None => 0,
        }
    }

    /// Reads from the batch that holds `offset`.
    ///
    /// As `LogSegment.read`: the last batch is cut where `max_bytes` ends. A first batch that would be cut is returned
    /// whole if `at_least_one`, otherwise nothing is.
    pub(super) fn read(&self, offset: i64, max_bytes: usize, at_least_one: bool) -> Bytes {
        let first = self.find(offset);
        let Some(batch) = self.batches.get(first) else {
            return Bytes::new();
        };
        let max_bytes = match batch.wire.len() {
            size if size <= max_bytes => max_bytes,
            size if at_least_one => size,
            _ => return Bytes::new(),
        };
        self.copy_from(first, max_bytes)
    }

    /// The first record at or after a time, as `UnifiedLog.fetchOffsetByTimestamp`. Inside a compressed batch it cannot
    /// look: there it is the first offset of the batch.
    pub(super) fn find_time(&self, timestamp: i64) -> Option<Found> {
        let batch = self
            .batches
            .iter()
            .find(|b| b.header.max_timestamp >= timestamp)?;
        Some(batch.search(self.start_offset, |t| t >= timestamp))
    }

    /// The first of the records with the latest time.
    pub(super) fn find_max_timestamp(&self) -> Option<Found> {
        let latest = self.batches.iter().map(|b| b.header.max_timestamp).max()?;
        let batch = self
            .batches
            .iter()
            .find(|b| b.header.max_timestamp == latest)?;
        Some(batch.search(self.start_offset, |t| t == latest))
    }

    /// The epoch of the leader that wrote, or will write, at `offset`.
    pub(super) fn epoch_at(&self, offset: i64) -> i32 {
        self.epochs
            .iter()
            .rev()
            .find(|(_, start)| *start <= offset)
            .map_or(-1, |(epoch, _)| *epoch)
    }

    /// Drops batches from the front until no more than `limit` bytes are left.
    fn shrink(&mut self, limit: u64) {
        while let Some(batch) = self.batches.front() {
            if self.end_position - batch.position <= limit {
                return;
            }
            self.start_offset = batch.header.next_offset();
            self.batches.pop_front();
        }
    }

    /// The index of the first batch that ends at or after `offset`.
    fn find(&self, offset: i64) -> usize {
        self.batches
            .partition_point(|b| b.header.last_offset() < offset)
    }

    fn copy_from(&self, first: usize, max_bytes: usize) -> Bytes {
        let Some(batch) = self.batches.get(first) else {
            return Bytes::new();
        };
        let left = usize::try_from(self.end_position - batch.position).unwrap_or(usize::MAX);
        let size = left.min(max_bytes);
        let last = self
            .batches
            .partition_point(|b| b.position < batch.position + size as u64)
            - 1;
        let whole =
            self.batches[last].position - batch.position + self.batches[last].wire.len() as u64;
        let mut out = Vec::with_capacity(whole as usize);
        for batch in self.batches.range(first..=last) {
            out.put_i64(batch.header.base_offset);
            out.put_slice(&batch.wire[8..12]);
            out.put_i32(batch.header.leader_epoch);
            out.put_slice(&batch.wire[16..]);
        }
        out.truncate(size);
        out.into()
    }
}

impl Stored {
    /// The first record from `start` whose time is wanted.
    fn search(&self, start: i64, wanted: impl Fn(i64) -> bool) -> Found {
        let shift = self.header.base_offset;
        let mut found = Found {
            offset: shift.max(start),
            timestamp: self.header.max_timestamp,
            leader_epoch: self.header.leader_epoch,
        };
        for batch in Batches::new(self.wire.clone()).without_crc().flatten() {
            for record in batch.iter().flatten() {
                if record.offset + shift >= start && wanted(record.timestamp) {
                    found.offset = record.offset + shift;
                    found.timestamp = record.timestamp;
                    return found;
                }
            }
        }
        found
    }
}

/// What `UnifiedLog.analyzeAndValidateRecords` and `LogValidator.validateBatch` look at, in their order.
fn check_batch(batch: &Bytes, header: &BatchHeader, rules: &AppendRules) -> Result<(), ErrorCode> {
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
