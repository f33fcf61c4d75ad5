//! What a topic is to be like.

use crate::{
    api::create_topics::{CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig},
    error::ConfigError,
};

/// A topic to create.
///
/// Source: acceptance TY-06, TY-07, CN-03.
#[derive(Clone, Debug)]
#[doc(alias = "NewTopic")]
pub struct TopicConfig {
    name: String,
    partitions: Option<i32>,
    replication_factor: Option<i16>,
    assignments: Vec<(i32, Vec<i32>)>,
    configs: Vec<(String, Option<String>)>,
}

impl TopicConfig {
    /// A topic with the broker's default number of partitions and replicas.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            partitions: None,
            replication_factor: None,
            assignments: Vec::new(),
            configs: Vec::new(),
        }
    }

    /// Sets the number of partitions. Brokers before 2.4 have no default and need it.
    pub fn partitions(self, count: i32) -> Self {
        Self {
            partitions: Some(count),
            ..self
        }
    }

    /// Sets the number of replicas. Brokers before 2.4 have no default and need it.
    pub fn replication_factor(self, count: i16) -> Self {
        Self {
            replication_factor: Some(count),
            ..self
        }
    }

    /// Places the replicas of one partition on these brokers, the first of which leads. With this, the two counts must
    /// stay unset.
    pub fn assignment(mut self, partition: i32, brokers: impl Into<Vec<i32>>) -> Self {
        self.assignments.push((partition, brokers.into()));
        self
    }

    /// Sets a configuration entry, such as `cleanup.policy`.
    pub fn config(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.configs.push((name.into(), Some(value.into())));
        self
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let fault = |field, why| Err(ConfigError::new(field, why));
        if self.name.is_empty() || self.name.len() > 249 {
            return fault("name", "must have 1 to 249 bytes, Kafka's limit");
        }
        if self.partitions.is_some_and(|n| n < 1) {
            return fault("partitions", "must be at least 1");
        }
        if self.replication_factor.is_some_and(|n| n < 1) {
            return fault("replication_factor", "must be at least 1");
        }
        if self.assignments.is_empty() {
            return Ok(());
        }
        if self.partitions.is_some() {
            return fault(
                "partitions",
                "must stay unset beside assignments, which are counted",
            );
        }
        if self.replication_factor.is_some() {
            let why = "must stay unset beside assignments, which are counted";
            return fault("replication_factor", why);
        }
        if self
            .assignments
            .iter()
            .any(|(p, brokers)| *p < 0 || brokers.is_empty())
        {
            return fault(
                "assignment",
                "must name a partition and at least one broker",
            );
        }
        Ok(())
    }

    pub(super) fn request(&self) -> CreatableTopic {
        CreatableTopic::build(|t| {
            t.name = self.name.clone();
            t.num_partitions = self.partitions.unwrap_or(-1);
            t.replication_factor = self.replication_factor.unwrap_or(-1);
            let each = |(partition, brokers): &(i32, Vec<i32>)| {
                CreatableReplicaAssignment::build(|a| {
                    (a.partition_index, a.broker_ids) = (*partition, brokers.clone())
                })
            };
            t.assignments = self.assignments.iter().map(each).collect();
            let each = |(name, value): &(String, Option<String>)| {
                CreatableTopicConfig::build(|c| (c.name, c.value) = (name.clone(), value.clone()))
            };
            t.configs = self.configs.iter().map(each).collect();
        })
    }
}
