//! One text, every runtime: each scenario runs on tokio, async-std, smol and plain threads, against the in-process broker
//! and real Kafka.
//!
//! The text is in `scenarios/stories.rs` and, for single connections, which talk to older brokers, too, in
//! `scenarios/connections.rs`. It is included once for each runtime, with macros that say what differs: `go!`
//! is an `.await` or nothing, `task!` starts a task or a thread, `join!` waits for it. A trial is called
//! `story::runtime::broker`: `cargo test -p kafka-testing --test scenarios -- smol::kafka_2_8_2` runs what that is a
//! part of.
//!
//! `TRANSFER=1000000` sets how many messages each runtime writes for each to read (default 20,000).

mod common;
#[path = "scenarios/places.rs"]
mod places;
#[path = "scenarios/transfer.rs"]
mod transfer;

use libtest_mimic::Arguments;
use places::{Place, Places};

/// A scenario by its name.
type Story = (&'static str, fn(Place));

/// One runtime.
struct Runtime {
    name: &'static str,
    stories: &'static [Story],
    connections: &'static [Story],
    write: fn(Place, String, u64),
    read: fn(Place, String, u64) -> transfer::Contents,
}

const RUNTIMES: [Runtime; 4] = [
    tokio::RUNTIME,
    async_std::RUNTIME,
    smol::RUNTIME,
    blocking::RUNTIME,
];

fn main() {
    let places = Places::default();
    let mut trials = Vec::new();
    for place in places::NAMES {
        for runtime in &RUNTIMES {
            for (story, run) in runtime.stories {
                let name = format!("{story}::{}::{place}", runtime.name);
                trials.push(places.trial(&name, place, move |place| {
                    run(place);
                    Ok(())
                }));
            }
        }
        let name = format!("each_runtime_reads_what_each_wrote::{place}");
        trials.push(places.trial(&name, place, |place| transfer::run(&RUNTIMES, &place)));
    }
    for place in places::OF_CONNECTIONS {
        for runtime in &RUNTIMES {
            for (story, run) in runtime.connections {
                let name = format!("{story}::{}::{place}", runtime.name);
                let trial = places.trial(&name, place, move |place| {
                    run(place);
                    Ok(())
                });
                trials.push(trial.with_ignored_flag(places::IGNORED.contains(&place)));
            }
        }
    }
    let mut arguments = Arguments::from_args();
    // most of their time goes by waiting
    arguments.test_threads.get_or_insert(8);
    let conclusion = libtest_mimic::run(&arguments, trials);
    // brokers end with it, and an exit would leave them
    drop(places);
    conclusion.exit();
}

/// What the async adapters' text differs in.
macro_rules! async_text {
    ($d:tt) => {
        macro_rules! scenario {
                                    ($d name:ident $d args:tt $d body:block) => {
                                        async fn $d name $d args $d body
                                    };
                                    ($d name:ident $d args:tt -> $d out:ty $d body:block) => {
                                        async fn $d name $d args -> $d out $d body
                                    };
                                }
        macro_rules! go {
                                    ($d call:expr) => {
                                        $d call.await
                                    };
                                }
        macro_rules! task {
                                    ($d body:block) => {
                                        spawn(async move $d body)
                                    };
                                }
        macro_rules! join {
                                    ($d task:expr) => {
                                        $d task.await
                                    };
                                }
        macro_rules! run {
                                    ($d call:expr) => {
                                        run($d call)
                                    };
                                }

        async fn wait_for(
            receipt: kafka::Receipt,
        ) -> Result<Vec<kafka::Written>, kafka::WriteError> {
            receipt.await
        }
    };
}

/// What the text of the runtimes on `async-io` has in common.
macro_rules! async_io_text {
    () => {
        async_text!($);

        async fn sleep(time: Duration) {
            async_io::Timer::after(time).await;
        }

        async fn read_within(
            reader: &mut kafka::Reader,
            limit: Duration,
        ) -> Result<Option<kafka::Message>, kafka::Error> {
            let late = async {
                sleep(limit).await;
                Ok(None)
            };
            futures_lite::future::or(reader.read_message(), late).await
        }
    };
}

mod tokio {
    use std::future::Future;

    use kafka_client_tokio as kafka;

    const NAME: &str = "tokio";

    async_text!($);

    fn spawn<T: Send + 'static>(
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> {
        let task = ::tokio::spawn(task);
        async { task.await.expect("a task without a panic") }
    }

    fn run<T: Send + 'static>(scenario: impl Future<Output = T> + Send + 'static) -> T {
        let mut builder = ::tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_all().build();
        runtime
            .expect("a runtime")
            .block_on(async { spawn(scenario).await })
    }

    fn dialer() -> kafka::Dialer {
        kafka::Dialer::new()
    }

    async fn sleep(time: Duration) {
        ::tokio::time::sleep(time).await;
    }

    async fn read_within(
        reader: &mut kafka::Reader,
        limit: Duration,
    ) -> Result<Option<kafka::Message>, kafka::Error> {
        let read = ::tokio::time::timeout(limit, reader.read_message());
        read.await.unwrap_or(Ok(None))
    }

    include!("scenarios/stories.rs");
    include!("scenarios/connections.rs");
}

mod async_std {
    use std::future::Future;

    use kafka_client_async_std as kafka;

    const NAME: &str = "async_std";

    async_io_text!();

    fn spawn<T: Send + 'static>(
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> {
        ::async_std::task::spawn(task)
    }

    fn run<T: Send + 'static>(scenario: impl Future<Output = T> + Send + 'static) -> T {
        ::async_std::task::block_on(spawn(scenario))
    }

    fn dialer() -> kafka::Dialer {
        kafka::Dialer::new()
    }

    include!("scenarios/stories.rs");
    include!("scenarios/connections.rs");
}

mod smol {
    use std::future::Future;

    use kafka_client_async_std as kafka;

    const NAME: &str = "smol";

    async_io_text!();

    fn spawn<T: Send + 'static>(
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> {
        ::smol::spawn(task)
    }

    fn run<T: Send + 'static>(scenario: impl Future<Output = T> + Send + 'static) -> T {
        ::smol::block_on(spawn(scenario))
    }

    /// One build has one default, which is async-std here.
    fn dialer() -> kafka::Dialer {
        kafka::Dialer::new().spawner(|task| ::smol::spawn(task).detach())
    }

    include!("scenarios/stories.rs");
    include!("scenarios/connections.rs");
}

mod blocking {
    use kafka_client_blocking as kafka;

    const NAME: &str = "blocking";

    macro_rules! scenario {
        ($name:ident $args:tt $body:block) => {
            fn $name $args $body
        };
        ($name:ident $args:tt -> $out:ty $body:block) => {
            fn $name $args -> $out $body
        };
    }
    macro_rules! go {
        ($call:expr) => {
            $call
        };
    }
    macro_rules! task {
        ($body:block) => {
            std::thread::spawn(move || $body)
        };
    }
    macro_rules! join {
        ($task:expr) => {
            $task.join().expect("a thread without a panic")
        };
    }
    macro_rules! run {
        ($call:expr) => {
            $call
        };
    }

    fn wait_for(receipt: kafka::Receipt) -> Result<Vec<kafka::Written>, kafka::WriteError> {
        receipt.wait()
    }

    fn dialer() -> kafka::Dialer {
        kafka::Dialer::new()
    }

    fn sleep(time: Duration) {
        std::thread::sleep(time);
    }

    fn read_within(
        reader: &mut kafka::Reader,
        limit: Duration,
    ) -> Result<Option<kafka::Message>, kafka::Error> {
        reader.read_message_timeout(limit)
    }

    include!("scenarios/stories.rs");
    include!("scenarios/connections.rs");
}
