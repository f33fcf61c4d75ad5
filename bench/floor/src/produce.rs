//! Writing.

use std::{
    collections::VecDeque,
    time::{Duration, Instant, SystemTime},
};

use bench_contract::{Args, Latencies, Pool, Report, Span};
use bytes::Bytes;
use kafka_proto::{
    api::{
        ApiKey,
        produce::{PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData},
    },
    record::BatchHeader,
};
use serde_json::json;

use crate::wire::Connection;

/// The last one with topics by name, which spares us asking for their ids.
const VERSION: i16 = 12;
const IN_FLIGHT: usize = 5;

pub fn many(args: &Args) {
    let pool = Pool::new(args.size);
    let mut producer = Producer::new(args);
    producer.warm_up(pool.value(0));
    let span = Span::start();
    let mut since = Instant::now();
    for number in 0..args.messages {
        producer.append(pool.value(number));
        let full = producer.records.len() + args.size + 32 > args.batch_bytes;
        if full || (number % 64 == 0 && since.elapsed() >= args.linger) {
            producer.send();
            since = Instant::now();
        }
    }
    producer.send();
    while !producer.in_flight.is_empty() {
        producer.receive();
    }
    let extra = json!({ "sent_total": args.messages + 1 });
    producer.report(extra).print(args, &span);
}

pub fn one_by_one(args: &Args) {
    let pool = Pool::new(args.size);
    let mut producer = Producer::new(args);
    producer.warm_up(pool.value(0));
    let mut latencies = Latencies::default();
    let span = Span::start();
    for number in 0..args.messages {
        let from = Instant::now();
        producer.partition = 0;
        producer.append(pool.value(number));
        producer.send();
        producer.receive();
        latencies.push(from.elapsed().as_micros() as u64);
    }
    producer.report(latencies.percentiles()).print(args, &span);
}

struct Producer {
    connection: Connection,
    topic: String,
    partition: i32,
    partitions: i32,
    /// Of the open batch.
    records: Vec<u8>,
    count: i32,
    first: i64,
    last: i64,
    /// Records of each request that has no answer.
    in_flight: VecDeque<i32>,
    written: u64,
    failed: u64,
}

impl Producer {
    fn new(args: &Args) -> Self {
        Self {
            connection: Connection::open(&args.bootstrap),
            topic: args.topic.clone(),
            partition: 0,
            partitions: args.partitions,
            records: Vec::with_capacity(args.batch_bytes),
            count: 0,
            first: 0,
            last: 0,
            in_flight: VecDeque::new(),
            written: 0,
            failed: 0,
        }
    }

    /// One message; a topic that was just made may be without leader for a moment.
    fn warm_up(&mut self, value: &[u8]) {
        let until = Instant::now() + Duration::from_secs(10);
        while self.written == 0 {
            assert!(Instant::now() < until, "the first message is written");
            self.partition = 0;
            self.append(value);
            self.send();
            self.receive();
        }
        (self.written, self.failed) = (0, 0);
    }

    fn append(&mut self, value: &[u8]) {
        // every client reads a clock for every record
        let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let time = time.map_or(0, |since| since.as_millis() as i64);
        if self.count == 0 {
            self.first = time;
        }
        self.last = time;
        let (passed, place) = (time - self.first, i64::from(self.count));
        let length = 1
            + size(passed)
            + size(place)
            + size(-1)
            + size(value.len() as i64)
            + value.len()
            + size(0);
        let out = &mut self.records;
        put(out, length as i64);
        out.push(0);
        put(out, passed);
        put(out, place);
        put(out, -1);
        put(out, value.len() as i64);
        out.extend_from_slice(value);
        put(out, 0);
        self.count += 1;
    }

    fn send(&mut self) {
        if self.count == 0 {
            return;
        }
        if self.in_flight.len() == IN_FLIGHT {
            self.receive();
        }
        let header = BatchHeader {
            base_offset: 0,
            batch_length: 0,
            leader_epoch: -1,
            magic: 2,
            crc: 0,
            attributes: 0,
            last_offset_delta: self.count - 1,
            base_timestamp: self.first,
            max_timestamp: self.last,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            record_count: self.count,
        };
        // the batch stands in one piece behind the header, as the codec of requests wants it
        let mut batch = Vec::with_capacity(BatchHeader::SIZE + self.records.len());
        batch.extend_from_slice(&header.write(&self.records));
        batch.extend_from_slice(&self.records);
        self.records.clear();
        let batch = Bytes::from(batch);
        let request = ProduceRequest::build(|r| {
            r.acks = -1;
            r.timeout_ms = 30_000;
            r.topic_data = vec![TopicProduceData::build(|t| {
                t.name = self.topic.clone();
                t.partition_data = vec![PartitionProduceData::build(|p| {
                    p.index = self.partition;
                    p.records = Some(batch);
                })];
            })];
        });
        self.connection.send(ApiKey::Produce, VERSION, &request);
        self.in_flight.push_back(self.count);
        self.count = 0;
        self.partition = (self.partition + 1) % self.partitions;
    }

    fn receive(&mut self) {
        let response: ProduceResponse = self.connection.receive(ApiKey::Produce, VERSION);
        let count = self.in_flight.pop_front().unwrap_or_default() as u64;
        let partitions = response
            .responses
            .iter()
            .flat_map(|t| &t.partition_responses);
        match partitions.into_iter().all(|p| p.error_code == 0) {
            true => self.written += count,
            false => self.failed += count,
        }
    }

    fn report(&self, extra: serde_json::Value) -> Report {
        Report {
            client: "floor",
            version: "-",
            messages: self.written,
            errors: self.failed,
            extra,
        }
    }
}

fn zigzag(n: i64) -> u64 {
    (n << 1 ^ n >> 63) as u64
}

/// Bytes of a varint.
fn size(n: i64) -> usize {
    (70 - (zigzag(n) | 1).leading_zeros() as usize) / 7
}

fn put(out: &mut Vec<u8>, n: i64) {
    let mut rest = zigzag(n);
    while rest > 0x7f {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}
