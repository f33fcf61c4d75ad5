//! Which tests prove which promise: read from the sources, joined with what a run has passed, written as a table.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

/// Where the table stands in its document.
pub(crate) const BEGIN: &str = "<!-- proofs: begin -->\n";
pub(crate) const END: &str = "<!-- proofs: end -->\n";

/// The promises of the low level: kind, and how many there are.
const KINDS: [(&str, u8); 8] = [
    ("CT", 10),
    ("FN", 11),
    ("TY", 13),
    ("CN", 25),
    ("BA", 7),
    ("DI", 17),
    ("MS", 7),
    ("RM", 9),
];

/// The README of the seed makes promises of groups, too.
const FIRST_OF_README: u8 = 6;

/// What has no test that cites it, and why.
pub(crate) const LATER: [(&str, &str); 1] = [(
    "RM-09",
    "by the build: no C, and the allocations of `tests/tests/allocations.rs`",
)];

/// Every promise of the low level.
pub(crate) fn promises() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (kind, count) in KINDS {
        let first = if kind == "RM" { FIRST_OF_README } else { 1 };
        all.extend((first..=count).map(|n| format!("{kind}-{n:02}")));
    }
    all.extend((1..=5).map(|n| format!("ER-M{n}")));
    all
}

/// A test, by its name and its file.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Test {
    pub(crate) name: String,
    pub(crate) file: String,
}

/// The tests that cite each promise.
pub(crate) type Citations = BTreeMap<String, BTreeSet<Test>>;

/// Reads the citations in all sources of the workspace at `root`.
pub(crate) fn cited(root: &Path) -> io::Result<Citations> {
    let mut files = Vec::new();
    for package in fs::read_dir(root)? {
        let package = package?.path();
        if package.join("Cargo.toml").is_file() {
            for folder in ["src", "tests"] {
                collect(&package.join(folder), &mut files)?;
            }
        }
    }
    files.sort();
    let promises = promises();
    let mut all = Citations::new();
    for path in files {
        let file = path.strip_prefix(root).unwrap_or(&path);
        let file = file.to_string_lossy().replace('\\', "/");
        read_file(&fs::read_to_string(&path)?, &file, &promises, &mut all);
    }
    Ok(all)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// Takes the comments that stand before tests: whatever in a folder of tests, and what says `#[test]` elsewhere.
fn read_file(text: &str, file: &str, promises: &BTreeSet<String>, all: &mut Citations) {
    let is_tests = file.contains("/tests/");
    let (mut pending, mut is_test) = (BTreeSet::new(), false);
    for line in text.lines().map(str::trim) {
        if line.starts_with("//!") {
            continue;
        }
        if let Some(comment) = line.strip_prefix("//") {
            pending.extend(promises_in(comment, promises));
        } else if line.starts_with("#[") {
            is_test |= line.contains("test");
        } else {
            if let Some(name) = test_name(line).filter(|_| is_tests || is_test) {
                for promise in &pending {
                    let (name, file) = (name.to_owned(), file.to_owned());
                    let tests = all.entry(promise.clone()).or_default();
                    tests.insert(Test { name, file });
                }
            }
            pending.clear();
            is_test = false;
        }
    }
}

fn promises_in<'a>(
    comment: &'a str,
    promises: &'a BTreeSet<String>,
) -> impl Iterator<Item = String> + 'a {
    let words = comment.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    words.filter_map(|word| promises.get(word).cloned())
}

/// The name of the function or scenario that begins on this line.
fn test_name(line: &str) -> Option<&str> {
    let line = line.strip_prefix("scenario! { ").unwrap_or(line);
    let line = line.strip_prefix("pub(crate) ").unwrap_or(line);
    let line = line.strip_prefix("async ").unwrap_or(line);
    let line = line.strip_prefix("fn ").unwrap_or(line);
    let name = line.split(['(', '<']).next()?;
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    (line.len() > name.len() && !name.is_empty() && name.chars().all(is_name)).then_some(name)
}

/// What a run has passed: by the name of the test, on which runtimes and at which places, as far as its name says it.
pub(crate) type Passed = BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)>;

/// Reads the output of `cargo test`.
pub(crate) fn passed(log: &str, into: &mut Passed) {
    for line in log.lines() {
        let Some(rest) = line.trim().strip_prefix("test ") else {
            continue;
        };
        let Some((name, outcome)) = rest.split_once(" ... ") else {
            continue;
        };
        if outcome.trim() != "ok" {
            continue;
        }
        let name = name.split(" - ").next().unwrap_or_default().trim();
        for part in name.split("::") {
            let (runtimes, places) = into.entry(part.to_owned()).or_default();
            for part in name.split("::") {
                if RUNTIMES.contains(&part) {
                    runtimes.insert(part.to_owned());
                } else if part.starts_with("kafka_") || part.starts_with("in_process") {
                    places.insert(part.to_owned());
                }
            }
        }
    }
}

const RUNTIMES: [&str; 7] = [
    "tokio",
    "tokio_one_worker",
    "tokio_current_thread",
    "async_std",
    "smol",
    "executor",
    "blocking",
];

/// The table; the tests that are cited and did not pass are an error.
pub(crate) fn table(citations: &Citations, passed: &Passed) -> Result<String, String> {
    let mut text = String::from("| promise | test | passed on |\n|---|---|---|\n");
    let mut failed = BTreeSet::new();
    for (promise, tests) in citations {
        for test in tests {
            let Some((runtimes, places)) = passed.get(&test.name) else {
                failed.insert(test.name.clone());
                continue;
            };
            let list = |set: &BTreeSet<String>| {
                let spoken: Vec<_> = set.iter().map(|name| spoken(name)).collect();
                spoken.join(", ")
            };
            let on = match (runtimes.is_empty(), places.is_empty()) {
                (true, true) => "every machine".to_owned(),
                (false, true) => list(runtimes),
                (true, false) => list(places),
                (false, false) => format!("{}; {}", list(runtimes), list(places)),
            };
            let Test { name, file } = test;
            let _ = writeln!(text, "| {promise} | `{name}` in `{file}` | {on} |");
        }
    }
    for (promise, why) in LATER {
        let _ = writeln!(text, "| {promise} | comes {why} | |");
    }
    match failed.is_empty() {
        true => Ok(text.replace("| comes by the build", "| kept by the build")),
        false => Err(format!("cited, and not passed in this run: {failed:?}")),
    }
}

/// A runtime or a place in words: `kafka_2_8_2` is 2.8.2.
fn spoken(name: &str) -> String {
    match (name.strip_prefix("kafka_"), name.strip_prefix("in_process")) {
        (Some(release), _) => release.replace('_', "."),
        (None, Some("")) => "in process".to_owned(),
        (None, Some(release)) => {
            format!("in process as {}", release[1..].replace('_', "."))
        }
        (None, None) => name.replace('_', "-"),
    }
}

/// Promise and test of each row of the table in `document`.
pub(crate) fn rows(document: &str) -> BTreeSet<(String, Test)> {
    let inside = document
        .split_once(BEGIN)
        .and_then(|(_, rest)| rest.split_once(END));
    let lines = inside.map_or("", |(inside, _)| inside).lines();
    lines
        .filter_map(|line| {
            let mut cells = line.trim_matches('|').split('|').map(str::trim);
            let promise = cells.next()?.to_owned();
            let (name, file) = cells.next()?.split_once(" in ")?;
            let (name, file) = (name.trim_matches('`'), file.trim_matches('`'));
            let test = Test {
                name: name.to_owned(),
                file: file.to_owned(),
            };
            Some((promise, test))
        })
        .collect()
}

/// The document with another table.
pub(crate) fn with_table(document: &str, table: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{table}{END}{after}"))
}
