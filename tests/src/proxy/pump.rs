//! One connection through a proxy: for each way a thread that reads and a thread that writes.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::Lane;
use crate::sim::{Chance, Way};

/// What is read at once.
const CHUNK: usize = 16 << 10;
/// Chunks that may wait to be written; then nothing more is read, and TCP pushes back.
const CHUNKS: usize = 64;
/// No byte is to be touched.
const NEVER: i64 = i64::MAX;

/// Both ends of a connection.
#[derive(Debug)]
pub(super) struct Connection {
    client: TcpStream,
    /// `None` if it never was connected.
    broker: Option<TcpStream>,
    over: AtomicBool,
    /// The broker's end is gone and the client's stays.
    lost_broker: AtomicBool,
    /// Bytes until the connection is cut.
    cut_in: AtomicI64,
    /// Bytes until one is inverted: up, down.
    corrupt_in: [AtomicI64; 2],
    /// Pumps that run.
    pumps: AtomicUsize,
}

/// Bytes, and when they are due.
type Chunk = (Instant, Vec<u8>);

impl Connection {
    pub(super) fn new(client: TcpStream, broker: Option<TcpStream>) -> io::Result<Self> {
        client.set_nodelay(true)?;
        if let Some(broker) = &broker {
            broker.set_nodelay(true)?;
        }
        Ok(Self {
            client,
            lost_broker: AtomicBool::new(broker.is_none()),
            broker,
            over: AtomicBool::new(false),
            cut_in: AtomicI64::new(NEVER),
            corrupt_in: [const { AtomicI64::new(NEVER) }; 2],
            pumps: AtomicUsize::new(2),
        })
    }

    /// Starts the threads of one way.
    pub(super) fn pump(
        self: Arc<Self>,
        lane: &Arc<Lane>,
        way: Way,
        nth: u64,
    ) -> io::Result<[JoinHandle<()>; 2]> {
        let (sender, receiver) = sync_channel(CHUNKS);
        let reading = {
            let (this, lane) = (self.clone(), lane.clone());
            let chance = Chance::new(nth, if way == Way::Up { "up" } else { "down" });
            move || this.read(&lane, way, chance, &sender)
        };
        let lane = lane.clone();
        let writing = move || {
            self.write(&lane, way, &receiver);
            // the second of the two ways closes the door
            if self.pumps.fetch_sub(1, Ordering::SeqCst) == 1 {
                self.close(&lane);
            }
        };
        let spawn = |body: Box<dyn FnOnce() + Send>| {
            thread::Builder::new()
                .name("proxy-pump".to_owned())
                .spawn(body)
        };
        Ok([spawn(Box::new(reading))?, spawn(Box::new(writing))?])
    }

    /// Ends both ends now.
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
        // fails where a peer was faster
        let _ = self.client.shutdown(Shutdown::Both);
        if let Some(broker) = &self.broker {
            let _ = broker.shutdown(Shutdown::Both);
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    pub(super) fn cut_after(&self, bytes: u64) {
        self.cut_in.store(clamp(bytes), Ordering::SeqCst);
    }

    pub(super) fn corrupt_after(&self, way: Way, bytes: u64) {
        self.corrupt_in[way as usize].store(clamp(bytes), Ordering::SeqCst);
    }

    /// Ends the broker's end, and leaves the client's.
    pub(super) fn lose_broker(&self) {
        self.lost_broker.store(true, Ordering::SeqCst);
        if let Some(broker) = &self.broker {
            let _ = broker.shutdown(Shutdown::Both);
        }
    }

    pub(super) fn has_lost_broker(&self) -> bool {
        self.lost_broker.load(Ordering::SeqCst)
    }

    pub(super) fn forget_trouble(&self) {
        self.cut_in.store(NEVER, Ordering::SeqCst);
        let each = |way: &AtomicI64| way.store(NEVER, Ordering::SeqCst);
        self.corrupt_in.iter().for_each(each);
    }

    /// The thread that reads one way.
    fn read(&self, lane: &Lane, way: Way, mut chance: Chance, sender: &SyncSender<Chunk>) {
        let from = match way {
            Way::Up => Some(&self.client),
            Way::Down => self.broker.as_ref(),
        };
        let Some(mut from) = from else { return };
        let mut buffer = vec![0; CHUNK];
        loop {
            match from.read(&mut buffer) {
                Ok(0) => return,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
                Ok(n) => {
                    let conditions = lane.lock().conditions.clone();
                    let jitter = chance.time(Duration::ZERO, conditions.jitter);
                    let due = Instant::now() + conditions.delay + jitter;
                    if sender.send((due, buffer[..n].to_vec())).is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// The thread that writes one way.
    fn write(&self, lane: &Lane, way: Way, receiver: &Receiver<Chunk>) {
        while let Ok((due, mut bytes)) = receiver.recv() {
            self.wait(lane, due);
            if self.is_over() {
                return;
            }
            self.corrupt(lane, way, &mut bytes);
            let pass = self.pass(bytes.len());
            let result = self.send(lane, way, &bytes[..pass]);
            if pass < bytes.len() || result.is_err() && !self.has_lost_broker() {
                return self.close(lane);
            }
        }
        // the stream has ended; where its other end was lost, nobody is told
        if !self.has_lost_broker() {
            let to = match way {
                Way::Up => self.broker.as_ref(),
                Way::Down => Some(&self.client),
            };
            let _ = to.map(|to| to.shutdown(Shutdown::Write));
        } else if way == Way::Up {
            // the client is gone, too
            self.close(lane);
        }
    }

    /// Ends both ends, and wakes the other way's thread if it waits.
    fn close(&self, lane: &Lane) {
        let state = lane.lock();
        self.end();
        drop(state);
        lane.bell.notify_all();
    }

    /// Waits until a chunk may pass.
    fn wait(&self, lane: &Lane, due: Instant) {
        let mut state = lane.lock();
        while !self.is_over() {
            let left = due.saturating_duration_since(Instant::now());
            state = match state.conditions.frozen {
                true => lane.bell.wait(state).unwrap_or_else(|e| e.into_inner()),
                false if left.is_zero() => return,
                false => {
                    let woken = lane.bell.wait_timeout(state, left);
                    woken.unwrap_or_else(|e| e.into_inner()).0
                }
            };
        }
    }

    /// How many of `count` bytes pass before the connection is cut.
    fn pass(&self, count: usize) -> usize {
        let count = count as i64;
        let take = |left: i64| (left != NEVER).then(|| left - count);
        match self
            .cut_in
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
        {
            Ok(before) => before.clamp(0, count) as usize,
            Err(_) => count as usize,
        }
    }

    fn corrupt(&self, lane: &Lane, way: Way, bytes: &mut [u8]) {
        let count = bytes.len() as i64;
        let take = |left: i64| match left {
            NEVER => None,
            left if left < count => Some(NEVER),
            left => Some(left - count),
        };
        let place =
            self.corrupt_in[way as usize].fetch_update(Ordering::SeqCst, Ordering::SeqCst, take);
        if let Ok(at) = place
            && let Some(byte) = bytes.get_mut(at as usize)
        {
            *byte = !*byte;
            lane.inverted.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn send(&self, lane: &Lane, way: Way, bytes: &[u8]) -> io::Result<()> {
        let to = match way {
            // what the client says to nobody is taken all the same
            Way::Up if self.has_lost_broker() => return Ok(()),
            Way::Up => self.broker.as_ref(),
            Way::Down => Some(&self.client),
        };
        let Some(mut to) = to else { return Ok(()) };
        let bandwidth = lane.lock().conditions.bandwidth;
        let Some(per_second) = bandwidth else {
            return to.write_all(bytes);
        };
        // in parts of a hundredth of a second, so that a slow line is not a stuttering one
        let part = usize::try_from(per_second / 100).unwrap_or(usize::MAX);
        for part in bytes.chunks(part.clamp(1, CHUNK)) {
            // a part is there when its last byte has passed, not when its first one may
            let time = Duration::from_secs_f64(part.len() as f64 / per_second as f64);
            self.wait_for_line(lane, Instant::now() + time);
            if self.is_over() {
                break;
            }
            to.write_all(part)?;
        }
        Ok(())
    }

    /// Waits until a slow line is free again, or is no longer slow.
    fn wait_for_line(&self, lane: &Lane, due: Instant) {
        let mut state = lane.lock();
        while !self.is_over() && state.conditions.bandwidth.is_some() {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let woken = lane.bell.wait_timeout(state, left);
            state = woken.unwrap_or_else(|e| e.into_inner()).0;
        }
    }
}

fn clamp(bytes: u64) -> i64 {
    i64::try_from(bytes).map_or(NEVER - 1, |bytes| bytes.min(NEVER - 1))
}
