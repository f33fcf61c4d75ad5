//! One connection.

use std::{
    fmt,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use kafka_proto::{
    api::{Request, api_versions::ApiVersion, list_groups::ListedGroup},
    client::{
        self as asynchronous, Batch, Broker, ConnCloser, FetchLimits, Partition, SeekFrom,
        TopicConfig, TopicResult,
    },
    config::Acks,
    error::{Error, Written},
    record::{Codecs, Compression, Message, Record},
};

use crate::io::Io;

/// One connection to one broker, for one partition and for requests of any kind.
///
/// Requests take `&self`: threads may share it, and many requests be in flight; the broker answers them in order. What
/// reads moves the position and takes `&mut self`. No retries, no idempotence, no other brokers: those are
/// [`Writer`](crate::Writer)'s and [`Reader`](crate::Reader)'s, which are built from the same parts. A thread of its own
/// runs it, `kafka-io`; over a stream that blocks, three do. Dropping it closes the connection and does not wait for them.
///
/// One that was dialled without a partition has none: what reads, writes or seeks is
/// [`ErrorKind::Misuse`](crate::ErrorKind::Misuse) there.
///
/// A call whose deadline passes gives up the answer only: the connection goes on. Without a deadline, what the broker does
/// not answer within [`request_timeout`](crate::Config::request_timeout) ends the connection, and with it every call.
///
/// Speaks with brokers from 0.10 on, in the newest version of each request that both sides know.
///
/// Source: acceptance CN-01..25.
#[derive(Debug)]
pub struct Conn {
    conn: asynchronous::Conn,
    io: Arc<Io>,
}

impl Conn {
    pub(crate) fn new(conn: asynchronous::Conn, io: Arc<Io>) -> Self {
        Self { conn, io }
    }

    pub(crate) fn of_broker(mut self, broker: Broker) -> Self {
        self.conn.set_broker(broker);
        self
    }

    /// Sends a request of any API, in the highest version that both sides know, and waits for the response.
    ///
    /// Obeys both deadlines. To have several in flight, use [`Conn::send`], or several threads.
    ///
    /// From version 13 on, Produce and Fetch name topics by id and carry no name: with a name, ask by
    /// [`request_at`](Self::request_at) in version 12.
    ///
    /// # Errors
    ///
    /// The broker does not know the API or a field that is set, a deadline passed, or the connection ended. Error codes
    /// inside the response are yours to look at.
    pub fn request<R>(&self, request: R) -> Result<R::Response, Error>
    where
        R: Request + Send + Sync + 'static,
    {
        self.io.block_on(self.conn.request(request))
    }

    /// Sends a request in this very version, and waits for the response.
    ///
    /// # Errors
    ///
    /// As [`Conn::request`]; also if this crate or the broker does not know the version.
    pub fn request_at<R>(&self, version: i16, request: R) -> Result<R::Response, Error>
    where
        R: Request + Send + Sync + 'static,
    {
        self.io.block_on(self.conn.request_at(version, request))
    }

    /// Sends a request of any API without waiting, and returns the promise of its response: what has many requests in flight
    /// in one thread, which costs a fraction of a thread for each.
    ///
    /// Obeys both deadlines. Errors come with the response.
    pub fn send<R>(&self, request: R) -> Call<R>
    where
        R: Request + Send + Sync + 'static,
    {
        self.promise(self.conn.request(request))
    }

    /// Sends a request in this very version without waiting, and returns the promise of its response.
    ///
    /// As [`Conn::send`]; it is also an error if this crate or the broker does not know the version.
    pub fn send_at<R>(&self, version: i16, request: R) -> Call<R>
    where
        R: Request + Send + Sync + 'static,
    {
        self.promise(self.conn.request_at(version, request))
    }

    fn promise<R: Request>(&self, call: asynchronous::Call<R>) -> Call<R> {
        self.io.nudge();
        let io = self.io.clone();
        Call { call, io }
    }

    /// Sends the body of a request of any API and version as it is, and waits for the body of the response: for proxies.
    ///
    /// The headers are written and read here. Neither key nor version is checked, and an API that is newer than this crate
    /// is taken to have flexible headers, as new ones do (KIP-482). A request that the broker does not answer, a Produce
    /// with acks 0, is not for this: its answer would be waited for until the time-out ends the connection.
    ///
    /// # Errors
    ///
    /// A deadline passed, or the connection ended: brokers end it for what they do not know.
    pub fn raw(&self, api_key: i16, version: i16, body: Bytes) -> Result<Bytes, Error> {
        self.io.block_on(self.conn.raw(api_key, version, body))
    }

    /// Writes one record with this value, and returns how many bytes it has: all of them, or it is an error.
    ///
    /// # Errors
    ///
    /// As [`Conn::write_messages`].
    #[doc(alias = "Write")]
    pub fn write_value(&self, value: &[u8]) -> Result<usize, Error> {
        self.io.block_on(self.conn.write_value(value))
    }

    /// Writes records to the connection's partition as one batch: all of them or none.
    ///
    /// Waits for whom [`Conn::set_required_acks`] says. Returns where the first record went and when the broker appended it;
    /// the others follow it. No records are written without asking the broker, and have no offset. A record without a time
    /// gets that of the call.
    ///
    /// The format is the newest that the broker takes: magic 2 from 0.11 on, magic 1 before.
    ///
    /// # Errors
    ///
    /// The broker refused the batch, the write deadline passed, or the connection ended; the outcome says whether it may be
    /// in the log. Records that name another topic or partition are a misuse. Headers, for a broker before 0.11, are
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported): they are never dropped.
    #[doc(alias = "WriteMessages")]
    #[doc(alias = "WriteCompressedMessagesAt")]
    pub fn write_messages(&self, records: &[Record<'_>]) -> Result<Written, Error> {
        self.io.block_on(self.conn.write_messages(records))
    }

    /// As [`Conn::write_messages`], compressed, by the codecs of [`Conn::set_codecs`].
    ///
    /// # Errors
    ///
    /// As [`Conn::write_messages`]; also if the crate was built without the codec, or the broker does not know zstd (it does
    /// from 2.1 on).
    #[doc(alias = "WriteCompressedMessages")]
    pub fn write_compressed(
        &self,
        compression: Compression,
        records: &[Record<'_>],
    ) -> Result<Written, Error> {
        self.io
            .block_on(self.conn.write_compressed(compression, records))
    }

    /// Fetches once from the position and moves it behind what came; an empty batch if the wait ended first.
    ///
    /// The batch owns its messages; to have those again that were not taken from it, seek to [`Batch::offset`].
    ///
    /// # Errors
    ///
    /// The broker refused (the position stays), records are damaged, the read deadline passed, or the connection ended.
    #[doc(alias = "ReadBatch")]
    #[doc(alias = "ReadBatchWith")]
    pub fn read_batch(&mut self, limits: FetchLimits) -> Result<Batch, Error> {
        self.io.block_on(self.conn.read_batch(limits))
    }

    /// Reads the next message, fetching up to `max_bytes` when none is in hand.
    ///
    /// `None` if none came within 500 ms. With a read deadline it waits until then, and that the deadline passed is an error.
    ///
    /// # Errors
    ///
    /// As [`Conn::read_batch`].
    #[doc(alias = "ReadMessage")]
    pub fn read_message(&mut self, max_bytes: i32) -> Result<Option<Message>, Error> {
        self.io.block_on(self.conn.read_message(max_bytes))
    }

    /// Reads the value of the next message into the front of `buffer` and returns its length, 0 for a null one.
    ///
    /// `None` if no message came within 500 ms. With a read deadline it waits until then, and that the deadline passed is an
    /// error.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ShortBuffer`](crate::ErrorKind::ShortBuffer) if it does not fit: its beginning has been copied, and it is still the next one.
    /// Otherwise as [`Conn::read_batch`].
    #[doc(alias = "Read")]
    pub fn read_value(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, Error> {
        self.io.block_on(self.conn.read_value(buffer))
    }

    /// Moves the position and returns it as an absolute offset.
    ///
    /// Asks the broker for the bounds of the log; the offset after the last message is legal. Seeking to where the position
    /// is asks nobody.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::OffsetOutOfRange`](crate::ErrorKind::OffsetOutOfRange) outside of the log, the broker refused, or the connection ended; the position stays.
    #[doc(alias = "Seek")]
    pub fn seek(&mut self, to: SeekFrom) -> Result<i64, Error> {
        self.io.block_on(self.conn.seek(to))
    }

    /// Moves the position without a look at the bounds of the log, and returns it as an absolute offset.
    ///
    /// `Absolute`, and `Current` once the position is known, ask nobody. Where the offset does not exist, the next read
    /// fails with [`ErrorKind::OffsetOutOfRange`](crate::ErrorKind::OffsetOutOfRange).
    ///
    /// # Errors
    ///
    /// The offset would be negative or too large, the broker refused, or the connection ended; the position stays.
    #[doc(alias = "SeekDontCheck")]
    pub fn seek_unchecked(&mut self, to: SeekFrom) -> Result<i64, Error> {
        self.io.block_on(self.conn.seek_unchecked(to))
    }

    /// Where the next read begins: `Start(0)` at first, then `Absolute`.
    #[doc(alias = "Offset")]
    pub fn position(&self) -> SeekFrom {
        self.conn.position()
    }

    /// Asks for the first offset of the partition.
    ///
    /// # Errors
    ///
    /// The broker refused, a deadline passed, or the connection ended.
    #[doc(alias = "ReadFirstOffset")]
    pub fn first_offset(&self) -> Result<i64, Error> {
        self.io.block_on(self.conn.first_offset())
    }

    /// Asks for the last offset of the partition: the one that the next message will get.
    ///
    /// # Errors
    ///
    /// As [`Conn::first_offset`].
    #[doc(alias = "ReadLastOffset")]
    pub fn last_offset(&self) -> Result<i64, Error> {
        self.io.block_on(self.conn.last_offset())
    }

    /// Asks for the first and the last offset, in two requests that leave together.
    ///
    /// # Errors
    ///
    /// As [`Conn::first_offset`].
    #[doc(alias = "ReadOffsets")]
    pub fn offsets(&self) -> Result<(i64, i64), Error> {
        self.io.block_on(self.conn.offsets())
    }

    /// Asks for the offset of the first message at `unix_ms` or later; `None` if there is none.
    ///
    /// # Errors
    ///
    /// As [`Conn::first_offset`]; also if the broker is older than 0.10.1, which finds files by their age only.
    #[doc(alias = "ReadOffset")]
    pub fn offset_at(&self, unix_ms: i64) -> Result<Option<i64>, Error> {
        self.io.block_on(self.conn.offset_at(unix_ms))
    }

    /// Asks which versions of which APIs the broker serves.
    ///
    /// # Errors
    ///
    /// The broker refused, a deadline passed, or the connection ended.
    #[doc(alias = "ApiVersions")]
    pub fn api_versions(&self) -> Result<Vec<ApiVersion>, Error> {
        self.io.block_on(self.conn.api_versions())
    }

    /// Asks for the brokers of the cluster, by number.
    ///
    /// # Errors
    ///
    /// A deadline passed, or the connection ended.
    #[doc(alias = "Brokers")]
    pub fn brokers(&self) -> Result<Vec<Broker>, Error> {
        self.io.block_on(self.conn.brokers())
    }

    /// Asks for the controller, which creates and deletes topics; with KRaft any broker passes that on, and one is named.
    ///
    /// # Errors
    ///
    /// There is none now, a deadline passed, or the connection ended.
    #[doc(alias = "Controller")]
    pub fn controller(&self) -> Result<Broker, Error> {
        self.io.block_on(self.conn.controller())
    }

    /// Asks for the partitions of topics, in the order of the topics and by number; without topics, those of the
    /// connection's topic, or if it has none, of all topics.
    ///
    /// A topic that does not exist has no partitions. Brokers before 0.11 that are set to create topics on demand create
    /// those that are asked for; later ones are told not to.
    ///
    /// # Errors
    ///
    /// The broker refused to describe a topic, a deadline passed, or the connection ended.
    #[doc(alias = "ReadPartitions")]
    pub fn read_partitions(&self, topics: &[&str]) -> Result<Vec<Partition>, Error> {
        self.io.block_on(self.conn.read_partitions(topics))
    }

    /// Asks for the partitions of all topics of the cluster, by topic and number.
    ///
    /// # Errors
    ///
    /// A deadline passed, or the connection ended.
    pub fn read_all_partitions(&self) -> Result<Vec<Partition>, Error> {
        self.io.block_on(self.conn.read_all_partitions())
    }

    /// Asks for one partition, a few times while the broker does not know it: one that was just created takes a moment.
    ///
    /// # Errors
    ///
    /// The partition does not exist, the broker refused, the read deadline passed, or the connection ended.
    #[doc(alias = "LookupPartition")]
    pub fn lookup_partition(&self, topic: &str, partition: i32) -> Result<Partition, Error> {
        self.io
            .block_on(self.conn.lookup_partition(topic, partition))
    }

    /// Asks for the leader of a partition, a few times while there is none.
    ///
    /// # Errors
    ///
    /// The partition does not exist or has no leader, the broker refused, the read deadline passed, or the connection ended.
    #[doc(alias = "LookupLeader")]
    pub fn lookup_leader(&self, topic: &str, partition: i32) -> Result<Broker, Error> {
        self.io.block_on(self.conn.lookup_leader(topic, partition))
    }

    /// Creates topics; one that exists is left as it is.
    ///
    /// # Errors
    ///
    /// The first refusal; topics beside it may have been created. Brokers of clusters with ZooKeeper refuse it unless they
    /// are the [controller](Conn::controller).
    #[doc(alias = "CreateTopics")]
    pub fn create_topics(&self, topics: &[TopicConfig]) -> Result<(), Error> {
        self.io.block_on(self.conn.create_topics(topics))
    }

    /// Creates topics and says what became of each, in their order; here one that exists is an error.
    ///
    /// # Errors
    ///
    /// A configuration that cannot be, the write deadline passed, or the connection ended.
    pub fn create_topics_detailed(
        &self,
        topics: &[TopicConfig],
    ) -> Result<Vec<TopicResult>, Error> {
        self.io.block_on(self.conn.create_topics_detailed(topics))
    }

    /// Deletes topics.
    ///
    /// # Errors
    ///
    /// The first refusal, also that of a topic that does not exist; topics beside it may have been deleted.
    #[doc(alias = "DeleteTopics")]
    pub fn delete_topics(&self, topics: &[&str]) -> Result<(), Error> {
        self.io.block_on(self.conn.delete_topics(topics))
    }

    /// Deletes topics and says what became of each, in their order.
    ///
    /// # Errors
    ///
    /// The write deadline passed, or the connection ended.
    pub fn delete_topics_detailed(&self, topics: &[&str]) -> Result<Vec<TopicResult>, Error> {
        self.io.block_on(self.conn.delete_topics_detailed(topics))
    }

    /// Asks for the groups that this broker coordinates.
    ///
    /// # Errors
    ///
    /// The broker refused, a deadline passed, or the connection ended.
    #[doc(alias = "ListGroups")]
    pub fn list_groups(&self) -> Result<Vec<ListedGroup>, Error> {
        self.io.block_on(self.conn.list_groups())
    }

    /// Sets who must have a batch before it counts as written. Default: all in-sync replicas.
    ///
    /// With [`Acks::None`], writing waits until the request has left, and nothing says whether the broker took it.
    #[doc(alias = "SetRequiredAcks")]
    pub fn set_required_acks(&self, acks: Acks) {
        self.conn.set_required_acks(acks);
    }

    /// Sets the codecs, with levels or of your own, that batches are compressed and read by. Default: Kafka's.
    #[doc(alias = "RegisterCompressionCodec")]
    pub fn set_codecs(&self, codecs: Codecs) {
        self.conn.set_codecs(codecs);
    }

    /// Sets when reads and writes give up, the ones that wait now included; `None` is never. Default: never.
    ///
    /// What gives up ends with [`ErrorKind::TimedOut`](crate::ErrorKind::TimedOut); the connection goes on. A write that gives up may be written.
    #[doc(alias = "SetDeadline")]
    pub fn set_deadline(&self, at: Option<Instant>) {
        self.conn.set_deadline(at);
    }

    /// Sets when what reads gives up: fetches, offsets, lookups. As [`Conn::set_deadline`].
    #[doc(alias = "SetReadDeadline")]
    pub fn set_read_deadline(&self, at: Option<Instant>) {
        self.conn.set_read_deadline(at);
    }

    /// Sets when what writes gives up: batches, and the creation and deletion of topics. As [`Conn::set_deadline`].
    #[doc(alias = "SetWriteDeadline")]
    pub fn set_write_deadline(&self, at: Option<Instant>) {
        self.conn.set_write_deadline(at);
    }

    /// The topic; empty if the connection has none.
    pub fn topic(&self) -> &str {
        self.conn.topic()
    }

    /// The partition; of no meaning without a topic.
    pub fn partition(&self) -> i32 {
        self.conn.partition()
    }

    /// The broker that this was dialled for: known after `dial_leader` and `dial_partition`.
    pub fn broker(&self) -> Option<&Broker> {
        self.conn.broker()
    }

    /// Where this end of the connection is; `None` over a stream of the caller.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.conn.local_addr()
    }

    /// Where the broker's end of the connection is; `None` over a stream of the caller.
    #[doc(alias = "RemoteAddr")]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.conn.peer_addr()
    }

    /// What closes this connection in another thread, while a call holds it.
    pub fn closer(&self) -> ConnCloser {
        self.conn.closer()
    }

    /// Closes the connection and waits for its threads; calls in flight in other threads end with an error at once. Calling
    /// it again does nothing.
    ///
    /// It waits for no peer, but for up to half a second where TLS takes leave over a stream that blocks
    /// ([`Dialer::over`](crate::Dialer::over)).
    #[doc(alias = "Close")]
    pub fn close(&self) {
        self.conn.close();
        self.io.join();
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        self.conn.close();
    }
}

/// The promise of a response.
///
/// Wait for it, in any thread. Dropping it gives up the answer and nothing else: a request that has not left yet is not
/// sent then, one that has is not recalled, and the connection goes on.
#[must_use = "a call says what the broker answered; drop it on purpose with `drop`"]
pub struct Call<R: Request> {
    call: asynchronous::Call<R>,
    io: Arc<Io>,
}

impl<R: Request> Call<R> {
    /// Waits for the response.
    ///
    /// # Errors
    ///
    /// As [`Conn::request`].
    pub fn wait(self) -> Result<R::Response, Error> {
        self.io.block_on(self.call)
    }

    /// Waits up to `limit` for the response; zero is a look.
    ///
    /// # Errors
    ///
    /// There is no response yet: the call is handed back. What [`Call::wait`] returns is inside.
    pub fn wait_timeout(mut self, limit: Duration) -> Result<Result<R::Response, Error>, Self> {
        let outcome = self.io.block_on_for(limit, &mut self.call);
        outcome.ok_or(self)
    }
}

impl<R: Request> fmt::Debug for Call<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("api", &R::API)
            .finish_non_exhaustive()
    }
}
