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
//! Each [`Client`] has one thread, `kafka-io`, for all its connections; so has each [`Conn`]. Callers sleep until their
//! outcome is there: handles can be shared between threads, and threads that write at a time share batches.
//!
//! A process also has one thread of the `async-io` crate and, for a moment, one for each lookup of a host name.
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

mod client;
mod conn;
mod dial;
mod io;
mod park;
mod reader;
mod writer;

pub use client::{Client, Events};
pub use conn::Conn;
pub use dial::{Dialer, connect};
#[doc(inline)]
pub use kafka_client_async_std::{
    Acks, Address, Balancer, Batch, Config, ConfigError, Error, ErrorCode, ErrorKind, Event, Fault,
    FetchLimits, Header, Message, OffsetReset, Outcome, ReaderConfig, Record, Scope, StartOffset,
    TopicConfig, Undelivered, WriteError, WriterConfig, Written, api,
};
pub use reader::{Messages, Reader};
pub use writer::{Receipt, Writer};
