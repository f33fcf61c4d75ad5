//! The golden vectors of records and codecs: bytes that the Java client wrote or read.
//!
//! They lie in `tests/vectors`. Every test says how many it has checked, so that a lost file is a failure.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::Value;

use super::*;

fn lines(name: &str) -> Vec<Value> {
    let path = format!("{}/tests/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect("the vectors are part of the repository");
    let line = |line: &str| serde_json::from_str(line).expect("one JSON object a line");
    text.lines().map(line).collect()
}

fn bytes(value: &Value) -> Vec<u8> {
    let text = value.as_str().expect("hex").as_bytes();
    let pair = |pair: &[u8]| {
        let text = std::str::from_utf8(pair).expect("hex");
        u8::from_str_radix(text, 16).expect("hex")
    };
    text.chunks(2).map(pair).collect()
}

fn blob(value: &Value) -> Option<Vec<u8>> {
    (!value.is_null()).then(|| bytes(value))
}

/// The codec that a vector names, if the crate was built with it.
fn is_built(codec: &str) -> bool {
    let compression: Compression = codec.parse().expect("a codec of Kafka");
    compression == Compression::None || Codecs::new().codec(compression.code()).is_ok()
}

type Plain = (
    i64,
    i64,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Vec<(Vec<u8>, Option<Vec<u8>>)>,
);

fn plain(record: RecordView<'_>) -> Plain {
    let own = |b: Option<&[u8]>| b.map(<[u8]>::to_vec);
    let headers = record.headers.map(|h| (h.key().to_vec(), own(h.value())));
    let headers = headers.collect();
    (
        record.offset,
        record.timestamp,
        own(record.key),
        own(record.value),
        headers,
    )
}

fn expected(record: &Value) -> Plain {
    let headers = record["headers"].as_array().map_or(&[][..], |h| h);
    let header = |h: &Value| {
        let name = h[0].as_str().expect("a name");
        (name.as_bytes().to_vec(), blob(&h[1]))
    };
    (
        record["offset"].as_i64().expect("an offset"),
        record["timestamp"].as_i64().expect("a timestamp"),
        blob(&record["key"]),
        blob(&record["value"]),
        headers.iter().map(header).collect(),
    )
}

fn read(records: &Bytes) -> Result<Vec<(RecordBatch, Vec<Plain>)>, RecordError> {
    let mut out = Vec::new();
    for batch in Batches::new(records.clone()) {
        let batch = batch?;
        let records = batch.iter().map(|r| r.map(plain));
        let records = records.collect::<Result<_, _>>()?;
        out.push((batch, records));
    }
    Ok(out)
}

/// Compares with what Java reads.
fn check(batches: &[(RecordBatch, Vec<Plain>)], vector: &Value, name: &str) {
    let expected_batches = vector["batches"].as_array().expect("batches");
    assert_eq!(batches.len(), expected_batches.len(), "{name}");
    for ((batch, records), java) in batches.iter().zip(expected_batches) {
        let header = batch.header();
        let codec = Compression::from_code(header.codec() as i8).expect("a codec");
        let kind = match (header.magic, header.is_append_time()) {
            (0, _) => "NoTimestampType",
            (_, false) => "CreateTime",
            (_, true) => "LogAppendTime",
        };
        let same = |field: &str, value: i64| {
            assert_eq!(java[field].as_i64(), Some(value), "{field} of {name}");
        };
        same("magic", header.magic.into());
        same("size", header.total_size() as i64);
        same("base_offset", header.base_offset);
        same("last_offset", header.last_offset());
        same("max_timestamp", header.max_timestamp);
        same("checksum", header.crc.into());
        assert_eq!(java["codec"], codec.to_string(), "{name}");
        assert_eq!(java["timestamp_type"], kind, "{name}");
        if header.magic == 2 {
            same("partition_leader_epoch", header.leader_epoch.into());
            same("base_timestamp", header.base_timestamp);
            same("producer_id", header.producer_id);
            same("producer_epoch", header.producer_epoch.into());
            same("base_sequence", header.base_sequence.into());
            same("count", header.record_count.into());
            same("last_sequence", header.last_sequence().into());
            let transactional = header.attributes & BatchHeader::TRANSACTIONAL != 0;
            assert_eq!(java["transactional"], transactional, "{name}");
            assert_eq!(java["control"], header.is_control(), "{name}");
            let horizon = java["delete_horizon_ms"].as_i64();
            assert_eq!(header.delete_horizon(), horizon, "{name}");
        }
        let java = java["records"].as_array().expect("records");
        let java: Vec<_> = java.iter().map(expected).collect();
        assert_eq!(*records, java, "{name}");
    }
}

fn name(vector: &Value) -> String {
    format!(
        "{} ({}{})",
        vector["shape"], vector["note"], vector["broken"]
    )
}

/// Whether some codec that the vector needs is not built in.
fn is_beyond_us(vector: &Value) -> bool {
    let batches = vector["batches"].as_array();
    let mut batches = batches.into_iter().flatten();
    !batches.all(|b| is_built(b["codec"].as_str().expect("a codec")))
}

#[test]
fn record_sets_read_as_in_java() {
    let (mut count, mut checked) = (0, 0);
    for vector in lines("records.jsonl") {
        count += 1;
        if is_beyond_us(&vector) {
            continue;
        }
        checked += 1;
        let name = name(&vector);
        let field = Bytes::from(bytes(&vector["hex"]));
        let batches = read(&field).unwrap_or_else(|e| panic!("{e} in {name}"));
        check(&batches, &vector, &name);
        let size: usize = batches.iter().map(|(b, _)| b.header().total_size()).sum();
        let trailing = vector["trailing"].as_u64().unwrap_or(0) as usize;
        assert_eq!(field.len() - size, trailing, "{name}");
        let next = batches.last().map(|(b, _)| b.header().next_offset());
        assert_eq!(next_offset(&field), Ok(next), "{name}");
    }
    assert_eq!(count, 228, "vectors");
    assert!(
        checked == count
            || cfg!(not(all(
                feature = "gzip",
                feature = "snappy",
                feature = "lz4",
                feature = "zstd"
            )))
    );
}

#[test]
fn broken_record_sets_are_refused_where_java_refuses_them() {
    let mut verdicts = BTreeMap::new();
    for vector in lines("records-broken.jsonl") {
        let name = name(&vector);
        let verdict = vector["verdict"].as_str().expect("a verdict");
        *verdicts.entry(verdict.to_owned()).or_insert(0) += 1;
        let field = Bytes::from(bytes(&vector["hex"]));
        let result = read(&field);
        match verdict {
            "refuse" => assert!(result.is_err(), "{name}"),
            "incomplete" => assert_eq!(result.map(|b| b.len()), Ok(0), "{name}"),
            "read" if is_beyond_us(&vector) => {}
            "read" => match result {
                Err(_) if vector["strict_may_refuse"] == true => {}
                result => check(
                    &result.unwrap_or_else(|e| panic!("{e} in {name}")),
                    &vector,
                    &name,
                ),
            },
            other => panic!("an unknown verdict: {other}"),
        }
    }
    let expected = [("incomplete", 52), ("read", 19), ("refuse", 215)];
    assert_eq!(verdicts, expected.map(|(k, n)| (k.to_owned(), n)).into());
}

#[test]
fn compressed_payloads_decode_as_in_java() {
    let mut plains = BTreeMap::new();
    let (mut count, mut refused, mut skipped) = (0, 0, 0);
    for vector in lines("codecs.jsonl") {
        if let Some(id) = vector["id"].as_u64() {
            plains.insert(id, bytes(&vector["plain_hex"]));
            continue;
        }
        count += 1;
        let name = format!("{} {}", vector["codec"], vector["variant"]);
        let codec = vector["codec"].as_str().expect("a codec");
        if !is_built(codec) {
            skipped += 1;
            continue;
        }
        let compression: Compression = codec.parse().expect("a codec");
        let data = bytes(&vector["hex"]);
        let magic = vector["magic"].as_i64().expect("a magic") as i8;
        let decompress = |limit| {
            let mut decompressor = Decompressor::new(Codecs::new(), limit);
            decompressor.decompress_in(magic, compression, &data)
        };
        let result = decompress(1 << 20);
        if vector["verdict"] == "refuse" {
            refused += 1;
            assert!(result.is_err(), "{name}");
            continue;
        }
        let plain = &plains[&vector["plain"].as_u64().expect("an id")];
        let result = result.unwrap_or_else(|e| panic!("{e} in {name}"));
        assert!(result == plain[..], "{name}");
        // the exact size is enough, and a byte less is not
        assert!(decompress(plain.len()).is_ok(), "{name}");
        if let Some(limit) = plain.len().checked_sub(1) {
            let error = Err(CodecError::TooLarge { limit });
            assert_eq!(decompress(limit), error, "{name}");
        }
        let codecs = Codecs::new();
        // and what is written from it reads back
        let again = codecs.compress(compression, plain).expect("compresses");
        let again = codecs.decompress(compression, &again, plain.len());
        assert!(again.expect("decompresses") == plain[..], "{name}");
    }
    assert_eq!((plains.len(), count), (8, 103));
    assert!(refused == 7 || skipped > 0);
}

/// What Java writes uncompressed in magic 0 and 1 is what is written here.
#[test]
fn message_sets_are_written_byte_for_byte() {
    let mut checked = 0;
    for vector in lines("records.jsonl") {
        let batches = vector["batches"].as_array().expect("batches");
        let legacy = |b: &Value| {
            b["magic"].as_i64() < Some(2)
                && b["codec"] == "none"
                && b["timestamp_type"] != "LogAppendTime"
                && b["magic"] == batches[0]["magic"]
        };
        if batches.is_empty() || !batches.iter().all(legacy) || !vector["trailing"].is_null() {
            continue;
        }
        checked += 1;
        let base = batches[0]["base_offset"].as_i64().expect("an offset");
        let mut builder = BatchBuilder::new(Vec::new());
        for batch in batches {
            let (offset, timestamp, key, value, _) = expected(&batch["records"][0]);
            let record = Record {
                key: key.as_deref(),
                value: value.as_deref(),
                ..Record::default()
            };
            builder.push_at(&record, timestamp, (offset - base) as i32);
        }
        let (mut header, body) = builder.finish();
        (header.base_offset, header.last_offset_delta) = (base, i32::MAX);
        let magic = batches[0]["magic"].as_i64().expect("a magic") as i8;
        let set = message_set(magic, &header, &body, Compression::None, &Codecs::new());
        assert_eq!(
            set.expect("written"),
            bytes(&vector["hex"]),
            "{}",
            name(&vector)
        );
    }
    assert!(checked >= 8, "{checked}");
}

/// The fuzz bodies hold on the vectors, as they are and with a byte changed.
#[test]
fn fuzz_bodies_hold_on_the_vectors() {
    let changed = |data: &[u8], at: usize| {
        let mut data = data.to_vec();
        if let Some(place) = (data.len() * at / 5).checked_sub(1) {
            data[place] ^= 1 << at;
        }
        data
    };
    for file in ["records.jsonl", "records-broken.jsonl"] {
        for vector in lines(file) {
            let data = bytes(&vector["hex"]);
            if data.len() < 2_000 {
                (0..5).for_each(|at| fuzz::records(&changed(&data, at)));
            }
        }
    }
    for vector in lines("codecs.jsonl") {
        let Some(codec) = vector["codec"].as_str() else {
            continue;
        };
        let codec: Compression = codec.parse().expect("a codec");
        let data = bytes(&vector["hex"]);
        if data.len() < 2_000 {
            let data = [&[codec.code() as u8 - 1][..], &data].concat();
            fuzz::codec(&data);
            (1..5).for_each(|at| fuzz::codec(&changed(&data, at)));
        }
    }
}
