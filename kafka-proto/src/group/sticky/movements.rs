//! Which partitions have moved, so that no two of one topic change places.

use std::collections::BTreeMap;

use crate::group::roster::{Roster, java_hash, java_place};

/// From whom to whom.
type Pair = (usize, usize);

/// What has moved since the members had it.
#[derive(Debug)]
pub(super) struct Movements<'r> {
    roster: &'r Roster<'r>,
    of_partition: BTreeMap<usize, Pair>,
    /// By topic, then by pair.
    of_topic: BTreeMap<(usize, Pair), Moved>,
}

/// Partitions of one topic that went the same way, in the order in which they did.
#[derive(Debug, Default)]
struct Moved {
    partitions: Vec<usize>,
    /// How many there have been at once.
    most: usize,
}

impl<'r> Movements<'r> {
    pub(super) fn new(roster: &'r Roster<'r>) -> Self {
        Self {
            roster,
            of_partition: BTreeMap::new(),
            of_topic: BTreeMap::new(),
        }
    }

    /// Notes that a partition goes from one member to another; one that comes back has not moved.
    pub(super) fn note(&mut self, partition: usize, from: usize, to: usize) {
        let topic = self.roster.topic_of(partition);
        let from = match self.of_partition.remove(&partition) {
            Some(pair) => {
                self.forget(partition, (topic, pair));
                pair.0
            }
            None => from,
        };
        if from != to {
            self.of_partition.insert(partition, (from, to));
            let moved = self.of_topic.entry((topic, (from, to))).or_default();
            moved.partitions.push(partition);
            moved.most = moved.most.max(moved.partitions.len());
        }
    }

    /// What to move instead of `partition`: one of its topic that had gone the other way, if there is one.
    pub(super) fn instead_of(&self, partition: usize, from: usize, to: usize) -> usize {
        let topic = self.roster.topic_of(partition);
        let from = self
            .of_partition
            .get(&partition)
            .map_or(from, |pair| pair.0);
        let back = self.of_topic.get(&(topic, (to, from)));
        back.and_then(|moved| self.first(moved))
            .unwrap_or(partition)
    }

    fn forget(&mut self, partition: usize, key: (usize, Pair)) {
        if let Some(moved) = self.of_topic.get_mut(&key) {
            moved.partitions.retain(|p| *p != partition);
            if moved.partitions.is_empty() {
                self.of_topic.remove(&key);
            }
        }
    }

    /// The first in the order of Java's hash table: it takes any, and we the same.
    fn first(&self, moved: &Moved) -> Option<usize> {
        let place = |partition: &&usize| {
            let topic = self.roster.topics[self.roster.topic_of(**partition)];
            let number = self.roster.number_of(**partition) as i32;
            let hash = 31i32.wrapping_mul(number.wrapping_add(31));
            let hash = hash.wrapping_add(java_hash(&topic.name));
            java_place(hash, moved.most)
        };
        moved.partitions.iter().min_by_key(place).copied()
    }
}
