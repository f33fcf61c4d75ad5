//! Where members and replicas are, and whether it is worth to look (KIP-881).

use std::collections::{BTreeMap, BTreeSet};

use super::roster::Roster;

/// The racks of members and partitions, by number; all empty if no member says where it is.
#[derive(Debug, Default)]
pub(super) struct Racks {
    /// The rack of each member.
    members: Vec<Option<usize>>,
    /// The racks of each partition's replicas, ascending.
    partitions: Vec<Vec<usize>>,
}

impl Racks {
    pub(super) fn new(roster: &Roster<'_>) -> Self {
        if roster.members.iter().all(|s| s.member.rack().is_none()) {
            return Self::default();
        }
        let mut numbers = BTreeMap::new();
        let mut number = |rack| {
            let next = numbers.len();
            *numbers.entry(rack).or_insert(next)
        };
        let members = roster.members.iter().map(|s| s.member.rack());
        let members = members.map(|rack| rack.map(&mut number)).collect();
        let of_partition = |p| {
            let topic = roster.topics[roster.topic_of(p)];
            let racks = topic.racks_of(roster.number_of(p)).iter();
            let racks: BTreeSet<_> = racks.map(|rack| number(rack.as_str())).collect();
            racks.into_iter().collect()
        };
        let partitions = (0..roster.partitions()).map(of_partition).collect();
        Self {
            members,
            partitions,
        }
    }

    /// Whether some member says where it is.
    pub(super) fn is_known(&self) -> bool {
        !self.partitions.is_empty()
    }

    /// Whether racks can change an assignment of these partitions to these members: they have a rack in common, and not
    /// every partition is in every rack.
    pub(super) fn matter(
        &self,
        members: impl Iterator<Item = usize>,
        mut partitions: impl Iterator<Item = usize> + Clone,
    ) -> bool {
        let ours: BTreeSet<_> = members.filter_map(|m| self.of_member(m)).collect();
        if ours.is_empty() {
            return false;
        }
        let all: BTreeSet<_> = partitions
            .clone()
            .flat_map(|p| self.of_partition(p).iter().copied())
            .collect();
        let everywhere = |p: usize| self.of_partition(p).len() == all.len();
        !ours.is_disjoint(&all) && !partitions.all(everywhere)
    }

    /// The rack of a member.
    pub(super) fn of_member(&self, member: usize) -> Option<usize> {
        self.members.get(member).copied().flatten()
    }

    /// The racks of a partition's replicas.
    pub(super) fn of_partition(&self, partition: usize) -> &[usize] {
        self.partitions.get(partition).map_or(&[], |r| r)
    }

    /// Whether a replica of the partition is in the rack of the member.
    pub(super) fn shared(&self, member: usize, partition: usize) -> bool {
        self.of_member(member)
            .is_some_and(|rack| self.of_partition(partition).binary_search(&rack).is_ok())
    }

    /// Whether the member has a rack, and the partition has no replica there.
    pub(super) fn differ(&self, member: usize, partition: usize) -> bool {
        self.of_member(member).is_some() && !self.shared(member, partition)
    }

    /// How many members are in a rack of each partition's replicas.
    pub(super) fn readers(&self) -> Vec<usize> {
        let mut in_rack = BTreeMap::new();
        for rack in self.members.iter().flatten() {
            *in_rack.entry(*rack).or_insert(0) += 1;
        }
        let of_partition = |racks: &Vec<usize>| {
            let readers = racks.iter().filter_map(|rack| in_rack.get(rack));
            readers.sum()
        };
        self.partitions.iter().map(of_partition).collect()
    }
}
