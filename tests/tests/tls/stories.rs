//! What TLS does when all is well.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use kafka_client_tokio::{Dialer, Record, Sasl, TlsConfig};
use kafka_testing::{
    broker::{self, Cluster, Config},
    certificates,
    server::Server,
    tls::Tls,
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert, ServerSessionMemoryCache, StoresServerSessions},
    sign::CertifiedKey,
};

use super::tls;
use crate::runtimes::{Host, Runtime, on_each};

on_each! {
    large_and_small_messages_cross_tls: tokio tokio_current_thread async_std smol executor;
}

fn server(tls: Tls) -> Server {
    let users = broker::Sasl::new().user("alice", "secret");
    let mut cluster = Cluster::new(Config::new().brokers(2).sasl(users));
    cluster.create_topic("orders", 2);
    Server::start_tls(cluster, tls).expect("a server")
}

fn alice() -> Sasl {
    Sasl::scram_sha256("alice", "secret")
}

fn large_and_small_messages_cross_tls(runtime: Runtime) {
    let host = Host::start(runtime);
    let server = server(Tls::new());
    let dialer = host.dialer().configure(|c| c.tls(tls()).sasl(alice()));
    let brokers = server.bootstrap();
    host.run(async move {
        let client = dialer.connect(&brokers).await.expect("connected");
        let writer = client.writer("orders").expect("a writer");
        let mut reader = client.reader("orders").expect("a reader");
        let sizes = [0, 1, 16_383, 16_384, 16_385, 900_000, 3];
        for size in sizes {
            let value: Vec<_> = (0..size).map(|i| (i % 251) as u8).collect();
            let record = Record::new(&value).partition(0);
            writer.write(record).await.expect("written");
        }
        for size in sizes {
            let message = reader.read_message().await.expect("read").expect("one");
            let value = message.value().expect("a value");
            assert_eq!(value.len(), size);
            assert!(value.iter().enumerate().all(|(i, b)| *b == (i % 251) as u8));
        }
        client.close(Duration::from_secs(10)).await.expect("closed");
    });
    host.shut_down();
}

/// DI-09, on threads.
#[test]
fn plain_threads_speak_tls_too() {
    let server = server(Tls::new());
    let dialer = kafka_client_blocking::Dialer::new()
        .tls(tls())
        .sasl(alice());
    let client = dialer.connect(&server.bootstrap()).expect("connected");
    let writer = client.writer("orders").expect("a writer");
    let value = vec![5; 500_000];
    writer.write(Record::new(&value)).expect("written");
    let mut reader = client.reader("orders").expect("a reader");
    let message = reader.read_message().expect("read").expect("one");
    assert_eq!(message.value(), Some(&value[..]));
    client.close(Duration::from_secs(10)).expect("closed");
}

#[tokio::test]
async fn a_stream_of_the_user_is_covered_by_the_name_that_the_user_gives() {
    let server = server(Tls::new());
    let open = || tokio::net::TcpStream::connect(("127.0.0.1", server.port(1)));
    let named = tls().server_name("localhost").expect("a name");
    let dialer = Dialer::new().tls(named).sasl(alice());
    let stream = open().await.expect("a stream");
    let conn = dialer.over(stream, "orders", 0).expect("a connection");
    conn.ready().await.expect("a handshake");

    let dialer = Dialer::new().tls(tls()).sasl(alice());
    let stream = open().await.expect("a stream");
    let conn = dialer.over(stream, "orders", 0).expect("a connection");
    let error = conn.ready().await.expect_err("no name");
    assert!(error.to_string().contains("server_name"), "{error}");
}

/// Remembers what clients ask for.
#[derive(Debug)]
struct Curious {
    key: Arc<CertifiedKey>,
    names: Mutex<Vec<Option<String>>>,
    protocols: AtomicUsize,
}

impl ResolvesServerCert for Curious {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_owned);
        self.names.lock().expect("no panic").push(name);
        self.protocols
            .fetch_add(usize::from(hello.alpn().is_some()), Ordering::Relaxed);
        Some(self.key.clone())
    }
}

/// Counts resumptions.
#[derive(Debug)]
struct Counting {
    cache: Arc<ServerSessionMemoryCache>,
    resumed: AtomicUsize,
}

impl StoresServerSessions for Counting {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.cache.put(key, value)
    }
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.cache.get(key)
    }
    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        let taken = self.cache.take(key);
        self.resumed
            .fetch_add(usize::from(taken.is_some()), Ordering::Relaxed);
        taken
    }
    fn can_cache(&self) -> bool {
        true
    }
}

/// DI-09: the name is the one that was dialled.
#[tokio::test]
async fn names_are_sent_addresses_are_not_and_sessions_are_resumed() {
    let provider = TlsConfig::default_provider().expect("cryptography");
    let pem = certificates::BROKER.as_bytes();
    let chain = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>();
    let key = PrivateKeyDer::from_pem_slice(pem).expect("a key");
    let key = provider.key_provider.load_private_key(key).expect("a key");
    let curious = Arc::new(Curious {
        key: Arc::new(CertifiedKey::new(chain.expect("a chain"), key)),
        names: Mutex::default(),
        protocols: AtomicUsize::new(0),
    });
    let counting = Arc::new(Counting {
        cache: ServerSessionMemoryCache::new(64),
        resumed: AtomicUsize::new(0),
    });
    let builder = ServerConfig::builder_with_provider(provider);
    let builder = builder
        .with_safe_default_protocol_versions()
        .expect("versions");
    let mut config = builder
        .with_no_client_auth()
        .with_cert_resolver(curious.clone());
    config.session_storage = counting.clone();
    let server = server(Tls::from_server_config(Arc::new(config)));
    let dialer = Dialer::new().tls(tls()).sasl(alice());
    for host in ["localhost", "127.0.0.1"] {
        let broker = format!("{host}:{}", server.port(1));
        for _ in 0..3 {
            dialer.dial(&broker).await.expect("a connection");
        }
    }
    let names = curious.names.lock().expect("no panic").clone();
    assert!(names.contains(&Some("localhost".to_owned())), "{names:?}");
    assert!(names.contains(&None), "{names:?}");
    assert!(
        names.iter().flatten().all(|name| name == "localhost"),
        "{names:?}"
    );
    assert_eq!(curious.protocols.load(Ordering::Relaxed), 0);
    // the first handshake with each name is a full one
    let resumed = counting.resumed.load(Ordering::Relaxed);
    assert!(resumed >= 4, "{resumed} of 6");
}

/// It goes on among them: its outcomes come while they are made, not after the last of them.
#[test]
fn a_hundred_handshakes_do_not_stall_a_producer() {
    let host = Host::start(Runtime::tokio);
    let server = server(Tls::new());
    let dialer = host.dialer().configure(|c| {
        let config = c.tls(tls()).sasl(alice());
        config.setup_timeout(Duration::from_secs(60))
    });
    let brokers = server.bootstrap();
    let broker = brokers.split(',').next().expect("a broker").to_owned();
    let written = host.run(async move {
        let client = dialer.connect(&brokers).await.expect("connected");
        let writer = client.writer("orders").expect("a writer");
        writer.write(Record::new("v")).await.expect("written");
        let (done, left) = dial_at_once(100, &dialer, &broker);
        // writes between the first handshake that is done and the last
        let (mut written, mut connected) = (0, 0);
        while connected < 100 {
            writer.write(Record::new("v")).await.expect("written");
            written += usize::from(connected > 0);
            while done.try_recv().is_ok() {
                connected += 1;
            }
        }
        left.into_iter().for_each(crate::runtimes::Task::detach);
        written
    });
    println!("{written} writes among a hundred handshakes");
    assert!(written >= 5, "{written} writes while they were made");
    host.shut_down();
}

/// Starts `count` connections at once; each is told of when it is made.
fn dial_at_once(
    count: usize,
    dialer: &crate::runtimes::Dialer,
    broker: &str,
) -> (smol::channel::Receiver<()>, Vec<crate::runtimes::Task>) {
    let (send, done) = smol::channel::unbounded();
    let task = |_| {
        let (dialer, broker, send) = (dialer.clone(), broker.to_owned(), send.clone());
        dialer.clone().spawn(async move {
            dialer.dial(&broker).await.expect("a connection");
            let _ = send.send(()).await;
        })
    };
    (done, (0..count).map(task).collect())
}
