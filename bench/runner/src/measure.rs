//! Runs programs one at a time, and checks what they did.

use std::{
    io::Read,
    process::{Child, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use bench_contract::{Pool, digest, touch};

use crate::{
    Fault,
    admin::Admin,
    broker::{Broker, Target, start_kafka},
    build,
    clients::Client,
    machine,
    options::Options,
    results::Row,
    table,
    workloads::{Mode, Workload},
};

/// Seconds that a program has; it ends itself then.
const LIMIT: u64 = 150;

/// A broker, and the way to look into it.
struct Place {
    broker: Broker,
    admin: Admin,
}

impl Place {
    fn new(broker: Broker) -> Result<Self, Fault> {
        let admin = Admin::new(&broker)?;
        Ok(Self { broker, admin })
    }
}

/// The places that the chosen workloads need.
struct Places {
    kafka: Vec<Place>,
    sinks: Vec<Place>,
    logs: Vec<Place>,
}

impl Places {
    fn start(options: &Options) -> Result<Self, Fault> {
        let (mut kafka, mut sinks, mut logs) = (Vec::new(), Vec::new(), Vec::new());
        let on_null = |mode| {
            let of_mode = |w: &&Workload| w.on_null && w.mode == mode;
            options.workloads.iter().copied().any(|w| of_mode(&w))
        };
        let (on_kafka, null): (Vec<Target>, Vec<_>) =
            options.targets.iter().partition(|target| target.is_kafka);
        if !on_kafka.is_empty() {
            let running = start_kafka(options.has_tls())?;
            for target in on_kafka {
                kafka.push(Place::new(Broker::kafka(&running, target.tls))?);
            }
        }
        for Target { tls, .. } in null {
            if on_null(Mode::Produce) {
                sinks.push(Place::new(Broker::null(true, tls)?)?);
            }
            if on_null(Mode::Consume) {
                logs.push(Place::new(Broker::null(false, tls)?)?);
            }
        }
        Ok(Self { kafka, sinks, logs })
    }

    /// Where a workload is run.
    fn of(&self, workload: &Workload) -> impl Iterator<Item = &Place> {
        let null = match workload.mode {
            Mode::Consume => &self.logs,
            _ => &self.sinks,
        };
        self.kafka
            .iter()
            .chain(null.iter().filter(|_| workload.on_null))
    }
}

pub fn run(options: &Options) -> Result<(), Fault> {
    build::all(&options.clients, options.has_tls())?;
    let places = Places::start(options)?;
    let label = options.label.clone().unwrap_or_else(machine::time);
    let machine = machine::describe();
    for workload in options.workloads.iter().filter(|w| w.mode == Mode::Consume) {
        for place in places.of(workload) {
            let messages = workload.messages(options.scale);
            eprintln!(
                "filling a topic for {} on {}",
                workload.name,
                place.broker.name()
            );
            let topic = filled_topic(workload, messages);
            let (partitions, size) = (workload.partitions, workload.size);
            if place.admin.ends(&topic, partitions).is_err() {
                place
                    .admin
                    .fill(&topic, partitions, messages, size, workload.codec)?;
            }
        }
    }
    for round in 1..=options.rounds {
        for workload in &options.workloads {
            for place in places.of(workload) {
                let tls = place.broker.target().tls;
                let able = |c: &&&Client| c.does(workload) && (c.has_tls || !tls);
                for client in options.clients.iter().filter(able) {
                    let mut row = measure(place, client, workload, options.scale)?;
                    row.label = label.clone();
                    row.machine = machine.clone();
                    row.keep(&options.results)?;
                    eprintln!("{round} {}", line(&row));
                }
            }
        }
    }
    let kept = Options {
        label: Some(label),
        clients: options.clients.clone(),
        workloads: options.workloads.clone(),
        targets: options.targets.clone(),
        svg: None,
        results: options.results.clone(),
        ..*options
    };
    table::print(&kept)
}

fn filled_topic(workload: &Workload, messages: usize) -> String {
    format!("filled-{}-{}-{messages}", workload.size, workload.codec)
}

/// One run of one program on a topic of its own, and what became of its messages.
fn measure(place: &Place, client: &Client, workload: &Workload, scale: f64) -> Result<Row, Fault> {
    let messages = workload.messages(scale);
    let is_read_only = workload.mode == Mode::Consume;
    let topic = match is_read_only {
        true => filled_topic(workload, messages),
        false => format!("run-{}-{}", workload.name, client.name),
    };
    if !is_read_only {
        place.admin.create(&topic, workload.partitions)?;
    }
    let mut row = run_program(place, client, workload, messages, &topic);
    row.at = machine::time();
    row.client = client.name.to_owned();
    row.workload = workload.name.to_owned();
    row.target = place.broker.name().to_owned();
    if row.skip.is_none() && row.fault.is_none() {
        row.fault = match check(place, workload, messages, &topic, &mut row) {
            Ok(()) => None,
            Err(fault) => Some(fault),
        };
    }
    if !is_read_only {
        place.admin.delete(&topic)?;
    }
    Ok(row)
}

fn run_program(
    place: &Place,
    client: &Client,
    workload: &Workload,
    messages: usize,
    topic: &str,
) -> Row {
    let option = |name: &str, value: String| [format!("--{name}"), value];
    let mut command = build::command(client);
    command
        .args(option("workload", workload.name.to_owned()))
        .args(option("mode", workload.mode.word().to_owned()))
        .args(option("bootstrap", place.broker.bootstrap()))
        .args(option("topic", topic.to_owned()))
        .args(option("messages", messages.to_string()))
        .args(option("size", workload.size.to_string()))
        .args(option("codec", workload.codec.to_owned()))
        .args(option("partitions", workload.partitions.to_string()))
        .args(option("linger-ms", workload.linger_ms.to_string()))
        .args(option("timeout-s", LIMIT.to_string()))
        .stdout(Stdio::piped());
    let failed = |what: String| Row {
        fault: Some(what),
        ..Row::default()
    };
    match place.broker.ca() {
        Ok(None) => {}
        Ok(Some(ca)) => drop(command.arg("--ca").arg(ca)),
        Err(fault) => return failed(fault),
    }
    let child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return failed(format!("{command:?}: {error}")),
    };
    let out = match wait(child, Duration::from_secs(LIMIT + 15)) {
        Ok(out) => out,
        Err(fault) => return failed(fault),
    };
    let line = out.lines().find(|line| line.starts_with('{'));
    match line.map(serde_json::from_str) {
        Some(Ok(row)) => row,
        Some(Err(error)) => failed(format!("its line: {error}")),
        None => failed("it printed no line".to_owned()),
    }
}

/// What a program prints until its end, or until the limit, which ends it.
fn wait(mut child: Child, limit: Duration) -> Result<String, Fault> {
    let Some(mut stdout) = child.stdout.take() else {
        return Err("no pipe".to_owned());
    };
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut out = String::new();
        let _ = stdout.read_to_string(&mut out);
        let _ = tell.send(out);
    });
    let out = told.recv_timeout(limit);
    if out.is_err() {
        let _ = child.kill();
    }
    let status = child.wait().map_err(|e| e.to_string())?;
    match out {
        Err(_) => Err(format!("did not end within {limit:?}")),
        Ok(_) if !status.success() => Err(format!("ended with {status}")),
        Ok(out) => Ok(out),
    }
}

/// Whether every message came to where it belongs, once, as it was.
fn check(
    place: &Place,
    workload: &Workload,
    messages: usize,
    topic: &str,
    row: &mut Row,
) -> Result<(), Fault> {
    if row.errors > 0 {
        return Err(format!("{} errors", row.errors));
    }
    if row.messages != messages as u64 {
        return Err(format!("{} messages instead of {messages}", row.messages));
    }
    match workload.mode {
        Mode::Consume => {
            let pool = Pool::new(workload.size);
            let mut sum = 0;
            (0..messages).for_each(|number| touch(&mut sum, pool.value(number)));
            match row.extra("sum") {
                Some(its) if its == sum => Ok(()),
                its => Err(format!("sum {its:?} instead of {sum}")),
            }
        }
        Mode::Produce => {
            let sent = row
                .extra("sent_total")
                .ok_or("it does not say what it sent")?;
            let ends = place.admin.ends(topic, workload.partitions)?;
            let logged: i64 = ends.iter().sum();
            if logged != sent as i64 {
                return Err(format!("{logged} in the log, {sent} sent"));
            }
            if let Some((bytes, batches)) = place.broker.log_size(topic) {
                row.log_bytes = Some(bytes);
                row.log_batches = Some(batches);
                row.log_messages = Some(sent);
                let its = place.admin.digest(topic, &ends)?;
                let pool = Pool::new(workload.size);
                // the first message, then all of them once or more often
                let times = (sent - 1) / messages as u64;
                let all = (0..messages).map(|number| digest(pool.value(number)));
                let all = all.fold(0, u64::wrapping_add).wrapping_mul(times);
                let sum = all.wrapping_add(digest(pool.value(0)));
                if its != sum {
                    return Err("what is in the log is not what was sent".to_owned());
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn line(row: &Row) -> String {
    let what = match (&row.fault, &row.skip) {
        (Some(fault), _) => format!("DOES NOT COUNT: {fault}"),
        (None, Some(why)) => format!("left out: {why}"),
        (None, None) => match row.extra("p50_us") {
            Some(p50) => format!("{p50:>8} us p50"),
            None => format!(
                "{:8.3} us of CPU a message, {:>9.0} messages/s",
                row.cpu_us_per_msg, row.msgs_per_s
            ),
        },
    };
    format!(
        "{:<3} {:<6} {:<16} {what}",
        row.workload, row.target, row.client
    )
}
