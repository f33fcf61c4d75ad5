//! Runs futures on one thread, in an order that is the same in every run of a seed.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, VecDeque},
    fmt,
    future::Future,
    pin::Pin,
    rc::Rc,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use super::chance::Chance;

/// What a task is for: which tasks end together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// A future that a scenario spawned.
    Scenario,
    /// The loop of a client's control.
    Control,
    /// A dial, or a loop of a connection.
    Link,
}

/// The tasks and whose turn it is.
pub(super) struct Executor {
    tasks: RefCell<BTreeMap<u64, Task>>,
    next: Cell<u64>,
    queue: Arc<RunQueue>,
    /// Draws whose turn it is; without it, who was woken first goes first.
    shuffle: RefCell<Option<Chance>>,
}

struct Task {
    role: Role,
    flag: Arc<Flag>,
    waker: Waker,
    /// Out while the task is polled.
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

/// Who was woken, first one first. A waker must be `Sync`, hence the lock.
#[derive(Default)]
struct RunQueue(Mutex<VecDeque<u64>>);

struct Flag {
    id: u64,
    queued: AtomicBool,
    queue: Arc<RunQueue>,
}

impl Flag {
    fn new(id: u64, queue: Arc<RunQueue>) -> Arc<Self> {
        let queued = AtomicBool::new(false);
        Arc::new(Self { id, queued, queue })
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            self.queue.lock().push_back(self.id);
        }
    }
}

impl RunQueue {
    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A future that [`Executor::run_next`] polls beside the tasks, and that may borrow.
pub(super) struct Main<'f, F: Future> {
    future: Pin<&'f mut F>,
    flag: Arc<Flag>,
    waker: Waker,
}

/// What one turn led to.
pub(super) enum Turn<T> {
    /// The main future is done.
    Done(T),
    /// Somebody was polled.
    Went,
    /// Nobody wants a turn.
    Idle,
}

impl Executor {
    pub(super) fn new(shuffle: Option<Chance>) -> Self {
        Self {
            tasks: RefCell::default(),
            next: Cell::new(0),
            queue: Arc::default(),
            shuffle: RefCell::new(shuffle),
        }
    }

    /// Adds a task, which gets its first turn later.
    pub(super) fn spawn(&self, role: Role, future: impl Future<Output = ()> + 'static) {
        let flag = self.flag();
        let waker = Waker::from(flag.clone());
        waker.wake_by_ref();
        let future: Pin<Box<dyn Future<Output = ()>>> = Box::pin(future);
        let task = Task {
            role,
            flag: flag.clone(),
            waker,
            future: Some(future),
        };
        self.tasks.borrow_mut().insert(flag.id, task);
    }

    pub(super) fn main<'f, F: Future>(&self, future: Pin<&'f mut F>) -> Main<'f, F> {
        let flag = self.flag();
        let waker = Waker::from(flag.clone());
        waker.wake_by_ref();
        Main {
            future,
            flag,
            waker,
        }
    }

    /// Gives the next one its turn.
    pub(super) fn run_next<F: Future>(&self, main: &mut Main<'_, F>) -> Turn<F::Output> {
        loop {
            let Some(id) = self.pop() else {
                return Turn::Idle;
            };
            if id == main.flag.id {
                main.flag.queued.store(false, Ordering::Relaxed);
                let polled = main
                    .future
                    .as_mut()
                    .poll(&mut Context::from_waker(&main.waker));
                return match polled {
                    Poll::Ready(value) => Turn::Done(value),
                    Poll::Pending => Turn::Went,
                };
            }
            if self.run(id) {
                return Turn::Went;
            }
        }
    }

    /// Drops all tasks of some role, as the end of their runtime would.
    pub(super) fn drop_tasks(&self, doomed: impl Fn(Role) -> bool) {
        let mut tasks = self.tasks.borrow_mut();
        let ids: Vec<_> = tasks
            .iter()
            .filter(|(_, t)| doomed(t.role))
            .map(|(id, _)| *id)
            .collect();
        let dropped: Vec<_> = ids.iter().filter_map(|id| tasks.remove(id)).collect();
        // what they drop may wake and spawn
        drop(tasks);
        drop(dropped);
    }

    pub(super) fn count(&self, role: Role) -> usize {
        let tasks = self.tasks.borrow();
        tasks.values().filter(|task| task.role == role).count()
    }

    fn flag(&self) -> Arc<Flag> {
        let id = self.next.get();
        self.next.set(id + 1);
        Flag::new(id, self.queue.clone())
    }

    fn pop(&self) -> Option<u64> {
        let mut queue = self.queue.lock();
        match &mut *self.shuffle.borrow_mut() {
            Some(chance) if queue.len() > 1 => {
                let at = chance.below(queue.len());
                queue.remove(at)
            }
            _ => queue.pop_front(),
        }
    }

    /// Polls a task; false if it is gone.
    fn run(&self, id: u64) -> bool {
        let mut tasks = self.tasks.borrow_mut();
        let Some(task) = tasks.get_mut(&id) else {
            return false;
        };
        // before the poll: what wakes it during the poll gives it another turn
        task.flag.queued.store(false, Ordering::Relaxed);
        let Some(mut future) = task.future.take() else {
            return false;
        };
        let waker = task.waker.clone();
        drop(tasks);
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        let mut tasks = self.tasks.borrow_mut();
        let ended = match (polled, tasks.get_mut(&id)) {
            (Poll::Pending, Some(task)) => {
                task.future = Some(future);
                return true;
            }
            _ => tasks.remove(&id),
        };
        drop(tasks);
        drop(ended);
        true
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor")
            .field("tasks", &self.tasks.borrow().len())
            .finish_non_exhaustive()
    }
}

/// The end of a spawned future: resolves with what it returned. Dropping it lets the future go on alone.
#[must_use = "a future that nobody waits for goes on alone; say so with `drop`"]
pub struct Join<T>(Rc<RefCell<JoinState<T>>>);

struct JoinState<T> {
    value: Option<T>,
    waker: Option<Waker>,
}

impl<T: 'static> Join<T> {
    /// Wraps a future so that its value comes out here.
    pub(super) fn new(
        future: impl Future<Output = T> + 'static,
    ) -> (Self, impl Future<Output = ()> + 'static) {
        let state = Rc::new(RefCell::new(JoinState {
            value: None,
            waker: None,
        }));
        let join = Self(state.clone());
        let wrapped = async move {
            let value = future.await;
            let mut state = state.borrow_mut();
            state.value = Some(value);
            let waker = state.waker.take();
            drop(state);
            if let Some(waker) = waker {
                waker.wake();
            }
        };
        (join, wrapped)
    }
}

impl<T> Future for Join<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let mut state = self.0.borrow_mut();
        if let Some(value) = state.value.take() {
            return Poll::Ready(value);
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl<T> fmt::Debug for Join<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Join").finish_non_exhaustive()
    }
}
