//! Time-outs of a link whose pauses and renewals end at bad moments.
#![allow(
    clippy::disallowed_methods,
    reason = "a moment to begin at; nothing here waits"
)]

use std::{
    sync::atomic::AtomicBool,
    task::{Context, Poll, Wake, Waker},
};

use super::*;
use crate::{
    api::{
        ApiKey,
        api_versions::{ApiVersion, ApiVersionsResponse},
        list_groups::ListGroupsRequest,
    },
    client::{Call, Seed, call::Terms},
    config::Sasl,
    machine::handshake::Handshake,
};

#[derive(Debug)]
struct Still(Now);

impl Clock for Still {
    fn now(&self) -> Now {
        self.0
    }
}

/// A link whose set-up is over, and the moment at which it is.
struct World {
    begin: Instant,
    link: Arc<Link>,
    outbound: Outbound,
    inbound: Inbound,
}

impl World {
    fn new() -> Self {
        let now = Now {
            instant: Instant::now(),
            unix_ms: 0,
        };
        let config = Config::without_brokers();
        let common = Arc::new(Common {
            fetch_ledger: Ledger::new(config.fetch_buffer),
            random: Seed::from(1u64).random(),
            nonces: Seed::from(1u64).nonces(),
            writing: Lock::default(),
            inbox: None,
            clock: Arc::new(Still(now)),
            config: config.sasl(Sasl::plain("a", "b").expect("credentials")),
        });
        let (link, outbound, inbound) =
            Link::new(Kind::General, "peer".into(), "peer", common, 0, now);
        let known = [
            ApiKey::ApiVersions,
            ApiKey::ListGroups,
            ApiKey::Fetch,
            ApiKey::SaslHandshake,
            ApiKey::SaslAuthenticate,
        ];
        let response = ApiVersionsResponse::build(|r| {
            let range = |api: ApiKey| {
                let last = *api.versions().end();
                ApiVersion::build(|v| (v.api_key, v.max_version) = (api as i16, last))
            };
            r.api_keys = known.map(range).into();
        });
        let Ok(Handshake::Done(versions)) = ExpectVersions::new(0).handle(&response) else {
            panic!("versions are all there is to the handshake")
        };
        link.inner.lock().state = State::Ready(Arc::new(versions));
        Self {
            begin: now.instant,
            link,
            outbound,
            inbound,
        }
    }

    /// So many seconds after the beginning.
    fn at(&self, seconds: u64) -> Now {
        Now {
            instant: self.begin + Duration::from_secs(seconds),
            unix_ms: 0,
        }
    }

    /// Has the session be renewed then.
    fn renew_at(&self, seconds: u64) {
        self.link.inner.lock().session = Some(Session {
            renew: self.at(seconds).instant,
            ends: self.at(100).instant,
            late: None,
        });
    }

    fn ask(&self, extra: u64) -> Call<ListGroupsRequest> {
        let terms = Terms {
            highest: 0,
            extra: Duration::from_secs(extra),
            ..Terms::default()
        };
        let (submitted, call) = Submitted::on_terms(ListGroupsRequest::default(), terms, Side::Own);
        self.link.submit(submitted);
        call
    }

    fn poll(&mut self, seconds: u64) -> Poll<bool> {
        let now = self.at(seconds);
        self.outbound
            .poll(now, &mut Context::from_waker(Waker::noop()))
    }

    /// Seconds until the next time-out, from the beginning.
    fn deadline(&self) -> Option<u64> {
        let at = self.outbound.deadline();
        at.map(|at| at.duration_since(self.begin).as_secs())
    }

    /// The socket takes everything.
    fn write(&mut self) {
        let all = |slices: &[io::IoSlice<'_>]| slices.iter().map(|s| s.len()).sum();
        let written = self.outbound.write(|slices| Poll::Ready(Ok(all(slices))));
        assert_eq!(written, Poll::Ready(true));
    }

    /// An answer to a request of version 0 or 1 whose header is the correlation id alone.
    fn answer(&mut self, correlation: i32, body: &[u8], seconds: u64) -> Result<bool, Error> {
        let length = 4 + body.len() as i32;
        let frame = [&length.to_be_bytes(), &correlation.to_be_bytes(), body].concat();
        self.inbound.space()[..frame.len()].copy_from_slice(&frame);
        let now = self.at(seconds);
        self.inbound.filled(frame.len(), now)
    }
}

#[test]
fn a_renewal_that_falls_due_while_the_socket_is_full_hides_no_time_out() {
    let mut world = World::new();
    world.renew_at(10);
    let _call = world.ask(0);
    assert_eq!(world.poll(0), Poll::Ready(true));
    assert_eq!(world.deadline(), Some(10));
    // the socket has taken nothing
    assert_eq!(world.poll(10), Poll::Ready(true));
    assert_eq!(world.deadline(), Some(30), "the request time-out");
}

#[test]
fn a_pause_that_ends_while_the_socket_is_full_hides_no_time_out() {
    let mut world = World::new();
    let _call = world.ask(0);
    assert_eq!(world.poll(0), Poll::Ready(true));
    world.link.mute(5_000, world.at(0));
    assert_eq!(world.deadline(), Some(5));
    assert_eq!(world.poll(5), Poll::Ready(true));
    assert_eq!(world.deadline(), Some(35), "the request time-out");
}

/// Notes that it was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Whichever half the loop watches while it waits for the socket, its timer is set before the call was there.
#[test]
fn a_call_that_ends_while_the_socket_is_full_wakes_its_loop() {
    for by_inbound in [false, true] {
        let mut world = World::new();
        let _long = world.ask(0);
        assert_eq!(world.poll(0), Poll::Ready(true));
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let mut cx = Context::from_waker(&waker);
        let mut submit = |seconds| {
            let open = match by_inbound {
                true => world.inbound.poll_closed(&mut cx),
                false => world.outbound.poll_closed(&mut cx),
            };
            assert!(open.is_pending());
            let request = ListGroupsRequest::default();
            let (mut submitted, call) = Submitted::on_terms(request, Terms::default(), Side::Own);
            submitted.deadline = Some(world.at(seconds).instant);
            world.link.submit(submitted);
            drop(call);
            (woken.0.swap(false, Ordering::Relaxed), world.deadline())
        };
        assert_eq!(submit(9), (true, Some(9)));
        assert_eq!(submit(5), (true, Some(5)));
        assert_eq!(submit(7), (false, Some(5)), "a wake for nothing");
    }
}

#[test]
fn a_renewal_during_a_pause_has_a_time_out_after_it() {
    let mut world = World::new();
    world.renew_at(1);
    world.link.mute(5_000, world.at(0));
    assert_eq!(world.poll(0), Poll::Pending);
    assert_eq!(world.poll(1), Poll::Ready(true), "SaslHandshake");
    world.write();
    assert_eq!(world.poll(1), Poll::Pending);
    assert_eq!(world.poll(5), Poll::Pending);
    // sent at 1 s, and read after the pause
    assert_eq!(world.deadline(), Some(35));
}

#[test]
fn a_request_behind_one_that_may_take_long_has_as_long() {
    let mut world = World::new();
    world.renew_at(1);
    let _long = world.ask(60);
    assert_eq!(world.poll(0), Poll::Ready(true));
    world.write();
    assert_eq!(world.poll(1), Poll::Ready(true), "SaslHandshake behind it");
    world.write();
    assert_eq!(world.poll(1), Poll::Pending);
    // the long one is answered in good time; its caller sends the next at once
    world.answer(0, &[0; 6], 45).expect("taken");
    let _next = world.ask(0);
    assert_eq!(world.poll(45), Poll::Pending);
    assert!(world.link.error().is_none());
}

#[test]
fn a_session_that_renews_itself_is_no_use_of_the_connection() {
    let mut world = World::new();
    let _call = world.ask(0);
    assert_eq!(world.poll(0), Poll::Ready(true));
    world.write();
    world.answer(0, &[0; 6], 1).expect("taken");
    assert_eq!(world.link.idle_since(), Some(world.at(1).instant));
    world.renew_at(20);
    assert_eq!(world.poll(20), Poll::Ready(true), "SaslHandshake");
    world.write();
    assert_eq!(world.link.idle_since(), None, "it waits for an answer");
    // no error, no mechanisms
    world.answer(1, &[0; 6], 21).expect("taken");
    assert_eq!(world.poll(21), Poll::Ready(true), "SaslAuthenticate");
    assert_eq!(world.link.inner.lock().active, world.at(1).instant);
}

#[test]
fn an_answer_to_a_step_of_sasl_that_was_not_taken_ends_the_link() {
    let mut world = World::new();
    world.renew_at(1);
    assert_eq!(world.poll(1), Poll::Ready(true), "SaslHandshake");
    world.write();
    world.link.inner.lock().auth = Auth::Idle;
    let error = world.answer(0, &[0; 6], 2).expect_err("nobody expects it");
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(world.link.error().is_some());
}
