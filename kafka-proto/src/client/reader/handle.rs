//! The handle that reads.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll, ready},
};

use super::{Batch, Cell, Shelf, count::Piece};
use crate::{
    client::{Client, Shared, inbox::Note},
    config::StartOffset,
    error::{Error, ErrorKind},
    machine::cursor::Fetched,
    record::{Batches, Chunk, Message, RecordCursor, RecordError},
    stats::ReaderStats,
};

/// Results handed out in a row before other tasks have their turn.
const TURN: u32 = 128;

/// Reads messages of a topic or of partitions, without a group.
///
/// Each partition is read in order of offsets; between partitions there is no order. Records of transactions' control
/// batches are never delivered. The reader fetches ahead while you work, within
/// [`fetch_buffer`](crate::config::Config::fetch_buffer).
///
/// A reader owns its position, so reading takes `&mut self`. Dropping it ends its fetches.
///
/// Source: acceptance RD-01..11.
#[doc(alias = "Consumer")]
#[doc(alias = "StreamConsumer")]
pub struct Reader {
    client: Client,
    shelf: Arc<Shelf>,
    current: Option<Current>,
    /// What is counted of the piece that was taken last.
    piece: Option<Piece>,
    in_a_row: u32,
}

/// The fetched records in hand: no lock is taken until they end.
struct Current {
    cell: Arc<Cell>,
    fetched: Fetched,
    /// The next offset to deliver.
    position: i64,
    batches: Batches,
    open: Option<Open>,
    /// Damage in the batch that was open until then.
    met: Option<RecordError>,
}

/// The batch in hand.
struct Open {
    chunk: Arc<Chunk>,
    cursor: RecordCursor,
    /// The offset after the batch.
    next: i64,
}

impl Reader {
    pub(crate) fn new(client: Client, shelf: Arc<Shelf>) -> Self {
        Self {
            client,
            shelf,
            current: None,
            piece: None,
            in_a_row: 0,
        }
    }

    /// Waits for the next message; `None` once the reader or its client is closed.
    ///
    /// In a group this marks the message before it as done; without one it is the same as
    /// [`Reader::fetch_message`]. Cancel safe: a message is never lost by dropping the future.
    ///
    /// # Errors
    ///
    /// A partition cannot be read; the error's scope names it. The others go on, and so does the reader.
    #[doc(alias = "ReadMessage")]
    #[doc(alias = "recv")]
    pub async fn read_message(&mut self) -> Result<Option<Message>, Error> {
        self.fetch_message().await
    }

    /// Waits for the next message and marks nothing; `None` once the reader or its client is closed.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// As [`Reader::read_message`].
    #[doc(alias = "FetchMessage")]
    #[doc(alias = "poll")]
    pub async fn fetch_message(&mut self) -> Result<Option<Message>, Error> {
        // most messages are in hand: those are not moved through a poll
        if let Some(message) = self.next_in_turn() {
            return Ok(Some(message));
        }
        std::future::poll_fn(|cx| self.poll_message(cx)).await
    }

    /// Waits for what one fetch brought for one partition; `None` once the reader or its client is closed.
    ///
    /// The batch owns its bytes: iterate it borrowed, which costs the least there is, or take its messages. Cancel safe.
    ///
    /// # Errors
    ///
    /// As [`Reader::read_message`].
    #[doc(alias = "ReadBatch")]
    pub async fn read_batch(&mut self) -> Result<Option<Batch>, Error> {
        std::future::poll_fn(|cx| self.poll_batch(cx)).await
    }

    /// Goes on at `start` in one partition that this reader reads; what was fetched ahead of it is dropped.
    ///
    /// # Errors
    ///
    /// The reader does not read that partition (or does not know it yet), or the offset is negative.
    #[doc(alias = "SetOffset")]
    pub fn seek(&mut self, topic: &str, partition: i32, start: StartOffset) -> Result<(), Error> {
        if matches!(start, StartOffset::At(n) | StartOffset::Time(n) if n < 0) {
            return Err(Error::new(
                ErrorKind::Misuse,
                "the offset to seek is negative",
            ));
        }
        let is_it = |cell: &Arc<Cell>| *cell.topic == *topic && cell.partition == partition;
        let Some(cell) = self.shelf.cells().into_iter().find(is_it) else {
            let message =
                format!("this reader does not read partition {partition} of topic {topic}");
            return Err(Error::new(ErrorKind::UnknownPartition, message));
        };
        cell.seek(start, &self.shelf);
        self.current.take_if(|current| is_it(&current.cell));
        Ok(())
    }

    /// The partitions that this reader knows of, with the high watermark that their last fetch named.
    pub fn partitions(&self) -> Vec<(Arc<str>, i32, Option<i64>)> {
        self.handle().partitions()
    }

    /// What this reader has done so far; see [`ReaderStats`].
    ///
    /// Source: acceptance RD-10.
    #[doc(alias = "Stats")]
    pub fn stats(&self) -> ReaderStats {
        self.handle().stats()
    }

    /// What others may do with this reader while it reads.
    pub fn handle(&self) -> ReaderHandle {
        ReaderHandle {
            shelf: self.shelf.clone(),
            shared: self.client.shared.clone(),
        }
    }

    /// Ends reading. Later calls answer `None`.
    pub fn close(&mut self) {
        self.current = None;
        self.handle().close();
    }

    /// The client that this reader was made from.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The poll form of [`Reader::fetch_message`].
    pub fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        loop {
            if let Some(message) = self.next_in_turn() {
                return Poll::Ready(Ok(Some(message)));
            }
            if self.gives_turn(cx) {
                return Poll::Pending;
            }
            if let Some(current) = &mut self.current {
                match current.open_next() {
                    Ok(true) => {}
                    Ok(false) => self.current = None,
                    Err(e) => {
                        if let Some(error) = self.damaged(e) {
                            return Poll::Ready(Err(error));
                        }
                    }
                }
                continue;
            }
            if !ready!(self.poll_current(cx))? {
                return Poll::Ready(Ok(None));
            }
        }
    }

    /// Whether other tasks have their turn now: those that fetch, among them.
    fn gives_turn(&mut self, cx: &Context<'_>) -> bool {
        let gives = self.in_a_row >= TURN;
        if gives {
            self.in_a_row = 0;
            cx.waker().wake_by_ref();
        }
        gives
    }

    /// The next message of the batch in hand, unless other tasks should have their turn.
    #[inline]
    fn next_in_turn(&mut self) -> Option<Message> {
        if self.in_a_row >= TURN {
            return None;
        }
        let message = self.next_in_hand();
        self.in_a_row += u32::from(message.is_some());
        message
    }

    /// The next message of the batch in hand: taking it waits for nothing and lets no fetch leave. `None` behind the last, or at
    /// damage: what follows is the affair of [`Reader::poll_message`]. For adapters whose callers have their thread for themselves.
    #[doc(hidden)]
    #[inline]
    pub fn next_in_hand(&mut self) -> Option<Message> {
        let current = self.current.as_mut()?;
        let message = current.next()?;
        self.shelf.deliver(1, &current.cell, current.position);
        Some(message)
    }

    fn poll_batch(&mut self, cx: &Context<'_>) -> Poll<Result<Option<Batch>, Error>> {
        loop {
            // who waits anyway has given it
            if self.current.is_some() && self.gives_turn(cx) {
                return Poll::Pending;
            }
            if let Some(current) = self.current.take() {
                let Current {
                    cell,
                    fetched,
                    position,
                    ..
                } = current;
                let (batch, error) =
                    Batch::new(&cell, &fetched, position, self.shelf.config.check_crcs);
                let next = batch.next_offset();
                if let Some(e) = error {
                    let again = cell.corrupt(next.max(position), &self.shelf);
                    if batch.is_empty() && again {
                        self.shelf.count_error();
                        return Poll::Ready(Err(
                            Error::corrupt(e).in_partition(&cell.topic, cell.partition)
                        ));
                    }
                }
                if batch.is_empty() {
                    continue;
                }
                self.shelf.deliver(batch.records(), &cell, next);
                self.in_a_row = self.in_a_row.saturating_add(batch.records() as u32);
                return Poll::Ready(Ok(Some(batch)));
            }
            if !ready!(self.poll_current(cx))? {
                return Poll::Ready(Ok(None));
            }
        }
    }

    /// Takes what was fetched next in hand; `false` once closed.
    fn poll_current(&mut self, cx: &Context<'_>) -> Poll<Result<bool, Error>> {
        if let Some(piece) = self.piece.take() {
            self.shelf.end(&piece);
        }
        loop {
            let Poll::Ready(cell) = self.shelf.poll_cell(cx.waker()) else {
                self.in_a_row = 0;
                return Poll::Pending;
            };
            let Some(cell) = cell? else {
                return Poll::Ready(Ok(false));
            };
            // a seek may have emptied it
            let Some(fetched) = cell.take(&self.shelf) else {
                continue;
            };
            self.piece = Some(self.shelf.begin(fetched.records.len()));
            let position = fetched.from;
            let batches = Batches::new(fetched.records.clone());
            let batches = if self.shelf.config.check_crcs {
                batches
            } else {
                batches.without_crc()
            };
            self.current = Some(Current {
                cell,
                fetched,
                position,
                batches,
                open: None,
                met: None,
            });
            return Poll::Ready(Ok(true));
        }
    }

    /// Has damage fetched again, and tells of it the second time.
    fn damaged(&mut self, error: RecordError) -> Option<Error> {
        let current = self.current.take()?;
        let again = current.cell.corrupt(current.position, &self.shelf);
        again.then(|| {
            self.shelf.count_error();
            Error::corrupt(error).in_partition(&current.cell.topic, current.cell.partition)
        })
    }
}

impl Current {
    /// The next message of the batch that is open; `None` at its end, or at damage.
    #[inline]
    fn next(&mut self) -> Option<Message> {
        let open = self.open.as_mut()?;
        loop {
            match open.cursor.next(&open.chunk.body) {
                // the batch may begin before the offset that was asked for
                Some(Ok(record)) if record.offset < self.position => {}
                Some(Ok(record)) => {
                    self.position = record.offset.saturating_add(1);
                    return Some(Message::new(open.chunk.clone(), &record));
                }
                Some(Err(e)) => {
                    // the position stays: another look must not take the damage for the end
                    self.open = None;
                    self.met = Some(e);
                    return None;
                }
                None => {
                    self.position = self.position.max(open.next);
                    self.open = None;
                    return None;
                }
            }
        }
    }

    /// Opens the next batch; `false` behind the last.
    fn open_next(&mut self) -> Result<bool, RecordError> {
        if let Some(e) = self.met.take() {
            return Err(e);
        }
        for batch in &mut self.batches {
            let batch = batch?;
            let next = batch.header().next_offset();
            if batch.header().is_control() || next <= self.position {
                self.position = self.position.max(next);
                continue;
            }
            let cursor = batch.cursor();
            let chunk = Arc::new(Chunk {
                topic: self.cell.topic.clone(),
                partition: self.cell.partition,
                leader_epoch: batch.header().leader_epoch,
                body: batch.body().clone(),
            });
            self.open = Some(Open {
                chunk,
                cursor,
                next,
            });
            return Ok(true);
        }
        Ok(false)
    }
}

/// Everything of a reader but its position, for other tasks. Cheap to clone; it does not keep the reader open.
#[derive(Clone)]
pub struct ReaderHandle {
    shelf: Arc<Shelf>,
    shared: Arc<Shared>,
}

impl ReaderHandle {
    /// The partitions that the reader knows of, with the high watermark that their last fetch named.
    pub fn partitions(&self) -> Vec<(Arc<str>, i32, Option<i64>)> {
        self.shelf
            .cells()
            .into_iter()
            .map(|cell| {
                let high_watermark = cell.inner.lock().cursor.high_watermark();
                (cell.topic.clone(), cell.partition, high_watermark)
            })
            .collect()
    }

    /// What the reader has done so far; see [`ReaderStats`].
    pub fn stats(&self) -> ReaderStats {
        self.shelf.stats(&self.shared.common.config)
    }

    /// Ends reading: a call that waits answers `None`, and so do later ones, once the messages are read that the reader has
    /// in hand. Calling it again does nothing.
    pub fn close(&self) {
        self.shelf.close();
        self.shelf.inbox.tell(Note::ReaderClosed(self.shelf.id));
    }
}

impl fmt::Debug for ReaderHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReaderHandle")
            .field("partitions", &self.partitions())
            .finish()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("config", &self.shelf.config)
            .finish_non_exhaustive()
    }
}
