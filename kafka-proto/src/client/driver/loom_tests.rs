//! Wakes of both halves against a task that goes to rest, in every interleaving.

use loom::{future::block_on, thread};

use super::*;

#[test]
fn loom_no_wake_of_a_half_is_lost() {
    loom::model(|| {
        let due = Arc::new(Due::new());
        // both are due from the start: that is seen to
        due.begin(Waker::noop());
        assert_eq!(due.take(), WRITE | READ);
        assert!(due.rest());
        let wakers = [
            Half::<WRITE>(due.clone()).into_waker(),
            Half::<READ>(due.clone()).into_waker(),
        ];
        let threads = wakers.map(|waker| thread::spawn(move || waker.wake()));
        let mut seen = 0;
        // a lost wake is a deadlock that loom reports
        block_on(std::future::poll_fn(|cx| {
            due.begin(cx.waker());
            seen |= due.take();
            if seen == WRITE | READ {
                return Poll::Ready(());
            }
            if !due.rest() {
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        }));
        for thread in threads {
            thread.join().expect("no panic");
        }
    });
}
