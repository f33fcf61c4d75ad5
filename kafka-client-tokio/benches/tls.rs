//! What TLS costs: CPU of the client's thread a message of 1 KiB, against plaintext to the broker in this process.
//!
//! `cargo bench -p kafka-client-tokio --bench tls`. Rounds alternate, and medians are compared, since machines are noisy.
//! `MESSAGES` sets the size of a round (default 200,000), `ROUNDS` their number (default 7). Linux only.

use std::{collections::VecDeque, env, fs};

use kafka_client_tokio::{Client, Dialer, Record, TlsConfig};
use kafka_testing::{
    broker::{Cluster, Config},
    certificates,
    server::Server,
    tls::Tls,
};
use tokio::runtime::{Builder, Runtime};

const SIZE: usize = 1024;
const CALL: usize = 100;
const CALLS: usize = 64;

fn main() {
    let number = |name: &str, default| {
        let set = env::var(name).ok().and_then(|n| n.parse().ok());
        set.unwrap_or(default)
    };
    let messages = number("MESSAGES", 200_000);
    let rounds = number("ROUNDS", 7);
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let plain = Place::new(&runtime, false);
    let sealed = Place::new(&runtime, true);
    for (name, act) in [
        (
            "written in calls of 100",
            Place::write as fn(&Place, &Runtime, usize) -> f64,
        ),
        ("read by batches", Place::read),
    ] {
        let mut costs = [Vec::new(), Vec::new()];
        for round in 0..=rounds {
            for (place, costs) in [&plain, &sealed].into_iter().zip(&mut costs) {
                let cost = act(place, &runtime, messages);
                // the first round warms up
                if round > 0 {
                    costs.push(cost);
                }
            }
        }
        let [plain, sealed] = costs.map(|mut costs| {
            costs.sort_by(f64::total_cmp);
            costs[costs.len() / 2]
        });
        println!(
            "{name:<24} {plain:.3} us of CPU in plaintext, {sealed:.3} us over TLS: {:.2}x",
            sealed / plain
        );
    }
}

/// A broker that keeps nothing, one that keeps enough to read, and clients of them.
struct Place {
    writes: (Server, Client),
    reads: (Server, Client),
}

impl Place {
    fn new(runtime: &Runtime, sealed: bool) -> Self {
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
        Self {
            writes: connect(true),
            reads: connect(false),
        }
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
        let (server, client) = &self.reads;
        runtime.block_on(async {
            if server.cluster().log("bench", 0).high_watermark() == 0 {
                write(client, messages).await;
            }
            let mut reader = client.reader("bench").expect("a config");
            let (from, mut count) = (cpu(), 0);
            while count < messages {
                let batch = reader.read_batch().await.expect("good").expect("open");
                for record in batch.iter() {
                    assert_eq!(record.expect("good").value.map(<[u8]>::len), Some(SIZE));
                    count += 1;
                }
            }
            (cpu() - from) as f64 / count as f64 / 1000.0
        })
    }
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

/// CPU nanoseconds of this thread so far.
fn cpu() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let first = text.split(' ').next().and_then(|n| n.parse().ok());
    first.unwrap_or_default()
}
