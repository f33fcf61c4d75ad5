//! What the feature `tracing` gives: alone in its binary, since other threads would settle what is traced.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex},
    time::Duration,
};

use kafka_proto::record;
use kafka_testing::{
    broker::Config,
    sim::{Faults, Sim},
};
use tracing::{
    Metadata, Subscriber,
    field::Field,
    span::{Attributes, Id, Record},
};

const TOPIC: &str = "orders";

/// Writes down what is traced.
#[derive(Clone, Default)]
struct Tracer(Arc<Mutex<Vec<String>>>);

impl Subscriber for Tracer {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let metadata = event.metadata();
        let mut line = format!("{} {}", metadata.level(), metadata.target());
        event.record(&mut |field: &Field, value: &dyn Debug| {
            line += &format!(" {field}={value:?}");
        });
        self.0.lock().expect("alone").push(line);
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The feature `tracing`: events, requests and answers, and never what is in them.
#[test]
fn requests_answers_and_events_are_traced_without_payload() {
    let tracer = Tracer::default();
    tracing::subscriber::with_default(tracer.clone(), || {
        let sim = Sim::new(1, Config::new(), Faults::none());
        sim.cluster(|cluster| cluster.create_topic(TOPIC, 1));
        let client = sim.client(sim.config());
        let writer = client.writer(TOPIC).expect("a writer");
        let story = async {
            let secret = record::Record::new("hunter2").key("hunter2");
            writer.write(secret).await.expect("written");
            sim.crash(1);
            sim.sleep(Duration::from_secs(1)).await;
        };
        sim.block_on(Duration::from_secs(10), story)
            .expect("it ends");
    });
    let lines = tracer.0.lock().expect("alone");
    let has = |words: &[&str]| {
        lines
            .iter()
            .any(|line| words.iter().all(|w| line.contains(w)))
    };
    assert!(
        has(&["TRACE kafka::request", "api=\"Produce\"", "bytes="]),
        "{lines:#?}"
    );
    assert!(
        has(&["TRACE kafka::response", "api=\"Metadata\"", "correlation="]),
        "{lines:#?}"
    );
    assert!(has(&["INFO kafka ", "connected to"]), "{lines:#?}");
    assert!(has(&["WARN kafka ", "disconnected from"]), "{lines:#?}");
    assert!(!has(&["hunter2"]), "{lines:#?}");
}
