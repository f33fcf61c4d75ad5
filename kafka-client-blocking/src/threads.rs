//! A connection over streams that block: one thread writes, another reads.

use std::{
    io::{IoSlice, Read, Write},
    sync::Arc,
    task::{Context, Poll},
    thread::{self, JoinHandle},
};

use kafka_proto::{
    client::{Clock, Inbound, Outbound},
    error::Error,
};

use crate::seat::Caller;

const NO_THREAD: &str = "the system refused a thread for a connection: it may have reached the limit of its user or \
                         container";
const SLICES: usize = 64;

/// Starts both; `close` must end a read that waits.
pub(crate) fn start(
    halves: (Outbound, Inbound),
    streams: (impl Read + Send + 'static, impl Write + Send + 'static),
    close: impl FnOnce() + Send + 'static,
    clock: Arc<dyn Clock>,
) -> Result<Vec<JoinHandle<()>>, Error> {
    let (outbound, inbound) = halves;
    let (from, to) = streams;
    let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
        let thread = thread::Builder::new().name(name.to_owned()).spawn(run);
        thread.map_err(|_| Error::no_runtime(NO_THREAD))
    };
    let now = clock.clone();
    let write = Box::new(move || {
        write(outbound, to, &*now);
        close();
    });
    let write = spawn("kafka-write", write)?;
    let read = spawn("kafka-read", Box::new(move || read(inbound, from, &*clock)))?;
    Ok(vec![write, read])
}

/// Writes what there is until the link ends.
fn write(mut outbound: Outbound, mut stream: impl Write, clock: &dyn Clock) {
    let caller = Caller::new(None);
    let waker = caller.clone().into();
    let mut cx = Context::from_waker(&waker);
    loop {
        match outbound.poll(clock.now(), &mut cx) {
            Poll::Ready(false) => return,
            Poll::Ready(true) => {
                let mut slices = [IoSlice::new(&[]); SLICES];
                let count = outbound.slices(&mut slices);
                let written = stream.write_vectored(&slices[..count]);
                match written {
                    Ok(0) => outbound.failed(std::io::ErrorKind::WriteZero.into()),
                    Ok(n) => outbound.consume(n),
                    Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(e) => outbound.failed(e),
                }
            }
            Poll::Pending => {
                // a writer with a buffer sends it before it is waited for
                if let Err(e) = stream.flush() {
                    outbound.failed(e);
                    continue;
                }
                // woken or late: both are reasons to look again
                let _ = caller.sleep(outbound.deadline());
            }
        }
    }
}

/// Reads what comes until the link or the stream ends.
fn read(mut inbound: Inbound, mut stream: impl Read, clock: &dyn Clock) {
    loop {
        match stream.read(inbound.space()) {
            Ok(n) if matches!(inbound.filled(n, clock.now()), Ok(true)) => {}
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Ok(_) => return,
            Err(e) => return inbound.failed(e),
        }
    }
}
