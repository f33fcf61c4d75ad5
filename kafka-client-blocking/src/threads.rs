//! A connection over streams that block: one thread writes, another reads, a third keeps the time while a write waits.

use std::{
    io::{ErrorKind, IoSlice, Read, Write},
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use kafka_proto::{
    client::{Clock, Inbound, Outbound},
    error::Error,
};

use crate::{
    seat::Caller,
    sync::{Condvar, Lock, wait, wait_timeout},
};

const SLICES: usize = 64;
/// Bytes in one write.
const MOST: usize = 64 * 1024;
/// For how long the end of a link may be written, by which TLS takes leave of the peer. Whoever closes may wait for it.
const LEAVE: Duration = Duration::from_millis(500);

/// Ends the stream, the first time it is called: whatever waits in it returns.
#[derive(Clone)]
struct Hangup(Arc<Lock<Option<Close>>>);

type Close = Box<dyn FnOnce() + Send>;

impl Hangup {
    fn call(&self) {
        let close = self.0.lock().take();
        if let Some(close) = close {
            close();
        }
    }
}

/// Starts all three, which end soon after the link; `close` must end a read and a write that wait.
pub(crate) fn start(
    halves: (Outbound, Inbound),
    streams: (impl Read + Send + 'static, impl Write + Send + 'static),
    close: impl FnOnce() + Send + 'static,
    clock: Arc<dyn Clock>,
) -> Result<Vec<JoinHandle<()>>, Error> {
    let (outbound, inbound) = halves;
    let (from, to) = streams;
    let hangup = Hangup(Arc::new(Lock::new(Some(Box::new(close)))));
    let writing = Arc::new(Writing {
        outbound: Lock::new(outbound),
        bell: Arc::new(Bell {
            caller: Caller::new(None),
            state: Lock::default(),
            changed: Condvar::new(),
        }),
        clock: clock.clone(),
    });
    let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
        let thread = thread::Builder::new().name(name.to_owned()).spawn(run);
        thread.map_err(Error::exhausted)
    };
    // also where the stream panics, or a thread is refused
    let end = End(writing.clone(), hangup.clone());
    // first, since it is what ends a write if a later one is refused
    let watch = Box::new(move || writing.watch(&hangup));
    let watch = spawn("kafka-watch", watch)?;
    let write = Box::new(move || {
        let mut to = to;
        // goes first: a stream with a buffer writes when it is dropped, and may wait in that
        let end = end;
        end.0.write(&mut to);
    });
    let write = spawn("kafka-write", write)?;
    let read = Box::new(move || read(inbound, from, &*clock));
    let read = spawn("kafka-read", read)?;
    Ok(vec![write, watch, read])
}

/// The sending half, and who looks after it.
struct Writing {
    outbound: Lock<Outbound>,
    bell: Arc<Bell>,
    clock: Arc<dyn Clock>,
}

/// Wakes whoever looks after the sending half.
struct Bell {
    /// The thread that writes, between writes.
    caller: Arc<Caller>,
    state: Lock<State>,
    /// The thread that keeps the time waits here.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// A write is under way: only the thread that keeps the time can look after the link.
    writing: bool,
    /// The link is to be looked after then, if the write is still under way.
    until: Option<Instant>,
    /// The link is to be looked after now.
    woken: bool,
    /// Until when the thread that keeps the time sleeps, if it does.
    sleeps: Option<Sleep>,
    /// The link has ended, and what is left is to be written by then.
    leave: Option<Instant>,
    over: bool,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Sleep {
    Until(Instant),
    Forever,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.caller.wake_by_ref();
        let mut state = self.state.lock();
        state.woken = true;
        if state.writing {
            self.changed.notify_one();
        }
    }
}

impl Bell {
    /// The link has ended with something to say: nobody waits for that longer than this.
    fn take_leave(&self) {
        let mut state = self.state.lock();
        let until = || Instant::now() + LEAVE;
        state.leave.get_or_insert_with(until);
        self.changed.notify_one();
    }
}

impl Writing {
    /// Writes what there is until the link has ended, and what TLS has to say to that.
    fn write(&self, stream: &mut impl Write) {
        let waker = Waker::from(self.bell.clone());
        let mut cx = Context::from_waker(&waker);
        let mut buffer = Vec::with_capacity(MOST);
        let mut has_ended = false;
        loop {
            self.bell.state.lock().woken = false;
            let mut outbound = self.outbound.lock();
            match outbound.poll(self.clock.now(), &mut cx) {
                Poll::Ready(false) => {
                    drop(outbound);
                    let leaves = self.bell.state.lock().leave.is_some();
                    if leaves {
                        // nobody is left who could be told of an error
                        let _ = stream.flush();
                    }
                    return;
                }
                Poll::Ready(true) => {
                    // a copy, so that the link can be looked after while the write waits
                    let mut slices = [IoSlice::new(&[]); SLICES];
                    let count = outbound.slices(&mut slices);
                    buffer.clear();
                    for slice in &slices[..count] {
                        let room = MOST - buffer.len();
                        buffer.extend_from_slice(&slice[..slice.len().min(room)]);
                    }
                    outbound.writing(buffer.len());
                    // deadlines may move meanwhile, or the link end
                    if !has_ended && outbound.poll_closed(&mut cx).is_ready() {
                        // what it has to say to that is something else
                        has_ended = true;
                        outbound.consume(0);
                        continue;
                    }
                    self.begin(outbound.deadline());
                    if has_ended {
                        self.bell.take_leave();
                    }
                    drop(outbound);
                    let written = stream.write(&buffer);
                    let mut outbound = self.outbound.lock();
                    self.bell.state.lock().writing = false;
                    outbound.consume(*written.as_ref().unwrap_or(&0));
                    match written {
                        Ok(0) => return outbound.failed(ErrorKind::WriteZero.into()),
                        Ok(_) => {}
                        Err(e) if e.kind() == ErrorKind::Interrupted => {}
                        Err(e) => return outbound.failed(e),
                    }
                }
                Poll::Pending => {
                    let until = outbound.deadline();
                    self.begin(until);
                    drop(outbound);
                    // a writer with a buffer sends it before it is waited for
                    let flushed = stream.flush();
                    self.bell.state.lock().writing = false;
                    match flushed {
                        // woken or late: both are reasons to look again
                        Ok(()) => drop(self.bell.caller.sleep(until)),
                        Err(e) => return self.outbound.lock().failed(e),
                    }
                }
            }
        }
    }

    /// The stream has the thread from now on.
    fn begin(&self, until: Option<Instant>) {
        let mut state = self.bell.state.lock();
        (state.writing, state.until) = (true, until);
        let oversleeps = match (state.sleeps, until) {
            (Some(Sleep::Until(at)), Some(until)) => until < at,
            (Some(Sleep::Forever), Some(_)) => true,
            _ => false,
        };
        // it sleeps on where it wakes in time, which spares most writes a system call
        if oversleeps || state.woken {
            self.bell.changed.notify_one();
        }
    }

    /// Looks after the link while a write waits, until the link ends; hangs up where its end does not leave in time.
    fn watch(&self, hangup: &Hangup) {
        let waker = Waker::from(self.bell.clone());
        let mut cx = Context::from_waker(&waker);
        let mut state = self.bell.state.lock();
        while !state.over {
            let sleep = match (state.leave, state.writing, state.until) {
                (Some(at), ..) if at <= Instant::now() => {
                    drop(state);
                    return hangup.call();
                }
                (Some(at), ..) => Some(Sleep::Until(at)),
                (None, true, _) if state.woken => None,
                (None, true, Some(at)) if at <= Instant::now() => None,
                (None, true, Some(at)) => Some(Sleep::Until(at)),
                _ => Some(Sleep::Forever),
            };
            state.sleeps = sleep;
            state = match sleep {
                Some(Sleep::Forever) => wait(&self.bell.changed, state),
                Some(Sleep::Until(at)) => {
                    let left = at.saturating_duration_since(Instant::now());
                    wait_timeout(&self.bell.changed, &self.bell.state, state, left).0
                }
                None => {
                    state.woken = false;
                    drop(state);
                    let mut outbound = self.outbound.lock();
                    if outbound.poll(self.clock.now(), &mut cx) == Poll::Ready(false) {
                        drop(outbound);
                        return hangup.call();
                    }
                    if outbound.poll_closed(&mut cx).is_ready() {
                        self.bell.take_leave();
                    }
                    let until = outbound.deadline();
                    drop(outbound);
                    let mut state = self.bell.state.lock();
                    state.until = until;
                    state
                }
            };
        }
    }
}

/// The end of the thread that writes, however it comes.
struct End(Arc<Writing>, Hangup);

impl Drop for End {
    fn drop(&mut self) {
        let Self(writing, hangup) = self;
        // does nothing if the link has ended already; what a write had that panicked may have left
        writing.outbound.lock().failed(ErrorKind::BrokenPipe.into());
        writing.bell.state.lock().over = true;
        writing.bell.changed.notify_one();
        hangup.call();
    }
}

/// Reads what comes until the link or the stream ends.
fn read(mut inbound: Inbound, mut stream: impl Read, clock: &dyn Clock) {
    loop {
        match stream.read(inbound.space()) {
            Ok(n) if matches!(inbound.filled(n, clock.now()), Ok(true)) => {}
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Ok(_) => return,
            Err(e) => return inbound.failed(e),
        }
    }
}
