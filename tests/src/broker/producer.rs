//! Which sequence numbers a partition accepts from an idempotent producer.
//!
//! The rules of Kafka 4.x, from `ProducerAppendInfo.checkSequence` and `ProducerStateEntry`:
//!
//! | batch | answer |
//! |---|---|
//! | the exact range of one of the last five batches of this epoch | the offset it got, and no error |
//! | an older epoch | INVALID_PRODUCER_EPOCH (47) |
//! | a newer epoch that does not begin at sequence 0 | OUT_OF_ORDER_SEQUENCE_NUMBER (45) |
//! | any sequence, from a producer that the partition does not know | accepted (KIP-360: retention may have removed the state) |
//! | the sequence after the last one; 0 after 2147483647 | accepted |
//! | anything else, duplicates older than five batches too | OUT_OF_ORDER_SEQUENCE_NUMBER (45) |
//!
//! DUPLICATE_SEQUENCE_NUMBER (46) is the answer of no broker since 1.0, and UNKNOWN_PRODUCER_ID (59) of none since 2.5;
//! a [`Fault`](super::Fault) can still script them.

use std::collections::VecDeque;

use kafka_proto::{error::ErrorCode, record::BatchHeader};

/// What a partition remembers of one producer.
#[derive(Clone, Debug)]
pub(super) struct ProducerState {
    epoch: i16,
    /// Oldest first.
    batches: VecDeque<Written>,
}

/// A batch that was written, as much of it as a duplicate is recognised by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Written {
    first_sequence: i32,
    last_sequence: i32,
    pub(super) base_offset: i64,
    pub(super) max_timestamp: i64,
}

/// What to do with a batch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    Append,
    Duplicate(Written),
}

/// Judges the next batch of a producer, of which the partition remembers `state`.
pub(super) fn judge(
    state: Option<&ProducerState>,
    batch: &BatchHeader,
) -> Result<Verdict, ErrorCode> {
    let Some(state) = state else {
        return Ok(Verdict::Append);
    };
    if batch.producer_epoch == state.epoch {
        let same = |w: &&Written| {
            w.first_sequence == batch.base_sequence && w.last_sequence == batch.last_sequence()
        };
        if let Some(written) = state.batches.iter().find(same) {
            return Ok(Verdict::Duplicate(*written));
        }
    }
    if batch.producer_epoch < state.epoch {
        return Err(ErrorCode::INVALID_PRODUCER_EPOCH);
    }
    let in_order = match state.batches.back() {
        Some(last) if batch.producer_epoch == state.epoch => {
            follows(last.last_sequence, batch.base_sequence)
        }
        _ => batch.base_sequence == 0,
    };
    match in_order {
        true => Ok(Verdict::Append),
        false => Err(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER),
    }
}

impl ProducerState {
    /// `ProducerStateEntry.NUM_BATCHES_TO_RETAIN`: as many as a producer may have in flight.
    const REMEMBERED: usize = 5;

    pub(super) fn new(epoch: i16) -> Self {
        Self {
            epoch,
            batches: VecDeque::new(),
        }
    }

    /// Whether it has written at or after an offset.
    pub(super) fn reaches(&self, offset: i64) -> bool {
        self.batches.back().is_some_and(|b| b.base_offset >= offset)
    }

    /// Remembers a batch that was appended at `base_offset`.
    pub(super) fn record(&mut self, batch: &BatchHeader, base_offset: i64) {
        if batch.producer_epoch != self.epoch {
            self.epoch = batch.producer_epoch;
            self.batches.clear();
        }
        if self.batches.len() == Self::REMEMBERED {
            self.batches.pop_front();
        }
        self.batches.push_back(Written {
            first_sequence: batch.base_sequence,
            last_sequence: batch.last_sequence(),
            base_offset,
            max_timestamp: batch.max_timestamp,
        });
    }
}

fn follows(last: i32, next: i32) -> bool {
    match last {
        i32::MAX => next == 0,
        last => next == last + 1,
    }
}
