//! One partition's log: batches as they came, their offsets, and who wrote them.
//!
//! A batch is stored as the slice of the request that carried it. Base offset and leader epoch, which the broker writes
//! and the checksum leaves out, are put in when the batch is read.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::{BufMut, Bytes};
use kafka_proto::{
    error::ErrorCode,
    record::{BatchHeader, Batches, Codecs, Compression, Header, RecordError, RecordView},
};

use super::{
    append_rules::{AppendRules, check_batch, stamp},
    producer::{ProducerState, Verdict, judge},
    transactions::{Aborted, Transactions},
};

/// What one partition holds.
#[derive(Clone, Debug)]
pub struct PartitionLog {
    batches: VecDeque<Stored>,
    start_offset: i64,
    end_offset: i64,
    /// Bytes of all batches that were appended since the log was made or last compacted.
    end_position: u64,
    /// Where each leader epoch began, as `LeaderEpochFileCache` keeps it.
    epochs: Vec<(i32, i64)>,
    producers: BTreeMap<i64, ProducerState>,
    transactions: Transactions,
    /// How many records the followers are behind.
    lag: i64,
    /// Whether too few replicas are in sync for the high watermark to move (`Partition.isUnderMinIsr`).
    stalled: bool,
    high_watermark: i64,
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

impl From<RecordView<'_>> for StoredRecord {
    fn from(record: RecordView<'_>) -> Self {
        let header = |h: Header<'_>| {
            let value = h.value().map(Bytes::copy_from_slice);
            (Bytes::copy_from_slice(h.key()), value)
        };
        Self {
            offset: record.offset,
            timestamp: record.timestamp,
            key: record.key.map(Bytes::copy_from_slice),
            value: record.value.map(Bytes::copy_from_slice),
            headers: record.headers.map(header).collect(),
        }
    }
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Appended {
    pub(super) base_offset: i64,
    /// -1, but for `LogAppendTime` and for a duplicate, as in `UnifiedLog.append`.
    pub(super) log_append_time: i64,
    pub(super) duplicate: bool,
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
            transactions: Transactions::default(),
            lag: 0,
            stalled: false,
            high_watermark: 0,
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

    /// The offset up to which consumers read: what all replicas in sync have. The end of the log, unless
    /// [`Cluster::set_lag`](super::Cluster::set_lag) says otherwise.
    pub fn high_watermark(&self) -> i64 {
        self.high_watermark
    }

    /// The offset up to which consumers read that want committed records only: where the first open transaction begins,
    /// or the high watermark.
    pub fn last_stable_offset(&self) -> i64 {
        let first = self.transactions.first_open().unwrap_or(i64::MAX);
        first.min(self.high_watermark)
    }

    /// The headers of the batches that are still there, with the offsets they got.
    pub fn batches(&self) -> impl ExactSizeIterator<Item = &BatchHeader> {
        self.batches.iter().map(|b| &b.header)
    }

    /// Copies out every record that is still there. Fails at the first batch that cannot be read.
    pub fn records(&self) -> Result<Vec<StoredRecord>, RecordError> {
        let mut records: Vec<StoredRecord> = Vec::new();
        for batch in Batches::new(self.bytes()).without_crc() {
            for record in &batch? {
                records.push(record?.into());
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
        self.copy_from(0, usize::MAX, self.end_position)
    }

    /// Appends the one batch that `records` must be, or tells why not.
    pub(super) fn append(
        &mut self,
        batch: &Bytes,
        leader_epoch: i32,
        rules: &AppendRules,
    ) -> Result<Appended, ErrorCode> {
        let header = BatchHeader::parse(batch).ok_or(ErrorCode::CORRUPT_MESSAGE)?;
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
        }
        let (header, batch) = match rules.append_time {
            Some(unix_ms) => stamp(batch, &header, unix_ms),
            None => (header, batch.clone()),
        };
        if header.producer_id >= 0 {
            let epoch = header.producer_epoch;
            let state = self
                .producers
                .entry(header.producer_id)
                .or_insert_with(|| ProducerState::new(epoch));
            state.record(&header, self.end_offset);
        }
        let base_offset = self.end_offset;
        self.push(header, &batch, leader_epoch);
        if rules.discard {
            self.batches.clear();
            self.start_offset = self.end_offset;
        }
        if let Some(limit) = rules.log_limit {
            self.shrink(limit);
        }
        Ok(Appended {
            base_offset,
            log_append_time: rules.append_time.unwrap_or(-1),
            duplicate: false,
        })
    }

    /// Appends a whole batch without a check; `None` if there is not even a header.
    pub(super) fn append_unchecked(&mut self, batch: &Bytes, leader_epoch: i32) -> Option<i64> {
        let header = BatchHeader::parse(batch)?;
        let base_offset = self.end_offset;
        self.push(header, batch, leader_epoch);
        Some(base_offset)
    }

    fn push(&mut self, mut header: BatchHeader, batch: &Bytes, leader_epoch: i32) {
        header.base_offset = self.end_offset;
        header.leader_epoch = leader_epoch;
        let position = self.end_position;
        self.end_offset = header.next_offset();
        self.end_position += batch.len() as u64;
        let batch = Stored {
            header,
            wire: batch.clone(),
            position,
        };
        if header.attributes & BatchHeader::TRANSACTIONAL != 0 {
            self.transactions.appended(&header, batch.is_abort_marker());
        }
        self.batches.push_back(batch);
        self.replicate();
    }

    /// Sets how many records followers are behind.
    pub(super) fn set_lag(&mut self, records: i64) {
        self.lag = records.max(0);
        self.replicate();
    }

    /// Sets whether too few replicas are in sync for the high watermark to move.
    pub(super) fn set_stalled(&mut self, yes: bool) {
        self.stalled = yes;
        self.replicate();
    }

    /// Followers have fetched what they may, by whole batches; the high watermark never goes back.
    fn replicate(&mut self) {
        if self.stalled {
            return;
        }
        let reached = match self.lag {
            0 => self.end_offset,
            lag => {
                let first_missing = self.find(self.end_offset.saturating_sub(lag));
                let batch = self.batches.get(first_missing);
                batch.map_or(self.end_offset, |b| b.header.base_offset)
            }
        };
        self.high_watermark = self.high_watermark.max(reached);
    }

    /// Cuts the log off at the batch that holds `offset`: that and all behind it are gone, and so is what is known of
    /// them.
    pub(super) fn truncate(&mut self, offset: i64) {
        let keep = self.find(offset.max(self.start_offset));
        let Some(first) = self.batches.get(keep) else {
            return;
        };
        (self.end_offset, self.end_position) = (first.header.base_offset, first.position);
        self.batches.truncate(keep);
        self.high_watermark = self.high_watermark.min(self.end_offset);
        self.epochs.retain(|(_, start)| *start <= self.end_offset);
        self.transactions.truncate(self.end_offset);
        // of a producer that wrote behind the cut, what is left of it is found in the log
        let end = self.end_offset;
        let reaching = self.producers.iter().filter(|(_, s)| s.reaches(end));
        let cut: BTreeSet<i64> = reaching.map(|(id, _)| *id).collect();
        self.producers.retain(|id, _| !cut.contains(id));
        for header in self.batches.iter().map(|b| &b.header) {
            if cut.contains(&header.producer_id) && !header.is_control() {
                let epoch = header.producer_epoch;
                let state = self.producers.entry(header.producer_id);
                let state = state.or_insert_with(|| ProducerState::new(epoch));
                state.record(header, header.base_offset);
            }
        }
    }

    /// The aborted transactions that a reader from `from` up to `until` has to know.
    pub(super) fn aborted_in(&self, from: i64, until: i64) -> impl Iterator<Item = &Aborted> {
        self.transactions.aborted_in(from, until)
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

    /// Drops batches from the front whose latest record is older than a time, as far as followers have them; one without a
    /// time ends it.
    pub(super) fn expire_before(&mut self, unix_ms: i64) {
        while let Some(header) = self.batches.front().map(|b| &b.header)
            && (0..unix_ms).contains(&header.max_timestamp)
            && header.next_offset() <= self.high_watermark
        {
            self.delete_before(header.next_offset());
        }
    }

    /// Drops the records that `keep` refuses, and leaves every other one its offset. Returns how many are gone.
    ///
    /// As the log cleaner does: what followers may not have, and the last batch below the high watermark, which stands for
    /// the active segment, are left alone; a batch keeps the
    /// range of offsets that it had, so there may be holes at its end; one without records is gone, unless it is the
    /// last of its producer, of which the bare header stays (`RecordBatch.RetainEmpty`). A batch that cannot be read is
    /// left as it is.
    pub(super) fn compact(&mut self, mut keep: impl FnMut(&StoredRecord) -> bool) -> usize {
        let old = std::mem::take(&mut self.batches);
        let mut last_of: BTreeMap<i64, usize> = BTreeMap::new();
        for (nth, batch) in old.iter().enumerate() {
            last_of.insert(batch.header.producer_id, nth);
        }
        let (mut position, mut gone) = (0, 0);
        for (nth, mut batch) in old.into_iter().enumerate() {
            if batch.header.next_offset() < self.high_watermark
                && let Some((header, wire)) = batch.compacted(&mut keep)
            {
                gone += (batch.header.record_count - header.record_count) as usize;
                let id = header.producer_id;
                let stays = header.record_count > 0 || id >= 0 && last_of.get(&id) == Some(&nth);
                if !stays {
                    continue;
                }
                (batch.header, batch.wire) = (header, wire);
            }
            batch.position = position;
            position += batch.wire.len() as u64;
            self.batches.push_back(batch);
        }
        self.end_position = position;
        gone
    }

    /// Forgets every producer, as when `producer.id.expiration.ms` has passed.
    pub(super) fn expire_producers(&mut self) {
        self.producers.clear();
    }

    /// How many bytes a consumer at `offset` could read, up to the offset `until`.
    pub(super) fn available(&self, offset: i64, until: i64) -> u64 {
        match self.batches.get(self.find(offset)) {
            Some(batch) => self.position_of(until).saturating_sub(batch.position),
            None => 0,
        }
    }

    /// Reads from the batch that holds `offset`, up to the last batch that ends before the offset `until`.
    ///
    /// As `LogSegment.read`: the last batch is cut where `max_bytes` ends. A first batch that would be cut is returned
    /// whole if `at_least_one`, otherwise nothing is.
    pub(super) fn read(
        &self,
        offset: i64,
        until: i64,
        max_bytes: usize,
        at_least_one: bool,
    ) -> Bytes {
        let first = self.find(offset);
        let end = self.position_of(until);
        let Some(batch) = self.batches.get(first).filter(|b| b.position < end) else {
            return Bytes::new();
        };
        let max_bytes = match batch.wire.len() {
            size if size <= max_bytes => max_bytes,
            size if at_least_one => size,
            _ => return Bytes::new(),
        };
        self.copy_from(first, max_bytes, end)
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

    /// Where the records of a leader epoch end, and under which epoch they were written; -1 and -1 if it is not known yet.
    pub(super) fn epoch_end(&self, epoch: i32) -> (i32, i64) {
        let latest = self.epochs.last().map_or(-1, |(latest, _)| *latest);
        if epoch == latest {
            return (epoch, self.end_offset);
        }
        let higher = self.epochs.partition_point(|(known, _)| *known <= epoch);
        match (higher.checked_sub(1), self.epochs.get(higher)) {
            (_, None) => (-1, -1),
            (None, Some((_, start))) => (epoch, *start),
            (Some(floor), Some((_, start))) => (self.epochs[floor].0, *start),
        }
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

    /// Where the batch begins that holds `offset`.
    fn position_of(&self, offset: i64) -> u64 {
        match self.batches.get(self.find(offset)) {
            Some(batch) => batch.position,
            None => self.end_position,
        }
    }

    fn copy_from(&self, first: usize, max_bytes: usize, end: u64) -> Bytes {
        let Some(batch) = self.batches.get(first) else {
            return Bytes::new();
        };
        let left = usize::try_from(end - batch.position).unwrap_or(usize::MAX);
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
    /// Whether this is the marker of an abort.
    fn is_abort_marker(&self) -> bool {
        let batch = Batches::new(self.wire.clone()).without_crc().next();
        let Some(Ok(batch)) = batch.filter(|_| self.header.is_control()) else {
            return false;
        };
        let first = batch.iter().next().and_then(Result::ok);
        // version, type: 0 is abort
        first.is_some_and(|marker| marker.key.is_some_and(|key| key.ends_with(&[0, 0])))
    }

    /// The batch without the records that are not kept; `None` if all are, or if it cannot be read.
    fn compacted(
        &self,
        mut keep: impl FnMut(&StoredRecord) -> bool,
    ) -> Option<(BatchHeader, Bytes)> {
        let batch = Batches::new(self.wire.clone()).without_crc().next()?.ok()?;
        let mut body = Vec::with_capacity(batch.body().len());
        let mut rest = &batch.body()[..];
        let mut kept = 0;
        for record in &batch {
            let mut record = StoredRecord::from(record.ok()?);
            record.offset += self.header.base_offset;
            let encoded = take_record(&mut rest)?;
            if keep(&record) {
                // its offset and time count from the batch's, which stay
                body.extend_from_slice(encoded);
                kept += 1;
            }
        }
        if kept == self.header.record_count {
            return None;
        }
        let body = match Compression::from_code(self.header.codec() as i8)? {
            Compression::None => body,
            _ if kept == 0 => body,
            codec => Codecs::new().compress(codec, &body).ok()?.to_vec(),
        };
        let mut header = self.header;
        header.record_count = kept;
        // as it came: offset and leader epoch are put in when the batch is read
        let mut wire_header = header;
        (wire_header.base_offset, wire_header.leader_epoch) = (0, -1);
        let wire = [&wire_header.write(&body)[..], &body].concat();
        let header = BatchHeader::parse(&wire).map(|written| BatchHeader {
            base_offset: header.base_offset,
            leader_epoch: header.leader_epoch,
            ..written
        })?;
        Some((header, wire.into()))
    }

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

/// The next encoded record of a body, its length included.
fn take_record<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (mut length, mut shift, mut at) = (0u64, 0, 0);
    loop {
        let byte = *rest.get(at)?;
        at += 1;
        length |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
        shift += 7;
        if shift > 28 {
            return None;
        }
    }
    // zigzag, and never negative
    let end = at.checked_add(usize::try_from(length >> 1).ok()?)?;
    let (record, after) = rest.split_at_checked(end)?;
    *rest = after;
    Some(record)
}
