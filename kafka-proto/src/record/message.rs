//! A message that was read: a share of the chunk it came in.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;

use super::{
    BatchBuilder, Batches, Headers, RawRecord, Record, RecordBatch, RecordCursor, RecordError,
    view::Span,
};

/// What the messages of one batch share.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    pub(crate) leader_epoch: i32,
    pub(crate) body: Bytes,
}

/// A message that was read.
///
/// It shares the memory of the fetch it came with: cloning costs one reference count, and a message that is kept keeps
/// all of that chunk (up to the fetch limits) alive. [`Message::detach`] copies it out.
///
/// Source: acceptance MS-01..07.
#[derive(Clone)]
#[doc(alias = "ConsumerRecord")]
#[doc(alias = "BorrowedMessage")]
#[doc(alias = "OwnedMessage")]
pub struct Message {
    chunk: Arc<Chunk>,
    offset: i64,
    timestamp: i64,
    key: Span,
    value: Span,
    headers: Span,
    header_count: i32,
}

impl Message {
    pub(crate) fn new(chunk: Arc<Chunk>, record: &RawRecord) -> Self {
        Self {
            chunk,
            offset: record.offset,
            timestamp: record.timestamp,
            key: record.key,
            value: record.value,
            headers: record.headers,
            header_count: record.header_count,
        }
    }

    /// The topic it was read from.
    pub fn topic(&self) -> &str {
        &self.chunk.topic
    }

    /// The partition it was read from.
    pub fn partition(&self) -> i32 {
        self.chunk.partition
    }

    /// Its offset in the partition.
    pub fn offset(&self) -> i64 {
        self.offset
    }

    /// The epoch of the leader that appended it; -1 if the broker did not say.
    pub fn leader_epoch(&self) -> i32 {
        self.chunk.leader_epoch
    }

    /// The key; `None` is null, which is not the same as empty.
    pub fn key(&self) -> Option<&[u8]> {
        self.key.of(&self.chunk.body)
    }

    /// The value; `None` is null: a tombstone.
    #[doc(alias = "payload")]
    pub fn value(&self) -> Option<&[u8]> {
        self.value.of(&self.chunk.body)
    }

    /// The key as a share of the chunk.
    pub fn key_bytes(&self) -> Option<Bytes> {
        self.key.share(&self.chunk.body)
    }

    /// The value as a share of the chunk.
    pub fn value_bytes(&self) -> Option<Bytes> {
        self.value.share(&self.chunk.body)
    }

    /// The headers, decoded as you go.
    pub fn headers(&self) -> Headers<'_> {
        Headers::encoded(
            self.header_count,
            self.headers.of(&self.chunk.body).unwrap_or_default(),
        )
    }

    /// Ms since the Unix epoch; -1 if the topic's format has no time. Who set it (writer or broker) is up to the topic.
    pub fn timestamp(&self) -> i64 {
        self.timestamp
    }

    /// The time as the standard library's type; `None` if there is none or it does not fit.
    pub fn time(&self) -> Option<SystemTime> {
        let ms = u64::try_from(self.timestamp).ok()?;
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(ms))
    }

    /// A copy with memory of its own, so that the chunk can be freed.
    pub fn detach(&self) -> Self {
        let mut builder = BatchBuilder::new(Vec::new());
        builder.push(&Record::from(self), self.timestamp);
        let (header, body) = builder.finish();
        let head = header.write(&body);
        let batch = Batches::new([&head[..], &body].concat().into())
            .without_crc()
            .next()
            .and_then(Result::ok);
        let copied = batch.and_then(|b| b.messages(&self.chunk.topic, self.chunk.partition).next());
        match copied.and_then(Result::ok) {
            Some(copy) => Self {
                offset: self.offset,
                timestamp: self.timestamp,
                ..copy
            },
            // our own encoding reads back, so this does not happen; sharing is right in any case
            None => self.clone(),
        }
    }
}

/// The records of a [`RecordBatch`] as messages that share its memory; after an error it yields nothing more.
#[derive(Clone, Debug)]
pub struct Messages {
    chunk: Arc<Chunk>,
    cursor: RecordCursor,
}

impl Messages {
    pub(super) fn new(topic: &Arc<str>, partition: i32, batch: &RecordBatch) -> Self {
        let chunk = Chunk {
            topic: topic.clone(),
            partition,
            leader_epoch: batch.header().leader_epoch,
            body: batch.body().clone(),
        };
        Self {
            chunk: Arc::new(chunk),
            cursor: batch.cursor(),
        }
    }
}

impl Iterator for Messages {
    type Item = Result<Message, RecordError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let record = self.cursor.next(&self.chunk.body)?;
        Some(record.map(|record| Message::new(self.chunk.clone(), &record)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.cursor.size_hint()
    }
}

/// Shows lengths, not payload.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("topic", &self.topic())
            .field("partition", &self.partition())
            .field("offset", &self.offset)
            .field("timestamp", &self.timestamp)
            .field("key_len", &self.key().map(<[u8]>::len))
            .field("value_len", &self.value().map(<[u8]>::len))
            .field("headers", &self.header_count)
            .finish()
    }
}
