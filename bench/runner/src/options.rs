//! The command line.

use std::path::PathBuf;

use crate::{
    Fault,
    broker::Target,
    build::target_folder,
    clients::{CLIENTS, Client},
    workloads::{WORKLOADS, Workload},
};

pub struct Options {
    pub clients: Vec<&'static Client>,
    pub workloads: Vec<&'static Workload>,
    pub rounds: usize,
    pub targets: Vec<Target>,
    /// Of the messages of each workload of many.
    pub scale: f64,
    pub label: Option<String>,
    pub svg: Option<PathBuf>,
    pub results: PathBuf,
}

impl Options {
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, Fault> {
        let mut options = Self {
            clients: CLIENTS.iter().collect(),
            workloads: WORKLOADS.iter().collect(),
            rounds: 3,
            targets: vec![Target::KAFKA, Target::NULL],
            scale: 1.0,
            label: None,
            svg: None,
            results: target_folder().join("bench-results.jsonl"),
        };
        while let Some(name) = words.next() {
            let value = words
                .next()
                .ok_or_else(|| format!("{name} needs a value"))?;
            let number = || {
                value
                    .parse::<f64>()
                    .map_err(|e| format!("{name} {value}: {e}"))
            };
            match name.as_str() {
                "--clients" => options.clients = chosen(&value, CLIENTS, |c| c.name)?,
                "--workloads" => options.workloads = chosen(&value, WORKLOADS, |w| w.name)?,
                "--rounds" => options.rounds = number()? as usize,
                "--scale" => options.scale = number()?,
                "--label" => options.label = Some(value),
                "--svg" => options.svg = Some(value.into()),
                "--results" => options.results = value.into(),
                "--target" if value == "both" => {}
                "--target" => options.targets = chosen_targets(&value)?,
                _ => return Err(format!("no option {name}")),
            }
        }
        Ok(options)
    }

    /// Whether any target is to be reached by TLS.
    pub fn has_tls(&self) -> bool {
        self.targets.iter().any(|target| target.tls)
    }
}

fn chosen_targets(names: &str) -> Result<Vec<Target>, Fault> {
    let find = |name: &str| Target::ALL.into_iter().find(|target| target.name() == name);
    let each = names.split(',');
    each.map(|name| find(name).ok_or_else(|| format!("no {name}")))
        .collect()
}

fn chosen<T>(
    names: &str,
    all: &'static [T],
    name_of: fn(&T) -> &'static str,
) -> Result<Vec<&'static T>, Fault> {
    let find = |name: &str| all.iter().find(|one| name_of(one) == name);
    let each = names.split(',');
    each.map(|name| find(name).ok_or_else(|| format!("no {name}")))
        .collect()
}
