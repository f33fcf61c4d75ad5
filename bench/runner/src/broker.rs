//! What the programs talk to: real Kafka, or the in-process broker in a process of its own, which takes disk and Java out
//! of the way.

use std::{
    fs,
    io::{BufRead, BufReader, Write, stdin},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitCode, Stdio},
    sync::Arc,
    time::Duration,
};

use kafka_client_blocking::{Dialer, TlsConfig};
use kafka_testing::{
    broker::{Cluster, Config},
    certificates,
    kafka::{Kafka, Listener, Options},
    server::Server,
    tls::Tls,
};

use crate::{Fault, build::target_folder};

/// What is measured against.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Target {
    /// Real Kafka, or the in-process broker in a process of its own.
    pub is_kafka: bool,
    pub tls: bool,
}

impl Target {
    pub const KAFKA: Self = Self {
        is_kafka: true,
        tls: false,
    };
    pub const NULL: Self = Self {
        is_kafka: false,
        tls: false,
    };
    pub const ALL: [Self; 4] = [
        Self::KAFKA,
        Self {
            tls: true,
            ..Self::KAFKA
        },
        Self::NULL,
        Self {
            tls: true,
            ..Self::NULL
        },
    ];

    pub fn name(self) -> &'static str {
        match (self.is_kafka, self.tls) {
            (true, false) => "kafka",
            (true, true) => "kafka-tls",
            (false, false) => "null",
            (false, true) => "null-tls",
        }
    }
}

/// A way to a broker.
pub struct Broker {
    target: Target,
    process: Process,
}

enum Process {
    Kafka(Arc<Kafka>),
    Null(Null),
}

/// Kafka 4.3.1 as one node, as fast as it can be; with listeners for TLS, if they are wanted.
pub fn start_kafka(tls: bool) -> Result<Arc<Kafka>, Fault> {
    let options = match tls {
        true => Options::new().secured(),
        false => Options::new(),
    };
    let options = options
        .heap_mib(1024)
        .jvm_flag("-XX:TieredStopAtLevel=4")
        .property("auto.create.topics.enable", "false")
        .property("log.segment.bytes", "1073741824")
        // runs are many, and each leaves a topic
        .property("file.delete.delay.ms", "1000")
        .property("log.segment.delete.delay.ms", "1000")
        .ready_within(Duration::from_secs(120));
    Kafka::start(options)
        .map(Arc::new)
        .map_err(|e| e.to_string())
}

impl Broker {
    /// One of the ways to a Kafka that runs.
    pub fn kafka(kafka: &Arc<Kafka>, tls: bool) -> Self {
        Self {
            target: Target {
                tls,
                ..Target::KAFKA
            },
            process: Process::Kafka(kafka.clone()),
        }
    }

    /// One that drops what is written (`sink`), or one that keeps it.
    pub fn null(sink: bool, tls: bool) -> Result<Self, Fault> {
        Ok(Self {
            target: Target {
                tls,
                ..Target::NULL
            },
            process: Process::Null(Null::start(sink, tls)?),
        })
    }

    pub fn bootstrap(&self) -> String {
        match &self.process {
            Process::Kafka(kafka) if self.target.tls => kafka.secured(Listener::Ssl),
            Process::Kafka(kafka) => kafka.bootstrap(),
            Process::Null(null) => null.bootstrap.clone(),
        }
    }

    /// The authority that its certificate comes from, in a file, if it speaks TLS.
    pub fn ca(&self) -> Result<Option<PathBuf>, Fault> {
        if !self.target.tls {
            return Ok(None);
        }
        let file = target_folder().join("bench-ca.pem");
        fs::write(&file, certificates::CA).map_err(|e| format!("{}: {e}", file.display()))?;
        Ok(Some(file))
    }

    /// What gets the runner itself there.
    pub fn dialer(&self) -> Result<Dialer, Fault> {
        if !self.target.tls {
            return Ok(Dialer::new());
        }
        let tls = TlsConfig::new().roots_pem(certificates::CA);
        Ok(Dialer::new().tls(tls.map_err(|e| e.to_string())?))
    }

    /// The id of its only node.
    pub fn node(&self) -> i32 {
        match &self.process {
            Process::Kafka(_) => 0,
            Process::Null(_) => 1,
        }
    }

    pub fn target(&self) -> Target {
        self.target
    }

    /// What it is, in words.
    pub fn name(&self) -> &'static str {
        self.target.name()
    }

    /// Bytes and batches in the log of a topic, where there is one on disk.
    pub fn log_size(&self, topic: &str) -> Option<(u64, u64)> {
        match &self.process {
            Process::Kafka(kafka) => log_size(kafka.folder(), topic),
            Process::Null(_) => None,
        }
    }
}

/// This program again, as a broker.
pub struct Null {
    process: Child,
    // it ends when this is closed
    _alive: ChildStdin,
    bootstrap: String,
}

impl Null {
    fn start(sink: bool, tls: bool) -> Result<Self, Fault> {
        let program = std::env::current_exe().map_err(|e| e.to_string())?;
        let mut process = Command::new(program)
            .args(["serve", if sink { "sink" } else { "log" }])
            .args(tls.then_some("tls"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| e.to_string())?;
        let (Some(alive), Some(out)) = (process.stdin.take(), process.stdout.take()) else {
            return Err("no pipes".to_owned());
        };
        let mut bootstrap = String::new();
        BufReader::new(out)
            .read_line(&mut bootstrap)
            .map_err(|e| e.to_string())?;
        Ok(Self {
            process,
            _alive: alive,
            bootstrap: bootstrap.trim().to_owned(),
        })
    }
}

impl Drop for Null {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Is the broker until nobody holds the other end of stdin.
pub fn serve(words: &[String]) -> ExitCode {
    let has = |word: &str| words.iter().any(|w| w == word);
    let config = Config::new()
        .brokers(1)
        .check_records(false)
        .discard(has("sink"));
    let cluster = Cluster::new(config);
    let server = match has("tls") {
        true => Server::start_tls(cluster, Tls::new()),
        false => Server::start(cluster),
    };
    let server = match server {
        Ok(server) => server,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    println!("{}", server.bootstrap());
    let _ = std::io::stdout().flush();
    let mut line = String::new();
    while stdin().lock().read_line(&mut line).is_ok_and(|n| n > 0) {}
    drop(server);
    ExitCode::SUCCESS
}

/// Walks the batches in the log files of a topic; records are not read.
fn log_size(folder: &Path, topic: &str) -> Option<(u64, u64)> {
    let (mut bytes, mut batches) = (0, 0);
    for file in log_files(folder, topic) {
        let log = std::fs::read(file).ok()?;
        let mut rest = &log[..];
        while let Some(length) = rest.get(8..12) {
            let length = u32::from_be_bytes(length.try_into().ok()?) as usize;
            if length == 0 || rest.len() < 12 + length {
                break;
            }
            rest = &rest[12 + length..];
            bytes += 12 + length as u64;
            batches += 1;
        }
    }
    (batches > 0).then_some((bytes, batches))
}

fn log_files(folder: &Path, topic: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let of = folder.file_name().unwrap_or_default().to_string_lossy();
            let is_of_topic = of.rsplit_once('-').is_some_and(|(name, _)| name == topic);
            if is_of_topic && path.extension().is_some_and(|e| e == "log") {
                found.push(path);
            }
        }
    }
    found
}
