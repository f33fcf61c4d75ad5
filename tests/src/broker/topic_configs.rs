//! What a topic's configs say, of those that do something here, and how single ones change.

use std::collections::BTreeMap;

use super::config_table::{Definition, TABLE};

/// Where a value comes from: `ConfigSource` on the wire.
pub(super) const OF_THE_TOPIC: i8 = 1;
pub(super) const OF_KAFKA: i8 = 5;

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
    /// How old records get; `None` if they are kept, as they are here unless somebody says otherwise.
    pub(super) retention_ms: Option<i64>,
    /// Whether everything in the topic is meant to be zstd (`compression.type`).
    pub(super) zstd: bool,
}

/// What becomes of one config.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change<'a> {
    Set(&'a str),
    /// Back to the default.
    Delete,
    /// Adds to a list.
    Append(&'a str),
    /// Removes from a list.
    Subtract(&'a str),
}

/// One config of a topic, given or not.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) definition: &'static Definition,
    pub(super) value: String,
    pub(super) source: i8,
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
    /// Reads configs, or tells in Kafka's words what is wrong with them (`ControllerConfigurationValidator.validate`).
    pub(super) fn parse<'a>(
        pairs: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
    ) -> Result<Self, String> {
        let (mut given, mut nulls) = (BTreeMap::new(), Vec::new());
        for (name, value) in pairs {
            match value {
                Some(value) => drop(given.insert(name.to_owned(), value.to_owned())),
                None => nulls.push(name),
            }
        }
        match nulls.is_empty() {
            true => Self::of(given),
            false => Err(format!(
                "Null value not supported for topic configs: {}",
                nulls.join(",")
            )),
        }
    }

    /// What is given comes to, or what is wrong with it.
    pub(super) fn of(given: BTreeMap<String, String>) -> Result<Self, String> {
        if let Some(name) = given.keys().find(|name| Definition::of(name).is_none()) {
            return Err(format!("Unknown topic config name: {name}"));
        }
        let mut configs = Self::default();
        for definition in TABLE {
            if let Some(value) = given.get(definition.name) {
                configs.apply(definition.name, &definition.canonical(value)?);
            }
        }
        configs.given = given;
        configs.check()?;
        // without `delete` only the cleaner takes records
        let policy = configs.named("cleanup.policy");
        if !policy.split(',').any(|part| part == "delete") {
            configs.retention_ms = None;
        }
        Ok(configs)
    }

    /// What is given after these changes, unless one adds to what is no list
    /// (`ConfigurationControlManager.incrementalAlterConfigResource`). What is not named stays, and what is not set can be
    /// deleted, whatever it is.
    pub(super) fn changed<'a>(
        &self,
        changes: impl IntoIterator<Item = (&'a str, Change<'a>)>,
    ) -> Result<BTreeMap<String, String>, String> {
        let mut given = self.given.clone();
        for (name, change) in changes {
            let value = match change {
                Change::Delete => {
                    given.remove(name);
                    continue;
                }
                Change::Set(value) => value.to_owned(),
                Change::Append(parts) => {
                    let mut all = self.parts(name, "APPEND")?;
                    for part in parts.split(',') {
                        if !all.contains(&part) {
                            all.push(part);
                        }
                    }
                    all.join(",")
                }
                Change::Subtract(parts) => {
                    let mut all = self.parts(name, "SUBTRACT")?;
                    for part in parts.split(',') {
                        if let Some(at) = all.iter().position(|p| *p == part) {
                            all.remove(at);
                        }
                    }
                    all.join(",")
                }
            };
            given.insert(name.to_owned(), value);
        }
        Ok(given)
    }

    /// As they were given.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &String)> {
        self.given.iter()
    }

    /// All there are, by name.
    pub(super) fn describe(&self) -> Vec<Described> {
        let each = |definition: &'static Definition| Described {
            definition,
            value: self.value(definition),
            source: match self.given.contains_key(definition.name) {
                true => OF_THE_TOPIC,
                false => OF_KAFKA,
            },
        };
        let mut all: Vec<_> = TABLE.iter().map(each).collect();
        all.sort_by_key(|d| d.definition.name);
        all
    }

    fn apply(&mut self, name: &str, value: &str) {
        let number = || value.parse::<i64>().unwrap_or_default();
        let size = || usize::try_from(number()).unwrap_or_default();
        match name {
            "max.message.bytes" => self.max_message_bytes = size(),
            "min.insync.replicas" => self.min_insync_replicas = size(),
            "message.timestamp.type" => self.append_time = value == "LogAppendTime",
            "retention.ms" => self.retention_ms = Some(number()).filter(|ms| *ms >= 0),
            "compression.type" => self.zstd = value == "zstd",
            _ => {}
        }
    }

    /// What values may not be beside each other (`LogConfig.validateTopicLogConfigValues`), of a broker without tiers.
    fn check(&self) -> Result<(), String> {
        let (least, most) = ("min.compaction.lag.ms", "max.compaction.lag.ms");
        let number = |name| self.named(name).parse::<i64>().unwrap_or_default();
        if number(least) > number(most) {
            let (min, max) = (number(least), number(most));
            return Err(format!(
                "conflict topic config setting {least} ({min}) > {most} ({max})"
            ));
        }
        if self.named("remote.storage.enable") == "true" {
            let why = "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with \
                       remote log storage.";
            return Err(why.to_owned());
        }
        Ok(())
    }

    /// The parts of a list to add to or remove from: as they were given, or by default.
    fn parts(&self, name: &str, doing: &str) -> Result<Vec<&str>, String> {
        let Some(definition) = Definition::of(name).filter(|d| d.is_list()) else {
            return Err(format!(
                "Can't {doing} to key {name} because its type is not LIST."
            ));
        };
        let value = self.given.get(name).map_or(definition.default, |v| v);
        Ok(value.split(',').filter(|part| !part.is_empty()).collect())
    }

    fn named(&self, name: &str) -> String {
        Definition::of(name).map_or_else(String::new, |d| self.value(d))
    }

    fn value(&self, definition: &Definition) -> String {
        let given = self.given.get(definition.name);
        given
            .and_then(|value| definition.canonical(value).ok())
            .unwrap_or_else(|| definition.default.to_owned())
    }
}

/// `log.message.max.bytes`: 1 MiB and the 12 bytes before a batch's length counts.
const MAX_MESSAGE_BYTES: usize = 1_048_588;
