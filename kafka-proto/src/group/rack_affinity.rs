//! Readers near the leaders of their partitions.

use std::error::Error as StdError;

use bytes::Bytes;

use super::{GroupAssignments, GroupBalancer, GroupMember, GroupTopic, Owned, roster::Roster};

/// Gives each member partitions whose leader is in its own rack, as far as the numbers stay even: traffic between zones
/// costs money.
///
/// Every member gets as many partitions of a topic as the others, or one more. The rack travels as the user data of the
/// member. Prefer [`RangeGroupBalancer`](super::RangeGroupBalancer) or the sticky ones where brokers let members read from
/// followers (KIP-392): they look at all replicas.
///
/// Source: kafka-go's `RackAffinityGroupBalancer`; acceptance 3.
#[derive(Clone, Debug, Default)]
pub struct RackAffinityGroupBalancer {
    rack: String,
}

impl RackAffinityGroupBalancer {
    /// A balancer for a member in this rack.
    pub fn new(rack: impl Into<String>) -> Self {
        Self { rack: rack.into() }
    }
}

impl GroupBalancer for RackAffinityGroupBalancer {
    fn protocol_name(&self) -> &str {
        "rack-affinity"
    }

    fn user_data(
        &self,
        _: Option<&Owned>,
    ) -> Result<Option<Bytes>, Box<dyn StdError + Send + Sync>> {
        Ok(Some(Bytes::copy_from_slice(self.rack.as_bytes())))
    }

    fn assign(&self, members: &[GroupMember], topics: &[GroupTopic]) -> GroupAssignments {
        let roster = Roster::new(members, topics);
        let mut assigned = vec![Vec::new(); roster.members.len()];
        for topic in 0..roster.topics.len() {
            deal(&roster, topic, &mut assigned);
        }
        roster.assignments(&assigned)
    }
}

fn deal(roster: &Roster<'_>, topic: usize, assigned: &mut [Vec<usize>]) {
    let wants = |member: &usize| roster.members[*member].wants(topic);
    let members: Vec<_> = (0..roster.members.len()).filter(wants).collect();
    let rack = |member: usize| {
        let data = roster.members[member]
            .member
            .subscription
            .user_data
            .as_deref();
        data.filter(|rack| !rack.is_empty())
    };
    let partitions = roster.partitions_of(topic);
    let quota = partitions.len() / members.len().max(1);
    let mut extras = partitions.len() % members.len().max(1);
    let mut got = vec![0; members.len()];
    let mut give = |partition: usize, near: &dyn Fn(usize) -> bool| {
        // who has least, so that members of one rack share it
        let may = |at: &usize| {
            (got[*at] < quota || (got[*at] == quota && extras > 0)) && near(members[*at])
        };
        let Some(at) = (0..members.len()).filter(may).min_by_key(|at| got[*at]) else {
            return false;
        };
        extras -= usize::from(got[at] == quota);
        got[at] += 1;
        assigned[members[at]].push(partition);
        true
    };
    let far: Vec<_> = partitions
        .filter(|partition| {
            let racks = roster.topics[topic].racks_of(roster.number_of(*partition));
            let leader = racks.first().map(String::as_bytes);
            !give(*partition, &|member| {
                leader.is_some() && rack(member) == leader
            })
        })
        .collect();
    for partition in far {
        give(partition, &|_| true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assign(members: &[(&str, &str)], leaders: &[&str]) -> GroupAssignments {
        let member = |(id, rack): &(&str, &str)| {
            let mut member = GroupMember::new(*id).topics(["t"]);
            let data = RackAffinityGroupBalancer::new(*rack).user_data(None);
            member.subscription.user_data = data.expect("some");
            member
        };
        let members: Vec<_> = members.iter().map(member).collect();
        let racks = leaders
            .iter()
            .map(|rack| vec![(*rack).to_owned()])
            .collect();
        let topic = GroupTopic::new("t", leaders.len()).replica_racks(racks);
        RackAffinityGroupBalancer::default().assign(&members, &[topic])
    }

    /// Acceptance 4, group balancers: balanced counts, all partitions assigned, local first.
    #[test]
    fn partitions_go_to_their_racks_as_far_as_the_numbers_stay_even() {
        for (members, leaders, local) in [
            (&["x", "y"][..], &["x", "x", "y", "y"][..], 4),
            (&["x", "y"], &["x", "x", "x", "y"], 3),
            (&["x", "x", "y"], &["y", "x", "y", "x", "y", "x"], 5),
            (&["x", "y", "z"], &["x", "x", "x"], 1),
            (&["x", "y"], &["z", "z", "z"], 0),
            (&["x", "y", "z", "w"], &["w", "z"], 2),
            (&["", "x"], &["", "x", "x"], 2),
        ] {
            let ids: Vec<_> = (0..members.len()).map(|n| n.to_string()).collect();
            let named: Vec<_> = ids
                .iter()
                .map(String::as_str)
                .zip(members.iter().copied())
                .collect();
            let given = assign(&named, leaders);
            let of = |at: usize| given[&ids[at]].get("t").cloned().unwrap_or_default();
            let sizes: Vec<_> = (0..members.len()).map(|at| of(at).len()).collect();
            assert_eq!(sizes.iter().sum::<usize>(), leaders.len());
            assert!(sizes.iter().max() <= sizes.iter().min().map(|n| n + 1).as_ref());
            let near = |at: usize| {
                of(at)
                    .iter()
                    .filter(|p| leaders[**p as usize] == members[at] && !members[at].is_empty())
                    .count()
            };
            assert_eq!(
                (0..members.len()).map(near).sum::<usize>(),
                local,
                "{members:?} {leaders:?}"
            );
        }
    }
}
