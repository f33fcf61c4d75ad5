//! What tests of Kafka programs need, without Docker: a broker in the process, a simulator, real brokers, and a bad
//! network.
//!
//! | module | what | for |
//! |---|---|---|
//! | [`broker`] | a cluster as a pure machine: frames in, frames out, faults on demand | tests of protocol code |
//! | [`server`] | the same behind sockets of 127.0.0.1 | tests of your service, in milliseconds, with any client |
#![cfg_attr(
    feature = "tokio",
    doc = "| [`memory`] | the same behind streams in memory, for tokio | tests under a paused clock |"
)]
//! | [`sim`] | clients, cluster, network and clock on one thread, from a seed | what happens once in ten thousand runs |
//! | [`judge`] | tells from a history which promises were broken | the verdict of such tests |
#![cfg_attr(
    all(feature = "launcher", unix),
    doc = "| [`kafka`] | real Kafka from 0.10.2 to 4.3, one node or a cluster, killed and frozen at will | the last word |"
)]
//! | [`proxy`] | a network before real brokers that delays, cuts, freezes and damages | what real brokers meet |
//!
//! A test of a service, which finds its broker at an address as ever:
//!
//! ```
//! use kafka_testing::{broker::{Cluster, Config}, server::Server};
//! # fn run_my_service(kafka: &str) {
//! #     use std::io::{Read, Write};
//! #     // ApiVersions 0: enough of a service for this example
//! #     let mut stream = std::net::TcpStream::connect(kafka).unwrap();
//! #     stream.write_all(b"\0\0\0\x0c\0\x12\0\0\0\0\0\x01\0\x02me").unwrap();
//! #     stream.read_exact(&mut [0; 10]).unwrap();
//! # }
//!
//! // #[test]
//! fn my_service_starts_on_an_empty_topic() {
//!     let mut cluster = Cluster::new(Config::new());
//!     cluster.create_topic("orders", 6);
//!     let server = Server::start(cluster).unwrap();
//!     run_my_service(&server.bootstrap());
//!     assert_eq!(server.cluster().log("orders", 0).values().len(), 0);
//! }
//! # my_service_starts_on_an_empty_topic();
//! ```
//!
//! And what it does when the broker refuses, is late, or is gone:
//!
//! ```
//! use kafka_proto::{api::ApiKey, error::ErrorCode};
//! use kafka_testing::{broker::{Cluster, Config, Fault, Rule}, server::Server};
//!
//! let server = Server::start(Cluster::new(Config::new().brokers(3)))?;
//! let fault = Fault::Error(ErrorCode::NOT_ENOUGH_REPLICAS);
//! server.cluster().inject(Rule::new(fault).api(ApiKey::Produce).times(3));
//! server.stop_broker(2);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Programs in other languages start the example `broker` of this package, which serves a cluster and obeys lines on its
//! standard input.

#[cfg(all(feature = "launcher", unix))]
pub mod kafka;

pub mod broker;
pub mod certificates;
pub mod judge;
#[cfg(feature = "tokio")]
pub mod memory;
pub mod proxy;
pub mod server;
pub mod sim;
#[cfg(feature = "tls")]
pub mod tls;
