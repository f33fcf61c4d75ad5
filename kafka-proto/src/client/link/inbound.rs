//! The receiving half of a link.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;

use super::{Auth, Flight, InFlight, Link, Purpose, Session, Sought, State, wake};
use crate::{
    api::{
        ApiKey, ResponseHeader,
        api_versions::ApiVersionsResponse,
        fetch::FetchResponse,
        list_offsets::ListOffsetsResponse,
        produce::{PartitionProduceResponse, ProduceResponse},
        sasl_authenticate::SaslAuthenticateResponse,
        sasl_handshake::SaslHandshakeResponse,
    },
    client::{call::RawAnswer, inbox::Note, receipt::Ranged, tls::Open},
    error::{Error, ErrorCode, ErrorKind},
    machine::{
        Now,
        authentication::{self, Expect, Turn},
        frames::{FrameError, Frames},
        handshake::Handshake,
        queue::{BatchWritten, Resolved, Verdict},
    },
    wire::{self, Reader, Uuid},
};

/// The receiving half of a link: owned by one read loop, which reads into [`Inbound::space`] and reports by
/// [`Inbound::filled`].
///
/// Dropping it ends the link.
#[derive(Debug)]
#[must_use = "a link lives as long as its halves are driven"]
pub struct Inbound {
    link: Arc<Link>,
    frames: Frames,
    /// Makes plaintext of what is read, where there is TLS.
    open: Option<Open>,
    /// The set-up is over: answers have headers, and may be as large as the settings allow.
    is_ready: bool,
    resolved: Vec<Resolved<Ranged>>,
}

/// The largest answer during the set-up, from a peer that nobody has authenticated yet: versions and SASL take a few KiB.
const EARLY_FRAME: usize = 1 << 20;

/// An answer to a step of SASL.
enum Answer {
    Mechanism(SaslHandshakeResponse),
    Token(SaslAuthenticateResponse),
    Raw(Bytes),
}

impl Inbound {
    pub(super) fn new(link: Arc<Link>, open: Option<Open>) -> Self {
        let frames = Frames::new(link.common.config.max_frame.min(EARLY_FRAME));
        Self {
            is_ready: false,
            link,
            frames,
            open,
            resolved: Vec::new(),
        }
    }

    /// Waits for the link's end, which may come from elsewhere while the socket is silent: stop reading then.
    pub fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.link.inner.lock();
        if matches!(inner.state, State::Closed(_)) {
            return Poll::Ready(());
        }
        if !inner
            .reader
            .as_ref()
            .is_some_and(|w| w.will_wake(cx.waker()))
        {
            inner.reader = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Room for the next read; never empty.
    pub fn space(&mut self) -> &mut [u8] {
        match &mut self.open {
            None => self.frames.space(),
            Some(open) => open.space(),
        }
    }

    /// Takes note of `n` bytes read into [`Inbound::space`]; 0 is the end of the stream. `false`: the link has ended.
    ///
    /// # Errors
    ///
    /// The peer broke the protocol; the link has ended, and every waiter has this error.
    pub fn filled(&mut self, n: usize, now: Now) -> Result<bool, Error> {
        if n == 0 {
            return Ok(self.ended());
        }
        if self.open.is_some() {
            return self.open(n, now);
        }
        self.frames.filled(n);
        self.split(now)
    }

    /// Ends the link because the socket failed.
    pub fn failed(&mut self, error: std::io::Error) {
        self.link.socket_failed("reading", error);
    }

    /// The peer has ended the stream.
    fn ended(&self) -> bool {
        let error = self.link.inner.lock().ended(&self.link.common.config);
        self.link.close(&error);
        false
    }

    /// Opens the records of `n` bytes, and takes each frame as soon as it is whole.
    fn open(&mut self, n: usize, now: Now) -> Result<bool, Error> {
        if let Some(open) = &mut self.open {
            open.filled(n);
        }
        while let Some(open) = &mut self.open {
            let opened = match open.open(&mut self.frames) {
                Ok(Some(opened)) => opened,
                Ok(None) => break,
                Err(error) => return Err(self.broken(error)),
            };
            let progress = open.progress();
            let mut inner = self.link.inner.lock();
            inner.tls = Some(progress);
            inner.tls_output |= opened.output;
            let waker = match opened.output {
                true => inner.waker.take(),
                false => None,
            };
            drop(inner);
            wake(waker);
            if opened.bytes > 0 && !self.split(now)? {
                return Ok(false);
            }
            if opened.ended {
                return Ok(self.ended());
            }
        }
        Ok(self.link.error().is_none())
    }

    /// Takes the frames that have arrived.
    fn split(&mut self, now: Now) -> Result<bool, Error> {
        loop {
            if !self.is_ready {
                let inner = self.link.inner.lock();
                let first = inner.in_flight.front();
                let raw = first.is_some_and(|r| matches!(r.purpose, Purpose::RawToken));
                self.is_ready = matches!(inner.state, State::Ready(_));
                drop(inner);
                self.frames.allow_empty(raw);
                if self.is_ready {
                    self.frames.limit(self.link.common.config.max_frame);
                }
            }
            let frame = match self.frames.poll_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => {
                    let inner = self.link.inner.lock();
                    // what the next answer may take was reserved before it was asked for
                    let reserved = match inner.in_flight.front().map(|request| &request.purpose) {
                        Some(Purpose::Fetch(_, reserved, _)) => *reserved,
                        _ => 0,
                    };
                    self.frames.expect(reserved);
                    return Ok(!matches!(inner.state, State::Closed(_)));
                }
                Err(e) => return Err(self.broken(frame_error(&e))),
            };
            if let Err(error) = self.handle_frame(frame, now) {
                return Err(self.broken(error));
            }
        }
    }

    fn broken(&self, error: Error) -> Error {
        self.link.close(&error);
        error
    }

    fn handle_frame(&mut self, frame: Bytes, now: Now) -> Result<(), Error> {
        let correlation = frame.first_chunk::<4>().map(|b| i32::from_be_bytes(*b));
        let link = self.link.clone();
        let mut inner = link.inner.lock();
        if matches!(inner.state, State::Closed(_)) {
            return Ok(());
        }
        let first = inner.in_flight.front();
        if first.is_some_and(|request| matches!(request.purpose, Purpose::RawToken)) {
            inner.in_flight.pop_front();
            drop(inner);
            return self.handle_authentication(Answer::Raw(frame), now);
        }
        // a broker answers strictly in order: anything else belongs to nobody (faults 11 and 58)
        if inner.in_flight.front().map(|request| request.correlation) != correlation {
            let expected = inner.in_flight.front().map(|request| request.correlation);
            drop(inner);
            let message =
                format!("an answer to request {correlation:?} came where {expected:?} was next");
            return Err(Error::new(ErrorKind::Protocol, message));
        }
        let Some(request) = inner.in_flight.pop_front() else {
            return Ok(());
        };
        if !request.purpose.is_authentication() {
            inner.active = now.instant;
        }
        inner.heard |= matches!(inner.state, State::Ready(_));
        let mut waker = None;
        if matches!(request.purpose, Purpose::Produce(_)) {
            inner.produces -= 1;
            if inner.produces + 1 == super::PRODUCE_WINDOW || !inner.ready.is_empty() {
                waker = inner.waker.take();
            }
        }
        drop(inner);
        let InFlight { form, purpose, .. } = request;
        let version = form.version;
        #[cfg(feature = "tracing")]
        tracing::trace!(
            target: "kafka::response",
            peer = &*self.link.peer, api = form.name, version, correlation, bytes = frame.len(),
        );
        let mut reader = Reader::new(&frame, version, false);
        if let Err(e) = ResponseHeader::read(&mut reader, form.response_header) {
            // it is in flight no more, so that the end of the link would pass its waiter by
            let error = Error::decode(e, form.name);
            purpose.lose(&self.link, &error, true);
            return Err(error);
        }
        let body = frame.slice(frame.len() - reader.remaining()..);
        if let Ok(api) = ApiKey::try_from(form.key)
            && let Some(time) = api.throttle_time_ms(version, &body)
        {
            self.link.mute(time, now);
        }
        let answered = match purpose {
            Purpose::Greeting => self.handle_greeting(&body, version),
            Purpose::Mechanism => {
                let answer = decode(&body, ApiKey::SaslHandshake, version).map(Answer::Mechanism);
                answer.and_then(|answer| self.handle_authentication(answer, now))
            }
            Purpose::Token | Purpose::RawToken => {
                let answer = decode(&body, ApiKey::SaslAuthenticate, version).map(Answer::Token);
                answer.and_then(|answer| self.handle_authentication(answer, now))
            }
            Purpose::Call(waiting) => {
                waiting.to.resolve(Ok(RawAnswer { version, body }));
                Ok(())
            }
            Purpose::Produce(flights) => self.handle_produced(&body, version, flights, now),
            Purpose::Fetch(sought, reserved, since) => {
                if let super::Kind::Fetch(shelf) = &self.link.kind {
                    shelf.count_fetch(now.instant.saturating_duration_since(since));
                }
                self.handle_fetched(&body, version, sought, reserved, now)
            }
            Purpose::Offsets(sought) => self.handle_offsets(&body, version, sought, now),
        };
        wake(waker);
        answered
    }

    fn handle_greeting(&self, body: &Bytes, version: i16) -> Result<(), Error> {
        // a broker that does not know the version answers in version 0, whatever was asked
        let refused = body
            .first_chunk::<2>()
            .map(|b| ErrorCode(i16::from_be_bytes(*b)));
        let version = if refused == Some(ErrorCode::UNSUPPORTED_VERSION) {
            0
        } else {
            version
        };
        let response: ApiVersionsResponse = decode(body, ApiKey::ApiVersions, version)?;
        let mut inner = self.link.inner.lock();
        let State::Greeted(expect) = &inner.state else {
            return Ok(());
        };
        let needs_sasl = self.link.common.config.sasl.is_some();
        let (state, ready) = match expect.clone().handle(&response) {
            Ok(Handshake::Again(expect)) => (State::Greet(expect), false),
            Ok(Handshake::Done(versions)) if needs_sasl => {
                inner.auth = Auth::Wanted;
                (State::Authenticate(Arc::new(versions)), false)
            }
            Ok(Handshake::Done(versions)) => (State::Ready(Arc::new(versions)), true),
            Err(code) => return Err(Error::refused(code, "the handshake (ApiVersions)", None)),
        };
        inner.greeted = true;
        inner.state = state;
        inner.kicked = true;
        let waker = inner.waker.take();
        drop(inner);
        wake(waker);
        if let (true, Some(inbox)) = (ready, &self.link.common.inbox) {
            inbox.tell(Note::Ready(self.link.clone()));
        }
        Ok(())
    }

    fn handle_authentication(&self, answer: Answer, now: Now) -> Result<(), Error> {
        let mut inner = self.link.inner.lock();
        let Auth::Sent(expect) = std::mem::replace(&mut inner.auth, Auth::Busy) else {
            let message = "an answer came to a step of the authentication that was not taken";
            return Err(Error::new(ErrorKind::Protocol, message));
        };
        drop(inner);
        // keys are derived here, which takes a while: without the lock
        let turn = match (expect, answer) {
            (Expect::Mechanism(expect), Answer::Mechanism(response)) => expect.handle(&response),
            (Expect::Token(expect), Answer::Token(response)) => expect.handle(&response),
            (Expect::Token(expect), Answer::Raw(token)) => expect.handle_raw(&token),
            _ => Err(Error::new(
                ErrorKind::Protocol,
                "an answer came to another step of the authentication",
            )),
        }?;
        let renewal = match &turn {
            Turn::Done(Some(lifetime)) => {
                let random = &mut self.link.common.random.lock();
                let renew = now.instant + authentication::renewal(*lifetime, random);
                Some(Session {
                    renew,
                    ends: now.instant + *lifetime,
                    late: None,
                })
            }
            _ => None,
        };
        let mut inner = self.link.inner.lock();
        let mut ready = false;
        match turn {
            Turn::Send(ask, expect) => inner.auth = Auth::Send(ask, expect),
            Turn::Done(_) => {
                (inner.auth, inner.session) = (Auth::Idle, renewal);
                inner.kicked = true;
                if let State::Authenticate(versions) = &inner.state {
                    inner.state = State::Ready(versions.clone());
                    ready = true;
                }
            }
        }
        let waker = inner.waker.take();
        drop(inner);
        wake(waker);
        if let (true, Some(inbox)) = (ready, &self.link.common.inbox) {
            inbox.tell(Note::Ready(self.link.clone()));
        }
        Ok(())
    }

    fn handle_produced(
        &mut self,
        body: &Bytes,
        version: i16,
        mut flights: Vec<Flight>,
        now: Now,
    ) -> Result<(), Error> {
        let response: ProduceResponse = match decode(body, ApiKey::Produce, version) {
            Ok(response) => response,
            Err(error) => {
                // what the broker did is in the bytes that cannot be read
                lose(flights, &self.link);
                return Err(error);
            }
        };
        self.link.mute(response.throttle_time_ms, now);
        for topic in &response.responses {
            for partition in &topic.partition_responses {
                let is_it = |f: &Flight| {
                    f.queue.partition == partition.index
                        && names(
                            &f.queue.topic,
                            || f.queue.inner.lock().topic_id,
                            &topic.name,
                            topic.topic_id,
                        )
                };
                // an answer for what was not asked is for nobody
                let Some(at) = flights.iter().position(is_it) else {
                    continue;
                };
                let flight = flights.swap_remove(at);
                self.handle_outcome(&flight, partition, now);
            }
        }
        if !flights.is_empty() {
            lose(flights, &self.link);
            return Err(Error::new(
                ErrorKind::Protocol,
                "the response to Produce leaves out partitions of the request",
            ));
        }
        Ok(())
    }

    fn handle_outcome(&mut self, flight: &Flight, answer: &PartitionProduceResponse, now: Now) {
        let Flight { queue, batch } = flight;
        let common = self.link.common.clone();
        let code = ErrorCode(answer.error_code);
        let mut inner = queue.inner.lock();
        if code == ErrorCode::NONE {
            let known = |n: i64| Some(n).filter(|n| *n >= 0);
            let (base_offset, append_time) =
                (known(answer.base_offset), known(answer.log_append_time_ms));
            inner.queue.handle_written(
                *batch,
                BatchWritten {
                    base_offset,
                    append_time,
                },
            );
        } else {
            let said = answer.error_message.as_deref();
            let verdict = inner
                .queue
                .handle_refused(*batch, code, said, now, |failed| common.pause(failed));
            inner.moved |= verdict == Verdict::RetryElsewhere;
        }
        let gone = inner.moved && inner.queue.in_flight() == 0;
        if gone {
            inner.moved = false;
            inner.link = None;
            inner.orphaned = true;
        }
        let then = queue.settle(&mut inner, &mut self.resolved);
        drop(inner);
        self.resolved
            .drain(..)
            .for_each(|r| queue.session.resolve(queue, r));
        if gone {
            queue.session.inbox.tell(Note::Orphan(queue.clone(), true));
        }
        queue.then(then);
    }

    fn handle_fetched(
        &self,
        body: &Bytes,
        version: i16,
        mut sought: Vec<Sought>,
        reserved: usize,
        now: Now,
    ) -> Result<(), Error> {
        let decoded = decode::<FetchResponse>(body, ApiKey::Fetch, version);
        let mut used = 0;
        let mut error = None;
        match decoded {
            Err(e) => error = Some(e),
            Ok(response) if response.error_code != 0 => {
                error = Some(Error::refused(
                    ErrorCode(response.error_code),
                    "the fetch",
                    None,
                ));
            }
            Ok(mut response) => {
                for topic in &mut response.responses {
                    for partition in &mut topic.partitions {
                        let is_it = |s: &Sought| {
                            s.cell.partition == partition.partition_index
                                && names(
                                    &s.cell.topic,
                                    || s.cell.inner.lock().topic_id,
                                    &topic.topic,
                                    topic.topic_id,
                                )
                        };
                        // an answer for what was not asked is for nobody (fault 50)
                        let Some(at) = sought.iter().position(is_it) else {
                            continue;
                        };
                        let Sought { cell, ticket } = sought.swap_remove(at);
                        used += cell.handle_fetched(ticket, partition, &self.link, now);
                    }
                }
            }
        }
        self.link.common.fetch_ledger.settle(reserved, used);
        if let super::Kind::Fetch(shelf) = &self.link.kind {
            shelf.wake();
        }
        self.link.kick();
        error.map_or(Ok(()), Err)
    }

    fn handle_offsets(
        &self,
        body: &Bytes,
        version: i16,
        mut sought: Vec<Sought>,
        now: Now,
    ) -> Result<(), Error> {
        let response: ListOffsetsResponse = decode(body, ApiKey::ListOffsets, version)?;
        for topic in &response.topics {
            for partition in &topic.partitions {
                let is_it = |s: &Sought| {
                    s.cell.partition == partition.partition_index && *s.cell.topic == *topic.name
                };
                let Some(at) = sought.iter().position(is_it) else {
                    continue;
                };
                let Sought { cell, ticket } = sought.swap_remove(at);
                let answer = match ErrorCode(partition.error_code) {
                    ErrorCode::NONE => Ok(partition.offset),
                    code => Err(code),
                };
                cell.handle_offset(ticket, answer, &self.link, now);
            }
        }
        // one that was left out is asked for again after a pause, never taken for 0 (fault 52)
        for Sought { cell, ticket } in sought {
            cell.handle_offset(ticket, Err(ErrorCode::REQUEST_TIMED_OUT), &self.link, now);
        }
        self.link.kick();
        Ok(())
    }
}

impl Drop for Inbound {
    fn drop(&mut self) {
        self.link.close(&Error::new(
            ErrorKind::Closed,
            "the connection's driver was dropped",
        ));
    }
}

/// Batches whose answer cannot be read.
fn lose(flights: Vec<Flight>, link: &Arc<Link>) {
    Purpose::Produce(flights).lose(link, &Error::closed(), true);
}

fn decode<T: wire::Wire>(body: &Bytes, api: ApiKey, version: i16) -> Result<T, Error> {
    wire::decode(body, version, api.is_flexible(version)).map_err(|e| Error::decode(e, api.name()))
}

/// Whether an answer that names a topic by name, or by id from the versions that have ids, means this one.
fn names(topic: &str, id: impl FnOnce() -> Uuid, by_name: &str, by_id: Uuid) -> bool {
    if by_name.is_empty() {
        by_id != Uuid::default() && id() == by_id
    } else {
        topic == by_name
    }
}

/// Tells who speaks instead of Kafka.
fn frame_error(error: &FrameError) -> Error {
    let first = error.first_bytes();
    let guess = match &first {
        b"HTTP" => ": the peer speaks HTTP",
        // a TLS alert record: type 21, version 3.x
        [0x15, 3, ..] => ": the peer speaks TLS, and this connection does not",
        [0x16, 3, ..] => ": the peer speaks TLS",
        b"SSH-" => ": the peer speaks SSH",
        _ => "",
    };
    Error::new(
        ErrorKind::Protocol,
        format!("the peer does not speak Kafka's protocol, {error}{guess}"),
    )
    .caused_by(*error)
}
