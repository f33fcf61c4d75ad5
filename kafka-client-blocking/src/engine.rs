//! The sockets of one client or connection, and what is to be done with them.

use std::{
    io::{self, ErrorKind, IoSlice, Read, Write},
    net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs},
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    task::{Context, Poll},
    thread,
    time::{Duration, Instant},
    vec,
};

use kafka_proto::client::{Clock, Control, Dial, Inbound, Now, Outbound};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, Protocol, Socket, Type};

use crate::{
    seat::Drive,
    signal::{Signal, Task},
};

/// Reads or writes in a row before other sockets have their turn.
const TURN: usize = 64;
/// Rounds in a row before whoever drives looks after its own outcome.
const ROUNDS: usize = 16;
/// Slices in one write.
const SLICES: usize = 64;

/// Everything that the thread `kafka-io`, or a caller in its place, drives.
#[derive(Debug)]
pub(crate) struct Engine {
    clock: Arc<dyn Clock>,
    signal: Arc<Signal>,
    control: Option<Driven<Control>>,
    connections: Vec<Driven<Connection>>,
    openings: Vec<Driven<Opening>>,
    lookups: Lookups,
    /// What the last sleep ended for; kept for its memory.
    happened: Vec<PollFlags>,
}

/// Something that is polled when it was woken, or at its deadline.
#[derive(Debug)]
struct Driven<T> {
    item: T,
    task: Task,
    deadline: Option<Instant>,
}

/// A connection that is made.
#[derive(Debug)]
struct Connection {
    socket: TcpStream,
    outbound: Outbound,
    inbound: Inbound,
    /// The socket may have something to read.
    readable: bool,
    /// The socket takes nothing more for now.
    full: bool,
}

/// A connection that is being made.
#[derive(Debug)]
struct Opening {
    dial: Dial,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// A thread looks the name up.
    Lookup(u64),
    /// The system connects.
    Connect {
        socket: Socket,
        rest: vec::IntoIter<SocketAddr>,
        until: Instant,
    },
}

/// Lookups of names: the system's blocks and cannot be called off, so each has a thread.
#[derive(Debug)]
struct Lookups {
    count: u64,
    send: Sender<Found>,
    receive: Receiver<Found>,
}

type Found = (u64, io::Result<Vec<SocketAddr>>);

impl Engine {
    pub(crate) fn new(clock: Arc<dyn Clock>, signal: Arc<Signal>) -> Self {
        let (send, receive) = channel();
        Self {
            clock,
            signal,
            control: None,
            connections: Vec::new(),
            openings: Vec::new(),
            lookups: Lookups {
                count: 0,
                send,
                receive,
            },
            happened: Vec::new(),
        }
    }

    /// Drives a client, too.
    pub(crate) fn control(&mut self, control: Control) {
        self.control = Some(Driven::new(control, &self.signal));
    }

    /// Makes a connection and drives it.
    pub(crate) fn open(&mut self, dial: Dial) {
        let stage = match dial.host.parse::<IpAddr>() {
            Ok(ip) => {
                let address = SocketAddr::from((ip, dial.port));
                connect(vec![address].into_iter(), self.clock.now(), dial.deadline)
            }
            Err(_) => self.lookups.start(&dial, &self.signal).map(Stage::Lookup),
        };
        self.open_at(dial, stage);
    }

    fn open_at(&mut self, dial: Dial, stage: io::Result<Stage>) {
        match stage {
            Ok(stage) => {
                let opening = Driven::new(Opening { dial, stage }, &self.signal);
                self.openings.push(opening);
            }
            Err(error) => dial.failed(error),
        }
    }

    fn round(&mut self) {
        let now = self.clock.now();
        let mut dials = Vec::new();
        if let Some(control) = self.control.as_mut()
            && control.is_due(now)
        {
            loop {
                let mut cx = Context::from_waker(&control.task.waker);
                match control.item.poll(now, &mut cx) {
                    Poll::Ready(Some(dial)) => dials.push(dial),
                    Poll::Ready(None) => {
                        self.control = None;
                        break;
                    }
                    Poll::Pending => {
                        control.deadline = control.item.deadline();
                        break;
                    }
                }
            }
        }
        dials.into_iter().for_each(|dial| self.open(dial));
        while let Ok((id, found)) = self.lookups.receive.try_recv() {
            let mine = |o: &Driven<Opening>| matches!(o.item.stage, Stage::Lookup(i) if i == id);
            // it may have been given up
            if let Some(at) = self.openings.iter().position(mine) {
                let Opening { dial, .. } = self.openings.swap_remove(at).item;
                let stage = found.and_then(|all| connect(all.into_iter(), now, dial.deadline));
                self.open_at(dial, stage);
            }
        }
        for mut opening in std::mem::take(&mut self.openings) {
            match opening.round(now) {
                None => self.openings.push(opening),
                Some(Ok(socket)) => {
                    let Dial {
                        mut outbound,
                        inbound,
                        ..
                    } = opening.item.dial;
                    if let (Ok(local), Ok(peer)) = (socket.local_addr(), socket.peer_addr()) {
                        outbound.connected(local, peer);
                    }
                    let connection = Connection {
                        socket,
                        outbound,
                        inbound,
                        readable: false,
                        full: false,
                    };
                    self.connections.push(Driven::new(connection, &self.signal));
                }
                Some(Err(Some(error))) => opening.item.dial.failed(error),
                // nobody needs it any more
                Some(Err(None)) => {}
            }
        }
        self.connections
            .retain_mut(|connection| connection.round(now));
    }
}

impl Drive for Engine {
    fn turn(&mut self) {
        for _ in 0..ROUNDS {
            self.signal.hear();
            self.round();
            if !self.signal.is_rung() {
                return;
            }
        }
    }

    fn sleep(&mut self, until: Option<Instant>) {
        if self.connections.iter().any(|c| c.item.readable) || !self.signal.lie_down() {
            return;
        }
        let deadlines = self.connections.iter().filter_map(|c| c.deadline);
        let deadlines = deadlines.chain(self.openings.iter().filter_map(|o| o.deadline));
        let control = self.control.as_ref().and_then(|c| c.deadline);
        let deadline = deadlines.chain(control).chain(until).min();
        let limit = deadline.map(|at| {
            let left = at.saturating_duration_since(self.clock.now().instant);
            Timespec {
                tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX),
                tv_nsec: left.subsec_nanos().into(),
            }
        });
        let mut fds = Vec::with_capacity(1 + self.connections.len() + self.openings.len());
        fds.push(PollFd::new(&self.signal.bell, PollFlags::IN));
        for Driven { item, .. } in &self.connections {
            let events = match item.full {
                true => PollFlags::IN | PollFlags::OUT,
                false => PollFlags::IN,
            };
            fds.push(PollFd::new(&item.socket, events));
        }
        for Driven { item, .. } in &self.openings {
            if let Stage::Connect { socket, .. } = &item.stage {
                fds.push(PollFd::new(socket, PollFlags::OUT));
            }
        }
        let slept = poll(&mut fds, limit.as_ref());
        self.happened.clear();
        self.happened.extend(fds.iter().map(PollFd::revents));
        drop(fds);
        self.signal.get_up();
        match slept {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            // out of memory, say: do not spin on it
            Err(_) => thread::sleep(Duration::from_millis(1)),
        }
        let mut happened = self.happened.iter();
        if happened.next().is_some_and(|events| !events.is_empty()) {
            self.signal.bell.quieten();
        }
        // an error or a hang-up shows when it is read
        let readable = !PollFlags::OUT;
        for (connection, events) in self.connections.iter_mut().zip(&mut happened) {
            connection.item.readable |= events.intersects(readable);
            if connection.item.full && events.intersects(!PollFlags::IN) {
                connection.item.full = false;
                connection.task.waker.wake_by_ref();
            }
        }
        let connecting = |o: &&mut Driven<Opening>| matches!(o.item.stage, Stage::Connect { .. });
        for (opening, events) in self
            .openings
            .iter_mut()
            .filter(connecting)
            .zip(&mut happened)
        {
            if !events.is_empty() {
                opening.task.waker.wake_by_ref();
            }
        }
    }

    fn is_over(&self) -> bool {
        self.control.is_none() && self.connections.is_empty() && self.openings.is_empty()
    }
}

impl<T> Driven<T> {
    fn new(item: T, signal: &Arc<Signal>) -> Self {
        let task = Task::new(signal);
        signal.ring();
        Self {
            item,
            task,
            deadline: None,
        }
    }

    fn is_due(&self, now: Now) -> bool {
        self.task.take() || self.deadline.is_some_and(|at| at <= now.instant)
    }
}

impl Driven<Connection> {
    /// Reads and writes what can be; `false` once the connection has ended.
    fn round(&mut self, now: Now) -> bool {
        if self.item.readable && !self.item.read(now) {
            return false;
        }
        if !self.is_due(now) {
            return true;
        }
        let open = self.item.write(now, &self.task);
        self.deadline = self.item.outbound.deadline();
        open
    }
}

impl Connection {
    /// Reads what has come; `false` at the end of the link or the stream.
    fn read(&mut self, now: Now) -> bool {
        for _ in 0..TURN {
            let space = self.inbound.space();
            let room = space.len();
            match self.socket.read(space) {
                // the link itself tells whoever waits what was wrong
                Ok(n) if !matches!(self.inbound.filled(n, now), Ok(true)) => return false,
                // a read that can only say "would block" costs a system call
                Ok(n) if n < room => {
                    self.readable = false;
                    return true;
                }
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    self.readable = false;
                    return true;
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => {
                    self.inbound.failed(e);
                    return false;
                }
            }
        }
        true
    }

    /// Writes what there is; `false` once the link has ended.
    fn write(&mut self, now: Now, task: &Task) -> bool {
        let mut cx = Context::from_waker(&task.waker);
        for _ in 0..TURN {
            match self.outbound.poll(now, &mut cx) {
                // the sending half wakes nobody while it has something to write; the link may end meanwhile
                Poll::Ready(true) if self.full => {
                    return self.inbound.poll_closed(&mut cx).is_pending();
                }
                Poll::Ready(true) => {}
                Poll::Ready(false) => return false,
                Poll::Pending => return true,
            }
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = self.outbound.slices(&mut slices);
            match self.socket.write_vectored(&slices[..count]) {
                Ok(0) => self.outbound.failed(ErrorKind::WriteZero.into()),
                Ok(n) => self.outbound.consume(n),
                Err(e) if e.kind() == ErrorKind::WouldBlock => self.full = true,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => self.outbound.failed(e),
            }
        }
        task.waker.wake_by_ref();
        true
    }
}

impl Driven<Opening> {
    /// The socket once it is connected; `Err(None)` once nobody needs it any more.
    fn round(&mut self, now: Now) -> Option<Result<TcpStream, Option<io::Error>>> {
        if !self.is_due(now) {
            return None;
        }
        let Opening { dial, stage } = &mut self.item;
        let mut cx = Context::from_waker(&self.task.waker);
        if dial.inbound.poll_closed(&mut cx).is_ready() {
            return Some(Err(None));
        }
        self.deadline = Some(dial.deadline);
        match stage {
            Stage::Lookup(_) if dial.deadline <= now.instant => Some(Err(Some(late()))),
            Stage::Lookup(_) => None,
            Stage::Connect {
                socket,
                rest,
                until,
            } => {
                let failed = match (socket.take_error(), socket.peer_addr()) {
                    (Ok(None), Ok(_)) => {
                        // requests are written whole: waiting for more of them in the kernel only costs time
                        let ready = socket
                            .set_tcp_nodelay(true)
                            .and_then(|()| socket.try_clone());
                        return Some(ready.map(TcpStream::from).map_err(Some));
                    }
                    (Ok(None), Err(_)) if now.instant < *until => {
                        self.deadline = Some(*until);
                        return None;
                    }
                    (Ok(None), Err(_)) => late(),
                    (Ok(Some(error)) | Err(error), _) => error,
                };
                match connect(std::mem::take(rest), now, dial.deadline) {
                    Ok(next) if dial.deadline > now.instant => {
                        *stage = next;
                        self.task.waker.wake_by_ref();
                        None
                    }
                    // the last one's error says most
                    _ => Some(Err(Some(failed))),
                }
            }
        }
    }
}

impl Lookups {
    fn start(&mut self, dial: &Dial, signal: &Arc<Signal>) -> io::Result<u64> {
        self.count += 1;
        let (id, send, signal) = (self.count, self.send.clone(), signal.clone());
        let (host, port) = (dial.host.clone(), dial.port);
        let look = move || {
            let found = (host.as_str(), port).to_socket_addrs();
            // whoever asked may be gone
            let _ = send.send((id, found.map(Iterator::collect)));
            signal.ring();
        };
        thread::Builder::new()
            .name("kafka-lookup".to_owned())
            .spawn(look)?;
        Ok(id)
    }
}

/// Begins to connect to the first address that lets it; each gets a fair share of the time that is left.
fn connect(
    mut addresses: vec::IntoIter<SocketAddr>,
    now: Now,
    deadline: Instant,
) -> io::Result<Stage> {
    let mut failed = io::Error::new(ErrorKind::NotFound, "the name has no address");
    loop {
        let left = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
        let Some(address) = addresses.next() else {
            return Err(failed);
        };
        match begin(address) {
            Ok(socket) => {
                let share = deadline.saturating_duration_since(now.instant) / left;
                return Ok(Stage::Connect {
                    socket,
                    rest: addresses,
                    until: now.instant + share,
                });
            }
            Err(error) => failed = error,
        }
    }
}

/// A socket that connects.
fn begin(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_nonblocking(true)?;
    match socket.connect(&address.into()) {
        Ok(()) => Ok(socket),
        Err(e) if in_progress(&e) => Ok(socket),
        Err(e) => Err(e),
    }
}

fn in_progress(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    error.kind() == ErrorKind::WouldBlock
        || code == Some(rustix::io::Errno::INPROGRESS.raw_os_error())
}

fn late() -> io::Error {
    io::Error::new(
        ErrorKind::TimedOut,
        "no connection within the set-up time-out",
    )
}
