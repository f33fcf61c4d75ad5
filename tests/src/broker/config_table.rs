//! The configs that topics have: of which type, what they may be, and what they are if nobody says (`LogConfig` of Kafka
//! 4.3, and what its brokers answer).

/// One config of topics.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) default: &'static str,
    /// What the brokers' config is called that a topic falls back to, where one has a value of its own.
    pub(super) of_brokers: Option<&'static str>,
}

/// What a value has to be.
#[derive(Debug)]
pub(super) enum Kind {
    Bool,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Within these bounds.
    Int(i32, i32),
    /// 1 to 9, or -1 for what the library takes.
    GzipLevel,
    /// At least this.
    Long(i64),
    /// From 0 to 1.
    Ratio,
    /// Of these words, or of none.
    List(&'static [&'static str]),
    /// `*`, or pairs such as `0:1`: a partition and a broker.
    Replicas,
}

impl Definition {
    /// The config of this name.
    pub(super) fn of(name: &str) -> Option<&'static Self> {
        TABLE.iter().find(|d| d.name == name)
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self.kind, Kind::List(_) | Kind::Replicas)
    }

    /// `ConfigType` of DescribeConfigs on the wire.
    pub(super) fn wire_type(&self) -> i8 {
        match self.kind {
            Kind::Bool => 1,
            Kind::Word(_) => 2,
            Kind::Int(..) | Kind::GzipLevel => 3,
            Kind::Long(_) => 5,
            Kind::Ratio => 6,
            Kind::List(_) | Kind::Replicas => 7,
        }
    }

    /// The value as a broker reads and shows it, or in Kafka's words what is wrong with it (`ConfigDef.parseType`, then the
    /// validators).
    pub(super) fn canonical(&self, given: &str) -> Result<String, String> {
        let invalid = |value: &str, why: String| {
            format!(
                "Invalid value {value} for configuration {}: {why}",
                self.name
            )
        };
        let value = given.trim();
        let mistyped = |kind: &str| invalid(given, format!("Not a number of type {kind}"));
        match self.kind {
            Kind::Bool => match value.to_ascii_lowercase() {
                word if word == "true" || word == "false" => Ok(word),
                _ => {
                    let why = "Expected value to be either true or false";
                    Err(invalid(given, why.to_owned()))
                }
            },
            Kind::Word(words) => match words.contains(&value) {
                true => Ok(value.to_owned()),
                false => Err(invalid(value, one_of(words))),
            },
            Kind::Int(least, most) => {
                let n: i32 = value.parse().map_err(|_| mistyped("INT"))?;
                let checked = within(n, least, most).map(|()| n.to_string());
                checked.map_err(|why| invalid(&n.to_string(), why))
            }
            Kind::GzipLevel => match value.parse().map_err(|_| mistyped("INT"))? {
                n @ (-1 | 1..=9) => Ok(n.to_string()),
                n => {
                    let why = "Value must be between 1 and 9 or equal to -1";
                    Err(invalid(&i32::to_string(&n), why.to_owned()))
                }
            },
            Kind::Long(least) => {
                let n: i64 = value.parse().map_err(|_| mistyped("LONG"))?;
                let checked = within(n, least, i64::MAX).map(|()| n.to_string());
                checked.map_err(|why| invalid(&n.to_string(), why))
            }
            Kind::Ratio => {
                let n: f64 = value.parse().map_err(|_| mistyped("DOUBLE"))?;
                let shown = format!("{n:?}");
                let why = match n {
                    _ if n < 0.0 => "Value must be at least 0",
                    _ if n > 1.0 => "Value must be no more than 1",
                    _ => return Ok(shown),
                };
                Err(invalid(&shown, why.to_owned()))
            }
            Kind::List(words) => {
                let parts = split(value);
                match parts.iter().find(|part| !words.contains(part)) {
                    Some(part) => Err(invalid(part, one_of(words))),
                    None => Ok(parts.join(",")),
                }
            }
            Kind::Replicas => {
                let parts = split(value);
                if parts == ["*"] || parts.iter().all(|part| is_replica(part)) {
                    return Ok(parts.join(","));
                }
                let why = format!(
                    "{} must be the literal '*' or a list of replicas in the following format: \
                     [partitionId]:[brokerId],[partitionId]:[brokerId],...",
                    self.name
                );
                Err(invalid(&format!("[{}]", parts.join(", ")), why))
            }
        }
    }
}

/// The parts of a list: those that stand twice stand once, since 4.0.
fn split(value: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    for part in value.split(',').map(str::trim) {
        if !value.is_empty() && !parts.contains(&part) {
            parts.push(part);
        }
    }
    parts
}

/// `ThrottledReplicaListValidator.REPLICA_PATTERN`.
fn is_replica(part: &str) -> bool {
    let is_number = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    part.split_once(':')
        .is_some_and(|(partition, broker)| is_number(partition) && is_number(broker))
}

fn within<N: PartialOrd + std::fmt::Display>(n: N, least: N, most: N) -> Result<(), String> {
    match n {
        _ if n < least => Err(format!("Value must be at least {least}")),
        _ if n > most => Err(format!("Value must be no more than {most}")),
        _ => Ok(()),
    }
}

fn one_of(words: &[&str]) -> String {
    format!("String must be one of: {}", words.join(", "))
}

const fn row(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    of_brokers: Option<&'static str>,
) -> Definition {
    Definition {
        name,
        kind,
        default,
        of_brokers,
    }
}

/// `BrokerCompressionType`, in Kafka's order.
const COMPRESSION_TYPES: &[&str] = &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"];

const ANY: i64 = i64::MIN;
const MOST: i32 = i32::MAX;

/// In the order in which Kafka looks at values: of two wrong ones it names the first. Left out is
/// `internal.segment.bytes`, which is for Kafka's own tests.
#[rustfmt::skip]
pub(super) const TABLE: &[Definition] = &[
    row("segment.bytes", Kind::Int(1_048_576, MOST), "1073741824", Some("log.segment.bytes")),
    row("segment.ms", Kind::Long(1), "604800000", None),
    row("segment.jitter.ms", Kind::Long(0), "0", None),
    row("segment.index.bytes", Kind::Int(4, MOST), "10485760", Some("log.index.size.max.bytes")),
    row("flush.messages", Kind::Long(1), "9223372036854775807", Some("log.flush.interval.messages")),
    row("flush.ms", Kind::Long(0), "9223372036854775807", None),
    row("retention.bytes", Kind::Long(ANY), "-1", Some("log.retention.bytes")),
    row("retention.ms", Kind::Long(-1), "604800000", None),
    row("max.message.bytes", Kind::Int(0, MOST), "1048588", Some("message.max.bytes")),
    row("index.interval.bytes", Kind::Int(0, MOST), "4096", Some("log.index.interval.bytes")),
    row("delete.retention.ms", Kind::Long(0), "86400000", Some("log.cleaner.delete.retention.ms")),
    row("min.compaction.lag.ms", Kind::Long(0), "0", Some("log.cleaner.min.compaction.lag.ms")),
    row("max.compaction.lag.ms", Kind::Long(1), "9223372036854775807", Some("log.cleaner.max.compaction.lag.ms")),
    row("file.delete.delay.ms", Kind::Long(0), "60000", Some("log.segment.delete.delay.ms")),
    row("min.cleanable.dirty.ratio", Kind::Ratio, "0.5", Some("log.cleaner.min.cleanable.ratio")),
    row("cleanup.policy", Kind::List(&["compact", "delete"]), "delete", Some("log.cleanup.policy")),
    row("unclean.leader.election.enable", Kind::Bool, "false", Some("unclean.leader.election.enable")),
    row("min.insync.replicas", Kind::Int(1, MOST), "1", Some("min.insync.replicas")),
    row("compression.type", Kind::Word(COMPRESSION_TYPES), "producer", Some("compression.type")),
    row("compression.gzip.level", Kind::GzipLevel, "-1", Some("compression.gzip.level")),
    row("compression.lz4.level", Kind::Int(1, 17), "9", Some("compression.lz4.level")),
    row("compression.zstd.level", Kind::Int(-131_072, 22), "3", Some("compression.zstd.level")),
    row("preallocate", Kind::Bool, "false", Some("log.preallocate")),
    row("message.timestamp.type", Kind::Word(&["CreateTime", "LogAppendTime"]), "CreateTime", Some("log.message.timestamp.type")),
    row("message.timestamp.before.max.ms", Kind::Long(0), "9223372036854775807", Some("log.message.timestamp.before.max.ms")),
    row("message.timestamp.after.max.ms", Kind::Long(0), "3600000", Some("log.message.timestamp.after.max.ms")),
    row("leader.replication.throttled.replicas", Kind::Replicas, "", None),
    row("follower.replication.throttled.replicas", Kind::Replicas, "", None),
    row("remote.storage.enable", Kind::Bool, "false", None),
    row("local.retention.ms", Kind::Long(-2), "-2", Some("log.local.retention.ms")),
    row("local.retention.bytes", Kind::Long(-2), "-2", Some("log.local.retention.bytes")),
    row("remote.log.copy.disable", Kind::Bool, "false", None),
    row("remote.log.delete.on.disable", Kind::Bool, "false", None),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_a_value_that_it_may_have() {
        for definition in TABLE {
            let shown = definition.canonical(definition.default);
            assert_eq!(shown.as_deref(), Ok(definition.default));
        }
    }
}
