//! The thread that runs the connections of one client.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Poll, Waker},
    thread::{self, JoinHandle},
};

use async_executor::Executor;
use kafka_client_async_std::{Dialer, Error};

const NO_THREAD: &str = "the system refused a thread for the connections of a client: it may have reached the limit of \
                         its user or container";

/// A thread that runs tasks, and ends when the last one has ended.
#[derive(Debug)]
pub(crate) struct Io {
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Keeps the thread while there is no task yet.
#[derive(Debug)]
pub(crate) struct Hold(Arc<Tasks>);

/// How many holds there are, one in each task.
#[derive(Debug)]
struct Tasks {
    count: AtomicUsize,
    /// The thread's.
    waker: Mutex<Option<Waker>>,
}

impl Io {
    /// Starts a thread, and gives a dialer whose connections it runs. It ends once the hold is dropped and no task is left.
    pub(crate) fn start(dialer: &Dialer) -> Result<(Self, Dialer, Hold), Error> {
        let tasks = Arc::new(Tasks {
            count: AtomicUsize::new(0),
            waker: Mutex::new(None),
        });
        let hold = Hold::new(&tasks);
        let executor = Arc::new(Executor::new());
        // the thread is the only owner: if it panics, all tasks are dropped, and every waiter resolves
        let spawn = Arc::downgrade(&executor);
        let counted = tasks.clone();
        let dialer =
            dialer
                .clone()
                .spawner(move |task: Pin<Box<dyn Future<Output = ()> + Send>>| {
                    let hold = Hold::new(&counted);
                    if let Some(executor) = spawn.upgrade() {
                        let task = async move {
                            let _hold = hold;
                            task.await;
                        };
                        executor.spawn(task).detach();
                    }
                });
        let run = move || async_io::block_on(executor.run(tasks.ended()));
        let thread = thread::Builder::new()
            .name("kafka-io".to_owned())
            .spawn(run);
        let thread = thread.map_err(|_| Error::no_runtime(NO_THREAD))?;
        let thread = Mutex::new(Some(thread));
        Ok((Self { thread }, dialer, hold))
    }

    /// Waits for the thread's end: for after the client has ended.
    pub(crate) fn join(&self) {
        // locked while it waits, so that a second caller waits too
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            // one that panicked has said so, and whoever waited has an error
            let _ = thread.join();
        }
    }
}

impl Tasks {
    /// Waits until nothing holds the thread.
    fn ended(self: Arc<Self>) -> impl Future<Output = ()> {
        poll_fn(move |cx| {
            let mut waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
            if self.count.load(Ordering::Acquire) == 0 {
                return Poll::Ready(());
            }
            if !waker.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
                *waker = Some(cx.waker().clone());
            }
            Poll::Pending
        })
    }
}

impl Hold {
    fn new(tasks: &Arc<Tasks>) -> Self {
        tasks.count.fetch_add(1, Ordering::Relaxed);
        Self(tasks.clone())
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            let waker = self.0.waker.lock().unwrap_or_else(PoisonError::into_inner);
            let waker = waker.clone();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}
