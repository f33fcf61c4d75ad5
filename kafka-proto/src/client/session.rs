//! A producer session as its writers and links share it: topics, queues, the send ledger.

use std::{collections::BTreeMap, sync::Arc, task::Waker, time::Instant};

use super::{
    Clock,
    inbox::{Inbox, Note},
    ledger::Ledger,
    link::Link,
    receipt::{Ranged, Receipt},
    sync::{
        Lock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};
use crate::{
    config::WriterConfig,
    error::{Error, ErrorKind, Outcome, UndeliveredMessage},
    machine::{
        Now,
        producer::Producer,
        queue::{BatchId, Limits, Queue, Resolved, timed_out},
    },
    record::{BatchHeader, Batches},
    stats::WriterStats,
    wire::Uuid,
};

/// Unused batch buffers kept for the next batches, as a share of the send ledger.
const SPARE_SHARE: usize = 4;

/// One producer: an id at the broker, and all queues that count under it. Shared by the clones of a writer.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) config: WriterConfig,
    pub(crate) limits: Limits,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) producer: Lock<Producer>,
    topics: Lock<BTreeMap<Arc<str>, Arc<TopicSlot>>>,
    spare: Lock<Vec<Vec<u8>>>,
    /// What has been counted; gauges and tags are filled in when somebody looks.
    stats: Lock<WriterStats>,
    /// Set when nothing more is accepted.
    closed: AtomicBool,
    /// Where messages go that a close did not deliver.
    undelivered: Lock<Option<Vec<UndeliveredMessage>>>,
}

/// One topic of a session, known or not yet.
#[derive(Debug)]
pub(crate) struct TopicSlot {
    pub(crate) name: Arc<str>,
    pub(crate) session: std::sync::Weak<Session>,
    /// Whose turn it is without a key; see `balancer::stick`.
    pub(crate) sticky: AtomicU64,
    pub(crate) turn: AtomicU64,
    state: Lock<SlotState>,
}

#[derive(Debug)]
enum SlotState {
    Pending { asked: bool, wakers: Vec<Waker> },
    Known(Arc<WriterTopic>),
    Failed(Error),
}

/// What a writer knows of a topic; replaced as a whole when that changes.
#[derive(Debug)]
pub(crate) struct WriterTopic {
    pub(crate) partitions: Vec<Arc<PartitionQueue>>,
    /// Partitions that have a leader; all, if none has.
    pub(crate) available: Vec<i32>,
}

/// One partition of a session.
#[derive(Debug)]
pub(crate) struct PartitionQueue {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    pub(crate) session: Arc<Session>,
    pub(crate) inner: Lock<QueueInner>,
}

#[derive(Debug)]
pub(crate) struct QueueInner {
    pub(crate) queue: Queue<Ranged>,
    /// The link to the leader. While batches are in flight it does not change.
    pub(crate) link: Option<Arc<Link>>,
    pub(crate) topic_id: Uuid,
    /// A batch was refused because the leader has moved: the queue leaves its link when the last one is back.
    pub(crate) moved: bool,
    pub(crate) listed: Listed,
    /// With Control, which looks for a leader.
    pub(crate) orphaned: bool,
    /// With Control, which watches its deadline.
    pub(crate) watched: bool,
    /// Nothing is sent any more.
    ended: Option<Error>,
}

/// Who sees to a queue that has something to send.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Listed {
    #[default]
    Nobody,
    /// Its link: on the ready list, or in the hands of the sending half.
    Ready,
    /// The sending half, once the batch has lingered.
    Lingering,
    /// The sending half, once a pause is over.
    Paused,
}

/// What is left to do once the queue's lock is free.
#[derive(Debug)]
#[must_use = "somebody waits for this"]
pub(crate) enum Then {
    Nothing,
    Wake(Waker),
    Orphan,
}

impl Session {
    pub(crate) fn new(config: WriterConfig, inbox: Arc<Inbox>, clock: Arc<dyn Clock>) -> Arc<Self> {
        let limits = Limits {
            batch_bytes: config.batch_bytes,
            linger: config.linger,
            delivery_timeout: config.delivery_timeout,
            in_flight: if config.idempotent { 5 } else { 1 },
            idempotent: config.idempotent,
        };
        Arc::new(Self {
            limits,
            inbox,
            clock,
            ledger: Ledger::new(config.buffer_bytes),
            producer: Lock::new(Producer::new(config.idempotent)),
            topics: Lock::default(),
            spare: Lock::default(),
            stats: Lock::default(),
            closed: AtomicBool::new(false),
            undelivered: Lock::default(),
            config,
        })
    }

    /// The slot of a topic, made on first use.
    pub(crate) fn topic(self: &Arc<Self>, name: &str) -> Arc<TopicSlot> {
        let mut topics = self.topics.lock();
        if let Some(slot) = topics.get(name) {
            return slot.clone();
        }
        let name: Arc<str> = name.into();
        let slot = Arc::new(TopicSlot {
            name: name.clone(),
            session: Arc::downgrade(self),
            sticky: AtomicU64::new(0),
            turn: AtomicU64::new(0),
            state: Lock::new(SlotState::Pending {
                asked: false,
                wakers: Vec::new(),
            }),
        });
        topics.insert(name, slot.clone());
        slot
    }

    /// The slot of a topic that somebody has used.
    pub(crate) fn known_topic(&self, name: &str) -> Option<Arc<TopicSlot>> {
        self.topics.lock().get(name).cloned()
    }

    /// Every queue.
    pub(crate) fn queues(&self) -> Vec<Arc<PartitionQueue>> {
        let slots: Vec<_> = self.topics.lock().values().cloned().collect();
        slots
            .iter()
            .filter_map(|slot| slot.get())
            .flat_map(|topic| topic.partitions.clone())
            .collect()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Accepts nothing more; what was accepted goes on.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.ledger.close();
        let slots: Vec<_> = self.topics.lock().values().cloned().collect();
        slots.iter().for_each(|slot| slot.wake_pending());
    }

    /// Gives up what was accepted and is not resolved.
    pub(crate) fn end(&self, error: &Error) {
        self.close();
        self.queues().iter().for_each(|queue| queue.end(error));
    }

    /// Gives up what is queued, because `error` keeps all of it from being sent; what comes later is tried again.
    pub(crate) fn fail(&self, error: &Error) {
        self.queues().iter().for_each(|queue| queue.fail(error));
    }

    /// Records that were accepted and are not resolved.
    pub(crate) fn pending(&self) -> usize {
        let queues = self.queues();
        queues.iter().map(|q| q.inner.lock().queue.pending()).sum()
    }

    /// No writer is left: nothing more will come.
    pub(crate) fn retire(&self) {
        self.closed.store(true, Ordering::Release);
        self.inbox.wake();
    }

    /// Whether nothing more will come and everything is resolved.
    pub(crate) fn is_over(&self) -> bool {
        self.is_closed() && self.ledger.is_unused()
    }

    /// Lets go of its topics, which hold it in turn.
    pub(crate) fn forget(&self) {
        let topics = std::mem::take(&mut *self.topics.lock());
        drop(topics);
    }

    /// From now on, keeps what cannot be delivered.
    pub(crate) fn keep_undelivered(&self) {
        self.undelivered.lock().get_or_insert_default();
    }

    /// What was kept.
    pub(crate) fn take_undelivered(&self) -> Vec<UndeliveredMessage> {
        self.undelivered.lock().take().unwrap_or_default()
    }

    /// A receipt that resolves when everything accepted so far has.
    pub(crate) fn flush(&self) -> Receipt {
        let queues = self.queues();
        let receipt = Receipt::new(queues.len() as u32);
        let nothing = Ok(crate::machine::queue::BatchWritten {
            base_offset: None,
            append_time: None,
        });
        for (i, queue) in queues.iter().enumerate() {
            let part = receipt.range(i as u32, 1, 0, 0);
            let mut inner = queue.inner.lock();
            if inner.queue.is_empty() {
                drop(inner);
                part.resolve(queue.partition, &nothing);
                continue;
            }
            inner.queue.flush();
            inner.queue.attach_last(part);
            let then = queue.list(&mut inner);
            drop(inner);
            queue.then(then);
        }
        receipt
    }

    /// An empty buffer for a batch.
    pub(crate) fn buffer(&self) -> Vec<u8> {
        let spare = self.spare.lock().pop();
        spare.unwrap_or_else(|| Vec::with_capacity(self.limits.batch_bytes.min(16 << 10)))
    }

    /// Tells the callers of a batch what became of it, and frees what it held.
    pub(crate) fn resolve(&self, queue: &PartitionQueue, resolved: Resolved<Ranged>) {
        let Resolved {
            receipts,
            result,
            header,
            body,
            created,
            left,
            attempts,
        } = resolved;
        let size = (BatchHeader::SIZE + body.len()) as u64;
        self.count(&header, size, result.is_ok(), created, left, attempts);
        if let Err(error) = &result {
            self.keep(queue, error, header, &body);
        }
        let result = result.map_err(|e| e.in_partition(&queue.topic, queue.partition));
        let mut bytes = 0;
        for ranged in receipts {
            bytes += ranged.bytes();
            ranged.resolve(queue.partition, &result);
        }
        self.ledger.release(bytes);
        if let Ok(buffer) = body.try_into_mut() {
            let buffer = Vec::from(buffer);
            let mut spare = self.spare.lock();
            let kept: usize = spare.iter().map(Vec::capacity).sum();
            if kept + buffer.capacity() <= self.config.buffer_bytes / SPARE_SHARE {
                spare.push(buffer);
            }
        }
        if self.is_closed() {
            self.inbox.wake();
        }
    }

    /// Takes note of a batch that has come to its outcome.
    fn count(
        &self,
        header: &BatchHeader,
        bytes: u64,
        is_written: bool,
        created: Instant,
        left: Option<Instant>,
        attempts: u32,
    ) {
        let records = u64::try_from(header.record_count).unwrap_or(0);
        // what stands for a batch that has reported before
        if records == 0 {
            return;
        }
        let now = self.clock.now().instant;
        let mut stats = self.stats.lock();
        stats.writes += u64::from(attempts);
        match is_written {
            true => {
                stats.messages += records;
                stats.bytes += bytes;
            }
            false => stats.errors += 1,
        }
        stats.batch_size.record(records);
        if let Some(left) = left {
            stats
                .wait_time
                .record(left.saturating_duration_since(created));
            stats.write_time.record(now.saturating_duration_since(left));
            stats.retries.record(u64::from(attempts.saturating_sub(1)));
        }
    }

    /// What has been counted, without gauges and tags.
    pub(crate) fn stats(&self) -> WriterStats {
        self.stats.lock().clone()
    }

    fn keep(
        &self,
        queue: &PartitionQueue,
        error: &Error,
        header: BatchHeader,
        body: &bytes::Bytes,
    ) {
        if self.undelivered.lock().is_none() {
            return;
        }
        let whole: bytes::Bytes = [&header.write(body)[..], body].concat().into();
        let batches = Batches::new(whole).without_crc();
        let messages = batches.flatten().flat_map(|b| {
            b.messages(&queue.topic, queue.partition)
                .map_while(Result::ok)
        });
        let each = |message| UndeliveredMessage {
            message,
            error: error.clone(),
        };
        let mut messages: Vec<_> = messages.map(each).collect();
        if let Some(all) = &mut *self.undelivered.lock() {
            all.append(&mut messages);
        }
    }
}

impl TopicSlot {
    /// What is known, without waiting.
    pub(crate) fn get(&self) -> Option<Arc<WriterTopic>> {
        match &*self.state.lock() {
            SlotState::Known(topic) => Some(topic.clone()),
            _ => None,
        }
    }

    /// Waits for the topic; the first one to wait has Control ask for it, also after a failure.
    pub(crate) fn poll(
        self: &Arc<Self>,
        session: &Session,
        waker: &Waker,
    ) -> std::task::Poll<Result<Arc<WriterTopic>, Error>> {
        use std::task::Poll::{Pending, Ready};
        let mut state = self.state.lock();
        if let SlotState::Known(topic) = &*state {
            return Ready(Ok(topic.clone()));
        }
        if session.is_closed() {
            return Ready(Err(Error::closed()));
        }
        if let SlotState::Failed(error) = &*state {
            let error = error.clone();
            *state = SlotState::Pending {
                asked: false,
                wakers: Vec::new(),
            };
            return Ready(Err(error));
        }
        let mut first = false;
        if let SlotState::Pending { asked, wakers } = &mut *state {
            first = !std::mem::replace(asked, true);
            if !wakers.iter().any(|w| w.will_wake(waker)) {
                wakers.push(waker.clone());
            }
        }
        drop(state);
        if first {
            session.inbox.tell(Note::Topic(self.clone()));
        }
        Pending
    }

    /// Has Control ask for the topic without waiting for it.
    pub(crate) fn want(self: &Arc<Self>, session: &Session) {
        let mut state = self.state.lock();
        let SlotState::Pending { asked, .. } = &mut *state else {
            return;
        };
        let first = !std::mem::replace(asked, true);
        drop(state);
        if first {
            session.inbox.tell(Note::Topic(self.clone()));
        }
    }

    /// The topic has `count` partitions, of which those in `available` have a leader.
    pub(crate) fn learn(&self, count: usize, available: Vec<i32>) {
        let Some(session) = self.session.upgrade() else {
            return;
        };
        let mut state = self.state.lock();
        let mut partitions = match &*state {
            SlotState::Known(topic) => topic.partitions.clone(),
            _ => Vec::new(),
        };
        if !partitions.is_empty() && count > partitions.len() {
            session.stats.lock().rebalances += 1;
        }
        for partition in partitions.len()..count {
            partitions.push(PartitionQueue::new(&self.name, partition as i32, &session));
        }
        let available = match available.is_empty() {
            true => (0..partitions.len() as i32).collect(),
            false => available,
        };
        let known = SlotState::Known(Arc::new(WriterTopic {
            partitions,
            available,
        }));
        let old = std::mem::replace(&mut *state, known);
        drop(state);
        old.wake();
    }

    /// The topic cannot be used; whoever waits is told, and the next one asks again.
    pub(crate) fn fail(&self, error: Error) {
        let mut state = self.state.lock();
        if matches!(*state, SlotState::Known(_)) {
            return;
        }
        let old = std::mem::replace(&mut *state, SlotState::Failed(error));
        drop(state);
        old.wake();
    }

    fn wake_pending(&self) {
        let mut state = self.state.lock();
        if let SlotState::Pending { wakers, .. } = &mut *state {
            let wakers = std::mem::take(wakers);
            drop(state);
            wakers.into_iter().for_each(Waker::wake);
        }
    }
}

impl SlotState {
    fn wake(self) {
        if let Self::Pending { wakers, .. } = self {
            wakers.into_iter().for_each(Waker::wake);
        }
    }
}

impl PartitionQueue {
    fn new(topic: &Arc<str>, partition: i32, session: &Arc<Session>) -> Arc<Self> {
        Arc::new(Self {
            topic: topic.clone(),
            partition,
            session: session.clone(),
            inner: Lock::new(QueueInner {
                queue: Queue::new(session.limits),
                link: None,
                topic_id: Uuid::default(),
                moved: false,
                listed: Listed::Nobody,
                orphaned: false,
                watched: false,
                ended: None,
            }),
        })
    }

    /// Puts the queue where a link or Control sees it, if it has something to send and is not there.
    pub(crate) fn list(self: &Arc<Self>, inner: &mut QueueInner) -> Then {
        let lingers = match inner.listed {
            Listed::Nobody => false,
            Listed::Lingering if inner.queue.ends_linger() => true,
            _ => return Then::Nothing,
        };
        if !inner.queue.has_more() {
            return Then::Nothing;
        }
        if let Some(link) = &inner.link {
            match link.list(self) {
                Ok(waker) => {
                    inner.listed = Listed::Ready;
                    return waker.map_or(Then::Nothing, Then::Wake);
                }
                // the link is ending, and brings back what is in flight first
                Err(_) if lingers || inner.queue.in_flight() > 0 => return Then::Nothing,
                Err(_) => inner.link = None,
            }
        }
        if std::mem::replace(&mut inner.orphaned, true) {
            Then::Nothing
        } else {
            Then::Orphan
        }
    }

    /// Ends a wait that the sending half of `link` keeps; `false` if the queue is not there, or has been listed meanwhile.
    pub(crate) fn resume(&self, link: &Arc<Link>) -> bool {
        let mut inner = self.inner.lock();
        let is_here = inner.link.as_ref().is_some_and(|l| Arc::ptr_eq(l, link));
        let waits = is_here && matches!(inner.listed, Listed::Lingering | Listed::Paused);
        if waits {
            inner.listed = Listed::Ready;
        }
        waits
    }

    pub(crate) fn then(self: &Arc<Self>, then: Then) {
        match then {
            Then::Nothing => {}
            Then::Wake(waker) => waker.wake(),
            Then::Orphan => self.session.inbox.tell(Note::Orphan(self.clone(), false)),
        }
    }

    /// Something happened to the queue: gathers what resolved, lists it again, and says what is left to do.
    pub(crate) fn settle(
        self: &Arc<Self>,
        inner: &mut QueueInner,
        resolved: &mut Vec<Resolved<Ranged>>,
    ) -> Then {
        if let Some(error) = &inner.ended {
            inner.queue.abandon(error);
        }
        resolved.extend(std::iter::from_fn(|| inner.queue.poll_resolved()));
        self.list(inner)
    }

    /// Gives up what is not in flight.
    pub(crate) fn fail(self: &Arc<Self>, error: &Error) {
        let mut resolved = Vec::new();
        let mut inner = self.inner.lock();
        inner.queue.abandon(error);
        let then = self.settle(&mut inner, &mut resolved);
        drop(inner);
        resolved
            .into_iter()
            .for_each(|r| self.session.resolve(self, r));
        self.then(then);
    }

    /// Gives up everything. What is in flight follows when its link says what became of it.
    pub(crate) fn end(self: &Arc<Self>, error: &Error) {
        let mut resolved = Vec::new();
        let mut inner = self.inner.lock();
        inner.ended.get_or_insert_with(|| error.clone());
        let then = self.settle(&mut inner, &mut resolved);
        drop(inner);
        resolved
            .into_iter()
            .for_each(|r| self.session.resolve(self, r));
        match then {
            Then::Wake(waker) => waker.wake(),
            // nobody is left to look after it, and nothing is left to look after
            Then::Nothing | Then::Orphan => {}
        }
    }

    /// Resolves what is overdue.
    pub(crate) fn handle_timeout(self: &Arc<Self>, now: Now) {
        let mut resolved = Vec::new();
        let mut inner = self.inner.lock();
        inner.queue.handle_timeout(now.instant);
        let overdue: Vec<BatchId> = inner.queue.overdue(now.instant).collect();
        let link = inner.link.clone();
        let then = self.settle(&mut inner, &mut resolved);
        drop(inner);
        resolved
            .drain(..)
            .for_each(|r| self.session.resolve(self, r));
        self.then(then);
        let Some(link) = link else { return };
        for id in overdue {
            self.expire(&link, id, timed_out(Outcome::Unknown));
        }
    }

    /// Gives up what is in flight, because `error` ended the session.
    pub(crate) fn end_in_flight(self: &Arc<Self>, error: &Error) {
        let inner = self.inner.lock();
        let outstanding: Vec<BatchId> = inner.queue.outstanding().collect();
        let link = inner.link.clone();
        drop(inner);
        let Some(link) = link else { return };
        for id in outstanding {
            self.expire(&link, id, error.clone());
        }
    }

    /// Resolves a batch in flight as unknown if it has left. If not, its link is closed, so that it never leaves.
    fn expire(self: &Arc<Self>, link: &Arc<Link>, id: BatchId, error: Error) {
        if !link.has_left(self, id) {
            let message = "a batch could not leave before its delivery time-out";
            return link.close(&Error::new(ErrorKind::TimedOut, message));
        }
        let mut resolved = Vec::new();
        let mut inner = self.inner.lock();
        inner.queue.expire(id, error);
        let then = self.settle(&mut inner, &mut resolved);
        drop(inner);
        resolved
            .into_iter()
            .for_each(|r| self.session.resolve(self, r));
        self.then(then);
    }
}
