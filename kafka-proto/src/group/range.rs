//! Neighbouring partitions of each topic.

use std::collections::BTreeMap;

use super::{
    GroupAssignments, GroupBalancer, GroupMember, GroupTopic, racks::Racks, roster::Roster,
};

/// Gives each member neighbouring partitions of every topic that it wants; the first members get one more where they do
/// not divide evenly.
///
/// Five partitions and two members: 0, 1, 2 and 3, 4. Equal numbers of topics that have as many partitions go to equal
/// members, so that topics can be joined.
///
/// Where members say in which rack they are, and replicas are not in all of them, members first get partitions with a
/// replica in their own rack, up to what they would have got anyway (KIP-881); they need not be neighbours then.
///
/// Source: Java's `RangeAssignor`; acceptance GB-06, 2.7.
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "RangeAssignor")]
pub struct RangeGroupBalancer;

impl GroupBalancer for RangeGroupBalancer {
    fn protocol_name(&self) -> &str {
        "range"
    }

    fn assign(&self, members: &[GroupMember], topics: &[GroupTopic]) -> GroupAssignments {
        let roster = Roster::new(members, topics);
        let racks = Racks::new(&roster);
        let mut assigned = vec![Vec::new(); roster.members.len()];
        let mut shares = shares(&roster);
        let matters: Vec<_> = shares
            .iter()
            .map(|s| racks.is_known() && racks.matter(s.members.iter().copied(), s.range.clone()))
            .collect();
        if matters.contains(&true) {
            for topics in alike(&shares, &racks) {
                match topics[..] {
                    [topic] if matters[topic] => {
                        shares[topic].deal(&mut assigned, |member, p| !racks.differ(member, p))
                    }
                    [_] => {}
                    _ => deal_alike(&mut shares, &topics, &racks, &mut assigned),
                }
            }
        }
        shares
            .iter_mut()
            .for_each(|share| share.deal(&mut assigned, |_, _| true));
        roster.assignments(&assigned)
    }
}

/// A topic, the members that want it, and what is left to give.
struct Share {
    range: std::ops::Range<usize>,
    /// In the order in which they choose.
    members: Vec<usize>,
    /// How many partitions each of them has got.
    got: Vec<usize>,
    /// What each of them gets, and how many may get one more.
    quota: usize,
    extras: usize,
    taken: Vec<bool>,
    left: usize,
}

fn shares(roster: &Roster<'_>) -> Vec<Share> {
    let mut members = vec![Vec::new(); roster.topics.len()];
    for member in roster.by_instance() {
        let topics = roster.members[member].topics.iter();
        topics.for_each(|topic| members[*topic].push(member));
    }
    let share = |(topic, members): (usize, Vec<usize>)| {
        let range = roster.partitions_of(topic);
        let (n, count) = (range.len(), members.len().max(1));
        Share {
            range,
            got: vec![0; members.len()],
            members,
            quota: n / count,
            extras: n % count,
            taken: vec![false; n],
            left: n,
        }
    };
    members.into_iter().enumerate().map(share).collect()
}

impl Share {
    /// How many more the member at this place may get.
    fn room(&self, at: usize) -> usize {
        (self.quota + usize::from(self.extras > 0)).saturating_sub(self.got[at])
    }

    fn give(&mut self, at: usize, number: usize, assigned: &mut [Vec<usize>]) {
        assigned[self.members[at]].push(self.range.start + number);
        self.taken[number] = true;
        self.left -= 1;
        self.got[at] += 1;
    }

    /// Uses up one of the extras if the member at this place has one now.
    fn settle(&mut self, at: usize) {
        if self.got[at] > self.quota {
            self.extras = self.extras.saturating_sub(1);
        }
    }

    /// Lets each member in turn take what it may have of what it `may` take.
    fn deal(&mut self, assigned: &mut [Vec<usize>], may: impl Fn(usize, usize) -> bool) {
        // before here all are taken
        let mut first = 0;
        for at in 0..self.members.len() {
            if self.left == 0 {
                return;
            }
            while self.taken.get(first) == Some(&true) {
                first += 1;
            }
            let (room, had) = (self.room(at), self.got[at]);
            for number in first..self.taken.len() {
                if self.got[at] - had == room {
                    break;
                }
                if !self.taken[number] && may(self.members[at], self.range.start + number) {
                    self.give(at, number, assigned);
                }
            }
            if self.got[at] > had {
                self.settle(at);
            }
        }
    }
}

/// Topics by what makes them alike: the same members want them, and they have as many partitions, if any of the members
/// says where it is.
fn alike(shares: &[Share], racks: &Racks) -> Vec<Vec<usize>> {
    let mut groups = BTreeMap::<(&[usize], usize), Vec<usize>>::new();
    for (topic, share) in shares.iter().enumerate() {
        let placed = share.members.iter().any(|m| racks.of_member(*m).is_some());
        let partitions = if placed { share.range.len() } else { 0 };
        groups
            .entry((&share.members, partitions))
            .or_default()
            .push(topic);
    }
    groups
        .into_iter()
        .filter(|(k, _)| k.1 > 0)
        .map(|(_, topics)| topics)
        .collect()
}

/// Gives equal numbers of topics that are alike to the first member that is near all of them.
fn deal_alike(shares: &mut [Share], topics: &[usize], racks: &Racks, assigned: &mut [Vec<usize>]) {
    let members = shares[topics[0]].members.clone();
    let mut remaining: Vec<_> = (0..members.len()).collect();
    for number in 0..shares[topics[0]].range.len() {
        let near = |at: usize| {
            topics.iter().all(|topic| {
                let share = &shares[*topic];
                !racks.differ(members[at], share.range.start + number) && share.room(at) > 0
            })
        };
        let Some(found) = remaining.iter().position(|at| near(*at)) else {
            continue;
        };
        let at = remaining[found];
        for topic in topics {
            shares[*topic].give(at, number, assigned);
            shares[*topic].settle(at);
        }
        if topics.iter().all(|topic| shares[*topic].room(at) == 0) {
            remaining.remove(found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(partitions: usize, members: usize) -> Vec<Vec<i32>> {
        let members: Vec<_> = (0..members)
            .map(|n| GroupMember::new(format!("m{n:03}")).topics(["t"]))
            .collect();
        RangeGroupBalancer
            .assign(&members, &[GroupTopic::new("t", partitions)])
            .into_values()
            .map(|mut topics| topics.remove("t").unwrap_or_default())
            .collect()
    }

    /// Acceptance GB-06 and the column `documented` of 2.7.
    #[test]
    fn ranges_are_neighbours_and_the_first_get_more() {
        assert_eq!(sizes(5, 2), [vec![0, 1, 2], vec![3, 4]]);
        assert_eq!(sizes(6, 3), [[0, 1], [2, 3], [4, 5]]);
        assert_eq!(sizes(3, 2), [vec![0, 1], vec![2]]);
        assert_eq!(sizes(1, 2), [vec![0], vec![]]);
        assert_eq!(sizes(7, 3), [vec![0, 1, 2], vec![3, 4], vec![5, 6]]);
        assert_eq!(
            sizes(10, 4),
            [vec![0, 1, 2], vec![3, 4, 5], vec![6, 7], vec![8, 9]]
        );
        assert_eq!(sizes(2, 3), [vec![0], vec![1], vec![]]);
    }

    /// Acceptance 2.7.
    #[test]
    fn many_members_get_as_many_or_one_more() {
        let sizes = sizes(213, 66);
        assert!(sizes.iter().all(|s| s.len() == 3 || s.len() == 4));
        assert_eq!(sizes.concat(), (0..213).collect::<Vec<_>>());
    }

    #[test]
    fn static_members_choose_first_by_their_names() {
        let members = [
            GroupMember::new("a").topics(["t"]),
            GroupMember::new("z").topics(["t"]).instance_id("i2"),
            GroupMember::new("y").topics(["t"]).instance_id("i1"),
        ];
        let given = RangeGroupBalancer.assign(&members, &[GroupTopic::new("t", 3)]);
        assert_eq!(given["y"]["t"], [0]);
        assert_eq!(given["z"]["t"], [1]);
        assert_eq!(given["a"]["t"], [2]);
    }
}
