//! Reading from the position on.

use std::time::Duration;

use super::{Conn, Position, Side, Terms};
use crate::{
    api::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic},
    client::Batch,
    error::{ConfigError, Error, ErrorCode, ErrorKind},
    machine::{cursor::Fetched, fetch::LAST_BY_NAME},
    record::{Message, next_offset},
};

/// What one fetch of a [`Conn`] may bring.
///
/// Source: acceptance CN-10 and section 2.1; KIP-74 for the batch that comes whole.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct FetchLimits {
    /// Bytes that the broker gathers before it answers, unless the wait ends first. Default: 1.
    pub min_bytes: i32,
    /// The most bytes; a batch that is larger comes all the same, alone. Default: 1,000,000.
    pub max_bytes: i32,
    /// How long the broker may wait. Default: 500 ms. It has nothing to do with the deadline of the connection, which ends
    /// a wait that is longer.
    pub max_wait: Duration,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self {
            min_bytes: 1,
            max_bytes: 1_000_000,
            max_wait: Duration::from_millis(500),
        }
    }
}

impl FetchLimits {
    fn check(&self) -> Result<(), ConfigError> {
        let fault = |field, why| Err(ConfigError::new(field, why));
        if self.min_bytes < 0 {
            return fault("min_bytes", "must not be negative");
        }
        if self.max_bytes < self.min_bytes {
            return fault("max_bytes", "must not be below min_bytes");
        }
        if self.max_wait > Duration::from_secs(3600) {
            return fault("max_wait", "must be at most an hour");
        }
        Ok(())
    }
}

/// What a fetch that brought no whole batch is widened to at least.
const WIDENED: i32 = 64 << 10;
/// What stands around the records of one partition in a frame, at most.
const AROUND: i32 = 4 << 10;

impl Conn {
    /// Fetches once from the position and moves it behind what came; an empty batch if the wait ended first.
    ///
    /// The batch owns its messages; to have those again that were not taken from it, seek to [`Batch::offset`].
    ///
    /// # Errors
    ///
    /// The broker refused (the position stays), records are damaged, the read deadline passed, or the connection ended.
    #[doc(alias = "ReadBatch")]
    #[doc(alias = "ReadBatchWith")]
    pub async fn read_batch(&mut self, limits: FetchLimits) -> Result<Batch, Error> {
        self.own_topic()?;
        limits.check()?;
        self.rest = None;
        let from = self.resolve().await?;
        let mut max_bytes = limits.max_bytes;
        loop {
            let (fetched, throttle) = self.fetch(from, limits, max_bytes).await?;
            // brokers before 0.10.1 cut what does not fit, and would do so for ever
            if !fetched.records.is_empty() && fetched.next == from && fetched.is_cut() {
                max_bytes = self.widen(max_bytes)?;
                continue;
            }
            let codecs = self.settings.lock().codecs.clone();
            let batch = Batch::of_conn(&self.topic, self.partition, codecs, &fetched, throttle);
            // what is good before the damage is handed out first
            if let (Some(error), true) = (batch.cut(), batch.is_empty()) {
                return Err(error.clone());
            }
            self.position = Position::At(batch.next_offset());
            return Ok(batch);
        }
    }

    /// Reads the next message, fetching up to `max_bytes` when none is in hand.
    ///
    /// `None` if none came within 500 ms. With a read deadline it waits until then, and that the deadline passed is an error.
    ///
    /// # Errors
    ///
    /// As [`Conn::read_batch`].
    #[doc(alias = "ReadMessage")]
    pub async fn read_message(&mut self, max_bytes: i32) -> Result<Option<Message>, Error> {
        self.take(max_bytes, Batch::next_message).await
    }

    /// Reads the value of the next message into the front of `buffer` and returns its length, 0 for a null one.
    ///
    /// `None` if no message came within 500 ms. With a read deadline it waits until then, and that the deadline passed is an
    /// error.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ShortBuffer`] if it does not fit: its beginning has been copied, and it is still the next one.
    /// Otherwise as [`Conn::read_batch`].
    #[doc(alias = "Read")]
    pub async fn read_value(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, Error> {
        let max_bytes = FetchLimits::default().max_bytes;
        self.take(max_bytes, |batch| batch.read_value(buffer)).await
    }

    /// What `take` finds in the messages in hand, which are fetched until there are some.
    async fn take<T>(
        &mut self,
        max_bytes: i32,
        mut take: impl FnMut(&mut Batch) -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, Error> {
        let limits = FetchLimits {
            max_bytes,
            min_bytes: max_bytes.min(1),
            ..FetchLimits::default()
        };
        loop {
            let mut batch = match self.rest.take() {
                Some(batch) => batch,
                None => self.read_batch(limits).await?,
            };
            let taken = take(&mut batch);
            self.position = Position::At(batch.offset());
            let moved = batch.next_offset() > batch.first_offset();
            match taken {
                Ok(None) if moved || self.link.deadlines().read.is_some() => continue,
                Ok(None) => {}
                Ok(Some(_)) => self.rest = Some(batch),
                Err(_) if batch.error().is_none() => self.rest = Some(batch),
                Err(_) => {}
            }
            return taken;
        }
    }

    /// One fetch from `from` on, and for how long the broker throttled it.
    async fn fetch(
        &self,
        from: i64,
        limits: FetchLimits,
        max_bytes: i32,
    ) -> Result<(Fetched, Duration), Error> {
        let request = FetchRequest::build(|r| {
            r.max_wait_ms = i32::try_from(limits.max_wait.as_millis()).unwrap_or(i32::MAX);
            (r.min_bytes, r.max_bytes) = (limits.min_bytes, max_bytes);
            r.replica_id = -1;
            r.topics.push(FetchTopic::build(|t| {
                t.topic = self.topic.to_string();
                t.partitions.push(FetchPartition::build(|p| {
                    p.partition = self.partition;
                    p.fetch_offset = from;
                    p.partition_max_bytes = max_bytes;
                }));
            }));
        });
        let terms = Terms {
            highest: LAST_BY_NAME,
            extra: limits.max_wait,
            ..Terms::default()
        };
        let mut response: FetchResponse = self.submit(request, terms, Side::Read).await?;
        let refused = |code: i16| {
            Error::refused(ErrorCode(code), "the fetch", None)
                .in_partition(&self.topic, self.partition)
        };
        if response.error_code != 0 {
            return Err(refused(response.error_code));
        }
        let throttle =
            Duration::from_millis(u64::try_from(response.throttle_time_ms).unwrap_or_default());
        let answer = response
            .responses
            .iter_mut()
            .flat_map(|t| &mut t.partitions)
            .next();
        let Some(answer) = answer else {
            let message = "the response to Fetch leaves out the partition";
            return Err(Error::new(ErrorKind::Protocol, message));
        };
        if answer.error_code != 0 {
            return Err(refused(answer.error_code));
        }
        let records = answer.records.take().unwrap_or_default();
        let next = next_offset(&records).ok().flatten().unwrap_or(from);
        let fetched = Fetched {
            records,
            from,
            next,
            high_watermark: answer.high_watermark,
        };
        Ok((fetched, throttle))
    }

    /// A larger limit for a batch that does not fit; an error beyond what a frame may have.
    fn widen(&self, max_bytes: i32) -> Result<i32, Error> {
        let most = i32::try_from(self.config().max_frame).unwrap_or(i32::MAX) - AROUND;
        if max_bytes >= most {
            let message = format!("the next batch is larger than {most} bytes, by max_frame");
            let error = Error::new(ErrorKind::TooLarge, message);
            return Err(error.in_partition(&self.topic, self.partition));
        }
        Ok(max_bytes.saturating_mul(2).max(WIDENED).min(most))
    }
}

impl Fetched {
    /// Whether there is not even one whole batch, and no damage either.
    fn is_cut(&self) -> bool {
        matches!(next_offset(&self.records), Ok(None))
    }
}
