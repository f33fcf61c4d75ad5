//! The handle that writes.

use std::{
    io::{self, Write},
    sync::Arc,
    time::Duration,
};

use kafka_proto::{
    client as asynchronous,
    error::{Error, Undelivered, WriteError, Written},
    record::Record,
    stats::WriterStats,
};

use crate::{client::Client, io::Io};

/// Writes messages to one topic or to many.
///
/// Cheap to clone, and shared between threads; clones share batches, the order of partitions and the producer id. Records
/// of one thread to one partition are written in the order of its calls. Many threads that write at a time, or one that
/// keeps several [`Receipt`]s, fill batches; a thread that waits for each record pays a round trip for each.
///
/// Dropping it recalls nothing and waits for nothing: what was accepted is delivered as long as the process lives. A
/// program that ends calls [`Writer::close`], [`Writer::flush`] or [`Client::close`] first, which tell what was not
/// delivered. The last clone that is dropped with messages on their way reports their number: as
/// [`Event::WriterDropped`](crate::Event::WriterDropped) if the client's events are taken, on standard error if not.
///
/// What is promised, per partition: the log holds the accepted records in order, each at most once; every accepted record
/// resolves once, within [`delivery_timeout`](crate::WriterConfig::delivery_timeout), as written, as certainly not
/// written, or as unknown.
///
/// Source: acceptance WR-01..07; KIP-98, KIP-360.
#[derive(Clone, Debug)]
#[doc(alias = "Producer")]
#[doc(alias = "BaseProducer")]
pub struct Writer {
    writer: asynchronous::Writer,
    client: Client,
    // dropped by the last clone
    _guard: Arc<Guard>,
}

/// Tells of records that a program may be about to lose by its end.
#[derive(Debug)]
struct Guard(asynchronous::Writer, Arc<Io>);

impl Drop for Guard {
    fn drop(&mut self) {
        let pending = self.0.pending();
        if pending > 0 && !self.1.is_heard() {
            // unlike eprintln, it does not panic where nobody reads standard error
            let _ = writeln!(
                io::stderr(),
                "kafka-client-blocking: a writer was dropped with {pending} messages on their way; they are lost if the \
                 process ends before they arrive, which Writer::close would have waited for"
            );
        }
    }
}

impl Writer {
    pub(crate) fn new(writer: asynchronous::Writer, client: Client) -> Self {
        let guard = Arc::new(Guard(writer.clone(), client.io().clone()));
        Self {
            writer,
            client,
            _guard: guard,
        }
    }

    /// Writes one record: waits for room, then for the outcome.
    ///
    /// # Errors
    ///
    /// The record was not written, or nobody knows: [`WriteError::outcome`].
    #[doc(alias = "send_result")]
    pub fn write(&self, record: Record<'_>) -> Result<Written, WriteError> {
        self.io().block_on(self.writer.write(record))
    }

    /// Writes records: waits for room for all, then for the outcome of all.
    ///
    /// The call is accepted whole or not at all. Results come in the order of `records`.
    ///
    /// # Errors
    ///
    /// Some record was not written, or nobody knows: [`WriteError::results`] tells for each.
    #[doc(alias = "WriteMessages")]
    pub fn write_messages(&self, records: &[Record<'_>]) -> Result<Vec<Written>, WriteError> {
        self.io().block_on(self.writer.write_messages(records))
    }

    /// Hands over records: waits for room only, and returns the promise of their outcome.
    ///
    /// The call is accepted whole or not at all.
    ///
    /// # Errors
    ///
    /// Nothing was accepted: the topic is unknown, a record or the call is too large, or the writer is closed.
    pub fn send(&self, records: &[Record<'_>]) -> Result<Receipt, Error> {
        let receipt = self.io().hand_over(self.writer.send(records))?;
        Ok(self.receipt(receipt))
    }

    /// Hands over records if there is room now; never waits.
    ///
    /// # Errors
    ///
    /// As [`Writer::send`]; also [`ErrorKind::Full`](crate::ErrorKind::Full) without room, and
    /// [`ErrorKind::TopicPending`](crate::ErrorKind::TopicPending) while the topic's partitions are not known yet.
    #[doc(alias = "produce")]
    pub fn try_send(&self, records: &[Record<'_>]) -> Result<Receipt, Error> {
        Ok(self.receipt(self.writer.try_send(records)?))
    }

    /// Waits until everything accepted before this call is resolved, whatever became of it; batches that linger leave now.
    ///
    /// # Errors
    ///
    /// The client was closed first.
    #[doc(alias = "Flush")]
    pub fn flush(&self) -> Result<(), Error> {
        self.io().block_on(self.writer.flush())
    }

    /// Accepts nothing more, on no clone, and waits up to `limit` for what was accepted.
    ///
    /// # Errors
    ///
    /// What could not be delivered in time, message by message, each with its outcome.
    #[doc(alias = "Close")]
    pub fn close(&self, limit: Duration) -> Result<(), Undelivered> {
        self.io().block_on(self.writer.close(limit))
    }

    /// How many records were accepted, by this writer and its clones, and have no outcome yet.
    pub fn pending(&self) -> usize {
        self.writer.pending()
    }

    /// What this writer and its clones have done so far; see [`WriterStats`].
    ///
    /// Source: acceptance WR-02.
    #[doc(alias = "Stats")]
    pub fn stats(&self) -> WriterStats {
        self.writer.stats()
    }

    /// The client that this writer was made from.
    pub fn client(&self) -> &Client {
        &self.client
    }

    fn receipt(&self, receipt: asynchronous::Receipt) -> Receipt {
        Receipt {
            receipt,
            io: self.io().clone(),
        }
    }

    fn io(&self) -> &Arc<Io> {
        self.client.io()
    }
}

/// The promise of an outcome for every record of one `send`.
///
/// Wait for it, or drop it: dropping recalls nothing. It may be waited for in any thread.
#[derive(Debug)]
#[must_use = "a receipt says whether the records were written; drop it on purpose with `drop`"]
#[doc(alias = "DeliveryFuture")]
pub struct Receipt {
    receipt: asynchronous::Receipt,
    io: Arc<Io>,
}

impl Receipt {
    /// Waits for the outcome of all records, in their order.
    ///
    /// # Errors
    ///
    /// Some record was not written, or nobody knows; [`WriteError::results`] tells for each.
    pub fn wait(self) -> Result<Vec<Written>, WriteError> {
        self.io.hand_over(self.receipt)
    }

    /// Waits up to `limit` for the outcome of all records; zero is a look.
    ///
    /// # Errors
    ///
    /// There is no outcome yet: the receipt is handed back. What [`Receipt::wait`] returns is inside.
    pub fn wait_timeout(
        mut self,
        limit: Duration,
    ) -> Result<Result<Vec<Written>, WriteError>, Self> {
        let outcome = self.io.block_on_for(limit, &mut self.receipt);
        outcome.ok_or(self)
    }
}
