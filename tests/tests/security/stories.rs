//! What is done by each way in.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use kafka_client_tokio::{
    Client, ErrorKind, Event, Fault, FetchLimits, Record, Sasl, SeekFrom, TlsConfig, TopicConfig,
};
use kafka_testing::{certificates, kafka::Listener};

use crate::{
    places::{PASSWORD, Place, SESSION, Way, tls},
    runtimes::{Dialer, Host, Runtime, sleep},
};

/// Messages of a story.
const COUNT: usize = 300;

/// Conn, Writer and Reader.
pub(crate) fn everything(runtime: Runtime, way: Way, place: &Place) {
    let host = Host::start(runtime);
    let dialer = host.dialer().configure(|config| way.configure(config));
    let (brokers, topic) = (place.brokers(way), place.name());
    host.run(async move {
        let client = dialer.connect(&brokers).await.expect("connected");
        create(&client, &topic).await;
        let writer = client.writer(topic.as_str()).expect("a writer");
        // a connection of one's own does not wait until a new topic has a leader
        let first = writer.write(Record::new("first").partition(0)).await;
        first.expect("written");
        write_by_conn(&dialer, &brokers, &topic).await;
        // larger than a record of TLS, and than what a socket takes at once
        let large = vec![7; 300_000];
        let written = writer.write(Record::new(&large).partition(1)).await;
        written.expect("written");
        let values: Vec<_> = (0..COUNT).map(|n| format!("{n}")).collect();
        for part in values.chunks(30) {
            let records: Vec<_> = part.iter().map(Record::new).collect();
            writer.write_messages(&records).await.expect("written");
        }
        let mut reader = client.reader(topic.as_str()).expect("a reader");
        let mut sizes = BTreeMap::<usize, usize>::new();
        for _ in 0..COUNT + 3 {
            let message = reader.read_message().await.expect("read").expect("one");
            *sizes
                .entry(message.value().map_or(0, <[u8]>::len))
                .or_default() += 1;
        }
        assert_eq!(sizes[&large.len()], 1);
        assert_eq!(sizes[&3], COUNT - 100, "{sizes:?}");
        client.close(Duration::from_secs(10)).await.expect("closed");
    });
    host.shut_down();
}

async fn create(client: &Client, topic: &str) {
    let topics = [TopicConfig::new(topic).partitions(2)];
    client.create_topics(&topics).await.expect("a topic");
    client.create_topics(&topics).await.expect("it is known");
}

async fn write_by_conn(dialer: &Dialer, brokers: &str, topic: &str) {
    let mut conn = dialer
        .dial_leader(brokers, topic, 0)
        .await
        .expect("a connection");
    let written = conn.write_messages(&[Record::new("by a connection")]).await;
    assert_eq!(written.expect("written").offset, Some(1));
    conn.seek(SeekFrom::Start(0)).await.expect("an offset");
    let batch = conn
        .read_batch(FetchLimits::default())
        .await
        .expect("a batch");
    let values: Vec<_> = batch
        .iter()
        .map(|r| r.expect("sound").value.map(<[u8]>::to_vec))
        .collect();
    assert_eq!(values[0].as_deref(), Some(&b"first"[..]));
}

/// The same with plain threads.
pub(crate) fn everything_blocking(way: Way, place: &Place) {
    let dialer = kafka_client_blocking::Dialer::new().configure(|config| way.configure(config));
    let (brokers, topic) = (place.brokers(way), place.name());
    let client = dialer.connect(&brokers).expect("connected");
    let topics = [TopicConfig::new(&topic).partitions(2)];
    client.create_topics(&topics).expect("a topic");
    client.create_topics(&topics).expect("it is known");
    let mut conn = dialer
        .dial_leader(&brokers, &topic, 0)
        .expect("a connection");
    let writer = client.writer(topic.as_str()).expect("a writer");
    let first = writer.write(Record::new("first").partition(0));
    first.expect("written");
    conn.write_messages(&[Record::new("by a connection")])
        .expect("written");
    conn.seek(SeekFrom::Start(0)).expect("an offset");
    let batch = conn.read_batch(FetchLimits::default()).expect("a batch");
    assert!(batch.iter().count() > 0);
    let large = vec![7; 300_000];
    writer
        .write(Record::new(&large).partition(1))
        .expect("written");
    for n in 0..COUNT {
        writer.write(Record::new(&n.to_string())).expect("written");
    }
    let mut reader = client.reader(topic.as_str()).expect("a reader");
    for _ in 0..COUNT + 3 {
        reader.read_message().expect("read").expect("one");
    }
    client.close(Duration::from_secs(10)).expect("closed");
}

/// Writes with many calls in flight and reads along, for longer than three sessions: nothing is lost or reordered, and no
/// connection ends, which a broker would see to if one were not authenticated again.
pub(crate) fn renewal(runtime: Runtime, way: Way, place: &Place) {
    let host = Host::start(runtime);
    let dialer = host.dialer().configure(|config| way.configure(config));
    let (brokers, topic) = (place.brokers(way), place.name());
    host.run(async move {
        let client = dialer.connect(&brokers).await.expect("connected");
        create(&client, &topic).await;
        let mut events = client.events();
        let mut reader = client.reader(topic.as_str()).expect("a reader");
        let writer = client.writer(topic.as_str()).expect("a writer");
        let begin = Instant::now();
        let mut receipts = Vec::new();
        while begin.elapsed() < SESSION * 3 + SESSION / 2 {
            let value = receipts.len().to_string();
            receipts.push(writer.send(&[Record::new(&value)]).await.expect("room"));
            sleep(Duration::from_millis(1)).await;
        }
        let count = receipts.len();
        for receipt in receipts {
            receipt.await.expect("written");
        }
        let mut last = BTreeMap::new();
        for _ in 0..count {
            let message = reader.read_message().await.expect("read").expect("one");
            let value = std::str::from_utf8(message.value().expect("a value")).expect("a number");
            let number: usize = value.parse().expect("a number");
            let before = last.insert(message.partition(), number);
            assert!(before.is_none_or(|before| before < number), "{before:?} then {number}");
        }
        client.close(Duration::from_secs(10)).await.expect("closed");
        while let Some(event) = events.next().await {
            let lost = matches!(&event, Event::Disconnected { error, .. } if error.kind() != ErrorKind::Closed);
            assert!(!lost, "{event:?}");
        }
    });
    host.shut_down();
}

/// Faults 39 and 40: who is refused, or whom we refuse, is told at once, by its kind and with the likely cause.
pub(crate) fn refusals(place: &Place) {
    let host = Host::start(Runtime::tokio);
    let plain = |user: &str, password: &str| Sasl::plain(user, password).expect("credentials");
    let with_stranger = tls().client_auth_pem(certificates::STRANGER, certificates::STRANGER);
    let with_stranger = with_stranger.expect("a certificate");
    let other_ca = TlsConfig::new()
        .roots_pem(certificates::OTHER_CA)
        .expect("roots");
    type Case = (
        Listener,
        Option<TlsConfig>,
        Option<Sasl>,
        ErrorKind,
        &'static str,
    );
    let cases: Vec<Case> = vec![
        (
            Listener::SaslSsl,
            Some(tls()),
            Some(plain("alice", "wrong")),
            ErrorKind::Authentication,
            "refuses the credentials",
        ),
        (
            Listener::Sasl,
            None,
            Some(Sasl::scram_sha512("carol", "wrong")),
            ErrorKind::Authentication,
            "refuses the credentials",
        ),
        (
            Listener::SaslSsl,
            Some(tls()),
            Some(Sasl::mechanism(Kerberos)),
            ErrorKind::Authentication,
            "does not offer the SASL mechanism GSSAPI",
        ),
        (
            Listener::Ssl,
            Some(tls()),
            Some(plain("alice", "alice-secret")),
            ErrorKind::Authentication,
            "expects no SASL here",
        ),
        (
            Listener::Mtls,
            Some(tls()),
            None,
            ErrorKind::Authentication,
            "client certificate",
        ),
        (
            Listener::Mtls,
            Some(with_stranger),
            None,
            ErrorKind::Authentication,
            "client certificate",
        ),
        (
            Listener::Ssl,
            Some(other_ca),
            None,
            ErrorKind::Untrusted,
            "no known authority",
        ),
        (
            Listener::Ssl,
            None,
            None,
            ErrorKind::Unreachable,
            "the peer speaks TLS",
        ),
        (
            Listener::Sasl,
            Some(tls()),
            None,
            ErrorKind::Unreachable,
            "this listener may expect plaintext",
        ),
        (
            Listener::Sasl,
            None,
            None,
            ErrorKind::Unreachable,
            "it may expect SASL",
        ),
    ];
    for (listener, tls, sasl, kind, words) in cases {
        let dialer = host.dialer().configure(|mut config| {
            if let Some(tls) = tls {
                config = config.tls(tls);
            }
            if let Some(sasl) = sasl {
                config = config.sasl(sasl);
            }
            config
        });
        let brokers = place.kafka.secured(listener);
        let error = host.run(async move {
            let connecting = dialer.connect(&brokers);
            connecting.await.expect_err("it is refused")
        });
        let said = error.to_string();
        assert!(said.contains(words), "{listener:?}: {said}");
        assert_eq!(error.kind(), kind, "{listener:?}: {said}");
        if kind == ErrorKind::Authentication {
            assert_eq!(error.fault(), Fault::Broker);
        }
        assert_eq!(
            error.is_retriable(),
            kind == ErrorKind::Unreachable,
            "{said}"
        );
        assert!(!said.contains("wrong") && !format!("{error:?}").contains("alice-secret"));
    }
    host.shut_down();
}

/// A mechanism that the brokers do not offer.
#[derive(Debug)]
struct Kerberos;

impl kafka_client_tokio::sasl::Mechanism for Kerberos {
    fn name(&self) -> &str {
        "GSSAPI"
    }

    fn start(
        &self,
        entropy: [u8; 24],
    ) -> Result<
        (bytes::Bytes, Box<dyn kafka_client_tokio::sasl::Exchange>),
        kafka_client_tokio::sasl::SaslError,
    > {
        kafka_client_tokio::sasl::OauthBearer::new("unused")?.start(entropy)
    }
}

/// What stands in a `client.properties` of Java, and in the settings of librdkafka, connects as it does there.
pub(crate) fn properties(place: &Place) {
    let folder = place.kafka.folder();
    let (ca, client) = (folder.join("ca.pem"), folder.join("client.pem"));
    std::fs::write(&ca, certificates::CA).expect("a file");
    std::fs::write(&client, certificates::CLIENT).expect("a file");
    let (ca, client) = (ca.display().to_string(), client.display().to_string());
    let module = "org.apache.kafka.common.security";
    let scram = format!(
        r#"{module}.scram.ScramLoginModule required username="carol" password="{PASSWORD}";"#
    );
    let bearer = format!(
        r#"{module}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="dave";"#
    );
    let roots = [
        ("security.protocol", "SASL_SSL"),
        ("ssl.truststore.type", "PEM"),
        ("ssl.truststore.location", &ca),
    ];
    let with_roots = |more: &[(&'static str, &str)]| -> Vec<(String, String)> {
        let all = roots.iter().chain(more);
        all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    };
    let cases = [
        (
            Listener::SaslSsl,
            with_roots(&[
                ("sasl.mechanism", "SCRAM-SHA-512"),
                ("sasl.jaas.config", &scram),
            ]),
        ),
        (
            Listener::SaslSsl,
            with_roots(&[
                ("sasl.mechanism", "OAUTHBEARER"),
                ("sasl.jaas.config", &bearer),
            ]),
        ),
        (
            Listener::SaslSsl,
            with_roots(&[
                ("sasl.mechanisms", "PLAIN"),
                ("sasl.username", "alice"),
                ("sasl.password", "alice-secret"),
            ]),
        ),
        (
            Listener::Mtls,
            [
                ("security.protocol", "ssl"),
                ("ssl.ca.location", &ca),
                ("ssl.certificate.location", &client),
                ("ssl.key.location", &client),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        ),
    ];
    let host = Host::start(Runtime::tokio);
    for (listener, properties) in cases {
        let brokers = place.kafka.secured(listener);
        host.run(async move {
            let dialer = kafka_client_tokio::Dialer::from_properties(properties);
            let client = dialer.expect("settings").connect(&brokers).await;
            client.expect("connected");
        });
    }
    host.shut_down();
}
