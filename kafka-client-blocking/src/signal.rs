//! Waking a thread that sleeps on its sockets.

use std::{
    io,
    sync::Arc,
    task::{Wake, Waker},
};

use crate::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// Nobody sleeps, and nothing has happened since the last look.
const QUIET: u8 = 0;
/// Something has happened: look before sleeping.
const RUNG: u8 = 1;
/// Somebody sleeps.
const ASLEEP: u8 = 2;

/// A bell beside a bed: rung before its owner sleeps, it keeps him awake.
#[derive(Debug)]
pub(crate) struct Signal {
    state: AtomicU8,
    pub(crate) bell: Bell,
}

impl Signal {
    pub(crate) fn new() -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            state: AtomicU8::new(QUIET),
            bell: Bell::new()?,
        }))
    }

    /// Wakes the sleeper, or keeps the next one from falling asleep.
    pub(crate) fn ring(&self) {
        if self.state.swap(RUNG, Ordering::AcqRel) == ASLEEP {
            self.bell.ring();
        }
    }

    /// Whether something has happened since [`Signal::hear`].
    pub(crate) fn is_rung(&self) -> bool {
        self.state.load(Ordering::Acquire) == RUNG
    }

    /// Takes note: to be called before looking at what happened.
    pub(crate) fn hear(&self) {
        self.state.swap(QUIET, Ordering::AcqRel);
    }

    /// Goes to sleep; `false` if something has happened.
    pub(crate) fn lie_down(&self) -> bool {
        self.state
            .compare_exchange(QUIET, ASLEEP, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Is awake; what has rung stays so.
    pub(crate) fn get_up(&self) {
        // a failure means that it was rung
        let _ = self
            .state
            .compare_exchange(ASLEEP, QUIET, Ordering::AcqRel, Ordering::Acquire);
    }
}

/// A task of the engine: whether it was woken.
#[derive(Debug)]
pub(crate) struct Task {
    woken: Arc<Woken>,
    pub(crate) waker: Waker,
}

#[derive(Debug)]
struct Woken {
    flag: AtomicBool,
    signal: Arc<Signal>,
}

impl Task {
    /// A task that is woken from the start.
    pub(crate) fn new(signal: &Arc<Signal>) -> Self {
        let woken = Arc::new(Woken {
            flag: AtomicBool::new(true),
            signal: signal.clone(),
        });
        Self {
            waker: woken.clone().into(),
            woken,
        }
    }

    /// Whether it was woken since the last look.
    pub(crate) fn take(&self) -> bool {
        self.woken.flag.swap(false, Ordering::AcqRel)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.flag.swap(true, Ordering::AcqRel) {
            self.signal.ring();
        }
    }
}

pub(crate) use bell::Bell;

#[cfg(all(target_os = "linux", not(loom)))]
mod bell {
    use std::{
        io,
        os::fd::{AsFd, BorrowedFd, OwnedFd},
    };

    use rustix::event::{EventfdFlags, eventfd};

    /// What can be slept on beside sockets: an eventfd.
    #[derive(Debug)]
    pub(crate) struct Bell(OwnedFd);

    impl Bell {
        pub(super) fn new() -> io::Result<Self> {
            let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
            Ok(Self(eventfd(0, flags)?))
        }

        pub(super) fn ring(&self) {
            // full is as good as rung
            let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
        }

        pub(crate) fn quieten(&self) {
            // empty is what it shall be
            let _ = rustix::io::read(&self.0, &mut [0; 8]);
        }
    }

    impl AsFd for Bell {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }
}

#[cfg(all(not(target_os = "linux"), not(loom)))]
mod bell {
    use std::{
        io,
        net::{Ipv4Addr, UdpSocket},
    };

    /// What can be slept on beside sockets: a socket that talks to itself.
    #[derive(Debug)]
    pub(crate) struct Bell(UdpSocket);

    impl Bell {
        pub(super) fn new() -> io::Result<Self> {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            socket.connect(socket.local_addr()?)?;
            socket.set_nonblocking(true)?;
            Ok(Self(socket))
        }

        pub(super) fn ring(&self) {
            // full is as good as rung
            let _ = self.0.send(&[1]);
        }

        pub(crate) fn quieten(&self) {
            while self.0.recv(&mut [0; 8]).is_ok() {}
        }
    }

    #[cfg(unix)]
    impl std::os::fd::AsFd for Bell {
        fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
            self.0.as_fd()
        }
    }

    #[cfg(windows)]
    impl std::os::windows::io::AsSocket for Bell {
        fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
            self.0.as_socket()
        }
    }
}

/// loom knows no sockets: the sleeper waits for the bell alone.
#[cfg(loom)]
mod bell {
    use std::io;

    use crate::sync::{Condvar, Lock, wait};

    #[derive(Debug)]
    pub(crate) struct Bell(Lock<bool>, Condvar);

    impl Bell {
        pub(super) fn new() -> io::Result<Self> {
            Ok(Self(Lock::new(false), Condvar::new()))
        }

        pub(super) fn ring(&self) {
            *self.0.lock() = true;
            self.1.notify_one();
        }

        /// Waits until it rings.
        pub(crate) fn listen(&self) {
            let mut rung = self.0.lock();
            while !std::mem::take(&mut *rung) {
                rung = wait(&self.1, rung);
            }
        }
    }
}
