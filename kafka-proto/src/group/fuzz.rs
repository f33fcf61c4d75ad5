//! The fuzz bodies of groups: what members tell a leader, and what a leader tells members.

use bytes::Bytes;

use super::{
    Assignment, CooperativeStickyGroupBalancer, GroupBalancer, GroupMember, GroupTopic,
    RackAffinityGroupBalancer, RangeGroupBalancer, RoundRobinGroupBalancer, StickyGroupBalancer,
    StickyUserData, Subscription,
};

/// Reads `data` as each message of the consumer protocol.
///
/// Nothing may panic, and what reads must be written to bytes that read as the same.
pub fn protocol(data: &[u8]) {
    let data = Bytes::copy_from_slice(data);
    if let Ok(read) = Subscription::decode(&data) {
        let once = read.encode(3);
        let again = Subscription::decode(&once).expect("what was written reads");
        assert_eq!(again.encode(3), once);
    }
    if let Ok(read) = Assignment::decode(&data) {
        let once = read.encode(3);
        assert_eq!(Assignment::decode(&once), Ok(read));
    }
    let read = StickyUserData::decode(&data);
    assert_eq!(StickyUserData::decode(&read.encode()), read);
}

/// Lets each balancer decide for members that send parts of `data` as their subscriptions.
///
/// Nothing may panic or take long, every member has an entry, and no partition is there twice or does not exist.
pub fn balance(data: &[u8]) {
    let Some((parts, data)) = data.split_first() else {
        return;
    };
    let size = data.len() / (usize::from(*parts) % 8 + 1) + 1;
    let members: Vec<_> = data
        .chunks(size)
        .enumerate()
        .filter_map(|(n, part)| {
            let subscription = Subscription::decode(&Bytes::copy_from_slice(part)).ok()?;
            Some(GroupMember::new(n.to_string()).subscription(subscription))
        })
        .collect();
    let wanted = members.iter().flat_map(|m| &m.subscription.topics);
    let racks = |n| (0..n).map(|p| vec![format!("r{}", p % 3)]).collect();
    let topics: Vec<_> = wanted
        .enumerate()
        .map(|(n, name)| GroupTopic::new(name, n % 5).replica_racks(racks(n % 5)))
        .collect();
    for balancer in [
        &RangeGroupBalancer as &dyn GroupBalancer,
        &RoundRobinGroupBalancer,
        &StickyGroupBalancer,
        &CooperativeStickyGroupBalancer,
        &RackAffinityGroupBalancer::default(),
    ] {
        let given = balancer.assign(&members, &topics);
        assert_eq!(given.len(), members.len());
        let mut seen = std::collections::BTreeSet::new();
        for (topic, numbers) in given.values().flatten() {
            for number in numbers {
                assert!(
                    seen.insert((topic, *number)),
                    "{topic} {number} is given twice"
                );
                let known = topics.iter().filter(|t| t.name == *topic);
                assert!(known.map(|t| t.partitions).max() > usize::try_from(*number).ok());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_subscriptions_do_no_harm() {
        let subscription = Subscription {
            topics: vec!["a".to_owned(), "b".to_owned()],
            user_data: Some(Bytes::from_static(
                b"\0\0\0\x01\0\x01a\0\0\0\x01\0\0\0\0\0\0\0\x02",
            )),
            owned: [("a".to_owned(), vec![0, 1])].into(),
            generation: Some(3),
            rack: Some("r1".to_owned()),
        };
        let whole = subscription.encode(3);
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut changed = whole.to_vec();
                changed[at] ^= 1 << bit;
                protocol(&changed);
                balance(&[&[2], &whole[..], &changed, &whole].concat());
            }
            protocol(&whole[..at]);
        }
    }
}
