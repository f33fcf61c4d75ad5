//! Trials that need real Kafka: where it can't be had they are shown as ignored with the reason, never as passed.

use std::env;
use std::error::Error;

use kafka_testing::kafka::{self, Kafka, KafkaVersion, LaunchError, Options};
use libtest_mimic::{Completion, Failed, Trial};

/// What a body returns: any error fails the trial.
pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// A trial that runs `body` where Kafka's jars of `version` are there or can be fetched.
///
/// Otherwise it is ignored, or failed if `KAFKA_TESTING_REQUIRE` is 1, as in CI. The reason is the trial's kind where it
/// is known before the run.
pub(crate) fn kafka_trial(
    name: &str,
    version: KafkaVersion,
    body: impl FnOnce() -> Outcome + Send + 'static,
) -> Trial {
    let run = move || {
        let prepared = kafka::prepare(version).map_err(Into::into);
        match prepared.and_then(|()| body()) {
            Ok(()) => Ok(Completion::Completed),
            Err(e) if is_missing(&*e) && !is_required() => Ok(Completion::ignored_with(short(&*e))),
            Err(e) => Err(Failed::from(describe(&*e))),
        }
    };
    let trial = Trial::ignorable_test(name, run);
    match kafka::available() {
        Err(reason) if !is_required() => trial.with_kind(reason).with_ignored_flag(true),
        _ => trial,
    }
}

/// A trial with one broker of `version` that is started for it.
#[allow(
    dead_code,
    reason = "every test binary compiles this module, not all of them use all of it"
)]
pub(crate) fn broker_trial(
    name: &str,
    version: KafkaVersion,
    body: impl FnOnce(&Kafka) -> Outcome + Send + 'static,
) -> Trial {
    kafka_trial(name, version, move || {
        body(&Kafka::start(Options::new().version(version))?)
    })
}

/// Whether a machine without Java or Maven is an error.
fn is_required() -> bool {
    env::var_os("KAFKA_TESTING_REQUIRE").is_some_and(|value| value == "1")
}

/// Whether this machine lacks what the trial needs.
fn is_missing(error: &(dyn Error + 'static)) -> bool {
    error
        .downcast_ref::<LaunchError>()
        .is_some_and(LaunchError::is_environment)
}

fn describe(mut error: &dyn Error) -> String {
    let mut text = error.to_string();
    while let Some(source) = error.source() {
        text.push_str(": ");
        text.push_str(&source.to_string());
        error = source;
    }
    text
}

/// The first lines of an error as one: what a test runner prints beside the name.
fn short(error: &dyn Error) -> String {
    error
        .to_string()
        .lines()
        .take(2)
        .collect::<Vec<_>>()
        .join(" ")
}
