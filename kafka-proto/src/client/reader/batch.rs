//! What one fetch brought for one partition.

use std::sync::Arc;

use super::Cell;
use crate::{
    error::Error,
    machine::cursor::Fetched,
    record::{Batches, Chunk, Message, RecordBatch, RecordCursor, RecordError, RecordView},
};

/// The messages that one fetch brought for one partition.
///
/// It owns its bytes and holds no lock; checksums have been checked. [`Batch::iter`] borrows from it and costs nothing per
/// message but the decoding; `into_iter` gives messages that share its memory.
///
/// Source: acceptance BA-01..07.
#[derive(Debug)]
pub struct Batch {
    topic: Arc<str>,
    partition: i32,
    from: i64,
    next: i64,
    high_watermark: i64,
    batches: Vec<RecordBatch>,
}

impl Batch {
    /// The whole batches of `fetched` from `position` on, and what stopped the reading of more.
    pub(super) fn new(
        cell: &Cell,
        fetched: &Fetched,
        position: i64,
        check_crcs: bool,
    ) -> (Self, Option<RecordError>) {
        Self::of(&cell.topic, cell.partition, fetched, position, check_crcs)
    }

    pub(crate) fn of(
        topic: &Arc<str>,
        partition: i32,
        fetched: &Fetched,
        position: i64,
        check_crcs: bool,
    ) -> (Self, Option<RecordError>) {
        let whole = Batches::new(fetched.records.clone());
        let whole = if check_crcs {
            whole
        } else {
            whole.without_crc()
        };
        let mut batch = Self {
            topic: topic.clone(),
            partition,
            from: position,
            next: position,
            high_watermark: fetched.high_watermark,
            batches: Vec::new(),
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
    #[doc(alias = "Offset")]
    pub fn next_offset(&self) -> i64 {
        self.next
    }

    /// The partition's high watermark when this was fetched.
    #[doc(alias = "HighWaterMark")]
    pub fn high_watermark(&self) -> i64 {
        self.high_watermark
    }

    /// Whether there is no message.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Borrows each message in turn; an error means that the batch is damaged in spite of its checksum, and is the last
    /// item.
    pub fn iter(&self) -> impl Iterator<Item = Result<RecordView<'_>, Error>> {
        let from = self.from;
        let records = self.batches.iter().flat_map(RecordBatch::iter);
        records
            .filter(move |r| !matches!(r, Ok(record) if record.offset < from))
            .map(|r| r.map_err(|e| Error::corrupt(e).in_partition(&self.topic, self.partition)))
    }
}

impl IntoIterator for Batch {
    type Item = Result<Message, Error>;
    type IntoIter = BatchMessages;

    fn into_iter(self) -> BatchMessages {
        BatchMessages {
            topic: self.topic,
            partition: self.partition,
            from: self.from,
            batches: self.batches.into_iter(),
            open: None,
        }
    }
}

/// The messages of a [`Batch`], each a share of its memory.
#[derive(Debug)]
pub struct BatchMessages {
    topic: Arc<str>,
    partition: i32,
    from: i64,
    batches: std::vec::IntoIter<RecordBatch>,
    open: Option<(Arc<Chunk>, RecordCursor)>,
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
                        return Some(Err(
                            Error::corrupt(e).in_partition(&self.topic, self.partition)
                        ));
                    }
                    None => self.open = None,
                }
            }
            let batch = self.batches.next()?;
            let cursor = batch.cursor();
            let chunk = Chunk {
                topic: self.topic.clone(),
                partition: self.partition,
                leader_epoch: batch.header().leader_epoch,
                body: batch.body().clone(),
            };
            self.open = Some((Arc::new(chunk), cursor));
        }
    }
}
