//! One connection without a client around it.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Batch, Call, Clock, Inbound, Outbound,
    call::Submitted,
    ledger::Ledger,
    link::{Common, Kind, Link},
    sync::Lock,
};
use crate::{
    api::{
        Request,
        fetch::{FetchPartition, FetchRequest, FetchTopic},
        list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic},
        metadata::{MetadataRequest, MetadataRequestTopic},
        produce::{PartitionProduceData, ProduceRequest, TopicProduceData},
    },
    config::{Address, Config, StartOffset},
    error::{ConfigError, Error, ErrorCode, ErrorKind, Outcome, WriteError, Written},
    machine::{backoff::Random, cursor::Fetched, fetch::LAST_BY_NAME},
    record::{BatchBuilder, Message, Record, next_offset},
};

/// What one fetch of a [`Conn`] may bring.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct FetchLimits {
    /// Bytes that the broker gathers before it answers, unless the wait ends first. Default: 1.
    pub min_bytes: i32,
    /// The most bytes; a batch that is larger comes all the same, alone. Default: 1,000,000.
    pub max_bytes: i32,
    /// How long the broker may wait. Default: 500 ms.
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

/// One connection to one broker, for one partition or for requests of any kind.
///
/// Requests take `&self`, and many may be in flight: the broker answers them in order. What reads moves the position and
/// takes `&mut self`. No retries, no idempotence, no other brokers: those are [`Writer`](super::Writer)'s and
/// [`Reader`](super::Reader)'s. Dropping it closes the connection.
///
/// Source: acceptance CN-01..25.
pub struct Conn {
    link: Arc<Link>,
    topic: Arc<str>,
    partition: i32,
    /// The next offset to read, once it is known.
    position: Option<i64>,
    deadline: Lock<Option<Instant>>,
    /// Messages in hand, and the offset after them.
    rest: Option<(super::reader::BatchMessages, i64)>,
}

impl Conn {
    /// A connection for `topic` and `partition` over a stream that the caller drives by the two halves: for adapters.
    ///
    /// `peer` is the address that was dialled, `host:port`, whose host a certificate must bear; or, for a stream that comes
    /// from elsewhere, any words for it: TLS then takes the name from `TlsConfig::server_name`.
    ///
    /// The position is the first offset (acceptance FN-09).
    ///
    /// # Errors
    ///
    /// A setting that cannot be.
    pub fn new(
        config: Config,
        clock: Arc<dyn Clock>,
        seed: u64,
        peer: &str,
        topic: &str,
        partition: i32,
    ) -> Result<(Self, Outbound, Inbound), ConfigError> {
        config.check()?;
        let now = clock.now();
        let common = Arc::new(Common {
            fetch_ledger: Ledger::new(config.fetch_buffer),
            random: Lock::new(Random::new(seed)),
            inbox: None,
            clock,
            config,
        });
        // what has no address has no name either, and TLS says so
        let host = Address::parse(peer).map_or_else(|_| peer.to_owned(), |address| address.host);
        let (link, outbound, inbound) =
            Link::new(Kind::General, peer.into(), &host, common, 0, now);
        let conn = Self {
            link,
            topic: topic.into(),
            partition,
            position: None,
            deadline: Lock::new(None),
            rest: None,
        };
        Ok((conn, outbound, inbound))
    }

    /// Waits until the handshake is done.
    ///
    /// # Errors
    ///
    /// The peer is not a Kafka broker, or closed the connection.
    pub async fn ready(&self) -> Result<(), Error> {
        // any request waits for the handshake; this is the smallest, and brokers allow it at any time
        self.request(crate::api::api_versions::ApiVersionsRequest::build(|r| {
            r.client_software_name = "kafka-client-rs".to_owned();
            r.client_software_version = env!("CARGO_PKG_VERSION").to_owned();
        }))
        .await
        .map(drop)
    }

    /// Sends a request of any API, in the highest version that both sides know, and waits for the response.
    ///
    /// Dropping the future gives up the answer only.
    ///
    /// # Errors
    ///
    /// The broker does not know the API or a field that is set, the deadline passed, or the connection ended. Error codes
    /// inside the response are yours to look at.
    pub fn request<R: Request + Send + Sync + 'static>(&self, request: R) -> Call<R> {
        self.submit(request, i16::MAX, Duration::ZERO)
    }

    /// Asks this broker where the leader of a partition listens.
    ///
    /// # Errors
    ///
    /// The partition does not exist or has no leader now, or the connection ended.
    #[doc(alias = "LookupLeader")]
    pub async fn lookup_leader(&self, topic: &str, partition: i32) -> Result<Address, Error> {
        let request = MetadataRequest::build(|r| {
            r.topics = Some(vec![MetadataRequestTopic::build(|t| {
                t.name = Some(topic.to_owned())
            })]);
            r.allow_auto_topic_creation = false;
        });
        let response = self.request(request).await?;
        let known = response.topics.first();
        let code = known.map_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, |t| {
            ErrorCode(t.error_code)
        });
        let found =
            known.and_then(|t| t.partitions.iter().find(|p| p.partition_index == partition));
        let leader = found.and_then(|p| response.brokers.iter().find(|b| b.node_id == p.leader_id));
        if let Some(broker) = leader
            && let Ok(port) = u16::try_from(broker.port)
        {
            return Ok(Address::new(broker.host.clone(), port));
        }
        let code = match (code, found) {
            (ErrorCode::NONE, None) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            (ErrorCode::NONE, Some(_)) => ErrorCode::LEADER_NOT_AVAILABLE,
            (code, _) => code,
        };
        Err(Error::refused(code, "the lookup of the leader", None)
            .in_partition(&topic.into(), partition))
    }

    /// Writes records to the connection's partition as one batch: all of them or none.
    ///
    /// Waits for all in-sync replicas. Returns where the first record went; the others follow it.
    ///
    /// # Errors
    ///
    /// The broker refused the batch, or the connection ended; the outcome says whether it may be in the log. Records that
    /// name a topic or partition are a misuse: the connection has one.
    #[doc(alias = "WriteMessages")]
    #[doc(alias = "WriteCompressedMessagesAt")]
    pub async fn write_messages(&self, records: &[Record<'_>]) -> Result<Written, WriteError> {
        if records.is_empty() {
            return Err(Error::new(ErrorKind::Misuse, "there is nothing to write").into());
        }
        if records
            .iter()
            .any(|r| r.topic.is_some() || r.partition.is_some())
        {
            let message = "a record names a topic or partition, and the connection has its own";
            return Err(Error::new(ErrorKind::Misuse, message)
                .with_outcome(Outcome::NotWritten)
                .into());
        }
        let mut builder = BatchBuilder::new(Vec::new());
        let now = self.link.common.clock.now();
        records
            .iter()
            .for_each(|record| builder.push(record, now.unix_ms));
        let (header, body) = builder.finish();
        let batch = [&header.write(&body)[..], &body].concat();
        let request = ProduceRequest::build(|r| {
            r.acks = -1;
            r.timeout_ms = i32::try_from(self.link.common.config.request_timeout.as_millis())
                .unwrap_or(i32::MAX);
            r.topic_data.push(TopicProduceData::build(|t| {
                t.name = self.topic.to_string();
                t.partition_data.push(PartitionProduceData::build(|p| {
                    p.index = self.partition;
                    p.records = Some(batch.into());
                }));
            }));
        });
        let response = self.submit(request, LAST_BY_NAME, Duration::ZERO).await?;
        let answer = response
            .responses
            .iter()
            .flat_map(|t| &t.partition_responses)
            .next();
        let Some(answer) = answer else {
            let message = "the response to Produce leaves out the partition";
            return Err(Error::new(ErrorKind::Protocol, message)
                .with_outcome(Outcome::Unknown)
                .into());
        };
        match ErrorCode(answer.error_code) {
            ErrorCode::NONE => Ok(Written {
                partition: self.partition,
                offset: Some(answer.base_offset).filter(|n| *n >= 0),
                append_time: Some(answer.log_append_time_ms).filter(|n| *n >= 0),
            }),
            code => {
                let unknown = matches!(
                    code,
                    ErrorCode::REQUEST_TIMED_OUT | ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND
                );
                let outcome = if unknown {
                    Outcome::Unknown
                } else {
                    Outcome::NotWritten
                };
                let error = Error::refused(code, "the batch", answer.error_message.as_deref());
                Err(error
                    .with_outcome(outcome)
                    .in_partition(&self.topic, self.partition)
                    .into())
            }
        }
    }

    /// Fetches once from the position and moves it behind what came; an empty batch if the wait ended first.
    ///
    /// # Errors
    ///
    /// The broker refused (the position stays), records are damaged, or the connection ended.
    #[doc(alias = "ReadBatch")]
    pub async fn read_batch(&mut self, limits: FetchLimits) -> Result<Batch, Error> {
        self.rest = None;
        let offset = match self.position {
            Some(offset) => offset,
            None => self.list_offset(-2).await?,
        };
        self.position = Some(offset);
        let request = FetchRequest::build(|r| {
            r.max_wait_ms = i32::try_from(limits.max_wait.as_millis()).unwrap_or(i32::MAX);
            (r.min_bytes, r.max_bytes) = (limits.min_bytes, limits.max_bytes);
            r.topics.push(FetchTopic::build(|t| {
                t.topic = self.topic.to_string();
                t.partitions.push(FetchPartition::build(|p| {
                    p.partition = self.partition;
                    p.fetch_offset = offset;
                    p.partition_max_bytes = limits.max_bytes;
                }));
            }));
        });
        let mut response = self.submit(request, LAST_BY_NAME, limits.max_wait).await?;
        let refused = |code: i16| {
            Error::refused(ErrorCode(code), "the fetch", None)
                .in_partition(&self.topic, self.partition)
        };
        if response.error_code != 0 {
            return Err(refused(response.error_code));
        }
        let answer = response
            .responses
            .iter_mut()
            .flat_map(|t| &mut t.partitions)
            .next();
        let Some(answer) = answer else {
            return Err(Error::new(
                ErrorKind::Protocol,
                "the response to Fetch leaves out the partition",
            ));
        };
        if answer.error_code != 0 {
            return Err(refused(answer.error_code));
        }
        let records = answer.records.take().unwrap_or_default();
        let next = next_offset(&records).ok().flatten().unwrap_or(offset);
        let fetched = Fetched {
            records,
            from: offset,
            next,
            high_watermark: answer.high_watermark,
        };
        let (batch, error) = Batch::of(&self.topic, self.partition, &fetched, offset, true);
        self.position = Some(batch.next_offset());
        match error {
            // what is good before the damage is handed out first
            Some(e) if batch.is_empty() => {
                Err(Error::corrupt(e).in_partition(&self.topic, self.partition))
            }
            _ => Ok(batch),
        }
    }

    /// Reads the next message, fetching up to `max_bytes` when none is in hand; `None` if none came within 500 ms.
    ///
    /// # Errors
    ///
    /// As [`Conn::read_batch`].
    #[doc(alias = "ReadMessage")]
    pub async fn read_message(&mut self, max_bytes: i32) -> Result<Option<Message>, Error> {
        if self.rest.is_none() {
            let batch = self
                .read_batch(FetchLimits {
                    max_bytes,
                    ..FetchLimits::default()
                })
                .await?;
            let (first, next) = (batch.first_offset(), batch.next_offset());
            self.position = Some(first);
            self.rest = Some((batch.into_iter(), next));
        }
        let Some((messages, next)) = &mut self.rest else {
            return Ok(None);
        };
        let (message, next) = (messages.next().transpose()?, *next);
        self.position = Some(message.as_ref().map_or(next, |m| m.offset() + 1));
        if message.is_none() {
            self.rest = None;
        }
        Ok(message)
    }

    /// Moves the position and returns it as an absolute offset.
    ///
    /// # Errors
    ///
    /// The broker refused, or the connection ended; the position stays.
    #[doc(alias = "Seek")]
    pub async fn seek(&mut self, to: StartOffset) -> Result<i64, Error> {
        let offset = match to {
            StartOffset::At(offset) if offset < 0 => {
                return Err(Error::new(
                    ErrorKind::Misuse,
                    "the offset to seek is negative",
                ));
            }
            StartOffset::At(offset) => offset,
            StartOffset::First => self.list_offset(-2).await?,
            StartOffset::Last => self.list_offset(-1).await?,
            StartOffset::Time(time) => match self.list_offset(time).await? {
                -1 => self.list_offset(-1).await?,
                offset => offset,
            },
        };
        self.position = Some(offset);
        self.rest = None;
        Ok(offset)
    }

    /// The offset that the next [`Conn::read_batch`] begins at; `None` before the first one.
    #[doc(alias = "Offset")]
    pub fn position(&self) -> Option<i64> {
        self.position
    }

    /// Sets when calls from now on give up; `None` is never. Default: never.
    #[doc(alias = "SetDeadline")]
    pub fn set_deadline(&self, at: Option<Instant>) {
        *self.deadline.lock() = at;
    }

    /// Closes the connection; calls in flight end with an error. Calling it again does nothing.
    #[doc(alias = "Close")]
    pub fn close(&self) {
        self.link.close(&Error::closed());
    }

    /// What closes this connection from elsewhere, while a call holds it.
    pub fn closer(&self) -> ConnCloser {
        ConnCloser(self.link.clone())
    }

    async fn list_offset(&self, timestamp: i64) -> Result<i64, Error> {
        let request = ListOffsetsRequest::build(|r| {
            r.replica_id = -1;
            r.topics.push(ListOffsetsTopic::build(|t| {
                t.name = self.topic.to_string();
                t.partitions.push(ListOffsetsPartition::build(|p| {
                    (p.partition_index, p.timestamp) = (self.partition, timestamp);
                }));
            }));
        });
        let response = self.request(request).await?;
        let answer = response.topics.iter().flat_map(|t| &t.partitions).next();
        match answer.map(|p| (ErrorCode(p.error_code), p.offset)) {
            Some((ErrorCode::NONE, offset)) => Ok(offset),
            Some((code, _)) => {
                Err(Error::refused(code, "the offset", None)
                    .in_partition(&self.topic, self.partition))
            }
            None => Err(Error::new(
                ErrorKind::Protocol,
                "the response to ListOffsets leaves out the partition",
            )),
        }
    }

    fn submit<R: Request + Send + Sync + 'static>(
        &self,
        request: R,
        limit: i16,
        extra: Duration,
    ) -> Call<R> {
        let (submitted, call) = Submitted::parked(request, limit, extra, *self.deadline.lock());
        self.link.submit(submitted);
        call
    }
}

/// Closes a [`Conn`] from another task or thread: a call that waits there ends with an error.
///
/// Cheap to clone. Dropping it does nothing; neither does closing what is closed.
#[derive(Clone)]
pub struct ConnCloser(Arc<Link>);

impl ConnCloser {
    /// Closes the connection.
    pub fn close(&self) {
        self.0.close(&Error::closed());
    }
}

impl fmt::Debug for ConnCloser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConnCloser").field(&self.0.peer).finish()
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Conn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conn")
            .field("peer", &self.link.peer)
            .field("topic", &self.topic)
            .field("partition", &self.partition)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
