//! What tests of Kafka programs need: a broker in the process, a simulator, and real brokers.

#[cfg(all(feature = "launcher", unix))]
pub mod kafka;

pub mod broker;
pub mod judge;
pub mod proxy;
pub mod server;
pub mod sim;
