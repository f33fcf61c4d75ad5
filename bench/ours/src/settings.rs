//! What all our clients are set to.

use std::time::Duration;

use bench_contract::Args;
use kafka_proto::config::{Config, ReaderConfig, TlsConfig, WriterConfig};

pub const VERSION: &str = "0.1.0";
/// Bytes that wait for their outcome, as the peers have it.
const BUFFER: usize = 64 << 20;
/// Receipts that wait to be looked at, as the peers have it.
pub const WAITING: usize = 500_000;
/// How many of them are looked at when there is no room.
pub const LOOK: usize = 1_000;
/// Messages in a call of the batch API.
pub const CALL: usize = 100;
/// Messages of the end-to-end workload that are not counted.
pub const WARM: usize = 200;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Runtime {
    Tokio,
    TokioCurrentThread,
    AsyncStd,
    Smol,
    Threads,
}

impl Runtime {
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "tokio" => Self::Tokio,
            "tokio-1" => Self::TokioCurrentThread,
            "async-std" => Self::AsyncStd,
            "smol" => Self::Smol,
            "blocking" => Self::Threads,
            _ => return None,
        })
    }

    pub fn client(self) -> &'static str {
        match self {
            Self::Tokio => "tokio",
            Self::TokioCurrentThread => "tokio-1",
            Self::AsyncStd => "async-std",
            Self::Smol => "smol",
            Self::Threads => "blocking",
        }
    }
}

/// Goes to the broker by TLS, where there is an authority to verify it by.
pub fn way(args: &Args, config: Config) -> Config {
    match &args.ca {
        None => config,
        Some(ca) => config.tls(TlsConfig::new().roots_file(ca).expect("an authority")),
    }
}

pub fn writer(args: &Args, linger: Duration) -> WriterConfig {
    WriterConfig::topic(&args.topic)
        .linger(linger)
        .batch_bytes(args.batch_bytes)
        .buffer_bytes(BUFFER)
        .idempotent(args.idempotent)
}

pub fn reader(args: &Args) -> ReaderConfig {
    ReaderConfig::partitions((0..args.partitions).map(|p| (args.topic.as_str(), p)))
}
