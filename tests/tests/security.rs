//! Every way in that real brokers offer, by every adapter: TLS, client certificates, and each SASL mechanism, with and
//! without TLS; and what ACLs refuse to who is in.
//!
//! A trial is called `way::runtime::broker`. An ordinary run has the ways that cover the most code on the newest broker;
//! all of them, on both brokers:
//!
//! `cargo test -p kafka-testing --test security -- --include-ignored`

#[path = "security/acls.rs"]
mod acls;
mod common;
#[path = "security/places.rs"]
mod places;
#[path = "common/runtimes.rs"]
mod runtimes;
#[path = "security/stories.rs"]
mod stories;

use kafka_testing::kafka::KafkaVersion;
use libtest_mimic::Arguments;

use crate::{
    places::{Place, Places, WAYS, Way},
    runtimes::Runtime,
};

const ASYNC: [(&str, Runtime); 4] = [
    ("tokio", Runtime::tokio),
    ("tokio_current_thread", Runtime::tokio_current_thread),
    ("async_std", Runtime::async_std),
    ("smol", Runtime::smol),
];

const VERSIONS: [(&str, KafkaVersion); 2] = [
    ("kafka_4_3_1", KafkaVersion::V4_3_1),
    ("kafka_2_8_2", KafkaVersion::V2_8_2),
];

fn main() {
    let places = Places::default();
    let mut trials = Vec::new();
    for (broker, version) in VERSIONS {
        let newest = version == KafkaVersion::V4_3_1;
        let mut add = |name: String, quick: bool, body: Box<dyn FnOnce(&Place) + Send>| {
            let trial = places.trial(&format!("{name}::{broker}"), version, body);
            let ignored = trial.has_ignored_flag() || !(quick && newest);
            trials.push(trial.with_ignored_flag(ignored));
        };
        for way in WAYS {
            for (name, runtime) in ASYNC {
                let story = move |place: &Place| stories::everything(runtime, way, place);
                add(
                    format!("{}::{name}", way.name()),
                    way.is_quick(),
                    Box::new(story),
                );
            }
            let story = move |place: &Place| stories::everything_blocking(way, place);
            add(
                format!("{}::blocking", way.name()),
                way.is_quick(),
                Box::new(story),
            );
        }
        for (name, runtime) in ASYNC {
            let story = move |place: &Place| stories::renewal(runtime, Way::SaslSslPlain, place);
            add(
                format!("sessions_are_renewed_under_load::{name}"),
                name == "tokio",
                Box::new(story),
            );
        }
        let story = move |place: &Place| stories::renewal(Runtime::tokio, Way::SaslOauth, place);
        add(
            "tokens_are_fetched_again::tokio".to_owned(),
            false,
            Box::new(story),
        );
        add(
            "wrong_credentials_are_told_at_once".to_owned(),
            true,
            Box::new(stories::refusals),
        );
        add(
            "properties_of_java_and_librdkafka_connect".to_owned(),
            true,
            Box::new(stories::properties),
        );
        for (name, runtime) in ASYNC {
            let story = move |place: &Place| acls::refuse(runtime, place);
            add(
                format!("acls_refuse_topics_groups_and_the_cluster::{name}"),
                true,
                Box::new(story),
            );
        }
        add(
            "acls_refuse_topics_groups_and_the_cluster::blocking".to_owned(),
            true,
            Box::new(acls::refuse_blocking),
        );
    }
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    // brokers end with it, and an exit would leave them
    drop(places);
    conclusion.exit();
}
