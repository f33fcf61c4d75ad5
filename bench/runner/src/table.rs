//! The table: medians over rounds, by workload and by what may be compared.

use std::collections::BTreeMap;

use crate::{
    Fault,
    clients::{CLIENTS, Client, FLOOR, Group},
    options::Options,
    results::{Row, median, read},
    workloads::{Mode, WORKLOADS, Workload},
};

/// Logs that differ by more do not have the same in them.
const SAME_LOG: f64 = 1.05;

/// One client in one workload.
pub struct Line {
    pub client: &'static Client,
    pub group: Group,
    pub rounds: usize,
    pub faults: Vec<String>,
    pub skip: Option<String>,
    pub cpu_us: f64,
    pub system_us: f64,
    pub per_second: f64,
    pub rss_mib: f64,
    pub batch: Option<f64>,
    pub log_bytes: Option<f64>,
    /// p50, p90, p99, max.
    pub latency_us: Option<[f64; 4]>,
}

impl Line {
    /// What it is compared by: microseconds, of CPU or of waiting.
    pub fn figure(&self) -> Option<f64> {
        (self.rounds > 0).then(|| self.latency_us.map_or(self.cpu_us, |l| l[0]))
    }
}

/// A workload on one kind of broker.
pub struct Part {
    pub workload: &'static Workload,
    pub target: String,
    pub messages: u64,
    /// By group, then by figure; the floor comes first.
    pub lines: Vec<Line>,
}

impl Part {
    /// The best of a group, the floor and what does not count left out.
    pub fn best(&self, group: Group) -> Option<&Line> {
        let of_group = |l: &&Line| l.group == group && l.client.name != FLOOR;
        let lines = self
            .lines
            .iter()
            .filter(of_group)
            .filter(|l| l.figure().is_some());
        lines.min_by(|a, b| {
            a.figure()
                .partial_cmp(&b.figure())
                .unwrap_or(std::cmp::Ordering::Equal)
        })
    }

    pub fn floor(&self) -> Option<f64> {
        self.lines.iter().find(|l| l.client.name == FLOOR)?.figure()
    }
}

/// The parts of a table, in the order of workloads.
pub fn parts(rows: &[Row]) -> Vec<Part> {
    let mut by_place: BTreeMap<(usize, String), BTreeMap<usize, Vec<&Row>>> = BTreeMap::new();
    for row in rows {
        let workload = WORKLOADS.iter().position(|w| w.name == row.workload);
        let client = CLIENTS.iter().position(|c| c.name == row.client);
        if let (Some(workload), Some(client)) = (workload, client) {
            let place = by_place.entry((workload, row.target.clone())).or_default();
            place.entry(client).or_default().push(row);
        }
    }
    let part = |((workload, target), clients): ((usize, String), BTreeMap<usize, Vec<&Row>>)| {
        let workload = &WORKLOADS[workload];
        let messages = clients.values().flatten().map(|row| row.messages).max();
        let lines = clients
            .into_iter()
            .map(|(at, rows)| line(&CLIENTS[at], workload, &rows));
        let mut lines: Vec<_> = lines.collect();
        lines.sort_by(|a, b| {
            let key = |l: &Line| (l.client.name != FLOOR, l.group, l.figure().is_none());
            let figures = || a.figure().partial_cmp(&b.figure());
            key(a)
                .cmp(&key(b))
                .then_with(|| figures().unwrap_or(std::cmp::Ordering::Equal))
        });
        Part {
            workload,
            target,
            messages: messages.unwrap_or_default(),
            lines,
        }
    };
    by_place.into_iter().map(part).collect()
}

fn line(client: &'static Client, workload: &Workload, rows: &[&Row]) -> Line {
    let good: Vec<_> = rows
        .iter()
        .filter(|r| r.fault.is_none() && r.skip.is_none())
        .collect();
    let of = |figure: &dyn Fn(&Row) -> f64| median(good.iter().map(|row| figure(row)).collect());
    let of_some = |figure: &dyn Fn(&Row) -> Option<f64>| {
        let values: Vec<_> = good.iter().filter_map(|row| figure(row)).collect();
        (!values.is_empty()).then(|| median(values))
    };
    let percentile = |name: &'static str| of_some(&move |row| Some(row.extra(name)? as f64));
    let latency_us = percentile("p50_us").map(|p50| {
        let rest = ["p90_us", "p99_us", "max_us"].map(|name| percentile(name).unwrap_or_default());
        [p50, rest[0], rest[1], rest[2]]
    });
    Line {
        client,
        group: client.group(workload.mode),
        rounds: good.len(),
        faults: rows.iter().filter_map(|row| row.fault.clone()).collect(),
        skip: rows.iter().find_map(|row| row.skip.clone()),
        cpu_us: of(&|row| row.cpu_us_per_msg),
        system_us: of(&|row| row.cpu_sys_s * 1e6 / row.messages.max(1) as f64),
        per_second: of(&|row| row.msgs_per_s),
        rss_mib: of(&|row| row.max_rss_mb),
        batch: of_some(&Row::batch),
        log_bytes: of_some(&Row::log_bytes_a_message),
        latency_us,
    }
}

pub fn print(options: &Options) -> Result<(), Fault> {
    let rows = read(&options.results, options.label.as_deref())?;
    if let Some(last) = rows.last() {
        println!("{}; {}", last.at, last.machine);
        println!("label {}", last.label);
    }
    for part in parts(&rows) {
        println!(
            "\n**{}**, {} messages, {}\n",
            part.workload.title(),
            part.messages,
            part.target
        );
        match part.workload.mode {
            Mode::Produce | Mode::Consume => print_many(&part),
            _ => print_latencies(&part),
        }
        for line in &part.lines {
            let times = line.faults.len();
            if let Some(fault) = line.faults.first() {
                println!(
                    "\n{}: {times} of its runs do not count: {fault}",
                    line.client.name
                );
            }
            if let Some(skip) = &line.skip {
                println!("\n{}: left out: {skip}", line.client.name);
            }
        }
    }
    Ok(())
}

fn print_many(part: &Part) {
    println!(
        "| client | compared with | CPU us/msg | x best | x floor | of it system | msgs/s | RSS MiB | msgs/batch | log B/msg | runs |"
    );
    println!("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    for line in part.lines.iter().filter(|l| l.rounds > 0) {
        println!(
            "| {} | {} | {:.3} | {} | {} | {:.3} | {:.0} | {:.0} | {} | {} | {} |",
            name(line),
            if line.client.name == FLOOR {
                String::new()
            } else {
                line.group.title()
            },
            line.cpu_us,
            ratio_to_best(part, line),
            part.floor()
                .map_or("".to_owned(), |floor| format!("{:.2}", line.cpu_us / floor)),
            line.system_us,
            line.per_second,
            line.rss_mib,
            line.batch.map_or(String::new(), |n| format!("{n:.0}")),
            line.log_bytes.map_or(String::new(), |n| format!("{n:.1}")),
            line.rounds,
        );
    }
}

/// `≠` where the logs say that not the same was done.
fn ratio_to_best(part: &Part, line: &Line) -> String {
    let Some(best) = part.best(line.group).filter(|_| line.client.name != FLOOR) else {
        return String::new();
    };
    let ratio = line.cpu_us / best.cpu_us;
    let same = match (line.log_bytes, best.log_bytes) {
        (Some(its), Some(best)) => its.max(best) <= its.min(best) * SAME_LOG,
        _ => true,
    };
    format!("{ratio:.2}{}", if same { "" } else { " ≠" })
}

fn print_latencies(part: &Part) {
    println!(
        "| client | p50 us | x best | x floor | p90 us | p99 us | max us | CPU us/msg | runs |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|");
    for line in part.lines.iter() {
        let Some([p50, p90, p99, max]) = line.latency_us else {
            continue;
        };
        let best = part.best(line.group).and_then(Line::figure);
        let best = best.filter(|_| line.client.name != FLOOR);
        let ratio = |to: Option<f64>| to.map_or(String::new(), |to| format!("{:.2}", p50 / to));
        println!(
            "| {} | {p50:.0} | {} | {} | {p90:.0} | {p99:.0} | {max:.0} | {:.1} | {} |",
            name(line),
            ratio(best),
            ratio(part.floor()),
            line.cpu_us,
            line.rounds
        );
    }
}

fn name(line: &Line) -> String {
    match line.client.is_ours {
        true => format!("**{}**", line.client.name),
        false => line.client.name.to_owned(),
    }
}
