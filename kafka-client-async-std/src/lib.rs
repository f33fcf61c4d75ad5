//! A Kafka client for async-std, smol and every other executor: pure Rust, no C compiler, no `unsafe`.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
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
//! cluster. Its connections that carry records, and every [`Conn`], are tasks, one each, of
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
//!
//! # A handle each
//!
//! ## Dialer
//!
//! Settings for connecting, and for what is not worth a client.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//!
//! use kafka_client_async_std::Dialer;
//!
//! let dialer = Dialer::new().client_id("billing").timeout(Duration::from_secs(5));
//! let client = dialer.connect("kafka-1:9092,kafka-2:9092").await?;
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
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! # #[cfg(feature = "tls")]
//! # {
//! use kafka_client_async_std::{Dialer, Sasl, TlsConfig};
//!
//! let client = Dialer::new()
//!     .tls(TlsConfig::new().roots_file("ca.pem")?)
//!     .sasl(Sasl::scram_sha512("alice", "secret"))
//!     .connect("kafka-1:9093").await?;
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
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use kafka_client_async_std::{TopicConfig, api::metadata::MetadataRequest, connect};
//!
//! let client = connect("localhost:9092").await?;
//! let orders = TopicConfig::new("orders").partitions(6).replication_factor(3);
//! client.create_topics(&[orders]).await?;
//! let cluster = client.call(MetadataRequest::default()).await?;
//! println!("{} brokers", cluster.brokers.len());
//! let mut events = client.events();
//! while let Some(event) = events.next().await {
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
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use kafka_client_async_std::{Record, WriterConfig, connect};
//!
//! let client = connect("localhost:9092").await?;
//! let writer = client.writer(WriterConfig::topic("orders"))?;
//! let written = writer.write(Record::new("paid").key("order-17")).await?;
//! println!("partition {}, offset {:?}", written.partition, written.offset);
//! let receipt = writer.send(&[Record::new("a"), Record::new("b")]).await?;
//! // ... other work ...
//! for written in receipt.await? {
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
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use kafka_client_async_std::{ReaderConfig, StartOffset, connect};
//!
//! let client = connect("localhost:9092").await?;
//! let config = ReaderConfig::topic("orders").start(StartOffset::First);
//! let mut reader = client.reader(config)?;
//! if let Some(message) = reader.read_message().await? {
//!     println!("{}: {:?}", message.offset(), message.value());
//! }
//! let handle = reader.handle(); // ends the loop from elsewhere: handle.close()
//! while let Some(batch) = reader.read_batch().await? {
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
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use kafka_client_async_std::{Dialer, FetchLimits, Record, SeekFrom};
//!
//! let mut conn = Dialer::new().dial_leader("localhost:9092", "orders", 0).await?;
//! let written = conn.write_messages(&[Record::new("paid")]).await?;
//! conn.seek(SeekFrom::Absolute(written.offset.unwrap_or(0))).await?;
//! let batch = conn.read_batch(FetchLimits::default()).await?;
//! for message in batch {
//!     println!("{:?}", message?.value());
//! }
//! # Ok(())
//! # }
//! ```

mod clock;
mod dial;
mod drive;
mod open;
mod spawn;
mod stream;

pub use dial::{
    Dialer, connect, default_client_id, dial, dial_leader, dial_partition, lookup_leader,
    lookup_partition, lookup_partitions,
};
#[doc(inline)]
pub use kafka_proto::shared::{everywhere::*, handles::*};
