//! The checks of golden vectors, shared by the example `vectors` and the tests.
//!
//! What a line is can be seen from its fields, so files may have any names. Everything is checked against the public
//! interface of the crate.

mod assignors;
mod codecs;
mod consumer_protocol;
mod line;
mod messages;
mod partitioners;
mod records;
mod sasl;

use std::{collections::BTreeMap, fs, io, path::Path};

use codecs::Plains;
use line::{Outcome, Vector};

/// What was found, by kind of vector.
pub(crate) type Report = BTreeMap<&'static str, Tally>;

/// What was found in the vectors of one kind.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// How many vectors there are.
    pub(crate) checked: usize,
    /// What is wrong with each that failed.
    pub(crate) failures: Vec<String>,
}

/// Checks every line of every `.jsonl` file below `folder`.
pub(crate) fn check(folder: &Path) -> io::Result<Report> {
    let mut report = Report::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<_> = fs::read_dir(folder)?
            .map(|entry| Ok(entry?.path()))
            .collect::<io::Result<_>>()?;
        entries.sort();
        for path in entries {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "jsonl") {
                check_file(&path, &mut report)?;
            }
        }
    }
    Ok(report)
}

fn check_file(path: &Path, report: &mut Report) -> io::Result<()> {
    let text = fs::read_to_string(path)?;
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let mut plains = Plains::default();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let (kind, name, outcome) = match serde_json::from_str(line) {
            Ok(json) => {
                let vector = Vector(json);
                let (kind, outcome) = check_line(&vector, &mut plains);
                (kind, vector.to_string(), outcome)
            }
            Err(e) => ("unknown", String::new(), Err(e.to_string())),
        };
        let tally = report.entry(kind).or_default();
        tally.checked += 1;
        if let Err(e) = outcome {
            let place = format!("{file}:{}", number + 1);
            tally.failures.push(format!("{place}: {name}: {e}"));
        }
    }
    Ok(())
}

fn check_line(v: &Vector, plains: &mut Plains) -> (&'static str, Outcome) {
    match v.text("kind").unwrap_or_default() {
        "request-header" => return ("headers", messages::request_header(v)),
        "response-header" => return ("headers", messages::response_header(v)),
        "request-frame" => return ("frames", messages::request_frame(v)),
        "response-frame" => return ("frames", messages::response_frame(v)),
        "request" | "response" if v.has("from_hex") => {
            return ("downgrades", messages::downgrade(v));
        }
        "request" | "response" => return ("messages", messages::body(v)),
        "data" => return ("messages", messages::blob(v)),
        _ => {}
    }
    if v.has("shape") {
        ("records", records::read(v))
    } else if v.has("broken") {
        ("records-broken", records::broken(v))
    } else if v.has("plain_hex") || v.has("codec") {
        ("codecs", codecs::check(v, plains))
    } else if v.has("partitions") && v.has("murmur2") {
        ("partitioners", partitioners::check(v))
    } else if v.has("assignor") && v.has("members") {
        ("assignors", assignors::check(v))
    } else if v.has("what") {
        ("consumer-protocol", consumer_protocol::check(v))
    } else if v.has("client_first") {
        ("scram", sasl::scram(v))
    } else if v.has("expect") {
        ("scram-refused", sasl::scram_refused(v))
    } else if v.has("mechanism") {
        ("sasl-first", sasl::first(v))
    } else {
        (
            "unknown",
            Err("no kind of vector that is known here".to_owned()),
        )
    }
}
