//! The handle of a cluster.

use std::{iter::FusedIterator, sync::Arc, time::Duration};

use kafka_proto::{
    api::{Request, list_groups::ListedGroup},
    client::{
        self as asynchronous, ConfigEntry, Event, Partition, PartitionOffsets, TopicConfig,
        TopicResult,
    },
    config::{ReaderConfig, WriterConfig},
    error::{ConfigError, Error, Undelivered},
};

use crate::{io::Io, reader::Reader, writer::Writer};

/// A Kafka cluster: its brokers, the connections to them, and what is known of its topics.
///
/// Cheap to clone, and shared between threads. Writers and readers made from one client share its connections, which one
/// thread runs, `kafka-io`. That thread ends once the last clone and the last handle made from it are gone and every
/// accepted record is resolved.
///
/// **Close it before `main` returns**: dropping it never waits, and the end of the process takes with it what is not yet
/// delivered.
#[derive(Clone, Debug)]
pub struct Client {
    client: asynchronous::Client,
    io: Arc<Io>,
}

impl Client {
    pub(crate) fn new(client: asynchronous::Client, io: Arc<Io>) -> Self {
        Self { client, io }
    }

    pub(crate) fn io(&self) -> &Arc<Io> {
        &self.io
    }

    /// Waits until a broker has described the cluster.
    ///
    /// # Errors
    ///
    /// Every bootstrap broker has been tried and none has answered; the message has the reason of each.
    pub fn ready(&self) -> Result<(), Error> {
        self.io.block_on(self.client.ready())
    }

    /// Sends one request to the broker that its API goes to, and waits for the response.
    ///
    /// Goes to any broker, or to the controller. What goes to a certain broker (the leader of a partition, a coordinator)
    /// does not say which by its type: use [`Client::call_broker`]. Returns by
    /// [`call_timeout`](crate::Config::call_timeout).
    ///
    /// # Errors
    ///
    /// No broker could be reached, the broker does not know the API or a field that is set, or the connection ended.
    /// Error codes inside the response are yours to look at.
    pub fn call<R>(&self, request: R) -> Result<R::Response, Error>
    where
        R: Request + Send + Sync + 'static,
    {
        self.io.block_on(self.client.call(request))
    }

    /// Sends one request to the broker with this id, and waits for the response.
    ///
    /// # Errors
    ///
    /// As [`Client::call`].
    pub fn call_broker<R>(&self, broker: i32, request: R) -> Result<R::Response, Error>
    where
        R: Request + Send + Sync + 'static,
    {
        self.io.block_on(self.client.call_broker(broker, request))
    }

    /// Creates topics; one that exists is left as it is.
    ///
    /// Asks the controller, and again when the controller has moved, up to
    /// [`call_timeout`](crate::Config::call_timeout).
    ///
    /// # Errors
    ///
    /// The first refusal; topics beside it may have been created.
    pub fn create_topics(&self, topics: &[TopicConfig]) -> Result<(), Error> {
        self.io.block_on(self.client.create_topics(topics))
    }

    /// Creates topics and says what became of each, in their order; here one that exists is an error.
    ///
    /// Asks as [`Client::create_topics`] does, again only for topics whose refusal may pass.
    ///
    /// # Errors
    ///
    /// A configuration that cannot be, or no answer came.
    pub fn create_topics_detailed(
        &self,
        topics: &[TopicConfig],
    ) -> Result<Vec<TopicResult>, Error> {
        self.io.block_on(self.client.create_topics_detailed(topics))
    }

    /// Deletes topics.
    ///
    /// # Errors
    ///
    /// The first refusal, also that of a topic that does not exist; topics beside it may have been deleted.
    #[doc(alias = "DeleteTopics")]
    pub fn delete_topics(&self, topics: &[&str]) -> Result<(), Error> {
        self.io.block_on(self.client.delete_topics(topics))
    }

    /// Deletes topics and says what became of each, in their order.
    ///
    /// Asks the controller, and again for topics whose refusal may pass, up to
    /// [`call_timeout`](crate::Config::call_timeout). That a topic does not exist is final.
    ///
    /// # Errors
    ///
    /// No answer came.
    pub fn delete_topics_detailed(&self, topics: &[&str]) -> Result<Vec<TopicResult>, Error> {
        self.io.block_on(self.client.delete_topics_detailed(topics))
    }

    /// Asks for the partitions of topics, in the order of the topics and by number; without topics, of all.
    ///
    /// A topic that does not exist has no partitions.
    ///
    /// # Errors
    ///
    /// A broker refused to describe a topic, or no answer came.
    #[doc(alias = "ReadPartitions")]
    pub fn partitions(&self, topics: &[&str]) -> Result<Vec<Partition>, Error> {
        self.io.block_on(self.client.partitions(topics))
    }

    /// Asks for the first and last offset of each partition of a topic, each of its leader.
    ///
    /// # Errors
    ///
    /// The topic does not exist, a partition has no leader, a broker refused, or no answer came.
    #[doc(alias = "ListOffsets")]
    pub fn offsets(&self, topic: &str) -> Result<Vec<PartitionOffsets>, Error> {
        self.io.block_on(self.client.offsets(topic))
    }

    /// Asks for the settings of a topic, by name.
    ///
    /// # Errors
    ///
    /// The topic does not exist, the broker refused, or no answer came.
    #[doc(alias = "DescribeConfigs")]
    pub fn topic_configs(&self, topic: &str) -> Result<Vec<ConfigEntry>, Error> {
        self.io.block_on(self.client.topic_configs(topic))
    }

    /// Sets settings of a topic, or with `None` has them fall back to the default; others stay as they are.
    ///
    /// # Errors
    ///
    /// The topic does not exist, the broker refused, or no answer came. Brokers before 2.3 cannot change single settings
    /// (KIP-339).
    #[doc(alias = "IncrementalAlterConfigs")]
    pub fn set_topic_configs(
        &self,
        topic: &str,
        settings: &[(&str, Option<&str>)],
    ) -> Result<(), Error> {
        self.io
            .block_on(self.client.set_topic_configs(topic, settings))
    }

    /// Asks every broker for the groups that it coordinates.
    ///
    /// # Errors
    ///
    /// A broker refused, or did not answer.
    #[doc(alias = "ListGroups")]
    pub fn list_groups(&self) -> Result<Vec<ListedGroup>, Error> {
        self.io.block_on(self.client.list_groups())
    }

    /// Creates a writer.
    ///
    /// # Errors
    ///
    /// A setting that cannot be. Nothing is sent yet, and the topic need not exist yet.
    #[doc(alias = "NewWriter")]
    #[doc(alias = "producer")]
    pub fn writer(&self, config: impl Into<WriterConfig>) -> Result<Writer, ConfigError> {
        Ok(Writer::new(self.client.writer(config)?, self.clone()))
    }

    /// Creates a reader, which begins to fetch at once.
    ///
    /// # Errors
    ///
    /// A setting that cannot be.
    #[doc(alias = "NewReader")]
    #[doc(alias = "consumer")]
    pub fn reader(&self, config: impl Into<ReaderConfig>) -> Result<Reader, ConfigError> {
        Ok(Reader::new(self.client.reader(config)?, self.clone()))
    }

    /// What happens to the connections. Events that nobody takes in time are dropped, the oldest first.
    pub fn events(&self) -> Events {
        self.io.hear();
        Events {
            events: self.client.events(),
            io: self.io.clone(),
        }
    }

    /// Ends the client: accepts nothing more, waits up to `limit` for what was accepted, closes every connection, and
    /// waits for the thread that ran them.
    ///
    /// All clones and all handles made from them are closed; calls that wait in other threads return.
    ///
    /// # Errors
    ///
    /// What could not be delivered in time, message by message.
    pub fn close(&self, limit: Duration) -> Result<(), Undelivered> {
        let result = self.io.block_on(self.client.close(limit));
        self.io.join();
        result
    }
}

/// The events of one client, from now on: an iterator that waits for each, and ends when the client does.
#[derive(Debug)]
#[must_use = "iterators do nothing unless asked"]
pub struct Events {
    events: asynchronous::Events,
    io: Arc<Io>,
}

impl Events {
    /// Waits up to `limit` for the next event; `None` if none came in time or the client has ended.
    pub fn next_timeout(&mut self, limit: Duration) -> Option<Event> {
        self.io.block_on_for(limit, self.events.next())?
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.io.block_on(self.events.next())
    }
}

impl FusedIterator for Events {}

impl Drop for Events {
    fn drop(&mut self) {
        self.io.hear_no_more();
    }
}
