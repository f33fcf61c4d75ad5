//! What a small request costs on one `Conn`, many of them in flight, beside a bare socket.
//!
//! `cargo bench -p kafka-testing --bench requests`; `ROUNDS` (default 5) and `REQUESTS` (default 200,000) set the size. A
//! request is a Produce of one record of 100 bytes, which the broker throws away; 64 are in flight. The bare socket has one
//! blocking thread: it writes each request by itself, made beforehand, and reads each response by two reads; `gathered`
//! writes and reads as much at once as there is. Rounds are interleaved, and figures are medians. The broker is a process of
//! its own, so that the CPU time of this one is the client's. Linux only. Machines are noisy: compare figures of one run.

use std::{
    collections::{BTreeMap, VecDeque},
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, ChildStdin, Command, Stdio},
    sync::Arc,
    thread,
    time::Instant,
};

use bytes::Bytes;
use kafka_client_async_std as async_io_client;
use kafka_client_blocking as blocking;
use kafka_client_tokio as on_tokio;
use kafka_proto::{
    api::{
        ApiKey, RequestHeader,
        produce::{PartitionProduceData, ProduceRequest, TopicProduceData},
    },
    client::Conn,
    record::{BatchBuilder, Record},
    wire::{self, Wire as _},
};
use kafka_testing::{
    broker::{Cluster, Config},
    server::Server,
};

const WINDOW: usize = 64;
const KINDS: [&str; 8] = [
    "bare",
    "gathered",
    "tokio-1",
    "tokio",
    "async-std",
    "smol",
    "blocking",
    "threads",
];

fn main() {
    if env::args().nth(1).is_some_and(|a| a == "serve") {
        return serve();
    }
    let number = |name: &str, default| {
        let set = env::var(name).ok().and_then(|n| n.parse().ok());
        set.unwrap_or(default)
    };
    let (rounds, count) = (number("ROUNDS", 5), number("REQUESTS", 200_000));
    let broker = Broker::start();
    let mut results: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
    for _ in 0..rounds {
        for kind in KINDS {
            let figures = measure(kind, &broker.address, count);
            results.entry(kind).or_default().push(figures);
        }
    }
    let bare = median(&results["bare"], |f| f.0);
    for kind in KINDS {
        let (cpu, rate) = (
            median(&results[kind], |f| f.0),
            median(&results[kind], |f| f.1),
        );
        println!(
            "{kind:<10} {cpu:6.2} us of CPU a request, {:5.2}x bare; {rate:>8.0} requests/s",
            cpu / bare
        );
    }
}

fn median(all: &[(f64, f64)], of: impl Fn(&(f64, f64)) -> f64) -> f64 {
    let mut values: Vec<_> = all.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Microseconds of CPU a request, and requests a second.
fn measure(kind: &str, address: &str, count: usize) -> (f64, f64) {
    let address = address.to_owned();
    match kind {
        "bare" => bare(&address, count, false),
        "gathered" => bare(&address, count, true),
        "tokio-1" | "tokio" => {
            let mut builder = match kind {
                "tokio" => tokio::runtime::Builder::new_multi_thread(),
                _ => tokio::runtime::Builder::new_current_thread(),
            };
            let runtime = builder.enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let task = async move {
                    let conn = on_tokio::dial(&address).await.expect("a broker");
                    pipeline(&conn, count).await
                };
                tokio::spawn(task).await.expect("a result")
            })
        }
        "async-std" => async_std::task::block_on(async_std::task::spawn(async move {
            let conn = async_io_client::dial(&address).await.expect("a broker");
            pipeline(&conn, count).await
        })),
        "smol" => smol::block_on(smol::spawn(async move {
            let dialer = async_io_client::Dialer::new().spawner(|task| smol::spawn(task).detach());
            let conn = dialer.dial(&address).await.expect("a broker");
            pipeline(&conn, count).await
        })),
        "blocking" => one_thread(&address, count),
        _ => threads(&address, count),
    }
}

/// One task keeps the window full.
async fn pipeline(conn: &Conn, count: usize) -> (f64, f64) {
    let batch = batch();
    let mut calls = VecDeque::new();
    let span = Span::start();
    for _ in 0..count {
        if calls.len() == WINDOW {
            let call = calls.pop_front().expect("a call");
            accept(call.await);
        }
        calls.push_back(conn.request_at(9, request(&batch)));
    }
    for call in calls {
        accept(call.await);
    }
    span.end(count)
}

fn accept(response: Result<kafka_proto::api::produce::ProduceResponse, kafka_proto::error::Error>) {
    let response = response.expect("an answer");
    assert_eq!(response.responses[0].partition_responses[0].error_code, 0);
}

/// One thread keeps the window full.
fn one_thread(address: &str, count: usize) -> (f64, f64) {
    let conn = blocking::dial(address).expect("a broker");
    let batch = batch();
    let mut calls = VecDeque::new();
    let span = Span::start();
    for _ in 0..count {
        if calls.len() == WINDOW {
            let call: blocking::Call<_> = calls.pop_front().expect("a call");
            accept(call.wait());
        }
        calls.push_back(conn.send_at(9, request(&batch)));
    }
    for call in calls {
        accept(call.wait());
    }
    span.end(count)
}

/// A call that waits for its answer, so that there is a thread for each in flight.
fn threads(address: &str, count: usize) -> (f64, f64) {
    let conn = Arc::new(blocking::dial(address).expect("a broker"));
    let batch = batch();
    let span = Span::start();
    let threads: Vec<_> = (0..WINDOW)
        .map(|_| {
            let (conn, batch) = (conn.clone(), batch.clone());
            thread::spawn(move || {
                for _ in 0..count / WINDOW {
                    accept(conn.request_at(9, request(&batch)));
                }
                // before the thread ends, and its time with it
                used()
            })
        })
        .collect();
    let mut cpu = 0f64;
    for thread in threads {
        cpu = cpu.max(thread.join().expect("no panic"));
    }
    let wall = span.wall.elapsed().as_secs_f64();
    ((cpu - span.cpu) / count as f64, count as f64 / wall)
}

fn bare(address: &str, count: usize, gathered: bool) -> (f64, f64) {
    let mut stream = TcpStream::connect(address).expect("a broker");
    stream.set_nodelay(true).expect("TCP");
    let frame = frame();
    // threads of the round before may end meanwhile, and their time with them
    let (before, wall) = (used_here(), Instant::now());
    let (mut sent, mut received) = (0u32, 0u32);
    let mut out = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    let mut filled = 0;
    while (received as usize) < count {
        out.clear();
        while (sent as usize) < count && ((sent - received) as usize) < WINDOW {
            let start = out.len();
            out.extend_from_slice(&frame);
            out[start + 8..start + 12].copy_from_slice(&sent.to_be_bytes());
            sent += 1;
            if !gathered {
                stream.write_all(&out).expect("open");
                out.clear();
            }
        }
        if !gathered {
            stream.read_exact(&mut buffer[..4]).expect("open");
            let length = u32::from_be_bytes(buffer[..4].try_into().expect("four")) as usize;
            stream.read_exact(&mut buffer[..length]).expect("open");
            assert_eq!(buffer[..4], received.to_be_bytes());
            received += 1;
            continue;
        }
        stream.write_all(&out).expect("open");
        filled += stream.read(&mut buffer[filled..]).expect("open");
        let mut at = 0;
        while let Some(word) = buffer[at..filled].first_chunk::<4>() {
            let end = at + 4 + u32::from_be_bytes(*word) as usize;
            if end > filled {
                break;
            }
            assert_eq!(buffer[at + 4..at + 8], received.to_be_bytes());
            received += 1;
            at = end;
        }
        buffer.copy_within(at..filled, 0);
        filled -= at;
    }
    let (cpu, wall) = (used_here() - before, wall.elapsed().as_secs_f64());
    (cpu / count as f64, count as f64 / wall)
}

fn batch() -> Bytes {
    let mut builder = BatchBuilder::new(Vec::new());
    builder.push(&Record::new(&[b'x'; 100]), 0);
    let (header, body) = builder.finish();
    [&header.write(&body)[..], &body].concat().into()
}

fn request(batch: &Bytes) -> ProduceRequest {
    ProduceRequest::build(|r| {
        (r.acks, r.timeout_ms) = (-1, 1000);
        r.topic_data.push(TopicProduceData::build(|t| {
            t.name = "bench".to_owned();
            t.partition_data.push(PartitionProduceData::build(|p| {
                p.records = Some(batch.clone());
            }));
        }));
    })
}

/// The request as bytes.
fn frame() -> Vec<u8> {
    let mut w = wire::Writer::new(9, false);
    let header = RequestHeader {
        api_key: ApiKey::Produce as i16,
        api_version: 9,
        ..RequestHeader::default()
    };
    header.write(&mut w, 2);
    w.flexible = true;
    request(&batch()).write(&mut w);
    let body = w.flatten();
    [&(body.len() as u32).to_be_bytes()[..], &body].concat()
}

/// CPU and wall time from one moment to another.
struct Span {
    wall: Instant,
    cpu: f64,
}

impl Span {
    fn start() -> Self {
        Self {
            cpu: used(),
            wall: Instant::now(),
        }
    }

    fn end(&self, count: usize) -> (f64, f64) {
        let (cpu, wall) = (used() - self.cpu, self.wall.elapsed().as_secs_f64());
        (cpu / count as f64, count as f64 / wall)
    }
}

/// Microseconds of all threads that live.
fn used() -> f64 {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux");
    let nanos = tasks.flatten().filter_map(|task| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    });
    nanos.sum::<f64>() / 1000.0
}

/// Microseconds of this thread.
fn used_here() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanos = text
        .split_whitespace()
        .next()
        .and_then(|n| n.parse::<f64>().ok());
    nanos.expect("a number") / 1000.0
}

/// A broker in a process of its own, which ends with its standard input.
struct Broker {
    child: Child,
    address: String,
    stdin: Option<ChildStdin>,
}

impl Broker {
    fn start() -> Self {
        let mut child = Command::new(env::current_exe().expect("a path"))
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a broker");
        let mut address = String::new();
        let stdout = child.stdout.take().expect("a pipe");
        BufReader::new(stdout)
            .read_line(&mut address)
            .expect("its address");
        Self {
            stdin: child.stdin.take(),
            child,
            address: address.trim().to_owned(),
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // it has ended already, or ends now
        let _ = self.child.wait();
    }
}

fn serve() {
    let mut cluster = Cluster::new(Config::new().brokers(1).discard(true));
    cluster.create_topic("bench", 1);
    let server = Server::start(cluster).expect("ports");
    println!("{}", server.bootstrap());
    // the parent writes nothing: this returns when it is gone
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
