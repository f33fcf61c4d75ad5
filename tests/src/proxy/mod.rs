//! A proxy that stands between clients and real brokers, and spoils what passes: on purpose, by script or by seed.
//!
//! It has a port for each broker. The brokers name these ports to clients (`advertised.listeners`), so that every
//! connection of a cluster goes through it; what the brokers say to each other does not.
//!
//! ```no_run
//! use kafka_testing::{
//!     kafka::{Kafka, Options},
//!     proxy::{Action, Proxy},
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let proxy = Proxy::start(3)?;
//! let kafka = Kafka::start(Options::new().nodes(3).behind(proxy.ports()))?;
//! proxy.lead_to(&kafka.behind_proxy());
//! println!("clients connect to {}", proxy.bootstrap());
//! proxy.apply(1, Action::Freeze); // broker 1 is silent
//! proxy.apply(1, Action::Heal);
//! # Ok(())
//! # }
//! ```
//!
//! Threads: one a port that accepts, four a connection: two that read and two that write, so that what is delayed does
//! not hold up what comes behind it. Dropping the proxy ends them all and frees its ports.

mod pump;
mod script;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

pub use self::script::{Action, Script, ScriptError};
use self::{pump::Connection, script::Conditions};
use crate::sim::Way;

/// A running proxy.
#[derive(Debug)]
#[must_use = "dropping the proxy ends all connections through it"]
pub struct Proxy {
    lanes: Vec<Arc<Lane>>,
    acceptors: Vec<JoinHandle<()>>,
}

/// The way to one broker.
#[derive(Debug)]
struct Lane {
    port: u16,
    state: Mutex<State>,
    /// Something in the state has changed.
    bell: Condvar,
    stopping: AtomicBool,
    /// Bytes that were inverted.
    inverted: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// `None` until [`Proxy::lead_to`]: connections are ended at once.
    broker: Option<SocketAddr>,
    conditions: Conditions,
    connections: Vec<Arc<Connection>>,
    threads: Vec<JoinHandle<()>>,
    /// How many connections there ever were.
    count: u64,
}

impl Proxy {
    /// Binds a free port of 127.0.0.1 for each of `brokers` brokers, and accepts.
    ///
    /// # Errors
    ///
    /// The system has no port or no thread left.
    pub fn start(brokers: usize) -> io::Result<Self> {
        let mut proxy = Self {
            lanes: Vec::new(),
            acceptors: Vec::new(),
        };
        for nth in 0..brokers {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            let lane = Arc::new(Lane {
                port: listener.local_addr()?.port(),
                state: Mutex::default(),
                bell: Condvar::new(),
                stopping: AtomicBool::new(false),
                inverted: AtomicU64::new(0),
            });
            proxy.lanes.push(lane.clone());
            let accept = move || lane.accept(&listener);
            let thread = thread::Builder::new().name(format!("proxy-{nth}"));
            proxy.acceptors.push(thread.spawn(accept)?);
        }
        Ok(proxy)
    }

    /// The port that stands for each broker.
    pub fn ports(&self) -> Vec<u16> {
        self.lanes.iter().map(|lane| lane.port).collect()
    }

    /// The addresses of all ports, as clients take them.
    pub fn bootstrap(&self) -> String {
        let address = |lane: &Arc<Lane>| format!("127.0.0.1:{}", lane.port);
        self.lanes.iter().map(address).collect::<Vec<_>>().join(",")
    }

    /// Says where each broker really is; until then connections are ended at once.
    ///
    /// # Panics
    ///
    /// If there are more brokers than ports.
    #[track_caller]
    pub fn lead_to(&self, brokers: &[SocketAddr]) {
        assert!(
            brokers.len() <= self.lanes.len(),
            "{} brokers for {} ports",
            brokers.len(),
            self.lanes.len()
        );
        for (lane, broker) in self.lanes.iter().zip(brokers) {
            lane.lock().broker = Some(*broker);
        }
    }

    /// Does something to the way to one broker, counted from 0.
    ///
    /// # Panics
    ///
    /// If there is no such broker.
    #[track_caller]
    pub fn apply(&self, broker: usize, action: Action) {
        match self.lanes.get(broker) {
            Some(lane) => lane.apply(action),
            None => panic!("no broker {broker} behind a proxy of {}", self.lanes.len()),
        }
    }

    /// Ends all trouble, on the ways to all brokers. Connections that are half open are ended.
    pub fn heal(&self) {
        self.lanes.iter().for_each(|lane| lane.apply(Action::Heal));
    }

    /// Does what a script says, in its time, and returns at its end.
    ///
    /// # Errors
    ///
    /// A step names a broker that is not there; nothing is done then.
    pub fn play(&self, script: &Script) -> Result<(), ScriptError> {
        script.check(self.lanes.len())?;
        let begin = Instant::now();
        for (at, broker, action) in script.steps() {
            thread::sleep(at.saturating_sub(begin.elapsed()));
            self.apply(*broker, action.clone());
        }
        Ok(())
    }

    /// How many bytes [`Action::Corrupt`] has inverted.
    pub fn inverted(&self) -> u64 {
        let of_lane = |lane: &Arc<Lane>| lane.inverted.load(Ordering::SeqCst);
        self.lanes.iter().map(of_lane).sum()
    }

    /// How many connections there are to a broker, those that are half open included.
    ///
    /// # Panics
    ///
    /// If there is no such broker.
    #[track_caller]
    pub fn connections(&self, broker: usize) -> usize {
        match self.lanes.get(broker) {
            Some(lane) => {
                let mut state = lane.lock();
                state.connections.retain(|c| !c.is_over());
                state.connections.len()
            }
            None => panic!("no broker {broker} behind a proxy of {}", self.lanes.len()),
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        for lane in &self.lanes {
            lane.stopping.store(true, Ordering::SeqCst);
        }
        for (lane, thread) in self.lanes.iter().zip(self.acceptors.drain(..)) {
            // wakes the thread; one connection is enough
            while !thread.is_finished()
                && TcpStream::connect((Ipv4Addr::LOCALHOST, lane.port)).is_err()
            {
                thread::sleep(Duration::from_millis(1));
            }
            let _ = thread.join();
            let mut state = lane.lock();
            state.connections.iter().for_each(|c| c.end());
            let threads = std::mem::take(&mut state.threads);
            drop(state);
            lane.bell.notify_all();
            for thread in threads {
                let _ = thread.join();
            }
        }
    }
}

impl Lane {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        while !self.stopping.load(Ordering::SeqCst) {
            match listener.accept() {
                Ok(_) if self.stopping.load(Ordering::SeqCst) => return,
                // a client whose connection cannot be made sees it end
                Ok((stream, _)) => drop(self.connect(stream)),
                // no descriptors left, most likely: others may be closed soon
                Err(_) => thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    fn connect(self: &Arc<Self>, client: TcpStream) -> io::Result<()> {
        let mut state = self.lock();
        let (conditions, broker) = (state.conditions.clone(), state.broker);
        state.count += 1;
        let nth = state.count;
        drop(state);
        let broker = match broker {
            Some(_) if conditions.half_open => None,
            Some(address) if !conditions.refuse => {
                Some(TcpStream::connect_timeout(&address, DIAL_LIMIT)?)
            }
            _ => return Ok(()),
        };
        let connection = Arc::new(Connection::new(client, broker)?);
        let mut state = self.lock();
        state.connections.retain(|c| !c.is_over());
        state.threads.retain(|t| !t.is_finished());
        // before anything passes: whoever has an answer over it may apply what he likes to it
        state.connections.push(connection.clone());
        drop(state);
        for way in [Way::Up, Way::Down] {
            match connection.clone().pump(self, way, nth) {
                Ok(threads) => self.lock().threads.extend(threads),
                Err(error) => {
                    connection.end();
                    return Err(error);
                }
            }
        }
        if self.stopping.load(Ordering::SeqCst) {
            connection.end();
        }
        Ok(())
    }

    fn apply(&self, action: Action) {
        let mut state = self.lock();
        let State {
            conditions,
            connections,
            ..
        } = &mut *state;
        connections.retain(|c| !c.is_over());
        match action {
            Action::Cut => connections.drain(..).for_each(|c| c.end()),
            Action::CutAfter(bytes) => connections.iter().for_each(|c| c.cut_after(bytes)),
            Action::Corrupt { way, after } => {
                connections.iter().for_each(|c| c.corrupt_after(way, after));
            }
            Action::HalfOpen => {
                conditions.half_open = true;
                connections.iter().for_each(|c| c.lose_broker());
            }
            Action::Heal => {
                *conditions = Conditions::default();
                let lost = connections.extract_if(.., |c| c.has_lost_broker());
                lost.for_each(|c| c.end());
                connections.iter().for_each(|c| c.forget_trouble());
            }
            action => conditions.change(&action),
        }
        drop(state);
        self.bell.notify_all();
    }
}

const DIAL_LIMIT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
