//! Time-outs of a link whose pauses and renewals end at bad moments.
#![allow(
    clippy::disallowed_methods,
    reason = "a moment to begin at; nothing here waits"
)]

use std::task::{Context, Poll, Waker};

use super::*;
use crate::{
    api::{
        ApiKey,
        api_versions::{ApiVersion, ApiVersionsResponse},
        list_groups::ListGroupsRequest,
    },
    machine::handshake::Handshake,
};

#[derive(Debug)]
struct Still(Now);
impl Clock for Still {
    fn now(&self) -> Now {
        self.0
    }
}

fn ready(now: Now) -> (Arc<Link>, Outbound, Inbound) {
    let config = Config::without_brokers();
    let common = Arc::new(Common {
        fetch_ledger: Ledger::new(config.fetch_buffer),
        random: Lock::new(Random::new(1)),
        inbox: None,
        clock: Arc::new(Still(now)),
        config: config.sasl(crate::config::Sasl::plain("a", "b").expect("credentials")),
    });
    let (link, outbound, inbound) = Link::new(Kind::General, "peer".into(), "peer", common, 0, now);
    let response = ApiVersionsResponse::build(|r| {
        r.api_keys = [
            ApiKey::ApiVersions,
            ApiKey::ListGroups,
            ApiKey::Fetch,
            ApiKey::SaslHandshake,
            ApiKey::SaslAuthenticate,
        ]
        .map(|api| {
            ApiVersion::build(|v| (v.api_key, v.max_version) = (api as i16, *api.versions().end()))
        })
        .into();
    });
    let Ok(Handshake::Done(v)) = ExpectVersions::new(0).handle(&response) else {
        panic!("done")
    };
    link.inner.lock().state = State::Ready(Arc::new(v));
    (link, outbound, inbound)
}

fn drain(outbound: &mut Outbound) {
    let mut slices = [io::IoSlice::new(&[]); 8];
    let count = outbound.slices(&mut slices);
    let n = slices[..count].iter().map(|s| s.len()).sum();
    outbound.consume(n);
}

#[test]
fn a_renewal_that_falls_due_while_the_socket_is_full_hides_no_time_out() {
    let now = Now {
        instant: Instant::now(),
        unix_ms: 0,
    };
    let s = |n| Now {
        instant: now.instant + Duration::from_secs(n),
        unix_ms: 0,
    };
    let (link, mut out, _inb) = ready(now);
    link.inner.lock().session = Some(Session {
        renew: s(10).instant,
        ends: s(100).instant,
        late: None,
    });
    let (submitted, _call) = Submitted::call(ListGroupsRequest::default(), i16::MAX, None);
    link.submit(submitted);
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(out.poll(now, &mut cx), Poll::Ready(true)); // the socket takes nothing
    assert_eq!(out.deadline(), Some(s(10).instant));
    assert_eq!(out.poll(s(10), &mut cx), Poll::Ready(true));
    assert_eq!(out.deadline(), Some(s(30).instant), "the request time-out");
}

#[test]
fn a_pause_that_ends_while_the_socket_is_full_hides_no_time_out() {
    let now = Now {
        instant: Instant::now(),
        unix_ms: 0,
    };
    let s = |n| Now {
        instant: now.instant + Duration::from_secs(n),
        unix_ms: 0,
    };
    let (link, mut out, _inb) = ready(now);
    let (submitted, _call) = Submitted::call(ListGroupsRequest::default(), i16::MAX, None);
    link.submit(submitted);
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(out.poll(now, &mut cx), Poll::Ready(true)); // the socket takes nothing
    link.mute(5000, now);
    assert_eq!(out.deadline(), Some(s(5).instant));
    assert_eq!(out.poll(s(5), &mut cx), Poll::Ready(true));
    assert_eq!(out.deadline(), Some(s(35).instant), "the request time-out");
}

#[test]
fn a_renewal_during_a_pause_has_a_time_out_after_it() {
    let now = Now {
        instant: Instant::now(),
        unix_ms: 0,
    };
    let s = |n| Now {
        instant: now.instant + Duration::from_secs(n),
        unix_ms: 0,
    };
    let (link, mut out, _inb) = ready(now);
    link.inner.lock().session = Some(Session {
        renew: s(1).instant,
        ends: s(100).instant,
        late: None,
    });
    let mut cx = Context::from_waker(Waker::noop());
    link.mute(5000, now);
    assert_eq!(out.poll(now, &mut cx), Poll::Pending);
    assert_eq!(out.poll(s(1), &mut cx), Poll::Ready(true)); // SaslHandshake
    drain(&mut out);
    assert_eq!(out.poll(s(1), &mut cx), Poll::Pending);
    assert_eq!(out.poll(s(5), &mut cx), Poll::Pending);
    // sent at 1 s, read after the pause
    assert_eq!(
        out.deadline(),
        Some(s(35).instant),
        "the time-out of SaslHandshake"
    );
}

#[test]
fn a_request_behind_one_that_may_take_long_has_as_long() {
    let now = Now {
        instant: Instant::now(),
        unix_ms: 0,
    };
    let s = |n| Now {
        instant: now.instant + Duration::from_secs(n),
        unix_ms: 0,
    };
    let (link, mut out, mut inb) = ready(now);
    link.inner.lock().session = Some(Session {
        renew: s(1).instant,
        ends: s(100).instant,
        late: None,
    });
    let mut cx = Context::from_waker(Waker::noop());
    // a request that the broker holds for up to 60 s (JoinGroup, Fetch with a long max_wait)
    let (submitted, _call) = Submitted::call(ListGroupsRequest::default(), 0, None);
    link.submit(submitted);
    assert_eq!(out.poll(now, &mut cx), Poll::Ready(true));
    drain(&mut out);
    link.inner.lock().in_flight[0].deadline = s(90).instant;
    assert_eq!(out.poll(s(1), &mut cx), Poll::Ready(true)); // SaslHandshake behind it
    drain(&mut out);
    assert_eq!(out.poll(s(1), &mut cx), Poll::Pending);
    // the long one is answered at 45 s, in good time; its caller sends the next at once
    let body = [0u8, 0, 0, 0, 0, 0];
    let mut frame = 10i32.to_be_bytes().to_vec();
    frame.extend_from_slice(&0i32.to_be_bytes());
    frame.extend_from_slice(&body);
    inb.space()[..frame.len()].copy_from_slice(&frame);
    assert!(inb.filled(frame.len(), s(45)).expect("an answer"));
    let (submitted, _call2) = Submitted::call(ListGroupsRequest::default(), 0, None);
    link.submit(submitted);
    let polled = out.poll(s(45), &mut cx);
    assert_eq!(polled, Poll::Pending);
}
