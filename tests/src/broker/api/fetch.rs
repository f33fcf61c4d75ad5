//! Fetch 0 to 18: batches of magic 2 from an offset on, and waiting for them.
//!
//! - Waits until `min_bytes` are there, a partition fails, or `max_wait_ms` are over. Appends, leader changes and deleted
//!   topics end the wait.
//! - `max_bytes` (at most 55 MiB, `fetch.max.bytes`) and `partition_max_bytes`, with Kafka's two rules: the first
//!   partition that has something returns at least one whole batch, and a later batch is cut where the limit ends.
//! - From version 11 on any replica answers (KIP-392), as long as the client does not know another leader epoch: after a
//!   move the old leader goes on as a follower. For NOT_LEADER_OR_FOLLOWER a topic needs fewer replicas than brokers.
//! - Consumers read up to the high watermark, or the last stable offset with the aborted transactions on the way.
//! - Offsets outside the log, wrong leaders, and leader epochs that differ, from version 9 on.
//! - Topics by name up to version 12, by id from version 13 on. Leader hints from version 16 on (KIP-951).
//! - Sessions (KIP-227): `broker/sessions.rs`.
//! - Where the broker has a [rack](crate::broker::Cluster::set_rack), a consumer that names another one is sent to a replica
//!   in sync in its own, if there is one (`RackAwareReplicaSelector`).
//! - Below version 10 a topic with `compression.type=zstd` is UNSUPPORTED_COMPRESSION_TYPE; in others, what a producer wrote
//!   as zstd goes out as it is from version 4 on, and is refused below it.
//! - Versions 0 to 3 get message sets instead, of magic 0, from version 2 on of magic 1, with whole messages only: also
//!   where Kafka would have cut the first one (versions 0 to 2 have no `max_bytes`).
//! - Not done: diverging epochs (`last_fetched_epoch`); requests of followers are answered as those of consumers; zstd is not
//!   refused below version 10.

use std::{collections::BTreeSet, ops::RangeInclusive, time::Duration};

use bytes::Bytes;
use kafka_proto::{
    api::{
        AnyRequest, AnyResponse,
        fetch::{
            AbortedTransaction, FetchPartition, FetchRequest, FetchResponse, FetchTopic,
            FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint, PartitionData,
        },
    },
    error::ErrorCode,
    record::{Batches, next_offset},
};

use super::{
    super::{
        Cluster, legacy::downgraded, log::PartitionLog, request::Request, topic::Partition,
        transactions::Aborted,
    },
    Outcome,
};

pub(super) const VERSIONS: RangeInclusive<i16> = 0..=18;

/// `fetch.max.bytes` of a broker.
const MAX_BYTES: i32 = 55 * 1024 * 1024;

/// What a response may still carry.
struct Budget {
    bytes: i32,
    /// Until something was found, the first batch comes whole.
    at_least_one: bool,
}

impl Cluster {
    pub(super) fn fetch(&self, request: &Request, m: &FetchRequest) -> Outcome {
        if m.max_wait_ms <= 0 || self.fetch_is_ready(request, m) {
            return Outcome::Respond(AnyResponse::Fetch(self.fetch_answer(request, m)));
        }
        Outcome::Wait(Duration::from_millis(u64::from(
            m.max_wait_ms.unsigned_abs(),
        )))
    }

    /// Whether waiting longer would change nothing, as in `ReplicaManager.fetchMessages` and `DelayedFetch`.
    pub(in super::super) fn fetch_is_ready(&self, request: &Request, m: &FetchRequest) -> bool {
        let min_bytes = u64::try_from(m.min_bytes.min(max_bytes(m))).unwrap_or(0);
        let mut bytes = 0;
        let mut any = false;
        for topic in &m.topics {
            for wanted in &topic.partitions {
                let Ok(partition) = self.fetch_partition(request, topic, wanted) else {
                    return true;
                };
                any = true;
                let Ok(limit) = u64::try_from(wanted.partition_max_bytes) else {
                    return true;
                };
                if self.nearer_replica(request, m, partition).is_some() {
                    return true;
                }
                let until = readable(&partition.log, m.isolation_level);
                bytes += partition
                    .log
                    .available(wanted.fetch_offset, until)
                    .min(limit);
            }
        }
        !any || bytes >= min_bytes
    }

    pub(in super::super) fn fetch_answer(
        &self,
        request: &Request,
        m: &FetchRequest,
    ) -> FetchResponse {
        let mut budget = Budget {
            bytes: max_bytes(m),
            at_least_one: true,
        };
        let mut leaders = BTreeSet::new();
        FetchResponse::build(|r| {
            for topic in &m.topics {
                let partition = |wanted| {
                    self.fetch_read(request, m, topic, wanted, &mut budget)
                        .unwrap_or_else(|code| {
                            let mut data = failed(wanted.partition, code);
                            self.fetch_hint(request, topic, &mut data, &mut leaders);
                            data
                        })
                };
                r.responses.push(FetchableTopicResponse::build(|t| {
                    t.topic.clone_from(&topic.topic);
                    t.topic_id = topic.topic_id;
                    t.partitions = topic.partitions.iter().map(partition).collect();
                }));
            }
            r.node_endpoints = leaders
                .iter()
                .filter_map(|id| self.fetch_endpoint(*id))
                .collect();
        })
    }

    /// Has the partitions of a waiting Fetch wake its connection, or no longer.
    pub(in super::super) fn watch(&mut self, request: &Request, yes: bool) {
        let AnyRequest::Fetch(m) = &request.body else {
            return;
        };
        for topic in &m.topics {
            let by_id = request.version >= 13;
            let Ok(found) = self.topics.resolve_mut(&topic.topic, topic.topic_id, by_id) else {
                continue;
            };
            for wanted in &topic.partitions {
                let Some(partition) = found.partition_mut(wanted.partition) else {
                    continue;
                };
                match yes {
                    true => partition.waiting.insert(request.connection),
                    false => partition.waiting.remove(&request.connection),
                };
            }
        }
    }

    fn fetch_read(
        &self,
        request: &Request,
        m: &FetchRequest,
        topic: &FetchTopic,
        wanted: &FetchPartition,
        budget: &mut Budget,
    ) -> Result<PartitionData, ErrorCode> {
        let limit = wanted.partition_max_bytes.min(budget.bytes);
        budget.bytes = budget.bytes.max(0);
        let partition = self.fetch_partition(request, topic, wanted)?;
        // `LocalLog.read` throws what no error code stands for
        let limit = usize::try_from(limit).map_err(|_| ErrorCode::UNKNOWN_SERVER_ERROR)?;
        let elsewhere = self.nearer_replica(request, m, partition);
        let until = match elsewhere {
            Some(_) => 0,
            None => readable(&partition.log, m.isolation_level),
        };
        let records = partition
            .log
            .read(wanted.fetch_offset, until, limit, budget.at_least_one);
        let records = match request.version {
            // Kafka has read, and counted, when it notices (`KafkaApis.handleFetchRequest`)
            ..=9 if self.is_zstd(request, topic, &records) => {
                budget.bytes = budget.bytes.saturating_sub_unsigned(records.len() as u32);
                return Err(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
            }
            0..=1 => downgraded(records, 0),
            2..=3 => downgraded(records, 1),
            _ => records,
        };
        budget.at_least_one &= records.is_empty();
        budget.bytes = budget
            .bytes
            .saturating_sub_unsigned(records.len() as u32)
            .max(0);
        Ok(PartitionData::build(|p| {
            p.partition_index = wanted.partition;
            p.high_watermark = partition.log.high_watermark();
            p.last_stable_offset = partition.log.last_stable_offset();
            p.log_start_offset = partition.log.start_offset();
            // null for consumers that read uncommitted records
            p.preferred_read_replica = elsewhere.unwrap_or(-1);
            p.aborted_transactions = (m.isolation_level == 1).then(|| {
                let next = next_offset(&records).ok().flatten();
                let until = next.unwrap_or(wanted.fetch_offset);
                let aborted = partition.log.aborted_in(wanted.fetch_offset, until);
                aborted.map(aborted_transaction).collect()
            });
            p.records = Some(records);
        }))
    }

    fn fetch_partition(
        &self,
        request: &Request,
        topic: &FetchTopic,
        wanted: &FetchPartition,
    ) -> Result<&Partition, ErrorCode> {
        let topic = self
            .topics
            .resolve(&topic.topic, topic.topic_id, request.version >= 13)?;
        let partition = topic
            .partition(wanted.partition)
            .ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        match request.version {
            // KIP-392 (`FetchParams.fetchOnlyLeader`)
            11.. => partition.check_replica(request.broker, wanted.current_leader_epoch)?,
            _ => partition.check_leader(request.broker, wanted.current_leader_epoch)?,
        }
        match (partition.log.start_offset()..=partition.log.end_offset())
            .contains(&wanted.fetch_offset)
        {
            true => Ok(partition),
            false => Err(ErrorCode::OFFSET_OUT_OF_RANGE),
        }
    }

    /// Whether a consumer that does not know zstd must not get this: a topic that is meant to be zstd, or, where batches
    /// are written anew for it, one of them.
    fn is_zstd(&self, request: &Request, topic: &FetchTopic, records: &Bytes) -> bool {
        let named = self.topics.get(&topic.topic);
        if named.is_some_and(|topic| topic.configs.zstd) {
            return true;
        }
        let mut batches = Batches::new(records.clone()).without_crc();
        request.version <= 3 && batches.any(|b| b.is_ok_and(|b| b.header().codec() == 4))
    }

    /// The replica in sync in the rack of a consumer, if the leader stands in another one.
    fn nearer_replica(
        &self,
        request: &Request,
        m: &FetchRequest,
        partition: &Partition,
    ) -> Option<i32> {
        let rack = |id: &i32| self.brokers.get(id)?.rack.as_ref();
        let here = rack(&request.broker)?;
        let asked = request.version >= 11 && partition.leader == Some(request.broker);
        if !asked || m.rack_id.is_empty() || *here == m.rack_id {
            return None;
        }
        let there = |id: &&i32| rack(id) == Some(&m.rack_id) && self.is_running(**id);
        partition.isr.iter().find(there).copied()
    }

    fn fetch_hint(
        &self,
        request: &Request,
        topic: &FetchTopic,
        data: &mut PartitionData,
        leaders: &mut BTreeSet<i32>,
    ) {
        let moved = [
            ErrorCode::NOT_LEADER_OR_FOLLOWER,
            ErrorCode::FENCED_LEADER_EPOCH,
        ];
        if request.version < 16 || !moved.contains(&ErrorCode(data.error_code)) {
            return;
        }
        let topic = self.topics.resolve(&topic.topic, topic.topic_id, true).ok();
        let Some(partition) = topic.and_then(|t| t.partition(data.partition_index)) else {
            return;
        };
        data.current_leader = LeaderIdAndEpoch::build(|l| {
            l.leader_id = partition.leader.unwrap_or(-1);
            l.leader_epoch = partition.leader_epoch;
        });
        leaders.extend(partition.leader);
    }

    fn fetch_endpoint(&self, id: i32) -> Option<NodeEndpoint> {
        let broker = self.brokers.get(&id)?;
        Some(NodeEndpoint::build(|n| {
            n.node_id = id;
            n.host.clone_from(&broker.host);
            n.port = i32::from(broker.port);
        }))
    }
}

pub(super) fn refuse(version: i16, m: &FetchRequest, code: ErrorCode) -> FetchResponse {
    let topic = |topic: &FetchTopic| {
        FetchableTopicResponse::build(|t| {
            t.topic.clone_from(&topic.topic);
            t.topic_id = topic.topic_id;
            t.partitions = topic
                .partitions
                .iter()
                .map(|p| failed(p.partition, code))
                .collect();
        })
    };
    FetchResponse::build(|r| match code {
        // these two concern the request, and have their own place
        ErrorCode::FETCH_SESSION_ID_NOT_FOUND | ErrorCode::INVALID_FETCH_SESSION_EPOCH
            if version >= 7 =>
        {
            r.error_code = code.code();
        }
        _ => r.responses = m.topics.iter().map(topic).collect(),
    })
}

/// The offset up to which a consumer reads.
fn readable(log: &PartitionLog, isolation: i8) -> i64 {
    match isolation {
        1 => log.last_stable_offset(),
        _ => log.high_watermark(),
    }
}

fn aborted_transaction(aborted: &Aborted) -> AbortedTransaction {
    AbortedTransaction::build(|t| {
        t.producer_id = aborted.producer_id;
        t.first_offset = aborted.first_offset;
    })
}

fn max_bytes(m: &FetchRequest) -> i32 {
    m.max_bytes.min(MAX_BYTES)
}

/// `FetchResponse.partitionResponse`, or what `ReplicaManager.readFromLog` makes of an error.
fn failed(partition: i32, code: ErrorCode) -> PartitionData {
    PartitionData::build(|p| {
        p.partition_index = partition;
        p.error_code = code.code();
        p.high_watermark = -1;
        if !matches!(
            code,
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION | ErrorCode::UNKNOWN_TOPIC_ID
        ) {
            p.aborted_transactions = None;
        }
        p.records = Some(Bytes::new());
    })
}
