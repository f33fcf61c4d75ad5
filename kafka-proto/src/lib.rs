//! The Kafka protocol, and with the feature `client` a whole Kafka client, without sockets, threads or clocks.
//!
//! Most users want an adapter (`kafka-client-tokio` and its sisters), which drives this crate on a runtime and re-exports
//! its handles. This crate is for those who write adapters, brokers for tests, proxies and tools: the [`guide`] shows how.
//!
//! By default it is messages and records, which build in a third of the time that all takes:
//!
//! | module | what | stability |
//! |---|---|---|
//! | [`api`] | the messages of all client APIs, one table each | semver; structs may get fields |
//! | [`record`] | records, messages, batches, their codecs | semver |
//! | [`wire`] | primitive types, the reader and the writer, the JSON form | semver |
//! | [`error`] | the codes of brokers, and which of them allow a retry | semver |
//! | [`partition`] | which partition a record goes to | semver |
//!
//! Features add the rest; `client` implies `group` and `sasl`, and is implied by `tls` and `tracing`:
//!
//! | feature | module | what | stability |
//! |---|---|---|---|
//! | `group` | `group` | who reads which partitions: assignors, and what members tell each other | semver |
//! | `sasl` | `sasl` | how a client proves who it is, as exchanges | semver |
//! | `client` | `client` | the handles, the links, and `Control`, which an adapter drives | semver |
//! | | `config` | settings | semver |
//! | | `stats` | what writers and readers have done | semver |
//! | | `machine` | the state machines: queue, cursor, cluster, handshake | feature `unstable` |
//!
//! # The contract
//!
//! Time comes in as an argument of type `client::Now`, randomness as a seed, bytes as slices. So a run is a pure
//! function of its inputs, and a test can be one, too. Nothing that a peer sends makes this crate panic, loop, or allocate
//! by a size that the peer declared.
//!
//! Machines have four kinds of methods, by name: getters; `handle_*` for what happened; bare verbs for commands;
//! `poll_*` for what the machine wants, of which `poll_timeout` is one. `handle_timeout` called early or twice does
//! nothing.

#![deny(missing_docs)]

#[macro_use]
#[path = "wire/dsl.rs"]
mod dsl;

pub mod api;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "client")]
pub mod config;
pub mod error;
#[cfg(feature = "client")]
mod event;
#[cfg(feature = "group")]
pub mod group;
pub mod guide;
#[cfg(all(feature = "client", feature = "unstable"))]
pub mod machine;
#[cfg(all(feature = "client", not(feature = "unstable")))]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "public with the feature `unstable`"
)]
mod machine;
pub mod partition;
#[allow(unreachable_pub, reason = "public in `machine::backoff`")]
mod random;
pub mod record;
#[cfg(feature = "sasl")]
pub mod sasl;
#[cfg(feature = "client")]
#[doc(hidden)]
pub mod shared;
#[cfg(feature = "client")]
pub mod stats;
pub mod wire;
