//! A cluster in memory, for tokio: streams instead of sockets, and tokio's time instead of the system's.
//!
//! Under a paused clock (`start_paused`) an hour of waiting passes at once, on both sides of a stream. A whole client lives
//! in memory by [`Memory::connector`]:
//!
//! ```
//! use std::time::Duration;
//!
//! use kafka_client_tokio::{Dialer, Record};
//! use kafka_proto::api::ApiKey;
//! use kafka_testing::{broker::{Cluster, Config, Fault, Rule}, memory::Memory};
//! use tokio::time::Instant;
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut cluster = Cluster::new(Config::new().brokers(3));
//! cluster.create_topic("orders", 6);
//! let memory = Memory::new(cluster);
//! let dialer = Dialer::new().connector(memory.connector());
//! let client = dialer.connect(&memory.bootstrap()).await?;
//! // the broker takes its time
//! let late = Fault::DelayResponse(Duration::from_secs(20));
//! memory.cluster().inject(Rule::new(late).api(ApiKey::Produce));
//! let begin = Instant::now();
//! client.writer("orders")?.write(Record::new("paid")).await?;
//! assert!(begin.elapsed() >= Duration::from_secs(20));
//! # Ok(())
//! # }
//! ```
//!
//! What speaks Kafka over any stream takes one of [`Memory::connect`].

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    future::{Future, Ready, ready},
    io,
    ops::{Deref, DerefMut},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{self, Context, Poll, Waker},
};

use bytes::{Buf, Bytes};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use crate::{
    broker::{Cluster, ConnId, Frames},
    server::unix_ms,
};

/// A cluster and the streams to it. Clones are the same cluster.
#[derive(Clone, Debug)]
pub struct Memory(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    cluster: Cluster,
    links: BTreeMap<ConnId, Link>,
}

/// What is on its way to one stream.
#[derive(Debug, Default)]
struct Link {
    out: VecDeque<Bytes>,
    closed: bool,
    reader: Option<Waker>,
}

/// The locked [`Cluster`] of a [`Memory`]; what was changed takes effect when it is dropped.
#[derive(Debug)]
pub struct ClusterGuard<'a>(MutexGuard<'a, State>);

/// A client's end of a connection. Dropping it ends the connection.
#[must_use = "dropping the stream ends the connection"]
pub struct Stream {
    memory: Memory,
    id: ConnId,
    frames: Frames,
    /// Until when the cluster waits: whoever reads sees to it that time passes there.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Memory {
    /// Puts a cluster into memory. Its clocks read what the system's does, unless they are set already.
    pub fn new(mut cluster: Cluster) -> Self {
        cluster.start_clock(unix_ms());
        Self(Arc::new(Mutex::new(State {
            cluster,
            links: BTreeMap::new(),
        })))
    }

    /// Connects to a broker. To one that is stopped the stream is at its end.
    ///
    /// # Panics
    ///
    /// If there is no such broker.
    #[track_caller]
    pub fn connect(&self, broker: i32) -> Stream {
        let mut state = self.lock();
        let id = state.cluster.connect(broker);
        state.links.insert(id, Link::default());
        state.settle();
        drop(state);
        Stream {
            memory: self.clone(),
            id,
            frames: Frames::new(),
            sleep: None,
        }
    }

    /// Connects to the broker that says it is at this address; `None` if none says so.
    pub fn dial(&self, host: &str, port: u16) -> Option<Stream> {
        let found = self.lock().find(host, port)?;
        Some(self.connect(found))
    }

    /// What a client opens its streams by instead of TCP: it is refused where no broker says it is, or the one there is
    /// stopped. Fits `Dialer::connector` of kafka-client-tokio.
    pub fn connector(
        &self,
    ) -> impl Fn(String, u16) -> Ready<io::Result<Stream>> + Clone + Send + Sync + 'static {
        let memory = self.clone();
        move |host, port| ready(memory.dial_running(&host, port))
    }

    /// The addresses of all brokers, as clients want them: `"a:9092,b:9092"`.
    pub fn bootstrap(&self) -> String {
        let state = self.lock();
        let address = |id| {
            let (host, port) = state.cluster.address(id);
            format!("{host}:{port}")
        };
        let all: Vec<_> = state.cluster.brokers().map(address).collect();
        all.join(",")
    }

    /// Locks the cluster, to look at it or to change it.
    pub fn cluster(&self) -> ClusterGuard<'_> {
        ClusterGuard(self.lock())
    }

    fn dial_running(&self, host: &str, port: u16) -> io::Result<Stream> {
        let state = self.lock();
        let found = state.find(host, port);
        let running = found.filter(|id| state.cluster.is_running(*id));
        drop(state);
        let running = running.ok_or(io::ErrorKind::ConnectionRefused)?;
        Ok(self.connect(running))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The broker that says it is there.
    fn find(&self, host: &str, port: u16) -> Option<i32> {
        let is_there = |id: &i32| self.cluster.address(*id) == (host, port);
        self.cluster.brokers().find(is_there)
    }

    /// Hands out what the cluster wants, and wakes who gets something.
    fn settle(&mut self) {
        while let Some((id, frame)) = self.cluster.poll_response() {
            if let Some(link) = self.links.get_mut(&id) {
                link.out.push_back(frame);
                link.wake();
            }
        }
        while let Some(id) = self.cluster.poll_close() {
            if let Some(link) = self.links.get_mut(&id) {
                link.closed = true;
                link.wake();
            }
        }
    }
}

impl Link {
    fn wake(&mut self) {
        if let Some(waker) = self.reader.take() {
            waker.wake();
        }
    }
}

impl Deref for ClusterGuard<'_> {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.0.cluster
    }
}

impl DerefMut for ClusterGuard<'_> {
    fn deref_mut(&mut self) -> &mut Cluster {
        &mut self.0.cluster
    }
}

impl Drop for ClusterGuard<'_> {
    fn drop(&mut self) {
        self.0.settle();
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let mut guard = this.memory.lock();
            let state = &mut *guard;
            let Some(link) = state.links.get_mut(&this.id) else {
                return Poll::Ready(Ok(()));
            };
            if let Some(front) = link.out.front_mut() {
                let count = front.len().min(buffer.remaining());
                buffer.put_slice(&front[..count]);
                front.advance(count);
                if front.is_empty() {
                    link.out.pop_front();
                }
                return Poll::Ready(Ok(()));
            }
            if link.closed {
                return Poll::Ready(Ok(()));
            }
            link.reader = Some(cx.waker().clone());
            let due = state.cluster.poll_timeout().map(Instant::from_std);
            drop(guard);
            let Some(due) = due else {
                this.sleep = None;
                return Poll::Pending;
            };
            if this.sleep.as_ref().is_none_or(|s| s.deadline() != due) {
                this.sleep = Some(Box::pin(sleep_until(due)));
            }
            let Some(sleep) = &mut this.sleep else {
                return Poll::Pending;
            };
            task::ready!(sleep.as_mut().poll(cx));
            this.sleep = None;
            let mut state = this.memory.lock();
            state.cluster.handle_timeout(Instant::now().into_std());
            state.settle();
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.frames.push(bytes);
        let mut guard = this.memory.lock();
        let state = &mut *guard;
        if state.links.get(&this.id).is_none_or(|link| link.closed) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let now = Instant::now().into_std();
        loop {
            match this.frames.poll_frame() {
                Ok(Some(frame)) => state.cluster.handle_request(this.id, frame, now),
                Ok(None) => break,
                Err(_) => {
                    state.cluster.handle_garbage(this.id);
                    break;
                }
            }
        }
        state.settle();
        // who reads may have to wake earlier than it thought
        if let Some(link) = state.links.get_mut(&this.id) {
            link.wake();
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Ends the connection: a broker that hears no more closes it.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut guard = self.memory.lock();
        let state = &mut *guard;
        state.cluster.disconnect(self.id);
        if let Some(link) = state.links.get_mut(&self.id) {
            link.closed = true;
            link.wake();
        }
        state.settle();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut state = self.memory.lock();
        state.links.remove(&self.id);
        state.cluster.disconnect(self.id);
        state.settle();
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
