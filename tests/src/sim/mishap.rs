//! What went wrong in a run, one by one, so that a part of it can be left out of the next.

use std::{collections::BTreeSet, fmt};

use super::chance::Chance;

/// One thing that went wrong by chance: what, and the how-manieth decision of its kind it was, from 0.
///
/// What it hits is drawn from the seed and from this name alone. So a run from which others are left out meets this one
/// as before, as far as its world is still the same.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Mishap {
    /// What it is.
    pub kind: MishapKind,
    /// Its place among the decisions of its kind.
    pub nth: u64,
}

/// A kind of [`Mishap`].
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum MishapKind {
    /// A connection is cut.
    Cut,
    /// A connection swallows what is sent one way.
    Silence,
    /// A broker crashes.
    Crash,
    /// A partition gets another leader.
    Move,
    /// The wall clock jumps.
    Jump,
    /// A partition is compacted.
    Compaction,
    /// The followers of a partition lag for a while.
    Lag,
    /// A dial goes wrong: at the name, at an address, or behind it.
    Dial,
    /// A request is refused, delayed, or ends its connection.
    Request,
}

/// Which mishaps happen.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Schedule {
    /// Those that are drawn.
    #[default]
    Drawn,
    /// Of those that are drawn, these.
    Only(BTreeSet<Mishap>),
}

impl Mishap {
    /// The stream that decides what it does.
    pub(super) fn chance(self, seed: u64) -> Chance {
        Chance::nth(seed, self.kind.name(), self.nth)
    }
}

impl MishapKind {
    fn name(self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::Silence => "silence",
            Self::Crash => "crash",
            Self::Move => "move",
            Self::Jump => "jump",
            Self::Compaction => "compaction",
            Self::Lag => "lag",
            Self::Dial => "dial",
            Self::Request => "request",
        }
    }
}

impl Schedule {
    pub(super) fn allows(&self, mishap: Mishap) -> bool {
        match self {
            Self::Drawn => true,
            Self::Only(these) => these.contains(&mishap),
        }
    }
}

impl fmt::Display for Mishap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.name(), self.nth)
    }
}
