//! The Kafka protocol and a whole Kafka client as pure state machines.

#[macro_use]
#[path = "wire/dsl.rs"]
mod dsl;

pub mod api;
pub mod client;
pub mod config;
pub mod error;
pub mod machine;
pub mod record;
pub mod wire;
