//! The time-outs of a link: of its set-up, its requests, its session, and of whoever waits for it.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;

use super::{Auth, InFlight, Inner, Link, Purpose, State, late};
use crate::{
    client::call::{RawAnswer, Recipient, Slot},
    error::{Error, ErrorKind},
    machine::{Now, earlier},
};

impl Link {
    /// Ends the link if a time-out has passed; resolves calls whose callers' time is over. Returns whether it has ended.
    pub(super) fn check_deadlines(self: &Arc<Self>, now: Now) -> bool {
        let mut inner = self.inner.lock();
        inner.unmute(now.instant);
        let config = &self.common.config;
        let error = match &inner.state {
            State::Closed(_) => return true,
            State::Greet(_) | State::Greeted(_) | State::Authenticate(_)
                if config.setup_deadline(inner.opened) <= now.instant =>
            {
                Some(inner.stuck())
            }
            State::Ready(_) if inner.is_unrenewed(now.instant) => {
                let message =
                    "the session with the broker ended before there were credentials to renew it";
                let late = inner.session.as_ref().and_then(|s| s.late.clone());
                let error = Error::new(ErrorKind::Credentials, message);
                Some(match late {
                    Some(late) => Error::new(ErrorKind::Credentials, format!("{message}: {late}"))
                        .caused_by(late),
                    None => error,
                })
            }
            _ => inner
                .oldest()
                .filter(|request| request.deadline <= now.instant)
                .map(|request| {
                    let message = format!(
                        "the broker did not answer {} within the request time-out",
                        request.form.name
                    );
                    Error::new(ErrorKind::TimedOut, message)
                }),
        };
        if let Some(error) = error {
            drop(inner);
            self.close(&error);
            return true;
        }
        let mut naps = Vec::new();
        inner.naps.retain(|(at, nap)| {
            let due = *at <= now.instant;
            if due {
                naps.push(nap.clone());
            }
            !due
        });
        let mut late_calls = Vec::new();
        if inner.soonest.is_some_and(|at| at <= now.instant) {
            late_calls = inner.take_late(now.instant);
        }
        drop(inner);
        naps.into_iter().for_each(|nap| nap.resolve(()));
        for (slot, sent) in late_calls {
            let outcome = if sent {
                crate::error::Outcome::Unknown
            } else {
                crate::error::Outcome::NotWritten
            };
            slot.resolve(Err(late().with_outcome(outcome)));
        }
        false
    }

    /// The next time-out of those that are `later`: one that waits for something else must not hide another.
    pub(super) fn deadline(&self, later: impl Fn(&Instant) -> bool) -> Option<Instant> {
        let inner = self.inner.lock();
        let setup = match inner.state {
            State::Greet(_) | State::Greeted(_) | State::Authenticate(_) => {
                Some(self.common.config.setup_deadline(inner.opened))
            }
            _ => None,
        };
        let session = inner.session.as_ref().and_then(|session| match inner.auth {
            Auth::Idle => Some(session.renew),
            Auth::Wanted => Some(session.ends),
            _ => None,
        });
        let naps = inner.naps.iter().map(|(at, _)| *at);
        let fronts = [inner.in_flight.front(), inner.unanswered.front()];
        let requests = fronts.into_iter().flatten().map(|r| r.deadline);
        let others = [setup, session, inner.muted, inner.soonest];
        let all = naps.chain(requests).chain(others.into_iter().flatten());
        all.filter(later).min()
    }

    /// Tells who waits for a request without an answer that it has left whole; false once nobody is left.
    pub(super) fn settle_unanswered(&self, written: u64) -> bool {
        let mut left = Vec::new();
        let mut inner = self.inner.lock();
        while inner.unanswered.front().is_some_and(|r| r.end <= written) {
            left.extend(inner.unanswered.pop_front());
        }
        let more = !inner.unanswered.is_empty();
        drop(inner);
        for InFlight { form, purpose, .. } in left {
            if let Purpose::Call(waiting) = purpose {
                let (version, body) = (form.version, Bytes::new());
                waiting.to.resolve(Ok(RawAnswer { version, body }));
            }
        }
        more
    }
}

impl Inner {
    /// Whether a caller's time is over, or a sleeper's.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        let naps = self.naps.iter().map(|(at, _)| *at);
        naps.chain(self.soonest).any(|at| at <= now)
    }

    /// The request that has been under way the longest.
    fn oldest(&self) -> Option<&InFlight> {
        let fronts = [self.in_flight.front(), self.unanswered.front()];
        fronts.into_iter().flatten().min_by_key(|r| r.deadline)
    }

    /// Takes the callers whose time is over, and whether their request may have been sent; finds out who is next.
    fn take_late(&mut self, now: Instant) -> Vec<(Arc<Slot>, bool)> {
        let mut late = Vec::new();
        let mut soonest = None;
        self.calls.retain(|call| {
            let is_late = call.deadline.is_some_and(|at| at <= now);
            match &call.to {
                Recipient::Slot(slot) if is_late => late.push((slot.clone(), false)),
                _ => soonest = earlier(soonest, call.deadline),
            }
            !is_late
        });
        for request in self.in_flight.iter_mut().chain(&mut self.unanswered) {
            let Purpose::Call(waiting) = &mut request.purpose else {
                continue;
            };
            match &waiting.to {
                Recipient::Slot(slot) if waiting.deadline.is_some_and(|at| at <= now) => {
                    late.push((slot.clone(), true));
                    waiting.deadline = None;
                }
                _ => soonest = earlier(soonest, waiting.deadline),
            }
        }
        self.soonest = soonest;
        late
    }
}
