//! Events on their way to whoever listens.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll, Waker},
};

use futures_core::Stream;

use super::sync::Lock;
use crate::event::{Event, Loggers};

/// Events kept for one subscriber.
const KEPT: usize = 256;

/// The events of one client, from now on.
///
/// Ends when the client does.
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct Events(Arc<Subscriber>);

#[derive(Debug, Default)]
struct Subscriber {
    state: Lock<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<Event>,
    waker: Option<Waker>,
    closed: bool,
}

impl Subscriber {
    /// Takes an event, unless the end was told; the oldest is dropped if nobody takes them.
    fn hear(&self, event: &Event) {
        let mut state = self.state.lock();
        if state.closed {
            return;
        }
        if state.events.len() == KEPT {
            state.events.pop_front();
        }
        state.events.push_back(event.clone());
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Where events are published.
#[derive(Debug)]
pub(crate) struct Hub {
    loggers: Loggers,
    subscribers: Lock<(Vec<Weak<Subscriber>>, bool)>,
}

impl Hub {
    pub(crate) fn new(loggers: Loggers) -> Arc<Self> {
        Arc::new(Self {
            loggers,
            subscribers: Lock::new((Vec::new(), false)),
        })
    }

    pub(crate) fn subscribe(&self) -> Events {
        let subscriber = Arc::new(Subscriber::default());
        let mut subscribers = self.subscribers.lock();
        subscribers.0.retain(|s| s.strong_count() > 0);
        match subscribers.1 {
            // nothing comes after the end
            true => subscriber.state.lock().closed = true,
            false => subscribers.0.push(Arc::downgrade(&subscriber)),
        }
        drop(subscribers);
        Events(subscriber)
    }

    pub(crate) fn publish(&self, event: &Event) {
        self.loggers.tell(event);
        let all: Vec<_> = self
            .subscribers
            .lock()
            .0
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        for subscriber in all {
            subscriber.hear(event);
        }
    }

    pub(crate) fn close(&self) {
        let mut subscribers = self.subscribers.lock();
        subscribers.1 = true;
        let all: Vec<_> = subscribers
            .0
            .drain(..)
            .filter_map(|s| s.upgrade())
            .collect();
        drop(subscribers);
        for subscriber in all {
            let mut state = subscriber.state.lock();
            state.closed = true;
            let waker = state.waker.take();
            drop(state);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let mut state = self.0.state.lock();
        if let Some(event) = state.events.pop_front() {
            return Poll::Ready(Some(event));
        }
        if state.closed {
            return Poll::Ready(None);
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Events {
    /// Waits for the next event; `None` once the client has ended. Cancel safe.
    pub async fn next(&mut self) -> Option<Event> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_is_published_while_a_client_ends_does_not_come_after_its_end() {
        let hub = Hub::new(Loggers::default());
        let mut events = hub.subscribe();
        // whoever publishes has found the subscriber, and the end comes in between
        let found = events.0.clone();
        hub.close();
        found.hear(&Event::WriterDropped { pending: 1 });
        let mut cx = Context::from_waker(Waker::noop());
        assert!(matches!(
            Pin::new(&mut events).poll_next(&mut cx),
            Poll::Ready(None)
        ));
    }

    #[test]
    fn nothing_comes_after_the_end_of_a_client() {
        let hub = Hub::new(Loggers::default());
        let mut before = hub.subscribe();
        hub.close();
        let mut behind = hub.subscribe();
        hub.publish(&Event::WriterDropped { pending: 1 });
        let mut cx = Context::from_waker(Waker::noop());
        for events in [&mut before, &mut behind] {
            assert!(matches!(
                Pin::new(events).poll_next(&mut cx),
                Poll::Ready(None)
            ));
        }
    }
}
