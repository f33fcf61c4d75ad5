//! What can be broken, and how people read it.

use std::fmt;

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
    /// A reader got an offset before the one that it was to go on from: out of order, or again.
    NotForwards {
        /// The reader.
        reader: u32,
        /// Partition and offset.
        place: (i32, i64),
        /// The offset that it was to go on from.
        due: i64,
    },
    /// A reader did not get a value between two that it got, or at the end.
    Skipped {
        /// The reader.
        reader: u32,
        /// Partition and offset.
        place: (i32, i64),
    },
    /// A member of a group got a record of a partition that it had acknowledged to be no longer its own.
    DeliveredAfterRevocation {
        /// The reader.
        reader: u32,
        /// Partition and offset.
        place: (i32, i64),
    },
    /// A reader of committed records got one of an aborted transaction.
    AbortedRead {
        /// The reader.
        reader: u32,
        /// Partition and offset.
        place: (i32, i64),
    },
    /// A reader of committed records got one at or behind the start of a transaction that is still open.
    UndecidedRead {
        /// The reader.
        reader: u32,
        /// Partition and offset.
        place: (i32, i64),
    },
    /// A reader got a control record.
    ControlRead {
        /// The reader.
        reader: u32,
        /// Partition and offset.
        place: (i32, i64),
    },
    /// A group committed less than before, and its user did not ask for it.
    CommitWentBack {
        /// The group.
        group: u32,
        /// Partition and offset.
        place: (i32, i64),
        /// The offset that it had committed before.
        before: i64,
    },
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
                due,
            } => write!(f, "reader {reader} got {p}@{o} when {due} was due"),
            Self::Skipped {
                reader,
                place: (p, o),
            } => write!(f, "reader {reader} did not get {p}@{o}"),
            Self::DeliveredAfterRevocation {
                reader,
                place: (p, o),
            } => write!(f, "reader {reader} got {p}@{o} after it had given {p} up"),
            Self::AbortedRead {
                reader,
                place: (p, o),
            } => write!(f, "reader {reader} got {p}@{o}, which was aborted"),
            Self::UndecidedRead {
                reader,
                place: (p, o),
            } => write!(f, "reader {reader} got {p}@{o}, which is not decided"),
            Self::ControlRead {
                reader,
                place: (p, o),
            } => write!(f, "reader {reader} got {p}@{o}, which is a control record"),
            Self::CommitWentBack {
                group,
                place: (p, o),
                before,
            } => write!(f, "group {group} committed {p}@{o} after {before}"),
        }
    }
}
