//! Statistics of writers and readers, with the metric names that users of kafka-go know.
//!
//! A snapshot counts from the beginning; [`WriterStats::since`] and [`ReaderStats::since`] make what came between two of
//! them, so that any number of reporters may look without taking from one another (kafka-go's `Stats` starts anew with
//! each call).
//!
//! Source: acceptance TY-12, TY-13, RS-01..23, WS-01..23, 2.9.

mod summary;

use std::{sync::Arc, time::Duration};

use summary::Since;
pub use summary::{DurationStats, SummaryStats};

/// One number of a snapshot, as a monitoring system takes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metric {
    /// The name, such as `kafka.writer.message.count`.
    pub name: &'static str,
    /// What the number means from one snapshot to the next.
    pub kind: MetricKind,
    /// The number; times in seconds.
    pub value: f64,
}

/// What a number means from one snapshot to the next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MetricKind {
    /// It counts, and never falls.
    Counter,
    /// It is what it is at the time.
    Gauge,
}

/// What a writer has done, all its clones together.
///
/// Everything but the gauges counts from the writer's beginning; [`WriterStats::since`] makes differences. Batches count
/// when they have come to their outcome.
///
/// ```
/// # fn report(writer: kafka_proto::client::Writer) {
/// let before = writer.stats();
/// // a minute later
/// let minute = writer.stats().since(&before);
/// println!("{} messages, {:?} each batch", minute.messages, minute.write_time.avg());
/// for metric in minute.metrics() {
///     println!("{} {}", metric.name, metric.value);
/// }
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct WriterStats {
    /// Connections for writing that the client began to make, for all its writers: they share them.
    pub dials: u64,
    /// How long those took that came about: lookup, connect, TLS, SASL and versions.
    pub dial_time: DurationStats,
    /// Attempts to write a batch.
    pub writes: u64,
    /// Messages that were written.
    pub messages: u64,
    /// Their batches' bytes, as they were sent.
    pub bytes: u64,
    /// How often the list of a topic's partitions changed, the first time left out.
    pub rebalances: u64,
    /// Batches that were given up: their messages have an error each.
    pub errors: u64,
    /// From when a batch first left to its outcome.
    pub write_time: DurationStats,
    /// How long a batch waited before it first left: for more records, for its turn, for a connection.
    pub wait_time: DurationStats,
    /// Attempts of a batch after its first.
    pub retries: SummaryStats,
    /// Messages of a batch.
    pub batch_size: SummaryStats,
    /// Gauge: messages that were accepted and have no outcome yet.
    pub queue_length: u64,
    /// Gauge: [`buffer_bytes`](crate::config::WriterConfig::buffer_bytes).
    pub queue_capacity: u64,
    /// Gauge: [`batch_bytes`](crate::config::WriterConfig::batch_bytes).
    pub max_batch_bytes: u64,
    /// Gauge: [`linger`](crate::config::WriterConfig::linger).
    pub batch_timeout: Duration,
    /// Gauge: [`request_timeout`](crate::config::Config::request_timeout), how long an answer may take.
    pub read_timeout: Duration,
    /// Gauge: [`delivery_timeout`](crate::config::WriterConfig::delivery_timeout), how long a batch may take.
    pub write_timeout: Duration,
    /// Gauge: [`metadata_max_age`](crate::config::Config::metadata_max_age).
    pub rebalance_interval: Duration,
    /// Gauge: -1 for all in-sync replicas, as on the wire.
    pub required_acks: i16,
    /// Tag: how the client calls itself.
    pub client_id: String,
    /// Tag: the topic of the configuration.
    pub topic: Option<String>,
}

/// What a reader has done.
///
/// Everything but the gauges counts from the reader's beginning; [`ReaderStats::since`] makes differences. Messages count
/// when they are handed out, not when they are fetched ahead.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ReaderStats {
    /// Connections that the client began to make for this reader.
    pub dials: u64,
    /// How long those took that came about: lookup, connect, TLS, SASL and versions.
    pub dial_time: DurationStats,
    /// Fetch requests that were answered.
    pub fetches: u64,
    /// Messages that were handed out. A batch of `read_batch` counts all its records, those before the position included.
    pub messages: u64,
    /// Bytes of what was handed out or is in hand, as the broker stores it: compressed, if it is.
    pub bytes: u64,
    /// Connections of this reader that ended because an answer took too long.
    pub timeouts: u64,
    /// Errors that the reader's calls were to return.
    pub errors: u64,
    /// From when a piece of what was fetched was taken in hand until the next piece was asked for: your own work in between.
    pub read_time: DurationStats,
    /// From when a Fetch request was made to its answer, the broker's waiting for messages included.
    pub wait_time: DurationStats,
    /// Messages of a piece: what one fetch brought for one partition.
    pub fetch_size: SummaryStats,
    /// Bytes of a piece.
    pub fetch_bytes: SummaryStats,
    /// Gauges of each partition.
    pub partitions: Vec<PartitionStats>,
    /// Gauge: [`min_bytes`](crate::config::ReaderConfig::min_bytes).
    pub min_bytes: u64,
    /// Gauge: [`max_bytes`](crate::config::ReaderConfig::max_bytes).
    pub max_bytes: u64,
    /// Gauge: [`max_wait`](crate::config::ReaderConfig::max_wait).
    pub max_wait: Duration,
    /// Gauge: bytes that were fetched and are not yet in hand.
    pub queue_length: u64,
    /// Gauge: [`fetch_buffer`](crate::config::Config::fetch_buffer), which the client's readers share.
    pub queue_capacity: u64,
    /// Tag: how the client calls itself.
    pub client_id: String,
}

/// Where a reader is in one partition.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PartitionStats {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// The offset after the last message that was handed out; `None` before the first.
    pub offset: Option<i64>,
    /// Messages from there to the high watermark that the last fetch named; `None` before both are known.
    pub lag: Option<i64>,
}

/// Three gauges of a summary, in the unit of `$value`.
macro_rules! gauges {
    ($all:ident, $name:literal, $stats:expr, $value:expr) => {
        $all.push(gauge(concat!($name, ".avg"), $value($stats.avg())));
        $all.push(gauge(concat!($name, ".min"), $value($stats.min())));
        $all.push(gauge(concat!($name, ".max"), $value($stats.max())));
    };
}

impl WriterStats {
    /// What has come since `earlier`; gauges and tags stay as they are in `self`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            dials: self.dials.since(&earlier.dials),
            dial_time: self.dial_time.since(&earlier.dial_time),
            writes: self.writes.since(&earlier.writes),
            messages: self.messages.since(&earlier.messages),
            bytes: self.bytes.since(&earlier.bytes),
            rebalances: self.rebalances.since(&earlier.rebalances),
            errors: self.errors.since(&earlier.errors),
            write_time: self.write_time.since(&earlier.write_time),
            wait_time: self.wait_time.since(&earlier.wait_time),
            retries: Since::since(&self.retries, &earlier.retries),
            batch_size: Since::since(&self.batch_size, &earlier.batch_size),
            ..self.clone()
        }
    }

    /// Every number under the name that kafka-go gives it.
    pub fn metrics(&self) -> Vec<Metric> {
        let seconds = |time: Duration| time.as_secs_f64();
        let number = |n: u64| n as f64;
        let mut all = vec![
            counter("kafka.writer.dial.count", self.dials),
            counter("kafka.writer.write.count", self.writes),
            counter("kafka.writer.message.count", self.messages),
            counter("kafka.writer.message.bytes", self.bytes),
            counter("kafka.writer.rebalance.count", self.rebalances),
            counter("kafka.writer.error.count", self.errors),
            gauge("kafka.writer.batch.max", number(self.max_batch_bytes)),
            gauge("kafka.writer.batch.timeout", seconds(self.batch_timeout)),
            gauge("kafka.writer.read.timeout", seconds(self.read_timeout)),
            gauge("kafka.writer.write.timeout", seconds(self.write_timeout)),
            gauge(
                "kafka.writer.rebalance.interval",
                seconds(self.rebalance_interval),
            ),
            gauge("kafka.writer.acks.required", self.required_acks.into()),
            gauge("kafka.writer.queue.length", number(self.queue_length)),
            gauge("kafka.writer.queue.capacity", number(self.queue_capacity)),
        ];
        gauges!(all, "kafka.writer.dial.seconds", self.dial_time, seconds);
        gauges!(all, "kafka.writer.write.seconds", self.write_time, seconds);
        gauges!(all, "kafka.writer.wait.seconds", self.wait_time, seconds);
        gauges!(all, "kafka.writer.retries.count", self.retries, number);
        gauges!(all, "kafka.writer.batch.size", self.batch_size, number);
        all
    }

    /// What the numbers are about: `client_id`, and `topic` if the writer has one of its own.
    pub fn tags(&self) -> Vec<(&'static str, String)> {
        let topic = self.topic.clone().map(|topic| ("topic", topic));
        [("client_id", self.client_id.clone())]
            .into_iter()
            .chain(topic)
            .collect()
    }
}

impl ReaderStats {
    /// What has come since `earlier`; gauges and tags stay as they are in `self`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            dials: self.dials.since(&earlier.dials),
            dial_time: self.dial_time.since(&earlier.dial_time),
            fetches: self.fetches.since(&earlier.fetches),
            messages: self.messages.since(&earlier.messages),
            bytes: self.bytes.since(&earlier.bytes),
            timeouts: self.timeouts.since(&earlier.timeouts),
            errors: self.errors.since(&earlier.errors),
            read_time: self.read_time.since(&earlier.read_time),
            wait_time: self.wait_time.since(&earlier.wait_time),
            fetch_size: Since::since(&self.fetch_size, &earlier.fetch_size),
            fetch_bytes: Since::since(&self.fetch_bytes, &earlier.fetch_bytes),
            ..self.clone()
        }
    }

    /// The offset after the last message that was handed out, of a reader of one partition.
    #[doc(alias = "Offset")]
    pub fn offset(&self) -> Option<i64> {
        self.partitions
            .first()
            .filter(|_| self.partitions.len() == 1)?
            .offset
    }

    /// The lags of all partitions that know theirs.
    #[doc(alias = "Lag")]
    pub fn lag(&self) -> i64 {
        self.partitions.iter().filter_map(|p| p.lag).sum()
    }

    /// Every number under the name that kafka-go gives it.
    pub fn metrics(&self) -> Vec<Metric> {
        let seconds = |time: Duration| time.as_secs_f64();
        let number = |n: u64| n as f64;
        let mut all = vec![
            counter("kafka.reader.dial.count", self.dials),
            counter("kafka.reader.fetch.count", self.fetches),
            counter("kafka.reader.message.count", self.messages),
            counter("kafka.reader.message.bytes", self.bytes),
            counter("kafka.reader.timeout.count", self.timeouts),
            counter("kafka.reader.error.count", self.errors),
            gauge("kafka.reader.lag", self.lag() as f64),
            gauge("kafka.reader.fetch_bytes.min", number(self.min_bytes)),
            gauge("kafka.reader.fetch_bytes.max", number(self.max_bytes)),
            gauge("kafka.reader.fetch_wait.max", seconds(self.max_wait)),
            gauge("kafka.reader.queue.length", number(self.queue_length)),
            gauge("kafka.reader.queue.capacity", number(self.queue_capacity)),
        ];
        all.extend(
            self.offset()
                .map(|at| gauge("kafka.reader.offset", at as f64)),
        );
        gauges!(all, "kafka.reader.dial.seconds", self.dial_time, seconds);
        gauges!(all, "kafka.reader.read.seconds", self.read_time, seconds);
        gauges!(all, "kafka.reader.wait.seconds", self.wait_time, seconds);
        gauges!(all, "kafka.reader.fetch.size", self.fetch_size, number);
        gauges!(all, "kafka.reader.fetch.bytes", self.fetch_bytes, number);
        all
    }

    /// What the numbers are about: `client_id`; `topic`, if there is one; `partition`, which is -1 where there are several.
    pub fn tags(&self) -> Vec<(&'static str, String)> {
        let mut tags = vec![("client_id", self.client_id.clone())];
        if let Some(first) = self.partitions.first() {
            if self.partitions.iter().all(|p| p.topic == first.topic) {
                tags.push(("topic", first.topic.to_string()));
            }
            let one = self.partitions.len() == 1;
            let partition = if one { first.partition } else { -1 };
            tags.push(("partition", partition.to_string()));
        }
        tags
    }
}

fn counter(name: &'static str, count: u64) -> Metric {
    let (kind, value) = (MetricKind::Counter, count as f64);
    Metric { name, kind, value }
}

fn gauge(name: &'static str, value: f64) -> Metric {
    let kind = MetricKind::Gauge;
    Metric { name, kind, value }
}
