//! Connecting.

use std::{sync::Arc, time::Duration};

use kafka_client_async_std::{Config, Error};

use crate::{client::Client, conn::Conn, io::Io, park::block_on};

/// Connects to the cluster that these brokers belong to, `"a:9092,b:9092"`: the same as `Dialer::new().connect(brokers)`.
///
/// # Errors
///
/// As [`Dialer::connect`].
pub fn connect(brokers: &str) -> Result<Client, Error> {
    Dialer::new().connect(brokers)
}

/// Settings for connecting.
///
/// Source: acceptance DI-01..17.
#[derive(Clone, Debug, Default)]
pub struct Dialer(kafka_client_async_std::Dialer);

impl Dialer {
    /// The defaults: 10 s for a connection, no TLS.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the name under which the client appears in the broker's logs, quotas and metrics.
    pub fn client_id(self, id: impl Into<String>) -> Self {
        Self(self.0.client_id(id))
    }

    /// Sets how long lookup, connect and handshake of one connection may take together. Default: 10 s.
    pub fn timeout(self, limit: Duration) -> Self {
        Self(self.0.timeout(limit))
    }

    /// Changes the settings of the client that are not about connecting.
    pub fn configure(self, change: impl FnOnce(Config) -> Config) -> Self {
        Self(self.0.configure(change))
    }

    /// Connects to the cluster that these brokers belong to, and waits until one of them has described it.
    ///
    /// Tries them in turn, each within [`Dialer::timeout`].
    ///
    /// # Errors
    ///
    /// The list is no list of addresses, or no broker answered: the message has the reason of each. Or the system refused
    /// a thread.
    pub fn connect(&self, brokers: &str) -> Result<Client, Error> {
        let (io, dialer, _hold) = Io::start(&self.0)?;
        let client = block_on(dialer.connect(brokers))?;
        Ok(Client::new(client, Arc::new(io)))
    }

    /// A client that connects when it is first needed: for services that start before their broker.
    ///
    /// # Errors
    ///
    /// The list is no list of addresses, or the system refused a thread.
    pub fn connect_lazy(&self, brokers: &str) -> Result<Client, Error> {
        let (io, dialer, _hold) = Io::start(&self.0)?;
        let client = dialer.connect_lazy(brokers)?;
        Ok(Client::new(client, Arc::new(io)))
    }

    /// Connects to one broker, for requests of any kind.
    ///
    /// # Errors
    ///
    /// No connection could be made, or the peer is no Kafka broker.
    #[doc(alias = "Dial")]
    pub fn dial(&self, address: &str) -> Result<Conn, Error> {
        let (io, dialer, _hold) = Io::start(&self.0)?;
        Ok(Conn::new(block_on(dialer.dial(address))?, io))
    }

    /// Connects to the leader of a partition; `address` is only asked for it.
    ///
    /// # Errors
    ///
    /// As [`Dialer::dial`]; also if the partition has no leader.
    #[doc(alias = "DialLeader")]
    pub fn dial_leader(&self, address: &str, topic: &str, partition: i32) -> Result<Conn, Error> {
        let (io, dialer, _hold) = Io::start(&self.0)?;
        let conn = block_on(dialer.dial_leader(address, topic, partition))?;
        Ok(Conn::new(conn, io))
    }
}
