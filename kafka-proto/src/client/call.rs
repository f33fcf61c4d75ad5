//! One request, one response.

use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Instant,
};

use bytes::Bytes;

use super::{
    inbox::{Inbox, Question},
    sync::Lock,
};
use crate::{
    api::{ApiKey, Request},
    error::Error,
    wire::{self, Writer},
};

/// The response to a request that is on its way.
///
/// Dropping it gives up the answer and nothing else: the request may have been sent, and the connection goes on.
#[must_use = "futures do nothing unless polled"]
pub struct Call<R: Request> {
    slot: Arc<Slot>,
    request: PhantomData<fn() -> R>,
}

/// A response as bytes, and the version that they are in.
#[derive(Debug)]
pub(crate) struct RawAnswer {
    pub(crate) version: i16,
    pub(crate) body: Bytes,
}

/// Where a caller finds its answer.
#[derive(Debug)]
pub(crate) struct Slot {
    state: Lock<SlotState>,
}

#[derive(Debug)]
enum SlotState {
    Waiting(Option<Waker>),
    Done(Result<RawAnswer, Error>),
    Abandoned,
}

/// A request that waits for a link.
pub(crate) struct Submitted {
    pub(crate) ask: Box<dyn Ask>,
    pub(crate) to: Recipient,
    /// When the caller stops waiting.
    pub(crate) deadline: Option<Instant>,
}

/// Who gets an answer.
#[derive(Debug)]
pub(crate) enum Recipient {
    Slot(Arc<Slot>),
    Control(Arc<Inbox>, Question),
}

/// A request of any type.
pub(crate) trait Ask: Send + Sync {
    fn api(&self) -> ApiKey;
    /// The highest version that may be used.
    fn limit(&self) -> i16;
    fn misfit(&self, version: i16) -> Option<&'static str>;
    fn write(&self, w: &mut Writer);
    /// How long the broker may take on top of the request time-out.
    fn extra_wait(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }
}

struct Asked<R> {
    request: R,
    limit: i16,
    extra: std::time::Duration,
}

impl<R: Request + Send + Sync> Ask for Asked<R> {
    fn api(&self) -> ApiKey {
        R::API
    }
    fn limit(&self) -> i16 {
        self.limit
    }
    fn misfit(&self, version: i16) -> Option<&'static str> {
        self.request.misfit(version)
    }
    fn write(&self, w: &mut Writer) {
        self.request.write(w);
    }
    fn extra_wait(&self) -> std::time::Duration {
        self.extra
    }
}

impl Submitted {
    /// A request and the call that waits for its answer.
    pub(crate) fn call<R>(request: R, limit: i16, deadline: Option<Instant>) -> (Self, Call<R>)
    where
        R: Request + Send + Sync + 'static,
    {
        Self::parked(request, limit, std::time::Duration::ZERO, deadline)
    }

    /// The same for a request that the broker may hold back for `extra`.
    pub(crate) fn parked<R>(
        request: R,
        limit: i16,
        extra: std::time::Duration,
        deadline: Option<Instant>,
    ) -> (Self, Call<R>)
    where
        R: Request + Send + Sync + 'static,
    {
        let slot = Arc::new(Slot {
            state: Lock::new(SlotState::Waiting(None)),
        });
        let ask = Box::new(Asked {
            request,
            limit,
            extra,
        });
        let submitted = Self {
            ask,
            to: Recipient::Slot(slot.clone()),
            deadline,
        };
        (
            submitted,
            Call {
                slot,
                request: PhantomData,
            },
        )
    }

    /// A request of Control's own.
    pub(crate) fn question<R>(request: R, inbox: &Arc<Inbox>, question: Question) -> Self
    where
        R: Request + Send + Sync + 'static,
    {
        let ask = Box::new(Asked {
            request,
            limit: i16::MAX,
            extra: std::time::Duration::ZERO,
        });
        Self {
            ask,
            to: Recipient::Control(inbox.clone(), question),
            deadline: None,
        }
    }
}

impl fmt::Debug for Submitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submitted")
            .field("api", &self.ask.api())
            .field("deadline", &self.deadline)
            .finish()
    }
}

impl Slot {
    /// Hands over the answer; one that nobody waits for is dropped.
    pub(crate) fn resolve(&self, answer: Result<RawAnswer, Error>) {
        let mut state = self.state.lock();
        let SlotState::Waiting(waker) = &mut *state else {
            return;
        };
        let waker = waker.take();
        *state = SlotState::Done(answer);
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether the caller still waits.
    pub(crate) fn is_waiting(&self) -> bool {
        matches!(*self.state.lock(), SlotState::Waiting(_))
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<Result<RawAnswer, Error>> {
        let mut state = self.state.lock();
        match &mut *state {
            SlotState::Waiting(waker) => {
                if waker.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
                    return Poll::Pending;
                }
                let old = waker.replace(cx.waker().clone());
                drop(state);
                drop(old);
                Poll::Pending
            }
            SlotState::Done(_) => match std::mem::replace(&mut *state, SlotState::Abandoned) {
                SlotState::Done(answer) => Poll::Ready(answer),
                _ => Poll::Ready(Err(Error::closed())),
            },
            SlotState::Abandoned => Poll::Ready(Err(Error::closed())),
        }
    }
}

impl Recipient {
    /// Whether the answer still matters.
    pub(crate) fn is_waiting(&self) -> bool {
        match self {
            Self::Slot(slot) => slot.is_waiting(),
            Self::Control(..) => true,
        }
    }
}

impl<R: Request> Call<R> {
    /// Decodes the answer, and says which version it came in.
    pub(crate) fn poll_versioned(
        &self,
        cx: &Context<'_>,
    ) -> Poll<Result<(R::Response, i16), Error>> {
        let answer = std::task::ready!(self.slot.poll(cx))?;
        let decoded = wire::decode(
            &answer.body,
            answer.version,
            R::API.is_flexible(answer.version),
        );
        Poll::Ready(
            decoded
                .map(|r| (r, answer.version))
                .map_err(|e| Error::decode(e, R::API.name())),
        )
    }
}

impl<R: Request> Future for Call<R> {
    type Output = Result<R::Response, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_versioned(cx).map_ok(|(response, _)| response)
    }
}

impl<R: Request> Drop for Call<R> {
    fn drop(&mut self) {
        let old = std::mem::replace(&mut *self.slot.state.lock(), SlotState::Abandoned);
        drop(old);
    }
}

impl<R: Request> fmt::Debug for Call<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("waiting", &self.slot.is_waiting())
            .finish()
    }
}
