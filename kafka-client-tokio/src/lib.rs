//! A Kafka client for tokio: pure Rust, no C compiler, no `unsafe`.
//!
//! ```no_run
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//!
//! use kafka_client_tokio::{Record, connect};
//!
//! let client = connect("localhost:9092").await?;
//!
//! let writer = client.writer("orders")?;
//! let written = writer.write(Record::new("paid").key("order-17")).await?;
//! println!("partition {}, offset {:?}", written.partition, written.offset);
//!
//! let mut reader = client.reader("orders")?;
//! if let Some(message) = reader.read_message().await? {
//!     println!("{:?}", message.value());
//! }
//!
//! client.close(Duration::from_secs(10)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Everything but [`connect`] and [`Dialer`] is shared with the adapters for other runtimes and documented where it
//! stands: [`Client`], [`Writer`], [`Reader`], [`Conn`] are the same types everywhere.
//!
//! A client's connections are tasks of the runtime in which it was made. A client that outlives that runtime answers
//! [`ErrorKind::Closed`].

mod clock;
mod dial;
mod drive;

pub use dial::{Dialer, connect};
#[doc(inline)]
pub use kafka_proto::{
    api,
    client::{
        Batch, Call, Client, Conn, ConnCloser, Event, Events, FetchLimits, Reader, ReaderHandle,
        Receipt, TopicConfig, Writer,
    },
    config::{
        Acks, Address, Balancer, Config, OffsetReset, ReaderConfig, StartOffset, WriterConfig,
    },
    error::{
        ConfigError, Error, ErrorCode, ErrorKind, Fault, Outcome, Scope, Undelivered, WriteError,
        Written,
    },
    record::{Header, Message, Record},
};

/// The examples of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
