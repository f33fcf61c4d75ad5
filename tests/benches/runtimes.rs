//! What a message costs on each runtime, all in one run: tokio, async-std, smol and plain threads.
//!
//! `cargo bench -p kafka-testing --bench runtimes` runs everything; names choose runtimes and parts, as in
//! `-- tokio blocking lone`. `ROUNDS` (default 5) and `MESSAGES` (default 2,000,000) set the size. Rounds are interleaved,
//! and figures are medians over them. The broker is a process of its own, so that the CPU time of this one is the
//! client's: that of all its threads. Linux only. Machines are noisy: compare figures of one run.
//!
//! The client has one core and the broker the others, so that figures say what the code of each runtime costs, and not on how
//! many cores its executor works by default; `CORES=all` lets everybody use every core.

use std::{
    collections::{BTreeMap, VecDeque},
    env, fs,
    future::Future,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    pin::Pin,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use kafka_client_blocking as blocking;
use kafka_proto::{
    api::{
        ApiKey, RequestHeader,
        produce::{PartitionProduceData, ProduceRequest, TopicProduceData},
    },
    client::{Client, Writer},
    record::{BatchBuilder, Record},
    wire::{self, Wire as _},
};
use kafka_testing::{
    broker::{Cluster, Config},
    server::Server,
};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

const SIZE: usize = 100;
const PARTITIONS: i32 = 6;
/// Calls of 100 that wait for their outcome at a time.
const CALLS: usize = 64;
/// Single writes, one after the other.
const LONE: usize = 2_000;
const RUNTIMES: [&str; 5] = ["tokio", "tokio-1", "async-std", "smol", "blocking"];
const PARTS: [(&str, &str); 7] = [
    ("write", "one caller, calls of 100, 64 of them waiting"),
    (
        "callers",
        "64 tasks or threads, each waits for its call of 100",
    ),
    (
        "single",
        "1,000 tasks or 64 threads, each waits for its single write",
    ),
    ("batches", "read by batches"),
    ("messages", "read message by message"),
    (
        "lone",
        "one write at a time, beside a bare request and reply on the same runtime",
    ),
    ("idle", "connected and idle for a second"),
];

fn main() {
    let args: Vec<_> = env::args().skip(1).collect();
    if let [role, kind] = &args[..]
        && role == "serve"
    {
        return serve(kind);
    }
    let number = |name: &str, default| {
        let set = env::var(name).ok().and_then(|n| n.parse().ok());
        set.unwrap_or(default)
    };
    let (rounds, messages) = (number("ROUNDS", 5), number("MESSAGES", 2_000_000));
    let chosen = |name: &str, all: &[&str]| {
        args.iter().any(|a| a == name) || !args.iter().any(|a| all.contains(&a.as_str()))
    };
    let parts: Vec<_> = PARTS.map(|(name, _)| name).into();
    let sink = Broker::start("sink");
    let log = Broker::start("log");
    // whatever is spawned from here on inherits it
    stay_on(|core, first| core == first);
    if chosen("batches", &parts) || chosen("messages", &parts) {
        fill(&log.bootstrap, messages);
    }
    let mut results: BTreeMap<(&str, &str), Vec<Figures>> = BTreeMap::new();
    for _ in 0..rounds {
        for part in parts.iter().filter(|p| chosen(p, &parts)) {
            for runtime in RUNTIMES.iter().filter(|r| chosen(r, &RUNTIMES)) {
                let broker = match *part {
                    "batches" | "messages" => &log,
                    _ => &sink,
                };
                let figures = measure(runtime, part, &broker.bootstrap, messages);
                results.entry((part, runtime)).or_default().push(figures);
            }
        }
    }
    for (part, title) in PARTS {
        if !chosen(part, &parts) {
            continue;
        }
        println!("\n{part}: {title}");
        let tokio = results.get(&(part, RUNTIMES[0])).cloned();
        for runtime in RUNTIMES {
            if let Some(all) = results.get_mut(&(part, runtime)) {
                let beside = tokio.as_ref().map(|tokio| Figures::ratio(all, tokio));
                let beside = beside.map_or(String::new(), |x| format!("; CPU {x:.2}x of tokio's"));
                println!(
                    "  {runtime:<10} {}{beside}",
                    Figures::median(all).line(part)
                );
            }
        }
    }
}

fn measure(runtime: &'static str, part: &str, brokers: &str, messages: usize) -> Figures {
    let task = || tasks(runtime, part.to_owned(), brokers.to_owned(), messages);
    let tokio = |mut builder: tokio::runtime::Builder| {
        let runtime = builder.enable_all().build().expect("a runtime");
        runtime.block_on(async { tokio::spawn(task()).await.expect("a result") })
    };
    match runtime {
        "tokio" => tokio(tokio::runtime::Builder::new_multi_thread()),
        "tokio-1" => tokio(tokio::runtime::Builder::new_current_thread()),
        "async-std" => async_std::task::block_on(async_std::task::spawn(task())),
        "smol" => smol::block_on(smol::spawn(task())),
        _ => threads::measure(part, brokers, messages),
    }
}

/// What one measurement gave.
#[derive(Clone, Copy, Default)]
struct Figures {
    cpu_us: f64,
    per_second: f64,
    p50_us: f64,
    bare_us: f64,
    bare_cpu_us: f64,
    switches: f64,
    threads: f64,
}

impl Figures {
    fn of(count: usize, span: &Span) -> Self {
        let (cpu, wall, switches) = span.end();
        Self {
            cpu_us: cpu / count as f64,
            per_second: count as f64 / wall.as_secs_f64(),
            switches: switches / count as f64,
            threads: fs::read_dir("/proc/self/task").map_or(0.0, |tasks| tasks.count() as f64),
            ..Self::default()
        }
    }

    fn of_lone(bare: (f64, Self), ours: (f64, Self)) -> Self {
        Self {
            p50_us: ours.0,
            bare_us: bare.0,
            bare_cpu_us: bare.1.cpu_us,
            ..ours.1
        }
    }

    fn median(all: &mut [Self]) -> Self {
        let mut median = |of: fn(&Self) -> f64| {
            all.sort_by(|a, b| of(a).total_cmp(&of(b)));
            of(&all[all.len() / 2])
        };
        Self {
            cpu_us: median(|f| f.cpu_us),
            per_second: median(|f| f.per_second),
            p50_us: median(|f| f.p50_us),
            bare_us: median(|f| f.bare_us),
            bare_cpu_us: median(|f| f.bare_cpu_us),
            switches: median(|f| f.switches),
            threads: median(|f| f.threads),
        }
    }

    /// The median of what CPU a round took beside the same round of `other`.
    fn ratio(all: &[Self], other: &[Self]) -> f64 {
        let rounds = all.iter().zip(other);
        let mut ratios: Vec<_> = rounds.map(|(a, b)| a.cpu_us / b.cpu_us).collect();
        ratios.sort_by(f64::total_cmp);
        ratios[ratios.len() / 2]
    }

    fn line(&self, part: &str) -> String {
        match part {
            "lone" => format!(
                "p50 {:6.1} us, bare {:6.1} us: {:.2}x; CPU {:5.1} us, bare {:5.1} us: {:.2}x; {:.1} switches",
                self.p50_us,
                self.bare_us,
                self.p50_us / self.bare_us,
                self.cpu_us,
                self.bare_cpu_us,
                self.cpu_us / self.bare_cpu_us,
                self.switches,
            ),
            "idle" => format!(
                "{:.0} us of CPU and {:.0} switches, {:.0} threads",
                self.cpu_us, self.switches, self.threads
            ),
            "single" if self.bare_cpu_us > 0.0 => format!(
                "{:.3} us of CPU a message, of which waiting threads alone {:.3}: {:.2}x; {:>9.0} messages/s, {:.4} switches a message",
                self.cpu_us,
                self.bare_cpu_us,
                self.cpu_us / self.bare_cpu_us,
                self.per_second,
                self.switches,
            ),
            _ => format!(
                "{:.3} us of CPU a message, {:>9.0} messages/s, {:.4} switches a message, {:.0} threads",
                self.cpu_us, self.per_second, self.switches, self.threads
            ),
        }
    }
}

/// CPU time, wall time and context switches of this process since a moment.
struct Span {
    wall: Instant,
    cpu: f64,
    switches: f64,
}

impl Span {
    fn start() -> Self {
        let (cpu, switches) = used();
        Self {
            wall: Instant::now(),
            cpu,
            switches,
        }
    }

    fn end(&self) -> (f64, Duration, f64) {
        let wall = self.wall.elapsed();
        let (cpu, switches) = used();
        (cpu - self.cpu, wall, switches - self.switches)
    }
}

/// Microseconds of CPU of this process, of threads that have ended too, and time slices of the threads that live.
fn used() -> (f64, f64) {
    let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let cpu = cpu.tv_sec as f64 * 1e6 + cpu.tv_nsec as f64 / 1e3;
    let mut slices = 0.0;
    for task in fs::read_dir("/proc/self/task").expect("Linux").flatten() {
        let text = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        let runs = text.split_whitespace().nth(2).and_then(|n| n.parse().ok());
        slices += runs.unwrap_or(0.0);
    }
    (cpu, slices)
}

fn values() -> Vec<String> {
    (0..4096usize).map(|i| format!("{i:0SIZE$}")).collect()
}

fn p50(times: &mut [Duration]) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e6
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

fn spawn(runtime: &str, task: impl Future<Output = ()> + Send + 'static) -> Task {
    match runtime {
        "tokio" | "tokio-1" => {
            let task = tokio::spawn(task);
            Box::pin(async { task.await.expect("no panic") })
        }
        "async-std" => Box::pin(async_std::task::spawn(task)),
        _ => Box::pin(smol::spawn(task)),
    }
}

async fn connect(runtime: &str, brokers: &str) -> Client {
    let client = match runtime {
        "tokio" | "tokio-1" => kafka_client_tokio::connect(brokers).await,
        "async-std" => kafka_client_async_std::connect(brokers).await,
        _ => {
            let dialer = kafka_client_async_std::Dialer::new();
            let dialer = dialer.spawner(|task| smol::spawn(task).detach());
            dialer.connect(brokers).await
        }
    };
    client.expect("a broker")
}

/// One measurement, as a task of the runtime.
async fn tasks(runtime: &'static str, part: String, brokers: String, messages: usize) -> Figures {
    let client = connect(runtime, &brokers).await;
    let writer = client.writer("bench").expect("a config");
    if part != "batches" && part != "messages" {
        writer.write(Record::new("first")).await.expect("written");
    }
    let figures = match &*part {
        "write" => {
            write(&writer, messages / 10).await;
            let span = Span::start();
            write(&writer, messages).await;
            Figures::of(messages, &span)
        }
        "callers" => {
            callers(runtime, &writer, 64, 100, messages / 10).await;
            let span = Span::start();
            callers(runtime, &writer, 64, 100, messages).await;
            Figures::of(messages, &span)
        }
        "single" => {
            callers(runtime, &writer, 1000, 1, messages / 20).await;
            let span = Span::start();
            callers(runtime, &writer, 1000, 1, messages / 10).await;
            Figures::of(messages / 10, &span)
        }
        "lone" => lone(runtime, &writer, &brokers).await,
        "idle" => {
            let span = Span::start();
            async_io::Timer::after(Duration::from_secs(1)).await;
            Figures::of(1, &span)
        }
        _ => read(&client, &part, messages).await,
    };
    client.close(Duration::from_secs(10)).await.expect("closed");
    figures
}

async fn write(writer: &Writer, messages: usize) {
    let values = values();
    let mut pending = VecDeque::new();
    let mut records = Vec::with_capacity(100);
    for call in 0..messages / 100 {
        records.clear();
        records.extend((0..100).map(|i| Record::new(&values[(call * 100 + i) % values.len()])));
        pending.push_back(writer.send(&records).await.expect("accepted"));
        if pending.len() == CALLS
            && let Some(receipt) = pending.pop_front()
        {
            receipt.await.expect("written");
        }
    }
    for receipt in pending {
        receipt.await.expect("written");
    }
}

async fn callers(runtime: &str, writer: &Writer, callers: usize, call: usize, messages: usize) {
    let values = Arc::new(values());
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let (writer, values) = (writer.clone(), values.clone());
            spawn(runtime, async move {
                let records: Vec<_> = values.iter().take(call).map(Record::new).collect();
                for _ in 0..messages / callers / call {
                    writer.write_messages(&records).await.expect("written");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await;
    }
}

async fn read(client: &Client, part: &str, messages: usize) -> Figures {
    let mut reader = client.reader("bench").expect("a config");
    let span = Span::start();
    let (mut count, mut bytes) = (0, 0);
    while count < messages {
        if part == "batches" {
            let batch = reader.read_batch().await.expect("good").expect("open");
            for record in batch.iter() {
                bytes += record.expect("good").value.map_or(0, <[u8]>::len);
                count += 1;
            }
        } else {
            let message = reader.read_message().await.expect("good").expect("open");
            bytes += message.value().map_or(0, <[u8]>::len);
            count += 1;
        }
    }
    assert_eq!(bytes, count * SIZE);
    Figures::of(count, &span)
}

async fn lone(runtime: &str, writer: &Writer, brokers: &str) -> Figures {
    let value = [b'x'; SIZE];
    let frame = frame(&value);
    let mut answer = [0; 1024];
    let mut times = Vec::with_capacity(LONE);
    macro_rules! bare {
        ($stream:expr) => {{
            let mut stream = $stream;
            let span = Span::start();
            for _ in 0..LONE {
                let start = Instant::now();
                stream.write_all(&frame).await.expect("sent");
                let mut length = [0; 4];
                stream.read_exact(&mut length).await.expect("an answer");
                let rest = &mut answer[..u32::from_be_bytes(length) as usize];
                stream.read_exact(rest).await.expect("an answer");
                times.push(start.elapsed());
            }
            (p50(&mut times), Figures::of(LONE, &span))
        }};
    }
    let bare = if runtime.starts_with("tokio") {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let stream = tokio::net::TcpStream::connect(brokers).await;
        let stream = stream.expect("a broker");
        stream.set_nodelay(true).expect("tcp");
        bare!(stream)
    } else {
        use futures_lite::{AsyncReadExt, AsyncWriteExt};
        let address: SocketAddr = brokers.parse().expect("an address");
        let stream = async_io::Async::<TcpStream>::connect(address).await;
        let stream = stream.expect("a broker");
        stream.get_ref().set_nodelay(true).expect("tcp");
        bare!(stream)
    };
    times.clear();
    let span = Span::start();
    for _ in 0..LONE {
        let start = Instant::now();
        let record = Record::new(&value).partition(0);
        writer.write(record).await.expect("written");
        times.push(start.elapsed());
    }
    Figures::of_lone(bare, (p50(&mut times), Figures::of(LONE, &span)))
}

/// The same without a runtime.
mod threads {
    use super::*;

    pub(super) fn measure(part: &str, brokers: &str, messages: usize) -> Figures {
        let client = blocking::connect(brokers).expect("a broker");
        let writer = client.writer("bench").expect("a config");
        if part != "batches" && part != "messages" {
            writer.write(Record::new("first")).expect("written");
        }
        let figures = match part {
            "write" => {
                write(&writer, messages / 10);
                let span = Span::start();
                write(&writer, messages);
                Figures::of(messages, &span)
            }
            "callers" => callers(&writer, 100, messages),
            "single" => Figures {
                bare_cpu_us: handovers(messages / 10).cpu_us,
                ..callers(&writer, 1, messages / 10)
            },
            "lone" => lone(&writer, brokers),
            "idle" => {
                let span = Span::start();
                thread::sleep(Duration::from_secs(1));
                Figures::of(1, &span)
            }
            _ => read(&client, part, messages),
        };
        client.close(Duration::from_secs(10)).expect("closed");
        figures
    }

    fn write(writer: &blocking::Writer, messages: usize) {
        let values = values();
        let mut pending = VecDeque::new();
        let mut records = Vec::with_capacity(100);
        for call in 0..messages / 100 {
            records.clear();
            records.extend((0..100).map(|i| Record::new(&values[(call * 100 + i) % values.len()])));
            pending.push_back(writer.send(&records).expect("accepted"));
            if pending.len() == CALLS
                && let Some(receipt) = pending.pop_front()
            {
                receipt.wait().expect("written");
            }
        }
        for receipt in pending {
            receipt.wait().expect("written");
        }
    }

    fn callers(writer: &blocking::Writer, call: usize, messages: usize) -> Figures {
        let values = values();
        let records: Vec<_> = values.iter().take(call).map(Record::new).collect();
        in_threads(messages, || {
            for _ in 0..messages / 64 / call {
                writer.write_messages(&records).expect("written");
            }
        })
    }

    /// What it costs that threads wait, whatever they wait for: each hands itself to one thread, which wakes those that it
    /// has, and nothing is sent.
    fn handovers(count: usize) -> Figures {
        let (here, waiting) = mpsc::channel::<(thread::Thread, Arc<AtomicBool>)>();
        let waker = thread::spawn(move || {
            while let Ok(first) = waiting.recv() {
                for (thread, woken) in [first].into_iter().chain(waiting.try_iter()) {
                    woken.store(true, Ordering::Release);
                    thread.unpark();
                }
            }
        });
        let figures = in_threads(count, || {
            let woken = Arc::new(AtomicBool::new(false));
            for _ in 0..count / 64 {
                let place = (thread::current(), woken.clone());
                here.send(place).expect("a thread that wakes");
                while !woken.swap(false, Ordering::Acquire) {
                    thread::park();
                }
            }
        });
        drop(here);
        waker.join().expect("no panic");
        figures
    }

    /// Measures `work` of 64 threads while all of them live, since the kernel forgets the time of those that ended.
    fn in_threads(count: usize, work: impl Fn() + Sync) -> Figures {
        let barrier = Barrier::new(65);
        thread::scope(|scope| {
            for _ in 0..64 {
                scope.spawn(|| {
                    barrier.wait();
                    barrier.wait();
                    work();
                    barrier.wait();
                    barrier.wait();
                });
            }
            barrier.wait();
            let span = Span::start();
            barrier.wait();
            barrier.wait();
            let figures = Figures::of(count, &span);
            barrier.wait();
            figures
        })
    }

    fn read(client: &blocking::Client, part: &str, messages: usize) -> Figures {
        let mut reader = client.reader("bench").expect("a config");
        let span = Span::start();
        let (mut count, mut bytes) = (0, 0);
        while count < messages {
            if part == "batches" {
                let batch = reader.read_batch().expect("good").expect("open");
                for record in batch.iter() {
                    bytes += record.expect("good").value.map_or(0, <[u8]>::len);
                    count += 1;
                }
            } else {
                let message = reader.read_message().expect("good").expect("open");
                bytes += message.value().map_or(0, <[u8]>::len);
                count += 1;
            }
        }
        assert_eq!(bytes, count * SIZE);
        Figures::of(count, &span)
    }

    fn lone(writer: &blocking::Writer, brokers: &str) -> Figures {
        let value = [b'x'; SIZE];
        let frame = frame(&value);
        let mut times = Vec::with_capacity(LONE);
        let mut stream = TcpStream::connect(brokers).expect("a broker");
        stream.set_nodelay(true).expect("tcp");
        let mut answer = [0; 1024];
        let span = Span::start();
        for _ in 0..LONE {
            let start = Instant::now();
            stream.write_all(&frame).expect("sent");
            let mut length = [0; 4];
            stream.read_exact(&mut length).expect("an answer");
            let rest = &mut answer[..u32::from_be_bytes(length) as usize];
            stream.read_exact(rest).expect("an answer");
            times.push(start.elapsed());
        }
        let bare = (p50(&mut times), Figures::of(LONE, &span));
        times.clear();
        let span = Span::start();
        for _ in 0..LONE {
            let start = Instant::now();
            let record = Record::new(&value).partition(0);
            writer.write(record).expect("written");
            times.push(start.elapsed());
        }
        Figures::of_lone(bare, (p50(&mut times), Figures::of(LONE, &span)))
    }
}

/// A Produce request of one record as bytes.
fn frame(value: &[u8]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Vec::new());
    builder.push(&Record::new(value), 0);
    let (header, body) = builder.finish();
    let request = ProduceRequest::build(|r| {
        (r.acks, r.timeout_ms) = (-1, 1000);
        r.topic_data.push(TopicProduceData::build(|t| {
            t.name = "bench".to_owned();
            t.partition_data.push(PartitionProduceData::build(|p| {
                p.records = Some([&header.write(&body)[..], &body].concat().into());
            }));
        }));
    });
    let mut w = wire::Writer::new(9, false);
    let header = RequestHeader {
        api_key: ApiKey::Produce as i16,
        api_version: 9,
        correlation_id: 1,
        client_id: None,
        ..RequestHeader::default()
    };
    header.write(&mut w, 2);
    w.flexible = true;
    request.write(&mut w);
    let body = w.flatten();
    [&(body.len() as u32).to_be_bytes()[..], &body].concat()
}

/// A broker in a process of its own, which ends with its standard input.
struct Broker {
    child: Child,
    bootstrap: String,
    stdin: Option<ChildStdin>,
}

impl Broker {
    fn start(kind: &str) -> Self {
        let mut child = Command::new(env::current_exe().expect("a path"))
            .args(["serve", kind])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a broker");
        let mut bootstrap = String::new();
        let stdout = child.stdout.take().expect("a pipe");
        BufReader::new(stdout)
            .read_line(&mut bootstrap)
            .expect("its address");
        Self {
            stdin: child.stdin.take(),
            child,
            bootstrap: bootstrap.trim().to_owned(),
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

/// Keeps this thread, and those that it will spawn, on some of the cores that it has, if there is more than one.
fn stay_on(choose: impl Fn(usize, usize) -> bool) {
    if env::var("CORES").is_ok_and(|cores| cores == "all") {
        return;
    }
    let allowed = sched_getaffinity(None).expect("Linux");
    let cores: Vec<_> = (0..CpuSet::MAX_CPU)
        .filter(|c| allowed.is_set(*c))
        .collect();
    let [first, _, ..] = cores[..] else { return };
    let mut chosen = CpuSet::new();
    for core in cores.into_iter().filter(|core| choose(*core, first)) {
        chosen.set(core);
    }
    sched_setaffinity(None, &chosen).expect("cores that it had");
}

fn serve(kind: &str) {
    stay_on(|core, first| core != first);
    let mut cluster = Cluster::new(Config::new().brokers(1).discard(kind == "sink"));
    cluster.create_topic("bench", PARTITIONS);
    let server = Server::start(cluster).expect("ports");
    println!("{}", server.bootstrap());
    // the parent writes nothing: this returns when it is gone
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

fn fill(brokers: &str, messages: usize) {
    let client = blocking::connect(brokers).expect("a broker");
    let writer = client.writer("bench").expect("a config");
    let value = [b'x'; SIZE];
    let records = [Record::new(&value); 1000];
    for _ in 0..messages / records.len() {
        drop(writer.send(&records).expect("accepted"));
    }
    client.close(Duration::from_secs(60)).expect("written");
}
