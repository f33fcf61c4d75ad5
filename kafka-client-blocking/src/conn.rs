//! One connection.

use std::{sync::Arc, time::Instant};

use kafka_proto::{
    api::Request,
    client::{self as asynchronous, Batch, ConnCloser, FetchLimits},
    config::{Address, StartOffset},
    error::{Error, WriteError, Written},
    record::{Message, Record},
};

use crate::io::Io;

/// One connection to one broker, for one partition and for requests of any kind.
///
/// Requests take `&self`: threads may share it, and many requests be in flight; the broker answers them in order. What
/// reads moves the position and takes `&mut self`. No retries, no idempotence, no other brokers: those are
/// [`Writer`](crate::Writer)'s and [`Reader`](crate::Reader)'s. A thread of its own runs it, `kafka-io`. Dropping it closes
/// the connection.
///
/// Without a deadline, what the broker does not answer within
/// [`request_timeout`](crate::Config::request_timeout) ends the connection, and with it every call.
///
/// Source: acceptance CN-01..25.
#[derive(Debug)]
pub struct Conn {
    conn: asynchronous::Conn,
    io: Arc<Io>,
}

impl Conn {
    pub(crate) fn new(conn: asynchronous::Conn, io: Arc<Io>) -> Self {
        Self { conn, io }
    }

    /// Sends a request of any API, in the highest version that both sides know, and waits for the response.
    ///
    /// # Errors
    ///
    /// The broker does not know the API or a field that is set, the deadline passed, or the connection ended. Error codes
    /// inside the response are yours to look at.
    pub fn request<R>(&self, request: R) -> Result<R::Response, Error>
    where
        R: Request + Send + Sync + 'static,
    {
        self.io.block_on(self.conn.request(request))
    }

    /// Asks this broker where the leader of a partition listens.
    ///
    /// # Errors
    ///
    /// The partition does not exist or has no leader now, or the connection ended.
    #[doc(alias = "LookupLeader")]
    pub fn lookup_leader(&self, topic: &str, partition: i32) -> Result<Address, Error> {
        self.io.block_on(self.conn.lookup_leader(topic, partition))
    }

    /// Writes records to the connection's partition as one batch: all of them or none.
    ///
    /// Waits for all in-sync replicas. Returns where the first record went; the others follow it.
    ///
    /// # Errors
    ///
    /// The broker refused the batch, or the connection ended; the outcome says whether it may be in the log. Records that
    /// name a topic or partition are a misuse: the connection has one.
    #[doc(alias = "WriteMessages")]
    pub fn write_messages(&self, records: &[Record<'_>]) -> Result<Written, WriteError> {
        self.io.block_on(self.conn.write_messages(records))
    }

    /// Fetches once from the position and moves it behind what came; an empty batch if the wait ended first.
    ///
    /// # Errors
    ///
    /// The broker refused (the position stays), records are damaged, or the connection ended.
    #[doc(alias = "ReadBatch")]
    pub fn read_batch(&mut self, limits: FetchLimits) -> Result<Batch, Error> {
        self.io.block_on(self.conn.read_batch(limits))
    }

    /// Reads the next message, fetching up to `max_bytes` when none is in hand; `None` if none came within 500 ms.
    ///
    /// # Errors
    ///
    /// As [`Conn::read_batch`].
    #[doc(alias = "ReadMessage")]
    pub fn read_message(&mut self, max_bytes: i32) -> Result<Option<Message>, Error> {
        self.io.block_on(self.conn.read_message(max_bytes))
    }

    /// Moves the position and returns it as an absolute offset.
    ///
    /// # Errors
    ///
    /// The broker refused, or the connection ended; the position stays.
    #[doc(alias = "Seek")]
    pub fn seek(&mut self, to: StartOffset) -> Result<i64, Error> {
        self.io.block_on(self.conn.seek(to))
    }

    /// The offset that the next [`Conn::read_batch`] begins at; `None` before the first one.
    #[doc(alias = "Offset")]
    pub fn position(&self) -> Option<i64> {
        self.conn.position()
    }

    /// Sets when calls from now on give up; `None` is never. Default: never.
    #[doc(alias = "SetDeadline")]
    pub fn set_deadline(&self, at: Option<Instant>) {
        self.conn.set_deadline(at);
    }

    /// What closes this connection in another thread, while a call holds it.
    pub fn closer(&self) -> ConnCloser {
        self.conn.closer()
    }

    /// Closes the connection and waits for its thread; calls in flight in other threads end with an error. Calling it
    /// again does nothing.
    #[doc(alias = "Close")]
    pub fn close(&self) {
        self.conn.close();
        self.io.hang_up();
        self.io.join();
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        self.conn.close();
        self.io.hang_up();
    }
}
