//! Creating topics.

use super::{Client, inbox::Note};
use crate::{
    api::create_topics::{
        CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
    },
    error::{Error, ErrorCode},
    machine::backoff,
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

    fn request(&self) -> CreatableTopic {
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

impl Client {
    /// Creates topics; one that exists is left as it is.
    ///
    /// Asks the controller, and again when the controller has moved, up to
    /// [`call_timeout`](crate::config::Config::call_timeout).
    ///
    /// # Errors
    ///
    /// The first refusal; topics beside it may have been created.
    pub async fn create_topics(&self, topics: &[TopicConfig]) -> Result<(), Error> {
        let timeout = self.config().call_timeout;
        let deadline = self.clock().now().instant + timeout;
        let mut failed = 0;
        loop {
            let request = CreateTopicsRequest::build(|r| {
                r.topics = topics.iter().map(TopicConfig::request).collect();
                r.timeout_ms = i32::try_from(timeout.as_millis() / 2).unwrap_or(i32::MAX);
            });
            let response = self.call(request).await?;
            let refused =
                response
                    .topics
                    .iter()
                    .find_map(|topic| match ErrorCode(topic.error_code) {
                        ErrorCode::NONE | ErrorCode::TOPIC_ALREADY_EXISTS => None,
                        code => Some((code, topic)),
                    });
            let Some((code, topic)) = refused else {
                return Ok(());
            };
            failed += 1;
            let pause = self.pause(failed);
            let now = self.clock().now().instant;
            if !code.is_retriable() || now + pause >= deadline {
                let doing = format!("to create topic {}", topic.name);
                return Err(Error::refused(code, &doing, topic.error_message.as_deref()));
            }
            self.shared.inbox.tell(Note::Refresh);
            self.sleep_until(now + pause).await;
        }
    }

    fn pause(&self, failed: u32) -> std::time::Duration {
        backoff::pause(
            failed,
            self.config().retry_backoff,
            &mut self.shared.common.random.lock(),
        )
    }
}
