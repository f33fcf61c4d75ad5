//! Settings of a reader.

use std::time::Duration;

use crate::error::ConfigError;

/// Where a reader begins.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
#[doc(alias = "OffsetSpec")]
#[doc(alias = "FirstOffset")]
#[doc(alias = "LastOffset")]
pub enum StartOffset {
    /// The oldest message there is.
    #[default]
    First,
    /// The end: only what is written from now on.
    Last,
    /// This offset in every partition.
    At(i64),
    /// The first message at or after this time (Unix ms); the end if there is none.
    Time(i64),
}

/// What happens when the position is no longer, or not yet, in the log.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
#[doc(alias = "auto.offset.reset")]
pub enum OffsetReset {
    /// The reader reports it and stays: nothing is skipped unasked.
    #[default]
    Error,
    /// Goes on with the oldest message there is.
    First,
    /// Goes on at the end.
    Last,
}

/// What a reader reads.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Topic(String),
    Partitions(Vec<(String, i32)>),
}

/// Settings of a reader.
///
/// A topic name alone is a configuration: `client.reader("orders")` reads all its partitions from the beginning, without a
/// group.
///
/// Source: acceptance RC-01..19.
#[derive(Clone, Debug)]
#[doc(alias = "ConsumerConfig")]
pub struct ReaderConfig {
    pub(crate) source: Source,
    pub(crate) start: StartOffset,
    pub(crate) reset: OffsetReset,
    pub(crate) min_bytes: i32,
    pub(crate) max_bytes: i32,
    pub(crate) partition_bytes: i32,
    pub(crate) max_wait: Duration,
    pub(crate) check_crcs: bool,
}

impl ReaderConfig {
    /// All partitions of one topic, without a group; partitions that are added later are read from their beginning.
    pub fn topic(topic: impl Into<String>) -> Self {
        Self::from_source(Source::Topic(topic.into()))
    }

    /// One partition.
    pub fn partition(topic: impl Into<String>, partition: i32) -> Self {
        Self::from_source(Source::Partitions(vec![(topic.into(), partition)]))
    }

    /// These partitions.
    #[doc(alias = "assign")]
    pub fn partitions<T: Into<String>>(partitions: impl IntoIterator<Item = (T, i32)>) -> Self {
        Self::from_source(Source::Partitions(
            partitions.into_iter().map(|(t, p)| (t.into(), p)).collect(),
        ))
    }

    fn from_source(source: Source) -> Self {
        Self {
            source,
            start: StartOffset::First,
            reset: OffsetReset::Error,
            min_bytes: 1,
            max_bytes: 16 << 20,
            partition_bytes: 1 << 20,
            max_wait: Duration::from_millis(500),
            check_crcs: true,
        }
    }

    /// Where to begin. Default: the oldest message.
    pub fn start(self, start: StartOffset) -> Self {
        Self { start, ..self }
    }

    /// What happens when the position is not in the log. Default: an error, and the reader stays.
    pub fn reset(self, reset: OffsetReset) -> Self {
        Self { reset, ..self }
    }

    /// How many bytes a broker gathers before it answers, unless `max_wait` ends first. Default: 1.
    #[doc(alias = "fetch.min.bytes")]
    pub fn min_bytes(self, bytes: i32) -> Self {
        Self {
            min_bytes: bytes,
            ..self
        }
    }

    /// The most bytes of one answer. Default: 16 MiB. A batch that is larger comes all the same, alone.
    #[doc(alias = "fetch.max.bytes")]
    pub fn max_bytes(self, bytes: i32) -> Self {
        Self {
            max_bytes: bytes,
            ..self
        }
    }

    /// The most bytes of one partition in an answer. Default: 1 MiB.
    #[doc(alias = "max.partition.fetch.bytes")]
    pub fn partition_bytes(self, bytes: i32) -> Self {
        Self {
            partition_bytes: bytes,
            ..self
        }
    }

    /// How long a broker may wait for `min_bytes`. Default: 500 ms. New messages come at once all the same.
    #[doc(alias = "fetch.max.wait.ms")]
    pub fn max_wait(self, limit: Duration) -> Self {
        Self {
            max_wait: limit,
            ..self
        }
    }

    /// Whether the checksum of each batch is checked. Default: yes.
    #[doc(alias = "check.crcs")]
    pub fn check_crcs(self, check: bool) -> Self {
        Self {
            check_crcs: check,
            ..self
        }
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let fault = |field, why: &'static str| Err(ConfigError::new(field, why));
        match &self.source {
            Source::Topic(topic) if topic.is_empty() => return fault("topic", "must not be empty"),
            Source::Partitions(list) if list.is_empty() => {
                return fault("partitions", "must name at least one");
            }
            Source::Partitions(list) if list.iter().any(|(t, _)| t.is_empty()) => {
                return fault("partitions", "a topic must not be empty");
            }
            Source::Partitions(list) if list.iter().any(|(_, p)| *p < 0) => {
                return fault("partitions", "a partition must not be negative");
            }
            _ => {}
        }
        if matches!(self.start, StartOffset::At(n) | StartOffset::Time(n) if n < 0) {
            return fault("start", "must not be negative");
        }
        if self.min_bytes < 0 {
            return fault("min_bytes", "must not be negative");
        }
        if self.max_bytes < 1 || self.max_bytes < self.min_bytes {
            return fault("max_bytes", "must be at least 1 and not below min_bytes");
        }
        if self.partition_bytes < 1 {
            return fault("partition_bytes", "must be at least 1");
        }
        if self.max_wait > Duration::from_secs(3600) {
            return fault("max_wait", "must be at most an hour");
        }
        Ok(())
    }
}

impl From<&str> for ReaderConfig {
    fn from(topic: &str) -> Self {
        Self::topic(topic)
    }
}

impl From<&String> for ReaderConfig {
    fn from(topic: &String) -> Self {
        Self::topic(topic)
    }
}

impl From<String> for ReaderConfig {
    fn from(topic: String) -> Self {
        Self::topic(topic)
    }
}
