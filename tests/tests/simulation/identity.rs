//! Who comes, in virtual time: SASL in any chunks, its renewal under load, and what goes wrong with it (faults 40 and 41).

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use kafka_proto::{
    api::{AnyResponse, ApiKey},
    client::Client,
    config::Sasl,
    error::{ErrorKind, Fault as Blame},
    record::Record,
    sasl::{OauthBearer, SaslError},
};
use kafka_testing::{
    broker::{self, Config, Fault, Release, Rule},
    sim::{Faults, Sim},
};

const TOPIC: &str = "orders";
const LIMIT: Duration = Duration::from_secs(600);
const SESSION: Duration = Duration::from_secs(3);

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn users() -> broker::Sasl {
    broker::Sasl::new().user("ali=ce,", "secret").token("token")
}

/// One broker that asks who comes.
fn sim(seed: u64, users: broker::Sasl, faults: Faults) -> Sim {
    let sim = Sim::new(seed, Config::new().sasl(users), faults);
    sim.cluster(|cluster| cluster.create_topic(TOPIC, 2));
    sim
}

fn bearer() -> Sasl {
    Sasl::oauth_bearer(|| async { OauthBearer::new("token") })
}

fn ways() -> [Sasl; 4] {
    [
        Sasl::plain("ali=ce,", "secret").expect("credentials"),
        Sasl::scram_sha256("ali=ce,", "secret"),
        Sasl::scram_sha512("ali=ce,", "secret"),
        bearer(),
    ]
}

async fn write_and_read(client: &Client) {
    let writer = client.writer(TOPIC).expect("a writer");
    let written = writer.write(Record::new("v").partition(0)).await;
    written.expect("written");
    let mut reader = client.reader(TOPIC).expect("a reader");
    let message = reader.read_message().await.expect("read").expect("one");
    assert_eq!(message.value(), Some(&b"v"[..]));
}

#[test]
fn every_mechanism_lets_in_whoever_is_known_whatever_the_network_does() {
    for seed in 0..25 {
        for way in ways() {
            let sim = sim(seed, users(), Faults::gentle());
            let client = sim.client(sim.config().sasl(way));
            let told = sim.block_on(LIMIT, write_and_read(&client));
            told.unwrap_or_else(|stuck| panic!("seed {seed}: {stuck:?}"));
        }
    }
}

/// Brokers before 1.0 take the steps of an exchange without headers, and an answer may be empty.
#[test]
fn brokers_that_know_no_sasl_authenticate_let_in_whoever_is_known() {
    for seed in 0..10 {
        for way in ways() {
            let config = Config::new().sasl(users()).as_version(Release::V0_11);
            let sim = Sim::new(seed, config, Faults::gentle());
            sim.cluster(|cluster| cluster.create_topic(TOPIC, 2));
            let client = sim.client(sim.config().sasl(way));
            let told = sim.block_on(LIMIT, write_and_read(&client));
            told.unwrap_or_else(|stuck| panic!("seed {seed}: {stuck:?}"));
        }
    }
}

#[test]
fn an_old_broker_that_hangs_up_on_wrong_credentials_is_understood() {
    let config = Config::new().sasl(users()).as_version(Release::V0_11);
    let sim = Sim::new(1, config, Faults::none());
    let wrong = Sasl::plain("ali=ce,", "wrong").expect("credentials");
    let client = sim.client(sim.config().sasl(wrong));
    let told = sim.block_on(LIMIT, client.ready()).expect("it ends");
    let error = told.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
}

/// KIP-368. Calls of a reader and a writer are in flight at every renewal.
#[test]
fn sessions_are_renewed_among_pipelined_requests_and_nothing_is_lost_or_reordered() {
    for seed in 0..8 {
        let way = ways()[seed as usize % 4].clone();
        let sim = sim(seed, users().session_lifetime(SESSION), Faults::none());
        let client = sim.client(sim.config().sasl(way));
        let writer = client.writer(TOPIC).expect("a writer");
        let mut reader = client.reader(TOPIC).expect("a reader");
        let story = async {
            let mut receipts = Vec::new();
            for n in 0..800 {
                let value = n.to_string();
                let record = Record::new(&value).partition(0);
                receipts.push(writer.send(&[record]).await.expect("room"));
                sim.sleep(Duration::from_millis(15)).await;
            }
            for receipt in receipts {
                receipt.await.expect("written");
            }
            for n in 0..800 {
                let message = reader.read_message().await.expect("read").expect("one");
                assert_eq!(message.value(), Some(n.to_string().as_bytes()));
            }
            // idle connections are renewed, too
            sim.sleep(secs(30)).await;
            writer.write(Record::new("last")).await.expect("written");
        };
        sim.block_on(LIMIT, story)
            .unwrap_or_else(|stuck| panic!("seed {seed}: {stuck:?}"));
        let dials = sim.dials().len();
        assert!(
            dials <= 4,
            "seed {seed}: a connection was lost: {dials} dials"
        );
    }
}

/// The same on a network that cuts connections.
#[test]
fn cuts_in_the_middle_of_renewals_lose_nothing() {
    // what is compacted away is not lost
    let faults = || Faults {
        compact_every: None,
        ..Faults::gentle()
    };
    for seed in 0..10 {
        let way = ways()[seed as usize % 4].clone();
        let sim = sim(seed, users().session_lifetime(SESSION), faults());
        let client = sim.client(sim.config().sasl(way));
        let writer = client.writer(TOPIC).expect("a writer");
        let story = async {
            let mut receipts = Vec::new();
            for n in 0..400 {
                let value = n.to_string();
                let record = Record::new(&value).partition(0);
                receipts.push(writer.send(&[record]).await.expect("room"));
                sim.sleep(Duration::from_millis(50)).await;
                if n % 60 == 59 {
                    sim.cut_all();
                }
            }
            for receipt in receipts {
                receipt.await.expect("written");
            }
        };
        sim.block_on(LIMIT, story)
            .unwrap_or_else(|stuck| panic!("seed {seed}: {stuck:?}"));
        let values = sim.cluster(|cluster| cluster.log(TOPIC, 0).values());
        let expected: Vec<_> = (0..400).map(|n| n.to_string()).collect();
        let values: Vec<_> = values.iter().map(|v| String::from_utf8_lossy(v)).collect();
        assert_eq!(values, expected, "seed {seed}");
    }
}

#[test]
fn a_wrong_password_is_told_at_once_to_all_and_tried_again_calmly() {
    let sim = sim(1, users(), Faults::none());
    let wrong = Sasl::scram_sha256("ali=ce,", "tangerine");
    let client = sim.client(sim.config().sasl(wrong));
    let writer = client.writer(TOPIC).expect("a writer");
    let mut reader = client.reader(TOPIC).expect("a reader");
    let story = async {
        let error = client.ready().await.expect_err("refused");
        assert!(sim.now() < secs(1), "{:?}", sim.now());
        assert_eq!(
            (error.kind(), error.fault()),
            (ErrorKind::Authentication, Blame::Broker)
        );
        assert!(!error.is_retriable());
        assert!(!format!("{error} {error:?}").contains("tangerine"));
        let error = writer.write(Record::new("v")).await.expect_err("refused");
        let error = error.results()[0].as_ref().expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
        let error = reader.read_message().await.expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
        let calm = sim.now();
        sim.sleep(secs(60)).await;
        let dials = sim.dials().iter().filter(|at| **at > calm).count();
        assert!(dials <= 60 * 2, "{dials} dials in a minute");
        // an operator mends it
        sim.cluster(|cluster| cluster.sasl().set_user("ali=ce,", "tangerine"));
        sim.sleep(secs(2)).await;
        writer.write(Record::new("v")).await.expect("written");
    };
    sim.block_on(LIMIT, story).expect("it ends");
}

#[test]
fn a_token_that_is_revoked_in_mid_session_ends_the_session_and_a_new_one_begins_another() {
    let sim = sim(3, users().session_lifetime(SESSION), Faults::none());
    let asked = Arc::new(AtomicUsize::new(0));
    let provider = {
        let asked = asked.clone();
        move || {
            let nth = asked.fetch_add(1, Ordering::Relaxed);
            async move { OauthBearer::new(if nth < 6 { "token" } else { "fresh" }) }
        }
    };
    let client = sim.client(sim.config().sasl(Sasl::oauth_bearer(provider)));
    let writer = client.writer(TOPIC).expect("a writer");
    let story = async {
        writer.write(Record::new("v")).await.expect("written");
        sim.cluster(|cluster| cluster.sasl().revoke("token"));
        // what a session began with lasts until it ends
        writer.write(Record::new("v")).await.expect("written");
        let refused = loop {
            sim.sleep(Duration::from_millis(100)).await;
            match writer.write(Record::new("v")).await {
                Ok(_) => assert!(sim.now() < secs(10), "the old token is good for ever"),
                Err(error) => break error,
            }
        };
        let error = refused.results()[0].as_ref().expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
        assert!(error.to_string().contains("invalid_token"), "{error}");
        sim.cluster(|cluster| cluster.sasl().set_token("fresh"));
        loop {
            sim.sleep(Duration::from_millis(500)).await;
            if writer.write(Record::new("v")).await.is_ok() {
                return;
            }
            assert!(
                sim.now() < secs(60),
                "{} tokens asked for",
                asked.load(Ordering::Relaxed)
            );
        }
    };
    sim.block_on(LIMIT, story).expect("it ends");
}

#[test]
fn a_provider_that_fails_or_hangs_is_named_in_its_time() {
    let failing = Sasl::oauth_bearer(|| async {
        Err::<OauthBearer, _>(SaslError::Mechanism("the vault is sealed".to_owned()))
    });
    let hanging = Sasl::oauth_bearer(pending::<Result<OauthBearer, SaslError>>);
    for (sasl, words, within) in [
        (failing, "the vault is sealed", secs(1)),
        (
            hanging,
            "did not answer within the set-up time-out",
            secs(11),
        ),
    ] {
        let sim = sim(1, users(), Faults::none());
        let client = sim.client(sim.config().sasl(sasl));
        let told = sim.block_on(LIMIT, client.ready()).expect("it ends");
        let error = told.expect_err("no credentials");
        assert_eq!(
            (error.kind(), error.fault()),
            (ErrorKind::Credentials, Blame::Caller)
        );
        assert!(error.to_string().contains(words), "{error}");
        assert!(sim.now() <= within, "{:?}", sim.now());
    }
}

#[test]
fn a_provider_that_is_late_for_a_renewal_holds_nothing_up_before_the_session_ends() {
    for hangs in [true, false] {
        let sim = sim(5, users().session_lifetime(SESSION), Faults::none());
        let asked = Arc::new(AtomicUsize::new(0));
        let provider = {
            let asked = asked.clone();
            move || {
                let nth = asked.fetch_add(1, Ordering::Relaxed);
                async move {
                    match nth {
                        0 | 1 => Ok(OauthBearer::new("token")?),
                        _ if hangs => pending().await,
                        _ => Err(Box::<dyn std::error::Error + Send + Sync>::from("sealed")),
                    }
                }
            }
        };
        let client = sim.client(sim.config().sasl(Sasl::oauth_bearer(provider)));
        let story = async {
            let writer = client.writer(TOPIC).expect("a writer");
            writer.write(Record::new("v")).await.expect("written");
            while sim.now() < SESSION - Duration::from_millis(50) {
                writer.write(Record::new("v")).await.expect("written");
                sim.sleep(Duration::from_millis(20)).await;
            }
            assert!(
                asked.load(Ordering::Relaxed) > 2,
                "it was asked before the end"
            );
            let refused = loop {
                sim.sleep(Duration::from_millis(20)).await;
                if let Err(error) = writer.write(Record::new("v")).await {
                    break error;
                }
                assert!(sim.now() < secs(30), "the session never ends");
            };
            let error = refused.results()[0].as_ref().expect_err("refused");
            assert_eq!(error.kind(), ErrorKind::Credentials, "{error}");
        };
        sim.block_on(LIMIT, story)
            .unwrap_or_else(|stuck| panic!("hangs {hangs}: {stuck:?}"));
    }
}

/// Answers of SCRAM that no honest broker gives.
#[test]
fn a_broker_that_does_not_know_the_password_is_not_trusted() {
    let last = |text: &str| text.starts_with("v=").then(|| "v=AAAA".to_owned());
    let few = |text: &str| {
        text.contains(",i=4096")
            .then(|| text.replace(",i=4096", ",i=1"))
    };
    let echo = |text: &str| {
        let nonce = text.strip_prefix("r=")?.split_once(',')?.1;
        Some(format!("r=other,{nonce}"))
    };
    type Foul = fn(&str) -> Option<String>;
    for (foul, words) in [
        (last as Foul, "it does not know the password"),
        (few as Foul, "1 iterations"),
        (echo as Foul, "did not take up our nonce"),
    ] {
        let sim = sim(1, users(), Faults::none());
        let fault = Fault::change(move |_, response| {
            if let AnyResponse::SaslAuthenticate(answer) = response
                && let Some(other) = foul(&String::from_utf8_lossy(&answer.auth_bytes))
            {
                answer.auth_bytes = other.into();
            }
        });
        let rule = Rule::new(fault).api(ApiKey::SaslAuthenticate).always();
        sim.cluster(|cluster| cluster.inject(rule));
        let client = sim.client(sim.config().sasl(Sasl::scram_sha256("ali=ce,", "secret")));
        let told = sim.block_on(LIMIT, client.ready()).expect("it ends");
        let error = told.expect_err("a foul broker");
        assert_eq!(
            (error.kind(), error.fault()),
            (ErrorKind::Untrusted, Blame::Peer),
            "{error}"
        );
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn a_mechanism_that_is_not_offered_is_named_with_those_that_are() {
    let sim = sim(
        1,
        users().mechanisms(&["PLAIN", "SCRAM-SHA-512"]),
        Faults::none(),
    );
    let client = sim.client(sim.config().sasl(bearer()));
    let told = sim.block_on(LIMIT, client.ready()).expect("it ends");
    let error = told.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert!(
        error
            .to_string()
            .contains("OAUTHBEARER on this listener, but: PLAIN, SCRAM-SHA-512")
    );
}
