//! A judge of histories: takes what was sent, what became of it, what was read and what the log holds, and tells which
//! promises were broken.
//!
//! The promises, per partition: the log holds what was accepted in the order of sending of each task, each value at most
//! once; every send resolves once, and truly; a reader gets what the log holds, all of it, in order, once.
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

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// What happened in a run.
#[derive(Clone, Debug, Default)]
pub struct History {
    sends: Vec<Send>,
    logs: BTreeMap<i32, BTreeMap<i64, Vec<u8>>>,
    readers: BTreeMap<(u32, i32), Vec<Delivery>>,
    drained: BTreeSet<u32>,
    compacted: BTreeSet<(i32, i64)>,
}

/// An offset and the value that a reader got for it.
type Delivery = (i64, Vec<u8>);

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

/// A broken promise.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Violation {
    /// A value was reported as written, and the log does not hold it there.
    Lost {
        /// The value.
        value: String,
        /// Where it should be.
        partition: i32,
        /// And at which place.
        offset: Option<i64>,
    },
    /// The logs hold a value more than once.
    Duplicated {
        /// The value.
        value: String,
        /// Each place: partition and offset.
        places: Vec<(i32, i64)>,
    },
    /// Two values of one task stand in a log in the wrong order.
    Reordered {
        /// The partition.
        partition: i32,
        /// The one that was sent first.
        first: String,
        /// The one that stands before it.
        second: String,
    },
    /// A value was reported as not written, and a log holds it.
    WrittenAfterAll {
        /// The value.
        value: String,
        /// Where it is.
        place: (i32, i64),
    },
    /// A send has no outcome.
    Unresolved {
        /// The value.
        value: String,
    },
    /// A send has more than one outcome.
    ResolvedTwice {
        /// The value.
        value: String,
    },
    /// A log holds what nobody sent.
    Invented {
        /// The value.
        value: String,
        /// Where it is.
        place: (i32, i64),
    },
    /// A reader got something else than the log holds there.
    Misread {
        /// The reader.
        reader: u32,
        /// Partition and offset.
        place: (i32, i64),
        /// What it got.
        value: String,
    },
    /// A reader got an offset that is not behind the one before: out of order, or again.
    NotForwards {
        /// The reader.
        reader: u32,
        /// Partition and offset.
        place: (i32, i64),
        /// The offset before.
        after: i64,
    },
    /// A reader did not get a value between two that it got, or at the end.
    Skipped {
        /// The reader.
        reader: u32,
        /// Partition and offset.
        place: (i32, i64),
    },
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
        let all = self.readers.entry((reader, partition)).or_default();
        all.push((offset, value.into()));
    }

    /// A reader has read to the end of every partition, from where it began. A partition of which it got nothing counts
    /// as read from the beginning.
    pub fn drained(&mut self, reader: u32) {
        self.drained.insert(reader);
    }

    /// Compaction took the record at this offset, which [`History::log`] lists all the same: a reader may have been
    /// there before, or not.
    pub fn compacted(&mut self, partition: i32, offset: i64) {
        self.compacted.insert((partition, offset));
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
        mine.map(|(_, got)| got.len()).sum()
    }

    /// The offset that a reader got last.
    pub fn last_delivery(&self, reader: u32, partition: i32) -> Option<i64> {
        let got = self.readers.get(&(reader, partition))?;
        got.last().map(|(offset, _)| *offset)
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
        for ((reader, partition), got) in &self.readers {
            self.judge_reader(*reader, *partition, got, &mut violations);
        }
        for reader in &self.drained {
            let untouched = |p: &&i32| !self.readers.contains_key(&(*reader, **p));
            for partition in self.logs.keys().filter(untouched) {
                self.judge_reader(*reader, *partition, &[], &mut violations);
            }
        }
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

    fn judge_reader(
        &self,
        reader: u32,
        partition: i32,
        got: &[(i64, Vec<u8>)],
        violations: &mut Vec<Violation>,
    ) {
        let nothing = BTreeMap::new();
        let log = self.logs.get(&partition).unwrap_or(&nothing);
        // the first offset that the reader has to get next
        let mut due = match got.first() {
            Some((first, _)) => *first,
            None => i64::MIN,
        };
        for (offset, value) in got {
            let place = (partition, *offset);
            if log.get(offset) != Some(value) {
                let value = text(value);
                violations.push(Violation::Misread {
                    reader,
                    place,
                    value,
                });
            }
            if *offset < due {
                let after = due - 1;
                violations.push(Violation::NotForwards {
                    reader,
                    place,
                    after,
                });
                continue;
            }
            self.judge_skipped(reader, partition, log.range(due..*offset), violations);
            due = offset + 1;
        }
        if self.drained.contains(&reader) {
            self.judge_skipped(reader, partition, log.range(due..), violations);
        }
    }

    fn judge_skipped<'a>(
        &self,
        reader: u32,
        partition: i32,
        skipped: impl Iterator<Item = (&'a i64, &'a Vec<u8>)>,
        violations: &mut Vec<Violation>,
    ) {
        let places = skipped.map(|(offset, _)| (partition, *offset));
        let missed = places.filter(|place| !self.compacted.contains(place));
        violations.extend(missed.map(|place| Violation::Skipped { reader, place }));
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost {
                value,
                partition,
                offset: Some(offset),
            } => write!(
                f,
                "{value} was written to {partition}@{offset} and is not there"
            ),
            Self::Lost {
                value, partition, ..
            } => write!(f, "{value} was written to {partition} and is not there"),
            Self::Duplicated { value, places } => {
                write!(f, "{value} is there {} times:", places.len())?;
                places.iter().try_for_each(|(p, o)| write!(f, " {p}@{o}"))
            }
            Self::Reordered {
                partition,
                first,
                second,
            } => write!(
                f,
                "{first} was sent before {second} and stands behind it in {partition}"
            ),
            Self::WrittenAfterAll {
                value,
                place: (p, o),
            } => write!(f, "{value} was not written, and is at {p}@{o}"),
            Self::Unresolved { value } => write!(f, "nobody was told what became of {value}"),
            Self::ResolvedTwice { value } => write!(f, "{value} resolved more than once"),
            Self::Invented {
                value,
                place: (p, o),
            } => write!(f, "nobody sent {value}, and it is at {p}@{o}"),
            Self::Misread {
                reader,
                place: (p, o),
                value,
            } => write!(
                f,
                "reader {reader} got {value} at {p}@{o}, which is not there"
            ),
            Self::NotForwards {
                reader,
                place: (p, o),
                after,
            } => write!(f, "reader {reader} got {p}@{o} when it had got {after}"),
            Self::Skipped {
                reader,
                place: (p, o),
            } => write!(f, "reader {reader} did not get {p}@{o}"),
        }
    }
}

/// A value as people read it: its beginning, without dots at the end.
fn text(value: &[u8]) -> String {
    let short = &value[..value.len().min(40)];
    let text = String::from_utf8_lossy(short);
    text.trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_0: Outcome = Outcome::Written {
        partition: 0,
        offset: Some(0),
    };

    /// `a` and `b` of one task in partition 0, `c` of another in partition 1, `d` in doubt; all read.
    fn good() -> History {
        let mut history = History::new();
        for (task, value, outcome) in [
            (1, "a", AT_0),
            (
                1,
                "b",
                Outcome::Written {
                    partition: 0,
                    offset: None,
                },
            ),
            (
                2,
                "c",
                Outcome::Written {
                    partition: 1,
                    offset: Some(7),
                },
            ),
            (2, "d", Outcome::Unknown),
            (2, "e", Outcome::NotWritten),
            (1, "f", Outcome::Abandoned),
        ] {
            let send = history.sent(task, value);
            history.resolved(send, outcome);
        }
        history.log(0, [(0, "a"), (3, "b")]);
        history.log(1, [(7, "c"), (8, "d")]);
        for (partition, offset, value) in [(0, 0, "a"), (1, 7, "c"), (0, 3, "b"), (1, 8, "d")] {
            history.delivered(1, partition, offset, value);
        }
        history.drained(1);
        history
    }

    #[track_caller]
    fn assert_judged(history: &History, wanted: &[&str]) {
        let said: Vec<_> = history.judge().iter().map(ToString::to_string).collect();
        assert_eq!(said, wanted);
    }

    #[test]
    fn a_good_history_breaks_nothing() {
        assert_judged(&good(), &[]);
        assert_eq!((good().sends(), good().deliveries(1)), (6, 4));
        assert_eq!(good().outcomes(|o| *o == Outcome::Unknown), 1);
    }

    #[test]
    fn a_written_value_that_is_not_there_is_lost() {
        let mut history = good();
        history.log(0, [(3, "b"), (4, "a")]);
        let said = history.judge();
        assert_eq!(said[0].to_string(), "a was written to 0@0 and is not there");

        let mut history = History::new();
        let send = history.sent(1, "a");
        let outcome = Outcome::Written {
            partition: 0,
            offset: None,
        };
        history.resolved(send, outcome);
        history.log(1, [(0, "a")]);
        assert_judged(&history, &["a was written to 0 and is not there"]);
    }

    #[test]
    fn a_value_that_is_there_twice_is_a_duplicate() {
        let mut history = good();
        history.log(2, [(0, "d")]);
        history.delivered(1, 2, 0, "d");
        assert_judged(&history, &["d is there 2 times: 1@8 2@0"]);
    }

    #[test]
    fn values_of_one_task_in_the_wrong_order_are_told() {
        let mut history = History::new();
        for (value, offset) in [("a", 1), ("b", 0), ("c", 2)] {
            let send = history.sent(1, value);
            let offset = Some(offset);
            history.resolved(
                send,
                Outcome::Written {
                    partition: 0,
                    offset,
                },
            );
        }
        let other = history.sent(2, "z");
        history.resolved(other, Outcome::Unknown);
        history.log(0, [(0, "b"), (1, "a"), (2, "c"), (3, "z")]);
        assert_judged(&history, &["a was sent before b and stands behind it in 0"]);
    }

    #[test]
    fn what_was_not_written_must_not_be_there() {
        let mut history = good();
        history.log(2, [(0, "e")]);
        history.delivered(1, 2, 0, "e");
        assert_judged(&history, &["e was not written, and is at 2@0"]);
    }

    #[test]
    fn a_send_without_an_outcome_is_told() {
        let mut history = good();
        history.sent(3, "x");
        assert_judged(&history, &["nobody was told what became of x"]);
    }

    #[test]
    fn a_send_with_two_outcomes_is_told() {
        let mut history = History::new();
        let send = history.sent(1, "a");
        history.resolved(send, Outcome::Unknown);
        history.resolved(send, Outcome::Unknown);
        assert_judged(&history, &["a resolved more than once"]);
    }

    #[test]
    fn a_value_that_nobody_sent_is_told() {
        let mut history = good();
        history.log(2, [(5, "x")]);
        history.delivered(1, 2, 5, "x");
        assert_judged(&history, &["nobody sent x, and it is at 2@5"]);
    }

    #[test]
    fn a_reader_that_gets_what_is_not_there_is_told() {
        let mut history = good();
        history.delivered(2, 0, 0, "b");
        history.delivered(3, 0, 1, "a");
        let wanted = [
            "reader 2 got b at 0@0, which is not there",
            "reader 3 got a at 0@1, which is not there",
        ];
        assert_judged(&history, &wanted);
    }

    #[test]
    fn a_reader_that_goes_back_is_told() {
        let mut history = good();
        history.delivered(2, 0, 3, "b");
        history.delivered(2, 0, 0, "a");
        history.delivered(3, 0, 0, "a");
        history.delivered(3, 0, 0, "a");
        let wanted = [
            "reader 2 got 0@0 when it had got 3",
            "reader 3 got 0@0 when it had got 0",
        ];
        assert_judged(&history, &wanted);
    }

    #[test]
    fn a_reader_that_leaves_something_out_is_told() {
        let mut history = good();
        history.log(0, [(0, "a"), (3, "b"), (5, "f")]);
        history.delivered(2, 0, 0, "a");
        history.delivered(2, 0, 5, "f");
        let wanted = ["reader 1 did not get 0@5", "reader 2 did not get 0@3"];
        assert_judged(&history, &wanted);

        let mut history = good();
        history.log(2, [(4, "f")]);
        assert_judged(&history, &["reader 1 did not get 2@4"]);
    }
}
