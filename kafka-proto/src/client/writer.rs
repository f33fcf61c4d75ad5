//! The handle that writes.

use std::{
    fmt,
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use super::{
    Client, Shared,
    inbox::Note,
    receipt::Receipt,
    session::{PartitionQueue, Session, TopicSlot, WriterTopic},
    sync::atomic::Ordering,
};
use crate::{
    config::Balancer,
    error::{Error, ErrorKind, Outcome, Undelivered, WriteError, Written},
    event::Event,
    machine::{Now, balancer},
    partition,
    record::{BatchBuilder, BatchHeader, Record},
    stats::WriterStats,
};

/// Writes messages to one topic or to many.
///
/// Cheap to clone; clones share batches, the order of partitions and the producer id. Records of one task to one partition
/// are written in the order of its calls. Dropping it recalls nothing: what was accepted is delivered as long as the
/// runtime lives; [`Writer::close`] waits for that, and [`Event::WriterDropped`] tells of a last clone that did not.
///
/// What is promised, per partition: the log holds the accepted records in order, each at most once; every accepted record
/// resolves once, within [`delivery_timeout`](crate::config::WriterConfig::delivery_timeout), as written, as certainly not
/// written, or as unknown.
///
/// Source: acceptance WR-01..07; KIP-98, KIP-360.
#[derive(Clone)]
#[doc(alias = "Producer")]
#[doc(alias = "FutureProducer")]
pub struct Writer {
    client: Client,
    session: Arc<Session>,
    // dropped by the last clone
    _guard: Arc<Retire>,
    /// The topic of the configuration.
    slot: Option<Arc<TopicSlot>>,
}

struct Retire(Arc<Session>, Arc<Shared>);

impl Drop for Retire {
    fn drop(&mut self) {
        let Self(session, shared) = self;
        let pending = session.pending();
        if pending > 0 {
            shared.events.publish(&Event::WriterDropped { pending });
        }
        session.retire();
    }
}

impl Writer {
    pub(crate) fn new(client: Client, session: Arc<Session>) -> Self {
        let slot = session
            .config
            .topic
            .as_deref()
            .map(|topic| session.topic(topic));
        if let Some(slot) = &slot {
            slot.want(&session);
        }
        let guard = Arc::new(Retire(session.clone(), client.shared.clone()));
        Self {
            client,
            session,
            _guard: guard,
            slot,
        }
    }

    /// Writes one record: waits for room, then for the outcome.
    ///
    /// Dropping the future before the record was accepted leaves it unwritten; after that it is written all the same.
    ///
    /// # Errors
    ///
    /// The record was not written, or nobody knows: [`WriteError::outcome`].
    #[doc(alias = "send_result")]
    pub async fn write(&self, record: Record<'_>) -> Result<Written, WriteError> {
        let receipt = self.accept(std::slice::from_ref(&record), true).await?;
        Ok(std::future::poll_fn(|cx| receipt.poll_single(cx)).await?)
    }

    /// Writes records: waits for room for all, then for the outcome of all.
    ///
    /// The call is accepted whole or not at all. Results come in the order of `records`.
    ///
    /// # Errors
    ///
    /// Some record was not written, or nobody knows: [`WriteError::results`] tells for each.
    #[doc(alias = "WriteMessages")]
    pub async fn write_messages(&self, records: &[Record<'_>]) -> Result<Vec<Written>, WriteError> {
        self.accept(records, true).await?.await
    }

    /// Hands over records: waits for room only, and returns the promise of their outcome.
    ///
    /// The call is accepted whole or not at all. Cancel safe: dropped while it waits, nothing was accepted.
    ///
    /// # Errors
    ///
    /// Nothing was accepted: the topic is unknown, a record or the call is too large, or the writer is closed.
    pub async fn send(&self, records: &[Record<'_>]) -> Result<Receipt, Error> {
        self.accept(records, false).await
    }

    /// Hands over records if there is room now.
    ///
    /// # Errors
    ///
    /// As [`Writer::send`]; also [`ErrorKind::Full`] without room, and [`ErrorKind::TopicPending`] while the topic's
    /// partitions are not known yet.
    #[doc(alias = "produce")]
    pub fn try_send(&self, records: &[Record<'_>]) -> Result<Receipt, Error> {
        let bytes = self.check(records)?;
        for (slot, run) in self.runs(records)? {
            let Some(topic) = slot.get() else {
                slot.want(&self.session);
                let message = format!("the partitions of topic {} are not known yet", slot.name);
                return Err(Error::new(ErrorKind::TopicPending, message));
            };
            check_partitions(&slot, &topic, run)?;
        }
        if !self.session.ledger.try_reserve(bytes) {
            return Err(match self.session.is_closed() {
                true => Error::closed(),
                false => Error::new(ErrorKind::Full, "the writer's buffer is full"),
            });
        }
        Ok(self.push(records, false))
    }

    /// Waits until everything accepted before this call is resolved, whatever became of it; batches that linger leave now.
    ///
    /// # Errors
    ///
    /// The client was closed first.
    #[doc(alias = "Flush")]
    pub async fn flush(&self) -> Result<(), Error> {
        let receipt = self.session.flush();
        std::future::poll_fn(|cx| receipt.poll_settled(cx)).await;
        if self.session.inbox.is_closed() {
            Err(Error::closed())
        } else {
            Ok(())
        }
    }

    /// Accepts nothing more, on no clone, and waits up to `limit` for what was accepted.
    ///
    /// # Errors
    ///
    /// What could not be delivered in time, message by message, each with its outcome.
    #[doc(alias = "Close")]
    pub async fn close(&self, limit: Duration) -> Result<(), Undelivered> {
        close_all(
            std::slice::from_ref(&self.session),
            &self.client.shared,
            limit,
        )
        .await
    }

    /// How many records were accepted, by this writer and its clones, and have no outcome yet.
    ///
    /// Counts under the locks of all partitions that were written to: for the end of a program, not for each message.
    pub fn pending(&self) -> usize {
        self.session.pending()
    }

    /// What this writer and its clones have done so far; see [`WriterStats`].
    ///
    /// Source: acceptance WR-02.
    #[doc(alias = "Stats")]
    pub fn stats(&self) -> WriterStats {
        let (common, settings) = (&self.client.shared.common, &self.session.config);
        let mut stats = self.session.stats();
        let dials = common.writing.lock();
        stats.dials = dials.count;
        stats.dial_time = dials.time.clone();
        drop(dials);
        stats.queue_length = self.session.pending() as u64;
        stats.queue_capacity = settings.buffer_bytes as u64;
        stats.max_batch_bytes = settings.batch_bytes as u64;
        stats.batch_timeout = settings.linger;
        stats.read_timeout = common.config.request_timeout;
        stats.write_timeout = settings.delivery_timeout;
        stats.rebalance_interval = common.config.metadata_max_age;
        stats.required_acks = settings.acks.code();
        stats.client_id.clone_from(&common.config.client_id);
        stats.topic.clone_from(&settings.topic);
        stats
    }

    /// The client that this writer was made from.
    pub fn client(&self) -> &Client {
        &self.client
    }

    async fn accept(&self, records: &[Record<'_>], urgent: bool) -> Result<Receipt, Error> {
        let bytes = self.check(records)?;
        for (slot, run) in self.runs(records)? {
            let topic = match slot.get() {
                Some(topic) => topic,
                None => std::future::poll_fn(|cx| slot.poll(&self.session, cx.waker())).await?,
            };
            check_partitions(&slot, &topic, run)?;
        }
        let ledger = &self.session.ledger;
        if !ledger.try_reserve(bytes) {
            let mut ticket = None;
            std::future::poll_fn(|cx| ledger.poll_reserve(bytes, &mut ticket, cx.waker()))
                .await
                .map_err(|_| Error::closed())?;
        }
        Ok(self.push(records, urgent))
    }

    /// Checks sizes, and returns what the call has to reserve.
    fn check(&self, records: &[Record<'_>]) -> Result<usize, Error> {
        if self.session.is_closed() || self.session.inbox.is_closed() {
            return Err(Error::closed());
        }
        let limit = self.session.limits.batch_bytes;
        let mut bytes = 0;
        for record in records {
            let size = BatchBuilder::size_bound(record);
            if BatchHeader::SIZE + size > limit {
                let message = format!(
                    "a record of up to {size} bytes does not fit a batch of {limit} (batch_bytes)"
                );
                return Err(
                    Error::new(ErrorKind::TooLarge, message).with_outcome(Outcome::NotWritten)
                );
            }
            bytes += size;
        }
        let total = self.session.ledger.total();
        if bytes > total {
            let message = format!(
                "a call of up to {bytes} bytes does not fit the buffer of {total} (buffer_bytes)"
            );
            return Err(Error::new(ErrorKind::TooLarge, message).with_outcome(Outcome::NotWritten));
        }
        Ok(bytes)
    }

    /// The runs of records of one topic, in order.
    fn runs<'r, 'a>(
        &self,
        records: &'r [Record<'a>],
    ) -> Result<impl Iterator<Item = (Arc<TopicSlot>, &'r [Record<'a>])>, Error> {
        if self.slot.is_none() && records.iter().any(|r| r.topic.is_none()) {
            return Err(Error::new(
                ErrorKind::Misuse,
                "neither the record nor the writer names a topic",
            ));
        }
        if let Some(topic) = records
            .iter()
            .filter_map(|r| r.topic)
            .find(|t| t.is_empty() || t.len() > 249)
        {
            let message = format!("a topic name has 1 to 249 bytes, this one {}", topic.len());
            return Err(Error::new(ErrorKind::Misuse, message));
        }
        let runs = records.chunk_by(|a, b| a.topic == b.topic);
        Ok(runs.filter_map(|run| Some((self.slot_of(&run[0])?, run))))
    }

    fn slot_of(&self, record: &Record<'_>) -> Option<Arc<TopicSlot>> {
        match (record.topic, &self.slot) {
            (None, slot) => slot.clone(),
            (Some(topic), Some(slot)) if *slot.name == *topic => Some(slot.clone()),
            (Some(topic), _) => Some(self.session.topic(topic)),
        }
    }

    /// Puts records whose bytes are reserved into their queues.
    fn push(&self, records: &[Record<'_>], urgent: bool) -> Receipt {
        let now = self.session.clock.now();
        let receipt = Receipt::new(records.len() as u32);
        let mut first = 0;
        for run in records.chunk_by(|a, b| a.topic == b.topic) {
            if let Some((slot, topic)) = self
                .slot_of(&run[0])
                .and_then(|slot| slot.get().map(|topic| (slot, topic)))
            {
                let push = Push {
                    session: &self.session,
                    receipt: &receipt,
                    urgent,
                    now,
                };
                push.topic(self.session.config.balancer, &slot, &topic, run, first);
            }
            first += run.len() as u32;
        }
        receipt
    }
}

/// One call on its way into the queues.
struct Push<'p> {
    session: &'p Arc<Session>,
    receipt: &'p Receipt,
    urgent: bool,
    now: Now,
}

impl Push<'_> {
    /// Records of one topic: neighbours for one partition go in under one lock.
    fn topic(
        &self,
        balancer: Balancer,
        slot: &TopicSlot,
        topic: &WriterTopic,
        records: &[Record<'_>],
        first: u32,
    ) {
        let mut pick = Picker::new(balancer, slot, topic, records);
        let mut from = 0;
        let mut partition = pick.pick(&records[0]);
        for at in 1..=records.len() {
            let next = records.get(at).map(|record| pick.pick(record));
            if next == Some(partition) {
                continue;
            }
            if let Some(queue) = topic.partitions.get(partition) {
                self.partition(queue, &records[from..at], first + from as u32);
            }
            from = at;
            partition = next.unwrap_or_default();
        }
    }

    fn partition(&self, queue: &Arc<PartitionQueue>, records: &[Record<'_>], first: u32) {
        let mut inner = queue.inner.lock();
        let (mut from, mut place, mut bytes) = (0, 0, 0);
        for (at, record) in records.iter().enumerate() {
            if !inner.queue.fits(record) {
                if at > from {
                    let part =
                        self.receipt
                            .range(first + from as u32, (at - from) as u32, place, bytes);
                    inner.queue.attach(part, self.urgent);
                }
                inner.queue.open(self.session.buffer(), self.now);
                (from, bytes) = (at, 0);
            }
            let pushed = inner.queue.push(record, self.now).unwrap_or_default();
            if at == from {
                place = pushed;
            }
            bytes += BatchBuilder::size_bound(record);
        }
        let part = self.receipt.range(
            first + from as u32,
            (records.len() - from) as u32,
            place,
            bytes,
        );
        inner.queue.attach(part, self.urgent);
        let watch = !std::mem::replace(&mut inner.watched, true);
        let mut resolved = Vec::new();
        let then = queue.settle(&mut inner, &mut resolved);
        drop(inner);
        resolved
            .into_iter()
            .for_each(|r| self.session.resolve(queue, r));
        queue.then(then);
        if watch {
            self.session.inbox.tell(Note::Watch(queue.clone()));
        }
    }
}

/// Picks the partition of each record of a call.
struct Picker<'p> {
    balancer: Balancer,
    topic: &'p WriterTopic,
    /// Where records without a key go.
    sticky: usize,
    /// Whose turn it is, for round robin.
    turn: u64,
}

impl<'p> Picker<'p> {
    fn new(
        balancer: Balancer,
        slot: &TopicSlot,
        topic: &'p WriterTopic,
        records: &[Record<'_>],
    ) -> Self {
        let available = |turn: u64| {
            let at = (turn % topic.available.len().max(1) as u64) as usize;
            topic.available.get(at).map_or(0, |p| *p as usize)
        };
        let mut picker = Self {
            balancer,
            topic,
            sticky: 0,
            turn: 0,
        };
        match balancer {
            Balancer::Sticky => {
                let keyless = records
                    .iter()
                    .filter(|r| r.key.is_none() && r.partition.is_none());
                let bytes: usize = keyless.map(BatchBuilder::size_bound).sum();
                if bytes > 0 {
                    let mut turn = 0;
                    let _ =
                        slot.sticky
                            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
                                let (next, now) = balancer::stick(word, bytes);
                                turn = now;
                                Some(next)
                            });
                    picker.sticky = available(u64::from(turn));
                }
            }
            Balancer::RoundRobin => {
                picker.turn = slot.turn.fetch_add(records.len() as u64, Ordering::Relaxed)
            }
        }
        picker
    }

    fn pick(&mut self, record: &Record<'_>) -> usize {
        if let Some(partition) = record.partition {
            return partition as usize;
        }
        match (self.balancer, record.key) {
            (Balancer::Sticky, Some(key)) => {
                partition::murmur2_partition(key, self.topic.partitions.len()) as usize
            }
            (Balancer::Sticky, None) => self.sticky,
            (Balancer::RoundRobin, _) => {
                let turn = self.turn;
                self.turn += 1;
                self.topic.available[(turn % self.topic.available.len() as u64) as usize] as usize
            }
        }
    }
}

fn check_partitions(
    slot: &TopicSlot,
    topic: &WriterTopic,
    records: &[Record<'_>],
) -> Result<(), Error> {
    let count = topic.partitions.len();
    let wrong = |p: &i32| usize::try_from(*p).map_or(true, |p| p >= count);
    match records.iter().filter_map(|r| r.partition).find(wrong) {
        None => Ok(()),
        Some(partition) => {
            let message = format!(
                "topic {} has {count} partitions, and no partition {partition}",
                slot.name
            );
            Err(Error::new(ErrorKind::UnknownPartition, message).with_outcome(Outcome::NotWritten))
        }
    }
}

/// Closes sessions: waits up to `limit` for what they accepted, gives up the rest, and hands that back.
pub(super) async fn close_all(
    sessions: &[Arc<Session>],
    shared: &Shared,
    limit: Duration,
) -> Result<(), Undelivered> {
    // a limit beyond the end of time is none
    let deadline = shared.common.clock.now().instant.checked_add(limit);
    let receipts: Vec<_> = sessions
        .iter()
        .map(|session| {
            session.keep_undelivered();
            session.close();
            session.flush()
        })
        .collect();
    let settled = |cx: &mut Context<'_>| receipts.iter().all(|r| r.poll_settled(cx).is_ready());
    let mut alarm = pin!(async {
        match deadline {
            Some(at) => shared.sleep_until(at).await,
            None => std::future::pending().await,
        }
    });
    std::future::poll_fn(
        |cx| match settled(cx) || alarm.as_mut().poll(cx).is_ready() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        },
    )
    .await;
    let late = Error::new(
        ErrorKind::Closed,
        "the writer was closed before this was delivered",
    );
    for session in sessions {
        session.end(&late);
        session
            .queues()
            .iter()
            .for_each(|queue| queue.end_in_flight(&late));
    }
    std::future::poll_fn(|cx| {
        if settled(cx) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    let messages: Vec<_> = sessions
        .iter()
        .flat_map(|session| session.take_undelivered())
        .collect();
    if messages.is_empty() {
        Ok(())
    } else {
        Err(Undelivered::new(messages))
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("config", &self.session.config)
            .finish_non_exhaustive()
    }
}
