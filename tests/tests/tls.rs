//! TLS against the in-process broker, over sockets and in memory: what works, and what each fault is called.

#[path = "tls/faults.rs"]
mod faults;
#[path = "tls/memory.rs"]
mod memory;
#[path = "tls/parting.rs"]
mod parting;
#[path = "common/runtimes.rs"]
mod runtimes;
#[path = "tls/stories.rs"]
mod stories;

use kafka_client_tokio::TlsConfig;
use kafka_testing::certificates;

fn tls() -> TlsConfig {
    TlsConfig::new().roots_pem(certificates::CA).expect("roots")
}

fn with_identity(pem: &str) -> TlsConfig {
    tls().client_auth_pem(pem, pem).expect("a certificate")
}
