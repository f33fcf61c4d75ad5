//! Members, topics and partitions by number: what the balancers reckon with.

use std::cmp::Ordering;

use super::{GroupAssignments, GroupMember, GroupTopic, TopicPartitions};

/// The order of Java's strings, which is that of their UTF-16 units.
pub(super) fn java_order(a: &str, b: &str) -> Ordering {
    a.encode_utf16().cmp(b.encode_utf16())
}

/// The hash of Java's strings.
pub(super) fn java_hash(text: &str) -> i32 {
    let step = |hash: i32, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit));
    text.encode_utf16().fold(0, step)
}

/// The place of a hash in a table of Java's that has held `most` entries and was not made for more.
pub(super) fn java_place(hash: i32, most: usize) -> u32 {
    let hash = hash as u32;
    // sixteen places, and twice as many whenever three quarters are used
    let places = (most.saturating_mul(4).div_ceil(3))
        .next_power_of_two()
        .max(16);
    (hash ^ (hash >> 16)) & u32::try_from(places - 1).unwrap_or(u32::MAX)
}

/// A group with everything numbered.
///
/// Members are in the order of their ids; topics, of which only those are here that some member wants and that have
/// partitions, in the order of their names. Partitions count through: those of one topic are neighbours.
#[derive(Debug)]
pub(super) struct Roster<'a> {
    pub(super) members: Vec<Seat<'a>>,
    pub(super) topics: Vec<&'a GroupTopic>,
    /// Where the partitions of each topic begin, and where those of the last one end.
    starts: Vec<usize>,
    topic_of: Vec<usize>,
}

/// One member.
#[derive(Debug)]
pub(super) struct Seat<'a> {
    pub(super) member: &'a GroupMember,
    /// Its place among the members as they were given.
    given: usize,
    /// The topics that it wants, ascending.
    pub(super) topics: Vec<usize>,
}

impl Seat<'_> {
    pub(super) fn wants(&self, topic: usize) -> bool {
        self.topics.binary_search(&topic).is_ok()
    }
}

/// The places of `names` in `topics`, ascending, each once; those that are not there are left out.
fn numbers(topics: &[&GroupTopic], names: &[String]) -> Vec<usize> {
    let mut numbers = Vec::with_capacity(names.len().min(topics.len()));
    let mut next = 0;
    for name in names {
        // most members send their topics in order, and most want neighbours
        let here = |at: &usize| topics.get(*at).is_some_and(|t| t.name == *name);
        let search = || topics.binary_search_by(|t| java_order(&t.name, name)).ok();
        if let Some(at) = Some(next).filter(here).or_else(search) {
            numbers.push(at);
            next = at + 1;
        }
    }
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// Drops topics that nobody wants.
fn keep_wanted(topics: &mut Vec<&GroupTopic>, members: &mut [Seat<'_>]) {
    let mut wanted = vec![false; topics.len()];
    for topic in members.iter().flat_map(|seat| &seat.topics) {
        wanted[*topic] = true;
    }
    let mut kept = 0;
    let renumbered: Vec<_> = wanted
        .iter()
        .map(|wanted| {
            kept += usize::from(*wanted);
            kept.saturating_sub(1)
        })
        .collect();
    if kept < topics.len() {
        let mut wanted = wanted.into_iter();
        topics.retain(|_| wanted.next() == Some(true));
        let numbers = members.iter_mut().flat_map(|seat| &mut seat.topics);
        numbers.for_each(|topic| *topic = renumbered[*topic]);
    }
}

impl<'a> Roster<'a> {
    pub(super) fn new(members: &'a [GroupMember], topics: &'a [GroupTopic]) -> Self {
        let mut topics: Vec<_> = topics.iter().filter(|t| t.partitions > 0).collect();
        topics.sort_by(|a, b| java_order(&a.name, &b.name));
        topics.dedup_by(|a, b| a.name == b.name);
        let seat = |(given, member): (usize, &'a GroupMember)| Seat {
            member,
            given,
            topics: numbers(&topics, &member.subscription.topics),
        };
        let mut members: Vec<_> = members.iter().enumerate().map(seat).collect();
        members.sort_by(|a, b| java_order(&a.member.id, &b.member.id));
        members.dedup_by(|a, b| a.member.id == b.member.id);
        keep_wanted(&mut topics, &mut members);
        let mut starts = vec![0];
        let mut topic_of = Vec::new();
        for (at, topic) in topics.iter().enumerate() {
            topic_of.resize(topic_of.len() + topic.partitions, at);
            starts.push(topic_of.len());
        }
        Self {
            members,
            topics,
            starts,
            topic_of,
        }
    }

    /// How many partitions there are.
    pub(super) fn partitions(&self) -> usize {
        self.topic_of.len()
    }

    /// The numbers of a topic's partitions.
    pub(super) fn partitions_of(&self, topic: usize) -> std::ops::Range<usize> {
        self.starts[topic]..self.starts[topic + 1]
    }

    /// The topic of a partition.
    pub(super) fn topic_of(&self, partition: usize) -> usize {
        self.topic_of[partition]
    }

    /// A partition's number within its topic.
    pub(super) fn number_of(&self, partition: usize) -> usize {
        partition - self.starts[self.topic_of[partition]]
    }

    /// The partitions that are there, of those that a member says it had; each once, ascending.
    pub(super) fn known(&self, owned: &TopicPartitions) -> Vec<usize> {
        let mut known = Vec::new();
        for (name, numbers) in owned {
            let topic = self
                .topics
                .binary_search_by(|t| java_order(&t.name, name.as_str()));
            let Ok(topic) = topic else {
                continue;
            };
            let range = self.partitions_of(topic);
            let there = |n: &i32| usize::try_from(*n).ok().filter(|n| *n < range.len());
            known.extend(numbers.iter().filter_map(there).map(|n| range.start + n));
        }
        known.sort_unstable();
        known.dedup();
        known
    }

    /// Members in the order of range and round robin: static ones first, by instance id, then the others by id (KIP-345).
    pub(super) fn by_instance(&self) -> Vec<usize> {
        let mut order: Vec<_> = (0..self.members.len()).collect();
        let instance = |at: &usize| self.members[*at].member.instance_id.as_deref();
        order.sort_by(|a, b| match (instance(a), instance(b)) {
            (Some(a), Some(b)) => java_order(a, b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            // as they are: by id
            (None, None) => Ordering::Equal,
        });
        order
    }

    /// Members in the order in which Java goes through them, which is that of a hash table; in one place of the table the
    /// order in which they were given.
    ///
    /// Where not all can keep what they have, who comes first does.
    pub(super) fn by_hash(&self) -> Vec<usize> {
        let mut order: Vec<_> = (0..self.members.len()).collect();
        let place = |at: &usize| {
            let seat = &self.members[*at];
            let hash = java_hash(&seat.member.id);
            (java_place(hash, self.members.len()), seat.given)
        };
        order.sort_by_cached_key(place);
        order
    }

    /// Puts the names back: `assigned` has the partitions of each member.
    pub(super) fn assignments(&self, assigned: &[Vec<usize>]) -> GroupAssignments {
        let mut assignments = GroupAssignments::new();
        for (seat, partitions) in self.members.iter().zip(assigned) {
            let mut partitions = partitions.clone();
            partitions.sort_unstable();
            let by_topic = partitions.chunk_by(|a, b| self.topic_of(*a) == self.topic_of(*b));
            let named = by_topic.map(|run| {
                let name = self.topics[self.topic_of(run[0])].name.clone();
                (
                    name,
                    run.iter().map(|p| self.number_of(*p) as i32).collect(),
                )
            });
            assignments.insert(seat.member.id.clone(), named.collect());
        }
        assignments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_in_the_order_of_java_where_utf_8_has_another() {
        assert_eq!(java_order("a", "b"), Ordering::Less);
        assert_eq!(java_order("a", "ab"), Ordering::Less);
        assert_eq!(java_order("\u{1f600}", "\u{ff5e}"), Ordering::Less);
        assert_eq!("\u{1f600}".cmp("\u{ff5e}"), Ordering::Greater);
    }

    #[test]
    fn hash_tables_are_as_large_as_in_java() {
        assert_eq!(java_hash("hello"), 99162322);
        // the highest place there is
        let last = |most| java_place(0xffff, most);
        assert_eq!([0, 1, 12].map(last), [15; 3]);
        assert_eq!([13, 24].map(last), [31; 2]);
        assert_eq!([25, 48, 49].map(last), [63, 63, 127]);
    }

    #[test]
    fn what_a_member_claims_is_taken_only_as_far_as_it_exists() {
        let members = [GroupMember::new("m").topics(["a", "b", "b", "gone"])];
        let topics = [
            GroupTopic::new("b", 2),
            GroupTopic::new("unwanted", 9),
            GroupTopic::new("a", 3),
            GroupTopic::new("b", 7),
        ];
        let roster = Roster::new(&members, &topics);
        assert_eq!(roster.partitions(), 5);
        assert_eq!(roster.members[0].topics, [0, 1]);
        let owned = [
            ("b", vec![1, 1, -1, 2, i32::MAX]),
            ("gone", vec![0]),
            ("a", vec![0]),
        ];
        let owned = owned.map(|(t, p)| (t.to_owned(), p)).into();
        assert_eq!(roster.known(&owned), [0, 4]);
    }
}
