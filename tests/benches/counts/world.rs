//! A client and a cluster on one thread, in virtual time, with nothing between them: the loops of an adapter, of which
//! all that is not the client's work is left out of the count.

use std::{
    collections::VecDeque,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

use bytes::Bytes;
use kafka_proto::{
    client::{Client, Clock, Control, Dial, Inbound, Now, Outbound},
    config::Config,
};
use kafka_testing::broker::{self, Cluster, ConnId};

use crate::region::outside;

/// The broker's address.
pub(crate) const BOOTSTRAP: &str = "127.0.0.1:9092";

/// What a read of a socket gives at most.
const READ: usize = 64 << 10;

pub(crate) struct World {
    cluster: Cluster,
    clock: Arc<Virtual>,
    control: Control,
    control_woken: Arc<Flag>,
    links: Vec<Link>,
}

struct Link {
    connection: ConnId,
    outbound: Outbound,
    outbound_woken: Arc<Flag>,
    inbound: Inbound,
    inbound_woken: Arc<Flag>,
    /// What the broker reads.
    requests: broker::Frames,
    /// What the client has not read.
    responses: VecDeque<Bytes>,
    closed: bool,
}

impl World {
    /// One broker with these topics of six partitions, and a client that has not connected yet.
    pub(crate) fn new(config: broker::Config, topics: &[&str]) -> (Self, Client) {
        let mut cluster = Cluster::new(config.brokers(1));
        cluster.set_address(1, "127.0.0.1", 9092);
        for topic in topics {
            cluster.create_topic(topic, 6);
        }
        let clock = Arc::new(Virtual::new());
        let config = Config::new(BOOTSTRAP).expect("an address");
        let (client, control) = Client::new(config, clock.clone(), 17).expect("a config");
        let world = Self {
            cluster,
            clock,
            control,
            control_woken: Flag::set(),
            links: Vec::new(),
        };
        (world, client)
    }

    /// Drives the client until the future has its value.
    ///
    /// # Panics
    ///
    /// If nobody has anything to do, ever.
    pub(crate) fn block_on<T>(&mut self, future: impl Future<Output = T>) -> T {
        let woken = Flag::set();
        let waker = Waker::from(woken.clone());
        let mut future = pin!(future);
        loop {
            if woken.take()
                && let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker))
            {
                return value;
            }
            if !self.turn() && !woken.is_set() {
                self.sleep();
            }
        }
    }

    /// Lets everybody do what there is to do, for a future that is polled elsewhere.
    pub(crate) fn settle(&mut self) {
        while self.turn() {}
    }

    /// One turn of every loop that was woken or has bytes. Whether anything happened.
    fn turn(&mut self) -> bool {
        let mut happened = false;
        if self.control_woken.take() {
            happened = true;
            let waker = Waker::from(self.control_woken.clone());
            let mut cx = Context::from_waker(&waker);
            while let Poll::Ready(Some(dial)) = self.control.poll(self.clock.now(), &mut cx) {
                let link = outside(|| Link::open(dial, &mut self.cluster));
                self.links.push(link);
            }
        }
        for link in &mut self.links {
            happened |= link.write(&mut self.cluster, self.clock.now());
        }
        outside(|| self.deliver());
        for link in &mut self.links {
            happened |= link.read(self.clock.now());
        }
        self.links.retain(|link| !link.closed);
        happened
    }

    /// What the broker has answered waits to be read.
    fn deliver(&mut self) {
        while let Some((connection, response)) = self.cluster.poll_response() {
            if let Some(link) = self.links.iter_mut().find(|l| l.connection == connection) {
                link.responses.push_back(response);
            }
        }
        assert!(self.cluster.poll_close().is_none(), "the broker hung up");
    }

    /// Lets time pass until somebody has something to do.
    fn sleep(&mut self) {
        let links = self
            .links
            .iter()
            .filter_map(|link| link.outbound.deadline());
        let of_client = links.chain(self.control.deadline()).min();
        let at = of_client.into_iter().chain(self.cluster.poll_timeout());
        let at = at.min().expect("somebody waits for something");
        self.clock.advance(at);
        outside(|| self.cluster.handle_timeout(at));
        self.control_woken.wake_by_ref();
        for link in &self.links {
            link.outbound_woken.wake_by_ref();
        }
    }
}

impl Link {
    fn open(dial: Dial, cluster: &mut Cluster) -> Self {
        Self {
            connection: cluster.connect(1),
            outbound: dial.outbound,
            outbound_woken: Flag::set(),
            inbound: dial.inbound,
            inbound_woken: Flag::set(),
            requests: broker::Frames::new(),
            responses: VecDeque::new(),
            closed: false,
        }
    }

    fn write(&mut self, cluster: &mut Cluster, now: Now) -> bool {
        if !self.outbound_woken.take() {
            return false;
        }
        let waker = Waker::from(self.outbound_woken.clone());
        let mut cx = Context::from_waker(&waker);
        loop {
            match self.outbound.poll(now, &mut cx) {
                Poll::Ready(true) => {}
                Poll::Ready(false) => {
                    self.closed = true;
                    return true;
                }
                Poll::Pending => return true,
            }
            let requests = &mut self.requests;
            let written = self.outbound.write(|slices| {
                outside(|| {
                    slices.iter().for_each(|slice| requests.push(slice));
                    Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
                })
            });
            assert_eq!(written, Poll::Ready(true));
            outside(|| {
                while let Some(frame) = self.requests.poll_frame().expect("the client speaks Kafka")
                {
                    cluster.handle_request(self.connection, frame, now.instant);
                }
            });
        }
    }

    fn read(&mut self, now: Now) -> bool {
        if self.inbound_woken.take() {
            let waker = Waker::from(self.inbound_woken.clone());
            let mut cx = Context::from_waker(&waker);
            self.closed |= self.inbound.poll_closed(&mut cx).is_ready();
        }
        let mut happened = false;
        while !self.closed && !self.responses.is_empty() {
            happened = true;
            let space = self.inbound.space();
            let room = space.len().min(READ);
            let n = outside(|| read_into(&mut self.responses, &mut space[..room]));
            let open = self
                .inbound
                .filled(n, now)
                .expect("the broker speaks Kafka");
            self.closed = !open;
        }
        happened
    }
}

/// Moves bytes, as many as there are and as there is room for.
fn read_into(responses: &mut VecDeque<Bytes>, space: &mut [u8]) -> usize {
    let mut filled = 0;
    while filled < space.len()
        && let Some(first) = responses.front_mut()
    {
        let n = first.len().min(space.len() - filled);
        space[filled..filled + n].copy_from_slice(&first.split_to(n));
        filled += n;
        if first.is_empty() {
            responses.pop_front();
        }
    }
    filled
}

/// Who was woken.
#[derive(Debug)]
struct Flag(AtomicBool);

impl Flag {
    fn set() -> Arc<Self> {
        Arc::new(Self(AtomicBool::new(true)))
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Time that moves when it is told to.
#[derive(Debug)]
struct Virtual {
    start: Instant,
    elapsed_ns: AtomicU64,
}

impl Virtual {
    fn new() -> Self {
        Self {
            start: Instant::now(),
            elapsed_ns: AtomicU64::new(0),
        }
    }

    fn advance(&self, to: Instant) {
        let elapsed = to.saturating_duration_since(self.start).as_nanos() as u64;
        self.elapsed_ns.fetch_max(elapsed, Ordering::Relaxed);
    }
}

impl Clock for Virtual {
    fn now(&self) -> Now {
        let elapsed = Duration::from_nanos(self.elapsed_ns.load(Ordering::Relaxed));
        Now {
            instant: self.start + elapsed,
            unix_ms: 1_700_000_000_000 + elapsed.as_millis() as i64,
        }
    }
}
