//! A connection as two halves and what both share.
//!
//! [`Outbound`] decides what to send and holds the bytes; [`Inbound`] splits what arrives and hands each answer to whoever
//! asked. A `Driver` or an adapter drives them. A broker answers one connection strictly in order, so the requests in
//! flight are a queue, and what may block gets a link of its own.
//!
//! A link has one error, which ends it: everything in flight learns whether it had left for the socket. Dropping either
//! half is such an end.

mod authentication;
#[cfg(all(test, not(loom)))]
mod deadline_tests;
mod deadlines;
mod ending;
mod inbound;
#[cfg(all(test, loom))]
mod loom_tests;
mod mute;
mod outbound;
mod requests;

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    sync::Arc,
    task::Waker,
    time::{Duration, Instant},
};

pub use inbound::Inbound;
pub use outbound::Outbound;

use super::{
    Clock,
    call::{Deadlines, Form, Recipient, Side, Submitted},
    inbox::{Inbox, Note},
    ledger::Ledger,
    promise::Promise,
    reader::{Cell, Shelf},
    session::{Listed, PartitionQueue},
    sync::{
        Lock,
        atomic::{AtomicU64, Ordering},
    },
    tls::{self, Progress},
};
use crate::{
    config::Config,
    error::{Error, ErrorKind, Outcome, Scope},
    machine::{
        Now,
        authentication::{Ask, Expect, Nonces},
        backoff::Random,
        cursor::Ticket,
        earlier,
        handshake::{ExpectVersions, Versions},
        queue::BatchId,
    },
    stats::DurationStats,
};

/// Produce requests in flight on one link.
const PRODUCE_WINDOW: usize = 5;

/// What a link carries.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// Calls.
    General,
    /// Batches of all sessions for one broker.
    Produce,
    /// The fetches of one reader from one broker.
    Fetch(Arc<Shelf>),
}

/// What all links of a client have in common.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) config: Config,
    pub(crate) clock: Arc<dyn Clock>,
    /// The way to Control; a `Conn` has none.
    pub(crate) inbox: Option<Arc<Inbox>>,
    pub(crate) fetch_ledger: Arc<Ledger>,
    pub(crate) random: Lock<Random>,
    pub(crate) nonces: Lock<Nonces>,
    /// Connections for writing, which all writers share.
    pub(crate) writing: Lock<Dials>,
}

/// How often connections of one kind were dialled, and how long that took.
#[derive(Debug, Default)]
pub(crate) struct Dials {
    pub(crate) count: u64,
    pub(crate) time: DurationStats,
}

/// The part of a link that both halves, and everyone who has something to send, share.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) kind: Kind,
    pub(crate) peer: Arc<str>,
    pub(crate) common: Arc<Common>,
    /// Bytes that the socket has taken.
    written: AtomicU64,
    /// Up to where a write that is under way may take bytes; 0 while there is none.
    leaving: AtomicU64,
    /// Where the connection begins and ends, if the adapter knows it.
    addresses: Lock<Option<(SocketAddr, SocketAddr)>>,
    inner: Lock<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: State,
    /// Since when, for the set-up time-out.
    opened: Instant,
    calls: VecDeque<Submitted>,
    /// What calls obey that have no deadline of their own.
    deadlines: Deadlines,
    in_flight: VecDeque<InFlight>,
    /// Requests without an answer that have not left whole yet.
    unanswered: VecDeque<InFlight>,
    /// No call ends before this by its deadline; it may be that none does then.
    soonest: Option<Instant>,
    /// Who sleeps.
    naps: Vec<(Instant, Arc<Promise<()>>)>,
    produces: usize,
    /// Queues with something to send.
    ready: Vec<Arc<PartitionQueue>>,
    /// Cursors of this link, and whether they are worth a look.
    cursors: Vec<Arc<Cell>>,
    kicked: bool,
    /// `Outbound` sleeps.
    waker: Option<Waker>,
    /// `Inbound` reads.
    reader: Option<Waker>,
    /// `Outbound` has bytes that the socket does not take.
    writer: Option<Waker>,
    /// When the last request left or the last answer came.
    active: Instant,
    /// Until when nothing may be sent, if a quota is used up.
    muted: Option<Instant>,
    auth: Auth,
    session: Option<Session>,
    /// How far TLS has come; `None` without.
    tls: Option<Progress>,
    /// TLS has something to send that no request caused.
    tls_output: bool,
    /// The greeting was answered.
    greeted: bool,
    /// A request after the set-up was answered.
    heard: bool,
}

#[derive(Debug)]
enum State {
    /// The next thing to send is this greeting.
    Greet(ExpectVersions),
    /// The greeting is out.
    Greeted(ExpectVersions),
    /// Nothing but SASL may be sent.
    Authenticate(Arc<Versions>),
    Ready(Arc<Versions>),
    Closed(Error),
}

/// Where SASL stands. A broker answers in order, so the first request of an authentication may follow others that are in
/// flight; none may follow it.
///
/// ```text
/// Idle -- due --> Wanted -- credentials --> Send -- out --> Sent -- answer --> Busy --> Send
///                                                                                   --> Idle
/// ```
#[derive(Debug)]
enum Auth {
    /// There is nothing to do now.
    Idle,
    /// The sending half gets credentials; requests go on, if there was an authentication before.
    Wanted,
    Send(Ask, Expect),
    Sent(Expect),
    /// One of the halves has it in hand.
    Busy,
}

/// For how long the broker knows us.
#[derive(Debug)]
struct Session {
    renew: Instant,
    ends: Instant,
    /// Why there were no credentials to renew it.
    late: Option<Error>,
}

/// A request that was sent, or is about to be.
#[derive(Debug)]
struct InFlight {
    correlation: i32,
    form: Form,
    /// Where its last byte stands in the stream.
    end: u64,
    deadline: Instant,
    purpose: Purpose,
}

/// What its answer is for.
#[derive(Debug)]
enum Purpose {
    Greeting,
    Mechanism,
    Token,
    /// A step of SASL without a header; its answer has none either.
    RawToken,
    Call(Waiting),
    Produce(Vec<Flight>),
    /// With what it has of the fetch ledger, and since when it is under way.
    Fetch(Vec<Sought>, usize, Instant),
    Offsets(Vec<Sought>),
}

/// Who waits for the answer to a call, and until when.
#[derive(Debug)]
struct Waiting {
    to: Recipient,
    deadline: Option<Instant>,
    side: Side,
}

/// One batch of a request.
#[derive(Debug)]
struct Flight {
    queue: Arc<PartitionQueue>,
    batch: BatchId,
}

/// One partition of a fetch.
#[derive(Debug)]
struct Sought {
    cell: Arc<Cell>,
    ticket: Ticket,
}

impl Link {
    /// A link to `peer`, greeting from rung `rung` of the ladder, and its two halves. TLS verifies the name `host`.
    pub(crate) fn new(
        kind: Kind,
        peer: Arc<str>,
        host: &str,
        common: Arc<Common>,
        rung: usize,
        now: Now,
    ) -> (Arc<Self>, Outbound, Inbound) {
        let (layer, error) = match tls::layer(&common.config, host) {
            Ok(layer) => (layer, None),
            Err(error) => (None, Some(error)),
        };
        let (seal, open) = layer.unzip();
        let inner = Inner {
            state: State::Greet(ExpectVersions::new(rung)),
            opened: now.instant,
            calls: VecDeque::new(),
            deadlines: Deadlines::default(),
            in_flight: VecDeque::new(),
            unanswered: VecDeque::new(),
            soonest: None,
            naps: Vec::new(),
            produces: 0,
            ready: Vec::new(),
            cursors: Vec::new(),
            kicked: false,
            waker: None,
            reader: None,
            writer: None,
            active: now.instant,
            muted: None,
            auth: Auth::Idle,
            session: None,
            tls: open.as_ref().map(tls::Open::progress),
            tls_output: false,
            greeted: false,
            heard: false,
        };
        let link = Arc::new(Self {
            kind,
            peer,
            common,
            written: AtomicU64::new(0),
            leaving: AtomicU64::new(0),
            addresses: Lock::new(None),
            inner: Lock::new(inner),
        });
        let outbound = Outbound::new(link.clone(), seal);
        let inbound = Inbound::new(link.clone(), open);
        if let Some(error) = error {
            link.close(&error);
        }
        (link, outbound, inbound)
    }

    /// Sends a call as soon as its turn comes. After the link's end the caller learns its error at once.
    pub(crate) fn submit(&self, mut submitted: Submitted) {
        let mut inner = self.inner.lock();
        if let State::Closed(error) = &inner.state {
            let error = error.clone();
            drop(inner);
            return submitted.to.resolve(Err(error));
        }
        submitted.deadline = inner.deadlines.of(submitted.side, submitted.deadline);
        // what is late before it is sent is not sent, whenever the loop looks at the time
        let is_late = |at: Instant| at <= self.common.clock.now().instant;
        if submitted.side != Side::Own && submitted.deadline.is_some_and(is_late) {
            drop(inner);
            return submitted
                .to
                .resolve(Err(late().with_outcome(Outcome::NotWritten)));
        }
        let before = inner.soonest;
        inner.soonest = earlier(before, submitted.deadline);
        let is_sooner = inner.soonest != before;
        inner.calls.push_back(submitted);
        let waker = inner.waker.take();
        // whoever waits for the socket needs not know of a call, but of a time-out that comes before all others
        let others = match is_sooner {
            true => [inner.reader.take(), inner.writer.take()],
            false => [None, None],
        };
        drop(inner);
        wake(waker);
        others.into_iter().for_each(wake);
    }

    /// Changes the deadlines of the connection, also for calls that wait already.
    pub(crate) fn set_deadlines(&self, change: impl FnOnce(&mut Deadlines)) {
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        change(&mut inner.deadlines);
        let deadlines = inner.deadlines;
        let mut soonest = None;
        let mut set = |side: Side, deadline: &mut Option<Instant>| {
            *deadline = deadlines.of(side, *deadline);
            soonest = earlier(soonest, *deadline);
        };
        for call in &mut inner.calls {
            set(call.side, &mut call.deadline);
        }
        for request in inner.in_flight.iter_mut().chain(&mut inner.unanswered) {
            if let Purpose::Call(waiting) = &mut request.purpose {
                set(waiting.side, &mut waiting.deadline);
            }
        }
        inner.soonest = soonest;
        // whoever drives this sleeps, or waits for the socket: in any case its timer is to be set anew
        let wakers = [inner.waker.take(), inner.reader.take(), inner.writer.take()];
        drop(guard);
        wakers.into_iter().for_each(wake);
    }

    /// The deadlines of the connection.
    pub(crate) fn deadlines(&self) -> Deadlines {
        self.inner.lock().deadlines
    }

    /// Sleeps by the timer of whoever drives this, until `at` or the link's end.
    pub(crate) async fn sleep_until(&self, at: Instant) {
        if let Some(nap) = self.nap(at) {
            nap.wait().await;
        }
    }

    /// What is kept at `at` or the link's end; `None` after that.
    fn nap(&self, at: Instant) -> Option<Arc<Promise<()>>> {
        let mut inner = self.inner.lock();
        if matches!(inner.state, State::Closed(_)) {
            return None;
        }
        let nap = Promise::new();
        inner.naps.push((at, nap.clone()));
        let wakers = [inner.waker.take(), inner.reader.take(), inner.writer.take()];
        drop(inner);
        wakers.into_iter().for_each(wake);
        Some(nap)
    }

    /// Takes note of where the connection begins and ends.
    pub(crate) fn connected(&self, local: SocketAddr, peer: SocketAddr) {
        *self.addresses.lock() = Some((local, peer));
    }

    /// Where the connection begins and ends, as far as that is known.
    pub(crate) fn addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        *self.addresses.lock()
    }

    /// Puts a queue on the ready list; `Err` once the link is closed. The caller holds the queue's lock and wakes later.
    pub(crate) fn list(&self, queue: &Arc<PartitionQueue>) -> Result<Option<Waker>, Error> {
        let mut inner = self.inner.lock();
        if let State::Closed(error) = &inner.state {
            return Err(error.clone());
        }
        inner.ready.push(queue.clone());
        // with a full window nothing can leave; the next answer looks at the list
        Ok(if inner.produces < PRODUCE_WINDOW {
            inner.waker.take()
        } else {
            None
        })
    }

    /// Gives the link a cursor to fetch for; false once the link is closed.
    pub(crate) fn adopt(&self, cell: &Arc<Cell>) -> bool {
        let mut inner = self.inner.lock();
        if matches!(inner.state, State::Closed(_)) {
            return false;
        }
        inner.cursors.push(cell.clone());
        inner.kicked = true;
        let waker = inner.waker.take();
        drop(inner);
        wake(waker);
        true
    }

    /// Takes a cursor away.
    pub(crate) fn disown(&self, cell: &Arc<Cell>) {
        self.inner.lock().cursors.retain(|c| !Arc::ptr_eq(c, cell));
    }

    /// A cursor wants something that it did not want before.
    pub(crate) fn kick(&self) {
        let mut inner = self.inner.lock();
        inner.kicked = true;
        // while something is in flight nothing can leave; its answer kicks again
        let waker = match inner.in_flight.is_empty() {
            true => inner.waker.take(),
            false => None,
        };
        drop(inner);
        wake(waker);
    }

    /// The versions of the broker, once they are known.
    pub(crate) fn versions(&self) -> Option<Arc<Versions>> {
        match &self.inner.lock().state {
            State::Ready(versions) => Some(versions.clone()),
            _ => None,
        }
    }

    /// Since when nothing is sent, waited for or to be sent; `None` while something is.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        let inner = self.inner.lock();
        let idle = matches!(inner.state, State::Ready(_))
            && inner.in_flight.is_empty()
            && inner.calls.is_empty()
            && inner.ready.is_empty();
        idle.then_some(inner.active)
    }

    /// Whether the peer has answered the greeting.
    pub(crate) fn has_greeted(&self) -> bool {
        self.inner.lock().greeted
    }

    /// Why the link ended.
    pub(crate) fn error(&self) -> Option<Error> {
        match &self.inner.lock().state {
            State::Closed(error) => Some(error.clone()),
            _ => None,
        }
    }

    /// Whether the request of a batch has left whole for the socket.
    pub(crate) fn has_left(&self, queue: &Arc<PartitionQueue>, batch: BatchId) -> bool {
        let left = self.left();
        let is_it = |f: &Flight| f.batch == batch && Arc::ptr_eq(&f.queue, queue);
        let inner = self.inner.lock();
        inner
            .in_flight
            .iter()
            .any(|request| match &request.purpose {
                Purpose::Produce(flights) => request.end <= left && flights.iter().any(is_it),
                _ => false,
            })
    }

    /// Takes note that a write of `n` bytes is under way.
    fn note_leaving(&self, n: usize) {
        let written = self.written.load(Ordering::Acquire);
        let end = written.saturating_add(n as u64);
        self.leaving.store(end, Ordering::Release);
    }

    /// How many bytes may have left for the socket.
    fn left(&self) -> u64 {
        // in this order: what is taken back from the first is in the second
        let leaving = self.leaving.load(Ordering::Acquire);
        leaving.max(self.written.load(Ordering::Acquire))
    }

    /// Ends the link because the socket failed.
    fn socket_failed(self: &Arc<Self>, doing: &str, error: io::Error) {
        let error = (self.inner.lock()).socket_failed(doing, error, &self.common.config);
        self.close(&error);
    }

    /// Ends the link: every waiter learns it, batches by what had left.
    pub(crate) fn close(self: &Arc<Self>, error: &Error) {
        let mut inner = self.inner.lock();
        if matches!(inner.state, State::Closed(_)) {
            return;
        }
        let error = error
            .clone()
            .with_scope(Scope::Connection(self.peer.clone()));
        inner.state = State::Closed(error.clone());
        // before anybody is woken who would end a write that is under way
        let left = self.left();
        let mut in_flight = std::mem::take(&mut inner.in_flight);
        in_flight.append(&mut inner.unanswered);
        let naps = std::mem::take(&mut inner.naps);
        let calls = std::mem::take(&mut inner.calls);
        let ready = std::mem::take(&mut inner.ready);
        let cursors = std::mem::take(&mut inner.cursors);
        let wakers = [inner.waker.take(), inner.reader.take(), inner.writer.take()];
        inner.produces = 0;
        drop(inner);
        wakers.into_iter().for_each(wake);
        naps.into_iter().for_each(|(_, nap)| nap.resolve(()));
        let left = left.max(self.left());
        if let Some(inbox) = &self.common.inbox {
            inbox.tell(Note::Down(self.clone(), error.clone()));
        }
        for request in in_flight {
            let sent = request.end <= left;
            request.purpose.lose(self, &error, sent);
        }
        for submitted in calls {
            submitted
                .to
                .resolve(Err(error.clone().with_outcome(Outcome::NotWritten)));
        }
        ready.into_iter().for_each(|queue| self.hand_back(&queue));
        cursors
            .into_iter()
            .for_each(|cell| cell.handle_link_down(self));
    }

    /// Parts with a queue that has nothing in flight here; Control finds it another link.
    fn hand_back(self: &Arc<Self>, queue: &Arc<PartitionQueue>) {
        let mut inner = queue.inner.lock();
        if !inner
            .link
            .as_ref()
            .is_some_and(|link| Arc::ptr_eq(link, self))
        {
            return;
        }
        inner.listed = Listed::Nobody;
        if inner.queue.in_flight() == 0 {
            inner.link = None;
        }
        let then = queue.list(&mut inner);
        drop(inner);
        queue.then(then);
    }
}

impl Purpose {
    /// Whether it is a step of SASL.
    fn is_authentication(&self) -> bool {
        matches!(self, Self::Mechanism | Self::Token | Self::RawToken)
    }

    /// The connection ended before the answer.
    fn lose(self, link: &Arc<Link>, error: &Error, sent: bool) {
        match self {
            Self::Greeting | Self::Mechanism | Self::Token | Self::RawToken => {}
            Self::Call(waiting) => {
                let outcome = if sent {
                    Outcome::Unknown
                } else {
                    Outcome::NotWritten
                };
                waiting.to.resolve(Err(error.clone().with_outcome(outcome)));
            }
            Self::Produce(flights) => {
                let mut resolved = Vec::new();
                for flight in flights {
                    let queue = flight.queue;
                    let mut inner = queue.inner.lock();
                    inner.queue.handle_lost(flight.batch, sent);
                    if inner.queue.in_flight() == 0
                        && inner.link.as_ref().is_some_and(|l| Arc::ptr_eq(l, link))
                    {
                        inner.link = None;
                        inner.moved = false;
                        inner.listed = Listed::Nobody;
                    }
                    let then = queue.settle(&mut inner, &mut resolved);
                    drop(inner);
                    resolved
                        .drain(..)
                        .for_each(|r| queue.session.resolve(&queue, r));
                    queue.then(then);
                }
            }
            // their cursors are handed back with the link
            Self::Fetch(_, reserved, _) => link.common.fetch_ledger.release(reserved),
            Self::Offsets(_) => {}
        }
    }
}

impl Common {
    /// The pause before a retry after `failed` failures in a row.
    pub(crate) fn pause(&self, failed: u32) -> Duration {
        crate::machine::backoff::pause(failed, self.config.retry_backoff, &mut self.random.lock())
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// The error of a call that was not answered in time.
fn late() -> Error {
    Error::new(ErrorKind::TimedOut, "the deadline of the call passed")
}
