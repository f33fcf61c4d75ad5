//! What the figures were measured on, and when.

use std::{fs, process::Command, thread};

/// Processor, cores, kernel, compiler: one line.
pub fn describe() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("unknown processor", |m| {
        m.trim_start_matches(['\t', ' ', ':'])
    });
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{cores} cores of {model}, Linux {}, {}",
        kernel.trim(),
        output("rustc", "--version")
    )
}

/// The time, in UTC.
pub fn time() -> String {
    output("date", "-u +%FT%TZ")
}

fn output(program: &str, args: &str) -> String {
    let output = Command::new(program).args(args.split(' ')).output();
    let text = output.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned());
    text.unwrap_or_default()
}
