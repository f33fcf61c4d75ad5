//! A Kafka client for plain threads: pure Rust, no C compiler, no `unsafe`, no runtime to choose.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//!
//! use kafka_client_blocking::{Record, connect};
//!
//! let client = connect("localhost:9092")?;
//!
//! let writer = client.writer("orders")?;
//! let written = writer.write(Record::new("paid").key("order-17"))?;
//! println!("partition {}, offset {:?}", written.partition, written.offset);
//!
//! let mut reader = client.reader("orders")?;
//! if let Some(message) = reader.read_message()? {
//!     println!("{:?}", message.value());
//! }
//!
//! client.close(Duration::from_secs(10))?;
//! # Ok(())
//! # }
//! ```
//!
//! The verbs are those of the adapters for async runtimes, without `await`; settings, records, messages and errors are the
//! same types everywhere.
//!
//! # Threads
//!
//! Each [`Client`] has one thread, `kafka-io`, for all its connections; so has each [`Conn`] that was dialled. Callers
//! sleep until their outcome is there: handles can be shared between threads, and threads that write at a time share
//! batches. A thread that is alone in waiting, several times in a row, does the work of `kafka-io` itself meanwhile, which
//! spares two switches between threads a call; the crate's file `seat.rs` has the rules.
//!
//! Looking up a host name takes a thread for as long as the system's lookup does.
//!
//! # Waiting
//!
//! Every call returns: a write by its writer's [`delivery_timeout`](WriterConfig::delivery_timeout), a request by
//! [`call_timeout`](Config::call_timeout) or [`request_timeout`](Config::request_timeout), connecting by
//! [`Dialer::timeout`] a broker, `close` by its limit. Only a [`Reader`] waits as long as nothing comes:
//! [`Reader::read_message_timeout`] gives up, and [`Client::close`] from another thread ends the wait.
//!
//! # The end of the program
//!
//! Dropping a handle never waits and recalls nothing: the thread delivers what was accepted. But it ends with the process,
//! so `main` must not return before [`Client::close`], [`Writer::close`] or [`Writer::flush`] has; the first two tell
//! what could not be delivered.

// loom's models are about who drives: the rest needs sockets
#[cfg(not(loom))]
mod client;
#[cfg(not(loom))]
mod clock;
#[cfg(not(loom))]
mod conn;
#[cfg(not(loom))]
mod dial;
#[cfg(not(loom))]
mod engine;
#[cfg(not(loom))]
mod io;
#[cfg(not(loom))]
mod reader;
#[cfg_attr(loom, allow(dead_code, reason = "used by the models"))]
mod seat;
#[cfg_attr(loom, allow(dead_code, reason = "used by the models"))]
mod signal;
#[cfg_attr(loom, allow(dead_code, reason = "used by the models"))]
mod sync;
#[cfg(not(loom))]
mod threads;
#[cfg(not(loom))]
mod writer;

#[cfg(not(loom))]
pub use client::{Client, Events};
#[cfg(not(loom))]
pub use conn::Conn;
#[cfg(not(loom))]
pub use dial::{Dialer, connect};
#[doc(inline)]
pub use kafka_proto::{
    api,
    client::{Batch, ConnCloser, Event, FetchLimits, ReaderHandle, TopicConfig},
    config::{
        Acks, Address, Balancer, Config, OffsetReset, ReaderConfig, StartOffset, WriterConfig,
    },
    error::{
        ConfigError, Error, ErrorCode, ErrorKind, Fault, Outcome, Scope, Undelivered, WriteError,
        Written,
    },
    record::{Header, Message, Record},
};
#[cfg(not(loom))]
pub use reader::{Messages, Reader};
#[cfg(not(loom))]
pub use writer::{Receipt, Writer};
