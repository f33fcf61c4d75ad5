//! A cluster behind real TCP sockets, so that any client of any language can use it.
//!
//! ```no_run
//! use kafka_testing::broker::{Cluster, Config};
//! use kafka_testing::server::Server;
//!
//! let mut cluster = Cluster::new(Config::new().brokers(3));
//! cluster.create_topic("orders", 6);
//! let server = Server::start(cluster)?;
//! println!("kafka is at {}", server.bootstrap());
//! // ... a client writes ...
//! assert_eq!(server.cluster().log("orders", 0).values(), ["paid"]);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Threads: one a broker that accepts, two a connection, one for time. A connection's reader handles its requests and
//! writes their answers; its writer writes what other threads caused, such as records that a waiting Fetch gets.
//! Locks, in this order: the state of the server, what a connection has to write.

use std::{
    collections::{BTreeMap, VecDeque},
    io::{self, ErrorKind, IoSlice, Read, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    ops::{Deref, DerefMut},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;

use crate::broker::{Cluster, ConnId, Frames};
#[cfg(feature = "tls")]
use crate::tls::{Session, Tls};

/// Serves a [`Cluster`] on 127.0.0.1, each broker on a port of its own.
///
/// Dropping it ends all connections, joins all threads and frees all ports.
#[derive(Debug)]
#[must_use = "dropping the server stops it"]
pub struct Server {
    shared: Arc<Shared>,
    timer: Option<JoinHandle<()>>,
}

impl Server {
    /// Binds a port for each running broker, tells the cluster, and serves. The cluster's clocks read what the system's does,
    /// unless they are set already.
    pub fn start(cluster: Cluster) -> io::Result<Self> {
        Self::start_over(cluster, Cover::default())
    }

    /// The same behind TLS.
    ///
    /// ```
    /// use kafka_testing::{broker::{Cluster, Config}, server::Server, tls::Tls};
    ///
    /// let server = Server::start_tls(Cluster::new(Config::new()), Tls::new())?;
    /// // clients trust kafka_testing::certificates::CA
    /// # drop(server);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[cfg(feature = "tls")]
    pub fn start_tls(cluster: Cluster, tls: Tls) -> io::Result<Self> {
        Self::start_over(cluster, Some(tls))
    }

    fn start_over(mut cluster: Cluster, cover: Cover) -> io::Result<Self> {
        cluster.start_clock(unix_ms());
        let state = State {
            listeners: cluster
                .brokers()
                .map(|id| (id, Listener::default()))
                .collect(),
            cluster,
            links: BTreeMap::new(),
            threads: Vec::new(),
            timer_sleeps: None,
            stopping: false,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            timer: Condvar::new(),
            cover,
        });
        let mut server = Self {
            shared: Arc::clone(&shared),
            timer: None,
        };
        server.shared.sync_listeners()?;
        server.timer = Some(spawn("kafka-timer", move || shared.keep_time())?);
        Ok(server)
    }

    /// The addresses of the running brokers, as clients take them: `127.0.0.1:40001,127.0.0.1:40002`.
    pub fn bootstrap(&self) -> String {
        let cluster = self.cluster();
        let running = cluster.brokers().filter(|id| cluster.is_running(*id));
        let addresses: Vec<String> = running
            .map(|id| {
                let (host, port) = cluster.address(id);
                format!("{host}:{port}")
            })
            .collect();
        addresses.join(",")
    }

    /// The port of a broker; the same after a restart.
    ///
    /// # Panics
    ///
    /// If there is no such broker.
    #[track_caller]
    pub fn port(&self, broker: i32) -> u16 {
        match self.shared.lock().listeners.get(&broker) {
            Some(listener) => listener.port,
            None => panic!("no broker {broker} in the cluster"),
        }
    }

    /// Locks the cluster, to look at it or to change it. Nothing is served meanwhile; what was changed takes effect when
    /// the guard is dropped.
    ///
    /// # Panics
    ///
    /// When the guard is dropped, if a broker was started in it whose port something else has taken.
    pub fn cluster(&self) -> ClusterGuard<'_> {
        let mut state = self.shared.lock();
        // what the caller does happens now, not when the last request came
        state.cluster.handle_timeout(Instant::now());
        ClusterGuard {
            shared: &self.shared,
            state: Some(state),
        }
    }

    /// Runs `f` on the locked cluster.
    pub fn with<T>(&self, f: impl FnOnce(&mut Cluster) -> T) -> T {
        f(&mut self.cluster())
    }

    /// Stops a broker: its connections end and nobody listens on its port.
    #[track_caller]
    pub fn stop_broker(&self, broker: i32) {
        self.cluster().stop(broker);
    }

    /// Starts a broker again, on the same port. If something else has taken that, the broker stays stopped.
    pub fn start_broker(&self, broker: i32) -> io::Result<()> {
        let mut guard = self.cluster();
        guard.start(broker);
        guard.finish()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.stopping = true;
        let retired: Vec<Retired> = state
            .listeners
            .values_mut()
            .filter_map(Listener::retire)
            .collect();
        drop(state);
        self.shared.timer.notify_all();
        retired.into_iter().for_each(Retired::join);
        // now nobody adds connections
        let mut state = self.shared.lock();
        state.links.values().for_each(|link| link.abort());
        let threads = std::mem::take(&mut state.threads);
        drop(state);
        for thread in threads.into_iter().chain(self.timer.take()) {
            // a thread that panicked has said so
            let _ = thread.join();
        }
    }
}

/// The locked [`Cluster`] of a [`Server`].
#[derive(Debug)]
pub struct ClusterGuard<'a> {
    shared: &'a Arc<Shared>,
    /// Always there until the end.
    state: Option<MutexGuard<'a, State>>,
}

impl ClusterGuard<'_> {
    /// Lets what was changed take effect.
    fn finish(mut self) -> io::Result<()> {
        self.settle()
    }

    fn settle(&mut self) -> io::Result<()> {
        let Some(mut state) = self.state.take() else {
            return Ok(());
        };
        self.shared.settle(&mut state, None);
        drop(state);
        self.shared.sync_listeners()
    }
}

const GUARDED: &str = "the guard holds the lock until it is dropped";

impl Deref for ClusterGuard<'_> {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.state.as_ref().expect(GUARDED).cluster
    }
}

impl DerefMut for ClusterGuard<'_> {
    fn deref_mut(&mut self) -> &mut Cluster {
        &mut self.state.as_mut().expect(GUARDED).cluster
    }
}

impl Drop for ClusterGuard<'_> {
    fn drop(&mut self) {
        if let Err(e) = self.settle()
            && !thread::panicking()
        {
            panic!("a broker could not be started again: {e}");
        }
    }
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Wakes the timer thread: there is an earlier deadline, or it is to end.
    timer: Condvar,
    #[cfg_attr(
        not(feature = "tls"),
        expect(dead_code, reason = "nothing lies over a socket then")
    )]
    cover: Cover,
}

/// What lies over the sockets.
#[cfg(feature = "tls")]
type Cover = Option<Tls>;
#[cfg(not(feature = "tls"))]
type Cover = Option<std::convert::Infallible>;

#[derive(Debug)]
struct State {
    cluster: Cluster,
    links: BTreeMap<ConnId, Arc<Link>>,
    listeners: BTreeMap<i32, Listener>,
    /// Of connections.
    threads: Vec<JoinHandle<()>>,
    /// Until when the timer thread sleeps, if it does.
    timer_sleeps: Option<Sleep>,
    stopping: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Sleep {
    Until(Instant),
    Forever,
}

impl Shared {
    /// A test that panicked with the lock in hand has not broken the cluster: its methods check before they change.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands out what the cluster wants. The answers of `own` are left to its thread, which is the caller.
    fn settle(&self, state: &mut State, own: Option<ConnId>) {
        while let Some((id, frame)) = state.cluster.poll_response() {
            if let Some(link) = state.links.get(&id) {
                link.queue(frame, own != Some(id));
            }
        }
        while let Some(id) = state.cluster.poll_close() {
            if let Some(link) = state.links.remove(&id) {
                link.close();
            }
        }
        let next = state.cluster.poll_timeout();
        let earlier = match (state.timer_sleeps, next) {
            (Some(Sleep::Until(until)), Some(next)) => next < until,
            (Some(Sleep::Forever), next) => next.is_some(),
            _ => false,
        };
        if earlier {
            self.timer.notify_one();
        }
    }

    /// The timer thread.
    fn keep_time(&self) {
        let mut state = self.lock();
        while !state.stopping {
            let now = Instant::now();
            state = match state.cluster.poll_timeout() {
                Some(due) if due <= now => {
                    // a fault of the test's own making may panic; it has said so, and time goes on
                    let cluster = &mut state.cluster;
                    let _ = catch_unwind(AssertUnwindSafe(|| cluster.handle_timeout(now)));
                    self.settle(&mut state, None);
                    state
                }
                Some(due) => {
                    state.timer_sleeps = Some(Sleep::Until(due));
                    let woken = self.timer.wait_timeout(state, due - now);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                None => {
                    state.timer_sleeps = Some(Sleep::Forever);
                    self.timer
                        .wait(state)
                        .unwrap_or_else(PoisonError::into_inner)
                }
            };
            state.timer_sleeps = None;
        }
    }

    /// Listens for the brokers that run, and for no others. Called without the lock.
    fn sync_listeners(self: &Arc<Self>) -> io::Result<()> {
        let mut retired = Vec::new();
        let mut result = Ok(());
        let mut state = self.lock();
        if state.stopping {
            return result;
        }
        let State {
            cluster, listeners, ..
        } = &mut *state;
        for (id, listener) in listeners {
            let id = *id;
            match (cluster.is_running(id), listener.acceptor.is_some()) {
                (false, true) => retired.extend(listener.retire()),
                (true, false) => {
                    let first = listener.port == 0;
                    match listener.open(self, id) {
                        Ok(()) if first => cluster.set_address(id, "127.0.0.1", listener.port),
                        Ok(()) => {}
                        Err(e) => {
                            cluster.stop(id);
                            result = Err(e);
                        }
                    }
                }
                _ => {}
            }
        }
        // a broker that could not be started again is stopped once more
        self.settle(&mut state, None);
        drop(state);
        retired.into_iter().for_each(Retired::join);
        result
    }

    /// The thread of a listener.
    fn accept(self: &Arc<Self>, broker: i32, listener: &TcpListener, open: &AtomicBool) {
        while open.load(Ordering::SeqCst) {
            match listener.accept() {
                Ok((stream, _)) => {
                    if open.load(Ordering::SeqCst) {
                        // without threads or descriptors left the client sees its connection end
                        let _ = self.connect(broker, stream);
                    }
                }
                // no descriptors left, most likely: others may be closed soon
                Err(_) => thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    fn connect(self: &Arc<Self>, broker: i32, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
        let link = Arc::new(Link {
            #[cfg(feature = "tls")]
            session: self.cover.as_ref().map(Tls::session).transpose()?,
            stream,
            out: Mutex::new(Out::default()),
            wake: Condvar::new(),
        });
        let mut state = self.lock();
        let id = state.cluster.connect(broker);
        state.links.insert(id, Arc::clone(&link));
        // closes it, if the broker has been stopped meanwhile
        self.settle(&mut state, None);
        state.threads.retain(|t| !t.is_finished());
        drop(state);
        // from here on the connection ends if anything fails, without the lock in hand
        let hangup = Hangup {
            shared: Arc::clone(self),
            id,
            link: Arc::clone(&link),
        };
        let reader = spawn("kafka-read", move || hangup.read())?;
        let writer = spawn("kafka-write", {
            let link = Arc::clone(&link);
            move || link.write_for_others()
        });
        let mut state = self.lock();
        state.threads.push(reader);
        match writer {
            Ok(writer) => state.threads.push(writer),
            Err(e) => {
                link.abort();
                return Err(e);
            }
        }
        Ok(())
    }

    /// Handles the frames of one read. Returns whether the connection goes on.
    fn receive(&self, id: ConnId, frames: &mut Vec<Bytes>, garbage: bool) -> bool {
        let now = Instant::now();
        let mut state = self.lock();
        for frame in frames.drain(..) {
            state.cluster.handle_request(id, frame, now);
        }
        if garbage {
            state.cluster.handle_garbage(id);
        }
        self.settle(&mut state, Some(id));
        state.links.contains_key(&id)
    }

    /// Reads no further while much waits behind a request that waits, so that TCP pushes back as it does with Kafka.
    fn wait_for_room(&self, id: ConnId) {
        loop {
            let state = self.lock();
            if !state.cluster.is_busy(id) || state.cluster.backlog(id) < MOST_BACKLOG {
                return;
            }
            drop(state);
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A broker's port, and the thread that listens on it while the broker runs.
#[derive(Debug, Default)]
struct Listener {
    /// 0 until the first time.
    port: u16,
    acceptor: Option<(JoinHandle<()>, Arc<AtomicBool>)>,
}

impl Listener {
    fn open(&mut self, shared: &Arc<Shared>, broker: i32) -> io::Result<()> {
        let listener = bind(self.port)?;
        self.port = listener.local_addr()?.port();
        let open = Arc::new(AtomicBool::new(true));
        let thread = spawn("kafka-accept", {
            let (shared, open) = (Arc::clone(shared), Arc::clone(&open));
            move || shared.accept(broker, &listener, &open)
        })?;
        self.acceptor = Some((thread, open));
        Ok(())
    }

    /// Tells the thread to end. It does so at the next connection.
    fn retire(&mut self) -> Option<Retired> {
        let (thread, open) = self.acceptor.take()?;
        open.store(false, Ordering::SeqCst);
        Some(Retired {
            port: self.port,
            thread,
        })
    }
}

/// A listener that is to end.
#[must_use]
struct Retired {
    port: u16,
    thread: JoinHandle<()>,
}

impl Retired {
    /// Wakes the thread by a connection of our own, and waits for its end, so that the port is free.
    fn join(self) {
        // one is enough, and more would fill the queue of the listener
        while !self.thread.is_finished()
            && TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err()
        {
            thread::sleep(Duration::from_millis(1));
        }
        let _ = self.thread.join();
    }
}

/// The port may be held for a moment by what the last listener left behind.
fn bind(port: u16) -> io::Result<TcpListener> {
    let deadline = Instant::now() + Duration::from_millis(500);
    loop {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Err(e)
                if port != 0 && e.kind() == ErrorKind::AddrInUse && Instant::now() < deadline =>
            {
                thread::sleep(Duration::from_millis(10));
            }
            result => return result,
        }
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).spawn(body)
}

/// How long a write may block before it looks whether the connection is to end.
const WRITE_TIMEOUT: Duration = Duration::from_millis(100);

/// How many bytes of requests may wait behind a request that waits.
const MOST_BACKLOG: usize = 1024 * 1024;

/// A connection's reader. However it ends, by a panic in a test's own fault too, the connection ends with it.
struct Hangup {
    shared: Arc<Shared>,
    id: ConnId,
    link: Arc<Link>,
}

impl Hangup {
    fn read(self) {
        let mut buffer = Frames::new();
        let mut frames = Vec::new();
        loop {
            match self.link.read(&mut buffer) {
                Ok(0) => return,
                Ok(_) => {}
                Err(e) if matches!(e.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {
                    continue;
                }
                Err(_) => return,
            }
            let garbage = loop {
                match buffer.poll_frame() {
                    Ok(Some(frame)) => frames.push(frame),
                    Ok(None) => break false,
                    Err(_) => break true,
                }
            };
            if frames.is_empty() && !garbage {
                continue;
            }
            let goes_on = self.shared.receive(self.id, &mut frames, garbage);
            self.link.flush();
            if !goes_on {
                return;
            }
            self.shared.wait_for_room(self.id);
        }
    }
}

impl Drop for Hangup {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        let abort = state.links.remove(&self.id).is_some();
        state.cluster.disconnect(self.id);
        self.shared.settle(&mut state, None);
        drop(state);
        // otherwise the cluster closed it, and what it still has to say may be on its way
        if abort {
            self.link.abort();
        }
    }
}

/// A connection's socket and what is still to be written to it.
#[derive(Debug)]
struct Link {
    #[cfg(feature = "tls")]
    session: Option<Session>,
    stream: TcpStream,
    out: Mutex<Out>,
    /// Wakes the writer thread.
    wake: Condvar,
}

#[derive(Debug, Default)]
struct Out {
    queue: VecDeque<Bytes>,
    /// Somebody writes, and will look at the queue again.
    writing: bool,
    /// Nothing comes after what is queued.
    closing: bool,
    /// TLS has something to say.
    output: bool,
}

impl Link {
    /// Adds a response; `wake` if nobody else will write it.
    fn queue(&self, frame: Bytes, wake: bool) {
        let mut out = self.lock();
        if !out.closing {
            out.queue.push_back(frame);
        }
        if wake && !out.writing {
            self.wake.notify_one();
        }
    }

    /// Ends the connection after what is queued.
    fn close(&self) {
        self.lock().closing = true;
        self.wake.notify_one();
    }

    /// Ends the connection now.
    fn abort(&self) {
        let mut out = self.lock();
        out.closing = true;
        out.queue.clear();
        // fails if the peer was faster
        let _ = self.stream.shutdown(Shutdown::Both);
        self.wake.notify_one();
    }

    /// Writes what is queued, unless another thread is at it.
    fn flush(&self) {
        let mut out = self.lock();
        if out.writing {
            return;
        }
        while !out.queue.is_empty() || out.output {
            let frames = std::mem::take(&mut out.queue);
            (out.writing, out.output) = (true, false);
            drop(out);
            let result = self.seal(frames).and_then(|frames| self.write(frames));
            out = self.lock();
            out.writing = false;
            if result.is_err() {
                out.closing = true;
                out.queue.clear();
            }
        }
        if out.closing {
            let _ = self.stream.shutdown(Shutdown::Both);
        }
    }

    /// The writer thread.
    fn write_for_others(&self) {
        loop {
            let mut out = self.lock();
            while !out.closing && (out.queue.is_empty() || out.writing) {
                out = self.wake.wait(out).unwrap_or_else(PoisonError::into_inner);
            }
            let closing = out.closing;
            drop(out);
            self.flush();
            if closing {
                return;
            }
        }
    }

    /// Reads what there is into `buffer`; 0 is the end.
    fn read(&self, buffer: &mut Frames) -> io::Result<usize> {
        #[cfg(feature = "tls")]
        if let Some(session) = &self.session {
            return self.read_tls(session, buffer);
        }
        let n = (&self.stream).read(buffer.space())?;
        buffer.filled(n);
        Ok(n)
    }

    #[cfg(feature = "tls")]
    fn read_tls(&self, session: &Session, buffer: &mut Frames) -> io::Result<usize> {
        let mut ciphertext = [0; 16 << 10];
        loop {
            let n = (&self.stream).read(&mut ciphertext)?;
            let opened = session.open(&ciphertext[..n], buffer);
            self.lock().output = true;
            self.flush();
            match opened? {
                0 if n > 0 => {}
                bytes => return Ok(bytes),
            }
        }
    }

    /// What the socket is to take for these frames. Only whoever writes may call it: records are in order.
    #[cfg_attr(
        not(feature = "tls"),
        allow(clippy::unused_self, clippy::unnecessary_wraps)
    )]
    fn seal(&self, frames: VecDeque<Bytes>) -> io::Result<VecDeque<Bytes>> {
        #[cfg(feature = "tls")]
        if let Some(session) = &self.session {
            let ciphertext = Bytes::from(session.seal(frames)?);
            let some = (!ciphertext.is_empty()).then_some(ciphertext);
            return Ok(some.into_iter().collect());
        }
        Ok(frames)
    }

    fn write(&self, frames: VecDeque<Bytes>) -> io::Result<()> {
        let mut slices: Vec<IoSlice<'_>> = frames.iter().map(|f| IoSlice::new(f)).collect();
        let mut rest = &mut slices[..];
        while !rest.is_empty() {
            let some = rest.len().min(64);
            match (&self.stream).write_vectored(&rest[..some]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => IoSlice::advance_slices(&mut rest, n),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                // a slow reader is no fault, unless the connection is to end
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    if self.lock().closing {
                        return Err(e);
                    }
                }
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Out> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the system's clock reads.
pub(crate) fn unix_ms() -> i64 {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH);
    let ms = passed.ok().and_then(|p| i64::try_from(p.as_millis()).ok());
    ms.unwrap_or(0)
}
