//! What members and leaders of classic groups tell each other.

use std::collections::BTreeSet;

use kafka_proto::group::{
    Assignment, CooperativeStickyGroupBalancer, GroupBalancer, Owned, StickyGroupBalancer,
    StickyUserData, Subscription, TopicPartitions,
};
use serde_json::Value;

use super::line::{Outcome, Vector, equal, nullable_hex, same_bytes};

pub(crate) fn check(v: &Vector) -> Outcome {
    match v.text("what")? {
        what if what.starts_with("subscription") => subscription(v),
        what if what.starts_with("assignment") => assignment(v),
        what if what.starts_with("user data") => user_data(v),
        other => Err(format!("{other} is unknown")),
    }
}

fn subscription(v: &Vector) -> Outcome {
    let (hex, version) = (v.hex("hex")?, v.number::<i16>("version")?);
    let ours = Subscription::decode(&hex).map_err(|e| e.to_string())?;
    let topics = v.list("topics")?.iter().map(Value::as_str);
    let topics: BTreeSet<_> = topics.collect::<Option<_>>().ok_or("no topics")?;
    let read = ours
        .topics
        .iter()
        .map(String::as_str)
        .collect::<BTreeSet<_>>();
    equal("topics", read, topics)?;
    equal(
        "user data",
        &ours.user_data,
        &nullable_hex(&v.0["user_data"])?,
    )?;
    let owned = if version >= 1 {
        by_topic(&v.0["owned"])?
    } else {
        TopicPartitions::new()
    };
    equal("owned partitions", sorted(&ours.owned), owned)?;
    let generation = v.0["generation"]
        .as_i64()
        .filter(|g| *g >= 0 && version >= 2);
    equal("generation", ours.generation.map(i64::from), generation)?;
    let rack = v.0["rack"]
        .as_str()
        .filter(|r| !r.is_empty() && version >= 3);
    equal("rack", ours.rack.as_deref(), rack)?;
    // what a later version has added is not written again
    match Subscription::VERSIONS.contains(&version) {
        true => same_bytes(&ours.encode(version), &hex),
        false => Ok(()),
    }
}

fn assignment(v: &Vector) -> Outcome {
    let (hex, version) = (v.hex("hex")?, v.number::<i16>("version")?);
    let ours = Assignment::decode(&hex).map_err(|e| e.to_string())?;
    equal(
        "partitions",
        ours.topic_partitions(),
        by_topic(&v.0["partitions"])?,
    )?;
    equal(
        "user data",
        &ours.user_data,
        &nullable_hex(&v.0["user_data"])?,
    )?;
    match Assignment::VERSIONS.contains(&version) {
        true => same_bytes(&ours.encode(version), &hex),
        false => Ok(()),
    }
}

fn user_data(v: &Vector) -> Outcome {
    let hex = nullable_hex(&v.0["hex"])?;
    let generation = v.number::<i32>("generation")?;
    let partitions = by_topic(&v.0["owned"])?;
    let owned = Owned {
        partitions: partitions.clone(),
        generation,
    };
    let said = |balancer: &dyn GroupBalancer, owned| {
        let said = balancer.user_data(owned).map_err(|e| e.to_string())?;
        Ok::<_, String>(said)
    };
    match (v.text("assignor")?, hex) {
        ("sticky", None) => equal("user data", said(&StickyGroupBalancer, None)?, None),
        ("sticky", Some(hex)) => {
            let ours = StickyUserData::decode(&hex);
            equal("partitions", &ours.partitions, &partitions)?;
            equal("generation", ours.generation.unwrap_or(-1), generation)?;
            // the order of topics is that of a hash table in Java: compared is what can be read
            let again = StickyUserData::decode(&ours.encode());
            equal("what is written", &again, &ours)?;
            equal("length", ours.encode().len(), hex.len())?;
            match ours.generation {
                Some(_) => {
                    let said = said(&StickyGroupBalancer, Some(&owned))?;
                    equal("user data", said, Some(ours.encode()))
                }
                None => Ok(()),
            }
        }
        ("cooperative-sticky", hex) => {
            // without partitions the vector is of a member that was in no group
            let last = (generation >= 0).then_some(&owned);
            equal(
                "user data",
                said(&CooperativeStickyGroupBalancer, last)?,
                hex,
            )
        }
        (other, _) => Err(format!("{other} has no user data")),
    }
}

fn by_topic(pairs: &Value) -> Result<TopicPartitions, String> {
    let mut topics = TopicPartitions::new();
    for pair in pairs.as_array().ok_or("no partitions")? {
        let topic = pair[0].as_str().ok_or("no topic")?;
        let partition = pair[1].as_i64().ok_or("no partition")?;
        topics
            .entry(topic.to_owned())
            .or_default()
            .push(partition as i32);
    }
    Ok(sorted(&topics))
}

fn sorted(topics: &TopicPartitions) -> TopicPartitions {
    let sorted = |numbers: &Vec<i32>| {
        let mut numbers = numbers.clone();
        numbers.sort_unstable();
        numbers
    };
    topics.iter().map(|(t, n)| (t.clone(), sorted(n))).collect()
}
