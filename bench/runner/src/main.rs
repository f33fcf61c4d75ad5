//! Runs clients x workloads x rounds, interleaved; checks that nothing was lost; prints the table and draws it.
//!
//! ```text
//! cargo run --release --manifest-path bench/Cargo.toml -- run [--clients tokio,rdkafka] [--workloads P1,C1]
//!     [--rounds 3] [--target kafka,kafka-tls,null,null-tls] [--scale 1.0] [--label NAME]
//! ... -- table [--label NAME]               # again, from the results that are kept
//! ... -- chart [--label NAME] --svg FILE
//! ... -- build [--clients ...]              # without running
//! ... -- list
//! ```
//!
//! `docs/performance.md` tells how to read it.

mod admin;
mod broker;
mod build;
mod chart;
mod clients;
mod machine;
mod measure;
mod options;
mod results;
mod table;
mod workloads;

use std::process::ExitCode;

use options::Options;

/// What ends a command: a line for the terminal.
type Fault = String;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let command = words.next().unwrap_or_default();
    if command == "serve" {
        return broker::serve(&words.collect::<Vec<_>>());
    }
    let outcome = Options::parse(words).and_then(|options| match command.as_str() {
        "run" => measure::run(&options),
        "table" => table::print(&options),
        "chart" => chart::draw(&options),
        "build" => build::all(&options.clients, options.has_tls()),
        "list" => {
            clients::list();
            Ok(())
        }
        _ => Err("one of: run, table, chart, build, list; see docs/performance.md".to_owned()),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}
