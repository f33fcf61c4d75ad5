//! Fault 39: each is told by its kind, with the likely cause, and not tried again in a hurry.

use std::{
    io::{Read, Write},
    net::TcpListener,
    time::Duration,
};

use kafka_client_tokio::{Config, ConfigError, Dialer, Error, ErrorKind, TlsConfig};
use kafka_testing::{
    broker::{Cluster, Config as Brokers},
    certificates::*,
    server::Server,
    tls::Tls,
};

use super::{tls, with_identity};

async fn refused(server: &Server, tls: TlsConfig) -> Error {
    let dialer = Dialer::new().tls(tls).timeout(Duration::from_secs(20));
    let connected = dialer.connect(&server.bootstrap()).await;
    connected.expect_err("it is refused")
}

#[tokio::test]
async fn certificates_that_are_not_to_be_trusted_are_told_apart() {
    for (pem, words) in [
        (EXPIRED, "it has expired"),
        (NOT_YET_VALID, "it is not valid yet"),
        (ELSEWHERE, "another name"),
        (STRANGER, "no known authority"),
    ] {
        let server = Server::start_tls(Cluster::new(Brokers::new()), Tls::showing(pem));
        let server = server.expect("a server");
        let error = refused(&server, tls()).await;
        assert_eq!(error.kind(), ErrorKind::Untrusted, "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert!(!error.is_retriable());
    }
}

/// In TLS 1.3 a broker looks at it when the client's side of the handshake is done.
#[tokio::test]
async fn a_client_certificate_that_is_missing_or_refused_is_an_authentication_error() {
    let server = Server::start_tls(Cluster::new(Brokers::new()), Tls::asking(CA));
    let server = server.expect("a server");
    for tls in [tls(), with_identity(STRANGER)] {
        let error = refused(&server, tls).await;
        assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
        assert!(error.to_string().contains("client certificate"), "{error}");
    }
    let dialer = Dialer::new().tls(with_identity(CLIENT));
    let client = dialer.connect(&server.bootstrap()).await;
    client.expect("one that is known is let in");
}

#[tokio::test]
async fn plaintext_and_tls_that_meet_are_told_so() {
    let server = Server::start_tls(Cluster::new(Brokers::new()), Tls::new()).expect("a server");
    let error = Dialer::new().connect(&server.bootstrap()).await;
    let error = error.expect_err("it is refused");
    assert!(error.to_string().contains("TLS"), "{error}");

    let server = Server::start(Cluster::new(Brokers::new())).expect("a server");
    let error = refused(&server, tls()).await;
    assert!(
        error.to_string().contains("may expect plaintext"),
        "{error}"
    );
}

/// Answers each connection with these bytes, and waits until the peer is gone.
fn answering(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(bytes);
            while stream.read(&mut [0; 1024]).is_ok_and(|n| n > 0) {}
        }
    });
    address
}

#[tokio::test]
async fn peers_that_speak_something_else_or_nothing_are_named() {
    for (bytes, words) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            "does not speak TLS",
        ),
        (&b""[..], "does not answer the TLS handshake"),
        // an alert: handshake_failure
        (&[0x15, 3, 3, 0, 2, 2, 40][..], "refused the TLS handshake"),
    ] {
        let dialer = Dialer::new().tls(tls()).timeout(Duration::from_secs(1));
        let error = dialer.connect(&answering(bytes)).await.expect_err("no TLS");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn settings_that_cannot_be_are_refused_when_they_are_made() {
    let field = |made: Result<TlsConfig, ConfigError>| made.expect_err("refused");
    let encrypted = field(tls().client_auth_pem(CLIENT, CLIENT_ENCRYPTED));
    assert_eq!(encrypted.field(), "client_auth_pem");
    assert!(encrypted.to_string().contains("encrypted"), "{encrypted}");
    for (error, name) in [
        (field(TlsConfig::new().roots_pem("")), "roots_pem"),
        (field(TlsConfig::new().roots_pem("no PEM")), "roots_pem"),
        (field(tls().roots_file("/nowhere/ca.pem")), "roots_file"),
        (field(tls().client_auth_pem(CA, "")), "client_auth_pem"),
        (field(tls().server_name("not a name")), "server_name"),
    ] {
        assert_eq!(error.field(), name);
    }
    // a key that belongs to another certificate is found when the client is made
    let other = tls().client_auth_pem(CLIENT, BROKER);
    let config = Config::without_brokers().tls(other.expect("both are sound"));
    assert!(!format!("{config:?}").contains("PRIVATE KEY"));
    let dialer = Dialer::new().configure(|_| config);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    let error = runtime
        .block_on(dialer.connect("localhost:1"))
        .expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Misuse);
    assert!(error.to_string().contains("client_auth_pem"), "{error}");
}

/// The path of a file with certificates.
fn file(name: &str) -> String {
    format!("{}/data/tls/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_text_and_a_file_agree_or_are_refused_with_both_their_names() {
    let (ca, other, client) = (file("ca.pem"), file("other-ca.pem"), file("client.pem"));
    for properties in [
        vec![("ssl.ca.pem", CA), ("ssl.ca.location", &other)],
        vec![
            ("ssl.truststore.certificates", CA),
            ("ssl.ca.pem", OTHER_CA),
        ],
        vec![
            ("ssl.truststore.location", &ca[..]),
            ("ssl.ca.location", &other),
        ],
        vec![
            ("ssl.keystore.location", &client[..]),
            ("ssl.keystore.certificate.chain", CLIENT),
            ("ssl.keystore.key", CLIENT),
        ],
    ] {
        let names: Vec<_> = properties.iter().map(|(name, _)| *name).collect();
        let all = properties.into_iter().chain([("security.protocol", "SSL")]);
        let error = Config::from_properties(all).expect_err("refused");
        assert_eq!(error.field(), names[0]);
        let told = error.to_string();
        assert!(names.iter().all(|name| told.contains(name)), "{told}");
        assert!(!told.contains("BEGIN"), "{told}");
    }
    let agreeing = [
        ("security.protocol", "SSL"),
        ("ssl.ca.pem", CA),
        ("ssl.ca.location", &ca),
    ];
    Config::from_properties(agreeing).expect("they say the same");
}
