//! What the broker behind sockets and the simulator cost: CPU, so that a busy machine matters less.
//!
//! `cargo bench -p kafka-testing --bench in_process` runs both; `-- broker` or `-- simulator` one. `MESSAGES` (default
//! 10,000,000) and `SEEDS` (default 100) set the size. Linux only. Aims: 2 million messages of 100 bytes per second of one
//! core; 20 ms for a scenario of 1,000 messages under all faults.

#[allow(dead_code, reason = "the suite uses the rest")]
#[path = "../tests/simulation/produce_consume.rs"]
mod produce_consume;

use std::{
    env, fs,
    io::{Read, Write},
    net::TcpStream,
    time::Instant,
};

use kafka_proto::{
    api::{
        ApiKey, RequestHeader,
        produce::{PartitionProduceData, ProduceRequest, TopicProduceData},
    },
    record::{BatchBuilder, Record},
    wire::{Wire, Writer},
};
use kafka_testing::{
    broker::{Cluster, Config},
    server::Server,
    sim::Chunks,
};
use produce_consume::Plan;

const SIZE: usize = 100;
const PARTITIONS: i32 = 6;
/// Requests that wait for their answer, as many as Java's producer has.
const IN_FLIGHT: usize = 5;

fn main() {
    let chosen: Vec<_> = env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    let wanted = |name: &str| chosen.is_empty() || chosen.iter().any(|c| c == name);
    if wanted("broker") {
        // what Java's producer makes of a full batch.size, and what it makes of ten times as much
        for batch in [150, 1_500] {
            for (keeping, config) in [
                ("kept", Config::new().log_limit(64 << 20)),
                (
                    "kept, records unread",
                    Config::new().check_records(false).log_limit(64 << 20),
                ),
                ("discarded", Config::new().discard(true)),
            ] {
                broker(config, keeping, batch, number("MESSAGES", 10_000_000));
            }
        }
    }
    if wanted("simulator") {
        simulator(number("SEEDS", 100) as u64);
    }
}

fn number(name: &str, default: usize) -> usize {
    let set = env::var(name).ok().and_then(|n| n.parse().ok());
    set.unwrap_or(default)
}

/// CPU nanoseconds so far of the threads of this process whose name `is_it` knows.
fn cpu(is_it: impl Fn(&str) -> bool) -> u64 {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten();
    let mine = tasks.flatten().filter(|task| {
        let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        is_it(name.trim())
    });
    let spent = |task: fs::DirEntry| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    };
    mine.filter_map(spent).sum()
}

/// One connection writes requests of one batch for each partition; the broker's threads are counted.
fn broker(config: Config, keeping: &str, batch: usize, messages: usize) {
    let mut cluster = Cluster::new(config);
    cluster.create_topic("bench", PARTITIONS);
    let server = Server::start(cluster).expect("ports");
    let mut stream = TcpStream::connect(server.bootstrap()).expect("the broker listens");
    stream.set_nodelay(true).expect("a socket");
    let request = request(batch);
    let requests = messages / (batch * PARTITIONS as usize);
    let of_broker = |name: &str| name.starts_with("kafka-");
    let (cpu_before, before) = (cpu(of_broker), Instant::now());
    let mut answers = 0;
    for sent in 0..requests {
        if sent - answers == IN_FLIGHT {
            answer(&mut stream);
            answers += 1;
        }
        stream.write_all(&request).expect("the broker reads");
    }
    (answers..requests).for_each(|_| answer(&mut stream));
    let (spent, wall) = (cpu(of_broker) - cpu_before, before.elapsed());
    let written: i64 = (0..PARTITIONS)
        .map(|p| server.with(|c| c.log("bench", p).end_offset()))
        .sum();
    assert_eq!(written as usize, requests * batch * PARTITIONS as usize);
    println!(
        "broker, batches of {batch}, {keeping}: {:.1} million messages per second of one core, {:.1} in a second",
        written as f64 * 1_000.0 / spent as f64,
        written as f64 / wall.as_secs_f64() / 1e6,
    );
}

fn request(batch: usize) -> Vec<u8> {
    let value = [b'v'; SIZE];
    let mut builder = BatchBuilder::new(Vec::new());
    (0..batch).for_each(|_| builder.push(&Record::new(&value), 1_700_000_000_000));
    let (header, body) = builder.finish();
    let records = bytes::Bytes::from([&header.write(&body)[..], &body].concat());
    let partition = |index| {
        PartitionProduceData::build(|p| {
            p.index = index;
            p.records = Some(records.clone());
        })
    };
    let body = ProduceRequest::build(|r| {
        r.acks = -1;
        r.timeout_ms = 30_000;
        r.topic_data = vec![TopicProduceData::build(|t| {
            t.name = "bench".to_owned();
            t.partition_data = (0..PARTITIONS).map(partition).collect();
        })];
    });
    let version = 9;
    let mut w = Writer::new(version, false);
    let header = RequestHeader {
        api_key: ApiKey::Produce as i16,
        api_version: version,
        correlation_id: 1,
        client_id: Some("bench".to_owned()),
        ..RequestHeader::default()
    };
    header.write(&mut w, ApiKey::Produce.request_header(version));
    w.flexible = true;
    body.write(&mut w);
    let frame = w.segments().concat();
    [&(frame.len() as i32).to_be_bytes()[..], &frame].concat()
}

fn answer(stream: &mut TcpStream) {
    let mut length = [0; 4];
    stream.read_exact(&mut length).expect("an answer");
    let mut answer = vec![0; i32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer).expect("an answer");
}

/// Scenarios of 1,000 messages by four tasks, with everything drawn as in the suite.
fn simulator(seeds: u64) {
    const MESSAGES: usize = 1_000;
    const TASKS: u32 = 4;
    let (mut all, mut bytewise) = (Vec::new(), Vec::new());
    for seed in 0..seeds {
        let mut plan = Plan::new(seed);
        (plan.tasks, plan.messages) = (TASKS, MESSAGES / TASKS as usize);
        let chunks = plan.faults.chunks;
        let before = own_cpu();
        let report = plan.run();
        let spent = own_cpu() - before;
        assert!(
            report.faults.is_empty(),
            "seed {seed}: {:#?}",
            report.faults
        );
        assert!(report.sent >= MESSAGES);
        match chunks {
            // a byte at a time, client and broker are called for each
            Chunks::Bytes => bytewise.push(spent as f64 / 1e6),
            _ => all.push(spent as f64 / 1e6),
        }
    }
    report("scenarios of 1,000 messages under faults", all);
    report("those that arrive byte by byte", bytewise);
}

fn report(what: &str, mut all: Vec<f64>) {
    all.sort_by(f64::total_cmp);
    let at = |part: f64| {
        let last = all.len().saturating_sub(1) as f64;
        all.get((last * part) as usize).copied().unwrap_or_default()
    };
    println!(
        "simulator, {} {what}: CPU {:.1} ms on average, {:.1} median, {:.1} for 9 of 10, {:.1} at most",
        all.len(),
        all.iter().sum::<f64>() / all.len().max(1) as f64,
        at(0.5),
        at(0.9),
        at(1.0),
    );
}

/// CPU nanoseconds of this thread so far.
fn own_cpu() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let first = text.split(' ').next();
    first.and_then(|n| n.parse().ok()).unwrap_or_default()
}
