//! IncrementalAlterConfigs 0 and 1: sets single configs of topics, has them fall back to the default, adds to lists and
//! removes from them.
//!
//! - Any broker answers, as with KRaft. All changes to a topic are made, or none.
//! - Refused, in the order of `ConfigAdminManager.preprocess` and `ConfigurationControlManager`: a topic or a config that
//!   stands twice, a null value but to delete, a type of resource that no Kafka has, the empty name (INVALID_REQUEST); adding
//!   to what is no list (INVALID_CONFIG); an illegal name (INVALID_TOPIC_EXCEPTION); unknown or broken configs
//!   (INVALID_CONFIG); a topic that does not exist (UNKNOWN_TOPIC_OR_PARTITION). An operation that there is not is
//!   UNKNOWN_SERVER_ERROR, as by mistake in Kafka.
//! - `validate_only` does all but change.
//! - What changes holds from the next request on, for records that are there, too: `retention.ms` drops those that are too
//!   old by now, `min.insync.replicas` lets the high watermark move.
//! - Not done: resources but topics (INVALID_REQUEST).

use std::ops::RangeInclusive;

use kafka_proto::{
    api::incremental_alter_configs::{
        AlterConfigsResource, AlterConfigsResourceResponse, AlterableConfig,
        IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
    },
    error::ErrorCode,
};

use super::{
    super::{
        Cluster,
        topic::name_fault,
        topic_configs::{Change, TopicConfigs},
    },
    describe_configs::{OTHERS, TOPIC},
};

pub(super) const VERSIONS: RangeInclusive<i16> = 0..=1;

/// Why nothing is changed: the code, and words for people if Kafka has any.
struct Refusal(ErrorCode, Option<String>);

impl Cluster {
    pub(super) fn incremental_alter_configs(
        &mut self,
        m: &IncrementalAlterConfigsRequest,
    ) -> IncrementalAlterConfigsResponse {
        let same = |a: &AlterConfigsResource, b: &AlterConfigsResource| {
            (a.resource_type, &a.resource_name) == (b.resource_type, &b.resource_name)
        };
        let mut each = |wanted: &AlterConfigsResource| {
            let twice = m.resources.iter().filter(|r| same(r, wanted)).count() > 1;
            let changed = match twice {
                true => Err(invalid("Each resource must appear at most once.")),
                false => self.changed_configs(wanted),
            };
            let refusal = match changed {
                Ok(configs) => {
                    if !m.validate_only {
                        self.set_configs(&wanted.resource_name, configs);
                    }
                    Refusal(ErrorCode::NONE, None)
                }
                Err(refusal) => refusal,
            };
            response(wanted, refusal)
        };
        let responses = m.resources.iter().map(&mut each).collect();
        IncrementalAlterConfigsResponse::build(|r| r.responses = responses)
    }

    /// The configs as they will be.
    fn changed_configs(&self, wanted: &AlterConfigsResource) -> Result<TopicConfigs, Refusal> {
        check_form(wanted)?;
        let name = &wanted.resource_name;
        let topic = self.topics.get(name);
        let changes: Result<Vec<_>, _> = wanted.configs.iter().map(change).collect();
        let none = TopicConfigs::default();
        let now = topic.map_or(&none, |topic| &topic.configs);
        let broken = |why| Refusal(ErrorCode::INVALID_CONFIG, Some(why));
        let given = now.changed(changes?).map_err(broken)?;
        if name.is_empty() {
            return Err(invalid("Default topic resources are not allowed."));
        }
        if let Some(fault) = name_fault(name) {
            let why = format!("Topic name is invalid: {fault}");
            return Err(Refusal(ErrorCode::INVALID_TOPIC_EXCEPTION, Some(why)));
        }
        let changed = TopicConfigs::of(given).map_err(broken)?;
        match topic {
            Some(_) => Ok(changed),
            None => {
                let why = format!("The topic '{name}' does not exist.");
                Err(Refusal(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, Some(why)))
            }
        }
    }

    fn set_configs(&mut self, topic: &str, configs: TopicConfigs) {
        let now = self.clock.unix_ms(self.now);
        self.ready.extend(self.topics.set_configs(topic, configs));
        self.topics.expire(now);
    }
}

/// What a broker looks at before the controller.
fn check_form(wanted: &AlterConfigsResource) -> Result<(), Refusal> {
    let configs = &wanted.configs;
    let is_twice = |c: &AlterableConfig| configs.iter().filter(|o| o.name == c.name).count() > 1;
    if configs.iter().any(is_twice) {
        return Err(invalid("Error due to duplicate config keys"));
    }
    let is_null = |c: &&AlterableConfig| c.config_operation != DELETE && c.value.is_none();
    let nulls: Vec<_> = configs.iter().filter(is_null).map(|c| &*c.name).collect();
    if !nulls.is_empty() {
        let why = format!("Null value not supported for : {}", nulls.join(", "));
        return Err(invalid(&why));
    }
    match wanted.resource_type {
        TOPIC => Ok(()),
        kind if OTHERS.contains(&kind) => {
            Err(invalid("the in-process broker changes topics alone"))
        }
        kind => Err(invalid(&format!("Unknown resource type {kind}"))),
    }
}

fn change(config: &AlterableConfig) -> Result<(&str, Change<'_>), Refusal> {
    let value = config.value.as_deref().unwrap_or_default();
    let change = match config.config_operation {
        SET => Change::Set(value),
        DELETE => Change::Delete,
        APPEND => Change::Append(value),
        SUBTRACT => Change::Subtract(value),
        _ => return Err(Refusal(ErrorCode::UNKNOWN_SERVER_ERROR, None)),
    };
    Ok((&config.name, change))
}

pub(super) fn refuse(
    m: &IncrementalAlterConfigsRequest,
    code: ErrorCode,
) -> IncrementalAlterConfigsResponse {
    let each = |wanted: &AlterConfigsResource| {
        response(wanted, Refusal(code, Some(code.title().to_owned())))
    };
    IncrementalAlterConfigsResponse::build(|r| r.responses = m.resources.iter().map(each).collect())
}

fn invalid(why: &str) -> Refusal {
    Refusal(ErrorCode::INVALID_REQUEST, Some(why.to_owned()))
}

fn response(
    wanted: &AlterConfigsResource,
    Refusal(code, why): Refusal,
) -> AlterConfigsResourceResponse {
    AlterConfigsResourceResponse::build(|r| {
        r.error_code = code.code();
        r.error_message = why;
        r.resource_type = wanted.resource_type;
        r.resource_name.clone_from(&wanted.resource_name);
    })
}

/// `AlterConfigOp.OpType` on the wire.
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;
