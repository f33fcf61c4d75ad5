//! The handle of a cluster.

use std::{iter::FusedIterator, sync::Arc, time::Duration};

use kafka_proto::{
    api::Request,
    client::{self as asynchronous, Event, TopicConfig},
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
