//! Driving: a thread for a client's control, and a task for each connection.

use std::{
    future::Future,
    io,
    net::{SocketAddr, TcpStream},
    sync::Arc,
    thread,
};

use async_executor::Executor;
use async_io::Async;
use futures_lite::future::block_on;
use kafka_proto::client::{Clock, Control, Runtime, Transport, drive_client};

use crate::{
    clock::SystemClock,
    open::{AsyncIo, Opener, Own},
    spawn::Spawner,
    stream::{Boxed, Tcp, Timer},
};

impl Runtime for AsyncIo {
    type Own = Own;
    type Timer = Timer;

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(task);
    }

    /// User code that blocks an executor must not end a membership, and nobody can tell how many threads an executor has.
    /// So the control and the links that keep a client known to its brokers have a thread, and only links that carry
    /// records run as tasks of this executor. (Those on an own thread would cost every write two hops between threads.)
    /// The thread sleeps without driving sockets and timers, which would have it wake the others for each of their events.
    fn start(self, control: Control, opener: Opener) -> io::Result<()> {
        let executor = Arc::new(Executor::new());
        let spawn = Arc::downgrade(&executor);
        let own = Self(Spawner::new(move |task| {
            if let Some(executor) = spawn.upgrade() {
                executor.spawn(task).detach();
            }
        }));
        // neither ever sends: each side learns by it that the other has ended
        let (here, there_ended) = async_channel::bounded::<()>(1);
        let (there, here_ended) = async_channel::bounded::<()>(1);
        self.spawn(async move {
            let _here = here;
            let _ = here_ended.recv().await;
        });
        let drive = move || {
            let _there = there;
            let data_ended = async {
                let _ = there_ended.recv().await;
            };
            let driving = drive_client(control, opener, own, self, data_ended);
            block_on(executor.run(driving));
        };
        thread::Builder::new()
            .name("kafka-control".to_owned())
            .spawn(drive)?;
        Ok(())
    }

    fn addresses(socket: &Async<TcpStream>) -> io::Result<(SocketAddr, SocketAddr)> {
        let socket = socket.get_ref();
        Ok((socket.local_addr()?, socket.peer_addr()?))
    }

    fn over_socket(socket: Async<TcpStream>) -> impl Transport + Send + Unpin + 'static {
        Tcp::new(socket)
    }

    fn over_own(stream: Own) -> impl Transport + Send + Unpin + 'static {
        Boxed::new(stream)
    }
}
