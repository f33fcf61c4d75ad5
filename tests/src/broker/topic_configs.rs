//! What a topic's configs say, of those that do something here.

use std::collections::BTreeMap;

/// The configs of a topic as they were given, and what they come to.
#[derive(Clone, Debug)]
pub(super) struct TopicConfigs {
    given: BTreeMap<String, String>,
    /// The largest batch, its header counted.
    pub(super) max_message_bytes: usize,
    /// How many replicas have to be in sync for a Produce with acks -1, and for the high watermark to move.
    pub(super) min_insync_replicas: usize,
    /// Whether records get the broker's time (`LogAppendTime`).
    pub(super) append_time: bool,
    /// How old records get; `None` if they are kept.
    pub(super) retention_ms: Option<i64>,
    /// Whether everything in the topic is meant to be zstd (`compression.type`).
    pub(super) zstd: bool,
}

impl Default for TopicConfigs {
    fn default() -> Self {
        Self {
            given: BTreeMap::new(),
            max_message_bytes: MAX_MESSAGE_BYTES,
            min_insync_replicas: 1,
            append_time: false,
            retention_ms: None,
            zstd: false,
        }
    }
}

impl TopicConfigs {
    /// Reads configs, or tells in Kafka's words what is wrong with one of them (`LogConfig.validate`).
    pub(super) fn parse<'a>(
        pairs: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
    ) -> Result<Self, String> {
        let mut configs = Self::default();
        for (name, value) in pairs {
            if !NAMES.contains(&name) {
                return Err(format!("Unknown topic config name: {name}"));
            }
            let Some(value) = value else {
                return Err(format!(
                    "Null value not supported for topic configs: {name}"
                ));
            };
            let trimmed = value.trim();
            configs.apply(name, trimmed).map_err(|fault| {
                format!("Invalid value {value} for configuration {name}: {fault}")
            })?;
            configs.given.insert(name.to_owned(), trimmed.to_owned());
        }
        // without `delete` only the cleaner takes records
        let policy = configs.given.get("cleanup.policy");
        if policy.is_some_and(|policy| !policy.split(',').any(|p| p.trim() == "delete")) {
            configs.retention_ms = None;
        }
        Ok(configs)
    }

    /// As they were given.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &String)> {
        self.given.iter()
    }

    fn apply(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "max.message.bytes" => self.max_message_bytes = int(value, 0)? as usize,
            "min.insync.replicas" => self.min_insync_replicas = int(value, 1)? as usize,
            "message.timestamp.type" => {
                one_of(value, &["CreateTime", "LogAppendTime"])?;
                self.append_time = value == "LogAppendTime";
            }
            "retention.ms" => {
                let ms = long(value, -1)?;
                self.retention_ms = (ms >= 0).then_some(ms);
            }
            "compression.type" => {
                one_of(value, COMPRESSION_TYPES)?;
                self.zstd = value == "zstd";
            }
            _ => {}
        }
        Ok(())
    }
}

fn int(value: &str, least: i32) -> Result<i32, String> {
    match value.parse::<i32>() {
        Ok(n) if n >= least => Ok(n),
        Ok(_) => Err(format!("Value must be at least {least}")),
        Err(_) => Err("Not a number of type INT".to_owned()),
    }
}

fn long(value: &str, least: i64) -> Result<i64, String> {
    match value.parse::<i64>() {
        Ok(n) if n >= least => Ok(n),
        Ok(_) => Err(format!("Value must be at least {least}")),
        Err(_) => Err("Not a number of type LONG".to_owned()),
    }
}

fn one_of(value: &str, allowed: &[&str]) -> Result<(), String> {
    match allowed.contains(&value) {
        true => Ok(()),
        false => Err(format!("String must be one of: {}", allowed.join(", "))),
    }
}

/// `log.message.max.bytes`: 1 MiB and the 12 bytes before a batch's length counts.
const MAX_MESSAGE_BYTES: usize = 1_048_588;

/// `BrokerCompressionType`, in Kafka's order.
const COMPRESSION_TYPES: &[&str] = &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"];

/// `TopicConfig` of Kafka 4.
const NAMES: &[&str] = &[
    "cleanup.policy",
    "compression.gzip.level",
    "compression.lz4.level",
    "compression.type",
    "compression.zstd.level",
    "delete.retention.ms",
    "file.delete.delay.ms",
    "flush.messages",
    "flush.ms",
    "follower.replication.throttled.replicas",
    "index.interval.bytes",
    "leader.replication.throttled.replicas",
    "local.retention.bytes",
    "local.retention.ms",
    "max.compaction.lag.ms",
    "max.message.bytes",
    "message.timestamp.after.max.ms",
    "message.timestamp.before.max.ms",
    "message.timestamp.type",
    "min.cleanable.dirty.ratio",
    "min.compaction.lag.ms",
    "min.insync.replicas",
    "preallocate",
    "remote.storage.enable",
    "retention.bytes",
    "retention.ms",
    "segment.bytes",
    "segment.index.bytes",
    "segment.jitter.ms",
    "segment.ms",
    "unclean.leader.election.enable",
];
