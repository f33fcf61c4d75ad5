//! Reading.

use bench_contract::{Args, Report, Span, touch};
use bytes::Bytes;
use kafka_proto::{
    api::{
        ApiKey,
        fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic},
    },
    record::{BatchHeader, verify_crc},
};
use serde_json::json;

use crate::wire::Connection;

/// The last one with topics by name.
const VERSION: i16 = 12;

pub fn all(args: &Args) {
    let span = Span::start();
    let mut connection = Connection::open(&args.bootstrap);
    let mut positions = vec![0; args.partitions as usize];
    let (mut count, mut sum) = (0, 0);
    while count < args.messages {
        connection.send(ApiKey::Fetch, VERSION, &request(args, &positions));
        let response: FetchResponse = connection.receive(ApiKey::Fetch, VERSION);
        assert_eq!(response.error_code, 0);
        for partition in response.responses.iter().flat_map(|t| &t.partitions) {
            assert_eq!(partition.error_code, 0);
            let position = &mut positions[partition.partition_index as usize];
            let records = partition.records.clone().unwrap_or_default();
            count += read(records, position, &mut sum);
        }
    }
    let report = Report {
        client: "floor",
        version: "-",
        messages: count as u64,
        errors: 0,
        extra: json!({ "sum": sum }),
    };
    report.print(args, &span);
}

fn request(args: &Args, positions: &[i64]) -> FetchRequest {
    let partition = |(index, position): (usize, &i64)| {
        FetchPartition::build(|p| {
            p.partition = index as i32;
            p.fetch_offset = *position;
            p.partition_max_bytes = 1 << 20;
        })
    };
    FetchRequest::build(|r| {
        r.max_wait_ms = 500;
        r.min_bytes = 1;
        r.max_bytes = 16 << 20;
        r.topics = vec![FetchTopic::build(|t| {
            t.topic = args.topic.clone();
            t.partitions = positions.iter().enumerate().map(partition).collect();
        })];
    })
}

/// Reads the whole batches, from `position` on.
fn read(mut bytes: Bytes, position: &mut i64, sum: &mut u64) -> usize {
    let mut count = 0;
    while let Some(header) = BatchHeader::parse(&bytes) {
        if bytes.len() < header.total_size() {
            break;
        }
        let batch = bytes.split_to(header.total_size());
        assert!(verify_crc(&batch), "a damaged batch");
        let mut rest = &batch[BatchHeader::SIZE..];
        for place in 0..i64::from(header.record_count) {
            let length = take(&mut rest) as usize;
            let (mut record, after) = rest.split_at(length);
            rest = after;
            record = &record[1..];
            take(&mut record);
            take(&mut record);
            let key = take(&mut record).max(0) as usize;
            record = &record[key..];
            let value = take(&mut record).max(0) as usize;
            if header.base_offset + place >= *position {
                touch(sum, &record[..value]);
                count += 1;
            }
        }
        *position = (*position).max(header.next_offset());
    }
    count
}

fn take(bytes: &mut &[u8]) -> i64 {
    let (mut n, mut shift) = (0u64, 0);
    while let Some((byte, rest)) = bytes.split_first() {
        *bytes = rest;
        n |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            break;
        }
        shift += 7;
    }
    (n >> 1) as i64 ^ -((n & 1) as i64)
}
