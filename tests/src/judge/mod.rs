//! A judge of histories: takes what was sent, what became of it, what was read and what the log holds, and tells which
//! promises were broken.
//!
//! The promises, per partition:
//!
//! - The log holds what was accepted in the order of sending of each task, each value at most once.
//! - Every send resolves once, and truly.
//! - A reader gets what the log holds, all of it, in order, once. One of a group gets a partition only between
//!   [`History::assigned`] and [`History::revoked`], and may begin again with each assignment.
//! - A reader of committed records gets nothing of a transaction that was aborted or is still open, and no reader gets a
//!   control record.
//! - What a group has committed never goes back, unless its user says so.
//!
//! ```
//! use kafka_testing::judge::{History, Outcome};
//!
//! let mut history = History::new();
//! let send = history.sent(1, "a");
//! history.resolved(send, Outcome::Written { partition: 0, offset: Some(0) });
//! history.log(0, [(0, "a")]);
//! assert!(history.judge().is_empty());
//! ```
//!
//! Every value of a history is sent once, so that it tells where it came from.

mod readers;
#[cfg(test)]
mod tests;
mod violation;

use std::collections::{BTreeMap, BTreeSet};

use self::readers::Stretch;
pub use self::violation::Violation;

/// What happened in a run.
#[derive(Clone, Debug, Default)]
pub struct History {
    sends: Vec<Send>,
    logs: BTreeMap<i32, BTreeMap<i64, Vec<u8>>>,
    readers: BTreeMap<(u32, i32), Vec<Stretch>>,
    /// Readers that get partitions from a group: to the others, each partition is theirs.
    members: BTreeSet<u32>,
    read_committed: BTreeSet<u32>,
    drained: BTreeSet<u32>,
    compacted: BTreeSet<(i32, i64)>,
    aborted: BTreeSet<(i32, i64)>,
    controls: BTreeSet<(i32, i64)>,
    /// Where each partition has a transaction that is still open.
    open: BTreeMap<i32, i64>,
    /// What each group has committed in a partition; `None` is a user's own doing, after which anything may come.
    commits: BTreeMap<(u32, i32), Vec<Option<i64>>>,
}

/// Names a value that was sent.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct SendId(usize);

#[derive(Clone, Debug)]
struct Send {
    task: u32,
    value: Vec<u8>,
    outcomes: Vec<Outcome>,
}

/// What a writer was told of a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It is in the log.
    Written {
        /// The partition.
        partition: i32,
        /// Its place, if the writer was told.
        offset: Option<i64>,
    },
    /// It is not in the log.
    NotWritten,
    /// Nobody knows.
    Unknown,
    /// The caller did not wait for the answer: it may have been accepted or not.
    Abandoned,
}

impl History {
    /// Nothing has happened.
    pub fn new() -> Self {
        Self::default()
    }

    /// A task sends a value that was not sent before. The order of a task's calls is the order of its values.
    pub fn sent(&mut self, task: u32, value: impl Into<Vec<u8>>) -> SendId {
        self.sends.push(Send {
            task,
            value: value.into(),
            outcomes: Vec::new(),
        });
        SendId(self.sends.len() - 1)
    }

    /// The task learns what became of the value.
    pub fn resolved(&mut self, send: SendId, outcome: Outcome) {
        self.sends[send.0].outcomes.push(outcome);
    }

    /// A reader gets a value.
    pub fn delivered(
        &mut self,
        reader: u32,
        partition: i32,
        offset: i64,
        value: impl Into<Vec<u8>>,
    ) {
        let stretches = self.readers.entry((reader, partition)).or_default();
        if stretches.is_empty() {
            stretches.push(Stretch::default());
        }
        if let Some(stretch) = stretches.last_mut() {
            stretch.delivered(offset, value.into());
        }
    }

    /// A reader's group gives it a partition, which it reads from offset `from` on.
    pub fn assigned(&mut self, reader: u32, partition: i32, from: i64) {
        self.members.insert(reader);
        let stretches = self.readers.entry((reader, partition)).or_default();
        stretches.push(Stretch::from(from));
    }

    /// A reader has acknowledged to its group that a partition is no longer its own: what it gets from now on, until it
    /// is assigned again, others get too.
    pub fn revoked(&mut self, reader: u32, partition: i32) {
        self.members.insert(reader);
        let stretches = self.readers.entry((reader, partition)).or_default();
        match stretches.last_mut() {
            Some(stretch) => stretch.revoke(),
            None => stretches.push(Stretch::revoked()),
        }
    }

    /// A reader is to get committed records only (`isolation.level=read_committed`).
    pub fn read_committed(&mut self, reader: u32) {
        self.read_committed.insert(reader);
    }

    /// The broker has accepted the commit of a group: the offset to go on from in a partition.
    pub fn committed(&mut self, group: u32, partition: i32, offset: i64) {
        let commits = self.commits.entry((group, partition)).or_default();
        commits.push(Some(offset));
    }

    /// A user moves a group on purpose: what it commits next may be less than before.
    pub fn rewound(&mut self, group: u32, partition: i32) {
        self.commits
            .entry((group, partition))
            .or_default()
            .push(None);
    }

    /// A reader has read to the end of every partition that it has in the end, from where it began. A partition of which
    /// it got nothing counts as read from the beginning; for a member of a group, from where it was assigned.
    pub fn drained(&mut self, reader: u32) {
        self.drained.insert(reader);
    }

    /// Compaction took the record at this offset, which [`History::log`] lists all the same: a reader may have been
    /// there before, or not.
    pub fn compacted(&mut self, partition: i32, offset: i64) {
        self.compacted.insert((partition, offset));
    }

    /// The record at this offset, which [`History::log`] lists too, is of a transaction that was aborted.
    pub fn aborted(&mut self, partition: i32, offset: i64) {
        self.aborted.insert((partition, offset));
    }

    /// A control record is at this offset; [`History::log`] does not list it.
    pub fn control(&mut self, partition: i32, offset: i64) {
        self.controls.insert((partition, offset));
    }

    /// In the end a transaction is still open that begins at this offset: the last stable offset.
    pub fn still_open(&mut self, partition: i32, offset: i64) {
        self.open.insert(partition, offset);
    }

    /// What a partition held, in the end or until compaction took it.
    pub fn log<V: Into<Vec<u8>>>(
        &mut self,
        partition: i32,
        records: impl IntoIterator<Item = (i64, V)>,
    ) {
        let records = records.into_iter().map(|(at, value)| (at, value.into()));
        self.logs.insert(partition, records.collect());
    }

    /// A value that was sent, as people read it: up to its padding of dots.
    pub fn value(&self, send: SendId) -> String {
        text(&self.sends[send.0].value)
    }

    /// How many values were sent.
    pub fn sends(&self) -> usize {
        self.sends.len()
    }

    /// How many values a reader got.
    pub fn deliveries(&self, reader: u32) -> usize {
        let mine = self.readers.iter().filter(|((r, _), _)| *r == reader);
        mine.flat_map(|(_, stretches)| stretches)
            .map(Stretch::deliveries)
            .sum()
    }

    /// The offset that a reader got last.
    pub fn last_delivery(&self, reader: u32, partition: i32) -> Option<i64> {
        let stretches = self.readers.get(&(reader, partition))?;
        stretches.iter().rev().find_map(Stretch::last)
    }

    /// How many sends have such an outcome.
    pub fn outcomes(&self, is_it: impl Fn(&Outcome) -> bool) -> usize {
        let is_it = |send: &&Send| send.outcomes.iter().any(&is_it);
        self.sends.iter().filter(is_it).count()
    }

    /// Every promise that was broken; none in a good run.
    pub fn judge(&self) -> Vec<Violation> {
        let mut violations = Vec::new();
        let places = self.places();
        self.judge_sends(&places, &mut violations);
        self.judge_logs(&places, &mut violations);
        self.judge_readers(&mut violations);
        self.judge_commits(&mut violations);
        violations
    }

    /// Where each value is.
    fn places(&self) -> BTreeMap<&[u8], Vec<(i32, i64)>> {
        let mut places: BTreeMap<&[u8], Vec<(i32, i64)>> = BTreeMap::new();
        for (partition, log) in &self.logs {
            for (offset, value) in log {
                places.entry(value).or_default().push((*partition, *offset));
            }
        }
        places
    }

    fn judge_sends(
        &self,
        places: &BTreeMap<&[u8], Vec<(i32, i64)>>,
        violations: &mut Vec<Violation>,
    ) {
        for send in &self.sends {
            let value = text(&send.value);
            let found = places.get(&send.value[..]).map_or(&[][..], Vec::as_slice);
            let outcome = match send.outcomes[..] {
                [] => {
                    violations.push(Violation::Unresolved { value });
                    continue;
                }
                [outcome] => outcome,
                [outcome, ..] => {
                    let value = value.clone();
                    violations.push(Violation::ResolvedTwice { value });
                    outcome
                }
            };
            match (outcome, found) {
                (Outcome::Written { partition, offset }, found) => {
                    let there = |(p, o): &(i32, i64)| {
                        *p == partition && offset.is_none_or(|offset| offset == *o)
                    };
                    if !found.iter().any(there) {
                        violations.push(Violation::Lost {
                            value,
                            partition,
                            offset,
                        });
                    }
                }
                (Outcome::NotWritten, [place, ..]) => {
                    let place = *place;
                    violations.push(Violation::WrittenAfterAll { value, place });
                }
                (Outcome::NotWritten | Outcome::Unknown | Outcome::Abandoned, _) => {}
            }
        }
    }

    fn judge_logs(
        &self,
        places: &BTreeMap<&[u8], Vec<(i32, i64)>>,
        violations: &mut Vec<Violation>,
    ) {
        let numbered = self.sends.iter().enumerate();
        let senders: BTreeMap<&[u8], (u32, usize)> =
            numbered.map(|(i, s)| (&s.value[..], (s.task, i))).collect();
        for (value, places) in places {
            if places.len() > 1 {
                violations.push(Violation::Duplicated {
                    value: text(value),
                    places: places.clone(),
                });
            }
            if !senders.contains_key(value) {
                violations.push(Violation::Invented {
                    value: text(value),
                    place: places[0],
                });
            }
        }
        for (partition, log) in &self.logs {
            // the latest value of each task so far
            let mut latest: BTreeMap<u32, usize> = BTreeMap::new();
            for value in log.values() {
                let Some((task, at)) = senders.get(&value[..]).copied() else {
                    continue;
                };
                match latest.get(&task).copied() {
                    Some(before) if before > at => violations.push(Violation::Reordered {
                        partition: *partition,
                        first: text(value),
                        second: text(&self.sends[before].value),
                    }),
                    _ => drop(latest.insert(task, at)),
                }
            }
        }
    }

    fn judge_commits(&self, violations: &mut Vec<Violation>) {
        for ((group, partition), commits) in &self.commits {
            let mut highest = None;
            for commit in commits {
                let &Some(offset) = commit else {
                    highest = None;
                    continue;
                };
                if let Some(before) = highest.filter(|before| *before > offset) {
                    violations.push(Violation::CommitWentBack {
                        group: *group,
                        place: (*partition, offset),
                        before,
                    });
                }
                highest = highest.max(Some(offset));
            }
        }
    }
}

/// A value as people read it: its beginning, without dots at the end.
fn text(value: &[u8]) -> String {
    let short = &value[..value.len().min(40)];
    let text = String::from_utf8_lossy(short);
    text.trim_end_matches('.').to_owned()
}
