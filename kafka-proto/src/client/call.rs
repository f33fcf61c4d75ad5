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
    error::{Error, ErrorKind},
    machine::handshake::{VersionError, Versions},
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
    pub(crate) side: Side,
}

/// Which deadline of a connection a call obeys.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Side {
    /// That which it came with, and no other.
    #[default]
    Own,
    Read,
    Write,
    /// The earlier one.
    Both,
}

/// The deadlines of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Deadlines {
    pub(crate) read: Option<Instant>,
    pub(crate) write: Option<Instant>,
}

impl Deadlines {
    /// The one that a call of this side obeys; `own` is what it came with.
    pub(crate) fn of(self, side: Side, own: Option<Instant>) -> Option<Instant> {
        match side {
            Side::Own => own,
            Side::Read => self.read,
            Side::Write => self.write,
            Side::Both => crate::machine::earlier(self.read, self.write),
        }
    }
}

/// What a request and its response look like on the wire, beside their bodies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    pub(crate) key: i16,
    pub(crate) version: i16,
    pub(crate) name: &'static str,
    pub(crate) request_header: i16,
    pub(crate) response_header: i16,
    pub(crate) flexible: bool,
}

impl Form {
    pub(crate) fn of(api: ApiKey, version: i16) -> Self {
        Self {
            key: api as i16,
            version,
            name: api.name(),
            request_header: api.request_header(version),
            response_header: api.response_header(version),
            flexible: api.is_flexible(version),
        }
    }

    /// The form of any API, known or not: what is newer than this crate has flexible headers, as all new APIs do
    /// (KIP-482).
    pub(crate) fn raw(key: i16, version: i16) -> Self {
        let known = ApiKey::ALL.iter().find(|api| **api as i16 == key);
        known.map_or(
            Self {
                key,
                version,
                name: "a raw request",
                request_header: 2,
                response_header: 1,
                flexible: true,
            },
            |api| Self::of(*api, version),
        )
    }
}

/// Who gets an answer.
#[derive(Debug)]
pub(crate) enum Recipient {
    Slot(Arc<Slot>),
    Control(Arc<Inbox>, Question),
}

/// A request of any type.
pub(crate) trait Ask: Send + Sync {
    /// What it looks like to a broker of these versions, or why there is no such form.
    fn form(&self, versions: &Versions) -> Result<Form, Error>;
    fn write(&self, w: &mut Writer);
    /// Whether the broker answers: it does not to a Produce that asks for no acknowledgement.
    fn is_answered(&self) -> bool {
        true
    }
    /// How long the broker may take on top of the request time-out.
    fn extra_wait(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }
}

/// Which versions of a request will do, and how its answer comes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) lowest: i16,
    pub(crate) highest: i16,
    /// How long the broker may take on top of the request time-out.
    pub(crate) extra: std::time::Duration,
    pub(crate) answered: bool,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            lowest: 0,
            highest: i16::MAX,
            extra: std::time::Duration::ZERO,
            answered: true,
        }
    }
}

struct Asked<R> {
    request: R,
    terms: Terms,
}

impl<R: Request + Send + Sync> Ask for Asked<R> {
    fn form(&self, versions: &Versions) -> Result<Form, Error> {
        let unsupported = |message: String| Error::new(ErrorKind::Unsupported, message);
        let refused = |e: VersionError| unsupported(e.to_string()).caused_by(e);
        let version = versions
            .choose(R::API, self.terms.highest)
            .map_err(refused)?;
        let name = R::API.name();
        if version < self.terms.lowest {
            let lowest = self.terms.lowest;
            return Err(unsupported(format!(
                "{name} version {lowest} cannot be used: the highest in common with the broker is {version}"
            )));
        }
        if let Some(field) = self.request.misfit(version) {
            return Err(unsupported(format!(
                "{name} version {version}, the broker's highest, cannot carry `{field}`"
            )));
        }
        Ok(Form::of(R::API, version))
    }
    fn write(&self, w: &mut Writer) {
        self.request.write(w);
    }
    fn is_answered(&self) -> bool {
        self.terms.answered
    }
    fn extra_wait(&self) -> std::time::Duration {
        self.terms.extra
    }
}

/// A request as bytes, in a form that the caller chose.
struct RawAsk {
    form: Form,
    body: Bytes,
}

impl Ask for RawAsk {
    fn form(&self, _: &Versions) -> Result<Form, Error> {
        Ok(self.form)
    }
    fn write(&self, w: &mut Writer) {
        w.put_bytes(&self.body);
    }
}

impl Submitted {
    /// A request and the call that waits for its answer.
    pub(crate) fn call<R>(request: R, limit: i16, deadline: Option<Instant>) -> (Self, Call<R>)
    where
        R: Request + Send + Sync + 'static,
    {
        let terms = Terms {
            highest: limit,
            ..Terms::default()
        };
        let (submitted, call) = Self::on_terms(request, terms, Side::Own);
        let submitted = Self {
            deadline,
            ..submitted
        };
        (submitted, call)
    }

    /// The same on terms, for a connection with deadlines.
    pub(crate) fn on_terms<R>(request: R, terms: Terms, side: Side) -> (Self, Call<R>)
    where
        R: Request + Send + Sync + 'static,
    {
        let slot = Slot::new();
        let submitted = Self {
            ask: Box::new(Asked { request, terms }),
            to: Recipient::Slot(slot.clone()),
            deadline: None,
            side,
        };
        (
            submitted,
            Call {
                slot,
                request: PhantomData,
            },
        )
    }

    /// A request as bytes, and the wait for the body of its answer.
    pub(crate) fn raw(
        form: Form,
        body: Bytes,
        side: Side,
    ) -> (Self, impl Future<Output = Result<Bytes, Error>> + use<>) {
        let slot = Slot::new();
        let submitted = Self {
            ask: Box::new(RawAsk { form, body }),
            to: Recipient::Slot(slot.clone()),
            deadline: None,
            side,
        };
        let waiting = Abandon(slot);
        let answer = std::future::poll_fn(move |cx| waiting.0.poll(cx).map_ok(|a| a.body));
        (submitted, answer)
    }

    /// A request of Control's own.
    pub(crate) fn question<R>(request: R, inbox: &Arc<Inbox>, question: Question) -> Self
    where
        R: Request + Send + Sync + 'static,
    {
        let terms = Terms::default();
        Self {
            ask: Box::new(Asked { request, terms }),
            to: Recipient::Control(inbox.clone(), question),
            deadline: None,
            side: Side::Own,
        }
    }
}

impl fmt::Debug for Submitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submitted")
            .field("deadline", &self.deadline)
            .field("side", &self.side)
            .finish_non_exhaustive()
    }
}

/// Gives up the answer when it is dropped.
struct Abandon(Arc<Slot>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl Slot {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Lock::new(SlotState::Waiting(None)),
        })
    }

    fn abandon(&self) {
        let old = std::mem::replace(&mut *self.state.lock(), SlotState::Abandoned);
        drop(old);
    }

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
    /// Waits for the end of a request that the broker does not answer: until it has left whole.
    pub(crate) async fn sent(self) -> Result<(), Error> {
        std::future::poll_fn(|cx| self.slot.poll(cx))
            .await
            .map(drop)
    }

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
        self.slot.abandon();
    }
}

impl<R: Request> fmt::Debug for Call<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("waiting", &self.slot.is_waiting())
            .finish()
    }
}
