//! What group balancers decide, compared with what Java's assignors do.

use std::collections::{BTreeMap, BTreeSet};

use kafka_proto::group::{
    CooperativeStickyGroupBalancer, GroupBalancer, GroupMember, GroupTopic, RangeGroupBalancer,
    RoundRobinGroupBalancer, StickyGroupBalancer, Subscription, TopicPartitions,
};
use serde_json::Value;

use super::line::{Outcome, Vector, equal, nullable_hex};

type Partitions = BTreeSet<(String, i64)>;

pub(crate) fn check(v: &Vector) -> Outcome {
    let balancer: &dyn GroupBalancer = match v.text("assignor")? {
        "range" => &RangeGroupBalancer,
        "roundrobin" => &RoundRobinGroupBalancer,
        "sticky" => &StickyGroupBalancer,
        "cooperative-sticky" => &CooperativeStickyGroupBalancer,
        other => return Err(format!("{other} is no assignor")),
    };
    equal("name", balancer.protocol_name(), v.text("assignor")?)?;
    let topics: Vec<_> = v
        .list("topics")?
        .iter()
        .map(topic)
        .collect::<Result<_, _>>()?;
    let mut members: Vec<_> = v
        .list("members")?
        .iter()
        .map(member)
        .collect::<Result<_, _>>()?;
    // what members send goes over the wire
    for member in &mut members {
        let sent = member.subscription.encode(3);
        member.subscription = Subscription::decode(&sent).map_err(|e| e.to_string())?;
    }
    let ours = balancer.assign(&members, &topics);

    let java = v.0["assignment"].as_object().ok_or("no assignment")?;
    let java = java
        .iter()
        .map(|(id, given)| Ok((id.clone(), partitions(given)?)));
    let java: BTreeMap<_, _> = java.collect::<Result<_, String>>()?;
    let ours: BTreeMap<_, _> = ours
        .iter()
        .map(|(id, given)| (id.clone(), flat(given)))
        .collect();
    valid(&ours, &members, &topics)?;
    if ours != java && v.is("depends_on_member_order") {
        return as_good(&ours, &java, &members);
    }
    match java.iter().find(|(id, given)| ours.get(*id) != Some(given)) {
        Some((id, given)) => Err(format!("{id} gets {:?}, not {given:?}", ours.get(id))),
        None => equal("number of members", ours.len(), java.len()),
    }
}

fn topic(value: &Value) -> Result<GroupTopic, String> {
    let name = value["name"].as_str().ok_or("no name")?;
    let count = value["partitions"].as_u64().ok_or("no partitions")?;
    let racks = value["replica_racks"].as_array().map_or(&[][..], |r| r);
    let racks = racks.iter().map(|racks| {
        let racks = racks.as_array().ok_or("no racks")?.iter();
        Ok(racks
            .filter_map(|r| r.as_str().map(str::to_owned))
            .collect())
    });
    Ok(GroupTopic::new(name, count as usize).replica_racks(racks.collect::<Result<_, String>>()?))
}

fn member(value: &Value) -> Result<GroupMember, String> {
    let text = |key: &str| value[key].as_str().map(str::to_owned);
    let topics = value["topics"].as_array().ok_or("no topics")?;
    let mut owned = TopicPartitions::new();
    for (topic, partition) in partitions(&value["owned"])? {
        owned.entry(topic).or_default().push(partition as i32);
    }
    let generation = value["generation"]
        .as_i64()
        .and_then(|g| i32::try_from(g).ok());
    let mut subscription = Subscription::default();
    subscription.topics = topics
        .iter()
        .filter_map(|t| t.as_str().map(str::to_owned))
        .collect();
    subscription.user_data = nullable_hex(&value["user_data"])?;
    subscription.owned = owned;
    subscription.generation = generation.filter(|g| *g >= 0);
    subscription.rack = text("rack");
    let member = GroupMember::new(text("id").ok_or("no id")?).subscription(subscription);
    Ok(match text("instance") {
        Some(instance) => member.instance_id(instance),
        None => member,
    })
}

fn partitions(value: &Value) -> Result<Partitions, String> {
    let pair = |pair: &Value| {
        let topic = pair[0].as_str().ok_or("no topic")?;
        Ok((topic.to_owned(), pair[1].as_i64().ok_or("no partition")?))
    };
    value
        .as_array()
        .ok_or("no partitions")?
        .iter()
        .map(pair)
        .collect()
}

fn flat(given: &TopicPartitions) -> Partitions {
    let each = given
        .iter()
        .flat_map(|(topic, numbers)| numbers.iter().map(move |n| (topic, n)));
    each.map(|(topic, n)| (topic.clone(), i64::from(*n)))
        .collect()
}

/// Nobody gets what is not there, and nothing is given twice.
fn valid(
    ours: &BTreeMap<String, Partitions>,
    members: &[GroupMember],
    topics: &[GroupTopic],
) -> Outcome {
    let mut given = BTreeSet::new();
    for member in members {
        for (topic, partition) in ours
            .get(&member.id)
            .ok_or_else(|| format!("no {}", member.id))?
        {
            let known = topics.iter().find(|t| t.name == *topic);
            if known.is_none_or(|t| *partition as usize >= t.partitions) {
                return Err(format!("{} gets {topic} {partition}", member.id));
            }
            if !given.insert((topic, partition)) {
                return Err(format!("{topic} {partition} is given twice"));
            }
        }
    }
    Ok(())
}

/// Where Java's answer depends on the order of its hash table: as even as that, and no more moves.
fn as_good(
    ours: &BTreeMap<String, Partitions>,
    java: &BTreeMap<String, Partitions>,
    members: &[GroupMember],
) -> Outcome {
    let spread = |given: &BTreeMap<String, Partitions>| {
        let sizes = given.values().map(BTreeSet::len);
        sizes.clone().max().unwrap_or(0) - sizes.min().unwrap_or(0)
    };
    let kept = |given: &BTreeMap<String, Partitions>| -> usize {
        let of_member = |m: &GroupMember| {
            let owned = flat(&m.subscription.owned);
            given
                .get(&m.id)
                .map_or(0, |given| given.intersection(&owned).count())
        };
        members.iter().map(of_member).sum()
    };
    let total =
        |given: &BTreeMap<String, Partitions>| given.values().map(BTreeSet::len).sum::<usize>();
    equal("number of partitions", total(ours), total(java))?;
    if spread(ours) > spread(java) {
        return Err("is less even".to_owned());
    }
    if kept(ours) < kept(java) {
        return Err(format!("keeps {} and not {}", kept(ours), kept(java)));
    }
    Ok(())
}
