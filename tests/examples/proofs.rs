//! Writes the table of proofs into `docs/from-kafka-go.md`: which tests prove which promise, and where the run passed them.
//!
//! ```text
//! cargo test --workspace 2>&1 | tee LOG
//! cargo run -p kafka-testing --example proofs -- LOG ...
//! ```
//!
//! Several logs are taken together. A test that the sources cite and that none of them passed is an error.

#[path = "../tests/proofs/table.rs"]
#[allow(dead_code, reason = "the test uses the rest")]
mod table;

use std::{env, error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = tests.parent().ok_or("there is no workspace")?;
    let mut passed = table::Passed::new();
    for log in env::args().skip(1) {
        table::passed(&fs::read_to_string(log)?, &mut passed);
    }
    if passed.is_empty() {
        return Err("name the output of at least one run of cargo test".into());
    }
    let table = table::table(&table::cited(root)?, &passed)?;
    let guide = root.join("docs/from-kafka-go.md");
    let document = fs::read_to_string(&guide)?;
    let document = table::with_table(&document, &table).ok_or("the guide has no place for it")?;
    fs::write(guide, document)?;
    Ok(())
}
