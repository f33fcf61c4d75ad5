//! A Kafka client for async-std, smol and every other executor: pure Rust, no C compiler, no `unsafe`.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # async_io::block_on(async {
//! use std::time::Duration;
//!
//! use kafka_client_async_std::{Record, connect};
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
//! # })
//! # }
//! ```
//!
//! Everything but [`connect`] and [`Dialer`] is shared with the adapters for other runtimes and documented where it
//! stands: [`Client`], [`Writer`], [`Reader`], [`Conn`] are the same types everywhere.
//!
//! # Runtimes
//!
//! Sockets and timers are those of `async-io`, which needs no runtime, so these futures run on any executor. The client's
//! control has a thread, `kafka-control`, so that code which blocks an executor does not cost a client its place in the
//! cluster. The loops of connections that carry records, two for each, are tasks of
//!
//! | feature | |
//! |---|---|
//! | `async-std` (default) | async-std, also where `smol` is on |
//! | `smol` | smol; with `default-features = false` there is no async-std in the tree |
//! | neither | the executor that [`Dialer::spawner`] names; without one, connecting is an error |
//!
//! The executors of async-std and smol are global, on threads of their own, and live as long as the process: `connect`
//! works wherever a future is polled, in a plain thread too. An executor of yours that is dropped ends its clients: they
//! answer [`ErrorKind::Closed`].

mod clock;
mod dial;
mod drive;
mod spawn;
mod stream;

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
