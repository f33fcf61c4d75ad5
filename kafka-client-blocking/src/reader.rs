//! The handle that reads.

use std::{
    iter::FusedIterator,
    sync::Arc,
    time::{Duration, Instant},
};

use kafka_proto::{
    client::{self as asynchronous, Batch, ReaderHandle},
    config::StartOffset,
    error::Error,
    record::Message,
    stats::ReaderStats,
};

use crate::{client::Client, io};

/// Reads messages of a topic or of partitions, without a group.
///
/// Each partition is read in order of offsets; between partitions there is no order. Records of transactions' control
/// batches are never delivered. The reader fetches ahead while you work, within
/// [`fetch_buffer`](crate::Config::fetch_buffer).
///
/// A reader owns its position, so reading takes `&mut self`: one thread reads. [`Reader::handle`] ends a call that waits
/// from another thread, and so does [`Client::close`]. Dropping the reader ends its fetches.
///
/// Source: acceptance RD-01..11.
#[derive(Debug)]
#[doc(alias = "Consumer")]
#[doc(alias = "BaseConsumer")]
pub struct Reader {
    reader: asynchronous::Reader,
    client: Client,
}

impl Reader {
    pub(crate) fn new(reader: asynchronous::Reader, client: Client) -> Self {
        Self { reader, client }
    }

    /// Waits for the next message; `None` once the reader or its client is closed.
    ///
    /// In a group this marks the message before it as done; without one it is the same as [`Reader::fetch_message`].
    ///
    /// # Errors
    ///
    /// A partition cannot be read; the error's scope names it. The others go on, and so does the reader.
    #[doc(alias = "ReadMessage")]
    #[doc(alias = "recv")]
    #[inline]
    pub fn read_message(&mut self) -> Result<Option<Message>, Error> {
        self.fetch_message()
    }

    /// Waits up to `limit` for the next message; `None` if none came in time. No message is lost by that.
    ///
    /// # Errors
    ///
    /// As [`Reader::read_message`]; also [`ErrorKind::Closed`](crate::ErrorKind::Closed) once the reader or its
    /// client is closed, so that a loop around it ends.
    #[doc(alias = "poll")]
    pub fn read_message_timeout(&mut self, limit: Duration) -> Result<Option<Message>, Error> {
        if let Some(message) = self.reader.next_in_hand() {
            return Ok(Some(message));
        }
        match self.stay(io::deadline(limit)) {
            None => Ok(None),
            Some(Ok(None)) => Err(Error::closed()),
            Some(message) => message,
        }
    }

    /// Waits for the next message and marks nothing; `None` once the reader or its client is closed.
    ///
    /// # Errors
    ///
    /// As [`Reader::read_message`].
    #[doc(alias = "FetchMessage")]
    #[inline]
    pub fn fetch_message(&mut self) -> Result<Option<Message>, Error> {
        // most messages are in hand: those pass through no layers of a wait
        match self.reader.next_in_hand() {
            Some(message) => Ok(Some(message)),
            None => self.stay(None).expect(io::ENDS),
        }
    }

    /// Waits for the next message up to `deadline`.
    #[inline(never)]
    fn stay(&mut self, deadline: Option<Instant>) -> Option<Result<Option<Message>, Error>> {
        let next = self.reader.fetch_message();
        self.client.io().wait(deadline, next)
    }

    /// Waits for what one fetch brought for one partition; `None` once the reader or its client is closed.
    ///
    /// The batch owns its bytes: iterate it borrowed, which costs the least there is, or take its messages.
    ///
    /// # Errors
    ///
    /// As [`Reader::read_message`].
    #[doc(alias = "ReadBatch")]
    pub fn read_batch(&mut self) -> Result<Option<Batch>, Error> {
        self.client.io().block_on(self.reader.read_batch())
    }

    /// The messages from here on, as an iterator that waits for each, marks none, and ends when the reader or its client
    /// is closed.
    ///
    /// An error does not end it: the partitions that can be read go on.
    pub fn messages(&mut self) -> Messages<'_> {
        Messages(self)
    }

    /// Goes on at `start` in one partition that this reader reads; what was fetched ahead of it is dropped.
    ///
    /// # Errors
    ///
    /// The reader does not read that partition (or does not know it yet), or the offset is negative.
    #[doc(alias = "SetOffset")]
    pub fn seek(&mut self, topic: &str, partition: i32, start: StartOffset) -> Result<(), Error> {
        self.reader.seek(topic, partition, start)
    }

    /// The partitions that this reader knows of, with the high watermark that their last fetch named.
    pub fn partitions(&self) -> Vec<(Arc<str>, i32, Option<i64>)> {
        self.reader.partitions()
    }

    /// What this reader has done so far; see [`ReaderStats`].
    ///
    /// Source: acceptance RD-10.
    #[doc(alias = "Stats")]
    pub fn stats(&self) -> ReaderStats {
        self.reader.stats()
    }

    /// What any thread can ask or do while this reader waits: its partitions, and to end it.
    pub fn handle(&self) -> ReaderHandle {
        self.reader.handle()
    }

    /// Ends reading. Later calls answer `None`, and [`Reader::read_message_timeout`] an error.
    pub fn close(&mut self) {
        self.reader.close();
    }

    /// The client that this reader was made from.
    pub fn client(&self) -> &Client {
        &self.client
    }
}

/// The messages of a [`Reader`], each waited for.
#[derive(Debug)]
#[must_use = "iterators do nothing unless asked"]
pub struct Messages<'r>(&'r mut Reader);

impl Iterator for Messages<'_> {
    type Item = Result<Message, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.fetch_message().transpose()
    }
}

impl FusedIterator for Messages<'_> {}
