//! Two implementations take turns.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

/// What a round lasts, roughly.
const ROUND: Duration = Duration::from_millis(2);

/// Runs rows and prints each as a line of a Markdown table.
pub struct Table {
    word: String,
    rounds: usize,
}

impl Table {
    /// Prints the head of the table.
    pub fn new(word: String, rounds: usize) -> Self {
        println!(
            "| | kafka-proto min | median | kafka-protocol min | median | times faster, by minima | by median of rounds |"
        );
        println!("|---|---|---|---|---|---|---|");
        Self { word, rounds }
    }

    /// Measures a row, if it is wanted.
    pub fn row<A, B>(
        &mut self,
        name: &str,
        mut ours: impl FnMut() -> A,
        mut theirs: impl FnMut() -> B,
    ) {
        if !name.contains(&self.word) {
            return;
        }
        let calls = [calls(&mut ours), calls(&mut theirs)];
        let (mut us, mut them, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for n in 0..self.rounds {
            // who goes first alternates, too
            let (a, b) = if n % 2 == 0 {
                let a = round(&mut ours, calls[0]);
                (a, round(&mut theirs, calls[1]))
            } else {
                let b = round(&mut theirs, calls[1]);
                (round(&mut ours, calls[0]), b)
            };
            us.push(a);
            them.push(b);
            ratios.push(b / a);
        }
        for all in [&mut us, &mut them, &mut ratios] {
            all.sort_by(f64::total_cmp);
        }
        let middle = self.rounds / 2;
        println!(
            "| {name} | {} | {} | {} | {} | {:.2} | {:.2} |",
            time(us[0]),
            time(us[middle]),
            time(them[0]),
            time(them[middle]),
            them[0] / us[0],
            ratios[middle]
        );
    }
}

/// How many calls last a round; warms up on the way.
fn calls<T>(work: &mut impl FnMut() -> T) -> u32 {
    let mut calls = 1;
    loop {
        let took = round(work, calls) * f64::from(calls);
        if took >= ROUND.as_secs_f64() / 2.0 {
            return calls;
        }
        calls *= 2;
    }
}

/// Seconds a call.
fn round<T>(work: &mut impl FnMut() -> T, calls: u32) -> f64 {
    let begin = Instant::now();
    for _ in 0..calls {
        black_box(work());
    }
    begin.elapsed().as_secs_f64() / f64::from(calls)
}

fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1e-6 => format!("{:.0} ns", s * 1e9),
        s if s < 1e-3 => format!("{:.2} us", s * 1e6),
        s => format!("{:.3} ms", s * 1e3),
    }
}
