//! CreateTopics 0 to 7 (announced from 2 on, as by 4.3): topics with partitions, or with a given assignment.
//!
//! - Any broker answers, as with KRaft. -1 partitions or replicas are the defaults of the config.
//! - Refused, in the order of `ReplicationControlManager.createTopics`: a name that stands twice in the request
//!   (INVALID_REQUEST), that exists (TOPIC_ALREADY_EXISTS), or that is illegal or differs from another topic only in '.'
//!   and '_' (INVALID_TOPIC_EXCEPTION); counts that are 0 or too low (INVALID_REPLICATION_FACTOR, INVALID_PARTITIONS);
//!   more replicas than brokers (INVALID_REPLICATION_FACTOR); counts beside an assignment (INVALID_REQUEST); an
//!   assignment with holes, unknown brokers or uneven lists (INVALID_REPLICA_ASSIGNMENT); unknown or broken configs
//!   (INVALID_CONFIG).
//! - `validate_only` does all but create; it answers no topic id, where Kafka answers one that it throws away.
//! - Configs are kept; those that do something are `max.message.bytes`, `message.timestamp.type`, `min.insync.replicas`,
//!   `retention.ms`, and `compression.type=zstd` for old consumers (nothing is compressed anew).
//! - A `timeout_ms` of 0 is REQUEST_TIMED_OUT; otherwise nothing takes time.
//! - Not done: the answer lists the configs that were given, not all there are.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
};

use kafka_proto::{
    api::create_topics::{
        CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfigs, CreatableTopicResult,
        CreateTopicsRequest, CreateTopicsResponse,
    },
    error::ErrorCode,
};

use super::super::{
    Cluster,
    topic::name_fault,
    topic_configs::{OF_THE_TOPIC, TopicConfigs},
};

pub(super) const VERSIONS: RangeInclusive<i16> = 0..=7;

/// Why a topic is not created: the code, and words for people.
struct Refusal(ErrorCode, String);

/// A topic as it will be.
struct Plan {
    assignment: Vec<Vec<i32>>,
    configs: TopicConfigs,
}

impl Cluster {
    pub(super) fn create_topics(&mut self, m: &CreateTopicsRequest) -> CreateTopicsResponse {
        // the controller gives up on what it cannot do within no time
        if m.timeout_ms <= 0 {
            return refuse(m, ErrorCode::REQUEST_TIMED_OUT);
        }
        let result = |topic: &CreatableTopic| {
            let twice = m.topics.iter().filter(|t| t.name == topic.name).count() > 1;
            let plan = match twice {
                true => Err(Refusal(
                    ErrorCode::INVALID_REQUEST,
                    "Duplicate topic name.".to_owned(),
                )),
                false => self.plan(topic),
            };
            match plan {
                Ok(plan) => self.carry_out(&topic.name, plan, m.validate_only),
                Err(Refusal(code, why)) => refused(&topic.name, code, why),
            }
        };
        let mut topics: Vec<CreatableTopicResult> = m.topics.iter().map(result).collect();
        // results are a map by name in Java
        let mut seen = BTreeSet::new();
        topics.retain(|t| seen.insert(t.name.clone()));
        CreateTopicsResponse::build(|r| r.topics = topics)
    }

    fn carry_out(&mut self, name: &str, plan: Plan, validate_only: bool) -> CreatableTopicResult {
        CreatableTopicResult::build(|t| {
            t.name = name.to_owned();
            t.error_message = None;
            t.num_partitions = plan.assignment.len() as i32;
            t.replication_factor = plan.assignment.first().map_or(0, |r| r.len() as i16);
            t.configs = Some(plan.configs.iter().map(config_entry).collect());
            if !validate_only {
                t.topic_id = self.topics.insert(name, plan.assignment, plan.configs);
            }
        })
    }

    fn plan(&self, topic: &CreatableTopic) -> Result<Plan, Refusal> {
        if self.topics.get(&topic.name).is_some() {
            let why = format!("Topic '{}' already exists.", topic.name);
            return Err(Refusal(ErrorCode::TOPIC_ALREADY_EXISTS, why));
        }
        if let Some(fault) = name_fault(&topic.name) {
            let why = format!("Topic name is invalid: {fault}");
            return Err(Refusal(ErrorCode::INVALID_TOPIC_EXCEPTION, why));
        }
        if let Some(other) = self.topics.collision(&topic.name) {
            let why = format!(
                "Topic '{}' collides with existing topic: {other}",
                topic.name
            );
            return Err(Refusal(ErrorCode::INVALID_TOPIC_EXCEPTION, why));
        }
        let assignment = match topic.assignments.is_empty() {
            true => self.spread(topic)?,
            false => self.given(topic)?,
        };
        let given = topic.configs.iter();
        let given = given.map(|c| (&c.name[..], c.value.as_deref()));
        let configs = TopicConfigs::parse(given)
            .map_err(|fault| Refusal(ErrorCode::INVALID_CONFIG, fault))?;
        Ok(Plan {
            assignment,
            configs,
        })
    }

    fn spread(&self, topic: &CreatableTopic) -> Result<Vec<Vec<i32>>, Refusal> {
        let refuse = |code, why: &str| Err(Refusal(code, why.to_owned()));
        let replicas = match topic.replication_factor {
            -1 => self.config.replication_factor(),
            n if n > 0 => n,
            _ => {
                let why =
                    "Replication factor must be larger than 0, or -1 to use the default value.";
                return refuse(ErrorCode::INVALID_REPLICATION_FACTOR, why);
            }
        };
        let partitions = match topic.num_partitions {
            -1 => self.config.default_partitions,
            n if n > 0 && n <= MOST_PARTITIONS => n,
            n if n > 0 => {
                return refuse(
                    ErrorCode::POLICY_VIOLATION,
                    "Excessively large number of partitions.",
                );
            }
            _ => {
                let why = "Number of partitions was set to an invalid non-positive value.";
                return refuse(ErrorCode::INVALID_PARTITIONS, why);
            }
        };
        let brokers = self.brokers.len();
        if replicas as usize > brokers {
            // the words of 4.3 but for their end, on log directories
            let why = format!(
                "Unable to replicate the partition {replicas} time(s): The target replication factor of {replicas} \
                 cannot be reached because only {brokers} broker(s) are registered."
            );
            return Err(Refusal(ErrorCode::INVALID_REPLICATION_FACTOR, why));
        }
        Ok(self.assign(0, partitions, replicas))
    }

    fn given(&self, topic: &CreatableTopic) -> Result<Vec<Vec<i32>>, Refusal> {
        let refuse = |code, why: &str| Err(Refusal(code, why.to_owned()));
        if topic.replication_factor != -1 {
            let why = "A manual partition assignment was specified, but replication factor was not set to -1.";
            return refuse(ErrorCode::INVALID_REQUEST, why);
        }
        if topic.num_partitions != -1 {
            let why =
                "A manual partition assignment was specified, but numPartitions was not set to -1.";
            return refuse(ErrorCode::INVALID_REQUEST, why);
        }
        let mut lists: BTreeMap<i32, &Vec<i32>> = BTreeMap::new();
        for CreatableReplicaAssignment {
            partition_index,
            broker_ids,
            ..
        } in &topic.assignments
        {
            if lists.insert(*partition_index, broker_ids).is_some() {
                let why = format!(
                    "Found multiple manual partition assignments for partition {partition_index}"
                );
                return Err(Refusal(ErrorCode::INVALID_REPLICA_ASSIGNMENT, why));
            }
        }
        let length = topic.assignments[0].broker_ids.len();
        for list in lists.values() {
            if let Some(fault) = self.list_fault(list, length) {
                let why = format!("The manual partition assignment includes {fault}");
                return Err(Refusal(ErrorCode::INVALID_REPLICA_ASSIGNMENT, why));
            }
        }
        if !lists.keys().copied().eq(0..lists.len() as i32) {
            let why = "partitions should be a consecutive 0-based integer sequence";
            return refuse(ErrorCode::INVALID_REPLICA_ASSIGNMENT, why);
        }
        Ok(lists.into_values().cloned().collect())
    }

    /// As `ReplicationControlManager.validateManualPartitionAssignment`.
    fn list_fault(&self, list: &[i32], length: usize) -> Option<String> {
        if list.is_empty() {
            return Some("an empty replica list.".to_owned());
        }
        for (i, broker) in list.iter().enumerate() {
            if !self.brokers.contains_key(broker) {
                return Some(format!(
                    "broker {broker}, but no such broker is registered."
                ));
            }
            if list[..i].contains(broker) {
                return Some(format!("the broker {broker} more than once."));
            }
        }
        (list.len() != length).then(|| "replica lists of different lengths.".to_owned())
    }
}

pub(super) fn refuse(m: &CreateTopicsRequest, code: ErrorCode) -> CreateTopicsResponse {
    let each = |t: &CreatableTopic| refused(&t.name, code, code.title().to_owned());
    CreateTopicsResponse::build(|r| r.topics = m.topics.iter().map(each).collect())
}

fn refused(name: &str, code: ErrorCode, why: String) -> CreatableTopicResult {
    CreatableTopicResult::build(|t| {
        t.name = name.to_owned();
        t.error_code = code.code();
        t.error_message = Some(why);
    })
}

fn config_entry((name, value): (&String, &String)) -> CreatableTopicConfigs {
    CreatableTopicConfigs::build(|c| {
        c.name.clone_from(name);
        c.value = Some(value.clone());
        c.config_source = OF_THE_TOPIC;
    })
}

/// What the controller of Kafka allows in one request (`ReplicationControlManager.MAX_PARTITIONS_PER_BATCH`).
const MOST_PARTITIONS: i32 = 10_000;
