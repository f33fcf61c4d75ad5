//! User code that blocks the only thread of a runtime: what keeps a client known to its brokers must go on.
//!
//! `BLOCKED_S` sets for how long (default 2).

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use kafka_client_tokio::api::ApiKey;
use kafka_testing::server::Server;

/// For how long user code blocks.
pub(crate) fn length() -> Duration {
    let seconds = env::var("BLOCKED_S").ok().and_then(|s| s.parse().ok());
    Duration::from_secs(seconds.unwrap_or(2))
}

/// How many requests of one API the broker has got.
#[derive(Clone)]
pub(crate) struct Seen(Arc<AtomicU64>);

impl Seen {
    /// Counts from now on.
    pub(crate) fn of(server: &Server, api: ApiKey) -> Self {
        let seen = Arc::new(AtomicU64::new(0));
        let counted = seen.clone();
        server.cluster().intercept(move |request| {
            counted.fetch_add(u64::from(request.api == api), Ordering::Relaxed);
            None
        });
        Self(seen)
    }

    pub(crate) fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Blocks this thread, and checks that at least `every_second` requests come meanwhile in each second.
    pub(crate) fn go_on_while_this_thread_is_blocked(&self, every_second: u64) {
        let begun = self.now();
        for second in 0..length().as_secs() {
            let before = self.now();
            thread::sleep(Duration::from_secs(1));
            let during = self.now() - before;
            assert!(during >= every_second, "{during} in second {second}");
        }
        let during = self.now() - begun;
        println!(
            "{during} requests while a thread was blocked for {:?}",
            length()
        );
    }
}
