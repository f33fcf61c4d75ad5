//! Connections cut at every byte, and frames in every kind of pieces.

use std::time::Duration;

use kafka_proto::{config::ReaderConfig, record::Record};
use kafka_testing::{
    broker::Config,
    sim::{Chunks, Faults, Sim, Way},
};

use super::produce_consume::Plan;

const TOPIC: &str = "orders";

/// The connections of [`exchange`], in the order in which they are made: for metadata, for produce, for fetch.
const CONNECTIONS: u64 = 3;

/// Writes two messages and reads them, over three connections of which one may be cut.
fn exchange(cut: Option<(u64, Way, u64)>) -> Vec<(u64, u64)> {
    let sim = Sim::new(1, Config::new(), Faults::none());
    sim.cluster(|cluster| cluster.create_topic(TOPIC, 1));
    if let Some((nth, way, bytes)) = cut {
        sim.cut_after(nth, way, bytes);
    }
    let client = sim.client(sim.config());
    let writer = client.writer(TOPIC).expect("a writer");
    let story = async {
        for value in ["a", "b"] {
            writer.write(Record::new(value)).await.expect("written");
        }
        let config = ReaderConfig::topic(TOPIC).max_wait(Duration::from_millis(50));
        let mut reader = client.reader(config).expect("a reader");
        for value in ["a", "b"] {
            let message = reader.read_message().await.expect("read").expect("one");
            assert_eq!(message.value(), Some(value.as_bytes()));
        }
    };
    if let Err(stuck) = sim.block_on(Duration::from_secs(60), story) {
        sim.trace().iter().for_each(|line| println!("{line}"));
        panic!("with {cut:?}: {stuck}");
    }
    let log = sim.cluster(|cluster| cluster.log(TOPIC, 0).values());
    assert_eq!(log, ["a", "b"], "with {cut:?}");
    sim.traffic()
}

/// Fault 8.
#[test]
fn a_connection_cut_at_any_byte_loses_and_doubles_nothing() {
    let traffic = exchange(None);
    assert_eq!(traffic.len() as u64, CONNECTIONS);
    for (nth, (up, down)) in (0..).zip(traffic) {
        for bytes in 0..up {
            exchange(Some((nth, Way::Up, bytes)));
        }
        for bytes in 0..down {
            exchange(Some((nth, Way::Down, bytes)));
        }
    }
}

/// Fault 9.
#[test]
fn frames_that_come_byte_by_byte_are_the_same_frames() {
    for seed in 0..3 {
        let mut plan = Plan::new(seed);
        plan.faults = Faults {
            chunks: Chunks::Bytes,
            ..Faults::none()
        };
        let report = plan.run();
        assert!(
            report.faults.is_empty(),
            "seed {seed}: {:#?}",
            report.faults
        );
    }
}

#[test]
fn a_seed_is_the_same_run_every_time() {
    for seed in 0..20 {
        let (a, b) = (Plan::new(seed).run(), Plan::new(seed).run());
        assert_eq!(a.fingerprint, b.fingerprint, "seed {seed}");
        assert_eq!(a.trace, b.trace, "seed {seed}");
    }
    let other = (Plan::new(0).run(), Plan::new(1).run());
    assert_ne!(other.0.fingerprint, other.1.fingerprint);
}
