//! What control wants dialled, by whoever drives it.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant, SystemTime},
};

use kafka_proto::{
    client::{Client, Clock, Now},
    config::Config,
};

#[derive(Debug)]
struct Stopped(Now);

impl Clock for Stopped {
    fn now(&self) -> Now {
        self.0
    }
}

/// An executor that ends drops every dial at once: wanting the next one at once would never let its driver see the end.
#[test]
#[allow(
    clippy::disallowed_methods,
    reason = "tests need a moment to begin with"
)]
fn a_dial_that_is_dropped_is_wanted_again_after_a_pause() {
    let now = Now::at(Instant::now(), SystemTime::now());
    let config = Config::new("localhost:9092").expect("an address");
    let (client, mut control) = Client::new(config, Arc::new(Stopped(now)), 1).expect("a client");
    let mut cx = Context::from_waker(Waker::noop());
    let waiting = client.call(kafka_proto::api::metadata::MetadataRequest::default());
    let Poll::Ready(Some(dial)) = control.poll(now, &mut cx) else {
        panic!("a connection is wanted")
    };
    drop(dial);
    assert!(control.poll(now, &mut cx).is_pending(), "not at once");
    let at = control.deadline().expect("later");
    assert!(at > now.instant && at < now.instant + Duration::from_secs(5));
    let later = Now { instant: at, ..now };
    assert!(matches!(control.poll(later, &mut cx), Poll::Ready(Some(_))));
    drop(waiting);
}
