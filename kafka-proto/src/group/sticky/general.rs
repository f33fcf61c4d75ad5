//! The case in which members want different topics: as even as that allows.

use std::collections::BTreeSet;

use super::{claims::Claims, movements::Movements};
use crate::group::{racks::Racks, roster::Roster};

/// Who gets what, and which partitions go from one member to another.
///
/// Members keep what they own. What is left goes to whoever has least of those who want it, topics first that few want.
/// Then partitions move from who has more to who has less, until no move makes it more even.
pub(super) fn assign(
    roster: &Roster<'_>,
    racks: &Racks,
    rack_aware: bool,
    claims: &Claims,
) -> (Vec<Vec<usize>>, Vec<usize>) {
    let mut readers = vec![0usize; roster.topics.len()];
    let wanted = roster.members.iter().flat_map(|seat| &seat.topics);
    wanted.for_each(|topic| readers[*topic] += 1);
    let mut order: Vec<_> = (0..roster.topics.len()).collect();
    order.sort_by_key(|topic| readers[*topic]);

    let mut share = Share {
        roster,
        owner: vec![None; roster.partitions()],
        counts: vec![0; roster.members.len()],
        by_count: BTreeSet::new(),
        movements: Movements::new(roster),
        fixed: vec![false; roster.members.len()],
        effort: 64 * roster.partitions(),
    };
    let mut revoked = false;
    for (member, owned) in claims.owned.iter().enumerate() {
        for partition in owned {
            let wants = roster.members[member].wants(roster.topic_of(*partition));
            if wants && !(rack_aware && racks.differ(member, *partition)) {
                share.owner[*partition] = Some(member);
                share.counts[member] += 1;
            } else {
                revoked = true;
            }
        }
    }
    share.by_count = share.counts.iter().copied().zip(0..).collect();
    let fresh = share.counts.iter().all(|n| *n == 0);

    let partitions = order.iter().flat_map(|topic| roster.partitions_of(*topic));
    let unassigned: Vec<_> = partitions
        .clone()
        .filter(|p| share.owner[*p].is_none())
        .collect();
    if rack_aware {
        unassigned
            .iter()
            .for_each(|p| share.give(*p, |member| !racks.differ(member, *p)));
    }
    unassigned.iter().for_each(|p| share.give(*p, |_| true));

    // what only one member wants cannot move
    let contested = |p: &usize| readers[roster.topic_of(*p)] >= 2;
    share.fixed = fixed(roster, &readers, &share.counts);
    let before = (share.owner.clone(), share.counts.clone());
    let previous = previous(roster, claims);
    if !revoked {
        let added: Vec<_> = unassigned.into_iter().filter(contested).collect();
        share.even_out(&added, &previous);
    }
    let all: Vec<_> = partitions.filter(contested).collect();
    let moved = share.even_out(&all, &previous);
    let unevenness = |counts| unevenness(counts, &share.fixed);
    if moved && !fresh && unevenness(&share.counts) >= unevenness(&before.1) {
        (share.owner, share.counts) = before;
    }

    let mut assigned = vec![Vec::new(); roster.members.len()];
    for (partition, owner) in share.owner.iter().enumerate() {
        if let Some(owner) = owner {
            assigned[*owner].push(partition);
        }
    }
    let moving = moving(roster, &share.owner, claims);
    (assigned, moving)
}

struct Share<'r> {
    roster: &'r Roster<'r>,
    owner: Vec<Option<usize>>,
    counts: Vec<usize>,
    /// Members by what they have, least first, then by id.
    by_count: BTreeSet<(usize, usize)>,
    movements: Movements<'r>,
    /// Members that take no part in the evening out.
    fixed: Vec<bool>,
    /// How much work may still go into it; enough for any group that was not made up.
    effort: usize,
}

impl Share<'_> {
    /// Gives a partition that nobody has to whoever has least of those who want it and `may` have it.
    fn give(&mut self, partition: usize, may: impl Fn(usize) -> bool) {
        if self.owner[partition].is_some() {
            return;
        }
        let topic = self.roster.topic_of(partition);
        let wants = |member: usize| self.roster.members[member].wants(topic) && may(member);
        let found = self.by_count.iter().find(|(_, member)| wants(*member));
        if let Some((_, member)) = found.copied() {
            self.owner[partition] = Some(member);
            self.count(member, 1);
        }
    }

    /// Moves partitions as long as that makes the shares more even; returns whether any has moved.
    ///
    /// Every look at a partition takes from the effort, so that no set of subscriptions keeps a leader busy for ever: when
    /// it is used up, the shares are valid and less even than they could be.
    fn even_out(&mut self, partitions: &[usize], previous: &[Option<usize>]) -> bool {
        let mut any = false;
        loop {
            let mut modified = false;
            for partition in partitions.iter().copied() {
                if self.effort == 0 {
                    return any | modified;
                }
                self.effort -= 1;
                if let Some(to) = self.better_owner(partition, previous[partition]) {
                    self.reassign(partition, to);
                    modified = true;
                }
            }
            any |= modified;
            if !modified {
                return any;
            }
        }
    }

    /// Who should have a partition instead of its owner: who had it before, or whoever has least.
    fn better_owner(&mut self, partition: usize, previous: Option<usize>) -> Option<usize> {
        let topic = self.roster.topic_of(partition);
        let roster = self.roster;
        let wants = |member: usize| roster.members[member].wants(topic);
        let has = self.counts[self.owner[partition]?];
        if let Some(previous) = previous.filter(|p| !self.fixed[*p])
            && has > self.counts[previous] + 1
            // Java does not ask whether it still wants the topic, and stops when all is even
            && (wants(previous) || !self.is_even())
        {
            return Some(previous);
        }
        // nobody has less than the first who wants it, and who has nearly as much is no better
        let less = self
            .by_count
            .iter()
            .take_while(|(count, _)| has > *count + 1);
        let mut less = less.map(|(_, member)| *member);
        less.find(|member| wants(*member))
    }

    /// Whether nobody can have one of those partitions that it wants and who has them has two more.
    fn is_even(&mut self) -> bool {
        let cost = self.owner.len() / 64 + self.counts.len() + self.roster.topics.len();
        self.effort = self.effort.saturating_sub(cost);
        let counts = self
            .by_count
            .iter()
            .filter(|(_, member)| !self.fixed[*member]);
        let mut most = vec![0; self.roster.topics.len()];
        for (partition, owner) in self.owner.iter().enumerate() {
            let most = &mut most[self.roster.topic_of(partition)];
            *most = owner.map_or(0, |owner| self.counts[owner]).max(*most);
        }
        counts.into_iter().all(|(count, member)| {
            let topics = &self.roster.members[*member].topics;
            topics.iter().all(|topic| count + 1 >= most[*topic])
        })
    }

    fn reassign(&mut self, partition: usize, to: usize) {
        let Some(from) = self.owner[partition] else {
            return;
        };
        let partition = self.movements.instead_of(partition, from, to);
        let Some(from) = self.owner[partition] else {
            return;
        };
        self.movements.note(partition, from, to);
        self.owner[partition] = Some(to);
        self.count(from, -1);
        self.count(to, 1);
    }

    fn count(&mut self, member: usize, change: isize) {
        let count = &mut self.counts[member];
        self.by_count.remove(&(*count, member));
        *count = count.saturating_add_signed(change);
        self.by_count.insert((*count, member));
    }
}

/// Who had each partition in a generation before the latest one; of several the one of the latest of these.
fn previous(roster: &Roster<'_>, claims: &Claims) -> Vec<Option<usize>> {
    let mut previous = vec![None; roster.partitions()];
    for member in roster.by_hash() {
        let (partitions, generation) = &claims.claimed[member];
        for partition in partitions.iter().filter(|_| *generation < claims.latest) {
            let known: &mut Option<(i32, usize)> = &mut previous[*partition];
            if known.is_none_or(|(known, _)| known < *generation) {
                *known = Some((*generation, member));
            }
        }
    }
    let member = |known: Option<(i32, usize)>| known.map(|(_, member)| member);
    previous.into_iter().map(member).collect()
}

/// Whether each member has all that it wants, and nobody else wants any of that: it takes no part in the evening out.
fn fixed(roster: &Roster<'_>, readers: &[usize], counts: &[usize]) -> Vec<bool> {
    let of_member = |(seat, count): (&crate::group::roster::Seat<'_>, &usize)| {
        let wanted = seat.topics.iter();
        let most: usize = wanted.clone().map(|t| roster.partitions_of(*t).len()).sum();
        *count >= most && wanted.clone().all(|topic| readers[*topic] < 2)
    };
    roster.members.iter().zip(counts).map(of_member).collect()
}

/// The differences of what any two members have, summed up.
fn unevenness(counts: &[usize], fixed: &[bool]) -> u128 {
    let counts = counts.iter().zip(fixed);
    let mut counts: Vec<_> = counts
        .filter(|(_, fixed)| !**fixed)
        .map(|(n, _)| *n)
        .collect();
    counts.sort_unstable();
    let mut sum = 0u128;
    let mut smaller = 0u128;
    for (before, count) in counts.into_iter().enumerate() {
        sum += count as u128 * before as u128 - smaller;
        smaller += count as u128;
    }
    sum
}

/// What a member gets that it did not have, while one that says it had it does not get it.
fn moving(roster: &Roster<'_>, owner: &[Option<usize>], claims: &Claims) -> Vec<usize> {
    let mut kept = vec![false; roster.partitions()];
    let mut given_up = vec![false; roster.partitions()];
    for (member, (partitions, _)) in claims.claimed.iter().enumerate() {
        for partition in partitions {
            let list = match owner[*partition] == Some(member) {
                true => &mut kept,
                false => &mut given_up,
            };
            list[*partition] = true;
        }
    }
    (0..roster.partitions())
        .filter(|p| owner[*p].is_some() && given_up[*p] && !kept[*p])
        .collect()
}
