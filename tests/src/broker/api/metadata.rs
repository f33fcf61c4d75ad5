//! Metadata 0 to 13: the live brokers, and topics by name or by id.
//!
//! - Which topics: null is all, an empty list none; in version 0 an empty list is all. By id from version 12 on: if any
//!   id is asked for, names are not looked at. In versions 10 and 11 an id or a null name is INVALID_REQUEST.
//! - A name that does not exist is UNKNOWN_TOPIC_OR_PARTITION, an illegal one INVALID_TOPIC_EXCEPTION, an id
//!   UNKNOWN_TOPIC_ID.
//! - With `auto_create_topics`, and if the request allows it, the topic is created; this answer still says
//!   UNKNOWN_TOPIC_OR_PARTITION, the next one has it (`DefaultAutoTopicCreationManager`).
//! - A partition without a leader has the error LEADER_NOT_AVAILABLE and leader -1.
//! - The controller is the first live broker: any broker forwards, as with KRaft.
//! - Every broker knows everything at once. Stale metadata can be scripted with [`Fault::Change`](crate::broker::Fault).
//! - Not done: internal topics, the errors that version 0 had for offline replicas.

use std::ops::RangeInclusive;

use kafka_proto::{
    api::metadata::{
        MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseBroker,
        MetadataResponsePartition, MetadataResponseTopic,
    },
    error::ErrorCode,
    wire::Uuid,
};

use super::super::{
    Cluster,
    request::Request,
    topic::{Partition, Topic, name_fault},
};

pub(super) const VERSIONS: RangeInclusive<i16> = 0..=13;

/// READ, WRITE, CREATE, DELETE, ALTER, DESCRIBE, DESCRIBE_CONFIGS and ALTER_CONFIGS, as bits.
const TOPIC_OPERATIONS: i32 = 3576;
/// CREATE, ALTER, DESCRIBE, CLUSTER_ACTION, DESCRIBE_CONFIGS, ALTER_CONFIGS and IDEMPOTENT_WRITE, as bits.
const CLUSTER_OPERATIONS: i32 = 8096;

impl Cluster {
    pub(super) fn metadata(&mut self, request: &Request, m: &MetadataRequest) -> MetadataResponse {
        let all = match &m.topics {
            None => true,
            Some(topics) => topics.is_empty() && request.version == 0,
        };
        let asked = m.topics.as_deref().unwrap_or_default();
        // `KafkaApis.handleTopicMetadataRequest`: ids came with version 10, but no broker looked at them until 12
        let early = |t: &MetadataRequestTopic| t.name.is_none() || t.topic_id != Uuid::default();
        if (10..12).contains(&request.version) && asked.iter().any(early) {
            return refuse(m, ErrorCode::INVALID_REQUEST);
        }
        let mut topics = match all {
            true => self
                .topics
                .iter()
                .map(|(name, topic)| self.describe(name, topic))
                .collect(),
            false => self.describe_asked(m, asked),
        };
        if request.version >= 8 && m.include_topic_authorized_operations {
            for topic in &mut topics {
                topic.topic_authorized_operations = TOPIC_OPERATIONS;
            }
        }
        MetadataResponse::build(|r| {
            r.brokers = self.live_brokers();
            r.cluster_id = Some(Self::ID.to_owned());
            r.controller_id = r.brokers.first().map_or(-1, |b| b.node_id);
            r.topics = topics;
            if m.include_cluster_authorized_operations {
                r.cluster_authorized_operations = CLUSTER_OPERATIONS;
            }
        })
    }

    fn describe_asked(
        &mut self,
        m: &MetadataRequest,
        asked: &[MetadataRequestTopic],
    ) -> Vec<MetadataResponseTopic> {
        let by_id = asked.iter().any(|t| t.topic_id != Uuid::default());
        let mut answers: Vec<MetadataResponseTopic> = Vec::with_capacity(asked.len());
        for wanted in asked {
            let answer = match by_id {
                true => self.describe_id(wanted.topic_id),
                false => self.describe_name(wanted.name.as_deref().unwrap_or_default(), m),
            };
            // names are a set in Java
            if !answers
                .iter()
                .any(|a| a.name == answer.name && a.topic_id == answer.topic_id)
            {
                answers.push(answer);
            }
        }
        answers
    }

    fn describe_id(&self, id: Uuid) -> MetadataResponseTopic {
        let name = self.topics.name_of(id);
        match name.and_then(|name| Some((name, self.topics.get(name)?))) {
            Some((name, topic)) => self.describe(name, topic),
            None => MetadataResponseTopic::build(|t| {
                t.error_code = ErrorCode::UNKNOWN_TOPIC_ID.code();
                t.name = None;
                t.topic_id = id;
            }),
        }
    }

    fn describe_name(&mut self, name: &str, m: &MetadataRequest) -> MetadataResponseTopic {
        if let Some(topic) = self.topics.get(name) {
            return self.describe(name, topic);
        }
        let legal = name_fault(name).is_none();
        if legal && m.allow_auto_topic_creation && self.config.auto_create_topics {
            self.create_topic(name, self.config.default_partitions);
        }
        let code = match legal {
            true => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            false => ErrorCode::INVALID_TOPIC_EXCEPTION,
        };
        missing(name, code)
    }

    fn describe(&self, name: &str, topic: &Topic) -> MetadataResponseTopic {
        MetadataResponseTopic::build(|t| {
            t.name = Some(name.to_owned());
            t.topic_id = topic.id;
            t.partitions = (0..)
                .zip(&topic.partitions)
                .map(|(i, p)| self.describe_partition(i, p))
                .collect();
        })
    }

    fn describe_partition(&self, index: i32, partition: &Partition) -> MetadataResponsePartition {
        let is_down = |id: &&i32| self.brokers.get(*id).is_none_or(|b| !b.running);
        MetadataResponsePartition::build(|p| {
            p.partition_index = index;
            p.leader_id = partition.leader.unwrap_or(-1);
            p.leader_epoch = partition.leader_epoch;
            p.replica_nodes = partition.replicas[..].into();
            p.isr_nodes = partition.isr[..].into();
            p.offline_replicas = partition.replicas.iter().filter(is_down).copied().collect();
            if partition.leader.is_none() {
                p.error_code = ErrorCode::LEADER_NOT_AVAILABLE.code();
            }
        })
    }

    fn live_brokers(&self) -> Vec<MetadataResponseBroker> {
        let live = self.brokers.iter().filter(|(_, b)| b.running);
        live.map(|(id, broker)| {
            MetadataResponseBroker::build(|b| {
                b.node_id = *id;
                b.host.clone_from(&broker.host);
                b.port = i32::from(broker.port);
                b.rack.clone_from(&broker.rack);
            })
        })
        .collect()
    }
}

/// `MetadataRequest.getErrorResponse`: no brokers, and every topic that was asked for fails.
pub(super) fn refuse(m: &MetadataRequest, code: ErrorCode) -> MetadataResponse {
    let each = |t: &MetadataRequestTopic| {
        let mut answer = missing(t.name.as_deref().unwrap_or_default(), code);
        answer.topic_id = t.topic_id;
        answer
    };
    MetadataResponse::build(|r| {
        r.topics = m.topics.iter().flatten().map(each).collect();
        // from version 13 on
        r.error_code = code.code();
    })
}

fn missing(name: &str, code: ErrorCode) -> MetadataResponseTopic {
    MetadataResponseTopic::build(|t| {
        t.error_code = code.code();
        t.name = Some(name.to_owned());
    })
}
