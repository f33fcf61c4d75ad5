//! Serves the in-process broker, for tests of programs in other languages.
//!
//! ```text
//! cargo run -p kafka-testing --example broker -- [--brokers N] [--release 2.8] [--topic NAME[:PARTITIONS]] ...
//! ```
//!
//! Prints the addresses as one line, `brokers 127.0.0.1:40001,127.0.0.1:40002`, then obeys lines on standard input and
//! says `ok`, a result, or `error: ...` to each. Ends at the end of its input, so that it cannot outlive who started it.
//!
//! ```text
//! topic NAME PARTITIONS        creates a topic
//! stop N / start N             a broker, counted from 1
//! lead TOPIC PARTITION N       moves the leader
//! fail CODE API TIMES          the next requests of an API, by its number, get an error code: fail 6 0 1
//! delay MS API TIMES           or are answered later
//! end TOPIC PARTITION          says the offset after the last record
//! ```

use std::{
    env,
    error::Error,
    io::{self, BufRead, Write},
    str::FromStr,
    time::Duration,
};

use kafka_proto::{api::ApiKey, error::ErrorCode};
use kafka_testing::{
    broker::{Cluster, Config, Fault, Release, Rule},
    server::Server,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let (config, topics) = arguments(env::args().skip(1))?;
    let server = Server::start(Cluster::new(config))?;
    for (name, partitions) in topics {
        create(&server, &name, partitions)?;
    }
    println!("brokers {}", server.bootstrap());
    for line in io::stdin().lock().lines() {
        match obey(&server, &line?) {
            Ok(said) => println!("{said}"),
            Err(error) => println!("error: {error}"),
        }
        io::stdout().flush()?;
    }
    Ok(())
}

fn arguments(mut all: impl Iterator<Item = String>) -> Result<(Config, Vec<(String, i32)>)> {
    let mut config = Config::new().auto_create_topics(true);
    let mut topics = Vec::new();
    while let Some(option) = all.next() {
        let value = all
            .next()
            .ok_or_else(|| format!("{option} needs a value"))?;
        match &option[..] {
            "--brokers" => config = config.brokers(above_zero("--brokers", &value)?),
            "--release" => config = config.as_version(release(&value)?),
            "--topic" => topics.push(match value.split_once(':') {
                Some((name, partitions)) => (name.to_owned(), above_zero("--topic", partitions)?),
                None => (value, 1),
            }),
            _ => return Err(format!("there is no option {option}").into()),
        }
    }
    Ok((config, topics))
}

fn obey(server: &Server, line: &str) -> Result<String> {
    let words: Vec<_> = line.split_whitespace().collect();
    match words[..] {
        ["topic", name, partitions] => create(server, name, above_zero("topic", partitions)?)?,
        ["stop", broker] => server.stop_broker(known(server, broker)?),
        ["start", broker] => server.start_broker(known(server, broker)?)?,
        ["lead", topic, partition, broker] => {
            let partition = there(server, topic, partition)?;
            let broker = known(server, broker)?;
            if !server.cluster().is_running(broker) {
                return Err(format!("broker {broker} is stopped").into());
            }
            server.cluster().set_leader(topic, partition, broker);
        }
        ["fail", code, api, times] => {
            let fault = Fault::Error(ErrorCode(number(code)?));
            inject(server, fault, api, times)?;
        }
        ["delay", ms, api, times] => {
            let fault = Fault::DelayResponse(Duration::from_millis(number(ms)?));
            inject(server, fault, api, times)?;
        }
        ["end", topic, partition] => {
            let partition = there(server, topic, partition)?;
            return Ok(server
                .cluster()
                .log(topic, partition)
                .end_offset()
                .to_string());
        }
        _ => return Err(format!("`{line}` is no command").into()),
    }
    Ok("ok".to_owned())
}

fn create(server: &Server, name: &str, partitions: i32) -> Result<()> {
    let mut cluster = server.cluster();
    if cluster.topics().any(|topic| topic == name) {
        return Err(format!("topic {name} exists already").into());
    }
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if name.len() > 249 || matches!(name, "" | "." | "..") || !name.bytes().all(legal) {
        return Err(format!("`{name}` is no name for a topic").into());
    }
    cluster.create_topic(name, partitions);
    Ok(())
}

fn inject(server: &Server, fault: Fault, api: &str, times: &str) -> Result<()> {
    let key =
        ApiKey::try_from(number::<i16>(api)?).map_err(|_| format!("no API has number {api}"))?;
    let rule = Rule::new(fault).api(key).times(number(times)?);
    server.cluster().inject(rule);
    Ok(())
}

fn known(server: &Server, broker: &str) -> Result<i32> {
    let id = number(broker)?;
    match server.cluster().brokers().any(|known| known == id) {
        true => Ok(id),
        false => Err(format!("there is no broker {id}").into()),
    }
}

fn there(server: &Server, topic: &str, partition: &str) -> Result<i32> {
    let partition = number(partition)?;
    match (0..server.cluster().partition_count(topic)).contains(&partition) {
        true => Ok(partition),
        false => Err(format!("there is no partition {partition} of {topic}").into()),
    }
}

/// A release by its name, such as 4.3.
fn release(text: &str) -> Result<Release> {
    let name = |release: &Release| format!("{release:?}")[1..].replace('_', ".");
    let names: Vec<_> = Release::ALL.iter().map(name).collect();
    let found = names.iter().position(|name| name == text);
    found
        .map(|at| Release::ALL[at])
        .ok_or_else(|| format!("no release {text}; there are {}", names.join(", ")).into())
}

fn above_zero(what: &str, text: &str) -> Result<i32> {
    let count = number(text)?;
    match count > 0 && count <= 10_000 {
        true => Ok(count),
        false => Err(format!("{what} must be from 1 to 10000, and is {count}").into()),
    }
}

fn number<T: FromStr>(text: &str) -> Result<T> {
    text.parse()
        .map_err(|_| format!("`{text}` is not such a number").into())
}
