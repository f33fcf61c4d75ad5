//! Settings of a writer.

use std::time::Duration;

use super::bounded;
use crate::error::ConfigError;

/// Who must have a message before it counts as written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
#[doc(alias = "RequiredAcks")]
pub enum Acks {
    /// All in-sync replicas: survives the loss of all but one of them.
    #[default]
    #[doc(alias = "RequireAll")]
    All,
    /// The leader alone: lost with it if it fails before the others have the message.
    #[doc(alias = "RequireOne")]
    One,
    /// Nobody: the broker does not answer, so that a message that it refuses is lost without a word.
    #[doc(alias = "RequireNone")]
    None,
}

impl Acks {
    pub(crate) fn code(self) -> i16 {
        match self {
            Self::All => -1,
            Self::One => 1,
            Self::None => 0,
        }
    }
}

/// Which partition a record without one goes to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
#[doc(alias = "Partitioner")]
pub enum Balancer {
    /// With a key: by murmur2, as the Java client. Without: the same partition for 64 KiB, then the next one (KIP-480), so
    /// that batches fill.
    #[default]
    Sticky,
    /// One partition after the other, key or not, from call to call.
    RoundRobin,
}

/// Settings of a writer.
///
/// A topic name alone is a configuration: `client.writer("orders")`.
///
/// Source: acceptance WC-01..16.
#[derive(Clone, Debug)]
#[doc(alias = "ProducerConfig")]
pub struct WriterConfig {
    pub(crate) topic: Option<String>,
    pub(crate) acks: Acks,
    pub(crate) idempotent: bool,
    pub(crate) balancer: Balancer,
    pub(crate) batch_bytes: usize,
    pub(crate) request_bytes: usize,
    pub(crate) linger: Duration,
    pub(crate) delivery_timeout: Duration,
    pub(crate) buffer_bytes: usize,
}

impl WriterConfig {
    /// Settings for one topic.
    pub fn topic(topic: impl Into<String>) -> Self {
        Self {
            topic: Some(topic.into()),
            ..Self::any_topic()
        }
    }

    /// Settings without a topic: each record names its own.
    pub fn any_topic() -> Self {
        Self {
            topic: None,
            acks: Acks::All,
            idempotent: true,
            balancer: Balancer::Sticky,
            batch_bytes: 1_000_000,
            request_bytes: 8 << 20,
            linger: Duration::ZERO,
            delivery_timeout: Duration::from_secs(120),
            buffer_bytes: 64 << 20,
        }
    }

    /// Who must have a message before it counts as written. Default: all in-sync replicas. Idempotence needs that;
    /// [`Acks::None`] is for [`Conn`](crate::client::Conn) alone, since a writer tells what became of each message.
    pub fn acks(self, acks: Acks) -> Self {
        Self { acks, ..self }
    }

    /// Whether the broker drops what a retry repeats (KIP-98). Default: yes; without it a retry may write twice, and one
    /// batch a partition is in flight instead of five.
    #[doc(alias = "enable.idempotence")]
    pub fn idempotent(self, idempotent: bool) -> Self {
        Self { idempotent, ..self }
    }

    /// Which partition a record without one goes to. Default: [`Balancer::Sticky`].
    pub fn balancer(self, balancer: Balancer) -> Self {
        Self { balancer, ..self }
    }

    /// The most bytes of one batch, before compression. Default: 1,000,000; a broker takes 1,048,588 unless told
    /// otherwise. A single record may not be larger either.
    #[doc(alias = "batch.size")]
    pub fn batch_bytes(self, bytes: usize) -> Self {
        Self {
            batch_bytes: bytes,
            ..self
        }
    }

    /// The most bytes of one request, which carries one batch for each of several partitions. Default: 8 MiB.
    #[doc(alias = "max.request.size")]
    pub fn request_bytes(self, bytes: usize) -> Self {
        Self {
            request_bytes: bytes,
            ..self
        }
    }

    /// How long a batch for which nobody waits may stay open for more. Default: zero. Under load batches grow without it,
    /// because at most five of a partition are in flight.
    #[doc(alias = "linger.ms")]
    pub fn linger(self, linger: Duration) -> Self {
        Self {
            linger: bounded(linger),
            ..self
        }
    }

    /// How long an accepted record may take until its outcome, with all retries. Default: 120 s.
    #[doc(alias = "delivery.timeout.ms")]
    pub fn delivery_timeout(self, limit: Duration) -> Self {
        Self {
            delivery_timeout: bounded(limit),
            ..self
        }
    }

    /// How many bytes may be accepted and not resolved. Default: 64 MiB. `send` waits for room, `try_send` answers
    /// `Full`.
    #[doc(alias = "buffer.memory")]
    pub fn buffer_bytes(self, bytes: usize) -> Self {
        Self {
            buffer_bytes: bytes,
            ..self
        }
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let fault = |field, why: &'static str| Err(ConfigError::new(field, why));
        match &self.topic {
            Some(topic) if topic.is_empty() => return fault("topic", "must not be empty"),
            Some(topic) if topic.len() > 249 => {
                return fault("topic", "must be at most 249 bytes, Kafka's limit");
            }
            _ => {}
        }
        match self.acks {
            Acks::None => {
                return fault("acks", "a writer needs answers: only a Conn can do without");
            }
            Acks::One if self.idempotent => {
                return fault("acks", "idempotence needs all in-sync replicas");
            }
            _ => {}
        }
        if !(1 << 10..=1 << 30).contains(&self.batch_bytes) {
            return fault("batch_bytes", "must be 1 KiB to 1 GiB");
        }
        if self.request_bytes < self.batch_bytes || self.request_bytes > 1 << 30 {
            return fault(
                "request_bytes",
                "must be at least batch_bytes and at most 1 GiB",
            );
        }
        if self.buffer_bytes < self.batch_bytes {
            return fault("buffer_bytes", "must be at least batch_bytes");
        }
        if self.delivery_timeout < Duration::from_millis(1) || self.delivery_timeout < self.linger {
            return fault(
                "delivery_timeout",
                "must be at least 1 ms and not below linger",
            );
        }
        Ok(())
    }
}

impl From<&str> for WriterConfig {
    fn from(topic: &str) -> Self {
        Self::topic(topic)
    }
}

impl From<&String> for WriterConfig {
    fn from(topic: &String) -> Self {
        Self::topic(topic)
    }
}

impl From<String> for WriterConfig {
    fn from(topic: String) -> Self {
        Self::topic(topic)
    }
}
