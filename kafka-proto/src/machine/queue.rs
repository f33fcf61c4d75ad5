//! One partition of a producer session: the batches that are not resolved, in sequence order.
//!
//! The queue owns every batch from its first record to its outcome; a link holds an id and shares of the bytes. It outlives
//! leaders. What it promises, for one partition and one session:
//!
//! - batches reach the log in the order of their records, each at most once;
//! - sequence numbers are fixed when a batch is first handed out and never change while it may be in the log;
//! - each batch resolves once: written, certainly not written, or unknown (it left whole, and no answer came).
//!
//! Sources: KIP-98, KIP-360; KAFKA-12152, KAFKA-14397; faults 1, 2, 5, 30, 33.

use std::{collections::VecDeque, time::Instant};

use bytes::Bytes;

use super::{Now, earlier, producer::ProducerId};
use crate::{
    error::{Error, ErrorCode, ErrorKind, Outcome},
    record::{BatchBuilder, BatchHeader, Record, sequence_after},
};

/// What a queue goes by; the same for all queues of a session.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most bytes of a batch, its header included.
    pub batch_bytes: usize,
    /// How long an open batch waits for more when nobody waits for it.
    pub linger: std::time::Duration,
    /// From the first record of a batch to its outcome.
    pub delivery_timeout: std::time::Duration,
    /// Batches in flight: 5 with idempotence (what a broker remembers), 1 without.
    pub in_flight: usize,
    /// Whether batches carry producer id and sequence.
    pub idempotent: bool,
}

/// A batch of one queue.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct BatchId(u64);

/// Everything about one partition's unresolved batches. `R` is what the owner attaches to find its waiters again.
#[derive(Debug)]
pub struct Queue<R> {
    limits: Limits,
    /// The id and epoch that sequence numbers count under; changes only when nothing sequenced may be in the log.
    producer: Option<ProducerId>,
    next_sequence: i32,
    /// The broker has taken a batch under this id and epoch. Until then one is in flight: a broker without state takes any
    /// number from a producer that it does not know (`ProducerAppendInfo`), so a second batch could be written without
    /// the first.
    confirmed: bool,
    batches: VecDeque<Queued<R>>,
    /// Batches before this place have been handed out since the last rewind.
    drain: usize,
    in_flight: usize,
    next_id: u64,
    /// A batch failed in a way that allows a retry: nothing leaves until all in flight are back, then all start over.
    rewind: bool,
    retry_at: Option<Instant>,
    failures: u32,
    /// This sequenced batch was given up or refused for its number, and nothing behind it is known to be written: sequence
    /// numbers have a gap.
    gap: Option<BatchId>,
    resolved: VecDeque<Resolved<R>>,
}

#[derive(Debug)]
struct Queued<R> {
    id: BatchId,
    content: Content,
    count: i32,
    sequence: Option<i32>,
    in_flight: bool,
    /// An attempt left whole for a broker and its answer never came.
    maybe_written: bool,
    /// Given up while in flight: its waiters know already, its answer still tells whether there is a gap.
    given_up: bool,
    urgent: bool,
    created: Instant,
    /// When it was first handed out.
    left: Option<Instant>,
    attempts: u32,
    deadline: Instant,
    receipts: Vec<R>,
}

#[derive(Debug)]
enum Content {
    Open(BatchBuilder),
    Sealed { header: BatchHeader, body: Bytes },
}

/// A batch to send: a header of its own and a body that is shared by all attempts.
#[derive(Clone, Debug)]
pub struct Drained {
    /// To be named with the outcome.
    pub id: BatchId,
    /// Complete but for checksum and length, which `BatchHeader::write` makes.
    pub header: BatchHeader,
    /// The records.
    pub body: Bytes,
}

/// The end of a batch.
#[derive(Debug)]
pub struct Resolved<R> {
    /// What was attached, in order.
    pub receipts: Vec<R>,
    /// What became of all its records.
    pub result: Result<BatchWritten, Error>,
    /// The header as last sent.
    pub header: BatchHeader,
    /// The records, for reuse of the memory or to hand them back.
    pub body: Bytes,
    /// When its first record came.
    pub created: Instant,
    /// When it was first handed out.
    pub left: Option<Instant>,
    /// How often it was handed out.
    pub attempts: u32,
}

/// Where a batch went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BatchWritten {
    /// The offset of the first record, if the broker said it.
    pub base_offset: Option<i64>,
    /// The broker's time, on topics with LogAppendTime.
    pub append_time: Option<i64>,
}

/// What the owner of a queue has to do after a failure.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Nothing: the batch resolved.
    Resolved,
    /// It will be sent again at the same leader.
    Retry,
    /// It will be sent again; ask for the leader first.
    RetryElsewhere,
}

impl<R> Queue<R> {
    /// An empty queue.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            producer: None,
            next_sequence: 0,
            confirmed: false,
            batches: VecDeque::new(),
            drain: 0,
            in_flight: 0,
            next_id: 0,
            rewind: false,
            retry_at: None,
            failures: 0,
            gap: None,
            resolved: VecDeque::new(),
        }
    }

    /// Whether `record` fits the open batch; if not, [`Queue::open`] comes before the push.
    #[inline]
    pub fn fits(&self, record: &Record<'_>) -> bool {
        match self.batches.back().map(|b| &b.content) {
            Some(Content::Open(builder)) => {
                BatchHeader::SIZE + builder.len() + BatchBuilder::size_bound(record)
                    <= self.limits.batch_bytes
            }
            _ => false,
        }
    }

    /// Starts a batch in `buffer`; the one before it is full.
    pub fn open(&mut self, buffer: Vec<u8>, now: Now) {
        let id = BatchId(self.next_id);
        self.next_id += 1;
        self.batches.push_back(Queued {
            id,
            content: Content::Open(BatchBuilder::new(buffer)),
            count: 0,
            sequence: None,
            in_flight: false,
            maybe_written: false,
            given_up: false,
            urgent: false,
            created: now.instant,
            left: None,
            attempts: 0,
            deadline: now.instant + self.limits.delivery_timeout,
            receipts: Vec::new(),
        });
    }

    /// Encodes a record into the open batch and returns its place there.
    ///
    /// # Errors
    ///
    /// No batch is open: a misuse that loses nothing.
    #[inline]
    pub fn push(&mut self, record: &Record<'_>, now: Now) -> Option<i32> {
        let batch = self.batches.back_mut()?;
        let Content::Open(builder) = &mut batch.content else {
            return None;
        };
        builder.push(record, now.unix_ms);
        batch.count += 1;
        Some(batch.count - 1)
    }

    /// Attaches to the open batch what is handed back with its outcome. `urgent`: somebody waits, so linger ends.
    pub fn attach(&mut self, receipt: R, urgent: bool) {
        if let Some(batch) = self.batches.back_mut() {
            batch.receipts.push(receipt);
            batch.urgent |= urgent;
        }
    }

    /// Attaches to the youngest batch, open or not, what is handed back with its outcome.
    pub fn attach_last(&mut self, receipt: R) {
        if let Some(batch) = self.batches.back_mut() {
            batch.receipts.push(receipt);
        }
    }

    /// Ends linger for all that is queued.
    pub fn flush(&mut self) {
        self.batches.iter_mut().for_each(|b| b.urgent = true);
    }

    /// Whether nothing is unresolved.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Records that were accepted and whose outcome nobody knows yet.
    pub fn pending(&self) -> usize {
        let waiting = self.batches.iter().filter(|b| !b.given_up);
        waiting.map(|b| b.count as usize).sum()
    }

    /// Batches that were handed out and not answered.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Whether a batch waits that may be handed out now or after a pause, so that a link should look at it.
    pub fn has_more(&self) -> bool {
        !self.rewind && self.in_flight < self.window() && self.drain < self.batches.len()
    }

    /// The id and epoch that this queue waits to leave behind: its sequence numbers have a gap.
    pub fn wants_bump(&self) -> Option<ProducerId> {
        let stuck = self.gap.is_some()
            && self.in_flight == 0
            && !self.batches.iter().any(|b| b.maybe_written);
        self.producer.filter(|_| stuck)
    }

    /// Whether [`Queue::poll_batch`] would yield something, given a producer id that it can use.
    pub fn is_ready(&self, now: Instant) -> bool {
        self.next_batch(now).is_some()
    }

    /// The next batch to send, as `producer` if idempotence is on. Waits for nothing that is in flight but rewinds.
    pub fn poll_batch(&mut self, producer: Option<ProducerId>, now: Instant) -> Option<Drained> {
        let at = self.next_batch(now)?;
        if self.limits.idempotent {
            self.adopt(producer?);
            // in a gap, only what may be in the log is asked about again, under its old number
            if self.gap.is_some() && !self.batches[at].maybe_written {
                return None;
            }
        }
        let producer = self.producer;
        let batch = &mut self.batches[at];
        if let Content::Open(builder) = &mut batch.content {
            let (header, body) = std::mem::replace(builder, BatchBuilder::new(Vec::new())).finish();
            batch.content = Content::Sealed {
                header,
                body: body.into(),
            };
        }
        let Content::Sealed { header, body } = &mut batch.content else {
            return None;
        };
        if let Some(producer) = producer {
            let sequence = *batch.sequence.get_or_insert_with(|| {
                let sequence = self.next_sequence;
                self.next_sequence = sequence_after(sequence, batch.count);
                sequence
            });
            header.producer_id = producer.id;
            header.producer_epoch = producer.epoch;
            header.base_sequence = sequence;
        }
        batch.in_flight = true;
        batch.left.get_or_insert(now);
        batch.attempts += 1;
        self.in_flight += 1;
        self.drain = at + 1;
        Some(Drained {
            id: batch.id,
            header: *header,
            body: body.clone(),
        })
    }

    /// Whether the next batch need not linger: somebody waits for it, or it is full. A pause may hold it all the same.
    pub fn ends_linger(&self) -> bool {
        self.drain < self.batches.len() && self.may_leave(self.drain)
    }

    /// When something may be ready that is not now: the end of linger or of a pause.
    pub fn poll_ready_at(&self, now: Instant) -> Option<Instant> {
        if self.rewind || self.in_flight >= self.window() {
            return None;
        }
        let batch = self.batches.get(self.drain)?;
        let open_until = (!self.may_leave(self.drain)).then(|| batch.created + self.limits.linger);
        self.retry_at.max(open_until).filter(|at| *at > now)
    }

    /// The broker has written a batch.
    pub fn handle_written(&mut self, id: BatchId, written: BatchWritten) {
        let Some(at) = self.returned(id) else { return };
        // a broker takes a batch only if it has the one before it
        self.gap = self.gap.filter(|gap| *gap > id);
        self.failures = 0;
        self.confirmed = true;
        self.resolve(at, Ok(written));
        self.settle();
    }

    /// The broker has refused a batch. `pause`: how long to wait before a retry, by the number of failures in a row.
    pub fn handle_refused(
        &mut self,
        id: BatchId,
        code: ErrorCode,
        said: Option<&str>,
        now: Now,
        pause: impl FnOnce(u32) -> std::time::Duration,
    ) -> Verdict {
        if code == ErrorCode::DUPLICATE_SEQUENCE_NUMBER {
            self.handle_written(
                id,
                BatchWritten {
                    base_offset: None,
                    append_time: None,
                },
            );
            return Verdict::Resolved;
        }
        let Some(at) = self.returned(id) else {
            return Verdict::Resolved;
        };
        let first = !self.batches.iter().take(at).any(|b| b.sequence.is_some());
        let batch = &mut self.batches[at];
        let verdict = match code {
            // not the next number: because something before it is missing, which is being sent again
            ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER if !first => Verdict::Retry,
            ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
            | ErrorCode::UNKNOWN_PRODUCER_ID
            | ErrorCode::INVALID_PRODUCER_EPOCH
                if self.limits.idempotent =>
            {
                self.gap = self.gap.max(Some(id));
                match batch.maybe_written {
                    // the broker has forgotten us, so it cannot tell whether it had this batch
                    true => Verdict::Resolved,
                    false => Verdict::Retry,
                }
            }
            code if code.refreshes_metadata() => Verdict::RetryElsewhere,
            code if code.is_retriable() => Verdict::Retry,
            _ => Verdict::Resolved,
        };
        // written at the leader, not enough copies: if the retry never succeeds, nobody knows
        batch.maybe_written |= matches!(
            code,
            ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND | ErrorCode::REQUEST_TIMED_OUT
        );
        if verdict == Verdict::Resolved || batch.given_up {
            let error = Error::refused(code, "the batch", said);
            self.give_up(at, error);
            self.settle();
            return Verdict::Resolved;
        }
        if self.gap == Some(id) {
            self.none_written_after(at);
        }
        self.failures += 1;
        self.retry_at = Some(now.instant + pause(self.failures));
        self.rewind = true;
        self.settle();
        verdict
    }

    /// The connection ended before the answer; `sent`: all bytes of the request had left.
    pub fn handle_lost(&mut self, id: BatchId, sent: bool) {
        let Some(at) = self.returned(id) else { return };
        // a broker that has refused a batch takes nothing behind it
        let refused = |b: &Queued<R>| b.sequence.is_some() && !b.in_flight && !b.maybe_written;
        let blocked = self.batches.iter().take(at).any(refused);
        self.batches[at].maybe_written |= sent && !blocked;
        if self.batches[at].given_up {
            self.give_up(at, Error::closed());
        } else {
            self.rewind = true;
        }
        self.settle();
    }

    /// Batches in flight whose time is over: the owner finds out whether they left and calls [`Queue::expire`].
    pub fn overdue(&self, now: Instant) -> impl Iterator<Item = BatchId> {
        self.batches
            .iter()
            .filter(move |b| b.in_flight && !b.given_up && b.deadline <= now)
            .map(|b| b.id)
    }

    /// All batches in flight that are not given up.
    pub fn outstanding(&self) -> impl Iterator<Item = BatchId> {
        self.batches
            .iter()
            .filter(|b| b.in_flight && !b.given_up)
            .map(|b| b.id)
    }

    /// Gives up a batch in flight that left whole: its outcome is unknown, and it is never sent again.
    pub fn expire(&mut self, id: BatchId, error: Error) {
        let Some(at) = self
            .batches
            .iter()
            .position(|b| b.id == id && b.in_flight && !b.given_up)
        else {
            return;
        };
        self.batches[at].given_up = true;
        self.report(at, Err(error.with_outcome(Outcome::Unknown)));
    }

    /// Resolves what is not in flight and whose time is over.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(at) = self
            .batches
            .iter()
            .position(|b| !b.in_flight && b.deadline <= now)
        {
            let unknown = self.batches[at].maybe_written;
            self.give_up(
                at,
                timed_out(if unknown {
                    Outcome::Unknown
                } else {
                    Outcome::NotWritten
                }),
            );
        }
        self.settle();
    }

    /// Gives up everything that is not in flight, because `error` ended the session. What is in flight follows as it
    /// comes back.
    pub fn abandon(&mut self, error: &Error) {
        while let Some(at) = self.batches.iter().position(|b| !b.in_flight) {
            self.give_up(at, error.clone());
        }
        self.settle();
    }

    /// The earliest deadline.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.batches
            .iter()
            .filter(|b| !b.given_up)
            .map(|b| b.deadline)
            .fold(None, |a, b| earlier(a, Some(b)))
    }

    /// The next outcome.
    pub fn poll_resolved(&mut self) -> Option<Resolved<R>> {
        self.resolved.pop_front()
    }

    /// The place of the batch that may leave now.
    fn next_batch(&self, now: Instant) -> Option<usize> {
        let blocked = self.rewind
            || self.in_flight >= self.window()
            || self.retry_at.is_some_and(|at| at > now)
            || self.batches.iter().take(self.drain).any(|b| b.given_up);
        let batch = self.batches.get(self.drain).filter(|_| !blocked)?;
        (self.may_leave(self.drain) || batch.created + self.limits.linger <= now)
            .then_some(self.drain)
    }

    /// How many batches may be in flight now.
    fn window(&self) -> usize {
        if self.limits.idempotent && !self.confirmed {
            1
        } else {
            self.limits.in_flight
        }
    }

    fn may_leave(&self, at: usize) -> bool {
        let batch = &self.batches[at];
        batch.urgent
            || at + 1 < self.batches.len()
            || matches!(batch.content, Content::Sealed { .. })
    }

    /// Takes over `producer`, unless numbers under the old one may still be in the log.
    fn adopt(&mut self, producer: ProducerId) {
        if self.producer == Some(producer)
            || self.in_flight > 0
            || self.batches.iter().any(|b| b.maybe_written)
        {
            return;
        }
        self.producer = Some(producer);
        self.next_sequence = 0;
        self.confirmed = false;
        self.gap = None;
        self.batches.iter_mut().for_each(|b| b.sequence = None);
    }

    /// A batch came back from a link.
    fn returned(&mut self, id: BatchId) -> Option<usize> {
        let at = self.batches.binary_search_by_key(&id, |b| b.id).ok()?;
        let batch = &mut self.batches[at];
        if !std::mem::replace(&mut batch.in_flight, false) {
            return None;
        }
        self.in_flight -= 1;
        Some(at)
    }

    /// Removes a batch that will not be sent again.
    fn give_up(&mut self, at: usize, error: Error) {
        let batch = &self.batches[at];
        let (id, unknown) = (batch.id, batch.maybe_written);
        if batch.sequence.is_some() {
            self.gap = self.gap.max(Some(id));
            if !unknown {
                self.none_written_after(at);
            }
        }
        let outcome = if unknown {
            Outcome::Unknown
        } else {
            Outcome::NotWritten
        };
        self.resolve(at, Err(error.with_outcome(outcome)));
    }

    /// The broker never took the batch `at`, so it refused all later numbers, whatever became of its answers.
    fn none_written_after(&mut self, at: usize) {
        self.batches
            .iter_mut()
            .skip(at + 1)
            .for_each(|b| b.maybe_written = false);
    }

    fn resolve(&mut self, at: usize, result: Result<BatchWritten, Error>) {
        // one that was given up has reported; a flush may have come to wait for it since
        if !self.batches[at].given_up || !self.batches[at].receipts.is_empty() {
            self.report(at, result);
        }
        self.batches.remove(at);
        if at < self.drain {
            self.drain -= 1;
        }
    }

    fn report(&mut self, at: usize, result: Result<BatchWritten, Error>) {
        let batch = &mut self.batches[at];
        let receipts = std::mem::take(&mut batch.receipts);
        // the queue lets go of the body, so that its memory can be used again; what stays behind is sealed, so that no
        // record joins a batch that has reported
        let nothing = Content::Sealed {
            header: BatchBuilder::new(Vec::new()).finish().0,
            body: Bytes::new(),
        };
        let (header, body) = match std::mem::replace(&mut batch.content, nothing) {
            Content::Sealed { header, body } => (header, body),
            Content::Open(builder) => {
                let (header, body) = builder.finish();
                (header, body.into())
            }
        };
        self.resolved.push_back(Resolved {
            receipts,
            result,
            header,
            body,
            created: batch.created,
            left: batch.left,
            attempts: batch.attempts,
        });
    }

    /// Starts over once all are back.
    fn settle(&mut self) {
        if self.in_flight == 0 && self.rewind {
            self.rewind = false;
            self.drain = 0;
        }
        if self.batches.is_empty() {
            self.retry_at = None;
        }
    }
}

/// The error of a batch whose delivery time-out has passed.
pub fn timed_out(outcome: Outcome) -> Error {
    let message = match outcome {
        Outcome::Unknown => "the delivery time-out passed before the broker answered",
        _ => "the delivery time-out passed before the batch could be written",
    };
    Error::new(ErrorKind::TimedOut, message).with_outcome(outcome)
}

#[cfg(test)]
mod tests;
