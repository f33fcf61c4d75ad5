//! One partition after the other.

use super::{GroupAssignments, GroupBalancer, GroupMember, GroupTopic, roster::Roster};

/// Deals the partitions of all topics, in order, to one member after the other; who does not want a topic is passed over.
///
/// Five partitions and two members: 0, 2, 4 and 1, 3. Two topics of three partitions: the first member gets 0 and 2 of
/// the first and 1 of the second, for the round goes on.
///
/// Source: Java's `RoundRobinAssignor`; acceptance GB-07, 2.7.
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "RoundRobinAssignor")]
pub struct RoundRobinGroupBalancer;

impl GroupBalancer for RoundRobinGroupBalancer {
    fn protocol_name(&self) -> &str {
        "roundrobin"
    }

    fn assign(&self, members: &[GroupMember], topics: &[GroupTopic]) -> GroupAssignments {
        let roster = Roster::new(members, topics);
        let order = roster.by_instance();
        let mut assigned = vec![Vec::new(); roster.members.len()];
        let mut turn = 0;
        for partition in 0..roster.partitions() {
            let topic = roster.topic_of(partition);
            // some member wants it, or the roster would not have the topic
            let mut seats = (0..order.len()).map(|n| (turn + n) % order.len());
            if let Some(at) = seats.find(|at| roster.members[order[*at]].wants(topic)) {
                assigned[order[at]].push(partition);
                turn = at + 1;
            }
        }
        roster.assignments(&assigned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assign(members: &[(&str, &[&str])], topics: &[(&str, usize)]) -> GroupAssignments {
        let member =
            |(id, topics): &(&str, &[&str])| GroupMember::new(*id).topics(topics.iter().copied());
        let members: Vec<_> = members.iter().map(member).collect();
        let topics: Vec<_> = topics
            .iter()
            .map(|(t, n)| GroupTopic::new(*t, *n))
            .collect();
        RoundRobinGroupBalancer.assign(&members, &topics)
    }

    /// Acceptance GB-07.
    #[test]
    fn partitions_are_dealt_in_turn() {
        let two = assign(&[("C0", &["t"]), ("C1", &["t"])], &[("t", 5)]);
        assert_eq!(
            (&two["C0"]["t"], &two["C1"]["t"]),
            (&vec![0, 2, 4], &vec![1, 3])
        );
        let three = assign(
            &[("C1", &["t"]), ("C0", &["t"]), ("C2", &["t"])],
            &[("t", 6)],
        );
        assert_eq!(three["C0"]["t"], [0, 3]);
        assert_eq!(three["C2"]["t"], [2, 5]);
    }

    /// Acceptance 2.7: the documented deal, not the one of kafka-go's code.
    #[test]
    fn the_round_goes_on_over_topics_and_passes_over_who_does_not_want_one() {
        let both: &[&str] = &["t0", "t1"];
        let even = assign(&[("C0", both), ("C1", both)], &[("t0", 3), ("t1", 3)]);
        assert_eq!(
            (&even["C0"]["t0"], &even["C0"]["t1"]),
            (&vec![0, 2], &vec![1])
        );
        let mixed = assign(
            &[("a", &["t1", "t2"]), ("b", &["t2", "t3"])],
            &[("t1", 3), ("t2", 3), ("t3", 3)],
        );
        assert_eq!(
            (&mixed["a"]["t1"], &mixed["a"]["t2"]),
            (&vec![0, 1, 2], &vec![1])
        );
        assert_eq!(
            (&mixed["b"]["t2"], &mixed["b"]["t3"]),
            (&vec![0, 2], &vec![0, 1, 2])
        );
    }

    #[test]
    fn who_gets_nothing_is_there_all_the_same() {
        let idle = assign(&[("a", &["t"]), ("b", &["unknown"])], &[("t", 1)]);
        assert!(idle["b"].is_empty());
        assert!(assign(&[], &[("t", 1)]).is_empty());
    }
}
