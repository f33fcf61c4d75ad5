//! The control plane of a client: one owner of the cluster's metadata, of the links, of sessions and readers.
//!
//! Driven by one loop, so that no lock stands around its machines. Handles and links reach it by notes; it answers by
//! giving queues and cursors their links. It never dials: it asks for a [`Dial`].

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
    config::{Address, Dialing, Source, StartOffset},
    error::{Error, ErrorCode, ErrorKind, Outcome, Scope},
    event::Event,
    machine::{
        Now, backoff, cluster::Cluster, earlier, handshake::ExpectVersions, rate::RateLimit,
    },
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
            Note::Ready(link) => self.handle_ready(&link),
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

    /// Closes connections that nothing needs, and sees when to look again. Brokers close them too, a little later, and
    /// what is sent at that moment is lost.
    fn close_idle(&mut self, now: Now) {
        self.idle_at = None;
        let Some(limit) = self.common.config.idle_timeout else {
            return;
        };
        let mut idle_at = None;
        self.links.retain(|key, entry| {
            if matches!(key, Key::Fetch(..)) {
                return true;
            }
            let since = entry.link.idle_since().unwrap_or(now.instant);
            let is_idle = since + limit <= now.instant;
            if is_idle {
                entry.link.close(&Error::closed());
            } else {
                idle_at = earlier(idle_at, Some(since + limit));
            }
            !is_idle
        });
        self.idle_at = idle_at;
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
                Question::Metadata,
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

    /// Gives a queue the link of its leader; `false` while there is none.
    fn house(&mut self, generation: u64, queue: &Arc<PartitionQueue>, now: Now) -> bool {
        let mut inner = queue.inner.lock();
        if inner.queue.is_empty() || inner.queue.in_flight() > 0 {
            // nothing is left; or what is on the old link comes back first, and the queue with it
            inner.orphaned = false;
            return true;
        }
        drop(inner);
        if generation > self.generation {
            return false;
        }
        let Some((broker, _)) = self.cluster.leader(&queue.topic, queue.partition) else {
            self.cluster.refresh();
            return false;
        };
        let Some(link) = self.link_to(Key::Produce(broker), broker, || Kind::Produce, now) else {
            let Some(error) = self.refusal(broker, now) else {
                return false;
            };
            queue.inner.lock().orphaned = false;
            queue.fail(&error.with_outcome(Outcome::NotWritten));
            return true;
        };
        let topic_id = self
            .cluster
            .topic(&queue.topic)
            .map(|t| t.id)
            .unwrap_or_default();
        let mut inner = queue.inner.lock();
        inner.orphaned = false;
        inner.listed = false;
        inner.topic_id = topic_id;
        inner.link = Some(link);
        let then = queue.list(&mut inner);
        drop(inner);
        queue.then(then);
        true
    }

    /// Gives a cursor the fetch link of its leader; `false` while there is none.
    fn place(&mut self, generation: u64, shelf: &Arc<Shelf>, cell: &Arc<Cell>, now: Now) -> bool {
        if shelf.is_closed() {
            return true;
        }
        if generation > self.generation {
            return false;
        }
        let Some((broker, partition)) = self.cluster.leader(&cell.topic, cell.partition) else {
            self.cluster.refresh();
            return false;
        };
        let kind = || Kind::Fetch(shelf.clone());
        let Some(link) = self.link_to(Key::Fetch(shelf.id, broker), broker, kind, now) else {
            return false;
        };
        let mut inner = cell.inner.lock();
        inner.topic_id = self
            .cluster
            .topic(&cell.topic)
            .map(|t| t.id)
            .unwrap_or_default();
        inner.cursor.assign(partition.epoch);
        inner.link = Some(link.clone());
        drop(inner);
        let adopted = link.adopt(cell);
        if !adopted {
            cell.inner.lock().link = None;
        }
        adopted
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

    /// A ready general link to anybody; dials the next candidate if there is none and none is being made.
    fn any_link(&mut self, now: Now) -> Option<Arc<Link>> {
        let general = |key: &Key| matches!(key, Key::Seed(_) | Key::General(_));
        let ready = self
            .links
            .iter()
            .find(|(key, entry)| general(key) && entry.ready);
        if let Some((_, entry)) = ready {
            return Some(entry.link.clone());
        }
        if self.links.keys().any(general) || self.is_ending() {
            return None;
        }
        // brokers that are known first; when none of them answers, those that the user named (KIP-899, KIP-1102)
        let known = self
            .cluster
            .brokers()
            .map(|(id, address)| (Key::General(id), address.clone()));
        let seeds = self
            .common
            .config
            .bootstrap
            .iter()
            .map(|address| (Key::Seed(address.clone()), address.clone()));
        let candidates: Vec<_> = known.chain(seeds).collect();
        for turn in 0..candidates.len() {
            let at = (self.next_candidate + turn) % candidates.len();
            let (key, address) = &candidates[at];
            if !self.is_pausing(address, now) {
                self.next_candidate = at + 1;
                self.dial(key.clone(), address.clone(), Kind::General, now);
                return None;
            }
        }
        None
    }

    /// The link under `key`, ready or being made; makes it unless its address is in a pause.
    fn link_to(
        &mut self,
        key: Key,
        broker: i32,
        kind: impl FnOnce() -> Kind,
        now: Now,
    ) -> Option<Arc<Link>> {
        let address = self.cluster.broker(broker)?.clone();
        if let Some(entry) = self.links.get(&key) {
            if entry.address == address {
                return Some(entry.link.clone());
            }
            // the broker has moved
            let link = entry.link.clone();
            self.links.remove(&key);
            link.close(&Error::new(
                ErrorKind::Disconnected,
                "the broker has another address now",
            ));
        }
        if self.is_ending() || self.is_pausing(&address, now) {
            return None;
        }
        Some(self.dial(key, address, kind(), now))
    }

    /// Why nothing goes to a broker now, if one side does not take the other's identity. That is told at once; whoever
    /// calls after the pause is the next try.
    fn refusal(&self, broker: i32, now: Now) -> Option<Error> {
        let address = self.cluster.broker(broker)?;
        let error = self.last_failures.get(address)?;
        (error.is_about_identity() && self.is_pausing(address, now)).then(|| error.clone())
    }

    /// Tells those whom a connection that was refused leaves without one.
    fn tell_refused(&mut self, link: &Link, error: &Error) {
        if let Kind::Fetch(shelf) = &link.kind {
            shelf.fail(error.clone());
        }
        let is_refused = |address: &Address| {
            let last = self.last_failures.get(address);
            last.is_some_and(Error::is_about_identity)
        };
        let known = self.cluster.brokers().map(|(_, address)| address);
        if !(self.common.config.bootstrap.iter().chain(known)).all(is_refused) {
            return;
        }
        let error = self.unreachable("no broker could be reached");
        self.shelves
            .values()
            .for_each(|shelf| shelf.fail(error.clone()));
        self.slots
            .drain(..)
            .for_each(|(_, slot)| slot.fail(error.clone()));
        let calls = self.calls.extract_if(.., |(target, _)| {
            matches!(target, Target::Any | Target::Controller)
        });
        calls.for_each(|(_, call)| call.to.resolve(Err(error.clone())));
    }

    fn is_ending(&self) -> bool {
        self.closing && self.is_idle()
    }

    fn is_pausing(&self, address: &Address, now: Now) -> bool {
        self.addresses
            .get(address)
            .and_then(|reach| reach.not_before)
            .is_some_and(|at| at > now.instant)
    }

    fn dial(&mut self, key: Key, address: Address, kind: Kind, now: Now) -> Arc<Link> {
        let rung = self.addresses.get(&address).map_or(0, |reach| reach.rung);
        let peer: Arc<str> = address.to_string().into();
        let (link, outbound, inbound) =
            Link::new(kind, peer, &address.host, self.common.clone(), rung, now);
        let deadline = self.common.config.setup_deadline(now.instant);
        self.links.insert(
            key,
            Entry {
                link: link.clone(),
                address: address.clone(),
                ready: false,
                since: now.instant,
            },
        );
        self.dials.push_back(Dial {
            address,
            deadline,
            outbound,
            inbound,
        });
        link
    }

    fn handle_ready(&mut self, link: &Arc<Link>) {
        let mut entries = self.links.iter_mut();
        let Some((key, entry)) = entries.find(|(_, entry)| Arc::ptr_eq(&entry.link, link)) else {
            return;
        };
        entry.ready = true;
        self.last_failures.remove(&entry.address);
        let idle_at = self.common.config.idle_timeout.map(|t| entry.since + t);
        self.idle_at = self.idle_at.or(idle_at);
        self.events.publish(&Event::Connected {
            peer: link.peer.clone(),
        });
        // the first one is where every client begins
        if matches!(key, Key::Seed(_)) && self.cluster.is_known() {
            self.events.publish(&Event::Rebootstrapped);
        }
    }

    fn handle_down(&mut self, link: &Arc<Link>, error: Error, now: Now) {
        let key = self
            .links
            .iter()
            .find(|(_, entry)| Arc::ptr_eq(&entry.link, link))
            .map(|(key, _)| key.clone());
        let Some(entry) = key.and_then(|key| self.links.remove(&key)) else {
            return;
        };
        if error.kind() == ErrorKind::Closed {
            if !entry.ready {
                // a dial that is dropped by what should make it would be wanted again at once, for ever
                let reach = self.addresses.entry(entry.address).or_default();
                reach.not_before = Some(now.instant + self.common.config.reconnect_backoff.0);
            }
            return;
        }
        let most = self.common.config.reconnect_backoff.1;
        let reach = self.addresses.entry(entry.address.clone()).or_default();
        if entry.ready && now.instant.duration_since(entry.since) > most {
            reach.failures = 0;
        }
        reach.failures += 1;
        let pause = self.common.config.reconnect_backoff;
        reach.not_before = Some(
            now.instant + backoff::pause(reach.failures, pause, &mut self.common.random.lock()),
        );
        // a broker that does not know our greeting may just hang up: the next one is lower, and comes at once
        let hung_up =
            !entry.ready && error.kind() == ErrorKind::Disconnected && !link.has_greeted();
        if hung_up && reach.rung + 1 < ExpectVersions::LADDER.len() {
            reach.rung += 1;
            reach.not_before = None;
        } else if !entry.ready || !self.cluster.is_known() {
            // one that shakes hands and never describes the cluster has not answered either
            reach.rung = if entry.ready { reach.rung } else { 0 };
            self.last_failures.insert(entry.address, error.clone());
            self.tell_unready();
        }
        if error.is_about_identity() {
            self.tell_refused(link, &error);
        }
        let kind = match entry.ready {
            true => Repeated::Disconnected,
            false => Repeated::Unreachable,
        };
        self.publish_limited(kind, &link.peer, now, |peer, unreported| {
            match entry.ready {
                true => Event::Disconnected {
                    peer,
                    error,
                    unreported,
                },
                false => Event::Unreachable {
                    peer,
                    error,
                    unreported,
                },
            }
        });
        self.cluster.refresh();
    }

    /// Publishes an event that a broken network repeats.
    fn publish_limited(
        &mut self,
        kind: Repeated,
        peer: &Arc<str>,
        now: Now,
        event: impl FnOnce(Arc<str>, u64) -> Event,
    ) {
        if let Some(unreported) = self.limit.admit((kind, peer.clone()), now.instant) {
            self.events.publish(&event(peer.clone(), unreported));
        }
    }

    /// Tells those who wait for the first metadata, once every bootstrap broker has failed.
    fn tell_unready(&mut self) {
        let failed = |address: &Address| self.last_failures.contains_key(address);
        if self.cluster.is_known() || !self.common.config.bootstrap.iter().all(failed) {
            return;
        }
        let error = self.unreachable("no broker could be reached");
        self.readiness
            .drain(..)
            .for_each(|promise| promise.resolve(Err(error.clone())));
    }

    fn unreachable(&self, what: &'static str) -> Error {
        let reasons: Vec<_> = self
            .last_failures
            .iter()
            .map(|(address, error)| format!("{address}: {error}"))
            .collect();
        let message = match reasons.is_empty() {
            true => what.to_owned(),
            false => format!("{what}: {}", reasons.join("; ")),
        };
        let mut failures = self.last_failures.values();
        let kind = match failures.next() {
            // the same cure helps with all of them, and waiting does not
            Some(first) if first.is_about_identity() && failures.all(Error::is_about_identity) => {
                first.kind()
            }
            _ => ErrorKind::Unreachable,
        };
        let error = Error::new(kind, message).with_scope(Scope::Client);
        match self.last_failures.values().next() {
            Some(cause) => error.caused_by(cause.clone()),
            None => error,
        }
        .with_outcome(Outcome::NotWritten)
    }

    fn handle_answer(&mut self, question: Question, answer: Result<RawAnswer, Error>, now: Now) {
        match question {
            Question::Metadata => {
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
                    Err(_) => self
                        .cluster
                        .handle_lost(now.instant, &mut self.common.random.lock()),
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
        let asked = |key: &&Key| matches!(key, Key::Seed(_) | Key::General(_));
        let links: Vec<_> = self.links.iter().filter(|(key, _)| asked(key)).collect();
        let error = Error::new(
            ErrorKind::Disconnected,
            "the broker asked the client to start again from the addresses of its configuration",
        );
        links.iter().for_each(|(_, entry)| entry.link.close(&error));
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

    /// Tells writers what is known of the topics that they wait for.
    fn teach(&mut self, now: Now) {
        for session in &self.sessions {
            for (name, count, available) in self.cluster.known_topics() {
                if let Some(slot) = session.known_topic(name) {
                    slot.learn(count, available);
                }
            }
        }
        let cluster = &self.cluster;
        self.slots.retain(|(_, slot)| {
            let Some(topic) = cluster.topic(&slot.name) else {
                return true;
            };
            if let Some(code) = topic.denial(now.instant) {
                slot.fail(denied(code, &slot.name));
                return false;
            }
            topic.partitions.is_empty()
        });
    }

    /// Gives a reader the cursors that it has no cell for yet.
    fn seat(&mut self, shelf: &Arc<Shelf>, now: Now) {
        let wanted: Vec<(Arc<str>, Option<i32>)> = match &shelf.config.source {
            Source::Topic(topic) => vec![(topic.as_str().into(), None)],
            Source::Partitions(all) => all
                .iter()
                .map(|(topic, p)| (topic.as_str().into(), Some(*p)))
                .collect(),
        };
        for (topic, partition) in wanted {
            self.cluster.want(&topic);
            let Some(known) = self.cluster.topic(&topic) else {
                continue;
            };
            if let Some(code) = known.denial(now.instant) {
                shelf.deny(&topic, denied(code, &topic));
                continue;
            }
            let count = known.partitions.len();
            match partition {
                None => {
                    let have = shelf.count(&topic);
                    for partition in have..count {
                        // partitions that are added later are read from their beginning: nothing is missed
                        let start = if have == 0 {
                            shelf.config.start
                        } else {
                            StartOffset::First
                        };
                        let cell = shelf.add(&topic, partition as i32, start);
                        self.lost.push((self.generation, shelf.clone(), cell));
                    }
                }
                Some(partition) if count > 0 && partition as usize >= count => {
                    let message = format!(
                        "topic {topic} has {count} partitions, and no partition {partition}"
                    );
                    let error = Error::new(ErrorKind::UnknownPartition, message);
                    shelf.deny(&topic, error.in_partition(&topic, partition));
                }
                Some(partition) => {
                    if count > 0 && !shelf.has(&topic, partition) {
                        let cell = shelf.add(&topic, partition, shelf.config.start);
                        self.lost.push((self.generation, shelf.clone(), cell));
                    }
                }
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
