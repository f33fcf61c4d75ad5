//! Writes a seed corpus for every target from the golden vectors: `corpus/TARGET/NUMBER`.
//!
//!     cargo run --manifest-path fuzz/Cargo.toml --example seed [-- FOLDER]
//!
//! The folder is one of vector files, by default `kafka-proto/tests/vectors`.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use kafka_proto::{
    api::{ApiKey, fuzz},
    machine::fuzz::NONCE,
    record::Compression,
};
use serde_json::Value;

fn main() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR"));
    let default = || fuzz.join("../kafka-proto/tests/vectors");
    let folder = std::env::args().nth(1).map_or_else(default, PathBuf::from);
    let mut seeds = Seeds {
        corpus: fuzz.join("corpus"),
        counts: BTreeMap::new(),
    };
    for file in files(&folder) {
        let name = file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let text = fs::read_to_string(&file).expect("text");
        for line in text.lines() {
            let vector: Value = serde_json::from_str(line).expect("one JSON object a line");
            seed(&name, &vector, &mut seeds);
        }
    }
    for (target, count) in &seeds.counts {
        println!("{target}: {count}");
    }
}

fn seed(file: &str, vector: &Value, seeds: &mut Seeds) {
    let text = |field: &str| vector[field].as_str().unwrap_or_default();
    match file {
        "scram.jsonl" => {
            let lines = [text("server_first"), text("server_final")];
            return seeds.put_exchange(text("client_nonce"), &lines);
        }
        "scram-refused.jsonl" => {
            return seeds.put_exchange(text("client_nonce"), &[text("text")]);
        }
        _ => {}
    }
    let Some(hex) = vector["hex"].as_str() else {
        return;
    };
    let bytes = bytes(hex);
    match file {
        "records.jsonl" | "records-broken.jsonl" => seeds.put("records", &bytes),
        "codecs.jsonl" => {
            let codec = vector["codec"]
                .as_str()
                .and_then(|c| c.parse::<Compression>().ok());
            let code = codec.expect("a codec of Kafka").code();
            // the first byte chooses the codec
            let data = [&[code as u8 - 1], &bytes[..]].concat();
            match code {
                2 => seeds.put("xerial", &bytes),
                3 => seeds.put("lz4", &bytes),
                _ => {}
            }
            seeds.put("codecs", &data);
        }
        "consumer-protocol.jsonl" => {
            seeds.put("groups", &bytes);
            // the first byte says into how many members the rest is split
            seeds.put("balance", &[&[0], &bytes[..]].concat());
            seeds.put("balance", &[&[1], &bytes[..], &bytes].concat());
        }
        "frames.jsonl" => seeds.put("frames", &[&[3], &bytes[..]].concat()),
        _ => {
            let api = vector["key"]
                .as_i64()
                .and_then(|key| i16::try_from(key).ok());
            let Some(api) = api.and_then(|key| ApiKey::try_from(key).ok()) else {
                return;
            };
            let version = vector["version"].as_i64().unwrap_or_default() as i16;
            let data = fuzz::data(api, version, &bytes);
            match vector["kind"].as_str() {
                Some("request") => seeds.put("requests", &data),
                Some("response") => seeds.put("responses", &data),
                _ => {}
            }
        }
    }
}

/// The lines of a broker to a client with `nonce`, as they are to one with the nonce `other`.
fn answers(nonce: &str, other: &str, lines: &[&str]) -> String {
    let lines = lines.join("\n");
    lines.replacen(&format!("r={nonce}"), &format!("r={other}"), 1)
}

/// Where seeds go.
struct Seeds {
    corpus: PathBuf,
    counts: BTreeMap<&'static str, usize>,
}

impl Seeds {
    fn put(&mut self, target: &'static str, data: &[u8]) {
        let count = self.counts.entry(target).or_default();
        let folder = self.corpus.join(target);
        fs::create_dir_all(&folder).expect("a folder for the corpus");
        fs::write(folder.join(format!("seed-{count}")), data).expect("written");
        *count += 1;
    }

    /// What a broker says in SCRAM, to the clients of both targets, which have nonces of their own.
    fn put_exchange(&mut self, nonce: &str, lines: &[&str]) {
        self.put("sasl", answers(nonce, "n", lines).as_bytes());
        // before it comes the answer to the choice of the mechanism
        let lines = answers(nonce, NONCE, lines);
        self.put("authentication", format!("\n{lines}").as_bytes());
    }
}

/// All vector files, also those of folders within.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of vectors") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|e| e == "jsonl") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |c: u8| char::from(c).to_digit(16).expect("a hex digit") as u8;
    let pairs = hex.as_bytes().chunks_exact(2);
    pairs
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}
