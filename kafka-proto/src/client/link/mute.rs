//! Connections that a broker has told to pause (KIP-219).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Inner, Link, State};
use crate::{api::ApiKey, client::inbox::Note, machine::Now};

/// The longest pause that a broker is obeyed for. Its own limit is a window of quotas, 11 s unless it is told otherwise;
/// what lies far beyond is no quota, and must not silence a connection for weeks.
const MOST: Duration = Duration::from_secs(300);

impl Link {
    /// Sends nothing for as long as an answer says. Requests in flight get that much more time: the broker looks at none
    /// of them meanwhile.
    pub(super) fn mute(self: &Arc<Self>, throttle_time_ms: i32, now: Now) {
        let Some(ms) = u64::try_from(throttle_time_ms).ok().filter(|ms| *ms > 0) else {
            return;
        };
        let time = Duration::from_millis(ms).min(MOST);
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        let State::Ready(versions) = &inner.state else {
            return;
        };
        // older brokers have waited themselves before they answered
        if versions.of(ApiKey::Fetch).is_none_or(|(_, max)| max < 8) {
            return;
        }
        let until = now.instant + time;
        if inner.muted.is_some_and(|at| at >= until) {
            return;
        }
        let more = inner.muted.map_or(time, |at| {
            until.saturating_duration_since(at.max(now.instant))
        });
        inner.muted = Some(until);
        for request in inner.in_flight.iter_mut().chain(&mut inner.unanswered) {
            request.deadline += more;
        }
        drop(guard);
        if let Some(inbox) = &self.common.inbox {
            inbox.tell(Note::Throttled(self.clone(), time));
        }
    }
}

impl Inner {
    /// Ends a pause whose time is over.
    pub(super) fn unmute(&mut self, now: Instant) {
        self.muted = self.muted.filter(|until| *until > now);
    }
}
