//! What is counted: one region of each case, less what is somebody else's work.
//!
//! Callgrind collects between entry and return of [`counted_region`] and not within [`excluded_region`], which it knows by
//! their names; allocations are counted in the same spans.

use std::{cell::Cell, hint::black_box};

use allocation_counter::{AllocationInfo, measure, opt_out};

/// The names by which callgrind knows the spans. It loses options of one of two names that begin alike.
pub(crate) const COUNTED: &str = "counts::region::counted_region";
pub(crate) const EXCLUDED: &str = "*excluded_region";

thread_local! {
    static COUNTING: Cell<bool> = const { Cell::new(false) };
}

/// Takes note of one region.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    counted: Option<(u64, AllocationInfo)>,
}

impl Meter {
    /// Runs what is counted, once in the life of a meter. `work` says how many messages (frames, batches) it handled.
    pub(crate) fn count(&mut self, mut work: impl FnMut() -> u64) {
        assert!(self.counted.is_none(), "a case has one region");
        let mut units = 0;
        let mut work = || units = work();
        let info = measure(|| {
            COUNTING.set(true);
            counted_region(&mut work);
            COUNTING.set(false);
        });
        self.counted = Some((units, info));
    }

    /// Units, and what was allocated for them.
    pub(crate) fn result(&self) -> (u64, AllocationInfo) {
        self.counted.expect("every case has a region")
    }
}

/// Runs what a region needs and what is not to be counted: the broker's part.
pub(crate) fn outside<T>(work: impl FnOnce() -> T) -> T {
    let mut work = Some(work);
    let mut value = None;
    let mut run = || value = work.take().map(|work| work());
    match COUNTING.get() {
        true => opt_out(|| excluded_region(&mut run)),
        false => run(),
    }
    value.expect("it was run")
}

// Neither may be inlined, nor end in a jump, nor be the same code, which would be merged: callgrind sees names, calls and
// returns.

#[inline(never)]
fn counted_region(work: &mut dyn FnMut()) {
    work();
    black_box("counted");
}

#[inline(never)]
fn excluded_region(work: &mut dyn FnMut()) {
    work();
    black_box("excluded");
}
