//! Even, and few partitions move: what the two sticky balancers share.

mod claims;
mod even;
mod general;
mod movements;

use std::{collections::BTreeSet, error::Error as StdError};

use bytes::Bytes;

use self::claims::Claims;
use super::{
    GroupAssignments, GroupBalancer, GroupMember, GroupTopic, Owned, TopicPartitions, racks::Racks,
    roster::Roster,
};
use crate::{
    api::blobs::{StickyAssignorUserData, StickyTopic},
    wire,
};

/// Divides partitions evenly and moves as few as that allows. Members give up all they have while the group decides.
///
/// What a member had travels in its user data, since its partitions are given up when it joins. Where members say in which
/// rack they are, near partitions come first as long as the numbers stay even (KIP-881).
///
/// Source: Java's `StickyAssignor` (KIP-54, KIP-341).
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "StickyAssignor")]
pub struct StickyGroupBalancer;

impl GroupBalancer for StickyGroupBalancer {
    fn protocol_name(&self) -> &str {
        "sticky"
    }

    fn user_data(
        &self,
        last: Option<&Owned>,
    ) -> Result<Option<Bytes>, Box<dyn StdError + Send + Sync>> {
        let data = last.map(|owned| StickyUserData {
            partitions: owned.partitions.clone(),
            generation: Some(owned.generation),
        });
        Ok(data.map(|data| data.encode()))
    }

    fn assign(&self, members: &[GroupMember], topics: &[GroupTopic]) -> GroupAssignments {
        let memory = |member: &GroupMember| match &member.subscription.user_data {
            Some(data) if !data.is_empty() => StickyUserData::decode(data),
            _ => StickyUserData::default(),
        };
        decide(members, topics, memory).0
    }
}

/// As [`StickyGroupBalancer`], and members keep reading what stays theirs (KIP-429).
///
/// A partition that moves is in nobody's assignment at first: its owner gives it up and joins again, and then it goes to
/// its new owner.
///
/// Source: Java's `CooperativeStickyAssignor`.
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "CooperativeStickyAssignor")]
pub struct CooperativeStickyGroupBalancer;

impl GroupBalancer for CooperativeStickyGroupBalancer {
    fn protocol_name(&self) -> &str {
        "cooperative-sticky"
    }

    fn is_cooperative(&self) -> bool {
        true
    }

    fn user_data(
        &self,
        last: Option<&Owned>,
    ) -> Result<Option<Bytes>, Box<dyn StdError + Send + Sync>> {
        let generation = last.map_or(-1, |owned| owned.generation);
        Ok(Some(Bytes::copy_from_slice(&generation.to_be_bytes())))
    }

    fn assign(&self, members: &[GroupMember], topics: &[GroupTopic]) -> GroupAssignments {
        let memory = |member: &GroupMember| {
            let subscription = &member.subscription;
            // before version 2 of the subscription the generation stood in the user data
            let told = || {
                let data = subscription.user_data.as_ref()?;
                Some(data.first_chunk().map_or(-1, |b| i32::from_be_bytes(*b)))
            };
            StickyUserData {
                partitions: subscription.owned.clone(),
                generation: subscription.generation.or_else(told),
            }
        };
        let (mut assignments, moving) = decide(members, topics, memory);
        for (topic, partition) in moving {
            for given in assignments.values_mut() {
                if let Some(numbers) = given.get_mut(&topic) {
                    numbers.retain(|n| *n != partition);
                    if numbers.is_empty() {
                        given.remove(&topic);
                    }
                }
            }
        }
        assignments
    }
}

/// Who gets what, and which partitions go from one member to another.
fn decide(
    members: &[GroupMember],
    topics: &[GroupTopic],
    memory: impl Fn(&GroupMember) -> StickyUserData,
) -> (GroupAssignments, Vec<(String, i32)>) {
    let roster = Roster::new(members, topics);
    let racks = Racks::new(&roster);
    let matter = racks.is_known() && racks.matter(0..roster.members.len(), 0..roster.partitions());
    let claims = Claims::new(&roster, memory);
    let (assigned, moving) = match all_want_the_same(members) {
        true => even::assign(&roster, &racks, matter, &claims),
        false => general::assign(&roster, &racks, matter, &claims),
    };
    let named = |p: usize| {
        let topic = roster.topics[roster.topic_of(p)].name.clone();
        (topic, roster.number_of(p) as i32)
    };
    let moving = moving.into_iter().map(named).collect();
    (roster.assignments(&assigned), moving)
}

/// Whether all members want the same topics, also of those that do not exist.
fn all_want_the_same(members: &[GroupMember]) -> bool {
    let set = |topics: &[String]| topics.iter().cloned().collect::<BTreeSet<_>>();
    let alike = |a: &GroupMember, b: &GroupMember| {
        let (a, b) = (&a.subscription.topics, &b.subscription.topics);
        a == b || (a.len() == b.len() && set(a) == set(b))
    };
    members.windows(2).all(|pair| alike(&pair[0], &pair[1]))
}

/// What a member of a sticky group had, as it tells the leader in its user data.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct StickyUserData {
    /// Its partitions.
    pub partitions: TopicPartitions,
    /// The generation in which it had them; members older than Kafka 2.3 do not say.
    pub generation: Option<i32>,
}

impl StickyUserData {
    /// The bytes, as Java writes them, but for the order of topics, which is by name.
    pub fn encode(&self) -> Bytes {
        let topic = |(topic, partitions): (&String, &Vec<i32>)| {
            StickyTopic::build(|t| {
                (t.topic, t.partitions) = (topic.clone(), partitions.clone());
            })
        };
        let data = StickyAssignorUserData::build(|d| {
            d.previous_assignment = self.partitions.iter().map(topic).collect();
            d.generation = self.generation.unwrap_or(-1);
        });
        wire::encode(&data, i16::from(self.generation.is_some()), false)
    }

    /// Reads what a member has sent. Bytes that make no sense mean a member that had nothing, in generation -1: a member
    /// must not be able to keep its group from deciding. What follows is left alone.
    pub fn decode(data: &Bytes) -> Self {
        let read = |version| {
            let mut r = wire::Reader::new(data, version, false);
            let mut read = StickyAssignorUserData::default();
            wire::Wire::read(&mut read, &mut r).map(|()| read)
        };
        let (data, generation) = match read(1) {
            Ok(data) => {
                let generation = data.generation;
                (data, Some(generation))
            }
            Err(_) => match read(0) {
                Ok(data) => (data, None),
                Err(_) => (StickyAssignorUserData::default(), Some(-1)),
            },
        };
        let mut partitions = TopicPartitions::new();
        for topic in data.previous_assignment {
            let numbers = partitions.entry(topic.topic).or_default();
            numbers.extend(topic.partitions);
        }
        Self {
            partitions,
            generation,
        }
    }
}

#[cfg(test)]
mod tests;
