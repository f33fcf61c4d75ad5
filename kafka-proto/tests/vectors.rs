//! The golden corpus: bytes that the Java client wrote or read, in `tests/vectors`.

#[path = "../examples/vectors/mod.rs"]
mod vectors;

use std::path::Path;

/// Every vector holds, and every one is there: a lost file is a failure, too.
#[test]
fn what_java_writes_and_reads_we_write_and_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let report = vectors::check(&folder).expect("the vectors are part of the repository");
    for (kind, tally) in &report {
        let failures = &tally.failures[..tally.failures.len().min(20)];
        assert!(
            failures.is_empty(),
            "{} of {kind} fail: {failures:#?}",
            tally.failures.len()
        );
    }
    let counts: Vec<_> = report.iter().map(|(kind, t)| (*kind, t.checked)).collect();
    assert_eq!(
        counts,
        [
            ("assignors", 603),
            ("codecs", 111),
            ("consumer-protocol", 78),
            ("downgrades", 433),
            ("frames", 597),
            ("headers", 597),
            ("messages", 4848),
            ("partitioners", 270),
            ("records", 228),
            ("records-broken", 286),
            ("sasl-first", 8),
            ("scram", 15),
            ("scram-refused", 15),
        ]
    );
    assert_eq!(counts.iter().map(|(_, n)| n).sum::<usize>(), 8089);
}
