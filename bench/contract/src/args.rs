//! The command line of a benchmark program.

use std::{env, path::PathBuf, process, thread, time::Duration};

/// What to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// Sends as fast as the client takes it.
    Produce,
    /// Reads from the beginning.
    Consume,
    /// Sends one message at a time and waits for each.
    Latency,
    /// Sends at a rate and reads what was sent.
    EndToEnd,
    /// Joins a group and reads.
    Group,
}

/// How the client is called, where it has both ways.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Api {
    /// A call for each message.
    Message,
    /// A call for many.
    Batch,
}

/// Compression of what is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Codec {
    None,
    Lz4,
    Zstd,
}

/// Everything that a program is told.
#[derive(Clone, Debug)]
pub struct Args {
    pub workload: String,
    pub mode: Mode,
    pub bootstrap: String,
    /// The authority of the broker's certificate, in PEM form: the connection is to be by TLS then, and verified.
    pub ca: Option<PathBuf>,
    pub topic: String,
    pub messages: usize,
    /// Bytes of a value.
    pub size: usize,
    pub codec: Codec,
    pub partitions: i32,
    pub linger: Duration,
    pub batch_bytes: usize,
    /// Messages per second, end to end.
    pub rate: u64,
    pub idempotent: bool,
    pub api: Api,
    /// Which of the clients in the program, where there are several.
    pub runtime: String,
}

impl Args {
    /// Reads the command line, and has the process end with an error when its time is up: a client that hangs must not
    /// hang the run.
    pub fn parse() -> Self {
        let mut args = Self {
            workload: String::new(),
            mode: Mode::Produce,
            bootstrap: String::new(),
            ca: None,
            topic: String::new(),
            messages: 0,
            size: 100,
            codec: Codec::None,
            partitions: 6,
            linger: Duration::from_millis(5),
            batch_bytes: 1_000_000,
            rate: 500,
            idempotent: true,
            api: Api::Message,
            runtime: String::new(),
        };
        let mut limit = 120;
        let mut words = env::args().skip(1);
        while let Some(name) = words.next() {
            let Some(value) = words.next() else {
                usage(&format!("{name} needs a value"));
            };
            match name.as_str() {
                "--workload" => args.workload = value,
                "--bootstrap" => args.bootstrap = value,
                "--ca" => args.ca = Some(value.into()),
                "--topic" => args.topic = value,
                "--runtime" => args.runtime = value,
                "--messages" => args.messages = number(&value) as usize,
                "--size" => args.size = number(&value) as usize,
                "--partitions" => args.partitions = number(&value) as i32,
                "--linger-ms" => args.linger = Duration::from_millis(number(&value)),
                "--batch-bytes" => args.batch_bytes = number(&value) as usize,
                "--rate" => args.rate = number(&value),
                "--timeout-s" => limit = number(&value),
                "--idempotent" => args.idempotent = value == "true",
                "--mode" => {
                    args.mode = match value.as_str() {
                        "produce" => Mode::Produce,
                        "consume" => Mode::Consume,
                        "latency" => Mode::Latency,
                        "e2e" => Mode::EndToEnd,
                        "group" => Mode::Group,
                        _ => usage(&format!("no mode {value}")),
                    }
                }
                "--codec" => {
                    args.codec = match value.as_str() {
                        "none" => Codec::None,
                        "lz4" => Codec::Lz4,
                        "zstd" => Codec::Zstd,
                        _ => usage(&format!("no codec {value}")),
                    }
                }
                "--api" => {
                    args.api = match value.as_str() {
                        "message" => Api::Message,
                        "batch" => Api::Batch,
                        _ => usage(&format!("no api {value}")),
                    }
                }
                _ => usage(&format!("no option {name}")),
            }
        }
        thread::spawn(move || {
            thread::sleep(Duration::from_secs(limit));
            eprintln!("not done after {limit} s");
            process::exit(3);
        });
        args
    }
}

fn number(text: &str) -> u64 {
    match text.parse() {
        Ok(n) => n,
        Err(_) => usage(&format!("{text} is no number")),
    }
}

fn usage(what: &str) -> ! {
    eprintln!("{what}; docs/performance.md has the command line");
    process::exit(2)
}
