//! The way from kafka-go: it names everything that the seed exports, and its table of proofs is that of the sources.

#[path = "proofs/table.rs"]
#[allow(dead_code, reason = "the example `proofs` uses the rest")]
mod table;

use std::{collections::BTreeSet, fs, path::Path};

const GUIDE: &str = "docs/from-kafka-go.md";
const CURE: &str =
    "cargo test --workspace 2>&1 | tee LOG; cargo run -p kafka-testing --example proofs -- LOG";

fn root() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("a workspace")
}

fn guide() -> String {
    fs::read_to_string(root().join(GUIDE)).expect("the guide")
}

#[test]
fn every_promise_has_a_proof_or_a_reason() {
    let cited = table::cited(root()).expect("the sources");
    let later: BTreeSet<_> = table::LATER
        .iter()
        .map(|(id, _)| (*id).to_owned())
        .collect();
    for promise in table::promises() {
        let has_proof = cited.contains_key(&promise);
        match later.contains(&promise) {
            true => assert!(!has_proof, "{promise} has a proof: it is no later any more"),
            false => assert!(has_proof, "no test cites {promise}"),
        }
    }
}

#[test]
fn the_table_of_proofs_is_that_of_the_sources() {
    let cited = table::cited(root()).expect("the sources");
    let pairs = cited
        .into_iter()
        .flat_map(|(promise, tests)| tests.into_iter().map(move |t| (promise.clone(), t)));
    let (sources, guide) = (pairs.collect::<BTreeSet<_>>(), table::rows(&guide()));
    let name = |(promise, test): &(String, table::Test)| format!("{promise} {}", test.name);
    let missing: Vec<_> = sources.difference(&guide).map(name).collect();
    let stale: Vec<_> = guide.difference(&sources).map(name).collect();
    assert!(
        missing.is_empty() && stale.is_empty(),
        "{GUIDE} lacks {missing:?} and has {stale:?}: {CURE}"
    );
}

#[test]
fn every_exported_name_of_kafka_go_is_in_the_guide() {
    let guide = guide();
    let names = include_str!("proofs/kafka-go-names.txt");
    assert_eq!(names.lines().count(), 338);
    for name in names.lines() {
        let row = format!("\n| `{name}` | ");
        let found = guide.find(&row).map(|at| &guide[at + row.len()..]);
        let ours = found.and_then(|rest| rest.split('|').next()).map(str::trim);
        assert!(
            ours.is_some_and(|ours| !ours.is_empty()),
            "{name} is not in {GUIDE}"
        );
    }
}

/// What is said to be in a crate of ours is in its sources, by name.
#[test]
fn what_the_guide_points_to_is_there() {
    let mut sources = String::new();
    for folder in ["kafka-proto/src", "kafka-client-tokio/src"] {
        append(&root().join(folder), &mut sources);
    }
    let guide = guide();
    let table = guide.split_once("## Every name").expect("the part").1;
    let table = table.split_once("## How we know").expect("the part").0;
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let ours = row.split('|').nth(2).unwrap_or_default();
        for word in ours.split('`').skip(1).step_by(2) {
            let Some((_, method)) = word.split_once("::") else {
                continue;
            };
            let method = method.rsplit("::").next().unwrap_or_default();
            let method = method.split('(').next().unwrap_or_default();
            let kinds = ["fn ", "struct ", "enum ", "trait ", "const ", "type "];
            let declared = kinds
                .iter()
                .any(|kind| sources.contains(&format!("{kind}{method}")));
            // a variant, or a row of the table of codes
            let listed = ["(", ",", " ", " {"]
                .iter()
                .any(|end| sources.contains(&format!(" {method}{end}")));
            let is_there = declared || listed;
            assert!(is_there, "{word} is in no source");
        }
    }
}

fn append(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            append(&path, text);
        } else {
            text.push_str(&fs::read_to_string(&path).expect("text"));
        }
    }
}
