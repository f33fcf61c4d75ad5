//! What readers got, and whether it was theirs.

use std::collections::BTreeMap;

use super::{History, Violation, text};

/// What a reader got of a partition in one go: from its beginning or an assignment on.
#[derive(Clone, Debug, Default)]
pub(super) struct Stretch {
    /// Where it is to begin; `None` is wherever the reader began.
    from: Option<i64>,
    got: Vec<Delivery>,
    ended: bool,
    /// What it got all the same after the end.
    late: Vec<Delivery>,
}

/// An offset and the value that a reader got for it.
type Delivery = (i64, Vec<u8>);

impl Stretch {
    pub(super) fn from(offset: i64) -> Self {
        Self {
            from: Some(offset),
            ..Self::default()
        }
    }

    /// One that ended before anything was seen of it.
    pub(super) fn revoked() -> Self {
        Self {
            ended: true,
            ..Self::default()
        }
    }

    pub(super) fn delivered(&mut self, offset: i64, value: Vec<u8>) {
        match self.ended {
            true => self.late.push((offset, value)),
            false => self.got.push((offset, value)),
        }
    }

    pub(super) fn revoke(&mut self) {
        self.ended = true;
    }

    pub(super) fn deliveries(&self) -> usize {
        self.got.len() + self.late.len()
    }

    pub(super) fn last(&self) -> Option<i64> {
        let last = self.late.last().or_else(|| self.got.last());
        last.map(|(offset, _)| *offset)
    }
}

impl History {
    pub(super) fn judge_readers(&self, violations: &mut Vec<Violation>) {
        for ((reader, partition), stretches) in &self.readers {
            for (nth, stretch) in stretches.iter().enumerate() {
                let is_last = nth + 1 == stretches.len();
                let drained = is_last && !stretch.ended && self.drained.contains(reader);
                self.judge_stretch((*reader, *partition), stretch, drained, violations);
            }
        }
        for reader in self.drained.difference(&self.members) {
            let untouched = |p: &&i32| !self.readers.contains_key(&(*reader, **p));
            for partition in self.logs.keys().filter(untouched) {
                let nothing = Stretch::default();
                self.judge_stretch((*reader, *partition), &nothing, true, violations);
            }
        }
    }

    fn judge_stretch(
        &self,
        (reader, partition): (u32, i32),
        stretch: &Stretch,
        drained: bool,
        violations: &mut Vec<Violation>,
    ) {
        let nothing = BTreeMap::new();
        let log = self.logs.get(&partition).unwrap_or(&nothing);
        let first = stretch.got.first().map(|(offset, _)| *offset);
        let mut due = stretch.from.or(first).unwrap_or(i64::MIN);
        for (offset, value) in &stretch.got {
            let place = (partition, *offset);
            violations.extend(self.judge_delivery(reader, place, value));
            if *offset < due {
                violations.push(Violation::NotForwards { reader, place, due });
                continue;
            }
            let skipped = log.range(due..*offset).map(|(offset, _)| *offset);
            self.judge_skipped((reader, partition), skipped, violations);
            due = offset + 1;
        }
        for (offset, value) in &stretch.late {
            let place = (partition, *offset);
            violations.extend(self.judge_delivery(reader, place, value));
            violations.push(Violation::DeliveredAfterRevocation { reader, place });
        }
        if drained {
            let skipped = log.range(due..).map(|(offset, _)| *offset);
            self.judge_skipped((reader, partition), skipped, violations);
        }
    }

    /// Whether a reader may get this at all.
    fn judge_delivery(&self, reader: u32, place: (i32, i64), value: &[u8]) -> Option<Violation> {
        if self.controls.contains(&place) {
            return Some(Violation::ControlRead { reader, place });
        }
        let held = self.logs.get(&place.0).and_then(|log| log.get(&place.1));
        if held.is_none_or(|held| held != value) {
            let value = text(value);
            return Some(Violation::Misread {
                reader,
                place,
                value,
            });
        }
        if !self.read_committed.contains(&reader) {
            return None;
        }
        if self.aborted.contains(&place) {
            return Some(Violation::AbortedRead { reader, place });
        }
        let undecided = self.is_undecided(place);
        undecided.then_some(Violation::UndecidedRead { reader, place })
    }

    fn judge_skipped(
        &self,
        (reader, partition): (u32, i32),
        skipped: impl Iterator<Item = i64>,
        violations: &mut Vec<Violation>,
    ) {
        let committed_only = self.read_committed.contains(&reader);
        let places = skipped.map(|offset| (partition, offset));
        let missed = places.filter(|place| {
            let not_for_it =
                committed_only && (self.aborted.contains(place) || self.is_undecided(*place));
            !self.compacted.contains(place) && !not_for_it
        });
        violations.extend(missed.map(|place| Violation::Skipped { reader, place }));
    }

    fn is_undecided(&self, (partition, offset): (i32, i64)) -> bool {
        self.open
            .get(&partition)
            .is_some_and(|open| *open <= offset)
    }
}
