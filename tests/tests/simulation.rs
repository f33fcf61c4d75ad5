//! The client and the in-process broker in the simulator.
//!
//! `SIM_SEEDS=10000` runs that many seeds of the main scenario; `SIM_SEED=17` runs one and prints its trace. Of the
//! first seed that fails, what it needs to fail is shown: the mishaps, and how many messages; `SIM_SHRINK=0` leaves that
//! out.

#[path = "simulation/answers.rs"]
mod answers;
#[path = "simulation/bytes.rs"]
mod bytes_and_cuts;
#[path = "simulation/counting.rs"]
mod counting;
#[path = "simulation/identity.rs"]
mod identity;
#[path = "simulation/produce_consume.rs"]
mod produce_consume;
#[path = "simulation/reading.rs"]
mod reading;
#[path = "simulation/shrinking.rs"]
mod shrinking;
#[path = "simulation/stories.rs"]
mod stories;
#[path = "simulation/upgrading.rs"]
mod upgrading;
#[path = "simulation/watching.rs"]
mod watching;

use std::{
    num::NonZero,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use produce_consume::{Plan, Report};

/// Seeds of an ordinary run.
const SEEDS: u64 = 300;
/// Lines of the trace that a failure shows; all of them when one seed is asked for.
const SHOWN: usize = 60;
/// Failures after which a run stops, unless `SIM_FAILURES` says otherwise.
const ENOUGH: usize = 10;

#[test]
fn what_is_written_is_read_whatever_goes_wrong() {
    if let Some(seed) = number("SIM_SEED") {
        let report = Plan::new(seed).run();
        report.trace.iter().for_each(|line| println!("{line}"));
        assert!(
            report.faults.is_empty(),
            "seed {seed}: {:#?}",
            report.faults
        );
        return;
    }
    let seeds = number("SIM_SEEDS").unwrap_or(SEEDS);
    let sums = Mutex::new([0; 4]);
    let failed = run_all(seeds, |report| {
        let counts = [
            report.sent,
            report.written,
            report.not_written,
            report.unknown,
        ];
        let mut sums = sums.lock().expect("no panic");
        sums.iter_mut().zip(counts).for_each(|(sum, n)| *sum += n);
    });
    if let Some((seed, _)) = failed.first()
        && number("SIM_SHRINK") != Some(0)
    {
        show_shrunk(*seed);
    }
    for (seed, report) in &failed {
        println!("seed {seed} fails: {:#?}", report.faults);
    }
    let [sent, written, not_written, unknown] = *sums.lock().expect("no panic");
    println!("{sent} messages: {written} written, {not_written} not, {unknown} unknown");
    let failed: Vec<_> = failed.iter().map(|(seed, _)| seed).collect();
    assert!(
        failed.is_empty(),
        "seeds {failed:?} fail; SIM_SEED=n shows one"
    );
    assert!(
        written > sent / 2 && unknown > 0,
        "hardly anything is written, or nothing is in doubt: the faults are too rough or too gentle to tell"
    );
}

/// Shows what a failing seed needs to fail, and the end of the trace of that.
fn show_shrunk(seed: u64) {
    let plan = Plan::new(seed).shrink();
    let (tasks, messages) = (plan.tasks, plan.messages);
    let report = plan.run();
    let mishaps: Vec<_> = report.mishaps.iter().map(ToString::to_string).collect();
    println!("seed {seed} still fails with {tasks} tasks of {messages} messages and {mishaps:?}:");
    println!("{:#?}, after", report.faults);
    let from = report.trace.len().saturating_sub(SHOWN);
    report.trace[from..]
        .iter()
        .for_each(|line| println!("{line}"));
}

/// Runs seeds from 0 on, on all cores; returns those that fail, in order.
fn run_all(seeds: u64, each: impl Fn(&Report) + Sync) -> Vec<(u64, Report)> {
    let next = AtomicU64::new(0);
    let failed = Mutex::new(Vec::new());
    let enough = number("SIM_FAILURES").map_or(ENOUGH, |n| n as usize);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds || failed.lock().expect("no panic").len() >= enough {
                return;
            }
            let report = Plan::new(seed).run();
            each(&report);
            if !report.faults.is_empty() {
                failed.lock().expect("no panic").push((seed, report));
            }
        }
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        (0..threads).for_each(|_| drop(scope.spawn(work)));
    });
    let mut failed = failed.into_inner().expect("no panic");
    failed.sort_by_key(|(seed, _)| *seed);
    failed
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    match text.parse() {
        Ok(number) => Some(number),
        Err(_) => panic!("{name} must be a number, and is {text:?}"),
    }
}
