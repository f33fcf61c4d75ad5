//! What a real broker or cluster is started with.

use std::time::Duration;

use super::error::LaunchError;
use super::version::KafkaVersion;

/// Says which Kafka to start and how.
///
/// ```
/// use kafka_testing::kafka::{KafkaVersion, Options};
///
/// let options = Options::new()
///     .version(KafkaVersion::V3_9_1)
///     .nodes(3)
///     .property("auto.create.topics.enable", "false");
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Options {
    pub(super) version: KafkaVersion,
    pub(super) nodes: usize,
    pub(super) properties: Vec<(String, String)>,
    pub(super) heap_mib: u32,
    pub(super) jvm_flags: Vec<String>,
    pub(super) ready_within: Duration,
    /// The ports that stand for the nodes; empty without a proxy.
    pub(super) proxy: Vec<u16>,
    pub(super) secured: bool,
}

impl Options {
    /// One node of the newest version, as small and quick as it can be.
    pub fn new() -> Self {
        Self {
            version: KafkaVersion::V4_3_1,
            nodes: 1,
            properties: Vec::new(),
            heap_mib: 256,
            jvm_flags: Vec::new(),
            ready_within: Duration::from_secs(90),
            proxy: Vec::new(),
            secured: false,
        }
    }

    /// Sets the version; 4.3.1 by default.
    pub fn version(mut self, version: KafkaVersion) -> Self {
        self.version = version;
        self
    }

    /// Sets how many nodes there are, each of them broker and controller; 1 by default.
    ///
    /// Take an odd number: with two nodes the death of either stops the cluster. From three on every topic has three
    /// replicas, of which two must be in sync.
    pub fn nodes(mut self, nodes: usize) -> Self {
        self.nodes = nodes;
        self
    }

    /// Sets a broker's property on every node; it overrides what the launcher would write.
    pub fn property(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.push((key.into(), value.into()));
        self
    }

    /// Sets the largest heap of a node in MiB; 256 by default.
    pub fn heap_mib(mut self, heap: u32) -> Self {
        self.heap_mib = heap;
        self
    }

    /// Adds a flag of the Java machine; it overrides the launcher's.
    ///
    /// Benchmarks of clients need `-XX:TieredStopAtLevel=4` and a larger heap: the quick start comes from the first
    /// compiler tier alone, which caps the broker.
    pub fn jvm_flag(mut self, flag: impl Into<String>) -> Self {
        self.jvm_flags.push(flag.into());
        self
    }

    /// Gives each node a second listener, which names the port of a [`Proxy`](crate::proxy::Proxy) to clients; what nodes
    /// say to each other does not go through it. [`Kafka::behind_proxy`](super::Kafka::behind_proxy) says where the
    /// proxy has to lead.
    pub fn behind(mut self, ports: impl IntoIterator<Item = u16>) -> Self {
        self.proxy = ports.into_iter().collect();
        self
    }

    /// Gives each node the listeners of [`Listener`](super::Listener) beside the plain one, with the certificates of
    /// [`certificates`](crate::certificates), an authorizer, and these users: by PLAIN `alice` and `bob`, with the passwords
    /// `alice-secret` and `bob-secret`; by OAUTHBEARER whoever an unsigned token names. `alice`, `carol`, `dave` and the
    /// client certificate may do all, `bob` and others nothing. Users of SCRAM are made by AlterUserScramCredentials.
    pub fn secured(mut self) -> Self {
        self.secured = true;
        self
    }

    /// Sets how long a node may take until it is ready; 90 s by default. Some seconds are usual.
    pub fn ready_within(mut self, limit: Duration) -> Self {
        self.ready_within = limit;
        self
    }

    pub(super) fn check(&self) -> Result<(), LaunchError> {
        if !self.proxy.is_empty() && self.proxy.len() != self.nodes {
            return Err(LaunchError::Options("a proxy needs one port for each node"));
        }
        match self.nodes {
            0 => Err(LaunchError::Options("a cluster needs a node")),
            1..=9 => Ok(()),
            _ => Err(LaunchError::Options(
                "more than nine nodes are too many for one machine",
            )),
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}
