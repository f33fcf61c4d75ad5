//! The fuzz body of record batches: compiled by every test build, run over a corpus by `cargo test`.

use bytes::Bytes;

use super::{BatchBuilder, Batches, Record, next_offset};

/// Reads `data` as a `records` field. Nothing may panic; what reads must be written and read back equal.
pub fn records(data: &[u8]) {
    // checksums would hide everything behind them from the fuzzer
    let batches = Batches::new(Bytes::copy_from_slice(data)).without_crc();
    let mut next = None;
    let mut failed = false;
    for batch in batches {
        let Ok(batch) = batch else {
            failed = true;
            break;
        };
        next = Some(batch.header().next_offset());
        let mut builder = BatchBuilder::new(Vec::new());
        let mut read = Vec::new();
        for record in batch.iter().map_while(Result::ok) {
            let headers: Vec<_> = record.headers.collect();
            assert_eq!(headers.len(), record.headers.len());
            let mut copy = Record {
                key: record.key,
                value: record.value,
                ..Record::default()
            };
            copy.headers = record.headers;
            builder.push(&copy, record.timestamp);
            read.push((record.timestamp, record.key, record.value, headers));
        }
        let (header, body) = builder.finish();
        let again: Bytes = [&header.write(&body)[..], &body].concat().into();
        let again: Vec<_> = Batches::new(again)
            .map(|b| b.expect("what was written reads"))
            .collect();
        let again: Vec<_> = again[0]
            .iter()
            .map(|r| r.expect("what was written reads"))
            .map(|r| (r.timestamp, r.key, r.value, r.headers.collect::<Vec<_>>()))
            .collect();
        assert_eq!(read, again);
    }
    match next_offset(data) {
        Ok(found) => assert!(failed || found == next, "{found:?} {next:?}"),
        Err(_) => assert!(failed),
    }
}
