//! The settings of a broker: small, quick to start, quick to notice a death.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;

/// The settings of one node, written as a `server.properties`.
pub(super) struct Properties(BTreeMap<String, String>);

impl Properties {
    /// Composes the settings of node `node` of those that `ports` lists as (client, controller).
    ///
    /// `zookeeper` is the port of the ZooKeeper that keeps their metadata; without it they do that themselves.
    pub(super) fn for_node(
        node: usize,
        ports: &[(u16, u16)],
        zookeeper: Option<u16>,
        data: &Path,
    ) -> Self {
        let mut all = Self(BTreeMap::new());
        all.set_all(COMMON);
        let copies = ports.len().min(3);
        if copies > 1 {
            all.set_all(REPLICATED);
        }
        let in_sync = if copies == 3 { 2 } else { 1 };
        for (prefix, min_in_sync) in REPLICATED_TOPICS {
            all.set(&format!("{prefix}replication.factor"), copies);
            all.set(min_in_sync, in_sync);
        }
        let client = format!("PLAINTEXT://{HOST}:{}", ports[node].0);
        all.set("log.dirs", data.display());
        all.set("advertised.listeners", &client);
        all.set("inter.broker.listener.name", "PLAINTEXT");
        match zookeeper {
            Some(port) => all.keep_by_zookeeper(node, &client, port),
            None => all.keep_by_raft(node, &client, ports),
        }
        all
    }

    fn keep_by_raft(&mut self, node: usize, client: &str, ports: &[(u16, u16)]) {
        self.set_all(RAFT);
        self.set("node.id", node);
        self.set("process.roles", "broker,controller");
        let controller = ports[node].1;
        self.set(
            "listeners",
            format!("{client},CONTROLLER://{HOST}:{controller}"),
        );
        self.set(
            "listener.security.protocol.map",
            "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        );
        self.set("controller.listener.names", "CONTROLLER");
        let voters: Vec<_> = ports
            .iter()
            .enumerate()
            .map(|(id, (_, port))| format!("{id}@{HOST}:{port}"))
            .collect();
        self.set("controller.quorum.voters", voters.join(","));
    }

    fn keep_by_zookeeper(&mut self, node: usize, client: &str, port: u16) {
        self.set("broker.id", node);
        self.set("listeners", client);
        self.set("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT");
        self.set("zookeeper.connect", format!("{HOST}:{port}"));
        self.set("zookeeper.session.timeout.ms", SESSION_MS);
        self.set("zookeeper.connection.timeout.ms", 20_000);
    }

    /// Adds a listener on the port `listens`, which tells clients to come to the port `advertised`.
    pub(super) fn put_behind_proxy(&mut self, listens: u16, advertised: u16) {
        self.add_listener("PROXY", "PLAINTEXT", listens, advertised);
    }

    /// Adds a listener.
    pub(super) fn listen(&mut self, name: &str, protocol: &str, port: u16) {
        self.add_listener(name, protocol, port, port);
    }

    fn add_listener(&mut self, name: &str, protocol: &str, listens: u16, advertised: u16) {
        for (key, more) in [
            ("listeners", format!("{name}://{HOST}:{listens}")),
            (
                "advertised.listeners",
                format!("{name}://{HOST}:{advertised}"),
            ),
            (
                "listener.security.protocol.map",
                format!("{name}:{protocol}"),
            ),
        ] {
            let all = self.0.entry(key.to_owned()).or_default();
            *all = format!("{all},{more}");
        }
    }

    pub(super) fn set(&mut self, key: &str, value: impl ToString) {
        self.0.insert(key.to_owned(), value.to_string());
    }

    /// Writes the settings in the syntax of Java's property files.
    pub(super) fn to_text(&self) -> String {
        self.0
            .iter()
            .map(|(key, value)| format!("{}={}\n", escape(key), escape(value)))
            .collect()
    }

    fn set_all(&mut self, table: &[(&str, &str)]) {
        for (key, value) in table {
            self.set(key, value);
        }
    }
}

/// The settings for the storage tool, which listens nowhere: only the roles and the folder count.
pub(super) fn for_format(data: &Path) -> String {
    Properties::for_node(0, &[(2, 1)], None, data).to_text()
}

/// The settings of the ZooKeeper beside the nodes.
pub(super) fn for_zookeeper(port: u16, data: &Path) -> String {
    let mut all = Properties(BTreeMap::new());
    all.set("dataDir", data.display());
    all.set("clientPort", port);
    all.set("clientPortAddress", HOST);
    all.set("maxClientCnxns", 0);
    all.set("admin.enableServer", false);
    // A session ends at the first tick after its time.
    all.set("tickTime", 500);
    all.set("minSessionTimeout", 1_000);
    all.set("maxSessionTimeout", 60_000);
    // From 3.4.10 on most words of four letters are refused unless listed.
    all.set("4lw.commands.whitelist", "dump");
    all.to_text()
}

/// How long ZooKeeper believes in a broker that is silent, in milliseconds.
const SESSION_MS: u32 = 4_000;

/// The identity file of a formatted log folder.
pub(super) fn meta(node: usize, cluster: &str) -> String {
    format!("version=1\ncluster.id={cluster}\nnode.id={node}\n")
}

/// A cluster id where none is kept.
pub(super) const NO_CLUSTER: &str = "AAAAAAAAAAAAAAAAAAAAAQ";

pub(super) const HOST: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// What makes a broker small and its groups quick. A version ignores the keys that it doesn't know.
const COMMON: &[(&str, &str)] = &[
    ("auto.create.topics.enable", "true"),
    ("background.threads", "2"),
    ("connections.max.idle.ms", "600000"),
    ("delete.topic.enable", "true"),
    ("group.initial.rebalance.delay.ms", "0"),
    ("group.min.session.timeout.ms", "100"),
    // The default of 128 MB would not fit into the heap.
    ("log.cleaner.dedupe.buffer.size", "4194304"),
    ("log.cleaner.threads", "1"),
    ("log.index.size.max.bytes", "1048576"),
    ("num.io.threads", "4"),
    ("num.network.threads", "2"),
    ("num.partitions", "3"),
    ("num.recovery.threads.per.data.dir", "1"),
    ("num.replica.fetchers", "1"),
    ("offsets.topic.num.partitions", "1"),
    (
        "transaction.abort.timed.out.transaction.cleanup.interval.ms",
        "1000",
    ),
    ("transaction.state.log.num.partitions", "1"),
];

/// What a cluster that keeps its metadata by Raft needs beside that.
const RAFT: &[(&str, &str)] = &[
    ("broker.heartbeat.interval.ms", "200"),
    ("broker.session.timeout.ms", "2000"),
    ("controlled.shutdown.max.retries", "1"),
    ("controller.quorum.election.backoff.max.ms", "200"),
    ("controller.quorum.election.timeout.ms", "300"),
    // Above 500, which is how long a follower's fetch may wait: at 500 elections never end.
    ("controller.quorum.fetch.timeout.ms", "1000"),
    ("controller.quorum.request.timeout.ms", "1000"),
    ("group.consumer.heartbeat.interval.ms", "500"),
    ("group.consumer.min.heartbeat.interval.ms", "100"),
    ("group.consumer.min.session.timeout.ms", "1000"),
    ("group.consumer.session.timeout.ms", "6000"),
    ("group.coordinator.append.linger.ms", "0"),
    ("group.coordinator.threads", "1"),
    // A share group's first records need two heartbeats.
    ("group.share.heartbeat.interval.ms", "500"),
    ("group.share.min.heartbeat.interval.ms", "100"),
    ("group.share.min.session.timeout.ms", "1000"),
    ("group.share.session.timeout.ms", "6000"),
    ("group.streams.heartbeat.interval.ms", "500"),
    ("group.streams.initial.rebalance.delay.ms", "0"),
    ("group.streams.min.heartbeat.interval.ms", "100"),
    ("group.streams.min.session.timeout.ms", "1000"),
    ("group.streams.session.timeout.ms", "6000"),
    ("share.coordinator.append.linger.ms", "0"),
    ("share.coordinator.state.topic.num.partitions", "1"),
    ("share.coordinator.threads", "1"),
];

/// What lets replicas notice soon that one of them is gone.
const REPLICATED: &[(&str, &str)] = &[
    ("controller.socket.timeout.ms", "3000"),
    ("replica.fetch.backoff.ms", "100"),
    ("replica.fetch.wait.max.ms", "100"),
    ("replica.lag.time.max.ms", "1500"),
    ("replica.socket.timeout.ms", "2000"),
];

/// Prefix of the replication factor, and the name of the smallest number in sync, of each kind of topic.
const REPLICATED_TOPICS: [(&str, &str); 4] = [
    ("default.", "min.insync.replicas"),
    // The topic of offsets takes its minimum from the broker's.
    ("offsets.topic.", "min.insync.replicas"),
    ("transaction.state.log.", "transaction.state.log.min.isr"),
    (
        "share.coordinator.state.topic.",
        "share.coordinator.state.topic.min.isr",
    ),
];

/// Escapes what a property file would read as something else.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_nodes_vote_and_replicate() {
        let ports = [(20_000, 20_009), (20_010, 20_019), (20_020, 20_029)];
        let text = Properties::for_node(1, &ports, None, Path::new("/d")).to_text();
        let has = |line: &str| assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
        has("controller.quorum.voters=0@127.0.0.1:20009,1@127.0.0.1:20019,2@127.0.0.1:20029");
        has("listeners=PLAINTEXT://127.0.0.1:20010,CONTROLLER://127.0.0.1:20019");
        has("default.replication.factor=3");
        has("min.insync.replicas=2");
        has("transaction.state.log.min.isr=2");
        has("replica.lag.time.max.ms=1500");
        has("node.id=1");
    }

    #[test]
    fn one_node_keeps_one_copy() {
        let text = Properties::for_node(0, &[(1, 2)], None, Path::new("/d")).to_text();
        assert!(text.contains("\noffsets.topic.replication.factor=1\n"));
        assert!(!text.contains("replica.lag.time"));
    }

    #[test]
    fn a_node_beside_zookeeper_neither_votes_nor_controls() {
        let text = Properties::for_node(0, &[(1, 2)], Some(7), Path::new("/d")).to_text();
        let has = |line: &str| assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
        has("zookeeper.connect=127.0.0.1:7");
        has("listeners=PLAINTEXT://127.0.0.1:1");
        has("broker.id=0");
        assert!(!text.contains("controller.quorum") && !text.contains("node.id"));
    }

    #[test]
    fn later_settings_win_and_are_escaped() {
        let mut all = Properties(BTreeMap::new());
        all.set("a", "1");
        all.set("a", "x\\y\nz");
        assert_eq!(all.to_text(), "a=x\\\\y\\nz\n");
    }
}
