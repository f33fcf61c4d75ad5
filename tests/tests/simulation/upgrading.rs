//! A cluster whose brokers are of several releases.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    rc::Rc,
    sync::{Arc, Mutex},
    time::Duration,
};

use kafka_proto::{
    api::ApiKey,
    client::Event,
    config::{ReaderConfig, StartOffset},
    error::ErrorKind,
    record::Record,
};
use kafka_testing::{
    broker::{Config, Release},
    sim::{Faults, Sim},
};

const TOPIC: &str = "orders";
const PARTITIONS: i32 = 3;

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Fault 43: brokers are upgraded one by one, and taken back one by one, while a client writes and reads. Each connection
/// speaks what its broker knows now, and nothing ends but what the restarts end.
#[test]
fn a_rolling_upgrade_and_the_way_back_are_hardly_noticed() {
    let old = Release::V2_8;
    let config = Config::new().brokers(3).as_version(old);
    let sim = Sim::new(1, config, Faults::none());
    sim.cluster(|cluster| cluster.create_topic(TOPIC, PARTITIONS));
    // the highest version of each request that each broker has got since it was started
    let spoken = Arc::new(Mutex::new(BTreeMap::<(i32, ApiKey), i16>::new()));
    let heard = spoken.clone();
    sim.cluster(|cluster| {
        cluster.intercept(move |request| {
            let mut heard = heard.lock().expect("alone");
            let key = (request.broker, request.api);
            heard.insert(key, request.version);
            None
        });
    });
    let refused = Rc::new(RefCell::new(Vec::new()));
    let client = sim.client(sim.config());
    let writer = client.writer(TOPIC).expect("a writer");
    let config = ReaderConfig::topic(TOPIC).start(StartOffset::First);
    let mut reader = client.reader(config).expect("a reader");
    let mut events = client.events();
    let told = refused.clone();
    drop(sim.spawn(async move {
        while let Some(event) = events.next().await {
            if let Event::Disconnected { error, .. } | Event::Unreachable { error, .. } = event {
                told.borrow_mut().push(error);
            }
        }
    }));
    let story = async {
        let mut written = 0;
        let mut versions = Vec::new();
        let steps = [Release::V3_9, Release::V4_3, Release::V3_9, old];
        for release in steps {
            for broker in 1..=3 {
                sim.crash(broker);
                sim.cluster(|cluster| cluster.set_release(broker, release));
                sim.restart(broker);
                spoken.lock().expect("alone").clear();
                for partition in 0..PARTITIONS {
                    let text = format!("{written}");
                    let record = Record::new(&text).partition(partition);
                    writer.write(record).await.expect("written");
                    let message = reader.read_message().await.expect("read").expect("one");
                    assert_eq!(message.value(), Some(text.as_bytes()));
                    written += 1;
                }
            }
            // every broker leads a partition again, and is spoken to as it is now
            for broker in 1..=3 {
                sim.lead(TOPIC, broker - 1, broker);
            }
            sim.sleep(secs(1)).await;
            spoken.lock().expect("alone").clear();
            for partition in 0..PARTITIONS {
                let record = Record::new("all").partition(partition);
                writer.write(record).await.expect("written");
                reader.read_message().await.expect("read").expect("one");
            }
            let spoken = spoken.lock().expect("alone");
            let produced = (1..=3).map(|broker| spoken[&(broker, ApiKey::Produce)]);
            versions.push(produced.collect::<Vec<_>>());
        }
        versions
    };
    let versions = sim.block_on(secs(600), story).expect("it ends");
    assert_eq!(versions, [[11; 3], [13; 3], [11; 3], [9; 3]]);
    for error in refused.borrow().iter() {
        let by_restart = matches!(
            error.kind(),
            ErrorKind::Disconnected | ErrorKind::Unreachable
        );
        assert!(by_restart, "{error}");
    }
}

/// A broker that is too old to describe the cluster to a client (before 0.11) is told, once none of them can; it was asked
/// again for ever.
#[test]
fn brokers_that_are_too_old_for_a_client_are_an_error_that_says_so() {
    let config = Config::new().brokers(2).as_version(Release::V0_10_1);
    let sim = Sim::new(1, config, Faults::none());
    let client = sim.client(sim.config());
    let answer = sim.block_on(secs(60), client.ready()).expect("an answer");
    let error = answer.expect_err("too old");
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("Metadata"), "{error}");
    assert!(!error.is_retriable());
}

/// Where another broker can describe the cluster, it is found, whichever is asked first.
#[test]
fn one_broker_that_is_too_old_does_not_keep_a_client_from_another() {
    for seed in 0..8 {
        for old in 1..=2 {
            let sim = Sim::new(seed, Config::new().brokers(2), Faults::none());
            sim.cluster(|cluster| cluster.set_release(old, Release::V0_10_1));
            let client = sim.client(sim.config());
            let answer = sim.block_on(secs(60), client.ready()).expect("an answer");
            answer.expect("described by the other one");
        }
    }
}
