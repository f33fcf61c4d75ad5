//! What the programs talk to: real Kafka, or the in-process broker in a process of its own, which takes disk and Java out
//! of the way.

use std::{
    io::{BufRead, BufReader, Write, stdin},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitCode, Stdio},
    time::Duration,
};

use kafka_testing::{
    broker::{Cluster, Config},
    kafka::{Kafka, Options},
    server::Server,
};

use crate::Fault;

pub enum Broker {
    Kafka(Kafka),
    Null(Null),
}

impl Broker {
    /// Kafka 4.3.1 as one node, as fast as it can be.
    pub fn kafka() -> Result<Self, Fault> {
        let options = Options::new()
            .heap_mib(1024)
            .jvm_flag("-XX:TieredStopAtLevel=4")
            .property("auto.create.topics.enable", "false")
            .property("log.segment.bytes", "1073741824")
            // runs are many, and each leaves a topic
            .property("file.delete.delay.ms", "1000")
            .property("log.segment.delete.delay.ms", "1000")
            .ready_within(Duration::from_secs(120));
        Kafka::start(options)
            .map(Self::Kafka)
            .map_err(|e| e.to_string())
    }

    /// One that drops what is written (`sink`), or one that keeps it.
    pub fn null(sink: bool) -> Result<Self, Fault> {
        Null::start(sink).map(Self::Null)
    }

    pub fn bootstrap(&self) -> String {
        match self {
            Self::Kafka(kafka) => kafka.bootstrap(),
            Self::Null(null) => null.bootstrap.clone(),
        }
    }

    /// The id of its only node.
    pub fn node(&self) -> i32 {
        match self {
            Self::Kafka(_) => 0,
            Self::Null(_) => 1,
        }
    }

    /// What it is, in words.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Kafka(_) => "kafka",
            Self::Null(_) => "null",
        }
    }

    /// Bytes and batches in the log of a topic, where there is one on disk.
    pub fn log_size(&self, topic: &str) -> Option<(u64, u64)> {
        match self {
            Self::Kafka(kafka) => log_size(kafka.folder(), topic),
            Self::Null(_) => None,
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
    fn start(sink: bool) -> Result<Self, Fault> {
        let program = std::env::current_exe().map_err(|e| e.to_string())?;
        let mut process = Command::new(program)
            .args(["serve", if sink { "sink" } else { "log" }])
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
pub fn serve(sink: bool) -> ExitCode {
    let config = Config::new().brokers(1).check_records(false).discard(sink);
    let server = match Server::start(Cluster::new(config)) {
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
