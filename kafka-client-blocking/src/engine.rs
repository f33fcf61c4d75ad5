//! The sockets of one client or connection, and what is to be done with them.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    sync::Arc,
    task::{Context, Poll},
    thread,
    time::{Duration, Instant},
};

use kafka_proto::{
    client::{Clock, Control, Dial, Inbound, Now, Outbound},
    config::Dialing,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::{
    opening::{Opener, Opening, Progress},
    seat::Drive,
    signal::{Signal, Task},
};

/// Reads or writes in a row before other sockets have their turn.
const TURN: usize = 64;
/// Rounds in a row before whoever drives looks after its own outcome.
const ROUNDS: usize = 16;

/// Everything that the thread `kafka-io`, or a caller in its place, drives.
#[derive(Debug)]
pub(crate) struct Engine {
    clock: Arc<dyn Clock>,
    signal: Arc<Signal>,
    control: Option<(Driven<Control>, Opener)>,
    connections: Vec<Driven<Connection>>,
    openings: Vec<Driven<Opening>>,
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

impl Engine {
    pub(crate) fn new(clock: Arc<dyn Clock>, signal: Arc<Signal>) -> Self {
        Self {
            clock,
            signal,
            control: None,
            connections: Vec::new(),
            openings: Vec::new(),
            happened: Vec::new(),
        }
    }

    /// Drives a client, too.
    pub(crate) fn control(&mut self, control: Control, opener: Opener) {
        self.control = Some((Driven::new(control, &self.signal), opener));
    }

    /// Makes a connection and drives it.
    pub(crate) fn open(&mut self, dial: Dial, dialing: Dialing, opener: Opener) {
        let opening = Opening::new(dial, dialing, opener);
        self.openings.push(Driven::new(opening, &self.signal));
    }

    fn round(&mut self) {
        let now = self.clock.now();
        let mut dials = Vec::new();
        if let Some((control, opener)) = self.control.as_mut()
            && control.is_due(now)
        {
            loop {
                let mut cx = Context::from_waker(&control.task.waker);
                match control.item.poll(now, &mut cx) {
                    Poll::Ready(Some(dial)) => {
                        dials.push((dial, control.item.dialing().clone(), opener.clone()));
                    }
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
        for (dial, dialing, opener) in dials {
            self.open(dial, dialing, opener);
        }
        for mut opening in std::mem::take(&mut self.openings) {
            if !opening.is_due(now) {
                self.openings.push(opening);
                continue;
            }
            match opening.item.go_on(now, &opening.task.waker) {
                Progress::Waiting(until) => {
                    opening.deadline = Some(until);
                    self.openings.push(opening);
                }
                Progress::Open(socket) => {
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
                Progress::Failed(error) => opening.item.dial.failed(error),
                Progress::Unwanted => {}
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
        let control = self.control.as_ref().and_then(|(c, _)| c.deadline);
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
            let sockets = item.sockets();
            fds.extend(sockets.map(|socket| PollFd::new(socket, PollFlags::OUT)));
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
        for opening in &self.openings {
            let news = happened.by_ref().take(opening.item.sockets().count());
            if news.filter(|events| !events.is_empty()).count() > 0 {
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
            // TLS has something to say to that
            self.item.write(now, &self.task);
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
            let socket = &mut self.socket;
            let written = self.outbound.write(|slices| {
                loop {
                    match socket.write_vectored(slices) {
                        Err(e) if e.kind() == ErrorKind::WouldBlock => return Poll::Pending,
                        Err(e) if e.kind() == ErrorKind::Interrupted => {}
                        written => return Poll::Ready(written),
                    }
                }
            });
            self.full = written.is_pending();
        }
        task.waker.wake_by_ref();
        true
    }
}
