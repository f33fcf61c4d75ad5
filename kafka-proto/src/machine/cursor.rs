//! Where a reader stands in one partition, and what it has fetched ahead.
//!
//! Every question that a cursor asks carries a [`Ticket`]. What changes the position voids all tickets, so that an answer
//! to an older question is dropped by construction (fault 51). The position after a batch is
//! `base offset + last offset delta + 1` of the last complete batch, never "last record + 1" (fault 18).

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::Now;
use crate::{
    api::fetch::PartitionData,
    config::{OffsetReset, StartOffset},
    error::{Error, ErrorCode, ErrorKind},
    record::next_offset,
};

/// Proof that an answer belongs to the cursor's present state.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ticket(u64);

/// What a fetch of one partition asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FetchAt {
    /// The first offset wanted.
    pub offset: i64,
    /// The epoch of the leader that is asked; -1 if unknown.
    pub leader_epoch: i32,
    /// The most bytes.
    pub max_bytes: i32,
}

/// What was fetched and not read yet.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The `records` field: whole batches, of which the last may be cut.
    pub records: Bytes,
    /// Records before this offset were not asked for.
    pub from: i64,
    /// The offset after the last whole batch.
    pub next: i64,
    /// The partition's high watermark at that time.
    pub high_watermark: i64,
}

/// What the owner of a cursor does after an answer.
#[derive(Debug)]
pub enum Verdict {
    /// Messages are there: wake the reader.
    Ready,
    /// Go on asking.
    Again,
    /// Ask for the leader first.
    Elsewhere,
    /// Tell the reader.
    Failed(Error),
}

/// The position in one partition.
#[derive(Debug)]
pub struct Cursor {
    ticket: u64,
    state: State,
    reset: OffsetReset,
    max_bytes: i32,
    /// Raised when a batch did not fit; never lowered.
    grown_bytes: i32,
    leader_epoch: i32,
    high_watermark: Option<i64>,
    buffered: VecDeque<Fetched>,
    buffered_bytes: usize,
    retry_at: Option<Instant>,
    failures: u32,
    corrupt_at: Option<i64>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Waits for ListOffsets to say where this is.
    ExpectOffset(StartOffset),
    /// Fetches from here.
    Fetching(i64),
    /// Waits for a seek: the offset is not in the log, and nobody said what to do then.
    Stopped,
}

impl Cursor {
    /// A cursor that begins at `start`.
    pub fn new(start: StartOffset, reset: OffsetReset, max_bytes: i32) -> Self {
        Self {
            ticket: 0,
            state: State::at(start),
            reset,
            max_bytes,
            grown_bytes: max_bytes,
            leader_epoch: -1,
            high_watermark: None,
            buffered: VecDeque::new(),
            buffered_bytes: 0,
            retry_at: None,
            failures: 0,
            corrupt_at: None,
        }
    }

    /// Goes on at `start`; what was fetched ahead is dropped. Returns the bytes that this frees.
    pub fn seek(&mut self, start: StartOffset) -> usize {
        self.state = State::at(start);
        self.retry_at = None;
        self.corrupt_at = None;
        self.void()
    }

    /// Has another leader from now on: answers of the old one no longer count, what it sent stays.
    pub fn assign(&mut self, leader_epoch: i32) {
        self.ticket += 1;
        self.leader_epoch = leader_epoch;
        self.retry_at = None;
    }

    /// The question for an offset, if one is to be asked now: the timestamp of ListOffsets.
    pub fn wants_offset(&self, now: Instant) -> Option<(i64, i32, Ticket)> {
        let State::ExpectOffset(start) = self.state else {
            return None;
        };
        let timestamp = match start {
            StartOffset::First => -2,
            StartOffset::Time(at) => at,
            _ => -1,
        };
        (!self.is_pausing(now)).then_some((timestamp, self.leader_epoch, Ticket(self.ticket)))
    }

    /// The question for records, if some are wanted now: not while enough is buffered.
    pub fn wants_fetch(&self, now: Instant) -> Option<(FetchAt, Ticket)> {
        let State::Fetching(offset) = self.state else {
            return None;
        };
        if self.is_pausing(now) || self.buffered_bytes >= self.max_bytes as usize {
            return None;
        }
        let at = FetchAt {
            offset,
            leader_epoch: self.leader_epoch,
            max_bytes: self.grown_bytes,
        };
        Some((at, Ticket(self.ticket)))
    }

    /// When a pause ends.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Takes the answer to [`Cursor::wants_offset`].
    pub fn handle_offset(
        &mut self,
        ticket: Ticket,
        answer: Result<i64, ErrorCode>,
        now: Now,
        pause: impl FnOnce(u32) -> Duration,
    ) -> Verdict {
        if ticket.0 != self.ticket {
            return Verdict::Again;
        }
        match answer {
            Ok(offset) if offset >= 0 => {
                self.state = State::Fetching(offset);
                self.failures = 0;
                Verdict::Again
            }
            // no message is as young as the time that was asked for
            Ok(_) if matches!(self.state, State::ExpectOffset(StartOffset::Time(_))) => {
                self.state = State::ExpectOffset(StartOffset::Last);
                Verdict::Again
            }
            // an offset that is not there must never turn into 0 (fault 52)
            Ok(_) => self.fail(ErrorCode::UNKNOWN_SERVER_ERROR, "the offset", now, pause),
            Err(code) => self.fail(code, "the offset", now, pause),
        }
    }

    /// Takes the answer to [`Cursor::wants_fetch`].
    pub fn handle_fetched(
        &mut self,
        ticket: Ticket,
        answer: &mut PartitionData,
        now: Now,
        pause: impl FnOnce(u32) -> Duration,
    ) -> Verdict {
        let State::Fetching(from) = self.state else {
            return Verdict::Again;
        };
        if ticket.0 != self.ticket {
            return Verdict::Again;
        }
        match ErrorCode(answer.error_code) {
            ErrorCode::NONE => {}
            ErrorCode::OFFSET_OUT_OF_RANGE => return self.out_of_range(from),
            code => return self.fail(code, "the fetch", now, pause),
        }
        self.failures = 0;
        self.retry_at = None;
        self.high_watermark = Some(answer.high_watermark);
        let records = answer.records.take().unwrap_or_default();
        if records.is_empty() {
            return Verdict::Again;
        }
        // a batch that is damaged is found again, with what is good before it, when the reader gets there
        let next = match next_offset(&records) {
            Ok(Some(next)) => next,
            Ok(None) if self.grow() => return Verdict::Again,
            Ok(None) => {
                let message = format!("the batch at offset {from} is larger than any fetch");
                return Verdict::Failed(Error::new(ErrorKind::Corrupt, message));
            }
            Err(_) => from,
        };
        let next = next.max(from);
        self.state = State::Fetching(next);
        self.buffered_bytes += records.len();
        self.buffered.push_back(Fetched {
            records,
            from,
            next,
            high_watermark: answer.high_watermark,
        });
        Verdict::Ready
    }

    /// The reader found damage at `position`: fetch it again. Returns whether that has been tried before, and the bytes
    /// freed.
    pub fn handle_corrupt(&mut self, position: i64, now: Now, pause: Duration) -> (bool, usize) {
        let again = self.corrupt_at == Some(position);
        self.corrupt_at = Some(position);
        self.state = State::Fetching(position);
        self.retry_at = Some(now.instant + pause);
        (again, self.void())
    }

    /// Hands out what was fetched first.
    pub fn take(&mut self) -> Option<Fetched> {
        let fetched = self.buffered.pop_front()?;
        self.buffered_bytes -= fetched.records.len();
        Some(fetched)
    }

    /// Whether something is buffered.
    pub fn has_buffered(&self) -> bool {
        !self.buffered.is_empty()
    }

    /// Bytes that were fetched and not handed out.
    pub fn buffered_bytes(&self) -> usize {
        self.buffered_bytes
    }

    /// Whether the last answer said that nothing is there yet: a broker parks a fetch of such partitions alone.
    pub fn is_at_end(&self) -> bool {
        match (&self.state, self.high_watermark) {
            (State::Fetching(offset), Some(end)) => *offset >= end,
            _ => false,
        }
    }

    /// The high watermark that the last answer named.
    pub fn high_watermark(&self) -> Option<i64> {
        self.high_watermark
    }

    fn is_pausing(&self, now: Instant) -> bool {
        self.retry_at.is_some_and(|at| at > now)
    }

    /// Voids tickets and drops the buffer.
    fn void(&mut self) -> usize {
        self.ticket += 1;
        self.buffered.clear();
        std::mem::take(&mut self.buffered_bytes)
    }

    fn grow(&mut self) -> bool {
        let grown = self.grown_bytes.saturating_mul(2);
        let grew = grown > self.grown_bytes && grown < 1 << 30;
        if grew {
            self.grown_bytes = grown;
        }
        grew
    }

    fn out_of_range(&mut self, offset: i64) -> Verdict {
        self.ticket += 1;
        let start = match self.reset {
            OffsetReset::First => StartOffset::First,
            OffsetReset::Last => StartOffset::Last,
            OffsetReset::Error => {
                self.state = State::Stopped;
                let message =
                    format!("offset {offset} is not in the log, and no reset policy is set");
                return Verdict::Failed(Error::new(ErrorKind::OffsetOutOfRange, message));
            }
        };
        self.state = State::ExpectOffset(start);
        Verdict::Again
    }

    fn fail(
        &mut self,
        code: ErrorCode,
        doing: &str,
        now: Now,
        pause: impl FnOnce(u32) -> Duration,
    ) -> Verdict {
        self.failures += 1;
        self.retry_at = Some(now.instant + pause(self.failures));
        match code {
            code if code.refreshes_metadata() => Verdict::Elsewhere,
            code if code.is_retriable() => Verdict::Again,
            code => Verdict::Failed(Error::refused(code, doing, None)),
        }
    }
}

impl State {
    fn at(start: StartOffset) -> Self {
        match start {
            StartOffset::At(offset) => Self::Fetching(offset),
            start => Self::ExpectOffset(start),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{BatchBuilder, Record};

    const PAUSE: fn(u32) -> Duration = |_| Duration::from_millis(100);

    #[allow(
        clippy::disallowed_methods,
        reason = "tests need a moment to begin with"
    )]
    fn now() -> Now {
        Now {
            instant: Instant::now(),
            unix_ms: 0,
        }
    }

    fn answer(code: ErrorCode, records: Bytes) -> PartitionData {
        PartitionData::build(|p| {
            (p.error_code, p.high_watermark) = (code.0, 100);
            p.records = Some(records);
        })
    }

    /// A batch at `base` whose last record was compacted away.
    fn batch(base: i64) -> Bytes {
        let mut builder = BatchBuilder::new(Vec::new());
        builder.push(&Record::new("v"), 0);
        let (mut header, body) = builder.finish();
        header.base_offset = base;
        header.last_offset_delta = 4;
        [&header.write(&body)[..], &body].concat().into()
    }

    #[test]
    fn the_position_follows_the_last_complete_batch_not_the_last_record() {
        let mut cursor = Cursor::new(StartOffset::At(3), OffsetReset::Error, 10_000);
        let (at, ticket) = cursor.wants_fetch(now().instant).expect("wanted");
        assert_eq!(at.offset, 3);
        let cut = [&batch(0)[..], &batch(5)[..], &batch(10)[..30]]
            .concat()
            .into();
        assert!(matches!(
            cursor.handle_fetched(ticket, &mut answer(ErrorCode::NONE, cut), now(), PAUSE),
            Verdict::Ready
        ));
        assert_eq!(
            cursor.wants_fetch(now().instant).expect("wanted").0.offset,
            10
        );
        let fetched = cursor.take().expect("buffered");
        assert_eq!((fetched.from, fetched.next), (3, 10));
    }

    /// Fault 51.
    #[test]
    fn an_answer_from_before_a_seek_is_dropped() {
        let mut cursor = Cursor::new(StartOffset::At(0), OffsetReset::Error, 10_000);
        let (_, old) = cursor.wants_fetch(now().instant).expect("wanted");
        cursor.seek(StartOffset::At(50));
        let late = &mut answer(ErrorCode::NONE, batch(0));
        assert!(matches!(
            cursor.handle_fetched(old, late, now(), PAUSE),
            Verdict::Again
        ));
        assert!(!cursor.has_buffered());
        assert_eq!(
            cursor.wants_fetch(now().instant).expect("wanted").0.offset,
            50
        );
    }

    #[test]
    fn nothing_more_is_wanted_while_enough_is_buffered() {
        let mut cursor = Cursor::new(StartOffset::At(0), OffsetReset::Error, 50);
        let (_, ticket) = cursor.wants_fetch(now().instant).expect("wanted");
        cursor.handle_fetched(ticket, &mut answer(ErrorCode::NONE, batch(0)), now(), PAUSE);
        assert!(cursor.wants_fetch(now().instant).is_none());
        cursor.take();
        assert!(cursor.wants_fetch(now().instant).is_some());
    }

    /// Fault 52: nothing turns a missing offset into 0.
    #[test]
    fn an_offset_is_asked_for_until_it_is_there() {
        let mut cursor = Cursor::new(StartOffset::Time(77), OffsetReset::Error, 50);
        let now = now();
        let (timestamp, _, ticket) = cursor.wants_offset(now.instant).expect("wanted");
        assert_eq!(timestamp, 77);
        cursor.handle_offset(ticket, Ok(-1), now, PAUSE);
        let (timestamp, _, ticket) = cursor.wants_offset(now.instant).expect("wanted");
        assert_eq!(timestamp, -1, "none is as young: the end");
        let verdict =
            cursor.handle_offset(ticket, Err(ErrorCode::NOT_LEADER_OR_FOLLOWER), now, PAUSE);
        assert!(matches!(verdict, Verdict::Elsewhere));
        assert!(cursor.wants_offset(now.instant).is_none(), "the pause");
        cursor.assign(3);
        let (_, epoch, ticket) = cursor.wants_offset(now.instant).expect("wanted");
        assert_eq!(epoch, 3);
        assert!(matches!(
            cursor.handle_offset(ticket, Ok(-1), now, PAUSE),
            Verdict::Failed(_)
        ));
        assert!(cursor.wants_fetch(now.instant).is_none());
    }

    /// Fault 47.
    #[test]
    fn an_offset_out_of_range_follows_the_policy() {
        for (reset, timestamp) in [(OffsetReset::First, -2), (OffsetReset::Last, -1)] {
            let mut cursor = Cursor::new(StartOffset::At(9), reset, 50);
            let (_, ticket) = cursor.wants_fetch(now().instant).expect("wanted");
            let gone = &mut answer(ErrorCode::OFFSET_OUT_OF_RANGE, Bytes::new());
            cursor.handle_fetched(ticket, gone, now(), PAUSE);
            assert_eq!(
                cursor.wants_offset(now().instant).expect("wanted").0,
                timestamp
            );
        }
        let mut cursor = Cursor::new(StartOffset::At(9), OffsetReset::Error, 50);
        let (_, ticket) = cursor.wants_fetch(now().instant).expect("wanted");
        let gone = &mut answer(ErrorCode::OFFSET_OUT_OF_RANGE, Bytes::new());
        let Verdict::Failed(error) = cursor.handle_fetched(ticket, gone, now(), PAUSE) else {
            panic!("told")
        };
        assert_eq!(error.kind(), ErrorKind::OffsetOutOfRange);
        assert!(
            cursor.wants_fetch(now().instant).is_none(),
            "stays until a seek"
        );
        cursor.seek(StartOffset::At(0));
        assert!(cursor.wants_fetch(now().instant).is_some());
    }

    /// Fault 15: no livelock on a batch that does not fit.
    #[test]
    fn a_batch_larger_than_the_limit_raises_it_and_ends_in_an_error() {
        let mut cursor = Cursor::new(StartOffset::At(0), OffsetReset::Error, 1 << 20);
        for _ in 0..20 {
            let (_, ticket) = cursor.wants_fetch(now().instant).expect("wanted");
            let cut = batch(0).slice(..40);
            match cursor.handle_fetched(ticket, &mut answer(ErrorCode::NONE, cut), now(), PAUSE) {
                Verdict::Again => continue,
                Verdict::Failed(error) => return assert_eq!(error.kind(), ErrorKind::Corrupt),
                verdict => panic!("{verdict:?}"),
            }
        }
        panic!("an error in the end");
    }

    /// Fault 14: damage in transit is cured by fetching again; damage on disk is told the second time.
    #[test]
    fn damage_is_fetched_again_once_before_it_is_told() {
        let mut cursor = Cursor::new(StartOffset::At(0), OffsetReset::Error, 10_000);
        let now = now();
        let fetch = |cursor: &mut Cursor, bytes| {
            let (_, ticket) = cursor.wants_fetch(now.instant).expect("wanted");
            cursor.handle_fetched(ticket, &mut answer(ErrorCode::NONE, bytes), now, PAUSE);
        };
        fetch(&mut cursor, batch(0));
        assert!(!cursor.handle_corrupt(5, now, Duration::ZERO).0);
        // the headers are good, so that the position goes on until the reader looks again
        fetch(&mut cursor, batch(5));
        assert!(cursor.handle_corrupt(5, now, Duration::ZERO).0);
        assert_eq!(cursor.wants_fetch(now.instant).expect("wanted").0.offset, 5);
    }
}
