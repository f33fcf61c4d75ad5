//! The recorded figures: the file, and what differs from it.

use std::{fmt, fmt::Write, fs, path::PathBuf};

/// What one unit of a case takes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) case: String,
    /// What one unit is.
    pub(crate) per: String,
    /// `None`: not counted.
    pub(crate) instructions: Option<f64>,
    pub(crate) allocations: f64,
    pub(crate) bytes: f64,
}

/// The recorded rows, and the tools they were counted with.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) tools: String,
    pub(crate) rows: Vec<Row>,
}

/// More than this is growth.
const GROWTH: f64 = 1.03;
/// The smallest difference that a figure can show.
const SMALLEST: [(Figure, f64); 3] = [
    (Figure::Instructions, 0.005),
    (Figure::Allocations, 0.00005),
    (Figure::Bytes, 0.005),
];

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Figure {
    Instructions,
    Allocations,
    Bytes,
}

/// How a figure differs from the record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    pub(crate) case: String,
    pub(crate) figure: Figure,
    pub(crate) was: f64,
    pub(crate) is: f64,
}

impl Change {
    pub(crate) fn is_growth(&self) -> bool {
        self.is > self.was
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            case,
            figure,
            was,
            is,
        } = self;
        let (places, figure) = match figure {
            Figure::Instructions => (1, "instructions"),
            Figure::Allocations => (4, "allocations"),
            Figure::Bytes => (1, "bytes allocated"),
        };
        write!(
            f,
            "{case}: {was:.places$} {figure} recorded, {is:.places$} counted"
        )
    }
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/counts/record.txt")
}

impl Record {
    /// The record of the repository; empty where there is none yet.
    pub(crate) fn read() -> Result<Self, String> {
        match fs::read_to_string(path()) {
            Ok(text) => Self::parse(&text),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(format!("{}: {e}", path().display())),
        }
    }

    pub(crate) fn write(&self) -> Result<(), String> {
        fs::write(path(), self.to_text()).map_err(|e| format!("{}: {e}", path().display()))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut record = Self::default();
        for line in text.lines() {
            if let Some(tools) = line.strip_prefix("# tools: ") {
                record.tools = tools.to_owned();
            } else if !line.starts_with('#') && !line.is_empty() {
                let row = Row::parse(line).ok_or_else(|| format!("no row: {line}"))?;
                record.rows.push(row);
            }
        }
        Ok(record)
    }

    fn to_text(&self) -> String {
        let mut text = String::from(
            "# What one unit takes of the client: instructions by callgrind, allocations, bytes of them.\n\
             # Written by: cargo bench -p kafka-testing --bench counts -- record\n",
        );
        let _ = writeln!(text, "# tools: {}", self.tools);
        for row in &self.rows {
            let instructions = match row.instructions {
                Some(n) => format!("{n:.2}"),
                None => "-".to_owned(),
            };
            let _ = writeln!(
                text,
                "{:<32} | {:<8} | {:>12} | {:>10.4} | {:>12.2}",
                row.case, row.per, instructions, row.allocations, row.bytes
            );
        }
        text
    }

    /// Every figure of `rows` that differs by more than is allowed, growth and shrinkage alike. Rows without a record are
    /// left to [`Record::unknown`].
    pub(crate) fn changes(&self, rows: &[Row]) -> Vec<Change> {
        let pairs = rows
            .iter()
            .filter_map(|row| Some((row, self.row(&row.case)?)));
        let figures = pairs.flat_map(|(is, was)| {
            SMALLEST.iter().filter_map(move |(figure, smallest)| {
                let (is_now, was_then) = (is.figure(*figure)?, was.figure(*figure)?);
                let (low, high) = match is_now < was_then {
                    true => (is_now, was_then),
                    false => (was_then, is_now),
                };
                (high > low * GROWTH + smallest).then(|| Change {
                    case: is.case.clone(),
                    figure: *figure,
                    was: was_then,
                    is: is_now,
                })
            })
        });
        figures.collect()
    }

    /// Cases of `rows` that the record does not have, and its cases that `rows` do not have.
    pub(crate) fn unknown(&self, rows: &[Row]) -> Vec<String> {
        let new = rows.iter().filter(|row| self.row(&row.case).is_none());
        let gone = self
            .rows
            .iter()
            .filter(|row| !rows.iter().any(|r| r.case == row.case));
        new.chain(gone).map(|row| row.case.clone()).collect()
    }

    pub(crate) fn row(&self, case: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.case == case)
    }
}

impl Row {
    fn parse(line: &str) -> Option<Self> {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let [case, per, instructions, allocations, bytes] = cells[..] else {
            return None;
        };
        Some(Self {
            case: case.to_owned(),
            per: per.to_owned(),
            instructions: match instructions {
                "-" => None,
                n => Some(n.parse().ok()?),
            },
            allocations: allocations.parse().ok()?,
            bytes: bytes.parse().ok()?,
        })
    }

    fn figure(&self, figure: Figure) -> Option<f64> {
        match figure {
            Figure::Instructions => self.instructions,
            Figure::Allocations => Some(self.allocations),
            Figure::Bytes => Some(self.bytes),
        }
    }
}
