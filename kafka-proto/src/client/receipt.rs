//! The outcome of one call: resolved by ranges of its records, as their batches resolve.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use super::sync::Lock;
use crate::{
    error::{Error, WriteError, Written},
    machine::queue::BatchWritten,
};

/// The promise of an outcome for every record of one `send`.
///
/// Await it, or drop it: dropping recalls nothing. It is `'static` and may be awaited on any executor.
///
/// # Errors
///
/// Some record was not written, or nobody knows; [`WriteError::results`] tells for each.
#[derive(Debug)]
#[must_use = "a receipt says whether the records were written; drop it on purpose with `drop`"]
#[doc(alias = "DeliveryFuture")]
pub struct Receipt {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Lock<State>,
}

#[derive(Debug)]
struct State {
    total: u32,
    left: u32,
    /// Most calls end in one batch, and so need no memory for more parts.
    first: Option<Part>,
    more: Vec<Part>,
    waker: Option<Waker>,
}

#[derive(Debug)]
struct Part {
    from: u32,
    count: u32,
    partition: i32,
    result: Result<BatchWritten, Error>,
}

/// One run of a call's records in one batch: what a queue hands back with the batch's outcome.
#[derive(Debug)]
pub(crate) struct Ranged {
    shared: Arc<Shared>,
    /// The first record, by its place in the call.
    from: u32,
    count: u32,
    /// The first record, by its place in the batch.
    in_batch: i32,
    /// What the call reserved for these records.
    bytes: usize,
}

impl Receipt {
    /// The receipt of a call with `total` records.
    pub(crate) fn new(total: u32) -> Self {
        let state = State {
            total,
            left: total,
            first: None,
            more: Vec::new(),
            waker: None,
        };
        Self {
            shared: Arc::new(Shared {
                state: Lock::new(state),
            }),
        }
    }

    /// The part to attach to a batch.
    pub(crate) fn range(&self, from: u32, count: u32, in_batch: i32, bytes: usize) -> Ranged {
        Ranged {
            shared: self.shared.clone(),
            from,
            count,
            in_batch,
            bytes,
        }
    }

    /// Waits until every record is resolved, and leaves the results in place.
    fn poll_done(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.shared.state.lock();
        if state.left == 0 {
            return Poll::Ready(());
        }
        if state
            .waker
            .as_ref()
            .is_some_and(|w| w.will_wake(cx.waker()))
        {
            return Poll::Pending;
        }
        let old = state.waker.replace(cx.waker().clone());
        drop(state);
        drop(old);
        Poll::Pending
    }

    /// Waits for the outcome of a call with a single record.
    pub(crate) fn poll_single(&self, cx: &Context<'_>) -> Poll<Result<Written, Error>> {
        std::task::ready!(self.poll_done(cx));
        let state = self.shared.state.lock();
        Poll::Ready(match &state.first {
            Some(part) => part.result_of(0),
            None => Err(Error::closed()),
        })
    }

    /// Waits until every record is resolved, however it ended.
    pub(crate) fn poll_settled(&self, cx: &Context<'_>) -> Poll<()> {
        self.poll_done(cx)
    }
}

impl Future for Receipt {
    type Output = Result<Vec<Written>, WriteError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        std::task::ready!(self.poll_done(cx));
        let mut state = self.shared.state.lock();
        let (total, first) = (state.total as usize, state.first.take());
        let mut parts = std::mem::take(&mut state.more);
        drop(state);
        // batches resolve in any order; most calls end in one
        parts.extend(first);
        parts.sort_unstable_by_key(|part| part.from);
        let results = parts
            .iter()
            .flat_map(|part| (0..part.count).map(|i| part.result_of(i)));
        Poll::Ready(if parts.iter().all(|part| part.result.is_ok()) {
            let mut written = Vec::with_capacity(total);
            written.extend(results.flatten());
            Ok(written)
        } else {
            Err(WriteError::new(results.collect()))
        })
    }
}

impl Part {
    fn result_of(&self, i: u32) -> Result<Written, Error> {
        self.result
            .as_ref()
            .map_err(Clone::clone)
            .map(|written| Written {
                partition: self.partition,
                offset: written.base_offset.map(|base| base + i64::from(i)),
                append_time: written.append_time,
            })
    }
}

impl Ranged {
    /// What the call reserved for these records.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Resolves these records with the outcome of their batch.
    pub(crate) fn resolve(self, partition: i32, result: &Result<BatchWritten, Error>) {
        let result = result
            .as_ref()
            .map_err(Clone::clone)
            .map(|written| BatchWritten {
                base_offset: written
                    .base_offset
                    .map(|base| base + i64::from(self.in_batch)),
                ..*written
            });
        let part = Part {
            from: self.from,
            count: self.count,
            partition,
            result,
        };
        let mut state = self.shared.state.lock();
        match &mut state.first {
            None => state.first = Some(part),
            Some(_) => state.more.push(part),
        }
        state.left = state.left.saturating_sub(self.count);
        let waker = if state.left == 0 {
            state.waker.take()
        } else {
            None
        };
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::error::{ErrorKind, Outcome};

    fn poll(receipt: &mut Receipt) -> Poll<Result<Vec<Written>, WriteError>> {
        Pin::new(receipt).poll(&mut Context::from_waker(Waker::noop()))
    }

    fn written(base: i64) -> Result<BatchWritten, Error> {
        Ok(BatchWritten {
            base_offset: Some(base),
            append_time: None,
        })
    }

    #[test]
    fn a_call_that_was_spread_over_batches_resolves_in_its_own_order() {
        let mut receipt = Receipt::new(4);
        let (a, b) = (receipt.range(2, 2, 5, 0), receipt.range(0, 2, 0, 0));
        a.resolve(7, &written(100));
        assert!(poll(&mut receipt).is_pending());
        b.resolve(3, &written(40));
        let Poll::Ready(Ok(all)) = poll(&mut receipt) else {
            panic!("all written")
        };
        let places: Vec<_> = all.iter().map(|w| (w.partition, w.offset)).collect();
        assert_eq!(
            places,
            [(3, Some(40)), (3, Some(41)), (7, Some(105)), (7, Some(106))]
        );
    }

    #[test]
    fn one_failed_batch_tells_for_each_record_what_became_of_it() {
        let mut receipt = Receipt::new(3);
        let (a, b) = (receipt.range(0, 1, 0, 0), receipt.range(1, 2, 1, 0));
        let lost = Error::new(ErrorKind::TimedOut, "late").with_outcome(Outcome::Unknown);
        b.resolve(0, &Err(lost));
        a.resolve(0, &written(9));
        let Poll::Ready(Err(error)) = poll(&mut receipt) else {
            panic!("not all written")
        };
        assert_eq!((error.failed(), error.outcome()), (2, Outcome::Unknown));
        assert_eq!(
            error.results()[0].as_ref().expect("written").offset,
            Some(9)
        );
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use loom::{future::block_on, thread};

    use super::*;

    #[test]
    fn loom_two_batches_resolve_one_receipt_and_wake_its_waiter() {
        loom::model(|| {
            let receipt = Receipt::new(2);
            let threads: Vec<_> = (0..2)
                .map(|i| {
                    let part = receipt.range(i, 1, 0, 0);
                    let result = Ok(BatchWritten {
                        base_offset: Some(i64::from(i)),
                        append_time: None,
                    });
                    thread::spawn(move || part.resolve(i as i32, &result))
                })
                .collect();
            let all = block_on(receipt).expect("written");
            assert_eq!(
                all.iter().map(|w| w.offset).collect::<Vec<_>>(),
                [Some(0), Some(1)]
            );
            threads
                .into_iter()
                .for_each(|t| t.join().expect("no panic"));
        });
    }
}
