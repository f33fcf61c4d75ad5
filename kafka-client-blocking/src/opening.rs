//! How a broker's socket comes about: by lookup and TCP, or by the user's own way.

use std::{
    fmt,
    io::{self, ErrorKind},
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    os::fd::OwnedFd,
    sync::{
        Arc,
        mpsc::{Receiver, TryRecvError, sync_channel},
    },
    task::Waker,
    thread,
    time::Instant,
};

use kafka_proto::{
    client::{Attempts, Dial, Failures, Now, looked_up},
    config::{Address, Dialing},
};
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

/// What the user does in place of lookup or connect.
#[derive(Clone, Default)]
pub(crate) struct Opener {
    pub(crate) resolver: Option<Arc<Resolve>>,
    pub(crate) connector: Option<Arc<Connect>>,
}

pub(crate) type Resolve = dyn Fn(&str) -> io::Result<Vec<String>> + Send + Sync;
pub(crate) type Connect = dyn Fn(&str, u16) -> io::Result<OwnedFd> + Send + Sync;

/// A connection that is being made.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) dial: Dial,
    dialing: Dialing,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Begin(Opener),
    /// A thread looks the name up, or does what the user has in place of that: either blocks and cannot be called off.
    Asked(Receiver<io::Result<Found>>),
    /// The system connects.
    Connecting {
        attempts: Attempts,
        running: Vec<(SocketAddr, Socket)>,
        failures: Failures,
    },
}

#[derive(Debug)]
enum Found {
    Addresses(Vec<SocketAddr>),
    Stream(TcpStream),
}

/// How far an opening is.
#[derive(Debug)]
pub(crate) enum Progress {
    /// To be looked at again when woken, when a socket has news, or then.
    Waiting(Instant),
    Open(TcpStream),
    Failed(io::Error),
    /// Nobody needs it any more.
    Unwanted,
}

impl Opening {
    pub(crate) fn new(dial: Dial, dialing: Dialing, opener: Opener) -> Self {
        Self {
            dial,
            dialing,
            stage: Stage::Begin(opener),
        }
    }

    /// The sockets that may have news once they can be written to.
    pub(crate) fn sockets(&self) -> impl Iterator<Item = &Socket> {
        let running = match &self.stage {
            Stage::Connecting { running, .. } => running.as_slice(),
            _ => &[],
        };
        running.iter().map(|(_, socket)| socket)
    }

    /// Goes on as far as it can.
    pub(crate) fn go_on(&mut self, now: Now, waker: &Waker) -> Progress {
        let mut cx = std::task::Context::from_waker(waker);
        if self.dial.inbound.poll_closed(&mut cx).is_ready() {
            return Progress::Unwanted;
        }
        match self.step(now, waker) {
            Ok(progress) => progress,
            Err(error) => Progress::Failed(error),
        }
    }

    fn step(&mut self, now: Now, waker: &Waker) -> io::Result<Progress> {
        let deadline = self.dial.deadline;
        let addresses = match &mut self.stage {
            Stage::Begin(opener) => match (self.dial.address.literal(), &opener.connector) {
                (Some(literal), None) => vec![literal],
                _ => {
                    let found = opener.ask(&self.dial.address, waker.clone())?;
                    self.stage = Stage::Asked(found);
                    return Ok(Progress::Waiting(deadline));
                }
            },
            Stage::Asked(found) => match found.try_recv() {
                Ok(found) => match found? {
                    Found::Stream(stream) => return Ok(Progress::Open(stream)),
                    Found::Addresses(addresses) => addresses,
                },
                Err(TryRecvError::Empty) if now.instant < deadline => {
                    return Ok(Progress::Waiting(deadline));
                }
                Err(TryRecvError::Empty) => return Err(Failures::default().late()),
                Err(TryRecvError::Disconnected) => {
                    return Err(io::Error::other("the lookup panicked"));
                }
            },
            Stage::Connecting { .. } => return self.connect(now),
        };
        self.stage = Stage::Connecting {
            attempts: self.dialing.attempts(addresses, now.instant, deadline)?,
            running: Vec::new(),
            failures: Failures::default(),
        };
        self.connect(now)
    }

    /// Looks at what the sockets have come to, and begins with the next address when it is its turn.
    fn connect(&mut self, now: Now) -> io::Result<Progress> {
        let deadline = self.dial.deadline;
        let Stage::Connecting {
            attempts,
            running,
            failures,
        } = &mut self.stage
        else {
            return Ok(Progress::Waiting(deadline));
        };
        loop {
            let mut at = 0;
            while let Some((address, socket)) = running.get(at) {
                match (socket.take_error(), socket.peer_addr()) {
                    (Ok(None), Ok(_)) => {
                        let (_, socket) = running.swap_remove(at);
                        return Ok(Progress::Open(socket.into()));
                    }
                    (Ok(None), Err(_)) => at += 1,
                    (Ok(Some(error)) | Err(error), _) => {
                        failures.add(*address, error);
                        running.swap_remove(at);
                        attempts.handle_failed(now.instant);
                    }
                }
            }
            match attempts.poll_start(now.instant) {
                Some(address) => match begin(address, &self.dialing) {
                    Ok(socket) => running.push((address, socket)),
                    Err(error) => {
                        failures.add(address, error);
                        attempts.handle_failed(now.instant);
                    }
                },
                None if attempts.is_over() => return Err(failures.error()),
                None if now.instant >= deadline => return Err(failures.late()),
                None => {
                    let next = attempts.poll_timeout().unwrap_or(deadline);
                    return Ok(Progress::Waiting(next.min(deadline)));
                }
            }
        }
    }
}

impl Opener {
    /// Has a thread find what there is at `address`, and wake `waker` then.
    fn ask(&self, address: &Address, waker: Waker) -> io::Result<Receiver<io::Result<Found>>> {
        let (send, receive) = sync_channel(1);
        let (opener, address) = (self.clone(), address.clone());
        let look = move || {
            // also where the user's function panics
            let _wake = WakeAtEnd(waker);
            // whoever asked may be gone
            let _ = send.send(opener.find(&address));
        };
        thread::Builder::new()
            .name("kafka-lookup".to_owned())
            .spawn(look)?;
        Ok(receive)
    }

    fn find(&self, address: &Address) -> io::Result<Found> {
        let Address { host, port, .. } = address;
        if let Some(connect) = &self.connector {
            let stream = TcpStream::from(connect(host, *port)?);
            stream.set_nonblocking(true)?;
            return Ok(Found::Stream(stream));
        }
        let found = match &self.resolver {
            Some(resolve) => resolve(host).and_then(|found| address.resolved(&found)),
            None => (host.as_str(), *port)
                .to_socket_addrs()
                .map(Iterator::collect),
        };
        looked_up(address, found).map(Found::Addresses)
    }
}

struct WakeAtEnd(Waker);

impl Drop for WakeAtEnd {
    fn drop(&mut self) {
        self.0.wake_by_ref();
    }
}

/// A socket with its options, which connects.
fn begin(address: SocketAddr, dialing: &Dialing) -> io::Result<Socket> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(dialing.no_delay())?;
    if let Some(silence) = dialing.keep_alive() {
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(silence))?;
    }
    if let Some(local) = dialing.local_addr() {
        socket.bind(&local.into())?;
    }
    match socket.connect(&address.into()) {
        Err(e) if !is_in_progress(&e) => Err(e),
        _ => Ok(socket),
    }
}

fn is_in_progress(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    error.kind() == ErrorKind::WouldBlock
        || code == Some(rustix::io::Errno::INPROGRESS.raw_os_error())
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener")
            .field("resolver", &self.resolver.is_some())
            .field("connector", &self.connector.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, time::Duration};

    use super::*;

    /// DI-07, and the options beside it.
    #[test]
    fn a_socket_has_the_options_of_the_dialer() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let silence = Duration::from_secs(77);
        let config = kafka_proto::config::Config::without_brokers();
        let told = config.clone().keep_alive(Some(silence)).no_delay(false);
        for (config, kept, no_delay) in [(config, None, true), (told, Some(silence), false)] {
            let socket = begin(address, config.dialing()).expect("it connects");
            assert_eq!(socket.keepalive().expect("an option"), kept.is_some());
            if let Some(time) = kept {
                assert_eq!(socket.tcp_keepalive_time().expect("an option"), time);
            }
            assert_eq!(socket.tcp_nodelay().expect("an option"), no_delay);
        }
    }
}
