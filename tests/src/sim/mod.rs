//! A simulator: whole clients and a whole cluster on one thread, in virtual time, over a network that fails on purpose.
//!
//! A run is a function of its scenario and its seed. Time passes only when nobody has anything to do, so that an hour of
//! waiting costs nothing; a seed that fails does so again, byte for byte, and [`Handle::trace`] tells what happened.
//!
//! ```
//! use std::time::Duration;
//!
//! use kafka_proto::record::Record;
//! use kafka_testing::{broker, sim::{Faults, Sim}};
//!
//! let sim = Sim::new(17, broker::Config::new().brokers(3), Faults::gentle());
//! sim.cluster(|cluster| cluster.create_topic("orders", 6));
//! let client = sim.client(sim.config());
//!
//! let written = sim.block_on(Duration::from_secs(60), async {
//!     let writer = client.writer("orders").expect("a writer");
//!     writer.write(Record::new("paid").key("order-17")).await
//! });
//! let written = written.expect("it does not get stuck").expect("it is written");
//! assert_eq!(written.offset, Some(0));
//! ```
//!
//! The clients are the real ones: the simulator is one more adapter, beside those for sockets. So is the cluster: it is
//! [`crate::broker`]. What is simulated is what lies between them, [`Faults`], and the clock.

mod chance;
mod clock;
mod describe;
mod drive;
mod executor;
mod faults;
mod mishap;
mod network;
mod pipe;
mod shrink;
mod stream;
mod timer;
mod trace;
mod trouble;

use std::{
    cell::RefCell, fmt, future::Future, ops::Deref, pin::pin, rc::Rc, sync::Arc, task::Poll,
    time::Duration,
};

use kafka_proto::{
    client::{Client, Clock},
    config,
};

pub use self::{
    chance::Chance,
    executor::{Join, Role},
    faults::{Chunks, Faults},
    mishap::{Mishap, MishapKind, Schedule},
    shrink::shrink,
    timer::Sleep,
    trace::Way,
};
use self::{
    clock::VirtualClock,
    executor::{Executor, Turn},
    network::{Network, Step},
    trace::What,
};
use crate::broker::{self, Cluster, StoredRecord};

/// Turns in a row, without time passing, after which nobody will believe that something comes of it.
const ENDLESS: usize = 200_000;

/// A run of the simulator: its owner. What scenarios do with it is in [`Handle`].
///
/// Dropping it drops every task.
#[derive(Debug)]
pub struct Sim(Handle);

/// A run of the simulator, for the tasks in it.
#[derive(Clone)]
pub struct Handle {
    network: Rc<RefCell<Network>>,
    executor: Rc<Executor>,
    clock: Arc<VirtualClock>,
    /// Seeds the clients.
    seeds: Rc<RefCell<Chance>>,
}

/// A run that does not come to its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Stuck {
    /// Somebody waits, and nothing will ever happen.
    Deadlock {
        /// Since when.
        since: Duration,
    },
    /// The limit passed first.
    Late {
        /// The limit.
        limit: Duration,
    },
    /// Tasks wake each other for ever, and time does not pass.
    Spinning {
        /// Since when.
        since: Duration,
    },
}

impl Sim {
    /// A run with a cluster of its own, whose brokers are at `b1:9092`, `b2:9092` and so on.
    pub fn new(seed: u64, brokers: broker::Config, faults: Faults) -> Self {
        let mut cluster = Cluster::new(brokers);
        let ids: Vec<_> = cluster.brokers().collect();
        for id in ids {
            cluster.set_address(id, &format!("b{id}"), 9092);
        }
        let shuffle = faults.shuffle.then(|| Chance::new(seed, "turns"));
        let clock = Arc::new(VirtualClock::new());
        cluster.start_clock(clock.now().unix_ms);
        let network = Network::new(cluster, clock.clone(), faults, seed);
        Self(Handle {
            network: Rc::new(RefCell::new(network)),
            executor: Rc::new(Executor::new(shuffle)),
            clock,
            seeds: Rc::new(RefCell::new(Chance::new(seed, "clients"))),
        })
    }

    /// Runs a future, and every task beside it, to the future's end.
    ///
    /// # Errors
    ///
    /// The run got stuck, or did not end within `limit` from now.
    pub fn block_on<F: Future>(&self, limit: Duration, future: F) -> Result<F::Output, Stuck> {
        let until = self.now() + limit;
        let future = pin!(future);
        let mut main = self.executor.main(future);
        let mut turns = 0;
        loop {
            match self.executor.run_next(&mut main) {
                Turn::Done(value) => return Ok(value),
                Turn::Went if turns == ENDLESS => {
                    return Err(Stuck::Spinning { since: self.now() });
                }
                Turn::Went => turns += 1,
                Turn::Idle => {
                    let before = self.now();
                    let step = self.network.borrow_mut().step(until);
                    match step {
                        Step::Happened => {}
                        Step::Nothing => return Err(Stuck::Deadlock { since: before }),
                        Step::Late => return Err(Stuck::Late { limit }),
                    }
                    if self.now() > before {
                        turns = 0;
                    }
                }
            }
        }
    }
}

impl Deref for Sim {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.0
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        // tasks hold handles: without this, a run would live for ever
        self.executor.drop_tasks(|_| true);
    }
}

impl Handle {
    // Clients and tasks

    /// A client of the cluster, and the task that drives it.
    ///
    /// # Panics
    ///
    /// If a setting cannot be.
    #[track_caller]
    pub fn client(&self, config: config::Config) -> Client {
        let seed = self.seeds.borrow_mut().bits();
        let (client, control) = match Client::new(config, self.clock.clone(), seed) {
            Ok(both) => both,
            Err(error) => panic!("no client can be made: {error}"),
        };
        let driver = drive::control(control, self.clone());
        self.executor.spawn(Role::Control, driver);
        client
    }

    /// The settings of a client that knows every broker and gives up early: 2 s for a connection, 5 s for a request.
    pub fn config(&self) -> config::Config {
        let network = self.network.borrow();
        let address = |id| {
            let (host, port) = network.cluster.address(id);
            format!("{host}:{port}")
        };
        let brokers: Vec<_> = network.cluster.brokers().map(address).collect();
        let config = config::Config::without_brokers()
            .setup_timeout(Duration::from_secs(2))
            .request_timeout(Duration::from_secs(5))
            .client_id("sim");
        match config.brokers(&brokers.join(",")) {
            Ok(config) => config,
            Err(error) => panic!("a cluster has brokers with addresses: {error}"),
        }
    }

    /// Runs a future beside the others.
    pub fn spawn<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> Join<T> {
        let (join, future) = Join::new(future);
        self.executor.spawn(Role::Scenario, future);
        join
    }

    /// Drops every task of a role, wherever it stands: the loops of all controls, or of all connections.
    pub fn abort(&self, role: Role) {
        self.executor.drop_tasks(|r| r == role);
    }

    /// How many tasks of a role there are.
    pub fn tasks(&self, role: Role) -> usize {
        self.executor.count(role)
    }

    // Time

    /// The time since the run began.
    pub fn now(&self) -> Duration {
        self.clock.elapsed()
    }

    /// The clock of the run.
    pub fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    /// Waits.
    pub fn sleep(&self, time: Duration) -> Sleep {
        Sleep::new(self.network.clone(), self.now() + time)
    }

    /// Waits for a future up to `limit`; then drops it, and answers `None`.
    pub async fn timeout<T>(&self, limit: Duration, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        let mut sleep = pin!(self.sleep(limit));
        std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending => sleep.as_mut().poll(cx).map(|()| None),
        })
        .await
    }

    /// Sets the wall clock forwards or back. What has passed does not change.
    pub fn jump(&self, ms: i64) {
        self.clock.jump(ms);
        self.network.borrow_mut().note(What::Jumped(ms));
    }

    /// Lets time pass while nothing runs, as when a machine sleeps: every timer is late afterwards.
    pub fn suspend(&self, time: Duration) {
        self.clock.advance(self.now() + time);
    }

    // The cluster

    /// Does something to the cluster, or looks at it. Crashes are better done by [`Handle::crash`].
    pub fn cluster<T>(&self, act: impl FnOnce(&mut Cluster) -> T) -> T {
        let mut network = self.network.borrow_mut();
        let value = act(&mut network.cluster);
        network.settle();
        value
    }

    /// Kills a broker: what is on its way to it is applied up to some byte, and its answers are lost from some byte on.
    pub fn crash(&self, broker: i32) {
        self.network.borrow_mut().crash(broker);
    }

    /// Starts a broker again.
    pub fn restart(&self, broker: i32) {
        self.network.borrow_mut().restart(broker);
    }

    /// Makes a broker the leader of a partition.
    pub fn lead(&self, topic: &str, partition: i32, broker: i32) {
        self.network.borrow_mut().lead(topic, partition, broker);
    }

    // The network

    /// Refuses every dial from now on, or no longer.
    pub fn refuse_dials(&self, yes: bool) {
        self.network.borrow_mut().refuse_all = yes;
    }

    /// When each dial came.
    pub fn dials(&self) -> Vec<Duration> {
        self.network.borrow().dials.clone()
    }

    /// The bytes that arrived over each connection ever made, up and down.
    pub fn traffic(&self) -> Vec<(u64, u64)> {
        self.network.borrow().traffic().to_vec()
    }

    /// Has the `nth` connection (from 0) cut once `bytes` have arrived over it one way, and one more would.
    pub fn cut_after(&self, nth: u64, way: Way, bytes: u64) {
        let mut network = self.network.borrow_mut();
        network.scripted_cuts.insert((nth, way), bytes);
        if let Some(pipe) = network.pipe(nth, way) {
            pipe.cut_at = Some(bytes.max(pipe.arrived));
        }
    }

    /// Cuts every connection: nothing of what is on its way arrives.
    pub fn cut_all(&self) {
        let mut network = self.network.borrow_mut();
        let all: Vec<_> = network.connections.keys().copied().collect();
        all.iter().for_each(|at| network.cut(*at, [0, 0]));
    }

    /// Has every connection that there is swallow what is sent one way.
    pub fn silence_all(&self, way: Way) {
        let mut network = self.network.borrow_mut();
        let all: Vec<_> = network.connections.keys().copied().collect();
        all.iter().for_each(|at| network.silence(*at, way));
    }

    /// Every record that compaction took: partition of `topic` and what it was.
    pub fn compacted(&self, topic: &str) -> Vec<(i32, StoredRecord)> {
        let network = self.network.borrow();
        let mine = network.compacted.iter().filter(|(t, _, _)| t == topic);
        mine.map(|(_, p, record)| (*p, record.clone())).collect()
    }

    // The trace

    /// What went wrong by chance so far: what a run may be cut down to, by [`Schedule::Only`].
    pub fn mishaps(&self) -> Vec<Mishap> {
        self.network.borrow().mishaps()
    }

    /// Writes a line into the trace.
    pub fn note(&self, text: impl Into<Arc<str>>) {
        self.network.borrow_mut().note(What::Note(text.into()));
    }

    /// What happened, line by line; of a long run, the end.
    pub fn trace(&self) -> Vec<String> {
        self.network.borrow().trace.lines()
    }

    /// A number that every byte that arrived, and when it did, has a part in: two runs with the same one were the same.
    pub fn fingerprint(&self) -> u64 {
        self.network.borrow().trace.fingerprint()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("now", &self.now())
            .field("executor", &self.executor)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deadlock { since } => {
                write!(
                    f,
                    "since {since:?} everybody waits, and nothing will ever happen"
                )
            }
            Self::Late { limit } => write!(f, "it did not end within {limit:?}"),
            Self::Spinning { since } => {
                write!(
                    f,
                    "since {since:?} tasks wake each other, and time does not pass"
                )
            }
        }
    }
}

impl std::error::Error for Stuck {}
