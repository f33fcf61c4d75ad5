//! What a message costs in instructions and allocations, against what is recorded: figures that no busy machine changes.
//!
//! ```text
//! cargo bench -p kafka-testing --bench counts                # the table; fails where a figure grew by more than 3 %
//! cargo bench -p kafka-testing --bench counts -- record      # writes record.txt
//! cargo bench -p kafka-testing --bench counts -- show write  # the cases with `write` in their name, compared with nothing
//! ```
//!
//! Instructions are counted by callgrind (Debian: `apt-get install valgrind`), allocations by a counting allocator. Linux
//! only.

mod callgrind;
mod cases;
mod path;
mod record;
mod region;
mod world;

use std::{env, path::PathBuf, process::ExitCode};

use cases::{CASES, Case};
use record::{Change, Record, Row};
use region::Meter;

fn main() -> ExitCode {
    let mut words = env::args().skip(1).filter(|a| !a.starts_with('-'));
    let mode = words.next().unwrap_or_else(|| "check".to_owned());
    let name = words.next().unwrap_or_default();
    let outcome = match mode.as_str() {
        // under valgrind
        "run" => {
            CASES
                .iter()
                .filter(|case| case.name == name)
                .for_each(|case| drop(count(case)));
            Ok(true)
        }
        "check" => check(),
        "record" => write_record(),
        "show" => measure(&name).map(|(rows, _)| {
            print_table(&rows, &Record::default());
            true
        }),
        other => Err(format!("`{other}` is none of check, record, show")),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a case: its row without instructions, and how many units it had.
fn count(case: &Case) -> (Row, u64) {
    let mut meter = Meter::default();
    (case.run)(&mut meter);
    let (units, info) = meter.result();
    let row = Row {
        case: case.name.to_owned(),
        per: case.per.to_owned(),
        instructions: None,
        allocations: info.count_total as f64 / units as f64,
        bytes: info.bytes_total as f64 / units as f64,
    };
    (row, units)
}

/// The rows of the cases that have `part` in their names, and where the profile of each is.
fn measure(part: &str) -> Result<(Vec<Row>, Vec<PathBuf>), String> {
    let mut rows = Vec::new();
    let mut profiles = Vec::new();
    for case in CASES.iter().filter(|case| case.name.contains(part)) {
        let (row, units) = count(case);
        let (instructions, profile) = callgrind::instructions(case.name)?;
        rows.push(Row {
            instructions: Some(instructions as f64 / units as f64),
            ..row
        });
        profiles.push(profile);
    }
    Ok((rows, profiles))
}

fn write_record() -> Result<bool, String> {
    let old = Record::read()?;
    let (rows, _) = measure("")?;
    print_table(&rows, &old);
    let tools = callgrind::tools();
    Record { tools, rows }.write()?;
    println!("\nrecorded; say in the commit what grew and why");
    Ok(true)
}

/// Compares with the record; `false` where something grew, or a case is not recorded.
fn check() -> Result<bool, String> {
    let record = Record::read()?;
    let (mut rows, profiles) = measure("")?;
    print_table(&rows, &record);
    println!();
    let tools = callgrind::tools();
    if tools != record.tools {
        println!("INSTRUCTIONS ARE NOT CHECKED, allocations are: the record is of other tools");
        println!("  recorded with {}\n  counted with  {tools}", record.tools);
        rows.iter_mut().for_each(|row| row.instructions = None);
    }
    let changes = record.changes(&rows);
    let (grown, shrunk): (Vec<_>, Vec<_>) = changes.into_iter().partition(Change::is_growth);
    for change in &shrunk {
        println!("shrunk: {change}");
    }
    if !shrunk.is_empty() {
        println!("So that the gain is kept, record it:\n  {RECORD}\n");
    }
    for change in &grown {
        println!("GROWN: {change}");
    }
    if !grown.is_empty() {
        println!("Where, function by function:");
        for (_, profile) in rows
            .iter()
            .zip(&profiles)
            .filter(|(row, _)| grown.iter().any(|change| change.case == row.case))
        {
            println!("  callgrind_annotate {}", profile.display());
        }
        println!("If it is meant, record it and say why in the commit:\n  {RECORD}\n");
    }
    let unknown = record.unknown(&rows);
    for case in &unknown {
        println!("NOT THE SAME CASES: `{case}` is only here or only in the record:\n  {RECORD}");
    }
    Ok(grown.is_empty() && unknown.is_empty())
}

const RECORD: &str = "cargo bench -p kafka-testing --bench counts -- record";

fn print_table(rows: &[Row], record: &Record) {
    println!(
        "{:<32} {:<8} {:>13} {:>8} {:>12} {:>12}",
        "", "per", "instructions", "", "allocations", "bytes"
    );
    for row in rows {
        let now = row.instructions.unwrap_or_default();
        let was = record.row(&row.case).and_then(|row| row.instructions);
        let change = was.map_or(String::new(), |was| {
            format!("{:+.1} %", (now / was - 1.0) * 100.0)
        });
        println!(
            "{:<32} {:<8} {:>13.1} {:>8} {:>12.4} {:>12.1}",
            row.case, row.per, now, change, row.allocations, row.bytes
        );
    }
}
