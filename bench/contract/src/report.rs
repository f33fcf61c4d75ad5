//! Clocks, and the one line that a program prints.

use std::{fs, time::Instant};

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike,
};
use serde_json::{Value, json};

use crate::Args;

/// Wall and CPU time of the process since a moment.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    from: Instant,
    user_us: i64,
    system_us: i64,
}

impl Span {
    /// From now on.
    pub fn start() -> Self {
        let usage = getrusage(UsageWho::RUSAGE_SELF).expect("every process may ask");
        Self {
            from: Instant::now(),
            user_us: usage.user_time().num_microseconds(),
            system_us: usage.system_time().num_microseconds(),
        }
    }
}

/// What is known at the end.
#[derive(Debug)]
pub struct Report {
    pub client: &'static str,
    pub version: &'static str,
    /// Messages that were written, or read.
    pub messages: u64,
    /// Writes that failed or whose outcome never came.
    pub errors: u64,
    /// `sent_total` of a producer, `sum` of a consumer, percentiles.
    pub extra: Value,
}

impl Report {
    /// Ends the span and prints the line.
    pub fn print(self, args: &Args, span: &Span) {
        let now = Span::start();
        let wall = now.from.duration_since(span.from).as_secs_f64();
        let user = (now.user_us - span.user_us) as f64 / 1e6;
        let system = (now.system_us - span.system_us) as f64 / 1e6;
        let messages = self.messages.max(1) as f64;
        let line = json!({
            "client": self.client,
            "version": self.version,
            "workload": args.workload,
            "messages": self.messages,
            "bytes": self.messages * args.size as u64,
            "wall_s": wall,
            "cpu_user_s": user,
            "cpu_sys_s": system,
            "max_rss_mb": peak_mib(),
            "msgs_per_s": self.messages as f64 / wall,
            "cpu_us_per_msg": (user + system) * 1e6 / messages,
            "errors": self.errors,
            "extra": self.extra,
        });
        println!("{line}");
    }
}

/// Says that the client cannot do this workload, and why.
pub fn skip(client: &str, args: &Args, why: &str) {
    println!(
        "{}",
        json!({ "client": client, "workload": args.workload, "skip": why })
    );
}

/// The most memory that the process has had, in MiB.
fn peak_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}

/// Microseconds that single messages took.
#[derive(Debug, Default)]
pub struct Latencies(Vec<u64>);

impl Latencies {
    /// Takes note of one.
    pub fn push(&mut self, us: u64) {
        self.0.push(us);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// Percentiles, as a report's `extra`.
    pub fn percentiles(mut self) -> Value {
        self.0.sort_unstable();
        let at = |part: f64| {
            let place = (self.0.len().saturating_sub(1)) as f64 * part;
            self.0.get(place.round() as usize)
        };
        json!({ "p50_us": at(0.5), "p90_us": at(0.9), "p99_us": at(0.99), "max_us": at(1.0) })
    }
}
