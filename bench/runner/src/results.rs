//! One measurement, as the programs print it and as it is kept.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Fault;

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Row {
    // what the program says
    pub client: String,
    pub version: String,
    pub workload: String,
    pub messages: u64,
    pub wall_s: f64,
    pub cpu_user_s: f64,
    pub cpu_sys_s: f64,
    pub max_rss_mb: f64,
    pub msgs_per_s: f64,
    pub cpu_us_per_msg: f64,
    pub errors: u64,
    pub extra: Value,
    /// Why it does not do this workload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip: Option<String>,

    // what we add
    pub target: String,
    pub label: String,
    pub at: String,
    pub machine: String,
    /// Why it does not count: it ended badly, or messages were lost, doubled or changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_batches: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_messages: Option<u64>,
}

impl Row {
    /// A number among what only some workloads have.
    pub fn extra(&self, name: &str) -> Option<u64> {
        self.extra.get(name)?.as_u64()
    }

    /// Bytes of the broker's log for each message.
    pub fn log_bytes_a_message(&self) -> Option<f64> {
        Some(self.log_bytes? as f64 / self.log_messages? as f64)
    }

    /// Messages in each batch of the broker's log.
    pub fn batch(&self) -> Option<f64> {
        Some(self.log_messages? as f64 / self.log_batches? as f64)
    }

    pub fn keep(&self, file: &Path) -> Result<(), Fault> {
        let fault = |e: std::io::Error| format!("{}: {e}", file.display());
        let line = serde_json::to_string(self).map_err(|e| e.to_string())?;
        let open = File::options().create(true).append(true).open(file);
        writeln!(open.map_err(fault)?, "{line}").map_err(fault)
    }
}

/// The rows that are kept under a label; by default, the last one.
pub fn read(file: &Path, label: Option<&str>) -> Result<Vec<Row>, Fault> {
    let text = fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
    let rows = text.lines().map(serde_json::from_str);
    let mut rows: Vec<Row> = rows.collect::<Result<_, _>>().map_err(|e| e.to_string())?;
    let last = rows.last().map(|row| row.label.clone()).unwrap_or_default();
    rows.retain(|row| row.label == label.unwrap_or(&last));
    match rows.is_empty() {
        true => Err(format!("{} has no such label", file.display())),
        false => Ok(rows),
    }
}

/// The middle of an uneven number, the lower middle of an even one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len().saturating_sub(1) / 2;
    values.get(middle).copied().unwrap_or_default()
}
