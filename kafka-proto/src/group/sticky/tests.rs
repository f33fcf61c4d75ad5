use super::*;

/// A group that goes through rounds, each from what the one before has left.
struct Story {
    members: Vec<GroupMember>,
    topics: Vec<GroupTopic>,
    generation: i32,
}

impl Story {
    fn new(members: &[(&str, &[&str])], topics: &[(&str, usize)]) -> Self {
        let member =
            |(id, topics): &(&str, &[&str])| GroupMember::new(*id).topics(topics.iter().copied());
        Self {
            members: members.iter().map(member).collect(),
            topics: topics
                .iter()
                .map(|(t, n)| GroupTopic::new(*t, *n))
                .collect(),
            generation: 0,
        }
    }

    /// Decides, and lets each member remember.
    fn round(&mut self, balancer: &dyn GroupBalancer) -> GroupAssignments {
        let assignments = balancer.assign(&self.members, &self.topics);
        self.generation += 1;
        for member in &mut self.members {
            let owned = Owned {
                partitions: assignments[&member.id].clone(),
                generation: self.generation,
            };
            let subscription = &mut member.subscription;
            subscription.user_data = balancer.user_data(Some(&owned)).expect("some");
            subscription.owned = owned.partitions;
            subscription.generation = Some(owned.generation);
        }
        assignments
    }
}

fn sizes(assignments: &GroupAssignments) -> Vec<usize> {
    let size = |topics: &TopicPartitions| topics.values().map(Vec::len).sum();
    assignments.values().map(size).collect()
}

fn kept(before: &GroupAssignments, after: &GroupAssignments) -> usize {
    let has = |member, topic, number: &i32| {
        let topics = after
            .get(member)
            .and_then(|t: &TopicPartitions| t.get(topic));
        topics.is_some_and(|numbers| numbers.contains(number))
    };
    let pairs = before
        .iter()
        .flat_map(|(m, t)| t.iter().map(move |(t, n)| (m, t, n)));
    pairs
        .map(|(m, t, n)| n.iter().filter(|n| has(m, t, n)).count())
        .sum()
}

#[test]
fn nothing_moves_when_nothing_has_changed_and_little_when_a_member_joins() {
    let all: &[&str] = &["t0", "t1"];
    let mut story = Story::new(
        &[("a", all), ("b", all), ("c", all)],
        &[("t0", 7), ("t1", 5)],
    );
    let first = story.round(&StickyGroupBalancer);
    assert_eq!(sizes(&first), [4, 4, 4]);
    assert_eq!(story.round(&StickyGroupBalancer), first);
    story
        .members
        .push(GroupMember::new("d").topics(["t0", "t1"]));
    let joined = story.round(&StickyGroupBalancer);
    assert_eq!(sizes(&joined), [3, 3, 3, 3]);
    assert_eq!(kept(&first, &joined), 9);
}

#[test]
fn a_partition_that_moves_is_nobody_s_for_one_cooperative_round() {
    let mut story = Story::new(&[("a", &["t"])], &[("t", 4)]);
    let balancer = CooperativeStickyGroupBalancer;
    assert_eq!(sizes(&story.round(&balancer)), [4]);
    story.members.push(GroupMember::new("b").topics(["t"]));
    assert_eq!(sizes(&story.round(&balancer)), [2, 0]);
    assert_eq!(sizes(&story.round(&balancer)), [2, 2]);
}

#[test]
fn the_order_in_which_members_come_changes_nothing_but_for_places_of_a_hash_table() {
    let mut story = Story::new(
        &[
            ("a", &["t", "u"]),
            ("b", &["t"]),
            ("c", &["u"]),
            ("d", &["t", "u"]),
        ],
        &[("t", 5), ("u", 9)],
    );
    story.round(&StickyGroupBalancer);
    story.members.push(GroupMember::new("0").topics(["u"]));
    let given = StickyGroupBalancer.assign(&story.members, &story.topics);
    story.members.reverse();
    assert_eq!(
        StickyGroupBalancer.assign(&story.members, &story.topics),
        given
    );
}

/// The second example in the documentation of Java's assignor.
#[test]
fn different_topics_are_balanced_as_far_as_they_go() {
    let mut story = Story::new(
        &[
            ("C0", &["t0"]),
            ("C1", &["t0", "t1"]),
            ("C2", &["t0", "t1", "t2"]),
        ],
        &[("t0", 1), ("t1", 2), ("t2", 3)],
    );
    let before = story.round(&StickyGroupBalancer);
    assert_eq!(sizes(&before), [1, 2, 3]);
    story.members.remove(0);
    let after = story.round(&StickyGroupBalancer);
    assert_eq!(sizes(&after), [3, 3]);
    assert_eq!(kept(&before, &after), 5);
}

#[test]
fn user_data_that_makes_no_sense_is_a_member_that_had_nothing() {
    let nothing = StickyUserData {
        generation: Some(-1),
        ..StickyUserData::default()
    };
    assert_eq!(
        StickyUserData::decode(&Bytes::from_static(b"\0\0\x01")),
        nothing
    );
    let mut member = GroupMember::new("a").topics(["t"]);
    member.subscription.user_data = Some(Bytes::from_static(b"\x7f\xff\xff\xff"));
    let given = StickyGroupBalancer.assign(&[member], &[GroupTopic::new("t", 2)]);
    assert_eq!(given["a"]["t"], [0, 1]);
}

#[test]
fn user_data_of_members_without_a_generation_reads() {
    let mut data = StickyUserData {
        partitions: [("t".to_owned(), vec![0, 2])].into(),
        generation: Some(7),
    };
    assert_eq!(StickyUserData::decode(&data.encode()), data);
    data.generation = None;
    assert_eq!(StickyUserData::decode(&data.encode()), data);
}

/// The work of a leader is bounded, whatever members send.
#[test]
fn hundreds_of_members_with_different_wishes_and_the_same_claims_are_settled() {
    let topics: Vec<_> = (0..100)
        .map(|n| GroupTopic::new(format!("t{n}"), 20))
        .collect();
    let mut story = Story::new(&[], &[]);
    story.topics = topics;
    for n in 0..300 {
        let wants = (0..100)
            .filter(|t| (t * 7 + n) % 3 != 0)
            .map(|t| format!("t{t}"));
        let mut member = GroupMember::new(format!("m{n}")).topics(wants);
        let all = (0..100).map(|t| (format!("t{t}"), (0..20).collect()));
        let owned = Owned {
            partitions: all.collect(),
            generation: n % 5,
        };
        member.subscription.user_data = StickyGroupBalancer.user_data(Some(&owned)).expect("some");
        story.members.push(member);
    }
    let given = story.round(&StickyGroupBalancer);
    let sizes = sizes(&given);
    assert_eq!(sizes.iter().sum::<usize>(), 2000);
    assert!(sizes.iter().max() <= Some(&(sizes.iter().min().unwrap_or(&0) + 1)));
}
