//! What a client tells of its connections, as stories in virtual time.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use kafka_proto::{
    api::{AnyResponse, ApiKey, metadata::MetadataRequest},
    client::Event,
    error::ErrorCode,
    record::Record,
};
use kafka_testing::{
    broker::{Config, Fault, Rule},
    sim::{Faults, Role, Sim},
};

const TOPIC: &str = "orders";

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn sim(brokers: i32) -> Sim {
    let sim = Sim::new(1, Config::new().brokers(brokers), Faults::none());
    sim.cluster(|cluster| cluster.create_topic(TOPIC, 1));
    sim
}

/// A list that a logger fills.
type Told = Arc<Mutex<Vec<Event>>>;

fn logger(told: &Told) -> impl Fn(&Event) + Send + Sync + 'static {
    let told = told.clone();
    move |event| told.lock().expect("alone").push(event.clone())
}

/// Acceptance RC-17, RC-18, WC-15, WC-16.
#[test]
fn a_broker_that_is_away_for_a_minute_is_told_once_a_second_and_nothing_is_left_out_of_the_count() {
    let sim = sim(1);
    let (all, errors) = (Told::default(), Told::default());
    let config = sim.config().reconnect_backoff(secs(1) / 20, secs(1) / 10);
    let config = config.logger(logger(&all)).error_logger(logger(&errors));
    let client = sim.client(config);
    let story = async {
        client.ready().await.expect("a broker");
        let dialled = sim.dials().len();
        sim.crash(1);
        sim.sleep(secs(60)).await;
        let failed = sim.dials().len() - dialled;
        sim.restart(1);
        client.ready().await.expect("it is back");
        sim.sleep(secs(2)).await;
        failed
    };
    let failed = sim.block_on(secs(90), story).expect("it ends");
    assert!(failed > 300, "only {failed} dials");
    let errors = errors.lock().expect("alone");
    let mut counted = 0;
    let mut unreachable = 0;
    for event in errors.iter() {
        assert!(event.is_error(), "{event}");
        if let Event::Unreachable { unreported, .. } = event {
            unreachable += 1;
            counted += 1 + unreported;
        }
    }
    assert!((55..=61).contains(&unreachable), "{unreachable} events");
    // what came in the last second has not been told yet
    let left_out = failed as u64 - counted;
    assert!(left_out <= 20, "{left_out} of {failed} were never told");
    let connected = |e: &&Event| matches!(e, Event::Connected { .. });
    assert_eq!(
        all.lock().expect("alone").iter().filter(connected).count(),
        2
    );
}

/// A connection that nothing needs is closed before the broker does it, and made again when something does.
#[test]
fn connections_that_are_idle_are_closed_and_made_again() {
    let sim = sim(3);
    let config = sim.config().idle_timeout(Some(secs(30)));
    let config = config.metadata_max_age(secs(20));
    let told = Told::default();
    let client = sim.client(config.logger(logger(&told)));
    let writer = client.writer(TOPIC).expect("a writer");
    let mut reader = client.reader(TOPIC).expect("a reader");
    let story = async {
        writer.write(Record::new("first")).await.expect("written");
        reader.read_message().await.expect("read").expect("one");
        // control, producer, reader
        assert_eq!(sim.tasks(Role::Link), 6);
        sim.sleep(secs(29)).await;
        assert_eq!(sim.tasks(Role::Link), 6);
        sim.sleep(secs(2)).await;
        assert_eq!(sim.tasks(Role::Link), 4, "metadata and the fetch go on");
        let dials = sim.dials().len();
        sim.sleep(secs(300)).await;
        assert_eq!(
            sim.dials().len(),
            dials,
            "and nothing is dialled for nothing"
        );
        writer.write(Record::new("second")).await.expect("written");
        let message = reader.read_message().await.expect("read").expect("one");
        assert_eq!(message.value(), Some(&b"second"[..]));
        assert_eq!(sim.dials().len(), dials + 1);
    };
    sim.block_on(secs(600), story).expect("it ends");
    let errors = told
        .lock()
        .expect("alone")
        .iter()
        .filter(|e| e.is_error())
        .count();
    assert_eq!(errors, 0, "a close of ours is none");
}

/// Fault 35, KIP-219: a broker that names a pause of 30 s, five times as long as a request may take, is obeyed. Nothing
/// is sent on that connection meanwhile, nothing times out, and the other connections go on.
#[test]
fn a_broker_that_throttles_writes_is_obeyed_on_that_connection_alone() {
    let sim = sim(1);
    let told = Told::default();
    let client = sim.client(sim.config().logger(logger(&told)));
    let writer = client.writer(TOPIC).expect("a writer");
    let mut reader = client.reader(TOPIC).expect("a reader");
    let story = async {
        writer.write(Record::new("first")).await.expect("written");
        let throttle = |time| sim.cluster(|cluster| cluster.set_throttle(ApiKey::Produce, time));
        throttle(secs(30));
        // its answer comes at once, and with it the pause
        writer.write(Record::new("second")).await.expect("written");
        throttle(Duration::ZERO);
        let paused = sim.now();
        let late = writer.send(&[Record::new("third")]).await.expect("room");
        // the other connections: a call, and a fetch
        client
            .call(MetadataRequest::default())
            .await
            .expect("answered");
        for value in ["first", "second"] {
            let message = reader.read_message().await.expect("read").expect("one");
            assert_eq!(message.value(), Some(value.as_bytes()));
        }
        assert!(sim.now() - paused < secs(5), "{:?}", sim.now() - paused);
        late.await.expect("written");
        let took = sim.now() - paused;
        assert!(took >= secs(29) && took < secs(31), "{took:?}");
    };
    sim.block_on(secs(60), story).expect("it ends");
    let told = told.lock().expect("alone");
    let is_it = |e: &&Event| matches!(e, Event::Throttled { time, .. } if *time == secs(30));
    assert_eq!(told.iter().filter(is_it).count(), 1);
    assert!(!told.iter().any(Event::is_error), "{told:#?}");
}

/// What is in flight when the pause begins has that much more time.
#[test]
fn requests_in_flight_outlast_a_pause_that_is_longer_than_they_may_take() {
    let sim = sim(1);
    let client = sim.client(sim.config());
    let story = async {
        client.ready().await.expect("a broker");
        sim.cluster(|cluster| cluster.set_throttle(ApiKey::Metadata, secs(20)));
        let first = client.call(MetadataRequest::default());
        // sent before the answer to the first: the broker reads it after the pause
        let second = client.call(MetadataRequest::default());
        first.await.expect("answered at once");
        assert!(sim.now() < secs(5), "{:?}", sim.now());
        second.await.expect("answered after the pause");
        assert!(sim.now() >= secs(19), "{:?}", sim.now());
    };
    sim.block_on(secs(60), story).expect("it ends");
}

/// Fault 4, KIP-899: every broker is back under another address, and only the configuration knows one of them.
#[test]
fn brokers_that_are_back_under_new_addresses_are_found_by_the_configuration() {
    let sim = sim(3);
    let config = sim.config().brokers("broker-1:9092,new-2:9092");
    let told = Told::default();
    sim.cluster(|cluster| cluster.set_address(1, "broker-1", 9092));
    let client = sim.client(config.expect("addresses").logger(logger(&told)));
    let writer = client.writer(TOPIC).expect("a writer");
    let story = async {
        writer.write(Record::new("before")).await.expect("written");
        for broker in 1..=3 {
            sim.crash(broker);
            sim.cluster(|cluster| cluster.set_address(broker, &format!("new-{broker}"), 9092));
        }
        sim.sleep(secs(5)).await;
        (1..=3).for_each(|broker| sim.restart(broker));
        let up = sim.now();
        writer.write(Record::new("after")).await.expect("written");
        assert!(sim.now() - up < secs(5), "{:?}", sim.now() - up);
    };
    sim.block_on(secs(60), story).expect("it ends");
    let told = told.lock().expect("alone");
    let anew = |e: &&Event| matches!(e, Event::Rebootstrapped);
    assert_eq!(told.iter().filter(anew).count(), 1);
}

/// Fault 4, KIP-1102: a broker says that the client is to begin anew.
#[test]
fn a_broker_that_asks_for_it_makes_the_client_begin_anew() {
    let sim = sim(2);
    let told = Told::default();
    let client = sim.client(sim.config().logger(logger(&told)));
    let writer = client.writer(TOPIC).expect("a writer");
    let story = async {
        writer.write(Record::new("before")).await.expect("written");
        let begin_anew = Fault::change(|_, answer| {
            if let AnyResponse::Metadata(answer) = answer {
                answer.error_code = ErrorCode::REBOOTSTRAP_REQUIRED.0;
                (answer.brokers, answer.topics) = Default::default();
            }
        });
        sim.cluster(|cluster| cluster.inject(Rule::new(begin_anew).api(ApiKey::Metadata)));
        // a leader that has moved makes the client ask
        sim.lead(TOPIC, 0, 2);
        writer.write(Record::new("second")).await.expect("written");
        sim.lead(TOPIC, 0, 1);
        writer.write(Record::new("third")).await.expect("written");
    };
    sim.block_on(secs(60), story).expect("it ends");
    let told = told.lock().expect("alone");
    let anew = |e: &&Event| matches!(e, Event::Rebootstrapped);
    assert_eq!(told.iter().filter(anew).count(), 1, "{told:#?}");
}
