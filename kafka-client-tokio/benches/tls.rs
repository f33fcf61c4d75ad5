//! What TLS costs: CPU of the client's thread a message of 1 KiB, against plaintext to the broker in this process.
//!
//! `cargo bench -p kafka-client-tokio --bench tls`. Many short rounds, each with and without TLS, one after the other; the
//! figure is the median of the rounds' ratios, since what disturbs a round mostly disturbs both of its halves.
//! `MESSAGES` sets the size of a half (default 20,000), `ROUNDS` their number (default 41). Linux only.

use std::{collections::VecDeque, env};

use kafka_client_tokio::{Client, Dialer, Reader, Record, TlsConfig};
use kafka_testing::{
    broker::{Cluster, Config},
    certificates,
    server::Server,
    tls::Tls,
};
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::{Builder, Runtime};

const SIZE: usize = 1024;
const CALL: usize = 100;
const CALLS: usize = 64;

fn main() {
    let number = |name: &str, default| {
        let set = env::var(name).ok().and_then(|n| n.parse().ok());
        set.unwrap_or(default)
    };
    let messages = number("MESSAGES", 20_000);
    let rounds = number("ROUNDS", 41);
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let plain = Place::new(&runtime, false, messages);
    let sealed = Place::new(&runtime, true, messages);
    for (name, act) in [
        (
            "written in calls of 100",
            Place::write as fn(&Place, &Runtime, usize) -> f64,
        ),
        ("read by batches", Place::read),
    ] {
        let (mut plains, mut sealeds, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        // the first two rounds warm up
        for round in 0..rounds + 2 {
            let run = |place: &Place| act(place, &runtime, messages);
            let (p, s) = match round % 2 {
                0 => {
                    let p = run(&plain);
                    (p, run(&sealed))
                }
                _ => {
                    let s = run(&sealed);
                    (run(&plain), s)
                }
            };
            if round >= 2 {
                plains.push(p);
                sealeds.push(s);
                ratios.push(s / p);
            }
        }
        println!(
            "{name:<24} {:.3} us of CPU in plaintext, {:.3} us over TLS: {:.2}x",
            quantile(&mut plains, 2),
            quantile(&mut sealeds, 2),
            quantile(&mut ratios, 2),
        );
        println!(
            "{:<24} a quarter of the rounds is below {:.2}x, a quarter above {:.2}x; the least {:.3} and {:.3} us",
            "",
            quantile(&mut ratios, 1),
            quantile(&mut ratios, 3),
            quantile(&mut plains, 0),
            quantile(&mut sealeds, 0),
        );
    }
}

/// The least, the quartiles, the most.
fn quantile(values: &mut [f64], quarter: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() - 1) * quarter / 4]
}

/// A broker that keeps nothing, one that keeps enough to read, and clients of them.
struct Place {
    writes: (Server, Client),
    reads: (Server, Client),
}

impl Place {
    fn new(runtime: &Runtime, sealed: bool, messages: usize) -> Self {
        let connect = |discard| {
            let mut cluster = Cluster::new(Config::new().discard(discard));
            cluster.create_topic("bench", 1);
            let (server, dialer) = match sealed {
                false => (Server::start(cluster), Dialer::new()),
                true => {
                    let tls = TlsConfig::new().roots_pem(certificates::CA).expect("roots");
                    (
                        Server::start_tls(cluster, Tls::new()),
                        Dialer::new().tls(tls),
                    )
                }
            };
            let server = server.expect("ports");
            let client = runtime.block_on(dialer.connect(&server.bootstrap()));
            (server, client.expect("a broker"))
        };
        let (writes, reads) = (connect(true), connect(false));
        // whole batches are read, so that each part reads a little more than its share
        runtime.block_on(write(&reads.1, messages + 2 * warm(messages)));
        Self { writes, reads }
    }

    /// Microseconds of CPU a message.
    fn write(&self, runtime: &Runtime, messages: usize) -> f64 {
        runtime.block_on(async {
            let from = cpu();
            write(&self.writes.1, messages).await;
            (cpu() - from) as f64 / messages as f64 / 1000.0
        })
    }

    /// Microseconds of CPU a message.
    fn read(&self, runtime: &Runtime, messages: usize) -> f64 {
        let (_server, client) = &self.reads;
        runtime.block_on(async {
            let mut reader = client.reader("bench").expect("a config");
            // the connection of a reader is its own, and no handshake is to be counted
            read(&mut reader, warm(messages)).await;
            let from = cpu();
            let count = read(&mut reader, messages).await;
            (cpu() - from) as f64 / count as f64 / 1000.0
        })
    }
}

/// Messages before those that count.
fn warm(messages: usize) -> usize {
    messages / 4
}

/// Reads at least `messages`, by batches; returns how many.
async fn read(reader: &mut Reader, messages: usize) -> usize {
    let mut count = 0;
    while count < messages {
        let batch = reader.read_batch().await.expect("good").expect("open");
        for record in batch.iter() {
            assert_eq!(record.expect("good").value.map(<[u8]>::len), Some(SIZE));
            count += 1;
        }
    }
    count
}

async fn write(client: &Client, messages: usize) {
    let writer = client.writer("bench").expect("a config");
    let value = [b'x'; SIZE];
    let records = [Record::new(&value); CALL];
    let mut pending = VecDeque::new();
    for _ in 0..messages / CALL {
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

/// CPU nanoseconds of this thread so far, to the nanosecond: what `/proc` says is counted by ticks.
fn cpu() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
