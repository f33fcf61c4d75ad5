//! The sending half of a link.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use bytes::{Buf, Bytes};

use super::{
    InFlight, Kind, Link, PRODUCE_WINDOW, Purpose, State, Waiting, authentication::auth_step,
};
use crate::{
    api::{ApiKey, RequestHeader},
    client::{
        call::{Form, Submitted},
        ledger::Ticket as Place,
        session::PartitionQueue,
        sync::{Lock, atomic::Ordering},
        tls::Seal,
    },
    config::Providing,
    error::{Error, ErrorKind},
    machine::{
        Now,
        authentication::{Ask, Expect},
        earlier,
        handshake::{ExpectVersions, Versions},
    },
    wire::{Wire, Writer},
};

/// Slices in one vectored write.
const SLICES: usize = 64;
/// Calls in one write: small requests leave together, and each has at most a few slices.
const CALLS: usize = 32;

/// The sending half of a link: owned by one write loop, which sleeps in [`Outbound::poll`] and writes by [`Outbound::write`].
///
/// Dropping it ends the link.
#[must_use = "a link lives as long as its halves are driven"]
pub struct Outbound {
    pub(super) link: Arc<Link>,
    versions: Option<Arc<Versions>>,
    segments: VecDeque<Bytes>,
    /// Makes ciphertext of segments, where there is TLS.
    seal: Option<Seal>,
    /// Credentials on their way.
    pub(super) providing: Option<Lock<Providing>>,
    /// Providers that failed in a row.
    pub(super) provider_failures: u32,
    /// Bytes ever queued, as plaintext.
    queued: u64,
    next_correlation: i32,
    /// Calls taken from the link, to be written at once; empty between polls.
    calls: VecDeque<Submitted>,
    /// Something was sent, or is about to be, that gets no answer.
    has_unanswered: bool,
    /// Queues taken from the ready list that found no room in the last request.
    pub(super) working: VecDeque<Arc<PartitionQueue>>,
    /// Queues whose pause or linger ends then.
    pub(super) parked: Vec<(Instant, Arc<PartitionQueue>)>,
    /// When a cursor's pause ends.
    pub(super) fetch_at: Option<Instant>,
    pub(super) fetch_place: Option<Place>,
    pub(super) fetch_reserve: Option<usize>,
    /// Wants to fetch and waits for the ledger.
    pub(super) fetch_blocked: bool,
    polled_at: Option<Instant>,
}

/// What to do next.
pub(super) enum Step {
    Closed,
    Idle,
    /// The same, and nothing is in flight.
    Rest,
    /// TLS has something to say.
    Seal,
    Greet(ExpectVersions),
    Credentials(Arc<Versions>),
    Authenticate(Ask, Expect),
    Calls(Arc<Versions>),
    Produce(Arc<Versions>),
    Fetch(Arc<Versions>),
}

/// What was tried in this poll, and is not to be tried again before the next.
#[derive(Default)]
pub(super) struct Tried {
    fetch: bool,
    pub(super) credentials: bool,
}

impl Outbound {
    pub(super) fn new(link: Arc<Link>, seal: Option<Seal>) -> Self {
        Self {
            link,
            versions: None,
            segments: VecDeque::new(),
            seal,
            providing: None,
            provider_failures: 0,
            queued: 0,
            next_correlation: 0,
            calls: VecDeque::new(),
            has_unanswered: false,
            working: VecDeque::new(),
            parked: Vec::new(),
            fetch_at: None,
            fetch_place: None,
            fetch_reserve: None,
            fetch_blocked: false,
            polled_at: None,
        }
    }

    /// Waits until there is something to write (`true`) or the link has ended (`false`).
    ///
    /// Call it again when woken, and at [`Outbound::deadline`]. Cancel safe. After the end of a link there may be a last
    /// thing to write, by which TLS ends its stream in good order: for it nobody needs to wait
    /// ([`Outbound::poll_closed`]).
    pub fn poll(&mut self, now: Now, cx: &mut Context<'_>) -> Poll<bool> {
        let mut tried = Tried::default();
        self.polled_at = Some(now.instant);
        self.unpark(now);
        loop {
            if self.link.check_deadlines(now) {
                return Poll::Ready(self.has_last_words());
            }
            match &mut self.seal {
                None if !self.segments.is_empty() => return Poll::Ready(true),
                None => {}
                Some(seal) => match seal.fill(&mut self.segments) {
                    Ok(true) => return Poll::Ready(true),
                    Ok(false) => {}
                    Err(error) => self.link.close(&error),
                },
            }
            match self.next_step(now, cx, &mut tried) {
                Step::Closed => return Poll::Ready(self.has_last_words()),
                Step::Idle => return Poll::Pending,
                Step::Rest => {
                    if let Some(seal) = &mut self.seal {
                        seal.rest();
                    }
                    return Poll::Pending;
                }
                Step::Seal => {}
                Step::Greet(expect) => self.greet(&expect, now),
                Step::Credentials(versions) => self.poll_credentials(&versions, now, cx),
                Step::Authenticate(ask, expect) => self.authenticate(ask, expect, now),
                Step::Calls(versions) => {
                    while let Some(call) = self.calls.pop_front() {
                        self.write_call(call, &versions, now);
                    }
                }
                Step::Produce(versions) => self.write_produce(&versions, now),
                Step::Fetch(versions) => self.write_fetch(&versions, now, cx),
            }
        }
    }

    /// Waits for the link's end while the socket takes nothing: [`Outbound::poll`] has bytes then, and waits for nothing.
    pub fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.link.inner.lock();
        if matches!(inner.state, State::Closed(_)) {
            return Poll::Ready(());
        }
        if !inner
            .writer
            .as_ref()
            .is_some_and(|w| w.will_wake(cx.waker()))
        {
            inner.writer = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Has `write` write what there is, and takes note of what it took: for streams that do not block.
    ///
    /// `Ready(true)`: poll again. `Ready(false)`: the stream failed, and the link has ended with that. `Pending`: `write` said so,
    /// the stream takes nothing for now.
    ///
    /// While `write` runs, the link may end: each request that is whole in the slices is then unknown, not unsent. So it is, too,
    /// if `write` panics.
    pub fn write(
        &mut self,
        write: impl FnOnce(&[IoSlice<'_>]) -> Poll<io::Result<usize>>,
    ) -> Poll<bool> {
        if !self.begin_write() {
            // what there is may not be written any more, and the next poll says why
            return Poll::Ready(true);
        }
        let mut slices = [IoSlice::new(&[]); SLICES];
        let count = self.slices(&mut slices);
        let written = write(&slices[..count]);
        self.consume(match &written {
            Poll::Ready(Ok(n)) => *n,
            _ => 0,
        });
        let error = match written {
            Poll::Ready(Ok(0)) => io::ErrorKind::WriteZero.into(),
            Poll::Ready(Ok(_)) => return Poll::Ready(true),
            Poll::Ready(Err(error)) => error,
            Poll::Pending => return Poll::Pending,
        };
        self.failed(error);
        Poll::Ready(false)
    }

    /// The bytes to write, as up to `slices.len()` slices; returns how many were filled.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        if let Some(seal) = &self.seal {
            return seal.slices(slices);
        }
        let count = self.segments.len().min(slices.len()).min(SLICES);
        for (slot, segment) in slices.iter_mut().zip(&self.segments) {
            *slot = IoSlice::new(segment);
        }
        count
    }

    /// Takes note that a write begins, in which each request may leave that is queued for the socket. `false`: the link has
    /// ended, and whoever waited was told that nothing of it left.
    fn begin_write(&mut self) -> bool {
        let whole = self.whole_in(usize::MAX);
        // who ends the link has this too: the end finds the note, or this finds the end
        let inner = self.link.inner.lock();
        let may = match &inner.state {
            State::Closed(_) => self.seal.as_ref().is_some_and(Seal::is_parting),
            _ => true,
        };
        if may {
            self.link.note_leaving(whole);
        }
        may
    }

    /// Takes note that a write of the first `n` bytes is under way, which may take any of them before it returns: until
    /// [`Outbound::consume`], a request that is whole among them may have left.
    ///
    /// For streams that block, which another thread writes; others have [`Outbound::write`].
    pub fn writing(&mut self, n: usize) {
        let whole = self.whole_in(n);
        self.link.note_leaving(whole);
    }

    /// How many bytes of requests the next `n` bytes of the stream carry whole, if they are written now.
    fn whole_in(&mut self, n: usize) -> usize {
        match &mut self.seal {
            Some(seal) => seal.writing(n),
            None => n,
        }
    }

    /// Takes note that the socket has taken `n` bytes of [`Outbound::slices`]; 0 where a write was under way and took none.
    pub fn consume(&mut self, mut n: usize) {
        if let Some(seal) = &mut self.seal {
            // a record of which a part is missing cannot be read by anybody
            let n = seal.consume(n);
            return self.count_written(n);
        }
        self.count_written(n);
        while let Some(first) = self.segments.front_mut() {
            if n < first.len() {
                first.advance(n);
                return;
            }
            n -= first.len();
            self.segments.pop_front();
        }
    }

    /// Takes note of where the connection begins and ends, for [`Conn::local_addr`](crate::client::Conn::local_addr).
    pub fn connected(&mut self, local: SocketAddr, peer: SocketAddr) {
        self.link.connected(local, peer);
    }

    /// When to call [`Outbound::poll`] again unless woken before: time-outs, the end of linger and of pauses.
    pub fn deadline(&self) -> Option<Instant> {
        // what was due at the last poll waits for something else, which wakes
        let later = |at: &Instant| self.polled_at.is_none_or(|polled| *at > polled);
        let parked = self.parked.iter().map(|(at, _)| *at);
        let own = parked.chain(self.fetch_at).filter(later).min();
        earlier(own, self.link.deadline(later))
    }

    fn count_written(&mut self, n: usize) {
        let written = n as u64 + self.link.written.fetch_add(n as u64, Ordering::AcqRel);
        self.link.leaving.store(0, Ordering::Release);
        if self.has_unanswered {
            self.has_unanswered = self.link.settle_unanswered(written);
        }
    }

    /// Ends the link because the socket failed. A write that returned an error has taken nothing: [`Outbound::consume`] 0
    /// first, or what is in it may have left.
    pub fn failed(&mut self, error: io::Error) {
        self.link.socket_failed("writing", error);
        // there is nobody to take leave of
        self.seal = None;
    }

    pub(crate) fn carries_records(&self) -> bool {
        !matches!(self.link.kind, Kind::General)
    }

    /// Ends the link because no connection could be made.
    pub(crate) fn refused(&self, error: io::Error) {
        let kind = if error.kind() == io::ErrorKind::TimedOut {
            ErrorKind::TimedOut
        } else {
            ErrorKind::Unreachable
        };
        self.link
            .close(&Error::new(kind, format!("connecting failed: {error}")).caused_by(error));
    }

    fn next_step(&mut self, now: Now, cx: &Context<'_>, tried: &mut Tried) -> Step {
        let link = self.link.clone();
        let mut inner = link.inner.lock();
        let inner = &mut *inner;
        if std::mem::take(&mut inner.tls_output) {
            return Step::Seal;
        }
        let versions = match &mut inner.state {
            State::Closed(_) => return Step::Closed,
            State::Greet(expect) => {
                let expect = expect.clone();
                inner.state = State::Greeted(expect.clone());
                return Step::Greet(expect);
            }
            State::Greeted(_) | State::Authenticate(_) => None,
            State::Ready(_) if inner.auth.holds() => None,
            State::Ready(versions) => Some(
                self.versions
                    .get_or_insert_with(|| versions.clone())
                    .clone(),
            ),
        };
        if let Some(step) = auth_step(inner, now, tried) {
            return step;
        }
        if let Some(versions) = versions.filter(|_| inner.muted.is_none()) {
            if !inner.calls.is_empty() {
                let count = inner.calls.len().min(CALLS);
                self.calls.extend(inner.calls.drain(..count));
                // in hand, and not in flight yet
                inner.active = now.instant;
                return Step::Calls(versions);
            }
            if inner.produces < PRODUCE_WINDOW {
                self.working.extend(inner.ready.drain(..));
                if !self.working.is_empty() {
                    inner.active = now.instant;
                    return Step::Produce(versions);
                }
            }
            let due = self.fetch_at.is_some_and(|at| at <= now.instant);
            let wanted = (inner.kicked || due || self.fetch_blocked) && !tried.fetch;
            if matches!(link.kind, Kind::Fetch(_)) && wanted && inner.in_flight.is_empty() {
                inner.kicked = false;
                tried.fetch = true;
                self.fetch_at = None;
                return Step::Fetch(versions);
            }
            if inner.kicked && tried.fetch && inner.in_flight.is_empty() {
                // kicked while we looked
                tried.fetch = false;
                cx.waker().wake_by_ref();
            }
        }
        if inner.is_overdue(now.instant) {
            // due since it was looked at: nobody could be woken for it, and no timer will tell
            cx.waker().wake_by_ref();
        }
        // registered under the lock that guards everything looked at, so that no wake is lost
        if !inner
            .waker
            .as_ref()
            .is_some_and(|w| w.will_wake(cx.waker()))
        {
            inner.waker = Some(cx.waker().clone());
        }
        match inner.in_flight.is_empty() {
            true => Step::Rest,
            false => Step::Idle,
        }
    }

    /// Whether TLS has the end of its stream to write, after that of the link.
    fn has_last_words(&mut self) -> bool {
        let Some(seal) = &mut self.seal else {
            return false;
        };
        // nobody is left who could be told of an error
        seal.farewell().unwrap_or(false)
    }

    fn unpark(&mut self, now: Now) {
        let (link, working) = (&self.link, &mut self.working);
        self.parked.retain(|(at, queue)| {
            let due = *at <= now.instant;
            if due && queue.resume(link) {
                working.push_back(queue.clone());
            }
            !due
        });
    }

    fn greet(&mut self, expect: &ExpectVersions, now: Now) {
        let version = expect.version();
        let request = expect.request();
        self.frame(
            Form::of(ApiKey::ApiVersions, version),
            now,
            std::time::Duration::ZERO,
            Purpose::Greeting,
            |w| request.write(w),
        );
    }

    fn write_call(&mut self, submitted: Submitted, versions: &Versions, now: Now) {
        let Submitted {
            ask,
            to,
            deadline,
            side,
        } = submitted;
        if !to.is_waiting() {
            return;
        }
        let form = match ask.form(versions) {
            Ok(form) => form,
            Err(error) => return to.resolve(Err(error)),
        };
        self.has_unanswered |= !ask.is_answered();
        self.put_frame(
            form,
            now,
            ask.extra_wait(),
            ask.is_answered(),
            Purpose::Call(Waiting { to, deadline, side }),
            |w| ask.write(w),
        );
    }

    /// Builds the frame of a request that is answered.
    pub(super) fn frame(
        &mut self,
        form: Form,
        now: Now,
        extra_wait: std::time::Duration,
        purpose: Purpose,
        body: impl FnOnce(&mut Writer),
    ) {
        self.put_frame(form, now, extra_wait, true, purpose, body);
    }

    /// Builds one frame and takes note of it, before its first byte can leave.
    fn put_frame(
        &mut self,
        form: Form,
        now: Now,
        extra_wait: std::time::Duration,
        answered: bool,
        purpose: Purpose,
        body: impl FnOnce(&mut Writer),
    ) {
        let config = &self.link.common.config;
        let correlation = self.next_correlation;
        self.next_correlation = correlation.wrapping_add(1) & i32::MAX;
        let mut w = Writer::new(form.version, false);
        let start = w.begin_frame();
        let header = RequestHeader {
            api_key: form.key,
            api_version: form.version,
            correlation_id: correlation,
            client_id: Some(config.client_id.clone()),
            ..RequestHeader::default()
        };
        header.write(&mut w, form.request_header);
        w.flexible = form.flexible;
        body(&mut w);
        w.end_frame(start);
        let segments = w.segments();
        #[cfg(feature = "tracing")]
        tracing::trace!(
            target: "kafka::request",
            peer = &*self.link.peer, api = form.name, version = form.version, correlation,
            bytes = segments.iter().map(Bytes::len).sum::<usize>(),
        );
        let deadline = now.instant + config.request_timeout + extra_wait;
        let request = InFlight {
            correlation,
            form,
            end: 0,
            deadline,
            purpose,
        };
        self.enqueue(request, segments, answered, now);
    }

    /// Takes note of a request and queues its bytes.
    pub(super) fn enqueue(
        &mut self,
        mut request: InFlight,
        segments: Vec<Bytes>,
        answered: bool,
        now: Now,
    ) {
        self.queued += segments.iter().map(|s| s.len() as u64).sum::<u64>();
        request.end = self.queued;
        let mut inner = self.link.inner.lock();
        if let State::Closed(error) = &inner.state {
            let error = error.clone();
            drop(inner);
            return request.purpose.lose(&self.link, &error, false);
        }
        inner.produces += usize::from(matches!(request.purpose, Purpose::Produce(_)));
        // a broker that has paused us reads nothing meanwhile, and one answers in order: behind what may take long
        if let Some(until) = inner.muted {
            request.deadline += until.saturating_duration_since(now.instant);
        }
        if let Some(before) = inner.in_flight.back() {
            request.deadline = request.deadline.max(before.deadline);
        }
        // a session that renews itself is no use of the connection
        if !request.purpose.is_authentication() {
            inner.active = now.instant;
        }
        match answered {
            true => inner.in_flight.push_back(request),
            false => inner.unanswered.push_back(request),
        }
        drop(inner);
        self.segments
            .extend(segments.into_iter().filter(|s| !s.is_empty()));
    }
}

impl Drop for Outbound {
    fn drop(&mut self) {
        self.link.close(&Error::new(
            ErrorKind::Closed,
            "the connection's driver was dropped",
        ));
        let queues = self
            .working
            .drain(..)
            .chain(self.parked.drain(..).map(|(_, queue)| queue));
        queues.for_each(|queue| self.link.hand_back(&queue));
    }
}

impl std::fmt::Debug for Outbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbound")
            .field("link", &self.link)
            .field("queued", &self.queued)
            .finish_non_exhaustive()
    }
}
