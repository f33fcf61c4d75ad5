//! The two halves of a link and those who use it, in every interleaving.

use std::{
    io::IoSlice,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Instant,
};

use loom::{future::block_on, thread};

use super::*;
use crate::{
    api::{
        ApiKey,
        api_versions::{ApiVersion, ApiVersionsResponse},
        list_groups::ListGroupsRequest,
    },
    client::{
        Seed,
        call::{Call, Terms},
    },
    machine::Now,
    wire,
};

#[derive(Debug)]
struct Still(Now);

impl Clock for Still {
    fn now(&self) -> Now {
        self.0
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "tests need a moment to begin with"
)]
fn now() -> Now {
    Now {
        instant: Instant::now(),
        unix_ms: 0,
    }
}

/// A link whose handshake is done.
fn link(now: Now) -> (Arc<Link>, Outbound, Inbound) {
    let config = Config::without_brokers();
    let common = Arc::new(Common {
        fetch_ledger: Ledger::new(config.fetch_buffer),
        random: Seed::from(1u64).random(),
        nonces: Seed::from(1u64).nonces(),
        writing: Lock::default(),
        inbox: None,
        clock: Arc::new(Still(now)),
        config,
    });
    let (link, mut outbound, mut inbound) =
        Link::new(Kind::General, "peer".into(), "peer", common, 0, now);
    write_all(&mut outbound, now);
    let versions = ApiVersionsResponse::build(|r| {
        r.api_keys = [ApiKey::ApiVersions, ApiKey::ListGroups]
            .map(|api| ApiVersion::build(|v| (v.api_key, v.max_version) = (api as i16, 4)))
            .into();
    });
    answer(
        &mut inbound,
        0,
        false,
        &wire::encode(&versions, 4, true),
        now,
    )
    .expect("a good answer");
    assert!(link.versions().is_some());
    (link, outbound, inbound)
}

fn write_all(outbound: &mut Outbound, now: Now) {
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(outbound.poll(now, &mut cx), Poll::Ready(true));
    let written = outbound.write(|slices| Poll::Ready(Ok(slices.iter().map(|s| s.len()).sum())));
    assert_eq!(written, Poll::Ready(true));
}

fn answer(
    inbound: &mut Inbound,
    correlation: i32,
    tagged: bool,
    body: &[u8],
    now: Now,
) -> Result<bool, Error> {
    let mut frame = correlation.to_be_bytes().to_vec();
    frame.extend_from_slice(if tagged { &[0] } else { &[] });
    frame.extend_from_slice(body);
    let length = (frame.len() as i32).to_be_bytes();
    let whole = [&length[..], &frame].concat();
    inbound.space()[..whole.len()].copy_from_slice(&whole);
    inbound.filled(whole.len(), now)
}

fn ask(link: &Link) -> Call<ListGroupsRequest> {
    let (submitted, call) = Submitted::call(ListGroupsRequest::default(), i16::MAX, None);
    link.submit(submitted);
    call
}

#[test]
fn loom_a_call_wakes_the_write_loop_that_goes_to_sleep() {
    loom::model(|| {
        let now = now();
        let (link, mut outbound, inbound) = link(now);
        let caller = thread::spawn(move || ask(&link));
        // nothing else would wake it: a lost wake is a deadlock that loom reports
        assert!(block_on(std::future::poll_fn(|cx| outbound.poll(now, cx))));
        drop(caller.join().expect("no panic"));
        drop(inbound);
    });
}

#[test]
fn loom_an_answer_reaches_its_caller() {
    loom::model(|| {
        let now = now();
        let (link, mut outbound, mut inbound) = link(now);
        let call = ask(&link);
        write_all(&mut outbound, now);
        let body = wire::encode(
            &crate::api::list_groups::ListGroupsResponse::default(),
            4,
            true,
        );
        let reader = thread::spawn(move || {
            answer(&mut inbound, 1, true, &body, now).expect("a good answer");
            inbound
        });
        block_on(call).expect("an answer");
        drop(reader.join().expect("no panic"));
    });
}

#[test]
fn loom_every_call_resolves_when_a_half_is_dropped() {
    loom::model(|| {
        let now = now();
        let (link, outbound, inbound) = link(now);
        let asker = link.clone();
        let caller =
            thread::spawn(move || block_on(ask(&asker)).expect_err("nobody answers").kind());
        drop(outbound);
        assert_eq!(caller.join().expect("no panic"), ErrorKind::Closed);
        drop(inbound);
    });
}

/// A deadline that moves while the write loop goes to sleep is looked at.
#[test]
fn loom_a_call_in_flight_ends_at_a_deadline_that_moves() {
    loom::model(|| {
        let now = now();
        let (link, mut outbound, inbound) = link(now);
        let request = ListGroupsRequest::default();
        let (submitted, call) = Submitted::on_terms(request, Terms::default(), Side::Read);
        link.submit(submitted);
        write_all(&mut outbound, now);
        let mover = link.clone();
        let caller = thread::spawn(move || {
            mover.set_deadlines(|d| d.read = Some(now.instant));
            let error = block_on(call).expect_err("nobody answers");
            mover.close(&Error::closed());
            error.kind()
        });
        // it ends when the caller has its error: one that is not woken by the move is a deadlock
        assert!(!block_on(std::future::poll_fn(|cx| outbound.poll(now, cx))));
        assert_eq!(caller.join().expect("no panic"), ErrorKind::TimedOut);
        drop(inbound);
    });
}

/// So is a sleeper who lies down when his time is over already.
#[test]
fn loom_a_sleeper_whose_time_is_over_gets_up() {
    loom::model(|| {
        let now = now();
        let (link, mut outbound, inbound) = link(now);
        let sleeper = thread::spawn(move || {
            block_on(link.sleep_until(now.instant));
            link.close(&Error::closed());
        });
        assert!(!block_on(std::future::poll_fn(|cx| outbound.poll(now, cx))));
        sleeper.join().expect("no panic");
        drop(inbound);
    });
}

/// What a socket takes while the link ends is not called unsent, and what was called so is not given to a socket.
#[test]
fn loom_what_leaves_while_a_link_ends_is_not_called_unsent() {
    loom::model(|| {
        let now = now();
        let (link, mut outbound, inbound) = link(now);
        let call = ask(&link);
        let closer = thread::spawn(move || {
            link.close(&Error::closed());
            block_on(call).expect_err("nobody answers").outcome()
        });
        let mut cx = Context::from_waker(Waker::noop());
        let mut taken = false;
        if outbound.poll(now, &mut cx) == Poll::Ready(true) {
            let _ = outbound.write(|slices| {
                taken = true;
                Poll::Ready(Ok(slices.iter().map(|s| s.len()).sum()))
            });
        }
        let outcome = closer.join().expect("no panic");
        assert_eq!(taken, outcome == Outcome::Unknown, "{outcome:?}");
        drop(inbound);
    });
}
