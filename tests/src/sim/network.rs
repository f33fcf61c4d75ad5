//! The world around the clients: the cluster, the connections to it, and what happens next.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io::IoSlice,
    sync::{Arc, Mutex},
    task::Waker,
    time::Duration,
};

use bytes::{Buf, Bytes};
use kafka_proto::api::ApiKey;

use super::{
    chance::Chance,
    clock::VirtualClock,
    describe::api_of,
    faults::{Chunks, Faults},
    mishap::{Mishap, MishapKind},
    pipe::{End, Piece, Pipe},
    trace::{Trace, Way, What},
};
use crate::broker::{Cluster, ConnId, Frames, RuleId, StoredRecord};

/// Bytes that a client may have on its way before a write waits.
const WINDOW: usize = 64 << 10;
/// How long a broker keeps a connection of which it hears nothing any more.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Everything but the clients.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) cluster: Cluster,
    pub(super) clock: Arc<VirtualClock>,
    pub(super) faults: Faults,
    pub(super) trace: Trace,
    /// Draws latencies and pieces.
    pub(super) chance: Chance,
    /// Draws what a mishap does: the stream of the last one.
    pub(super) fate: Chance,
    pub(super) seed: u64,
    /// How many decisions there were of each kind.
    pub(super) decided: BTreeMap<MishapKind, u64>,
    /// Draws when the next of a kind comes.
    pub(super) times: BTreeMap<MishapKind, Chance>,
    /// What went wrong by chance.
    pub(super) mishaps: Vec<Mishap>,
    /// What requests met: a script of the cluster writes it.
    pub(super) met: Arc<Mutex<Vec<Mishap>>>,
    /// What compaction took: topic, partition, record.
    pub(super) compacted: Vec<(String, i32, StoredRecord)>,
    events: BTreeMap<(Duration, u64), Event>,
    next_event: u64,
    pub(super) connections: BTreeMap<u64, Connection>,
    by_id: BTreeMap<ConnId, u64>,
    /// Bytes that arrived over each connection ever made: up, down.
    traffic: Vec<(u64, u64)>,
    /// By connection and way, after how many bytes.
    pub(super) scripted_cuts: BTreeMap<(u64, Way), u64>,
    /// When each dial came.
    pub(super) dials: Vec<Duration>,
    pub(super) refuse_all: bool,
    /// Brokers that crashed by chance, and come back.
    pub(super) crashed: BTreeSet<i32>,
    pub(super) rule: Option<RuleId>,
}

/// What happens at some time.
#[derive(Debug)]
pub(super) enum Event {
    /// A timer of a task.
    Wake(Waker),
    /// Something arrives over a connection.
    Arrive(u64, Way),
    /// A broker gives up a connection of which it hears nothing.
    Forget(u64),
    Mishap(MishapKind),
    Start(i32),
    /// Followers are in step again.
    CatchUp(String, i32),
    /// Faults end.
    Quiet,
}

/// A connection, both ends of it.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) broker: i32,
    pub(super) id: ConnId,
    pub(super) up: Pipe,
    pub(super) down: Pipe,
    /// The broker's read buffer.
    frames: Frames,
    /// What was asked and not answered, by number.
    asked: BTreeMap<i32, (ApiKey, i16)>,
    /// Where responses end in the stream down, and which they are.
    responses: VecDeque<(u64, i32)>,
    /// What has arrived at the client and was not read.
    received: VecDeque<Bytes>,
    /// How the stream down ended.
    pub(super) ended: Option<End>,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// The client's halves that are not dropped.
    reads: bool,
    writes: bool,
}

/// What a dial comes to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fate {
    /// There is no such host, or its name is not found.
    Unknown,
    Refused,
    /// Nobody answers.
    Vanishes,
    /// A broker accepts; `true`: and is never heard of.
    Opens(i32, bool),
}

/// What became of a step.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    Happened,
    /// Nothing will ever happen.
    Nothing,
    /// Nothing until after the limit.
    Late,
}

impl Network {
    pub(super) fn new(
        cluster: Cluster,
        clock: Arc<VirtualClock>,
        faults: Faults,
        seed: u64,
    ) -> Self {
        let mut network = Self {
            cluster,
            clock,
            faults,
            trace: Trace::new(),
            chance: Chance::new(seed, "network"),
            fate: Chance::new(seed, "faults"),
            seed,
            decided: BTreeMap::new(),
            times: BTreeMap::new(),
            mishaps: Vec::new(),
            met: Arc::default(),
            compacted: Vec::new(),
            events: BTreeMap::new(),
            next_event: 0,
            connections: BTreeMap::new(),
            by_id: BTreeMap::new(),
            traffic: Vec::new(),
            scripted_cuts: BTreeMap::new(),
            dials: Vec::new(),
            refuse_all: false,
            crashed: BTreeSet::new(),
            rule: None,
        };
        network.schedule_mishaps();
        network
    }

    pub(super) fn now(&self) -> Duration {
        self.clock.elapsed()
    }

    pub(super) fn note(&mut self, what: What) {
        self.trace.push(self.clock.elapsed(), what);
    }

    /// Has something happen at `at`, or at once if that is over; returns the name of the event.
    pub(super) fn schedule(&mut self, at: Duration, event: Event) -> (Duration, u64) {
        let key = (at.max(self.now()), self.next_event);
        self.next_event += 1;
        self.events.insert(key, event);
        key
    }

    pub(super) fn unschedule(&mut self, key: (Duration, u64)) {
        self.events.remove(&key);
    }

    /// Moves on to the next thing that happens, if that is not after `limit`.
    pub(super) fn step(&mut self, limit: Duration) -> Step {
        let event = self.events.first_key_value().map(|((at, _), _)| *at);
        let timer = self.cluster.poll_timeout().map(|at| self.clock.when(at));
        let next = match (event, timer) {
            (Some(a), Some(b)) => a.min(b),
            (Some(at), None) | (None, Some(at)) => at,
            (None, None) => return Step::Nothing,
        };
        if next > limit {
            self.clock.advance(limit);
            return Step::Late;
        }
        self.clock.advance(next);
        if timer == Some(next) {
            self.cluster.handle_timeout(self.clock.instant());
            self.settle();
        } else if let Some((_, event)) = self.events.pop_first() {
            self.happen(event);
        }
        Step::Happened
    }

    /// Sends on what the cluster has said and closed.
    pub(super) fn settle(&mut self) {
        while let Some((id, frame)) = self.cluster.poll_response() {
            let Some(at) = self.by_id.get(&id).copied() else {
                continue;
            };
            let correlation = frame.get(4..8).and_then(|b| b.first_chunk::<4>());
            let correlation = correlation.map_or(-1, |b| i32::from_be_bytes(*b));
            if let Some(connection) = self.connections.get_mut(&at) {
                let end = connection.down.sent + frame.len() as u64;
                connection.responses.push_back((end, correlation));
                if let Some(api) = connection.asked.remove(&correlation) {
                    let what = What::Response {
                        connection: at,
                        api,
                        frame: frame.clone(),
                    };
                    self.trace.push(self.clock.elapsed(), what);
                }
            }
            self.send(at, Way::Down, frame);
        }
        while let Some(id) = self.cluster.poll_close() {
            if let Some(at) = self.by_id.remove(&id) {
                self.end(at, Way::Down, End::Closed, "closed by the broker");
            }
        }
    }

    // Dialling

    /// Decides what a dial comes to, and how many addresses that nobody answers at are tried first.
    pub(super) fn dial(&mut self, host: &str, port: u16) -> (Fate, u32) {
        self.dials.push(self.now());
        let is_it = |id: &i32| self.cluster.address(*id) == (host, port);
        let broker = self.cluster.brokers().find(is_it);
        let mishap = self.next_mishap(MishapKind::Dial);
        let mut chance = mishap.chance(self.seed);
        let troubled = self.now() < self.faults.until && self.faults.schedule.allows(mishap);
        let mut hit = |per_mille| troubled && chance.per_mille(per_mille);
        let lost = hit(self.faults.lookup_per_mille);
        let stale = u32::from(hit(self.faults.stale_per_mille));
        let refused = hit(self.faults.refuse_per_mille);
        let vanishes = hit(self.faults.vanish_per_mille);
        let mute = hit(self.faults.mute_per_mille);
        let silent = hit(250);
        let (fate, said, by_chance) = match broker {
            None => (Fate::Unknown, "no such host", false),
            Some(_) if lost => (Fate::Unknown, "the name is not found", true),
            Some(_) if self.refuse_all => (Fate::Refused, "refused", false),
            Some(id) if !self.cluster.is_running(id) && silent => {
                (Fate::Vanishes, "no answer, the broker is down", true)
            }
            Some(id) if !self.cluster.is_running(id) => {
                (Fate::Refused, "refused, the broker is down", false)
            }
            Some(_) if refused => (Fate::Refused, "refused", true),
            Some(_) if vanishes => (Fate::Vanishes, "no answer", true),
            Some(id) if mute => (Fate::Opens(id, true), "accepted by nobody", true),
            Some(id) if stale > 0 => (
                Fate::Opens(id, false),
                "accepted at the second address",
                true,
            ),
            Some(id) => (Fate::Opens(id, false), "accepted", false),
        };
        if by_chance || stale > 0 {
            self.mishaps.push(mishap);
        }
        let host = host.to_owned();
        self.note(What::Dial {
            host,
            port,
            fate: said,
        });
        (fate, stale)
    }

    /// How long something travels.
    pub(super) fn latency(&mut self) -> Duration {
        let (low, high) = self.faults.latency;
        self.chance.time(low, high)
    }

    /// Makes a connection; `None` if the broker has stopped meanwhile.
    pub(super) fn open(&mut self, broker: i32, mute: bool) -> Option<u64> {
        if !self.cluster.is_running(broker) || self.refuse_all {
            return None;
        }
        let at = self.traffic.len() as u64;
        self.traffic.push((0, 0));
        let id = self.cluster.connect(broker);
        self.by_id.insert(id, at);
        let cut = |way| self.scripted_cuts.get(&(at, way)).copied();
        let pipe = |way| Pipe::new(mute, cut(way));
        let connection = Connection {
            broker,
            id,
            up: pipe(Way::Up),
            down: pipe(Way::Down),
            frames: Frames::new(),
            asked: BTreeMap::new(),
            responses: VecDeque::new(),
            received: VecDeque::new(),
            ended: None,
            reader: None,
            writer: None,
            reads: true,
            writes: true,
        };
        self.connections.insert(at, connection);
        self.note(What::Connected {
            connection: at,
            broker,
        });
        Some(at)
    }

    // The client's ends

    /// Takes what the socket of a client takes of `slices`; `None`: nothing, for now.
    pub(super) fn write(
        &mut self,
        at: u64,
        slices: &[IoSlice<'_>],
        waker: &Waker,
    ) -> Option<std::io::Result<usize>> {
        let connection = self.connections.get_mut(&at)?;
        if connection.ended == Some(End::Reset) {
            return Some(Err(std::io::ErrorKind::ConnectionReset.into()));
        }
        let room = WINDOW.saturating_sub(connection.up.pending);
        if room == 0 {
            connection.writer = Some(waker.clone());
            return None;
        }
        let total: usize = slices.iter().map(|s| s.len()).sum();
        let most = total.min(room);
        let taken = match self.faults.chunks {
            Chunks::Whole => most,
            Chunks::Bytes => most.min(1),
            Chunks::Odd if self.chance.per_mille(300) => self.chance.between(1, most),
            Chunks::Odd => most,
        };
        let mut bytes = Vec::with_capacity(taken);
        for slice in slices {
            let n = slice.len().min(taken - bytes.len());
            bytes.extend_from_slice(&slice[..n]);
        }
        self.send(at, Way::Up, bytes.into());
        Some(Ok(taken))
    }

    /// Reads what has arrived for a client; 0 is the end of the stream; `None`: nothing, for now.
    pub(super) fn read(
        &mut self,
        at: u64,
        space: &mut [u8],
        waker: &Waker,
    ) -> Option<std::io::Result<usize>> {
        let connection = self.connections.get_mut(&at)?;
        let Some(front) = connection.received.front_mut() else {
            return match connection.ended {
                Some(End::Closed) => Some(Ok(0)),
                Some(End::Reset) => Some(Err(std::io::ErrorKind::ConnectionReset.into())),
                None => {
                    connection.reader = Some(waker.clone());
                    None
                }
            };
        };
        let n = front.len().min(space.len());
        space[..n].copy_from_slice(&front[..n]);
        front.advance(n);
        if front.is_empty() {
            connection.received.pop_front();
        }
        Some(Ok(n))
    }

    /// A client drops a half of its end.
    pub(super) fn hang_up(&mut self, at: u64, way: Way) {
        let Some(connection) = self.connections.get_mut(&at) else {
            return;
        };
        match way {
            Way::Up => connection.writes = false,
            Way::Down => connection.reads = false,
        }
        let unheard = connection.up.silent;
        let gone = !connection.reads && !connection.writes;
        if way == Way::Up {
            self.end(at, Way::Up, End::Closed, "closed by the client");
        }
        if gone && unheard {
            self.schedule(self.now() + KEEP_ALIVE, Event::Forget(at));
        }
        self.tidy(at);
    }

    // What happens

    fn happen(&mut self, event: Event) {
        match event {
            Event::Wake(waker) => waker.wake(),
            Event::Arrive(at, way) => {
                self.arrive(at, way);
                self.settle();
                self.tidy(at);
            }
            Event::Forget(at) => {
                self.disconnect(at);
                self.connections.remove(&at);
            }
            Event::Mishap(kind) => self.mishap(kind),
            Event::Start(broker) => self.restart(broker),
            Event::CatchUp(topic, partition) => self.set_lag(&topic, partition, 0),
            Event::Quiet => self.calm(),
        }
    }

    /// Sends bytes in pieces, each of which arrives at its own time and in order.
    fn send(&mut self, at: u64, way: Way, mut bytes: Bytes) {
        let mut dues = Vec::new();
        while !bytes.is_empty() {
            let size = self.piece(bytes.len());
            let due = self.now() + self.latency();
            let Some(pipe) = self.pipe(at, way) else {
                return;
            };
            dues.extend(pipe.push(bytes.split_to(size), due));
        }
        dues.dedup();
        for due in dues {
            self.schedule(due, Event::Arrive(at, way));
        }
    }

    /// How much of `total` bytes travels together.
    fn piece(&mut self, total: usize) -> usize {
        match self.faults.chunks {
            Chunks::Whole => total,
            Chunks::Bytes => 1,
            Chunks::Odd => match self.chance.below(16) {
                0 => self.chance.between(1, total.min(8)),
                1..=3 => self.chance.between(1, total),
                _ => total,
            },
        }
    }

    /// Ends a stream behind what is on its way.
    fn end(&mut self, at: u64, way: Way, end: End, by: &'static str) {
        let due = self.now() + self.latency();
        let Some(pipe) = self.pipe(at, way) else {
            return;
        };
        if let Some(due) = pipe.end(end, due) {
            self.note(What::Ended { connection: at, by });
            self.schedule(due, Event::Arrive(at, way));
        }
    }

    fn arrive(&mut self, at: u64, way: Way) {
        let now = self.now();
        loop {
            let Some(pipe) = self.pipe(at, way) else {
                return;
            };
            let Some(piece) = pipe.pop(now) else { return };
            let bytes = match piece {
                Piece::End(end) => return self.arrive_end(at, way, end),
                Piece::Bytes(bytes) => bytes,
            };
            let room = pipe.cut_at.map(|cut| (cut - pipe.arrived) as usize);
            let whole = room.is_none_or(|room| bytes.len() <= room);
            let bytes = bytes.slice(..room.map_or(bytes.len(), |room| room.min(bytes.len())));
            self.deliver(at, way, bytes);
            if !whole {
                self.cut(at, [0, 0]);
                return;
            }
        }
    }

    /// Hands bytes to the broker or to the client.
    pub(super) fn deliver(&mut self, at: u64, way: Way, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        let now = self.now();
        self.trace.mix(now, at, &bytes);
        if let Some((up, down)) = self.traffic.get_mut(at as usize) {
            *if way == Way::Up { up } else { down } += bytes.len() as u64;
        }
        let Some(pipe) = self.pipe(at, way) else {
            return;
        };
        pipe.arrived += bytes.len() as u64;
        match way {
            Way::Up => self.deliver_up(at, &bytes),
            Way::Down => self.deliver_down(at, bytes),
        }
    }

    fn deliver_up(&mut self, at: u64, bytes: &[u8]) {
        let instant = self.clock.instant();
        let now = self.now();
        let Some(connection) = self.connections.get_mut(&at) else {
            return;
        };
        wake(&mut connection.writer);
        connection.frames.push(bytes);
        loop {
            match connection.frames.poll_frame() {
                Ok(Some(frame)) => {
                    let correlation = frame.get(4..8).and_then(|b| b.first_chunk::<4>());
                    if let (Some(api), Some(b)) = (api_of(&frame), correlation) {
                        connection.asked.insert(i32::from_be_bytes(*b), api);
                    }
                    let what = What::Request {
                        connection: at,
                        broker: connection.broker,
                        frame: frame.clone(),
                    };
                    self.trace.push(now, what);
                    self.cluster.handle_request(connection.id, frame, instant);
                }
                Ok(None) => return,
                Err(_) => return self.cluster.handle_garbage(connection.id),
            }
        }
    }

    fn deliver_down(&mut self, at: u64, bytes: Bytes) {
        let now = self.now();
        let Some(connection) = self.connections.get_mut(&at) else {
            return;
        };
        let arrived = connection.down.arrived;
        while let Some((end, correlation)) = connection.responses.front().copied()
            && end <= arrived
        {
            connection.responses.pop_front();
            let what = What::Arrived {
                connection: at,
                correlation,
            };
            self.trace.push(now, what);
        }
        if connection.reads {
            connection.received.push_back(bytes);
        }
        wake(&mut connection.reader);
    }

    fn arrive_end(&mut self, at: u64, way: Way, end: End) {
        match way {
            Way::Up => {
                self.disconnect(at);
                self.end(at, Way::Down, end, "closed by both");
            }
            Way::Down => {
                let Some(connection) = self.connections.get_mut(&at) else {
                    return;
                };
                connection.ended = Some(end);
                wake(&mut connection.reader);
                wake(&mut connection.writer);
            }
        }
    }

    /// The broker learns that a connection is gone.
    fn disconnect(&mut self, at: u64) {
        if let Some(connection) = self.connections.get(&at) {
            self.by_id.remove(&connection.id);
            self.cluster.disconnect(connection.id);
        }
    }

    pub(super) fn pipe(&mut self, at: u64, way: Way) -> Option<&mut Pipe> {
        let connection = self.connections.get_mut(&at)?;
        Some(match way {
            Way::Up => &mut connection.up,
            Way::Down => &mut connection.down,
        })
    }

    pub(super) fn traffic(&self) -> &[(u64, u64)] {
        &self.traffic
    }

    /// Forgets a connection that both sides are done with.
    fn tidy(&mut self, at: u64) {
        let Some(connection) = self.connections.get(&at) else {
            return;
        };
        let client_gone = !connection.reads && !connection.writes;
        if client_gone && !self.by_id.contains_key(&connection.id) {
            self.connections.remove(&at);
        }
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}
