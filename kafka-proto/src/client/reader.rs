//! Reading: cursors on links, and the shelf from which a reader takes what they fetched.

mod batch;
mod count;
mod handle;
#[cfg(all(test, not(loom)))]
mod handle_tests;

use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Poll, Waker},
};

pub use batch::{Batch, BatchMessages};
pub use handle::{Reader, ReaderHandle};

use count::NOWHERE;

use super::{
    Clock,
    inbox::{Inbox, Note},
    ledger::Ledger,
    link::Link,
    sync::{
        Lock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};
use crate::{
    api::fetch::PartitionData,
    config::{ReaderConfig, StartOffset},
    error::{Error, ErrorCode},
    machine::{
        Now,
        cursor::{Cursor, Fetched, Ticket, Verdict},
        fetch::FetchLimits,
    },
    stats::ReaderStats,
    wire::Uuid,
};

/// What a reader, its cursors and their links share.
#[derive(Debug)]
pub(crate) struct Shelf {
    pub(crate) id: u64,
    pub(crate) config: ReaderConfig,
    pub(crate) limits: FetchLimits,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) clock: Arc<dyn Clock>,
    ledger: Arc<Ledger>,
    state: Lock<ShelfState>,
    /// What has been counted; gauges and tags are filled in when somebody looks.
    stats: Lock<ReaderStats>,
    /// Messages that were handed out; only the reader writes it, so that it costs a store.
    delivered: AtomicU64,
}

#[derive(Debug)]
struct ShelfState {
    cells: Vec<Arc<Cell>>,
    /// Cells with something buffered, each once.
    ready: VecDeque<Arc<Cell>>,
    errors: VecDeque<Error>,
    /// Topics that the reader was told are not there.
    denied: Vec<Arc<str>>,
    waker: Option<Waker>,
    closed: bool,
}

/// One partition of a reader.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    shelf: std::sync::Weak<Shelf>,
    /// The offset after the last message that was handed out; only the reader writes it.
    delivered_to: AtomicI64,
    pub(crate) inner: Lock<CellInner>,
}

#[derive(Debug)]
pub(crate) struct CellInner {
    pub(crate) cursor: Cursor,
    pub(crate) topic_id: Uuid,
    pub(crate) link: Option<Arc<Link>>,
    /// On the shelf's ready list.
    shelved: bool,
}

impl Shelf {
    pub(crate) fn new(
        id: u64,
        config: ReaderConfig,
        inbox: Arc<Inbox>,
        clock: Arc<dyn Clock>,
        ledger: Arc<Ledger>,
    ) -> Arc<Self> {
        let limits = FetchLimits {
            min_bytes: config.min_bytes,
            max_bytes: config.max_bytes,
            max_wait: config.max_wait,
        };
        let state = ShelfState {
            cells: Vec::new(),
            ready: VecDeque::new(),
            errors: VecDeque::new(),
            denied: Vec::new(),
            waker: None,
            closed: false,
        };
        Arc::new(Self {
            id,
            config,
            limits,
            inbox,
            clock,
            ledger,
            state: Lock::new(state),
            stats: Lock::default(),
            delivered: AtomicU64::new(0),
        })
    }

    /// Adds a partition that begins at `start`; Control gives it a link.
    pub(crate) fn add(
        self: &Arc<Self>,
        topic: &Arc<str>,
        partition: i32,
        start: StartOffset,
    ) -> Arc<Cell> {
        let cursor = Cursor::new(start, self.config.reset, self.config.partition_bytes);
        let inner = CellInner {
            cursor,
            topic_id: Uuid::default(),
            link: None,
            shelved: false,
        };
        let shelf = Arc::downgrade(self);
        let cell = Arc::new(Cell {
            topic: topic.clone(),
            partition,
            shelf,
            delivered_to: AtomicI64::new(NOWHERE),
            inner: Lock::new(inner),
        });
        self.state.lock().cells.push(cell.clone());
        cell
    }

    /// How many partitions of `topic` there are.
    pub(crate) fn count(&self, topic: &str) -> usize {
        self.state
            .lock()
            .cells
            .iter()
            .filter(|cell| *cell.topic == *topic)
            .count()
    }

    /// Whether there is a cell for this partition.
    pub(crate) fn has(&self, topic: &str, partition: i32) -> bool {
        self.state
            .lock()
            .cells
            .iter()
            .any(|cell| *cell.topic == *topic && cell.partition == partition)
    }

    /// Tells the reader, once, that a topic or partition that it wants is not there.
    pub(crate) fn deny(&self, topic: &Arc<str>, error: Error) {
        let mut state = self.state.lock();
        let first = !state.denied.contains(topic);
        if first {
            state.denied.push(topic.clone());
        }
        drop(state);
        if first {
            self.fail(error);
        }
    }

    pub(crate) fn cells(&self) -> Vec<Arc<Cell>> {
        self.state.lock().cells.clone()
    }

    /// The next cell with something buffered, or an error; `Ready(None)` once closed.
    fn poll_cell(&self, waker: &Waker) -> Poll<Result<Option<Arc<Cell>>, Error>> {
        let mut state = self.state.lock();
        // what was fetched comes before what went wrong since
        if let Some(cell) = state.ready.pop_front() {
            return Poll::Ready(Ok(Some(cell)));
        }
        if let Some(error) = state.errors.pop_front() {
            return Poll::Ready(Err(error));
        }
        if state.closed {
            return Poll::Ready(Ok(None));
        }
        if state.waker.as_ref().is_some_and(|w| w.will_wake(waker)) {
            return Poll::Pending;
        }
        let old = state.waker.replace(waker.clone());
        drop(state);
        drop(old);
        Poll::Pending
    }

    /// Wakes the reader if there is something to take.
    pub(crate) fn wake(&self) {
        let mut state = self.state.lock();
        let something = !state.ready.is_empty() || !state.errors.is_empty() || state.closed;
        let waker = if something { state.waker.take() } else { None };
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Tells the reader of an error, unless it has ended; the oldest are kept.
    pub(crate) fn fail(&self, error: Error) {
        self.stats.lock().errors += 1;
        let mut state = self.state.lock();
        if !state.closed && state.errors.len() < 16 {
            state.errors.push_back(error);
        }
        drop(state);
        self.wake();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    /// Ends reading: what was fetched ahead is dropped and its bytes are free.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.ready.clear();
        let cells = std::mem::take(&mut state.cells);
        drop(state);
        for cell in cells {
            let mut inner = cell.inner.lock();
            let link = inner.link.take();
            let mut freed = 0;
            while let Some(fetched) = inner.cursor.take() {
                freed += fetched.records.len();
            }
            drop(inner);
            self.ledger.release(freed);
            if let Some(link) = link {
                link.disown(&cell);
            }
        }
        self.wake();
    }

    fn shelve(&self, cell: &Arc<Cell>) {
        let mut state = self.state.lock();
        if !state.closed {
            state.ready.push_back(cell.clone());
        }
    }
}

impl Cell {
    /// Takes what was fetched first; its link may fetch more from then on.
    fn take(self: &Arc<Self>, shelf: &Shelf) -> Option<Fetched> {
        let now = shelf.clock.now();
        let mut inner = self.inner.lock();
        let wanted = inner.cursor.wants_fetch(now.instant).is_some();
        let fetched = inner.cursor.take();
        inner.shelved = inner.cursor.has_buffered();
        let shelved = inner.shelved;
        // partitions at their end are fetched once nothing is buffered
        let kick = !shelved || (!wanted && inner.cursor.wants_fetch(now.instant).is_some());
        let link = inner.link.clone().filter(|_| kick);
        drop(inner);
        if shelved {
            shelf.shelve(self);
        }
        shelf
            .ledger
            .release(fetched.as_ref().map_or(0, |f| f.records.len()));
        if let Some(link) = link {
            link.kick();
        }
        fetched
    }

    /// Moves the cursor; what was fetched ahead is dropped.
    fn seek(self: &Arc<Self>, start: StartOffset, shelf: &Shelf) {
        self.delivered_to.store(NOWHERE, Ordering::Relaxed);
        let mut inner = self.inner.lock();
        let freed = inner.cursor.seek(start);
        let link = inner.link.clone();
        drop(inner);
        shelf.ledger.release(freed);
        if let Some(link) = link {
            link.kick();
        }
    }

    /// Damage was found at `position`; returns whether that is the second time.
    fn corrupt(self: &Arc<Self>, position: i64, shelf: &Shelf) -> bool {
        let pause = shelf
            .config
            .max_wait
            .min(std::time::Duration::from_millis(100));
        let mut inner = self.inner.lock();
        let (again, freed) = inner
            .cursor
            .handle_corrupt(position, shelf.clock.now(), pause);
        let link = inner.link.clone();
        drop(inner);
        shelf.ledger.release(freed);
        if let Some(link) = link {
            link.kick();
        }
        again
    }

    /// Takes an answer; returns the bytes that it buffers.
    pub(crate) fn handle_fetched(
        self: &Arc<Self>,
        ticket: Ticket,
        answer: &mut PartitionData,
        link: &Arc<Link>,
        now: Now,
    ) -> usize {
        let Some(shelf) = self.shelf.upgrade() else {
            return 0;
        };
        if shelf.is_closed() {
            return 0;
        }
        let size = answer.records.as_ref().map_or(0, bytes::Bytes::len);
        let mut inner = self.inner.lock();
        let verdict = inner
            .cursor
            .handle_fetched(ticket, answer, now, |failed| link.common.pause(failed));
        let ready = matches!(verdict, Verdict::Ready);
        let shelve = ready && !std::mem::replace(&mut inner.shelved, true);
        drop(inner);
        if shelve {
            shelf.shelve(self);
        }
        if shelf.is_closed() {
            // closed while this was put down: nobody will take it
            self.inner.lock().cursor.seek(StartOffset::Last);
            return 0;
        }
        self.obey(verdict, &shelf, link);
        if ready { size } else { 0 }
    }

    pub(crate) fn handle_offset(
        self: &Arc<Self>,
        ticket: Ticket,
        answer: Result<i64, ErrorCode>,
        link: &Arc<Link>,
        now: Now,
    ) {
        let Some(shelf) = self.shelf.upgrade() else {
            return;
        };
        let verdict = self
            .inner
            .lock()
            .cursor
            .handle_offset(ticket, answer, now, |failed| link.common.pause(failed));
        self.obey(verdict, &shelf, link);
    }

    fn obey(self: &Arc<Self>, verdict: Verdict, shelf: &Arc<Shelf>, link: &Arc<Link>) {
        match verdict {
            Verdict::Ready | Verdict::Again => {}
            Verdict::Failed(error) => shelf.fail(error.in_partition(&self.topic, self.partition)),
            Verdict::Elsewhere => {
                link.disown(self);
                self.inner.lock().link = None;
                shelf
                    .inbox
                    .tell(Note::Lost(shelf.clone(), self.clone(), true));
            }
        }
    }

    /// The link has ended: Control finds another.
    pub(crate) fn handle_link_down(self: &Arc<Self>, link: &Arc<Link>) {
        let Some(shelf) = self.shelf.upgrade() else {
            return;
        };
        let mut inner = self.inner.lock();
        if !inner.link.as_ref().is_some_and(|l| Arc::ptr_eq(l, link)) {
            return;
        }
        inner.link = None;
        drop(inner);
        if !shelf.is_closed() {
            shelf
                .inbox
                .tell(Note::Lost(shelf.clone(), self.clone(), false));
        }
    }
}

#[cfg(all(test, not(loom)))]
#[allow(
    clippy::disallowed_methods,
    reason = "a moment for a clock that stands still"
)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[derive(Debug)]
    struct Still(Now);

    impl Clock for Still {
        fn now(&self) -> Now {
            self.0
        }
    }

    /// What went wrong before the end is told; what is late is not, so that an iterator may rest on the end.
    #[test]
    fn nothing_comes_after_the_end_of_a_reader() {
        let now = Now {
            instant: Instant::now(),
            unix_ms: 0,
        };
        let (inbox, ledger) = (Inbox::new(), Ledger::new(1 << 20));
        let config = ReaderConfig::topic("orders");
        let shelf = Shelf::new(0, config, inbox, Arc::new(Still(now)), ledger);
        shelf.fail(Error::closed());
        shelf.close();
        shelf.fail(Error::closed());
        let next = || match shelf.poll_cell(Waker::noop()) {
            Poll::Ready(Ok(cell)) => Ok(cell.is_some()),
            told => Err(told.is_ready()),
        };
        assert_eq!([next(), next(), next()], [Err(true), Ok(false), Ok(false)]);
    }
}
