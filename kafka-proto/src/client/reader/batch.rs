//! What one fetch brought for one partition.

use std::{sync::Arc, time::Duration};

use super::Cell;
use crate::{
    error::{Error, ErrorKind},
    machine::cursor::Fetched,
    record::{
        Batches, Chunk, Codecs, Message, RawRecord, RecordBatch, RecordCursor, RecordError,
        RecordView,
    },
};

/// The messages that one fetch brought for one partition.
///
/// It owns its bytes and holds no lock, so that it may be kept, sent elsewhere, or dropped half read; checksums have been
/// checked. [`Batch::iter`] borrows from it and costs nothing per message but the decoding; `into_iter` gives messages that
/// share its memory; [`Batch::next_message`] and [`Batch::read_value`] take one after the other and know where they stand.
///
/// The position of a [`Conn`](crate::client::Conn) is behind all of the batch once it was read. Whoever leaves off in the middle
/// and wants the rest later seeks to [`Batch::offset`].
///
/// Source: acceptance BA-01..07.
#[derive(Debug)]
pub struct Batch {
    topic: Arc<str>,
    partition: i32,
    from: i64,
    next: i64,
    high_watermark: i64,
    throttle: Duration,
    batches: Vec<RecordBatch>,
    /// What is damaged behind the last whole batch.
    cut: Option<Error>,
    /// How many of `batches` have been opened.
    opened: usize,
    open: Option<(Arc<Chunk>, RecordCursor)>,
    /// The offset of the next message to take.
    at: i64,
    /// What taking messages met with.
    met: Option<Error>,
}

impl Batch {
    /// The whole batches of `fetched` from `position` on, and what stopped the reading of more.
    pub(super) fn new(
        cell: &Cell,
        fetched: &Fetched,
        position: i64,
        check_crcs: bool,
    ) -> (Self, Option<RecordError>) {
        let mut batches = Batches::new(fetched.records.clone());
        if !check_crcs {
            batches = batches.without_crc();
        }
        Self::of(&cell.topic, cell.partition, batches, fetched, position)
    }

    /// The batch of a connection, which holds what is damaged behind its messages.
    pub(crate) fn of_conn(
        topic: &Arc<str>,
        partition: i32,
        codecs: Codecs,
        fetched: &Fetched,
        throttle: Duration,
    ) -> Self {
        let batches = Batches::new(fetched.records.clone()).codecs(codecs);
        let (mut batch, cut) = Self::of(topic, partition, batches, fetched, fetched.from);
        batch.throttle = throttle;
        batch.cut = cut.map(|e| Error::corrupt(e).in_partition(topic, partition));
        batch
    }

    fn of(
        topic: &Arc<str>,
        partition: i32,
        whole: Batches,
        fetched: &Fetched,
        position: i64,
    ) -> (Self, Option<RecordError>) {
        let mut batch = Self {
            topic: topic.clone(),
            partition,
            from: position,
            next: position,
            high_watermark: fetched.high_watermark,
            throttle: Duration::ZERO,
            batches: Vec::new(),
            cut: None,
            opened: 0,
            open: None,
            at: position,
            met: None,
        };
        for next in whole {
            match next {
                Ok(records) => {
                    let after = records.header().next_offset();
                    if !records.header().is_control() && after > position {
                        batch.batches.push(records);
                    }
                    batch.next = batch.next.max(after);
                }
                Err(e) => return (batch, Some(e)),
            }
        }
        (batch, None)
    }

    /// The records of its batches, those before the position included.
    pub(super) fn records(&self) -> u64 {
        let counts = self.batches.iter().map(|b| b.header().record_count);
        counts.map(|n| u64::try_from(n).unwrap_or(0)).sum()
    }

    /// Takes the next message; `None` behind the last one.
    ///
    /// # Errors
    ///
    /// The records are damaged, in spite of their checksum or behind the messages before: the same error from then on.
    #[doc(alias = "ReadMessage")]
    pub fn next_message(&mut self) -> Result<Option<Message>, Error> {
        let Some((chunk, record, _)) = self.take()? else {
            return Ok(None);
        };
        self.at = record.offset + 1;
        Ok(Some(Message::new(chunk, &record)))
    }

    /// Copies the value of the next message to the front of `buffer` and returns its length, 0 for a null one; `None`
    /// behind the last message.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ShortBuffer`] if it does not fit: its beginning has been copied, and it is still the next one.
    /// Otherwise as [`Batch::next_message`].
    #[doc(alias = "Read")]
    pub fn read_value(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, Error> {
        let Some((chunk, record, before)) = self.take()? else {
            return Ok(None);
        };
        let value = record.value.of(&chunk.body).unwrap_or_default();
        let copied = value.len().min(buffer.len());
        buffer[..copied].copy_from_slice(&value[..copied]);
        if copied < value.len() {
            let needed = value.len();
            self.open = Some((chunk, before));
            let message = format!("the value has {needed} bytes, the buffer {copied}");
            let error = Error::new(ErrorKind::ShortBuffer { needed, copied }, message);
            return Err(error.in_partition(&self.topic, self.partition));
        }
        self.at = record.offset + 1;
        Ok(Some(copied))
    }

    /// The offset of the message that [`Batch::next_message`] takes next; behind the last one, where the next batch begins.
    pub fn offset(&self) -> i64 {
        self.at
    }

    /// What taking messages has met with, if it was an error; it stays.
    #[doc(alias = "Err")]
    pub fn error(&self) -> Option<&Error> {
        self.met.as_ref()
    }

    /// Ends the batch. Dropping it does the same and says nothing.
    ///
    /// # Errors
    ///
    /// What taking messages has met with; the end of the batch is no error.
    pub fn close(self) -> Result<(), Error> {
        self.met.map_or(Ok(()), Err)
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The partition.
    pub fn partition(&self) -> i32 {
        self.partition
    }

    /// The offset that was asked for: messages before it are not in the batch.
    pub fn first_offset(&self) -> i64 {
        self.from
    }

    /// The offset after the batch: where the next one begins.
    pub fn next_offset(&self) -> i64 {
        self.next
    }

    /// The partition's high watermark when this was fetched.
    #[doc(alias = "HighWaterMark")]
    pub fn high_watermark(&self) -> i64 {
        self.high_watermark
    }

    /// For how long the broker throttled the request (KIP-124, KIP-219); zero in the batches of a reader, which are not
    /// requests of their own.
    pub fn throttle(&self) -> Duration {
        self.throttle
    }

    /// Whether there is no message.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Borrows each message in turn, taken or not; an error means that records are damaged, and is the last item.
    pub fn iter(&self) -> impl Iterator<Item = Result<RecordView<'_>, Error>> {
        let from = self.from;
        let records = self.batches.iter().flat_map(RecordBatch::iter);
        records
            .filter(move |r| !matches!(r, Ok(record) if record.offset < from))
            .map(|r| r.map_err(|e| Error::corrupt(e).in_partition(&self.topic, self.partition)))
            .chain(self.cut.clone().map(Err))
    }

    pub(crate) fn cut(&self) -> Option<&Error> {
        self.cut.as_ref()
    }

    /// The next record that was asked for, its chunk, and where to begin to have it again.
    fn take(&mut self) -> Result<Option<(Arc<Chunk>, RawRecord, RecordCursor)>, Error> {
        if let Some(error) = &self.met {
            return Err(error.clone());
        }
        loop {
            let Some((chunk, cursor)) = &mut self.open else {
                let Some(batch) = self.batches.get(self.opened) else {
                    self.at = self.next;
                    self.met.clone_from(&self.cut);
                    return self.met.clone().map_or(Ok(None), Err);
                };
                self.open = Some(chunk_of(batch, &self.topic, self.partition));
                self.opened += 1;
                continue;
            };
            let before = cursor.clone();
            match cursor.next(&chunk.body) {
                Some(Ok(record)) if record.offset < self.from => {}
                Some(Ok(record)) => return Ok(Some((chunk.clone(), record, before))),
                Some(Err(e)) => {
                    let error = Error::corrupt(e).in_partition(&self.topic, self.partition);
                    self.met = Some(error.clone());
                    return Err(error);
                }
                None => self.open = None,
            }
        }
    }
}

/// A batch of records, opened.
fn chunk_of(batch: &RecordBatch, topic: &Arc<str>, partition: i32) -> (Arc<Chunk>, RecordCursor) {
    let chunk = Chunk {
        topic: topic.clone(),
        partition,
        leader_epoch: batch.header().leader_epoch,
        body: batch.body().clone(),
    };
    (Arc::new(chunk), batch.cursor())
}

impl IntoIterator for Batch {
    type Item = Result<Message, Error>;
    type IntoIter = BatchMessages;

    fn into_iter(mut self) -> BatchMessages {
        self.batches.drain(..self.opened);
        BatchMessages {
            topic: self.topic,
            partition: self.partition,
            from: self.from,
            batches: self.batches.into_iter(),
            open: self.open,
            cut: self.met.or(self.cut),
        }
    }
}

/// The messages of a [`Batch`] that were not taken yet, each a share of its memory.
#[derive(Debug)]
pub struct BatchMessages {
    topic: Arc<str>,
    partition: i32,
    from: i64,
    batches: std::vec::IntoIter<RecordBatch>,
    open: Option<(Arc<Chunk>, RecordCursor)>,
    cut: Option<Error>,
}

impl Iterator for BatchMessages {
    type Item = Result<Message, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((chunk, cursor)) = &mut self.open {
                match cursor.next(&chunk.body) {
                    Some(Ok(record)) if record.offset < self.from => continue,
                    Some(Ok(record)) => return Some(Ok(Message::new(chunk.clone(), &record))),
                    Some(Err(e)) => {
                        self.batches = Vec::new().into_iter();
                        self.open = None;
                        self.cut = None;
                        return Some(Err(
                            Error::corrupt(e).in_partition(&self.topic, self.partition)
                        ));
                    }
                    None => self.open = None,
                }
            }
            let Some(batch) = self.batches.next() else {
                return self.cut.take().map(Err);
            };
            self.open = Some(chunk_of(&batch, &self.topic, self.partition));
        }
    }
}
