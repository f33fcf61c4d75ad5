//! The main job in one run: creates a topic, writes messages, reads them back, and compares.
//!
//! Without settings it starts a broker of its own, in this process, and talks to it over real sockets. With
//! `KAFKA_BROKERS=host:port` it talks to that one. `MESSAGES` (default 100,000) and `PARTITIONS` (default 6) set the size.

use std::{
    collections::{BTreeMap, VecDeque},
    env,
    error::Error,
    time::{Duration, Instant, SystemTime},
};

use kafka_client_blocking::{Client, Record, TopicConfig, connect};
use kafka_testing::{
    broker::{Cluster, Config},
    server::Server,
};

/// Messages in one call: each call is accepted whole.
const CALL: u64 = 100;
/// Calls that wait for their outcome at a time.
const CALLS: usize = 64;

fn main() -> Result<(), Box<dyn Error>> {
    let messages: u64 = setting("MESSAGES", 100_000)?;
    let partitions: i32 = setting("PARTITIONS", 6)?;
    let (brokers, server) = match env::var("KAFKA_BROKERS") {
        Ok(brokers) => (brokers, None),
        Err(_) => {
            let server = Server::start(Cluster::new(Config::new().brokers(3)))?;
            (server.bootstrap(), Some(server))
        }
    };
    let whose = if server.is_some() {
        "a broker in this process"
    } else {
        "the brokers of KAFKA_BROKERS"
    };
    println!("connecting to {brokers} ({whose})");
    let client = connect(&brokers)?;

    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let topic = format!("quick-start-{}", since.as_millis());
    client.create_topics(&[TopicConfig::new(&topic).partitions(partitions)])?;
    println!("topic {topic}: {partitions} partitions");

    let start = Instant::now();
    let written = write(&client, &topic, messages)?;
    report("written", &written, start);

    let start = Instant::now();
    let read = read(&client, &topic, messages)?;
    report("read", &read, start);

    client.close(Duration::from_secs(10))?;
    match written.sum == read.sum && written.count == read.count {
        true => println!("checksums equal: {:016x}", read.sum),
        false => {
            return Err(format!(
                "checksums differ: {:016x} and {:016x}",
                written.sum, read.sum
            )
            .into());
        }
    }
    Ok(())
}

/// What one side saw.
#[derive(Default)]
struct Tally {
    count: u64,
    /// The sum over messages of a hash of key and value: the order between partitions does not matter.
    sum: u64,
    partitions: BTreeMap<i32, u64>,
}

impl Tally {
    fn add(&mut self, partition: i32, key: &[u8], value: &[u8]) {
        let bytes = key.iter().chain(value);
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325u64, |h, b| {
            (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3)
        });
        self.sum = self.sum.wrapping_add(hash);
        self.count += 1;
        *self.partitions.entry(partition).or_default() += 1;
    }
}

/// Writes with many calls in flight, and looks at every outcome.
fn write(client: &Client, topic: &str, messages: u64) -> Result<Tally, Box<dyn Error>> {
    let writer = client.writer(topic)?;
    let mut tally = Tally::default();
    let mut progress = Progress::new("written", messages);
    let mut pending = VecDeque::new();
    let mut next = 0;
    while next < messages || !pending.is_empty() {
        if next < messages && pending.len() < CALLS {
            let payload: Vec<_> = (next..messages.min(next + CALL)).map(pair).collect();
            let records: Vec<_> = payload
                .iter()
                .map(|(key, value)| Record::new(value).key(key))
                .collect();
            let receipt = writer.send(&records)?;
            next += records.len() as u64;
            pending.push_back((payload, receipt));
            continue;
        }
        let Some((payload, receipt)) = pending.pop_front() else {
            break;
        };
        for ((key, value), written) in payload.iter().zip(receipt.wait()?) {
            tally.add(written.partition, key.as_bytes(), value.as_bytes());
        }
        progress.at(tally.count);
    }
    Ok(tally)
}

/// Reads the topic from its beginning until every message was seen.
fn read(client: &Client, topic: &str, messages: u64) -> Result<Tally, Box<dyn Error>> {
    let mut reader = client.reader(topic)?;
    let mut tally = Tally::default();
    let mut progress = Progress::new("read", messages);
    while tally.count < messages {
        let Some(batch) = reader.read_batch()? else {
            break;
        };
        for message in batch.iter() {
            let message = message?;
            tally.add(
                batch.partition(),
                message.key.unwrap_or_default(),
                message.value.unwrap_or_default(),
            );
        }
        progress.at(tally.count);
    }
    Ok(tally)
}

fn pair(i: u64) -> (String, String) {
    (
        format!("order-{}", i % 1000),
        format!("{{\"order\":{i},\"state\":\"paid\"}}"),
    )
}

/// A line every second on runs that take longer.
struct Progress {
    what: &'static str,
    all: u64,
    told: Instant,
}

impl Progress {
    fn new(what: &'static str, all: u64) -> Self {
        Self {
            what,
            all,
            told: Instant::now(),
        }
    }

    fn at(&mut self, count: u64) {
        if self.told.elapsed() >= Duration::from_secs(1) {
            self.told = Instant::now();
            println!("  {} {count} of {}", self.what, self.all);
        }
    }
}

fn report(what: &str, tally: &Tally, start: Instant) {
    let partitions: Vec<_> = tally
        .partitions
        .iter()
        .map(|(p, n)| format!("{p}: {n}"))
        .collect();
    println!(
        "{what} {} messages in {:.2} s; by partition {}",
        tally.count,
        start.elapsed().as_secs_f64(),
        partitions.join(", ")
    );
}

fn setting<T: std::str::FromStr>(name: &str, default: T) -> Result<T, String> {
    match env::var(name) {
        Err(_) => Ok(default),
        Ok(text) => text
            .parse()
            .map_err(|_| format!("{name}={text} is not a number")),
    }
}
