//! A cluster of Kafka brokers as one pure machine: request frames in, response frames out.
//!
//! No sockets, threads, clocks or randomness: a run is a function of its calls, so that a simulator replays it exactly.
//! [`Server`](crate::server::Server) puts a cluster behind real sockets.
//!
//! ```
//! use kafka_testing::broker::{Cluster, Config};
//!
//! let mut cluster = Cluster::new(Config::new().brokers(3));
//! cluster.create_topic("orders", 6);
//! cluster.set_leader("orders", 0, 2);
//! assert_eq!(cluster.log("orders", 0).high_watermark(), 0);
//! ```
//!
//! What each API does and does not do stands at the top of its file in `broker/api`. Of the whole: all replicas of a
//! partition share one log, so followers lag only as a test says ([`Cluster::set_lag`]); transactions are what a test
//! [appends](Cluster::append), and quotas what it [sets](Cluster::set_throttle). There is no group yet; who comes is asked
//! by [`Config::sasl`] and may do all.

mod api;
mod append_rules;
mod config;
mod config_table;
mod connection;
mod fault;
mod frames;
mod legacy;
mod log;
mod producer;
mod release;
mod request;
mod sasl;
mod sessions;
mod topic;
mod topic_configs;
mod transactions;
mod wall_clock;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use bytes::Bytes;
use kafka_proto::{api::ApiKey, wire::Uuid};

pub use self::{
    config::Config,
    fault::{Fault, Rule, RuleId},
    frames::{Frames, NotKafka},
    log::{PartitionLog, StoredRecord},
    release::Release,
    request::Request,
    sasl::Sasl,
};
use self::{
    connection::Connection,
    fault::Rules,
    sessions::Sessions,
    topic::{Partition, Topics},
    topic_configs::TopicConfigs,
    wall_clock::WallClock,
};

/// Names a connection of a cluster; never used twice.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ConnId(u64);

/// N brokers, their topics, and the connections to them.
///
/// Four kinds of methods:
///
/// - `connect`, `disconnect`, [`handle_request`](Self::handle_request), [`handle_timeout`](Self::handle_timeout): what
///   happens to the cluster.
/// - `poll_response`, `poll_close`, `poll_timeout`: what it wants. After any other call, poll responses and closes until
///   there are none. Responses of a connection come before its close.
/// - bare verbs (`create_topic`, `set_leader`, `stop`, `inject`): what a test does to it. They take effect at the time of
///   the last `handle_` call, and panic at their caller's line where a test names what does not exist.
/// - getters.
///
/// A broker answers the requests of one connection one at a time and in order, as Kafka does: while a Fetch waits for
/// records, or a fault holds a request, what comes after it waits too.
#[derive(Debug)]
pub struct Cluster {
    config: Config,
    brokers: BTreeMap<i32, Broker>,
    topics: Topics,
    connections: BTreeMap<ConnId, Connection>,
    rules: Rules,
    /// When to look at which connection again: one entry for each that waits for a time.
    timers: BTreeSet<(Instant, ConnId)>,
    /// Connections to look at before the current call returns.
    ready: BTreeSet<ConnId>,
    responses: VecDeque<(ConnId, Bytes)>,
    closes: VecDeque<ConnId>,
    /// The last time that came in.
    now: Option<Instant>,
    clock: WallClock,
    next_connection: u64,
    next_producer_id: i64,
    /// SCRAM exchanges so far: no two have the same nonce.
    nonces: u64,
    /// How long the answers to an API are throttled.
    throttles: BTreeMap<ApiKey, Duration>,
}

#[derive(Debug)]
struct Broker {
    host: String,
    port: u16,
    running: bool,
    rack: Option<String>,
    /// Where it differs from the cluster's.
    release: Option<Release>,
    sessions: Sessions,
}

impl Cluster {
    /// The id of the cluster in Metadata answers.
    pub const ID: &str = "kafka-testing-cluster1";

    /// All brokers running, no topics. Until [`set_address`](Self::set_address), broker `n` says it is at
    /// `127.0.0.1:9091 + n`.
    pub fn new(config: Config) -> Self {
        let broker = |id: i32| {
            let port = u16::try_from(9091 + id).unwrap_or_default();
            (
                id,
                Broker {
                    host: "127.0.0.1".to_owned(),
                    port,
                    running: true,
                    rack: None,
                    release: None,
                    sessions: Sessions::default(),
                },
            )
        };
        Self {
            brokers: (1..=config.brokers).map(broker).collect(),
            config,
            topics: Topics::default(),
            connections: BTreeMap::new(),
            rules: Rules::default(),
            timers: BTreeSet::new(),
            ready: BTreeSet::new(),
            responses: VecDeque::new(),
            closes: VecDeque::new(),
            now: None,
            clock: WallClock::default(),
            next_connection: 0,
            next_producer_id: 0,
            nonces: 0,
            throttles: BTreeMap::new(),
        }
    }

    // What happens

    /// A client connected to a broker. If that broker is stopped, the connection is closed at once.
    #[track_caller]
    pub fn connect(&mut self, broker: i32) -> ConnId {
        let running = self.broker(broker).running;
        let id = ConnId(self.next_connection);
        self.next_connection += 1;
        match running {
            true => drop(
                self.connections
                    .insert(id, Connection::new(broker, self.config.sasl.is_some())),
            ),
            false => self.closes.push_back(id),
        }
        id
    }

    /// The client's end is gone: what it sent and was not yet applied never will be. Unknown connections are no matter.
    pub fn disconnect(&mut self, connection: ConnId) {
        self.drop_connection(connection);
    }

    /// A request arrived: the frame without its length. Requests of connections that are gone are dropped.
    pub fn handle_request(&mut self, connection: ConnId, frame: Bytes, now: Instant) {
        self.advance_time(now);
        if let Some(open) = self.connections.get_mut(&connection) {
            open.queue.push_back(frame);
            self.ready.insert(connection);
        }
        self.run();
    }

    /// What arrived over a connection cannot be a request: the broker closes it.
    pub fn handle_garbage(&mut self, connection: ConnId) {
        self.close(connection);
    }

    /// Time has passed. Too early or twice does nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance_time(now);
        while let Some((due, connection)) = self.timers.first().copied()
            && due <= now
        {
            self.timers.pop_first();
            self.ready.insert(connection);
        }
        self.run();
    }

    // What it wants

    /// The next response: a whole frame, its length included.
    pub fn poll_response(&mut self) -> Option<(ConnId, Bytes)> {
        self.responses.pop_front()
    }

    /// The next connection that a broker closed.
    pub fn poll_close(&mut self) -> Option<ConnId> {
        self.closes.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.first().map(|(due, _)| *due)
    }

    // What a test does to it

    /// Sets where clients are told to find a broker.
    #[track_caller]
    pub fn set_address(&mut self, broker: i32, host: &str, port: u16) {
        let broker = self.broker_mut(broker);
        broker.host = host.to_owned();
        broker.port = port;
    }

    /// Makes one broker of another release than the rest, as in a rolling upgrade: stop it first, since connections that
    /// know the old one would go on by it.
    #[track_caller]
    pub fn set_release(&mut self, broker: i32, release: Release) {
        self.broker_mut(broker).release = Some(release);
    }

    /// Sets what the clocks of all brokers read now, in Unix ms; they run on with the time that comes in. It is what records
    /// get where `message.timestamp.type` is LogAppendTime, and what `retention.ms` counts from. A
    /// [`Server`](crate::server::Server) and the simulator set it where nobody has; a machine alone begins at 0.
    pub fn set_clock(&mut self, unix_ms: i64) {
        self.clock.set(unix_ms, self.now);
        self.topics.expire(unix_ms);
    }

    /// Sets the clocks if nobody has.
    pub(crate) fn start_clock(&mut self, unix_ms: i64) {
        if !self.clock.is_set {
            self.set_clock(unix_ms);
        }
    }

    /// Says in which rack a broker stands. From then on leaders send consumers that name a rack, in Fetch from version 11
    /// on, to a replica in sync there (KIP-392); without a rack, as in the beginning, nobody is sent elsewhere.
    #[track_caller]
    pub fn set_rack(&mut self, broker: i32, rack: &str) {
        self.broker_mut(broker).rack = Some(rack.to_owned());
    }

    /// Has a broker forget its fetch sessions, as when others have taken their slots.
    #[track_caller]
    pub fn expire_sessions(&mut self, broker: i32) {
        self.broker_mut(broker).sessions.clear();
    }

    /// Creates a topic with the replication factor of the [`Config`], leaders in turn. Returns its id.
    ///
    /// # Panics
    ///
    /// If it exists, has no partition, or has a name that Kafka refuses.
    #[track_caller]
    pub fn create_topic(&mut self, name: &str, partitions: i32) -> Uuid {
        self.create_topic_with(name, partitions, &[])
    }

    /// As [`create_topic`](Self::create_topic), with topic configs. Those that do something are `max.message.bytes`,
    /// `message.timestamp.type`, `min.insync.replicas`, `retention.ms` (by batch and at once, where Kafka takes minutes and
    /// whole segments), and `compression.type=zstd` for old consumers.
    ///
    /// # Panics
    ///
    /// As [`create_topic`](Self::create_topic), and where Kafka refuses a config.
    #[track_caller]
    pub fn create_topic_with(
        &mut self,
        name: &str,
        partitions: i32,
        configs: &[(&str, &str)],
    ) -> Uuid {
        if let Some(fault) = topic::name_fault(name) {
            panic!("`{name}` is no topic name: {fault}");
        }
        assert!(
            self.topics.get(name).is_none(),
            "topic `{name}` exists already"
        );
        assert!(
            partitions > 0,
            "topic `{name}` needs at least one partition, not {partitions}"
        );
        let assignment = self.assign(0, partitions, self.config.replication_factor());
        match TopicConfigs::parse(configs.iter().map(|(name, value)| (*name, Some(*value)))) {
            Ok(configs) => self.topics.insert(name, assignment, configs),
            Err(fault) => panic!("topic `{name}`: {fault}"),
        }
    }

    /// Deletes a topic. Created again, it has another id.
    #[track_caller]
    pub fn delete_topic(&mut self, name: &str) {
        let Some(topic) = self.topics.remove(name) else {
            panic!("no topic `{name}` in the cluster")
        };
        self.ready
            .extend(topic.partitions.iter().flat_map(|p| &p.waiting));
        self.run();
    }

    /// Gives a topic more partitions, up to `total`.
    #[track_caller]
    pub fn add_partitions(&mut self, name: &str, total: i32) {
        let have = match self.topics.get(name) {
            Some(topic) => topic.partitions.len() as i32,
            None => panic!("no topic `{name}` in the cluster"),
        };
        let more = self.assign(have, total - have, self.config.replication_factor());
        if let Some(topic) = self.topics.get_mut(name) {
            let min_insync = topic.configs.min_insync_replicas;
            let new = |replicas| Partition::new(replicas, min_insync);
            topic.partitions.extend(more.into_iter().map(new));
        }
    }

    /// Makes a broker the leader of a partition, under the next leader epoch. If it held no replica, it takes over that of
    /// the last leader. What followers did not have yet ([`set_lag`](Self::set_lag)) is lost with the last leader.
    #[track_caller]
    pub fn set_leader(&mut self, topic: &str, partition: i32, broker: i32) {
        assert!(
            self.broker(broker).running,
            "broker {broker} is stopped, so it cannot lead"
        );
        let partition = self.partition_mut(topic, partition);
        partition.set_leader(Some(broker));
        let waiting = partition.waiting.clone();
        self.ready.extend(waiting);
        self.run();
    }

    /// Takes the leader of a partition away, under the next leader epoch, until [`set_leader`](Self::set_leader).
    #[track_caller]
    pub fn unset_leader(&mut self, topic: &str, partition: i32) {
        let partition = self.partition_mut(topic, partition);
        partition.set_leader(None);
        let waiting = partition.waiting.clone();
        self.ready.extend(waiting);
        self.run();
    }

    /// Stops a broker: its connections end, what it led goes to another live replica, or has no leader if there is none.
    /// The log stays. Stopping twice does nothing.
    #[track_caller]
    pub fn stop(&mut self, broker: i32) {
        let stopped = self.broker_mut(broker);
        stopped.running = false;
        stopped.sessions.clear();
        for partition in self.topics.partitions_mut() {
            if partition.broker_stopped(broker) {
                self.ready.extend(&partition.waiting);
            }
        }
        let lost: Vec<ConnId> = self
            .connections
            .iter()
            .filter(|(_, c)| c.broker == broker)
            .map(|(id, _)| *id)
            .collect();
        for connection in lost {
            self.close(connection);
        }
        self.run();
    }

    /// Starts a broker again. It leads what has no leader and was in sync with it; other leaders stay where they are.
    #[track_caller]
    pub fn start(&mut self, broker: i32) {
        self.broker_mut(broker).running = true;
        for partition in self.topics.partitions_mut() {
            if partition.broker_started(broker) {
                self.ready.extend(&partition.waiting);
            }
        }
        self.run();
    }

    /// Deletes the records of a partition before `offset`, as retention does.
    #[track_caller]
    pub fn delete_records(&mut self, topic: &str, partition: i32, offset: i64) {
        let partition = self.partition_mut(topic, partition);
        partition.log.delete_before(offset);
        let waiting = partition.waiting.clone();
        self.ready.extend(waiting);
        self.run();
    }

    /// Drops the records of a partition that `keep` refuses, as the log cleaner of a compacted topic does, and returns how
    /// many are gone. The others keep their offsets; the last batch that all replicas have, and what is behind it, stay whole.
    ///
    /// ```
    /// # use kafka_testing::broker::{Cluster, Config};
    /// # let mut cluster = Cluster::new(Config::new());
    /// # cluster.create_topic("prices", 1);
    /// // everything but tombstones
    /// cluster.compact("prices", 0, |record| record.value.is_some());
    /// ```
    #[track_caller]
    pub fn compact(
        &mut self,
        topic: &str,
        partition: i32,
        keep: impl FnMut(&StoredRecord) -> bool,
    ) -> usize {
        self.partition_mut(topic, partition).log.compact(keep)
    }

    /// Cuts a log off at the batch that holds `offset`, as when a broker that was behind becomes the leader. To have
    /// clients notice, give the partition a [leader](Self::set_leader) after that.
    #[track_caller]
    pub fn truncate(&mut self, topic: &str, partition: i32, offset: i64) {
        let partition = self.partition_mut(topic, partition);
        partition.log.truncate(offset);
        let waiting = partition.waiting.clone();
        self.ready.extend(waiting);
        self.run();
    }

    /// Keeps the followers of a partition this many records behind its leader: consumers read up to the high watermark
    /// only, and a Produce with acks -1 waits for it. 0, as in the beginning, is in step; the high watermark never goes
    /// back.
    #[track_caller]
    pub fn set_lag(&mut self, topic: &str, partition: i32, records: i64) {
        let partition = self.partition_mut(topic, partition);
        partition.log.set_lag(records);
        let waiting = partition.waiting.clone();
        self.ready.extend(waiting);
        self.run();
    }

    /// Appends a batch of magic 2 to a log as it is, without a check: one of a transaction, a damaged one, or whatever
    /// else no producer may write. Returns the offset of its first record.
    ///
    /// # Panics
    ///
    /// If there is less than the header of a batch, or no such partition.
    #[track_caller]
    pub fn append(&mut self, topic: &str, partition: i32, batch: impl Into<Bytes>) -> i64 {
        let partition = self.partition_mut(topic, partition);
        let epoch = partition.leader_epoch;
        let Some(offset) = partition.log.append_unchecked(&batch.into(), epoch) else {
            panic!("this is less than the header of a batch");
        };
        let waiting = partition.waiting.clone();
        self.ready.extend(waiting);
        self.run();
        offset
    }

    /// Ends the transaction of a producer on a partition, by a marker. Returns the marker's offset.
    #[track_caller]
    pub fn end_transaction(
        &mut self,
        topic: &str,
        partition: i32,
        producer: (i64, i16),
        commit: bool,
    ) -> i64 {
        let (id, epoch) = producer;
        let latest = self
            .log(topic, partition)
            .batches()
            .map(|b| b.max_timestamp)
            .max();
        let marker = transactions::marker(id, epoch, commit, latest.unwrap_or(0));
        self.append(topic, partition, marker)
    }

    /// Has brokers name a throttle time in their answers to an API, and read nothing from such a connection for as long
    /// (KIP-219). Zero, as in the beginning, is no quota.
    pub fn set_throttle(&mut self, api: ApiKey, time: Duration) {
        match time.is_zero() {
            true => drop(self.throttles.remove(&api)),
            false => drop(self.throttles.insert(api, time)),
        }
    }

    /// Makes a partition forget its idempotent producers, as after `producer.id.expiration.ms`.
    #[track_caller]
    pub fn expire_producers(&mut self, topic: &str, partition: i32) {
        self.partition_mut(topic, partition).log.expire_producers();
    }

    /// Who is let in, to change it: connections that are open stay so until their session ends.
    ///
    /// # Panics
    ///
    /// If the cluster was built without [`Config::sasl`].
    #[track_caller]
    pub fn sasl(&mut self) -> &mut Sasl {
        match &mut self.config.sasl {
            Some(sasl) => sasl,
            None => panic!("the cluster asks nobody who they are: build it with Config::sasl"),
        }
    }

    /// Adds a fault. Rules are asked in the order they came; the first that matches a request decides.
    pub fn inject(&mut self, rule: Rule) -> RuleId {
        self.rules.inject(rule)
    }

    /// Adds a script that sees every request no earlier rule took, and decides what happens to it.
    pub fn intercept(
        &mut self,
        script: impl FnMut(&Request) -> Option<Fault> + Send + 'static,
    ) -> RuleId {
        self.rules.intercept(Box::new(script))
    }

    /// Ends a rule. What it holds stays held.
    pub fn remove_rule(&mut self, rule: RuleId) {
        self.rules.remove(rule);
    }

    /// Ends every rule and lets go of everything that is held.
    pub fn heal(&mut self) {
        self.rules.clear();
        self.release_held(|_| true);
    }

    /// Lets go of what a rule holds. New requests still meet it, if it has not ended.
    pub fn release(&mut self, rule: RuleId) {
        self.release_held(|holder| holder == rule);
    }

    // Getters

    /// The log of a partition.
    ///
    /// # Panics
    ///
    /// If there is no such partition.
    #[track_caller]
    pub fn log(&self, topic: &str, partition: i32) -> &PartitionLog {
        &self.partition(topic, partition).log
    }

    /// The leader of a partition, if it has one.
    #[track_caller]
    pub fn leader(&self, topic: &str, partition: i32) -> Option<i32> {
        self.partition(topic, partition).leader
    }

    /// The leader epoch of a partition.
    #[track_caller]
    pub fn leader_epoch(&self, topic: &str, partition: i32) -> i32 {
        self.partition(topic, partition).leader_epoch
    }

    /// The id of a topic, if it exists.
    pub fn topic_id(&self, name: &str) -> Option<Uuid> {
        self.topics.get(name).map(|t| t.id)
    }

    /// The names of all topics, in order.
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        self.topics.iter().map(|(name, _)| name)
    }

    /// How many partitions a topic has; 0 if it does not exist.
    pub fn partition_count(&self, topic: &str) -> i32 {
        self.topics
            .get(topic)
            .map_or(0, |t| t.partitions.len() as i32)
    }

    /// The ids of all brokers, stopped ones included.
    pub fn brokers(&self) -> impl Iterator<Item = i32> {
        self.brokers.keys().copied()
    }

    /// Whether a broker runs.
    #[track_caller]
    pub fn is_running(&self, broker: i32) -> bool {
        self.broker(broker).running
    }

    /// Where a broker says it is.
    #[track_caller]
    pub fn address(&self, broker: i32) -> (&str, u16) {
        let broker = self.broker(broker);
        (&broker.host, broker.port)
    }

    /// How many requests met a rule.
    pub fn hits(&self, rule: RuleId) -> u64 {
        self.rules.hits(rule)
    }

    /// How many connections there are, to all brokers.
    pub fn connection_count(&self) -> usize {
        self.connections.len()
    }

    /// Whether a connection has a request that waits: for records, or for a fault to end.
    pub fn is_busy(&self, connection: ConnId) -> bool {
        self.connections
            .get(&connection)
            .is_some_and(Connection::is_busy)
    }

    /// How many bytes of requests wait behind a request that waits. Kafka does not read from such a connection at all.
    pub fn backlog(&self, connection: ConnId) -> usize {
        self.connections
            .get(&connection)
            .map_or(0, |c| c.queue.iter().map(Bytes::len).sum())
    }

    // Inside

    fn assign(&self, first: i32, partitions: i32, replicas: i16) -> Vec<Vec<i32>> {
        let live: Vec<i32> = self
            .brokers
            .keys()
            .copied()
            .filter(|b| self.brokers[b].running)
            .collect();
        // a stopped broker may get replicas, as in Kafka, but no leadership
        let all: Vec<i32> = self.brokers.keys().copied().collect();
        let brokers = if live.len() >= replicas.max(1) as usize {
            live
        } else {
            all
        };
        let count = usize::try_from(partitions).unwrap_or(0);
        let replicas = (replicas.max(1) as usize).min(brokers.len());
        topic::assign(&brokers, count, replicas, first as usize)
    }

    fn advance_time(&mut self, now: Instant) {
        self.now = self.now.max(Some(now));
        self.clock.run(now);
        self.topics.expire(self.clock.unix_ms(self.now));
    }

    fn release_of(&self, broker: i32) -> Release {
        self.broker(broker).release.unwrap_or(self.config.release)
    }

    #[track_caller]
    fn broker(&self, id: i32) -> &Broker {
        match self.brokers.get(&id) {
            Some(broker) => broker,
            None => panic!(
                "no broker {id} in the cluster: it has 1 to {}",
                self.brokers.len()
            ),
        }
    }

    #[track_caller]
    fn broker_mut(&mut self, id: i32) -> &mut Broker {
        let count = self.brokers.len();
        match self.brokers.get_mut(&id) {
            Some(broker) => broker,
            None => panic!("no broker {id} in the cluster: it has 1 to {count}"),
        }
    }

    #[track_caller]
    fn partition(&self, topic: &str, partition: i32) -> &Partition {
        match self.topics.get(topic).and_then(|t| t.partition(partition)) {
            Some(partition) => partition,
            None => panic!("no partition {partition} of topic `{topic}` in the cluster"),
        }
    }

    #[track_caller]
    fn partition_mut(&mut self, topic: &str, partition: i32) -> &mut Partition {
        match self
            .topics
            .get_mut(topic)
            .and_then(|t| t.partition_mut(partition))
        {
            Some(partition) => partition,
            None => panic!("no partition {partition} of topic `{topic}` in the cluster"),
        }
    }
}
