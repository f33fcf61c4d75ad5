//! The client and the in-process broker in the simulator.
//!
//! `SIM_SEEDS=1000` runs that many seeds of the main scenario; `SIM_SEED=17` runs one and prints its trace.

#[path = "simulation/produce_consume.rs"]
mod produce_consume;

use produce_consume::Plan;

/// Seeds of an ordinary run.
const SEEDS: u64 = 200;
/// Lines of the trace that a failure shows; all of them when one seed is asked for.
const SHOWN: usize = 60;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    match text.parse() {
        Ok(number) => Some(number),
        Err(_) => panic!("{name} must be a number, and is {text:?}"),
    }
}

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
    let (mut sent, mut written, mut not_written, mut unknown) = (0, 0, 0, 0);
    let mut failed = Vec::new();
    for seed in 0..seeds {
        let report = Plan::new(seed).run();
        sent += report.sent;
        written += report.written;
        not_written += report.not_written;
        unknown += report.unknown;
        if report.faults.is_empty() {
            continue;
        }
        if failed.is_empty() {
            let from = report.trace.len().saturating_sub(SHOWN);
            report.trace[from..]
                .iter()
                .for_each(|line| println!("{line}"));
        }
        println!("seed {seed} fails: {:#?}", report.faults);
        failed.push(seed);
        if failed.len() == 20 {
            break;
        }
    }
    println!("{sent} messages: {written} written, {not_written} not, {unknown} unknown");
    assert!(
        failed.is_empty(),
        "seeds {failed:?} fail; SIM_SEED=n shows one"
    );
    assert!(
        written > sent / 2,
        "hardly anything is written: the faults are too rough to tell"
    );
}
