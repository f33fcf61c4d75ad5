//! Topics, their partitions, and who leads them.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use kafka_proto::{error::ErrorCode, wire::Uuid};

use super::{ConnId, append_rules::AppendRules, log::PartitionLog, topic_configs::TopicConfigs};

/// Every topic of a cluster, by name and by id.
#[derive(Debug, Default)]
pub(super) struct Topics {
    by_name: BTreeMap<String, Topic>,
    names: BTreeMap<[u8; 16], String>,
    /// How many were ever created: a topic that is created again gets another id.
    created: u64,
    /// Whether a topic was ever created whose records grow too old.
    expiring: bool,
}

#[derive(Debug)]
pub(super) struct Topic {
    pub(super) id: Uuid,
    pub(super) partitions: Vec<Partition>,
    pub(super) configs: TopicConfigs,
}

#[derive(Debug)]
pub(super) struct Partition {
    pub(super) leader: Option<i32>,
    pub(super) leader_epoch: i32,
    pub(super) replicas: Vec<i32>,
    /// The brokers that may lead. The last one stays when it stops, as without unclean elections in Kafka.
    pub(super) isr: Vec<i32>,
    min_insync: usize,
    pub(super) log: PartitionLog,
    /// Who has the log up to its end: the leader, or the last one. The others have it up to the high watermark.
    holder: Option<i32>,
    /// Connections with a Fetch that waits for this partition.
    pub(super) waiting: BTreeSet<ConnId>,
}

impl Topics {
    /// Adds a topic, or replaces it.
    pub(super) fn insert(
        &mut self,
        name: &str,
        assignment: Vec<Vec<i32>>,
        configs: TopicConfigs,
    ) -> Uuid {
        self.created += 1;
        self.expiring |= configs.retention_ms.is_some();
        let id = topic_id(name, self.created);
        let min_insync = configs.min_insync_replicas;
        let partition = |replicas| Partition::new(replicas, min_insync);
        let partitions = assignment.into_iter().map(partition).collect();
        self.names.insert(id.0, name.to_owned());
        self.by_name.insert(
            name.to_owned(),
            Topic {
                id,
                partitions,
                configs,
            },
        );
        id
    }

    pub(super) fn remove(&mut self, name: &str) -> Option<Topic> {
        let topic = self.by_name.remove(name)?;
        self.names.remove(&topic.id.0);
        Some(topic)
    }

    /// Gives a topic other configs. Returns who waits for its partitions and is to be looked at again.
    pub(super) fn set_configs(&mut self, name: &str, configs: TopicConfigs) -> BTreeSet<ConnId> {
        self.expiring |= configs.retention_ms.is_some();
        let Some(topic) = self.by_name.get_mut(name) else {
            return BTreeSet::new();
        };
        for partition in &mut topic.partitions {
            partition.set_min_insync(configs.min_insync_replicas);
        }
        topic.configs = configs;
        let waiting = topic.partitions.iter().flat_map(|p| &p.waiting);
        waiting.copied().collect()
    }

    /// Finds the topic that a request names: by name, or by id where its version has ids instead.
    pub(super) fn resolve(&self, name: &str, id: Uuid, by_id: bool) -> Result<&Topic, ErrorCode> {
        if by_id {
            let name = self.names.get(&id.0).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)?;
            return self.by_name.get(name).ok_or(ErrorCode::UNKNOWN_TOPIC_ID);
        }
        self.by_name
            .get(name)
            .ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
    }

    pub(super) fn resolve_mut(
        &mut self,
        name: &str,
        id: Uuid,
        by_id: bool,
    ) -> Result<&mut Topic, ErrorCode> {
        if by_id {
            let name = self.names.get(&id.0).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)?;
            return self
                .by_name
                .get_mut(name)
                .ok_or(ErrorCode::UNKNOWN_TOPIC_ID);
        }
        self.by_name
            .get_mut(name)
            .ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
    }

    pub(super) fn name_of(&self, id: Uuid) -> Option<&str> {
        self.names.get(&id.0).map(String::as_str)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Topic> {
        self.by_name.get(name)
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Topic> {
        self.by_name.get_mut(name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Topic)> {
        self.by_name
            .iter()
            .map(|(name, topic)| (name.as_str(), topic))
    }

    pub(super) fn partitions_mut(&mut self) -> impl Iterator<Item = &mut Partition> {
        self.by_name.values_mut().flat_map(|t| &mut t.partitions)
    }

    /// Drops what is older than its topic keeps records.
    pub(super) fn expire(&mut self, unix_ms: i64) {
        if !self.expiring {
            return;
        }
        for topic in self.by_name.values_mut() {
            let Some(age) = topic.configs.retention_ms else {
                continue;
            };
            for partition in &mut topic.partitions {
                partition.log.expire_before(unix_ms.saturating_sub(age));
            }
        }
    }

    /// A topic whose name makes the same metric names: '.' and '_' are the same there (`Topic.hasCollision`).
    pub(super) fn collision(&self, name: &str) -> Option<&str> {
        let folded = |s: &str| s.replace('.', "_");
        let wanted = folded(name);
        self.by_name
            .keys()
            .find(|other| *other != name && folded(other) == wanted)
            .map(String::as_str)
    }
}

impl Topic {
    pub(super) fn partition(&self, index: i32) -> Option<&Partition> {
        self.partitions.get(usize::try_from(index).ok()?)
    }

    pub(super) fn partition_mut(&mut self, index: i32) -> Option<&mut Partition> {
        self.partitions.get_mut(usize::try_from(index).ok()?)
    }
}

impl Partition {
    pub(super) fn new(replicas: Vec<i32>, min_insync: usize) -> Self {
        let mut partition = Self {
            leader: replicas.first().copied(),
            leader_epoch: 0,
            isr: replicas.clone(),
            log: PartitionLog::new(0),
            holder: replicas.first().copied(),
            min_insync: 1,
            replicas,
            waiting: BTreeSet::new(),
        };
        partition.set_min_insync(min_insync);
        partition
    }

    /// Sets how many replicas have to be in sync; more than there are cannot be asked for (`Partition.effectiveMinIsr`).
    fn set_min_insync(&mut self, count: usize) {
        self.min_insync = count.min(self.replicas.len());
        self.log.set_stalled(self.is_under_min_isr());
    }

    /// Whether fewer replicas are in sync than the topic wants.
    fn is_under_min_isr(&self) -> bool {
        self.isr.len() < self.min_insync
    }

    /// Whether `broker` leads this partition, for a client that knows `epoch` of its leader (-1: no matter).
    pub(super) fn check_leader(&self, broker: i32, epoch: i32) -> Result<(), ErrorCode> {
        self.check_replica(broker, epoch)?;
        match self.leader == Some(broker) {
            true => Ok(()),
            false => Err(ErrorCode::NOT_LEADER_OR_FOLLOWER),
        }
    }

    /// Whether `broker` has this partition, for a client that knows `epoch` of its leader.
    ///
    /// As `Partition.checkCurrentLeaderEpoch`: the epoch is looked at first, but only by a broker that has a replica.
    pub(super) fn check_replica(&self, broker: i32, epoch: i32) -> Result<(), ErrorCode> {
        if !self.replicas.contains(&broker) {
            return Err(ErrorCode::NOT_LEADER_OR_FOLLOWER);
        }
        match epoch {
            ..0 => Ok(()),
            epoch if epoch < self.leader_epoch => Err(ErrorCode::FENCED_LEADER_EPOCH),
            epoch if epoch > self.leader_epoch => Err(ErrorCode::UNKNOWN_LEADER_EPOCH),
            _ => Ok(()),
        }
    }

    /// Appends for `broker`; whoever waits for this partition is to be looked at again.
    pub(super) fn append(
        &mut self,
        broker: i32,
        acks: i16,
        batch: &Bytes,
        rules: &AppendRules,
    ) -> Result<super::log::Appended, ErrorCode> {
        self.check_leader(broker, -1)?;
        if acks == -1 && self.is_under_min_isr() {
            return Err(ErrorCode::NOT_ENOUGH_REPLICAS);
        }
        self.log.append(batch, self.leader_epoch, rules)
    }

    pub(super) fn set_leader(&mut self, leader: Option<i32>) {
        let last = std::mem::replace(&mut self.leader, leader);
        self.leader_epoch += 1;
        let Some(leader) = leader else { return };
        if self.holder.replace(leader) != Some(leader) {
            self.log.truncate(self.log.high_watermark());
        }
        self.log.begin_epoch(self.leader_epoch);
        // a reassignment: the new leader takes over the replica of the last one
        if !self.replicas.contains(&leader) {
            self.replicas.retain(|b| Some(*b) != last);
            self.isr.retain(|b| Some(*b) != last);
            self.replicas.insert(0, leader);
        }
        if !self.isr.contains(&leader) {
            self.isr.push(leader);
        }
        self.log.set_stalled(self.is_under_min_isr());
    }

    /// Returns whether the leader changed.
    pub(super) fn broker_stopped(&mut self, broker: i32) -> bool {
        if self.isr.len() > 1 {
            self.isr.retain(|b| *b != broker);
        }
        self.log.set_stalled(self.is_under_min_isr());
        if self.leader != Some(broker) {
            return false;
        }
        self.set_leader(self.isr.iter().copied().find(|b| *b != broker));
        true
    }

    /// Returns whether the leader changed, or the high watermark moved.
    pub(super) fn broker_started(&mut self, broker: i32) -> bool {
        if !self.replicas.contains(&broker) {
            return false;
        }
        let elected = self.leader.is_none() && self.isr.contains(&broker);
        if elected {
            self.set_leader(Some(broker));
        }
        // a follower catches up at once, but only if there is a leader to follow
        if self.leader.is_some() && !self.isr.contains(&broker) {
            self.isr.push(broker);
        }
        let before = self.log.high_watermark();
        self.log.set_stalled(self.is_under_min_isr());
        elected || self.log.high_watermark() > before
    }
}

/// Spreads partitions over brokers, leaders in turn.
pub(super) fn assign(
    brokers: &[i32],
    partitions: usize,
    replicas: usize,
    first: usize,
) -> Vec<Vec<i32>> {
    let nth = |n: usize| brokers[n % brokers.len()];
    (0..partitions)
        .map(|p| (0..replicas).map(|r| nth(first + p + r)).collect())
        .collect()
}

/// What is wrong with a name, in the words of `Topic.validate`.
pub(super) fn name_fault(name: &str) -> Option<String> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    match name {
        "" => Some("the empty string is not allowed".to_owned()),
        "." | ".." => Some(format!("'{name}' is not allowed")),
        _ if name.len() > 249 => Some(format!(
            "the length of '{name}' is longer than the max allowed length 249"
        )),
        _ if !name.bytes().all(legal) => {
            let wanted = "ASCII alphanumerics, '.', '_' and '-'";
            Some(format!(
                "'{name}' contains one or more characters other than {wanted}"
            ))
        }
        _ => None,
    }
}

/// An id that looks like one, is never zero, and never comes twice.
fn topic_id(name: &str, nth: u64) -> Uuid {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&fnv1a(name.as_bytes()).to_be_bytes());
    id[8..].copy_from_slice(&nth.to_be_bytes());
    Uuid(id)
}

/// Spreads names evenly and always the same.
pub(super) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, b| {
        (hash ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3)
    })
}
