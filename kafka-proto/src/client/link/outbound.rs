//! The sending half of a link.

use std::{
    collections::VecDeque,
    io::IoSlice,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use bytes::{Buf, Bytes};

use super::{
    Auth, Flight, InFlight, Inner, Kind, Link, PRODUCE_WINDOW, Purpose, Sought, State, Waiting,
    late,
};
use crate::{
    api::{ApiKey, RequestHeader},
    client::{
        call::{Form, RawAnswer, Recipient, Slot, Submitted},
        ledger::Ticket as Place,
        session::{PartitionQueue, Session},
        sync::{Lock, atomic::Ordering},
        tls::Seal,
    },
    config::Providing,
    error::{Error, ErrorKind},
    machine::{
        Now,
        authentication::{self, Ask, Expect, ExpectMechanism},
        cursor::FetchAt,
        earlier,
        fetch::{self, LAST_BY_NAME, Name},
        handshake::{ExpectVersions, Versions},
        produce::{self, Part},
        queue::Drained,
    },
    wire::{Uuid, Wire, Writer},
};

/// Slices in one vectored write.
const SLICES: usize = 64;
/// Calls in one write: small requests leave together, and each has at most a few slices.
const CALLS: usize = 32;

/// The sending half of a link: owned by one write loop, which sleeps in [`Outbound::poll`], writes
/// [`Outbound::slices`] and reports by [`Outbound::consume`].
///
/// Dropping it ends the link.
#[must_use = "a link lives as long as its halves are driven"]
pub struct Outbound {
    link: Arc<Link>,
    versions: Option<Arc<Versions>>,
    segments: VecDeque<Bytes>,
    /// Makes ciphertext of segments, where there is TLS.
    seal: Option<Seal>,
    /// Credentials on their way.
    providing: Option<Lock<Providing>>,
    /// Providers that failed in a row.
    provider_failures: u32,
    /// Bytes ever queued, as plaintext.
    queued: u64,
    next_correlation: i32,
    /// Calls taken from the link, to be written at once; empty between polls.
    calls: VecDeque<Submitted>,
    /// Something was sent, or is about to be, that gets no answer.
    has_unanswered: bool,
    /// Queues taken from the ready list that found no room in the last request.
    working: VecDeque<Arc<PartitionQueue>>,
    /// Queues whose pause or linger ends then.
    parked: Vec<(Instant, Arc<PartitionQueue>)>,
    /// When a cursor's pause ends.
    fetch_at: Option<Instant>,
    fetch_place: Option<Place>,
    fetch_reserve: Option<usize>,
    /// Wants to fetch and waits for the ledger.
    fetch_blocked: bool,
    polled_at: Option<Instant>,
}

/// What to do next.
enum Step {
    Closed,
    Idle,
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
struct Tried {
    fetch: bool,
    credentials: bool,
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
    /// Call it again when woken, and at [`Outbound::deadline`]. Cancel safe.
    pub fn poll(&mut self, now: Now, cx: &mut Context<'_>) -> Poll<bool> {
        let mut tried = Tried::default();
        self.polled_at = Some(now.instant);
        self.unpark(now);
        loop {
            if self.link.check_deadlines(now) {
                return Poll::Ready(false);
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
                Step::Closed => return Poll::Ready(false),
                Step::Idle => return Poll::Pending,
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

    /// Takes note that the socket has taken `n` bytes.
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
        if self.has_unanswered {
            self.has_unanswered = self.link.settle_unanswered(written);
        }
    }

    /// Ends the link because the socket failed.
    pub fn failed(&mut self, error: std::io::Error) {
        self.link.socket_failed("writing", error);
    }

    pub(crate) fn carries_records(&self) -> bool {
        !matches!(self.link.kind, Kind::General)
    }

    /// Ends the link because no connection could be made.
    pub(crate) fn refused(&self, error: std::io::Error) {
        let kind = if error.kind() == std::io::ErrorKind::TimedOut {
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
        Step::Idle
    }

    fn unpark(&mut self, now: Now) {
        let working = &mut self.working;
        self.parked.retain(|(at, queue)| {
            let due = *at <= now.instant;
            if due {
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

    /// Asks for credentials, and begins an authentication once they are there.
    fn poll_credentials(&mut self, versions: &Versions, now: Now, cx: &mut Context<'_>) {
        let Some(sasl) = self.link.common.config.sasl.clone() else {
            return;
        };
        let providing = self
            .providing
            .get_or_insert_with(|| Lock::new(sasl.provide()));
        let Poll::Ready(provided) = providing.lock().as_mut().poll(cx) else {
            return;
        };
        self.providing = None;
        let entropy = authentication::entropy(&mut self.link.common.random.lock());
        let started = match provided {
            Ok(mechanism) => ExpectMechanism::start(&*mechanism, entropy, versions),
            Err(e) => {
                let message = format!(
                    "the provider of credentials for {} failed: {e}",
                    sasl.name()
                );
                Err(Error::new(ErrorKind::Credentials, message).caused_by_any(e.into()))
            }
        };
        let error = match started {
            Ok((ask, expect)) => {
                self.provider_failures = 0;
                self.link.inner.lock().auth = Auth::Send(ask, Expect::Mechanism(expect));
                return;
            }
            Err(error) => error,
        };
        self.provider_failures += 1;
        let pause = self.link.common.pause(self.provider_failures);
        let mut inner = self.link.inner.lock();
        let inner_now = &mut *inner;
        if let (State::Ready(_), Some(session)) = (&inner_now.state, &mut inner_now.session) {
            // the session lasts a little longer: it may work the next time
            session.late = Some(error);
            session.renew = (now.instant + pause).min(session.ends);
            inner_now.auth = Auth::Idle;
            return;
        }
        drop(inner);
        self.link.close(&error);
    }

    fn authenticate(&mut self, ask: Ask, expect: Expect, now: Now) {
        // before the request, so that no answer can find nobody who expects it
        self.link.inner.lock().auth = Auth::Sent(expect);
        let no_wait = std::time::Duration::ZERO;
        match ask {
            Ask::Mechanism(request, version) => {
                let (api, purpose) = (ApiKey::SaslHandshake, Purpose::Mechanism);
                self.frame(Form::of(api, version), now, no_wait, purpose, |w| {
                    request.write(w)
                });
            }
            Ask::Token(request, version) => {
                let (api, purpose) = (ApiKey::SaslAuthenticate, Purpose::Token);
                self.frame(Form::of(api, version), now, no_wait, purpose, |w| {
                    request.write(w)
                });
            }
            Ask::Raw(token) => {
                let length = u32::try_from(token.len()).unwrap_or(u32::MAX);
                let length = Bytes::copy_from_slice(&length.to_be_bytes());
                let request = InFlight {
                    correlation: 0,
                    form: Form::of(ApiKey::SaslAuthenticate, 0),
                    end: 0,
                    deadline: now.instant + self.link.common.config.request_timeout,
                    purpose: Purpose::RawToken,
                };
                self.enqueue(request, vec![length, token], true, now);
            }
        }
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

    /// One request with a batch of each queue that has one, all of one session.
    fn write_produce(&mut self, versions: &Versions, now: Now) {
        let Some(session) = self.working.front().map(|queue| queue.session.clone()) else {
            return;
        };
        let mut parts = Vec::new();
        let mut flights = Vec::new();
        let mut bytes = 0;
        for _ in 0..self.working.len() {
            let Some(queue) = self.working.pop_front() else {
                break;
            };
            if !Arc::ptr_eq(&queue.session, &session) || bytes >= session.config.request_bytes {
                self.working.push_back(queue);
                continue;
            }
            if let Some((drained, id)) = self.take_batch(&queue, now) {
                bytes += drained.body.len();
                flights.push(Flight {
                    queue: queue.clone(),
                    batch: drained.id,
                });
                let (topic, partition) = (queue.topic.clone(), queue.partition);
                parts.push(Part {
                    topic,
                    id,
                    partition,
                    header: drained.header,
                    body: drained.body,
                });
            }
        }
        if parts.is_empty() {
            return;
        }
        parts.sort_by(|a, b| a.topic.cmp(&b.topic));
        let limit = if parts.iter().any(|p| p.id == Uuid::default()) {
            LAST_BY_NAME
        } else {
            i16::MAX
        };
        let version = match versions.choose(ApiKey::Produce, limit) {
            Ok(version) if version >= 3 => version,
            found => {
                let reason = found.err().map_or_else(
                    || "the broker is older than 0.11 and takes no batches of magic 2".to_owned(),
                    |e| e.to_string(),
                );
                return refuse(flights, &Error::new(ErrorKind::Unsupported, reason));
            }
        };
        let timeout = self.link.common.config.request_timeout;
        let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        let acks = session.config.acks.code();
        self.frame(
            Form::of(ApiKey::Produce, version),
            now,
            std::time::Duration::ZERO,
            Purpose::Produce(flights),
            |w| {
                produce::write_request(acks, timeout_ms, &parts, w);
            },
        );
    }

    /// The next batch of one queue; the queue goes where it is looked at next.
    fn take_batch(&mut self, queue: &Arc<PartitionQueue>, now: Now) -> Option<(Drained, Uuid)> {
        let session = &queue.session;
        let mut inner = queue.inner.lock();
        if !inner
            .link
            .as_ref()
            .is_some_and(|link| Arc::ptr_eq(link, &self.link))
        {
            return None;
        }
        if let Some(from) = inner.queue.wants_bump() {
            session.producer.lock().bump(from);
        }
        let id = session.producer.lock().id();
        let drained = inner.queue.poll_batch(id, now.instant);
        let topic_id = inner.topic_id;
        inner.listed = false;
        if inner.queue.has_more() {
            if session.limits.idempotent && id.is_none() {
                drop(inner);
                want_id(session);
                return None;
            }
            if inner.queue.is_ready(now.instant) && drained.is_some() {
                inner.listed = true;
                self.working.push_back(queue.clone());
            } else if let Some(at) = inner.queue.poll_ready_at(now.instant) {
                inner.listed = true;
                self.parked.push((at, queue.clone()));
            }
        }
        drop(inner);
        drained.map(|drained| (drained, topic_id))
    }

    /// One request for everything that this link's cursors want: offsets first, then records.
    fn write_fetch(&mut self, versions: &Versions, now: Now, cx: &Context<'_>) {
        let Kind::Fetch(shelf) = &self.link.kind else {
            return;
        };
        let shelf = shelf.clone();
        self.fetch_blocked = false;
        let cells = self.link.inner.lock().cursors.clone();
        let mut offsets: Vec<(Name, i64, i32, Sought)> = Vec::new();
        let mut fetches: Vec<(Name, FetchAt, Sought)> = Vec::new();
        let (mut buffered, mut at_end) = (false, true);
        for cell in cells {
            let inner = cell.inner.lock();
            buffered |= inner.cursor.has_buffered();
            let name = Name {
                topic: cell.topic.clone(),
                id: inner.topic_id,
                partition: cell.partition,
            };
            if let Some((timestamp, epoch, ticket)) = inner.cursor.wants_offset(now.instant) {
                drop(inner);
                offsets.push((name, timestamp, epoch, Sought { cell, ticket }));
            } else if let Some((at, ticket)) = inner.cursor.wants_fetch(now.instant) {
                at_end &= inner.cursor.is_at_end();
                drop(inner);
                fetches.push((name, at, Sought { cell, ticket }));
            } else if let Some(at) = inner.cursor.poll_timeout().filter(|at| *at > now.instant) {
                self.fetch_at = earlier(self.fetch_at, Some(at));
            }
        }
        if !offsets.is_empty() {
            let request = fetch::offsets_request(
                offsets
                    .iter()
                    .map(|(name, at, epoch, _)| (name, *at, *epoch)),
            );
            let sought = offsets.into_iter().map(|(.., sought)| sought).collect();
            let wait = std::time::Duration::ZERO;
            return match versions.choose(ApiKey::ListOffsets, i16::MAX) {
                Ok(version) if version >= 1 => {
                    self.frame(
                        Form::of(ApiKey::ListOffsets, version),
                        now,
                        wait,
                        Purpose::Offsets(sought),
                        |w| request.write(w),
                    );
                }
                found => shelf.fail(unsupported(found.err())),
            };
        }
        // a fetch that the broker parks would keep the partitions waiting that are read meanwhile
        if fetches.is_empty() || (buffered && at_end) {
            // a place in line, and what it was granted, go back
            self.fetch_place = None;
            self.fetch_reserve = None;
            return;
        }
        let by_name = fetches.iter().any(|(name, ..)| name.id == Uuid::default());
        let version =
            match versions.choose(ApiKey::Fetch, if by_name { LAST_BY_NAME } else { i16::MAX }) {
                Ok(version) if version >= 4 => version,
                found => return shelf.fail(unsupported(found.err())),
            };
        let ledger = &self.link.common.fetch_ledger;
        let most = fetches
            .iter()
            .map(|(_, at, _)| at.max_bytes as usize)
            .sum::<usize>();
        let reserve = most
            .min(shelf.limits.max_bytes as usize)
            .min(ledger.total());
        // who stands in line gets what was asked for then
        let reserve = *self.fetch_reserve.get_or_insert(reserve);
        match ledger.poll_reserve(reserve, &mut self.fetch_place, cx.waker()) {
            Poll::Ready(Ok(())) => self.fetch_reserve = None,
            Poll::Ready(Err(_)) => return,
            Poll::Pending => return self.fetch_blocked = true,
        }
        let request = fetch::fetch_request(
            shelf.limits,
            fetches.iter().map(|(name, at, _)| (name, *at)),
        );
        let sought = fetches.into_iter().map(|(.., sought)| sought).collect();
        let wait = shelf.limits.max_wait;
        self.frame(
            Form::of(ApiKey::Fetch, version),
            now,
            wait,
            Purpose::Fetch(sought, reserve),
            |w| request.write(w),
        );
    }

    /// Builds the frame of a request that is answered.
    fn frame(
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
    fn enqueue(&mut self, mut request: InFlight, segments: Vec<Bytes>, answered: bool, now: Now) {
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

impl Link {
    /// Ends the link if a time-out has passed; resolves calls whose callers' time is over. Returns whether it has ended.
    fn check_deadlines(self: &Arc<Self>, now: Now) -> bool {
        let mut inner = self.inner.lock();
        inner.unmute(now.instant);
        let config = &self.common.config;
        let error = match &inner.state {
            State::Closed(_) => return true,
            State::Greet(_) | State::Greeted(_) | State::Authenticate(_)
                if config.setup_deadline(inner.opened) <= now.instant =>
            {
                Some(inner.stuck())
            }
            State::Ready(_) if inner.is_unrenewed(now.instant) => {
                let message =
                    "the session with the broker ended before there were credentials to renew it";
                let late = inner.session.as_ref().and_then(|s| s.late.clone());
                let error = Error::new(ErrorKind::Credentials, message);
                Some(match late {
                    Some(late) => Error::new(ErrorKind::Credentials, format!("{message}: {late}"))
                        .caused_by(late),
                    None => error,
                })
            }
            _ => inner
                .oldest()
                .filter(|request| request.deadline <= now.instant)
                .map(|request| {
                    let message = format!(
                        "the broker did not answer {} within the request time-out",
                        request.form.name
                    );
                    Error::new(ErrorKind::TimedOut, message)
                }),
        };
        if let Some(error) = error {
            drop(inner);
            self.close(&error);
            return true;
        }
        let mut naps = Vec::new();
        inner.naps.retain(|(at, nap)| {
            let due = *at <= now.instant;
            if due {
                naps.push(nap.clone());
            }
            !due
        });
        let mut late_calls = Vec::new();
        if inner.soonest.is_some_and(|at| at <= now.instant) {
            late_calls = inner.take_late(now.instant);
        }
        drop(inner);
        naps.into_iter().for_each(|nap| nap.resolve(()));
        for (slot, sent) in late_calls {
            let outcome = if sent {
                crate::error::Outcome::Unknown
            } else {
                crate::error::Outcome::NotWritten
            };
            slot.resolve(Err(late().with_outcome(outcome)));
        }
        false
    }

    /// The next time-out of those that are `later`: one that waits for something else must not hide another.
    fn deadline(&self, later: impl Fn(&Instant) -> bool) -> Option<Instant> {
        let inner = self.inner.lock();
        let setup = match inner.state {
            State::Greet(_) | State::Greeted(_) | State::Authenticate(_) => {
                Some(self.common.config.setup_deadline(inner.opened))
            }
            _ => None,
        };
        let session = inner.session.as_ref().and_then(|session| match inner.auth {
            Auth::Idle => Some(session.renew),
            Auth::Wanted => Some(session.ends),
            _ => None,
        });
        let naps = inner.naps.iter().map(|(at, _)| *at);
        let fronts = [inner.in_flight.front(), inner.unanswered.front()];
        let requests = fronts.into_iter().flatten().map(|r| r.deadline);
        let others = [setup, session, inner.muted, inner.soonest];
        let all = naps.chain(requests).chain(others.into_iter().flatten());
        all.filter(later).min()
    }

    /// Tells who waits for a request without an answer that it has left whole; false once nobody is left.
    fn settle_unanswered(&self, written: u64) -> bool {
        let mut left = Vec::new();
        let mut inner = self.inner.lock();
        while inner.unanswered.front().is_some_and(|r| r.end <= written) {
            left.extend(inner.unanswered.pop_front());
        }
        let more = !inner.unanswered.is_empty();
        drop(inner);
        for InFlight { form, purpose, .. } in left {
            if let Purpose::Call(waiting) = purpose {
                let (version, body) = (form.version, Bytes::new());
                waiting.to.resolve(Ok(RawAnswer { version, body }));
            }
        }
        more
    }
}

impl Inner {
    /// Whether a caller's time is over, or a sleeper's.
    fn is_overdue(&self, now: Instant) -> bool {
        let naps = self.naps.iter().map(|(at, _)| *at);
        naps.chain(self.soonest).any(|at| at <= now)
    }

    /// The request that has been under way the longest.
    fn oldest(&self) -> Option<&InFlight> {
        let fronts = [self.in_flight.front(), self.unanswered.front()];
        fronts.into_iter().flatten().min_by_key(|r| r.deadline)
    }

    /// Takes the callers whose time is over, and whether their request may have been sent; finds out who is next.
    fn take_late(&mut self, now: Instant) -> Vec<(Arc<Slot>, bool)> {
        let mut late = Vec::new();
        let mut soonest = None;
        self.calls.retain(|call| {
            let is_late = call.deadline.is_some_and(|at| at <= now);
            match &call.to {
                Recipient::Slot(slot) if is_late => late.push((slot.clone(), false)),
                _ => soonest = earlier(soonest, call.deadline),
            }
            !is_late
        });
        for request in self.in_flight.iter_mut().chain(&mut self.unanswered) {
            let Purpose::Call(waiting) = &mut request.purpose else {
                continue;
            };
            match &waiting.to {
                Recipient::Slot(slot) if waiting.deadline.is_some_and(|at| at <= now) => {
                    late.push((slot.clone(), true));
                    waiting.deadline = None;
                }
                _ => soonest = earlier(soonest, waiting.deadline),
            }
        }
        self.soonest = soonest;
        late
    }
}

/// What SASL wants next, if anything.
fn auth_step(inner: &mut Inner, now: Now, tried: &mut Tried) -> Option<Step> {
    let (State::Authenticate(versions) | State::Ready(versions)) = &inner.state else {
        return None;
    };
    let is_due = |session: &super::Session| session.renew <= now.instant;
    if matches!(inner.auth, Auth::Idle) && inner.session.as_ref().is_some_and(is_due) {
        inner.auth = Auth::Wanted;
    }
    match inner.auth {
        Auth::Wanted if !tried.credentials => {
            tried.credentials = true;
            Some(Step::Credentials(versions.clone()))
        }
        Auth::Send(..) => match std::mem::replace(&mut inner.auth, Auth::Busy) {
            Auth::Send(ask, expect) => Some(Step::Authenticate(ask, expect)),
            _ => None,
        },
        _ => None,
    }
}

impl Inner {
    /// Whether the session has ended and there are no credentials to renew it with.
    fn is_unrenewed(&self, now: Instant) -> bool {
        let over = |session: &super::Session| {
            session.ends <= now && (session.late.is_some() || matches!(self.auth, Auth::Wanted))
        };
        !self.auth.holds() && self.session.as_ref().is_some_and(over)
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

/// Batches that no request can carry.
fn refuse(flights: Vec<Flight>, error: &Error) {
    for flight in flights {
        let mut resolved = Vec::new();
        let mut inner = flight.queue.inner.lock();
        inner.queue.handle_lost(flight.batch, false);
        inner.queue.abandon(error);
        let then = flight.queue.settle(&mut inner, &mut resolved);
        drop(inner);
        resolved
            .into_iter()
            .for_each(|r| flight.queue.session.resolve(&flight.queue, r));
        flight.queue.then(then);
    }
}

fn want_id(session: &Arc<Session>) {
    session
        .inbox
        .tell(crate::client::inbox::Note::WantsId(session.clone()));
}

fn unsupported(error: Option<crate::machine::handshake::VersionError>) -> Error {
    let reason = error.map_or_else(
        || "the broker is older than 0.11 and sends no batches of magic 2".to_owned(),
        |e| e.to_string(),
    );
    Error::new(ErrorKind::Unsupported, reason)
}
