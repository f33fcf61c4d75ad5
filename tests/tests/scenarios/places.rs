//! Where scenarios run: the in-process broker, and real Kafka of several releases, each started when it is first needed.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use kafka_testing::{
    broker::{Cluster, Config, Release},
    kafka::{Kafka, KafkaVersion, Options},
    server::Server,
};
use libtest_mimic::Trial;

use crate::common::{Outcome, kafka_trial};

/// All places.
pub(crate) const NAMES: [&str; 4] = ["in_process", "kafka_4_3_1", "kafka_3_9_1", "kafka_2_8_2"];

/// Where connections are tried: also with brokers that no client talks to.
pub(crate) const OF_CONNECTIONS: [&str; 8] = [
    "in_process",
    "in_process_0_10_1",
    "kafka_4_3_1",
    "kafka_3_9_1",
    "kafka_2_8_2",
    "kafka_1_1_1",
    "kafka_0_11_0_3",
    "kafka_0_10_2_2",
];

/// Those of them that take `--include-ignored`.
pub(crate) const IGNORED: [&str; 3] = ["kafka_3_9_1", "kafka_1_1_1", "kafka_0_11_0_3"];

/// A cluster to talk to, and names that nobody else uses there.
#[derive(Clone)]
pub(crate) struct Place {
    /// `host:port`, with commas between brokers.
    pub(crate) brokers: String,
    names: Arc<AtomicU64>,
}

impl Place {
    /// The address of one broker.
    pub(crate) fn broker(&self) -> String {
        let first = self.brokers.split(',').next();
        first.expect("a broker").to_owned()
    }

    /// A topic that nobody else uses.
    pub(crate) fn name(&self) -> String {
        format!("scenario-{}", self.names.fetch_add(1, Ordering::Relaxed))
    }
}

/// The brokers that run.
#[derive(Clone, Default)]
pub(crate) struct Places(Arc<Mutex<BTreeMap<&'static str, (Broker, Place)>>>);

/// Kept for its end.
#[allow(dead_code, reason = "dropping it stops it")]
enum Broker {
    InProcess(Server),
    Kafka(Box<Kafka>),
}

impl Places {
    /// A trial at `place`.
    pub(crate) fn trial(
        &self,
        name: &str,
        place: &'static str,
        body: impl FnOnce(Place) -> Outcome + Send + 'static,
    ) -> Trial {
        let places = self.clone();
        match version(place) {
            None => Trial::test(name, move || {
                let outcome = places.start(place, None).and_then(body);
                outcome.map_err(|e| e.to_string().into())
            }),
            Some(version) => kafka_trial(name, version, move || {
                places.start(place, Some(version)).and_then(body)
            }),
        }
    }

    /// The place, started if it does not run yet.
    fn start(
        &self,
        name: &'static str,
        version: Option<KafkaVersion>,
    ) -> Result<Place, Box<dyn std::error::Error>> {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, place)) = running.get(name) {
            return Ok(place.clone());
        }
        let (broker, brokers) = match version {
            None => {
                let config = match name {
                    "in_process_0_10_1" => Config::new().as_version(Release::V0_10_1),
                    _ => Config::new().brokers(3),
                };
                let server = Server::start(Cluster::new(config))?;
                let brokers = server.bootstrap();
                (Broker::InProcess(server), brokers)
            }
            Some(version) => {
                let options = Options::new().version(version);
                // before 0.11 a question about a topic that is not there would make it
                let options = match version < KafkaVersion::V0_11_0_3 {
                    true => options.property("auto.create.topics.enable", "false"),
                    false => options,
                };
                let kafka = Kafka::start(options)?;
                let brokers = kafka.bootstrap();
                (Broker::Kafka(Box::new(kafka)), brokers)
            }
        };
        let names = Arc::new(AtomicU64::new(0));
        let place = Place { brokers, names };
        running.insert(name, (broker, place.clone()));
        Ok(place)
    }
}

fn version(place: &str) -> Option<KafkaVersion> {
    match place {
        "kafka_4_3_1" => Some(KafkaVersion::V4_3_1),
        "kafka_3_9_1" => Some(KafkaVersion::V3_9_1),
        "kafka_2_8_2" => Some(KafkaVersion::V2_8_2),
        "kafka_1_1_1" => Some(KafkaVersion::V1_1_1),
        "kafka_0_11_0_3" => Some(KafkaVersion::V0_11_0_3),
        "kafka_0_10_2_2" => Some(KafkaVersion::V0_10_2_2),
        _ => None,
    }
}
