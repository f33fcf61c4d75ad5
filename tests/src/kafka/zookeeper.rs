//! The ZooKeeper beside the nodes of an old version, run from that version's own jars.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, io};

use super::error::LaunchError;
use super::folder::{read_log, telling_part};
use super::process::Process;
use super::properties::{self, HOST};
use super::{ANSWER_LIMIT, Java, POLL};

/// A running ZooKeeper. Dropping it kills the process and removes its folder.
pub(super) struct ZooKeeper {
    port: u16,
    log: PathBuf,
    /// `None` once it was told to end.
    process: Mutex<Option<Process>>,
}

impl ZooKeeper {
    /// Starts it in the folder `home` and waits until it answers.
    pub(super) fn start(java: &Java, port: u16, home: PathBuf) -> Result<Self, LaunchError> {
        let config = home.join("zookeeper.properties");
        fs::write(&config, properties::for_zookeeper(port, &home.join("data")))
            .map_err(LaunchError::io(format!("writing {}", config.display())))?;
        let mut words = java.words(&home, MAIN, &[])?;
        words.push(config.to_string_lossy().into_owned());
        let log = home.join("log");
        let process = Process::spawn(&words, &log, Some(&home), &home).map_err(LaunchError::io(
            "starting the supervisor of zookeeper by sh",
        ))?;
        let death = process.death();
        let this = Self {
            port,
            log,
            process: Mutex::new(Some(process)),
        };
        let begin = Instant::now();
        loop {
            let Err(reason) = this.dump() else {
                return Ok(this);
            };
            if death.wait(POLL) {
                return Err(this.died());
            }
            if begin.elapsed() > READY_LIMIT {
                return Err(this.failed(format!("was not ready in time ({reason})")));
            }
        }
    }

    /// Waits until no session holds the registration of `node` any more.
    ///
    /// A broker before 2.2 that starts while its former self is still registered ends with an error.
    pub(super) fn wait_forgotten(&self, node: usize) -> Result<(), LaunchError> {
        let death = match &*self.lock() {
            Some(process) => process.death(),
            None => return Err(self.failed("was stopped".to_owned())),
        };
        let begin = Instant::now();
        let registration = format!("/brokers/ids/{node}");
        loop {
            let reason = match self.dump() {
                Ok(dump) if !dump.lines().any(|line| line.trim() == registration) => return Ok(()),
                Ok(_) => "its session is still there".to_owned(),
                Err(e) => e.to_string(),
            };
            if death.wait(POLL) {
                return Err(self.died());
            }
            if begin.elapsed() > READY_LIMIT {
                return Err(self.failed(format!("does not forget node {node} ({reason})")));
            }
        }
    }

    /// Kills it and removes its folder.
    pub(super) fn end(&self) {
        let process = self.lock().take();
        drop(process);
    }

    /// Asks for all sessions with what they hold, by a word of four letters.
    fn dump(&self) -> io::Result<String> {
        let address = SocketAddr::from((HOST, self.port));
        let mut stream = TcpStream::connect_timeout(&address, ANSWER_LIMIT)?;
        stream.set_read_timeout(Some(ANSWER_LIMIT))?;
        stream.write_all(b"dump")?;
        let mut answer = String::new();
        stream.take(MAX_ANSWER).read_to_string(&mut answer)?;
        if answer.contains("SessionTracker dump") {
            Ok(answer)
        } else {
            Err(io::Error::other(format!("it answered {answer:?}")))
        }
    }

    fn died(&self) -> LaunchError {
        let log = read_log(&self.log);
        if log.contains("Address already in use") {
            let log = telling_part(&log);
            return LaunchError::PortTaken { node: 0, log };
        }
        self.failed("ended by itself".to_owned())
    }

    fn failed(&self, reason: String) -> LaunchError {
        let log = telling_part(&read_log(&self.log));
        LaunchError::ZooKeeper { reason, log }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const MAIN: &str = "org.apache.zookeeper.server.quorum.QuorumPeerMain";
const READY_LIMIT: Duration = Duration::from_secs(60);
const MAX_ANSWER: u64 = 1 << 20;
