//! What can go wrong with a real broker, and what to look at then.

use std::fmt;
use std::io;
use std::time::Duration;

use super::version::KafkaVersion;

/// Says why a real broker, or the Java client beside it, could not do what was asked.
#[derive(Debug)]
#[non_exhaustive]
pub enum LaunchError {
    /// A program is not on this machine, or is too old.
    Missing {
        /// The program's name.
        program: &'static str,
        /// What is wrong with it and what would help.
        reason: String,
    },
    /// The jars of a version could not be fetched.
    Fetch {
        /// The version asked for.
        version: KafkaVersion,
        /// The last lines that Maven wrote.
        output: String,
    },
    /// This launcher cannot start the version.
    Unsupported(KafkaVersion),
    /// The options contradict each other.
    Options(&'static str),
    /// The storage tool could not make the files that a new broker starts from.
    Format {
        /// The version asked for.
        version: KafkaVersion,
        /// The last lines that the tool wrote.
        output: String,
    },
    /// No block of free ports was found below the ephemeral range.
    NoPorts {
        /// How many blocks were tried.
        tried: usize,
    },
    /// Somebody took a port between our check and the broker's start, every time.
    PortTaken {
        /// The node that could not bind.
        node: usize,
        /// The last lines of the node's log.
        log: String,
    },
    /// A node's process ended by itself.
    Died {
        /// The node.
        node: usize,
        /// The exit code; `None` if a signal ended it.
        code: Option<i32>,
        /// The telling lines of the node's log.
        log: String,
    },
    /// The ZooKeeper beside the nodes ended by itself, or did not become ready in time.
    ZooKeeper {
        /// What happened.
        reason: String,
        /// The telling lines of its log.
        log: String,
    },
    /// A node did not become ready in time.
    NotReady {
        /// The node.
        node: usize,
        /// How long we waited.
        waited: Duration,
        /// What the node answered last.
        last: String,
        /// The telling lines of the node's log.
        log: String,
    },
    /// There is no such node, or it is not running.
    NotRunning {
        /// The node.
        node: usize,
    },
    /// The Java client failed, took too long, or wrote what we can't read.
    Peer {
        /// The command given to it.
        command: String,
        /// What happened.
        reason: String,
        /// The last lines that it wrote.
        output: String,
    },
    /// The operating system refused something.
    Io {
        /// What we were doing.
        doing: String,
        /// The system's answer.
        source: io::Error,
    },
}

impl LaunchError {
    /// Whether the machine lacks what real brokers need, so that a test cannot be run here at all.
    pub fn is_environment(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::Fetch { .. })
    }

    pub(super) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { program, reason } => write!(f, "{program}: {reason}"),
            Self::Fetch { version, output } => write!(
                f,
                "fetching the jars of kafka {version} failed; check that maven reaches its repository, \
                 maven wrote:\n{output}"
            ),
            Self::Unsupported(version) => write!(
                f,
                "this launcher can't start kafka {version}; take 0.10.2 to 1.1, or 2.4 and later"
            ),
            Self::Options(what) => f.write_str(what),
            Self::Format { version, output } => {
                write!(f, "the storage tool of kafka {version} failed:\n{output}")
            }
            Self::NoPorts { tried } => write!(
                f,
                "none of {tried} blocks of ports below the ephemeral range was free; \
                 check for brokers that were left running"
            ),
            Self::PortTaken { node, log } => {
                write!(f, "node {node} found its port taken, its log says:\n{log}")
            }
            Self::Died { node, code, log } => {
                write!(f, "node {node} ended by itself ")?;
                match code {
                    Some(code) => write!(f, "with exit code {code}")?,
                    None => f.write_str("by a signal")?,
                }
                write!(f, ", its log says:\n{log}")
            }
            Self::NotReady {
                node,
                waited,
                last,
                log,
            } => write!(
                f,
                "node {node} was not ready within {waited:?} ({last}); check the load of this machine, \
                 its log says:\n{log}"
            ),
            Self::ZooKeeper { reason, log } => {
                write!(f, "zookeeper {reason}, its log says:\n{log}")
            }
            Self::NotRunning { node } => write!(f, "node {node} is not running"),
            Self::Peer {
                command,
                reason,
                output,
            } => {
                write!(f, "java client, {command}: {reason}, it wrote:\n{output}")
            }
            Self::Io { doing, .. } => write!(f, "{doing} failed"),
        }
    }
}

impl std::error::Error for LaunchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
