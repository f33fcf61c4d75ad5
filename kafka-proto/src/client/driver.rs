//! A connection as one task of an async runtime.
//!
//! Both halves of a link run in one task, and each is polled only when what it waits for has happened. A task for each would
//! cost more: the halves wake each other (an answer makes room for a request), as callers wake them, and each such wake
//! passes through the executor, which may start another thread for it. Here a task that runs, or was woken, is not woken
//! again.

#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod tests;

use std::{
    fmt,
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker, ready},
    time::Instant,
};

use super::{
    Clock, Inbound, Outbound,
    sync::{
        Lock,
        atomic::{AtomicU8, Ordering},
    },
};

/// Reads or writes in a row before other tasks have their turn.
const TURN: usize = 64;

/// What a runtime gives a connection: its stream and a timer.
///
/// What returns `Pending` wakes the context's waker later. Reading has another waker than the rest.
pub trait Transport {
    /// Reads what has come, or waits for it; 0 is the end of the stream.
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes some of the bytes, or waits until it can.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>>;

    /// Sends what a stream with a buffer has kept, because nothing follows for now.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Waits until `deadline`, or an earlier moment that it was asked to wait for before: waking early costs less than
    /// setting a timer anew with every request.
    fn poll_timer(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<()>;
}

/// Drives the halves of a connection until it ends: what an async adapter spawns.
///
/// Dropping it ends the connection.
#[must_use = "a connection lives as long as it is driven"]
pub struct Driver<T> {
    transport: T,
    outbound: Outbound,
    inbound: Inbound,
    clock: Arc<dyn Clock>,
    due: Arc<Due>,
    writer: Waker,
    reader: Waker,
    /// The stream may have kept something back.
    unflushed: bool,
}

impl<T: Transport> Driver<T> {
    /// A driver of the halves over their stream.
    pub fn new(transport: T, outbound: Outbound, inbound: Inbound, clock: Arc<dyn Clock>) -> Self {
        let due = Arc::new(Due::new());
        Self {
            transport,
            outbound,
            inbound,
            clock,
            writer: Half::<WRITE>(due.clone()).into_waker(),
            reader: Half::<READ>(due.clone()).into_waker(),
            due,
            unflushed: false,
        }
    }

    /// Writes what there is; `Ready` once the link has ended.
    fn poll_write(&mut self) -> Poll<()> {
        let mut cx = Context::from_waker(&self.writer);
        for _ in 0..TURN {
            match self.outbound.poll(self.clock.now(), &mut cx) {
                Poll::Ready(false) => {
                    if self.unflushed {
                        // the last words are worth a try, and nobody waits for them
                        let _ = self.transport.poll_flush(&mut cx);
                    }
                    return Poll::Ready(());
                }
                Poll::Ready(true) => {
                    let transport = &mut self.transport;
                    let write = |slices: &[IoSlice<'_>]| transport.poll_write(&mut cx, slices);
                    match self.outbound.write(write) {
                        Poll::Ready(true) => {
                            self.unflushed = true;
                            continue;
                        }
                        Poll::Ready(false) => return Poll::Ready(()),
                        // a peer that takes nothing must not keep what is closed
                        Poll::Pending => {
                            if self.outbound.poll_closed(&mut cx).is_ready() {
                                return Poll::Ready(());
                            }
                        }
                    }
                }
                Poll::Pending if self.unflushed => match self.transport.poll_flush(&mut cx) {
                    Poll::Ready(Ok(())) => self.unflushed = false,
                    Poll::Ready(Err(error)) => {
                        self.outbound.failed(error);
                        return Poll::Ready(());
                    }
                    Poll::Pending => {}
                },
                Poll::Pending => {}
            }
            // time-outs pass while the socket is full, too
            ready!(self.transport.poll_timer(&mut cx, self.outbound.deadline()));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads what has come; `Ready` once the link or the stream has ended.
    fn poll_read(&mut self) -> Poll<()> {
        let mut cx = Context::from_waker(&self.reader);
        for _ in 0..TURN {
            match ready!(self.transport.poll_read(&mut cx, self.inbound.space())) {
                // the link itself tells whoever waits what was wrong
                Ok(n) => match self.inbound.filled(n, self.clock.now()) {
                    Ok(true) => {}
                    Ok(false) | Err(_) => return Poll::Ready(()),
                },
                Err(error) => {
                    self.inbound.failed(error);
                    return Poll::Ready(());
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<T: Transport + Unpin> Future for Driver<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let driver = self.get_mut();
        driver.due.begin(cx.waker());
        let due = driver.due.take();
        // a request that waits leaves before answers are looked at
        if due & WRITE != 0 && driver.poll_write().is_ready() {
            return Poll::Ready(());
        }
        if due & READ != 0 && driver.poll_read().is_ready() {
            // TLS has something to say to that
            let _ = driver.poll_write();
            return Poll::Ready(());
        }
        if !driver.due.rest() {
            // behind the tasks that run now: what they add to the next request spares one of its own
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl<T> fmt::Debug for Driver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("outbound", &self.outbound)
            .finish_non_exhaustive()
    }
}

/// The sending half is due.
const WRITE: u8 = 1;
/// The receiving half is due.
const READ: u8 = 2;
/// The task runs, and looks before it rests for what has become due.
const RUNS: u8 = 4;

/// Which halves are due, and who is to be woken for them: the task, unless it runs or was woken already.
#[derive(Debug)]
struct Due {
    state: AtomicU8,
    task: Lock<Option<Waker>>,
}

impl Due {
    /// Both are.
    fn new() -> Self {
        Self {
            state: AtomicU8::new(WRITE | READ),
            task: Lock::new(None),
        }
    }

    /// The task runs.
    fn begin(&self, waker: &Waker) {
        let mut task = self.task.lock();
        let old = match &*task {
            Some(known) if known.will_wake(waker) => None,
            _ => task.replace(waker.clone()),
        };
        drop(task);
        drop(old);
        self.state.fetch_or(RUNS, Ordering::AcqRel);
    }

    /// The halves that are due, which the task sees to now.
    fn take(&self) -> u8 {
        self.state.fetch_and(RUNS, Ordering::AcqRel) & !RUNS
    }

    /// The task rests; `false` if a half has become due meanwhile: nobody wakes the task for that but itself.
    fn rest(&self) -> bool {
        self.state.fetch_and(!RUNS, Ordering::AcqRel) == RUNS
    }

    fn add(&self, half: u8) {
        if self.state.fetch_or(half, Ordering::AcqRel) == 0 {
            let task = self.task.lock().take();
            if let Some(task) = task {
                task.wake();
            }
        }
    }
}

/// The waker of one half.
struct Half<const WHICH: u8>(Arc<Due>);

impl<const WHICH: u8> Half<WHICH> {
    fn into_waker(self) -> Waker {
        Arc::new(self).into()
    }
}

impl<const WHICH: u8> Wake for Half<WHICH> {
    fn wake(self: Arc<Self>) {
        self.0.add(WHICH);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.add(WHICH);
    }
}
