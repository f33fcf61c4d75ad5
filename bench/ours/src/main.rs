//! Our clients as benchmark programs: `--runtime tokio`, `tokio-1`, `async-std`, `smol` or `blocking`.

mod asynchronous;
mod blocking;
mod settings;

use std::{pin::Pin, time::Instant};

use bench_contract::{Args, Codec, Mode, skip};
use kafka_proto::{client::Client, config::Config, error::Error};

use settings::Runtime;

fn main() {
    let args = Args::parse();
    let Some(runtime) = Runtime::named(&args.runtime) else {
        eprintln!("no runtime `{}`", args.runtime);
        std::process::exit(2);
    };
    if args.mode == Mode::Group {
        return skip(runtime.client(), &args, "no consumer groups yet");
    }
    if args.mode == Mode::Produce && args.codec != Codec::None {
        return skip(runtime.client(), &args, "does not compress yet");
    }
    match runtime {
        Runtime::Threads => blocking::run(&args),
        Runtime::Tokio | Runtime::TokioCurrentThread => {
            let mut builder = match runtime {
                Runtime::Tokio => tokio::runtime::Builder::new_multi_thread(),
                _ => tokio::runtime::Builder::new_current_thread(),
            };
            let tokio = builder.enable_all().build().expect("a runtime");
            // a task, as users have them: the main thread of a runtime is not one of its workers
            tokio.block_on(async {
                let task = tokio::spawn(asynchronous::run(args, runtime));
                task.await.expect("it does not panic");
            });
        }
        Runtime::AsyncStd => {
            let task = async_std::task::spawn(asynchronous::run(args, runtime));
            async_std::task::block_on(task);
        }
        Runtime::Smol => smol::block_on(smol::spawn(asynchronous::run(args, runtime))),
    }
}

impl Runtime {
    async fn connect(self, args: &Args) -> Result<Client, Error> {
        let brokers = &args.bootstrap;
        let configure = |config: Config| settings::way(args, config);
        let dialer = kafka_client_async_std::Dialer::new().configure(configure);
        match self {
            Self::AsyncStd => dialer.connect(brokers).await,
            Self::Smol => {
                let dialer = dialer.spawner(|task| smol::spawn(task).detach());
                dialer.connect(brokers).await
            }
            _ => {
                let dialer = kafka_client_tokio::Dialer::new().configure(configure);
                dialer.connect(brokers).await
            }
        }
    }

    fn spawn(self, task: impl Future<Output = u64> + Send + 'static) -> Task {
        match self {
            Self::AsyncStd => Box::pin(async_std::task::spawn(task)),
            Self::Smol => Box::pin(smol::spawn(task)),
            _ => {
                let task = tokio::spawn(task);
                Box::pin(async { task.await.expect("it does not panic") })
            }
        }
    }

    async fn sleep_until(self, at: Instant) {
        match self {
            Self::AsyncStd | Self::Smol => drop(async_io::Timer::at(at).await),
            _ => tokio::time::sleep_until(at.into()).await,
        }
    }
}

type Task = Pin<Box<dyn Future<Output = u64> + Send>>;
