//! A run is cut down by naming what may go wrong in it.

use std::collections::BTreeSet;

use kafka_testing::sim::{Mishap, MishapKind, Schedule, shrink};

use super::produce_consume::Plan;

fn only(seed: u64, mishaps: &[Mishap]) -> Plan {
    let mut plan = Plan::new(seed);
    plan.faults.schedule = Schedule::Only(mishaps.iter().copied().collect());
    plan
}

#[test]
fn a_run_with_all_of_its_mishaps_named_is_the_run() {
    for seed in 0..20 {
        let run = Plan::new(seed).run();
        let again = only(seed, &run.mishaps).run();
        assert_eq!(again.fingerprint, run.fingerprint, "seed {seed}");
        assert_eq!(again.mishaps, run.mishaps, "seed {seed}");
    }
}

#[test]
fn a_run_without_mishaps_has_none() {
    for seed in 0..20 {
        let run = only(seed, &[]).run();
        assert!(run.faults.is_empty(), "seed {seed}: {:#?}", run.faults);
        assert_eq!(run.mishaps, []);
        let bad = |line: &&String| line.contains("is cut:") || line.contains("crashes");
        assert_eq!(run.trace.iter().find(bad), None, "seed {seed}");
    }
}

/// What stands for a failure here: a crash, and a connection cut after it.
#[test]
fn a_failure_is_cut_down_to_the_mishaps_that_it_needs() {
    let shows = |mishaps: &[Mishap]| {
        let kinds: BTreeSet<_> = mishaps.iter().map(|m| m.kind).collect();
        kinds.contains(&MishapKind::Crash) && kinds.contains(&MishapKind::Cut)
    };
    let seed = (0..).find(|seed| shows(&Plan::new(*seed).run().mishaps));
    let seed = seed.expect("some run has both");
    let all = Plan::new(seed).run().mishaps;
    assert!(all.len() > 2, "there is something to leave out");
    let needed = shrink(all, 1_000, |these| shows(&only(seed, these).run().mishaps));
    let kinds: Vec<_> = needed.iter().map(|m| m.kind).collect();
    assert_eq!(kinds, [MishapKind::Cut, MishapKind::Crash]);
    // and what is left is a run like any other
    let (a, b) = (only(seed, &needed).run(), only(seed, &needed).run());
    assert_eq!((a.fingerprint, &a.trace), (b.fingerprint, &b.trace));
    assert_eq!(a.mishaps, needed);
}
