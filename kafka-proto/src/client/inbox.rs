//! What the handles and links tell `Control`.

use std::{
    sync::Arc,
    task::Waker,
    time::{Duration, Instant},
};

use super::{
    call::{RawAnswer, Recipient, Submitted},
    link::Link,
    reader::{Cell, Shelf},
    session::{PartitionQueue, Session, TopicSlot},
    sync::Lock,
};
use crate::error::Error;

/// The way to `Control`, which alone owns the machines of the cluster.
#[derive(Debug)]
pub(crate) struct Inbox {
    state: Lock<State>,
}

#[derive(Debug)]
struct State {
    messages: Vec<Note>,
    waker: Option<Waker>,
    closed: bool,
}

/// Who a call is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Target {
    Any,
    Controller,
    Broker(i32),
}

/// One thing that happened.
#[derive(Debug)]
pub(crate) enum Note {
    /// A call wants a link.
    Call(Target, Submitted),
    /// An answer to one of Control's own requests.
    Answer(Question, Result<RawAnswer, Error>),
    /// A link has finished its handshake.
    Ready(Arc<Link>),
    /// A link has ended.
    Down(Arc<Link>, Error),
    /// A broker has told a link to pause.
    Throttled(Arc<Link>, Duration),
    /// A new session.
    Session(Arc<Session>),
    /// A session has batches and no producer id.
    WantsId(Arc<Session>),
    /// A writer wants to know a topic.
    Topic(Arc<TopicSlot>),
    /// A queue has batches and no link; `true`: its leader has moved.
    Orphan(Arc<PartitionQueue>, bool),
    /// A queue has unresolved batches and is not watched for their deadline.
    Watch(Arc<PartitionQueue>),
    /// A new reader.
    Reader(Arc<Shelf>),
    /// A reader has ended.
    ReaderClosed(u64),
    /// A cursor has no link; `true`: its leader has moved.
    Lost(Arc<Shelf>, Arc<Cell>, bool),
    /// Somebody waits for the first metadata.
    Await(Arc<super::promise::Promise<Result<(), Error>>>),
    /// Somebody sleeps.
    Sleep(Instant, Arc<super::promise::Promise<()>>),
    /// The controller has moved.
    Refresh,
    /// The last handle is gone, or `close` was called.
    Close,
}

/// What Control asks on its own account.
#[derive(Clone, Debug)]
pub(crate) enum Question {
    /// Of the peer that is asked.
    Metadata(Arc<str>),
    ProducerId(Arc<Session>),
}

impl Inbox {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Lock::new(State {
                messages: Vec::new(),
                waker: None,
                closed: false,
            }),
        })
    }

    /// Tells Control; where it is gone, whoever waits for the note learns that at once.
    pub(crate) fn tell(&self, note: Note) {
        let mut state = self.state.lock();
        if state.closed {
            drop(state);
            return note.refuse();
        }
        state.messages.push(note);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Lets Control look again.
    pub(crate) fn wake(&self) {
        let waker = self.state.lock().waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Takes all notes into `out`; registers `waker` if there are none.
    pub(crate) fn take(&self, out: &mut Vec<Note>, waker: &Waker) {
        let mut state = self.state.lock();
        if !state.messages.is_empty() {
            return std::mem::swap(&mut state.messages, out);
        }
        if state.waker.as_ref().is_some_and(|w| w.will_wake(waker)) {
            return;
        }
        let old = state.waker.replace(waker.clone());
        drop(state);
        drop(old);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    /// Control is gone: refuses what came and what will come.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        let messages = std::mem::take(&mut state.messages);
        let waker = state.waker.take();
        drop(state);
        drop(waker);
        messages.into_iter().for_each(Note::refuse);
    }
}

impl Note {
    /// Control will never see this note.
    fn refuse(self) {
        let closed = Error::closed;
        match self {
            Self::Call(_, submitted) => submitted.to.resolve(Err(closed())),
            Self::Topic(slot) => slot.fail(closed()),
            Self::Orphan(queue, _) | Self::Watch(queue) => queue.end(&closed()),
            Self::Session(session) | Self::WantsId(session) => session.end(&closed()),
            Self::Reader(shelf) | Self::Lost(shelf, ..) => shelf.close(),
            Self::Await(readiness) => readiness.resolve(Err(closed())),
            Self::Sleep(_, alarm) => alarm.resolve(()),
            Self::Answer(..)
            | Self::Ready(_)
            | Self::Down(..)
            | Self::Throttled(..)
            | Self::ReaderClosed(_)
            | Self::Refresh
            | Self::Close => {}
        }
    }
}

impl Recipient {
    /// Hands over an answer.
    pub(crate) fn resolve(self, answer: Result<RawAnswer, Error>) {
        match self {
            Self::Slot(slot) => slot.resolve(answer),
            Self::Control(inbox, question) => inbox.tell(Note::Answer(question, answer)),
        }
    }
}
