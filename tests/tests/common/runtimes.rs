//! The async runtimes that a client runs on, as one type: a story about the client is told once and run on each.
#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "every test binary compiles this module, not all of them use all of it"
)]

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, Weak, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use futures_lite::future::block_on;
use kafka_client_tokio::{Client, Config, Conn, Error};
use smol::{Executor, channel};

/// How long any story may take.
const LIMIT: Duration = Duration::from_secs(120);

#[allow(unused_macros, reason = "trials have names of their own")]
/// Tells a story, a `fn(Runtime)`, on each of some runtimes: a test is called `story::runtime`.
macro_rules! on_each {
    ($($story:ident: $($runtime:ident)*;)*) => {
        $(mod $story {
            $(#[test]
            fn $runtime() {
                super::$story($crate::runtimes::Runtime::$runtime);
            })*
        })*
    };
}
#[allow(unused_imports, reason = "as above")]
pub(crate) use on_each;

/// Which runtime.
#[allow(non_camel_case_types, reason = "tests are named after them")]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Runtime {
    /// Two workers.
    tokio,
    /// tokio's runtime of many threads, with one: what a container with one core gets.
    tokio_one_worker,
    /// tokio's runtime of one thread.
    tokio_current_thread,
    /// As many threads as there are cores, or as `ASYNC_STD_THREAD_COUNT` says; one for the process.
    async_std,
    /// One thread, unless `SMOL_THREADS` says otherwise; one for the process.
    smol,
    /// An executor of the caller, which one thread runs.
    executor,
}

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A runtime that runs, on threads that are not the test's.
pub(crate) struct Host {
    handle: Handle,
    kind: Kind,
}

#[derive(Clone)]
enum Handle {
    Tokio(tokio::runtime::Handle),
    Executor(Weak<Executor<'static>>),
    AsyncStd,
    Smol,
}

enum Kind {
    Tokio(tokio::runtime::Runtime),
    /// It ends, and the runtime with it, once the sender is dropped.
    Thread(channel::Sender<()>, JoinHandle<()>),
    Global,
}

impl Host {
    pub(crate) fn start(runtime: Runtime) -> Self {
        match runtime {
            Runtime::tokio | Runtime::tokio_one_worker => {
                let mut builder = tokio::runtime::Builder::new_multi_thread();
                let workers = if runtime == Runtime::tokio { 2 } else { 1 };
                let runtime = builder.worker_threads(workers).enable_all().build();
                let runtime = runtime.expect("a runtime");
                Self {
                    handle: Handle::Tokio(runtime.handle().clone()),
                    kind: Kind::Tokio(runtime),
                }
            }
            Runtime::tokio_current_thread => {
                let mut builder = tokio::runtime::Builder::new_current_thread();
                let runtime = builder.enable_all().build().expect("a runtime");
                let handle = Handle::Tokio(runtime.handle().clone());
                Self::on_a_thread(handle, move |stopped| {
                    runtime.block_on(stopped);
                })
            }
            Runtime::executor => {
                let executor = Arc::new(Executor::new());
                let handle = Handle::Executor(Arc::downgrade(&executor));
                Self::on_a_thread(handle, move |stopped| block_on(executor.run(stopped)))
            }
            Runtime::async_std => Self {
                handle: Handle::AsyncStd,
                kind: Kind::Global,
            },
            Runtime::smol => Self {
                handle: Handle::Smol,
                kind: Kind::Global,
            },
        }
    }

    fn on_a_thread(handle: Handle, run: impl FnOnce(Work) + Send + 'static) -> Self {
        let (stop, stopped) = channel::bounded::<()>(1);
        let stopped = Box::pin(async move {
            let _ = stopped.recv().await;
        });
        let thread = thread::spawn(move || run(stopped));
        Self {
            handle,
            kind: Kind::Thread(stop, thread),
        }
    }

    /// Runs a story as a task, and waits for its end outside of the runtime.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        story: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let (send, receive) = mpsc::channel();
        let task = self.spawn(async move {
            let _ = send.send(story.await);
        });
        match receive.recv_timeout(LIMIT) {
            Ok(told) => told,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("the story does not end"),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                drop(task);
                panic!("the story panicked, or its runtime ended")
            }
        }
    }

    /// Runs a task beside the others.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) -> Task {
        self.handle.spawn(Box::pin(work))
    }

    /// How a story on this runtime connects and spawns.
    pub(crate) fn dialer(&self) -> Dialer {
        let handle = self.handle.clone();
        let adapter = match &handle {
            Handle::Tokio(_) => Adapter::Tokio(kafka_client_tokio::Dialer::new()),
            Handle::AsyncStd => Adapter::AsyncIo(kafka_client_async_std::Dialer::new()),
            // one build has one default, which is async-std here
            Handle::Smol | Handle::Executor(_) => {
                let handle = handle.clone();
                let spawn = move |work: Work| handle.spawn(work).detach();
                Adapter::AsyncIo(kafka_client_async_std::Dialer::new().spawner(spawn))
            }
        };
        Dialer { adapter, handle }
    }

    /// Ends the runtime and drops its tasks; those that are for the process go on.
    pub(crate) fn shut_down(self) {
        match self.kind {
            Kind::Tokio(runtime) => runtime.shutdown_timeout(LIMIT),
            Kind::Thread(stop, thread) => {
                drop(stop);
                thread.join().expect("a thread without a panic");
            }
            Kind::Global => {}
        }
    }
}

impl Handle {
    fn spawn(&self, work: Work) -> Task {
        match self {
            Self::Tokio(handle) => Task::Tokio(handle.spawn(work)),
            Self::AsyncStd => Task::AsyncStd(async_std::task::spawn(work)),
            Self::Smol => Task::Smol(Some(smol::spawn(work))),
            Self::Executor(executor) => {
                // dropped with the executor, as the task would be
                Task::Smol(executor.upgrade().map(|executor| executor.spawn(work)))
            }
        }
    }
}

/// A task by the means of its runtime. Drop it by [`Task::detach`]: some runtimes end what is dropped.
pub(crate) enum Task {
    Tokio(tokio::task::JoinHandle<()>),
    AsyncStd(async_std::task::JoinHandle<()>),
    Smol(Option<smol::Task<()>>),
}

impl Task {
    /// Drops what it does, wherever it waits.
    pub(crate) async fn abort(self) {
        match self {
            Self::Tokio(task) => {
                task.abort();
                assert!(task.await.expect_err("aborted").is_cancelled());
            }
            Self::AsyncStd(task) => assert!(task.cancel().await.is_none(), "it was at its end"),
            Self::Smol(task) => {
                let task = task.expect("an executor that lives");
                assert!(task.cancel().await.is_none(), "it was at its end");
            }
        }
    }

    pub(crate) fn detach(self) {
        if let Self::Smol(Some(task)) = self {
            task.detach();
        }
    }
}

/// The adapter's dialer for a runtime.
#[derive(Clone)]
pub(crate) struct Dialer {
    adapter: Adapter,
    handle: Handle,
}

#[derive(Clone)]
enum Adapter {
    Tokio(kafka_client_tokio::Dialer),
    AsyncIo(kafka_client_async_std::Dialer),
}

impl Dialer {
    pub(crate) fn configure(self, change: impl FnOnce(Config) -> Config) -> Self {
        let adapter = match self.adapter {
            Adapter::Tokio(dialer) => Adapter::Tokio(dialer.configure(change)),
            Adapter::AsyncIo(dialer) => Adapter::AsyncIo(dialer.configure(change)),
        };
        Self { adapter, ..self }
    }

    pub(crate) fn resolver(
        self,
        lookup: impl Fn(&str) -> io::Result<Vec<String>> + Send + Sync + 'static,
    ) -> Self {
        let lookup = move |host: String| std::future::ready(lookup(&host));
        let adapter = match self.adapter {
            Adapter::Tokio(dialer) => Adapter::Tokio(dialer.resolver(lookup)),
            Adapter::AsyncIo(dialer) => Adapter::AsyncIo(dialer.resolver(lookup)),
        };
        Self { adapter, ..self }
    }

    /// A resolver that never finds anything, nor ends.
    pub(crate) fn hanging_resolver(self) -> Self {
        let adapter = match self.adapter {
            Adapter::Tokio(dialer) => Adapter::Tokio(dialer.resolver(|_| std::future::pending())),
            Adapter::AsyncIo(dialer) => {
                Adapter::AsyncIo(dialer.resolver(|_| std::future::pending()))
            }
        };
        Self { adapter, ..self }
    }

    pub(crate) async fn connect(&self, brokers: &str) -> Result<Client, Error> {
        match &self.adapter {
            Adapter::Tokio(dialer) => dialer.connect(brokers).await,
            Adapter::AsyncIo(dialer) => dialer.connect(brokers).await,
        }
    }

    pub(crate) fn connect_lazy(&self, brokers: &str) -> Result<Client, Error> {
        match &self.adapter {
            Adapter::Tokio(dialer) => dialer.connect_lazy(brokers),
            Adapter::AsyncIo(dialer) => dialer.connect_lazy(brokers),
        }
    }

    pub(crate) async fn dial(&self, broker: &str) -> Result<Conn, Error> {
        match &self.adapter {
            Adapter::Tokio(dialer) => dialer.dial(broker).await,
            Adapter::AsyncIo(dialer) => dialer.dial(broker).await,
        }
    }

    pub(crate) async fn dial_leader(
        &self,
        broker: &str,
        topic: &str,
        partition: i32,
    ) -> Result<Conn, Error> {
        match &self.adapter {
            Adapter::Tokio(dialer) => dialer.dial_leader(broker, topic, partition).await,
            Adapter::AsyncIo(dialer) => dialer.dial_leader(broker, topic, partition).await,
        }
    }

    /// Runs a task on the same runtime.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) -> Task {
        self.handle.spawn(Box::pin(work))
    }
}

/// Waits by no runtime's timer.
pub(crate) async fn sleep(time: Duration) {
    async_io::Timer::after(time).await;
}
