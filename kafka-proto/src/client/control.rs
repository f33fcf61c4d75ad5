//! The control plane of a client: one owner of the cluster's metadata, of the links, of sessions and readers.
//!
//! Driven by one loop, so that no lock stands around its machines. Handles and links reach it by notes; it answers by
//! giving queues and cursors their links. It never dials: it asks for a [`Dial`].

mod links;
mod partitions;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use super::{
    call::{RawAnswer, Submitted},
    dial::Dial,
    hub::Hub,
    inbox::{Inbox, Note, Question, Target},
    link::{Common, Kind, Link},
    promise::Promise,
    reader::{Cell, Shelf},
    session::{PartitionQueue, Session, TopicSlot},
};
use crate::{
    api::{ApiKey, init_producer_id::InitProducerIdResponse, metadata::MetadataResponse},
    config::{Address, Dialing},
    error::{Error, ErrorCode, ErrorKind, Outcome, Scope},
    event::Event,
    machine::{Now, cluster::Cluster, earlier, rate::RateLimit},
    wire,
};

/// The control plane: an adapter polls it, and dials what it asks for.
///
/// Dropping it ends the client: every waiter resolves.
#[derive(Debug)]
#[must_use = "a client lives as long as its control is driven"]
pub struct Control {
    common: Arc<Common>,
    inbox: Arc<Inbox>,
    events: Arc<Hub>,
    limit: RateLimit<(Repeated, Arc<str>)>,
    cluster: Cluster,
    /// Answers to Metadata so far: what was found wrong waits for a later one.
    generation: u64,
    links: BTreeMap<Key, Entry>,
    addresses: BTreeMap<Address, Reach>,
    /// Whose turn it is to be asked for metadata when nobody is connected.
    next_candidate: usize,
    dials: VecDeque<Dial>,
    calls: Vec<(Target, Submitted)>,
    sessions: Vec<Arc<Session>>,
    /// Sessions whose request for an id waits for a pause to end.
    id_pauses: Vec<(Instant, Arc<Session>)>,
    id_failures: u32,
    shelves: BTreeMap<u64, Arc<Shelf>>,
    slots: Vec<(Instant, Arc<TopicSlot>)>,
    /// Queues and cursors without a link, and the generation of metadata that they wait for.
    orphans: Vec<(u64, Arc<PartitionQueue>)>,
    lost: Vec<(u64, Arc<Shelf>, Arc<Cell>)>,
    watched: Vec<Arc<PartitionQueue>>,
    watch_at: Option<Instant>,
    readiness: Vec<Arc<Promise<Result<(), Error>>>>,
    alarms: Vec<(Instant, Arc<Promise<()>>)>,
    last_failures: BTreeMap<Address, Error>,
    closing: bool,
    notes: Vec<Note>,
    /// When to look for idle connections.
    idle_at: Option<Instant>,
    /// When [`Control::poll`] was last called.
    polled: Option<Instant>,
}

/// Which link: to whom, for what.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Key {
    Seed(Address),
    General(i32),
    Produce(i32),
    Fetch(u64, i32),
}

#[derive(Debug)]
struct Entry {
    link: Arc<Link>,
    address: Address,
    ready: bool,
    since: Instant,
}

/// What is told at most once a second for each broker.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Repeated {
    Disconnected,
    Unreachable,
    Throttled,
}

/// What is known of an address.
#[derive(Debug, Default)]
struct Reach {
    failures: u32,
    not_before: Option<Instant>,
    /// The rung of the handshake's ladder to begin with.
    rung: usize,
}

impl Control {
    pub(super) fn new(common: Arc<Common>, inbox: Arc<Inbox>, events: Arc<Hub>) -> Self {
        let config = &common.config;
        Self {
            cluster: Cluster::new(config.metadata_max_age, config.retry_backoff),
            generation: 0,
            links: BTreeMap::new(),
            addresses: BTreeMap::new(),
            next_candidate: 0,
            dials: VecDeque::new(),
            calls: Vec::new(),
            sessions: Vec::new(),
            id_pauses: Vec::new(),
            id_failures: 0,
            shelves: BTreeMap::new(),
            slots: Vec::new(),
            orphans: Vec::new(),
            lost: Vec::new(),
            watched: Vec::new(),
            watch_at: None,
            readiness: Vec::new(),
            alarms: Vec::new(),
            last_failures: BTreeMap::new(),
            closing: false,
            notes: Vec::new(),
            idle_at: None,
            polled: None,
            limit: RateLimit::new(Duration::from_secs(1)),
            common,
            inbox,
            events,
        }
    }

    /// Does what is due, and waits for the next connection to make; `None` once the client has ended.
    ///
    /// Call it again when woken, and at [`Control::deadline`]. Cancel safe.
    pub fn poll(&mut self, now: Now, cx: &mut Context<'_>) -> Poll<Option<Dial>> {
        self.polled = Some(now.instant);
        loop {
            let mut notes = std::mem::take(&mut self.notes);
            self.inbox.take(&mut notes, cx.waker());
            let quiet = notes.is_empty();
            notes.drain(..).for_each(|note| self.handle_note(note, now));
            self.notes = notes;
            self.handle_timeout(now);
            self.work(now);
            self.sessions.retain(|session| {
                let over = session.is_over();
                if over {
                    session.forget();
                }
                !over
            });
            if let Some(dial) = self.dials.pop_front() {
                return Poll::Ready(Some(dial));
            }
            if quiet {
                if self.closing && self.is_idle() {
                    return Poll::Ready(None);
                }
                return Poll::Pending;
            }
        }
    }

    /// When to call [`Control::poll`] again unless woken before.
    ///
    /// Always after the last poll: what was due then was done, or waits for something else, which wakes.
    pub fn deadline(&self) -> Option<Instant> {
        let calls = self.calls.iter().filter_map(|(_, call)| call.deadline);
        let slots = self.slots.iter().map(|(at, _)| *at);
        let alarms = self.alarms.iter().map(|(at, _)| *at);
        let ids = self.id_pauses.iter().map(|(at, _)| *at);
        let pauses = self
            .addresses
            .values()
            .filter_map(|reach| reach.not_before)
            .filter(|_| self.is_short_of_links());
        self.cluster
            .poll_timeout()
            .into_iter()
            .chain(self.watch_at)
            .chain(self.idle_at)
            .chain(calls)
            .chain(slots)
            .chain(alarms)
            .chain(ids)
            .chain(pauses)
            .filter(|at| self.polled.is_none_or(|polled| *at > polled))
            .min()
    }

    /// How to make the connections that are asked for.
    pub fn dialing(&self) -> &Dialing {
        self.common.config.dialing()
    }

    /// Whether a pause of some address keeps us from what we want.
    fn is_short_of_links(&self) -> bool {
        !self.calls.is_empty()
            || !self.orphans.is_empty()
            || !self.lost.is_empty()
            || !self.readiness.is_empty()
            || self.polled.is_some_and(|at| self.cluster.is_due(at))
    }

    fn is_idle(&self) -> bool {
        self.sessions
            .iter()
            .all(|session| session.ledger.is_unused())
    }

    fn handle_note(&mut self, note: Note, now: Now) {
        match note {
            Note::Call(target, submitted) => self.calls.push((target, submitted)),
            Note::Answer(question, answer) => self.handle_answer(question, answer, now),
            Note::Ready(link) => self.handle_ready(&link, now),
            Note::Down(link, error) => self.handle_down(&link, error, now),
            Note::Throttled(link, time) => {
                self.publish_limited(Repeated::Throttled, &link.peer, now, |peer, unreported| {
                    Event::Throttled {
                        peer,
                        time,
                        unreported,
                    }
                });
            }
            Note::Session(session) => {
                self.sessions.push(session.clone());
                self.want_id(&session);
            }
            Note::WantsId(session) => self.want_id(&session),
            Note::Topic(slot) => {
                let timeout = slot
                    .session
                    .upgrade()
                    .map_or(self.common.config.call_timeout, |s| {
                        s.limits.delivery_timeout
                    });
                self.cluster.want(&slot.name);
                self.cluster.reconsider(&slot.name, now.instant);
                self.slots.push((now.instant + timeout, slot));
                self.teach(now);
            }
            Note::Orphan(queue, moved) => {
                let generation = self.wanted_generation(moved);
                self.orphans.push((generation, queue));
            }
            Note::Watch(queue) => {
                let at = queue.inner.lock().queue.poll_timeout();
                self.watch_at = earlier(self.watch_at, at);
                self.watched.push(queue);
            }
            Note::Reader(shelf) => {
                self.shelves.insert(shelf.id, shelf.clone());
                self.seat(&shelf, now);
            }
            Note::ReaderClosed(id) => {
                self.shelves.remove(&id);
                self.lost.retain(|(_, shelf, _)| shelf.id != id);
                let mine = |key: &Key| matches!(key, Key::Fetch(reader, _) if *reader == id);
                let links: Vec<_> = self
                    .links
                    .iter()
                    .filter(|(k, _)| mine(k))
                    .map(|(_, e)| e.link.clone())
                    .collect();
                links.iter().for_each(|link| link.close(&Error::closed()));
            }
            Note::Lost(shelf, cell, moved) => {
                let generation = self.wanted_generation(moved);
                self.lost.push((generation, shelf, cell));
            }
            Note::Await(promise) if self.cluster.is_known() => promise.resolve(Ok(())),
            Note::Await(promise) => self.readiness.push(promise),
            Note::Sleep(at, alarm) => self.alarms.push((at, alarm)),
            Note::Refresh => self.cluster.refresh(),
            Note::Close => self.closing = true,
        }
    }

    /// The generation of metadata that something waits for whose leader has moved.
    fn wanted_generation(&mut self, moved: bool) -> u64 {
        if moved {
            self.cluster.refresh();
        }
        self.generation + u64::from(moved)
    }

    fn handle_timeout(&mut self, now: Now) {
        self.alarms.retain(|(at, alarm)| {
            let due = *at <= now.instant;
            if due {
                alarm.resolve(());
            }
            !due
        });
        let late = self.calls.extract_if(.., |(_, call)| {
            call.deadline.is_some_and(|at| at <= now.instant)
        });
        let late: Vec<_> = late.collect();
        for (_, call) in late {
            call.to.resolve(Err(self.unreachable(
                "no broker could be reached before the deadline of the call",
            )));
        }
        let late: Vec<_> = self
            .slots
            .extract_if(.., |(at, _)| *at <= now.instant)
            .collect();
        for (_, slot) in late {
            slot.fail(
                self.unreachable("no broker described the topic before the delivery time-out"),
            );
        }
        let due: Vec<_> = self
            .id_pauses
            .extract_if(.., |(at, _)| *at <= now.instant)
            .collect();
        due.into_iter()
            .for_each(|(_, session)| self.want_id(&session));
        if self.watch_at.is_some_and(|at| at <= now.instant) {
            self.watch(now);
        }
        if self.idle_at.is_some_and(|at| at <= now.instant) {
            self.close_idle(now);
        }
    }

    /// Looks at the deadlines of queues that have something unresolved, and lets go of the others.
    fn watch(&mut self, now: Now) {
        self.watch_at = None;
        for queue in std::mem::take(&mut self.watched) {
            queue.handle_timeout(now);
            let mut inner = queue.inner.lock();
            let at = inner.queue.poll_timeout();
            // one that waits only for the answer to what was given up is watched again with its next batch
            inner.watched = at.is_some();
            drop(inner);
            self.watch_at = earlier(self.watch_at, at);
            if at.is_some() {
                self.watched.push(queue);
            }
        }
    }

    /// Everything that may have become possible.
    fn work(&mut self, now: Now) {
        self.ask_metadata(now);
        for (generation, queue) in std::mem::take(&mut self.orphans) {
            if !self.house(generation, &queue, now) {
                self.orphans.push((generation, queue));
            }
        }
        for (generation, shelf, cell) in std::mem::take(&mut self.lost) {
            if !self.place(generation, &shelf, &cell, now) {
                self.lost.push((generation, shelf, cell));
            }
        }
        for (target, call) in std::mem::take(&mut self.calls) {
            match self.route(target, now) {
                Some(link) => link.submit(call),
                None => {
                    let refusal = match target {
                        Target::Broker(id) => self.refusal(id, now),
                        Target::Any | Target::Controller => None,
                    };
                    match refusal {
                        Some(error) => call.to.resolve(Err(error)),
                        None => self.calls.push((target, call)),
                    }
                }
            }
        }
    }

    fn ask_metadata(&mut self, now: Now) {
        let Some(link) = self.any_link(now) else {
            return;
        };
        if let Some(request) = self.cluster.poll_request(now.instant) {
            link.submit(Submitted::question(
                request,
                &self.inbox,
                Question::Metadata(link.peer.clone()),
            ));
        }
    }

    fn want_id(&mut self, session: &Arc<Session>) {
        let request = session.producer.lock().poll_request();
        if let Some(request) = request {
            let question = Question::ProducerId(session.clone());
            self.calls.push((
                Target::Any,
                Submitted::question(request, &self.inbox, question),
            ));
        }
    }

    /// The link for a call, if one is ready.
    fn route(&mut self, target: Target, now: Now) -> Option<Arc<Link>> {
        match target {
            Target::Any => self.any_link(now),
            Target::Broker(id) => self.general_link(id, now),
            Target::Controller => match self.cluster.controller() {
                Some(id) => self.general_link(id, now),
                // brokers before 0.10 do not name it, and a broker may not know it yet
                None if self.cluster.is_known() => {
                    self.cluster.refresh();
                    None
                }
                None => {
                    self.any_link(now);
                    None
                }
            },
        }
    }

    fn general_link(&mut self, id: i32, now: Now) -> Option<Arc<Link>> {
        if self.cluster.broker(id).is_none() {
            self.cluster.refresh();
            self.any_link(now);
            return None;
        }
        self.link_to(Key::General(id), id, || Kind::General, now)
            .filter(|link| link.versions().is_some())
    }

    fn handle_answer(&mut self, question: Question, answer: Result<RawAnswer, Error>, now: Now) {
        match question {
            Question::Metadata(peer) => {
                let decoded =
                    answer.and_then(|answer| decode::<MetadataResponse>(&answer, ApiKey::Metadata));
                match decoded {
                    Ok(response)
                        if ErrorCode(response.error_code) == ErrorCode::REBOOTSTRAP_REQUIRED =>
                    {
                        self.rebootstrap(now);
                    }
                    Ok(response) => {
                        let random = &mut self.common.random.lock();
                        self.cluster.handle_response(&response, now, random);
                        self.generation += 1;
                    }
                    Err(error) => {
                        self.cluster
                            .handle_lost(now.instant, &mut self.common.random.lock());
                        if !self.cluster.is_known() {
                            // one that cannot describe the cluster is as good as none: another may
                            self.turn_from(&error, |link| link.peer == peer);
                        }
                    }
                }
                if self.cluster.is_known() {
                    self.readiness
                        .drain(..)
                        .for_each(|promise| promise.resolve(Ok(())));
                }
                self.teach(now);
                let shelves: Vec<_> = self.shelves.values().cloned().collect();
                shelves.iter().for_each(|shelf| self.seat(shelf, now));
            }
            Question::ProducerId(session) => {
                let decoded = answer.and_then(|answer| {
                    decode::<InitProducerIdResponse>(&answer, ApiKey::InitProducerId)
                });
                self.handle_id(&session, decoded, now);
            }
        }
    }

    /// A broker says that this client knows another cluster, or none that still is (KIP-1102).
    fn rebootstrap(&mut self, now: Now) {
        self.cluster
            .rebootstrap(now.instant, &mut self.common.random.lock());
        let error = Error::new(
            ErrorKind::Disconnected,
            "the broker asked the client to start again from the addresses of its configuration",
        );
        self.turn_from(&error, |_| true);
    }

    /// Closes connections on which a broker may be asked to describe the cluster.
    fn turn_from(&self, error: &Error, is_meant: impl Fn(&Link) -> bool) {
        let asked = |key: &Key| matches!(key, Key::Seed(_) | Key::General(_));
        for (_, entry) in self.links.iter().filter(|(key, _)| asked(key)) {
            if is_meant(&entry.link) {
                entry.link.close(error);
            }
        }
    }

    fn handle_id(
        &mut self,
        session: &Arc<Session>,
        answer: Result<InitProducerIdResponse, Error>,
        now: Now,
    ) {
        let refused = match &answer {
            Ok(response) => match session.producer.lock().handle_id(response) {
                Ok(_) => None,
                Err(code) => Some(Error::refused(code, "a producer id", None)),
            },
            Err(error) => {
                session.producer.lock().handle_lost();
                Some(error.clone())
            }
        };
        match refused {
            None => {
                self.id_failures = 0;
                for queue in session.queues() {
                    let mut inner = queue.inner.lock();
                    let then = queue.list(&mut inner);
                    drop(inner);
                    queue.then(then);
                }
            }
            // no id will ever come: tell the callers now instead of at their deadlines
            Some(error) if !error.is_retriable() && error.kind() != ErrorKind::Closed => {
                session.fail(&error)
            }
            Some(_) => {
                self.id_failures += 1;
                self.id_pauses.push((
                    now.instant + self.common.pause(self.id_failures),
                    session.clone(),
                ));
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.inbox.close();
        let closed = Error::closed();
        let entries = std::mem::take(&mut self.links);
        entries
            .into_values()
            .for_each(|entry| entry.link.close(&closed));
        drop(std::mem::take(&mut self.dials));
        for session in &self.sessions {
            session.end(&closed);
            session.forget();
        }
        self.calls
            .drain(..)
            .for_each(|(_, call)| call.to.resolve(Err(closed.clone())));
        self.slots
            .drain(..)
            .for_each(|(_, slot)| slot.fail(closed.clone()));
        self.shelves.values().for_each(|shelf| shelf.close());
        self.readiness
            .drain(..)
            .for_each(|promise| promise.resolve(Err(closed.clone())));
        self.alarms
            .drain(..)
            .for_each(|(_, alarm)| alarm.resolve(()));
        self.common.fetch_ledger.close();
        self.events.close();
    }
}

fn decode<T: wire::Wire>(answer: &RawAnswer, api: ApiKey) -> Result<T, Error> {
    wire::decode(
        &answer.body,
        answer.version,
        api.is_flexible(answer.version),
    )
    .map_err(|e| Error::decode(e, api.name()))
}

fn denied(code: ErrorCode, topic: &Arc<str>) -> Error {
    let error = match code {
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION | ErrorCode::UNKNOWN_TOPIC_ID => Error::refused(
            code,
            "the topic",
            Some("no broker knows it: create it first, or check its name and the user's rights"),
        ),
        code => Error::refused(code, "the topic", None),
    };
    error
        .with_outcome(Outcome::NotWritten)
        .with_scope(Scope::Topic(topic.clone()))
}
