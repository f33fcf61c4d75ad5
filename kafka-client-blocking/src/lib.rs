//! A Kafka client for plain threads: pure Rust, no C compiler, no `unsafe`, no runtime to choose. For Unix.
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
//! Looking up a host name takes a thread for as long as the system's lookup does. A connection over a stream that blocks,
//! [`Dialer::over`], has three threads.
//!
//! # Waiting
//!
//! Every call returns: a write by its writer's [`delivery_timeout`](WriterConfig::delivery_timeout) from when it is
//! accepted, for which it waits while the buffer is full, a request by [`call_timeout`](Config::call_timeout) or
//! [`request_timeout`](Config::request_timeout), connecting by [`Dialer::timeout`] a broker, `close` by its limit. Only a
//! [`Reader`] and [`Events`] wait as long as nothing comes: [`Reader::read_message_timeout`] and [`Events::next_timeout`]
//! give up, and [`Client::close`] from another thread ends the wait.
//!
//! # The end of the program
//!
//! Dropping a handle never waits and recalls nothing: the thread delivers what was accepted. But it ends with the process,
//! so `main` must not return before [`Client::close`], [`Writer::close`] or [`Writer::flush`] has; the first two tell
//! what could not be delivered.
//!
//! # A handle each
//!
//! ## Dialer
//!
//! Settings for connecting, and for what is not worth a client.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//!
//! use kafka_client_blocking::Dialer;
//!
//! let dialer = Dialer::new().client_id("billing").timeout(Duration::from_secs(5));
//! let client = dialer.connect("kafka-1:9092,kafka-2:9092")?;
//! // for services that start before their broker
//! let lazy = dialer.connect_lazy("kafka-1:9092")?;
//! # drop((client, lazy));
//! # Ok(())
//! # }
//! ```
//!
//! ## TlsConfig and Sasl
//!
//! Who the brokers are, and who we are. `docs/security.md` of the repository says what each failure means and which CPUs
//! the built-in cryptography needs.
//!
//! A provider of tokens is a future that the thread which drives the sockets polls: it must wake itself, and not block.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # #[cfg(feature = "tls")]
//! # {
//! use kafka_client_blocking::{Dialer, Sasl, TlsConfig};
//!
//! let client = Dialer::new()
//!     .tls(TlsConfig::new().roots_file("ca.pem")?)
//!     .sasl(Sasl::scram_sha512("alice", "secret"))
//!     .connect("kafka-1:9093")?;
//! # drop(client);
//! # }
//! # Ok(())
//! # }
//! ```
//!
//! ## Client
//!
//! The cluster: topics are created, any API is called, events are heard.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use kafka_client_blocking::{TopicConfig, api::metadata::MetadataRequest, connect};
//!
//! let client = connect("localhost:9092")?;
//! let orders = TopicConfig::new("orders").partitions(6).replication_factor(3);
//! client.create_topics(&[orders])?;
//! let cluster = client.call(MetadataRequest::default())?;
//! println!("{} brokers", cluster.brokers.len());
//! let mut events = client.events();
//! for event in &mut events {
//!     println!("{event:?}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! ## Writer and Receipt
//!
//! Calls that wait for the outcome, and calls that hand over and look later. A slice is accepted whole or not at all.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use kafka_client_blocking::{Record, WriterConfig, connect};
//!
//! let client = connect("localhost:9092")?;
//! let writer = client.writer(WriterConfig::topic("orders"))?;
//! let written = writer.write(Record::new("paid").key("order-17"))?;
//! println!("partition {}, offset {:?}", written.partition, written.offset);
//! let receipt = writer.send(&[Record::new("a"), Record::new("b")])?;
//! // ... other work ...
//! for written in receipt.wait()? {
//!     println!("offset {:?}", written.offset);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! ## Reader
//!
//! Message by message, or by batches, which costs the least there is.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use kafka_client_blocking::{ReaderConfig, StartOffset, connect};
//!
//! let client = connect("localhost:9092")?;
//! let config = ReaderConfig::topic("orders").start(StartOffset::First);
//! let mut reader = client.reader(config)?;
//! if let Some(message) = reader.read_message()? {
//!     println!("{}: {:?}", message.offset(), message.value());
//! }
//! let handle = reader.handle(); // ends the loop from elsewhere: handle.close()
//! while let Some(batch) = reader.read_batch()? {
//!     for record in batch.iter() {
//!         let record = record?;
//!         println!("{}: {:?}", record.offset, record.value);
//!     }
//! }
//! # drop(handle);
//! # Ok(())
//! # }
//! ```
//!
//! ## Conn and Batch
//!
//! One connection to one broker: what the others are built from.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use kafka_client_blocking::{Dialer, FetchLimits, Record, SeekFrom};
//!
//! let mut conn = Dialer::new().dial_leader("localhost:9092", "orders", 0)?;
//! let written = conn.write_messages(&[Record::new("paid")])?;
//! conn.seek(SeekFrom::Absolute(written.offset.unwrap_or(0)))?;
//! let batch = conn.read_batch(FetchLimits::default())?;
//! for message in batch {
//!     println!("{:?}", message?.value());
//! }
//!
//! // requests of any kind; this way many are in flight
//! use kafka_client_blocking::api::metadata::MetadataRequest;
//! let calls: Vec<_> = (0..64).map(|_| conn.send(MetadataRequest::default())).collect();
//! for call in calls {
//!     println!("{} brokers", call.wait()?.brokers.len());
//! }
//! # Ok(())
//! # }
//! ```
//!

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
mod opening;
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
#[cfg(not(loom))]
pub use conn::{Call, Conn};
#[cfg(not(loom))]
pub use dial::{
    Dialer, connect, default_client_id, dial, dial_leader, dial_partition, lookup_leader,
    lookup_partition, lookup_partitions,
};
#[doc(inline)]
pub use kafka_proto::shared::everywhere::*;
#[cfg(not(loom))]
pub use reader::{Messages, Reader};
#[cfg(not(loom))]
pub use writer::{Receipt, Writer};
