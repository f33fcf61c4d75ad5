//! Topics, their settings and offsets, and groups: one implementation for whoever can ask, a client or a connection.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Call, Client, Partition, TopicConfig,
    call::Submitted,
    conn::{Topics, partitions_of},
    inbox::{Note, Target},
};
use crate::{
    api::{
        ApiKey, Request, Route,
        create_topics::CreateTopicsRequest,
        delete_topics::DeleteTopicsRequest,
        describe_configs::{DescribeConfigsRequest, DescribeConfigsResource},
        incremental_alter_configs::{
            AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
        },
        list_groups::{ListGroupsRequest, ListedGroup},
        list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic},
        metadata::MetadataRequest,
    },
    error::{Error, ErrorCode, ErrorKind, Scope},
    machine::backoff,
};

/// What an existing topic answers.
pub(super) const EXISTS: ErrorCode = ErrorCode::TOPIC_ALREADY_EXISTS;
/// The last version of DeleteTopics that names topics by a list of names, which every broker serves.
const DELETE_BY_NAMES: i16 = 5;
/// The type of a topic among the resources that have settings.
const TOPIC: i8 = 2;
/// What IncrementalAlterConfigs does with an entry.
const SET: i8 = 0;
const DELETE: i8 = 1;

/// What became of one topic.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TopicResult {
    /// The topic.
    pub topic: String,
    /// Whether it was done.
    pub result: Result<(), Error>,
}

/// One setting of a topic.
///
/// Source: acceptance TY-03; KIP-133.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ConfigEntry {
    /// Its name, such as `cleanup.policy`.
    pub name: String,
    /// Its value; `None` if it is sensitive or has none.
    pub value: Option<String>,
    /// Whether it cannot be changed.
    pub read_only: bool,
    /// Whether the topic has it from nowhere but the defaults of broker or Kafka.
    pub is_default: bool,
}

/// Where a partition begins and ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PartitionOffsets {
    /// The partition.
    pub partition: i32,
    /// The first offset.
    pub first: i64,
    /// The offset that the next message will get.
    pub last: i64,
}

/// Which deadline a question obeys.
#[derive(Clone, Copy, Debug)]
pub(super) enum Until {
    Read,
    /// The broker may work on it for so long.
    Change(Duration),
}

/// Whoever can ask brokers.
pub(super) trait Asking {
    /// Asks in at most this version.
    fn ask<R: Request + Send + Sync + 'static>(
        &self,
        request: R,
        highest: i16,
        until: Until,
    ) -> Call<R>;
}

pub(super) async fn create_topics(
    who: &impl Asking,
    topics: &[TopicConfig],
    limit: Duration,
) -> Result<Vec<TopicResult>, Error> {
    topics.iter().try_for_each(TopicConfig::check)?;
    if topics.is_empty() {
        return Ok(Vec::new());
    }
    let request = CreateTopicsRequest::build(|r| {
        r.topics = topics.iter().map(TopicConfig::request).collect();
        r.timeout_ms = millis(limit);
    });
    let response = who.ask(request, i16::MAX, Until::Change(limit)).await?;
    let answers = response.topics.iter().map(|t| {
        let said = t.error_message.as_deref();
        (&*t.name, ErrorCode(t.error_code), said)
    });
    let names = topics.iter().map(TopicConfig::name);
    Ok(results("to create the topic", names, answers))
}

pub(super) async fn delete_topics(
    who: &impl Asking,
    topics: &[&str],
    limit: Duration,
) -> Result<Vec<TopicResult>, Error> {
    if topics.is_empty() {
        return Ok(Vec::new());
    }
    let request = DeleteTopicsRequest::build(|r| {
        r.topic_names = topics.iter().map(|t| (*t).to_owned()).collect();
        r.timeout_ms = millis(limit);
    });
    let response = who
        .ask(request, DELETE_BY_NAMES, Until::Change(limit))
        .await?;
    let answers = response.responses.iter().map(|t| {
        let said = t.error_message.as_deref();
        (
            t.name.as_deref().unwrap_or_default(),
            ErrorCode(t.error_code),
            said,
        )
    });
    let names = topics.iter().copied();
    Ok(results("to delete the topic", names, answers))
}

pub(super) async fn list_groups(who: &impl Asking) -> Result<Vec<ListedGroup>, Error> {
    let response = who
        .ask(ListGroupsRequest::default(), i16::MAX, Until::Read)
        .await?;
    match ErrorCode(response.error_code) {
        ErrorCode::NONE => Ok(response.groups),
        code => Err(Error::refused(code, "to list its groups", None)),
    }
}

/// The first failure but those that count as success.
pub(super) fn first_failure(
    results: Vec<TopicResult>,
    is_fine: impl Fn(&Error) -> bool,
) -> Result<(), Error> {
    let mut failures = results.into_iter().filter_map(|r| r.result.err());
    failures.find(|e| !is_fine(e)).map_or(Ok(()), Err)
}

/// A result for each name, in their order.
fn results<'a>(
    doing: &str,
    names: impl Iterator<Item = &'a str>,
    answers: impl Iterator<Item = (&'a str, ErrorCode, Option<&'a str>)>,
) -> Vec<TopicResult> {
    let answers: BTreeMap<_, _> = answers
        .map(|(name, code, said)| (name, (code, said)))
        .collect();
    let each = |name: &str| {
        let scope = Scope::Topic(name.into());
        let result = match answers.get(name) {
            Some((ErrorCode::NONE, _)) => Ok(()),
            Some((code, said)) => Err(Error::refused(*code, doing, *said)),
            None => {
                let message = "the response leaves out a topic of the request";
                Err(Error::new(ErrorKind::Protocol, message))
            }
        };
        TopicResult {
            topic: name.to_owned(),
            result: result.map_err(|e| e.with_scope(scope)),
        }
    };
    names.map(each).collect()
}

fn millis(limit: Duration) -> i32 {
    i32::try_from(limit.as_millis()).unwrap_or(i32::MAX)
}

impl Asking for &Client {
    fn ask<R: Request + Send + Sync + 'static>(
        &self,
        request: R,
        highest: i16,
        _: Until,
    ) -> Call<R> {
        let target = match R::API.route() {
            Route::Controller => Target::Controller,
            _ => Target::Any,
        };
        self.submit_within(target, request, highest)
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
    #[doc(alias = "CreateTopics")]
    pub async fn create_topics(&self, topics: &[TopicConfig]) -> Result<(), Error> {
        let results = self.create_topics_detailed(topics).await?;
        first_failure(results, |error| error.code() == Some(EXISTS))
    }

    /// Creates topics and says what became of each, in their order; here one that exists is an error.
    ///
    /// Asks as [`Client::create_topics`] does, again only for topics whose refusal may pass.
    ///
    /// # Errors
    ///
    /// A configuration that cannot be, or no answer came.
    pub async fn create_topics_detailed(
        &self,
        topics: &[TopicConfig],
    ) -> Result<Vec<TopicResult>, Error> {
        self.until_done(Change::Create(topics.to_vec())).await
    }

    /// Deletes topics.
    ///
    /// # Errors
    ///
    /// The first refusal, also that of a topic that does not exist; topics beside it may have been deleted.
    #[doc(alias = "DeleteTopics")]
    pub async fn delete_topics(&self, topics: &[&str]) -> Result<(), Error> {
        first_failure(self.delete_topics_detailed(topics).await?, |_| false)
    }

    /// Deletes topics and says what became of each, in their order.
    ///
    /// Asks the controller, and again for topics whose refusal may pass, up to
    /// [`call_timeout`](crate::config::Config::call_timeout). That a topic does not exist is final.
    ///
    /// # Errors
    ///
    /// No answer came.
    pub async fn delete_topics_detailed(&self, topics: &[&str]) -> Result<Vec<TopicResult>, Error> {
        let topics = topics.iter().map(|topic| (*topic).to_owned());
        self.until_done(Change::Delete(topics.collect())).await
    }

    /// Asks for the partitions of topics, in the order of the topics and by number; without topics, of all.
    ///
    /// A topic that does not exist has no partitions.
    ///
    /// # Errors
    ///
    /// A broker refused to describe a topic, or no answer came.
    #[doc(alias = "ReadPartitions")]
    pub async fn partitions(&self, topics: &[&str]) -> Result<Vec<Partition>, Error> {
        let some = (!topics.is_empty()).then_some(topics);
        let response = self.call(question(some)).await?;
        partitions_of(&response, some)
    }

    /// Asks for the first and last offset of each partition of a topic, each of its leader.
    ///
    /// # Errors
    ///
    /// The topic does not exist, a partition has no leader, a broker refused, or no answer came.
    #[doc(alias = "ListOffsets")]
    pub async fn offsets(&self, topic: &str) -> Result<Vec<PartitionOffsets>, Error> {
        let partitions = self.partitions(&[topic]).await?;
        if partitions.is_empty() {
            let code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
            let error = Error::refused(code, "to list offsets", None);
            return Err(error.with_scope(Scope::Topic(topic.into())));
        }
        let mut by_leader: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
        for partition in &partitions {
            let leader = partition.require_leader()?.id;
            by_leader.entry(leader).or_default().push(partition.id);
        }
        // all questions leave before the first answer is waited for
        let asked: Vec<_> = by_leader
            .iter()
            .map(|(leader, ids)| {
                let ask = |timestamp| self.call_broker(*leader, at(topic, ids, timestamp));
                (ask(super::FIRST_OFFSET), ask(super::LAST_OFFSET))
            })
            .collect();
        let mut all = BTreeMap::new();
        for (first, last) in asked {
            for (call, is_last) in [(first, false), (last, true)] {
                let response = call.await?;
                for p in response.topics.iter().flat_map(|t| &t.partitions) {
                    let code = ErrorCode(p.error_code);
                    if code != ErrorCode::NONE {
                        let error = Error::refused(code, "to list offsets", None);
                        return Err(error.in_partition(&topic.into(), p.partition_index));
                    }
                    let found = all.entry(p.partition_index).or_insert((None, None));
                    *(if is_last { &mut found.1 } else { &mut found.0 }) = Some(p.offset);
                }
            }
        }
        let each = |partition: &Partition| match all.get(&partition.id) {
            Some((Some(first), Some(last))) => Ok(PartitionOffsets {
                partition: partition.id,
                first: *first,
                last: *last,
            }),
            _ => {
                let message = "the response to ListOffsets leaves out a partition";
                let error = Error::new(ErrorKind::Protocol, message);
                Err(error.in_partition(&topic.into(), partition.id))
            }
        };
        partitions.iter().map(each).collect()
    }

    /// Asks for the settings of a topic, by name.
    ///
    /// # Errors
    ///
    /// The topic does not exist, the broker refused, or no answer came.
    #[doc(alias = "DescribeConfigs")]
    pub async fn topic_configs(&self, topic: &str) -> Result<Vec<ConfigEntry>, Error> {
        /// From where a setting comes that somebody made for this topic.
        const OF_THE_TOPIC: i8 = 1;
        let request = DescribeConfigsRequest::build(|r| {
            r.resources.push(DescribeConfigsResource::build(|resource| {
                (resource.resource_type, resource.resource_name) = (TOPIC, topic.to_owned());
                resource.configuration_keys = None;
            }));
        });
        let mut response = self.ask_any(request).await?;
        let Some(result) = response.results.pop() else {
            let message = "the response to DescribeConfigs is empty";
            return Err(Error::new(ErrorKind::Protocol, message));
        };
        let said = result.error_message.as_deref();
        accepted(result.error_code, "to list settings", said, topic)?;
        let entry = |c: crate::api::describe_configs::DescribeConfigsResourceResult| ConfigEntry {
            name: c.name,
            value: c.value,
            read_only: c.read_only,
            // version 0 says it outright, later ones say from where it comes
            is_default: c.is_default || c.config_source > OF_THE_TOPIC,
        };
        let mut entries: Vec<_> = result.configs.into_iter().map(entry).collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// Sets settings of a topic, or with `None` has them fall back to the default; others stay as they are.
    ///
    /// # Errors
    ///
    /// The topic does not exist, the broker refused, or no answer came. Brokers before 2.3 cannot change single settings
    /// (KIP-339).
    #[doc(alias = "IncrementalAlterConfigs")]
    pub async fn set_topic_configs(
        &self,
        topic: &str,
        settings: &[(&str, Option<&str>)],
    ) -> Result<(), Error> {
        let request = IncrementalAlterConfigsRequest::build(|r| {
            r.resources.push(AlterConfigsResource::build(|resource| {
                (resource.resource_type, resource.resource_name) = (TOPIC, topic.to_owned());
                let each = |(name, value): &(&str, Option<&str>)| {
                    AlterableConfig::build(|c| {
                        c.name = (*name).to_owned();
                        c.value = value.map(str::to_owned);
                        c.config_operation = if value.is_some() { SET } else { DELETE };
                    })
                };
                resource.configs = settings.iter().map(each).collect();
            }));
        });
        let response = self.ask_any(request).await?;
        for result in &response.responses {
            let said = result.error_message.as_deref();
            accepted(result.error_code, "to change settings", said, topic)?;
        }
        Ok(())
    }

    /// Asks every broker for the groups that it coordinates.
    ///
    /// # Errors
    ///
    /// A broker refused, or did not answer.
    #[doc(alias = "ListGroups")]
    pub async fn list_groups(&self) -> Result<Vec<ListedGroup>, Error> {
        let response = self.call(question(Some(&[]))).await?;
        let ask = |id: i32| self.call_broker(id, ListGroupsRequest::default());
        let asked: Vec<_> = response.brokers.iter().map(|b| ask(b.node_id)).collect();
        let mut groups = Vec::new();
        for call in asked {
            let response = call.await?;
            match ErrorCode(response.error_code) {
                ErrorCode::NONE => groups.extend(response.groups),
                code => return Err(Error::refused(code, "to list its groups", None)),
            }
        }
        groups.sort_by(|a, b| a.group_id.cmp(&b.group_id));
        Ok(groups)
    }

    fn ask_any<R: Request + Send + Sync + 'static>(&self, request: R) -> Call<R> {
        Asking::ask(&self, request, i16::MAX, Until::Read)
    }

    fn submit_within<R: Request + Send + Sync + 'static>(
        &self,
        target: Target,
        request: R,
        highest: i16,
    ) -> Call<R> {
        let common = &self.shared.common;
        let deadline = common.clock.now().instant + common.config.call_timeout;
        let (submitted, call) = Submitted::call(request, highest, Some(deadline));
        self.shared.inbox.tell(Note::Call(target, submitted));
        call
    }

    /// Does it to all topics, and again to those whose refusal may pass, in time.
    async fn until_done(&self, mut change: Change) -> Result<Vec<TopicResult>, Error> {
        let names = change.names();
        let deadline = self.clock().now().instant + self.config().call_timeout;
        let mut all = BTreeMap::new();
        let mut failed = 0;
        loop {
            for result in change.attempt(self).await? {
                all.insert(result.topic.clone(), result);
            }
            change.retain(|name| {
                let result = all.get(name).map(|r| &r.result);
                matches!(result, Some(Err(error)) if may_pass(error))
            });
            failed += 1;
            let backoff = self.config().retry_backoff;
            let pause = backoff::pause(failed, backoff, &mut self.shared.common.random.lock());
            let now = self.clock().now().instant;
            if change.names().is_empty() || now + pause >= deadline {
                return Ok(names
                    .iter()
                    .filter_map(|name| all.get(name).cloned())
                    .collect());
            }
            self.shared.inbox.tell(Note::Refresh);
            self.sleep_until(now + pause).await;
        }
    }
}

/// What is to become of topics.
enum Change {
    Create(Vec<TopicConfig>),
    Delete(Vec<String>),
}

impl Change {
    fn names(&self) -> Vec<String> {
        match self {
            Self::Create(topics) => topics.iter().map(|t| t.name().to_owned()).collect(),
            Self::Delete(topics) => topics.clone(),
        }
    }

    fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        match self {
            Self::Create(topics) => topics.retain(|t| keep(t.name())),
            Self::Delete(topics) => topics.retain(|t| keep(t)),
        }
    }

    async fn attempt(&self, client: &Client) -> Result<Vec<TopicResult>, Error> {
        let limit = client.config().call_timeout / 2;
        match self {
            Self::Create(topics) => create_topics(&client, topics, limit).await,
            Self::Delete(topics) => {
                let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
                delete_topics(&client, &topics, limit).await
            }
        }
    }
}

/// Whether the same request may succeed soon. That a topic does not exist is final here, whatever it is to those who write.
fn may_pass(error: &Error) -> bool {
    error.is_retriable() && error.code() != Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
}

/// The question for these topics, or for all.
fn question(topics: Option<&[&str]>) -> MetadataRequest {
    let topics = topics.map_or(Topics::All, Topics::These);
    topics.request_in(*ApiKey::Metadata.versions().end())
}

/// The question for the offsets of partitions at a time.
fn at(topic: &str, partitions: &[i32], timestamp: i64) -> ListOffsetsRequest {
    ListOffsetsRequest::build(|r| {
        r.replica_id = -1;
        r.topics.push(ListOffsetsTopic::build(|t| {
            t.name = topic.to_owned();
            let each = |id: &i32| {
                ListOffsetsPartition::build(|p| {
                    (p.partition_index, p.timestamp) = (*id, timestamp);
                })
            };
            t.partitions = partitions.iter().map(each).collect();
        }));
    })
}

fn accepted(code: i16, doing: &str, said: Option<&str>, topic: &str) -> Result<(), Error> {
    match ErrorCode(code) {
        ErrorCode::NONE => Ok(()),
        code => {
            let scope = Scope::Topic(topic.into());
            Err(Error::refused(code, doing, said).with_scope(scope))
        }
    }
}
