//! The case in which all members want the same topics: numbers differ by one at most.

use super::claims::Claims;
use crate::group::{racks::Racks, roster::Roster};

/// Who gets what, and which partitions go from one member to another.
///
/// Each member keeps what it owns, up to its due: as many as everybody gets, or one more as long as there are such places.
/// What is left goes, in order, to one member after the other that lacks some.
pub(super) fn assign(
    roster: &Roster<'_>,
    racks: &Racks,
    rack_aware: bool,
    claims: &Claims,
) -> (Vec<Vec<usize>>, Vec<usize>) {
    let members = roster.members.len();
    if members == 0 {
        return (Vec::new(), Vec::new());
    }
    let mut deal = Deal {
        assigned: vec![Vec::new(); members],
        lacking: Vec::new(),
        could_have_more: Vec::new(),
        least: roster.partitions() / members,
        most: roster.partitions().div_ceil(members),
        places: roster.partitions() % members,
    };
    let mut given_up = vec![None; roster.partitions()];
    deal.keep(roster, claims, |member, partition| {
        let keeps = !(rack_aware && racks.differ(member, partition));
        if !keeps {
            given_up[partition] = Some(member);
        }
        keeps
    })
    .into_iter()
    .for_each(|(partition, member)| given_up[partition] = Some(member));

    let mut taken = vec![false; roster.partitions()];
    let kept = deal.assigned.iter().flatten();
    kept.for_each(|partition| taken[*partition] = true);
    let mut left: Vec<_> = (0..roster.partitions()).filter(|p| !taken[*p]).collect();
    if racks.is_known() {
        let readers = racks.readers();
        // those first that few members are near to
        left.sort_by_key(|partition| readers[*partition]);
    }
    if rack_aware {
        left = deal.give_near(left, racks);
    }
    deal.give(left);

    let mut moving = Vec::new();
    for (member, partitions) in deal.assigned.iter().enumerate() {
        let came = |p: &&usize| !taken[**p];
        let had_another =
            |p: &&usize| claims.disputed[**p] || given_up[**p].is_some_and(|owner| owner != member);
        moving.extend(partitions.iter().filter(came).filter(had_another));
    }
    (deal.assigned, moving)
}

struct Deal {
    assigned: Vec<Vec<usize>>,
    /// Members that have fewer than all get.
    lacking: Vec<usize>,
    /// Members that have as many as all get, and may get one more.
    could_have_more: Vec<usize>,
    least: usize,
    most: usize,
    /// How many members may still get one more than `least`.
    places: usize,
}

impl Deal {
    /// Lets members keep what they own, and returns what they own beyond their due.
    fn keep(
        &mut self,
        roster: &Roster<'_>,
        claims: &Claims,
        mut may_keep: impl FnMut(usize, usize) -> bool,
    ) -> Vec<(usize, usize)> {
        let mut beyond = Vec::new();
        for member in roster.by_hash() {
            let mut owned: Vec<_> = claims.owned[member]
                .iter()
                .copied()
                .filter(|p| may_keep(member, *p))
                .collect();
            owned.sort_by_key(|p| (roster.number_of(*p), roster.topic_of(*p)));
            let due = if owned.len() < self.least {
                self.lacking.push(member);
                owned.len()
            } else if owned.len() >= self.most && self.places > 0 {
                self.take_place();
                self.most
            } else {
                if self.places > 0 {
                    self.could_have_more.push(member);
                }
                self.least
            };
            beyond.extend(owned.drain(due..).map(|p| (p, member)));
            self.assigned[member] = owned;
        }
        self.lacking.sort_unstable();
        self.could_have_more.sort_unstable();
        beyond
    }

    fn take_place(&mut self) {
        self.places = self.places.saturating_sub(1);
        if self.places == 0 {
            self.could_have_more.clear();
        }
    }

    /// Gives partitions to members in a rack of their replicas, and returns those that are near nobody with room.
    fn give_near(&mut self, partitions: Vec<usize>, racks: &Racks) -> Vec<usize> {
        let mut turn = 0;
        let mut left = Vec::new();
        for partition in partitions {
            let near = |member: &usize| racks.shared(*member, partition);
            let count = self.lacking.len();
            let mut round = (0..count).map(|n| (turn + n) % count);
            if let Some(at) = round.find(|at| near(&self.lacking[*at])) {
                let member = self.lacking[at];
                self.assigned[member].push(partition);
                let has = self.assigned[member].len();
                turn = at;
                if has < self.least {
                    turn += 1;
                } else {
                    self.lacking.remove(at);
                    if has < self.most && self.places > 0 {
                        self.could_have_more.push(member);
                    }
                }
                turn = turn.checked_rem(self.lacking.len()).unwrap_or(0);
            } else if let Some(at) = self.could_have_more.iter().position(near) {
                let member = self.could_have_more.remove(at);
                self.assigned[member].push(partition);
                self.take_place();
            } else {
                left.push(partition);
            }
        }
        left
    }

    /// Gives each partition to the next member that lacks some, and when nobody does, to one that may have one more.
    fn give(&mut self, partitions: Vec<usize>) {
        let mut next = 0;
        let mut could_have_more = std::mem::take(&mut self.could_have_more);
        let mut more = 0;
        for partition in partitions {
            if self.lacking.is_empty() {
                // as many places as partitions are left by now
                if let Some(member) = could_have_more.get(more) {
                    self.assigned[*member].push(partition);
                    more += 1;
                }
                continue;
            }
            next %= self.lacking.len();
            let member = self.lacking[next];
            self.assigned[member].push(partition);
            if self.assigned[member].len() < self.least {
                next += 1;
            } else {
                self.lacking.remove(next);
                could_have_more.push(member);
            }
        }
    }
}
