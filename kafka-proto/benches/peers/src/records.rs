//! A batch of magic 2 with 10,000 records, not compressed.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use kafka_proto::record::{BatchBuilder, Batches, Header, Record};
use kafka_protocol::records::{
    Compression, Record as Twin, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions,
    TimestampType,
};

use crate::pair::Table;

const COUNT: usize = 10_000;
const TIME: i64 = 1_700_000_000_000;

pub fn rows(table: &mut Table) {
    shape(table, "100 byte values, no keys", None, &[]);
    let headers = [
        Header::new("trace", "4bf92f3577b34da6"),
        Header::new("from", "shop"),
    ];
    shape(
        table,
        "100 byte values, 16 byte keys, 2 headers",
        Some("customer-0000017"),
        &headers,
    );
}

fn shape(table: &mut Table, name: &str, key: Option<&str>, headers: &[Header<'_>]) {
    let value = [b'v'; 100];
    let mut record = Record::new(&value).headers(headers);
    if let Some(key) = &key {
        record = record.key(*key);
    }
    let mut buffer = Vec::new();
    let write = |buffer: &mut Vec<u8>| {
        let mut builder = BatchBuilder::new(std::mem::take(buffer));
        for n in 0..COUNT {
            builder.push(&record, TIME + n as i64);
        }
        let (header, body) = builder.finish();
        let head = header.write(&body);
        *buffer = body;
        head
    };
    let head = write(&mut buffer);
    let field = Bytes::from([&head[..], &buffer].concat());

    let own = |b: &[u8]| Bytes::copy_from_slice(b);
    let twin = |n: usize| Twin {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id: -1,
        producer_epoch: -1,
        timestamp_type: TimestampType::Creation,
        offset: n as i64,
        sequence: n as i32 - 1,
        timestamp: TIME + n as i64,
        key: key.map(|k| own(k.as_bytes())),
        value: Some(own(&value)),
        headers: (headers.iter())
            .map(|h| {
                let name = h.key_str().expect("text").to_owned();
                (name.into(), h.value().map(own))
            })
            .collect(),
    };
    let twins: Vec<Twin> = (0..COUNT).map(twin).collect();
    let options = RecordEncodeOptions {
        version: 2,
        compression: Compression::None,
    };
    let mut written = BytesMut::new();
    RecordBatchEncoder::encode(&mut written, &twins, &options).expect("written");
    assert!(written == field, "both write the same");

    table.row(
        &format!("write {COUNT} records, {name}"),
        || write(&mut buffer),
        || {
            written.clear();
            RecordBatchEncoder::encode(&mut written, &twins, &options).expect("written");
            written.len()
        },
    );
    // what nobody who copies piece by piece can be faster than
    let piece = buffer[..buffer.len() / COUNT].to_vec();
    let (bare, _) = BatchBuilder::new(Vec::new()).finish();
    let mut copied = Vec::new();
    table.row(
        &format!("copy and checksum alone of {COUNT} records, {name}"),
        || {
            copied.clear();
            for _ in 0..COUNT {
                copied.extend_from_slice(&piece);
            }
            bare.write(&copied)
        },
        || {
            written.clear();
            RecordBatchEncoder::encode(&mut written, &twins, &options).expect("written");
            written.len()
        },
    );
    let decode = || {
        RecordBatchDecoder::decode(&mut field.clone())
            .expect("reads")
            .records
    };
    assert_eq!(decode().len(), COUNT);
    table.row(
        &format!("read {COUNT} records, borrowed, {name}"),
        || {
            let mut sum = 0;
            for batch in Batches::new(field.clone()) {
                for record in &batch.expect("reads") {
                    let record = record.expect("reads");
                    sum += record.offset as usize + record.value.map_or(0, <[u8]>::len);
                }
            }
            sum
        },
        || {
            // it has no other way than owned ones
            let records = decode();
            let size = |r: &Twin| r.offset as usize + r.value.as_ref().map_or(0, Bytes::len);
            records.iter().map(size).sum::<usize>()
        },
    );
    let topic: Arc<str> = "orders".into();
    table.row(
        &format!("read {COUNT} records, as owned messages, {name}"),
        || {
            let mut all = Vec::with_capacity(COUNT);
            for batch in Batches::new(field.clone()) {
                all.extend(
                    batch
                        .expect("reads")
                        .messages(&topic, 0)
                        .map(|m| m.expect("reads")),
                );
            }
            all
        },
        decode,
    );
}
