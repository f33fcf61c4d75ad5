//! Checks a folder of golden vectors: bytes that the Java client wrote or read, and what they mean.
//!
//! ```text
//! cargo run -p kafka-proto --example vectors -- kafka-proto/tests/vectors
//! ```
//!
//! Looks into all `.jsonl` files below the folder. Prints for each kind how many vectors were checked and how many failed,
//! and what was wrong; the exit code is 1 if any failed or there was none, 2 if the folder cannot be read.

#[path = "vectors/mod.rs"]
mod vectors;

use std::{env, path::Path, process::ExitCode};

fn main() -> ExitCode {
    let Some(folder) = env::args_os().nth(1) else {
        eprintln!("usage: vectors FOLDER");
        return ExitCode::from(2);
    };
    let report = match vectors::check(Path::new(&folder)) {
        Ok(report) => report,
        Err(e) => {
            eprintln!("reading {}: {e}", Path::new(&folder).display());
            return ExitCode::from(2);
        }
    };
    for (kind, tally) in &report {
        println!(
            "{kind}: checked {}, failed {}",
            tally.checked,
            tally.failures.len()
        );
        for failure in tally.failures.iter().take(20) {
            println!("    {failure}");
        }
        if tally.failures.len() > 20 {
            println!("    and {} more", tally.failures.len() - 20);
        }
    }
    if report.is_empty() {
        eprintln!(
            "there are no vectors below {}",
            Path::new(&folder).display()
        );
    }
    let failed = report.values().any(|tally| !tally.failures.is_empty());
    match failed || report.is_empty() {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}
