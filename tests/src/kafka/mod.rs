//! Starts real Apache Kafka on the loopback address, for tests that must not trust a model of it.
//!
//! Needed are Java (a JDK for [`Peer`]) and, once for each version, Maven and its repository; [`available`] says whether
//! they are there. Jars are kept in `$KAFKA_TESTING_CACHE`, by default `target/kafka` of this workspace or
//! `kafka-testing` in the user's cache folder.
//!
//! ```no_run
//! use kafka_testing::kafka::{Kafka, LaunchError, Options};
//!
//! # fn main() -> Result<(), LaunchError> {
//! let kafka = Kafka::start(Options::new().nodes(3))?;
//! println!("brokers at {}", kafka.bootstrap());
//! kafka.kill(0)?;
//! kafka.restart(0)?;
//! # Ok(())
//! # }
//! ```
//!
//! Nothing is left behind: dropping [`Kafka`] kills its processes and removes their folder, and if this process is killed
//! itself, a supervisor beside each broker does the same.

mod error;
mod folder;
mod jars;
mod java;
mod metadata;
mod options;
mod peer;
mod ports;
mod process;
mod properties;
mod security;
mod version;
mod zookeeper;

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::BuildHasher;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use self::error::LaunchError;
pub use self::options::Options;
pub use self::peer::{Checksum, ParseReportError, PartitionReport, Peer, PeerReport};
pub use self::security::Listener;
pub use self::version::{KafkaVersion, ParseVersionError};

use self::folder::{RunFolder, read_log, telling_part};
use self::jars::Jars;
use self::metadata::View;
use self::ports::PortBlock;
use self::process::Process;
use self::properties::{HOST, Properties};
use self::version::Quorum;
use self::zookeeper::ZooKeeper;

/// Tells whether real brokers of the newest version can be started here, else the reason why not.
///
/// Looks at programs and the cache only. [`prepare`] fetches what is missing, and fails where that can't be done.
pub fn available() -> Result<(), String> {
    let version = KafkaVersion::V4_3_1;
    let java = java::java_for(version).map(|_| ());
    let jars = if Jars::are_cached(version) {
        Ok(())
    } else {
        java::maven().map(|_| ())
    };
    java.and(jars).map_err(|e| e.to_string())
}

/// Fetches the jars of a version, unless they are in the cache, and checks that there is a Java for them.
pub fn prepare(version: KafkaVersion) -> Result<(), LaunchError> {
    java::java_for(version)?;
    Jars::fetch(version).map(|_| ())
}

/// A running Kafka: one broker or a cluster. Dropping it kills its processes and removes their folder.
///
/// Nodes are counted from 0, which is also their id. Every method may be called from any thread.
#[must_use = "dropping it stops the brokers"]
pub struct Kafka {
    options: Options,
    nodes: Vec<Node>,
    /// `None` where the nodes keep the metadata themselves.
    zookeeper: Option<ZooKeeper>,
    folder: RunFolder,
}

impl Kafka {
    /// Starts the brokers and waits until all of them are ready.
    pub fn start(options: Options) -> Result<Self, LaunchError> {
        options.check()?;
        let version = options.version;
        if !version.is_supported() {
            return Err(LaunchError::Unsupported(version));
        }
        let mut attempt = 1;
        loop {
            match Self::launch(&options) {
                // Somebody was quicker to bind one of our ports: others are free.
                Err(LaunchError::PortTaken { .. }) if attempt < ATTEMPTS => attempt += 1,
                result => return result,
            }
        }
    }

    /// Kills a node (SIGKILL) and waits until it is gone. Its data and ports stay for [`restart`](Self::restart).
    pub fn kill(&self, node: usize) -> Result<(), LaunchError> {
        let mut process = self.node(node)?.lock();
        process
            .take()
            .ok_or(LaunchError::NotRunning { node })?
            .kill();
        Ok(())
    }

    /// Asks a node to end in good order (SIGTERM) and waits; kills it after half a minute.
    ///
    /// The last nodes of a cluster take some seconds, since nobody is left to take over.
    pub fn shut_down(&self, node: usize) -> Result<(), LaunchError> {
        let mut process = self.node(node)?.lock();
        let process = process.take().ok_or(LaunchError::NotRunning { node })?;
        process
            .signal("TERM")
            .map_err(LaunchError::io("sending SIGTERM"))?;
        process.death().wait(SHUTDOWN_LIMIT);
        process.kill();
        Ok(())
    }

    /// Starts a node again with its data and ports, and waits until it is ready. Kills it first if it runs.
    ///
    /// Beside ZooKeeper, a node that was killed is let in when its session has ended: that takes up to five seconds more.
    pub fn restart(&self, node: usize) -> Result<(), LaunchError> {
        {
            let this = self.node(node)?;
            let mut process = this.lock();
            if let Some(process) = process.take() {
                process.kill();
            }
            if let Some(zookeeper) = &self.zookeeper {
                zookeeper.wait_forgotten(node)?;
            }
            *process = Some(this.spawn()?);
        }
        self.wait_ready(node)
    }

    /// Stops a node in its tracks (SIGSTOP): its connections stay open and silent.
    pub fn freeze(&self, node: usize) -> Result<(), LaunchError> {
        let process = self.node(node)?.lock();
        let process = process.as_ref().ok_or(LaunchError::NotRunning { node })?;
        process.freeze().map_err(LaunchError::io("sending SIGSTOP"))
    }

    /// Lets a frozen node go on (SIGCONT).
    pub fn thaw(&self, node: usize) -> Result<(), LaunchError> {
        let process = self.node(node)?.lock();
        let process = process.as_ref().ok_or(LaunchError::NotRunning { node })?;
        process
            .signal("CONT")
            .map_err(LaunchError::io("sending SIGCONT"))
    }

    /// Does what dropping does, and says if something could not be removed.
    pub fn stop(self) -> Result<(), LaunchError> {
        self.end_all();
        let path = self.folder.path().display();
        self.folder
            .remove()
            .map_err(LaunchError::io(format!("removing {path}")))
    }

    /// The addresses of all nodes, as clients want them: separated by commas.
    pub fn bootstrap(&self) -> String {
        let addresses: Vec<_> = self.brokers().iter().map(SocketAddr::to_string).collect();
        addresses.join(",")
    }

    /// The addresses of all nodes, by node.
    pub fn brokers(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(Node::address).collect()
    }

    /// Where a proxy finds each node, if they were started with [`Options::behind`].
    pub fn behind_proxy(&self) -> Vec<SocketAddr> {
        let address = |node: &Node| (HOST, node.ports.behind_proxy()).into();
        self.nodes.iter().map(address).collect()
    }

    /// The addresses of a listener of all nodes, as clients want them, if they were started with [`Options::secured`].
    pub fn secured(&self, listener: Listener) -> String {
        let address = |node: &Node| format!("{HOST}:{}", node.ports.secured(listener));
        let addresses: Vec<_> = self.nodes.iter().map(address).collect();
        addresses.join(",")
    }

    /// What the node has logged since the first start.
    pub fn log(&self, node: usize) -> String {
        self.nodes
            .get(node)
            .map(|node| read_log(&node.log_path()))
            .unwrap_or_default()
    }

    /// Whether the node answers within `limit` and sees all nodes that run.
    pub fn is_ready(&self, node: usize, limit: Duration) -> bool {
        self.nodes
            .get(node)
            .is_some_and(|node| self.check(node, limit).is_ok())
    }

    /// The process id of a node that runs.
    pub fn pid(&self, node: usize) -> Option<u32> {
        self.nodes.get(node)?.lock().as_ref().map(Process::pid)
    }

    /// The folder with the data and logs of all nodes.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The version that runs.
    pub fn version(&self) -> KafkaVersion {
        self.options.version
    }

    /// Kafka's own client of the same release, set to talk to these brokers; that of 3.9.1 for brokers before 2.4.
    pub fn peer(&self) -> Peer {
        let peer = Peer::new(self.version().peer(), self.bootstrap());
        if self.version() >= KafkaVersion::V0_11_0_3 {
            return peer;
        }
        // Neither InitProducerId nor a Metadata request that leaves topics uncreated: newer clients need to be told.
        peer.setting("enable.idempotence", "false")
            .setting("allow.auto.create.topics", "true")
    }

    fn launch(options: &Options) -> Result<Self, LaunchError> {
        let java = java::java_for(options.version)?;
        let jars = Jars::fetch(options.version)?;
        let folder = RunFolder::create()?;
        let java = Java {
            program: java,
            flags: java::broker_flags(options.heap_mib),
            class_path: jars.class_path.clone(),
            log4j: options.version.is_legacy(),
        };
        let blocks = (0..options.nodes)
            .map(|_| PortBlock::take())
            .collect::<Result<Vec<_>, _>>()?;
        let ports: Vec<_> = blocks
            .iter()
            .map(|block| (block.client(), block.controller()))
            .collect();
        let mut kafka = Self {
            options: options.clone(),
            nodes: Vec::new(),
            zookeeper: None,
            folder,
        };
        let metadata = match options.version.quorum() {
            Quorum::Raft => Metadata::Own {
                cluster: new_cluster_id(),
                checkpoint: jars.checkpoint()?,
            },
            Quorum::ZooKeeper => {
                let port = blocks[0].zookeeper();
                let home = kafka.folder.inner("zookeeper")?;
                kafka.zookeeper = Some(ZooKeeper::start(&java, port, home)?);
                Metadata::ZooKeeper { port }
            }
        };
        for (id, block) in blocks.into_iter().enumerate() {
            let home = kafka.folder.inner(&format!("node{id}"))?;
            let mut words = java.words(&home, "kafka.Kafka", &options.jvm_flags)?;
            words.push(home.join(CONFIG).to_string_lossy().into_owned());
            let node = Node {
                id,
                ports: block,
                home,
                words,
                process: Mutex::default(),
            };
            node.write_files(options, &ports, &metadata)?;
            kafka.nodes.push(node);
        }
        // All at once: a quorum needs more than one of them.
        for node in &kafka.nodes {
            *node.lock() = Some(node.spawn()?);
        }
        for node in 0..kafka.nodes.len() {
            kafka.wait_ready(node)?;
        }
        Ok(kafka)
    }

    fn wait_ready(&self, node: usize) -> Result<(), LaunchError> {
        let this = self.node(node)?;
        let death = this
            .lock()
            .as_ref()
            .map(Process::death)
            .ok_or(LaunchError::NotRunning { node })?;
        let start = Instant::now();
        loop {
            let last = match self.check(this, ANSWER_LIMIT) {
                Ok(()) => return Ok(()),
                Err(reason) => reason,
            };
            if death.wait(POLL) {
                return Err(this.died());
            }
            let waited = start.elapsed();
            if waited > self.options.ready_within {
                let log = telling_part(&read_log(&this.log_path()));
                return Err(LaunchError::NotReady {
                    node,
                    waited,
                    last,
                    log,
                });
            }
        }
    }

    /// Ready is a node that answers and lists all nodes that run, a controller among them; else the reason why not.
    fn check(&self, node: &Node, limit: Duration) -> Result<(), String> {
        let view = View::ask(node.address(), limit).map_err(|e| e.to_string())?;
        let running: Vec<_> = self
            .nodes
            .iter()
            .filter(|node| node.lock().is_some())
            .map(|node| node.id as i32)
            .collect();
        if view.is_complete(&running) {
            Ok(())
        } else {
            Err(format!("it answered {view:?}"))
        }
    }

    fn node(&self, node: usize) -> Result<&Node, LaunchError> {
        self.nodes.get(node).ok_or(LaunchError::NotRunning { node })
    }

    fn end_all(&self) {
        // First let go of all, then wait for each: they end side by side.
        let mut ending: Vec<_> = self
            .nodes
            .iter()
            .filter_map(|node| node.lock().take())
            .collect();
        ending.iter_mut().for_each(Process::release);
        if let Some(zookeeper) = &self.zookeeper {
            zookeeper.end();
        }
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        self.end_all();
    }
}

/// What Java programs of one version are started with.
struct Java {
    program: String,
    flags: Vec<String>,
    class_path: String,
    /// Whether they log by log4j 1.
    log4j: bool,
}

impl Java {
    /// Composes the command that runs `class` in the folder `home`; `flags` override ours.
    fn words(
        &self,
        home: &Path,
        class: &str,
        flags: &[String],
    ) -> Result<Vec<String>, LaunchError> {
        let mut words = vec![self.program.clone()];
        words.extend_from_slice(&self.flags);
        if self.log4j {
            let config = home.join("log4j.properties");
            fs::write(&config, java::LOG4J_CONFIG)
                .map_err(LaunchError::io(format!("writing {}", config.display())))?;
            words.push(java::log4j_flag(&config));
        }
        words.extend_from_slice(flags);
        words.extend(["-cp", &self.class_path, class].map(str::to_owned));
        Ok(words)
    }
}

/// Where the metadata of a new cluster will be, and what it begins with.
enum Metadata {
    /// In each node's log folder.
    Own {
        cluster: String,
        checkpoint: PathBuf,
    },
    /// At the ZooKeeper on this port.
    ZooKeeper { port: u16 },
}

/// One broker: what it is started with, whether or not it runs.
struct Node {
    id: usize,
    ports: PortBlock,
    home: PathBuf,
    words: Vec<String>,
    /// `None` while the node is killed.
    process: Mutex<Option<Process>>,
}

impl Node {
    fn write_files(
        &self,
        options: &Options,
        ports: &[(u16, u16)],
        metadata: &Metadata,
    ) -> Result<(), LaunchError> {
        let data = self.home.join("data");
        let zookeeper = match metadata {
            Metadata::Own { .. } => None,
            Metadata::ZooKeeper { port } => Some(*port),
        };
        let mut properties = Properties::for_node(self.id, ports, zookeeper, &data);
        if let Some(advertised) = options.proxy.get(self.id) {
            properties.put_behind_proxy(self.ports.behind_proxy(), *advertised);
        }
        if options.secured {
            let (version, first) = (options.version, self.ports.client());
            security::secure(&mut properties, version, first, &self.home).map_err(
                LaunchError::io(format!("writing below {}", self.home.display())),
            )?;
        }
        for (key, value) in &options.properties {
            properties.set(key, value);
        }
        let write = || {
            fs::create_dir(&data)?;
            fs::write(self.home.join(CONFIG), properties.to_text())?;
            if let Metadata::Own {
                cluster,
                checkpoint,
            } = metadata
            {
                let meta = properties::meta(self.id, cluster);
                fs::write(data.join("meta.properties"), meta)?;
                fs::copy(checkpoint, data.join(jars::CHECKPOINT))?;
            }
            Ok(())
        };
        write().map_err(LaunchError::io(format!(
            "writing below {}",
            self.home.display()
        )))
    }

    fn spawn(&self) -> Result<Process, LaunchError> {
        Process::spawn(&self.words, &self.log_path(), Some(&self.home), &self.home)
            .map_err(LaunchError::io("starting the supervisor of a broker by sh"))
    }

    /// Says why the node's process is gone.
    fn died(&self) -> LaunchError {
        let node = self.id;
        let code = self.lock().take().and_then(Process::kill);
        let log = read_log(&self.log_path());
        let taken = log.contains("Address already in use");
        let log = telling_part(&log);
        if taken {
            LaunchError::PortTaken { node, log }
        } else {
            LaunchError::Died { node, code, log }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn address(&self) -> SocketAddr {
        (HOST, self.ports.client()).into()
    }

    fn log_path(&self) -> PathBuf {
        self.home.join("log")
    }
}

const CONFIG: &str = "server.properties";
const ATTEMPTS: u32 = 3;
const POLL: Duration = Duration::from_millis(20);
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(30);

/// Makes an id in Kafka's form: 22 characters of the URL-safe base 64 for 16 bytes.
fn new_cluster_id() -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    // The standard library's seed of hash maps is the one source of chance that needs no other crate.
    let chance = |i: usize| u128::from(RandomState::new().hash_one(i));
    let mut bits = (chance(0) << 64) | chance(1);
    // The last character stands for two bits only, and the first must not be a dash.
    let mut id = vec![ALPHABET[(bits & 3) as usize * 16]];
    bits >>= 2;
    for _ in 0..21 {
        id.push(ALPHABET[(bits & 63) as usize]);
        bits >>= 6;
    }
    id.reverse();
    if id[0] == b'-' {
        id[0] = b'A';
    }
    id.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cluster_ids_have_kafkas_form() {
        let ids: Vec<_> = (0..100).map(|_| new_cluster_id()).collect();
        for id in &ids {
            assert!(id.len() == 22 && !id.starts_with('-'), "{id}");
            assert!(id.ends_with(['A', 'Q', 'g', 'w']), "{id}");
        }
        assert_ne!(ids[0], ids[1]);
    }

    #[test]
    fn impossible_options_are_refused_at_once() {
        let start = |options| {
            Kafka::start(options)
                .err()
                .map(|e| e.to_string())
                .unwrap_or_default()
        };
        assert_eq!(start(Options::new().nodes(0)), "a cluster needs a node");
        let old = "0.9.0.1".parse().unwrap();
        assert!(start(Options::new().version(old)).contains("can't start kafka 0.9.0.1"));
    }
}
