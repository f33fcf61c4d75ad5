//! Produce 0 to 13: checks, numbers and stores one batch a partition.
//!
//! - acks 0 (no answer; an error closes the connection), 1, and -1, which waits for the high watermark up to `timeout_ms`,
//!   then answers REQUEST_TIMED_OUT; others are INVALID_REQUIRED_ACKS.
//! - Topics by name up to version 12, by id from version 13 on.
//! - The checks and their order are those of `ProduceRequest.validateRecords`, `UnifiedLog.append` and `LogValidator`:
//!   exactly one batch, magic 2, base offset 0, size within `max.message.bytes`, checksum, counts, no control batch, the
//!   records inside if they are not compressed. Sequence rules: `broker/producer.rs`.
//! - With acks -1 and fewer replicas in sync than `min.insync.replicas`: NOT_ENOUGH_REPLICAS, and nothing is written. What
//!   others write meanwhile is not read before enough are back, as from Kafka 3.7 on.
//! - Where `message.timestamp.type` is LogAppendTime, batches get the time of the broker's
//!   [clock](crate::broker::Cluster::set_clock), and the answer tells it.
//! - Who asks the wrong broker is told the right one from version 10 on (KIP-951).
//! - Null records are INVALID_RECORD, where Kafka 4.3 never answers.
//! - Versions 0 to 2 carry a message set of magic 0 or 1, which is stored as one batch of magic 2.
//! - Not done: records inside compressed batches are not looked at; transactions (INVALID_TXN_STATE, or
//!   TRANSACTIONAL_ID_AUTHORIZATION_FAILED for the whole request if it names no transactional id); timestamps are not checked; quotas.

use std::{collections::BTreeSet, ops::RangeInclusive, time::Duration};

use bytes::Bytes;
use kafka_proto::{
    api::{
        AnyResponse,
        produce::{
            LeaderIdAndEpoch, NodeEndpoint, PartitionProduceData, PartitionProduceResponse,
            ProduceRequest, ProduceResponse, TopicProduceData, TopicProduceResponse,
        },
    },
    error::ErrorCode,
    record::BatchHeader,
    wire::Uuid,
};

use super::{
    super::{
        Cluster, ConnId,
        append_rules::AppendRules,
        legacy::{is_message_set, upgraded},
        log::Appended,
        request::Request,
    },
    Outcome,
};

pub(super) const VERSIONS: RangeInclusive<i16> = 0..=13;

impl Cluster {
    pub(super) fn produce(&mut self, request: &Request, m: &ProduceRequest) -> Outcome {
        let mut data = m.topic_data.iter().flat_map(|t| &t.partition_data);
        if m.transactional_id.is_none() && data.any(is_transactional) {
            let code = ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
            return Outcome::Respond(AnyResponse::Produce(refuse(m, code)));
        }
        let mut leaders = BTreeSet::new();
        let mut failed = false;
        let mut behind = Vec::new();
        let response = ProduceResponse::build(|r| {
            for topic in &m.topic_data {
                let partitions = topic.partition_data.iter();
                let each = |p| {
                    self.produce_partition(request, m.acks, topic, p, &mut leaders, &mut behind)
                };
                r.responses.push(TopicProduceResponse::build(|t| {
                    t.name.clone_from(&topic.name);
                    t.topic_id = topic.topic_id;
                    t.partition_responses = partitions.map(each).collect();
                    failed |= t.partition_responses.iter().any(|p| p.error_code != 0);
                }));
            }
            r.node_endpoints = leaders
                .iter()
                .filter_map(|id| self.produce_endpoint(*id))
                .collect();
        });
        match (m.acks, failed) {
            // the only way to tell a producer that waits for nothing (`KafkaApis.handleProduceRequest`)
            (0, true) => Outcome::Close,
            (0, false) => Outcome::Silent,
            (-1, _) if !behind.is_empty() => {
                let max = Duration::from_millis(u64::try_from(m.timeout_ms).unwrap_or(0));
                Outcome::WaitForReplicas(response, behind, max)
            }
            _ => Outcome::Respond(AnyResponse::Produce(response)),
        }
    }

    fn produce_partition(
        &mut self,
        request: &Request,
        acks: i16,
        topic: &TopicProduceData,
        data: &PartitionProduceData,
        leaders: &mut BTreeSet<i32>,
        behind: &mut Vec<Behind>,
    ) -> PartitionProduceResponse {
        let result = self.produce_append(request, acks, topic, data);
        if result.is_ok() {
            behind.extend(self.behind(request.version, topic, data.index));
        }
        PartitionProduceResponse::build(|p| {
            p.index = data.index;
            match result {
                Ok((appended, log_start_offset)) => {
                    p.base_offset = appended.base_offset;
                    p.log_append_time_ms = appended.log_append_time;
                    p.log_start_offset = log_start_offset;
                }
                Err(refusal) => {
                    p.error_code = refusal.code.code();
                    p.base_offset = -1;
                    p.log_start_offset = refusal.log_start_offset;
                    if refusal.code == ErrorCode::NOT_LEADER_OR_FOLLOWER && request.version >= 10 {
                        self.produce_hint(request, topic, p, leaders);
                    }
                }
            }
        })
    }

    /// What a partition's followers do not have yet.
    fn behind(&self, version: i16, topic: &TopicProduceData, index: i32) -> Option<Behind> {
        let found = self
            .topics
            .resolve(&topic.name, topic.topic_id, version >= 13);
        let log = &found.ok()?.partition(index)?.log;
        (log.high_watermark() < log.end_offset()).then(|| Behind {
            name: topic.name.clone(),
            id: topic.topic_id,
            by_id: version >= 13,
            partition: index,
            end: log.end_offset(),
        })
    }

    /// Which followers still do not have everything. What has another leader meanwhile fails.
    pub(in super::super) fn still_behind(
        &self,
        broker: i32,
        behind: &[Behind],
        response: &mut ProduceResponse,
    ) -> Vec<Behind> {
        let mut left = Vec::new();
        for one in behind {
            let topic = self.topics.resolve(&one.name, one.id, one.by_id).ok();
            let partition = topic.and_then(|topic| topic.partition(one.partition));
            match partition.filter(|p| p.check_leader(broker, -1).is_ok()) {
                Some(partition) if partition.log.high_watermark() >= one.end => {}
                Some(_) => left.push(one.clone()),
                None => {
                    let one = std::slice::from_ref(one);
                    fail_behind(one, ErrorCode::NOT_LEADER_OR_FOLLOWER, response);
                }
            }
        }
        left
    }

    /// Has partitions wake a Produce that waits for their followers, or no longer.
    pub(in super::super) fn watch_replicas(
        &mut self,
        connection: ConnId,
        behind: &[Behind],
        yes: bool,
    ) {
        for one in behind {
            let Ok(topic) = self.topics.resolve_mut(&one.name, one.id, one.by_id) else {
                continue;
            };
            let Some(partition) = topic.partition_mut(one.partition) else {
                continue;
            };
            match yes {
                true => partition.waiting.insert(connection),
                false => partition.waiting.remove(&connection),
            };
        }
    }

    fn produce_append(
        &mut self,
        request: &Request,
        acks: i16,
        topic: &TopicProduceData,
        data: &PartitionProduceData,
    ) -> Result<(Appended, i64), Refusal> {
        let topic = self
            .topics
            .resolve_mut(&topic.name, topic.topic_id, request.version >= 13)?;
        let (max_message_bytes, append_time) =
            (topic.configs.max_message_bytes, topic.configs.append_time);
        let partition = topic
            .partition_mut(data.index)
            .ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        let batch = only_batch(data.records.as_ref(), request.version)?;
        if !matches!(acks, -1..=1) {
            return Err(ErrorCode::INVALID_REQUIRED_ACKS.into());
        }
        let rules = AppendRules {
            max_message_bytes,
            check_records: self.config.check_records,
            discard: self.config.discard,
            log_limit: self.config.log_limit,
            append_time: append_time.then(|| self.clock.unix_ms(self.now)),
        };
        let appended = partition.append(request.broker, acks, &batch, &rules);
        let log_start_offset = partition.log.start_offset();
        let appended = appended.map_err(|code| Refusal::by_log(code, log_start_offset))?;
        if !appended.duplicate {
            self.ready.extend(&partition.waiting);
        }
        Ok((appended, log_start_offset))
    }

    fn produce_hint(
        &self,
        request: &Request,
        topic: &TopicProduceData,
        p: &mut PartitionProduceResponse,
        leaders: &mut BTreeSet<i32>,
    ) {
        let topic = self
            .topics
            .resolve(&topic.name, topic.topic_id, request.version >= 13);
        let Some(partition) = topic.ok().and_then(|t| t.partition(p.index)) else {
            return;
        };
        p.current_leader = LeaderIdAndEpoch::build(|l| {
            l.leader_id = partition.leader.unwrap_or(-1);
            l.leader_epoch = partition.leader_epoch;
        });
        leaders.extend(partition.leader);
    }

    fn produce_endpoint(&self, id: i32) -> Option<NodeEndpoint> {
        let broker = self.brokers.get(&id)?;
        Some(NodeEndpoint::build(|n| {
            n.node_id = id;
            n.host.clone_from(&broker.host);
            n.port = i32::from(broker.port);
        }))
    }
}

pub(super) fn refuse(m: &ProduceRequest, code: ErrorCode) -> ProduceResponse {
    let partition = |data: &PartitionProduceData| {
        PartitionProduceResponse::build(|p| {
            p.index = data.index;
            p.error_code = code.code();
            p.base_offset = -1;
        })
    };
    let topic = |data: &TopicProduceData| {
        TopicProduceResponse::build(|t| {
            t.name.clone_from(&data.name);
            t.topic_id = data.topic_id;
            t.partition_responses = data.partition_data.iter().map(partition).collect();
        })
    };
    ProduceResponse::build(|r| r.responses = m.topic_data.iter().map(topic).collect())
}

/// Why a batch was not stored.
struct Refusal {
    code: ErrorCode,
    log_start_offset: i64,
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self {
            code,
            log_start_offset: -1,
        }
    }
}

impl Refusal {
    /// `ReplicaManager.appendRecordsToLocal` tells the start of the log with the errors that it does not expect.
    fn by_log(code: ErrorCode, log_start_offset: i64) -> Self {
        match code {
            ErrorCode::NOT_LEADER_OR_FOLLOWER
            | ErrorCode::MESSAGE_TOO_LARGE
            | ErrorCode::CORRUPT_MESSAGE => code.into(),
            _ => Self {
                code,
                log_start_offset,
            },
        }
    }
}

/// Whether a partition's records are part of a transaction.
fn is_transactional(data: &PartitionProduceData) -> bool {
    let header = data.records.as_deref().and_then(BatchHeader::parse);
    header.is_some_and(|h| h.magic == 2 && h.attributes & BatchHeader::TRANSACTIONAL != 0)
}

/// The one batch of magic 2 that a request of version 3 or later must carry (`ProduceRequest.validateRecords`).
///
/// As in Java, what follows it and is not a whole batch is cut off.
fn only_batch(records: Option<&Bytes>, version: i16) -> Result<Bytes, ErrorCode> {
    let records = records.ok_or(ErrorCode::INVALID_RECORD)?;
    if version < 3 && is_message_set(records) {
        return upgraded(records);
    }
    let size = batch_size(records)?.ok_or(ErrorCode::INVALID_RECORD)?;
    if records[MAGIC_AT] != 2 || batch_size(&records[size..])?.is_some() {
        return Err(ErrorCode::INVALID_RECORD);
    }
    let batch = records.slice(..size);
    let zstd = BatchHeader::parse(&batch).is_some_and(|h| h.codec() == 4);
    if zstd && version < 7 {
        return Err(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
    }
    Ok(batch)
}

const MAGIC_AT: usize = 16;

/// A partition whose followers do not have what a Produce wrote.
#[derive(Clone, Debug)]
pub(in super::super) struct Behind {
    name: String,
    id: Uuid,
    by_id: bool,
    partition: i32,
    /// The high watermark that it takes.
    end: i64,
}

/// Fails partitions in an answer that was made when they had been written.
pub(in super::super) fn fail_behind(
    behind: &[Behind],
    code: ErrorCode,
    response: &mut ProduceResponse,
) {
    for one in behind {
        let topics = response.responses.iter_mut();
        let topics = topics.filter(|t| t.name == one.name && t.topic_id == one.id);
        let partitions = topics.flat_map(|t| &mut t.partition_responses);
        for partition in partitions.filter(|p| p.index == one.partition) {
            partition.error_code = code.code();
        }
    }
}

/// The size of the first batch, if it is all there, as in `ByteBufferLogInputStream.nextBatchSize`.
fn batch_size(records: &[u8]) -> Result<Option<usize>, ErrorCode> {
    let Some(length) = records.get(8..).and_then(|b| b.first_chunk::<4>()) else {
        return Ok(None);
    };
    // `LegacyRecord.RECORD_OVERHEAD_V0`
    let length = match usize::try_from(i32::from_be_bytes(*length)) {
        Ok(length) if length >= 14 => length,
        _ => return Err(ErrorCode::CORRUPT_MESSAGE),
    };
    let Some(magic) = records.get(MAGIC_AT) else {
        return Ok(None);
    };
    if *magic > 2 {
        return Err(ErrorCode::CORRUPT_MESSAGE);
    }
    Ok((12 + length <= records.len()).then_some(12 + length))
}
